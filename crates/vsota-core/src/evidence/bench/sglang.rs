//! `sglang.bench_serving` and the search that is built on it.

use alloc::collections::BTreeMap;

use super::fields::Fields;
use super::{Format, NativeRun};
use crate::evidence::error::EvidenceError;
use crate::evidence::json::{Json, Object};
use crate::facts::{Framework, LatencyKind, Metric, Status};
use crate::measure::Measured;

pub(super) fn decode(object: &Object) -> Result<NativeRun, EvidenceError> {
    let fields = Fields(object);
    let backend = fields.line("backend")?;
    let server = fields.inside("server_info");
    let of_server = |key: &str| server.map_or(Ok(None), |it| it.line(key));
    let mut run = NativeRun {
        backend_framework: backend.as_ref().and_then(|it| framework(it.as_str())),
        endpoint: backend.as_ref().and_then(|it| endpoint(it.as_str())),
        backend,
        model: of_server("model_path")?,
        version: of_server("version")?,
        request_rate: fields.request_rate()?,
        max_concurrency: fields.max_concurrency()?,
        requested: sent(fields),
        input_len: fields.count("random_input_len")?,
        output_len: fields.count("random_output_len")?,
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
    if !fields.0.has("error") {
        return Err(EvidenceError::new("neither metrics nor an error").of("metrics"));
    }
    let oom = fields.text("diagnosis")? == Some("oom");
    Ok(NativeRun {
        candidate,
        backend_framework: Some(Framework::Sglang),
        status: if oom { Status::Oom } else { Status::Failed },
        failure: crate::text::Line::new(if oom {
            "out of memory"
        } else {
            "the run ended in an error"
        })
        .ok(),
        ..NativeRun::blank(format)
    })
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
