//! Where in these bytes is a secret? One pass over the words that may begin one, and a look around
//! each.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};

use super::context;
use super::kinds::{PREFIXES, Prefix, alnum, base64, dashed};
use super::plausible::{is_mixed, is_varied};

/// No token is longer; a look ahead ends there, so that time stays linear.
pub(super) const LONGEST: usize = 4_096;

/// A secret in a slice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// What it is.
    pub(super) kind: &'static str,
    /// Where it lies.
    pub(super) at: Range<usize>,
    /// Whether the secret itself tells what it is; else only the name beside it does.
    pub(super) by_itself: bool,
}

/// What a word of the automaton may be the beginning of.
#[derive(Clone, Copy)]
enum Probe {
    Prefix(&'static Prefix),
    Encoded { prefix: &'static Prefix, skip: usize },
    WebToken,
    PrivateKey,
    Name,
    Header,
    Url,
    Program,
}

struct Words {
    automaton: AhoCorasick,
    probes: Vec<Probe>,
}

static WORDS: LazyLock<Words> = LazyLock::new(words);

fn words() -> Words {
    let mut patterns: Vec<Vec<u8>> = Vec::new();
    let mut probes = Vec::new();
    let mut add = |pattern: &[u8], probe| {
        patterns.push(pattern.to_vec());
        probes.push(probe);
    };
    for prefix in PREFIXES {
        add(prefix.literal.as_bytes(), Probe::Prefix(prefix));
        for skip in 0..3 {
            let pattern = encoded(prefix.literal.as_bytes(), skip);
            // Shorter ones stand everywhere.
            if pattern.len() >= 4 {
                add(&pattern, Probe::Encoded { prefix, skip });
            }
        }
    }
    add(b"eyJ", Probe::WebToken);
    add(b"PRIVATE KEY-----", Probe::PrivateKey);
    add(b"://", Probe::Url);
    for name in context::NAMES {
        add(name.as_bytes(), Probe::Name);
    }
    for scheme in context::SCHEMES {
        add(scheme.as_bytes(), Probe::Header);
    }
    for program in context::PROGRAMS {
        add(program.word.as_bytes(), Probe::Program);
    }
    let automaton = AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(&patterns);
    // The patterns are constants: they build, or no test passes.
    let automaton = automaton.unwrap_or_else(|error| unreachable!("{error}"));
    Words { automaton, probes }
}

/// The letters of the Base64 form of `literal` that do not depend on what stands around it, when
/// `skip` bytes stand before it in its group of three.
pub(super) fn encoded(literal: &[u8], skip: usize) -> Vec<u8> {
    let bits = |at: usize| -> u32 {
        let byte = at / 8;
        let known = byte.checked_sub(skip).and_then(|it| literal.get(it)).copied().unwrap_or(0);
        u32::from(known >> (7 - at % 8) & 1)
    };
    let (first, last) = (skip * 8, (skip + literal.len()) * 8);
    let letters = first.div_ceil(6)..last / 6;
    letters
        .map(|letter| (0..6).fold(0, |value, bit| value << 1 | bits(letter * 6 + bit)))
        .filter_map(|value| ALPHABET.get(value as usize).copied())
        .collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The secrets in a slice, in order, none touching another.
pub(super) fn scan(text: &[u8]) -> Vec<Found> {
    let Words { automaton, probes } = &*WORDS;
    let mut found: Vec<Found> = Vec::new();
    let mut told_until = 0;
    for word in automaton.find_overlapping_iter(text) {
        let Some(probe) = probes.get(word.pattern().as_usize()) else { continue };
        let at = word.range();
        let hit = match probe {
            // Inside a token nothing else begins.
            Probe::Prefix(_) | Probe::Encoded { .. } | Probe::WebToken if at.start < told_until => {
                None
            }
            Probe::Prefix(prefix) => by_prefix(text, at.start, prefix).map(|at| (prefix.kind, at)),
            Probe::Encoded { prefix, skip } => {
                by_encoded(text, at, prefix, *skip).map(|at| (prefix.kind, at))
            }
            Probe::WebToken => web_token(text, at.start).map(|at| ("jwt", at)),
            Probe::PrivateKey => private_key(text, at).map(|at| ("private-key", at)),
            Probe::Name => context::by_name(text, at),
            Probe::Header => context::by_header(text, at),
            Probe::Url => context::by_url(text, at),
            Probe::Program => context::by_program(text, at),
        };
        let Some((kind, at)) = hit else { continue };
        let by_itself = !matches!(probe, Probe::Name | Probe::Header | Probe::Url | Probe::Program);
        if by_itself {
            told_until = told_until.max(at.end);
        }
        found.push(Found { kind, at, by_itself });
    }
    merge(found)
}

/// Makes one of those that touch; what tells its own kind names it.
pub(super) fn merge(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|it| (it.at.start, it.at.end));
    let mut merged: Vec<Found> = Vec::with_capacity(found.len());
    for next in found {
        match merged.last_mut() {
            Some(last) if next.at.start < last.at.end => {
                last.at.end = last.at.end.max(next.at.end);
                if next.by_itself && !last.by_itself {
                    (last.kind, last.by_itself) = (next.kind, true);
                }
            }
            _ => merged.push(next),
        }
    }
    merged
}

/// The end of the run of a class that begins here.
pub(super) fn run(text: &[u8], from: usize, class: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    from + rest.iter().position(|it| !class(*it)).unwrap_or(rest.len())
}

pub(super) fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|it| text.get(it)).copied()
}

fn by_prefix(text: &[u8], start: usize, prefix: &Prefix) -> Option<Range<usize>> {
    let from = start + prefix.literal.len();
    if text.get(start..from) != Some(prefix.literal.as_bytes()) {
        return None;
    }
    if prefix.alone && before(text, start).is_some_and(alnum) {
        return None;
    }
    let end = run(text, from, prefix.class);
    let body = text.get(from..end)?;
    let end = if body.len() >= prefix.least { end } else { wrapped(text, body, end, prefix)? };
    let body = text.get(from..end)?;
    let start = if prefix.literal.starts_with("hooks.") { scheme(text, start) } else { start };
    (is_varied(body) && !body.ends_with(b"EXAMPLE")).then_some(start..end)
}

/// A terminal may have cut a token into two lines.
fn wrapped(text: &[u8], body: &[u8], end: usize, prefix: &Prefix) -> Option<usize> {
    let rest = text.get(end..)?;
    let next =
        end + if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
    let last = run(text, next, prefix.class);
    let tail = text.get(next..last)?;
    let whole = body.len() + tail.len() >= prefix.least;
    (next > end && body.len() >= 8 && whole && is_mixed(body) && is_mixed(tail)).then_some(last)
}

/// Where the scheme before a host begins.
fn scheme(text: &[u8], host: usize) -> usize {
    let before = text.get(..host).unwrap_or_default();
    let scheme = [&b"https://"[..], b"http://"].into_iter().find(|it| before.ends_with(it));
    host - scheme.map_or(0, <[u8]>::len)
}

/// A token inside Base64: as much of it is decoded as tells its kind.
fn by_encoded(text: &[u8], at: Range<usize>, prefix: &Prefix, skip: usize) -> Option<Range<usize>> {
    let word = encoded(prefix.literal.as_bytes(), skip);
    if text.get(at.clone()) != Some(word.as_slice()) {
        return None;
    }
    let group = at.start.checked_sub((skip * 8).div_ceil(6))?;
    let end = run(text, group, base64);
    let decoded = decode(text.get(group..end)?);
    let token = by_prefix(&decoded, skip, prefix)?;
    // The letters that hold the token's bits; the rest of the group goes with them.
    let last = group + (token.end * 4).div_ceil(3);
    let last = last + text.get(last..end)?.iter().take_while(|it| **it == b'=').count();
    Some(at.start.min(group)..last)
}

fn decode(letters: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(letters.len() * 3 / 4);
    let (mut value, mut bits) = (0_u32, 0);
    for letter in letters {
        let Some(six) = ALPHABET.iter().position(|it| it == letter) else { break };
        value = (value << 6 | six as u32) & 0xFFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            decoded.push((value >> bits & 0xFF) as u8);
        }
    }
    decoded
}

/// `header.payload.signature`, each in the URL form of Base64.
fn web_token(text: &[u8], start: usize) -> Option<Range<usize>> {
    if text.get(start..start + 3) != Some(b"eyJ") || before(text, start).is_some_and(alnum) {
        return None;
    }
    let header = run(text, start, dashed);
    if text.get(header..header + 4) != Some(b".eyJ") {
        return None;
    }
    let payload = run(text, header + 1, dashed);
    if text.get(payload) != Some(&b'.') || payload - start < 24 {
        return None;
    }
    Some(start..run(text, payload + 1, dashed))
}

/// A block of a private key, with its lines of Base64; its end line may be missing.
fn private_key(text: &[u8], at: Range<usize>) -> Option<Range<usize>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let head = text.get(at.start.saturating_sub(32)..at.start)?;
    let begin = memchr::memmem::rfind(head, BEGIN)?;
    let start = at.start - (head.len() - begin);
    let rest = text.get(at.end..)?;
    let rest = rest.get(..2 * LONGEST).unwrap_or(rest);
    let end = match memchr::memmem::find(rest, b"-----END ") {
        Some(end) => {
            let tail = rest.get(end + 9..)?;
            end + 9 + memchr::memmem::find(tail, b"-----").map_or(tail.len(), |it| it + 5)
        }
        // Lines of Base64, as they are or as they stand in a JSON string.
        None => rest
            .iter()
            .position(|it| !base64(*it) && !matches!(it, b'\n' | b'\r' | b'\\' | b' '))
            .unwrap_or(rest.len()),
    };
    (end > 16).then_some(start..at.end + end)
}
