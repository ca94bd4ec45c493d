//! What a patch must be before it is measured. (PA-1 … PA-6, HI-2, LE-3, RL-9)

use alloc::string::ToString as _;

use super::kernel::family_objections;
use super::{Case, Triage, entry};
use crate::artifact::GitId;
use crate::facts::*;
use crate::objection::{Objections, objections};
use crate::text::{Line, Name};

/// Code files that a patch may change before it must say why it is not local (PA-2).
const LOCAL_FILES: usize = 8;

objections! {
    /// What may stand in the way of a patch.
    pub enum PatchObjection {
        /// The range starts elsewhere.
        [Pa1] OtherBase { base: GitId, accepted: GitId } "the patch starts from the tree {base}; the accepted build is {accepted}",
        /// No commit.
        [Pa1] NoCommit {} "the patch has no commit",
        /// Not a descendant.
        [Pa1] NotDescendant {} "HEAD does not descend from the accepted commit",
        /// Uncommitted changes.
        [Pa1] Dirty {} "the work tree has uncommitted changes",
        /// Nothing changed.
        [Pa1] SameTree {} "HEAD has the tree of the accepted build, so nothing changed",
        /// No code.
        [Pa1] NoCode {} "the patch changes no vLLM code, only launch parameters, tests or docs",
        /// A symptom outside the benchmark.
        [Pa2] UnknownSymptom { scenario: Name } "the symptom {scenario} is no scenario of the benchmark",
        /// A profiler row that does not exist.
        [Pa2] UnknownRow { row: RowId } "no profile of this round has the row {row}",
        /// A layer row that does not exist.
        [Pa2] UnknownLayerRow { row: Name } "the layer pipeline of this round has no row {row}",
        /// The source path is not changed.
        [Pa2] SourceUntouched { path: Line } "the patch does not change the code of {path}, which it cites as its source path",
        /// Not local.
        [Pa2] NotLocal { files: usize } "the patch changes {files} code files and does not say why it is not local",
        /// Weaker checks.
        [Pa2] WeakensCorrectness {} "the patch weakens a correctness check or output quality",
        /// Checks that the diff takes away.
        [Pa2] ChecksGone { count: u32, first: alloc::string::String } "the diff takes away checks, {count} in all, the first {first}; no `checks-gone-because` says why what is left is as strong",
        /// Copied code without its papers.
        [Pa3] Unattributed { part: &'static str } "copied code lacks its {part}",
        /// History that was never noted.
        [Pa5] UnknownItem { item: Name } "the history item {item} was never noted",
        /// No history at all.
        [Pa5] NoHistory {} "the patch names no history item and no reason why none applies",
        /// The kernel rows do not carry the patch.
        [Pa4] KernelRows { found: alloc::string::String } "the kernel of the patch does not meet the 1 % rule: {found}",
        /// A kernel source without a target.
        [Pa4] KernelUndeclared { path: Line } "{path} holds kernels, and the patch names no kernel that it targets",
        /// Neither digest nor blocker.
        [Pa4] NoNcu { kernel: Name } "{kernel} has neither an NCU digest nor a blocker on record",
        /// Not the target.
        [Pa4] OtherKernel { target: Name } "kernel assist was opened for {target}, and the patch targets something else",
        /// Another kernel than the recorded one.
        [Pa4] KernelChanged { recorded: alloc::string::String } "the recorded patch targets {recorded}; an amendment keeps the target, whose evidence was checked",
        /// SGLang's history is owed.
        [Hi2] SglangHistoryOwed {} "SGLang's source is cited, and its history is neither noted nor blocked",
        /// Research is due.
        [Le3] ResearchDue { weak: u32 } "{weak} outcomes in a row gained less than 1 %; code-first research comes before the next edit",
        /// A fixup outside accepted files.
        [Rl9] OutsideAccepted { path: Line } "the fixup changes {path}, which no accepted patch touched and which is neither test nor doc",
        /// A fixup that changes nothing.
        [Rl9] EmptyFixup {} "the fixup changes no file",
        /// The name is taken.
        [Le1] NameTaken { name: Name } "an attempt named {name} is already on record",
    }
}

/// HI-2, LE-3: duties that fall due before any patch of this round.
pub(crate) fn patch_due(case: &Case) -> Objections {
    let mut o = Objections::default();
    o.unless(!case.owes_sglang_history(), PatchObjection::SglangHistoryOwed {});
    let weak = case.weak;
    o.unless(weak < 2 || case.researched, PatchObjection::ResearchDue { weak });
    o
}

/// PA-1 … PA-5, wherever the patch is recorded from.
pub(crate) fn patch_objections(case: &Case, triage: &Triage, said: &Patch) -> Objections {
    let mut o = entry::loop_runs(case, &said.stand);
    o.join(range(case, &said.base_tree, said.descends, &said.stand.head));
    o.unless(said.commits > 0, PatchObjection::NoCommit {});
    let code = said.files.iter().filter(|it| it.kind == FileKind::Code);
    let files = code.count();
    o.unless(files > 0, PatchObjection::NoCode {});
    let scenario = said.symptom.clone();
    let known = case.charter.scenarios.contains_key(&scenario);
    o.unless(known, PatchObjection::UnknownSymptom { scenario });
    let row = said.profiler_row;
    o.unless(triage.row(row).is_some(), PatchObjection::UnknownRow { row });
    let row = said.layer_row.clone();
    let hot = |it: &Pipeline| it.hot.iter().any(|hot| hot.row == row);
    let cited = triage.pipeline.as_ref().is_none_or(hot);
    o.unless(cited, PatchObjection::UnknownLayerRow { row: row.clone() });
    let path = said.source_path.clone();
    let touched = said.files.iter().any(|it| it.path == path && it.kind == FileKind::Code);
    let kernels = said.files.iter().filter(|it| it.kind == FileKind::Code && is_kernel(&it.path));
    for it in kernels.filter(|_| said.kernel.is_none()) {
        o.raise(PatchObjection::KernelUndeclared { path: it.path.clone() });
    }
    o.unless(touched || files == 0, PatchObjection::SourceUntouched { path });
    let local = files <= LOCAL_FILES || said.not_local_because.is_some();
    o.unless(local, PatchObjection::NotLocal { files });
    o.unless(!said.weakens_correctness, PatchObjection::WeakensCorrectness {});
    o.join(strength(said.checks_gone.as_ref()));
    let name = said.name.clone();
    o.unless(!case.attempts.contains(&name), PatchObjection::NameTaken { name });
    o.join(provenance(case, &said.copied));
    o.join(history(case, &said.history));
    if let Some(kernel) = &said.kernel {
        let family = family_objections(triage, &kernel.rows, kernel.shared_source.as_ref());
        for it in family.iter() {
            let found = alloc::string::ToString::to_string(&it.found);
            o.raise(PatchObjection::KernelRows { found });
        }
    }
    o
}

/// Whether a source file can hold nothing but kernels and their launchers.
fn is_kernel(path: &Line) -> bool {
    [".cu", ".cuh", ".hip"].iter().any(|it| path.as_str().ends_with(it))
}

/// PA-1: a clean range from the accepted build to another tree.
fn range(case: &Case, base: &GitId, descends: bool, head: &Head) -> Objections {
    let mut o = Objections::default();
    let (base, accepted) = (base.clone(), case.accepted.clone());
    o.unless(head.tree != accepted, PatchObjection::SameTree {});
    o.unless(base == accepted, PatchObjection::OtherBase { base, accepted });
    o.unless(descends, PatchObjection::NotDescendant {});
    o.unless(head.clean, PatchObjection::Dirty {});
    o
}

/// PA-2: what the diff itself shows to be weaker is not believed to be as strong without a reason.
fn strength(gone: Option<&ChecksGone>) -> Objections {
    let mut o = Objections::default();
    if let Some(it) = gone.filter(|it| it.count > 0 && it.because.is_none()) {
        let first = it.shown.first().map_or_else(|| "not named".into(), Line::to_string);
        o.raise(PatchObjection::ChecksGone { count: it.count, first });
    }
    o
}

/// PA-3: copied code carries its papers.
fn provenance(case: &Case, copied: &[Copied]) -> Objections {
    let mut o = Objections::default();
    for it in copied {
        let owed = case.owes_sglang_history_for(it);
        o.unless(!owed, PatchObjection::SglangHistoryOwed {});
        let parts = [
            ("provenance", it.provenance.is_some()),
            ("licence", it.licence.is_some()),
            ("local delta", it.local_delta.is_some()),
        ];
        for (part, there) in parts {
            o.unless(there, PatchObjection::Unattributed { part });
        }
    }
    o
}

/// PA-5: the cited history was noted, or a reason says why none applies.
fn history(case: &Case, used: &HistoryUse) -> Objections {
    let mut o = Objections::default();
    if let HistoryUse::Items(items) = used {
        o.unless(!items.is_empty(), PatchObjection::NoHistory {});
        for item in items.iter().cloned() {
            let noted = case.base.history.items().any(|it| it.id == item);
            o.unless(noted, PatchObjection::UnknownItem { item });
        }
    }
    o
}

/// PA-4, RT-3: a digest of the kernel is on record in this round, or why there is none.
pub(crate) fn ncu_on_record(triage: &Triage, kernel: &Name) -> Objections {
    let mut o = Objections::default();
    let there = triage.ncu_filed.contains(kernel) || triage.ncu_blocked.contains(kernel);
    o.unless(there, PatchObjection::NoNcu { kernel: kernel.clone() });
    o
}

/// KA-1: a patch from kernel assist is a patch of its target.
pub(crate) fn of_the_target(target: &KernelTarget, said: &Patch) -> Objections {
    let mut o = Objections::default();
    let same = said.kernel.as_ref().is_some_and(|it| it.name == target.name);
    o.unless(same, PatchObjection::OtherKernel { target: target.name.clone() });
    o
}

/// PA-4, KA-9: what was asked of the kernel of a patch is not amended away, nor in.
pub(crate) fn same_kernel(recorded: &Patch, amended: &Patch) -> Objections {
    let mut o = Objections::default();
    let name = |it: &Patch| it.kernel.as_ref().map(|kernel| kernel.name.clone());
    let same = name(recorded) == name(amended);
    let recorded = name(recorded).map_or("no kernel".into(), |it| it.to_string());
    o.unless(same, PatchObjection::KernelChanged { recorded });
    o
}

/// RL-9, PA-2, PA-3: a fixup is a clean range over files of accepted patches, tests and docs.
pub(crate) fn fixup_objections(case: &Case, said: &Fixup) -> Objections {
    let mut o = range(case, &said.base_tree, said.descends, &said.stand.head);
    o.unless(!said.files.is_empty(), PatchObjection::EmptyFixup {});
    o.join(provenance(case, &said.copied));
    o.join(strength(said.checks_gone.as_ref()));
    for it in &said.files {
        let allowed = matches!(it.kind, FileKind::Tests | FileKind::Docs)
            || case.accepted_files.contains(&it.path);
        let path = it.path.clone();
        o.unless(allowed, PatchObjection::OutsideAccepted { path });
    }
    let name = said.name.clone();
    o.unless(!case.attempts.contains(&name), PatchObjection::NameTaken { name });
    o
}
