//! Does an argument or an artefact hold a secret? Then it is neither recorded nor kept. (SE-1)
//!
//! First what this machine knows to be secret: the values of environment variables whose names say
//! that they are credentials, Hugging Face's token file, the passwords of a netrc file. Then what looks
//! like one: tokens by their prefix, and values by the name beside them. What is told of a secret is its
//! kind, its line and its length, never the secret.

mod context;
mod kinds;
mod known;
mod plausible;
mod scan;
mod sieve;
mod view;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;

use crate::failure::Failure;
use known::Known;

pub use sieve::Sieve;

/// The secrets that this process knows, and the rules for those that it does not. Never shows them.
#[derive(Debug, Default)]
pub struct Secrets {
    known: Known,
    redacts: bool,
    taken: RefCell<BTreeMap<Kind, usize>>,
}

/// How a secret was recognised.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// It is the value of this environment variable.
    Variable(String),
    /// It stands in this file.
    File(String),
    /// It looks like one of this kind.
    Rule(&'static str),
}

/// Where a secret was found; never what it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hit {
    /// How it was recognised.
    pub kind: Kind,
    /// How many bytes of the text it takes.
    pub len: usize,
    /// The line, from 1.
    pub line: u64,
}

impl Secrets {
    /// The secrets of this process: its environment, and the token files of its user.
    pub fn of_process() -> Self {
        Self { known: Known::of_process(), ..Self::default() }
    }

    /// The secrets among these variables.
    pub fn among(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self { known: Known::among(variables), ..Self::default() }
    }

    /// The same, but what is found in a file is taken out of the copy and counted.
    #[must_use]
    pub fn redacting(self, redacts: bool) -> Self {
        Self { redacts, ..self }
    }

    /// Whether what is found in a file is taken out instead of refusing the file.
    pub fn redacts(&self) -> bool {
        self.redacts
    }

    /// How many secrets of each kind were taken out of the files of this call.
    pub fn taken(&self) -> Vec<(Kind, usize)> {
        self.taken.borrow().iter().map(|(kind, count)| (kind.clone(), *count)).collect()
    }

    /// The first secret in some bytes.
    pub fn find(&self, bytes: impl AsRef<[u8]>) -> Option<Hit> {
        self.clean(bytes.as_ref()).1.into_iter().next()
    }

    /// The bytes with `[REDACTED:kind]` for each secret, and the secrets.
    pub fn clean(&self, bytes: &[u8]) -> (Vec<u8>, Vec<Hit>) {
        let mut sieve = self.sieve();
        let mut cleared = Vec::with_capacity(bytes.len());
        let mut hits = sieve.feed(bytes, &mut cleared);
        hits.extend(sieve.finish(&mut cleared));
        (cleared, hits)
    }

    /// What of a file may be stored, when these secrets were found in it.
    ///
    /// # Errors
    ///
    /// Secret, unless this redacts: then they are counted.
    pub fn admit(&self, hits: Vec<Hit>) -> Result<(), Failure> {
        match hits.first() {
            Some(hit) if !self.redacts => return Err(hit.failure()),
            _ => {}
        }
        self.take(hits);
        Ok(())
    }

    /// Counts what was taken out.
    pub fn take(&self, hits: Vec<Hit>) {
        let mut taken = self.taken.borrow_mut();
        for hit in hits {
            let count = taken.entry(hit.kind).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Refuses a text that holds a secret; `field` names the place.
    ///
    /// # Errors
    ///
    /// Secret, with kind, place and length, never the value.
    pub fn refuse(&self, text: &str, field: impl fmt::Display) -> Result<(), Failure> {
        match self.find(text) {
            None => Ok(()),
            Some(hit) => Err(hit.failure().at_field(field)),
        }
    }

    /// Begins to look through a stream.
    pub fn sieve(&self) -> Sieve<'_> {
        Sieve::new(self)
    }

    /// Every secret in a slice, in order, none touching another.
    fn look(&self, text: &[u8]) -> Vec<(Kind, Range<usize>)> {
        let mut found = self.in_reading(text);
        if let Some(view) = view::view(text) {
            let again = self.in_reading(&view.text).into_iter();
            found.extend(again.filter_map(|(kind, at)| Some((kind, view.place(at)?))));
        }
        // The longest of those that begin together first; what this machine knows names it.
        found.sort_by(|(a, x), (b, y)| (x.start, y.end, a).cmp(&(y.start, x.end, b)));
        let mut apart: Vec<(Kind, Range<usize>)> = Vec::with_capacity(found.len());
        for (kind, at) in found {
            match apart.last_mut() {
                Some((last, before)) if at.start < before.end => {
                    before.end = before.end.max(at.end);
                    *last = kind.min(last.clone());
                }
                _ => apart.push((kind, at)),
            }
        }
        apart
    }

    fn in_reading(&self, text: &[u8]) -> Vec<(Kind, Range<usize>)> {
        let mut found = self.known.find(text);
        let rules = scan::scan(text).into_iter();
        found.extend(rules.map(|it| (Kind::Rule(it.kind), it.at)));
        found
    }
}

impl Hit {
    /// The refusal: kind, place and length, never the value.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let Self { kind, len, .. } = self;
        let message = format_args!(
            "a secret was found: {kind} ({len} bytes); nothing was recorded (SE-1). Take it out; for \
             a file, `--redact` stores a copy without it"
        );
        Failure::secret(message).at_line(self.line)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the value of the environment variable {name}"),
            Self::File(path) => write!(f, "what stands in {path}"),
            Self::Rule(kind) => write!(f, "a token or password of kind {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Built at run time: the repository holds no secret, not even a made-up one.
    fn canary() -> String {
        (0..20_u8).map(|it| char::from(b'a' + (it * 7) % 26)).chain("/+\"".chars()).collect()
    }

    fn secrets(name: &str, value: &str) -> Secrets {
        Secrets::among([(name.into(), value.into())])
    }

    #[test]
    fn a_credential_is_found_in_every_form() {
        let value = canary();
        let secrets = secrets("HF_TOKEN", &value);
        let json = serde_json::to_string(&value).unwrap();
        for text in [
            format!("x\ny {value} z"),
            format!("\n{json}"),
            format!("\n?t={}", known::percent(&value)),
            format!("\n{}", value.bytes().map(|it| format!("{it:02x}")).collect::<String>()),
            format!("\n{}", value.bytes().map(|it| format!("{it:02X}")).collect::<String>()),
        ] {
            let hit = secrets.find(&text).unwrap();
            assert_eq!((&hit.kind, hit.line), (&Kind::Variable("HF_TOKEN".into()), 2));
            let failure = hit.failure();
            assert_eq!(failure.exit().code(), 8);
            assert!(!format!("{failure:?}").contains(&value));
        }
        assert_eq!(secrets.find("nothing here"), None);
    }

    #[test]
    fn only_names_of_credentials_count() {
        let value = canary();
        for name in ["MY_API_KEY", "token", "DB_PASSWORD", "AWS_CREDENTIALS", "X_SECRET"] {
            assert!(secrets(name, &value).find(&value).is_some(), "{name}");
        }
        for name in ["TOKENIZER", "TOKENS", "HOME", "CACHE_KEY", "KEYBOARD"] {
            assert!(secrets(name, &value).find(&value).is_none(), "{name}");
        }
    }

    #[test]
    fn placeholders_are_no_secrets() {
        for value in [
            "EMPTY",
            "None",
            "dummy",
            "short",
            "********",
            "$OPENAI_API_KEY",
            "<your key>",
            "placeholder",
        ] {
            assert!(secrets("OPENAI_API_KEY", value).find(value).is_none(), "{value}");
        }
    }
}
