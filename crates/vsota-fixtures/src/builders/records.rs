//! Run records and blocks, as `vsota` writes them.

use serde_json::{Value, json};
use vsota_core::facts::{Build, Framework, Status};

use super::clock::rfc3339;

/// What a run record says.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordParts {
    /// What was served.
    pub framework: Framework,
    /// Its version.
    pub framework_version: Option<String>,
    /// The candidate.
    pub candidate_id: Option<String>,
    /// The scenario.
    pub scenario: String,
    /// Which vLLM build, in a trial block.
    pub build: Option<Build>,
    /// The git tree that was measured, for vLLM.
    pub tree: Option<String>,
    /// The launch command.
    pub server_command: Vec<String>,
    /// The benchmark command.
    pub benchmark_command: Vec<String>,
    /// The server log, relative to the record.
    pub log: Option<String>,
    /// When the benchmark started, in ms since the epoch.
    pub started_at: i64,
    /// When it ended, in ms since the epoch.
    pub ended_at: i64,
    /// How it ended.
    pub status: Status,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The native result, relative to the record, and its line.
    pub result: Option<(String, u64)>,
    /// Whether it is only a flow check.
    pub smoke: bool,
}

/// A `vsota-run/1` record of one GPU `demo-gpu-80g`.
pub fn run_record(run: &RecordParts) -> Value {
    let launch = run.log.as_ref().map(|log| {
        json!({
            "log": log,
            "started_at": rfc3339(run.started_at - 42_000),
            "ended_at": rfc3339(run.ended_at + 3_000),
        })
    });
    json!({
        "schema": "vsota-run/1",
        "framework": run.framework,
        "framework_version": run.framework_version,
        "commit": null,
        "smoke": run.smoke,
        "tree": run.tree,
        "candidate_id": run.candidate_id,
        "scenario": run.scenario,
        "build": run.build,
        "server_command": run.server_command,
        "benchmark_command": run.benchmark_command,
        "launch": launch,
        "started_at": rfc3339(run.started_at),
        "ended_at": rfc3339(run.ended_at),
        "exit_code": if run.status == Status::Ok { json!(0) } else { Value::Null },
        "status": run.status,
        "failure_reason": run.failure_reason,
        "result": run.result.as_ref().map(|(path, line)| json!({"path": path, "line": line})),
        "gpus": {"model": "demo-gpu-80g", "count": 1, "ids": "0"},
        "hygiene": {"prefix_cache_hit_rate": null, "other_gpu_processes": null, "throttle": null},
    })
}

/// A `vsota-block/1` of run records; `kind` is `gap` or `trial`.
pub fn block(kind: &str, scenario: &str, runs: &[Value]) -> Value {
    json!({"schema": "vsota-block/1", "kind": kind, "scenario": scenario, "runs": runs})
}
