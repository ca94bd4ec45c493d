//! Which tool wrote this file, and what did it measure? Native benchmark results, recognised by
//! their keys, and the ten rules of the formats kept.

mod companion;
mod fields;
pub(super) mod foreign;
mod plausible;
mod reader;
mod sglang;
mod trtllm;
mod vllm;

use alloc::collections::BTreeMap;
use core::fmt;

use super::block::BlockRecord;
use super::error::EvidenceError;
use super::json::{Json, Object};
use super::run::RunRecord;
use super::time::CivilTime;
use crate::facts::{Framework, Metric, Rate, Status, vocabulary};
use crate::measure::{Fraction, Measured};
use crate::text::{Line, Name};

pub use companion::{CompanionRow, companion_row};
pub(super) use vllm::overwritten;

pub use reader::{Read, Reader, read, read_all};

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
    /// Whether it says that a mock made it up (FB-5).
    pub mock: bool,
    /// The model, as the client called it.
    pub model: Option<Line>,
    /// The client's tokenizer.
    pub tokenizer: Option<Line>,
    /// The server's version, where the file has it.
    pub version: Option<Line>,
    /// The commit of a source build, where its version has it.
    pub commit: Option<Line>,
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
    /// Steps, in ms, too short to be steps of a model: many tokens came in one piece. They are no
    /// metrics; throughput and end-to-end latency stand.
    pub bursts: BTreeMap<Metric, Measured>,
    /// Tokens a step of speculative decoding accepted on average, where the file tells.
    pub accept_length: Option<Measured>,
    /// The share of prompt tokens that a prefix cache answered, where the file tells.
    pub cache_hits: Option<Fraction>,
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
            mock: false,
            model: None,
            tokenizer: None,
            version: None,
            commit: None,
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
            bursts: BTreeMap::new(),
            accept_length: None,
            cache_hits: None,
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
        Some(format) => {
            let run = decode(format, object)?;
            run.check_arithmetic()?;
            Ok(Item::Native(run))
        }
        None => Err(foreign::json(&value)),
    }
}

fn decode(format: Format, object: &Object) -> Result<NativeRun, EvidenceError> {
    match format {
        Format::SglangBenchServing => sglang::decode(object),
        Format::SglangAutoBenchmark => sglang::decode_search(object),
        Format::TrtllmBenchmarkServing => trtllm::decode(object),
        Format::TrtllmBench => trtllm::decode_offline(object),
        Format::VllmSweep if object.has("error_type") => vllm::decode_failure(object),
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
    if has("error_type") && is_object("serve_overrides") {
        return Some(Format::VllmSweep);
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
    let first = |key: &str| object.keys().position(|it| it.starts_with(key) && it.ends_with("_ms"));
    // TensorRT-LLM writes the deviation before the mean, vLLM behind it; metadata moves neither.
    let late = match (first("std_"), first("mean_")) {
        (Some(std), Some(mean)) => std < mean,
        _ => before("duration", "request_rate"),
    };
    if has("user_throughput") || has("avg_decoded_tokens_per_iter") || late {
        return Some(Format::TrtllmBenchmarkServing);
    }
    has("backend").then_some(Format::VllmBenchmarkServing)
}
