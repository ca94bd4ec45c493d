//! How does a file from outside become an artefact?
//!
//! It is copied, and what is hashed, searched for secrets and recorded are the copied bytes: what
//! happens to the original afterwards changes nothing.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use camino::Utf8Path;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use vsota_core::text::RelPath;
use vsota_core::{Artifact, Digest};

use super::{RunDir, create, names};
use crate::failure::Failure;
use crate::secrets::Secrets;

/// The bytes of one piece of a file that is read in pieces.
const PIECE: usize = 256 << 10;

/// The most bytes of an artefact unless a command says otherwise.
pub const LIMIT: u64 = 256 << 20;

/// A copy that is whole but does not have its name yet.
///
/// Read and judge it, then [`publish`](Self::publish) it; dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Staged<'a> {
    run: &'a RunDir,
    dir: OwnedFd,
    temporary: String,
    file: File,
    artifact: Artifact,
    // Of the original; the copy may have less in it.
    read: u64,
}

/// Opens a file that the user named, for reading: a link is followed, a device is not opened.
///
/// # Errors
///
/// Bad evidence when there is no such file, when it is not a regular file, when it has a second
/// name (a hard link), or when it has more than `limit` bytes.
pub fn open(from: &Utf8Path, limit: u64) -> Result<File, Failure> {
    opened(from, limit, Names::One)
}

/// How many names a file may have that is opened.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Names {
    /// What becomes an artefact cannot be changed under another name while it is copied.
    One,
    /// What is only looked at may be linked from anywhere.
    Any,
}

fn opened(from: &Utf8Path, limit: u64, names: Names) -> Result<File, Failure> {
    let refuse = |why: &str| Failure::bad_evidence(why).in_file(from);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = match rustix::fs::openat(CWD, from.as_str(), flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::NOENT | Errno::NOTDIR) => return Err(refuse("there is no such file")),
        Err(Errno::NXIO | Errno::NODEV | Errno::LOOP | Errno::NAMETOOLONG | Errno::INVAL) => {
            return Err(refuse("not a regular file"));
        }
        Err(error) => return Err(Failure::file("open", from, &error.into())),
    };
    let stat = rustix::fs::fstat(&file);
    let stat = stat.map_err(|error| Failure::file("look at", from, &error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(refuse("not a regular file"));
    }
    if names == Names::One && stat.st_nlink > 1 {
        return Err(refuse("the file has a second name (a hard link): copy it first"));
    }
    if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > limit {
        return Err(refuse(&format!(
            "the file has {} bytes; at most {limit} are taken",
            stat.st_size
        )));
    }
    Ok(file)
}

/// The bytes of a file that the user named, whole.
///
/// # Errors
///
/// As [`open`], and when the file changes while it is read.
pub fn read(from: &Utf8Path, limit: u64) -> Result<Vec<u8>, Failure> {
    whole(from, limit, Names::One)
}

/// The bytes of a file that is looked at and not kept: it may have a second name.
///
/// # Errors
///
/// As [`read`], but for hard links.
pub fn look(from: &Utf8Path, limit: u64) -> Result<Vec<u8>, Failure> {
    whole(from, limit, Names::Any)
}

fn whole(from: &Utf8Path, limit: u64, names: Names) -> Result<Vec<u8>, Failure> {
    let file = opened(from, limit, names)?;
    let told = size(&file, from)?;
    let mut bytes = Vec::with_capacity(usize::try_from(told).unwrap_or(0));
    let read = (&file).take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Failure::file("read", from, &error))?;
    unchanged(&file, from, told, bytes.len() as u64)?;
    Ok(bytes)
}

/// Hands a file of any size that is looked at and not kept out in pieces, until one is the last that
/// is wanted.
///
/// # Errors
///
/// As [`open`] but for hard links, and when the file changes while it is read.
pub fn pieces(
    from: &Utf8Path,
    mut piece: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let mut file = opened(from, u64::MAX, Names::Any)?;
    let told = size(&file, from)?;
    let mut buffer = vec![0; PIECE];
    let mut read = 0_u64;
    loop {
        let found = match file.read(&mut buffer) {
            Ok(0) => return unchanged(&file, from, told, read),
            Ok(found) => buffer.get(..found).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::file("read", from, &error)),
        };
        read = read.saturating_add(found.len() as u64);
        if piece(found).is_break() {
            return unchanged(&file, from, told, told);
        }
    }
}

impl RunDir {
    /// Copies a file of the user's to the place of an artefact, without giving it its name yet.
    ///
    /// # Errors
    ///
    /// As [`open`]; also when the file changes meanwhile, holds a secret, or has a name that is
    /// refused.
    pub fn stage(
        &self,
        from: &Utf8Path,
        to: &RelPath,
        secrets: &Secrets,
        limit: u64,
    ) -> Result<Staged<'_>, Failure> {
        let file = open(from, limit)?;
        let told = size(&file, from)?;
        let staged = self.copy(&file, from.as_str(), to, secrets, limit)?;
        unchanged(&file, from, told, staged.read)?;
        Ok(staged)
    }

    /// As [`stage`](Self::stage), for bytes that are in memory; `label` is their name in messages.
    ///
    /// # Errors
    ///
    /// When the bytes hold a secret, or the name is refused.
    pub fn stage_bytes(
        &self,
        bytes: &[u8],
        label: &str,
        to: &RelPath,
        secrets: &Secrets,
    ) -> Result<Staged<'_>, Failure> {
        self.copy(bytes, label, to, secrets, u64::MAX)
    }

    /// Stages and publishes in one go.
    ///
    /// # Errors
    ///
    /// As [`stage`](Self::stage) and [`Staged::publish`].
    pub fn take_in(
        &self,
        from: &Utf8Path,
        to: &RelPath,
        secrets: &Secrets,
        limit: u64,
    ) -> Result<Artifact, Failure> {
        self.stage(from, to, secrets, limit)?.publish()
    }

    fn copy(
        &self,
        mut from: impl Read,
        label: &str,
        to: &RelPath,
        secrets: &Secrets,
        limit: u64,
    ) -> Result<Staged<'_>, Failure> {
        names::check(to)?;
        let Some((dir, leaf)) = self.parent(to, true)? else {
            return Err(self.stopped("create", to, Errno::NOENT));
        };
        let temporary = temporary(leaf);
        let file = create(&dir, &temporary).map_err(|error| self.failed("create", to, &error))?;
        let artifact = Artifact { path: to.clone(), sha256: Digest::from_bytes([0; 32]), bytes: 0 };
        let mut staged = Staged { run: self, dir, temporary, file, artifact, read: 0 };

        let mut sieve = secrets.sieve();
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        let (mut read, mut done) = (0_u64, false);
        let mut cleared = Vec::new();
        while !done {
            let chunk = match from.read(&mut buffer) {
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::file("read", label, &error)),
            };
            done = chunk.is_empty();
            read = read.saturating_add(chunk.len() as u64);
            if read > limit {
                let message = format_args!("more than {limit} bytes");
                return Err(Failure::bad_evidence(message).in_file(label));
            }
            // Only what is cleared is written: a secret does not reach the disk.
            cleared.clear();
            let hits = match done {
                false => sieve.feed(chunk, &mut cleared),
                true => sieve.finish(&mut cleared),
            };
            secrets.admit(hits).map_err(|it| it.in_file(label))?;
            staged.artifact.bytes = staged.artifact.bytes.saturating_add(cleared.len() as u64);
            hash.update(&cleared);
            staged.file.write_all(&cleared).map_err(|error| self.failed("write", to, &error))?;
        }
        staged.read = read;
        staged.artifact.sha256 = Digest::from_bytes(hash.finalize().into());
        Ok(staged)
    }
}

impl Staged<'_> {
    /// Where it will lie, and what it is.
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// The copied bytes, from the beginning.
    ///
    /// # Errors
    ///
    /// I/O when the copy cannot be read.
    pub fn reader(&mut self) -> Result<&mut File, Failure> {
        match self.file.rewind() {
            Ok(()) => Ok(&mut self.file),
            Err(error) => Err(self.run.failed("read", &self.artifact.path, &error)),
        }
    }

    /// Whether other bytes lie under its name.
    ///
    /// # Errors
    ///
    /// When what lies there cannot be read.
    pub fn is_blocked(&self) -> Result<bool, Failure> {
        Ok(self.run.digest(&self.artifact.path)?.is_some_and(|it| it != self.artifact))
    }

    /// Gives the copy its name; it is on the disk before this returns.
    ///
    /// # Errors
    ///
    /// Bad evidence when another artefact has that name, or one that differs only in its case. The
    /// same bytes under the same name are fine: repeating a call goes on.
    pub fn publish(self) -> Result<Artifact, Failure> {
        let at = &self.artifact.path;
        let leaf = at.as_str().rsplit('/').next().unwrap_or_default();
        self.no_twin(leaf)?;
        self.file.sync_all().map_err(|error| self.run.failed("sync", at, &error))?;
        match self.name(leaf) {
            Ok(()) => self.run.sync(at, &self.dir)?,
            Err(Errno::EXIST) => match self.run.digest(at)? {
                Some(known) if known == self.artifact => {}
                _ => {
                    let message = "another artefact lies there; it is never overwritten";
                    return Err(Failure::bad_evidence(message).in_file(self.run.join(at)));
                }
            },
            Err(error) => return Err(self.run.stopped("name", at, error)),
        }
        Ok(self.artifact.clone())
    }

    /// Renames without replacing; where the file system cannot do that, by a second link.
    fn name(&self, leaf: &str) -> Result<(), Errno> {
        let (dir, from) = (&self.dir, &self.temporary);
        match rustix::fs::renameat_with(dir, from, dir, leaf, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                rustix::fs::linkat(dir, from, dir, leaf, AtFlags::empty())?;
                rustix::fs::unlinkat(dir, from, AtFlags::empty())
            }
            named => named,
        }
    }

    /// Some file systems take two names that differ only in case for one.
    fn no_twin(&self, leaf: &str) -> Result<(), Failure> {
        let at = &self.artifact.path;
        let names =
            Dir::read_from(&self.dir).map_err(|error| self.run.stopped("list", at, error))?;
        for name in names {
            let name = name.map_err(|error| self.run.stopped("list", at, error))?;
            let name = name.file_name().to_string_lossy();
            if name != leaf && name.eq_ignore_ascii_case(leaf) {
                let message = "an artefact lies there whose name differs only in its case";
                return Err(Failure::bad_evidence(message).in_file(self.run.join(at)));
            }
        }
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // After `publish` there is nothing left to remove; otherwise a left-over harms nobody.
        let _ = rustix::fs::unlinkat(&self.dir, &self.temporary, AtFlags::empty());
    }
}

/// A name that no other call uses: copies are made without the lock of the journal.
fn temporary(leaf: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".{leaf}.{}-{count}.vsota-new", process::id())
}

fn size(file: &File, from: &Utf8Path) -> Result<u64, Failure> {
    let metadata = file.metadata().map_err(|error| Failure::file("look at", from, &error))?;
    Ok(metadata.len())
}

fn unchanged(file: &File, from: &Utf8Path, told: u64, read: u64) -> Result<(), Failure> {
    if told == read && size(file, from)? == read {
        return Ok(());
    }
    Err(Failure::bad_evidence("the file changed while it was read; file it again").in_file(from))
}
