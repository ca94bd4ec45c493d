//! What servers and GPUs say of themselves: logs, `/metrics`, tables of nvidia-smi.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use proptest::prelude::*;
use vsota_core::evidence::failing::{Failing, OWN, Shown, not_missing, shown};
use vsota_core::evidence::{Metrics, ServerLog, is_of_mock, read, smi};
use vsota_core::facts::Framework;
use vsota_core::measure::{Fraction, Measured};
use vsota_core::text::Line;
use vsota_fixtures::builders::{
    MODEL, SMI_QUERY, metrics, nvidia_smi, server_log, server_log_failed,
};

fn line(text: &str) -> Option<Line> {
    Line::new(text).ok()
}

fn named(text: &str) -> String {
    let (items, errors) = read(text.as_bytes());
    assert_eq!((items.len(), errors.len()), (0, 1), "{errors:?}");
    errors[0].message.clone()
}

#[test]
fn a_log_tells_what_the_result_does_not() {
    let text = server_log("0.32.0", MODEL, false);
    let log = ServerLog::read(text.as_bytes()).unwrap();
    let expected = ServerLog {
        version: line("0.32.0"),
        model: line(MODEL),
        dtype: line("bfloat16"),
        kv_cache_dtype: line("auto"),
        quantization: line("none"),
        max_model_len: Some(12_000),
        tensor_parallel: Some(2),
        prefix_caching: Some(false),
        enforce_eager: Some(true),
        kv_cache_tokens: Some(261_446),
        kv_cache_blocks: None,
        max_concurrency: Measured::new(21.79).ok(),
        prefix_cache_hits: Fraction::new(0.239).ok(),
        ready: true,
        failure: None,
    };
    assert_eq!(log, expected);
    assert!(named(&text).contains("the log of a vLLM server (0.32.0)"), "{}", named(&text));
}

#[test]
fn what_a_log_does_not_say_is_absent() {
    let log =
        ServerLog::read(b"INFO 01-02 03:04:05 [model.py:1] Using max model len 2048\n").unwrap();
    assert_eq!(log, ServerLog { max_model_len: Some(2_048), ..ServerLog::default() });
    let old = "INFO 05-01 10:00:00 [executor_base.py:112] # cuda blocks: 1\n\
               INFO 05-01 10:00:00 [executor.py:111] # GPU blocks: 24,001, # CPU blocks: 512\n\
               INFO 05-01 10:00:00 [api_server.py:1] vLLM API server version 0.6.3\n";
    let log = ServerLog::read(old.as_bytes()).unwrap();
    assert_eq!((log.kv_cache_blocks, log.prefix_caching), (Some(24_001), None));
    assert_eq!(log.version, line("0.6.3"));
    for other in
        ["", "hello\n", "Traceback (most recent call last):\n  File \"a.py\"\nValueError: no\n"]
    {
        assert!(ServerLog::read(other.as_bytes()).is_err(), "{other:?}");
    }
}

#[test]
fn a_log_that_two_servers_wrote_is_an_error() {
    let text = server_log("0.32.0", MODEL, false);
    assert!(ServerLog::read(format!("{text}{text}").as_bytes()).is_ok(), "nothing differs");
    for (other, field) in [
        (server_log("0.33.0", MODEL, false), "version"),
        (server_log("0.32.0", "other", false), "model"),
        (server_log("0.32.0", MODEL, true), "enable_prefix_caching"),
    ] {
        let error = ServerLog::read(format!("{text}{other}").as_bytes()).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field));
        assert!(error.message.contains("two servers"), "{error}");
        assert!(error.line.is_some());
    }
}

#[test]
fn the_first_message_is_why_a_server_failed() {
    let oom = "ValueError: No available memory for the cache blocks. Try increasing it.";
    let log = ServerLog::read(server_log_failed("0.25.1", oom).as_bytes()).unwrap();
    let failed = log.failure.unwrap();
    assert_eq!((failed.reason.as_str(), failed.out_of_memory), (oom, true));
    assert!(!log.ready);
    let invalid = "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n\
                   (EngineCore pid=25) ERROR 08-18 02:57:12 [core.py:1231]   Value error, too long";
    let log = ServerLog::read(server_log_failed("0.25.1", invalid).as_bytes()).unwrap();
    assert_eq!(log.failure.unwrap().reason.as_str(), "too long");
    let flag = "usage: vllm [-h] [-v]\n            {serve} ...\nvllm: error: unrecognized arguments: --no\n";
    let failed = ServerLog::read(flag.as_bytes()).unwrap().failure.unwrap();
    assert_eq!(failed.reason.as_str(), "unrecognized arguments: --no");
    assert!(named(flag).contains("that failed (unrecognized arguments: --no)"));
}

#[test]
fn a_request_that_fails_is_no_failure_of_the_server() {
    let text = server_log("0.32.0", MODEL, false)
        + "ERROR:    Exception in ASGI application\nTraceback (most recent call last):\n  File \"x\"\n\
           RuntimeError: bad request\n";
    assert_eq!(ServerLog::read(text.as_bytes()).unwrap().failure, None);
    let died =
        text + "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.\n";
    assert!(ServerLog::read(died.as_bytes()).unwrap().failure.is_some());
}

#[test]
fn a_scrape_tells_hits_and_preemptions_of_all_engines() {
    let found = Metrics::read(metrics(339_968, 2_480, 7).as_bytes()).unwrap();
    assert_eq!(found.framework, Some(Framework::Vllm));
    assert_eq!((found.prefix_queries, found.prefix_hits), (Some(339_968.0), Some(2_480.0)));
    assert_eq!((found.preemptions, found.prompt_tokens), (Some(7.0), None));
    assert_eq!(found.model, line("demo, \"tiny\" {moe}"));
    assert_eq!((found.prefix_caching, found.kv_cache_blocks), (Some(false), Some(25_028)));
    assert_eq!((found.block_size, &found.kv_cache_dtype), (Some(16), &line("auto")));
    assert_eq!(found.version, None, "Python's is not the server's");
    let rate = found.prefix_hit_rate().unwrap().get();
    assert!((rate - 2_480.0 / 339_968.0).abs() < 1e-12);
    assert!(named(&metrics(1, 0, 0)).contains("Prometheus metrics"));
}

#[test]
fn what_a_run_did_lies_between_two_scrapes() {
    let of = |queries, hits| Metrics::read(metrics(queries, hits, 0).as_bytes()).unwrap();
    let between = of(1_300, 160).since(&of(1_000, 100)).unwrap();
    assert_eq!((between.prefix_queries, between.prefix_hits), (Some(300.0), Some(60.0)));
    assert_eq!(between.prefix_hit_rate().map(Fraction::get), Some(0.2));
    assert_eq!(of(0, 0).prefix_hit_rate(), None, "nothing was looked up");
    let error = of(10, 0).since(&of(1_000, 100)).unwrap_err();
    assert!(error.message.contains("started anew"), "{error}");
    let without = Metrics::read(b"vllm:num_preemptions_total 0.0\n").unwrap();
    assert_eq!(without.prefix_queries, None);
    assert_eq!(of(1_300, 160).since(&without).unwrap().prefix_queries, None);
}

#[test]
fn older_names_and_gauges_are_read() {
    let text = "vllm:gpu_prefix_cache_queries_total{engine=\"0\"} 100.0 1795505346\n\
                vllm:gpu_prefix_cache_hits_total{engine=\"0\"} 25.0 1795505346\n";
    let found = Metrics::read(text.as_bytes()).unwrap();
    assert_eq!(found.prefix_hit_rate().map(Fraction::get), Some(0.25));
    let off = Metrics::read(b"vllm:gpu_prefix_cache_hit_rate{model_name=\"m\"} -1.0\n").unwrap();
    assert_eq!(off.prefix_hit_rate(), None);
    let sglang = Metrics::read(b"sglang:cache_hit_rate{model_name=\"m\"} 0.5\n").unwrap();
    assert_eq!(sglang.framework, Some(Framework::Sglang));
    assert_eq!(sglang.prefix_hit_rate().map(Fraction::get), Some(0.5));
}

#[test]
fn a_scrape_that_is_none_is_an_error() {
    let twice =
        "vllm:num_preemptions_total{a=\"b\"} 1.0\nvllm:num_preemptions_total{a=\"b\"} 2.0\n";
    for (text, what) in [
        ("", "no metric"),
        ("go_info 1.0\n", "no metric"),
        ("vllm:num_preemptions_total NaN\n", "no count"),
        ("vllm:num_preemptions_total +Inf\n", "no count"),
        ("vllm:num_preemptions_total -1\n", "no count"),
        ("vllm:num_preemptions_total\n", "no value"),
        ("vllm:num_preemptions_total many\n", "no number"),
        ("vllm:num_preemptions_total{a=\"b\n", "labels"),
        (twice, "occurs twice"),
        ("vllm:a 1\nsglang:b 1\n", "two frameworks"),
    ] {
        let error = Metrics::read(text.as_bytes()).unwrap_err();
        assert!(error.message.contains(what), "{text:?}: {error}");
    }
}

#[test]
fn a_table_of_gpus_is_read_with_and_without_units_and_head() {
    let with = smi::read(nvidia_smi(true, true).as_bytes()).unwrap();
    let without = smi::read(nvidia_smi(false, true).as_bytes()).unwrap();
    let headless = smi::read_headless(nvidia_smi(true, false).as_bytes(), SMI_QUERY).unwrap();
    assert_eq!(with, without);
    assert_eq!(with, headless);
    assert_eq!(with.len(), 2);
    let gpu = &with[1];
    assert_eq!((gpu.index, &gpu.name), (Some(1), &line("NVIDIA H100, 80GB HBM3")));
    assert_eq!((gpu.clock_sm, gpu.power), (Some(1_980.0), Some(405.68)));
    assert_eq!((gpu.memory_used, gpu.memory_total), (Some(75_688.0), None));
    assert_eq!(gpu.ecc, None);
    assert_eq!(gpu.absent, [("ecc.mode.current".to_owned(), "[N/A]".to_owned())]);
    assert_eq!((with[0].throttled(), with[1].throttled()), (Some(false), Some(true)));
    assert!(named(&nvidia_smi(true, true)).contains("nvidia-smi"));
}

#[test]
fn a_table_that_says_no_state_is_an_error() {
    for (text, what) in [
        ("", "empty"),
        ("No devices were found\n", "No devices"),
        ("Field \"clocks.xm\" is not a valid field to query.\n\n", "clocks.xm"),
        ("a, b\n1, 2\n", "no head"),
        ("index, pstate\n", "no GPU"),
        ("index, pstate\n0\n", "1 values under 2"),
        ("index, pstate\n0, P0, 1\n", "3 values under 2"),
        ("index, power.draw [W]\n0, 405 mW\n", "in W"),
        ("index, power.draw [mW]\n0, 405\n", "in W"),
        ("index, power.draw [W]\n0, nan W\n", "at least zero"),
        ("index, power.draw [W]\n0, -3 W\n", "at least zero"),
        ("index, temperature.gpu\nx, 5\n", "a count"),
        ("index, temperature.gpu\n0, [GPU is lost]\n", "lost"),
        ("index, clocks_throttle_reasons.active\n0, Active\n", "mask"),
        ("index, persistence_mode\n0, On\n", "Enabled"),
    ] {
        let error = smi::read(text.as_bytes()).unwrap_err();
        assert!(error.message.contains(what), "{text:?}: {error}");
    }
}

#[test]
fn what_a_gpu_lacks_is_absent_and_told() {
    for cell in ["[N/A]", "[Not Supported]", "N/A", "[Unknown Error]", "[Insufficient Permissions]"]
    {
        let text = format!("index, power.draw [W]\n0, {cell}\n");
        let gpus = smi::read(text.as_bytes()).unwrap();
        assert_eq!(gpus[0].power, None);
        assert_eq!(gpus[0].absent, [("power.draw".to_owned(), cell.to_owned())]);
    }
    let gpus =
        smi::read(b"index, clocks_throttle_reasons.active\n0, 0x0000000000000000\n").unwrap();
    assert_eq!(gpus[0].throttled(), Some(false));
    assert_eq!(smi::read(b"index, pstate\n0, P0\n").unwrap()[0].throttled(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_changed_byte_of_a_server_panics(which in 0..3, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = match which {
            0 => server_log("0.32.0", MODEL, true),
            1 => metrics(100, 10, 1),
            _ => nvidia_smi(true, true),
        }
        .into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = (ServerLog::read(&bytes), Metrics::read(&bytes), smi::read(&bytes));
        let _ = smi::read_headless(&bytes, SMI_QUERY);
    }
}

#[test]
fn a_failure_is_shown_or_it_is_prose() {
    let failed = |text: &str, of| match shown(text.as_bytes(), of) {
        Ok(Shown::Failure(line)) => Some(line.as_str().to_owned()),
        _ => None,
    };
    let oom = server_log_failed("0.25.1", "torch.OutOfMemoryError: CUDA out of memory.");
    let root = Some("torch.OutOfMemoryError: CUDA out of memory.".to_owned());
    assert_eq!(failed(&oom, Failing::Server), root);
    let up = server_log("0.32.0", MODEL, true);
    let sglang = "INFO engine ready\nINFO Uvicorn running on http://0.0.0.0:30000\n";
    for healthy in ["", " \n\n", up.as_str(), sglang, "The server is fired up and ready to roll!\n"]
    {
        assert!(shown(healthy.as_bytes(), Failing::Server).is_err(), "{healthy}");
        assert!(shown(healthy.as_bytes(), Failing::Anything).is_err(), "{healthy}");
    }
    // What is said on the way up did not keep it down; what takes it down later did.
    let warned =
        "WARNING: FP8 is not supported here; falling back\nINFO: Application startup complete.\n";
    assert!(shown(warned.as_bytes(), Failing::Server).is_err());
    let fell =
        format!("{warned}Scheduler hit an exception: CUDA error: an illegal memory access\n");
    assert!(failed(&fell, Failing::Server).is_some_and(|it| it.contains("an exception")));
    let hung = format!("loading weights\n{OWN}the server was not ready after 1800 s\n");
    assert!(failed(&hung, Failing::Server).is_some_and(|it| it.contains("after 1800 s")));
    // One request failed; to a capture that is a failure, to a server it is none.
    let request = format!("{up}ERROR 11-24 08:00:00 [serving.py:1] no profiler\n");
    assert!(shown(request.as_bytes(), Failing::Server).is_err());
    assert!(failed(&request, Failing::Anything).is_some());
    assert!(failed(&format!("{up}Segmentation fault (core dumped)\n"), Failing::Server).is_some());
    let pip = "ERROR: No matching distribution found for tensorrt-llm\n";
    assert_eq!(failed(pip, Failing::Server).as_deref(), Some(pip.trim()));
    for words in ["lorem ipsum\n", "INFO no error so far\n", "tests: 0 failed\n"] {
        assert_eq!(shown(words.as_bytes(), Failing::Server), Ok(Shown::Prose), "{words}");
    }
    let help = "usage: trtllm-serve [--backend {tensorrt}]\n\nno error is an option\n";
    assert_eq!(shown(help.as_bytes(), Failing::Server), Ok(Shown::Help));
    let wrong = format!("{help}trtllm-serve: error: unrecognized arguments: --x\n");
    let told = "trtllm-serve: error: unrecognized arguments: --x";
    assert_eq!(failed(&wrong, Failing::Server).as_deref(), Some(told));
    let there = |reason| not_missing(reason, help.as_bytes());
    assert_eq!(there("it has no `pytorch` backend"), None);
    assert_eq!(there("it has no --back, and no --backend."), Some("--backend"));
    assert_eq!(there("`tensorrt` is missing"), Some("tensorrt"));
}

#[test]
fn the_log_of_a_mock_server_says_so() {
    assert!(is_of_mock(b"# launch 1\nmock server, process 7\n$ vllm serve x\n"));
    assert!(!is_of_mock(b"INFO a mock server, process 7, is not what this is\n"));
}
