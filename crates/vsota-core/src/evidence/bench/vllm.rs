//! `vllm bench serve`, its sweep, and the older `benchmark_serving.py`.

use alloc::collections::BTreeMap;
use alloc::format;

use super::fields::Fields;
use super::foreign::{out_of_memory, plain};
use super::{Format, NativeRun, Offered};
use crate::evidence::error::EvidenceError;
use crate::evidence::json::{Json, Object};
use crate::facts::{Framework, LatencyKind, Metric, Status};
use crate::measure::Measured;
use crate::text::Line;

pub(super) fn decode(format: Format, object: &Object) -> Result<NativeRun, EvidenceError> {
    let fields = Fields(object);
    refuse_other_runs(fields)?;
    let backend = fields.line("backend")?.or(fields.line("endpoint_type")?);
    let mut run = NativeRun {
        backend_framework: backend.as_ref().and_then(|it| framework(it.as_str())),
        endpoint: backend.as_ref().and_then(|it| endpoint(it.as_str())),
        backend,
        model: fields.line("model_id")?,
        tokenizer: fields.line("tokenizer_id")?,
        date: fields.date()?,
        request_rate: offered(fields)?,
        max_concurrency: fields.max_concurrency()?,
        burstiness: fields.measured("burstiness")?,
        requested: Some(fields.needed("num_prompts")?),
        accept_length: fields.measured("spec_decode_acceptance_length")?,
        ..NativeRun::blank(format)
    };
    fields.finish(&mut run, metrics)?;
    Ok(run)
}

/// The keys of a result that metadata of the same name overwrites: they are written before it.
const BEFORE_METADATA: [&str; 7] =
    ["date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id", "num_prompts"];

/// The key of the result that `--metadata` of a benchmark command overwrites, if it does: then the
/// file says what its author wanted it to say. TensorRT-LLM's client does the same.
pub(in crate::evidence) fn overwritten(command: &[Line]) -> Option<&'static str> {
    let mut within = false;
    command.iter().map(Line::as_str).find_map(|word| {
        let pair = match word.strip_prefix("--metadata") {
            Some(rest) => {
                within = rest.is_empty();
                rest.strip_prefix('=')?
            }
            None if word.starts_with("--") => {
                within = false;
                return None;
            }
            None if within => word,
            None => return None,
        };
        let (key, _) = pair.split_once('=')?;
        BEFORE_METADATA.into_iter().find(|it| *it == key.trim())
    })
}

/// A combination of a sweep that failed before it measured: its row has a reason, and no identity.
pub(super) fn decode_failure(object: &Object) -> Result<NativeRun, EvidenceError> {
    let fields = Fields(object);
    refuse_other_runs(fields)?;
    let kind = fields.text("error_type")?.unwrap_or("an error");
    let reason = fields.text("error")?.unwrap_or_default();
    Ok(NativeRun {
        status: if out_of_memory(reason) { Status::Oom } else { Status::Failed },
        failure: plain(&format!("{kind}: {reason}")),
        ..NativeRun::blank(Format::VllmSweep)
    })
}

/// A warm-up of a sweep and a pooling benchmark look like results and are none.
fn refuse_other_runs(fields: Fields<'_>) -> Result<(), EvidenceError> {
    if matches!(fields.0.get("run_number"), Some(Json::Number(number)) if *number < 0.0) {
        return Err(EvidenceError::new("the warm-up of a sweep, not a result").of("run_number"));
    }
    if fields.0.has("total_input_sequences") {
        let message = "a pooling benchmark: it generates no token";
        return Err(EvidenceError::new(message).of("total_input_sequences"));
    }
    Ok(())
}

/// The framework that a backend names; the OpenAI ones serve anybody.
fn framework(backend: &str) -> Option<Framework> {
    match backend {
        "vllm" | "vllm-chat" => Some(Framework::Vllm),
        "sglang" => Some(Framework::Sglang),
        "tensorrt-llm" => Some(Framework::TensorrtLlm),
        _ => None,
    }
}

fn endpoint(backend: &str) -> Option<&'static str> {
    match backend {
        "openai" | "vllm" | "sglang" | "lmdeploy" => Some("/v1/completions"),
        "openai-chat" | "vllm-chat" => Some("/v1/chat/completions"),
        _ => None,
    }
}

fn offered(fields: Fields<'_>) -> Result<Option<Offered>, EvidenceError> {
    if fields.text("ramp_up_strategy")?.is_none() {
        return fields.request_rate();
    }
    let end = |key: &str| {
        fields
            .measured(key)?
            .ok_or_else(|| EvidenceError::new("a rate above zero is expected").of(key))
    };
    Ok(Some(Offered::RampUp { from: end("ramp_up_start_rps")?, to: end("ramp_up_end_rps")? }))
}

pub(super) fn metrics(fields: Fields<'_>) -> Result<BTreeMap<Metric, Measured>, EvidenceError> {
    let mut metrics = BTreeMap::new();
    fields.rate("request_throughput", Metric::RequestThroughput, &mut metrics)?;
    fields.rate("output_throughput", Metric::OutputTokenThroughput, &mut metrics)?;
    fields.rate("total_token_throughput", Metric::TotalTokenThroughput, &mut metrics)?;
    fields.latencies(key, &mut metrics)?;
    Ok(metrics)
}

fn key(kind: LatencyKind) -> &'static str {
    match kind {
        LatencyKind::E2e => "e2el",
        other => other.as_str(),
    }
}
