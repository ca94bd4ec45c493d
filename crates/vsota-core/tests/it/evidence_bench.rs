//! Native result files: every number of every client comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use vsota_core::evidence::bench::{Cap, Format, Offered};
use vsota_core::evidence::{NativeRun, companion_row, read_all};
use vsota_core::facts::{Framework, LatencyKind, Metric, Rate, Stat, Status};
use vsota_core::measure::Measured;
use vsota_fixtures::builders::{MODEL, RunNumbers, Spread, sglang_bench, trtllm_bench, vllm_bench};

fn numbers() -> RunNumbers {
    RunNumbers {
        failed: 3,
        ..RunNumbers::plausible(MODEL, (1_000, 1_000), 7.318_4, 1_795_507_650_000)
    }
}

fn only(text: &str) -> NativeRun {
    let (mut runs, errors) = read_all(text.as_bytes());
    assert_eq!(errors, [], "{text}");
    assert_eq!(runs.len(), 1);
    runs.remove(0).1
}

fn assert_numbers(run: &NativeRun, from: &RunNumbers) {
    let value = |metric| run.metric(metric).map(Measured::get);
    let seconds = from.duration();
    let (read, wrote) = (from.completed() * from.input_len, from.completed() * from.output_len);
    assert_eq!(value(Metric::RequestThroughput), Some(from.request_throughput));
    assert_eq!(value(Metric::OutputTokenThroughput), Some(wrote as f64 / seconds));
    assert_eq!(value(Metric::TotalTokenThroughput), Some((read + wrote) as f64 / seconds));
    for (kind, spread) in [
        (LatencyKind::Ttft, from.ttft),
        (LatencyKind::Tpot, from.tpot),
        (LatencyKind::Itl, from.itl),
        (LatencyKind::E2e, from.e2e),
    ] {
        assert_eq!(value(Metric::latency(Stat::Mean, kind)), Some(spread.mean), "{kind}");
        assert_eq!(value(Metric::latency(Stat::P50, kind)), Some(spread.p50), "{kind}");
        assert_eq!(value(Metric::latency(Stat::P99, kind)), Some(spread.p99), "{kind}");
    }
    assert_eq!(run.duration.map(Measured::get), Some(seconds));
    assert_eq!(run.completed, from.completed());
    assert_eq!((run.input_tokens, run.output_tokens), (Some(read), Some(wrote)));
    assert_eq!(run.model.as_ref().map(AsRef::as_ref), Some(MODEL));
    assert_eq!(run.status, Status::Ok);
    assert!(run.served);
    assert_eq!(run.endpoint, Some("/v1/completions"));
    assert_eq!(run.request_rate, Some(Offered::Rate(Rate::Unbounded)));
    assert_eq!(run.max_concurrency, Some(Cap::Unlimited));
    run.check_arithmetic().unwrap();
}

#[test]
fn a_vllm_result_gives_back_every_number() {
    let run = only(&vllm_bench(&numbers()));
    assert_eq!(run.format, Format::VllmBenchServe);
    assert_eq!(run.framework(), Some(Framework::Vllm));
    assert_eq!(run.requested, Some(80));
    assert_eq!(run.date.map(|it| it.0), Some(1_795_507_650));
    assert_eq!(run.tokenizer.as_ref().map(AsRef::as_ref), Some(MODEL));
    assert_numbers(&run, &numbers());
}

#[test]
fn a_sglang_line_gives_back_every_number() {
    let run = only(&sglang_bench(&numbers()).unwrap());
    assert_eq!(run.format, Format::SglangBenchServing);
    assert_eq!(run.framework(), Some(Framework::Sglang));
    assert_eq!(run.requested, None, "only the details or the command tell");
    assert_eq!(run.version.as_ref().map(AsRef::as_ref), Some("0.5.23"));
    assert!(run.metric(Metric::latency(Stat::P90, LatencyKind::E2e)).is_some());
    assert_numbers(&run, &numbers());
}

#[test]
fn a_tensorrt_llm_result_gives_back_every_number() {
    let run = only(&trtllm_bench(&numbers()));
    assert_eq!(run.format, Format::TrtllmBenchmarkServing);
    assert_eq!(run.framework(), Some(Framework::TensorrtLlm));
    assert_eq!(run.requested, Some(80));
    assert_numbers(&run, &numbers());
}

#[test]
fn rates_and_caps_are_read_in_every_spelling() {
    let from = RunNumbers { rate: Some(4.0), concurrency: Some(16), ..numbers() };
    for text in [vllm_bench(&from), sglang_bench(&from).unwrap(), trtllm_bench(&from)] {
        let run = only(&text);
        assert_eq!(run.request_rate.map(|it| it.to_string()), Some("4".into()));
        assert_eq!(run.max_concurrency, Some(Cap::At(16)));
    }
}

#[test]
fn zeros_of_a_run_without_a_completed_request_are_no_measurements() {
    let from = RunNumbers { failed: 80, ..numbers() };
    for text in [vllm_bench(&from), trtllm_bench(&from)] {
        let run = only(&text);
        assert_eq!(run.status, Status::Failed);
        assert_eq!(run.metrics.len(), 0);
        let row = companion_row(&run);
        assert_eq!(row["status"], "failed");
        assert_eq!(row["metrics"], serde_json::json!({}));
    }
    assert_eq!(sglang_bench(&from), None);
}

#[test]
fn a_zero_latency_is_absent_where_requests_completed() {
    let none = Spread { mean: 0.0, p50: 0.0, p99: 0.0 };
    let run = only(&vllm_bench(&RunNumbers { tpot: none, ..numbers() }));
    assert_eq!(run.metric(Metric::latency(Stat::P50, LatencyKind::Tpot)), None);
    assert!(run.metric(Metric::latency(Stat::P50, LatencyKind::Ttft)).is_some());
}

#[test]
fn the_median_is_the_p50_and_a_latency_that_was_not_asked_for_is_absent() {
    let text = vllm_bench(&numbers());
    let cut = text.find(", \"mean_e2el_ms\"").unwrap();
    let run = only(&format!("{}}}", &text[..cut]));
    assert_eq!(run.metric(Metric::latency(Stat::P50, LatencyKind::E2e)), None);
    assert_eq!(
        run.metric(Metric::latency(Stat::P50, LatencyKind::Ttft)).map(Measured::get),
        Some(numbers().ttft.p50)
    );
}

#[test]
fn several_results_of_one_file_are_rows_with_their_lines() {
    let text = format!("{}\n\n{}", vllm_bench(&numbers()), sglang_bench(&numbers()).unwrap());
    let (runs, errors) = read_all(text.as_bytes());
    assert_eq!(errors, []);
    let found: Vec<_> = runs.iter().map(|(line, run)| (*line, run.format)).collect();
    assert_eq!(found, [(1, Format::VllmBenchServe), (3, Format::SglangBenchServing)]);
}

#[test]
fn the_elements_of_an_array_are_rows_with_their_lines() {
    let one = vllm_bench(&numbers());
    let (runs, errors) = read_all(format!("[\n    {one},\n    {one}\n]\n").as_bytes());
    assert_eq!(errors, []);
    assert_eq!(runs.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_run_of_a_sweep_is_told_by_its_number() {
    let text = vllm_bench(&numbers());
    let swept = |number: i64| format!("{}, \"run_number\": {number}}}", text.trim_end_matches('}'));
    assert_eq!(only(&swept(0)).format, Format::VllmSweep);
    let (runs, errors) = read_all(swept(-1).as_bytes());
    assert_eq!((runs.len(), errors.len()), (0, 1));
    assert_eq!(errors[0].field.as_deref(), Some("run_number"));
}

#[test]
fn older_vllm_is_told_by_the_colon_and_the_order() {
    let text = vllm_bench(&numbers())
        .replace("\"endpoint_type\": \"openai\", ", "")
        .replace("\"request_goodput\"", "\"request_goodput:\"")
        .replace("\"failed\": 3, ", "");
    let run = only(&text);
    assert_eq!(run.format, Format::VllmBenchmarkServing);
    assert_eq!(run.requested, Some(80));
    assert_eq!(run.success_rate().map(|it| it.get()), Some(77.0 / 80.0));
}

#[test]
fn a_backend_of_another_framework_is_the_framework_that_was_measured() {
    let text = sglang_bench(&numbers()).unwrap().replace("\"sglang-oai\"", "\"vllm\"");
    assert_eq!(only(&text).framework(), Some(Framework::Vllm));
}

#[test]
fn requests_of_a_detailed_sglang_line_are_counted_by_their_slots() {
    let text = sglang_bench(&numbers()).unwrap();
    let errors = [vec!["\"\""; 77], vec!["\"HTTP 500\""; 3]].concat().join(", ");
    let run = only(&format!("{}, \"errors\": [{errors}]}}", text.trim_end().trim_end_matches('}')));
    assert_eq!(run.requested, Some(80));
}

#[test]
fn the_companion_row_has_the_names_of_the_schema() {
    let row = companion_row(&only(&vllm_bench(&numbers())));
    assert_eq!(row["framework"], "vllm");
    assert_eq!(row["model"], MODEL);
    assert_eq!(row["workload"]["request_rate"], "inf");
    assert_eq!(row["workload"]["num_prompts"], 80);
    assert_eq!(row["metrics"]["request_throughput"], numbers().request_throughput);
    assert_eq!(row["metrics"]["p50_ttft_ms"], numbers().ttft.p50);
    assert_eq!(row["metrics"]["success_rate"], 77.0 / 80.0);
    assert_eq!(row["metrics"].get("p90_ttft_ms"), None);
}

#[test]
fn a_report_of_an_offline_run_is_never_served() {
    let text = r#"{"engine": {"model": "demo/tiny-moe", "version": "1.2.0", "backend": "Pytorch"},
        "request_info": {"num_requests": 20},
        "performance": {"total_latency_ms": 4000.0, "request_throughput_req_s": 5.0,
            "request_latency_percentiles_ms": {"p50": 190.5, "p99": 201.25}}}"#;
    let run = only(text);
    assert_eq!((run.format, run.served), (Format::TrtllmBench, false));
    let e2e = |stat| run.metric(Metric::latency(stat, LatencyKind::E2e)).map(Measured::get);
    assert_eq!((e2e(Stat::P50), e2e(Stat::P99)), (Some(190.5), Some(201.25)));
    assert_eq!(run.duration.map(Measured::get), Some(4.0));
    assert_eq!(companion_row(&run)["served"], false);
}
