//! The workload file: `vsota-workload/1` to inputs of the campaign (FB-4, FB-14).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

use super::cookbook::{as_workload, is_cookbook};
use super::error::EvidenceError;
use super::json;
use crate::facts::{Input, LatencyMetric, Scenario, Workload};
use crate::measure::{Fraction, Measured};
use crate::text::{Line, Name};

/// The most scenarios of a workload.
const SCENARIOS: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "schema")]
    _schema: Schema,
    kind: Name,
    #[serde(default)]
    dataset_path: Option<Line>,
    #[serde(default)]
    endpoint: Option<Line>,
    #[serde(default)]
    sampling: BTreeMap<String, Value>,
    #[serde(default)]
    sla: BTreeMap<String, Option<f64>>,
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
enum Schema {
    #[serde(rename = "vsota-workload/1")]
    One,
}

/// Reads a workload from its value, whether it was written in JSON or in YAML: the workload, and
/// endpoint, sampling and limits where the file says them. A plan or cookbook file of the companion
/// serves too; each of its loads is a scenario (FB-4).
///
/// # Errors
///
/// When a field is missing, unknown or of another type, a scenario sends nothing or is there
/// twice, or a limit is no limit.
pub fn workload(value: Value) -> Result<Vec<Input>, EvidenceError> {
    let value = if is_cookbook(&value) { as_workload(&value)? } else { value };
    let Wire { _schema, kind, dataset_path, endpoint, sampling: said, sla: limits, scenarios } =
        json::shaped(value)?;
    check(&scenarios)?;
    not_swapped(&kind, &scenarios)?;
    let mut inputs = Vec::from([Input::Workload(Workload { kind, dataset_path, scenarios })]);
    inputs.extend(endpoint.map(Input::Endpoint));
    for (key, value) in said {
        let field = format!("sampling.{key}");
        if !value.is_null() {
            inputs.push(sampling(&key, &value).map_err(|error| error.of(&field))?);
        }
    }
    for (key, limit) in limits {
        let field = format!("sla.{key}");
        if let Some(limit) = limit {
            inputs.push(sla(&key, limit).map_err(|error| error.of(&field))?);
        }
    }
    Ok(inputs)
}

fn check(scenarios: &[Scenario]) -> Result<(), EvidenceError> {
    let wrong = |message: String| Err(EvidenceError::new(message).of("scenarios"));
    if scenarios.is_empty() || scenarios.len() > SCENARIOS {
        return wrong(format!(
            "a workload has 1 to {SCENARIOS} scenarios, this one {}",
            scenarios.len()
        ));
    }
    let mut names = BTreeSet::new();
    for scenario in scenarios {
        let Scenario { name, input_len, output_len, num_prompts, max_concurrency, .. } = scenario;
        if !names.insert(name) {
            return wrong(format!("the scenario {name} occurs twice"));
        }
        if [*input_len, *output_len, *num_prompts].contains(&0) || *max_concurrency == Some(0) {
            return wrong(format!("the scenario {name} has a length, count or cap of zero"));
        }
    }
    Ok(())
}

/// FB-4: chat and summarization are what they are; one with the lengths of the other is a slip.
fn not_swapped(kind: &Name, scenarios: &[Scenario]) -> Result<(), EvidenceError> {
    let standard = Workload::standard().map(|it| it.scenarios).unwrap_or_default();
    let lengths = |it: &Scenario| (it.input_len, it.output_len);
    for it in scenarios.iter().filter(|_| kind.as_str() == "random") {
        let plain = it.name.as_str().split('@').next();
        let own = standard.iter().find(|other| Some(other.name.as_str()) == plain);
        let other = standard.iter().find(|other| lengths(other) == lengths(it));
        if let (Some(own), Some(other)) = (own, other)
            && own.name != other.name
        {
            let message = format!("FB-4: {} has the lengths of {}", it.name, other.name);
            return Err(EvidenceError::new(message).of("scenarios"));
        }
    }
    Ok(())
}

fn sampling(key: &str, value: &Value) -> Result<Input, EvidenceError> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |it| it.to_string())
        }
        _ => return Err(EvidenceError::new("a word, a number or a boolean is expected")),
    };
    let key = Name::new(key).map_err(EvidenceError::new)?;
    Ok(Input::Sampling { key, value: Line::new(text).map_err(EvidenceError::new)? })
}

fn sla(key: &str, limit: f64) -> Result<Input, EvidenceError> {
    if key == "min_success_rate" {
        return Fraction::new(limit).map(Input::SlaSuccessRate).map_err(EvidenceError::new);
    }
    let known = "max_{p50,p90,p95,p99,mean}_{ttft,tpot,itl,e2e}_ms and min_success_rate are known";
    let metric: LatencyMetric = key
        .strip_prefix("max_")
        .and_then(|it| it.parse().ok())
        .ok_or_else(|| EvidenceError::new(known))?;
    let limit = Measured::new(limit).map_err(EvidenceError::new)?;
    Ok(Input::SlaLimit { metric, limit })
}
