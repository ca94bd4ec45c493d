//! Files that are no results, named for what they are.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::evidence::error::EvidenceError;
use crate::evidence::json::{Json, Object};
use crate::evidence::server_log::ServerLog;
use crate::evidence::smi;
use crate::text::{Line, is_unsafe};

/// The most characters of a foreign message that are kept: with four bytes each still a [`Line`].
const SHORT: usize = 240;

/// Whether a message says that memory ran out.
pub(in crate::evidence) fn out_of_memory(message: &str) -> bool {
    const MARKS: [&str; 6] = [
        "out of memory",
        "cudnn_status_alloc_failed",
        "bad_alloc",
        "memoryerror",
        "memory allocation",
        "no available memory",
    ];
    let message = message.to_ascii_lowercase();
    MARKS.iter().any(|mark| message.contains(mark))
}

/// A foreign message as one short line: its last line is where Python says what went wrong.
pub(in crate::evidence) fn plain(message: &str) -> Option<Line> {
    let said = |line: &&str| !line.trim().is_empty();
    let last = message.lines().rev().find(said)?.trim();
    let safe = |c: char| if is_unsafe(c) { '\u{FFFD}' } else { c };
    let mut line: String = last.chars().map(safe).take(SHORT).collect();
    if last.chars().nth(SHORT).is_some() {
        line.push('…');
    }
    Line::new(line).ok()
}

/// Names a file that cannot be JSON; `None` for one that may be.
pub(super) fn text(bytes: &[u8]) -> Option<EvidenceError> {
    let not =
        |what: &str| Some(EvidenceError::new(format!("{what}, not a benchmark result")).at(1));
    match bytes {
        [0x1F, 0x8B, ..] => return not("a gzip file"),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => return not("a zip file"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return not("text in UTF-16"),
        _ => {}
    }
    let start = bytes.get(..4_096).unwrap_or(bytes);
    if start.contains(&0) {
        return not("a binary file");
    }
    let start = String::from_utf8_lossy(start);
    let start = start.trim_start_matches('\u{FEFF}').trim_start();
    match start.chars().next() {
        None => return Some(EvidenceError::new("the file is empty").at(1)),
        Some('{') => return None,
        Some('[') if !is_log(start) => return None,
        _ => {}
    }
    if start.starts_with("# HELP") || start.starts_with("# TYPE") {
        not("Prometheus metrics of a server")
    } else if let Some(log) =
        is_log(start).then(|| ServerLog::read(start.as_bytes()).ok()).flatten()
    {
        not(&of_server(&log))
    } else if start.starts_with("usage:")
        || start.contains("\nusage:")
        || start.starts_with("Usage:")
    {
        not("the help output of a command")
    } else if is_command(start) {
        not("a command line")
    } else if is_log(start) {
        not("a log")
    } else if start.starts_with("schema:") || start.starts_with("---") {
        not("YAML")
    } else if start.lines().next().is_some_and(smi::is_head) {
        not("a table of nvidia-smi")
    } else if is_table(start) {
        not("a table of comma-separated values")
    } else {
        not("text that is no JSON")
    }
}

/// What the start of a server's log says of it.
fn of_server(log: &ServerLog) -> String {
    match (&log.failure, &log.version) {
        (Some(failed), _) => {
            format!("the log of a vLLM command that failed ({})", failed.reason.as_str())
        }
        (None, Some(version)) => format!("the log of a vLLM server ({})", version.as_str()),
        (None, None) => "the log of a vLLM server".into(),
    }
}

/// Whether the first two lines have equally many commas, and some.
fn is_table(start: &str) -> bool {
    let mut commas = start.lines().map(|line| line.matches(',').count());
    commas.next().is_some_and(|first| first > 2 && commas.next() == Some(first))
}

fn is_command(start: &str) -> bool {
    let first = start.split_whitespace().next().unwrap_or_default();
    let program = first.rsplit('/').next().unwrap_or_default();
    matches!(
        program,
        "vllm" | "python" | "python3" | "sglang" | "trtllm-serve" | "trtllm-bench" | "docker"
    )
}

fn is_log(start: &str) -> bool {
    const MARKS: &[&str] = &[
        "INFO ",
        "INFO:",
        "WARNING",
        "ERROR ",
        "Traceback (most recent call last)",
        "Namespace(",
        "vllm: error: ",
    ];
    let head = start.lines().take(8);
    let dated = |line: &str| {
        let line = line.trim_start_matches('[');
        line.get(..4).is_some_and(|year| year.bytes().all(|it| it.is_ascii_digit()))
            && line.get(4..5) == Some("-")
    };
    head.into_iter().any(|line| dated(line) || MARKS.iter().any(|mark| line.contains(mark)))
}

/// Names a JSON value that is no result.
pub(super) fn json(value: &Json) -> EvidenceError {
    match value {
        Json::Object(object) => {
            let what = kind(object);
            EvidenceError::new(
                what.map_or_else(
                    || other(object),
                    |what| format!("{what}, not a benchmark result"),
                ),
            )
        }
        other => EvidenceError::new(format!("{}, not a benchmark result", other.kind())),
    }
}

fn kind(object: &Object) -> Option<String> {
    let has = |key: &str| object.has(key);
    if let Some(Json::Text(schema)) = object.get("schema") {
        return Some(format!("a file of schema {schema}"));
    }
    let what = if has("traceEvents") {
        "a profiler trace"
    } else if has("benchmark") && has("metric") {
        "a record for PyTorch's benchmark database"
    } else if has("num_hidden_layers") || has("text_config") {
        "a model's configuration"
    } else if [
        "openapi",
        "internal_states",
        "max_total_num_tokens",
        "server_load",
        "lived_s",
        "ready_s",
    ]
    .iter()
    .any(|key| has(key))
        || (has("signal") && has("target"))
    {
        "a record of a server"
    } else if object
        .get("object")
        .is_some_and(|it| matches!(it, Json::Text(text) if text == "list"))
    {
        "a server's list of models"
    } else if has("version") && object.keys().count() == 1 {
        "a server's version"
    } else if has("server_config") || has("hardware") || has("generated_at") {
        "metadata about a run"
    } else if has("scenarios") {
        "a workload or a plan"
    } else if has("completed") || has("request_throughput") {
        "part of a benchmark result (its identity or its counts are missing)"
    } else {
        return None;
    };
    Some(what.into())
}

fn other(object: &Object) -> String {
    let keys: Vec<&str> = object.keys().take(4).collect();
    if keys.is_empty() {
        return "an empty object, not a benchmark result".into();
    }
    format!("JSON of another kind (keys {} …), not a benchmark result", keys.join(", "))
}
