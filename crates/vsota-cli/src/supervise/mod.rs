//! Who watches what is started? A reaper in a session of its own, a log that is bounded and looked
//! through, an end that leaves nobody behind.

pub mod log;
pub mod process;
pub mod question;
pub mod reaper;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use camino::Utf8Path;

use crate::failure::Failure;
use crate::http::Address;
use crate::secrets::Secrets;
use log::{Fatal, Watch};
use process::{MARKER, Process};
use reaper::Ending;

/// How often a server is asked whether it is ready.
const ASK: Duration = Duration::from_millis(25);

/// How long a server may refuse what it is asked before it is believed.
const REFUSED: Duration = Duration::from_secs(5);

/// The longest wait for an answer about readiness.
const ANSWER: Duration = Duration::from_secs(5);

/// What is to be started.
#[derive(Debug)]
pub struct Start<'a> {
    /// The program and its arguments.
    pub argv: &'a [String],
    /// Variables to set.
    pub env: &'a BTreeMap<String, String>,
    /// The marker that it and its descendants carry.
    pub marker: &'a str,
    /// Where its log goes; both its streams are in it.
    pub log: &'a Utf8Path,
    /// How long it has to end when it is asked to.
    pub grace: Duration,
}

/// A process that was started, with everything that descends from it. Dropping it ends them all.
#[derive(Debug)]
pub struct Supervised {
    reaper: Child,
    control: Option<ChildStdin>,
    said: Receiver<Said>,
    log: Option<JoinHandle<std::io::Result<()>>>,
    watch: Arc<Watch>,
    grace: Duration,
    /// The process itself.
    pub process: Process,
    ended: Option<Ending>,
    gone: bool,
    /// What all of the family carry.
    marker: String,
    /// What is run at its end, and how that ended.
    stop: Option<String>,
    stopped: Option<i32>,
}

/// What the reaper says.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Said {
    Started(Process),
    Failed(String),
    Ended(Ending),
    Stopped(i32),
    Gone,
}

/// Why nothing was started.
#[derive(Debug)]
pub enum NotStarted {
    /// The program cannot be run: the fault of whoever named it.
    Program(String),
    /// Something here failed; it says nothing of the program.
    Own(Failure),
}

impl From<Failure> for NotStarted {
    fn from(failure: Failure) -> Self {
        Self::Own(failure)
    }
}

impl From<NotStarted> for Failure {
    fn from(it: NotStarted) -> Self {
        match it {
            NotStarted::Program(why) => Self::child(why),
            NotStarted::Own(failure) => failure,
        }
    }
}

/// Why a server did not become ready.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotReady {
    /// Its log told.
    Fatal(Fatal),
    /// It ended.
    Ended(Ending),
    /// The time was over.
    Timeout,
    /// It says that it is ready, and answers no request.
    Lies,
    /// It says that it is ready, and refuses a request again and again, with this status.
    Refuses(u16),
}

/// The key of a server that wants one, from where its clients take it too. It is in no record.
pub fn key() -> Option<String> {
    std::env::var("OPENAI_API_KEY").ok()
}

/// A request of one token, as the clients of a run would send it.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// Where the server listens.
    pub at: &'a Address,
    /// The path that clients call.
    pub endpoint: &'a str,
    /// What they call the model.
    pub model: &'a str,
}

impl Token<'_> {
    /// The status of the answer, when there is one in time.
    fn ask(&self, at_most: Duration) -> Option<u16> {
        let mut body = serde_json::json!({"model": self.model, "max_tokens": 1});
        let (key, said) = match self.endpoint.ends_with("/chat/completions") {
            true => ("messages", serde_json::json!([{"role": "user", "content": "vsota"}])),
            false => ("prompt", "vsota".into()),
        };
        if let Some(body) = body.as_object_mut() {
            body.insert(key.to_owned(), said);
        }
        let (body, secret) = (body.to_string(), self::key());
        let sent = self.at.send("POST", self.endpoint, body.as_bytes(), secret.as_deref(), at_most);
        sent.ok().map(|it| it.status)
    }
}

impl Said {
    fn of(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "started" => {
                let (pid, start) = rest.split_once(' ')?;
                Self::Started(Process { pid: pid.parse().ok()?, start: start.parse().ok()? })
            }
            "failed" => Self::Failed(rest.to_owned()),
            "exited" => Self::Ended(Ending::Code(rest.parse().ok()?)),
            "signalled" => Self::Ended(Ending::Signal(rest.parse().ok()?)),
            "stopped" => Self::Stopped(rest.parse().ok()?),
            "gone" => Self::Gone,
            _ => return None,
        })
    }
}

impl Supervised {
    /// Starts a process under a reaper of its own.
    ///
    /// # Errors
    ///
    /// That the program cannot be run, or what failed here: the log, the reaper.
    pub fn start(it: &Start<'_>) -> Result<Self, NotStarted> {
        Self::start_with(it, None)
    }

    /// As [`start`](Self::start), with a command that is run when the process and its descendants are gone,
    /// also when vsota is gone by then: it ends what is not of the family, on another machine.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn start_with(it: &Start<'_>, stop: Option<&[String]>) -> Result<Self, NotStarted> {
        let to = File::options().create(true).append(true).open(it.log);
        let to = to.map_err(|error| Failure::file("open", it.log, &error))?;
        let failed = |error: std::io::Error| {
            Failure::child(format_args!("could not start a process: {error}"))
        };
        // This very program, also when another one was put in its place meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.arg(reaper::WORD).arg(it.grace.as_millis().to_string());
        if let Some(stop) = stop {
            command.args([reaper::STOP, &serde_json::json!(stop).to_string()]);
        }
        command.args(it.argv);
        command.envs(it.env).env(MARKER, it.marker);
        // Whoever renames itself would overwrite its environment, and with it the marker.
        command.env("SPT_NOENV", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut reaper = command.spawn().map_err(failed)?;
        let broken = || Failure::child("the reaper has no streams");
        let control = reaper.stdin.take().ok_or_else(broken)?;
        let out = reaper.stdout.take().ok_or_else(broken)?;
        let err = reaper.stderr.take().ok_or_else(broken)?;
        let watch = Arc::new(Watch::default());
        let watching = Arc::clone(&watch);
        let log = thread::spawn(move || {
            let secrets = Secrets::of_process().redacting(true);
            log::keep(err, &to, &secrets, &watching)
        });
        let (say, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some(it) = Said::of(&line)
                    && say.send(it).is_err()
                {
                    break;
                }
            }
        });
        let process = Process { pid: 0, start: 0 };
        let (control, log, grace) = (Some(control), Some(log), it.grace);
        let marker = it.marker.to_owned();
        let mut started = Self {
            reaper,
            control,
            said,
            log,
            watch,
            grace,
            process,
            ended: None,
            gone: false,
            marker,
            stop: stop.map(|it| it.join(" ")),
            stopped: None,
        };
        match started.said.recv_timeout(Duration::from_secs(30)) {
            Ok(Said::Started(process)) => started.process = process,
            Ok(Said::Failed(why)) => {
                started.gone = true;
                return Err(NotStarted::Program(why));
            }
            _ => return Err(Failure::child("the reaper did not start").into()),
        }
        Ok(started)
    }

    /// Waits for its end, at most so long.
    pub fn wait(&mut self, at_most: Duration) -> Option<Ending> {
        let end = Instant::now() + at_most;
        while self.ended.is_none() && !self.gone {
            match self.said.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(said) => self.hear(&said),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    self.gone = true;
                    self.end_orphans();
                    // The reaper can say no more; whoever waits hears of an end all the same.
                    self.ended.get_or_insert(Ending::Signal(9));
                }
            }
        }
        self.ended
    }

    fn hear(&mut self, said: &Said) {
        match said {
            Said::Ended(ending) => self.ended = Some(*ending),
            Said::Stopped(code) => self.stopped = Some(*code),
            Said::Gone => self.gone = true,
            Said::Started(_) | Said::Failed(_) => {}
        }
    }

    /// What its log told of a failure.
    pub fn fatal(&self) -> Option<Fatal> {
        self.watch.fatal()
    }

    /// Waits until a path of the server answers 200.
    ///
    /// # Errors
    ///
    /// Why it did not.
    pub fn ready(&mut self, at: &Address, path: &str, deadline: Duration) -> Result<(), NotReady> {
        let end = Instant::now() + deadline;
        loop {
            if let Some(fatal) = self.fatal() {
                return Err(NotReady::Fatal(fatal));
            }
            if let Some(ending) = self.wait(ASK) {
                // The last words may still be on their way.
                thread::sleep(ASK);
                return Err(self.fatal().map_or(NotReady::Ended(ending), NotReady::Fatal));
            }
            if at.call("GET", path, ANSWER).is_ok_and(|it| it.status == 200) {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(NotReady::Timeout);
            }
        }
    }

    /// Waits until the server answers a request of one token: some say that they are ready before.
    ///
    /// # Errors
    ///
    /// Why it did not. Whoever refuses for some seconds will not think better of it.
    pub fn serves(&mut self, what: &Token<'_>, deadline: Duration) -> Result<(), NotReady> {
        let end = Instant::now() + deadline;
        let mut refused: Option<(Instant, u16)> = None;
        loop {
            match what.ask(deadline) {
                Some(200) => return Ok(()),
                Some(status) if (400..500).contains(&status) => {
                    let (since, _) = refused.get_or_insert_with(|| (Instant::now(), status));
                    if since.elapsed() >= REFUSED {
                        return Err(NotReady::Refuses(status));
                    }
                }
                _ => refused = None,
            }
            if let Some(ending) = self.wait(ASK) {
                return Err(self.fatal().map_or(NotReady::Ended(ending), NotReady::Fatal));
            }
            if Instant::now() >= end {
                return Err(refused.map_or(NotReady::Lies, |(_, it)| NotReady::Refuses(it)));
            }
        }
    }

    /// Ends it: asked first, then, after the grace, killed with all that descends from it. Returns when
    /// nobody is left and the log is whole.
    ///
    /// # Errors
    ///
    /// Child when somebody is left; I/O when the log could not be written whole.
    pub fn stop(mut self) -> Result<Option<Ending>, Failure> {
        if let Some(control) = &mut self.control {
            // A reaper that is gone has nobody left to end.
            let _ = control.write_all(b"stop\n").and_then(|()| control.flush());
        }
        self.finish()?;
        match (&self.stop, self.stopped) {
            (None, _) | (_, Some(0)) => Ok(self.ended),
            (Some(stop), code) => {
                let stop = crate::escape::brief(stop, 200);
                let how = code.filter(|it| *it >= 0);
                let how =
                    how.map_or("did not end well".to_owned(), |it| format!("ended with code {it}"));
                let message = "what was started there may still run";
                Err(Failure::child(format_args!("`{stop}` {how}: {message}")))
            }
        }
    }

    /// Kills whoever carries the marker, till nobody does, for a few seconds at most.
    fn end_orphans(&self) {
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            let mut left = process::marked(&self.marker);
            left.extend((self.process.pid != 0).then_some(self.process).filter(|it| it.is_alive()));
            // The reaper carries the marker as well, and is waited for by its own handle.
            left.retain(|it| it.pid != self.reaper.id());
            if left.is_empty() {
                return;
            }
            for it in left {
                it.signal(rustix::process::Signal::KILL);
            }
            thread::sleep(ASK);
        }
    }

    /// Waits until nobody is left.
    fn finish(&mut self) -> Result<(), Failure> {
        let stopping = self.stop.as_ref().map(|_| self.grace + reaper::STOPPING);
        let wait = self.grace + Duration::from_secs(30) + stopping.unwrap_or_default();
        let end = Instant::now() + wait;
        while !self.gone {
            match self.said.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(said) => self.hear(&said),
                // Somebody killed the reaper: its family is ended by its marker.
                Err(RecvTimeoutError::Disconnected) => {
                    self.gone = true;
                    self.end_orphans();
                }
                Err(RecvTimeoutError::Timeout) => {
                    let shown = self.process.shown();
                    return Err(Failure::child(format_args!("{shown} does not end")));
                }
            }
        }
        drop(self.control.take());
        let _ = self.reaper.wait();
        let kept = self.log.take().map(JoinHandle::join);
        match kept {
            Some(Ok(Err(error))) => {
                Err(Failure::io(format_args!("the log could not be written whole: {error}")))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.control.take());
        let _ = self.finish();
    }
}

/// That nobody listens on a port, or who does.
///
/// # Errors
///
/// Child when somebody does; he is named and left alone.
pub fn free(at: &Address) -> Result<(), Failure> {
    if !at.is_taken(Duration::from_millis(500)) {
        return Ok(());
    }
    let who = process::listening_on(at.port).map_or("somebody".to_owned(), Process::shown);
    let Address { host, port } = at;
    Err(Failure::child(format_args!("{host}:{port} is taken by {who}, which is left alone")))
}
