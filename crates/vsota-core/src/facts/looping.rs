//! The plan and the Humanize loop, as its files and git say it (PL, RL).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{LoopEnd, LoopPhase, Review, words};
use crate::artifact::{Artifact, Digest, GitId};
use crate::text::{Line, Name};

/// The refined plan as it lies in the vLLM checkout (PL-1 … PL-3).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its path below the checkout.
    pub path: Line,
    /// The copy in the run directory.
    pub copy: Artifact,
    /// Placeholders that are left in it.
    pub placeholders: u32,
    /// The duties of PL-2 that it names.
    pub duties: BTreeSet<Duty>,
    /// The sections of PL-3 that it has.
    pub sections: BTreeSet<Section>,
}

words::vocabulary! {
    /// What the plan must require of every round (PL-2).
    pub enum Duty("duty") {
        /// Keep workload and SLA.
        KeepWorkload = "keep-workload",
        /// Consult the history notes.
        ConsultHistory = "consult-history",
        /// Decide the gap before patching.
        GapDecision = "gap-decision",
        /// Profile when behind.
        Profile = "profile",
        /// Run the layer pipeline.
        LayerPipeline = "layer-pipeline",
        /// Patch code, not parameters.
        PatchCode = "patch-code",
        /// Use NCU inside the same loop.
        NcuInLoop = "ncu-in-loop",
        /// Revalidate every patch.
        Revalidate = "revalidate",
        /// Go on through several patches.
        SeveralPatches = "several-patches",
        /// Record every attempt.
        RecordAttempts = "record-attempts",
    }

    /// A section that Humanize's plan rules ask for (PL-3).
    pub enum Section("plan section") {
        /// The goal.
        Goal = "goal",
        /// Acceptance criteria with positive and negative tests.
        AcceptanceCriteria = "acceptance-criteria",
        /// Path boundaries.
        PathBoundaries = "path-boundaries",
        /// Dependencies and sequence.
        Dependencies = "dependencies",
        /// Implementation notes.
        ImplementationNotes = "implementation-notes",
    }
}

/// A commit of the checkout and how clean the work tree is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The commit.
    pub commit: GitId,
    /// Its tree: the build.
    pub tree: GitId,
    /// Whether nothing but ignored files differs from it.
    pub clean: bool,
}

/// Where checkout and loop stand when a gate is asked (PA-1, RL-8).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Standpoint {
    /// The checkout's HEAD.
    pub head: Head,
    /// The loop directory, as Humanize names it.
    pub loop_dir: Name,
    /// Whether the loop runs, or how it ended.
    pub loop_state: LoopEnd,
    /// Humanize's own round counter.
    pub loop_round: u32,
    /// Where the loop stands on its way, when it runs and its files were read. It tells which review a
    /// patch accepted here waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loop_phase: Option<LoopPhase>,
    /// When that was looked at, ms since the epoch, when it was looked at and not told. What a round or a
    /// patch is judged by was measured after it (GD-5, RV-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<i64>,
}

/// Everything that is known when a loop is entered (RL-1 … RL-7).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LoopStart {
    /// The checkout before set-up.
    pub checkout: Checkout,
    /// Other loops that are active in a worktree of the checkout.
    pub other_loops: Vec<Line>,
    /// The set-up that was run.
    pub setup: Setup,
    /// The loop that stands afterwards.
    pub active: Option<ActiveLoop>,
    /// Which handshake was asked for.
    pub handshake: Handshake,
}

/// The checkout as git sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checkout {
    /// Whether it is a git repository.
    pub is_git: bool,
    /// Its HEAD, when it has a commit.
    pub head: Option<Head>,
    /// Whether `.humanize*` is ignored.
    pub humanize_ignored: bool,
    /// Whether anything under `.humanize*` is tracked.
    pub humanize_tracked: bool,
    /// Whether the review base branch exists locally.
    pub base_exists: bool,
    /// Whether auto-detection of the base branch would be ambiguous.
    pub base_ambiguous: bool,
}

/// The run of `setup-rlcr-loop.sh` (RL-5).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The argument vector.
    pub argv: Vec<Line>,
    /// The exit code.
    pub exit: i32,
    /// The script's own error, when it failed.
    pub message: Option<Line>,
}

/// A loop as its state file tells it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveLoop {
    /// Its directory name.
    pub dir: Name,
    /// Its `started_at`, as written.
    pub started_at: Line,
    /// The commit that reviews start from.
    pub base_commit: GitId,
    /// The SHA-256 of the plan it runs.
    pub plan_sha256: Digest,
    /// Its round counter.
    pub current_round: u32,
    /// `strict_success`, when the state file has it.
    pub strict_success: Option<bool>,
    /// `ask_codex_question`, when the state file has it.
    pub ask_codex_question: Option<bool>,
    /// Whether `round-0-prompt.md` exists.
    pub round_prompt: bool,
    /// Whether that prompt holds the Round Contract Setup.
    pub round_contract: bool,
}

words::vocabulary! {
    /// Which handshake proves that the loop started (RL-6).
    pub enum Handshake("handshake") {
        /// `strict_success: true` in the state file.
        Strict = "strict",
        /// The round contract of public Humanize releases; a recorded waiver.
        RoundContract = "round-contract",
    }
}

/// A successor loop after the old one ended (RL-7).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LoopReentry {
    /// How the old loop ended.
    pub old_state: LoopEnd,
    /// The new loop.
    pub start: LoopStart,
}

/// What opens a round.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RoundStart {
    /// Where checkout and loop stand.
    pub stand: Standpoint,
    /// What Humanize said of the round in which the last patch was accepted.
    pub review: Option<Review>,
}
