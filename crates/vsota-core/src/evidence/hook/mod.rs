//! What is an agent about to do? The payload of its hook becomes the few deeds that a gate may object to:
//! writes, commits, and the loop's own scripts.
//!
//! A shell cannot be read completely: this is a rail beside the road, and `verify` is the proof. What
//! is not understood is no deed.

mod code;
mod commands;
mod shell;
mod tools;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::error::EvidenceError;

/// Something that a gate may object to.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Deed {
    /// A file is written, moved or removed: its absolute path, which may hold wildcards.
    Write(String),
    /// A file or a whole directory is removed: its absolute path.
    Remove(String),
    /// Files below a directory are written; which ones, only the patch or the archive says.
    Patch(String),
    /// A commit comes into the repository around a directory.
    Commit {
        /// The directory.
        dir: String,
        /// How: `commit`, `am`, `merge` and the like.
        verb: String,
    },
    /// A loop of Humanize is set up, from a directory.
    SetUpLoop(String),
    /// The loop is cancelled, from a directory.
    CancelLoop(String),
}

/// A tool call that an agent is about to make.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ToolCall {
    /// Where the agent is.
    pub cwd: String,
    /// What it would do, as far as a gate cares.
    pub deeds: Vec<Deed>,
    /// For a stop: whether an earlier stop was blocked already.
    pub stop_hook_active: bool,
}

/// The shell tools of Claude Code and Codex.
const SHELLS: &[&str] =
    &["Bash", "bash", "shell", "local_shell", "exec_command", "unified_exec", "container.exec"];

/// Reads the payload of a hook, in the words of Claude Code or of Codex. `home` stands for `~`, `here` is
/// where the hook runs, for a payload that does not say where the agent is.
///
/// # Errors
///
/// When it is no JSON object, or a field that matters has another shape than it should: what cannot be
/// read is no harmless call.
pub fn tool_call(payload: &[u8], home: &str, here: &str) -> Result<ToolCall, EvidenceError> {
    let payload: Value = serde_json::from_slice(payload).map_err(EvidenceError::new)?;
    if !payload.is_object() {
        return Err(EvidenceError::new("the payload is no object"));
    }
    let word = |value: &Value, key: &str| match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(EvidenceError::new("not a text").of(key)),
    };
    let cwd = word(&payload, "cwd")?.filter(|it| !it.is_empty());
    let cwd = cwd.unwrap_or_else(|| here.to_string());
    let tool = word(&payload, "tool_name")?.unwrap_or_default();
    let input = payload.get("tool_input").unwrap_or(&Value::Null);
    let stop_hook_active = payload.get("stop_hook_active").and_then(Value::as_bool);
    let mut at = Place { dir: cwd.clone(), home: home.into() };
    if let Some(dir) = word(input, "workdir")? {
        at.dir = at.join(&dir);
    }
    let mut deeds = Vec::new();
    for key in ["file_path", "notebook_path"] {
        let writes = !matches!(tool.as_str(), "Read" | "NotebookRead" | "Glob" | "Grep" | "LS");
        if let Some(path) = word(input, key)?.filter(|_| writes) {
            deeds.push(Deed::Write(at.join(&path)));
        }
    }
    if SHELLS.contains(&tool.as_str()) {
        commands::of_script(&script(input)?, &at, 0, &mut deeds);
    } else if tool == "apply_patch" {
        deeds.extend(patched(&script(input)?, &at));
    }
    deeds.sort();
    deeds.dedup();
    Ok(ToolCall { cwd, deeds, stop_hook_active: stop_hook_active.unwrap_or(false) })
}

/// The text that a shell or patch tool is given: a line, or a list of words.
fn script(input: &Value) -> Result<String, EvidenceError> {
    let keys = ["command", "cmd", "input", "patch"];
    let wrong = || EvidenceError::new("neither a text nor a list of words").of("command");
    match keys.into_iter().find_map(|key| input.get(key)).unwrap_or(input) {
        Value::String(text) => Ok(text.clone()),
        Value::Array(words) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            Ok(super::command_line::join(words.ok_or_else(wrong)?))
        }
        _ => Err(wrong()),
    }
}

/// The files that a patch of Codex names.
fn patched(text: &str, at: &Place) -> Vec<Deed> {
    let heads = ["*** Update File: ", "*** Add File: ", "*** Delete File: ", "*** Move to: "];
    let named =
        text.lines().filter_map(|line| heads.iter().find_map(|it| line.trim().strip_prefix(it)));
    named.map(|path| Deed::Write(at.join(path.trim()))).collect()
}

/// Where a command runs.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) dir: String,
    pub(super) home: String,
}

impl Place {
    /// A path seen from here: absolute, without `.` and `..`.
    pub(super) fn join(&self, path: &str) -> String {
        let whole = match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{}{rest}", self.home)
            }
            _ if path.starts_with('/') => path.to_string(),
            _ => format!("{}/{path}", self.dir),
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in whole.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }
}
