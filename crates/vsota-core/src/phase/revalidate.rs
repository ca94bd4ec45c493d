//! Is the patch right, and is it faster? (RV-1 … RV-3, KA-9, RL-9)

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::blocks::{self, KeptBlock};
use super::profiling::profile_objections;
use super::trial::{self, TrialObjection};
use super::{Case, LayerPipeline, LoopObjection, Outcome, RlcrActive, Triage, entry, patch};
use crate::artifact::{Digest, GitId};
use crate::ask::command::*;
use crate::ask::event::*;
use crate::clause::Clause;
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::Objections;
use crate::text::{Argv, Name};
use crate::verdict::SessionKind;

/// A recorded patch or fixup, and what was measured of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revalidate {
    case: Box<Case>,
    trialled: Trialled,
    tests: Vec<TestRun>,
    kept: Vec<KeptBlock>,
    profiles: Vec<Profile>,
    /// Launches that are not of the new build: those from before it, and the other sides of its blocks.
    foreign: BTreeSet<Digest>,
    measured: bool,
}

/// What is on trial.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trialled {
    /// A patch, with the evidence that led to it.
    Patch(Box<(Patch, Triage)>),
    /// A fixup that Humanize's review demanded.
    Fixup(Box<Fixup>),
}

impl Trialled {
    /// HEAD, as it was recorded.
    pub fn head(&self) -> &Head {
        match self {
            Self::Patch(it) => &it.0.stand.head,
            Self::Fixup(it) => &it.stand.head,
        }
    }

    /// The changed files.
    pub fn files(&self) -> &[ChangedFile] {
        match self {
            Self::Patch(it) => &it.0.files,
            Self::Fixup(it) => &it.files,
        }
    }

    /// The name it is recorded under.
    pub fn name(&self) -> &Name {
        match self {
            Self::Patch(it) => &it.0.name,
            Self::Fixup(it) => &it.name,
        }
    }

    /// The evidence that led to a patch.
    pub fn triage(&self) -> Option<&Triage> {
        match self {
            Self::Patch(it) => Some(&it.1),
            Self::Fixup(_) => None,
        }
    }

    fn is_fixup(&self) -> bool {
        matches!(self, Self::Fixup(_))
    }
}

impl Revalidate {
    pub(crate) fn patch(layers: LayerPipeline, patch: Patch) -> Self {
        let (mut case, triage) = layers.into_parts();
        let mut rows = alloc::vec![patch.profiler_row];
        rows.extend(patch.kernel.iter().flat_map(|it| it.rows.iter().copied()));
        case.investigate(&rows);
        Self::of(case, Trialled::Patch(Box::new((patch, *triage))))
    }

    pub(crate) fn fixup(case: Box<Case>, fixup: Fixup) -> Self {
        Self::of(case, Trialled::Fixup(Box::new(fixup)))
    }

    fn of(mut case: Box<Case>, trialled: Trialled) -> Self {
        case.attempts.insert(trialled.name().clone());
        let seen_at = match &trialled {
            Trialled::Patch(it) => it.0.stand.seen_at,
            Trialled::Fixup(it) => it.stand.seen_at,
        };
        case.turn(seen_at);
        let (tests, kept, profiles) = (Vec::new(), Vec::new(), Vec::new());
        let foreign = case.launches.keys().copied().collect();
        Self { case, trialled, tests, kept, profiles, foreign, measured: false }
    }

    pub(crate) fn shared(&self) -> &Case {
        &self.case
    }

    pub(crate) fn shared_mut(&mut self) -> &mut Case {
        &mut self.case
    }

    pub(crate) fn checked_out(&self) -> &GitId {
        &self.trialled.head().tree
    }

    /// What is on trial.
    pub fn trialled(&self) -> &Trialled {
        &self.trialled
    }

    /// The trial blocks that count.
    pub fn kept(&self) -> &[KeptBlock] {
        &self.kept
    }

    /// The profiles of the new build.
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    /// The gain that the blocks show so far.
    pub fn gain(&self) -> Option<Gain> {
        let sla_round =
            self.trialled.triage().filter(|it| it.verdict.sla_failed && !it.is_behind());
        let slow = sla_round.and_then(|it| it.verdict.slow.as_ref());
        trial::gain(&self.case, &self.kept, slow)
    }

    /// Under a standing claim a fixup is also measured against every rival (RL-9).
    fn needs_rivals(&self) -> bool {
        self.trialled.is_fixup() && self.case.claim.is_some()
    }

    /// What the new build was launched with in the blocks of a scenario, once there are any.
    pub fn launched_with(&self, scenario: &Name) -> Option<&Argv> {
        let block = self.kept.iter().find(|it| it.scenario == *scenario)?;
        let new = block.runs.iter().find(|it| it.build == Some(Build::New))?;
        Some(&new.server_command)
    }

    /// Whether a profile shows what the blocks measured.
    pub fn shows(&self, profile: &Profile) -> bool {
        let ran = self.launched_with(&profile.scenario);
        ran.is_none_or(|it| *it == profile.server_command)
    }

    /// RV-1: the new build is profiled in the stage that was slow, as it was measured.
    fn profiled(&self) -> Objections {
        let mut o = Objections::default();
        if let Some(stage) = self.trialled.triage().and_then(Triage::slower_stage) {
            let mut of = self.profiles.iter().filter(|it| it.stage == stage).peekable();
            let there = of.peek().is_some();
            o.unless(there, TrialObjection::NoProfile { stage });
            let shown = of.any(|it| self.shows(it));
            o.unless(shown || !there, TrialObjection::OtherProfiled { stage });
        }
        o
    }

    /// RV-2, KA-5, KA-9: the patch gains, by its objective, in the model and not only in a harness.
    fn gains(&self) -> Objections {
        let mut o = Objections::default();
        let Trialled::Patch(it) = &self.trialled else { return o };
        let kernel = it.0.kernel.as_ref();
        let clause = if kernel.is_some() { Clause::Ka5 } else { Clause::Rv2 };
        let gained = self.gain().is_some_and(|it| it.lo.get() > 0.0);
        o.unless(gained, TrialObjection::NoGain { clause });
        if let Some(gain) = self.gain() {
            o.join(trial::enough_to_be_weak(&self.case, &self.kept, &gain));
        }
        if let Some(kernel) = kernel {
            o.join(trial::wired(kernel, &it.1, self.profiles.iter().filter(|it| self.shows(it))));
            o.join(trial::correct(kernel, &self.tests));
        }
        o
    }
}

// --- amend-patch ---

impl Decide<AmendPatch> for Revalidate {
    fn ready(&self) -> Objections {
        let mut o = Objections::default();
        o.unless(!self.measured, TrialObjection::AlreadyMeasured {});
        o.unless(!self.trialled.is_fixup(), TrialObjection::FixupAmended {});
        o
    }

    fn decide(&self, said: &Amendment) -> Result<(), Objections> {
        let Trialled::Patch(it) = &self.trialled else { return Ok(()) };
        let (recorded, triage) = (&it.0, &it.1);
        let mut before = Case::clone(&self.case);
        before.attempts.remove(&recorded.name);
        let mut o = patch::patch_objections(&before, triage, &said.patch);
        o.join(patch::same_kernel(recorded, &said.patch));
        o.or_agree()
    }
}

impl Evolve<PatchAmended> for Revalidate {
    type Next = Self;

    fn evolve(mut self, event: PatchAmended) -> Self {
        self.case.attempts.insert(event.said.patch.name.clone());
        if let Trialled::Patch(it) = &mut self.trialled {
            it.0 = event.said.patch;
        }
        self
    }
}

// --- file-tests ---

impl Decide<FileTests> for Revalidate {
    fn decide(&self, said: &TestRun) -> Result<(), Objections> {
        let mut o = Objections::default();
        let (found, commit) = (said.commit.clone(), self.trialled.head().commit.clone());
        o.unless(found == commit, TrialObjection::OtherCommit { found, commit: commit.clone() });
        if let Some(found) = said.head.clone().filter(|it| *it != commit) {
            o.raise(TrialObjection::TestedElsewhere { found, commit });
        }
        o.or_agree()
    }
}

impl Evolve<TestsFiled> for Revalidate {
    type Next = Self;

    fn evolve(mut self, event: TestsFiled) -> Self {
        self.tests.push(event.said);
        self.measured = true;
        self
    }
}

// --- file-trial-block ---

impl Decide<FileTrialBlock> for Revalidate {
    fn decide(&self, said: &Block) -> Result<BlockFound, Objections> {
        let report_only = blocks::standing(&self.case, &self.kept, said);
        let session = SessionId { kind: SessionKind::Gate, n: 1 };
        let (new, rivals) = (self.checked_out(), self.needs_rivals());
        let o = blocks::trial_block(&self.case, new, rivals, &self.kept, said);
        o.or_grant(BlockFound { session, report_only })
    }
}

impl Evolve<TrialBlockFiled> for Revalidate {
    type Next = Self;

    fn evolve(mut self, event: TrialBlockFiled) -> Self {
        let TrialBlockFiled { said, found } = event;
        self.case.use_runs(&said.runs);
        let accepted = said.runs.iter().filter(|it| it.build != Some(Build::New));
        self.foreign.extend(accepted.filter_map(BlockRun::launch));
        self.measured = true;
        if found.report_only.is_none() {
            let (scenario, session) = (said.scenario, found.session);
            let kept = KeptBlock { scenario, session, runs: said.runs.into() };
            self.case.measured(&kept.runs);
            self.kept.push(kept);
        }
        self
    }
}

// --- file-profile ---

impl Decide<FileProfile> for Revalidate {
    fn decide(&self, said: &Profile) -> Result<(), Objections> {
        let (framework, stage) = (said.framework, said.stage);
        let slow = self.trialled.triage().and_then(|it| it.verdict.slow.as_ref());
        let mut o = profile_objections(&self.case, slow, self.checked_out(), said);
        let ours = framework == Framework::Vllm;
        o.unless(ours, TrialObjection::NotVllm { framework });
        let before = self.trialled.triage().map_or(&[][..], |it| &it.profiles);
        let seen = |trace: &Digest| before.iter().any(|it| it.traces.contains(trace));
        o.unless(!said.traces.iter().any(seen), TrialObjection::OldTrace { stage });
        // A launch of an earlier round is objected to already.
        let here = self.case.launches.get(&said.launch) == Some(&self.case.rounds);
        let other = here && self.foreign.contains(&said.launch);
        o.unless(!other, TrialObjection::OtherLaunch { stage });
        let scenario = said.scenario.clone();
        let wanted = self.launched_with(&scenario);
        let wanted = wanted.or_else(|| self.case.best_command.get(&scenario));
        let same = wanted == Some(&said.server_command);
        o.unless(same || !ours, TrialObjection::ProfiledElsewhere { stage, scenario });
        // A command that was searched anew is profiled anew.
        let again = |it: &Profile| it.stage == stage && self.shows(it);
        o.unless(!self.profiles.iter().any(again), TrialObjection::AlreadyProfiled { stage });
        o.or_agree()
    }
}

impl Evolve<ProfileFiled> for Revalidate {
    type Next = Self;

    fn evolve(mut self, event: ProfileFiled) -> Self {
        self.case.use_launch(event.said.launch);
        self.profiles.push(event.said);
        self
    }
}

// --- accept-patch ---

impl Decide<AcceptPatch> for Revalidate {
    fn ready(&self) -> Objections {
        let mut o = trial::tests_objections(&self.tests);
        let enough = trial::enough_blocks(&self.case, &self.kept);
        let measured = enough.is_empty();
        o.join(enough);
        o.join(self.profiled());
        o.join(trial::nothing_lost(&self.case, &self.kept));
        if measured {
            o.join(self.gains());
        }
        o
    }

    fn decide(&self, said: &Acceptance) -> Result<Accepted, Objections> {
        let mut o = entry::loop_runs(&self.case, &said.stand);
        let (found, patch) = (said.stand.head.tree.clone(), self.checked_out().clone());
        o.unless(found == patch, TrialObjection::HeadMoved { found, patch });
        o.unless(said.stand.head.clean, LoopObjection::DirtyGate {});
        let eligible = || trial::still_eligible(&self.case, &self.kept);
        match self.gain() {
            Some(gain) => {
                o.or_grant(Accepted { gain, claim_renewed: self.needs_rivals().then(eligible) })
            }
            // Without a gain there are too few blocks, which `ready` says.
            None => Err(o),
        }
    }
}

impl Evolve<PatchAccepted> for Revalidate {
    type Next = RlcrActive;

    fn evolve(mut self, event: PatchAccepted) -> RlcrActive {
        let tree = self.trialled.head().tree.clone();
        self.case.land(&tree, self.trialled.files());
        for block in &self.kept {
            let new = block.runs.iter().find(|it| it.build == Some(Build::New));
            if let Some(run) = new {
                self.case.best_command.insert(block.scenario.clone(), run.server_command.clone());
            }
        }
        self.case.claim = match event.found.claim_renewed {
            Some(true) => {
                self.case.claim.take().map(|it| StopClaim { stand: event.said.stand, ..it })
            }
            Some(false) | None => None,
        };
        if !self.trialled.is_fixup() {
            self.case.review_due = true;
            let weak = event.found.gain.weak;
            self.case.conclude(if weak { Outcome::Weak } else { Outcome::Strong });
        }
        RlcrActive::of(self.case)
    }
}

// --- retry-patch ---

impl Decide<RetryPatch> for Revalidate {
    fn ready(&self) -> Objections {
        let mut o = Objections::default();
        o.unless(!self.trialled.is_fixup(), TrialObjection::FixupRetried {});
        o
    }

    fn decide(&self, said: &Rejection) -> Result<(), Objections> {
        entry::on_accepted(&self.case, &said.head).or_agree()
    }
}

impl Evolve<PatchRetried> for Revalidate {
    type Next = LayerPipeline;

    fn evolve(mut self, _: PatchRetried) -> LayerPipeline {
        self.case.conclude(Outcome::Weak);
        let triage = match self.trialled {
            Trialled::Patch(it) => it.1,
            Trialled::Fixup(_) => Triage::nothing(),
        };
        LayerPipeline::of(self.case, Box::new(triage))
    }
}

// --- reject-patch ---

impl Decide<RejectPatch> for Revalidate {
    fn decide(&self, said: &Rejection) -> Result<(), Objections> {
        entry::on_accepted(&self.case, &said.head).or_agree()
    }
}

impl Evolve<PatchRejected> for Revalidate {
    type Next = RlcrActive;

    fn evolve(mut self, _: PatchRejected) -> RlcrActive {
        if self.trialled.is_fixup() {
            self.case.claim = None;
        } else {
            self.case.conclude(Outcome::Weak);
        }
        RlcrActive::of(self.case)
    }
}
