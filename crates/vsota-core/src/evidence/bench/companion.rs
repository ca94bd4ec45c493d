//! Rows of the companion's result schema: the form in which every result is shown.

use alloc::string::ToString;

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Cap, NativeRun, Offered};
use crate::evidence::error::EvidenceError;
use crate::evidence::json::Json;
use crate::facts::{Framework, Rate, Status};
use crate::measure::Fraction;

/// A row of the companion's schema: its words checked, metrics that were not measured removed.
#[derive(Clone, Debug, PartialEq)]
pub struct CompanionRow {
    /// Its framework.
    pub framework: Framework,
    /// How its run ended.
    pub status: Status,
    /// The whole row.
    pub value: Value,
}

impl CompanionRow {
    pub(super) fn decode(row: &Json) -> Result<Self, EvidenceError> {
        let Json::Object(object) = row else {
            return Err(EvidenceError::new("a row is an object"));
        };
        let fields = Fields(object);
        let framework = word(fields, "framework")?;
        let status = word(fields, "status")?;
        let mut metrics = Map::new();
        if let Some(found) = fields.inside("metrics") {
            for key in found.0.keys() {
                if key == "success_rate" {
                    // None of the requests completed: that is known, and no placeholder.
                    let rate = found.number(key)?.map(Fraction::new).transpose();
                    let rate = rate.map_err(|error| EvidenceError::new(error).of(key))?;
                    metrics.extend(rate.map(|it| (key.to_string(), it.get().into())));
                } else if let Some(measured) = found.measured(key)? {
                    metrics.insert(key.to_string(), measured.get().into());
                }
            }
        }
        let mut value = row.clone().strict()?;
        if let Value::Object(entries) = &mut value {
            entries.insert("metrics".into(), Value::Object(metrics));
        }
        Ok(Self { framework, status, value })
    }
}

fn word<T: core::str::FromStr<Err: core::fmt::Display>>(
    fields: Fields<'_>,
    key: &str,
) -> Result<T, EvidenceError> {
    let text = fields.text(key)?.ok_or_else(|| EvidenceError::new("the key is missing").of(key))?;
    text.parse().map_err(|error| EvidenceError::new(error).of(key))
}

/// Shows a native run as a row of the companion's schema; metrics only where measured.
pub fn companion_row(run: &NativeRun) -> Value {
    let mut metrics = Map::new();
    for (metric, value) in &run.metrics {
        metrics.insert(metric.to_string(), value.get().into());
    }
    if let Some(rate) = run.success_rate().filter(|_| run.completed > 0) {
        metrics.insert("success_rate".into(), rate.get().into());
    }
    json!({
        "framework": run.framework().map(Framework::as_str),
        "framework_version": run.version.as_ref().map(AsRef::as_ref),
        "framework_commit": null,
        "candidate_id": run.candidate.as_ref().map(AsRef::as_ref),
        "model": run.model.as_ref().map(AsRef::as_ref),
        "tokenizer": run.tokenizer.as_ref().map(AsRef::as_ref),
        "status": run.status.as_str(),
        "failure_reason": run.failure.as_ref().map(AsRef::as_ref),
        "served": run.served,
        "duration_s": run.duration.map(|it| it.get()),
        "workload": {
            "num_prompts": run.requested,
            "completed": run.completed,
            "input_len": run.input_len,
            "output_len": run.output_len,
            "total_input_tokens": run.input_tokens,
            "total_output_tokens": run.output_tokens,
            "request_rate": run.request_rate.map(offered),
            "max_concurrency": match run.max_concurrency {
                Some(Cap::At(cap)) => Some(cap),
                Some(Cap::Unlimited) | None => None,
            },
            "burstiness": run.burstiness.map(|it| it.get()),
            "endpoint": run.endpoint,
        },
        "metrics": metrics,
    })
}

fn offered(load: Offered) -> Value {
    match load {
        Offered::Rate(Rate::PerSecond(rate)) => rate.get().into(),
        other => other.to_string().into(),
    }
}
