//! Each name once: what is spelled alike is one number.

use alloc::string::String;
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// A name of a trace, by its number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Hash)]
pub struct NameId(pub(super) u32);

impl NameId {
    /// The place of the name among all names, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// All names of a trace.
#[derive(Clone, Debug)]
pub struct Names {
    state: FixedState,
    /// Raw spellings, one after the other, with their ends.
    raw: Vec<u8>,
    ends: Vec<usize>,
    table: HashTable<u32>,
}

impl Default for Names {
    fn default() -> Self {
        let state = FixedState::with_seed(0);
        Self { state, raw: Vec::new(), ends: Vec::new(), table: HashTable::new() }
    }
}

impl Names {
    /// The number of a spelling, as it stands between the quotes.
    ///
    /// `None` when there are more names than 32 bits count.
    pub(super) fn of(&mut self, raw: &[u8]) -> Option<NameId> {
        let hash = self.hash(raw);
        if let Some(id) = self.table.find(hash, |id| self.spelled(*id) == raw) {
            return Some(NameId(*id));
        }
        let id = u32::try_from(self.ends.len()).ok()?;
        self.raw.extend_from_slice(raw);
        self.ends.push(self.raw.len());
        let Self { state, raw, ends, table } = self;
        table.insert_unique(hash, id, |id| hash_of(state, slice(raw, ends, *id)));
        Some(NameId(id))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The name, with its escapes resolved and what is no text replaced.
    pub fn get(&self, id: NameId) -> String {
        text(self.spelled(id.0))
    }

    fn spelled(&self, id: u32) -> &[u8] {
        slice(&self.raw, &self.ends, id)
    }

    fn hash(&self, raw: &[u8]) -> u64 {
        hash_of(&self.state, raw)
    }
}

#[inline]
fn hash_of(state: &FixedState, raw: &[u8]) -> u64 {
    use core::hash::{BuildHasher, Hasher};
    let mut hasher = state.build_hasher();
    hasher.write(raw);
    hasher.finish()
}

fn slice<'a>(raw: &'a [u8], ends: &[usize], id: u32) -> &'a [u8] {
    let id = id as usize;
    let start = id.checked_sub(1).and_then(|it| ends.get(it)).copied().unwrap_or(0);
    let end = ends.get(id).copied().unwrap_or(start);
    raw.get(start..end).unwrap_or_default()
}

/// The text of what stands between two quotes: half a surrogate pair and bytes that are no UTF-8
/// become U+FFFD, as in every reader that goes on.
pub(super) fn text(raw: &[u8]) -> String {
    let plain = String::from_utf8_lossy(raw);
    if !plain.contains('\\') {
        return plain.into_owned();
    }
    let (mut out, mut chars) = (String::with_capacity(plain.len()), plain.chars());
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => unicode(&mut out, &mut chars),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

fn unicode(out: &mut String, chars: &mut core::str::Chars<'_>) {
    let Some(first) = hex(chars) else {
        return out.push(char::REPLACEMENT_CHARACTER);
    };
    if let Some(c) = char::from_u32(first) {
        return out.push(c);
    }
    let rest = chars.as_str();
    let second = rest.strip_prefix("\\u").and_then(|it| hex(&mut it.chars()));
    match second.filter(|low| first < 0xDC00 && (0xDC00..0xE000).contains(low)) {
        Some(low) => {
            let whole = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
            out.push(char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER));
            *chars = rest.get(6..).unwrap_or_default().chars();
        }
        None => out.push(char::REPLACEMENT_CHARACTER),
    }
}

fn hex(chars: &mut core::str::Chars<'_>) -> Option<u32> {
    let digits = chars.as_str().get(..4)?;
    let value = u32::from_str_radix(digits, 16).ok()?;
    *chars = chars.as_str().get(4..).unwrap_or_default().chars();
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_is_one_number() {
        let mut names = Names::default();
        let first = names.of(b"gemm").unwrap();
        let second = names.of(b"").unwrap();
        assert_eq!(names.of(b"gemm"), Some(first));
        assert_ne!(first, second);
        assert_eq!((names.get(first).as_str(), names.get(second).as_str()), ("gemm", ""));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn escapes_are_resolved_and_what_is_no_text_is_replaced() {
        assert_eq!(text(br#"a\"b\\c\/d\n"#), "a\"b\\c/d\n");
        assert_eq!(text(br"\u00e9\ud83d\ude00"), "\u{e9}\u{1F600}");
        assert_eq!(text(br"\ud800"), "\u{FFFD}");
        assert_eq!(text(br"\ud800x\u12"), "\u{FFFD}x\u{FFFD}12");
        assert_eq!(text(b"a\xFFb"), "a\u{FFFD}b");
    }
}
