//! Run records and blocks: what becomes a fact, and what contradicts itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vsota_core::evidence::{
    BareRun, BlockKind, BlockRecord, CivilTime, EvidenceError, Filed, Item, NativeRun, RunFiles,
    RunRecord, read, read_all, rfc3339,
};
use vsota_core::facts::{BlockRun, Build, Dimension, Framework, LatencyKind, Metric, Stat, Status};
use vsota_core::measure::Measured;
use vsota_core::text::Line;
use vsota_core::{Artifact, Digest};
use vsota_fixtures::builders::{
    self, MODEL, RecordParts, RunNumbers, benchmark_command, native_date, server_command,
    sglang_bench, trtllm_bench, vllm_bench,
};

const END: i64 = 1_795_507_650_000;

fn numbers() -> RunNumbers {
    RunNumbers::plausible(MODEL, (1_000, 1_000), 7.25, END)
}

fn text_of(framework: Framework, run: &RunNumbers) -> String {
    match framework {
        Framework::Vllm => vllm_bench(run),
        Framework::Sglang => sglang_bench(run).unwrap(),
        Framework::TensorrtLlm => trtllm_bench(run),
    }
}

fn native(framework: Framework, run: &RunNumbers) -> NativeRun {
    read_all(text_of(framework, run).as_bytes()).0.remove(0).1
}

fn parts(framework: Framework, run: &RunNumbers) -> RecordParts {
    RecordParts {
        framework,
        framework_version: Some("1.2.3".into()),
        candidate_id: Some("base".into()),
        scenario: "chat".into(),
        build: None,
        tree: (framework == Framework::Vllm).then(|| "5".repeat(40)),
        server_command: server_command(framework, MODEL, 9_000),
        benchmark_command: benchmark_command(framework, run, "r.json"),
        log: Some("logs/base.log".into()),
        started_at: run.ended_at - (run.duration() * 1_000.0) as i64,
        ended_at: run.ended_at,
        status: Status::Ok,
        failure_reason: None,
        result: Some(("raw/base.json".into(), 1)),
        smoke: false,
    }
}

fn record(framework: Framework) -> Value {
    builders::run_record(&parts(framework, &numbers()))
}

fn artifact(path: &str) -> Artifact {
    Artifact { path: path.parse().unwrap(), sha256: Digest::of(path.as_bytes()), bytes: 9 }
}

fn filed() -> Filed {
    Filed { result: Some(artifact("r")), log: Some(artifact("l")), ..Filed::default() }
}

/// The field that a changed record is refused for.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut value = record(Framework::Vllm);
    change(&mut value);
    let error = RunRecord::parse(value).expect_err("this was read");
    error.field.unwrap_or(error.message)
}

fn join_error(change: impl FnOnce(&mut Value)) -> EvidenceError {
    let mut value = record(Framework::Vllm);
    change(&mut value);
    let record = RunRecord::parse(value).unwrap();
    record
        .candidate(Some(&native(Framework::Vllm, &numbers())), filed())
        .expect_err("this was granted")
}

#[test]
fn a_record_of_each_framework_becomes_a_candidate() {
    for framework in [Framework::Vllm, Framework::Sglang, Framework::TensorrtLlm] {
        let record = RunRecord::read(record(framework).to_string().as_bytes()).unwrap();
        let found = record.candidate(Some(&native(framework, &numbers())), filed()).unwrap();
        assert_eq!((found.framework, found.status, found.served), (framework, Status::Ok, true));
        assert_eq!(found.launch(), Some(Digest::of(b"l")));
        assert_eq!(found.context_len, Some(9_000));
        assert_eq!(found.identity[&Dimension::Sampling].as_str(), "temperature=0");
        assert_eq!(found.identity[&Dimension::GpuCount].as_str(), "1");
        let measured = found.measured.unwrap();
        assert_eq!((measured.completed, measured.requested), (80, 80), "{framework}");
        assert_eq!(measured.ended_at, END);
        assert_eq!(measured.metric(Metric::RequestThroughput).map(Measured::get), Some(7.25));
        assert_eq!(measured.disturbed, None);
    }
}

#[test]
fn an_event_of_a_candidate_is_small() {
    let found = RunRecord::parse(record(Framework::Vllm)).unwrap();
    let found = found.candidate(Some(&native(Framework::Vllm, &numbers())), filed()).unwrap();
    let bytes = serde_json::to_string(&found).unwrap().len();
    assert!(bytes < 4_096, "{bytes}");
}

#[test]
fn a_record_with_a_wrong_field_names_it() {
    assert_eq!(refused(|it| it["surprise"] = json!(1)), "surprise");
    assert_eq!(
        refused(|it| it["scenario"] = json!("a|b")),
        refused(|it| it["scenario"] = json!("a|c"))
    );
    assert_eq!(refused(|it| drop(it.as_object_mut().unwrap().remove("status"))), "status");
    assert!(refused(|it| it["framework"] = json!("other")).contains("framework"));
    assert!(refused(|it| it["schema"] = json!("vsota-run/2")).contains("vsota-run"));
    assert!(refused(|it| it["result"]["path"] = json!("../r.json")).contains("run directory"));
    assert!(refused(|it| it["result"]["path"] = json!("/etc/passwd")).contains("run directory"));
    assert!(refused(|it| it["launch"]["log"] = json!("a/../../l")).contains("run directory"));
    assert!(refused(|it| it["started_at"] = json!("yesterday")).contains("RFC 3339"));
    assert_eq!(refused(|it| it["started_at"] = json!("2027-01-01T00:00:00Z")), "ended_at");
    assert_eq!(refused(|it| it["launch"]["started_at"] = json!("2027-01-01T00:00:00Z")), "launch");
    assert_eq!(refused(|it| it["launch"]["ended_at"] = json!("2026-01-01T00:00:00Z")), "launch");
    assert_eq!(refused(|it| it["exit_code"] = json!(1)), "exit_code");
    assert_eq!(refused(|it| it["result"] = Value::Null), "result");
    assert_eq!(
        refused(|it| it["server_command"] = json!(vec!["x".repeat(900); 5])),
        "server_command"
    );
}

#[test]
fn a_key_of_a_record_that_occurs_twice_is_an_error() {
    let text = record(Framework::Vllm).to_string().replacen('{', "{\"smoke\": false, ", 1);
    assert!(RunRecord::read(text.as_bytes()).unwrap_err().message.contains("occurs twice"));
    let two = format!("{}\n{}", record(Framework::Vllm), record(Framework::Vllm));
    assert_eq!(RunRecord::read(two.as_bytes()).unwrap_err().line, Some(2));
    assert!(RunRecord::read(b"").is_err());
}

#[test]
fn the_native_date_must_be_the_end_of_the_run_in_some_zone() {
    let shifted = |seconds: i64| {
        let run =
            native(Framework::Vllm, &RunNumbers { ended_at: END + seconds * 1_000, ..numbers() });
        RunRecord::parse(record(Framework::Vllm)).unwrap().candidate(Some(&run), filed())
    };
    for seconds in [0, 2, -2, 3_600, -3_600 + 1, 5 * 3_600 + 45 * 60, 14 * 3_600, -12 * 3_600] {
        shifted(seconds).unwrap_or_else(|error| panic!("{seconds}: {error}"));
    }
    for seconds in [3, -3, 60, 3_600 - 5, 15 * 3_600, -13 * 3_600] {
        assert_eq!(shifted(seconds).unwrap_err().field.as_deref(), Some("ended_at"), "{seconds}");
    }
}

#[test]
fn a_run_without_a_completed_request_is_failed_whatever_its_record_says() {
    let run = RunNumbers { failed: 80, ..numbers() };
    let record = RunRecord::parse(record(Framework::Vllm)).unwrap();
    let found = record.candidate(Some(&native(Framework::Vllm, &run)), filed()).unwrap();
    assert_eq!((found.status, found.measured), (Status::Failed, None));
    assert_eq!(found.failure_reason.as_ref().map(Line::as_str), Some("no request completed"));
}

#[test]
fn a_failed_record_needs_no_result() {
    let failed = RecordParts {
        status: Status::Oom,
        failure_reason: Some("out of memory".into()),
        result: None,
        ..parts(Framework::Vllm, &numbers())
    };
    let found =
        RunRecord::parse(builders::run_record(&failed)).unwrap().candidate(None, filed()).unwrap();
    assert_eq!((found.status, found.measured), (Status::Oom, None));
    let ok = RunRecord::parse(record(Framework::Vllm)).unwrap();
    assert_eq!(ok.candidate(None, filed()).unwrap_err().field.as_deref(), Some("result"));
}

#[test]
fn a_record_that_contradicts_its_native_file_is_an_error() {
    let error = join_error(|it| {
        it["benchmark_command"] = json!(["vllm", "bench", "serve", "--num-prompts", "90"])
    });
    assert_eq!(error.field.as_deref(), Some("num_prompts"));
    let error = join_error(|it| it["candidate_id"] = Value::Null);
    assert_eq!(error.field.as_deref(), Some("candidate_id"));
    let error = join_error(|it| it["server_command"][2] = json!("demo/other"));
    assert_eq!(error.field.as_deref(), Some("model"));
}

#[test]
fn a_rate_that_is_not_its_count_over_its_time_is_an_error() {
    let text = vllm_bench(&numbers())
        .replace("\"request_throughput\": 7.25", "\"request_throughput\": 7.5");
    let (runs, errors) = read_all(text.as_bytes());
    assert_eq!((runs.len(), errors.len()), (0, 1));
    assert_eq!(errors[0].field.as_deref(), Some("request_throughput"));
    let mut run = native(Framework::Vllm, &numbers());
    run.metrics.insert(Metric::RequestThroughput, Measured::new(7.5).unwrap());
    let error = RunRecord::parse(record(Framework::Vllm))
        .unwrap()
        .candidate(Some(&run), filed())
        .unwrap_err();
    assert_eq!(error.field.as_deref(), Some("request_throughput"));
}

#[test]
fn metadata_that_overwrites_the_result_is_an_error() {
    let join = |words: &[&str]| {
        let mut value = record(Framework::Vllm);
        let command = value["benchmark_command"].as_array_mut().unwrap();
        command.extend(words.iter().map(|it| json!(it)));
        let run = native(Framework::Vllm, &numbers());
        RunRecord::parse(value).unwrap().candidate(Some(&run), filed())
    };
    for words in [
        &["--metadata", "group=a", "model_id=demo/tiny-moe"][..],
        &["--metadata=num_prompts=80"],
        &["--metadata", "tokenizer_id=x", "--seed", "1"],
    ] {
        let error = join(words).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("benchmark_command"), "{words:?}");
        assert!(error.message.contains("--metadata overwrites"), "{error}");
    }
    // A later key keeps the value of the benchmark, and a value may hold anything.
    for words in [&["--metadata", "duration=1", "note=model_id=x"][..], &["--metadata", "group=a"]]
    {
        join(words).unwrap();
    }
}

#[test]
fn an_unknown_count_of_requests_is_an_unknown_success_rate() {
    let mut value = record(Framework::Sglang);
    value["benchmark_command"] = json!(["python", "-m", "sglang.bench_serving"]);
    let found = RunRecord::parse(value).unwrap();
    let found = found.candidate(Some(&native(Framework::Sglang, &numbers())), filed()).unwrap();
    assert_eq!(found.measured.unwrap().success_rate(), None);
}

#[test]
fn a_run_that_did_not_stream_has_no_token_latencies() {
    let mut value = record(Framework::Sglang);
    value["benchmark_command"].as_array_mut().unwrap().push(json!("--disable-stream"));
    let found = RunRecord::parse(value).unwrap();
    let found = found.candidate(Some(&native(Framework::Sglang, &numbers())), filed()).unwrap();
    let measured = found.measured.unwrap();
    assert_eq!(measured.metric(Metric::latency(Stat::P50, LatencyKind::Ttft)), None);
    assert!(measured.metric(Metric::latency(Stat::P50, LatencyKind::E2e)).is_some());
}

#[test]
fn signs_of_a_disturbance_are_kept() {
    let disturbed = |hygiene: Value| {
        let mut value = record(Framework::Vllm);
        value["hygiene"] = hygiene;
        let found = RunRecord::parse(value).unwrap();
        let native = Some(native(Framework::Vllm, &numbers()));
        let files = RunFiles { native, ..RunFiles::default() };
        found.block_run(&files, &BTreeMap::new()).unwrap().measured.unwrap().disturbed
    };
    for quiet in [
        json!({}),
        json!({"prefix_cache_hit_rate": 0.0, "other_gpu_processes": 0, "throttle": false}),
        json!({"other_gpu_processes": [], "throttle": "0x0000000000000000"}),
        json!({"throttle": "Not Active"}),
    ] {
        assert_eq!(disturbed(quiet.clone()), None, "{quiet}");
    }
    for loud in [
        json!({"prefix_cache_hit_rate": 0.4}),
        json!({"other_gpu_processes": 1}),
        json!({"other_gpu_processes": ["python 4242"]}),
        json!({"throttle": true}),
        json!({"throttle": "SW Thermal Slowdown"}),
    ] {
        assert!(disturbed(loud.clone()).is_some(), "{loud}");
    }
}

#[test]
fn a_bare_result_is_kept_with_what_nobody_says_unknown() {
    let bare = |commands: bool| BareRun {
        framework: Framework::Vllm,
        framework_version: None,
        candidate_id: "base".parse().unwrap(),
        scenario: "chat".parse().unwrap(),
        smoke: false,
        server_command: lines(commands.then(|| server_command(Framework::Vllm, MODEL, 9_000))),
        benchmark_command: lines(
            commands.then(|| benchmark_command(Framework::Vllm, &numbers(), "r")),
        ),
        tree: None,
        gpus: None,
        ended_at: 5,
    };
    let run = native(Framework::Vllm, &numbers());
    let found = bare(false).candidate(&run, filed()).unwrap();
    assert_eq!(found.identity.get(&Dimension::Sampling), None);
    assert_eq!(found.identity[&Dimension::RequestRate].as_str(), "inf");
    assert_eq!(found.measured.unwrap().ended_at, END);
    let found = bare(true).candidate(&run, filed()).unwrap();
    assert_eq!(found.identity[&Dimension::Sampling].as_str(), "temperature=0");
    let wrong = BareRun { framework: Framework::Sglang, ..bare(false) };
    assert_eq!(wrong.candidate(&run, filed()).unwrap_err().field.as_deref(), Some("framework"));
}

fn lines(words: Option<Vec<String>>) -> Vec<Line> {
    words.unwrap_or_default().into_iter().map(|it| Line::new(it).unwrap()).collect()
}

fn block_of(kind: &str, runs: &[RecordParts]) -> Value {
    let runs: Vec<Value> = runs.iter().map(builders::run_record).collect();
    builders::block(kind, "chat", &runs)
}

fn run_at(framework: Framework, throughput: f64, ended_at: i64) -> (RecordParts, NativeRun) {
    let run = RunNumbers { request_throughput: throughput, ended_at, ..numbers() };
    (RecordParts { candidate_id: None, ..parts(framework, &run) }, native(framework, &run))
}

fn files(runs: &[(RecordParts, NativeRun)], launches: &[u8]) -> Vec<RunFiles> {
    let log = |byte: &u8| Some(Artifact { sha256: Digest::of(&[*byte]), ..artifact("log") });
    runs.iter()
        .zip(launches)
        .map(|((_, run), byte)| RunFiles {
            native: Some(run.clone()),
            log: log(byte),
            ..RunFiles::default()
        })
        .collect()
}

#[test]
fn the_runs_of_a_block_come_in_the_order_in_which_they_started() {
    let runs = [
        run_at(Framework::Sglang, 8.0, END + 300_000),
        run_at(Framework::Vllm, 7.0, END),
        run_at(Framework::TensorrtLlm, 7.5, END + 600_000),
    ];
    let value = block_of("gap", &runs.clone().map(|(parts, _)| parts));
    let (items, errors) = read(value.to_string().as_bytes());
    assert_eq!(errors, []);
    let [(1, Item::Block(record))] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!(record.kind, BlockKind::Gap);
    let block = record.block(&files(&runs, &[1, 2, 3]), artifact("b"), &BTreeMap::new()).unwrap();
    let order: Vec<_> = block.runs.iter().map(|it| it.framework).collect();
    assert_eq!(order, [Framework::Vllm, Framework::Sglang, Framework::TensorrtLlm]);
    assert_eq!(block.source, artifact("b"));
    assert!(record.block(&files(&runs, &[1, 2]), artifact("b"), &BTreeMap::new()).is_err());
}

#[test]
fn runs_that_share_a_launch_are_one_value() {
    let runs = [
        run_at(Framework::Vllm, 2.0, END),
        run_at(Framework::Vllm, 8.0, END + 100_000),
        run_at(Framework::Sglang, 5.0, END + 200_000),
    ];
    let record =
        BlockRecord::parse(block_of("gap", &runs.clone().map(|(parts, _)| parts))).unwrap();
    let block = record.block(&files(&runs, &[1, 1, 2]), artifact("b"), &BTreeMap::new()).unwrap();
    assert_eq!(block.runs.len(), 2);
    let measured = block.runs[0].measured.as_ref().unwrap();
    let value = measured.metric(Metric::RequestThroughput).unwrap().get();
    assert!((value - 4.0).abs() < 1e-12, "{value}");
    assert_eq!((measured.completed, measured.requested), (80, 80));
    let error =
        record.block(&files(&runs, &[1, 2, 1]), artifact("b"), &BTreeMap::new()).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("launch"));
}

#[test]
fn a_run_without_a_log_has_no_launch_and_stays_alone() {
    let runs = [run_at(Framework::Vllm, 2.0, END), run_at(Framework::Vllm, 8.0, END + 100_000)];
    let record =
        BlockRecord::parse(block_of("gap", &runs.clone().map(|(parts, _)| parts))).unwrap();
    let files = runs.map(|(_, run)| RunFiles { native: Some(run), ..RunFiles::default() });
    let block = record.block(&files, artifact("b"), &BTreeMap::new()).unwrap();
    assert_eq!(block.runs.iter().map(BlockRun::launch).collect::<Vec<_>>(), [None, None]);
}

#[test]
fn a_trial_says_which_build_each_run_measured() {
    let (parts, run) = run_at(Framework::Vllm, 7.0, END);
    let new = RecordParts { build: Some(Build::New), ..parts.clone() };
    let record = BlockRecord::parse(block_of("trial", std::slice::from_ref(&new))).unwrap();
    let block =
        record.block(&files(&[(new.clone(), run)], &[1]), artifact("b"), &BTreeMap::new()).unwrap();
    assert_eq!(block.runs[0].build, Some(Build::New));
    let field = |value| BlockRecord::parse(value).unwrap_err().field;
    assert_eq!(field(block_of("trial", &[parts])).as_deref(), Some("runs[0].build"));
    assert_eq!(field(block_of("gap", &[new])).as_deref(), Some("runs[0].build"));
}

#[test]
fn a_block_with_a_wrong_run_names_it() {
    let (good, _) = run_at(Framework::Vllm, 7.0, END);
    let other = RecordParts { scenario: "summarization".into(), ..good.clone() };
    let field = |value| BlockRecord::parse(value).unwrap_err().field;
    assert_eq!(field(block_of("gap", &[good.clone(), other])).as_deref(), Some("runs[1].scenario"));
    assert_eq!(field(block_of("gap", &[])).as_deref(), Some("runs"));
    assert!(BlockRecord::parse(block_of("other", &[good])).is_err());
}

#[test]
fn rfc_3339_times_are_read_to_the_millisecond() {
    for (text, at) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-24T07:54:10Z", 1_795_506_850_000),
        ("2026-11-24T07:54:10.5Z", 1_795_506_850_500),
        ("2026-11-24T07:54:10.123456789Z", 1_795_506_850_123),
        ("2026-11-24T13:39:10+05:45", 1_795_506_850_000),
        ("2026-11-23T23:54:10-08:00", 1_795_506_850_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2000-02-29T23:59:59Z", 951_868_799_000),
        ("1969-12-31T23:59:59Z", -1_000),
    ] {
        assert_eq!(rfc3339(text), Ok(at), "{text}");
    }
    for text in [
        "",
        "2026-11-24",
        "2026-11-24 07:54:10Z",
        "2026-11-24T07:54:10",
        "2026-11-24t07:54:10z",
        "2026-11-24T07:54Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T07:60:00Z",
        "2026-11-24T07:54:60Z",
        "2026-13-24T07:54:10Z",
        "2026-00-24T07:54:10Z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-24T07:54:10.Z",
        "2026-11-24T07:54:10.1234567890Z",
        "2026-11-24T07:54:10+24:00",
        "2026-11-24T07:54:10Z ",
        "+2026-11-24T07:54:10Z",
        "２026-11-24T07:54:10Z",
    ] {
        assert!(rfc3339(text).is_err(), "{text}");
    }
}

#[test]
fn times_of_the_builders_read_back() {
    for days in 0..2_000 {
        let at = END + days * 86_400_000 * 11;
        assert_eq!(rfc3339(&builders::rfc3339(at)), Ok(at));
        assert_eq!(CivilTime::parse(&native_date(at)).map(|it| it.0 * 1_000), Ok(at));
    }
    assert!(CivilTime::parse("20261124-0712310").is_err());
    assert!(CivilTime::parse("2026-11-24").is_err());
}

#[test]
fn a_result_that_keeps_lengths_has_buckets() {
    let lens = |lens: [u32; 4]| format!("{lens:?}");
    let with = |outputs: [u32; 4]| {
        let plain =
            vsota_fixtures::builders::vllm_bench(&vsota_fixtures::builders::RunNumbers::plausible(
                "demo/m",
                (300, 40),
                5.0,
                1_795_507_650_000,
            ));
        let lengths = format!(
            r#", "input_lens": {}, "output_lens": {}}}"#,
            lens([100, 300, 200, 900]),
            lens(outputs)
        );
        plain.trim_end().strip_suffix('}').unwrap().to_owned() + &lengths
    };
    let of = |text: &str| {
        let (runs, _) = vsota_core::evidence::read_all(text.as_bytes());
        vsota_core::evidence::buckets(text.as_bytes(), 1, &runs[0].1)
    };
    let found = of(&with([10, 30, 20, 40])).unwrap();
    assert_eq!((found.input_p50, found.input_p95), (200, 900));
    assert_eq!((found.output_p50, found.output_p95), (20, 40));
    assert!(found.e2e_ms.contains_key(&vsota_core::facts::Stat::P50));
    // A failed request has no output and does not count.
    assert_eq!(of(&with([10, 30, 20, 0])).unwrap().input_p95, 300);
    assert_eq!(
        of(&vsota_fixtures::builders::vllm_bench(
            &vsota_fixtures::builders::RunNumbers::plausible(
                "demo/m",
                (300, 40),
                5.0,
                1_795_507_650_000
            ),
        )),
        None
    );
}

/// FB-5: a mock behind the words of a build, measured by a real client, is told by its version.
#[test]
fn a_version_tells_a_mock() {
    for (version, mock) in [("0.33.0", false), ("0.0.0+mock", true), ("0.0.1+demo", true)] {
        let mut value = record(Framework::Vllm);
        value["framework_version"] = version.into();
        let run = native(Framework::Vllm, &numbers());
        let found = RunRecord::parse(value).unwrap().candidate(Some(&run), filed()).unwrap();
        assert_eq!(found.mock, mock, "{version}");
    }
}
