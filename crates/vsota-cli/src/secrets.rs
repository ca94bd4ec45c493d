//! Does an argument or an artefact hold a secret? Then it is neither recorded nor kept.
//!
//! What counts is every value of an environment variable whose name says that it is a credential.

use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::fmt;

use memchr::memmem::Finder;

use crate::failure::Failure;

/// Shorter values are not looked for: they would be found everywhere.
const MIN_LEN: usize = 8;

/// The endings of a name that hold a credential.
const ENDINGS: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "CREDENTIALS"];

/// Names that end like a credential and are none.
const NO_CREDENTIAL: [&str; 3] = ["CACHE_KEY", "PRIMARY_KEY", "PUBLIC_KEY"];

/// Values that stand for the absence of one.
const PLACEHOLDERS: [&str; 8] = [
    "changeme",
    "dummy-key",
    "dummy-token",
    "no-key-required",
    "not-a-secret",
    "not-needed",
    "placeholder",
    "token-abc123",
];

/// The secrets that this process knows. Never shows them.
#[derive(Default)]
pub struct Secrets(Vec<Secret>);

struct Secret {
    name: String,
    len: usize,
    forms: Vec<Finder<'static>>,
}

/// Where a secret was found; never what it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hit {
    /// The environment variable whose value it is.
    pub variable: String,
    /// How many bytes the value has.
    pub len: usize,
    /// The line, from 1.
    pub line: u64,
}

/// Looks through a stream, chunk by chunk.
#[derive(Debug)]
pub struct Scanner<'a> {
    secrets: &'a Secrets,
    // The end of what was seen, long enough to hold all but the last byte of any form.
    carry: Vec<u8>,
    keep: usize,
    line: u64,
}

impl Secrets {
    /// The secrets in the environment of this process.
    pub fn from_env() -> Self {
        Self::among(env::vars_os())
    }

    /// The secrets among these variables.
    pub fn among(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let secret = |(name, value): (OsString, OsString)| {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            (is_credential(&name) && is_secret(&value)).then(|| Secret::new(&name, &value))
        };
        Self(variables.into_iter().filter_map(secret).collect())
    }

    /// The first secret in a text.
    pub fn find(&self, text: &str) -> Option<Hit> {
        self.scanner().feed(text.as_bytes()).err()
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
    pub fn scanner(&self) -> Scanner<'_> {
        let forms = self.0.iter().flat_map(|it| &it.forms);
        let keep = forms.map(|it| it.needle().len()).max().unwrap_or(1) - 1;
        Scanner { secrets: self, carry: Vec::new(), keep, line: 1 }
    }
}

impl Secret {
    fn new(name: &str, value: &str) -> Self {
        let mut forms: Vec<Cow<'_, str>> = vec![value.into()];
        // As it would stand in a JSON string, and in a URL.
        if let Ok(quoted) = serde_json::to_string(value) {
            forms.push(quoted.trim_matches('"').to_owned().into());
        }
        forms.push(percent(value).into());
        forms.sort();
        forms.dedup();
        let forms = forms.iter().map(|it| Finder::new(it.as_bytes()).into_owned()).collect();
        Self { name: name.to_owned(), len: value.len(), forms }
    }
}

impl Scanner<'_> {
    /// Looks at the next chunk.
    ///
    /// # Errors
    ///
    /// The first secret that ends in this chunk.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Hit> {
        if self.secrets.0.is_empty() {
            return Ok(());
        }
        self.carry.extend_from_slice(chunk);
        for secret in &self.secrets.0 {
            for form in &secret.forms {
                if let Some(at) = form.find(&self.carry) {
                    let line = self.line + newlines(self.carry.get(..at).unwrap_or_default());
                    return Err(Hit { variable: secret.name.clone(), len: secret.len, line });
                }
            }
        }
        let done = self.carry.len().saturating_sub(self.keep);
        self.line += newlines(self.carry.get(..done).unwrap_or_default());
        self.carry.drain(..done);
        Ok(())
    }
}

impl Hit {
    /// The refusal: kind, place and length, never the value.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let Self { variable, len, .. } = self;
        let message = format_args!(
            "a secret was found: the value of the environment variable {variable} ({len} bytes); \
             nothing was recorded"
        );
        Failure::secret(message).at_line(self.line)
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ENDINGS.iter().any(|it| name.ends_with(it))
        && !NO_CREDENTIAL.iter().any(|it| name.ends_with(it))
}

fn is_secret(value: &str) -> bool {
    let varies = value.chars().any(|c| !value.starts_with(c));
    let stands_for = value.starts_with('$') || (value.starts_with('<') && value.ends_with('>'));
    let known = PLACEHOLDERS.iter().any(|it| it.eq_ignore_ascii_case(value));
    value.len() >= MIN_LEN && varies && !stands_for && !known
}

fn percent(value: &str) -> String {
    let byte = |it: u8| match it {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(it).to_string()
        }
        _ => format!("%{it:02X}"),
    };
    value.bytes().map(byte).collect()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|it| &it.name)).finish()
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
        for text in
            [format!("x\ny {value} z"), format!("\n{json}"), format!("\n?t={}", percent(&value))]
        {
            let hit = secrets.find(&text).unwrap();
            assert_eq!((hit.variable.as_str(), hit.len, hit.line), ("HF_TOKEN", value.len(), 2));
            let failure = hit.failure();
            assert_eq!(failure.exit().code(), 8);
            assert!(!format!("{failure:?}").contains(&value));
        }
        assert_eq!(secrets.find("nothing here"), None);
    }

    #[test]
    fn a_secret_is_found_across_every_cut() {
        let value = canary();
        let secrets = secrets("SOME_SECRET", &value);
        let text = format!("a\nb{value}c");
        for cut in 0..text.len() {
            let (head, tail) = text.as_bytes().split_at(cut);
            let mut scanner = secrets.scanner();
            let hit = scanner.feed(head).and_then(|()| scanner.feed(tail)).unwrap_err();
            assert_eq!(hit.line, 2, "cut at {cut}");
        }
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
