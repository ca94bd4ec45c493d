//! What commands say of a run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vsota_core::evidence::command_line::{Gpus, Identity, Known, identify, split};
use vsota_core::evidence::{EvidenceError, NativeRun, read_all};
use vsota_core::facts::{Dimension, Framework};
use vsota_core::text::{Line, Name};
use vsota_fixtures::builders::{
    MODEL, RunNumbers, benchmark_command, server_command, sglang_bench, trtllm_bench, vllm_bench,
};

const VLLM: &str = "vllm serve org/m --dtype bf16";
const BENCH: &str = "vllm bench serve --model org/m";

fn lines(command: &str) -> Vec<Line> {
    split(command).unwrap().into_iter().map(|it| Line::new(it).unwrap()).collect()
}

fn identity(framework: Framework, server: &str, client: &str) -> Result<Identity, EvidenceError> {
    let told = BTreeMap::new();
    let known = Known { framework, native: None, gpus: None, settings: None, told: &told };
    identify(&lines(server), &lines(client), known)
}

fn said(server: &str, client: &str, dimension: Dimension) -> Option<String> {
    let found = identity(Framework::Vllm, server, client).unwrap();
    found.dimensions.get(&dimension).map(ToString::to_string)
}

fn with_native(
    framework: Framework,
    server: &str,
    client: &str,
    native: &NativeRun,
) -> Result<Identity, EvidenceError> {
    let told = BTreeMap::new();
    identify(
        &lines(server),
        &lines(client),
        Known { framework, native: Some(native), gpus: None, settings: None, told: &told },
    )
}

fn numbers() -> RunNumbers {
    RunNumbers::plausible(MODEL, (1_000, 1_000), 7.25, 1_795_507_650_000)
}

fn native(framework: Framework) -> NativeRun {
    let text = match framework {
        Framework::Vllm => vllm_bench(&numbers()),
        Framework::Sglang => sglang_bench(&numbers()).unwrap(),
        Framework::TensorrtLlm => trtllm_bench(&numbers()),
    };
    read_all(text.as_bytes()).0.remove(0).1
}

#[test]
fn the_commands_of_the_three_frameworks_say_the_same() {
    let told = BTreeMap::from([(Dimension::Precision, Line::new("bfloat16").unwrap())]);
    let gpus =
        Gpus { model: Line::new("demo-gpu-80g").ok(), count: Some(1), ids: Line::new("0").ok() };
    let mut all = Vec::new();
    for framework in [Framework::Vllm, Framework::Sglang, Framework::TensorrtLlm] {
        let run = native(framework);
        let server = server_command(framework, MODEL, 9_000).join(" ");
        let client = benchmark_command(framework, &numbers(), "r.json").join(" ");
        let known =
            Known { framework, native: Some(&run), gpus: Some(&gpus), settings: None, told: &told };
        let found = identify(&lines(&server), &lines(&client), known).unwrap();
        assert_eq!(found.context_len, Some(9_000), "{framework}");
        assert_eq!(found.requested, Some(80), "{framework}");
        assert!(found.streaming);
        let backend = found.backend.as_ref().map(AsRef::as_ref);
        assert_eq!(backend, (framework == Framework::TensorrtLlm).then_some("pytorch"));
        let owed = |(it, _): &(Dimension, Line)| it.is_owed();
        all.push(found.dimensions.into_iter().filter(owed).collect::<BTreeMap<_, _>>());
    }
    let owed = Dimension::ALL.iter().filter(|it| it.is_owed()).count();
    assert_eq!(all[0].len(), owed, "{:?}", all[0]);
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
}

#[test]
fn absent_flags_have_their_canonical_words() {
    for (dimension, word) in [
        (Dimension::Model, "org/m"),
        (Dimension::Tokenizer, "org/m"),
        (Dimension::Quantization, "none"),
        (Dimension::Precision, "bfloat16"),
        (Dimension::RequestRate, "inf"),
        (Dimension::MaxConcurrency, "none"),
        (Dimension::Burstiness, "1"),
        (Dimension::Sampling, "default"),
        (Dimension::Endpoint, "/v1/completions"),
    ] {
        assert_eq!(said(VLLM, BENCH, dimension).as_deref(), Some(word), "{dimension}");
    }
    assert_eq!(said(VLLM, BENCH, Dimension::GpuIds), None);
}

#[test]
fn every_dtype_has_one_spelling_and_auto_has_none() {
    for (flag, word) in
        [("half", "float16"), ("fp16", "float16"), ("bfloat16", "bfloat16"), ("float", "float32")]
    {
        let server = format!("vllm serve org/m --dtype={flag}");
        assert_eq!(said(&server, BENCH, Dimension::Precision).as_deref(), Some(word));
    }
    for server in ["vllm serve org/m --dtype auto", "vllm serve org/m"] {
        assert_eq!(said(server, BENCH, Dimension::Precision), None);
    }
}

#[test]
fn what_the_caller_tells_fills_gaps_only() {
    let told = BTreeMap::from([
        (Dimension::Precision, Line::new("float16").unwrap()),
        (Dimension::GpuModel, Line::new("demo-gpu").unwrap()),
    ]);
    let known =
        Known { framework: Framework::Vllm, native: None, gpus: None, settings: None, told: &told };
    let found = identify(&lines(VLLM), &lines(BENCH), known).unwrap().dimensions;
    assert_eq!(found[&Dimension::Precision].as_str(), "bfloat16");
    assert_eq!(found[&Dimension::GpuModel].as_str(), "demo-gpu");
}

#[test]
fn a_config_file_makes_absent_flags_unknown() {
    let server = "vllm serve org/m --config c.yaml";
    assert_eq!(said(server, BENCH, Dimension::Quantization), None);
    let server = "vllm serve org/m --config c.yaml -q FP8";
    assert_eq!(said(server, BENCH, Dimension::Quantization).as_deref(), Some("fp8"));
}

/// What a launch command says with the text of its file of settings.
fn with_settings(server: &str, settings: &Value) -> Result<Identity, EvidenceError> {
    let told = BTreeMap::new();
    let framework = match server.split(' ').next() {
        Some("vllm") => Framework::Vllm,
        Some("trtllm-serve") => Framework::TensorrtLlm,
        _ => Framework::Sglang,
    };
    let settings = Some(settings);
    identify(
        &lines(server),
        &[],
        Known { framework, native: None, gpus: None, settings, told: &told },
    )
}

#[test]
fn a_config_file_that_was_filed_is_read_as_flags() {
    use Dimension::*;
    let says = |server: &str, settings: &Value, expected: &[(Dimension, &str)]| {
        let found = with_settings(server, settings).unwrap().dimensions;
        for (dimension, word) in expected {
            let found = found.get(dimension).map(Line::as_str);
            assert_eq!(found, Some(*word), "{server}: {dimension}");
        }
    };
    let file = json!({
        "model": "org/m", "dtype": "bfloat16", "tensor_parallel_size": 2, "quantization": "fp8",
        "speculative-config": {"method": "ngram"}, "kv-cache-dtype": "fp8",
        "no-enable-prefix-caching": true, "hf_overrides": {"num_hidden_layers": 2},
    });
    let all = [
        (Model, "org/m"),
        (Precision, "bfloat16"),
        (GpuCount, "2"),
        (Quantization, "fp8"),
        (Speculation, "on"),
        (KvCacheDtype, "fp8"),
        (PrefixCaching, "off"),
        (ModelOverrides, r#"{"num_hidden_layers":2}"#),
    ];
    says("vllm serve --config c.yaml", &file, &all);
    // What the command line says counts before the file; what neither says is the default.
    says(
        "vllm serve org/n --config c.yaml --quantization awq",
        &file,
        &[(Model, "org/n"), (Quantization, "awq")],
    );
    let plain = json!({"max-num-seqs": 64});
    let none = [(Quantization, "none"), (Speculation, "off"), (ModelOverrides, "none")];
    says("vllm serve org/m --config c.yaml", &plain, &none);
    let sglang = json!({"speculative-algorithm": "EAGLE", "disable-radix-cache": true});
    let said = [(Speculation, "on"), (PrefixCaching, "off"), (Quantization, "none")];
    says("python -m sglang.launch_server --model org/m --config c.yaml", &sglang, &said);
    // TensorRT-LLM's file counts before its command line.
    let grouped = json!({
        "kv_cache_config": {"enable_block_reuse": false, "dtype": "fp8"},
        "quant_config": {"quant_algo": "FP8"}, "speculative_config": {"decoding_type": "Eagle"},
        "tensor_parallel_size": 4,
    });
    let said = [
        (PrefixCaching, "off"),
        (KvCacheDtype, "fp8"),
        (Quantization, "fp8"),
        (Speculation, "on"),
        (GpuCount, "4"),
    ];
    for flag in ["--extra_llm_api_options", "--config"] {
        let server =
            format!("trtllm-serve serve org/m --backend pytorch --tp_size 1 {flag} x.yaml");
        says(&server, &grouped, &said);
    }
    let engine = json!({"backend": "tensorrt"});
    let server = "trtllm-serve serve org/m --backend pytorch --extra_llm_api_options x.yaml";
    let found = with_settings(server, &engine).unwrap().backend;
    assert_eq!(found.as_ref().map(Name::as_str), Some("tensorrt"));
    for (server, file) in [("vllm serve org/m", &plain), ("vllm serve m --config c", &json!([1]))] {
        let error = with_settings(server, file).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("settings"), "{server}");
    }
}

#[test]
fn what_the_client_was_asked_for_is_said() {
    let said = |client: &str, dimension| said(VLLM, client, dimension);
    let random =
        "vllm bench serve --dataset-name random --random-input-len 1000 --random-output-len 500";
    assert_eq!(said(random, Dimension::InputLen).as_deref(), Some("1000"));
    assert_eq!(said(random, Dimension::OutputLen).as_deref(), Some("500"));
    assert_eq!(said(random, Dimension::Dataset).as_deref(), Some("random"));
    for (flags, word) in [
        ("--random-range-ratio 0", "random"),
        ("--random-range-ratio 0.5", "random, range ratio 0.5"),
        ("--random-prefix-len 64", "random, prefix 64"),
        ("--dataset-name sharegpt --dataset-path /data/chats.json", "chats.json"),
        ("--dataset-name sonnet", "sonnet"),
    ] {
        let client = format!("{random} {flags}");
        assert_eq!(said(&client, Dimension::Dataset).as_deref(), Some(word), "{flags}");
    }
    // SGLang's lengths are even only when it is told so.
    let sglang = "python -m sglang.bench_serving --dataset-name random";
    let spread = Some("random, range ratio of the client");
    assert_eq!(said(sglang, Dimension::Dataset).as_deref(), spread);
    let even = format!("{sglang} --random-range-ratio 1.0");
    assert_eq!(said(&even, Dimension::Dataset).as_deref(), Some("random"));
    assert_eq!(said("vllm bench serve", Dimension::Dataset), None);
    let rises = "vllm bench serve --ramp-up-strategy linear --request-rate inf";
    assert_eq!(said(rises, Dimension::RequestRate).as_deref(), Some("ramp-up"));
    // A file of the client's flags leaves open what is not typed.
    let filed = "vllm bench serve --config c.yaml";
    for dimension in [
        Dimension::RequestRate,
        Dimension::MaxConcurrency,
        Dimension::Burstiness,
        Dimension::Sampling,
        Dimension::Streaming,
    ] {
        assert_eq!(said(filed, dimension), None, "{dimension}");
    }
}

#[test]
fn a_client_calls_the_port_on_which_the_server_listens() {
    let server = "vllm serve org/m --port 8000";
    let says = |server: &str, client: &str| identity(Framework::Vllm, server, client);
    for client in ["vllm bench serve --port 8000", "vllm bench serve --base-url http://h:8000/v1"] {
        says(server, client).unwrap();
        let error = says("vllm serve org/m --port 8001", client).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("benchmark_command"));
        // A container may map its ports.
        says("docker run -p 8000:80 image vllm serve org/m --port 80", client).unwrap();
    }
    says(server, "vllm bench serve").unwrap();
}

#[test]
fn sampling_is_canonical_whatever_the_flag_is_called() {
    for client in [
        "vllm bench serve --temperature 0.0 --top-p 0.90",
        "vllm bench serve --top_p=0.9 --temperature 0",
        "vllm bench serve --extra-body '{\"top_p\": 0.9, \"temperature\": 0.0}'",
        "python -m sglang.bench_serving --extra-request-body '{\"sampling_params\": {\"top_p\": 0.9, \"temperature\": 0}}'",
    ] {
        let found = said(VLLM, client, Dimension::Sampling);
        assert_eq!(found.as_deref(), Some("temperature=0, top_p=0.9"), "{client}");
    }
    let error = identity(Framework::Vllm, VLLM, "vllm bench serve --extra-body {oops").unwrap_err();
    assert_eq!(error.field.as_deref(), Some("benchmark_command"));
}

#[test]
fn context_lengths_are_read_in_every_unit() {
    for (flag, tokens) in [
        ("32000", Some(32_000)),
        ("32k", Some(32_000)),
        ("32K", Some(32_768)),
        ("-1", None),
        ("auto", None),
    ] {
        let found =
            identity(Framework::Vllm, &format!("{VLLM} --max-model-len {flag}"), BENCH).unwrap();
        assert_eq!(found.context_len, tokens, "{flag}");
    }
    assert!(
        identity(Framework::Vllm, &format!("{VLLM} --max-model-len 99999999999999999999"), BENCH)
            .is_err()
    );
    assert!(
        identity(Framework::Vllm, &format!("{VLLM} --max-model-len 18446744073709551615K"), BENCH)
            .is_err()
    );
}

#[test]
fn a_shell_or_an_environment_before_the_command_changes_nothing() {
    let plain = identity(Framework::Vllm, VLLM, BENCH).unwrap();
    let shell = identity(Framework::Vllm, &format!("bash -c 'exec {VLLM}'"), BENCH).unwrap();
    assert_eq!(plain, shell);
    let visible =
        identity(Framework::Vllm, &format!("env CUDA_VISIBLE_DEVICES=2,3 {VLLM}"), BENCH).unwrap();
    assert_eq!(visible.dimensions[&Dimension::GpuIds].as_str(), "2,3");
}

#[test]
fn the_last_of_several_flags_counts() {
    let client = "vllm bench serve --request-rate 4 --request-rate=inf --max-concurrency 8";
    assert_eq!(said(VLLM, client, Dimension::RequestRate).as_deref(), Some("inf"));
    assert_eq!(said(VLLM, client, Dimension::MaxConcurrency).as_deref(), Some("8"));
}

#[test]
fn a_client_that_does_not_stream_is_noticed() {
    for flag in ["--non-streaming", "--disable-stream"] {
        let client = format!("python -m sglang.bench_serving {flag}");
        assert!(!identity(Framework::Vllm, VLLM, &client).unwrap().streaming);
    }
}

#[test]
fn an_unknown_command_leaves_everything_unknown() {
    let found = identity(Framework::Vllm, "./launch.sh", "./bench.sh").unwrap();
    assert_eq!(found.dimensions, BTreeMap::new());
}

#[test]
fn sources_that_contradict_each_other_are_an_error() {
    let run = native(Framework::Vllm);
    let server = "vllm serve demo/tiny-moe";
    let client = "vllm bench serve --model demo/tiny-moe";
    let refuse = |framework, server: &str, client: &str, field: &str| {
        let error = with_native(framework, server, client, &run).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
    };
    with_native(Framework::Vllm, server, client, &run).unwrap();
    refuse(Framework::Sglang, server, client, "framework");
    refuse(Framework::Sglang, "./launch.sh", client, "framework");
    refuse(Framework::Vllm, "vllm serve demo/other", client, "model");
    refuse(Framework::Vllm, server, &format!("{client} --request-rate 4"), "request_rate");
    refuse(Framework::Vllm, server, &format!("{client} --max-concurrency 4"), "max_concurrency");
    refuse(Framework::Vllm, server, &format!("{client} --burstiness 0.5"), "burstiness");
    refuse(Framework::Vllm, server, "python -m sglang.bench_serving", "benchmark_command");
    refuse(
        Framework::Vllm,
        "vllm serve demo/tiny-moe --tokenizer demo/a",
        &format!("{client} --tokenizer demo/b"),
        "tokenizer",
    );
}

#[test]
fn an_openai_client_may_measure_any_server_that_the_command_names() {
    let run = native(Framework::Vllm);
    let server = "python -m sglang.launch_server --model-path demo/tiny-moe";
    with_native(Framework::Sglang, server, "vllm bench serve --model demo/tiny-moe", &run).unwrap();
}

#[test]
fn a_served_name_is_the_model_behind_it() {
    let text = vllm_bench(&RunNumbers { model: "small".into(), ..numbers() });
    let run = read_all(text.as_bytes()).0.remove(0).1;
    let server = "vllm serve org/m --served-model-name small";
    let found =
        with_native(Framework::Vllm, server, "vllm bench serve --model small", &run).unwrap();
    assert_eq!(found.dimensions[&Dimension::Model].as_str(), "org/m");
    assert_eq!(found.dimensions[&Dimension::Tokenizer].as_str(), "org/m");
}

#[test]
fn gpus_of_record_and_command_must_agree() {
    let told = BTreeMap::new();
    let check = |server: &str, count, ids: &str| {
        let gpus = Gpus { model: None, count: Some(count), ids: Line::new(ids).ok() };
        let known = Known {
            framework: Framework::Vllm,
            native: None,
            gpus: Some(&gpus),
            settings: None,
            told: &told,
        };
        identify(&lines(server), &lines(BENCH), known)
    };
    assert!(check("vllm serve org/m -tp 2", 2, "0,1").is_ok());
    assert!(check("vllm serve org/m -tp 2 -pp 2", 2, "0,1").is_err());
    assert!(check("CUDA_VISIBLE_DEVICES=4 vllm serve org/m", 1, "0").is_err());
}

#[test]
fn a_line_is_split_as_a_shell_splits_it() {
    let words = |line: &str| split(line).unwrap();
    assert_eq!(words("a  b\tc"), ["a", "b", "c"]);
    assert_eq!(words("a 'b c' \"d \\\"e\\\"\" f\\ g ''"), ["a", "b c", "d \"e\"", "f g", ""]);
    assert_eq!(words("x='{\"a\": 1}'"), ["x={\"a\": 1}"]);
    assert!(split("a 'b").is_err());
}

#[test]
fn a_flag_in_disguise_is_the_flag() {
    let said = |server: &str, dimension| said(server, BENCH, dimension);
    for (server, dimension, honest) in [
        ("vllm serve org/m --hf-overrides.num_hidden_layers 2", Dimension::ModelOverrides, "none"),
        ("vllm serve org/m --speculative-config.method ngram", Dimension::Speculation, "off"),
        ("vllm serve org/m --quantiz fp8", Dimension::Quantization, "none"),
        ("vllm serve org/m --kv_cache_dt fp8", Dimension::KvCacheDtype, "auto"),
    ] {
        assert_ne!(said(server, dimension).as_deref(), Some(honest), "{server}");
        assert_eq!(said(VLLM, dimension).as_deref(), Some(honest), "{server}");
    }
    // A flag of its own is no abbreviation.
    let parallel = "vllm serve org/m --data-parallel-size 2";
    assert_eq!(said(parallel, Dimension::Model).as_deref(), Some("org/m"));
}

#[test]
fn a_model_is_what_the_server_loads_and_not_what_the_client_calls_it() {
    for server in [
        "vllm serve --dtype bfloat16 -tp 1 tiny/t --served-model-name org/m",
        "vllm serve --dtype=bfloat16 tiny/t --served-model-name org/m",
    ] {
        assert_eq!(said(server, BENCH, Dimension::Model).as_deref(), Some("tiny/t"), "{server}");
    }
    // The word may be the value of the flag: then nobody says it.
    let server = "vllm serve --enforce-eager tiny/t --served-model-name org/m";
    assert_eq!(said(server, BENCH, Dimension::Model), None);
}
