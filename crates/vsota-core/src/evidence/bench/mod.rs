//! Which tool wrote this file, and what did it measure? Native benchmark results, recognised by
//! their keys, and the ten rules of the formats kept.

mod companion;
mod fields;
mod foreign;
mod sglang;
mod trtllm;
mod vllm;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use super::block::BlockRecord;
use super::error::EvidenceError;
use super::json::{self, Json, Located, Object};
use super::run::RunRecord;
use super::time::CivilTime;
use crate::facts::{Framework, Metric, Rate, Status, vocabulary};
use crate::measure::{Fraction, Measured};
use crate::text::{Line, Name};

pub use companion::{CompanionRow, companion_row};

vocabulary! {
    /// The tool that wrote a file of benchmark evidence.
    pub enum Format("format") {
        /// `vllm bench serve`.
        VllmBenchServe = "vllm-bench-serve",
        /// vLLM's older `benchmark_serving.py`.
        VllmBenchmarkServing = "vllm-benchmark-serving",
        /// `vllm bench sweep serve`.
        VllmSweep = "vllm-sweep",
        /// `sglang.bench_serving`.
        SglangBenchServing = "sglang-bench-serving",
        /// `sglang.auto_benchmark`.
        SglangAutoBenchmark = "sglang-auto-benchmark",
        /// `tensorrt_llm.serve.scripts.benchmark_serving`.
        TrtllmBenchmarkServing = "trtllm-benchmark-serving",
        /// `trtllm-bench`, which runs in process.
        TrtllmBench = "trtllm-bench",
        /// A row of the companion's result schema.
        CompanionRow = "companion-row",
        /// A `vsota-run/1` record.
        VsotaRun = "vsota-run",
    }
}

/// The load that the client offered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offered {
    /// A fixed rate, in requests a second, or all at once.
    Rate(Rate),
    /// The times of a recorded trace.
    Trace,
    /// A rate that rises during the run, in requests a second.
    RampUp {
        /// Where it starts.
        from: Measured,
        /// Where it ends.
        to: Measured,
    },
}

/// The client's cap on concurrent requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cap {
    /// There is none.
    Unlimited,
    /// So many requests at once.
    At(u64),
}

/// One run as its native file tells it; an absent value was not measured or not written.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeRun {
    /// The tool that wrote it.
    pub format: Format,
    /// The framework that the backend names, where it names one.
    pub backend_framework: Option<Framework>,
    /// Whether a server answered over HTTP.
    pub served: bool,
    /// The model, as the client called it.
    pub model: Option<Line>,
    /// The client's tokenizer.
    pub tokenizer: Option<Line>,
    /// The server's version, where the file has it.
    pub version: Option<Line>,
    /// The client's local time when the run ended.
    pub date: Option<CivilTime>,
    /// The client's backend.
    pub backend: Option<Line>,
    /// The endpoint path that the backend calls by default.
    pub endpoint: Option<&'static str>,
    /// The offered load.
    pub request_rate: Option<Offered>,
    /// The cap on concurrent requests.
    pub max_concurrency: Option<Cap>,
    /// The burstiness of arrivals.
    pub burstiness: Option<Measured>,
    /// The candidate, where the tool names one.
    pub candidate: Option<Name>,
    /// How it ended: failed when no request completed.
    pub status: Status,
    /// Why it failed.
    pub failure: Option<Line>,
    /// How long it took, in s.
    pub duration: Option<Measured>,
    /// Requests that completed.
    pub completed: u64,
    /// Requests that were sent, where the file tells.
    pub requested: Option<u64>,
    /// Prompt tokens a request was meant to have, where the file tells.
    pub input_len: Option<u64>,
    /// Generated tokens a request was meant to have, where the file tells.
    pub output_len: Option<u64>,
    /// Prompt tokens over all completed requests.
    pub input_tokens: Option<u64>,
    /// Generated tokens over all completed requests.
    pub output_tokens: Option<u64>,
    /// The metrics that were measured.
    pub metrics: BTreeMap<Metric, Measured>,
}

/// One value of a file of benchmark evidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A native result.
    Native(NativeRun),
    /// A row of the companion's schema.
    Row(CompanionRow),
    /// A run record, which names its native result.
    Run(RunRecord),
    /// A block of run records.
    Block(BlockRecord),
}

impl Format {
    /// The framework whose tool it is.
    pub fn framework(self) -> Option<Framework> {
        match self {
            Self::VllmBenchServe | Self::VllmBenchmarkServing | Self::VllmSweep => {
                Some(Framework::Vllm)
            }
            Self::SglangBenchServing | Self::SglangAutoBenchmark => Some(Framework::Sglang),
            Self::TrtllmBenchmarkServing | Self::TrtllmBench => Some(Framework::TensorrtLlm),
            Self::CompanionRow | Self::VsotaRun => None,
        }
    }
}

impl NativeRun {
    /// A run of which only the format is known.
    fn blank(format: Format) -> Self {
        Self {
            format,
            backend_framework: None,
            served: true,
            model: None,
            tokenizer: None,
            version: None,
            date: None,
            backend: None,
            endpoint: None,
            request_rate: None,
            max_concurrency: None,
            burstiness: None,
            candidate: None,
            status: Status::Ok,
            failure: None,
            duration: None,
            completed: 0,
            requested: None,
            input_len: None,
            output_len: None,
            input_tokens: None,
            output_tokens: None,
            metrics: BTreeMap::new(),
        }
    }

    /// The framework that was measured: the backend's, else that of the tool.
    pub fn framework(&self) -> Option<Framework> {
        self.backend_framework.or(self.format.framework())
    }

    /// The value of a metric, in its unit.
    pub fn metric(&self, metric: Metric) -> Option<Measured> {
        self.metrics.get(&metric).copied()
    }

    /// The share of sent requests that completed, where the file tells how many were sent.
    #[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
    pub fn success_rate(&self) -> Option<Fraction> {
        match self.requested {
            None | Some(0) => None,
            Some(requested) => Fraction::new(self.completed as f64 / requested as f64).ok(),
        }
    }

    /// Checks that the rates are the counts over the duration, and that percentiles do not fall.
    ///
    /// # Errors
    ///
    /// When a rate is more than 1 % off, or a higher percentile is below a lower one.
    pub fn check_arithmetic(&self) -> Result<(), EvidenceError> {
        let tokens = self.output_tokens;
        let total = self.input_tokens.zip(tokens).and_then(|(a, b)| a.checked_add(b));
        self.check_rate(Metric::RequestThroughput, Some(self.completed))?;
        self.check_rate(Metric::OutputTokenThroughput, tokens)?;
        self.check_rate(Metric::TotalTokenThroughput, total)?;
        fields::check_order(&self.metrics)
    }

    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    fn check_rate(&self, metric: Metric, count: Option<u64>) -> Result<(), EvidenceError> {
        let (Some(rate), Some(count), Some(duration)) = (self.metric(metric), count, self.duration)
        else {
            return Ok(());
        };
        let expected = count as f64 / duration.get();
        if (rate.get() / expected - 1.0).abs() <= 0.01 {
            return Ok(());
        }
        let message = format_args!("{rate} is not {count} in {duration} s, which is {expected}");
        Err(EvidenceError::new(message).of(&alloc::format!("{metric}")))
    }
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(f),
            Self::Trace => f.pad("trace"),
            Self::RampUp { from, to } => write!(f, "ramp-up {from} to {to}"),
        }
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.pad("none"),
            Self::At(cap) => cap.fmt(f),
        }
    }
}

/// Reads a file of benchmark evidence: each value with the line where it starts, and what could
/// not be read.
pub fn read(bytes: &[u8]) -> (Vec<(u64, Item)>, Vec<EvidenceError>) {
    if let Some(kind) = foreign::text(bytes) {
        return (Vec::new(), [kind].into());
    }
    let (values, mut errors) = json::values(bytes);
    if values.is_empty() && errors.is_empty() {
        errors.push(EvidenceError::new("the list is empty").at(1));
    }
    let mut items = Vec::new();
    for Located { line, value } in values {
        match item(value) {
            Ok(item) => items.push((line, item)),
            Err(error) => errors.push(error.at(line)),
        }
    }
    errors.sort_by_key(|error| error.line);
    (items, errors)
}

/// Reads a file of native results; anything else in it is an error that names it.
pub fn read_all(bytes: &[u8]) -> (Vec<(u64, NativeRun)>, Vec<EvidenceError>) {
    let (items, mut errors) = read(bytes);
    let mut runs = Vec::new();
    for (line, item) in items {
        let what = match item {
            Item::Native(run) => {
                runs.push((line, run));
                continue;
            }
            Item::Row(_) => "a row of the companion's schema",
            Item::Run(_) => "a run record",
            Item::Block(_) => "a block of run records",
        };
        errors.push(EvidenceError::new(format_args!("{what}, not a native result")).at(line));
    }
    errors.sort_by_key(|error| error.line);
    (runs, errors)
}

fn item(value: Json) -> Result<Item, EvidenceError> {
    let Json::Object(object) = &value else { return Err(foreign::json(&value)) };
    match object.get("schema") {
        Some(Json::Text(schema)) if schema == "vsota-run/1" => {
            return RunRecord::parse(value.strict()?).map(Item::Run);
        }
        Some(Json::Text(schema)) if schema == "vsota-block/1" => {
            return BlockRecord::parse(value.strict()?).map(Item::Block);
        }
        _ => {}
    }
    match recognise(object) {
        Some(Format::CompanionRow) => CompanionRow::decode(&value).map(Item::Row),
        Some(format) => decode(format, object).map(Item::Native),
        None => Err(foreign::json(&value)),
    }
}

fn decode(format: Format, object: &Object) -> Result<NativeRun, EvidenceError> {
    match format {
        Format::SglangBenchServing => sglang::decode(object),
        Format::SglangAutoBenchmark => sglang::decode_search(object),
        Format::TrtllmBenchmarkServing => trtllm::decode(object),
        Format::TrtllmBench => trtllm::decode_offline(object),
        _ => vllm::decode(format, object),
    }
}

/// Tells the tool from the keys and their order (rule 1).
fn recognise(object: &Object) -> Option<Format> {
    let has = |key: &str| object.has(key);
    let is_object = |key: &str| object.get(key).is_some_and(|it| it.object().is_some());
    let before = |first: &str, second: &str| match (object.position(first), object.position(second))
    {
        (Some(first), Some(second)) => first < second,
        _ => false,
    };
    if has("framework") && (is_object("metrics") || (has("candidate_id") && has("status"))) {
        return Some(Format::CompanionRow);
    }
    if is_object("engine") && is_object("performance") {
        return Some(Format::TrtllmBench);
    }
    if has("stage") && has("candidate_id") && has("server_flags") {
        return Some(Format::SglangAutoBenchmark);
    }
    if has("total_output_tokens_retokenized")
        || has("median_e2e_latency_ms")
        || has("mean_e2e_latency_ms")
    {
        return Some(Format::SglangBenchServing);
    }
    if !(has("model_id") && has("duration") && has("completed")) {
        return None;
    }
    if before("endpoint_type", "model_id") {
        let swept = before("duration", "run_number");
        return Some(if swept { Format::VllmSweep } else { Format::VllmBenchServe });
    }
    let late = before("duration", "request_rate");
    if has("user_throughput") || has("avg_decoded_tokens_per_iter") || late {
        return Some(Format::TrtllmBenchmarkServing);
    }
    (has("backend") && before("request_rate", "duration")).then_some(Format::VllmBenchmarkServing)
}
