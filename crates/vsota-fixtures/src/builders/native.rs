//! Native result files of the three benchmark clients.

use super::clock::native_date;

/// A latency over the requests of a run, in ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// The numbers of one run, from which the files of every client follow.
#[derive(Clone, Debug, PartialEq)]
pub struct RunNumbers {
    /// The model and tokenizer.
    pub model: String,
    /// Requests that were sent.
    pub num_prompts: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Prompt tokens of a request.
    pub input_len: u64,
    /// Generated tokens of a request.
    pub output_len: u64,
    /// Completed requests a second.
    pub request_throughput: f64,
    /// Time to first token, in ms.
    pub ttft: Spread,
    /// Time per output token, in ms.
    pub tpot: Spread,
    /// Inter-token latency, in ms.
    pub itl: Spread,
    /// End-to-end latency, in ms.
    pub e2e: Spread,
    /// When the run ended, in ms since the epoch.
    pub ended_at: i64,
    /// Offered requests a second; `None` is unbounded.
    pub rate: Option<f64>,
    /// The cap on concurrent requests.
    pub concurrency: Option<u64>,
}

impl Spread {
    /// A spread of a plausible shape around a median, in ms.
    pub fn around(p50: f64) -> Self {
        Self { mean: p50 * 1.012, p50, p99: p50 * 1.27 }
    }

    pub(super) fn std(self) -> f64 {
        (self.p99 - self.p50) / 2.326
    }

    pub(super) fn between(self, part: f64) -> f64 {
        self.p50 + part * (self.p99 - self.p50)
    }
}

impl RunNumbers {
    /// A run of 80 requests offered at once, with latencies that fit its throughput.
    pub fn plausible(
        model: &str,
        (input_len, output_len): (u64, u64),
        request_throughput: f64,
        ended_at: i64,
    ) -> Self {
        let e2e = 80.0 / request_throughput * 1_000.0 * 0.74;
        let ttft = e2e * 0.11;
        let tpot = (e2e - ttft) / (output_len.max(2) - 1) as f64;
        Self {
            model: model.into(),
            num_prompts: 80,
            failed: 0,
            input_len,
            output_len,
            request_throughput,
            ttft: Spread::around(ttft),
            tpot: Spread::around(tpot),
            itl: Spread::around(tpot * 0.99),
            e2e: Spread::around(e2e),
            ended_at,
            rate: None,
            concurrency: None,
        }
    }

    /// Requests that completed.
    pub fn completed(&self) -> u64 {
        self.num_prompts.saturating_sub(self.failed)
    }

    /// How long the run took, in s; a run without a completed request ends soon.
    pub fn duration(&self) -> f64 {
        match self.completed() {
            0 => 0.0518,
            completed => completed as f64 / self.request_throughput,
        }
    }

    pub(super) fn tokens(&self) -> (u64, u64) {
        (self.completed() * self.input_len, self.completed() * self.output_len)
    }

    pub(super) fn a_second_of(&self, count: u64) -> f64 {
        count as f64 / self.duration()
    }

    pub(super) fn a_second(&self, count: u64) -> String {
        float(self.a_second_of(count))
    }

    pub(super) fn throughput(&self) -> String {
        float(if self.completed() == 0 { 0.0 } else { self.request_throughput })
    }

    /// A latency, or the zeros that clients write when nothing completed.
    pub(super) fn spread(&self, spread: Spread) -> Spread {
        match self.completed() {
            0 => Spread { mean: 0.0, p50: 0.0, p99: 0.0 },
            _ => spread,
        }
    }
}

/// An object whose keys stay in the order in which they were written.
pub(super) struct Written(String);

impl Written {
    pub(super) fn new() -> Self {
        Self("{".into())
    }

    pub(super) fn raw(mut self, key: &str, value: impl AsRef<str>) -> Self {
        if self.0.len() > 1 {
            self.0.push_str(", ");
        }
        self.0.push_str(&format!("{}: {}", quoted(key), value.as_ref()));
        self
    }

    pub(super) fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, quoted(value))
    }

    pub(super) fn count(self, key: &str, value: u64) -> Self {
        self.raw(key, value.to_string())
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number as Python writes a float: the shortest text that reads back, never without a point.
pub(super) fn float(value: f64) -> String {
    format!("{value:?}")
}

pub(super) fn optional(count: Option<u64>) -> String {
    count.map_or_else(|| "null".into(), |it| it.to_string())
}

/// A result file of `vllm bench serve --percentile-metrics ttft,tpot,itl,e2el`: one object on one
/// line, without a line end.
pub fn vllm_bench(run: &RunNumbers) -> String {
    let (read, wrote) = run.tokens();
    let mut out = Written::new()
        .text("date", &native_date(run.ended_at))
        .text("endpoint_type", "openai")
        .text("backend", "openai")
        .raw("label", "null")
        .text("model_id", &run.model)
        .text("tokenizer_id", &run.model)
        .count("num_prompts", run.num_prompts)
        .raw("request_rate", run.rate.map_or_else(|| "\"inf\"".into(), float))
        .raw("burstiness", "1.0")
        .raw("max_concurrency", optional(run.concurrency))
        .raw("duration", float(run.duration()))
        .count("completed", run.completed())
        .count("failed", run.failed)
        .count("total_input_tokens", read)
        .count("total_output_tokens", wrote)
        .raw("request_throughput", run.throughput())
        .raw("request_goodput", "null")
        .raw("output_throughput", run.a_second(wrote))
        .raw("total_token_throughput", run.a_second(read + wrote))
        .raw("max_output_tokens_per_s", float((wrote as f64 / run.duration() * 1.3).round()))
        .count("max_concurrent_requests", run.concurrency.unwrap_or(run.num_prompts))
        .raw("rtfx", "0.0");
    for (name, spread) in
        [("ttft", run.ttft), ("tpot", run.tpot), ("itl", run.itl), ("e2el", run.e2e)]
    {
        let spread = run.spread(spread);
        out = out
            .raw(&format!("mean_{name}_ms"), float(spread.mean))
            .raw(&format!("median_{name}_ms"), float(spread.p50))
            .raw(&format!("std_{name}_ms"), float(spread.std()))
            .raw(&format!("p99_{name}_ms"), float(spread.p99));
    }
    out.end()
}

/// A line of `sglang.bench_serving --backend sglang-oai`, with its line end; `None` when nothing
/// completed, because then the client writes no line.
pub fn sglang_bench(run: &RunNumbers) -> Option<String> {
    if run.completed() == 0 {
        return None;
    }
    let (read, wrote) = run.tokens();
    let server = Written::new()
        .text("model_path", &run.model)
        .text("tokenizer_path", &run.model)
        .raw("tp_size", "1")
        .text("status", "ready")
        .text("version", "0.5.23")
        .end();
    let mut out = Written::new()
        .raw("tag", "null")
        .text("backend", "sglang-oai")
        .text("dataset_name", "random")
        .raw("request_rate", run.rate.map_or_else(|| "Infinity".into(), float))
        .raw("max_concurrency", optional(run.concurrency))
        .raw("sharegpt_output_len", "null")
        .count("random_input_len", run.input_len)
        .count("random_output_len", run.output_len)
        .raw("random_range_ratio", "1.0")
        .raw("server_info", server)
        .raw("duration", float(run.duration()))
        .count("completed", run.completed())
        .count("total_input_tokens", read)
        .count("total_input_text_tokens", read)
        .count("total_input_vision_tokens", 0)
        .count("total_output_tokens", wrote)
        .count("total_output_tokens_retokenized", wrote + wrote / 50)
        .raw("request_throughput", run.throughput())
        .raw("input_throughput", run.a_second(read))
        .raw("output_throughput", run.a_second(wrote))
        .raw("total_throughput", run.a_second(read + wrote));
    for (name, spread) in
        [("e2e_latency", run.e2e), ("ttft", run.ttft), ("tpot", run.tpot), ("itl", run.itl)]
    {
        out = out
            .raw(&format!("mean_{name}_ms"), float(spread.mean))
            .raw(&format!("median_{name}_ms"), float(spread.p50))
            .raw(&format!("std_{name}_ms"), float(spread.std()))
            .raw(&format!("p90_{name}_ms"), float(spread.between(0.55)))
            .raw(&format!("p95_{name}_ms"), float(spread.between(0.71)))
            .raw(&format!("p99_{name}_ms"), float(spread.p99));
    }
    let busy = run.e2e.mean / 1_000.0 * run.completed() as f64 / run.duration();
    let line = out
        .raw("concurrency", float(busy))
        .raw("accept_length", "null")
        .raw("max_output_tokens_per_s", float((wrote as f64 / run.duration() * 1.3).round()))
        .count("max_concurrent_requests", run.concurrency.unwrap_or(run.num_prompts))
        .end();
    Some(line + "\n")
}
