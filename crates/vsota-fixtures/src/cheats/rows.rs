//! Cheats in rows of the companion's schema.

use serde_json::{Value, json};
use vsota_core::Clause::{self, *};
use vsota_core::facts::Framework::{self, *};

use super::{Cheat, ROW, Tried};
use crate::builders::{MODEL, RunNumbers, benchmark_command, server_command};

/// A row that may rank: the workload's load, every dimension said, the limits kept.
pub fn honest(framework: Framework, id: &str, req_s: f64) -> Value {
    let numbers = RunNumbers::plausible(MODEL, (1_000, 1_000), req_s, 0);
    json!({
        "framework": framework.as_str(),
        "candidate_id": id,
        "model": MODEL,
        "tokenizer": MODEL,
        "precision": "bfloat16",
        "quantization": "none",
        "status": "ok",
        "hardware": {"gpu_model": "demo-gpu-80g", "gpu_count": 1, "visible_devices": "0"},
        "workload": {
            "kind": "random", "scenario": "chat", "input_len": 1000, "output_len": 1000,
            "num_prompts": 80, "completed": 80, "total_input_tokens": 80_000,
            "total_output_tokens": 80_000, "request_rate": "inf", "endpoint": "/v1/completions",
        },
        "sla": {"max_p50_ttft_ms": 2_000, "min_success_rate": 1.0, "passed": true},
        "metrics": {
            "request_throughput": req_s, "output_token_throughput": req_s * 1_000.0,
            "p50_ttft_ms": numbers.ttft.p50, "p50_tpot_ms": numbers.tpot.p50,
        },
        "server_command": server_command(framework, MODEL, 16_384).join(" "),
        "benchmark_command": benchmark_command(framework, &numbers, "result.json").join(" "),
        "artifacts": {"server_log": format!("logs/{framework}-{id}.log")},
    })
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|it| format!("{it}\n")).collect()
}

/// A row that is faster than its rivals because of what `change` does to it.
fn row(
    name: &'static str,
    clause: Clause,
    framework: Framework,
    change: impl FnOnce(&mut Value),
) -> Cheat {
    let rivals = [honest(Vllm, "rival", 8.0), honest(Sglang, "rival", 8.1)];
    let good = honest(framework, ROW, 9.0);
    let mut bad = good.clone();
    change(&mut bad);
    let file = |row: Value| lines(&[rivals[0].clone(), rivals[1].clone(), row]);
    Cheat { name, clause, tried: Tried::Rank { bad: file(bad), good: file(good) } }
}

/// A row of vLLM that generated fewer tokens, and counts them right.
fn shorter(name: &'static str, tokens: u64) -> Cheat {
    row(name, Fb4, Vllm, move |it| {
        it["workload"]["total_output_tokens"] = tokens.into();
        it["metrics"]["output_token_throughput"] = (9.0 * tokens as f64 / 80.0).into();
    })
}

/// A row of vLLM whose launch command has more flags.
fn launched(name: &'static str, flags: &'static str) -> Cheat {
    row(name, Fb3, Vllm, |it| more(it, "server_command", flags))
}

/// A row of vLLM whose client was called with more flags.
fn called(name: &'static str, flags: &'static str) -> Cheat {
    row(name, Fb3, Vllm, |it| more(it, "benchmark_command", flags))
}

fn more(row: &mut Value, key: &str, flags: &str) {
    row[key] = format!("{} {flags}", row[key].as_str().unwrap()).into();
}

fn swap(row: &mut Value, key: &str, from: &str, to: &str) {
    let text = row[key].as_str().unwrap();
    assert!(text.contains(from), "{text} has no {from}");
    row[key] = text.replace(from, to).into();
}

pub(super) fn cheats() -> Vec<Cheat> {
    let mut all = Vec::new();
    identity(&mut all);
    commands(&mut all);
    load(&mut all);
    numbers(&mut all);
    hidden(&mut all);
    all
}

fn identity(all: &mut Vec<Cheat>) {
    let said = |name, part: &'static str, key: &'static str, value: Value| {
        row(name, Fb3, Vllm, move |it| match part {
            "" => it[key] = value,
            part => it[part][key] = value,
        })
    };
    all.extend([
        row("a smaller model", Fb3, Vllm, |it| {
            it["model"] = "demo/smaller".into();
            it["tokenizer"] = "demo/smaller".into();
            swap(it, "server_command", MODEL, "demo/smaller");
            swap(it, "benchmark_command", MODEL, "demo/smaller");
        }),
        said("a model that the command does not serve", "", "model", "demo/other".into()),
        row("another tokenizer", Fb3, Vllm, |it| {
            it["tokenizer"] = "demo/coarse".into();
            more(it, "server_command", "--tokenizer demo/coarse");
            swap(it, "benchmark_command", "--tokenizer demo/tiny-moe", "--tokenizer demo/coarse");
        }),
        row("another precision", Fb3, Vllm, |it| {
            it["precision"] = "float16".into();
            swap(it, "server_command", "bfloat16", "float16");
        }),
        row("weights of eight bits", Fb3, Vllm, |it| {
            it["quantization"] = "fp8".into();
            more(it, "server_command", "--quantization fp8");
        }),
        row("more GPUs", Fb3, Vllm, |it| {
            it["hardware"]["gpu_count"] = 8.into();
            more(it, "server_command", "--tensor-parallel-size 8");
        }),
        launched(
            "more GPUs than the row says",
            "--tensor-parallel-size 4 --pipeline-parallel-size 2",
        ),
        launched("copies of the server", "--data-parallel-size 8"),
        said("another GPU", "hardware", "gpu_model", "Another GPU".into()),
        said("other GPU ids", "hardware", "visible_devices", "7".into()),
        row("a rival on fewer GPUs", Fb3, Sglang, |it| {
            it["hardware"]["gpu_count"] = 2.into();
            more(it, "server_command", "--tp 1");
        }),
        row("what it admits itself", Fb3, Vllm, |it| {
            it["normalization"] = json!({"same_model_weights": false});
        }),
    ]);
}

fn commands(all: &mut Vec<Cheat>) {
    all.extend([
        launched("a config override", r#"--hf-overrides '{"num_hidden_layers":2}'"#),
        row("a config override of SGLang", Fb3, Sglang, |it| {
            more(it, "server_command", r#"--json-model-override-args '{"num_hidden_layers":2}'"#);
        }),
        launched("weights that were never loaded", "--load-format dummy"),
        launched("an old revision", "--revision 0123abc"),
        launched("a KV cache of eight bits", "--kv-cache-dtype fp8"),
        launched(
            "speculative decoding on one side",
            r#"--speculative-config '{"method":"ngram"}'"#,
        ),
        row("speculative decoding of SGLang", Fb3, Sglang, |it| {
            more(it, "server_command", "--speculative-algorithm EAGLE");
        }),
        row("a prefix cache on one side", Fb3, Vllm, |it| {
            swap(it, "server_command", "--no-enable-prefix-caching", "--enable-prefix-caching");
        }),
        row("a warm prefix cache", Fb3, Vllm, |it| it["cache"] = json!({"hit_rate": 0.6})),
        called("another endpoint", "--endpoint /v1/chat/completions"),
        called("other sampling", "--top-k 1"),
        called("a finite rate", "--request-rate 2"),
        called("a cap on requests", "--max-concurrency 4"),
        called("gentle arrivals", "--burstiness 8"),
        called("answers that may end early", r#"--extra-body '{"ignore_eos":false}'"#),
        row("TTFT of a whole answer", Fb9, Sglang, |it| {
            more(it, "benchmark_command", "--disable-stream");
        }),
        row("an engine that was built ahead", Fb6, TensorrtLlm, |it| {
            swap(it, "server_command", "--backend pytorch", "--backend tensorrt");
        }),
        row("a backend that nobody names", Fb6, TensorrtLlm, |it| {
            swap(it, "server_command", " --backend pytorch", "");
        }),
        row("a context that is too short", Fb10, Vllm, |it| {
            swap(it, "server_command", "16384", "1500");
        }),
    ]);
}

/// What a command says and its row does not.
fn hidden(all: &mut Vec<Cheat>) {
    let other = |name, framework, flags: &'static str| {
        row(name, Fb3, framework, move |it| more(it, "server_command", flags))
    };
    all.extend([
        called("prompts that begin alike", "--random-prefix-len 900"),
        called("lengths that spread", "--random-range-ratio 0.9"),
        called("another data set", "--dataset-name sharegpt --dataset-path chats.json"),
        called("shorter answers by command", "--random-output-len 500"),
        called("shorter prompts by command", "--random-input-len 500"),
        called("fewer prompts by command", "--num-prompts 8"),
        called("a cap in the body", r#"--extra-body '{"max_tokens":100}'"#),
        called("a word that ends every answer", r#"--extra-body '{"stop":["the"]}'"#),
        called("a rate that rises", "--ramp-up-strategy linear --ramp-up-start-rps 1"),
        called("a client that asks another server", "--base-url http://127.0.0.1:9000"),
        launched("weights that are packed as they load", "--load-format bitsandbytes"),
        launched(
            "a cap that the server adds",
            r#"--override-generation-config '{"max_new_tokens":100}'"#,
        ),
        launched("a second node", "--nnodes 2"),
        launched("prompts split over GPUs", "--prefill-context-parallel-size 2"),
        other("weights of four bits", Sglang, "--torchao-config int4wo-128"),
        other(
            "a cap that the server prefers",
            Sglang,
            r#"--preferred-sampling-params '{"max_new_tokens":100}'"#,
        ),
        row("more GPUs than are visible", Fb3, Vllm, |it| {
            swap(it, "server_command", "vllm serve", "CUDA_VISIBLE_DEVICES=0,1 vllm serve");
        }),
        row("a rival's server under our name", Fb3, Vllm, |it| {
            it["server_command"] = server_command(Sglang, MODEL, 16_384).join(" ").into();
        }),
        two_launches(),
    ]);
}

/// One name for a launch that is measured and another that is shown.
fn two_launches() -> Cheat {
    let rivals = [honest(Vllm, "rival", 8.0), honest(Sglang, "rival", 8.1)];
    let (one, mut other) = (honest(Vllm, ROW, 9.0), honest(Vllm, ROW, 9.2));
    other["artifacts"]["server_log"] = "logs/another-launch.log".into();
    let good = lines(&[rivals[0].clone(), rivals[1].clone(), one.clone(), other.clone()]);
    more(&mut other, "server_command", "--max-num-seqs 512");
    let bad = lines(&[rivals[0].clone(), rivals[1].clone(), one, other]);
    Cheat { name: "one name for two launches", clause: Fb2, tried: Tried::Rank { bad, good } }
}

fn load(all: &mut Vec<Cheat>) {
    let ran = |name, keys: &'static [(&'static str, u64)]| {
        row(name, Fb4, Vllm, move |it| {
            for (key, value) in keys {
                it["workload"][*key] = (*value).into();
            }
        })
    };
    all.extend([
        ran("fewer prompts", &[("num_prompts", 8), ("completed", 8)]),
        ran("shorter prompts", &[("input_len", 32)]),
        ran("the lengths of the other scenario", &[("input_len", 8_000)]),
        shorter("outputs that ended early", 40_000),
        shorter("outputs that are one percent short", 79_200),
        ran("prompts that were cut", &[("total_input_tokens", 8_000)]),
        ran("prompts that are one percent short", &[("total_input_tokens", 79_200)]),
        row("a flow check", Fb5, Vllm, |it| it["smoke"] = true.into()),
        row("an offline run as served", Fb12, Vllm, |it| it["served"] = false.into()),
    ]);
}

fn numbers(all: &mut Vec<Cheat>) {
    let measured = |name, clause, key: &'static str, value: Value| {
        row(name, clause, Vllm, move |it| it["metrics"][key] = value)
    };
    all.extend([
        row("an edited SLA", Fb3, Vllm, |it| {
            it["sla"]["max_p50_ttft_ms"] = 9_000.into();
            it["metrics"]["p50_ttft_ms"] = 5_000.into();
        }),
        row("limits that it leaves out", Fb9, Vllm, |it| {
            it["sla"] = Value::Null;
            it["metrics"]["p50_ttft_ms"] = 5_000.into();
        }),
        row("a limit on something else", Fb9, Vllm, |it| {
            it["sla"] = json!({"max_mean_e2e_ms": 900_000, "min_success_rate": 1.0});
            it["metrics"]["p50_ttft_ms"] = 5_000.into();
            it["metrics"]["mean_e2e_ms"] = 9_000.into();
        }),
        measured("requests that its tokens deny", Fb3, "request_throughput", 90.into()),
        measured("an SLA that it says it passed", Fb9, "p50_ttft_ms", 5_000.into()),
        measured("a limit that nobody measured", Fb9, "p50_ttft_ms", Value::Null),
        row("requests that failed", Fb9, Vllm, |it| it["workload"]["completed"] = 8.into()),
        row("requests that all failed", Fb9, Vllm, |it| {
            it["workload"]["completed"] = Value::Null;
            it["metrics"]["success_rate"] = 0.0.into();
        }),
        measured("a throughput of zero", Gd6, "request_throughput", 0.into()),
        row("skipped, and passed", Fb7, Vllm, |it| it["status"] = "skipped".into()),
        row("out of memory, with numbers", Fb7, Vllm, |it| it["status"] = "oom".into()),
    ]);
}
