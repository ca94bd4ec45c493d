//! The companion's plan or cookbook file: its workload, SLA and loads, and the bounded candidates of
//! each framework (FB-2, FB-12, FB-14).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::error::EvidenceError;
use crate::facts::{Framework, Input};
use crate::text::{Line, Name};

/// The companion's cap on the candidates of a framework, where its file names none.
const CAP: usize = 10;

/// The candidates of one framework, baseline first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Planned {
    /// Whose they are.
    pub framework: Framework,
    /// Each with its launch command.
    pub candidates: Vec<(Name, Vec<Line>)>,
    /// Whether the whole declared space is among them.
    pub whole: bool,
}

/// Whether the value is a plan or cookbook file of the companion.
pub fn is_cookbook(value: &Value) -> bool {
    value.get("frameworks").is_some_and(Value::is_object)
        && (value.get("dataset").is_some() || value.get("workload").is_some())
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
    let kind = get("kind").and_then(Value::as_str).unwrap_or("random");
    let sla = bench.get("sla").or(value.get("sla")).cloned().unwrap_or_else(|| json!({}));
    let sampling = bench.get("extra_request_body").cloned().unwrap_or_else(|| json!({}));
    Ok(json!({
        "schema": "vsota-workload/1", "kind": kind, "endpoint": get("endpoint"),
        "dataset_path": get("dataset_path").or(get("canonical_jsonl")),
        "sampling": sampling, "sla": sla, "scenarios": scenarios,
    }))
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

/// The bounded candidates of a cookbook file.
///
/// # Errors
///
/// When TensorRT-LLM's backend is not fixed to pytorch, or a context length is too short.
pub fn planned(value: &Value, inputs: &[Input]) -> Result<Vec<Planned>, EvidenceError> {
    let model = value.pointer("/model/name").and_then(Value::as_str).unwrap_or_default();
    let cap = value.pointer("/search/max_candidates_per_framework").and_then(Value::as_u64);
    let cap = cap.and_then(|it| usize::try_from(it).ok()).unwrap_or(CAP).min(CAP);
    let longest = inputs.iter().find_map(|it| match it {
        Input::Workload(workload) => Some(workload.longest()),
        _ => None,
    });
    let mut all = Vec::new();
    for framework in Framework::ALL.iter().copied() {
        let Some(part) = value.pointer(&format!("/frameworks/{framework}")) else { continue };
        if part.get("enabled") == Some(&Value::Bool(false)) {
            continue;
        }
        let base = part.get("base_server_flags").and_then(Value::as_object).cloned();
        let base = base.unwrap_or_default();
        let space = part.get("search_space").and_then(Value::as_object).cloned();
        let space = space.unwrap_or_default();
        check(framework, &base, &space, longest)?;
        let (flags, whole) = product(&base, &space, cap);
        let candidates = flags.iter().enumerate().map(|(at, flags)| {
            let id = if at == 0 { "base".to_string() } else { at.to_string() };
            let id = Name::new(format!("{framework}-{id}")).map_err(EvidenceError::new)?;
            Ok((id, command(framework, model, flags)?))
        });
        let candidates = candidates.collect::<Result<_, EvidenceError>>()?;
        all.push(Planned { framework, candidates, whole });
    }
    Ok(all)
}

fn check(
    framework: Framework,
    base: &Map<String, Value>,
    space: &Map<String, Value>,
    longest: Option<u64>,
) -> Result<(), EvidenceError> {
    let wrong = |key: &str, message: String| {
        Err(EvidenceError::new(message).of(&format!("frameworks.{framework}.{key}")))
    };
    if framework == Framework::TensorrtLlm {
        let pytorch = base.get("backend").and_then(Value::as_str) == Some("pytorch");
        if !pytorch || space.contains_key("backend") {
            let message = "FB-6: the backend is fixed to pytorch and is no part of the search";
            return wrong("base_server_flags", message.to_string());
        }
    }
    for key in ["max_model_len", "context_length", "max_seq_len"] {
        let said = base.get(key).and_then(Value::as_u64);
        if let (Some(said), Some(longest)) = (said, longest)
            && said < longest
        {
            let message = format!("FB-10: {key} of {said} is shorter than {longest}");
            return wrong("base_server_flags", message);
        }
    }
    Ok(())
}

/// The baseline, then the product of the search space in its order, up to the cap; and whether that is
/// all of it.
fn product(
    base: &Map<String, Value>,
    space: &Map<String, Value>,
    cap: usize,
) -> (Vec<Map<String, Value>>, bool) {
    let mut all = Vec::from([base.clone()]);
    let axes: Vec<(&String, Vec<Value>)> =
        space.iter().map(|(key, value)| (key, list(Some(value)))).collect();
    let total = axes.iter().fold(1_usize, |total, (_, values)| total.saturating_mul(values.len()));
    let mut number = 0;
    // What repeats the baseline or an earlier one is no candidate; a bound on what is looked at.
    while number < total && number < 4_096 && all.len() < cap {
        let mut flags = base.clone();
        let mut rest = number;
        for (key, values) in axes.iter().rev().filter(|(_, values)| !values.is_empty()) {
            let value = values.get(rest % values.len());
            flags.extend(value.map(|it| ((*key).clone(), it.clone())));
            rest /= values.len();
        }
        if !all.contains(&flags) {
            all.push(flags);
        }
        number += 1;
    }
    (all, number >= total)
}

/// The launch command, as the framework's own tool takes it.
fn command(
    framework: Framework,
    model: &str,
    flags: &Map<String, Value>,
) -> Result<Vec<Line>, EvidenceError> {
    let (program, dash): (&[&str], bool) = match framework {
        Framework::Vllm => (&["vllm", "serve"], true),
        Framework::Sglang => (&["python", "-m", "sglang.launch_server"], true),
        Framework::TensorrtLlm => (&["trtllm-serve", "serve"], false),
    };
    let mut words: Vec<String> = program.iter().map(|it| (*it).to_string()).collect();
    if framework == Framework::Sglang && !flags.contains_key("model_path") {
        words.extend(["--model-path".to_string(), model.to_string()]);
    } else if framework != Framework::Sglang {
        words.push(model.to_string());
    }
    for (key, value) in flags {
        let name = if dash { key.replace('_', "-") } else { key.clone() };
        match value {
            Value::Null => {}
            Value::Bool(true) => words.push(format!("--{name}")),
            Value::Bool(false) if framework == Framework::Vllm => {
                words.push(format!("--no-{name}"))
            }
            Value::Bool(false) => {}
            value => words.extend([format!("--{name}"), plain(value)]),
        }
    }
    let line = |it: String| Line::new(it).map_err(EvidenceError::new);
    words.into_iter().map(line).collect()
}
