//! Words that come from outside: checked once, so that no name can forge a row or drive a terminal.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod argv;

pub use argv::Argv;

/// A short label: a scenario, a candidate, a kernel, a sampling key.
///
/// 1 to 120 ASCII characters: a letter or digit, then letters, digits and `. _ - + @ : = , #`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// One line of text: 1 to 1,000 bytes without control or direction characters.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line(String);

/// A few paragraphs: 1 to 4,000 bytes; of the control characters only newline and tab.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prose(String);

/// A path inside the run directory: relative, without `..`, at most 400 bytes.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

/// Text that cannot be what it claims to be. Never repeats the text.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TextError {
    /// Nothing but white space.
    #[error("the text is empty")]
    Empty,
    /// More bytes than its kind allows.
    #[error("the text has {found} bytes; at most {limit} are allowed")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A control, direction or otherwise invisible character.
    #[error("the text holds the character U+{0:04X}, which is not allowed here")]
    Forbidden(u32),
    /// A path that is absolute, climbs, or has an empty part.
    #[error("the path does not stay inside the run directory")]
    Escapes,
}

/// Whether a character could move a cursor, hide text or turn its direction.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

fn bounded(text: &str, limit: usize) -> Result<(), TextError> {
    if text.trim().is_empty() {
        Err(TextError::Empty)
    } else if text.len() > limit {
        Err(TextError::TooLong { found: text.len(), limit })
    } else {
        Ok(())
    }
}

/// Whether the text is printable ASCII: most is, and it needs no second look.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
}

fn without(text: &str, forbidden: impl Fn(char) -> bool) -> Result<(), TextError> {
    match text.chars().find(|c| forbidden(*c)) {
        Some(c) => Err(TextError::Forbidden(c as u32)),
        None => Ok(()),
    }
}

/// What a name may hold beside letters and digits.
fn is_mark(c: char) -> bool {
    matches!(c, '.' | '_' | '-' | '+' | '@' | ':' | '=' | ',' | '#')
}

impl Name {
    fn check(text: &str) -> Result<(), TextError> {
        bounded(text, 120)?;
        without(text, |c| !c.is_ascii_alphanumeric() && !is_mark(c))?;
        match text.chars().next() {
            Some(c) if !c.is_ascii_alphanumeric() => Err(TextError::Forbidden(c as u32)),
            _ => Ok(()),
        }
    }
}

impl Line {
    fn check(text: &str) -> Result<(), TextError> {
        bounded(text, 1_000)?;
        if is_plain(text) { Ok(()) } else { without(text, is_unsafe) }
    }
}

impl Prose {
    fn check(text: &str) -> Result<(), TextError> {
        bounded(text, 4_000)?;
        if is_plain(text) {
            return Ok(());
        }
        without(text, |c| is_unsafe(c) && c != '\n' && c != '\t')
    }
}

impl RelPath {
    fn check(text: &str) -> Result<(), TextError> {
        bounded(text, 400)?;
        if !is_plain(text) || text.contains('\\') {
            without(text, |c| is_unsafe(c) || c == '\\')?;
        }
        let mut parts = text.as_bytes().split(|byte| *byte == b'/');
        let escapes = parts.any(|part| matches!(part, b"" | b"." | b".."));
        if escapes { Err(TextError::Escapes) } else { Ok(()) }
    }
}

macro_rules! words {
    ($($Text:ident)+) => { $(
        impl $Text {
            /// Reads the text.
            ///
            /// # Errors
            ///
            /// When it is empty, too long or holds a character that its kind forbids.
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                let text = text.into();
                Self::check(&text)?;
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $Text {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, TextError> {
                Self::new(text)
            }
        }

        impl From<$Text> for String {
            fn from(text: $Text) -> Self {
                text.0
            }
        }

        impl FromStr for $Text {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                Self::new(text.to_owned())
            }
        }

        impl AsRef<str> for $Text {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $Text {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )+ };
}

words! { Name Line Prose RelPath }
