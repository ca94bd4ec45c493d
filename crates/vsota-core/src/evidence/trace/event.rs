//! One event of the text: its keys and the values that some table needs.

use super::layout::{Key, Layout};
use super::marks::Marks;
use super::number;

/// A short key as the number that [`Walk::short_key`] makes of it.
const fn code(key: &[u8]) -> u64 {
    let (mut code, mut rest) = (0, key);
    while let [first, others @ ..] = rest {
        code = (code >> 8) | (*first as u64) << 56;
        rest = others;
    }
    code
}

const PH: u64 = code(b"ph");
const CAT: u64 = code(b"cat");
const NAME: u64 = code(b"name");
const PID: u64 = code(b"pid");
const TID: u64 = code(b"tid");
const TS: u64 = code(b"ts");
const DUR: u64 = code(b"dur");
const ARGS: u64 = code(b"args");

/// Why an event cannot be taken yet, or at all.
#[derive(Debug)]
pub(super) enum Stop {
    /// Its end is not here yet.
    More,
    /// Here something else is expected.
    Bad(usize, &'static str),
}

/// A value, and the place after it.
type Read<T> = Result<(T, usize), Stop>;

/// A process or thread as the text has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum RawId<'a> {
    Number(i64),
    Text(&'a [u8]),
    #[default]
    Missing,
}

/// What an event is to the tables.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Category {
    Kernel,
    Memcpy,
    Memset,
    Runtime,
    CpuOp,
    Python,
    Annotation,
    GpuAnnotation,
    Flow,
    #[default]
    Other,
}

/// The values of one event.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Event<'a> {
    pub phase: Option<u8>,
    pub category: Category,
    pub name: &'a [u8],
    pub pid: RawId<'a>,
    pub tid: RawId<'a>,
    pub ts: Option<i64>,
    pub dur: Option<i64>,
    pub external: Option<i64>,
    pub correlation: Option<i64>,
    pub stream: RawId<'a>,
}

/// A walk along the marks of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    pub text: &'a [u8],
    pub marks: &'a [u32],
    /// The mark that is next.
    pub next: usize,
}

impl Category {
    pub(super) fn of(text: &[u8]) -> Self {
        match text {
            b"python_function" => Self::Python,
            b"cpu_op" => Self::CpuOp,
            b"cuda_runtime" | b"cuda_driver" => Self::Runtime,
            b"kernel" => Self::Kernel,
            b"ac2g" | b"fwdbwd" => Self::Flow,
            b"gpu_memcpy" => Self::Memcpy,
            b"gpu_memset" => Self::Memset,
            b"user_annotation" => Self::Annotation,
            b"gpu_user_annotation" => Self::GpuAnnotation,
            _ if text.eq_ignore_ascii_case(b"kernel") => Self::Kernel,
            _ if text.eq_ignore_ascii_case(b"memcpy") => Self::Memcpy,
            _ if text.eq_ignore_ascii_case(b"memset") => Self::Memset,
            _ if text.eq_ignore_ascii_case(b"hip_runtime") => Self::Runtime,
            _ if text.eq_ignore_ascii_case(b"runtime") => Self::Runtime,
            _ if text.eq_ignore_ascii_case(b"operator") => Self::CpuOp,
            _ => Self::Other,
        }
    }

    fn is_gpu(self) -> bool {
        matches!(self, Self::Kernel | Self::Memcpy | Self::Memset)
    }

    /// Whether its `args` hold something of use.
    fn has_args(self) -> bool {
        self.is_gpu() || matches!(self, Self::Runtime | Self::CpuOp | Self::GpuAnnotation)
    }
}

impl Event<'_> {
    /// Whether everything that a table needs of its `args` is there.
    #[inline(always)]
    fn has_links(&self) -> bool {
        match self.category {
            Category::CpuOp => self.external.is_some(),
            Category::Runtime => self.external.is_some() && self.correlation.is_some(),
            it if it.is_gpu() => {
                self.external.is_some()
                    && self.correlation.is_some()
                    && self.stream != RawId::Missing
            }
            _ => false,
        }
    }

    /// Whether it is known to hold nothing for the tables.
    #[inline(always)]
    fn is_idle(&self) -> bool {
        matches!(self.phase, Some(b's' | b'f' | b't' | b'M'))
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a [u8], marks: &'a Marks) -> Self {
        Self { text, marks: marks.places(), next: 0 }
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    /// The next mark, which is then passed.
    #[inline(always)]
    pub(super) fn mark(&mut self) -> Result<usize, Stop> {
        let mark = self.marks.get(self.next).ok_or(Stop::More)?;
        self.next += 1;
        Ok(*mark as usize)
    }

    /// The first byte from `at` on that is no white space.
    #[inline(always)]
    pub(super) fn solid(&self, mut at: usize) -> Result<usize, Stop> {
        loop {
            match self.byte(at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => at += 1,
                Some(_) => return Ok(at),
                None => return Err(Stop::More),
            }
        }
    }

    /// The text of the string whose opening quote was passed last, and the place after it.
    #[inline(always)]
    fn string(&mut self, open: usize) -> Result<(&'a [u8], usize), Stop> {
        let close = self.mark()?;
        let inside = self.text.get(open + 1..close).ok_or(Stop::Bad(open, "a string"))?;
        Ok((inside, close + 1))
    }

    /// A key, and where its value starts. The mark of its opening quote was passed last.
    #[inline(always)]
    pub(super) fn key(&mut self, open: usize) -> Result<(&'a [u8], usize), Stop> {
        let (key, after) = self.string(open)?;
        let colon = self.solid(after)?;
        if self.byte(colon) != Some(b':') {
            return Err(Stop::Bad(colon, "`:` after a key"));
        }
        Ok((key, self.solid(colon + 1)?))
    }

    /// Passes a value that nobody needs; returns the place after it.
    #[inline(always)]
    pub(super) fn pass(&mut self, at: usize) -> Result<usize, Stop> {
        match self.byte(at) {
            Some(b'"') => {
                self.mark()?;
                Ok(self.mark()? + 1)
            }
            Some(b'{' | b'[') => self.nested(),
            Some(_) => self.scalar(at),
            None => Err(Stop::More),
        }
    }

    /// Passes an object or array whose opening mark is next.
    pub(super) fn nested(&mut self) -> Result<usize, Stop> {
        self.mark()?;
        self.closed(1)
    }

    /// Passes what is open so many brackets deep; returns the place after it.
    fn closed(&mut self, mut depth: u32) -> Result<usize, Stop> {
        loop {
            let at = self.mark()?;
            match self.byte(at) {
                Some(b'"') => {
                    self.mark()?;
                }
                Some(b'{' | b'[') => depth = depth.saturating_add(1),
                _ => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Ok(at + 1);
                    }
                }
            }
        }
    }

    fn scalar(&self, at: usize) -> Result<usize, Stop> {
        let mut end = at;
        while let Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'+' | b'-') =
            self.byte(end)
        {
            end += 1;
        }
        match self.byte(end) {
            None => Err(Stop::More),
            Some(_) if end == at => Err(Stop::Bad(at, "a value")),
            Some(_) => Ok(end),
        }
    }

    #[inline(always)]
    fn text_value(&mut self, at: usize) -> Result<(&'a [u8], usize), Stop> {
        if self.byte(at) == Some(b'"') {
            let open = self.mark()?;
            return self.string(open);
        }
        Ok((b"", self.pass(at)?))
    }

    #[inline(always)]
    fn number_value(
        &mut self,
        at: usize,
        read: fn(&[u8]) -> Option<(i64, usize)>,
    ) -> Result<(Option<i64>, usize), Stop> {
        let rest = self.text.get(at..).unwrap_or_default();
        if !matches!(rest.first(), Some(b'0'..=b'9' | b'-')) {
            return Ok((None, self.pass(at)?));
        }
        match read(rest) {
            // A number that touches the end of the text may go on.
            Some((_, length)) if length == rest.len() => Err(Stop::More),
            Some((value, length)) => Ok((Some(value), at + length)),
            None => Ok((None, self.scalar(at)?)),
        }
    }

    #[inline(always)]
    pub(super) fn id(&mut self, at: usize) -> Result<(RawId<'a>, usize), Stop> {
        if self.byte(at) == Some(b'"') {
            let (text, after) = self.text_value(at)?;
            return Ok((RawId::Text(text), after));
        }
        let (value, after) = self.number_value(at, number::count)?;
        Ok((value.map_or(RawId::Missing, RawId::Number), after))
    }

    /// What follows a value: the opening quote of the next key, or the end of the object.
    #[inline(always)]
    fn following(&mut self, after: usize) -> Result<Option<usize>, Stop> {
        let at = if self.byte(after) == Some(b',') { after } else { self.solid(after)? };
        match self.byte(at) {
            Some(b',') => {
                let mark = self.mark()?;
                // White space is all that may stand between, and mostly does.
                let before = mark.wrapping_sub(1);
                let near = before == at || self.byte(before).is_some_and(|it| it <= b' ');
                if near && self.byte(mark) == Some(b'"') {
                    return Ok(Some(mark));
                }
                Err(Stop::Bad(self.solid(at + 1)?, "a key in quotes"))
            }
            Some(b'}') => {
                self.mark()?;
                Ok(None)
            }
            _ => Err(Stop::Bad(at, "`,` or `}` after a value")),
        }
    }

    /// The first key of an object whose brace was passed last, or its end.
    #[inline(always)]
    pub(super) fn first(&mut self) -> Result<Option<usize>, Stop> {
        let mark = self.mark()?;
        match self.byte(mark) {
            Some(b'"') => Ok(Some(mark)),
            Some(b'}') => Ok(None),
            _ => Err(Stop::Bad(mark, "a key in quotes")),
        }
    }

    /// A key as a number, where it has at most eight bytes, and where its value starts.
    ///
    /// One comparison of a number replaces one of bytes for each key that is known.
    #[inline(always)]
    fn short_key(&mut self, open: usize) -> Result<(u64, usize), Stop> {
        let close = self.mark()?;
        let length = close.wrapping_sub(open + 1);
        let code = match self.text.get(open + 1..).and_then(<[u8]>::first_chunk) {
            Some(bytes) if length <= 8 => {
                let unused = 8_u32.saturating_sub(u32::try_from(length).unwrap_or(8)) * 8;
                u64::from_le_bytes(*bytes).checked_shl(unused).unwrap_or(0)
            }
            Some(_) => 0,
            // So near to the end of the text no event ends.
            None => return Err(Stop::More),
        };
        // Most writers put nothing before the colon and at most one space after it.
        if let Some([b':', second, third]) = self.text.get(close + 1..close + 4) {
            if *second > b' ' {
                return Ok((code, close + 2));
            }
            if *second == b' ' && *third > b' ' {
                return Ok((code, close + 3));
            }
        }
        let colon = self.solid(close + 1)?;
        if self.byte(colon) != Some(b':') {
            return Err(Stop::Bad(colon, "`:` after a key"));
        }
        Ok((code, self.solid(colon + 1)?))
    }

    /// Reads the event whose brace was passed last: as the one before it, or key by key.
    #[inline(always)]
    pub(super) fn event(&mut self, layout: &mut Layout) -> Result<Event<'a>, Stop> {
        let before = self.next;
        if let Some(event) = self.alike(layout) {
            return Ok(event);
        }
        self.next = before;
        self.by_keys(layout)
    }

    pub(super) fn by_keys(&mut self, layout: &mut Layout) -> Result<Event<'a>, Stop> {
        let mut event = Event::default();
        let mut learnt = Layout::default();
        let brace = self.next.checked_sub(1).and_then(|it| self.marks.get(it)).copied();
        learnt.begin(brace.map_or(0, |it| it as usize + 1), self.next);
        let mut next = self.first()?;
        while let Some(open) = next {
            let (key, at) = self.short_key(open)?;
            // Nothing else of an arrow or of metadata is wanted.
            if event.is_idle() {
                return self.rest(at).map(|()| event);
            }
            let key = match key {
                PH => Key::Phase,
                CAT => Key::Category,
                NAME => Key::Name,
                PID => Key::Process,
                TID => Key::Thread,
                TS => Key::Start,
                DUR => Key::Duration,
                ARGS => Key::Args,
                _ => Key::Other,
            };
            learnt.value(self.text, key, at, self.next);
            let after = self.value(key, at, &mut event)?;
            learnt.ended(after, self.next);
            next = self.following(after)?;
        }
        if event.phase == Some(b'X') {
            layout.learn(learnt);
        }
        Ok(event)
    }

    #[inline(always)]
    fn value(&mut self, key: Key, at: usize, event: &mut Event<'a>) -> Result<usize, Stop> {
        match key {
            Key::Phase => {
                let (text, after) = self.text_value(at)?;
                event.phase = text.first().copied();
                Ok(after)
            }
            Key::Category => {
                let (text, after) = self.text_value(at)?;
                event.category = Category::of(text);
                Ok(after)
            }
            Key::Name => {
                let (text, after) = self.text_value(at)?;
                event.name = text;
                Ok(after)
            }
            Key::Process => self.set(at, Self::id, |value| event.pid = value),
            Key::Thread => self.set(at, Self::id, |value| event.tid = value),
            Key::Start => self.set(at, Self::time, |value| event.ts = value),
            Key::Duration => self.set(at, Self::time, |value| event.dur = value),
            Key::Args => self.look_into(at, event),
            Key::Other => self.pass(at),
        }
    }

    /// Reads `args` where something in them is of use, or passes them.
    #[inline(always)]
    pub(super) fn look_into(&mut self, at: usize, event: &mut Event<'a>) -> Result<usize, Stop> {
        // Kineto writes the category first; where it comes last, all `args` are looked into.
        match event.category.has_args() || event.category == Category::Other {
            true => self.args(at, event),
            false => self.pass(at),
        }
    }

    #[inline(always)]
    fn time(&mut self, at: usize) -> Result<(Option<i64>, usize), Stop> {
        self.number_value(at, number::nanoseconds)
    }

    /// Passes the rest of an event, from the value at `at` on.
    fn rest(&mut self, at: usize) -> Result<(), Stop> {
        let mut after = self.pass(at)?;
        while let Some(open) = self.following(after)? {
            let (_, at) = self.key(open)?;
            after = self.pass(at)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn set<T>(
        &mut self,
        at: usize,
        read: fn(&mut Self, usize) -> Read<T>,
        take: impl FnOnce(T),
    ) -> Result<usize, Stop> {
        let (value, after) = read(self, at)?;
        take(value);
        Ok(after)
    }

    fn args(&mut self, at: usize, event: &mut Event<'a>) -> Result<usize, Stop> {
        if self.byte(at) != Some(b'{') {
            return self.pass(at);
        }
        self.mark()?;
        let mut next = self.first()?;
        while let Some(open) = next {
            let (key, at) = self.key(open)?;
            let after = match key {
                b"External id" | b"external id" | b"External Id" => {
                    self.set(at, Self::link, |value| event.external = value)?
                }
                b"correlation" => self.set(at, Self::link, |value| event.correlation = value)?,
                b"stream" | b"cuda_stream" => {
                    self.set(at, Self::id, |value| event.stream = value)?
                }
                _ => self.pass(at)?,
            };
            if event.has_links() {
                return self.closed(1);
            }
            next = self.following(after)?;
        }
        let end = self.next.checked_sub(1).and_then(|it| self.marks.get(it)).copied();
        Ok(end.map_or(at, |it| it as usize + 1))
    }

    /// A number that links, also where a writer put it in quotes.
    fn link(&mut self, at: usize) -> Result<(Option<i64>, usize), Stop> {
        Ok(match self.id(at)? {
            (RawId::Number(value), after) => (Some(value), after),
            (RawId::Text(text), after) => (number::count(text).map(|it| it.0), after),
            (RawId::Missing, after) => (None, after),
        })
    }
}
