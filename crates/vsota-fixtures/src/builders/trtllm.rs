//! What TensorRT-LLM's clients write, version by version.

use super::clock::native_date;
use super::native::{RunNumbers, Written, float, optional};

/// What versions and flags change in a file of `benchmark_serving`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrtllmShape {
    /// Without `user_throughput` and `avg_decoded_tokens_per_iter`, as 1.0 wrote it.
    pub old: bool,
    /// `--save-detailed`.
    pub detailed: bool,
    /// Tokens a decoding iteration gives on average; above 1 with speculative decoding.
    pub decoded: Option<f64>,
    /// `--metadata KEY=VALUE`, in its order.
    pub metadata: Vec<(String, String)>,
}

/// A result file of `benchmark_serving --percentile-metrics ttft,tpot,itl,e2el` of the current version.
pub fn trtllm_bench(run: &RunNumbers) -> String {
    trtllm_of(run, &TrtllmShape::default())
}

/// A result file of `benchmark_serving`: one object on one line.
pub fn trtllm_of(run: &RunNumbers, shape: &TrtllmShape) -> String {
    let (read, wrote) = run.tokens();
    let mut out = Written::new()
        .text("date", &native_date(run.ended_at))
        .text("backend", "openai")
        .text("model_id", &run.model)
        .text("tokenizer_id", &run.model)
        .count("num_prompts", run.num_prompts);
    for (key, value) in &shape.metadata {
        out = out.text(key, value);
    }
    out = out
        .raw("duration", float(run.duration()))
        .count("completed", run.completed())
        .count("total_input_tokens", read)
        .count("total_output_tokens", wrote)
        .raw("request_throughput", run.throughput())
        .raw("request_goodput:", "null")
        .raw("output_throughput", run.a_second(wrote))
        .raw("total_token_throughput", run.a_second(read + wrote));
    if !shape.old {
        let mean = float(shape.decoded.unwrap_or(0.0));
        let spread = format!(
            "{{\"mean\": {mean}, \"min\": {mean}, \"max\": {mean}, \"median\": {mean}, \"std\": 0.0, \
             \"percentiles\": {{\"p99.0\": {mean}}}}}"
        );
        let user = match run.completed() {
            0 => 0.0,
            _ => run.output_len as f64 / (run.e2e.mean / 1_000.0),
        };
        out = out.raw("user_throughput", float(user)).raw("avg_decoded_tokens_per_iter", spread);
    }
    if shape.detailed {
        out = details(run, out);
    }
    if let Some(decoded) = shape.decoded {
        for stat in ["std", "min", "max", "mean", "median", "p99"] {
            let value = if stat == "std" { 0.0 } else { decoded };
            out = out.raw(&format!("{stat}_avg_decoded_tokens_per_iter"), float(value));
        }
    }
    for (name, spread) in
        [("ttft", run.ttft), ("tpot", run.tpot), ("itl", run.itl), ("e2el", run.e2e)]
    {
        let spread = run.spread(spread);
        out = out
            .raw(&format!("std_{name}_ms"), float(spread.std()))
            .raw(&format!("mean_{name}_ms"), float(spread.mean))
            .raw(&format!("median_{name}_ms"), float(spread.p50))
            .raw(&format!("p99_{name}_ms"), float(spread.p99));
    }
    out.raw("request_rate", run.rate.map_or_else(|| "\"inf\"".into(), float))
        .raw("burstiness", "1.0")
        .raw("max_concurrency", optional(run.concurrency))
        .end()
}

fn details(run: &RunNumbers, out: Written) -> Written {
    let each = |fine: &str, failed: &str| {
        let slots = (0..run.num_prompts).map(|at| if at < run.completed() { fine } else { failed });
        format!("[{}]", slots.collect::<Vec<_>>().join(", "))
    };
    out.raw("input_lens", each(&run.input_len.to_string(), "0"))
        .raw("output_lens", each(&run.output_len.to_string(), "0"))
        .raw("ttfts", each(&float(run.ttft.p50 / 1_000.0), "0.0"))
        .raw("itls", each("[0.01, 0.011]", "[]"))
        .raw("e2els", each(&float(run.e2e.p50 / 1_000.0), "0.0"))
        .raw("generated_texts", each("\"a\"", "\"\""))
        .raw("errors", each("\"\"", "\"Bad Request\""))
}

/// A report of `trtllm-bench`, as 0.20 (`newer` false) or 1.2 writes it; a run in process.
pub fn offline_report(run: &RunNumbers, newer: bool, streaming: bool) -> String {
    let spread = |key: &str, p50: f64, p99: f64| {
        let mid = (p50 + p99) / 2.0;
        format!(
            "\"{key}\": {{\"p50\": {p50:?}, \"p90\": {mid:?}, \"p95\": {p99:?}, \"p99\": {p99:?}, \
             \"minimum\": {p50:?}, \"maximum\": {p99:?}, \"average\": {mid:?}}}"
        )
    };
    let (read, wrote) = run.tokens();
    let engine = Written::new()
        .text("model", &run.model)
        .text("model_path", "None")
        .text("engine_dir", "None")
        .text("version", if newer { "1.2.0" } else { "0.20.0" })
        .text("backend", if newer { "TRT" } else { "Pytorch" })
        .text("dtype", "bfloat16")
        .end();
    let world = Written::new()
        .raw("tp_size", "1")
        .raw("kv_cache_percentage", if newer { "0.9" } else { "90.0" })
        .end();
    let requests = Written::new()
        .count("num_requests", run.completed())
        .raw("avg_input_length", float(run.input_len as f64))
        .raw("avg_output_length", float(run.output_len as f64))
        .end();
    let performance = Written::new()
        .raw("total_latency_ms", float(run.duration() * 1_000.0))
        .raw("avg_request_latency_ms", float(run.e2e.mean))
        .raw("request_throughput_req_s", run.throughput())
        .raw("system_output_throughput_tok_s", run.a_second(wrote))
        .raw("system_total_throughput_tok_s", run.a_second(read + wrote))
        .end();
    let performance = format!(
        "{}, {}}}",
        performance.trim_end_matches('}'),
        spread("request_latency_percentiles_ms", run.e2e.p50, run.e2e.p99)
    );
    let mut out = Written::new().raw("engine", engine);
    if newer {
        out = out
            .raw("machine", "{\"name\": \"a GPU\", \"memory.total\": 79.6, \"clocks.mem\": null}");
    }
    out =
        out.raw("world_info", world).raw("request_info", requests).raw("performance", performance);
    if streaming {
        let metrics = format!(
            "{{\"avg_ttft_ms\": {:?}, \"avg_tpot_ms\": {:?}, {}, {}}}",
            run.ttft.mean,
            run.tpot.mean,
            spread("tpot_percentiles", run.tpot.p50, run.tpot.p99),
            spread("ttft_percentiles", run.ttft.p50, run.ttft.p99)
        );
        out = out.raw("streaming_metrics", metrics);
    }
    super::sweep::indented(&out.end(), 4)
}
