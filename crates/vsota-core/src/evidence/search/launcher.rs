//! Where does a server run, and which build of vLLM is it? Data of the plan, not code per site.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::keys::At;
use crate::evidence::command_line::{join, split};
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

/// Names the processes that carry `$m` in their environment. Where grep knows no lines that end with a
/// zero it is asked once for each.
const FAMILY: &str = "m=$1; family() { if printf 'a\\0' | grep -qzx a 2>/dev/null; then \
     grep -lszxF -- \"$m\" /proc/[0-9]*/environ; else for e in /proc/[0-9]*/environ; do \
     { tr '\\0' '\\n' <\"$e\" | grep -qxF -- \"$m\"; } 2>/dev/null && echo \"$e\"; done; fi | \
     while IFS=/ read -r a b p c; do echo \"$p\"; done; }";

/// Ends them: asks, and after `$2` tenths of a second kills.
const END: &str = "n=0; while p=$(family); [ -n \"$p\" ]; do \
     if [ $n -ge $2 ]; then kill -KILL $p; elif [ $n = 0 ]; then kill -TERM $p; fi 2>/dev/null; \
     if [ $n -gt $(($2 + 100)) ]; then echo \"left: $p\"; exit 1; fi; n=$((n + 1)); sleep 0.1; done";

/// The word of a plan's `stop` that stands for the marker of the launch.
const MARKER: &str = "{marker}";

/// Programs that run a command in a container that is there already.
const CONTAINERS: [&str; 3] = ["docker", "podman", "nerdctl"];

/// A build of vLLM, as data.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BuildPlan {
    /// The commit that it is made of; without one it is the way to make whichever has none of its own.
    pub commit: Option<Line>,
    /// Words before the launch command, such as `env PATH={tree}/.venv/bin:/usr/bin`.
    pub launch_prefix: Vec<Line>,
    /// The command that builds it; empty when nothing is to be built.
    pub build_command: Vec<Line>,
}

/// The words of a build that stand for its work tree.
const TREE: &str = "{tree}";

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

impl Launcher {
    /// The words that start a server: behind the prefix, with a marker in its environment there.
    /// `words` are those after the prefix, `marker` is `NAME=VALUE`.
    pub fn starting(&self, words: &[Line], marker: &str) -> Vec<String> {
        let words = words.iter().map(Line::as_str);
        match self.kind {
            LauncherKind::Local | LauncherKind::Slurm => words.map(ToString::to_string).collect(),
            // Whoever renames itself would overwrite its environment, and with it the marker.
            LauncherKind::Command => {
                let all: Vec<&str> =
                    ["env", marker, "SPT_NOENV=1"].into_iter().chain(words).collect();
                behind(&self.start, &all)
            }
        }
    }

    /// The command that ends on the other side whatever carries the marker: the plan's, else one of our
    /// own behind ssh and `docker exec`. `None` where nobody can be reached: then only the client ends.
    pub fn stopping(&self, marker: &str, grace_ms: u64) -> Option<Vec<String>> {
        if self.kind != LauncherKind::Command {
            return None;
        }
        if let Some(stop) = self.stop.as_ref().filter(|it| !it.is_empty()) {
            return Some(stop.iter().map(|it| it.as_str().replace(MARKER, marker)).collect());
        }
        let tenths = (grace_ms / 100).to_string();
        let known = is_ssh(&self.start) || is_container(&self.start);
        let script = format!("{FAMILY}; {END}");
        known.then(|| behind(&self.start, &["sh", "-c", &script, "vsota", marker, &tenths]))
    }

    /// The command that names what carries the marker on the other side, a process a line.
    pub fn listing(&self, marker: &str) -> Option<Vec<String>> {
        self.probing(&["sh", "-c", &format!("{FAMILY}; family"), "vsota", marker])
    }

    /// A command on the other side; `None` without a way to look there.
    pub fn probing(&self, words: &[&str]) -> Option<Vec<String>> {
        match self.kind {
            LauncherKind::Local => Some(words.iter().map(ToString::to_string).collect()),
            LauncherKind::Command => Some(behind(self.probe.as_ref()?, words)),
            LauncherKind::Slurm => None,
        }
    }

    /// What cannot be known of a launch, for people and for its log.
    pub fn blind(&self, marker: &str) -> Option<&'static str> {
        if self.kind == LauncherKind::Local {
            return None;
        }
        match (self.stopping(marker, 0), &self.probe) {
            (Some(_), Some(_)) => None,
            (Some(_), None) => {
                Some("the launcher has no probe: GPUs and leftovers there are unknown")
            }
            (None, Some(_)) => Some("not supervised beyond its client: the launcher has no stop"),
            (None, None) => {
                Some("not supervised beyond its client: the launcher has neither stop nor probe")
            }
        }
    }
}

fn program(word: &Line) -> &str {
    word.as_str().rsplit('/').next().unwrap_or_default()
}

fn is_ssh(prefix: &[Line]) -> bool {
    prefix.iter().any(|it| program(it) == "ssh")
}

fn is_container(prefix: &[Line]) -> bool {
    let at = prefix.iter().position(|it| CONTAINERS.contains(&program(it)));
    at.and_then(|it| prefix.get(it..)).is_some_and(|it| it.iter().any(|it| it.as_str() == "exec"))
}

/// A command behind a prefix. A shell at the other end of ssh reads the words again: it gets them quoted.
fn behind(prefix: &[Line], words: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = prefix.iter().map(|it| it.as_str().to_string()).collect();
    match is_ssh(prefix) {
        true if words.is_empty() => {}
        true => all.push(join(words.iter().copied())),
        false => all.extend(words.iter().map(ToString::to_string)),
    }
    all
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

    /// Whether a work tree of its commit is to be added for it.
    pub fn wants_tree(&self) -> bool {
        let named = self.launch_prefix.iter().any(|it| it.as_str().contains(TREE));
        named || !self.build_command.is_empty()
    }

    /// The build in its work tree.
    ///
    /// # Errors
    ///
    /// When the path holds what no line does.
    pub fn placed(&self, tree: &str) -> Result<Self, EvidenceError> {
        let word = |it: &Line| {
            let word = it.as_str().replace(TREE, tree);
            Line::new(word).map_err(|error| EvidenceError::new(error).of("builds"))
        };
        let placed = |all: &[Line]| all.iter().map(word).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            commit: self.commit.clone(),
            launch_prefix: placed(&self.launch_prefix)?,
            build_command: placed(&self.build_command)?,
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
