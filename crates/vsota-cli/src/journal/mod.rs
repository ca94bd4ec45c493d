//! What has happened in the campaign? The journal on the disk: read, locked, repaired, appended to.
//!
//! Readers take no lock and read up to the last newline. A writer holds an exclusive lock on the file
//! for one transition. One entry is one line, written in one piece and on the disk before anyone is
//! told; an entry that cannot be written is reported, and never tried again in the same call.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use vsota_core::Digest;
use vsota_core::text::RelPath;

pub mod chain;
mod outside;

pub use chain::{Care, Damage, Flaw, Head, Links};
pub use outside::{HOLDERS, MARK, Outside};

use crate::failure::Failure;
use crate::rundir::RunDir;
use vsota_core::Entry;

/// Where the journal lies in the run directory.
pub const PATH: &str = "humanize/lineage.jsonl";

/// Where torn tails, and files that no event names and that are in the way, are moved.
pub const QUARANTINE: &str = "humanize/quarantine";

/// The most bytes of a journal that is read: far beyond a hundred thousand events.
const MAX_BYTES: u64 = 192 << 20;

/// The most bytes of a line that is written.
const MAX_EVENT: usize = 16 * 1024;

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_millis(500);

/// The bytes of a journal at one moment, and the heads that the documents hold.
#[derive(Debug)]
pub struct Reading {
    bytes: Vec<u8>,
    whole: usize,
    outside: Vec<Outside>,
    path: camino::Utf8PathBuf,
}

/// A journal that this process alone may append to.
#[derive(Debug)]
pub struct Journal<'a> {
    run: &'a RunDir,
    file: File,
    len: u64,
    spoilt: bool,
}

impl Reading {
    /// Reads the journal of a run directory, without a lock.
    ///
    /// # Errors
    ///
    /// No campaign when there is no journal, or an empty one; integrity when a document remembers
    /// one, or when it is not a regular file.
    pub fn of(run: &RunDir) -> Result<Self, Failure> {
        let at = rel(PATH)?;
        // First the heads: a head that is written while the journal is read is then behind it.
        let outside = outside::heads(run)?;
        let bytes = run.read(&at, MAX_BYTES)?;
        let reading = Self::new(run, bytes.unwrap_or_default(), outside)?;
        if reading.is_empty() { Err(reading.missing(run)) } else { Ok(reading) }
    }

    fn new(run: &RunDir, bytes: Vec<u8>, outside: Vec<Outside>) -> Result<Self, Failure> {
        let heads: Vec<_> = outside.iter().map(|it| it.head).collect();
        let whole = chain::whole(&bytes, &heads);
        Ok(Self { bytes, whole, outside, path: run.join(&rel(PATH)?) })
    }

    /// How many bytes the journal has now; for those who wait for more.
    ///
    /// # Errors
    ///
    /// When it cannot be looked at.
    pub fn len(run: &RunDir) -> Result<u64, Failure> {
        let at = rel(PATH)?;
        let metadata = run.file(&at)?.map(|it| it.metadata()).transpose();
        let metadata = metadata.map_err(|error| Failure::file("look at", run.join(&at), &error))?;
        Ok(metadata.map_or(0, |it| it.len()))
    }

    /// The lines, up to the last newline.
    pub fn lines(&self) -> &[u8] {
        self.bytes.get(..self.whole).unwrap_or_default()
    }

    /// What stands after the last whole line: it never was an entry, and nobody was told of it.
    pub fn torn(&self) -> &[u8] {
        self.bytes.get(self.whole..).unwrap_or_default()
    }

    /// The heads that the documents hold.
    pub fn outside(&self) -> &[Outside] {
        &self.outside
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.whole == 0
    }

    /// Hands over every entry, and holds the journal against its chain and the heads outside it.
    ///
    /// # Errors
    ///
    /// Integrity, with the line, when the journal cannot be believed, or when a document
    /// acknowledges an entry that is not there.
    pub fn walk(
        &self,
        care: Care,
        each: impl FnMut(Entry) -> Result<(), String>,
    ) -> Result<Links, Failure> {
        let links = chain::walk(self.lines(), care, each).map_err(|damage| {
            Failure::integrity(damage.flaw).in_file(&self.path).at_line(damage.line)
        })?;
        match self.outside.iter().find(|it| !links.passed(it.head)) {
            None => Ok(links),
            Some(Outside { holder, head }) => {
                let has = links.head().map_or(0, |it| it.seq);
                let message = if head.seq > has {
                    format!("{holder} acknowledges entry {}; the journal ends at {has}", head.seq)
                } else {
                    format!("{holder} acknowledges another entry {} than stands here", head.seq)
                };
                Err(Failure::integrity(message).in_file(&self.path))
            }
        }
    }

    /// Whether the journal ends with this entry and is untouched: every line names the hash of the one
    /// before, and no document acknowledges what is not there.
    pub fn ends_with(&self, head: Head) -> bool {
        chain::linked(self.lines()).is_some_and(|links| {
            links.head() == Some(head) && self.outside.iter().all(|it| links.passed(it.head))
        })
    }

    fn missing(&self, run: &RunDir) -> Failure {
        match self.outside.first() {
            Some(Outside { holder, head }) => {
                let message =
                    format!("the journal is gone; {holder} acknowledges {} entries", head.seq);
                Failure::integrity(message).in_file(&self.path)
            }
            None => Failure::no_campaign("no campaign was opened here; `vsota init` opens one")
                .in_file(run.path()),
        }
    }
}

impl<'a> Journal<'a> {
    /// Locks the journal of a run directory and reads it. A torn tail is moved to quarantine.
    ///
    /// # Errors
    ///
    /// Busy when another process holds it; otherwise as [`Reading::of`].
    pub fn open(run: &'a RunDir) -> Result<(Self, Reading), Failure> {
        let (journal, reading) = Self::lock(run, false)?;
        if reading.is_empty() { Err(reading.missing(run)) } else { Ok((journal, reading)) }
    }

    /// As [`open`](Self::open); an empty journal is made where there is none.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); integrity when a document remembers a journal that is gone.
    pub fn open_or_create(run: &'a RunDir) -> Result<(Self, Reading), Failure> {
        let (journal, reading) = Self::lock(run, outside::heads(run)?.is_empty())?;
        let lost = reading.is_empty() && !reading.outside.is_empty();
        if lost { Err(reading.missing(run)) } else { Ok((journal, reading)) }
    }

    /// Appends one entry; it is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// Bad evidence when the entry is larger than an event may be: nothing was written. Integrity
    /// when another program changed the file meanwhile. I/O when it cannot be written: whether the
    /// entry is there shows when the journal is opened again.
    pub fn append(&mut self, entry: &Entry) -> Result<Head, Failure> {
        let at = rel(PATH)?;
        let path = self.run.join(&at);
        let mut line = serde_json::to_vec(entry)
            .map_err(|error| Failure::bad_evidence(format_args!("not an entry: {error}")))?;
        if line.len() > MAX_EVENT {
            let message = format_args!(
                "the event would have {} bytes; at most {MAX_EVENT} fit in the journal",
                line.len()
            );
            return Err(Failure::bad_evidence(message));
        }
        let head = Head { seq: entry.seq.0, hash: Digest::of(&line) };
        line.push(b'\n');

        if self.spoilt {
            return Err(Failure::io("an earlier entry could not be written").in_file(path));
        }
        let len =
            self.file.metadata().map_err(|error| Failure::file("look at", &path, &error))?.len();
        if len != self.len || !self.run.is_still(&at, &self.file)? {
            return Err(Failure::integrity("another program changed it").in_file(path));
        }
        // From here on a failure leaves the file in a state that only a new reading can tell: what
        // an fsync did not write is not written by the next one either.
        self.spoilt = true;
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(|error| {
            let message = format_args!(
                "could not write entry {}: {error}; it was not acknowledged, and `vsota status` shows \
                 whether it is there",
                head.seq
            );
            Failure::io(message).in_file(&path)
        })?;
        self.spoilt = false;
        self.len = self.len.saturating_add(line.len() as u64);
        Ok(head)
    }

    fn lock(run: &'a RunDir, make: bool) -> Result<(Self, Reading), Failure> {
        let at = rel(PATH)?;
        let file = Self::locked(run, &at, make)?;
        let outside = outside::heads(run)?;
        let Some(mut file) = file else {
            return Err(Reading::new(run, Vec::new(), outside)?.missing(run));
        };
        let bytes =
            content(&mut file).map_err(|error| Failure::file("read", run.join(&at), &error))?;
        if bytes.len() as u64 > MAX_BYTES {
            let message = format_args!("the journal has more than {MAX_BYTES} bytes");
            return Err(Failure::integrity(message).in_file(run.join(&at)));
        }
        let reading = Reading::new(run, bytes, outside)?;
        let len = reading.bytes.len() as u64;
        let mut journal = Journal { run, file, len, spoilt: false };
        if !reading.torn().is_empty() {
            journal.repair(&at, &reading)?;
        }
        Ok((journal, reading))
    }

    /// An open file with the lock on it; the one that the name leads to, not a deleted one.
    fn locked(run: &RunDir, at: &RelPath, make: bool) -> Result<Option<File>, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(file) = run.append(at, make)? else { return Ok(None) };
            match file.try_lock() {
                Ok(()) if run.is_still(at, &file)? => return Ok(Some(file)),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(Failure::file("lock", run.join(at), &error));
                }
            }
            if Instant::now() >= deadline {
                let message = "another process holds the campaign; try again when it is done";
                return Err(Failure::busy(message).in_file(run.join(at)));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Moves a torn tail to quarantine. The chain and the outside heads must hold without it: a tail
    /// that somebody was told of is no tail but damage.
    fn repair(&mut self, at: &RelPath, reading: &Reading) -> Result<(), Failure> {
        let links = reading.walk(Care::Chain, |_| Ok(()))?;
        let next = links.head().map_or(1, |it| it.seq.saturating_add(1));
        let hash = Digest::of(reading.torn()).to_string();
        let tail = rel(&format!("{QUARANTINE}/{next}-{}.tail", hash.get(..8).unwrap_or_default()))?;
        self.run.set_aside(&tail, reading.torn())?;
        let cut = reading.whole as u64;
        let done = self.file.set_len(cut).and_then(|()| self.file.sync_all());
        done.map_err(|error| Failure::file("cut the torn tail of", self.run.join(at), &error))?;
        self.len = cut;
        Ok(())
    }
}

/// The whole file, at most a byte more than is ever taken.
fn content(file: &mut File) -> io::Result<Vec<u8>> {
    let told = file.metadata()?.len().min(MAX_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(told).unwrap_or(0));
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A path of the run directory that this program names itself.
pub(crate) fn rel(path: &str) -> Result<RelPath, Failure> {
    RelPath::new(path).map_err(|error| Failure::io(format_args!("{path}: {error}")))
}
