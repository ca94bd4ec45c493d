//! Reading a value straight from the text of a file, without a copy of the text.

use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::{Error, Visitor};

/// A serde visitor that parses a string with `FromStr`.
pub(crate) struct Parsed<T> {
    expected: &'static str,
    value: PhantomData<T>,
}

impl<T> Parsed<T> {
    pub(crate) fn new(expected: &'static str) -> Self {
        Self { expected, value: PhantomData }
    }
}

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// `Serialize` by `Display` and `Deserialize` by `FromStr`, both as one JSON string.
macro_rules! as_string {
    ($($Type:ty: $expected:literal;)+) => { $(
        impl serde::Serialize for $Type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::parsed::Parsed::new($expected))
            }
        }
    )+ };
}
