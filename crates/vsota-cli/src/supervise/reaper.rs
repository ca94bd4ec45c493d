//! The process between vsota and what it starts: nothing that descends from it outlives vsota.
//!
//! It has a session of its own, adopts every orphan of its family, and reads a pipe whose other end only
//! vsota holds. When the pipe ends, vsota is gone, however it went, and the family is ended. It is vsota
//! itself, started as `vsota __reap GRACE_MS PROGRAM ARG…`.
//!
//! What a launcher started on another machine is no descendant. `vsota __reap GRACE_MS --stop JSON PROGRAM
//! ARG…` runs the command JSON when the family is gone, which ends it there.

use std::fmt;
use std::io::{self, BufRead as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, WaitOptions, getpid, set_child_subreaper, setsid, wait};

use super::process::{self, MARKER, Process};

/// The word before a command that is run when the family is gone.
pub const STOP: &str = "--stop";

/// How long that command may take beside the grace.
pub const STOPPING: Duration = Duration::from_secs(30);

/// The word that makes vsota a reaper.
pub const WORD: &str = "__reap";

/// How long the family has after vsota is gone, and after its head is gone, before it is killed.
const SHORT: Duration = Duration::from_millis(300);

/// How often what refuses to die is killed again: it may just have made a child.
const AGAIN: Duration = Duration::from_millis(20);

/// What the reaper hears.
enum Heard {
    /// End the family.
    Stop,
    /// vsota is gone.
    Alone,
    /// A child, or an adopted one, ended.
    Ended(u32, Ending),
    /// There is nobody left.
    Empty,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// By itself, with a code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "with code {code}"),
            Self::Signal(signal) => write!(f, "by signal {signal}"),
        }
    }
}

/// Runs the reaper; `args` are those after the word.
pub fn main(args: &[String]) -> ExitCode {
    let (args, stop) = match args {
        [grace, word, stop, rest @ ..] if word == STOP => {
            let Ok(stop) = serde_json::from_str::<Vec<String>>(stop) else {
                return ExitCode::from(2);
            };
            ([std::slice::from_ref(grace), rest].concat(), Some(stop))
        }
        args => (args.to_vec(), None),
    };
    let [grace, program, rest @ ..] = args.as_slice() else { return ExitCode::from(2) };
    let grace = Duration::from_millis(grace.parse().unwrap_or(15_000));
    // A caller that has a session of its own already loses nothing.
    let _ = setsid();
    let _ = set_child_subreaper(Some(getpid()));
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).process_group(0);
    if let Ok(log) = io::stderr().as_fd().try_clone_to_owned() {
        command.stdout(Stdio::from(log));
    }
    match command.spawn() {
        Ok(child) => {
            let pid = child.id();
            let start = Process::of(pid).map_or(0, |it| it.start);
            tell(&format!("started {pid} {start}"));
            watch(pid, grace, stop.as_deref());
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&format!("failed could not run {program}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Says something to vsota, which may be gone.
fn tell(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Stays until nobody of the family is left.
fn watch(head: u32, grace: Duration, mut stop: Option<&[String]>) {
    let (say, heard) = mpsc::channel();
    listen(say.clone());
    collect(say.clone());
    let mut alone = false;
    let mut stopper = None;
    let mut kill_at: Option<Instant> = None;
    let sooner = |at: Option<Instant>, wait: Duration| {
        let then = Instant::now() + wait;
        Some(at.map_or(then, |at| at.min(then)))
    };
    loop {
        let wait = kill_at
            .map_or(Duration::from_secs(3_600), |at| at.saturating_duration_since(Instant::now()));
        match heard.recv_timeout(wait) {
            // What ends it on another machine is not cut short by who wants it to end.
            Ok(Heard::Stop) if stopper.is_some() => {}
            Ok(Heard::Alone) if stopper.is_some() => alone = true,
            Ok(Heard::Stop) => {
                send(&family(Some(head)), Signal::TERM);
                kill_at = sooner(kill_at, grace);
            }
            Ok(Heard::Alone) => {
                alone = true;
                send(&family(None), Signal::TERM);
                kill_at = sooner(kill_at, SHORT);
            }
            Ok(Heard::Ended(pid, ending)) if pid == head => {
                tell(&match ending {
                    Ending::Code(code) => format!("exited {code}"),
                    Ending::Signal(signal) => format!("signalled {signal}"),
                });
                send(&family(None), Signal::TERM);
                kill_at = sooner(kill_at, SHORT);
            }
            Ok(Heard::Ended(pid, ending)) if Some(pid) == stopper => {
                tell(&match ending {
                    Ending::Code(code) => format!("stopped {code}"),
                    Ending::Signal(_) => "stopped -1".to_owned(),
                });
            }
            Ok(Heard::Ended(..)) => {}
            Ok(Heard::Empty) => {
                stopper = stop.take().and_then(|it| run(it, alone));
                if stopper.is_none() {
                    tell("gone");
                    return;
                }
                kill_at = Some(Instant::now() + grace + STOPPING);
                collect(say.clone());
            }
            Err(RecvTimeoutError::Timeout) => {
                send(&family(None), Signal::KILL);
                kill_at = Some(Instant::now() + AGAIN);
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Runs the command that ends what is not of the family. Its words go into the log, as long as somebody
/// keeps one.
fn run(stop: &[String], alone: bool) -> Option<u32> {
    let (program, rest) = stop.split_first()?;
    let mut command = Command::new(program);
    // It looks for the marker, and must not carry it.
    command.args(rest).env_remove(MARKER).stdin(Stdio::null()).process_group(0);
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(log) if !alone => command.stdout(Stdio::from(log)),
        _ => command.stdout(Stdio::null()).stderr(Stdio::null()),
    };
    match command.spawn() {
        Ok(child) => Some(child.id()),
        Err(_) => {
            tell("stopped -1");
            None
        }
    }
}

/// The head of the family, or all of it.
fn family(head: Option<u32>) -> Vec<Process> {
    match head {
        Some(pid) => Process::of(pid).into_iter().collect(),
        None => process::descendants(std::process::id()),
    }
}

fn send(to: &[Process], signal: Signal) {
    for it in to {
        it.signal(signal);
    }
}

/// Hears what vsota says, and that it is gone.
fn listen(say: Sender<Heard>) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            match line {
                Ok(line) if line == "stop" => drop(say.send(Heard::Stop)),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let _ = say.send(Heard::Alone);
    });
}

/// Waits for every child and adopted one; whoever is left without a parent becomes one.
fn collect(say: Sender<Heard>) {
    thread::spawn(move || {
        loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => {
                    let ending = match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => Ending::Code(code),
                        (_, Some(signal)) => Ending::Signal(signal),
                        _ => continue,
                    };
                    let pid = u32::try_from(pid.as_raw_nonzero().get()).unwrap_or(0);
                    let _ = say.send(Heard::Ended(pid, ending));
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => {
                    let _ = say.send(Heard::Empty);
                    return;
                }
            }
        }
    });
}
