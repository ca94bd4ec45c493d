//! How long may a program take that is only asked something, and how much may it say? A question never
//! hangs, and never fills the memory.
//!
//! Whoever may ask back, such as ssh for a passphrase, is asked in a session of its own: it has no terminal, and
//! says so at once. It is vsota itself, started as `vsota __alone PROGRAM ARG…`, which becomes the program.

use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, setsid};
use thiserror::Error;

/// How often the end of a program that says nothing more is looked for.
const GLANCE: Duration = Duration::from_millis(2);

/// The word that makes vsota a program in a session of its own.
pub const WORD: &str = "__alone";

/// What a shell ends with when there is no such program.
const NO_PROGRAM: u8 = 127;

/// What a question may cost.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long the answer may take.
    pub time: Duration,
    /// The most bytes of each of its streams.
    pub bytes: u64,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Unanswered {
    /// It cannot be run.
    #[error("could not be run: {0}")]
    Start(io::Error),
    /// It took too long, and was ended.
    #[error("did not end within {} s", .0.as_secs_f64())]
    Late(Duration),
    /// It said too much, and was ended.
    #[error("said more than {0} bytes")]
    Long(u64),
    /// Its streams or its end could not be read.
    #[error("could not be heard: {0}")]
    Lost(io::Error),
}

/// Runs a program without input, and returns what it said. It runs in a group of its own, which is ended
/// as a whole when it takes or says too much.
///
/// # Errors
///
/// When it cannot be run, or is not done within the limits.
pub fn ask(command: &mut Command, patience: Patience) -> Result<Output, Unanswered> {
    heard(command.process_group(0), patience)
}

/// As [`ask`], and nobody at the terminal is asked anything: it has none.
///
/// # Errors
///
/// As there; a program that is not there ends with 127.
pub fn ask_alone(words: &[&str], patience: Patience) -> Result<Output, Unanswered> {
    // The group is that of the session, which the program leads.
    heard(Command::new("/proc/self/exe").arg(WORD).args(words), patience)
}

/// Becomes the program in a session of its own; `words` are those after [`WORD`].
pub fn main(words: &[String]) -> ExitCode {
    let [program, rest @ ..] = words else { return ExitCode::from(2) };
    let error = match setsid() {
        Ok(_) => Command::new(program).args(rest).exec(),
        Err(error) => error.into(),
    };
    let _ = writeln!(io::stderr(), "{program} could not be run: {error}");
    ExitCode::from(NO_PROGRAM)
}

fn heard(command: &mut Command, patience: Patience) -> Result<Output, Unanswered> {
    let until = Instant::now() + patience.time;
    let started =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(Unanswered::Start)?;
    let answer = hear(&mut child, until, patience);
    if answer.is_err() {
        end(&mut child);
    }
    answer
}

fn hear(child: &mut Child, until: Instant, patience: Patience) -> Result<Output, Unanswered> {
    let stdout = child.stdout.take().map(|it| listen(it, patience.bytes));
    let stderr = child.stderr.take().map(|it| listen(it, patience.bytes));
    let heard = |from: Option<Receiver<io::Result<Vec<u8>>>>| {
        let Some(from) = from else { return Ok(Vec::new()) };
        let left = until.saturating_duration_since(Instant::now());
        let bytes = from.recv_timeout(left).map_err(|_| Unanswered::Late(patience.time))?;
        let bytes = bytes.map_err(Unanswered::Lost)?;
        let fits = bytes.len() as u64 <= patience.bytes;
        if fits { Ok(bytes) } else { Err(Unanswered::Long(patience.bytes)) }
    };
    let (stdout, stderr) = (heard(stdout)?, heard(stderr)?);
    loop {
        match child.try_wait().map_err(Unanswered::Lost)? {
            Some(status) => return Ok(Output { status, stdout, stderr }),
            None if Instant::now() < until => thread::sleep(GLANCE),
            None => return Err(Unanswered::Late(patience.time)),
        }
    }
}

/// Reads a stream to its end, or one byte further than it may be.
fn listen(stream: impl Read + Send + 'static, most: u64) -> Receiver<io::Result<Vec<u8>>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stream.take(most.saturating_add(1)).read_to_end(&mut bytes);
        // Nobody listens any more when the other stream was too much.
        let _ = send.send(read.map(|_| bytes));
    });
    receive
}

/// Ends a child with all of its group; it is ours, and it is gone one way or the other.
pub fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, millis: u64, bytes: u64) -> Result<Output, Unanswered> {
        let patience = Patience { time: Duration::from_millis(millis), bytes };
        ask(Command::new("/bin/sh").args(["-c", script]), patience)
    }

    #[test]
    fn an_answer_has_its_streams_and_its_end() {
        let answer = shell("printf a; printf bc >&2; cat; exit 3", 20_000, 2).unwrap();
        assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (&b"a"[..], &b"bc"[..]));
        assert_eq!(answer.status.code(), Some(3));
    }

    #[test]
    fn who_takes_or_says_too_much_is_ended_with_his_children() {
        let begun = Instant::now();
        assert!(matches!(shell("sleep 300 & sleep 300", 200, 9), Err(Unanswered::Late(_))));
        // It closed its streams and stays.
        assert!(matches!(shell("exec >&- 2>&-; sleep 300", 200, 9), Err(Unanswered::Late(_))));
        assert!(matches!(shell("yes; sleep 300", 60_000, 1 << 16), Err(Unanswered::Long(_))));
        assert!(matches!(shell("yes >&2", 60_000, 1 << 16), Err(Unanswered::Long(_))));
        assert!(begun.elapsed() < Duration::from_secs(30));
        let nobody = ask(
            &mut Command::new("/nowhere/at/all"),
            Patience { time: Duration::from_secs(1), bytes: 1 },
        );
        assert!(matches!(nobody, Err(Unanswered::Start(_))));
    }
}
