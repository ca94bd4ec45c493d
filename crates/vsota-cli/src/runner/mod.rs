//! Who runs what, in which order, and what becomes of it when the run is killed? One runner at a time in
//! a campaign; what it was doing lies under `benchmark/running/` till it is filed.

mod array;
mod blocks;
mod builds;
mod capture;
mod hygiene;
mod job;
mod leftovers;
mod pilot;
mod progress;
mod record;
mod rig;
mod tree;

use std::fs::{File, TryLockError};
use std::ops::Deref;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use vsota_core::event::Event;
use vsota_core::facts::Build;
use vsota_core::{Artifact, Campaign, Clause, Phase};

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason, Refused};
use crate::journal::{Reading, rel};
use crate::output::{Outcome, Text};
use crate::planned;
use crate::rundir::RunDir;
use crate::rundir::intake::LIMIT;
use crate::transition::Transition;

pub use array::{Task, WORD as TASK, main as task};
pub use blocks::{Filed, Member};
pub use builds::{BuildArgs, Unbuilt};
pub use capture::{Camera, NotTaken};
pub use job::{Asked, Job};
pub use pilot::{Pilot, Series};
pub use progress::Progress;
pub use rig::{Mocks, Rig};
pub use tree::Identity;

/// The lock that refuses a second runner; transitions do not wait for it.
const LOCK: &str = "humanize/runner.lock";

/// Where what is being run lies.
pub const RUNNING: &str = "benchmark/running";

/// How long servers and clients may take.
#[derive(Clone, Copy, Debug, clap::Args, Deserialize, Serialize)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// The longest benchmark run, or the longest wait for a trace, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    run_timeout: u64,

    /// How long a server has to end before it is killed, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    grace: u64,

    /// How long GPU memory may take to come back after a server ended, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    memory_timeout: u64,
}

impl Limits {
    /// The longest benchmark run, or wait for a trace.
    pub fn run(self) -> Duration {
        Duration::from_secs(self.run_timeout)
    }

    /// How long GPU memory may take to come back.
    pub fn memory(self) -> Duration {
        Duration::from_secs(self.memory_timeout)
    }

    /// How long a server has to end.
    pub fn grace(self) -> Duration {
        Duration::from_secs(self.grace)
    }
}

/// The one runner of a campaign: a rig, and the campaign that it measures for.
#[derive(Debug)]
pub struct Runner<'a> {
    rig: Rig<'a>,
    /// The run directory.
    pub run: &'a RunDir,
    root: Utf8PathBuf,
    running: Utf8PathBuf,
    /// Held as long as the runner lives.
    _lock: File,
}

impl<'a> Deref for Runner<'a> {
    type Target = Rig<'a>;

    fn deref(&self) -> &Rig<'a> {
        &self.rig
    }
}

impl<'a> Runner<'a> {
    /// Takes the place of the runner, with the plan that was declared or the one that is given.
    ///
    /// # Errors
    ///
    /// Busy when another one runs; refused when no search was declared; as the plan says.
    pub fn open(
        context: &'a Context,
        run: &'a RunDir,
        plan: Option<&Utf8Path>,
        limits: Limits,
    ) -> Result<Self, Failure> {
        let lock = lock(run)?;
        let chronicle = Chronicle::of(&Reading::of(run)?)?;
        let (text, path) = match plan {
            Some(path) => (crate::given::text(context, path)?, path.to_owned()),
            None => declared(run, &chronicle)?,
        };
        let plan = planned::of_campaign(&chronicle.campaign, run, &text, &path)?;
        let root = run.path().canonicalize_utf8();
        let root = root.map_err(|error| Failure::file("resolve", run.path(), &error))?;
        let base = chronicle.campaign.state().brief().clone();
        let mocks = mocks(&chronicle.campaign);
        let rig = Rig::new(context, plan, limits, base, mocks);
        let running = root.join(RUNNING);
        Ok(Self { rig, run, root, running, _lock: lock })
    }

    /// The campaign as its journal stands now.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read or believed.
    pub fn campaign(&self) -> Result<Campaign, Failure> {
        Ok(crate::chronicle::campaign(&Reading::of(self.run)?)?.0)
    }

    /// What a command that made blocks says: its last transition, or where the campaign stands.
    ///
    /// # Errors
    ///
    /// When the journal cannot be read.
    pub fn outcome(
        &self,
        last: Option<Transition>,
        text: Text,
        view: &impl Serialize,
    ) -> Result<Outcome, Failure> {
        let step = match last {
            Some(step) => step,
            None => {
                let (campaign, head) = crate::chronicle::campaign(&Reading::of(self.run)?)?;
                Transition::none(&campaign, head)
            }
        };
        step.outcome_with(text, view)
    }

    /// A place of its own for what is being run.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn place(&self, name: &str) -> Result<Utf8PathBuf, Failure> {
        let free = (1..100_000).map(|n| self.running.join(format!("{name}-{n}")));
        let dir = free.into_iter().find(|it| !it.exists());
        let dir =
            dir.ok_or_else(|| Failure::io("there is no free place").in_file(&self.running))?;
        std::fs::create_dir_all(&dir).map_err(|error| Failure::file("create", &dir, &error))?;
        Ok(dir)
    }

    /// Forgets what is filed.
    pub fn forget(&self, dir: &Utf8Path) {
        // What stays is filed no second time: its digests are in the journal.
        let _ = std::fs::remove_dir_all(dir);
        let _ = std::fs::remove_dir(&self.running);
    }
}

/// The lock, held by nobody else.
fn lock(run: &RunDir) -> Result<File, Failure> {
    let at = rel(LOCK)?;
    let file = run.append(&at, true)?.ok_or_else(|| Failure::io("the lock cannot be made"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = "another run of this campaign is going on; `vsota status` shows how far";
            Err(Failure::busy(message).in_file(run.join(&at)))
        }
        Err(TryLockError::Error(error)) => Err(Failure::file("lock", run.join(&at), &error)),
    }
}

/// Which servers of a campaign may be mocks (FB-5).
fn mocks(campaign: &Campaign) -> Mocks {
    if campaign.opening().demo { Mocks::Only } else { Mocks::Never }
}

/// The plan that was declared last.
fn declared(run: &RunDir, chronicle: &Chronicle) -> Result<(String, Utf8PathBuf), Failure> {
    let plan = |event: &Event| match event {
        Event::SearchDeclared(it) => Some(it.said.plan.clone()),
        _ => None,
    };
    let last: Option<Artifact> = chronicle.entries.iter().rev().find_map(|it| plan(&it.event));
    let plan = last.ok_or_else(|| undeclared(&chronicle.campaign))?;
    let bytes = run.read(&plan.path, LIMIT)?;
    let bytes = bytes
        .ok_or_else(|| Failure::integrity("the plan is gone").in_file(run.join(&plan.path)))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((text, run.join(&plan.path)))
}

/// FB-12: before the freeze a search may still be declared; later a plan is named where it is asked for.
fn undeclared(campaign: &Campaign) -> Failure {
    let (also, help) = match campaign.phase() {
        Phase::FixedBenchmark => ("", "vsota bench plan FILE"),
        _ => (" before the freeze; the same command takes the plan by --plan FILE", "vsota next"),
    };
    let found = format!("no search was declared{also}");
    Refused { reasons: vec![Reason { clause: Clause::Fb12, found, help: help.to_owned() }] }.into()
}

/// Which of the two builds of a trial.
pub fn which(build: Build) -> &'static str {
    match build {
        Build::New => "new",
        Build::Accepted => "accepted",
    }
}

/// The commit that the journal knows for a tree.
pub fn commit_of(chronicle: &Chronicle, tree: &vsota_core::GitId) -> Option<String> {
    let named = |event: &Event| match event {
        Event::BenchmarkFrozen(it) => Some((it.said.tree.clone(), it.said.commit.clone())),
        Event::PatchRecorded(it) => {
            let head = &it.said.stand.head;
            Some((head.tree.clone(), head.commit.clone()))
        }
        Event::FixupRecorded(it) => {
            let head = &it.said.stand.head;
            Some((head.tree.clone(), head.commit.clone()))
        }
        _ => None,
    };
    let found = chronicle.entries.iter().rev().filter_map(|it| named(&it.event));
    found.into_iter().find(|(it, _)| it == tree).map(|(_, commit)| commit.to_string())
}
