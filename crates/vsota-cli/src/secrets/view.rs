//! The same bytes as a person would read them: without what a terminal swallows, with what a URL
//! spells out.

use std::ops::Range;

/// A reading of some bytes, and where each byte of it stands in them.
#[derive(Debug, Default)]
pub(super) struct View {
    /// What is read.
    pub(super) text: Vec<u8>,
    parts: Vec<Part>,
}

/// Bytes that are read one by one as they stand, or one that several spell.
#[derive(Debug)]
struct Part {
    text: usize,
    raw: usize,
    width: usize,
}

/// The reading of `raw`; `None` where it would be the very same bytes.
pub(super) fn view(raw: &[u8]) -> Option<View> {
    let spelled = memchr::memmem::find(raw, b"\\u00").is_some();
    let hides =
        memchr::memchr3(0x1B, b'%', 0, raw).is_some() || memchr::memchr2(0xE2, 0xEF, raw).is_some();
    if !hides && !spelled {
        return None;
    }
    let mut view = View::default();
    // Up to where the reading goes, and where to look on.
    let (mut read, mut at) = (0, 0);
    let (mut marks, mut letters) = (Next::new(MARKS), Next::new(LETTERS));
    while let Some(next) = marks.since(raw, at).into_iter().chain(letters.since(raw, at)).min() {
        at = next;
        let Some((byte, width)) = other(raw, at) else {
            at += 1;
            continue;
        };
        view.plain(raw, read..at);
        if let Some(byte) = byte {
            view.parts.push(Part { text: view.text.len(), raw: at, width });
            view.text.push(byte);
        }
        at += width;
        read = at;
    }
    view.plain(raw, read..raw.len());
    (view.text != raw).then_some(view)
}

/// Where something else than the byte itself may be read.
const MARKS: [u8; 3] = [0x1B, b'%', 0];
const LETTERS: [u8; 3] = [b'\\', 0xE2, 0xEF];

/// The next of three bytes, looked for once.
struct Next {
    bytes: [u8; 3],
    known: Option<usize>,
    ended: bool,
}

impl Next {
    fn new(bytes: [u8; 3]) -> Self {
        Self { bytes, known: None, ended: false }
    }

    /// The first one at or after `at`; `at` never goes back.
    fn since(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        if !self.ended && self.known.is_none_or(|it| it < at) {
            let [a, b, c] = self.bytes;
            let found = raw.get(at..).and_then(|it| memchr::memchr3(a, b, c, it));
            self.known = found.map(|it| at + it);
            self.ended = found.is_none();
        }
        self.known
    }
}

/// What is read here instead of the byte itself, if anything is, and how many bytes that takes.
fn other(raw: &[u8], at: usize) -> Option<(Option<u8>, usize)> {
    let rest = raw.get(at..)?;
    let spelled = |high, low, width| Some((Some(digit(high)? << 4 | digit(low)?), width));
    match rest {
        [0x1B, ..] => Some((None, escape(rest))),
        [0xE2, 0x80, 0x8B..=0x8F, ..] | [0xE2, 0x81, 0xA0, ..] | [0xEF, 0xBB, 0xBF, ..] => {
            Some((None, 3))
        }
        [b'%', high, low, ..] => spelled(*high, *low, 3),
        // As JSON may spell any letter.
        [b'\\', b'u', b'0', b'0', high, low, ..] => spelled(*high, *low, 6),
        // Text in UTF-16: every other byte is zero.
        [0, ..] if is_wide(raw, at) => Some((None, 1)),
        _ => None,
    }
}

impl View {
    /// Reads a run as it stands.
    fn plain(&mut self, raw: &[u8], run: Range<usize>) {
        let Some(bytes) = raw.get(run.clone()).filter(|it| !it.is_empty()) else { return };
        self.parts.push(Part { text: self.text.len(), raw: run.start, width: 1 });
        self.text.extend_from_slice(bytes);
    }

    /// Where a part of the reading stands in the bytes.
    pub(super) fn place(&self, at: Range<usize>) -> Option<Range<usize>> {
        let (first, last) = (self.one(at.start)?, self.one(at.end.checked_sub(1)?)?);
        Some(first.start..last.end)
    }

    /// Where one byte of the reading stands.
    fn one(&self, at: usize) -> Option<Range<usize>> {
        let part = self.parts.partition_point(|it| it.text <= at).checked_sub(1)?;
        let part = self.parts.get(part)?;
        let start = part.raw + (at - part.text);
        Some(start..start + part.width)
    }
}

/// The length of an escape sequence of a terminal.
fn escape(rest: &[u8]) -> usize {
    match rest.get(1) {
        Some(b'[') => {
            let end = rest.iter().skip(2).take(32).position(|it| (0x40..=0x7E).contains(it));
            end.map_or(1, |it| it + 3)
        }
        _ => 1,
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok())
}

fn is_wide(raw: &[u8], at: usize) -> bool {
    let zero = |at: Option<usize>| at.and_then(|it| raw.get(it)) == Some(&0);
    let odd = at.checked_sub(1).and_then(|it| raw.get(it)).is_some_and(|it| *it != 0)
        || raw.get(at + 1).is_some_and(|it| *it != 0);
    odd && (zero(at.checked_sub(2)) || zero(at.checked_add(2)))
}
