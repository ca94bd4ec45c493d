//! A second thread reads, hashes and inflates; the first decodes. Buffers go back and forth.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::LimitArgs;
use crate::progress::Progress;

/// The bytes of one buffer, and how many are on the way.
const BUFFER: usize = 256 << 10;
const BUFFERS: usize = 4;

/// Below so many inflated bytes no ratio is too high.
const SMALL: u64 = 64 << 20;

/// The text of a file, inflated.
#[derive(Debug)]
pub(super) struct Pipe {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
    worker: Option<JoinHandle<([u8; 32], u64)>>,
}

/// Counts and hashes what passes.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(to)?;
        self.hash.update(to.get(..bytes).unwrap_or_default());
        self.bytes += bytes as u64;
        Ok(bytes)
    }
}

impl Pipe {
    /// Starts reading a file: gzip by its first bytes, whatever its name.
    pub(super) fn start<R: Read + Send + 'static>(
        mut file: BufReader<R>,
        limits: LimitArgs,
        mut progress: Progress,
    ) -> io::Result<Self> {
        let gzip = file.fill_buf()?.starts_with(&[0x1F, 0x8B]);
        let (full, from) = sync_channel(BUFFERS);
        let (empty, back) = channel();
        let worker = thread::Builder::new().name("inflate".into()).spawn(move || {
            let hashed = Hashed { inner: file, hash: Sha256::new(), bytes: 0 };
            let hashed = if gzip {
                let mut text = MultiGzDecoder::new(BufReader::with_capacity(BUFFER, hashed));
                let count =
                    |it: &MultiGzDecoder<BufReader<Hashed<_>>>| it.get_ref().get_ref().bytes;
                pump(&mut text, &full, &back, Some((&count, limits)), &mut progress);
                text.into_inner().into_inner()
            } else {
                let mut text = hashed;
                pump(&mut text, &full, &back, None, &mut progress);
                text
            };
            (hashed.hash.finalize().into(), hashed.bytes)
        })?;
        Ok(Self { full: from, empty, current: Vec::new(), at: 0, worker: Some(worker) })
    }

    /// The digest and the bytes of the whole file. What was not read yet is read.
    pub(super) fn finish(mut self) -> ([u8; 32], u64) {
        while self.full.recv().is_ok() {}
        let ended = self.worker.take().and_then(|it| it.join().ok());
        ended.unwrap_or_default()
    }
}

impl Read for Pipe {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.current.len() {
            match self.full.recv() {
                Ok(Ok(next)) => {
                    let used = std::mem::replace(&mut self.current, next);
                    self.at = 0;
                    // A worker that ended wants no buffer back.
                    let _ = self.empty.send(used);
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(0),
            }
        }
        let rest = self.current.get(self.at..).unwrap_or_default();
        let bytes = rest.len().min(to.len());
        if let (Some(to), Some(from)) = (to.get_mut(..bytes), rest.get(..bytes)) {
            to.copy_from_slice(from);
        }
        self.at += bytes;
        Ok(bytes)
    }
}

/// How many compressed bytes a source took so far.
type Count<'a, R> = &'a dyn Fn(&R) -> u64;

fn pump<R: Read>(
    source: &mut R,
    full: &SyncSender<io::Result<Vec<u8>>>,
    back: &Receiver<Vec<u8>>,
    guard: Option<(Count<'_, R>, LimitArgs)>,
    progress: &mut Progress,
) {
    let mut inflated = 0_u64;
    loop {
        let mut buffer = back.try_recv().unwrap_or_default();
        buffer.resize(BUFFER, 0);
        let read = fill(source, &mut buffer);
        let bytes = *read.as_ref().unwrap_or(&0);
        buffer.truncate(bytes);
        inflated += bytes as u64;
        progress.tell(guard.as_ref().map_or(inflated, |it| (it.0)(source)), inflated);
        if bytes > 0 && full.send(Ok(buffer)).is_err() {
            return;
        }
        let failed = match (read, &guard) {
            (Err(error), Some((count, _))) => {
                let message =
                    format!("the gzip is broken near its byte {}: {error}", count(source));
                Some(io::Error::new(error.kind(), message))
            }
            (Err(error), None) => Some(error),
            (Ok(0), _) => return,
            (Ok(_), Some((count, limits))) => too_much(inflated, count(source), *limits),
            (Ok(_), None) => None,
        };
        if let Some(error) = failed {
            // Whoever reads may be gone.
            let _ = full.send(Err(error));
            return;
        }
    }
}

fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|it| !it.is_empty()) {
        match source.read(room) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What came before the error is read first; the error comes again or ends the text.
            Err(error) if filled == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(filled)
}

fn too_much(inflated: u64, compressed: u64, limits: LimitArgs) -> Option<io::Error> {
    let message = if inflated > limits.max_inflated {
        format!(
            "it inflates to more than {} bytes: --max-inflated raises that",
            limits.max_inflated
        )
    } else if inflated > SMALL && inflated / compressed.max(1) > limits.max_ratio {
        format!("one byte inflates to more than {}: --max-ratio raises that", limits.max_ratio)
    } else {
        return None;
    };
    Some(io::Error::other(message))
}
