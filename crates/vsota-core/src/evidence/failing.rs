//! Does a file show that something failed? (IN-4, PR-8, GD-8, ST-3)
//!
//! The log of a server, the output of a command, or the help of a framework. A log of a server that
//! came up, and a file that says nothing, show no failure; what is left is prose.

use alloc::string::String;

use super::bench::foreign::plain;
use super::error::EvidenceError;
use super::server_log::{LogReader, is_up};
use crate::text::Line;

/// The most bytes of a line that are looked at.
const LINE: usize = 64 << 10;

/// What a line that tells of a failure holds, in small letters.
const MARKS: [&str; 22] = [
    "error",
    "exception",
    "fail",
    "fatal",
    "panic",
    "abort",
    "killed",
    "segmentation fault",
    "core dumped",
    "out of memory",
    "cannot ",
    "could not ",
    "unable to ",
    "unsupported",
    "not supported",
    "not implemented",
    "not found",
    "no such ",
    "no module named",
    "denied",
    "unrecognized",
    "timed out",
];

/// What takes a running server down, whatever came before it.
const DOWN: [&str; 14] = [
    "out of memory",
    "core dumped",
    "segmentation fault",
    "enginedeaderror",
    "sigkill",
    "sigquit",
    "cuda error",
    "illegal memory access",
    "unspecified launch failure",
    "watchdog caught",
    "watchdog timeout",
    "scheduler hit an exception",
    "nvrm: xid",
    " died",
];

/// What vsota writes below the log of a server that it ended because it failed.
pub const OWN: &str = "vsota: failed: ";

/// What a file shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shown {
    /// A failure: the first reason of a server that did not come up, else the first line that tells
    /// of one.
    Failure(Line),
    /// The help output of a command.
    Help,
    /// Neither: words.
    Prose,
}

impl Shown {
    /// The failure, where one is shown.
    pub fn failure(self) -> Option<Line> {
        match self {
            Self::Failure(line) => Some(line),
            Self::Help | Self::Prose => None,
        }
    }
}

/// What may have gone wrong in the server whose log it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failing {
    /// It did not come up, or did not stay up: an error of one request is none of the server.
    Server,
    /// Whatever was asked of it: a profiler fails in a server that is up.
    Anything,
}

/// What a file shows.
///
/// # Errors
///
/// When it is empty, or the log of a server that came up and shows no failure.
pub fn shown(bytes: &[u8], of: Failing) -> Result<Shown, EvidenceError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(EvidenceError::new("the file is empty: it shows no failure"));
    }
    let mut reader = LogReader::default();
    let (mut first, mut usage, mut up_at, mut help) = (None, None, None, false);
    for (at, line) in (1_u64..).zip(bytes.split(|it| *it == b'\n')) {
        // Lines that contradict each other are another's matter.
        let _ = reader.line(line);
        let text = String::from_utf8_lossy(line.get(..LINE).unwrap_or(line));
        let low = text.to_ascii_lowercase();
        help |= low.trim_start().starts_with("usage:");
        if up_at.is_none() && is_up(&text) {
            up_at = Some(at);
            if of == Failing::Server {
                // What it said on the way up did not keep it down.
                (reader, first, usage) = (LogReader::default(), None, None);
            }
        }
        let counts = up_at.is_none() || of == Failing::Anything;
        let marks: &[&str] = if counts { &MARKS } else { &DOWN };
        // What an option parser says after its usage.
        if usage.is_none() && up_at.is_none() && low.contains(": error: ") {
            usage = plain(&text);
        }
        let marked = !is_calm(&low) && marks.iter().any(|it| low.contains(it));
        if first.is_none() && (marked || text.starts_with(OWN)) {
            first = plain(&text);
        }
    }
    let reason = reader.failure_so_far().or(usage).or(first.filter(|_| !help));
    match (reason, up_at) {
        (Some(reason), _) => Ok(Shown::Failure(reason)),
        (None, Some(at)) => {
            let message = "the log is of a server that came up: it shows no failure";
            Err(EvidenceError::new(message).at(at))
        }
        (None, None) if help => Ok(Shown::Help),
        (None, None) => Ok(Shown::Prose),
    }
}

/// Whether a line only says that nothing failed, or is of a level at which nothing does.
fn is_calm(low: &str) -> bool {
    let calm = ["0 failed", "no error", "0 errors", "without error"];
    let level = ["info ", "info:", "debug ", "debug:"].iter().any(|it| low.starts_with(it));
    level || calm.iter().any(|it| low.contains(it))
}

/// The words that a reason says are missing from a help output, and the help has all the same: flags,
/// and what stands in backquotes.
pub fn not_missing<'a>(reason: &'a str, help: &[u8]) -> Option<&'a str> {
    let help = String::from_utf8_lossy(help);
    let quoted = reason.split('`').skip(1).step_by(2);
    let flags = reason.split_whitespace().filter(|it| it.starts_with("--"));
    let flags = flags.map(|it| it.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()));
    quoted.chain(flags).find(|it| {
        let ends = |at: usize| {
            let next = help.get(at.saturating_add(it.len())..).and_then(|rest| rest.chars().next());
            next.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        };
        !it.trim().is_empty() && help.match_indices(*it).any(|(at, _)| ends(at))
    })
}
