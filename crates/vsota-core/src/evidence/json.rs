//! Reading the JSON that benchmark tools write: several values in one file, bare `NaN` and
//! `Infinity`, keys in their order. Rules 2 and 3 of the formats.
//!
//! serde_json does the parsing: at most 128 levels deep, numbers read once from their text, and a
//! number beyond the range of `f64` is an error. What it refuses and Python writes, the bare
//! literals, is quoted before it sees the text.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Deserializer};

use super::error::EvidenceError;

/// The most bytes that one file of evidence may have.
pub const MAX_BYTES: usize = 256 << 20;

/// After so many errors the rest of a file is not read.
const MAX_ERRORS: usize = 64;

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
/// A value that cannot be read is an error with its line; reading goes on at the next line that
/// starts with `{`.
pub fn values(bytes: &[u8]) -> (Vec<Located<Json>>, Vec<EvidenceError>) {
    if bytes.len() > MAX_BYTES {
        let found = bytes.len();
        let message = format!("the file has {found} bytes; at most {MAX_BYTES} are read");
        return (Vec::new(), [EvidenceError::new(message)].into());
    }
    let text = quoted(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes));
    let mut cursor = Cursor { text: &text, at: 0, line: 1, array: None };
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    while let Some(read) = cursor.next() {
        match read {
            Ok(value) => found.push(value),
            Err(error) => errors.push(error),
        }
        if errors.len() == MAX_ERRORS {
            errors.push(
                EvidenceError::new("too many errors: the rest of the file is not read")
                    .at(cursor.line),
            );
            break;
        }
    }
    (found, errors)
}

/// Whether an open top-level array is waiting for a comma.
#[derive(Clone, Copy)]
struct Array {
    line: u64,
    comma: bool,
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
    array: Option<Array>,
}

impl Cursor<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        let passed = self.rest().iter().take(bytes).filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(passed as u64);
        self.at = self.at.saturating_add(bytes).min(self.text.len());
    }

    fn next(&mut self) -> Option<Result<Located<Json>, EvidenceError>> {
        loop {
            let blank = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.advance(blank);
            match (self.rest().first().copied(), self.array) {
                (None, None) => return None,
                (None, Some(open)) => {
                    self.array = None;
                    let message = "the array that starts here never ends: the file is truncated";
                    return Some(Err(EvidenceError::new(message).at(open.line)));
                }
                (Some(b'['), None) => {
                    self.array = Some(Array { line: self.line, comma: false });
                    self.advance(1);
                }
                (Some(b']'), Some(_)) => {
                    self.array = None;
                    self.advance(1);
                }
                (Some(b','), Some(open)) if open.comma => {
                    self.array = Some(Array { comma: false, ..open });
                    self.advance(1);
                }
                (Some(_), Some(open)) if open.comma => {
                    return Some(Err(self.give_up("a comma or the end of the array is expected")));
                }
                (Some(_), _) => return Some(self.value()),
            }
        }
    }

    fn value(&mut self) -> Result<Located<Json>, EvidenceError> {
        let line = self.line;
        let mut stream = serde_json::Deserializer::from_slice(self.rest()).into_iter::<Json>();
        let read = stream.next();
        let end = stream.byte_offset();
        match read {
            Some(Ok(value)) => {
                self.advance(end);
                self.array = self.array.map(|open| Array { comma: true, ..open });
                Ok(Located { line, value })
            }
            Some(Err(error)) if error.is_eof() => {
                Err(self.give_up("the value that starts here never ends: the file is truncated"))
            }
            Some(Err(error)) => {
                let inside = (error.line() as u64).saturating_sub(1);
                let message = reason(&error);
                Err(EvidenceError {
                    line: Some(line.saturating_add(inside)),
                    ..self.give_up(&message)
                })
            }
            None => Err(self.give_up("a value is expected")),
        }
    }

    /// Names what is wrong here and goes to the next line that starts an object.
    fn give_up(&mut self, message: &str) -> EvidenceError {
        let error = EvidenceError::new(message).at(self.line);
        self.array = None;
        let next = self.rest().windows(2).position(|pair| pair == b"\n{");
        self.advance(next.map_or(usize::MAX, |bytes| bytes.saturating_add(1)));
        error
    }
}

/// The reason of an error, without the place that serde_json adds: it counts from the value.
fn reason(error: &serde_json::Error) -> String {
    let message = format!("{error}");
    match message.rfind(" at line ") {
        Some(end) => message.get(..end).unwrap_or(&message).to_owned(),
        None => message,
    }
}

/// Turns every bare literal into a string that no text of a tool starts with: a NUL before it.
fn quoted(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    let (mut copied, mut at, mut inside) = (0, 0, false);
    while let Some(byte) = text.get(at) {
        match byte {
            // A string never holds a raw line end, so a cut line cannot spoil the next.
            b'\n' => inside = false,
            b'"' => inside = !inside,
            b'\\' if inside => at += 1,
            b'N' | b'I' | b'-' if !inside => {
                let rest = text.get(at..).unwrap_or_default();
                let bare = [Bare::NaN, Bare::Infinity, Bare::NegativeInfinity]
                    .into_iter()
                    .find(|bare| rest.starts_with(bare.as_str().as_bytes()));
                if let Some(bare) = bare {
                    out.extend_from_slice(text.get(copied..at).unwrap_or_default());
                    out.extend_from_slice(b"\"\\u0000");
                    out.extend_from_slice(bare.as_str().as_bytes());
                    out.push(b'"');
                    at += bare.as_str().len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

/// Reads a value, or passes over it when its key is one of bulk data.
struct Valued {
    bulk: bool,
}

impl<'de> DeserializeSeed<'de> for Valued {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        if self.bulk {
            IgnoredAny::deserialize(deserializer).map(|_| Json::Skipped)
        } else {
            Json::deserialize(deserializer)
        }
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Json, E> {
        Ok(Json::Count(count))
    }

    #[expect(clippy::cast_precision_loss, reason = "the nearest f64, as reading the text gives")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        Ok(u64::try_from(number).map_or(Json::Number(number as f64), Json::Count))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(match text {
            "\0NaN" => Json::Bare(Bare::NaN),
            "\0Infinity" => Json::Bare(Bare::Infinity),
            "\0-Infinity" => Json::Bare(Bare::NegativeInfinity),
            _ => Json::Text(text.to_owned()),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries: Vec<(String, Json)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let bulk = BULK.contains(&key.as_str());
            let value = map.next_value_seed(Valued { bulk })?;
            entries.push((key, value));
        }
        let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        match keys
            .windows(2)
            .find_map(|pair| (pair.first() == pair.last()).then(|| pair.first())?)
        {
            Some(twice) => Err(A::Error::custom(format_args!("the key `{twice}` occurs twice"))),
            None => Ok(Json::Object(Object(entries))),
        }
    }
}
