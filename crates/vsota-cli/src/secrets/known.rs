//! The secrets that this machine holds: they are found whatever they look like.

use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, MatchKind};

use super::Kind;
use super::plausible::is_placeholder;

/// Shorter values are not looked for: they would be found everywhere.
const MIN_LEN: usize = 8;

/// The endings of a name that hold a credential.
const ENDINGS: [&str; 7] =
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS"];

/// Names that end like a credential and are none.
const NO_CREDENTIAL: [&str; 3] = ["CACHE_KEY", "PRIMARY_KEY", "PUBLIC_KEY"];

/// Known values in every form in which they may stand in a text.
#[derive(Default)]
pub(super) struct Known {
    kinds: Vec<Kind>,
    automaton: Option<AhoCorasick>,
}

impl Known {
    /// What the environment and the token files of this process's user hold.
    pub(super) fn of_process() -> Self {
        let mut values = among(env::vars_os());
        let home = env::home_dir();
        values.extend(token_file(home.as_deref()));
        values.extend(home.map(|it| it.join(".netrc")).map(passwords).unwrap_or_default());
        Self::new(values)
    }

    pub(super) fn among(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self::new(among(variables))
    }

    fn new(values: Vec<(Kind, String)>) -> Self {
        let mut kinds = Vec::new();
        let mut patterns = Vec::new();
        for (kind, value) in values {
            for form in forms(&value) {
                kinds.push(kind.clone());
                patterns.push(form);
            }
        }
        let mut builder = AhoCorasick::builder();
        builder.match_kind(MatchKind::LeftmostLongest);
        let automaton = (!patterns.is_empty()).then(|| builder.build(&patterns));
        // Only a table beyond all memory does not build; then nothing can be looked for.
        let automaton = automaton.map(|it| it.unwrap_or_else(|error| unreachable!("{error}")));
        Self { kinds, automaton }
    }

    /// Every known value in a text.
    pub(super) fn find(&self, text: &[u8]) -> Vec<(Kind, Range<usize>)> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let named = |it: aho_corasick::Match| {
            self.kinds.get(it.pattern().as_usize()).map(|kind| (kind.clone(), it.range()))
        };
        automaton.find_iter(text).filter_map(named).collect()
    }
}

fn among(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(Kind, String)> {
    let secret = |(name, value): (OsString, OsString)| {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let counts = is_credential(&name) && is_secret(&value);
        counts.then(|| (Kind::Variable(name.into_owned()), value.into_owned()))
    };
    variables.into_iter().filter_map(secret).collect()
}

/// Hugging Face's token, where its client keeps it.
fn token_file(home: Option<&Path>) -> Option<(Kind, String)> {
    let path = env::var_os("HF_TOKEN_PATH")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HF_HOME").map(|it| PathBuf::from(it).join("token")))
        .or_else(|| home.map(|it| it.join(".cache/huggingface/token")))?;
    let token = short_text(&path)?.trim().to_owned();
    is_secret(&token).then(|| (Kind::File(path.display().to_string()), token))
}

/// The passwords of a netrc file.
fn passwords(path: PathBuf) -> Vec<(Kind, String)> {
    let Some(text) = short_text(&path) else { return Vec::new() };
    let words: Vec<&str> = text.split_whitespace().collect();
    let password = |pair: &[&str]| match pair {
        ["password", value] if is_secret(value) => {
            Some((Kind::File(path.display().to_string()), (*value).to_owned()))
        }
        _ => None,
    };
    words.windows(2).filter_map(password).collect()
}

/// A small regular file; anything else there holds no token.
fn short_text(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    fs::File::open(path).ok()?.take(64 * 1024).read_to_string(&mut text).ok()?;
    Some(text)
}

fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ENDINGS.iter().any(|it| name.ends_with(it))
        && !NO_CREDENTIAL.iter().any(|it| name.ends_with(it))
}

fn is_secret(value: &str) -> bool {
    let varies = value.chars().any(|c| !value.starts_with(c));
    let stands_for = value.starts_with('$') || (value.starts_with('<') && value.ends_with('>'));
    value.len() >= MIN_LEN && varies && !stands_for && !is_placeholder(value)
}

/// As it is, in a JSON string, in a URL, in hexadecimal, and in Base64 wherever it begins in a group of three.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let mut forms: Vec<Cow<'_, str>> = vec![value.into()];
    if let Ok(quoted) = serde_json::to_string(value) {
        forms.push(quoted.trim_matches('"').to_owned().into());
    }
    forms.push(percent(value).into());
    let mut forms: Vec<Vec<u8>> = forms.iter().map(|it| it.as_bytes().to_vec()).collect();
    forms.extend((0..3).map(|skip| super::scan::encoded(value.as_bytes(), skip)));
    let bytes = value.bytes();
    forms.push(bytes.clone().flat_map(|it| format!("{it:02x}").into_bytes()).collect());
    forms.push(bytes.flat_map(|it| format!("{it:02X}").into_bytes()).collect());
    forms.sort();
    forms.dedup();
    forms
}

pub(super) fn percent(value: &str) -> String {
    let byte = |it: u8| match it {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(it).to_string()
        }
        _ => format!("%{it:02X}"),
    };
    value.bytes().map(byte).collect()
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.kinds).finish()
    }
}
