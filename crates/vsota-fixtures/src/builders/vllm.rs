//! What `vllm bench serve` writes, version by version.

use super::clock::native_date;
use super::native::{RunNumbers, Written, float, optional, quoted};

/// The versions whose files differ, oldest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum VllmVersion {
    /// `benchmarks/benchmark_serving.py` of 2025-05: the arrays stay in every file.
    Script,
    /// 0.8.5: only `backend`, and `request_goodput:` with a colon.
    V0_8_5,
    /// 0.9.2: only `endpoint_type`, a label, no colon.
    V0_9_2,
    /// 0.11.0: both names, and the peaks.
    V0_11_0,
    /// 0.11.1: failures are counted.
    V0_11_1,
    /// 0.14.1: speculative decoding is told.
    V0_14_1,
    /// 0.17.1: start times, and a factor of audio.
    V0_17_1,
    /// 0.32: latencies and queue times stay without `--save-detailed`.
    V0_32,
}

/// What flags and luck add to a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VllmShape {
    /// `--save-detailed`.
    pub detailed: bool,
    /// `--metadata KEY=VALUE`, in its order.
    pub metadata: Vec<(String, String)>,
    /// `--percentile-metrics` without `e2el`: the default.
    pub without_e2e: bool,
    /// Speculative decoding: tokens accepted a step.
    pub accepted: Option<f64>,
    /// A ramp of the rate, in requests a second.
    pub ramp: Option<(f64, f64)>,
}

impl VllmVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 8] = [
        Self::Script,
        Self::V0_8_5,
        Self::V0_9_2,
        Self::V0_11_0,
        Self::V0_11_1,
        Self::V0_14_1,
        Self::V0_17_1,
        Self::V0_32,
    ];
}

/// A result file of one version: one object on one line, without a line end.
pub fn vllm_of(version: VllmVersion, run: &RunNumbers, shape: &VllmShape) -> String {
    let mut out = identity(version, run, shape);
    out = counts(version, run, out);
    let arrays = shape.detailed || version == VllmVersion::Script;
    if arrays {
        out = details(version, run, out);
    }
    if version >= VllmVersion::V0_32 && !arrays {
        out = waits(run, out);
    }
    if version >= VllmVersion::V0_11_0 {
        let peak = (run.a_second_of(run.tokens().1) * 1.3).round();
        out = out
            .raw("max_output_tokens_per_s", float(peak))
            .count("max_concurrent_requests", run.concurrency.unwrap_or(run.num_prompts));
    }
    if version >= VllmVersion::V0_17_1 {
        out = out.raw("rtfx", "0.0");
    }
    if let Some(accepted) = shape.accepted.filter(|_| version >= VllmVersion::V0_14_1) {
        out = out
            .raw("spec_decode_acceptance_rate", float((accepted - 1.0) / 3.0 * 100.0))
            .raw("spec_decode_acceptance_length", float(accepted))
            .count("spec_decode_num_drafts", run.tokens().1 / 2)
            .raw("spec_decode_per_position_acceptance_rates", "[0.8, 0.5, 0.2]");
    }
    latencies(run, shape, out).end()
}

fn identity(version: VllmVersion, run: &RunNumbers, shape: &VllmShape) -> Written {
    let mut out = Written::new().text("date", &native_date(run.ended_at));
    if version >= VllmVersion::V0_9_2 {
        out = out.text("endpoint_type", "openai");
    }
    if version != VllmVersion::V0_9_2 {
        out = out.text("backend", "openai");
    }
    if version >= VllmVersion::V0_9_2 {
        out = out.raw("label", "null");
    }
    out = out
        .text("model_id", &run.model)
        .text("tokenizer_id", &run.model)
        .count("num_prompts", run.num_prompts);
    for (key, value) in &shape.metadata {
        out = out.text(key, value);
    }
    out = out
        .raw("request_rate", run.rate.map_or_else(|| "\"inf\"".into(), float))
        .raw("burstiness", "1.0")
        .raw("max_concurrency", optional(run.concurrency));
    match shape.ramp {
        None => out,
        Some((from, to)) => out
            .text("ramp_up_strategy", "linear")
            .raw("ramp_up_start_rps", float(from))
            .raw("ramp_up_end_rps", float(to)),
    }
}

fn counts(version: VllmVersion, run: &RunNumbers, out: Written) -> Written {
    let (read, wrote) = run.tokens();
    let mut out = out.raw("duration", float(run.duration())).count("completed", run.completed());
    if version >= VllmVersion::V0_11_1 {
        out = out.count("failed", run.failed);
    }
    let goodput = match version {
        VllmVersion::Script | VllmVersion::V0_8_5 => "request_goodput:",
        _ => "request_goodput",
    };
    out.count("total_input_tokens", read)
        .count("total_output_tokens", wrote)
        .raw("request_throughput", run.throughput())
        .raw(goodput, "null")
        .raw("output_throughput", run.a_second(wrote))
        .raw("total_token_throughput", run.a_second(read + wrote))
}

/// The arrays of `--save-detailed`: a slot a request, zeros for the ones that failed.
fn details(version: VllmVersion, run: &RunNumbers, out: Written) -> Written {
    let each = |of: &dyn Fn(bool) -> String| {
        let slots = (0..run.num_prompts).map(|at| of(at < run.completed()));
        format!("[{}]", slots.collect::<Vec<_>>().join(", "))
    };
    let step = run.itl.p50 / 1_000.0;
    let steps = (1..run.output_len).map(|at| float(step * (1.0 + at as f64 % 7.0 / 100.0)));
    let steps = format!("[{}]", steps.collect::<Vec<_>>().join(", "));
    let or_zero = |fine: bool, value: f64| float(if fine { value } else { 0.0 });
    let mut out = out
        .raw("input_lens", each(&|_| run.input_len.to_string()))
        .raw(
            "output_lens",
            each(&|fine| if fine { run.output_len.to_string() } else { "0".into() }),
        )
        .raw("ttfts", each(&|fine| or_zero(fine, run.ttft.p50 / 1_000.0)))
        .raw("itls", each(&|fine| if fine { steps.clone() } else { "[]".into() }));
    if version >= VllmVersion::V0_32 {
        out = waits(run, out);
    }
    if version >= VllmVersion::V0_17_1 {
        out = out.raw("start_times", each(&|_| "81234.5678".into()));
    }
    let said = quoted("one \"quoted\" word,\n a [bracket] and a {brace}\\");
    out.raw("generated_texts", each(&|fine| if fine { said.clone() } else { "\"\"".into() }))
        .raw("errors", each(&|fine| if fine { "\"\"".into() } else { "\"Bad Request\"".into() }))
}

fn waits(run: &RunNumbers, out: Written) -> Written {
    let each = |of: &dyn Fn(bool) -> f64| {
        let slots = (0..run.num_prompts).map(|at| float(of(at < run.completed())));
        format!("[{}]", slots.collect::<Vec<_>>().join(", "))
    };
    out.raw("latencies", each(&|fine| if fine { run.e2e.p50 / 1_000.0 } else { 0.0 }))
        .raw("queue_times", each(&|_| 1.5e-6))
}

fn latencies(run: &RunNumbers, shape: &VllmShape, mut out: Written) -> Written {
    let e2e = (!shape.without_e2e).then_some(("e2el", run.e2e));
    for (name, spread) in
        [("ttft", run.ttft), ("tpot", run.tpot), ("itl", run.itl)].into_iter().chain(e2e)
    {
        let spread = run.spread(spread);
        out = out
            .raw(&format!("mean_{name}_ms"), float(spread.mean))
            .raw(&format!("median_{name}_ms"), float(spread.p50))
            .raw(&format!("std_{name}_ms"), float(spread.std()))
            .raw(&format!("p99_{name}_ms"), float(spread.p99));
    }
    out
}

/// A file of `--append-result`: the objects, a line end between two, none behind the last.
pub fn appended(results: &[String]) -> String {
    results.join("\n")
}

/// A detailed result of the newest version: `requests` of `tokens` each.
pub fn detailed(model: &str, requests: u64, tokens: u64) -> String {
    let mut run = RunNumbers::plausible(model, (1_000, tokens), 4.25, 1_795_507_650_000);
    run.num_prompts = requests;
    let e2e = run.duration() * 900.0;
    (run.ttft, run.e2e) = (super::Spread::around(e2e * 0.1), super::Spread::around(e2e * 0.7));
    vllm_of(VllmVersion::V0_32, &run, &VllmShape { detailed: true, ..VllmShape::default() })
}
