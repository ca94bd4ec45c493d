//! Secrets that only their surroundings tell: a name, a header, a URL, the flag of a program.

use std::ops::Range;

use super::kinds::{alnum, base64};
use super::plausible::{is_placeholder, is_plausible, is_varied};
use super::scan::{LONGEST, run};

type Hit = Option<(&'static str, Range<usize>)>;

/// How the name of a secret ends; a name that goes on after it is another name.
pub(super) const NAMES: [&str; 8] =
    ["key", "token", "secret", "password", "passwd", "credential", "credentials", "\"auth"];

/// The schemes of an `Authorization` header.
pub(super) const SCHEMES: [&str; 3] = ["bearer ", "basic ", "authorization: token "];

/// A program that takes a secret as the value of a flag.
#[derive(Debug)]
pub(super) struct Program {
    /// How it is called.
    pub(super) word: &'static str,
    flags: &'static [&'static str],
    /// The value is `user:password`, and only the password is the secret.
    after_colon: bool,
}

/// Programs whose flags are too short to be found by their name.
pub(super) const PROGRAMS: [Program; 4] = [
    Program { word: "sshpass ", flags: &["-p"], after_colon: false },
    Program { word: "docker login", flags: &["-p"], after_colon: false },
    Program { word: "podman login", flags: &["-p"], after_colon: false },
    Program { word: "curl ", flags: &["-u", "--user"], after_colon: true },
];

/// Names that end like a secret's and name a thing of caches, tables and tuning.
const HARMLESS: [&str; 16] = [
    "cache",
    "primary",
    "sort",
    "public",
    "foreign",
    "partition",
    "group",
    "hash",
    "lookup",
    "routing",
    "dict",
    "config",
    "kernel",
    "tuning",
    "graph",
    "pad",
];

/// A value beside a name: `NAME=V`, `"name": "V"`, `--name V`, a line of a netrc file.
pub(super) fn by_name(text: &[u8], word: Range<usize>) -> Hit {
    let from = value_start(text, word.clone())?;
    let name_start = word.start - name_before(text, word.start);
    let name = text.get(name_start..word.end)?.to_ascii_lowercase();
    if !is_secret_name(text, name_start, &name) {
        return None;
    }
    let at = value(text, from)?;
    let value = text.get(at.clone())?;
    let kind = if name.ends_with(b"token") {
        "token"
    } else if name.ends_with(b"key") {
        "key"
    } else if name.starts_with(b"\"auth") {
        "auth"
    } else {
        "password"
    };
    is_plausible(value).then_some((kind, at))
}

/// Where the value begins, when a separator follows the name.
fn value_start(text: &[u8], word: Range<usize>) -> Option<usize> {
    let mut at = word.end;
    // A closing quote, as it is or as it stands in a JSON string.
    if text.get(at) == Some(&b'\\') {
        at += 1;
    }
    if matches!(text.get(at), Some(b'"' | b'\'')) {
        at += 1;
    }
    let spaced = run(text, at, |it| matches!(it, b' ' | b'\t'));
    match text.get(spaced)? {
        b'=' => {
            let arrow = text.get(spaced + 1) == Some(&b'>');
            Some(spaced + 1 + usize::from(arrow))
        }
        b':' => Some(spaced + 1),
        // `--api-key V`, and netrc's `password V`.
        _ if spaced == word.end + 1 => {
            let name = word.start - name_before(text, word.start);
            let flag = text.get(name..name + 2) == Some(b"--");
            let netrc = text.get(word) == Some(b"password") && is_netrc(text, name);
            (flag || netrc).then_some(spaced)
        }
        _ => None,
    }
}

/// Whether `login NAME` or `machine HOST` stands before.
fn is_netrc(text: &[u8], at: usize) -> bool {
    let before = text.get(at.saturating_sub(200)..at).unwrap_or_default();
    before.last().is_some_and(u8::is_ascii_whitespace)
        && [&b"login "[..], b"machine "].iter().any(|it| memchr::memmem::find(before, it).is_some())
}

/// How many bytes of the name stand before the word that ends it.
fn name_before(text: &[u8], at: usize) -> usize {
    let before = text.get(at.saturating_sub(64)..at).unwrap_or_default();
    let other = |it: &u8| !(alnum(*it) || matches!(it, b'_' | b'-' | b'.'));
    before.len() - before.iter().rposition(other).map_or(0, |it| it + 1)
}

fn is_secret_name(text: &[u8], start: usize, name: &[u8]) -> bool {
    let Some(stem) = name.strip_suffix(b"key") else { return true };
    let stem = stem.strip_suffix(b"_").or(stem.strip_suffix(b"-")).unwrap_or(stem);
    if stem.is_empty() {
        // A bare `key` is everything and nothing, except where one logs in.
        return text.get(..start).is_some_and(|it| it.ends_with(b"login("));
    }
    !HARMLESS.iter().any(|it| stem.ends_with(it.as_bytes()))
}

/// The value that begins here: in quotes, or up to what cannot belong to it.
fn value(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = run(text, from, |it| matches!(it, b' ' | b'\t'));
    if matches!(text.get(at), Some(b'[' | b'(')) {
        at += 1;
    }
    if text.get(at) == Some(&b'\\') {
        at += 1;
    }
    let end = match text.get(at)? {
        quote @ (b'"' | b'\'' | b'`') => {
            at += 1;
            run(text, at, |it| it != *quote && !matches!(it, b'\n' | b'\r' | b'\\'))
        }
        _ => run(text, at, |it| !it.is_ascii_whitespace() && !is_end(it)),
    };
    // A URL query goes on with the next parameter.
    let end = memchr::memchr(b'&', text.get(at..end)?).map_or(end, |it| at + it);
    Some(at..end)
}

fn is_end(it: u8) -> bool {
    matches!(
        it,
        b'"' | b'\''
            | b'`'
            | b','
            | b';'
            | b')'
            | b']'
            | b'}'
            | b'&'
            | b'<'
            | b'>'
            | b'|'
            | b'\\'
            | 0
            | 27
    )
}

/// `Bearer V`, and `Basic V` and `Token V` where `Authorization` stands before.
pub(super) fn by_header(text: &[u8], word: Range<usize>) -> Hit {
    let scheme = text.get(word.clone())?.to_ascii_lowercase();
    let head = text.get(word.start.saturating_sub(24)..word.start)?.to_ascii_lowercase();
    let named = memchr::memmem::find(&head, b"authorization").is_some();
    let from = run(text, word.end, |it| it == b' ');
    let end = run(text, from, |it| base64(it) || matches!(it, b'-' | b'.' | b'_' | b'~'));
    let value = text.get(from..end)?;
    let told = match scheme.as_slice() {
        b"bearer " => named || value.len() >= 20,
        b"basic " => named,
        _ => true,
    };
    (told && is_plausible(value)).then_some(("authorization", from..end))
}

/// The password of `scheme://user:password@host`.
pub(super) fn by_url(text: &[u8], word: Range<usize>) -> Hit {
    let authority = |it: u8| {
        !it.is_ascii_whitespace() && !matches!(it, b'/' | b'"' | b'\'' | b'<' | b'>' | b'`')
    };
    let rest = text.get(word.end..)?;
    let rest = rest.get(..LONGEST / 8).unwrap_or(rest);
    let end = rest.iter().position(|it| !authority(*it)).unwrap_or(rest.len());
    let rest = rest.get(..end)?;
    let host = memchr::memrchr(b'@', rest)?;
    let user = memchr::memchr(b':', rest.get(..host)?)?;
    let password = rest.get(user + 1..host)?;
    let text = std::str::from_utf8(password).unwrap_or("?");
    let stands_for = text.starts_with(['$', '<', '{', '*', '%'])
        || is_placeholder(text)
        || ["password", "pass", "pwd", "user"].contains(&text);
    let at = word.end + user + 1..word.end + host;
    (password.len() >= 4 && !stands_for).then_some(("url-password", at))
}

/// The value of a flag that only one program has.
pub(super) fn by_program(text: &[u8], word: Range<usize>) -> Hit {
    let name = text.get(word.clone())?.to_ascii_lowercase();
    let program = PROGRAMS.iter().find(|it| it.word.as_bytes() == name)?;
    let line_end = run(text, word.end, |it| it != b'\n');
    let mut at = word.end;
    while at < line_end {
        at = run(text, at, |it| it == b' ');
        let end = run(text, at, |it| !it.is_ascii_whitespace());
        let flag = text.get(at..end)?;
        if program.flags.iter().any(|it| it.as_bytes() == flag) {
            let mut value = value(text, end)?;
            if program.after_colon {
                let colon = memchr::memchr(b':', text.get(value.clone())?)?;
                value.start += colon + 1;
            }
            let bytes = text.get(value.clone())?;
            let stands_for = bytes.starts_with(b"$") || bytes.starts_with(b"<");
            return (bytes.len() >= 6 && is_varied(bytes) && !stands_for)
                .then_some(("password", value));
        }
        at = end.max(at + 1);
    }
    None
}
