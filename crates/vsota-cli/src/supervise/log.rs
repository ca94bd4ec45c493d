//! The log of what was started: bounded, without secrets, and watched for the reasons of a failed start.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::sync::{Mutex, PoisonError};

use vsota_core::facts::Status;

use crate::secrets::Secrets;

/// What is kept of the beginning of a log, in bytes.
pub const HEAD: usize = 4 << 20;

/// What is kept of its end, in bytes.
pub const TAIL: usize = 1 << 20;

/// The most bytes of a line that are looked at.
const LINE: usize = 8 << 10;

/// Why a start failed, as the log told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fatal {
    /// How the run is recorded.
    pub status: Status,
    /// The line that says so.
    pub reason: String,
}

/// What was read out of a log so far.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Option<Fatal>>);

impl Watch {
    /// The first reason that was told.
    pub fn fatal(&self) -> Option<Fatal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn line(&self, line: &[u8]) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_none() {
            *found = fatal(&String::from_utf8_lossy(line));
        }
    }
}

/// Words of a log that end a start, in small letters.
///
/// Advice of a healthy start names memory too ("if you are running out of memory, consider …").
const FATAL: [(&str, Status); 12] = [
    ("cuda out of memory", Status::Oom),
    ("hip out of memory", Status::Oom),
    ("outofmemoryerror", Status::Oom),
    ("no available memory for the cache blocks", Status::Oom),
    ("larger than the available kv cache memory", Status::Oom),
    ("not enough memory", Status::Oom),
    ("unrecognized arguments", Status::Failed),
    ("no such option", Status::Failed),
    ("invalid choice", Status::Failed),
    ("address already in use", Status::Failed),
    ("engine core initialization failed", Status::Failed),
    ("enginedeaderror", Status::Failed),
];

/// Whether a line says that the server will not come up, and why.
pub fn fatal(line: &str) -> Option<Fatal> {
    let small = line.to_ascii_lowercase();
    let (_, status) = FATAL.iter().find(|(words, _)| small.contains(words))?;
    Some(Fatal { status: *status, reason: crate::escape::brief(line.trim(), 200) })
}

/// Copies a stream into a log until it ends. The disk may fill up: the stream is read to its end all the
/// same, so that what writes it never blocks.
///
/// # Errors
///
/// When the stream cannot be read, or the log could not be written.
pub fn keep(mut from: impl Read, to: &File, secrets: &Secrets, watch: &Watch) -> io::Result<()> {
    let mut sieve = secrets.sieve();
    let mut kept = Kept { to, written: 0, tail: VecDeque::new(), left_out: 0, failed: None };
    let mut lines = Lines { open: Vec::new(), watch };
    let mut buffer = vec![0; 64 << 10];
    let mut hits = Vec::new();
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        // The reason of a failed start must not wait for the sieve, which holds back what it reads.
        lines.feed(chunk);
        let mut cleared = Vec::new();
        hits.extend(sieve.feed(chunk, &mut cleared));
        kept.push(&cleared);
    }
    let mut cleared = Vec::new();
    hits.extend(sieve.finish(&mut cleared));
    kept.push(&cleared);
    secrets.take(hits);
    kept.finish()
}

/// The lines of a stream.
struct Lines<'a> {
    open: Vec<u8>,
    watch: &'a Watch,
}

impl Lines<'_> {
    fn feed(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|it| *it == b'\n') {
            let room = LINE.saturating_sub(self.open.len());
            self.open.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
            if piece.ends_with(b"\n") {
                self.watch.line(&self.open);
                self.open.clear();
            }
        }
    }
}

/// The beginning of a log on the disk, its end in memory till it is over.
struct Kept<'a> {
    to: &'a File,
    written: usize,
    tail: VecDeque<u8>,
    left_out: u64,
    failed: Option<io::Error>,
}

impl Kept<'_> {
    fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD.saturating_sub(self.written)));
        self.write(head);
        self.written = self.written.saturating_add(head.len());
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
        self.left_out = self.left_out.saturating_add(over as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.to.write_all(bytes).err();
        }
    }

    fn finish(mut self) -> io::Result<()> {
        if self.left_out > 0 {
            let note = format!("\n[{} bytes of the log are left out here]\n", self.left_out);
            self.write(note.as_bytes());
        }
        let tail: Vec<u8> = std::mem::take(&mut self.tail).into();
        self.write(&tail);
        self.failed.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(bytes: &[u8]) -> (Vec<u8>, Option<Fatal>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let watch = Watch::default();
        let secrets = Secrets::among([]).redacting(true);
        keep(bytes, file.as_file(), &secrets, &watch).unwrap();
        (std::fs::read(file.path()).unwrap(), watch.fatal())
    }

    #[test]
    fn a_log_without_end_is_bounded_and_keeps_both_its_ends() {
        let line = b"INFO: still talking\n".repeat(400_000);
        let text = [b"the first line\n", &line[..], b"the last line\n"].concat();
        let (log, fatal) = kept(&text);
        assert!(log.len() <= HEAD + TAIL + 100 && text.len() > log.len());
        assert!(log.starts_with(b"the first line\n") && log.ends_with(b"the last line\n"));
        assert!(String::from_utf8_lossy(&log).contains("bytes of the log are left out here"));
        assert_eq!(fatal, None);
    }

    #[test]
    fn a_secret_never_reaches_the_log() {
        let token = format!("hf_{}", "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567");
        let (log, _) = kept(format!("token={token}\n").as_bytes());
        let log = String::from_utf8(log).unwrap();
        assert!(!log.contains(&token) && log.contains("[REDACTED:"), "{log}");
    }

    #[test]
    fn the_reason_of_a_failed_start_is_recognised() {
        for (line, status) in [
            ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", Status::Oom),
            ("ValueError: No available memory for the cache blocks.", Status::Oom),
            ("vllm: error: unrecognized arguments: --fast", Status::Failed),
            ("OSError: [Errno 98] Address already in use", Status::Failed),
        ] {
            let text = format!("INFO: begins\n{line}\nERROR: Address already in use\n");
            let (_, fatal) = kept(text.as_bytes());
            let fatal = fatal.unwrap();
            assert_eq!((fatal.status, fatal.reason.as_str()), (status, line));
        }
        assert_eq!(kept(b"INFO: max memory 4 GiB\n").1, None);
        let advice = b"INFO: if you are running out of memory, consider a smaller share\n";
        assert_eq!(kept(advice).1, None);
    }
}
