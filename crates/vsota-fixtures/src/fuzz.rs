//! Files of our own with which libFuzzer begins (`fuzz/corpus`).

use vsota_core::facts::{Framework, Status};

use crate::builders::{
    self, MODEL, RecordParts, RunNumbers, SglangExtra, SglangVersion, TrtllmShape, VllmShape,
    VllmVersion,
};

fn numbers() -> RunNumbers {
    RunNumbers {
        failed: 1,
        num_prompts: 4,
        concurrency: Some(2),
        ..RunNumbers::plausible(MODEL, (16, 6), 1.75, 1_795_507_650_000)
    }
}

/// Files of our own: family, name, bytes.
pub fn corpus() -> Vec<(&'static str, String, String)> {
    let mut files = Vec::new();
    let mut add = |family, name: &str, text: String| files.push((family, name.to_owned(), text));
    add(
        "json",
        "literals",
        "{\"a\": [NaN, -Infinity, 1e-5, null], \"itls\": [[0.1]]}\n[1, {}]".into(),
    );
    add("json", "cut", "{\"a\": {\"b\":\n{\"c\": \"x\\\"y\\u0041\"}\n".into());
    results(&mut add);
    servers(&mut add);
    records(&mut add);
    files
}

type Add<'a> = dyn FnMut(&'static str, &str, String) + 'a;

fn results(add: &mut Add<'_>) {
    let shape = VllmShape { detailed: true, ramp: Some((1.0, 2.0)), ..VllmShape::default() };
    for version in VllmVersion::ALL {
        add("vllm", &format!("{version:?}"), builders::vllm_of(version, &numbers(), &shape));
    }
    let none = RunNumbers { failed: 4, ..numbers() };
    add("vllm", "failed", builders::vllm_of(VllmVersion::V0_32, &none, &VllmShape::default()));
    add(
        "vllm",
        "sweep",
        builders::sweep_summary(&[builders::sweep_run(&numbers(), 0, &[("a", "1")])]),
    );
    add("vllm", "sweep-failed", builders::sweep_failure(0, "RuntimeError", "CUDA out of memory"));
    for version in SglangVersion::ALL {
        let extra = SglangExtra { details: true, cached: Some(50.0), ..SglangExtra::default() };
        if let Some(line) = builders::sglang_of(version, &numbers(), &extra) {
            add("sglang", &format!("{version:?}"), line.clone());
            add("sglang", &format!("search-{version:?}"), builders::auto_benchmark(1, Ok(&line)));
        }
    }
    add("sglang", "oom", builders::auto_benchmark(2, Err(("out of memory", Some("oom")))));
    for old in [false, true] {
        let shape =
            TrtllmShape { old, detailed: true, decoded: Some(1.5), ..TrtllmShape::default() };
        add("trtllm", if old { "old" } else { "new" }, builders::trtllm_of(&numbers(), &shape));
        let report = builders::offline_report(&RunNumbers { failed: 0, ..numbers() }, old, true);
        add("trtllm", if old { "report" } else { "report-old" }, report);
    }
    let row = "{\"framework\": \"vllm\", \"candidate_id\": \"a\", \"status\": \"ok\", \"workload\": \
               {\"scenario\": \"chat\"}, \"metrics\": {\"request_throughput\": 9.5, \"p50_ttft_ms\": 0}}\n";
    add("companion", "row", row.repeat(2));
    add("companion", "failed", row.replace("\"ok\"", "\"oom\"").replace("9.5", "null"));
}

fn servers(add: &mut Add<'_>) {
    add("server_log", "ready", builders::server_log("0.32.0", MODEL, true));
    let why = "pydantic_core.ValidationError: 1 error\n  Value error, too long";
    add("server_log", "failed", builders::server_log_failed("0.25.1", why));
    add("metrics", "scrape", builders::metrics(300, 30, 3));
    for (name, units, header) in
        [("units", true, true), ("nounits", false, true), ("noheader", true, false)]
    {
        add("smi", name, builders::nvidia_smi(units, header));
    }
}

fn records(add: &mut Add<'_>) {
    let run = numbers();
    let parts = RecordParts {
        framework: Framework::Vllm,
        framework_version: Some("0.32.0".into()),
        candidate_id: Some("base".into()),
        scenario: "chat".into(),
        build: None,
        tree: Some("5".repeat(40)),
        server_command: builders::server_command(Framework::Vllm, MODEL, 9_000),
        benchmark_command: builders::benchmark_command(Framework::Vllm, &run, "r.json"),
        log: Some("logs/base.log".into()),
        started_at: run.ended_at - 2_000,
        ended_at: run.ended_at,
        status: Status::Ok,
        failure_reason: None,
        result: Some(("raw/base.json".into(), 1)),
        smoke: false,
    };
    let record = builders::run_record(&parts);
    add("records", "run", record.to_string());
    add("records", "block", builders::block("gap", "chat", &[record.clone(), record]).to_string());
}
