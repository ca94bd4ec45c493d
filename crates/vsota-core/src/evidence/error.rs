//! What is wrong with a file: the place, the field and the reason, never the whole text.

use alloc::string::{String, ToString};
use core::fmt;

use thiserror::Error;

use crate::text::is_unsafe;

/// The most bytes of a message that are kept.
const MESSAGE: usize = 400;

/// A file, or one value of it, that cannot be taken as evidence. It names no file: who opened the
/// file adds that.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{}{}{message}", Place(*line), Field(field.as_deref()))]
pub struct EvidenceError {
    /// The line, from 1, where the value starts or the text breaks.
    pub line: Option<u64>,
    /// The key that is wrong.
    pub field: Option<String>,
    /// What is wrong, in one line without control characters.
    pub message: String,
}

impl EvidenceError {
    /// States what is wrong. Control characters are replaced and long text is cut.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { line: None, field: None, message: plain(&message.to_string()) }
    }

    /// Names the line, unless a more exact one is known.
    #[must_use]
    pub fn at(self, line: u64) -> Self {
        Self { line: self.line.or(Some(line)), ..self }
    }

    /// Names the field, unless a more exact one is known.
    #[must_use]
    pub fn of(self, field: &str) -> Self {
        Self { field: self.field.or_else(|| Some(plain(field))), ..self }
    }
}

fn plain(text: &str) -> String {
    let mut kept: String =
        text.chars().map(|c| if is_unsafe(c) { '\u{FFFD}' } else { c }).take(MESSAGE + 1).collect();
    if kept.chars().count() > MESSAGE {
        kept.pop();
        kept.push('…');
    }
    kept
}

struct Place(Option<u64>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, "line {line}: "))
    }
}

struct Field<'a>(Option<&'a str>);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |field| write!(f, "`{field}`: "))
    }
}
