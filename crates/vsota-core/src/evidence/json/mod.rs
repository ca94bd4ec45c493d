//! Reading the JSON that benchmark tools write: several values in one file, bare `NaN` and
//! `Infinity`, keys in their order. Rules 2 and 3 of the formats.
//!
//! serde_json does the parsing: at most 128 levels deep, numbers read once from their text, and a
//! number beyond the range of `f64` is an error. What it refuses and Python writes, the bare
//! literals, is quoted before it sees the text.

mod sieve;
mod value;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::error::EvidenceError;

pub(crate) use sieve::Sieve;

/// The most bytes that one file of evidence may have.
pub const MAX_BYTES: usize = 256 << 20;

/// The most bytes that one value may have beside its bulk data.
pub const MAX_VALUE: usize = 16 << 20;

/// Keys of bulk data that no fact is made of; their values are passed over.
const BULK: &[&str] = &[
    "generated_texts",
    "itls",
    "latencies",
    "queue_times",
    "start_times",
    "traceEvents",
    "ttfts",
    "e2els",
];

/// A JSON value as benchmark tools write it.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of at least zero.
    Count(u64),
    /// Any other number.
    Number(f64),
    /// A literal that is no JSON: `NaN`, `Infinity`, `-Infinity`.
    Bare(Bare),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Self>),
    /// An object.
    Object(Object),
    /// Bulk data that was passed over.
    Skipped,
}

/// A literal that Python writes and JSON lacks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bare {
    /// `NaN`.
    NaN,
    /// `Infinity`.
    Infinity,
    /// `-Infinity`.
    NegativeInfinity,
}

/// An object with its keys in the order of the file; no key occurs twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Json)>);

/// A value and the line where it starts, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// The line where it starts.
    pub line: u64,
    /// The value.
    pub value: T,
}

impl Object {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The place of a key among the keys, from 0.
    pub fn position(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|(name, _)| name == key)
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl Bare {
    /// The literal as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NaN => "NaN",
            Self::Infinity => "Infinity",
            Self::NegativeInfinity => "-Infinity",
        }
    }
}

impl Json {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Count(_) | Self::Number(_) => "a number",
            Self::Bare(_) => "a literal that is no JSON",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
            Self::Skipped => "bulk data",
        }
    }

    /// The object, when it is one.
    pub fn object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The same value in serde_json's words.
    ///
    /// # Errors
    ///
    /// When it holds a bare literal; keys that count as bulk data become null.
    pub fn strict(self) -> Result<serde_json::Value, EvidenceError> {
        use serde_json::Value;
        Ok(match self {
            Self::Null | Self::Skipped => Value::Null,
            Self::Bool(flag) => flag.into(),
            Self::Count(count) => count.into(),
            Self::Number(number) => number.into(),
            Self::Bare(bare) => {
                return Err(EvidenceError::new(format!("{} is not JSON", bare.as_str())));
            }
            Self::Text(text) => text.into(),
            Self::List(list) => {
                Value::Array(list.into_iter().map(Self::strict).collect::<Result<_, _>>()?)
            }
            Self::Object(Object(entries)) => Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| match value.strict() {
                        Ok(value) => Ok((key, value)),
                        Err(error) => Err(error.of(&key)),
                    })
                    .collect::<Result<_, _>>()?,
            ),
        })
    }
}

/// Reads one of our own files: a single JSON value of a known shape.
///
/// # Errors
///
/// When the bytes are not exactly one JSON value, a key occurs twice, or the shape is not `T`'s.
pub fn one<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, EvidenceError> {
    let (values, errors) = values(bytes);
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let mut values = values.into_iter();
    let first = values.next().ok_or_else(|| EvidenceError::new("the file is empty"))?;
    match values.next() {
        Some(second) => {
            Err(EvidenceError::new("one value is expected, here starts another").at(second.line))
        }
        None => first.value.strict().and_then(shaped).map_err(|error| error.at(first.line)),
    }
}

/// Reads a value into the shape of `T`.
///
/// # Errors
///
/// When a key is missing, unknown or of another type.
pub fn shaped<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, EvidenceError> {
    T::deserialize(value).map_err(|error| {
        let message = format!("{error}");
        let named = ["missing field `", "unknown field `", "duplicate field `"]
            .iter()
            .find_map(|start| message.strip_prefix(start)?.split('`').next());
        match named {
            Some(field) => EvidenceError::new(&message).of(field),
            None => EvidenceError::new(message),
        }
    })
}

/// Reads every top-level value of a file; the elements of a top-level array count as values.
///
/// A value that cannot be read is an error with its line; reading goes on behind it where it has an
/// end, else at the next line that starts with `{`.
pub fn values(bytes: &[u8]) -> (Vec<Located<Json>>, Vec<EvidenceError>) {
    if bytes.len() > MAX_BYTES {
        let found = bytes.len();
        let message = format!("the file has {found} bytes; at most {MAX_BYTES} are read");
        return (Vec::new(), [EvidenceError::new(message)].into());
    }
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    let mut sort = |read: Result<Located<Json>, EvidenceError>| match read {
        Ok(value) => found.push(value),
        Err(error) => errors.push(error),
    };
    let mut sieve = Sieve::new(MAX_BYTES);
    sieve.feed(bytes, &mut sort);
    sieve.end(&mut sort);
    (found, errors)
}
