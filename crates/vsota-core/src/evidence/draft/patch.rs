//! The story of a patch: what no diff says (PA-2 … PA-5).

use alloc::vec::Vec;
use core::str::FromStr;

use super::ledger::id_of;
use super::round::Cited;
use super::{DraftKind, Section};
use crate::artifact::{Artifact, GitId};
use crate::evidence::EvidenceError;
use crate::facts::*;
use crate::text::{Line, Name};

/// What a patch draft says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PatchDraft {
    /// A short name.
    pub name: Name,
    /// The scenario that it answers.
    pub symptom: Name,
    /// The profiler row that it answers.
    pub profiler_row: RowId,
    /// The layer-pipeline row that it answers.
    pub layer_row: Name,
    /// The source path that it changes.
    pub source_path: Line,
    /// What it is expected to do.
    pub expected_effect: Line,
    /// Why it is not local.
    pub not_local_because: Option<Line>,
    /// Whether it weakens a correctness check or output quality.
    pub weakens_correctness: bool,
    /// Why what is left is as strong, where the diff takes checks away.
    pub checks_gone_because: Option<Line>,
    /// Code from elsewhere.
    pub copied: Vec<Copied>,
    /// The history that influenced it.
    pub history: HistoryUse,
    /// The kernel that it targets.
    pub kernel: Option<KernelPatch>,
}

/// What git says of a range (PA-1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Range {
    /// The tree that it starts from.
    pub base_tree: GitId,
    /// Its commits.
    pub commits: u32,
    /// Whether HEAD descends from the accepted commit.
    pub descends: bool,
    /// The changed files.
    pub files: Vec<ChangedFile>,
    /// The checks that its diff takes away; nothing is said of them yet.
    pub checks_gone: Option<ChecksGone>,
}

impl Range {
    /// The checks that are gone, with why what is left is as strong.
    pub fn checks_gone(&self, because: Option<Line>) -> Option<ChecksGone> {
        self.checks_gone.clone().map(|it| ChecksGone { because, ..it })
    }
}

impl PatchDraft {
    /// The fact, with what git says and what was filed.
    pub fn fact(self, stand: Standpoint, range: Range, diff: Artifact) -> Patch {
        let checks_gone = range.checks_gone(self.checks_gone_because.clone());
        let Self { name, symptom, profiler_row, layer_row, source_path, expected_effect, .. } =
            self;
        let Self { not_local_because, weakens_correctness, copied, history, kernel, .. } = self;
        let Range { base_tree, commits, descends, files, .. } = range;
        Patch {
            stand,
            name,
            base_tree,
            commits,
            descends,
            files,
            diff,
            symptom,
            profiler_row,
            layer_row,
            source_path,
            expected_effect,
            not_local_because,
            weakens_correctness,
            checks_gone,
            copied,
            history,
            kernel,
        }
    }
}

/// Reads the story of a patch.
///
/// # Errors
///
/// With line and field, when a part is missing, unknown or not what it should be.
pub fn patch(text: &str) -> Result<PatchDraft, EvidenceError> {
    let read = DraftKind::Patch.read(text)?;
    let head = read.head();
    let mut kernels = read.each("Kernel");
    let kernel = kernels.next().map(|(id, section)| kernel(id, section)).transpose()?;
    if let Some((_, second)) = kernels.next() {
        let message = "a patch targets one kernel or family";
        return Err(second.wrong(None, second.line(), message));
    }
    let mut copied = Vec::new();
    for (_, section) in read.each("Copied") {
        copied.push(Copied {
            provenance: section.optional("provenance")?,
            licence: section.optional("licence")?,
            local_delta: section.optional("local-delta")?,
        });
    }
    let weakens: YesNo = head.one("weakens-correctness")?;
    Ok(PatchDraft {
        name: head.one("name")?,
        symptom: head.one("symptom")?,
        profiler_row: head.one::<Cited<_>>("profiler-row")?.it(),
        layer_row: head.one::<Cited<_>>("layer-row")?.it(),
        source_path: head.one("source-path")?,
        expected_effect: head.one("expected-effect")?,
        not_local_because: head.optional("not-local-because")?,
        weakens_correctness: weakens.0,
        checks_gone_because: head.optional("checks-gone-because")?,
        copied,
        history: history(read.needed("History")?)?,
        kernel,
    })
}

/// Items, or why there are none; an empty section is the machine's to refuse (PA-5).
fn history(section: &Section) -> Result<HistoryUse, EvidenceError> {
    let items: Vec<Name> = section.many("item")?;
    match section.optional("none-applicable")? {
        Some(_) if !items.is_empty() => {
            let message = "items influenced it, or none was applicable: not both";
            Err(section.wrong(Some("none-applicable"), section.line(), message))
        }
        Some(reason) => Ok(HistoryUse::NoneApplicable(reason)),
        None => Ok(HistoryUse::Items(items)),
    }
}

fn kernel(id: &str, section: &Section) -> Result<KernelPatch, EvidenceError> {
    Ok(KernelPatch {
        name: id_of(id, section)?,
        rows: Cited::all(section.many("row")?),
        shared_source: section.optional("shared-source")?,
        new_kernel: section.one("new-kernel")?,
        correctness_test: section.optional("correctness-test")?,
    })
}

struct YesNo(bool);

impl FromStr for YesNo {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "yes" | "true" => Ok(Self(true)),
            "no" | "false" => Ok(Self(false)),
            _ => Err("yes or no is expected"),
        }
    }
}
