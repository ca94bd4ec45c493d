//! Every difference between versions of the three clients, from files of our own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use vsota_core::evidence::bench::{Cap, Format, Offered};
use vsota_core::evidence::{EvidenceError, NativeRun, companion_row, read_all};
use vsota_core::facts::{Framework, LatencyKind, Metric, Stat, Status};
use vsota_core::measure::Measured;
use vsota_fixtures::builders::{
    MODEL, RunNumbers, SglangExtra, SglangVersion, TrtllmShape, VllmShape, VllmVersion, appended,
    auto_benchmark, offline_report, server_failure, sglang_of, sweep_failure, sweep_run,
    sweep_summary, trtllm_of, vllm_of,
};

fn numbers() -> RunNumbers {
    RunNumbers {
        failed: 3,
        ..RunNumbers::plausible(MODEL, (1_000, 100), 7.318_4, 1_795_507_650_000)
    }
}

fn only(text: &str) -> NativeRun {
    let (mut runs, errors) = read_all(text.as_bytes());
    assert_eq!(errors, [], "{text}");
    assert_eq!(runs.len(), 1, "{text}");
    runs.remove(0).1
}

fn refused(text: &str) -> EvidenceError {
    let (runs, mut errors) = read_all(text.as_bytes());
    assert_eq!((runs.len(), errors.len()), (0, 1), "{errors:?}");
    errors.remove(0)
}

fn p50(run: &NativeRun, kind: LatencyKind) -> Option<f64> {
    run.metric(Metric::latency(Stat::P50, kind)).map(Measured::get)
}

#[test]
fn vllm_of_every_version_is_told_and_gives_its_numbers() {
    let from = numbers();
    for version in VllmVersion::ALL {
        for detailed in [false, true] {
            let shape = VllmShape { detailed, ..VllmShape::default() };
            let run = only(&vllm_of(version, &from, &shape));
            let format = match version {
                VllmVersion::Script | VllmVersion::V0_8_5 => Format::VllmBenchmarkServing,
                _ => Format::VllmBenchServe,
            };
            assert_eq!(run.format, format, "{version:?}");
            assert_eq!(run.framework(), Some(Framework::Vllm));
            assert_eq!((run.completed, run.requested), (77, Some(80)));
            assert_eq!(run.success_rate().map(|it| it.get()), Some(77.0 / 80.0));
            assert_eq!(run.version, None, "the file does not say it");
            assert_eq!(run.backend.as_ref().map(AsRef::as_ref), Some("openai"), "{version:?}");
            assert_eq!(run.endpoint, Some("/v1/completions"));
            assert_eq!(p50(&run, LatencyKind::E2e), Some(from.e2e.p50));
            assert_eq!(p50(&run, LatencyKind::Itl), Some(from.itl.p50));
            assert_eq!(run.output_tokens, Some(7_700));
        }
    }
}

#[test]
fn only_the_newer_vllm_counts_failures_and_they_must_add_up() {
    for version in VllmVersion::ALL {
        let text = vllm_of(version, &numbers(), &VllmShape::default());
        let wrong = text.replace("\"failed\": 3", "\"failed\": 2");
        match version >= VllmVersion::V0_11_1 {
            true => assert_eq!(refused(&wrong).field.as_deref(), Some("failed")),
            false => assert_eq!(wrong, text),
        }
    }
}

#[test]
fn e2e_latency_of_vllm_is_absent_unless_asked_for() {
    let shape = VllmShape { without_e2e: true, ..VllmShape::default() };
    for version in VllmVersion::ALL {
        let run = only(&vllm_of(version, &numbers(), &shape));
        assert_eq!(p50(&run, LatencyKind::E2e), None);
        assert!(p50(&run, LatencyKind::Ttft).is_some());
    }
}

#[test]
fn metadata_of_vllm_and_tensorrt_llm_does_not_change_what_they_are() {
    // Named like a later key, metadata keeps its early place and has the later value.
    for (key, value) in [("group", "a"), ("run_number", "1"), ("user", "b")] {
        let metadata = vec![(key.to_owned(), value.to_owned())];
        for version in VllmVersion::ALL {
            let shape = VllmShape { metadata: metadata.clone(), ..VllmShape::default() };
            let run = only(&vllm_of(version, &numbers(), &shape));
            assert_eq!(run.format.framework(), Some(Framework::Vllm), "{version:?} {key}");
            assert_ne!(run.format, Format::VllmSweep);
        }
        for old in [false, true] {
            let shape = TrtllmShape { old, metadata: metadata.clone(), ..TrtllmShape::default() };
            let run = only(&trtllm_of(&numbers(), &shape));
            assert_eq!(run.format, Format::TrtllmBenchmarkServing);
        }
    }
    let early = "\"num_prompts\": 80, \"request_rate\": \"inf\"";
    let trt = trtllm_of(&numbers(), &TrtllmShape { old: true, ..TrtllmShape::default() })
        .replace(", \"request_rate\": \"inf\"", "")
        .replace("\"num_prompts\": 80", early);
    assert_eq!(only(&trt).format, Format::TrtllmBenchmarkServing);
    let vllm = vllm_of(VllmVersion::V0_8_5, &numbers(), &VllmShape::default());
    let duration = format!("\"duration\": {:?}, ", numbers().duration());
    let vllm =
        vllm.replace(&duration, "").replace("\"request_rate\"", &(duration + "\"request_rate\""));
    assert_eq!(only(&vllm).format, Format::VllmBenchmarkServing);
}

#[test]
fn metadata_that_overwrites_the_identity_of_vllm_is_what_the_file_says() {
    // The file cannot tell; the recorded command does, and then the two contradict each other.
    let text = vllm_of(VllmVersion::V0_32, &numbers(), &VllmShape::default());
    let run = only(&text.replacen(&format!("\"model_id\": \"{MODEL}\""), "\"model_id\": \"x\"", 1));
    assert_eq!(run.model.as_ref().map(AsRef::as_ref), Some("x"));
}

#[test]
fn a_ramp_of_vllm_is_no_unbounded_rate() {
    let shape = VllmShape { ramp: Some((2.0, 12.0)), ..VllmShape::default() };
    let run = only(&vllm_of(VllmVersion::V0_32, &numbers(), &shape));
    let (from, to) = (Measured::new(2.0).unwrap(), Measured::new(12.0).unwrap());
    assert_eq!(run.request_rate, Some(Offered::RampUp { from, to }));
    assert_eq!(companion_row(&run)["workload"]["request_rate"], "ramp-up 2 to 12");
}

#[test]
fn accepted_tokens_of_speculation_are_told_where_a_file_has_them() {
    let shape = VllmShape { accepted: Some(2.5), ..VllmShape::default() };
    for version in VllmVersion::ALL {
        let run = only(&vllm_of(version, &numbers(), &shape));
        let told = (version >= VllmVersion::V0_14_1).then_some(2.5);
        assert_eq!(run.accept_length.map(Measured::get), told, "{version:?}");
    }
    let extra = SglangExtra { accepted: Some(3.25), ..SglangExtra::default() };
    let run = only(&sglang_of(SglangVersion::V0_5_23, &numbers(), &extra).unwrap());
    assert_eq!(run.accept_length.map(Measured::get), Some(3.25));
    for (decoded, told) in [(None, None), (Some(1.75), Some(1.75))] {
        let run = only(&trtllm_of(&numbers(), &TrtllmShape { decoded, ..TrtllmShape::default() }));
        assert_eq!(run.accept_length.map(Measured::get), told);
    }
}

#[test]
fn appended_results_are_rows_of_one_file() {
    let one = vllm_of(VllmVersion::V0_32, &numbers(), &VllmShape::default());
    let (runs, errors) = read_all(appended(&[one.clone(), one.clone(), one]).as_bytes());
    assert_eq!(errors, []);
    assert_eq!(runs.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_sweep_has_runs_a_summary_of_them_and_failures() {
    let from = RunNumbers { failed: 0, ..numbers() };
    let runs: Vec<String> = (0..2)
        .map(|number| sweep_run(&from, number, &[("max-num-seqs", "4"), ("num_prompts", "80")]))
        // The sweep writes an override over the key of the same name.
        .map(|text| text.replacen("    \"num_prompts\": 80,\n", "", 1))
        .collect();
    for text in &runs {
        let run = only(text);
        assert_eq!((run.format, run.requested), (Format::VllmSweep, Some(80)));
    }
    let (found, errors) = read_all(sweep_summary(&runs).as_bytes());
    assert_eq!((found.len(), errors.len()), (2, 0));
    assert!(found.iter().all(|(_, run)| run.format == Format::VllmSweep));
    assert_eq!(refused(&sweep_run(&from, -1, &[])).field.as_deref(), Some("run_number"));

    let run = only(&sweep_failure(1, "CalledProcessError", "Command '['vllm']' returned 1."));
    assert_eq!((run.format, run.status), (Format::VllmSweep, Status::Failed));
    assert_eq!(run.metrics.len(), 0);
    let why = run.failure.unwrap();
    assert_eq!(why.as_str(), "CalledProcessError: Command '['vllm']' returned 1.");
    let run = only(&server_failure("RuntimeError", "first\nCUDA out of memory.\n"));
    assert_eq!((run.status, run.requested), (Status::Oom, None));
}

#[test]
fn sglang_of_every_version_is_told_and_gives_its_numbers() {
    let from = numbers();
    for version in SglangVersion::ALL {
        let run = only(&sglang_of(version, &from, &SglangExtra::default()).unwrap());
        assert_eq!(run.format, Format::SglangBenchServing, "{version:?}");
        assert_eq!(run.framework(), Some(Framework::Sglang));
        assert_eq!((run.completed, run.requested), (77, None));
        assert_eq!(p50(&run, LatencyKind::E2e), Some(from.e2e.p50));
        assert_eq!(p50(&run, LatencyKind::Ttft), Some(from.ttft.p50));
        let newer = version >= SglangVersion::V0_4_6;
        assert_eq!(run.metric(Metric::RequestThroughput).is_some(), newer, "{version:?}");
        assert_eq!(p50(&run, LatencyKind::Tpot).is_some(), newer);
        // The total is told, or the sum of what was read and written.
        assert_eq!(run.metric(Metric::TotalTokenThroughput).is_some(), newer);
        assert_eq!(run.max_concurrency, newer.then_some(Cap::Unlimited));
        let server = version >= SglangVersion::V0_5_5;
        assert_eq!(run.version.is_some(), server);
        assert_eq!(run.model.is_some(), server);
        let p90 = run.metric(Metric::latency(Stat::P90, LatencyKind::E2e));
        assert_eq!(p90.is_some(), version >= SglangVersion::V0_5_10);
        let p90 = run.metric(Metric::latency(Stat::P90, LatencyKind::Ttft));
        assert_eq!(p90.is_some(), version >= SglangVersion::V0_5_23);
    }
}

#[test]
fn a_sglang_run_in_which_nothing_completed_is_failed_or_has_no_line() {
    let from = RunNumbers { failed: 80, ..numbers() };
    let oldest = sglang_of(SglangVersion::V0_3_6, &from, &SglangExtra::default()).unwrap();
    assert!(oldest.contains("NaN"));
    let run = only(&oldest);
    assert_eq!((run.status, run.metrics.len()), (Status::Failed, 0));
    assert_eq!(sglang_of(SglangVersion::V0_5_23, &from, &SglangExtra::default()), None);
}

#[test]
fn lengths_of_a_sglang_line_are_those_of_its_dataset() {
    for (dataset, len) in [("random", Some(1_000)), ("random-ids", Some(1_000)), ("sharegpt", None)]
    {
        let extra = SglangExtra { dataset, ..SglangExtra::default() };
        let run = only(&sglang_of(SglangVersion::V0_5_23, &numbers(), &extra).unwrap());
        assert_eq!(run.input_len, len, "{dataset}");
    }
}

#[test]
fn a_sglang_line_with_details_tells_what_was_sent() {
    let extra = SglangExtra { details: true, ..SglangExtra::default() };
    let text = sglang_of(SglangVersion::V0_5_23, &numbers(), &extra).unwrap();
    let run = only(&text);
    assert_eq!((run.completed, run.requested), (77, Some(80)));
    let one_more = text.replacen("\"Bad Request: too long\"", "\"\"", 1);
    assert_eq!(refused(&one_more).field.as_deref(), Some("errors"));
}

#[test]
fn a_sglang_line_tells_its_cache_and_the_commit_of_a_source_build() {
    let extra = SglangExtra {
        cached: Some(12.5),
        server: Some("0.0.0.dev1+ga4cf2ea12.d20260801"),
        ..SglangExtra::default()
    };
    let run = only(&sglang_of(SglangVersion::V0_5_23, &numbers(), &extra).unwrap());
    assert_eq!(run.cache_hits.map(|it| it.get()), Some(0.125));
    assert_eq!(run.commit.as_ref().map(AsRef::as_ref), Some("a4cf2ea12"));
    let nobody = SglangExtra { server: None, backend: "vllm", ..SglangExtra::default() };
    let run = only(&sglang_of(SglangVersion::V0_5_23, &numbers(), &nobody).unwrap());
    assert_eq!((run.version, run.commit, run.model), (None, None, None));
    assert_eq!(run.backend_framework, Some(Framework::Vllm));
}

#[test]
fn a_replayed_trace_is_no_rate() {
    let text = sglang_of(SglangVersion::V0_5_23, &numbers(), &SglangExtra::default()).unwrap();
    let run = only(&text.replace("\"request_rate\": Infinity", "\"request_rate\": \"trace\""));
    assert_eq!(run.request_rate, Some(Offered::Trace));
}

#[test]
fn a_search_of_sglang_has_lines_errors_and_pruned_candidates() {
    let line = sglang_of(SglangVersion::V0_5_10, &numbers(), &SglangExtra::default()).unwrap();
    let run = only(&auto_benchmark(7, Ok(&line)));
    assert_eq!((run.format, run.completed), (Format::SglangAutoBenchmark, 77));
    assert_eq!(run.candidate.as_ref().map(AsRef::as_ref), Some("7"));
    let oom = only(&auto_benchmark(8, Err(("RuntimeError('server died')", Some("oom")))));
    assert_eq!(oom.status, Status::Oom);
    let said = only(&auto_benchmark(8, Err(("RuntimeError('CUDA out of memory')", None))));
    assert_eq!(said.status, Status::Oom);
    let failed = only(&auto_benchmark(9, Err(("TimeoutError('no answer')", None))));
    assert_eq!(failed.status, Status::Failed);
    assert_eq!(failed.failure.unwrap().as_str(), "TimeoutError('no answer')");
    let pruned = auto_benchmark(10, Ok(""))
        .replace("\"metrics\": , ", "")
        .replace("\"heuristic_pruned\": false", "\"heuristic_pruned\": true");
    assert_eq!(only(&pruned).status, Status::Skipped);
}

#[test]
fn tensorrt_llm_of_every_shape_is_told_and_gives_its_numbers() {
    let from = numbers();
    for old in [false, true] {
        for detailed in [false, true] {
            let run =
                only(&trtllm_of(&from, &TrtllmShape { old, detailed, ..TrtllmShape::default() }));
            assert_eq!(run.format, Format::TrtllmBenchmarkServing);
            assert_eq!((run.completed, run.requested), (77, Some(80)));
            assert_eq!(p50(&run, LatencyKind::E2e), Some(from.e2e.p50));
            assert!(run.served);
        }
    }
    let none = RunNumbers { failed: 80, ..from };
    let run = only(&trtllm_of(&none, &TrtllmShape::default()));
    assert_eq!((run.status, run.metrics.len()), (Status::Failed, 0));
}

#[test]
fn a_report_of_trtllm_bench_is_offline_in_every_shape() {
    let from = RunNumbers { failed: 0, ..numbers() };
    for newer in [false, true] {
        for streaming in [false, true] {
            let run = only(&offline_report(&from, newer, streaming));
            assert_eq!((run.format, run.served), (Format::TrtllmBench, false));
            assert_eq!(run.framework(), Some(Framework::TensorrtLlm));
            let backend = if newer { "TRT" } else { "Pytorch" };
            assert_eq!(run.backend.as_ref().map(AsRef::as_ref), Some(backend));
            assert_eq!(p50(&run, LatencyKind::Ttft).is_some(), streaming);
            assert_eq!(p50(&run, LatencyKind::E2e), Some(from.e2e.p50));
            assert_eq!(companion_row(&run)["served"], false);
        }
    }
}

#[test]
fn frameworks_mixed_in_one_file_are_rows_of_their_own_formats() {
    let from = numbers();
    let sglang = sglang_of(SglangVersion::V0_5_23, &from, &SglangExtra::default()).unwrap();
    let vllm = vllm_of(VllmVersion::V0_32, &from, &VllmShape::default());
    let trtllm = trtllm_of(&from, &TrtllmShape::default());
    let (runs, errors) = read_all(format!("{sglang}{vllm}\n{trtllm}\n").as_bytes());
    assert_eq!(errors, []);
    let found: Vec<_> = runs.iter().map(|(line, run)| (*line, run.format)).collect();
    let formats =
        [Format::SglangBenchServing, Format::VllmBenchServe, Format::TrtllmBenchmarkServing];
    assert_eq!(found, (1..).zip(formats).collect::<Vec<_>>());
}
