//! Is this the journal of a campaign, untouched? Pure: bytes in, entries out.
//!
//! A journal is lines, and a line is an [`Entry`] as JSON. Each entry names the SHA-256 of the line
//! before it, so that a change anywhere but in the last line breaks the chain; the last line is
//! held by the heads outside the journal. Bytes after the last newline never were an entry.

use std::fmt;
use std::str::FromStr;
use std::thread;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use vsota_core::{Digest, Format};

use crate::escape;
use vsota_core::Entry;

/// What the first entry names as the line before it.
pub const ORIGIN: Digest = Digest::from_bytes([0; 32]);

/// The most bytes that a line may have to be read at all.
pub const MAX_LINE: usize = 64 * 1024;

/// From this size on, hashing has a thread of its own.
const WORTH_A_THREAD: usize = 256 * 1024;

/// A place in a journal and the hash of the line there: enough to recognise all that came before.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The place of the last entry, from 1.
    pub seq: u64,
    /// The SHA-256 of its line, without the newline.
    pub hash: Digest,
}

/// A journal that cannot be believed, and where.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("line {line}: {flaw}")]
pub struct Damage {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What can be wrong with a line.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Flaw {
    /// The journal was written by a later version.
    #[error("the journal has format {0}; this version reads up to {max}", max = Format::CURRENT.0)]
    NewerFormat(u64),
    /// A field or an event that this version does not know.
    #[error("from a newer version or damaged: {0}")]
    Unknown(String),
    /// Not an entry.
    #[error("not an entry: {0}")]
    NotAnEntry(String),
    /// Nothing between two newlines.
    #[error("the line is blank")]
    Blank,
    /// A byte order mark.
    #[error("the line begins with a byte order mark")]
    ByteOrderMark,
    /// A carriage return before the newline.
    #[error("the line ends in a carriage return")]
    CarriageReturn,
    /// NUL bytes, as a crash of the system leaves them.
    #[error("the line holds NUL bytes")]
    Nul,
    /// Far more bytes than an event can have.
    #[error("the line has {0} bytes; at most {MAX_LINE} are read")]
    TooLong(usize),
    /// An entry is missing, doubled or out of order.
    #[error("entry {found} stands where entry {expected} belongs")]
    OutOfOrder {
        /// The place that comes next.
        expected: u64,
        /// The place that was found.
        found: u64,
    },
    /// The entry does not continue the line before.
    #[error("the entry does not continue the line before it: one of the two was changed")]
    BrokenChain,
    /// The same entry is written in another way.
    #[error("the line is not written as vsota writes it")]
    NotCanonical,
    /// The event cannot have happened there.
    #[error("{0}")]
    Misplaced(String),
}

/// How closely the lines are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Care {
    /// Order, chain and shape: on every opening.
    Chain,
    /// Also that every entry is written exactly as this version writes it: for `verify`.
    Bytes,
}

/// The hashes of the lines of a journal that holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Links(Vec<Digest>);

impl Links {
    /// The last entry; `None` in an empty journal.
    pub fn head(&self) -> Option<Head> {
        let hash = *self.0.last()?;
        Some(Head { seq: self.0.len() as u64, hash })
    }

    /// Whether some entry of the journal has this hash.
    pub fn holds(&self, hash: Digest) -> bool {
        self.0.contains(&hash)
    }

    /// Whether the journal, at some time, had this head.
    pub fn passed(&self, head: Head) -> bool {
        let index = head.seq.checked_sub(1).and_then(|it| usize::try_from(it).ok());
        index.and_then(|it| self.0.get(it)) == Some(&head.hash)
    }
}

/// How many bytes of a journal are lines; the rest is a torn tail.
///
/// A last line that ends in a newline but is not JSON is torn as well when an outside head names the
/// line before it: its event was never acknowledged, because the head is written first.
pub fn whole(bytes: &[u8], outside: &[Head]) -> usize {
    let end = memchr::memrchr(b'\n', bytes).map_or(0, |it| it + 1);
    let lines = bytes.get(..end).unwrap_or_default();
    let Some((last, before)) = last_line(lines) else { return end };
    if last.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(last).is_ok() {
        return end;
    }
    let acknowledged = last_line(before).map(|(line, _)| Digest::of(line));
    if outside.iter().any(|it| Some(it.hash) == acknowledged) { before.len() } else { end }
}

/// Reads every line, hands its entry over, and holds all of them together by their chain.
///
/// `lines` ends in a newline or is empty. The first damage is reported, by line.
///
/// # Errors
///
/// When a line is not an entry, is out of order, or does not continue the line before it, and when
/// `each` does not take it.
pub fn walk(
    lines: &[u8],
    care: Care,
    each: impl FnMut(Entry) -> Result<(), String>,
) -> Result<Links, Damage> {
    refuse_newer(lines)?;
    if lines.len() < WORTH_A_THREAD {
        let (read, prevs) = read(lines, care, each);
        return hold(read, &prevs, hashes(lines));
    }
    thread::scope(|scope| {
        let hashing = scope.spawn(|| hashes(lines));
        let (read, prevs) = read(lines, care, each);
        // A thread that only hashes does not panic; if it did, hash again here.
        hold(read, &prevs, hashing.join().unwrap_or_else(|_| hashes(lines)))
    })
}

/// The hashes of the lines, when every line names its place and the hash of the line before it as vsota
/// writes them. No entry is looked into: whoever knows the last hash knows what all of them say.
///
/// `lines` ends in a newline or is empty.
pub fn linked(lines: &[u8]) -> Option<Links> {
    let hashes = hashes(lines);
    let before = std::iter::once(&ORIGIN).chain(&hashes);
    let mut chain = (1..).zip(split(lines)).zip(before);
    chain.all(|((seq, line), prev)| names(line, seq, *prev)).then_some(Links(hashes))
}

/// Whether a line begins as the entry of that place, after the line of that hash.
fn names(line: &[u8], seq: u64, prev: Digest) -> bool {
    let begin = || {
        let line = line.strip_prefix(b"{\"seq\":")?.strip_prefix(seq.to_string().as_bytes())?;
        let time = line.strip_prefix(b",\"at\":")?;
        let rest = time.get(time.iter().position(|it| *it == b',')?..)?;
        let hash = rest.strip_prefix(b",\"prev\":\"")?.split_first_chunk::<64>()?.0;
        str::from_utf8(hash).ok()?.parse::<Digest>().ok()
    };
    begin() == Some(prev)
}

/// Names the damage with the smallest line: what reading found, or where the chain breaks.
fn hold(read: Result<(), Damage>, prevs: &[Digest], hashes: Vec<Digest>) -> Result<Links, Damage> {
    let before = std::iter::once(&ORIGIN).chain(&hashes);
    if let Some(index) = prevs.iter().zip(before).position(|(prev, hash)| prev != hash) {
        return Err(Damage { line: index as u64 + 1, flaw: Flaw::BrokenChain });
    }
    read.map(|()| Links(hashes))
}

fn read(
    lines: &[u8],
    care: Care,
    mut each: impl FnMut(Entry) -> Result<(), String>,
) -> (Result<(), Damage>, Vec<Digest>) {
    let mut prevs = Vec::with_capacity(lines.len() / 1024);
    // Looked at once as a whole, its strings need no second look each.
    let text = str::from_utf8(lines).ok();
    let mut at = 0;
    for (number, line) in (1..).zip(split(lines)) {
        let known = text.and_then(|it| it.get(at..at + line.len()));
        at += line.len() + 1;
        let taken = parse(line, known, number, care).and_then(|entry| {
            prevs.push(entry.prev);
            each(entry).map_err(Flaw::Misplaced)
        });
        if let Err(flaw) = taken {
            return (Err(Damage { line: number, flaw }), prevs);
        }
    }
    (Ok(()), prevs)
}

/// `known` is the same line where its text was already found to be UTF-8.
fn parse(line: &[u8], known: Option<&str>, number: u64, care: Care) -> Result<Entry, Flaw> {
    if line.len() > MAX_LINE {
        return Err(Flaw::TooLong(line.len()));
    }
    // White space around an entry is JSON, and not ours.
    if line.first() != Some(&b'{') || line.last() != Some(&b'}') {
        return Err(shape(line));
    }
    let entry: Result<Entry, _> = match known {
        Some(text) => serde_json::from_str(text),
        None => serde_json::from_slice(line),
    };
    let entry = entry.map_err(|error| name(line, &error))?;
    if entry.seq.0 != number {
        return Err(Flaw::OutOfOrder { expected: number, found: entry.seq.0 });
    }
    if care == Care::Bytes && serde_json::to_vec(&entry).ok().as_deref() != Some(line) {
        return Err(Flaw::NotCanonical);
    }
    Ok(entry)
}

/// Names what is wrong around a line.
fn shape(line: &[u8]) -> Flaw {
    if line.is_empty() {
        Flaw::Blank
    } else if line.starts_with("\u{feff}".as_bytes()) {
        Flaw::ByteOrderMark
    } else if line.contains(&0) {
        Flaw::Nul
    } else if line.ends_with(b"\r") {
        Flaw::CarriageReturn
    } else {
        Flaw::NotAnEntry("it does not begin with { and end with }".to_owned())
    }
}

/// Names what is wrong inside a line.
fn name(line: &[u8], error: &serde_json::Error) -> Flaw {
    if line.contains(&0) {
        return Flaw::Nul;
    }
    let text = error.to_string();
    let text = text.strip_suffix(&format!(" at line {} column {}", error.line(), error.column()));
    let what = escape::brief(text.unwrap_or("malformed"), 200);
    let message = format!("{what} (column {})", error.column());
    if error.is_data() && (what.starts_with("unknown ") || what.starts_with("missing ")) {
        Flaw::Unknown(message)
    } else {
        Flaw::NotAnEntry(message)
    }
}

/// Says that a journal is newer before anything else is said about it.
fn refuse_newer(lines: &[u8]) -> Result<(), Damage> {
    #[derive(Deserialize)]
    struct Peek {
        event: PeekEvent,
    }
    #[derive(Deserialize)]
    struct PeekEvent {
        #[serde(rename = "campaign-opened")]
        opened: PeekOpening,
    }
    #[derive(Deserialize)]
    struct PeekOpening {
        format: u64,
    }

    let first = split(lines).next().unwrap_or_default();
    match serde_json::from_slice::<Peek>(first) {
        Ok(Peek { event: PeekEvent { opened } }) if opened.format > Format::CURRENT.0.into() => {
            Err(Damage { line: 1, flaw: Flaw::NewerFormat(opened.format) })
        }
        _ => Ok(()),
    }
}

/// The lines without their newlines.
fn split(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr::memchr_iter(b'\n', lines).map(move |end| {
        let line = lines.get(start..end).unwrap_or_default();
        start = end + 1;
        line
    })
}

/// The last line, and all bytes before it.
fn last_line(lines: &[u8]) -> Option<(&[u8], &[u8])> {
    let body = lines.strip_suffix(b"\n")?;
    let start = memchr::memrchr(b'\n', body).map_or(0, |it| it + 1);
    Some((body.get(start..)?, lines.get(..start)?))
}

fn hashes(lines: &[u8]) -> Vec<Digest> {
    let mut hashes = Vec::with_capacity(lines.len() / 1024);
    hashes.extend(split(lines).map(|line| Digest::from_bytes(Sha256::digest(line).into())));
    hashes
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seq, hash) = text.split_once(' ').ok_or(())?;
        let head = Self { seq: seq.parse().map_err(drop)?, hash: hash.parse().map_err(drop)? };
        // Only the one way of writing it: no sign, no leading zero.
        if head.seq > 0 && head.to_string() == text { Ok(head) } else { Err(()) }
    }
}
