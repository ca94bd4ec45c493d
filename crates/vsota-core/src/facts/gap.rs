//! Blocks of interleaved runs, and the verdict that the machine draws from them (GD, RV).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Build, Dimension, Framework, Measurement, Standpoint, Status, words};
use crate::artifact::{Artifact, Digest, GitId};
use crate::measure::{Measured, Real};
use crate::text::{Argv, Line, Name};
use crate::verdict::{Action, Pair, SessionKind, SlaState, Verdict};

/// One run of vLLM and one of each opponent, back to back, each in a fresh launch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The scenario of all its runs.
    pub scenario: Name,
    /// What all its runs say alike of what they measured (FB-3).
    pub identity: BTreeMap<Dimension, Line>,
    /// Its runs, in the order in which they started.
    pub runs: Vec<BlockRun>,
    /// The filed block.
    pub source: Artifact,
}

/// One run of a block.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BlockRun {
    /// What was served.
    pub framework: Framework,
    /// Which vLLM build, in a trial block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// The tree of that build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<GitId>,
    /// The framework's version (FB-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_version: Option<Line>,
    /// The framework's commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_commit: Option<Line>,
    /// The launch command.
    pub server_command: Argv,
    /// How the run ended.
    pub status: Status,
    /// Whether it is only a flow check (FB-5).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub smoke: bool,
    /// Whether a mock server or a mock client made it up (FB-5).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub mock: bool,
    /// When its server was launched, ms since the epoch, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched_at: Option<i64>,
    /// When its server was closed, ms since the epoch, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<i64>,
    /// The numbers, when it measured any.
    pub measured: Option<Measurement>,
    /// What it says that its block does not say for all runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub identity: BTreeMap<Dimension, Line>,
    /// The native result files: one, or one of each run that shares the launch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<Artifact>,
    /// The server log; without one the run is report-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Artifact>,
    /// The file of settings that its launch command names, as it was read (FB-3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Artifact>,
}

impl Block {
    /// A block of runs that each say all that they measured: what all say alike is said once.
    pub fn new(scenario: Name, mut runs: Vec<BlockRun>, source: Artifact) -> Self {
        let mut identity = runs.first().map(|it| it.identity.clone()).unwrap_or_default();
        identity.retain(|dimension, value| {
            runs.iter().all(|it| it.identity.get(dimension) == Some(value))
        });
        for run in &mut runs {
            run.identity.retain(|dimension, _| !identity.contains_key(dimension));
        }
        Self { scenario, identity, runs, source }
    }

    /// What one of its runs says of itself (FB-3); unknown when nothing does.
    pub fn says<'a>(&'a self, run: &'a BlockRun, dimension: Dimension) -> Option<&'a Line> {
        run.identity.get(&dimension).or_else(|| self.identity.get(&dimension))
    }
}

impl BlockRun {
    /// The launch of the server: the digest of its log (files.md).
    pub fn launch(&self) -> Option<Digest> {
        self.log.as_ref().map(|it| it.sha256)
    }

    /// From when till when its server was up, ms since the epoch: at least while it was measured.
    pub fn up(&self) -> Option<(i64, i64)> {
        let measured = self.measured.as_ref()?;
        let from = self.launched_at.map_or(measured.started_at, |it| it.min(measured.started_at));
        let to = self.closed_at.map_or(measured.ended_at, |it| it.max(measured.ended_at));
        Some((from, to))
    }

    /// What tells its numbers from those of every other run; nothing where it measured too few.
    pub fn numbers(&self) -> Option<Digest> {
        self.measured.as_ref()?.numbers(self.framework)
    }

    /// Whether it failed or was never begun, and measured nothing.
    pub fn came_to_nothing(&self) -> bool {
        self.status != Status::Ok && self.measured.is_none()
    }
}

/// What the machine made of a filed block.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BlockFound {
    /// The session that the block belongs to.
    pub session: SessionId,
    /// Why it does not count, when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_only: Option<ReportOnly>,
}

/// A session of blocks: the gate, or the confirmation after it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SessionId {
    /// Gate or confirm.
    pub kind: SessionKind,
    /// Its number in the round, from 1.
    pub n: u32,
}

words::vocabulary! {
    /// Why a block is kept and printed but decides nothing.
    pub enum ReportOnly("reason") {
        /// A run names no server launch.
        NoLaunch = "no-launch",
        /// A launch was used before.
        LaunchReused = "launch-reused",
        /// The server of a run was up while that of another run was.
        LaunchesOverlap = "launches-overlap",
        /// Its runs do not lie between the blocks before and after it.
        NotInterleaved = "not-interleaved",
        /// A run failed, was disturbed or lost requests; the block is redone in its slot.
        Broken = "broken",
        /// A run is labelled as a flow check.
        Smoke = "smoke",
        /// A run was limited by its client and the scenario names no latency (GD-6).
        RateLimited = "rate-limited",
        /// A run did not measure the scenario's objective.
        NoObjective = "no-objective",
        /// Realised lengths or counts are not those of the workload.
        OffWorkload = "off-workload",
        /// Its numbers are those of an earlier run.
        ResultReused = "result-reused",
        /// It was measured before this round, or before the patch.
        Stale = "stale",
    }
}

/// What `gap decide` is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionAsked {
    /// Where checkout and loop stand.
    pub stand: Standpoint,
}

/// The verdict over all scenarios, recomputed from the filed blocks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GapVerdict {
    /// The session that was decided.
    pub session: SessionId,
    /// What follows.
    pub action: Action,
    /// The weakest label of a stop.
    pub label: Option<Verdict>,
    /// Blocks that are still wanted, per scenario.
    pub more_blocks: u32,
    /// Whether vLLM fails the SLA where another passes.
    pub sla_failed: bool,
    /// The slow scenario of the contract's words.
    pub slow: Option<Name>,
    /// Each scenario.
    pub scenarios: Vec<ScenarioVerdict>,
}

/// The verdict of one scenario.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioVerdict {
    /// The scenario.
    pub scenario: Name,
    /// The fold over competitors.
    pub verdict: Verdict,
    /// The competitors that lead.
    pub leaders: Vec<Framework>,
    /// vLLM against each competitor.
    pub competitors: BTreeMap<Framework, Pair>,
    /// The SLA state of each framework that ran.
    pub sla: BTreeMap<Framework, SlaState>,
    /// The pooled mean log ratio over all blocks on this build and rig (GD-7).
    pub pooled: BTreeMap<Framework, PooledInterval>,
    /// The gap to the frozen table in percent; report-only.
    pub literal_gap_pct: Option<Real>,
}

/// The pooled interval of one competitor, as log ratios (GD-7).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PooledInterval {
    /// Blocks in the pool.
    pub n: u32,
    /// The mean.
    pub mean: Real,
    /// The lower bound.
    pub lo: Real,
    /// The upper bound.
    pub hi: Real,
}

/// What changed about the rig (GD-7).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RigChange {
    /// What was changed.
    pub changed: Line,
    /// When it was noted, ms since the epoch; what comes is measured after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

/// A competitor that can no longer run (GD-8).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CompetitorBlock {
    /// The competitor.
    pub framework: Framework,
    /// The launch log that shows it.
    pub log: Artifact,
    /// Why it cannot run.
    pub reason: Line,
}

/// A block of a patched build against the accepted one, as the machine keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gain {
    /// Blocks that count, over all scenarios.
    pub blocks: u32,
    /// The geometric mean gain in percent.
    pub gain_pct: Real,
    /// The lower bound of the mean log ratio.
    pub lo: Real,
    /// The upper bound of the mean log ratio.
    pub hi: Real,
    /// Whether the round counts as weak (LE-3).
    pub weak: bool,
    /// The new build's value of each scenario's objective: the geometric mean of its runs.
    pub values: BTreeMap<Name, Measured>,
}

/// What the machine found when the blocks of a round were left: the round, or the rig.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// Whether these blocks said Behind; a later stop on this build is held to it (GD-7).
    pub behind: bool,
}
