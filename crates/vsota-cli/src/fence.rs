//! Where may evidence come from? A demonstration takes it only from its own `evidence/`: what a real
//! machine said never ends in a campaign that proves nothing, nor the other way round.

use std::io::{ErrorKind, Read as _};

use camino::{Utf8Path, Utf8PathBuf};
use vsota_core::Entry;
use vsota_core::event::Event;

use crate::context::Context;
use crate::failure::Failure;
use crate::journal::{PATH, rel};
use crate::rundir::{RunDir, intake};
use crate::runner::RUNNING;

/// The most bytes of the first line of a journal.
const OPENING: u64 = 16 * 1024;

/// The directories that a demonstration's evidence must lie in: its own, where it runs its mocks, and
/// the profiles that it filed of them.
#[derive(Clone, Debug)]
pub struct Fence {
    evidence: Utf8PathBuf,
    running: Utf8PathBuf,
    profiles: Utf8PathBuf,
}

impl Fence {
    /// The fence of the demonstration `D/runs/X`: `D/evidence`.
    ///
    /// # Errors
    ///
    /// When the place of the run directory cannot be resolved.
    pub fn of_demo(run_dir: &Utf8Path) -> Result<Self, Failure> {
        let there = match run_dir.canonicalize_utf8() {
            Ok(there) => there,
            // It is about to be made.
            Err(_) => camino::absolute_utf8(run_dir)
                .map_err(|error| Failure::file("resolve", run_dir, &error))?,
        };
        let above = there.parent().and_then(Utf8Path::parent).unwrap_or(Utf8Path::new("/"));
        let above = above.canonicalize_utf8().unwrap_or_else(|_| above.to_owned());
        let (running, profiles) = (there.join(RUNNING), there.join("profiles"));
        Ok(Self { evidence: above.join("evidence"), running, profiles })
    }

    /// The fence of a campaign; `None` unless its opening says that it is a demonstration.
    ///
    /// # Errors
    ///
    /// When the journal is there and cannot be read.
    pub fn around(run: &RunDir) -> Result<Option<Self>, Failure> {
        let at = rel(PATH)?;
        let Some(file) = run.file(&at)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(OPENING).read_to_end(&mut bytes);
        read.map_err(|error| Failure::file("read", run.join(&at), &error))?;
        let first = bytes.split(|it| *it == b'\n').next().unwrap_or_default();
        // A line that is none is damage, which the reading of the journal names.
        match serde_json::from_slice::<Entry>(first).map(|it| it.event) {
            Ok(Event::CampaignOpened(it)) if it.said.demo => Self::of_demo(run.path()).map(Some),
            _ => Ok(None),
        }
    }

    /// Lets a file pass that lies inside.
    ///
    /// # Errors
    ///
    /// Bad evidence when it lies elsewhere, also behind a link.
    pub fn check(&self, from: &Utf8Path) -> Result<(), Failure> {
        let there = match from.as_std_path().canonicalize() {
            Ok(there) => there,
            // What is not there is named when it is opened.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Failure::file("resolve", from, &error)),
        };
        // A link may lead to a name that is no UTF-8: that is elsewhere like any other.
        let inside = [&self.evidence, &self.running, &self.profiles];
        if inside.into_iter().any(|it| there.starts_with(it)) {
            return Ok(());
        }
        let message = format_args!(
            "a demonstration takes evidence only from {}; this lies elsewhere",
            self.evidence
        );
        Err(Failure::bad_evidence(message).in_file(from))
    }
}

impl Context {
    /// The bytes of a file that the user named as evidence, whole.
    ///
    /// # Errors
    ///
    /// As [`intake::read`], and bad evidence when a demonstration may not take it.
    pub fn evidence(&self, from: &Utf8Path, limit: u64) -> Result<Vec<u8>, Failure> {
        self.may_take(from)?;
        let bytes = intake::read(from, limit)?;
        if !self.secrets.redacts() {
            return Ok(bytes);
        }
        // What is read is what is stored: a fact never holds what its artefact does not.
        let (bytes, hits) = self.secrets.clean(&bytes);
        self.secrets.admit(hits).map_err(|it| it.in_file(from))?;
        Ok(bytes)
    }

    /// Whether the campaign that is meant may take evidence from there.
    ///
    /// # Errors
    ///
    /// Bad evidence when it is a demonstration and the file lies elsewhere.
    pub fn may_take(&self, from: &Utf8Path) -> Result<(), Failure> {
        // Without a campaign there is no fence; the command says so when it needs one.
        if let Ok(run) = self.run_dir()
            && let Some(fence) = Fence::around(&run)?
        {
            fence.check(from)?;
        }
        Ok(())
    }
}
