//! What `sglang.bench_serving` and `sglang.auto_benchmark` write, version by version.

use super::native::{RunNumbers, Written, float, optional};

/// The versions whose lines differ, oldest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum SglangVersion {
    /// 0.3.6: few keys, no throughput of requests.
    V0_3_6,
    /// 0.4.6: no tag, no server, no p90, no total throughput.
    V0_4_6,
    /// 0.5.5: a tag and the server; tokens of text and of images.
    V0_5_5,
    /// 0.5.10: the total throughput, a p90 of the end-to-end latency, the peaks.
    V0_5_10,
    /// 0.5.23: p90 and p95 of all four.
    V0_5_23,
}

/// What flags add to a line.
#[derive(Clone, Debug, PartialEq)]
pub struct SglangExtra {
    /// The client's backend.
    pub backend: &'static str,
    /// The dataset.
    pub dataset: &'static str,
    /// `--output-details`.
    pub details: bool,
    /// `--cache-report`: the share of prompt tokens that was cached, in percent.
    pub cached: Option<f64>,
    /// The server's version; `None` when it did not tell.
    pub server: Option<&'static str>,
    /// Tokens accepted a step of speculative decoding.
    pub accepted: Option<f64>,
}

impl Default for SglangExtra {
    fn default() -> Self {
        Self {
            backend: "sglang-oai",
            dataset: "random",
            details: false,
            cached: None,
            server: Some("0.5.23"),
            accepted: None,
        }
    }
}

impl SglangVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V0_3_6, Self::V0_4_6, Self::V0_5_5, Self::V0_5_10, Self::V0_5_23];
}

/// A line of one version, with its line end. When nothing completed the oldest writes `NaN`, the
/// others nothing.
pub fn sglang_of(version: SglangVersion, run: &RunNumbers, extra: &SglangExtra) -> Option<String> {
    if run.completed() == 0 && version > SglangVersion::V0_3_6 {
        return None;
    }
    let mut out = head(version, run, extra);
    out = body(version, run, out);
    out = match version {
        SglangVersion::V0_3_6 => oldest(run, out),
        _ => latencies(version, run, out),
    };
    if version > SglangVersion::V0_3_6 {
        let busy = run.e2e.mean / 1_000.0 * run.completed() as f64 / run.duration();
        out = out
            .raw("concurrency", float(busy))
            .raw("accept_length", extra.accepted.map_or_else(|| "null".into(), float));
    }
    if version >= SglangVersion::V0_5_10 {
        out = out.raw("max_output_tokens_per_s", "4000.0").count("max_concurrent_requests", 80);
    }
    if let Some(percent) = extra.cached.filter(|_| version >= SglangVersion::V0_5_23) {
        let report = Written::new()
            .count("total_prompt_tokens", run.tokens().0)
            .raw("cache_hit_rate_pct", float(percent))
            .end();
        out = out.raw("cache_report", report);
    }
    if extra.details && version >= SglangVersion::V0_5_5 {
        out = details(run, out);
    }
    Some(out.end() + "\n")
}

fn head(version: SglangVersion, run: &RunNumbers, extra: &SglangExtra) -> Written {
    let mut out = Written::new();
    if version >= SglangVersion::V0_5_5 {
        out = out.raw("tag", "null");
    }
    out = out
        .text("backend", extra.backend)
        .text("dataset_name", extra.dataset)
        .raw("request_rate", run.rate.map_or_else(|| "Infinity".into(), float));
    if version >= SglangVersion::V0_4_6 {
        out = out.raw("max_concurrency", optional(run.concurrency));
    }
    out = out
        .raw("sharegpt_output_len", "null")
        .count("random_input_len", run.input_len)
        .count("random_output_len", run.output_len)
        .raw("random_range_ratio", "1.0");
    if version >= SglangVersion::V0_5_5 {
        let server = extra.server.map(|version| {
            let info = Written::new().text("model_path", &run.model).raw("tp_size", "1");
            info.text("status", "ready").text("version", version).end()
        });
        out = out.raw("server_info", server.unwrap_or_else(|| "null".into()));
    }
    out
}

fn body(version: SglangVersion, run: &RunNumbers, out: Written) -> Written {
    let (read, wrote) = run.tokens();
    let mut out = out
        .raw("duration", float(run.duration()))
        .count("completed", run.completed())
        .count("total_input_tokens", read);
    if version >= SglangVersion::V0_5_5 {
        out = out.count("total_input_text_tokens", read).count("total_input_vision_tokens", 0);
    }
    out = out
        .count("total_output_tokens", wrote)
        .count("total_output_tokens_retokenized", wrote + wrote / 50);
    if version >= SglangVersion::V0_4_6 {
        out = out
            .raw("request_throughput", run.throughput())
            .raw("input_throughput", run.a_second(read));
    }
    out = out.raw("output_throughput", run.a_second(wrote));
    if version >= SglangVersion::V0_5_10 {
        out = out.raw("total_throughput", run.a_second(read + wrote));
    }
    out
}

fn oldest(run: &RunNumbers, out: Written) -> Written {
    let or_nan = |value: f64| if run.completed() == 0 { "NaN".into() } else { float(value) };
    out.raw("mean_e2e_latency_ms", or_nan(run.e2e.mean))
        .raw("median_e2e_latency_ms", or_nan(run.e2e.p50))
        .raw("median_ttft_ms", or_nan(run.ttft.p50))
        .raw("median_itl_ms", or_nan(run.itl.p50))
}

fn latencies(version: SglangVersion, run: &RunNumbers, mut out: Written) -> Written {
    let newest = version >= SglangVersion::V0_5_23;
    for (name, spread) in
        [("e2e_latency", run.e2e), ("ttft", run.ttft), ("tpot", run.tpot), ("itl", run.itl)]
    {
        out = out
            .raw(&format!("mean_{name}_ms"), float(spread.mean))
            .raw(&format!("median_{name}_ms"), float(spread.p50))
            .raw(&format!("std_{name}_ms"), float(spread.std()));
        if newest || (version >= SglangVersion::V0_5_10 && name == "e2e_latency") {
            out = out.raw(&format!("p90_{name}_ms"), float(spread.between(0.55)));
        }
        if newest || name == "itl" {
            out = out.raw(&format!("p95_{name}_ms"), float(spread.between(0.71)));
        }
        out = out.raw(&format!("p99_{name}_ms"), float(spread.p99));
    }
    out
}

fn details(run: &RunNumbers, out: Written) -> Written {
    let each = |fine: &str, failed: &str| {
        let slots = (0..run.num_prompts).map(|at| if at < run.completed() { fine } else { failed });
        format!("[{}]", slots.collect::<Vec<_>>().join(", "))
    };
    out.raw("input_lens", each(&run.input_len.to_string(), &run.input_len.to_string()))
        .raw("output_lens", each(&run.output_len.to_string(), "0"))
        .raw("ttfts", each(&float(run.ttft.p50 / 1_000.0), "0.0"))
        .raw("itls", each("[0.01, 0.011]", "[]"))
        .raw("generated_texts", each("\"a, [b] {c}\"", "\"\""))
        .raw("errors", each("\"\"", "\"Bad Request: too long\""))
}

/// A record of `sglang.auto_benchmark`: a line of the search, or in its place what went wrong.
pub fn auto_benchmark(candidate: u64, outcome: Result<&str, (&str, Option<&str>)>) -> String {
    let out = Written::new()
        .text("stage", "base")
        .count("candidate_id", candidate)
        .raw("requested_qps", "4.0")
        .raw("max_concurrency", "16")
        .raw("server_flags", "{\"tp_size\": 1, \"chunked_prefill_size\": 8192}")
        .raw("sla_passed", if outcome.is_ok() { "true" } else { "false" });
    let out = match outcome {
        Ok(line) => out.raw("metrics", line.trim_end()),
        Err((error, diagnosis)) => {
            let out = out.text("error", error);
            match diagnosis {
                Some(diagnosis) => out.text("diagnosis", diagnosis),
                None => out.raw("diagnosis", "null"),
            }
        }
    };
    out.raw("heuristic_pruned", "false").end() + "\n"
}
