//! What was refused? Noted beside the journal, never in it.
//!
//! The file is bounded and best effort: a refusal that cannot be noted is still a refusal.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Refused};
use crate::journal::rel;
use crate::rundir::{Durable, RunDir};

/// Where the refusals lie in the run directory.
pub const PATH: &str = "humanize/refusals.jsonl";

/// The most bytes and lines that the file may have.
const MAX_BYTES: u64 = 1 << 20;
const MAX_LINES: usize = 1_000;

/// The most bytes of such a file that are read.
pub(crate) const READ: u64 = 4 * MAX_BYTES;

/// A refusal as it is noted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Noted {
    /// When, ms since the epoch.
    pub at: i64,
    /// How many entries the journal had.
    pub seq: u64,
    /// The phase that the campaign was in.
    pub phase: String,
    /// The command that was refused.
    pub command: String,
    /// Every reason.
    pub reasons: Vec<NotedReason>,
}

/// One reason of a noted refusal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NotedReason {
    /// The clause that asks for it.
    pub clause: String,
    /// What was found instead.
    pub found: String,
}

impl Noted {
    /// A refusal at a time and place.
    #[must_use]
    pub fn new(
        at: i64,
        seq: u64,
        phase: impl ToString,
        command: impl ToString,
        refused: &Refused,
    ) -> Self {
        let reasons = refused.reasons.iter();
        let reasons = reasons
            .map(|it| NotedReason { clause: it.clause.to_string(), found: it.found.clone() });
        Self {
            at,
            seq,
            phase: phase.to_string(),
            command: command.to_string(),
            reasons: reasons.collect(),
        }
    }
}

/// Notes a refusal; the oldest are dropped when there are too many. Callers hold the lock of the
/// journal.
///
/// # Errors
///
/// When the file cannot be written. Nobody needs to fail for that.
pub fn note(run: &RunDir, noted: &Noted) -> Result<(), Failure> {
    let at = rel(PATH)?;
    let mut line = serde_json::to_vec(noted).map_err(Failure::io)?;
    line.push(b'\n');
    // One that is far too big was not written by us, and holds nothing that must be kept.
    let old = run.read(&at, READ).ok().flatten().unwrap_or_default();
    let lines = old.iter().filter(|it| **it == b'\n').count();
    let torn = old.last().is_some_and(|it| *it != b'\n');
    if torn || lines >= MAX_LINES || (old.len() + line.len()) as u64 > MAX_BYTES {
        return run.replace(&at, &shortened(&old, &line), Durable::No).map(drop);
    }
    let Some(mut file) = run.append(&at, true)? else { return Ok(()) };
    file.write_all(&line).map_err(|error| Failure::file("write", run.join(&at), &error))
}

/// The refusals that are noted, oldest first; lines that cannot be read are left out.
///
/// # Errors
///
/// When the file cannot be read.
pub fn noted(run: &RunDir) -> Result<Vec<Noted>, Failure> {
    let bytes = run.read(&rel(PATH)?, READ)?.unwrap_or_default();
    Ok(bytes.split(|it| *it == b'\n').filter_map(|it| serde_json::from_slice(it).ok()).collect())
}

/// The newest half of the lines, then the new one.
fn shortened(old: &[u8], line: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut len = line.len();
    let whole = memchr::memrchr(b'\n', old).map_or(&[][..], |it| old.get(..it).unwrap_or_default());
    for old in whole.rsplit(|it| *it == b'\n').filter(|it| !it.is_empty()).take(MAX_LINES / 2) {
        len += old.len() + 1;
        if len as u64 > MAX_BYTES / 2 {
            break;
        }
        kept.push(old);
    }
    let mut bytes = Vec::with_capacity(len);
    for old in kept.iter().rev() {
        bytes.extend_from_slice(old);
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_refusals_are_kept() {
        let old: Vec<u8> =
            (0..1_000).flat_map(|it| format!("{{\"n\":{it}}}\n").into_bytes()).collect();
        let short = String::from_utf8(shortened(&old, b"new\n")).unwrap();
        assert_eq!(short.lines().count(), 501);
        assert_eq!(short.lines().next(), Some("{\"n\":500}"));
        assert_eq!(short.lines().last(), Some("new"));
    }

    #[test]
    fn a_torn_line_is_dropped() {
        assert_eq!(shortened(b"a\nb", b"new\n"), b"a\nnew\n");
        assert_eq!(shortened(b"", b"new\n"), b"new\n");
    }
}
