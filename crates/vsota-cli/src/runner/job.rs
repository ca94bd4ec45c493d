//! One launch: the server comes up, the runs are made, the server ends, and every one of them leaves a
//! record.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vsota_core::evidence::search::{ENDPOINT, Launch, LauncherKind, Part};
use vsota_core::facts::{Build, Framework, Scenario, Status};
use vsota_core::text::Line;

use super::hygiene::{self, Probe};
use super::record::{Launched, Outcome, moment, now, record, since_epoch};
use super::rig::{Mocks, Rig, is_mock};
use super::{Unbuilt, tree, which};
use crate::failure::Failure;
use crate::gather::bad;
use crate::http::Address;
use crate::loops::ground::on_path;
use crate::supervise::process::{MARKER, Process};
use crate::supervise::question::{Answer, Question};
use crate::supervise::reaper::Ending;
use crate::supervise::{self, NotReady, NotStarted, Start, Supervised, Token};

/// The log of a server, in the directory of its launch.
pub(super) const LOG: &str = "server.log";

/// What is known of a launch that goes on, in its directory.
pub(super) const NOTE: &str = "launch.json";

/// How long a client may go on after its server died.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// How long another machine may take to say what runs there.
const ANSWER: Duration = Duration::from_secs(60);

const WAIT: Duration = Duration::from_secs(10);

/// A launch that is to be made.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is started, with the words of its build.
    pub launch: Launch,
    /// What is recorded: the launch without the words of its build.
    pub server_command: Vec<Line>,
    /// Which of the two builds of a trial.
    pub build: Option<Build>,
    /// The tree that must run (PA-1).
    pub tree: Option<String>,
    /// Why there is nothing to launch, when its build could not be made.
    pub unbuilt: Option<Unbuilt>,
}

/// A run that is to be made against it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The draw of its prompts.
    pub draw: u32,
}

/// What is left of a launch whose runner was killed.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Note {
    /// The marker that all its processes carry.
    pub(super) marker: String,
    /// What ends it on another machine.
    #[serde(default)]
    pub(super) stop: Option<Vec<String>>,
    /// The server, once it was started: id and start.
    pub(super) server: Option<(u32, u64)>,
    /// Which boot of the machine.
    pub(super) boot: String,
    /// The scenarios that were to be run.
    pub(super) scenarios: Vec<String>,
    /// The record that stands for each when it was not made.
    pub(super) interrupted: Vec<Value>,
}

/// The present boot of the machine.
pub(super) fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

pub(super) fn words(argv: &[Line]) -> Vec<String> {
    argv.iter().map(|it| it.as_str().to_owned()).collect()
}

/// The marker as it stands in the environment of what a launcher starts elsewhere. It is another one than
/// that of its client here: elsewhere may be this very machine.
fn carried(marker: &str) -> String {
    format!("{MARKER}={marker}-there")
}

/// Writes a file whole or not at all. What goes into it is cleared of secrets before.
pub(super) fn write(path: &Utf8Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::file("write", path, error);
    let beside = path.with_extension("part");
    std::fs::write(&beside, bytes).map_err(|error| failed(&error))?;
    std::fs::rename(&beside, path).map_err(|error| failed(&error))
}

impl Rig<'_> {
    /// Makes one launch and its runs in a directory of its own. Each run leaves `SCENARIO.run.json`
    /// there as soon as it ended, whatever came of it; they are returned.
    ///
    /// # Errors
    ///
    /// Child when a foreign process holds the port or something does not end; I/O when nothing can be
    /// written. What a server or a client does wrong is no error: it is in the record.
    pub fn go(
        &self,
        job: &Job,
        asked: &[Asked<'_>],
        dir: &Utf8Path,
    ) -> Result<Vec<Value>, Failure> {
        // A run that cannot be made is found before the minutes of a launch.
        for it in asked {
            self.plan
                .client(&job.launch, it.scenario, Part::Measured, it.draw, dir.as_str(), "result")
                .map_err(|error| bad(&error, "the plan"))?;
        }
        let at = Address { host: job.launch.host.as_str().to_owned(), port: job.launch.port };
        if let Some(unbuilt) = &job.unbuilt {
            return self.not_launched(job, asked, dir, at, unbuilt);
        }
        supervise::free(&at)?;
        let marker = self.marker(dir);
        let probe = self.probe(job.launch.framework, &marker);
        let (others, memory) = (probe.processes(), probe.memory());
        let launched = Launched { started_at: now(), ..Launched::default() };
        let mut note = self.begin(job, asked, dir, &launched, &marker)?;
        let trip = Trip { rig: self, job, dir, at, others, marker: &marker };
        let records = match trip.start(&mut note) {
            Ok(server) => trip.through(server, launched, asked)?,
            Err(NotStarted::Program(why)) => trip.all(asked, &launched, Status::Failed, &why)?,
            Err(NotStarted::Own(failure)) => return Err(failure),
        };
        let back = memory.map_or(Ok(()), |it| probe.back(&it, self.limits.memory()));
        back.map_err(|held| {
            let id = &job.launch.candidate;
            Failure::child(format_args!(
                "{held}; nothing of {id} is left, and nobody else is touched"
            ))
        })?;
        Ok(records)
    }

    /// A launch whose build could not be made: its log is that of the build.
    fn not_launched(
        &self,
        job: &Job,
        asked: &[Asked<'_>],
        dir: &Utf8Path,
        at: Address,
        unbuilt: &Unbuilt,
    ) -> Result<Vec<Value>, Failure> {
        let marker = self.marker(dir);
        let launched = Launched { started_at: now(), ..Launched::default() };
        self.begin(job, asked, dir, &launched, &marker)?;
        let (from, to) = (&unbuilt.log, dir.join(LOG));
        let said = std::fs::read(from).map_err(|error| Failure::file("read", from, &error))?;
        let log = std::fs::File::options().append(true).open(&to);
        log.and_then(|mut it| it.write_all(&said))
            .map_err(|error| Failure::file("write", &to, &error))?;
        let trip = Trip { rig: self, job, dir, at, others: None, marker: &marker };
        trip.all(asked, &launched, Status::Failed, &unbuilt.reason)
    }

    /// Whom to ask about the GPUs of a launch.
    pub(super) fn probe<'a>(&'a self, framework: Framework, marker: &'a str) -> Probe<'a> {
        let launcher = self.plan.launcher(framework);
        Probe {
            prefix: match launcher.kind {
                LauncherKind::Local => on_path("nvidia-smi").then(Vec::new),
                _ => launcher.probing(&[]),
            },
            marker,
            silent: &self.silent,
            ids: self.brief.gpu_ids().map(Line::as_str),
        }
    }

    pub(super) fn note(&self, note: &Note, dir: &Utf8Path) -> Result<(), Failure> {
        write(&dir.join(NOTE), &self.bytes(&json!(note)))
    }

    /// The command that ends a launch where it runs.
    fn stopping(&self, job: &Job, marker: &str) -> Option<Vec<String>> {
        let grace = u64::try_from(self.limits.grace().as_millis()).unwrap_or(u64::MAX);
        self.plan.launcher(job.launch.framework).stopping(&carried(marker), grace)
    }

    /// A marker that no other launch has.
    pub(super) fn marker(&self, dir: &Utf8Path) -> String {
        crate::short(format!("{dir} {} {}", now(), std::process::id()).as_bytes())
    }

    /// Leaves word of what is about to be started, and begins its log.
    fn begin(
        &self,
        job: &Job,
        asked: &[Asked<'_>],
        dir: &Utf8Path,
        launched: &Launched,
        marker: &str,
    ) -> Result<Note, Failure> {
        let cut =
            Outcome::without(Status::Failed, "interrupted: the run was ended before it was done");
        let brief = &self.brief;
        let interrupted = asked.iter().map(|it| record(brief, job, it, launched, &cut)).collect();
        let launcher = self.plan.launcher(job.launch.framework);
        let blind = launcher.blind(marker);
        if let Some(blind) = blind {
            self.progress.note(&format!("{}: {blind}", job.launch.candidate));
        }
        let note = Note {
            marker: marker.to_owned(),
            stop: self.stopping(job, marker),
            server: None,
            boot: boot(),
            scenarios: asked.iter().map(|it| it.scenario.name.to_string()).collect(),
            interrupted,
        };
        self.note(&note, dir)?;
        let head = format!(
            "# launch {marker} of {} by vsota, {}{}\n{}$ {}\n",
            job.launch.candidate,
            moment(launched.started_at),
            job.build.map_or(String::new(), |it| format!(", the {} build", which(it))),
            blind.map_or(String::new(), |it| format!("# {it}\n")),
            vsota_core::evidence::command_line::join(job.launch.argv.iter().map(Line::as_str))
        );
        let log = dir.join(LOG);
        let (head, _) = self.context.secrets.clean(head.as_bytes());
        std::fs::write(&log, head).map_err(|error| Failure::file("write", &log, &error))?;
        Ok(note)
    }
}

/// One launch on its way.
struct Trip<'a> {
    rig: &'a Rig<'a>,
    job: &'a Job,
    dir: &'a Utf8Path,
    at: Address,
    others: Option<Vec<String>>,
    marker: &'a str,
}

impl Trip<'_> {
    /// The variables of the launch.
    fn env(&self) -> BTreeMap<String, String> {
        let env = self.job.launch.env.iter();
        env.map(|(name, value)| (name.to_string(), value.as_str().to_owned())).collect()
    }

    fn start(&self, note: &mut Note) -> Result<Supervised, NotStarted> {
        let launcher = self.rig.plan.launcher(self.job.launch.framework);
        let words = self.job.launch.argv.get(launcher.start.len()..).unwrap_or_default();
        let start = Start {
            argv: &launcher.starting(words, &carried(self.marker)),
            env: &self.env(),
            marker: self.marker,
            log: &self.dir.join(LOG),
            grace: self.rig.limits.grace(),
        };
        let server = Supervised::start_with(&start, note.stop.as_deref())?;
        let Process { pid, start } = server.process;
        note.server = Some((pid, start));
        self.rig.note(note, self.dir)?;
        Ok(server)
    }

    /// From a started server to its end.
    fn through(
        &self,
        mut server: Supervised,
        mut launched: Launched,
        asked: &[Asked<'_>],
    ) -> Result<Vec<Value>, Failure> {
        let deadline = Duration::from_millis(self.job.launch.ready.deadline_ms);
        let ready = server.ready(&self.at, self.job.launch.ready.path, deadline);
        let ready = ready.and_then(|()| server.serves(&self.token(), deadline));
        let records = match ready {
            Err(why) => {
                let (status, reason) = told(&why, deadline);
                server.stop()?;
                crate::failing::add(&self.dir.join("server.log"), &self.rig.cleared(&reason))?;
                self.all(asked, &launched, status, &reason)?
            }
            Ok(()) => {
                launched.version = self.version();
                let tree = self.tree();
                launched.tree = tree.as_ref().and_then(|it| it.clone().ok());
                let records = match self.other_tree(tree) {
                    Some(reason) => self.all(asked, &launched, Status::Failed, &reason),
                    None => asked.iter().map(|it| self.run(&mut server, &launched, it)).collect(),
                };
                server.stop()?;
                records?
            }
        };
        supervise::free(&self.at)?;
        self.nobody_there()?;
        Ok(records)
    }

    /// That nothing of the launch is left on the other side, as far as it can be looked at.
    fn nobody_there(&self) -> Result<(), Failure> {
        let launcher = self.rig.plan.launcher(self.job.launch.framework);
        if launcher.kind == LauncherKind::Local {
            return Ok(());
        }
        let Some(argv) = launcher.listing(&carried(self.marker)) else { return Ok(()) };
        let (env, marker) = (BTreeMap::new(), self.marker);
        let question = Question { argv: &argv, env: &env, dir: None, marker, at_most: ANSWER };
        let left = question.ask().ok().and_then(Answer::good).unwrap_or_default();
        let left: Vec<&str> = left.split_whitespace().collect();
        if left.is_empty() {
            return Ok(());
        }
        let id = &self.job.launch.candidate;
        let left = left.join(", ");
        Err(Failure::child(format_args!("of {id} there are left where it ran: processes {left}")))
    }

    /// What the clients of a run will ask for.
    fn token(&self) -> Token<'_> {
        let serving = &self.rig.plan.serving;
        let mut words = self.job.launch.argv.iter().map(Line::as_str);
        // A server knows its model by the name that it was told to call it.
        let named = words.find_map(|it| match it.strip_prefix("--served-model-name") {
            Some("") => Some(None),
            Some(rest) => rest.strip_prefix('=').map(Some),
            None => None,
        });
        let named = named.and_then(|it| it.or_else(|| words.next()));
        let model = named.or(serving.model.as_ref().map(Line::as_str)).unwrap_or_default();
        let endpoint = serving.endpoint.as_ref().map_or(ENDPOINT, Line::as_str);
        Token { at: &self.at, endpoint, model }
    }

    /// The same record for every run.
    fn all(
        &self,
        asked: &[Asked<'_>],
        launched: &Launched,
        status: Status,
        reason: &str,
    ) -> Result<Vec<Value>, Failure> {
        let reason = &self.rig.cleared(reason);
        let outcome = Outcome::without(status, reason);
        self.rig.progress.note(&format!("{}: {status}: {reason}", self.job.launch.candidate));
        asked.iter().map(|it| self.keep(launched, it, &outcome)).collect()
    }

    fn keep(
        &self,
        launched: &Launched,
        it: &Asked<'_>,
        outcome: &Outcome,
    ) -> Result<Value, Failure> {
        let value = record(&self.rig.brief, self.job, it, launched, outcome);
        let path = self.dir.join(format!("{}.run.json", it.scenario.name));
        write(&path, &self.rig.bytes(&value))?;
        Ok(value)
    }

    /// The server's version, where it tells one.
    fn version(&self) -> Option<String> {
        let path = match self.job.launch.framework {
            Framework::Sglang => "/get_server_info",
            Framework::Vllm | Framework::TensorrtLlm => "/version",
        };
        self.told(path, "version")
    }

    fn told(&self, path: &str, key: &str) -> Option<String> {
        // SGLang says nothing without its key.
        let answer = self.at.call_with("GET", path, supervise::key().as_deref(), WAIT);
        let answer = answer.ok().filter(|it| it.status == 200)?;
        let value: Value = serde_json::from_slice(&answer.body).ok()?;
        value.get(key)?.as_str().map(|it| crate::escape::brief(it, 200))
    }

    /// The git tree that vLLM runs: its build is asked where it lies (PA-1). A mock says it itself.
    fn tree(&self) -> Option<tree::Told> {
        if self.job.launch.framework != Framework::Vllm {
            return None;
        }
        if self.rig.mocks == Mocks::Only || is_mock(&self.job.launch.argv) {
            return self.told("/version", "tree").map(Ok);
        }
        let launcher = self.rig.plan.launcher(Framework::Vllm);
        let words = self.job.launch.argv.get(launcher.start.len()..).unwrap_or_default();
        Some(match launcher.kind {
            LauncherKind::Command => tree::there(&launcher, words, self.marker),
            _ => tree::of(&self.job.launch.argv, &self.env(), self.marker),
        })
    }

    /// Why the build is not the one that must run; where none must, an unknown one is told.
    fn other_tree(&self, found: Option<tree::Told>) -> Option<String> {
        let Some(wanted) = &self.job.tree else {
            if let Some(Err(why)) = found {
                let id = &self.job.launch.candidate;
                self.rig.progress.note(&format!("the tree of {id} is unknown: {why}"));
            }
            return None;
        };
        let (found, why) = match found {
            Some(Ok(found)) if found == *wanted => return None,
            Some(Ok(found)) => (found, String::new()),
            Some(Err(why)) => (String::from("unknown"), format!(": {why}")),
            None => (String::from("unknown"), String::new()),
        };
        Some(format!("PA-1: the build runs the tree {found}, not {wanted}{why}"))
    }

    /// One run: warm-up, scrape, client, scrape, record.
    fn run(
        &self,
        server: &mut Supervised,
        launched: &Launched,
        it: &Asked<'_>,
    ) -> Result<Value, Failure> {
        let warm = self.rig.plan.search(self.job.launch.framework);
        if warm.is_some_and(|it| it.client.warmup_prompts > 0) {
            self.client(server, it, Part::Warmup)?;
        }
        let framework = self.job.launch.framework;
        let before = hygiene::scrape(&self.at, framework);
        let mut outcome = self.client(server, it, Part::Measured)?;
        let after = hygiene::scrape(&self.at, framework);
        let others = self.others.as_deref();
        let probe = self.rig.probe(framework, self.marker);
        outcome.hygiene = probe.found(others, before.as_ref(), after.as_ref());
        if let Some(reason) = &outcome.reason {
            let (id, scenario) = (&self.job.launch.candidate, &it.scenario.name);
            self.rig.progress.note(&format!("{id} in {scenario}: {}: {reason}", outcome.status));
        }
        self.keep(launched, it, &outcome)
    }

    fn client(
        &self,
        server: &mut Supervised,
        it: &Asked<'_>,
        part: Part,
    ) -> Result<Outcome, Failure> {
        let (framework, scenario) = (self.job.launch.framework, &it.scenario.name);
        let ending = if framework == Framework::Sglang { "jsonl" } else { "json" };
        let stem = match part {
            Part::Warmup => format!("{scenario}.warmup"),
            Part::Measured => format!("{scenario}.result"),
        };
        let file = format!("{stem}.{ending}");
        let run = self
            .rig
            .plan
            .client(&self.job.launch, it.scenario, part, it.draw, self.dir.as_str(), &file)
            .map_err(|error| bad(&error, "the plan"))?;
        let started_at = now();
        let mut client = Supervised::start(&Start {
            argv: &words(&run.argv),
            env: &BTreeMap::new(),
            marker: self.marker,
            log: &self.dir.join(format!("{stem}.log")),
            grace: Duration::from_secs(2),
        })?;
        let limit = self.rig.limits.run();
        let (ended, died) = attend(&mut client, server, limit);
        client.stop()?;
        let written = std::fs::metadata(self.dir.join(&file)).ok().filter(|it| it.len() > 0);
        let wrote = written.is_some();
        // A client may take seconds to end after its last word; the run was over with that word.
        let wrote_at = written.and_then(|it| it.modified().ok()).map(since_epoch);
        let ended_at = wrote_at.map_or_else(now, |it| it.min(now()).max(started_at));
        let (status, reason) = match (died, ended) {
            (Some(server), _) => {
                (Status::Failed, Some(format!("the server ended {} during the run", server)))
            }
            (None, None) => {
                (Status::Timeout, Some(format!("the run took longer than {} s", limit.as_secs())))
            }
            (None, Some(Ending::Code(0))) if wrote => (Status::Ok, None),
            (None, Some(Ending::Code(0))) => (
                Status::Failed,
                Some("the client ended with code 0 and wrote no result".to_owned()),
            ),
            (None, Some(other)) => (Status::Failed, Some(format!("the client ended {}", other))),
        };
        let exit_code = match ended {
            Some(Ending::Code(code)) => Some(code),
            _ => None,
        };
        let result = (status == Status::Ok).then_some(file);
        let benchmark_command = run.argv;
        let hygiene = Value::Null;
        Ok(Outcome {
            started_at,
            ended_at,
            benchmark_command,
            exit_code,
            status,
            reason,
            result,
            hygiene,
        })
    }
}

/// Waits for the client, and looks after the server meanwhile: how each ended, if it did.
fn attend(
    client: &mut Supervised,
    server: &mut Supervised,
    limit: Duration,
) -> (Option<Ending>, Option<Ending>) {
    let begun = std::time::Instant::now();
    loop {
        if let Some(ending) = client.wait(Duration::from_millis(200)) {
            // A client may well end because its server did.
            return (Some(ending), server.wait(Duration::from_millis(1)));
        }
        if let Some(ending) = server.wait(Duration::ZERO) {
            return (client.wait(AFTERWARDS), Some(ending));
        }
        if begun.elapsed() > limit {
            return (None, None);
        }
    }
}

/// How a start that failed is recorded.
pub(super) fn told(why: &NotReady, deadline: Duration) -> (Status, String) {
    match why {
        NotReady::Fatal(fatal) => (fatal.status, fatal.reason.clone()),
        NotReady::Ended(ending) => {
            (Status::Failed, format!("the server ended {} before it was ready", ending))
        }
        NotReady::Timeout => {
            let seconds = deadline.as_secs();
            (Status::Timeout, format!("the server was not ready after {seconds} s"))
        }
        NotReady::Lies => {
            let what = "the server says that it is ready, and answers no request";
            (Status::Timeout, what.to_owned())
        }
        NotReady::Refuses(status) => {
            let what = "the server says that it is ready, and refuses a request of one token";
            (Status::Failed, format!("{what} with status {status}"))
        }
    }
}
