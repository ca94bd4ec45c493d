//! The same bytes as a person would read them: without what a terminal swallows, with what a URL
//! spells out.

use std::ops::Range;

/// A reading of some bytes, and where each byte of it stands in them.
#[derive(Debug, Default)]
pub(super) struct View {
    /// What is read.
    pub(super) text: Vec<u8>,
    places: Vec<Range<usize>>,
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
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        let rest = raw.get(at..).unwrap_or_default();
        let (read, width) = match rest {
            [0x1B, ..] => (None, escape(rest)),
            [0xE2, 0x80, 0x8B..=0x8F, ..] | [0xE2, 0x81, 0xA0, ..] | [0xEF, 0xBB, 0xBF, ..] => {
                (None, 3)
            }
            [b'%', high, low, ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (Some(high << 4 | low), 3),
                _ => (Some(*byte), 1),
            },
            // As JSON may spell any letter.
            [b'\\', b'u', b'0', b'0', high, low, ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (Some(high << 4 | low), 6),
                _ => (Some(*byte), 1),
            },
            // Text in UTF-16: every other byte is zero.
            [0, ..] if is_wide(raw, at) => (None, 1),
            _ => (Some(*byte), 1),
        };
        if let Some(read) = read {
            view.text.push(read);
            view.places.push(at..at + width);
        }
        at += width;
    }
    (view.text != raw).then_some(view)
}

impl View {
    /// Where a part of the reading stands in the bytes.
    pub(super) fn place(&self, at: Range<usize>) -> Option<Range<usize>> {
        let first = self.places.get(at.start)?;
        let last = self.places.get(at.end.checked_sub(1)?)?;
        Some(first.start..last.end)
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
