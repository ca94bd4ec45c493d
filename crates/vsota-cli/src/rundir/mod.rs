//! What lies in the run directory? The only place that opens, writes or replaces a file of it.
//!
//! Every path is walked one part at a time from the directory itself, and no symbolic link is
//! followed on the way: nothing outside is ever read or written through a path of the campaign.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use vsota_core::text::{RelPath, is_unsafe};
use vsota_core::{Artifact, Digest};

use crate::failure::Failure;

pub mod intake;
pub mod names;

/// An open run directory.
#[derive(Debug)]
pub struct RunDir {
    path: Utf8PathBuf,
    dir: OwnedFd,
}

/// Whether a written file must survive a power cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durable {
    /// On the disk before the call returns: the checkpoint.
    Yes,
    /// Whenever the system gets to it: a document, which is rendered again from the journal.
    No,
}

const NEW_FILE: Mode = Mode::from_raw_mode(0o666);
const NEW_DIR: Mode = Mode::from_raw_mode(0o777);
const DIR: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// `NONBLOCK`, so that a FIFO in the place of a file cannot hang the call.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl RunDir {
    /// Opens an existing run directory.
    ///
    /// # Errors
    ///
    /// Usage when the path is empty, no campaign when it does not exist, bad evidence when it is
    /// a file or a symbolic link or has control characters in its name.
    pub fn open(path: &Utf8Path) -> Result<Self, Failure> {
        let path = plain(path)?;
        match rustix::fs::openat(CWD, path.as_str(), DIR, Mode::empty()) {
            Ok(dir) => Ok(Self { path, dir }),
            Err(Errno::NOENT) => {
                Err(Failure::no_campaign("there is no such directory").in_file(&path))
            }
            Err(Errno::NOTDIR | Errno::LOOP) => Err(not_a_directory(&path)),
            Err(error) => Err(Failure::file("open", &path, &error.into())),
        }
    }

    /// Opens a run directory, and makes it first if it is not there; its parent must be.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and when the directory cannot be made.
    pub fn create(path: &Utf8Path) -> Result<Self, Failure> {
        let path = plain(path)?;
        match rustix::fs::mkdirat(CWD, path.as_str(), NEW_DIR) {
            Ok(()) => {
                let parent = path.parent().filter(|it| !it.as_str().is_empty());
                let parent = parent.unwrap_or(Utf8Path::new("."));
                let synced = File::open(parent).and_then(|it| it.sync_all());
                synced.map_err(|error| Failure::file("sync", parent, &error))?;
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(Failure::file("create", &path, &error.into())),
        }
        Self::open(&path)
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The path of one of its files, for messages.
    pub fn join(&self, at: &RelPath) -> Utf8PathBuf {
        self.path.join(at.as_str())
    }

    /// The bytes of a file; `None` when there is no such file.
    ///
    /// # Errors
    ///
    /// Integrity when a link or anything but a regular file stands in the way, or when the file has
    /// more than `limit` bytes; I/O when it cannot be read.
    pub fn read(&self, at: &RelPath, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        let Some(file) = self.file(at)? else { return Ok(None) };
        let told = file.metadata().map_err(|error| self.failed("read", at, &error))?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(told.min(limit)).unwrap_or(0));
        let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| self.failed("read", at, &error))?;
        if told > limit || bytes.len() as u64 > limit {
            let message = format_args!("the file has more than {limit} bytes");
            return Err(Failure::integrity(message).in_file(self.join(at)));
        }
        Ok(Some(bytes))
    }

    /// What a file hashes to now; `None` when there is no such file.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), without a limit.
    pub fn digest(&self, at: &RelPath) -> Result<Option<Artifact>, Failure> {
        let Some(mut file) = self.file(at)? else { return Ok(None) };
        let (sha256, bytes) = digest(&mut file).map_err(|error| self.failed("read", at, &error))?;
        Ok(Some(Artifact { path: at.clone(), sha256, bytes }))
    }

    /// Opens a regular file for reading; `None` when there is no such file.
    ///
    /// # Errors
    ///
    /// Integrity when a link or anything but a regular file stands in the way.
    pub fn file(&self, at: &RelPath) -> Result<Option<File>, Failure> {
        let Some((parent, leaf)) = self.parent(at, false)? else { return Ok(None) };
        match rustix::fs::openat(&parent, leaf, READ, Mode::empty()) {
            Ok(file) => self.regular(at, file).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.stopped("open", at, error)),
        }
    }

    /// Opens a regular file for reading and appending, and makes it first if asked; `None` when it
    /// is not there. A file that was made is on the disk, with its directory.
    ///
    /// # Errors
    ///
    /// Integrity when a link or anything but a regular file stands in the way.
    pub fn append(&self, at: &RelPath, make: bool) -> Result<Option<File>, Failure> {
        let Some((parent, leaf)) = self.parent(at, make)? else { return Ok(None) };
        let flags =
            OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&parent, leaf, flags, Mode::empty()) {
            Ok(file) => return self.regular(at, file).map(Some),
            Err(Errno::NOENT) if make => {}
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(self.stopped("open", at, error)),
        }
        let file = rustix::fs::openat(&parent, leaf, flags | OFlags::CREATE, NEW_FILE)
            .map_err(|error| self.stopped("create", at, error))?;
        let file = self.regular(at, file)?;
        file.sync_all().map_err(|error| self.failed("sync", at, &error))?;
        self.sync(at, &parent)?;
        Ok(Some(file))
    }

    /// Whether the opened file is still the one that its name leads to.
    ///
    /// # Errors
    ///
    /// I/O when that cannot be asked.
    pub fn is_still(&self, at: &RelPath, file: &File) -> Result<bool, Failure> {
        let asked = || -> io::Result<Option<bool>> {
            let held = rustix::fs::fstat(file)?;
            let Ok(Some((parent, leaf))) = self.parent(at, false) else { return Ok(None) };
            match rustix::fs::statat(&parent, leaf, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(named) => Ok(Some((held.st_dev, held.st_ino) == (named.st_dev, named.st_ino))),
                Err(Errno::NOENT) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        asked().map(|it| it.unwrap_or(false)).map_err(|error| self.failed("look at", at, &error))
    }

    /// Replaces a file in one step, unless it has these bytes already; says whether it did.
    ///
    /// Callers hold the lock of the journal: there is one temporary name a file. Other programs see
    /// the old file or the new one, never a mix.
    ///
    /// # Errors
    ///
    /// I/O when the file cannot be written; integrity when a link stands in the way.
    pub fn replace(&self, at: &RelPath, bytes: &[u8], durable: Durable) -> Result<bool, Failure> {
        let old = self.old(at, bytes.len() as u64)?;
        if old.as_deref() == Some(bytes) {
            return Ok(false);
        }
        let Some((parent, leaf)) = self.parent(at, true)? else {
            return Err(self.stopped("create", at, Errno::NOENT));
        };
        let temporary = format!(".{leaf}.vsota-new");
        let written = || -> io::Result<()> {
            // What a killed call left there goes first.
            match rustix::fs::unlinkat(&parent, &temporary, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            let mut file = create(&parent, &temporary)?;
            file.write_all(bytes)?;
            if durable == Durable::Yes {
                file.sync_all()?;
            }
            rustix::fs::renameat(&parent, &temporary, &parent, leaf)?;
            Ok(())
        };
        if let Err(error) = written() {
            // The write error is the news; a left-over is removed by the next call.
            let _ = rustix::fs::unlinkat(&parent, &temporary, AtFlags::empty());
            return Err(self.failed("write", at, &error));
        }
        if durable == Durable::Yes && old.is_none() {
            self.sync(at, &parent)?;
        }
        Ok(true)
    }

    /// Moves a file out of the way, whole, under a name that holds its digest.
    ///
    /// # Errors
    ///
    /// I/O when it cannot be moved.
    pub fn move_aside(&self, at: &RelPath, to: &RelPath) -> Result<(), Failure> {
        let (Some((from, old)), Some((dir, new))) =
            (self.parent(at, false)?, self.parent(to, true)?)
        else {
            return Err(self.stopped("move", at, Errno::NOENT));
        };
        rustix::fs::renameat(&from, old, &dir, new)
            .map_err(|error| self.stopped("move", at, error))?;
        self.sync(to, &dir)?;
        self.sync(at, &from)
    }

    /// Moves bytes out of the way into a new file, on the disk before this returns.
    ///
    /// # Errors
    ///
    /// I/O when the file cannot be written.
    pub fn set_aside(&self, at: &RelPath, bytes: &[u8]) -> Result<(), Failure> {
        self.replace(at, bytes, Durable::Yes).map(drop)
    }

    /// The present bytes of a document, as far as they matter for a comparison.
    fn old(&self, at: &RelPath, len: u64) -> Result<Option<Vec<u8>>, Failure> {
        let Some((parent, leaf)) = self.parent(at, false)? else { return Ok(None) };
        match rustix::fs::openat(&parent, leaf, READ, Mode::empty()) {
            Ok(file) => {
                let mut bytes = Vec::new();
                let read =
                    self.regular(at, file)?.take(len.saturating_add(1)).read_to_end(&mut bytes);
                read.map_err(|error| self.failed("read", at, &error))?;
                Ok(Some(bytes))
            }
            // A link is no document: the rename puts one in its place and leaves the target alone.
            Err(Errno::NOENT | Errno::LOOP) => Ok(None),
            Err(error) => Err(self.stopped("open", at, error)),
        }
    }

    /// The open directory of a file, and its name there; `None` when a directory is missing.
    fn parent<'a>(
        &self,
        at: &'a RelPath,
        make: bool,
    ) -> Result<Option<(OwnedFd, &'a str)>, Failure> {
        let (dirs, leaf) = match at.as_str().rsplit_once('/') {
            Some((dirs, leaf)) => (Some(dirs), leaf),
            None => (None, at.as_str()),
        };
        let own = self.dir.as_fd().try_clone_to_owned();
        let mut here = own.map_err(|error| self.failed("open", at, &error))?;
        for part in dirs.into_iter().flat_map(|it| it.split('/')) {
            let mut next = rustix::fs::openat(&here, part, DIR, Mode::empty());
            if make && matches!(next, Err(Errno::NOENT)) {
                match rustix::fs::mkdirat(&here, part, NEW_DIR) {
                    Ok(()) => self.sync(at, &here)?,
                    Err(Errno::EXIST) => {}
                    Err(error) => return Err(self.stopped("create", at, error)),
                }
                next = rustix::fs::openat(&here, part, DIR, Mode::empty());
            }
            here = match next {
                Ok(dir) => dir,
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(self.stopped("open", at, error)),
            };
        }
        Ok(Some((here, leaf)))
    }

    fn regular(&self, at: &RelPath, file: OwnedFd) -> Result<File, Failure> {
        let stat = rustix::fs::fstat(&file).map_err(|error| self.stopped("look at", at, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(File::from(file)),
            FileType::Directory => {
                Err(self.failed("open", at, &io::ErrorKind::IsADirectory.into()))
            }
            _ => Err(Failure::integrity("not a regular file").in_file(self.join(at))),
        }
    }

    fn sync(&self, at: &RelPath, dir: &OwnedFd) -> Result<(), Failure> {
        rustix::fs::fsync(dir).map_err(|error| self.stopped("sync the directory of", at, error))
    }

    fn stopped(&self, verb: &str, at: &RelPath, error: Errno) -> Failure {
        match error {
            Errno::LOOP | Errno::NOTDIR | Errno::NXIO => {
                let message = "a symbolic link or a special file stands in the way; \
                               paths never leave the run directory";
                Failure::integrity(message).in_file(self.join(at))
            }
            error => self.failed(verb, at, &error.into()),
        }
    }

    fn failed(&self, verb: &str, at: &RelPath, error: &io::Error) -> Failure {
        Failure::file(verb, self.join(at), error)
    }
}

/// The hash and the length of what is left to read.
fn digest(from: &mut impl io::Read) -> io::Result<(Digest, u64)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0_u64;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((Digest::from_bytes(hash.finalize().into()), total)),
            Ok(read) => {
                hash.update(buffer.get(..read).unwrap_or_default());
                total = total.saturating_add(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Makes a file that was not there.
fn create(dir: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, name, flags, NEW_FILE)?.into())
}

/// A path as it can be opened and shown; without the trailing slash that would follow a link.
fn plain(path: &Utf8Path) -> Result<Utf8PathBuf, Failure> {
    if path.as_str().is_empty() {
        return Err(Failure::usage("the path is empty").at_field("--run-dir"));
    }
    if path.as_str().contains(is_unsafe) {
        let message = "the path of a run directory has no control or invisible characters";
        return Err(Failure::bad_evidence(message).in_file(path));
    }
    Ok(path.components().collect())
}

fn not_a_directory(path: &Utf8Path) -> Failure {
    let link = std::fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink());
    let what = if link {
        "a symbolic link; name the directory that it leads to"
    } else {
        "not a directory"
    };
    Failure::bad_evidence(what).in_file(path)
}
