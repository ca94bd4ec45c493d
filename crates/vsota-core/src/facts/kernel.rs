//! Kernel evidence: the target, its digests, and blockers (KA-1 … KA-9, RT-3).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{KernelKind, Noted, RowId, Standpoint};
use crate::artifact::Artifact;
use crate::measure::{Measured, Real};
use crate::text::{Line, Name, Prose};

/// The kernel that a round wants to change (KA-1, KA-2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KernelTarget {
    /// Where checkout and loop stand.
    pub stand: Standpoint,
    /// A short name, used in paths.
    pub name: Name,
    /// What it is written in.
    pub kind: KernelKind,
    /// The rows of its kernel or family.
    pub rows: Vec<RowId>,
    /// The implementation that a family shares, when no row alone reaches 1 %.
    pub shared_source: Option<Line>,
    /// Why torch-profiler evidence is not enough (KA-1).
    pub profiler_falls_short: Option<Line>,
    /// What a correct result is compared with.
    pub reference: Option<Line>,
    /// Representative shapes from the model run.
    pub shapes: Vec<Line>,
    /// Representative dtypes.
    pub dtypes: Vec<Line>,
    /// Representative layouts.
    pub layouts: Vec<Line>,
    /// The path that wires the candidate into serving code.
    pub wiring: Option<Line>,
    /// What became of ncu-report-skill (KA-7).
    pub ncu_skill: Noted,
    /// The harness: an existing one, or the smallest that was built (KA-8).
    pub harness: Option<Line>,
    /// Loops in other worktrees that were found active (KA-6).
    pub other_loops: Vec<Line>,
}

/// One NCU digest (KA-3).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NcuDigest {
    /// The version under `kernel/ncu-digests/`; each is filed once.
    pub version: Name,
    /// Duration samples of the baseline, in µs.
    pub baseline_us: Vec<Measured>,
    /// Duration samples of the candidate, in µs.
    pub candidate_us: Vec<Measured>,
    /// What the comparison says.
    pub findings: Prose,
    /// The next edit: exactly one.
    pub next_edits: Vec<Line>,
    /// The filed digest, or NCU's export of the candidate.
    pub source: Artifact,
    /// What two exports of NCU's say beside each other; absent where a draft told the numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<NcuCompared>,
}

/// Two exports of NCU's beside each other (KA-3).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NcuCompared {
    /// NCU's export of the baseline.
    pub baseline: Artifact,
    /// The kernel of the baseline, as NCU spells it.
    pub baseline_kernel: Line,
    /// The kernel of the candidate, as NCU spells it.
    pub candidate_kernel: Line,
    /// What both exports hold, each metric in one unit.
    pub metrics: Vec<NcuMetric>,
}

/// A metric of both sides, the mean of their launches.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NcuMetric {
    /// Its name, as NCU spells it.
    pub name: Line,
    /// The unit of both; absent for a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Line>,
    /// That of the baseline.
    pub baseline: Real,
    /// That of the candidate.
    pub candidate: Real,
}

/// Why kernel assist was left without a patch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// The reason.
    pub reason: Line,
}

/// Why NCU evidence is missing (RT-3, KA-4).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NcuBlock {
    /// The kernel that would need it.
    pub kernel: Name,
    /// Why NCU cannot run or its skill is missing.
    pub reason: Line,
    /// The next edit, grounded in what there is.
    pub next_edit: Line,
}
