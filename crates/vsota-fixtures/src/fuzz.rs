//! What must hold of any bytes, a function a family of files, and files of our own to begin with.
//!
//! `fuzz/` calls the functions with what libFuzzer thinks of; a test calls them with the files.

use vsota_core::evidence::{
    BlockRecord, EvidenceError, Item, Metrics, Reader, RunRecord, ServerLog, companion_row, json,
    read, smi,
};
use vsota_core::facts::{Framework, Status};

use crate::builders::{
    self, MODEL, RecordParts, RunNumbers, SMI_QUERY, SglangExtra, SglangVersion, TrtllmShape,
    VllmShape, VllmVersion,
};

/// A family of files and what must hold of any bytes that are taken for one.
pub type Target = (&'static str, fn(&[u8]));

/// Every family.
pub const TARGETS: [Target; 9] = [
    ("json", any_json),
    ("vllm", any_result),
    ("sglang", any_result),
    ("trtllm", any_result),
    ("companion", any_result),
    ("server_log", any_log),
    ("metrics", any_scrape),
    ("smi", any_table),
    ("records", any_record),
];

/// The function of a family.
///
/// Panics when there is no such family.
pub fn target(name: &str) -> fn(&[u8]) {
    match TARGETS.iter().find(|(target, _)| *target == name) {
        Some((_, function)) => *function,
        None => panic!("no fuzz target {name}"),
    }
}

fn check(error: &EvidenceError) {
    assert!(!error.message.is_empty(), "an error without a message");
    assert!(!error.to_string().chars().any(vsota_core::text::is_unsafe), "{error:?}");
}

fn any_json(bytes: &[u8]) {
    let (found, errors) = json::values(bytes);
    errors.iter().for_each(check);
    for value in found {
        let _ = value.value.strict();
    }
}

/// Whatever is read can be a result, and pieces say what the whole says.
fn any_result(bytes: &[u8]) {
    let (items, errors) = read(bytes);
    assert!(!items.is_empty() || !errors.is_empty(), "a file that says nothing");
    errors.iter().for_each(check);
    for (line, item) in &items {
        assert!(*line > 0, "lines count from 1");
        if let Item::Native(run) = item {
            assert!(run.requested.is_none_or(|it| run.completed <= it), "{run:?}");
            assert!(run.status == Status::Ok || run.metrics.is_empty(), "{run:?}");
            assert!(run.completed > 0 || run.status != Status::Ok, "{run:?}");
            assert!(run.check_arithmetic().is_ok(), "{run:?}");
            assert!(companion_row(run).is_object(), "{run:?}");
        }
    }
    let piece = 1 + bytes.len() / 3 + usize::from(bytes.first().copied().unwrap_or_default()) % 7;
    let mut reader = Reader::new();
    let mut again: Vec<_> = bytes.chunks(piece).flat_map(|it| reader.feed(it)).collect();
    again.extend(reader.end());
    let again: Vec<_> = again.into_iter().filter_map(Result::ok).collect();
    assert_eq!(items, again, "pieces and the whole differ");
}

fn any_log(bytes: &[u8]) {
    if let Err(error) = ServerLog::read(bytes) {
        check(&error);
    }
}

fn any_scrape(bytes: &[u8]) {
    match Metrics::read(bytes) {
        Ok(scrape) => {
            assert!(scrape.framework.is_some(), "{scrape:?}");
            let nothing = scrape.since(&scrape);
            assert!(nothing.is_ok_and(|it| it.prefix_hit_rate().is_none()), "{scrape:?}");
        }
        Err(error) => check(&error),
    }
}

fn any_table(bytes: &[u8]) {
    for table in [smi::read(bytes), smi::read_headless(bytes, SMI_QUERY)] {
        match table {
            Ok(gpus) => assert!(!gpus.is_empty(), "a table without a GPU"),
            Err(error) => check(&error),
        }
    }
}

fn any_record(bytes: &[u8]) {
    if let Err(error) = RunRecord::read(bytes) {
        check(&error);
    }
    if let Err(error) = BlockRecord::read(bytes) {
        check(&error);
    }
    any_result(bytes);
}

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
