//! Where does one value end and the next begin, and which of its bytes does anybody need?
//!
//! A file comes in pieces of any size. Of the value at hand only what facts are made of is kept:
//! the arrays of [`BULK`] keys, which are nearly all of a detailed result, are passed over as they
//! come. So memory is bounded by one value without its bulk data, however large the file.

use alloc::format;
use alloc::vec::Vec;

use super::value::{self, SKIPPED};
use super::{BULK, Json, Located};
use crate::evidence::error::EvidenceError;

/// After so many errors the rest of a file is not read.
const MAX_ERRORS: usize = 64;

/// The most levels of bulk data, as serde_json has it for the rest.
const MAX_DEPTH: u32 = 128;

/// What is wrong with a value that has no end.
const TRUNCATED: &str = "the value that starts here never ends: the file is truncated";

/// Splits a stream of bytes into its top-level values; the elements of a top-level array count as
/// values. Feed it every piece, then [`end`](Self::end) it.
#[derive(Debug)]
pub(crate) struct Sieve {
    limit: usize,
    fresh: bool,
    /// The line of the next byte, from 1.
    line: u64,
    /// Whether the next byte is the first of its line.
    margin: bool,
    array: Option<Array>,
    errors: usize,
    at: At,
}

/// What the values and errors go to.
pub(super) type Sink<'a> = dyn FnMut(Result<Located<Json>, EvidenceError>) + 'a;

/// Whether an open top-level array is waiting for a comma.
#[derive(Clone, Copy, Debug)]
struct Array {
    line: u64,
    comma: bool,
}

#[derive(Debug)]
enum At {
    /// Between values.
    Between,
    /// Inside a value that is kept.
    Value(Value),
    /// Inside bulk data of a value.
    Bulk(Value, Bulk),
    /// After something unreadable, on the way to the next line that starts with `{`.
    Lost,
    /// After too many errors.
    Closed,
}

#[derive(Debug)]
struct Value {
    line: u64,
    kept: Vec<u8>,
    depth: usize,
    text: Text,
    /// The last string outside of which the text stands: a key, when a colon follows.
    last: (usize, usize),
    /// Whether a key of bulk data waits for its value.
    bulk: bool,
    /// The first line inside that starts with `{`: where to begin again should the value be cut.
    mark: Option<(usize, u64)>,
}

/// Whether the next byte stands in a string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Text {
    Outside,
    Inside { start: usize },
    Escaped { start: usize },
}

/// The brackets that are open in bulk data: one bit each, set for a brace.
#[derive(Clone, Copy, Debug)]
struct Bulk {
    depth: u32,
    braces: u128,
    text: Text,
    /// Whether objects are what it holds.
    objects: bool,
}

impl Sieve {
    /// A sieve that keeps at most `limit` bytes of a value beside its bulk data.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, fresh: true, line: 1, margin: true, array: None, errors: 0, at: At::Between }
    }

    /// Whether nothing more is read, because too much was wrong.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.at, At::Closed)
    }

    /// Takes the next piece and hands out the values that end in it.
    pub(crate) fn feed(&mut self, piece: &[u8], sink: &mut Sink<'_>) {
        let mut rest = piece;
        if core::mem::take(&mut self.fresh) {
            rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
        }
        while !rest.is_empty() {
            let passed = match core::mem::replace(&mut self.at, At::Closed) {
                At::Between => self.between(rest, sink),
                At::Value(value) => self.value(value, rest, sink),
                At::Bulk(value, bulk) => self.bulk(value, bulk, rest, sink),
                At::Lost => self.lost(rest),
                At::Closed => return,
            };
            rest = rest.get(passed..).unwrap_or_default();
        }
    }

    /// Says that no more bytes come: what is still open is truncated.
    pub(crate) fn end(mut self, sink: &mut Sink<'_>) {
        // A value that was cut may hold whole ones behind the cut; each turn leaves fewer bytes.
        loop {
            match core::mem::replace(&mut self.at, At::Closed) {
                At::Value(value) if value.depth == 0 && value.text == Text::Outside => {
                    self.at = At::Between;
                    self.whole(value, sink);
                }
                At::Value(value) | At::Bulk(value, _) => {
                    self.array = None;
                    let error = EvidenceError::new(TRUNCATED).at(value.line);
                    self.fail(error, Some(value), sink);
                }
                At::Between => {
                    if let Some(open) = self.array.take() {
                        let message =
                            "the array that starts here never ends: the file is truncated";
                        sink(Err(EvidenceError::new(message).at(open.line)));
                    }
                    return;
                }
                At::Lost | At::Closed => return,
            }
        }
    }

    fn pass(&mut self, byte: u8) {
        self.margin = byte == b'\n';
        self.line = self.line.saturating_add(u64::from(self.margin));
    }

    fn between(&mut self, rest: &[u8], sink: &mut Sink<'_>) -> usize {
        self.at = At::Between;
        for (passed, byte) in rest.iter().enumerate() {
            match (byte, self.array) {
                (b' ' | b'\t' | b'\r' | b'\n', _) => {}
                (b'[', None) => self.array = Some(Array { line: self.line, comma: false }),
                (b']', Some(_)) => self.array = None,
                (b',', Some(open)) if open.comma => {
                    self.array = Some(Array { comma: false, ..open });
                }
                (_, Some(open)) if open.comma => {
                    let message = "a comma or the end of the array is expected";
                    self.fail(EvidenceError::new(message).at(self.line), None, sink);
                    return passed;
                }
                (b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z', _) => {
                    self.at = At::Value(Value::at(self.line));
                    self.margin = false;
                    return passed;
                }
                _ => {
                    self.fail(EvidenceError::new("a value is expected").at(self.line), None, sink);
                    return passed;
                }
            }
            self.pass(*byte);
        }
        rest.len()
    }

    fn value(&mut self, mut value: Value, rest: &[u8], sink: &mut Sink<'_>) -> usize {
        for (passed, byte) in rest.iter().enumerate() {
            let byte = *byte;
            if value.kept.len() >= self.limit {
                let limit = self.limit;
                let message = format!("the value that starts here has more than {limit} bytes");
                let error = EvidenceError::new(message).at(value.line);
                self.fail(error, Some(value), sink);
                return passed;
            }
            match value.text {
                Text::Escaped { start } => value.text = Text::Inside { start },
                Text::Inside { start } => match byte {
                    b'\\' => value.text = Text::Escaped { start },
                    b'"' => {
                        value.text = Text::Outside;
                        value.last = (start, value.kept.len());
                    }
                    _ => {}
                },
                Text::Outside => match byte {
                    _ if value.ends_before(byte) => {
                        self.at = At::Between;
                        self.whole(value, sink);
                        return passed;
                    }
                    b'"' => value.text = Text::Inside { start: value.kept.len().saturating_add(1) },
                    b':' => value.bulk = value.is_bulk(),
                    b'[' | b'{' if core::mem::take(&mut value.bulk) => {
                        value.kept.extend_from_slice(SKIPPED);
                        let objects = value.key() == b"traceEvents";
                        let bulk = Bulk { depth: 0, braces: 0, text: Text::Outside, objects };
                        self.at = At::Bulk(value, bulk);
                        return passed;
                    }
                    b'[' | b'{' => {
                        if self.margin && byte == b'{' && value.mark.is_none() {
                            value.mark = Some((value.kept.len(), self.line));
                        }
                        value.depth = value.depth.saturating_add(1);
                    }
                    b']' | b'}' => value.depth = value.depth.saturating_sub(1),
                    b' ' | b'\t' | b'\r' | b'\n' => {}
                    _ => value.bulk = false,
                },
            }
            value.kept.push(byte);
            self.pass(byte);
            let after = passed.saturating_add(1);
            if self.margin && value.text != Text::Outside {
                // A string never holds a raw line end: the line was cut.
                let error = EvidenceError::new(TRUNCATED).at(value.line);
                self.fail(error, Some(value), sink);
                return after;
            }
            if matches!(byte, b']' | b'}') && value.depth == 0 && value.text == Text::Outside {
                self.at = At::Between;
                self.whole(value, sink);
                return after;
            }
        }
        self.at = At::Value(value);
        rest.len()
    }

    fn bulk(
        &mut self,
        mut value: Value,
        mut bulk: Bulk,
        rest: &[u8],
        sink: &mut Sink<'_>,
    ) -> usize {
        let mut passed = 0;
        loop {
            let here = rest.get(passed..).unwrap_or_default();
            let (run, stop) = bulk.run(here);
            passed = passed.saturating_add(run);
            self.margin &= run == 0;
            let Some(byte) = stop else {
                self.at = At::Bulk(value, bulk);
                return rest.len();
            };
            // No array of numbers or texts holds an object, and no string a raw line end.
            let cut = match byte {
                b'{' => self.margin && !bulk.objects && bulk.depth > 0,
                b'\n' => bulk.text != Text::Outside,
                _ => false,
            };
            let wrong = match cut {
                true => Err((TRUNCATED, value.line)),
                false => bulk.pass(byte).map_err(|message| (message, self.line)),
            };
            if let Err((message, line)) = wrong {
                self.fail(EvidenceError::new(message).at(line), None, sink);
                return passed;
            }
            passed = passed.saturating_add(1);
            self.pass(byte);
            if self.margin && value.kept.len() < self.limit {
                // So that the lines of what follows are counted right.
                value.kept.push(byte);
            }
            if bulk.depth == 0 {
                self.at = At::Value(value);
                return passed;
            }
        }
    }

    fn lost(&mut self, rest: &[u8]) -> usize {
        if self.margin && rest.first() == Some(&b'{') {
            self.at = At::Between;
            return 0;
        }
        self.at = At::Lost;
        let passed = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
        self.pass(rest.get(passed.saturating_sub(1)).copied().unwrap_or_default());
        passed
    }

    /// A value with its end: parsed, and handed out.
    fn whole(&mut self, value: Value, sink: &mut Sink<'_>) {
        self.array = self.array.map(|open| Array { comma: true, ..open });
        match value::parse(&value.kept) {
            Ok(json) => sink(Ok(Located { line: value.line, value: json })),
            Err(error) => {
                let inside = error.line.unwrap_or(1).saturating_sub(1);
                let line = Some(value.line.saturating_add(inside));
                let cut = value.mark.is_some();
                if !matches!(value.kept.first(), Some(b'{' | b'[')) {
                    (self.at, self.array) = (At::Lost, None);
                }
                self.refuse(EvidenceError { line, ..error }, sink);
                if cut && !self.is_closed() {
                    self.again(value, sink);
                }
            }
        }
    }

    /// Names what is wrong and begins again: inside the value where a line starts with `{`, else at
    /// the next such line of what is to come.
    fn fail(&mut self, error: EvidenceError, value: Option<Value>, sink: &mut Sink<'_>) {
        self.array = None;
        self.at = At::Lost;
        self.refuse(error, sink);
        if let Some(value) = value.filter(|it| it.mark.is_some() && !self.is_closed()) {
            self.again(value, sink);
        }
    }

    /// Reads the tail of a value that was cut as if it came anew. It is shorter than the value, and
    /// a value is at most so deep as its lines that start with `{`, so this ends.
    fn again(&mut self, mut value: Value, sink: &mut Sink<'_>) {
        let Some((start, line)) = value.mark else { return };
        let tail = value.kept.split_off(start.min(value.kept.len()));
        drop(value);
        let (after, margin) = (self.line, self.margin);
        (self.line, self.margin, self.array, self.at) = (line, true, None, At::Between);
        self.feed(&tail, sink);
        (self.line, self.margin) = (after, margin);
    }

    fn refuse(&mut self, error: EvidenceError, sink: &mut Sink<'_>) {
        sink(Err(error));
        self.errors = self.errors.saturating_add(1);
        if self.errors >= MAX_ERRORS {
            let message = "too many errors: the rest of the file is not read";
            sink(Err(EvidenceError::new(message).at(self.line)));
            self.at = At::Closed;
        }
    }
}

impl Value {
    fn at(line: u64) -> Self {
        Self {
            line,
            kept: Vec::new(),
            depth: 0,
            text: Text::Outside,
            last: (0, 0),
            bulk: false,
            mark: None,
        }
    }

    /// Whether a value that has no brackets of its own ended before this byte.
    fn ends_before(&self, byte: u8) -> bool {
        let blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.depth == 0
            && !self.kept.is_empty()
            && (blank || matches!(byte, b',' | b']' | b'}' | b'{' | b'[' | b'"' | b':'))
    }

    fn key(&self) -> &[u8] {
        self.kept.get(self.last.0..self.last.1).unwrap_or_default()
    }

    fn is_bulk(&self) -> bool {
        BULK.iter().any(|it| it.as_bytes() == self.key())
    }
}

impl Bulk {
    /// The bytes that stand for nothing but themselves, and the one that ends them, in this piece.
    fn run(&self, rest: &[u8]) -> (usize, Option<u8>) {
        let run = match self.text {
            Text::Outside => {
                rest.iter().position(|it| !PLAIN.get(usize::from(*it)).is_some_and(|it| *it))
            }
            Text::Inside { .. } => memchr::memchr3(b'"', b'\\', b'\n', rest),
            Text::Escaped { .. } => Some(0),
        };
        let run = run.unwrap_or(rest.len());
        (run, rest.get(run).copied())
    }

    /// The byte that ended a run.
    fn pass(&mut self, byte: u8) -> Result<(), &'static str> {
        match (self.text, byte) {
            (Text::Escaped { .. }, _) | (Text::Outside, b'"') => {
                self.text = Text::Inside { start: 0 };
            }
            (Text::Inside { start }, b'\\') => self.text = Text::Escaped { start },
            (Text::Inside { .. }, _) => self.text = Text::Outside,
            (_, b'[' | b'{') if self.depth == MAX_DEPTH => {
                return Err("bulk data has more than 128 levels (recursion)");
            }
            (_, b'[' | b'{') => {
                self.braces = self.braces << 1 | u128::from(byte == b'{');
                self.depth = self.depth.saturating_add(1);
            }
            (_, b']' | b'}') if (self.braces & 1 == 1) != (byte == b'}') => {
                return Err("a bracket of bulk data is closed by one of another kind");
            }
            (_, b']' | b'}') => {
                self.braces >>= 1;
                self.depth = self.depth.saturating_sub(1);
            }
            (_, b'\n') => {}
            _ => return Err("bulk data is neither numbers nor texts"),
        }
        Ok(())
    }
}

/// The bytes of numbers, literals and what separates them on one line.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "checked by the compiler"
)]
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut at = 0;
    while at < 128 {
        let byte = at as u8;
        plain[at] = byte.is_ascii_alphanumeric()
            || matches!(byte, b',' | b'.' | b':' | b'+' | b'-' | b' ' | b'\t' | b'\r');
        at += 1;
    }
    plain
};
