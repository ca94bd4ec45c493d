//! Files of our own with which libFuzzer begins (`fuzz/corpus`).

use vsota_core::facts::{Framework, Stage, Status};

use crate::builders::{
    self, MODEL, NcuLaunch, PassKernel, PassesOf, RecordParts, RunNumbers, SglangExtra,
    SglangVersion, TrtllmShape, VllmShape, VllmVersion,
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
    traces(&mut add);
    words(&mut add);
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

/// Small traces, one a framework and stage, and exports of NCU's.
fn traces(add: &mut Add<'_>) {
    let frame = "vllm/model_executor/layers/linear.py(508): forward";
    let kernel = |name, ns| PassKernel { name, frame, ns };
    let layer = vec![kernel("rms_norm_kernel", 3_000), kernel("flash_fwd_kernel<a, (b)1>", 9_000)];
    for framework in Framework::ALL.iter().copied() {
        for stage in [Stage::Prefill, Stage::Decode] {
            let of = PassesOf {
                framework,
                stage,
                passes: 1,
                tokens: 4,
                layers: vec![layer.clone(), layer.clone()],
                after: vec![kernel("nvjet_head", 5_000)],
                start_ns: 1_365_627_949_863_953,
            };
            let text = builders::server_trace(&of);
            for family in ["trace", "profile", "layers"] {
                add(family, &format!("{framework}-{stage}"), text.clone());
            }
        }
    }
    let odd = "[{\"name\":\"a\\\"\\ud800{\",\"cat\":\"kernel\",\"ph\":\"X\",\"ts\":1.5e3,\"dur\":-0.0,\"pid\":\
               \"[TP00] 1\",\"tid\":\"stream 7\",\"args\":{\"stream\":0,\"x\":[[{}]]}},\n{\"ph\":\"M\"}]";
    add("trace", "odd", odd.into());
    let overlapping = "[{\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"nccl\",\"pid\":0,\"tid\":1,\"ts\":1,\"dur\":9},\
                       {\"ph\":\"X\",\"cat\":\"kernel\",\"name\":\"gemm\",\"pid\":0,\"tid\":2,\"ts\":4,\"dur\":9e9},\
                       {\"ph\":\"X\",\"cat\":\"cpu_op\",\"name\":\"aten::mm\",\"pid\":1,\"tid\":1,\"ts\":0,\"dur\":5}]";
    add("profile", "overlapping", overlapping.into());
    let launch = |duration_us| NcuLaunch {
        kernel: "void f<(a)1>(int)".into(),
        duration_us,
        compute: 20.0,
        memory: 80.5,
        registers: 40,
    };
    let launches = [launch(41.5), launch(1_041.5)];
    add("ncu", "details", builders::ncu_details(&launches));
    add("ncu", "raw", builders::ncu_raw(&launches));
}

/// What is said in words: failures, commands of a shell, diffs.
fn words(add: &mut Add<'_>) {
    let why = "ValueError: the quantization `fp8` is not supported";
    add("failing", "down", builders::server_log_failed("0.25.1", why));
    add(
        "failing",
        "up",
        builders::server_log("0.32.0", MODEL, true) + "CUDA error: out of memory\n",
    );
    let help = "no `--fp8` and no --kv-cache-dtype\nusage: serve [--fp8]\n  --fp8-e4m3  what\n";
    add("failing", "help", help.into());
    add("failing", "own", "usage: serve\nserve: error: unrecognized arguments: --x\n".into());
    let calls = [
        ("claude", r#"{"cwd":"/w","tool_name":"Edit","tool_input":{"file_path":"vllm/a.py"}}"#),
        (
            "codex",
            r#"{"tool_name":"apply_patch","tool_input":{"input":"*** Update File: a.py\n"}}"#,
        ),
        ("shell", "cd /w && env A=1 git -C x commit -am 'a b' | tee b.py; sed -i s/a/b/ ~/c.py"),
        (
            "tools",
            "ruff format a.py; black --check .; curl -fsSLo b.py https://e/x.py; sort -oc.py d",
        ),
        ("python", "python3 - <<'E' > f.py\nopen('vllm/a.py', 'w').write('x')\nE"),
    ];
    for (name, text) in calls {
        add("hook", name, text.into());
    }
    add("diff", "checks", CHECKS.into());
    let moved = "diff --git a/vllm/a.py b/vllm/b.py\nsimilarity index 90%\nrename from vllm/a.py\n\
                 rename to vllm/b.py\n@@ -1,2 +1,2 @@\n-assert f(a,\n-         b)\n+assert f(a, b)\n";
    add("diff", "moved", moved.into());
}

/// One of everything that a diff can take away.
const CHECKS: &str = "\
diff --git a/tests/test_a.py b/tests/test_a.py
deleted file mode 100644
--- a/tests/test_a.py
+++ /dev/null
@@ -1,2 +0,0 @@
-def test_a():
-    assert a == 1
diff --git a/tests/test_b.py b/tests/test_b.py
--- a/tests/test_b.py
+++ b/tests/test_b.py
@@ -1,9 +1,6 @@
+@pytest.mark.skip
 def test_b():
     assert_close(
         a,
-        atol=1e-3,
+        atol=1e-2,
     )
-def test_c():
-    pass
diff --git a/csrc/a.cu b/csrc/a.cu
--- a/csrc/a.cu
+++ b/csrc/a.cu
@@ -1,2 +1,2 @@
-  TORCH_CHECK(a > 0, \"a\");
+  // Copied from https://github.com/x/y
";
