//! The events of one writer look alike: the layout of one is tried on the next.
//!
//! A layout is what stands between the values of an event: `, "pid": ` and its like, at most sixteen
//! bytes each. Where all of it is there again, no key is looked for, no white space is skipped and
//! the number of marks is known. Where it is not, nothing was lost but the look.

use super::event::{Category, Event, RawId, Walk};
use super::number;

/// The most values of an event that has a layout.
const VALUES: usize = 12;

/// The most bytes between two values.
const GAP: usize = 16;

/// What a value is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Key {
    Phase,
    Category,
    Name,
    Process,
    Thread,
    Start,
    Duration,
    Args,
    #[default]
    Other,
}

/// Up to sixteen bytes that are looked for at once.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes {
    wanted: u128,
    mask: u128,
}

impl Bytes {
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut wanted = [0; GAP];
        wanted.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let unused = u32::try_from(GAP - bytes.len()).ok()? * 8;
        let mask = u128::MAX.checked_shr(unused).unwrap_or(0);
        Some(Self { wanted: u128::from_le_bytes(wanted), mask })
    }

    /// Whether the text has these bytes at a place with enough text behind it.
    #[inline(always)]
    fn stand_at(self, text: &[u8], at: usize) -> bool {
        let found = text.get(at..).and_then(<[u8]>::first_chunk);
        found.is_some_and(|it| (u128::from_le_bytes(*it) ^ self.wanted) & self.mask == 0)
    }
}

/// What stands before a value, and what the value is.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    gap: Bytes,
    length: usize,
    marks: usize,
    key: Key,
}

/// A value that was seen last, with the byte that ended it.
#[derive(Clone, Copy, Debug, Default)]
struct Seen<T> {
    bytes: Bytes,
    length: usize,
    value: T,
}

/// The layout of an event of phase `X`.
#[derive(Debug, Default)]
pub(super) struct Layout {
    values: [Before; VALUES],
    used: usize,
    /// While one is learnt: where the last value ended, and the marks so far.
    learning: Option<(usize, usize)>,
    category: Seen<Category>,
    process: Seen<i64>,
    thread: Seen<i64>,
}

impl Layout {
    /// Starts to learn the layout of the event whose brace ends before `at`.
    pub(super) fn begin(&mut self, at: usize, marks: usize) {
        self.used = 0;
        self.learning = Some((at, marks));
    }

    /// Learns what stands before a value.
    pub(super) fn value(&mut self, text: &[u8], key: Key, at: usize, marks: usize) {
        let Some((last, before)) = self.learning else { return };
        let between = text.get(last..at).unwrap_or_default();
        match (Bytes::of(between), self.values.get_mut(self.used)) {
            (Some(gap), Some(slot)) => {
                *slot = Before { gap, length: between.len(), marks: marks - before, key };
                self.used += 1;
            }
            _ => self.forget(),
        }
    }

    /// Learns where that value ended.
    pub(super) fn ended(&mut self, at: usize, marks: usize) {
        if let Some(learning) = &mut self.learning {
            *learning = (at, marks);
        }
    }

    /// Takes the layout that another one learnt; what was seen last stays.
    pub(super) fn learn(&mut self, other: Self) {
        (self.values, self.used) = (other.values, other.used);
    }

    fn forget(&mut self) {
        self.used = 0;
        self.learning = None;
    }
}

impl<'a> Walk<'a> {
    /// Reads the event whose brace was passed last, if it is laid out as the last one was.
    #[inline(always)]
    pub(super) fn alike(&mut self, layout: &mut Layout) -> Option<Event<'a>> {
        let brace = *self.marks.get(self.next.checked_sub(1)?)?;
        let mut at = brace as usize + 1;
        let mut event = Event::default();
        let Layout { values, used, category, process, thread, .. } = layout;
        if *used == 0 {
            return None;
        }
        for before in values.get(..*used)? {
            if !before.gap.stand_at(self.text, at) {
                return None;
            }
            at += before.length;
            self.next += before.marks;
            at = match before.key {
                Key::Phase => {
                    event.phase = self.phase(at);
                    event.phase?;
                    at + 3
                }
                Key::Category => self.category(at, category, &mut event)?,
                Key::Name => {
                    let (open, close) = self.quotes(at)?;
                    event.name = self.text.get(open + 1..close)?;
                    close + 1
                }
                Key::Process => self.seen(at, process, &mut event.pid)?,
                Key::Thread => self.seen(at, thread, &mut event.tid)?,
                Key::Start => self.microseconds(at, &mut event.ts)?,
                Key::Duration => self.microseconds(at, &mut event.dur)?,
                Key::Args => self.look_into(at, &mut event).ok()?,
                Key::Other => self.pass(at).ok()?,
            };
        }
        let end = *self.marks.get(self.next)? as usize;
        while at < end {
            if *self.text.get(at)? > b' ' {
                return None;
            }
            at += 1;
        }
        self.next += 1;
        (at == end && self.text.get(end) == Some(&b'}')).then_some(event)
    }

    /// The phase, if it is that of events with a duration.
    #[inline(always)]
    fn phase(&mut self, at: usize) -> Option<u8> {
        self.next += 2;
        let found = self.text.get(at..).and_then(<[u8]>::first_chunk)?;
        (found == b"\"X\"").then_some(b'X')
    }

    /// The quotes of the string that starts at `at`.
    #[inline(always)]
    fn quotes(&mut self, at: usize) -> Option<(usize, usize)> {
        let [open, close] = self.marks.get(self.next..)?.first_chunk()?;
        self.next += 2;
        (*open as usize == at).then_some((at, *close as usize))
    }

    #[inline(always)]
    fn category(
        &mut self,
        at: usize,
        last: &mut Seen<Category>,
        event: &mut Event<'a>,
    ) -> Option<usize> {
        let (open, close) = self.quotes(at)?;
        if last.length == close - open && last.bytes.stand_at(self.text, open + 1) {
            event.category = last.value;
            return Some(close + 1);
        }
        let name = self.text.get(open + 1..close)?;
        event.category = Category::of(name);
        if let Some(bytes) = Bytes::of(name) {
            *last = Seen { bytes, length: close - open, value: event.category };
        }
        Some(close + 1)
    }

    /// A process or thread, which most often is that of the last event.
    #[inline(always)]
    fn seen(&mut self, at: usize, last: &mut Seen<i64>, to: &mut RawId<'a>) -> Option<usize> {
        if last.length > 0 && last.bytes.stand_at(self.text, at) {
            *to = RawId::Number(last.value);
            return Some(at + last.length);
        }
        let (value, after) = self.id(at).ok()?;
        *to = value;
        if let (RawId::Number(value), Some(bytes)) =
            (value, self.text.get(at..after + 1).and_then(Bytes::of))
        {
            *last = Seen { bytes, length: after - at, value };
        }
        Some(after)
    }

    #[inline(always)]
    fn microseconds(&self, at: usize, to: &mut Option<i64>) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let (ns, length) = number::nanoseconds(rest)?;
        *to = Some(ns);
        (length < rest.len()).then_some(at + length)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::evidence::trace::marks::{LANES, Marks};

    fn marks(text: &[u8]) -> Marks {
        let (mut marks, whole) = (Marks::default(), text.len() / LANES * LANES);
        marks.find(&text[..whole], 0);
        marks.find_last(&text[whole..], u32::try_from(whole).unwrap());
        marks
    }

    /// One event: a member a line, as some writers would put it.
    fn event() -> impl Strategy<Value = String> {
        let number = prop_oneof![
            Just("7"),
            Just("851"),
            Just("-1"),
            Just("null"),
            Just("1.5e3"),
            Just("\"[TP00] 9\""),
            Just("6520430064297.186"),
            Just("4.874"),
            Just("12345678.9"),
            Just("1.5.5"),
            Just("0"),
        ];
        let cat = prop_oneof![
            Just("cpu_op"),
            Just("kernel"),
            Just("python_function"),
            Just("gpu_user_annotation")
        ];
        let args = prop_oneof![
            Just("{}"),
            Just("{\"External id\": 3, \"a\": [[\"}\"], {}], \"stream\": 7, \"correlation\": 9}"),
            Just("{ \"stream\" : 7,\"b\":\"x\\\"y\" }"),
            Just("[1]"),
        ];
        let phase = prop_oneof![8 => Just("X"), 1 => Just("f"), 1 => Just("XX")];
        let name = prop_oneof![Just("a"), Just("b{\\\"c"), Just("")];
        (0_u8..4, phase, cat, name, [number.clone(), number.clone(), number.clone(), number], args)
            .prop_map(|(style, phase, cat, name, [pid, tid, ts, dur], args)| {
                let (comma, colon) = [(",", ":"), (", ", ": "), (",\n    ", ": "), (" , ", " : ")]
                    [usize::from(style)];
                let values = [
                    ("ph", alloc::format!("\"{phase}\"")),
                    ("cat", alloc::format!("\"{cat}\"")),
                    ("name", alloc::format!("\"{name}\"")),
                    ("pid", pid.into()),
                    ("tid", tid.into()),
                    ("ts", ts.into()),
                    ("dur", dur.into()),
                    ("args", args.into()),
                ];
                let skip = usize::from(style == 3);
                let members =
                    values.iter().skip(skip).map(|(k, v)| alloc::format!("\"{k}\"{colon}{v}"));
                let members: alloc::vec::Vec<String> = members.collect();
                alloc::format!("{{{}}}\n", members.join(comma))
            })
    }

    proptest! {
        /// What a look at a whole event says, its keys one after the other say too.
        #[test]
        fn a_layout_changes_nothing(events in prop::collection::vec(event(), 1..12)) {
            let mut layout = Layout::default();
            for text in &events {
                // What stands behind an event may be looked at.
                let text = alloc::format!("{text}{}", " ".repeat(64));
                let marks = marks(text.as_bytes());
                let start = Walk { next: 1, ..Walk::new(text.as_bytes(), &marks) };
                let (mut slow, mut fast) = (start, start);
                let keyed = slow.by_keys(&mut Layout::default());
                if let Some(found) = fast.alike(&mut layout) {
                    let keyed = keyed.as_ref().unwrap();
                    prop_assert_eq!((&found, fast.next), (keyed, slow.next));
                }
                let _ = { start }.by_keys(&mut layout);
            }
        }
    }

    #[test]
    fn the_next_event_of_a_writer_needs_no_look_at_its_keys() {
        let events = [
            "{\"ph\": \"X\", \"cat\": \"cpu_op\", \"name\": \"a\", \"pid\": 8, \"tid\": 8,\n  \"ts\": 1.5, \"dur\": 2, \"args\": {\"x\": 1}\n}",
            "{\"ph\": \"X\", \"cat\": \"cpu_op\", \"name\": \"bcd\", \"pid\": 8, \"tid\": 9,\n  \"ts\": 12.5, \"dur\": 2.25, \"args\": {}\n}",
        ];
        let mut layout = Layout::default();
        for (n, text) in events.iter().enumerate() {
            let text = alloc::format!("{text}{}", " ".repeat(64));
            let marks = marks(text.as_bytes());
            let mut walk = Walk { next: 1, ..Walk::new(text.as_bytes(), &marks) };
            let found = walk.alike(&mut layout);
            assert_eq!(found.is_some(), n == 1);
            if let Some(event) = found {
                assert_eq!(
                    (event.name, event.ts, event.dur),
                    (&b"bcd"[..], Some(12_500), Some(2_250))
                );
                assert_eq!((event.pid, event.tid), (RawId::Number(8), RawId::Number(9)));
            }
            walk.next = 1;
            walk.by_keys(&mut layout).unwrap();
        }
    }
}
