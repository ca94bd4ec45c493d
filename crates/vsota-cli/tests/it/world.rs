//! A directory with a campaign in it, and the binary.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output as Ended, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use vsota_cli::context::Context;
use vsota_cli::documents::CHECKPOINT;
use vsota_cli::failure::Failure;
use vsota_cli::find::Finder;
use vsota_cli::journal;
use vsota_cli::output::{Color, Output};
use vsota_cli::rundir::RunDir;
use vsota_cli::secrets::Secrets;
use vsota_cli::transition::{self, Transition};
use vsota_cli::{chronicle::Chronicle, clock::Clock, journal::Reading};
use vsota_core::command::NoteCompanion;
use vsota_core::facts::{Companion, CompanionName, Noted};
use vsota_core::text::{Line, RelPath};
use vsota_core::{Format, Opening};

pub(crate) struct World {
    // Removed when the world ends.
    _root: TempDir,
    pub(crate) root: Utf8PathBuf,
    pub(crate) run: Utf8PathBuf,
}

impl World {
    /// A directory without a campaign.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(fs::canonicalize(dir.path()).unwrap()).unwrap();
        let run = root.join("run");
        fs::create_dir(&run).unwrap();
        Self { _root: dir, root, run }
    }

    /// A campaign with this many entries.
    pub(crate) fn with(entries: u64) -> Self {
        let world = Self::empty();
        open(&world.run).unwrap();
        for _ in 1..entries {
            step(&world.run).unwrap();
        }
        world
    }

    pub(crate) fn journal(&self) -> Utf8PathBuf {
        self.run.join(journal::PATH)
    }

    pub(crate) fn checkpoint(&self) -> Utf8PathBuf {
        self.run.join(CHECKPOINT)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.journal()).unwrap()
    }

    pub(crate) fn put(&self, bytes: impl AsRef<[u8]>) {
        fs::write(self.journal(), bytes).unwrap();
    }

    pub(crate) fn quarantine(&self) -> Vec<(String, Vec<u8>)> {
        let dir = self.run.join("humanize/quarantine");
        let Ok(files) = fs::read_dir(dir) else { return Vec::new() };
        files
            .map(|it| it.unwrap())
            .map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap()))
            .collect()
    }

    pub(crate) fn read(&self) -> Result<Chronicle, Failure> {
        let run = RunDir::open(&self.run)?;
        Chronicle::of(&Reading::of(&run)?)
    }

    pub(crate) fn vsota(&self, args: &[&str]) -> Ended {
        vsota().arg("-C").arg(&self.run).args(args).output().unwrap()
    }
}

pub(crate) fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_vsota").into()
}

/// The binary, with an environment that knows no campaign and no secret.
pub(crate) fn vsota() -> Command {
    let mut command = Command::new(binary());
    command.env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn context(run: &Utf8Path) -> Context {
    Context {
        output: Output::new(false, Color::Never),
        clock: Clock::from_env().unwrap(),
        finder: Finder { flag: Some(run.to_owned()), variable: None },
        secrets: Secrets::default(),
    }
}

pub(crate) fn open(run: &Utf8Path) -> Result<Transition, Failure> {
    let opening =
        Opening { format: Format::CURRENT, version: Line::new("vsota 0").unwrap(), demo: false };
    transition::open(&context(run), &RunDir::open(run)?, opening)
}

/// Takes a step that is always granted.
pub(crate) fn step(run: &Utf8Path) -> Result<Transition, Failure> {
    transition::take(&context(run), &RunDir::open(run)?, note("not installed"))
}

pub(crate) fn note(reason: &str) -> NoteCompanion {
    let noted = Noted::Blocked { reason: Line::new(reason).unwrap() };
    NoteCompanion(Companion { name: CompanionName::ALL[0], noted })
}

pub(crate) fn rel(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

pub(crate) fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| {
        panic!("not one JSON value ({error}): {}", String::from_utf8_lossy(bytes))
    })
}
