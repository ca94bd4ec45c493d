//! Launch and benchmark commands as people type them.

use vsota_core::facts::Framework;

use super::native::RunNumbers;

/// The model of made-up evidence.
pub const MODEL: &str = "demo/tiny-moe";

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(Into::into).collect()
}

/// The command that launches a framework's server on one GPU, without tuning.
pub fn server_command(framework: Framework, model: &str, context_len: u64) -> Vec<String> {
    words(&match framework {
        Framework::Vllm => format!(
            "vllm serve {model} --dtype bfloat16 --max-model-len {context_len} \
             --no-enable-prefix-caching --host 127.0.0.1 --port 8000"
        ),
        Framework::Sglang => format!(
            "python -m sglang.launch_server --model-path {model} --dtype bfloat16 \
             --context-length {context_len} --disable-radix-cache --host 127.0.0.1 --port 30000"
        ),
        Framework::TensorrtLlm => format!(
            "trtllm-serve serve {model} --backend pytorch --max_seq_len {context_len} \
             --host 127.0.0.1 --port 8001"
        ),
    })
}

/// The command that makes a framework's own client send the requests of a run.
pub fn benchmark_command(framework: Framework, run: &RunNumbers, result: &str) -> Vec<String> {
    let RunNumbers { model, num_prompts, input_len, output_len, rate, concurrency, .. } = run;
    let random = format!(
        "--model {model} --tokenizer {model} --dataset-name random --num-prompts {num_prompts} \
         --random-input-len {input_len} --random-output-len {output_len} --temperature 0"
    );
    let mut line = match framework {
        Framework::Vllm => format!(
            "vllm bench serve --backend openai --base-url http://127.0.0.1:8000 {random} --ignore-eos \
             --percentile-metrics ttft,tpot,itl,e2el --save-result --result-filename {result}"
        ),
        Framework::Sglang => format!(
            "python -m sglang.bench_serving --backend sglang-oai --base-url http://127.0.0.1:30000 \
             {random} --random-range-ratio 1.0 --output-file {result}"
        ),
        Framework::TensorrtLlm => format!(
            "python -m tensorrt_llm.serve.scripts.benchmark_serving --backend openai --port 8001 \
             {random} --ignore-eos --random-ids --percentile-metrics ttft,tpot,itl,e2el --save-result \
             --result-filename {result}"
        ),
    };
    if let Some(rate) = rate {
        line.push_str(&format!(" --request-rate {rate}"));
    }
    if let Some(cap) = concurrency {
        line.push_str(&format!(" --max-concurrency {cap}"));
    }
    words(&line)
}
