//! TensorRT-LLM's `benchmark_serving`, and `trtllm-bench`, which runs in process.

use alloc::collections::BTreeMap;

use super::fields::Fields;
use super::{Format, NativeRun, vllm};
use crate::evidence::error::EvidenceError;
use crate::evidence::json::Object;
use crate::facts::{Framework, LatencyKind, Metric, Stat, Status};
use crate::measure::Measured;
use crate::text::Line;

pub(super) fn decode(object: &Object) -> Result<NativeRun, EvidenceError> {
    let fields = Fields(object);
    let backend = fields.line("backend")?;
    let endpoint = match backend.as_ref().map(Line::as_str) {
        Some("openai") => Some("/v1/completions"),
        Some("openai-chat") => Some("/v1/chat/completions"),
        _ => None,
    };
    let mut run = NativeRun {
        endpoint,
        backend,
        model: fields.line("model_id")?,
        tokenizer: fields.line("tokenizer_id")?,
        date: fields.date()?,
        request_rate: fields.request_rate()?,
        max_concurrency: fields.max_concurrency()?,
        burstiness: fields.measured("burstiness")?,
        requested: Some(fields.needed("num_prompts")?),
        ..NativeRun::blank(Format::TrtllmBenchmarkServing)
    };
    if let Some(tokens) = fields.inside("avg_decoded_tokens_per_iter") {
        run.accept_length = tokens.measured("mean")?;
    }
    fields.finish(&mut run, vllm::metrics)?;
    Ok(run)
}

/// A report of `trtllm-bench`: kept and shown, never comparable with a served run.
pub(super) fn decode_offline(object: &Object) -> Result<NativeRun, EvidenceError> {
    let fields = Fields(object);
    let part = |key: &'static str| {
        fields.inside(key).ok_or_else(|| EvidenceError::new("an object is expected").of(key))
    };
    let (engine, requests) = (part("engine")?, part("request_info")?);
    let performance = part("performance")?;
    let completed = requests.needed("num_requests")?;
    let ended = completed > 0;
    Ok(NativeRun {
        backend_framework: Some(Framework::TensorrtLlm),
        served: false,
        model: engine.line("model")?.filter(|it| it.as_str() != "None"),
        version: engine.line("version")?,
        backend: engine.line("backend")?,
        status: if ended { Status::Ok } else { Status::Failed },
        failure: if ended { None } else { Line::new("no request completed").ok() },
        completed,
        requested: Some(completed),
        duration: performance
            .measured("total_latency_ms")?
            .and_then(|ms| Measured::new(ms.get() / 1_000.0).ok()),
        metrics: if ended { offline_metrics(fields, performance)? } else { BTreeMap::new() },
        ..NativeRun::blank(Format::TrtllmBench)
    })
}

fn offline_metrics(
    fields: Fields<'_>,
    performance: Fields<'_>,
) -> Result<BTreeMap<Metric, Measured>, EvidenceError> {
    let mut metrics = BTreeMap::new();
    for (key, metric) in [
        ("request_throughput_req_s", Metric::RequestThroughput),
        ("system_output_throughput_tok_s", Metric::OutputTokenThroughput),
        ("system_total_throughput_tok_s", Metric::TotalTokenThroughput),
        ("avg_request_latency_ms", Metric::latency(Stat::Mean, LatencyKind::E2e)),
    ] {
        performance.rate(key, metric, &mut metrics)?;
    }
    let streaming = fields.inside("streaming_metrics");
    for (kind, holder, percentiles, mean) in [
        (LatencyKind::E2e, Some(performance), "request_latency_percentiles_ms", None),
        (LatencyKind::Ttft, streaming, "ttft_percentiles", Some("avg_ttft_ms")),
        (LatencyKind::Tpot, streaming, "tpot_percentiles", Some("avg_tpot_ms")),
    ] {
        let Some(holder) = holder else { continue };
        if let Some(mean) = mean {
            holder.rate(mean, Metric::latency(Stat::Mean, kind), &mut metrics)?;
        }
        let Some(percentiles) = holder.inside(percentiles) else { continue };
        for stat in [Stat::P50, Stat::P90, Stat::P95, Stat::P99] {
            percentiles.rate(stat.as_str(), Metric::latency(stat, kind), &mut metrics)?;
        }
    }
    Ok(metrics)
}
