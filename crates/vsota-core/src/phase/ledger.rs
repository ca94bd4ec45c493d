//! Ideas, attempts, research and successor loops: what may fall due in every phase of the loop.
//! (LE-1 … LE-3, RL-7, FB-11)

use alloc::collections::BTreeSet;

use super::{Case, InLoop, LoopObjection, Running, Triage, entry};
use crate::ask::command::{NoteIdea, NoteResearch, ReenterLoop};
use crate::ask::event::{IdeaNoted, LoopReentered, ResearchNoted};
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::{Objections, objections};
use crate::text::{Line, Name};

objections! {
    /// What may stand in the way of the ledgers.
    pub enum LedgerObjection {
        /// Research without new code.
        [Le3] NothingNew {} "the research cites no code and no pull request that was not read before",
        /// An idea without rows.
        [Le2] NoRows {} "the idea cites no profiler row",
        /// A row that no profile has.
        [Le2] UnknownRow { row: RowId } "no profile of the latest round that has any holds the row {row}",
        /// A source that was read before.
        [Le2] AlreadyRead { path: Line, idea: Name } "{path} was read before, for the idea {idea}",
        /// History that was never noted.
        [Le2] UnknownItem { item: Name } "the history item {item} was never noted",
        /// An NCU digest that was never filed.
        [Le2] UnknownDigest { version: Name } "the NCU digest {version} was never filed",
        /// A verdict without its reason.
        [St5] NoReason { fate: IdeaFate } "an idea that is {fate} names its reason",
        /// External without proof.
        [St5] NoEvidence {} "an external cause names the artefact that proves it",
        /// A round left without a verdict on any idea.
        [Le2] NoIdeaVerdict {} "no idea got its verdict in this round",
        /// The name is taken.
        [Le1] NameTaken { name: Name } "an attempt named {name} is already on record",
        /// A selected attempt is a patch.
        [Le1] SelectedIsPatch {} "a selected attempt is recorded as a patch",
        /// A row that no profile of this round has.
        [Le1] UnknownAttemptRow { row: RowId } "no profile of this round has the row {row}",
    }
}

// --- note-research ---

impl<P: InLoop> Decide<NoteResearch> for P {
    fn decide(&self, said: &Research) -> Result<(), Objections> {
        let unread = |it: &&Line| !self.case().read.contains(*it);
        let mut o = Objections::default();
        let fresh = code(said).any(|it| unread(&it));
        o.unless(fresh, LedgerObjection::NothingNew {});
        o.or_agree()
    }
}

fn code(research: &Research) -> impl Iterator<Item = &Line> {
    research.sources.iter().filter_map(|it| match it {
        ResearchSource::Code(line) | ResearchSource::PullRequest(line) => Some(line),
        ResearchSource::Article(_) => None,
    })
}

impl<P: InLoop> Evolve<ResearchNoted> for P {
    type Next = P;

    fn evolve(mut self, event: ResearchNoted) -> P {
        let case = self.case_mut();
        case.read.extend(code(&event.said).cloned());
        case.researched = true;
        self
    }
}

// --- note-idea ---

impl<P: InLoop> Decide<NoteIdea> for P {
    fn decide(&self, said: &Idea) -> Result<(), Objections> {
        let case = self.case();
        let mut o = Objections::default();
        o.unless(!said.rows.is_empty(), LedgerObjection::NoRows {});
        for row in said.rows.iter().copied() {
            o.unless(case.rows.contains(&row), LedgerObjection::UnknownRow { row });
        }
        let same = |it: &&Idea| it.source_path == said.source_path && it.name != said.name;
        if let Some(other) = case.ideas.values().find(same) {
            let (path, idea) = (said.source_path.clone(), other.name.clone());
            o.raise(LedgerObjection::AlreadyRead { path, idea });
        }
        let noted: BTreeSet<_> = case.base.history.items().map(|it| &it.id).collect();
        for item in said.history.iter().filter(|it| !noted.contains(it)).cloned() {
            o.raise(LedgerObjection::UnknownItem { item });
        }
        let versions = said.ncu_versions.iter().filter(|it| !case.ncu_versions.contains(*it));
        for version in versions.cloned() {
            o.raise(LedgerObjection::UnknownDigest { version });
        }
        let fate = said.fate;
        let closed = matches!(fate, IdeaFate::Rejected | IdeaFate::External);
        o.unless(!closed || said.reason.is_some(), LedgerObjection::NoReason { fate });
        let proven = fate != IdeaFate::External || said.evidence.is_some();
        o.unless(proven, LedgerObjection::NoEvidence {});
        o.or_agree()
    }
}

impl<P: InLoop> Evolve<IdeaNoted> for P {
    type Next = P;

    fn evolve(mut self, event: IdeaNoted) -> P {
        let (case, idea) = (self.case_mut(), event.said);
        if idea.fate != IdeaFate::Open {
            case.investigate(&idea.rows);
            case.idea_round = case.rounds;
        }
        case.ideas.insert(idea.name.clone(), idea);
        self
    }
}

// --- reenter-loop ---

impl<P: InLoop> Decide<ReenterLoop> for P {
    fn decide(&self, said: &LoopReentry) -> Result<(), Objections> {
        let mut o = Objections::default();
        let ended = said.old_state != LoopEnd::Active;
        o.unless(ended, LoopObjection::StillActive {});
        let old = &self.case().running.dir;
        let other = said.start.active.as_ref().is_none_or(|it| it.dir != *old);
        o.unless(other, LoopObjection::SameLoop { dir: old.clone() });
        match &self.case().plan {
            None => o.raise(LoopObjection::NoPlan {}),
            Some(plan) => o.join(entry::entry_objections(&said.start, plan)),
        }
        if let Some(head) = &said.start.checkout.head {
            let (found, wanted) = (head.tree.clone(), self.build().clone());
            o.unless(found == wanted, LoopObjection::PatchedOutside { found, wanted });
        }
        o.or_agree()
    }
}

impl<P: InLoop> Evolve<LoopReentered> for P {
    type Next = P;

    fn evolve(mut self, event: LoopReentered) -> P {
        let case = self.case_mut();
        case.running = Running::of(&event.said.start);
        // A lost loop reviews nothing any more, so nothing waits for its review.
        case.review_due = false;
        self
    }
}

// --- note-attempt ---

/// LE-1: a try that never became a patch, with the rows that it aimed at.
pub(crate) fn attempt_objections(case: &Case, triage: &Triage, said: &Attempt) -> Objections {
    let mut o = Objections::default();
    let name = said.name.clone();
    o.unless(!case.attempts.contains(&name), LedgerObjection::NameTaken { name });
    let selected = said.result == AttemptResult::Selected;
    o.unless(!selected, LedgerObjection::SelectedIsPatch {});
    for row in said.rows.iter().copied() {
        o.unless(triage.row(row).is_some(), LedgerObjection::UnknownAttemptRow { row });
    }
    o
}

/// The attempt is on record, and its rows are looked into.
pub(crate) fn attempted(case: &mut Case, attempt: Attempt) {
    case.investigate(&attempt.rows);
    case.attempts.insert(attempt.name);
}
