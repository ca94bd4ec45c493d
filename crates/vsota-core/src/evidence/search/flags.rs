//! Flags as data: a name and a value each, in the order of the file.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::keys::At;
use crate::evidence::error::EvidenceError;
use crate::evidence::yaml::Node;

/// Flags in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Flags(Vec<Flag>);

/// One flag.
#[derive(Clone, Debug)]
pub struct Flag {
    /// Its name as the file spells it: `max_model_len`.
    pub name: String,
    /// Its value; `null` and `false` mean that it is not set.
    pub value: Value,
    /// The line of the file, from 1.
    pub line: u64,
}

impl Flags {
    /// The flags of a mapping; empty for what is none.
    pub(super) fn of(node: Option<&Node>) -> Self {
        let entries = node.and_then(Node::map).unwrap_or_default();
        let flag = |(key, value): &(crate::evidence::yaml::Key, Node)| Flag {
            name: key.name.clone(),
            value: value.json(),
            line: key.line,
        };
        Self(entries.iter().map(flag).collect())
    }

    /// The flag sets of a list; `None` when there is none.
    pub(super) fn list(at: &At<'_>, key: &str) -> Result<Option<Vec<Self>>, EvidenceError> {
        let Some(node) = at.get(key) else { return Ok(None) };
        let wrong = |line| {
            let message = "a list of mappings from flag to value is expected";
            EvidenceError::new(message).at(line).of(&at.path(key))
        };
        let list = node.list().ok_or_else(|| wrong(node.line))?;
        let set = |it: &Node| it.map().map(|_| Self::of(Some(it))).ok_or_else(|| wrong(it.line));
        list.iter().map(set).collect::<Result<_, _>>().map(Some)
    }

    /// The flags, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Flag> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The flag of that name; `-` and `_` are one.
    pub fn get(&self, name: &str) -> Option<&Flag> {
        self.0.iter().find(|it| same(&it.name, name))
    }

    /// A flag with its new value: in its place when it is there, else at the end.
    pub(super) fn set(&mut self, flag: Flag) {
        match self.0.iter_mut().find(|it| same(&it.name, &flag.name)) {
            Some(there) => there.value = flag.value,
            None => self.0.push(flag),
        }
    }
}

/// Two sets are one where the same names have the same values; the order tunes nothing.
impl PartialEq for Flags {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|it| other.get(&it.name).is_some_and(|one| one.value == it.value))
    }
}

/// Whether two spellings name one flag.
pub(super) fn same(one: &str, other: &str) -> bool {
    let unified = |c: u8| if c == b'_' { b'-' } else { c };
    one.bytes().map(unified).eq(other.bytes().map(unified))
}

/// A value as a word of a command line.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => alloc::string::ToString::to_string(value),
    }
}
