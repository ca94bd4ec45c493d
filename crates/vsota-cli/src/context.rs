//! What does every command have at hand?

use camino::Utf8PathBuf;

use crate::cli::Global;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::find::Finder;
use crate::journal::Reading;
use crate::output::Output;
use crate::rundir::RunDir;
use crate::secrets::Secrets;

/// The outside of one call: terminal, clock, environment, and where the campaign is.
#[derive(Debug)]
pub struct Context {
    /// The terminal.
    pub output: Output,
    /// The clock.
    pub clock: Clock,
    /// Where to look for the campaign.
    pub finder: Finder,
    /// The secrets that must not be recorded.
    pub secrets: Secrets,
}

impl Context {
    /// The outside as the flags and the environment tell it.
    ///
    /// # Errors
    ///
    /// Usage when the environment holds a time or a path that cannot be understood.
    pub fn new(global: &Global, secrets: Secrets) -> Result<Self, Failure> {
        Ok(Self {
            output: global.output(),
            clock: Clock::from_env()?,
            finder: Finder::new(global.run_dir.clone())?,
            secrets: secrets.redacting(global.redact),
        })
    }

    /// The run directory of the campaign that is meant, open.
    ///
    /// # Errors
    ///
    /// As [`Finder::find`] and [`RunDir::open`].
    pub fn run_dir(&self) -> Result<RunDir, Failure> {
        RunDir::open(&self.finder.find()?)
    }

    /// The journal of the campaign that is meant, read without a lock, and where it lies.
    ///
    /// # Errors
    ///
    /// As [`run_dir`](Self::run_dir) and [`Reading::of`].
    pub fn reading(&self) -> Result<(Utf8PathBuf, Reading), Failure> {
        let run = self.run_dir()?;
        Ok((run.path().to_owned(), Reading::of(&run)?))
    }
}
