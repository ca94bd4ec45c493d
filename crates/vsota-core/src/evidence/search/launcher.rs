//! Where does a server run, and which build of vLLM is it? Data of the plan, not code per site.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::keys::At;
use crate::evidence::command_line::split;
use crate::evidence::error::EvidenceError;
use crate::evidence::yaml::Node;
use crate::text::Line;

/// How the servers of a framework are started, stopped and looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Launcher {
    /// Which kind it is.
    pub kind: LauncherKind,
    /// Words before every command: `ssh box`, `docker exec NAME`.
    pub start: Vec<Line>,
    /// The command that is run after the grace; `None` without one.
    pub stop: Option<Vec<Line>>,
    /// Words before `nvidia-smi` and process lists; `None` without them.
    pub probe: Option<Vec<Line>>,
}

/// A kind of launcher.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LauncherKind {
    /// This machine.
    #[default]
    Local,
    /// Whatever the prefix reaches.
    Command,
    /// A job array through `sbatch`.
    Slurm,
}

/// A build of vLLM, as data.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BuildPlan {
    /// The commit or branch that it is made of.
    pub commit: Option<Line>,
    /// Words before the launch command, such as `/opt/new/bin/python -m`.
    pub launch_prefix: Vec<Line>,
    /// The command that builds it; empty when nothing is to be built.
    pub build_command: Vec<Line>,
}

impl Launcher {
    pub(super) fn read(at: &At<'_>) -> Result<Self, EvidenceError> {
        at.only(&["kind", "start", "stop", "probe"])?;
        let kind = match at.text("kind")?.as_deref() {
            None | Some("local") => LauncherKind::Local,
            Some("command") => LauncherKind::Command,
            Some("slurm") => LauncherKind::Slurm,
            Some(other) => {
                let message = format!("{other} is no launcher; known: local, command, slurm");
                return Err(at.wrong("kind", message));
            }
        };
        let start = words(at, "start")?.unwrap_or_default();
        if kind == LauncherKind::Command && start.is_empty() {
            let message = "a launcher of the kind command names the words that start it";
            return Err(at.wrong("start", message));
        }
        Ok(Self { kind, start, stop: words(at, "stop")?, probe: words(at, "probe")? })
    }
}

impl BuildPlan {
    pub(super) fn read(at: &At<'_>) -> Result<Self, EvidenceError> {
        at.only(&["commit", "launch_prefix", "build_command"])?;
        Ok(Self {
            commit: at.line("commit")?,
            launch_prefix: words(at, "launch_prefix")?.unwrap_or_default(),
            build_command: words(at, "build_command")?.unwrap_or_default(),
        })
    }
}

/// A command written as one line or as a list of words.
pub(super) fn words(at: &At<'_>, key: &str) -> Result<Option<Vec<Line>>, EvidenceError> {
    let Some(node) = at.get(key).filter(|it| !it.is_null()) else { return Ok(None) };
    let wrong = |message: String| EvidenceError::new(message).at(node.line).of(&at.path(key));
    let words: Vec<String> = match (node.as_str(), node.list()) {
        (Some(line), _) => split(line).map_err(|error| wrong(error.message))?,
        (None, Some(list)) => list
            .iter()
            .map(Node::plain)
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("a command is a line, or a list of words".to_string()))?,
        (None, None) => return Err(wrong("a command is a line, or a list of words".to_string())),
    };
    let line = |it: String| Line::new(it).map_err(|error| wrong(error.to_string()));
    words.into_iter().map(line).collect::<Result<_, _>>().map(Some)
}
