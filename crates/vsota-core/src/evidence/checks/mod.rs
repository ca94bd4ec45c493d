//! Which checks does a diff take away? Whether the author means to weaken anything is not asked: what is
//! gone is read from the diff itself (PA-2).
//!
//! A check is gone when its text stands less often in its file afterwards than before. So what only moved
//! there, or was wrapped or commented otherwise, is there still; what was rewritten is gone, since no
//! diff tells that it is as strong. It may move to another file when its own is removed.

mod cases;
mod compare;
mod line;
mod mask;
mod read;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use self::compare::Compared;
use self::read::Reading;
use crate::facts::ChecksGone;
use crate::text::{Line, is_unsafe};

/// How many checks a fact names.
const SHOWN: usize = 10;

/// The most bytes that are shown of a path, and of a check.
const PATH: usize = 160;
const TEXT: usize = 120;

/// What happened to a check. The gravest come first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Loss {
    /// A file of tests is removed, or a source is changed without being shown.
    File,
    /// A test is removed.
    Test,
    /// A check is removed, in tests or in code; or a case that a test is run with, or a tolerance.
    Check,
    /// A tolerance grows.
    Tolerance,
    /// A test is skipped.
    Skip,
}

/// A check that a diff takes away.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gone {
    /// What happened to it.
    pub loss: Loss,
    /// The file.
    pub path: String,
    /// The check as it stood; for a skip and a looser tolerance, as it stands now.
    pub text: String,
}

/// The checks that a diff takes away, the gravest first.
pub fn gone(diff: &str) -> Vec<Gone> {
    let mut reading = Reading::default();
    diff.lines().for_each(|it| reading.line(it));
    reading.cut();
    let mut compared = Compared::of(reading);
    compared.cancel();
    let mut gone = compared.losses();
    gone.sort_by_key(|it| it.loss);
    gone
}

/// The fact of the checks that a diff takes away, with what its author says of it; `None` when it takes
/// none away.
pub fn fact(diff: &str, because: Option<Line>) -> Option<ChecksGone> {
    let gone = gone(diff);
    let count = u32::try_from(gone.len()).unwrap_or(u32::MAX);
    let shown = gone.iter().take(SHOWN).filter_map(shown).collect();
    (count > 0).then_some(ChecksGone { count, shown, because })
}

fn shown(it: &Gone) -> Option<Line> {
    let (path, text) = (plain(&it.path, PATH), plain(&it.text, TEXT));
    let line = match it.loss {
        Loss::File if text.is_empty() => format!("{path}: the file"),
        Loss::File => format!("{path}: the file, {text}"),
        Loss::Test | Loss::Check => format!("{path}: {text}"),
        Loss::Tolerance => format!("{path}: a tolerance, now {text}"),
        Loss::Skip => format!("{path}: a test, by {text}"),
    };
    Line::new(line).ok()
}

/// The beginning of a text, with nothing in it that could move a cursor or turn the direction.
fn plain(text: &str, bytes: usize) -> String {
    let mut plain = String::new();
    for c in text.chars().map(|it| if is_unsafe(it) { '\u{FFFD}' } else { it }) {
        if plain.len().saturating_add(c.len_utf8()) > bytes {
            plain.push('…');
            break;
        }
        plain.push(c);
    }
    plain
}
