//! The companion's plan or cookbook file: its workload, SLA and loads (FB-4, FB-14).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::error::EvidenceError;

/// Whether the value is a plan or cookbook file of the companion.
pub fn is_cookbook(value: &Value) -> bool {
    value.get("frameworks").is_some_and(Value::is_object)
        && ["dataset", "workload", "scenarios"].iter().any(|it| value.get(it).is_some())
        && value.get("schema").is_none()
}

/// The workload of a cookbook file in the shape of `vsota-workload/1`.
///
/// # Errors
///
/// When lengths and names are not aligned pairs, or a value is not what its key asks for.
pub(super) fn as_workload(value: &Value) -> Result<Value, EvidenceError> {
    let data = value.get("dataset").or(value.get("workload")).unwrap_or(&Value::Null);
    let bench = value.get("benchmark").unwrap_or(&Value::Null);
    let get = |key: &str| data.get(key).or(bench.get(key)).filter(|it| !it.is_null());
    let kind = get("kind").and_then(Value::as_str).unwrap_or("random");
    let scenarios = match value.get("scenarios").filter(|it| !it.is_null()) {
        // Ours beside theirs: each with its own load.
        Some(own) => own.clone(),
        None => Value::Array(pairs(get)?),
    };
    let sla = bench.get("sla").or(value.get("sla")).cloned().unwrap_or_else(|| json!({}));
    let sampling = bench.get("extra_request_body").cloned().unwrap_or_else(|| json!({}));
    Ok(json!({
        "schema": "vsota-workload/1", "kind": kind, "endpoint": get("endpoint"),
        "dataset_path": get("dataset_path").or(get("canonical_jsonl")),
        "sampling": sampling, "sla": sla, "scenarios": scenarios,
    }))
}

/// The scenarios of aligned lengths and names, one for each load.
fn pairs<'v>(get: impl Fn(&str) -> Option<&'v Value>) -> Result<Vec<Value>, EvidenceError> {
    let (inputs, outputs) = (list(get("input_len")), list(get("output_len")));
    if inputs.len() != outputs.len() {
        let message = "FB-4: input_len and output_len are aligned pairs, not a product";
        return Err(EvidenceError::new(message).of("dataset.output_len"));
    }
    let names = list(get("scenario_names"));
    if !names.is_empty() && names.len() != inputs.len() {
        let message = format!("{} names for {} pairs of lengths", names.len(), inputs.len());
        return Err(EvidenceError::new(message).of("dataset.scenario_names"));
    }
    let mut scenarios = Vec::new();
    for (at, (input, output)) in inputs.iter().zip(&outputs).enumerate() {
        let name = names.get(at).and_then(Value::as_str).map_or(format!("s{at}"), Into::into);
        for (load, rate, cap) in loads(get("request_rates"), get("max_concurrency")) {
            scenarios.push(json!({
                "name": format!("{name}{load}"), "input_len": input, "output_len": output,
                "num_prompts": get("num_prompts"), "request_rate": rate, "max_concurrency": cap,
            }));
        }
    }
    Ok(scenarios)
}

/// Each load of a plan is a scenario of its own (FB-4): its suffix, rate and cap.
fn loads(rates: Option<&Value>, caps: Option<&Value>) -> Vec<(String, Value, Value)> {
    let or_none = |it: Option<&Value>| match list(it) {
        none if none.is_empty() => Vec::from([Value::Null]),
        some => some,
    };
    let (rates, caps) = (or_none(rates), or_none(caps));
    let alone = caps.len() == 1;
    let mut loads = Vec::new();
    for rate in &rates {
        for cap in &caps {
            let mut name = String::new();
            if !rate.is_null() {
                name.push_str(&format!("@r{}", plain(rate)));
            }
            if !cap.is_null() && !alone {
                name.push_str(&format!("@c{}", plain(cap)));
            }
            let rate = if rate.is_null() { json!("inf") } else { rate.clone() };
            loads.push((name, rate, cap.clone()));
        }
    }
    loads
}

fn list(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(all)) => all.clone(),
        Some(one) => Vec::from([one.clone()]),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}
