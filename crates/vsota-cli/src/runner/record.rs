//! The record of a run, `vsota-run/1`, from the moment its server is started.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde_json::{Value, json};
use vsota_core::Brief;
use vsota_core::facts::Status;
use vsota_core::text::Line;

use super::{Asked, Job};

/// Now, in ms since the epoch: what is measured happens at its own time, whatever the campaign's clock.
pub(super) fn now() -> i64 {
    since_epoch(SystemTime::now())
}

/// A moment of the system's clock, in ms since the epoch.
pub(super) fn since_epoch(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH);
    since.ok().and_then(|it| i64::try_from(it.as_millis()).ok()).unwrap_or(0)
}

/// A moment to the millisecond.
pub(super) fn moment(at: i64) -> String {
    Timestamp::from_millisecond(at)
        .map_or_else(|_| String::from("1970-01-01T00:00:00Z"), |it| it.to_string())
}

/// How a run came out.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) started_at: i64,
    pub(super) ended_at: i64,
    pub(super) benchmark_command: Vec<Line>,
    pub(super) exit_code: Option<i32>,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) result: Option<String>,
    pub(super) hygiene: Value,
}

impl Outcome {
    /// A run that was not made, or came to nothing, now.
    pub(super) fn without(status: Status, reason: impl Into<String>) -> Self {
        let now = now();
        Self {
            started_at: now,
            ended_at: now,
            benchmark_command: Vec::new(),
            exit_code: None,
            status,
            reason: Some(reason.into()),
            result: None,
            hygiene: Value::Null,
        }
    }
}

/// A launch as far as records tell of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Launched {
    pub(super) started_at: i64,
    pub(super) version: Option<String>,
    pub(super) tree: Option<String>,
}

/// The record of one run; paths are relative to the directory that it lies in.
pub(super) fn record(
    brief: &Brief,
    job: &Job,
    asked: &Asked<'_>,
    launched: &Launched,
    it: &Outcome,
) -> Value {
    let reason = it.reason.as_ref().map(|it| crate::escape::brief(it, 200));
    json!({
        "schema": "vsota-run/1",
        "framework": job.launch.framework,
        "framework_version": launched.version,
        "commit": null,
        "smoke": false,
        "tree": launched.tree,
        "candidate_id": job.launch.candidate,
        "scenario": asked.scenario.name,
        "build": job.build,
        "server_command": job.server_command,
        "benchmark_command": it.benchmark_command,
        "launch": {"log": super::job::LOG, "started_at": moment(launched.started_at), "ended_at": null},
        "started_at": moment(it.started_at),
        "ended_at": moment(it.ended_at),
        "exit_code": it.exit_code,
        "status": it.status,
        "failure_reason": reason,
        "result": it.result.as_ref().map(|path| json!({"path": path, "line": 1})),
        "gpus": {
            "model": brief.gpu_model(), "count": brief.gpu_count(), "ids": brief.gpu_ids(),
        },
        "hygiene": it.hygiene,
    })
}
