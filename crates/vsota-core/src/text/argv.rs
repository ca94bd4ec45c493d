//! An argument vector in one piece of memory: journals hold thousands, and each word is short.

use alloc::string::String;
use core::fmt;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Line;

/// The end of a word; no [`Line`] holds it.
const END: char = '\0';

/// The words of a command, each a [`Line`]; written as a list of strings.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Argv(String);

impl Argv {
    /// The words, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split_terminator(END)
    }

    /// Whether there is no word: the command is not on record.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a word.
    pub fn push(&mut self, word: &Line) {
        self.add(word.as_str());
    }

    fn add(&mut self, word: &str) {
        self.0.push_str(word);
        self.0.push(END);
    }
}

impl FromIterator<Line> for Argv {
    fn from_iter<I: IntoIterator<Item = Line>>(words: I) -> Self {
        let mut argv = Self::default();
        words.into_iter().for_each(|word| argv.push(&word));
        argv
    }
}

impl<'a> FromIterator<&'a Line> for Argv {
    fn from_iter<I: IntoIterator<Item = &'a Line>>(words: I) -> Self {
        let mut argv = Self::default();
        words.into_iter().for_each(|word| argv.push(word));
        argv
    }
}

impl Serialize for Argv {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Words)
    }
}

/// Reads a list of words.
struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Argv;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of words")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Argv, A::Error> {
        let mut argv = Argv(String::with_capacity(128));
        while words.next_element_seed(Word(&mut argv))?.is_some() {}
        Ok(argv)
    }
}

/// Reads one word to the end of the others.
struct Word<'a>(&'a mut Argv);

impl<'de> DeserializeSeed<'de> for Word<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Word<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<(), E> {
        Line::check(word).map_err(E::custom)?;
        self.0.add(word);
        Ok(())
    }
}
