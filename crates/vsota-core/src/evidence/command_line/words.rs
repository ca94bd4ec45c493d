//! A command as its program and flags, whatever shell, container or environment is before it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::evidence::error::EvidenceError;
use crate::evidence::render::escape;
use crate::text::Line;

/// The words of a command, a shell's `-c` script taken apart.
pub(super) struct Words(Vec<String>);

impl Words {
    pub(super) fn of(command: &[Line]) -> Self {
        let words: Vec<&str> = command.iter().map(Line::as_str).collect();
        let shell = words.first().is_some_and(|it| matches!(base(it), "sh" | "bash"));
        let script = words.iter().position(|it| matches!(*it, "-c" | "-lc" | "-ec"));
        let script = script.and_then(|at| words.get(at + 1)).filter(|_| shell);
        match script.and_then(|it| split(it).ok()) {
            Some(words) => Self(words),
            None => Self(words.into_iter().map(ToOwned::to_owned).collect()),
        }
    }

    /// The words after the first place where `matches` says how many words name the program.
    pub(super) fn after(&self, matches: impl Fn(&[String]) -> usize) -> Option<&[String]> {
        (0..self.0.len()).find_map(|at| {
            let rest = self.0.get(at..)?;
            let named = matches(rest);
            (named > 0).then(|| rest.get(named..)).flatten()
        })
    }

    /// The value that an assignment before the program gives a variable.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The last part of a path.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The flags of a program; `_` and `-` are one, and the last of several counts.
#[derive(Clone, Copy)]
pub(super) struct Flags<'a>(pub(super) &'a [String]);

impl<'a> Flags<'a> {
    /// The value of a flag under any of its names; `Some("")` for a flag without one.
    pub(super) fn value(self, names: &[&str]) -> Option<&'a str> {
        let mut found = None;
        let mut words = self.0.iter().peekable();
        while let Some(word) = words.next() {
            let (flag, joined) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (word.as_str(), None),
            };
            if names.iter().any(|name| same(flag, name)) {
                let next = words.peek().filter(|it| !is_flag(it)).map(|it| it.as_str());
                found = Some(joined.or(next).unwrap_or(""));
            }
        }
        found
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.value(&[name]).is_some()
    }

    /// The word that belongs to no flag: right after the program, else one that follows another word
    /// or a flag that has its value with it. What follows a bare flag may be its value.
    pub(super) fn positional(self) -> Option<&'a str> {
        let mut many = false;
        let mut free = true;
        for word in self.0 {
            if is_flag(word) {
                many = MANY.iter().any(|name| same(word, name));
                free = word.contains('=');
            } else if free && !many {
                return Some(word);
            } else {
                free = true;
            }
        }
        None
    }
}

fn is_flag(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|it| it.starts_with(|c: char| c == '-' || c.is_ascii_alphabetic()))
}

/// Flags that take several words.
const MANY: [&str; 6] = [
    "--served-model-name",
    "--lora-modules",
    "--lora-paths",
    "--middleware",
    "--cuda-graph-sizes",
    "--cuda-graph-bs",
];

/// Flags that begin like a longer one and are no abbreviation of it.
const WHOLE: [&str; 6] =
    ["--model", "--tokenizer", "--config", "--backend", "--data-parallel-size", "--seed"];

/// Whether a flag is the one of that name: spelled out, with a dot and a key of its value
/// (`--hf-overrides.num_layers`), or as far abbreviated as a parser of Python takes it.
fn same(flag: &str, name: &str) -> bool {
    let flag = match flag.split_once('.') {
        Some((flag, _)) if flag.starts_with("--") => flag,
        _ => flag,
    };
    let unified = |c: u8| if c == b'_' { b'-' } else { c };
    let alike = |flag: &str, name: &str| flag.bytes().map(unified).eq(name.bytes().map(unified));
    let short = name.get(..flag.len()).is_some_and(|it| alike(flag, it));
    short
        && (flag.len() == name.len()
            || (flag.len() >= 8 && !WHOLE.iter().any(|whole| alike(flag, whole))))
}

/// A command as one line that a POSIX shell reads back.
pub fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    escape::shell(words, usize::MAX)
}

/// Splits a command written as one line, as a shell would: blanks separate, quotes and
/// backslashes keep together. Nothing is expanded.
///
/// # Errors
///
/// When a quote is never closed.
pub fn split(line: &str) -> Result<Vec<String>, EvidenceError> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => {
                if let Some(next) = rest.next().filter(|next| *next != '\n') {
                    word.get_or_insert_default().push(next);
                }
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(EvidenceError::new("a quote of the command is never closed"));
    }
    words.extend(word);
    Ok(words)
}
