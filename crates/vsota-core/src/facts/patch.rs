//! Patches, tests, ideas, attempts and research (PA, RV, LE, RL-9).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{FileKind, Head, RowId, Standpoint, words};
use crate::artifact::{Artifact, GitId};
use crate::text::{Line, Name, Prose};

/// A patch of vLLM code, as git and its author describe it (PA-1 … PA-6).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Where checkout and loop stand; HEAD is the patch.
    pub stand: Standpoint,
    /// A short name.
    pub name: Name,
    /// The tree that the range starts from.
    pub base_tree: GitId,
    /// Commits in the range.
    pub commits: u32,
    /// Whether HEAD descends from the accepted commit.
    pub descends: bool,
    /// The changed files.
    pub files: Vec<ChangedFile>,
    /// The diff, kept under `patches/` (PA-6).
    pub diff: Artifact,
    /// The benchmark symptom it answers: a scenario.
    pub symptom: Name,
    /// The profiler row it answers.
    pub profiler_row: RowId,
    /// The layer-pipeline row it answers.
    pub layer_row: Name,
    /// The source path it changes.
    pub source_path: Line,
    /// What it is expected to do.
    pub expected_effect: Line,
    /// Why it is not local, when it is not.
    pub not_local_because: Option<Line>,
    /// Whether it weakens a correctness check or output quality.
    pub weakens_correctness: bool,
    /// The checks that its diff takes away, whatever its author says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks_gone: Option<ChecksGone>,
    /// Code taken from elsewhere (PA-3).
    pub copied: Vec<Copied>,
    /// The history that influenced it (PA-5).
    pub history: HistoryUse,
    /// The kernel that it targets (PA-4, KA-9).
    pub kernel: Option<KernelPatch>,
}

/// A changed file and its kind.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChangedFile {
    /// The path below the checkout.
    pub path: Line,
    /// What kind of file it is.
    pub kind: FileKind,
}

/// The checks that a diff takes away (PA-2), by the first rules of what a check is. `verify` reads the diff
/// again and compares: a later set of rules must be named in the event, beside what it found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChecksGone {
    /// How many.
    pub count: u32,
    /// The first of them, each with its file; the gravest come first.
    pub shown: Vec<Line>,
    /// Why what is left is as strong, as the author says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Line>,
}

/// Code taken from elsewhere (PA-3).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Copied {
    /// Where it comes from: repository, path, commit.
    pub provenance: Option<Line>,
    /// Its licence.
    pub licence: Option<Line>,
    /// What was changed locally.
    pub local_delta: Option<Line>,
}

/// The history that influenced a patch (PA-5).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HistoryUse {
    /// These noted items.
    Items(Vec<Name>),
    /// None, and why.
    NoneApplicable(Line),
}

/// The kernel that a patch targets (PA-4).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KernelPatch {
    /// The kernel, as in its target or blocker.
    pub name: Name,
    /// The rows of the kernel or family.
    pub rows: Vec<RowId>,
    /// The implementation that a family shares.
    pub shared_source: Option<Line>,
    /// The name of the kernel that replaces it in the profile (KA-9).
    pub new_kernel: Line,
    /// Its focused correctness test (KA-9).
    pub correctness_test: Option<Line>,
}

impl KernelPatch {
    /// Whether a test is its focused correctness test, as a JUnit report or pytest calls it (KA-9):
    /// `tests.moe.test_topk::test_ties[2]` is `tests/moe/test_topk.py::test_ties`.
    ///
    /// A file or a class names each of its tests, and a test without parameters each of its
    /// parameters.
    pub fn is_focused(&self, test: &str) -> bool {
        let Some(cited) = &self.correctness_test else { return false };
        let ((wanted, of), (found, found_of)) = (spelled(cited.as_str()), spelled(test));
        // A directory names no test.
        let holds = of.is_none() && cited.as_str().contains(".py");
        let inside = found.strip_prefix(wanted.as_str()).is_some_and(|it| it.starts_with('.'));
        (found == wanted || (holds && inside)) && (of.is_none() || of == found_of)
    }
}

/// A test as a JUnit report spells it, and its parameters.
fn spelled(test: &str) -> (String, Option<&str>) {
    let (name, of) = match test.split_once('[') {
        Some((name, of)) => (name, Some(of)),
        None => (test, None),
    };
    let name = name.replace(".py::", ".").replace("::", ".").replace('/', ".");
    let name = name.strip_suffix(".py").unwrap_or(&name);
    (name.into(), of)
}

/// A change to a recorded patch before it is measured.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Amendment {
    /// The patch as it is now.
    pub patch: Patch,
    /// Why it changed.
    pub reason: Line,
}

/// A commit that Humanize's review demands (RL-9).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fixup {
    /// Where checkout and loop stand; HEAD is the fixup.
    pub stand: Standpoint,
    /// A short name.
    pub name: Name,
    /// The finding or the phase that demands it.
    pub finding: Line,
    /// The tree that the range starts from.
    pub base_tree: GitId,
    /// Whether HEAD descends from the accepted commit.
    pub descends: bool,
    /// The changed files.
    pub files: Vec<ChangedFile>,
    /// The diff, kept under `patches/`.
    pub diff: Artifact,
    /// Code taken from elsewhere (PA-3).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<Copied>,
    /// The checks that its diff takes away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks_gone: Option<ChecksGone>,
}

/// The result of the tests on one commit (RV-2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TestRun {
    /// The commit that was tested.
    pub commit: GitId,
    /// The command, when the tool ran it.
    pub argv: Vec<Line>,
    /// Its exit code, when the tool ran it.
    pub exit: Option<i32>,
    /// The commit of the checkout's HEAD while the tool ran it, where the checkout is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<GitId>,
    /// Tests that passed.
    pub passed: u32,
    /// The focused correctness test of the patch that is on trial, by the name under which it passed
    /// (KA-9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focused: Option<Line>,
    /// Tests that failed, by name.
    pub failed: Vec<Line>,
    /// Known failures that are waived, with the reason.
    pub waived: Vec<WaivedTest>,
    /// The log or JUnit file.
    pub log: Artifact,
}

/// A known failure that does not count (RV-2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WaivedTest {
    /// The test.
    pub name: Line,
    /// Why its failure is known.
    pub reason: Line,
}

/// What an acceptance is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// Where checkout and loop stand.
    pub stand: Standpoint,
    /// What is planned next, for the checkpoint (CK-1).
    pub next_planned: Option<Line>,
}

/// What a retry or a rejection is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// Why.
    pub reason: Line,
    /// HEAD after the accepted tree was restored.
    pub head: Head,
}

/// What an abandoned round is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Abandonment {
    /// Why.
    pub reason: Line,
    /// Where checkout and loop stand.
    pub stand: Standpoint,
}

/// A try that never became a patch (LE-1).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// A short name.
    pub name: Name,
    /// The profiler rows it aimed at.
    pub rows: Vec<RowId>,
    /// What was tried.
    pub what: Prose,
    /// What came of it.
    pub result: AttemptResult,
}

words::vocabulary! {
    /// What came of an attempt.
    pub enum AttemptResult("attempt result") {
        /// It was selected as a patch.
        Selected = "selected",
        /// It closed a part of the gap.
        Partial = "partial",
        /// It was rejected.
        Rejected = "rejected",
        /// It failed.
        Failed = "failed",
    }

    /// What became of a source idea (LE-2, ST-5).
    pub enum IdeaFate("idea verdict") {
        /// Still to be tried.
        Open = "open",
        /// It became, or will become, a patch.
        Taken = "taken",
        /// It was turned down.
        Rejected = "rejected",
        /// Its cause lies outside vLLM.
        External = "external",
    }
}

/// A source idea (LE-2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Idea {
    /// A short name; a later note of the same name replaces its fate.
    pub name: Name,
    /// The source path that was read.
    pub source_path: Line,
    /// The profiler rows that led to it.
    pub rows: Vec<RowId>,
    /// The layer-pipeline rows that led to it.
    pub layer_rows: Vec<Name>,
    /// NCU digests, where used.
    pub ncu_versions: Vec<Name>,
    /// Where the code comes from.
    pub provenance: Line,
    /// History items that influenced it.
    pub history: Vec<Name>,
    /// What became of it.
    pub fate: IdeaFate,
    /// Why it was rejected or is external.
    pub reason: Option<Line>,
    /// What proves that it is external.
    pub evidence: Option<Artifact>,
}

/// Code-first research (LE-3).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Research {
    /// What was read.
    pub sources: Vec<ResearchSource>,
    /// What it showed.
    pub findings: Prose,
}

/// Something that was read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ResearchSource {
    /// A source file: repository, path, commit.
    Code(Line),
    /// A pull request.
    PullRequest(Line),
    /// Prose; never enough alone.
    Article(Line),
}

/// What the machine found when it accepted a patch or a fixup.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The measured gain over the accepted build.
    pub gain: super::Gain,
    /// Under a standing claim: whether every scenario is still stop-eligible (RL-9).
    pub claim_renewed: Option<bool>,
}
