//! The text of a trace, block by block: which event is next, and where it went wrong.

extern crate std;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use std::io::{ErrorKind, Read};

use super::TraceError;
use super::columns::Trace;
use super::event::{Stop, Walk};
use super::fields::Filling;
use super::layout::Layout;
use super::marks::{LANES, Marks};
use super::top::{Header, MEMBER};

/// What is read at once: it stays in the processor's second cache.
const BLOCK: usize = 256 << 10;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What a trace may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most bytes of one event.
    pub event: usize,
    /// The most bytes of the inflated text.
    pub text: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { event: 64 << 20, text: 64 << 30 }
    }
}

/// Reads a trace to its end.
///
/// # Errors
///
/// With the byte and what was expected there: when the text is no trace, is cut, or has an event
/// that cannot be; when the source fails.
pub fn read(source: &mut impl Read, limits: &Limits) -> Result<Trace, TraceError> {
    let mut reader = Reader {
        limits: *limits,
        buffer: Vec::new(),
        filled: 0,
        scanned: 0,
        offset: 0,
        marks: Marks::default(),
        state: State::Start,
        layout: Layout::default(),
        filling: Filling::default(),
    };
    loop {
        let more = reader.fill(source)?;
        reader.scan(!more);
        reader.advance(!more)?;
        if !more {
            return reader.finish();
        }
    }
}

/// Where the text is.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Before the first value.
    Start,
    /// Between two members of the top-level object.
    Member,
    /// In a member that is passed over, so many brackets deep.
    Passing { depth: u32 },
    /// Between two events; whether the array is a member.
    Events { member: bool },
    /// After the value.
    End,
}

struct Reader {
    limits: Limits,
    buffer: Vec<u8>,
    filled: usize,
    /// Bytes whose marks are known.
    scanned: usize,
    /// Bytes of the text before the buffer.
    offset: u64,
    marks: Marks,
    state: State,
    layout: Layout,
    filling: Filling,
}

/// How far the text was taken: the first byte and the first mark that are still needed.
#[derive(Clone, Copy, Default)]
struct Kept {
    byte: usize,
    mark: usize,
}

/// Why the reading pauses or ends.
enum Fault {
    Stop(Stop),
    Told(TraceError),
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<TraceError> for Fault {
    fn from(error: TraceError) -> Self {
        Self::Told(error)
    }
}

impl Reader {
    /// Reads behind what is kept: a block, or as much again where a long event is not whole yet.
    /// Returns whether there was so much.
    fn fill(&mut self, source: &mut impl Read) -> Result<bool, TraceError> {
        let wanted = self.filled + self.filled.max(BLOCK);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.filled < wanted {
            let room = self.buffer.get_mut(self.filled..wanted).unwrap_or_default();
            match source.read(room) {
                Ok(0) => return Ok(false),
                Ok(bytes) => self.filled += bytes.min(room.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = TraceError::new(self.offset + self.filled as u64, error);
                    return Err(TraceError { io: true, ..error });
                }
            }
        }
        if self.offset + self.filled as u64 > self.limits.text {
            let message = format!("the text has more than {} bytes", self.limits.text);
            return Err(TraceError::new(self.limits.text, message));
        }
        Ok(true)
    }

    fn scan(&mut self, last: bool) {
        let fresh = self.buffer.get(self.scanned..self.filled).unwrap_or_default();
        let whole = fresh.len() / LANES * LANES;
        // A buffer never holds 4 GiB: an event is refused long before.
        let base = u32::try_from(self.scanned).unwrap_or(u32::MAX);
        self.marks.find(fresh.get(..whole).unwrap_or_default(), base);
        self.scanned += whole;
        if last {
            let rest = fresh.get(whole..).unwrap_or_default();
            self.marks.find_last(rest, u32::try_from(self.scanned).unwrap_or(u32::MAX));
            self.scanned = self.filled;
        }
    }

    /// Takes what is whole, and moves the rest to the front.
    fn advance(&mut self, last: bool) -> Result<(), TraceError> {
        let mut kept = Kept::default();
        let fault = loop {
            if let Err(fault) = self.step(&mut kept) {
                break fault;
            }
        };
        match fault {
            Fault::Told(error) => return Err(error),
            Fault::Stop(Stop::Bad(at, expected)) => return Err(self.unexpected(at, expected)),
            Fault::Stop(Stop::More) => {}
        }
        if last && !matches!(self.state, State::End) {
            return Err(TraceError::new(self.offset + self.filled as u64, self.cut()));
        }
        if self.filled.saturating_sub(kept.byte) > self.limits.event {
            let limit = self.limits.event;
            let message = format!("what starts here has more than {limit} bytes");
            return Err(TraceError::new(self.offset + kept.byte as u64, message));
        }
        self.buffer.copy_within(kept.byte..self.filled, 0);
        self.filled -= kept.byte;
        self.scanned -= kept.byte;
        self.offset += kept.byte as u64;
        self.marks.forget(kept.mark, u32::try_from(kept.byte).unwrap_or(u32::MAX));
        Ok(())
    }

    /// Takes one event, member or bracket.
    fn step(&mut self, kept: &mut Kept) -> Result<(), Fault> {
        let text = self.buffer.get(..self.scanned).unwrap_or_default();
        let mut walk = Walk { next: kept.mark, ..Walk::new(text, &self.marks) };
        if let State::Passing { depth } = &mut self.state {
            *kept = walk.close(depth);
            if *depth > 0 {
                return Err(Stop::More.into());
            }
            self.state = State::Member;
            return Ok(());
        }
        if matches!(self.state, State::Start) && self.offset == 0 && text.starts_with(BOM) {
            kept.byte = kept.byte.max(BOM.len());
        }
        let at = walk.solid(kept.byte).inspect_err(|_| kept.byte = text.len())?;
        kept.byte = at;
        match (self.state, text.get(at)) {
            (State::Start, Some(b'{')) => {
                self.state = State::Member;
                self.filling.trace.header.object = true;
            }
            (State::Start, Some(b'[')) => self.state = State::Events { member: false },
            (State::Start, _) => {
                return Err(Stop::Bad(at, "`{` or `[`, for a trace is JSON").into());
            }
            (State::Member | State::Events { .. }, Some(b',')) => {
                kept.byte = at + 1;
                return Ok(());
            }
            (State::Events { .. }, Some(b'{')) => {
                walk.mark()?;
                let mut at = at;
                loop {
                    let event = walk.event(&mut self.layout)?;
                    self.filling.take(&event, self.offset + at as u64)?;
                    *kept = walk.passed();
                    // Most often the next event follows at once.
                    match walk.another(kept.byte) {
                        Some(next) => at = next,
                        None => return Ok(()),
                    }
                }
            }
            (State::Events { member }, Some(b']')) => {
                self.state = if member { State::Member } else { State::End };
            }
            (State::Events { .. }, _) => return Err(Stop::Bad(at, "an event or `]`").into()),
            (State::Member, Some(b'}')) => self.state = State::End,
            (State::Member, Some(b'"')) => {
                let (state, end) = member(&mut walk, &mut self.filling.trace.header)?;
                self.state = state;
                *kept = end;
                return Ok(());
            }
            (State::Member, _) => return Err(Stop::Bad(at, "a key in quotes or `}`").into()),
            (State::End, _) => return Err(Stop::Bad(at, "nothing after the end").into()),
            (State::Passing { .. }, _) => {}
        }
        walk.mark()?;
        *kept = walk.passed();
        Ok(())
    }

    fn unexpected(&self, at: usize, expected: &str) -> TraceError {
        let rest = self.buffer.get(at..self.filled).unwrap_or_default();
        let found: String = String::from_utf8_lossy(rest).chars().take(12).collect();
        let html = found.to_ascii_lowercase();
        let hint = if html.starts_with("<!doctype") || html.starts_with("<html") {
            " (this is HTML: a page was saved instead of the file)"
        } else if rest.starts_with(&[0x1F, 0x8B]) {
            " (this is gzip inside gzip)"
        } else {
            ""
        };
        let message = format!("expected {expected}, found {found:?}{hint}");
        TraceError::new(self.offset + at as u64, message)
    }

    fn cut(&self) -> String {
        let place = match self.state {
            State::Start => return "the file is empty".into(),
            _ if self.marks.is_inside() => "inside a string",
            State::Events { .. } => "inside the events",
            _ => "before the `}` of the trace",
        };
        format!("the text ends {place}: the file was cut")
    }

    fn finish(self) -> Result<Trace, TraceError> {
        let Filling { mut trace, phased, .. } = self.filling;
        trace.bytes = self.offset + self.filled as u64;
        let not = |what: &str| TraceError::new(0, format!("no trace: {what}"));
        if trace.header.object && !trace.header.has_events {
            let found = trace.header.foreign.unwrap_or("the object has no `traceEvents`");
            return Err(not(&format!("`traceEvents` is expected, found {found}")));
        }
        if trace.events > 0 && phased == 0 {
            let message = format!(
                "none of the {} objects has a phase `ph`; a Proton profile or another list is not \
                 a Chrome trace",
                trace.events
            );
            return Err(not(&message));
        }
        trace.finish();
        Ok(trace)
    }
}

/// Takes a member whose key is next, or its start when it is long.
fn member(walk: &mut Walk<'_>, header: &mut Header) -> Result<(State, Kept), Stop> {
    let open = walk.mark()?;
    let (key, at) = walk.key(open)?;
    let bracket = matches!(walk.text.get(at), Some(b'{' | b'['));
    if key == b"traceEvents" && walk.text.get(at) == Some(&b'[') {
        walk.mark()?;
        header.has_events = true;
        return Ok((State::Events { member: true }, walk.passed()));
    }
    header.note(key);
    let waits = Header::wants(key) && walk.text.len() - at < MEMBER;
    if bracket && !waits {
        walk.mark()?;
        return Ok((State::Passing { depth: 1 }, walk.passed()));
    }
    let end = walk.pass(at)?;
    if Header::wants(key) {
        header.take(key, walk.text.get(at..end).unwrap_or_default());
    }
    Ok((State::Member, Kept { byte: end, mark: walk.next }))
}

impl Walk<'_> {
    /// The place after the last mark that was passed.
    fn passed(&self) -> Kept {
        let last = self.next.checked_sub(1).and_then(|it| self.marks.get(it)).copied();
        Kept { byte: last.map_or(0, |it| it as usize + 1), mark: self.next }
    }

    /// The brace of the next event, which is then passed, where only a comma stands before it.
    #[inline(always)]
    fn another(&mut self, at: usize) -> Option<usize> {
        if self.text.get(at) != Some(&b',') {
            return None;
        }
        let brace = *self.marks.get(self.next)? as usize;
        let between = self.text.get(at + 1..brace)?;
        if self.text.get(brace) != Some(&b'{') || between.iter().any(|it| *it > b' ') {
            return None;
        }
        self.next += 1;
        Some(brace)
    }

    /// Follows brackets until they are closed, or to the end of what is here.
    fn close(&mut self, depth: &mut u32) -> Kept {
        while *depth > 0 {
            let Ok(at) = self.mark() else {
                return Kept { byte: self.text.len(), mark: self.next };
            };
            match self.text.get(at) {
                Some(b'"') => {}
                Some(b'{' | b'[') => *depth = depth.saturating_add(1),
                _ => *depth = depth.saturating_sub(1),
            }
        }
        self.passed()
    }
}

#[cfg(test)]
mod tests;
