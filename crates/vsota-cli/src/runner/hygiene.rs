//! What disturbed a run? What cannot be looked at stays unknown.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use vsota_core::evidence::Metrics;
use vsota_core::facts::Framework;

use crate::http::Address;

const WAIT: Duration = Duration::from_secs(10);

/// Where a framework exports what it counted.
pub(super) fn scrape(at: &Address, framework: Framework) -> Option<Metrics> {
    let path = match framework {
        Framework::TensorrtLlm => "/prometheus/metrics",
        Framework::Vllm | Framework::Sglang => "/metrics",
    };
    let answer = at.call("GET", path, WAIT).ok().filter(|it| it.status == 200)?;
    Metrics::read(&answer.body).ok()
}

/// The share of prompt tokens of a run that a prefix cache answered.
fn hit_rate(before: Option<&Metrics>, after: Option<&Metrics>) -> Option<f64> {
    let (before, after) = (before?, after?);
    let between = after.since(before).ok()?;
    match (between.prefix_hits, between.prefix_queries) {
        (Some(hits), Some(queries)) if queries > 0.0 => Some(hits / queries),
        _ => after.hit_rate.map(|it| it.get()),
    }
}

/// What `nvidia-smi` says of this machine's GPUs, by lines; `None` where it is not.
fn gpus(query: &str) -> Option<Vec<String>> {
    let mut command = Command::new("nvidia-smi");
    command.args([query, "--format=csv,noheader"]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|it| it.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect())
}

/// The processes that compute on the GPUs; unknown where nobody tells.
pub(super) fn processes() -> Option<Vec<String>> {
    gpus("--query-compute-apps=pid,process_name")
}

/// Why the clocks are lowered.
fn throttled() -> Option<Vec<String>> {
    let reasons = "--query-gpu=clocks_throttle_reasons.hw_slowdown,clocks_throttle_reasons.sw_thermal_slowdown";
    let told = gpus(reasons)?;
    Some(told.iter().flat_map(|it| it.split(',')).map(|it| it.trim().to_owned()).collect())
}

/// What a run record says of disturbances. `others` computed on the GPUs before the server was started.
pub(super) fn found(
    others: Option<&[String]>,
    before: Option<&Metrics>,
    after: Option<&Metrics>,
) -> Value {
    json!({
        "prefix_cache_hit_rate": hit_rate(before, after),
        "other_gpu_processes": others,
        "throttle": throttled(),
    })
}
