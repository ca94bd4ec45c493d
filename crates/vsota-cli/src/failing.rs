//! What does a file show that is to show a failure? (IN-4, PR-8, GD-8, ST-3)

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};

use camino::Utf8Path;
use vsota_core::evidence::failing::{Failing, OWN, Shown, shown};
use vsota_core::text::RelPath;

use crate::context::Context;
use crate::failure::Failure;
use crate::gather::bad;
use crate::rundir::RunDir;
use crate::rundir::intake::{LIMIT, Staged};

/// A file that was copied, its bytes, and what they show.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The copy.
    pub staged: Staged<'a>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they show.
    pub shown: Shown,
}

/// Says below the log of what failed why it was ended: a server that hangs says nothing itself.
///
/// # Errors
///
/// When the log is there and cannot be written.
pub fn add(log: &Utf8Path, reason: &str) -> Result<(), Failure> {
    let file = match OpenOptions::new().append(true).open(log) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::file("open", log, &error)),
    };
    let written = writeln!(&file, "{OWN}{}", crate::escape::brief(reason, 1_000));
    written.map_err(|error| Failure::file("write", log, &error))
}

impl<'a> Seen<'a> {
    /// Copies a file and looks at what it shows.
    ///
    /// # Errors
    ///
    /// Bad evidence when it is empty, or the log of a server that came up; as every copy.
    pub fn of(
        context: &Context,
        run: &'a RunDir,
        from: &Utf8Path,
        to: &RelPath,
        of: Failing,
    ) -> Result<Self, Failure> {
        context.may_take(from)?;
        let mut staged = run.stage(from, to, &context.secrets, LIMIT)?;
        let mut bytes = Vec::new();
        let read = staged.reader()?.read_to_end(&mut bytes);
        read.map_err(|error| Failure::file("read", from, &error))?;
        let shown = shown(&bytes, of).map_err(|error| bad(&error, from))?;
        Ok(Self { staged, bytes, shown })
    }

    /// The copy of a log that must show a failure.
    ///
    /// # Errors
    ///
    /// Bad evidence when it shows none.
    pub fn failed(self, from: &Utf8Path) -> Result<Staged<'a>, Failure> {
        match self.shown {
            Shown::Failure(_) => Ok(self.staged),
            Shown::Help | Shown::Prose => Err(nothing().in_file(from)),
        }
    }
}

/// A file that shows no failure.
pub fn nothing() -> Failure {
    let message = "it shows no failure: give the log of the launch or the capture that failed, with \
                   the error that it ended with";
    Failure::bad_evidence(message)
}
