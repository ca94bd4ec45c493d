//! What happened, sorted by what it is about: one pass over the entries.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::artifact::{Digest, GitId};
use crate::ask::event::*;
use crate::brief::Brief;
use crate::campaign::{Entry, Seq};
use crate::facts::*;
use crate::text::Name;
use crate::verdict::{Action, Verdict};

/// Something that was recorded, with the place and the round of its entry.
#[derive(Debug)]
pub(super) struct At<'a, T> {
    /// The place of its entry.
    pub(super) seq: Seq,
    /// When it was recorded, ms since the epoch.
    pub(super) at: i64,
    /// The last round that was opened before it; 0 before the first.
    pub(super) round: u32,
    /// What was recorded.
    pub(super) said: &'a T,
}

impl<T> Copy for At<'_, T> {}

impl<T> Clone for At<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

/// A block with what the machine made of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FiledBlock<'a> {
    pub(super) seq: Seq,
    pub(super) round: u32,
    pub(super) said: &'a Block,
    pub(super) found: &'a BlockFound,
}

/// A verdict on the gap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decided<'a> {
    pub(super) seq: Seq,
    pub(super) round: u32,
    pub(super) stand: &'a Standpoint,
    pub(super) verdict: &'a GapVerdict,
}

/// A digest or a blocker, with the kernel that it is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ncu<'a> {
    Digest(&'a Name, &'a NcuDigest),
    Block(&'a NcuBlock),
}

/// A patch or a fixup with its trial.
#[derive(Clone, Debug)]
pub(super) struct Trial<'a> {
    pub(super) seq: Seq,
    pub(super) at: i64,
    pub(super) round: u32,
    pub(super) what: What<'a>,
    pub(super) amended: Vec<&'a Amendment>,
    pub(super) tests: Vec<&'a TestRun>,
    pub(super) blocks: Vec<FiledBlock<'a>>,
    pub(super) profiles: Vec<&'a Profile>,
    pub(super) end: End<'a>,
}

/// What is on trial.
#[derive(Clone, Copy, Debug)]
pub(super) enum What<'a> {
    Patch(&'a Patch),
    Fixup(&'a Fixup),
}

/// How a trial ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End<'a> {
    Open,
    Accepted(Seq, &'a PatchAccepted),
    Retried(&'a Rejection),
    Rejected(&'a Rejection),
}

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Story<'a> {
    pub(super) brief: Brief,
    pub(super) companions: BTreeMap<CompanionName, &'a Noted>,
    pub(super) notes: Vec<At<'a, HistoryNote>>,
    pub(super) no_history: Vec<At<'a, HistoryBlock>>,
    pub(super) searching: bool,
    pub(super) searches: Vec<&'a SearchPlan>,
    pub(super) help: BTreeMap<Framework, &'a HelpOutput>,
    pub(super) candidates: Vec<&'a Candidate>,
    pub(super) exclusions: Vec<&'a Exclusion>,
    pub(super) freeze: Option<At<'a, BenchmarkFrozen>>,
    pub(super) plan: Option<&'a Plan>,
    pub(super) loops: Vec<At<'a, LoopStart>>,
    pub(super) rounds: Vec<At<'a, RoundOpened>>,
    pub(super) blocks: Vec<FiledBlock<'a>>,
    pub(super) decided: Vec<Decided<'a>>,
    pub(super) rigs: Vec<At<'a, RigChange>>,
    /// Where blocks that said Behind were left without a verdict: the place and the round.
    left_behind: Vec<(Seq, u32)>,
    pub(super) blocked: Vec<At<'a, CompetitorBlock>>,
    pub(super) profiles: Vec<At<'a, Profile>>,
    pub(super) waived: Vec<At<'a, ProfileWaiver>>,
    pub(super) roots: Vec<At<'a, RootCause>>,
    pub(super) pipelines: Vec<At<'a, Pipeline>>,
    pub(super) targets: Vec<At<'a, KernelTarget>>,
    pub(super) dropped: Vec<At<'a, Because>>,
    pub(super) ncu: Vec<(u32, Ncu<'a>)>,
    pub(super) attempts: Vec<At<'a, Attempt>>,
    pub(super) trials: Vec<Trial<'a>>,
    pub(super) research: Vec<At<'a, Research>>,
    pub(super) ideas: Vec<At<'a, Idea>>,
    pub(super) abandoned: Vec<At<'a, Abandonment>>,
    pub(super) claim: Option<At<'a, StopClaim>>,
    pub(super) claimed_after: Option<Digest>,
    pub(super) stop: Option<At<'a, StopOrder>>,
    pub(super) stopped_after: Option<Digest>,
}

impl<'a> Story<'a> {
    /// Sorts the entries of a journal.
    pub(super) fn of(entries: &'a [Entry]) -> Self {
        let mut story = Self::default();
        for entry in entries {
            story.take(entry);
        }
        story
    }

    /// The number of the last round; 0 before the first.
    pub(super) fn round(&self) -> u32 {
        self.rounds.last().map_or(0, |it| it.said.found)
    }

    fn take(&mut self, entry: &'a Entry) {
        match &entry.event {
            Event::InputsRecorded(it) => self.brief.take(it.said.clone()),
            Event::CompanionNoted(it) => {
                self.companions.insert(it.said.name, &it.said.noted);
            }
            Event::HistoryNoted(it) => self.notes.push(self.at(entry, &it.said)),
            Event::HistoryBlocked(it) => self.no_history.push(self.at(entry, &it.said)),
            Event::HistoryClosed(_) => self.searching = true,
            Event::SearchDeclared(it) => self.searches.push(&it.said),
            Event::HelpFiled(it) => {
                self.help.insert(it.said.framework, &it.said);
            }
            Event::CandidateFiled(it) => self.candidates.push(&it.said),
            Event::FrameworkExcluded(it) => self.exclusions.push(&it.said),
            Event::BenchmarkFrozen(it) => self.freeze = Some(self.at(entry, it)),
            Event::PlanFiled(it) => self.plan = Some(&it.said),
            Event::LoopEntered(it) => self.loops.push(self.at(entry, &it.said)),
            Event::LoopReentered(it) => self.loops.push(self.at(entry, &it.said.start)),
            Event::RoundOpened(it) => {
                self.claim = None;
                self.rounds.push(At { seq: entry.seq, at: entry.at, round: it.found, said: it });
            }
            Event::StopClaimed(it) => {
                self.claim = Some(self.at(entry, &it.said));
                self.claimed_after = Some(entry.prev);
            }
            Event::CampaignStopped(it) => {
                self.stop = Some(self.at(entry, &it.said));
                self.stopped_after = Some(entry.prev);
            }
            _ => self.take_of_round(entry),
        }
    }

    fn take_of_round(&mut self, entry: &'a Entry) {
        match &entry.event {
            Event::GapBlockFiled(it) => {
                self.blocks.push(self.block(entry, &it.said, &it.found));
            }
            Event::GapDecided(it) => self.decide(entry, &it.said.stand, &it.found),
            Event::ProfilingOpened(it) => self.decide(entry, &it.said.stand, &it.found),
            Event::RigNoted(it) => {
                self.rigs.push(self.at(entry, &it.said));
                self.leave(entry, it.found);
            }
            Event::CompetitorBlocked(it) => self.blocked.push(self.at(entry, &it.said)),
            Event::ProfileFiled(it) => match self.open_trial() {
                Some(trial) => trial.profiles.push(&it.said),
                None => self.profiles.push(self.at(entry, &it.said)),
            },
            Event::ProfileWaived(it) => self.waived.push(self.at(entry, &it.said)),
            Event::RootCauseNamed(it) => self.roots.push(self.at(entry, &it.said)),
            Event::PipelineFiled(it) => self.pipelines.push(self.at(entry, &it.said)),
            Event::KernelAssistOpened(it) => self.targets.push(self.at(entry, &it.said)),
            Event::KernelAssistClosed(it) => self.dropped.push(self.at(entry, &it.said)),
            Event::DigestFiled(it) => {
                if let Some(target) = self.targets.last() {
                    let digest = Ncu::Digest(&target.said.name, &it.said);
                    self.ncu.push((self.round(), digest));
                }
            }
            Event::NcuBlocked(it) => self.ncu.push((self.round(), Ncu::Block(&it.said))),
            Event::AttemptNoted(it) => self.attempts.push(self.at(entry, &it.said)),
            Event::ResearchNoted(it) => self.research.push(self.at(entry, &it.said)),
            Event::IdeaNoted(it) => self.ideas.push(self.at(entry, &it.said)),
            Event::RoundAbandoned(it) => {
                self.abandoned.push(self.at(entry, &it.said));
                self.leave(entry, it.found);
            }
            _ => self.take_of_trial(entry),
        }
    }

    fn take_of_trial(&mut self, entry: &'a Entry) {
        let block = |it: &'a TrialBlockFiled| self.block(entry, &it.said, &it.found);
        match &entry.event {
            Event::PatchRecorded(it) => self.begin(entry, What::Patch(&it.said)),
            Event::FixupRecorded(it) => self.begin(entry, What::Fixup(&it.said)),
            Event::PatchAmended(it) => self.with_trial(|trial| trial.amended.push(&it.said)),
            Event::TestsFiled(it) => self.with_trial(|trial| trial.tests.push(&it.said)),
            Event::TrialBlockFiled(it) => {
                let block = block(it);
                self.with_trial(|trial| trial.blocks.push(block));
            }
            Event::PatchAccepted(it) => {
                if it.found.claim_renewed != Some(true) {
                    self.claim = None;
                }
                self.with_trial(|trial| trial.end = End::Accepted(entry.seq, it));
            }
            Event::PatchRetried(it) => self.with_trial(|trial| trial.end = End::Retried(&it.said)),
            Event::PatchRejected(it) => {
                // A fixup that the review demanded and that did not hold takes the claim with it.
                self.claim = None;
                self.with_trial(|trial| trial.end = End::Rejected(&it.said));
            }
            _ => {}
        }
    }

    fn begin(&mut self, entry: &Entry, what: What<'a>) {
        self.trials.push(Trial {
            seq: entry.seq,
            at: entry.at,
            round: self.round(),
            what,
            amended: Vec::new(),
            tests: Vec::new(),
            blocks: Vec::new(),
            profiles: Vec::new(),
            end: End::Open,
        });
    }

    fn decide(&mut self, entry: &Entry, stand: &'a Standpoint, verdict: &'a GapVerdict) {
        self.decided.push(Decided { seq: entry.seq, round: self.round(), stand, verdict });
    }

    fn leave(&mut self, entry: &Entry, left: Left) {
        if left.behind {
            self.left_behind.push((entry.seq, self.round()));
        }
    }

    fn block(&self, entry: &Entry, said: &'a Block, found: &'a BlockFound) -> FiledBlock<'a> {
        FiledBlock { seq: entry.seq, round: self.round(), said, found }
    }

    fn at<T>(&self, entry: &Entry, said: &'a T) -> At<'a, T> {
        At { seq: entry.seq, at: entry.at, round: self.round(), said }
    }

    fn open_trial(&mut self) -> Option<&mut Trial<'a>> {
        self.trials.last_mut().filter(|it| matches!(it.end, End::Open))
    }

    fn with_trial(&mut self, change: impl FnOnce(&mut Trial<'a>)) {
        if let Some(trial) = self.open_trial() {
            change(trial);
        }
    }

    /// The trials that were accepted, with their place and what was found.
    pub(super) fn accepted(&self) -> impl Iterator<Item = (&Trial<'a>, Seq, &'a PatchAccepted)> {
        self.trials.iter().filter_map(|it| match it.end {
            End::Accepted(seq, accepted) => Some((it, seq, accepted)),
            End::Open | End::Retried(_) | End::Rejected(_) => None,
        })
    }

    /// The HEAD of the accepted build: the last accepted patch, else the frozen baseline.
    pub(super) fn accepted_head(&self) -> Option<(&'a GitId, &'a GitId)> {
        let patched = self.accepted().last().map(|(trial, ..)| trial.head());
        let frozen = self.freeze.map(|it| (&it.said.said.commit, &it.said.said.tree));
        patched.map(|it| (&it.commit, &it.tree)).or(frozen)
    }

    /// The rounds in which the build that was accepted at an entry had been behind before it, each with
    /// its scenarios where a verdict names them (GD-7).
    pub(super) fn behind_before(&self, seq: Seq) -> BTreeMap<u32, Vec<&'a Name>> {
        let landed = self.accepted().map(|(_, seq, _)| seq).filter(|it| *it < seq).last();
        let here = |it: Seq| it < seq && landed.is_none_or(|landed| it > landed);
        let mut rounds: BTreeMap<u32, Vec<&Name>> = BTreeMap::new();
        for (_, round) in self.left_behind.iter().filter(|it| here(it.0)) {
            rounds.entry(*round).or_default();
        }
        for it in self.decided.iter().filter(|it| here(it.seq)) {
            let behind = it.verdict.scenarios.iter().filter(|it| it.verdict == Verdict::Behind);
            let names: Vec<&Name> = behind.map(|it| &it.scenario).collect();
            if !names.is_empty() {
                rounds.insert(it.round, names);
            }
        }
        rounds
    }

    /// What the first verdict after an entry says, when there is one.
    pub(super) fn verdict_after(&self, seq: Seq) -> Option<&Decided<'a>> {
        self.decided.iter().find(|it| it.seq > seq)
    }
}

impl<'a> Trial<'a> {
    /// The name it is recorded under.
    pub(super) fn name(&self) -> &'a Name {
        match (self.patch(), self.what) {
            (Some(patch), _) | (None, What::Patch(patch)) => &patch.name,
            (None, What::Fixup(fixup)) => &fixup.name,
        }
    }

    /// The patch as it is now, amendments included; none for a fixup.
    pub(super) fn patch(&self) -> Option<&'a Patch> {
        match self.what {
            What::Patch(patch) => Some(self.amended.last().map_or(patch, |it| &it.patch)),
            What::Fixup(_) => None,
        }
    }

    /// HEAD, as it was recorded.
    pub(super) fn head(&self) -> &'a Head {
        match (self.patch(), self.what) {
            (Some(patch), _) | (None, What::Patch(patch)) => &patch.stand.head,
            (None, What::Fixup(fixup)) => &fixup.stand.head,
        }
    }

    /// The changed files.
    pub(super) fn files(&self) -> &'a [ChangedFile] {
        match (self.patch(), self.what) {
            (Some(patch), _) | (None, What::Patch(patch)) => &patch.files,
            (None, What::Fixup(fixup)) => &fixup.files,
        }
    }

    /// The checks that its diff takes away.
    pub(super) fn checks_gone(&self) -> Option<&'a ChecksGone> {
        match (self.patch(), self.what) {
            (Some(patch), _) | (None, What::Patch(patch)) => patch.checks_gone.as_ref(),
            (None, What::Fixup(fixup)) => fixup.checks_gone.as_ref(),
        }
    }

    /// Whether Humanize's review demanded it.
    pub(super) fn is_fixup(&self) -> bool {
        matches!(self.what, What::Fixup(_))
    }
}

impl Decided<'_> {
    /// Whether a patch follows from it.
    pub(super) fn asks_for_patch(&self) -> bool {
        matches!(self.verdict.action, Action::Patch | Action::PatchLean)
    }
}
