//! Benchmark rows: searches, candidates, exclusions and the freeze (FB-1 … FB-14).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Dimension, Framework, Metric, PlannedLaunch, Stat, Status};
use crate::artifact::{Artifact, Digest, GitId};
use crate::measure::{Fraction, Measured};
use crate::text::{Argv, Line, Name};

/// The bounded search that a plan declares (FB-2, FB-12).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SearchPlan {
    /// The plan file.
    pub plan: Artifact,
    /// One space per framework.
    pub spaces: Vec<SearchSpace>,
    /// What the plan names and nobody runs here (IN-4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<LeftOut>,
}

/// A framework of a plan that is not run here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Its name in the plan.
    pub name: Name,
    /// Why it is not run.
    pub reason: Line,
}

/// A candidate that is recorded and never run (FB-6, FB-7).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedCandidate {
    /// Its id.
    pub id: Name,
    /// The launch command that is not run.
    pub server_command: Argv,
    /// Why not, with its clause.
    pub reason: Line,
}

/// The candidates that one framework is going to try.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SearchSpace {
    /// Whose search it is.
    pub framework: Framework,
    /// The candidates, baseline first.
    pub candidates: Vec<PlannedLaunch>,
    /// Whether these are all that the framework offers here.
    pub whole: bool,
    /// What the plan names and is never run (FB-6, FB-7).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedCandidate>,
}

/// The help output of a framework (FB-8).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HelpOutput {
    /// Whose help it is.
    pub framework: Framework,
    /// The filed output.
    pub output: Artifact,
}

/// One filed run of one candidate in one scenario.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The candidate's id.
    pub id: Name,
    /// Its framework.
    pub framework: Framework,
    /// The framework's version.
    pub framework_version: Option<Line>,
    /// The framework's commit.
    pub framework_commit: Option<Line>,
    /// The scenario that was run.
    pub scenario: Name,
    /// How the run ended.
    pub status: Status,
    /// Whether it is only a flow check (FB-5).
    pub smoke: bool,
    /// Whether a mock server or a mock client made it up (FB-5).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub mock: bool,
    /// Whether a server answered over HTTP; offline runs never rank.
    pub served: bool,
    /// Why it failed or was skipped.
    pub failure_reason: Option<Line>,
    /// The exact launch command.
    pub server_command: Argv,
    /// The exact benchmark command.
    pub benchmark_command: Argv,
    /// TensorRT-LLM's server backend (FB-6).
    pub backend: Option<Name>,
    /// The context length that the server was given, in tokens (FB-10).
    pub context_len: Option<u64>,
    /// What the row says it measured; an absent dimension is unknown (FB-3).
    pub identity: BTreeMap<Dimension, Line>,
    /// The git tree that a vLLM row was measured on (FB-13).
    pub tree: Option<GitId>,
    /// The numbers, when the run measured any.
    pub measured: Option<Measurement>,
    /// Length buckets of a production workload (FB-4).
    pub buckets: Option<Buckets>,
    /// The run record, when one was filed.
    pub record: Option<Artifact>,
    /// The native result file.
    pub result: Option<Artifact>,
    /// The server log.
    pub log: Option<Artifact>,
    /// The file of settings that its launch command names, as it was read (FB-3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Artifact>,
}

/// The numbers of one run, recomputed from its native file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// When the run started, ms since the epoch.
    pub started_at: i64,
    /// When the run ended, ms since the epoch.
    pub ended_at: i64,
    /// Requests that completed.
    pub completed: u64,
    /// Requests that were sent.
    pub requested: u64,
    /// Prompt tokens over all completed requests.
    pub input_tokens: Option<u64>,
    /// Generated tokens over all completed requests.
    pub output_tokens: Option<u64>,
    /// The metrics that were measured.
    pub metrics: BTreeMap<Metric, Measured>,
    /// What disturbed the run, when something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<Line>,
}

/// The length buckets of a production workload, in tokens, with their latencies in ms.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Buckets {
    /// The median prompt length.
    pub input_p50: u32,
    /// The 95th percentile of prompt lengths.
    pub input_p95: u32,
    /// The median output length.
    pub output_p50: u32,
    /// The 95th percentile of output lengths.
    pub output_p95: u32,
    /// The E2E latency at those buckets, in ms.
    pub e2e_ms: BTreeMap<Stat, Measured>,
}

/// A framework that leaves the comparison (IN-4).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The framework.
    pub framework: Framework,
    /// Who or what excludes it.
    pub cause: ExclusionCause,
    /// Why.
    pub reason: Line,
}

/// Who or what excludes a framework.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExclusionCause {
    /// It cannot run here, as the log or help output shows.
    Unsupported {
        /// The log or help output.
        evidence: Artifact,
    },
    /// The user left it out.
    ByUser,
}

/// What the freeze is told: where the checkout stands (FB-13).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeAsked {
    /// The tree of the checkout's HEAD.
    pub tree: GitId,
    /// The commit of the checkout's HEAD.
    pub commit: GitId,
}

/// The winners that the machine found when the benchmark was frozen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Winners {
    /// The best row of each framework in each scenario.
    pub rows: Vec<Winner>,
}

/// The best row of one framework in one scenario.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Winner {
    /// The scenario.
    pub scenario: Name,
    /// The framework.
    pub framework: Framework,
    /// The candidate that won.
    pub candidate: Name,
    /// Whether its row passed the SLA.
    pub sla_passed: bool,
    /// Its value of the scenario's objective.
    pub objective: Measured,
    /// Its launch command.
    pub server_command: Argv,
    /// The framework's version; every later run of a competitor is of it (FB-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_version: Option<Line>,
    /// The framework's commit, when its row says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_commit: Option<Line>,
    /// What its row says it measured; every later run says the same (FB-3).
    pub identity: BTreeMap<Dimension, Line>,
    /// The file of settings that its launch read, when it read one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Digest>,
}

impl Candidate {
    /// The launch of the server: the digest of its log (files.md).
    pub fn launch(&self) -> Option<Digest> {
        self.log.as_ref().map(|it| it.sha256)
    }

    /// What was launched: the command without what tunes nothing, and the file of settings.
    pub fn launched(&self) -> (Digest, Option<Digest>) {
        (self.server_command.launches(), self.settings.as_ref().map(|it| it.sha256))
    }
}

/// The fewest metrics that tell one run from every other one.
const TELLING: usize = 4;

impl Measurement {
    /// What tells the numbers of a run from those of every other one: no two runs agree in four metrics
    /// to the last digit. Nothing where fewer were measured.
    pub fn numbers(&self, framework: Framework) -> Option<Digest> {
        if self.metrics.len() < TELLING {
            return None;
        }
        // The values stand in the order of their metrics, whose names need no place beside them.
        let values = self.metrics.values().flat_map(|it| it.get().to_bits().to_be_bytes());
        let bytes: Vec<u8> = framework.as_str().bytes().chain(values).collect();
        Some(Digest::of(&bytes))
    }

    /// The value of a metric, in its unit.
    pub fn metric(&self, metric: Metric) -> Option<Measured> {
        self.metrics.get(&metric).copied()
    }

    /// The share of sent requests that completed; unknown when none was sent.
    #[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
    pub fn success_rate(&self) -> Option<Fraction> {
        if self.requested == 0 {
            return None;
        }
        Fraction::new(self.completed as f64 / self.requested as f64).ok()
    }
}
