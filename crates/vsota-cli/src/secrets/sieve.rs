//! A stream on its way to the disk: what is found in it is taken out, or stops it.
//!
//! The stream is looked at in blocks that begin at fixed offsets, each with a margin on both sides. So
//! what is found does not depend on how the stream was cut into chunks, and memory stays bounded when
//! no line ever ends.

use std::ops::Range;

use super::{Hit, Kind, Secrets};

const BLOCK: usize = 64 * 1024;

/// No secret that is told by one look is longer.
const MARGIN: usize = 8 * 1024;

/// Looks through a stream, chunk by chunk.
#[derive(Debug)]
pub struct Sieve<'a> {
    secrets: &'a Secrets,
    // What is not cleared yet, with a margin of cleared bytes before it.
    held: Vec<u8>,
    // How much of `held` is that margin.
    cleared: usize,
    // How much after the margin belongs to a secret of the block before.
    covered: usize,
    line: u64,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(secrets: &'a Secrets) -> Self {
        Self { secrets, held: Vec::new(), cleared: 0, covered: 0, line: 1 }
    }

    /// Looks at the next chunk. What is cleared is appended to `out`, with `[REDACTED:kind]` for each
    /// secret that is returned.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut rest = chunk;
        while !rest.is_empty() {
            let room = self.cleared + BLOCK + MARGIN - self.held.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.held.extend_from_slice(now);
            rest = later;
            if self.held.len() == self.cleared + BLOCK + MARGIN {
                self.clear(BLOCK, out, &mut hits);
            }
        }
        hits
    }

    /// The stream has ended: clears what is left.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Vec<Hit> {
        let mut hits = Vec::new();
        self.clear(BLOCK + MARGIN, out, &mut hits);
        hits
    }

    /// Clears the next `block` bytes, or what there is of them.
    fn clear(&mut self, block: usize, out: &mut Vec<u8>, hits: &mut Vec<Hit>) {
        let end = self.held.len().min(self.cleared + block);
        let mut at = self.cleared + self.covered.min(end - self.cleared);
        self.covered -= at - self.cleared;
        let mut counted = self.cleared;
        for (kind, found) in self.secrets.look(&self.held) {
            let Range { start, end: stop } = found;
            // What begins before is the block before's, what begins behind is the next one's.
            if start < self.cleared || start >= end || stop <= at {
                continue;
            }
            out.extend_from_slice(self.held.get(at..start).unwrap_or_default());
            out.extend_from_slice(format!("[REDACTED:{}]", kind.label()).as_bytes());
            self.line += newlines(self.held.get(counted..start).unwrap_or_default());
            counted = start;
            hits.push(Hit { kind, len: stop - start, line: self.line });
            at = stop.min(end);
            self.covered = stop - at;
        }
        out.extend_from_slice(self.held.get(at..end).unwrap_or_default());
        self.line += newlines(self.held.get(counted..end).unwrap_or_default());
        let keep = end.saturating_sub(MARGIN);
        self.held.drain(..keep);
        self.cleared = end - keep;
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

impl Kind {
    /// The name that stands in the place of a secret.
    pub fn label(&self) -> &str {
        match self {
            Self::Variable(_) => "environment",
            Self::File(_) => "token-file",
            Self::Rule(kind) => kind,
        }
    }
}
