//! The text of one value, as the sieve leaves it, becomes a [`Json`].

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Bare, Json, Object};
use crate::evidence::error::EvidenceError;

/// What the sieve leaves in the place of bulk data: a string that no text of a tool starts with.
pub(super) const SKIPPED: &[u8] = b"\"\\u0000\"";

/// Parses the text of one value; the line of an error counts from 1 within it.
pub(super) fn parse(text: &[u8]) -> Result<Json, EvidenceError> {
    serde_json::from_slice(&quoted(text)).map_err(|error| {
        let reason = reason(&error);
        EvidenceError::new(reason).at(u64::try_from(error.line()).unwrap_or(u64::MAX).max(1))
    })
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
            "\0" => Json::Skipped,
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
            entries.push((key, map.next_value()?));
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
