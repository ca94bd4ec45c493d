//! The launch commands of the three servers, right for their current versions.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::flags::{Flags, word};
use super::{BuildPlan, Candidate, LauncherKind, Plan};
use crate::evidence::error::EvidenceError;
use crate::facts::Framework;
use crate::text::{Line, Name};

/// A server that is going to be started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Launch {
    /// Its framework.
    pub framework: Framework,
    /// The candidate that is launched.
    pub candidate: Name,
    /// The exact words to start, the launcher's and the build's first.
    pub argv: Vec<Line>,
    /// Variables to set; a launcher that reaches elsewhere has them in its words instead.
    pub env: BTreeMap<Name, Line>,
    /// The address that clients call.
    pub host: Line,
    /// The port that it listens on.
    pub port: u16,
    /// When it is ready.
    pub ready: Readiness,
}

/// How a server says that it is ready.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Readiness {
    /// The path that answers 200: `/health`.
    pub path: &'static str,
    /// How long it may take from the start, ms.
    pub deadline_ms: u64,
}

impl Plan {
    /// The launch of a candidate, on the port that its flags name, else on `port`, else on the
    /// framework's own.
    ///
    /// # Errors
    ///
    /// When a flag of the plan is no host or port, or no search has the candidate.
    pub fn launch(
        &self,
        candidate: &Candidate,
        port: Option<u16>,
        build: Option<&BuildPlan>,
    ) -> Result<Launch, EvidenceError> {
        let framework = candidate.framework;
        let no_search = || EvidenceError::new(format!("the plan has no search of {framework}"));
        let search = self.search(framework).ok_or_else(no_search)?;
        let launcher = self.launcher(framework);
        let told = Listening::of(&candidate.server_command)?;
        let port_word = told.port.or(port).unwrap_or(own_port(framework));
        // The words of a slurm launcher submit; a task of it launches on its own node.
        let mut argv = match launcher.kind {
            LauncherKind::Slurm => Vec::new(),
            LauncherKind::Local | LauncherKind::Command => launcher.start.clone(),
        };
        let mut env = search.env.clone();
        if launcher.kind == LauncherKind::Command && !env.is_empty() {
            argv.push(line("env")?);
            for (name, value) in core::mem::take(&mut env) {
                argv.push(line(format!("{name}={value}"))?);
            }
        }
        argv.extend(build.iter().flat_map(|it| it.launch_prefix.iter().cloned()));
        argv.extend(candidate.server_command.iter().cloned());
        if told.host.is_none() {
            argv.extend([line("--host")?, line("127.0.0.1")?]);
        }
        if told.port.is_none() {
            argv.extend([line("--port")?, line(port_word.to_string())?]);
        }
        // Every address is listened on, one is called.
        let host = told.host.filter(|it| !matches!(it.as_str(), "0.0.0.0" | "::"));
        Ok(Launch {
            framework,
            candidate: candidate.id.clone(),
            argv,
            env,
            host: line(host.unwrap_or_else(|| "127.0.0.1".to_string()))?,
            port: port_word,
            ready: Readiness { path: "/health", deadline_ms: search.ready_ms },
        })
    }
}

/// Where a launch command says that it listens.
pub(super) struct Listening {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
}

impl Listening {
    pub(super) fn of(command: &[Line]) -> Result<Self, EvidenceError> {
        let value = |name: &str| {
            let joined = format!("{name}=");
            let mut words = command.iter().map(Line::as_str);
            words.find_map(|it| it.strip_prefix(joined.as_str()).map(ToString::to_string)).or_else(
                || {
                    let at = command.iter().position(|it| it.as_str() == name)?;
                    command.get(at.checked_add(1)?).map(|it| it.as_str().to_string())
                },
            )
        };
        let port = value("--port").map(|it| {
            let wrong = || EvidenceError::new(format!("{it} is no port")).of("port");
            it.parse().ok().filter(|it| *it > 0).ok_or_else(wrong)
        });
        Ok(Self { host: value("--host"), port: port.transpose()? })
    }
}

/// The port of a framework where the plan names none: no two are alike.
pub(super) fn own_port(framework: Framework) -> u16 {
    match framework {
        Framework::Vllm => 8_000,
        Framework::Sglang => 30_000,
        Framework::TensorrtLlm => 8_001,
    }
}

/// The words that start a framework's server where the plan names none.
pub(super) fn program(framework: Framework) -> &'static [&'static str] {
    match framework {
        Framework::Vllm => &["vllm", "serve"],
        Framework::Sglang => &["python", "-m", "sglang.launch_server"],
        Framework::TensorrtLlm => &["trtllm-serve", "serve"],
    }
}

/// A flag's name as the framework's own help spells it.
pub(super) fn spelled(framework: Framework, name: &str) -> String {
    match framework {
        Framework::TensorrtLlm => format!("--{name}"),
        Framework::Vllm | Framework::Sglang => format!("--{}", name.replace('_', "-")),
    }
}

/// The launch command of a set of flags.
pub(super) fn command(
    framework: Framework,
    program: &[Line],
    model: &Line,
    flags: &Flags,
) -> Result<Vec<Line>, EvidenceError> {
    let mut words = program.to_vec();
    let by_flag = ["model_path", "model"].into_iter().any(|it| flags.get(it).is_some());
    match framework {
        Framework::Sglang if by_flag => {}
        Framework::Sglang => words.extend([line("--model-path")?, model.clone()]),
        Framework::Vllm | Framework::TensorrtLlm => words.push(model.clone()),
    }
    for flag in flags.iter() {
        let wrong = |error: EvidenceError| error.at(flag.line).of(&flag.name);
        let name = spelled(framework, &flag.name);
        match &flag.value {
            Value::Null => {}
            Value::Bool(true) => words.push(line(name).map_err(wrong)?),
            // vLLM turns some of these on by itself; the others have nothing to turn off with.
            Value::Bool(false) if framework == Framework::Vllm => {
                words.push(line(name.replacen("--", "--no-", 1)).map_err(wrong)?);
            }
            Value::Bool(false) => {}
            value => {
                words.push(line(name).map_err(wrong)?);
                words.push(line(word(value)).map_err(wrong)?);
            }
        }
    }
    Ok(words)
}

pub(super) fn line(text: impl Into<String>) -> Result<Line, EvidenceError> {
    Line::new(text).map_err(EvidenceError::new)
}
