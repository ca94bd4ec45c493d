//! The loop runs; no round is open. (RL-7 … RL-9, GD-4)

use alloc::boxed::Box;

use super::{
    Case, GapDecision, LoopObjection, Revalidate, StopObjection, Stopped, entry, patch, stop,
};
use crate::artifact::GitId;
use crate::ask::command::{FilePlan, OpenRound, RecordFixup, StopCampaign};
use crate::ask::event::{CampaignStopped, FixupRecorded, PlanFiled, RoundOpened};
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::Objections;

/// Between rounds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RlcrActive {
    case: Box<Case>,
}

impl RlcrActive {
    pub(crate) fn of(case: Box<Case>) -> Self {
        Self { case }
    }

    pub(crate) fn shared(&self) -> &Case {
        &self.case
    }

    pub(crate) fn shared_mut(&mut self) -> &mut Case {
        &mut self.case
    }

    pub(crate) fn checked_out(&self) -> &GitId {
        &self.case.accepted
    }
}

// --- file-plan: the plan file was lost ---

impl Decide<FilePlan> for RlcrActive {
    fn decide(&self, said: &Plan) -> Result<(), Objections> {
        entry::plan_objections(said).or_agree()
    }
}

impl Evolve<PlanFiled> for RlcrActive {
    type Next = Self;

    fn evolve(mut self, event: PlanFiled) -> Self {
        self.case.plan = Some(event.said);
        self
    }
}

// --- open-round ---

impl Decide<OpenRound> for RlcrActive {
    fn decide(&self, said: &RoundStart) -> Result<u32, Objections> {
        let mut o = entry::stands_at_gate(&self.case, &said.stand);
        let reviewed = !self.case.review_due || said.review.is_some();
        o.unless(reviewed, LoopObjection::NoReview {});
        o.or_grant(self.case.rounds.saturating_add(1))
    }
}

impl Evolve<RoundOpened> for RlcrActive {
    type Next = GapDecision;

    fn evolve(mut self, event: RoundOpened) -> GapDecision {
        self.case.rounds = event.found;
        self.case.review_due = false;
        self.case.turn(event.said.stand.seen_at);
        self.case.claim = None;
        GapDecision::of(self.case)
    }
}

// --- record-fixup ---

impl Decide<RecordFixup> for RlcrActive {
    fn decide(&self, said: &Fixup) -> Result<(), Objections> {
        let mut o = entry::loop_runs(&self.case, &said.stand);
        o.join(patch::fixup_objections(&self.case, said));
        o.or_agree()
    }
}

impl Evolve<FixupRecorded> for RlcrActive {
    type Next = Revalidate;

    fn evolve(self, event: FixupRecorded) -> Revalidate {
        Revalidate::fixup(self.case, event.said)
    }
}

// --- stop-campaign ---

impl Decide<StopCampaign> for RlcrActive {
    fn ready(&self) -> Objections {
        let mut o = Objections::default();
        o.unless(self.case.claim.is_some(), StopObjection::NoClaim {});
        o
    }

    fn decide(&self, said: &StopOrder) -> Result<(), Objections> {
        stop::confirmed(&self.case, said).or_agree()
    }
}

impl Evolve<CampaignStopped> for RlcrActive {
    type Next = Stopped;

    fn evolve(self, event: CampaignStopped) -> Stopped {
        Stopped::of(self.case, event.said)
    }
}
