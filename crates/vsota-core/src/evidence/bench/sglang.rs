//! `sglang.bench_serving` and the search that is built on it.

use alloc::collections::BTreeMap;

use super::fields::Fields;
use super::foreign::{out_of_memory, plain};
use super::{Format, NativeRun};
use crate::evidence::error::EvidenceError;
use crate::evidence::json::{Json, Object};
use crate::facts::{Framework, LatencyKind, Metric, Status};
use crate::measure::{Fraction, Measured};
use crate::text::Line;

pub(super) fn decode(object: &Object) -> Result<NativeRun, EvidenceError> {
    let fields = Fields(object);
    let backend = fields.line("backend")?;
    let server = fields.inside("server_info");
    let of_server = |key: &str| server.map_or(Ok(None), |it| it.line(key));
    let version = of_server("version")?;
    // Every line carries the lengths of the random dataset, whichever was sent.
    let random = fields.text("dataset_name")?.is_some_and(|it| it.starts_with("random"));
    let length = |key: &str| if random { fields.count(key) } else { Ok(None) };
    let mut run = NativeRun {
        backend_framework: backend.as_ref().and_then(|it| framework(it.as_str())),
        endpoint: backend.as_ref().and_then(|it| endpoint(it.as_str())),
        backend,
        model: of_server("model_path")?,
        commit: version.as_ref().and_then(commit),
        version,
        request_rate: fields.request_rate()?,
        max_concurrency: fields.max_concurrency()?,
        requested: sent(fields),
        input_len: length("random_input_len")?,
        output_len: length("random_output_len")?,
        accept_length: fields.measured("accept_length")?,
        cache_hits: cache_hits(fields)?,
        ..NativeRun::blank(Format::SglangBenchServing)
    };
    fields.finish(&mut run, metrics)?;
    Ok(run)
}

/// A record of `sglang.auto_benchmark`: a bench_serving line, or the error in its place.
pub(super) fn decode_search(object: &Object) -> Result<NativeRun, EvidenceError> {
    let fields = Fields(object);
    let format = Format::SglangAutoBenchmark;
    let candidate = fields.name("candidate_id")?;
    if let Some(line) = fields.inside("metrics") {
        return Ok(NativeRun { format, candidate, ..decode(line.0)? });
    }
    let pruned = matches!(object.get("heuristic_pruned"), Some(Json::Bool(true)));
    let error = fields.text("error")?;
    let (status, failure) = match error {
        Some(error) if fields.text("diagnosis")? == Some("oom") || out_of_memory(error) => {
            (Status::Oom, plain(error))
        }
        Some(error) => (Status::Failed, plain(error)),
        None if pruned => (Status::Skipped, Line::new("pruned by the search's heuristic").ok()),
        None => return Err(EvidenceError::new("neither metrics nor an error").of("metrics")),
    };
    Ok(NativeRun {
        candidate,
        backend_framework: Some(Framework::Sglang),
        status,
        failure,
        max_concurrency: fields.max_concurrency()?,
        ..NativeRun::blank(format)
    })
}

/// The commit of a source build, as its version has it behind `+g`.
fn commit(version: &Line) -> Option<Line> {
    let (_, commit) = version.as_str().split_once("+g")?;
    let end = commit.find(|it: char| !it.is_ascii_hexdigit()).unwrap_or(commit.len());
    commit.get(..end).and_then(|it| Line::new(it).ok())
}

/// The share of prompt tokens that the prefix cache answered, as `--cache-report` tells it.
fn cache_hits(fields: Fields<'_>) -> Result<Option<Fraction>, EvidenceError> {
    let Some(report) = fields.inside("cache_report") else { return Ok(None) };
    let Some(percent) = report.number("cache_hit_rate_pct")? else { return Ok(None) };
    let error = |error| EvidenceError::new(error).of("cache_hit_rate_pct");
    Fraction::new(percent / 100.0).map(Some).map_err(error)
}

/// The requests that were sent, which only the details tell (rule 7).
fn sent(fields: Fields<'_>) -> Option<u64> {
    match fields.0.get("errors").or(fields.0.get("output_lens")) {
        Some(Json::List(slots)) => u64::try_from(slots.len()).ok(),
        _ => None,
    }
}

fn framework(backend: &str) -> Option<Framework> {
    match backend {
        "sglang" | "sglang-native" | "sglang-oai" | "sglang-oai-chat" | "sglang-embedding" => {
            Some(Framework::Sglang)
        }
        "vllm" | "vllm-chat" => Some(Framework::Vllm),
        "trt" => Some(Framework::TensorrtLlm),
        _ => None,
    }
}

fn endpoint(backend: &str) -> Option<&'static str> {
    match backend {
        "sglang" | "sglang-native" => Some("/generate"),
        "sglang-oai" | "vllm" | "lmdeploy" => Some("/v1/completions"),
        "sglang-oai-chat" | "vllm-chat" | "lmdeploy-chat" => Some("/v1/chat/completions"),
        "trt" => Some("/v2/models/ensemble/generate_stream"),
        _ => None,
    }
}

fn metrics(fields: Fields<'_>) -> Result<BTreeMap<Metric, Measured>, EvidenceError> {
    let mut metrics = BTreeMap::new();
    fields.rate("request_throughput", Metric::RequestThroughput, &mut metrics)?;
    fields.rate("output_throughput", Metric::OutputTokenThroughput, &mut metrics)?;
    let total = match fields.measured("total_throughput")? {
        None => {
            let parts =
                fields.measured("input_throughput")?.zip(fields.measured("output_throughput")?);
            parts.and_then(|(read, wrote)| Measured::new(read.get() + wrote.get()).ok())
        }
        total => total,
    };
    metrics.extend(total.map(|total| (Metric::TotalTokenThroughput, total)));
    fields.latencies(key, &mut metrics)?;
    Ok(metrics)
}

fn key(kind: LatencyKind) -> &'static str {
    match kind {
        LatencyKind::E2e => "e2e_latency",
        other => other.as_str(),
    }
}
