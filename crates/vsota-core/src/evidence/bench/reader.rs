//! A file of benchmark evidence, in pieces: its values as they end.

use alloc::vec::Vec;
use core::mem;

use super::{Item, NativeRun, foreign, item};
use crate::evidence::error::EvidenceError;
use crate::evidence::json::{Json, Located, MAX_VALUE, Sieve};

/// So many bytes tell what a file is that holds no JSON.
const START: usize = 4_096;

/// After so many values that are no results the rest of a file is not read.
const MAX_REFUSED: usize = 64;

/// What one value of a file is, with the line where it starts, or why it is nothing.
pub type Read = Result<(u64, Item), EvidenceError>;

/// Reads a file of any size that comes in pieces. Memory is bounded by one value without the
/// arrays of a detailed result, at most [`MAX_VALUE`] bytes, and by the piece.
#[derive(Debug)]
pub struct Reader {
    start: Vec<u8>,
    named: bool,
    values: u64,
    refused: usize,
    sieve: Sieve,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader at the start of a file.
    pub fn new() -> Self {
        Self {
            start: Vec::new(),
            named: false,
            values: 0,
            refused: 0,
            sieve: Sieve::new(MAX_VALUE),
        }
    }

    /// Whether the rest of the file says nothing more: it is no JSON, or too much was wrong.
    pub fn is_closed(&self) -> bool {
        self.refused >= MAX_REFUSED || self.sieve.is_closed()
    }

    /// Takes the next piece; gives what ended in it, in the order of the file.
    pub fn feed(&mut self, piece: &[u8]) -> Vec<Read> {
        if self.named {
            return self.sift(piece);
        }
        self.start.extend_from_slice(piece);
        if self.start.len() < START { Vec::new() } else { self.name() }
    }

    /// Says that no more bytes come; gives what was still open.
    pub fn end(mut self) -> Vec<Read> {
        let mut found = if self.named { Vec::new() } else { self.name() };
        if self.is_closed() {
            return found;
        }
        let mut left = Vec::new();
        let sieve = mem::replace(&mut self.sieve, Sieve::new(0));
        sieve.end(&mut |value| left.push(value));
        found.extend(self.judge(left));
        if self.values == 0 {
            found.push(Err(EvidenceError::new("the list is empty").at(1)));
        }
        found
    }

    /// Names a file that holds no JSON by its start; else reads on from it.
    fn name(&mut self) -> Vec<Read> {
        self.named = true;
        let start = mem::take(&mut self.start);
        match foreign::text(&start) {
            Some(kind) => {
                self.refused = MAX_REFUSED;
                [Err(kind)].into()
            }
            None => self.sift(&start),
        }
    }

    fn sift(&mut self, piece: &[u8]) -> Vec<Read> {
        if self.is_closed() {
            return Vec::new();
        }
        let mut values = Vec::new();
        self.sieve.feed(piece, &mut |value| values.push(value));
        self.judge(values)
    }

    fn judge(&mut self, values: Vec<Result<Located<Json>, EvidenceError>>) -> Vec<Read> {
        let mut found = Vec::new();
        for value in values {
            self.values = self.values.saturating_add(1);
            let read = value.and_then(|Located { line, value }| match item(value) {
                Ok(item) => Ok((line, item)),
                Err(error) => Err(error.at(line)),
            });
            self.refused = self.refused.saturating_add(usize::from(read.is_err()));
            let line = read.as_ref().err().and_then(|it| it.line);
            found.push(read);
            if self.refused == MAX_REFUSED && !self.sieve.is_closed() {
                let message = "too many errors: the rest of the file is not read";
                found.push(Err(EvidenceError { line, ..EvidenceError::new(message) }));
            }
            if self.refused >= MAX_REFUSED {
                break;
            }
        }
        found
    }
}

/// Reads a file of benchmark evidence: each value with the line where it starts, and what could
/// not be read.
pub fn read(bytes: &[u8]) -> (Vec<(u64, Item)>, Vec<EvidenceError>) {
    let mut reader = Reader::new();
    let mut found = reader.feed(bytes);
    found.extend(reader.end());
    let (mut items, mut errors) = (Vec::new(), Vec::new());
    for read in found {
        match read {
            Ok(item) => items.push(item),
            Err(error) => errors.push(error),
        }
    }
    errors.sort_by_key(|error| error.line);
    (items, errors)
}

/// Reads a file of native results; anything else in it is an error that names it.
pub fn read_all(bytes: &[u8]) -> (Vec<(u64, NativeRun)>, Vec<EvidenceError>) {
    let (items, mut errors) = read(bytes);
    let mut runs = Vec::new();
    for (line, item) in items {
        let what = match item {
            Item::Native(run) => {
                runs.push((line, run));
                continue;
            }
            Item::Row(_) => "a row of the companion's schema",
            Item::Run(_) => "a run record",
            Item::Block(_) => "a block of run records",
        };
        errors.push(EvidenceError::new(format_args!("{what}, not a native result")).at(line));
    }
    errors.sort_by_key(|error| error.line);
    (runs, errors)
}
