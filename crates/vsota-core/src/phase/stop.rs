//! The four reasons to stop; nothing follows. (ST-1 … ST-5, GD-4, GD-7, GD-8)

use alloc::boxed::Box;

use super::{Case, LoopObjection, entry};
use crate::artifact::GitId;
use crate::brief::Base;
use crate::facts::*;
use crate::measure::DELTA;
use crate::objection::{Objections, objections};
use crate::text::Name;
use crate::verdict::{Action, SlaState, Verdict};

/// The campaign is over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stopped {
    base: Base,
    case: Option<Box<Case>>,
    order: StopOrder,
}

objections! {
    /// What may stand in the way of a claim or a stop.
    pub enum StopObjection {
        /// No verdict of this round.
        [Gd5] NotDecided {} "this round has no recorded verdict",
        /// The verdict is not a stop.
        [*clause] NotStop { clause: crate::clause::Clause, action: Action } "the verdict is {action:?}, not Stop",
        /// A scenario that is only tied.
        [St1] NotAhead { scenario: Name, verdict: Verdict } "{scenario} is {verdict:?}, not Ahead",
        /// vLLM's SLA is not proven.
        [*clause] SlaNotPassed { clause: crate::clause::Clause, scenario: Name, state: SlaState } "vLLM's SLA state in {scenario} is {state:?}, not Pass",
        /// Re-rolled blocks.
        [Gd7] PoolBehind { scenario: Name, framework: Framework } "on this build {scenario} was behind before, and its pooled interval against {framework} does not allow a stop",
        /// A blocked competitor.
        [Gd8] CompetitorBlocked { framework: Framework } "{framework} can no longer run, so nothing can be claimed against it",
        /// No cause is named.
        [*clause] NoCause { clause: crate::clause::Clause } "the claim names no cause",
        /// No evidence is named.
        [*clause] NoEvidence { clause: crate::clause::Clause } "the claim names no evidence",
        /// A claim that belongs elsewhere.
        [*clause] WrongPlace { clause: crate::clause::Clause, reason: StopReason } "{reason} cannot be claimed in this phase",
        /// No layer report.
        [St4] NoPipeline {} "this round has no layer pipeline, so no limit is shown",
        /// No profile while behind.
        [St5] NothingProfiled {} "vLLM is behind and no profile says which rows are left",
        /// A row that nobody looked into.
        [St5] Uninvestigated { row: RowId, name: crate::text::Line } "{row} ({name}) has vLLM source impact and neither an attempt nor an idea verdict",
        /// No claim stands.
        [Gd4] NoClaim {} "no claim stands",
        /// The review is not complete.
        [Gd4] ReviewOpen { state: LoopEnd } "the loop of the claim is {state}; its review must end complete",
        /// The build moved since the claim.
        [Gd4] BuildMoved { found: GitId, claimed: GitId } "HEAD has the tree {found}; the claim was made on {claimed}",
        /// Another loop than the one of the claim.
        [Gd4] LoopMoved { found: Name, claimed: Name } "the loop is {found}; the claim was made in {claimed}, whose review counts",
        /// A fair comparison exists.
        [St3] Comparable {} "a competitor has a row that ranks, so a fair comparison exists",
        /// An order that belongs to FixedBenchmark.
        [Gd4] NotHere {} "a campaign in the loop stops only on a claim that Humanize's review confirmed",
    }
}

impl Stopped {
    pub(crate) fn of(case: Box<Case>, order: StopOrder) -> Self {
        Self { base: case.base.clone(), case: Some(case), order }
    }

    pub(crate) fn before_the_loop(base: Base, order: StopOrder) -> Self {
        Self { base, case: None, order }
    }

    /// What was known before the loop.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// What the loop knew, when one was entered.
    pub fn case(&self) -> Option<&Case> {
        self.case.as_deref()
    }

    /// What ended the campaign.
    pub fn order(&self) -> &StopOrder {
        &self.order
    }
}

/// ST-1, ST-2: the verdict of this round lets vLLM stop as the best, or as tied.
pub(crate) fn as_the_best(
    case: &Case,
    claim: &StopClaim,
    decided: Option<&GapVerdict>,
) -> Objections {
    use crate::clause::Clause;
    let mut o = Objections::default();
    let clause = if claim.reason == StopReason::Beats { Clause::St1 } else { Clause::St2 };
    let Some(verdict) = decided else {
        o.raise(StopObjection::NotDecided {});
        return o;
    };
    let action = verdict.action;
    o.unless(action == Action::Stop, StopObjection::NotStop { clause, action });
    for it in &verdict.scenarios {
        let (scenario, verdict) = (it.scenario.clone(), it.verdict);
        let ahead = matches!(verdict, Verdict::Ahead | Verdict::Unopposed);
        let enough = claim.reason != StopReason::Beats || ahead;
        o.unless(enough, StopObjection::NotAhead { scenario: scenario.clone(), verdict });
        let state = it.sla.get(&Framework::Vllm).copied().unwrap_or(SlaState::Marginal);
        let passed = state == SlaState::Pass;
        o.unless(passed, StopObjection::SlaNotPassed { clause, scenario, state });
        o.join(pooled(case, it));
    }
    for framework in case.blocked.iter().copied() {
        o.raise(StopObjection::CompetitorBlocked { framework });
    }
    o
}

/// GD-7: after a Behind verdict on this build the pool must allow the stop too.
fn pooled(case: &Case, it: &ScenarioVerdict) -> Objections {
    let mut o = Objections::default();
    for (framework, pool) in it.pooled.iter().filter(|_| case.was_behind) {
        let (scenario, framework) = (it.scenario.clone(), *framework);
        let allows = pool.lo.get() > -DELTA;
        o.unless(allows, StopObjection::PoolBehind { scenario, framework });
    }
    o
}

/// ST-3, ST-4: a named cause with its evidence.
pub(crate) fn because(claim: &StopClaim) -> Objections {
    use crate::clause::Clause;
    let clause = if claim.reason == StopReason::Limit { Clause::St4 } else { Clause::St3 };
    let mut o = Objections::default();
    o.unless(claim.because.is_some(), StopObjection::NoCause { clause });
    o.unless(!claim.evidence.is_empty(), StopObjection::NoEvidence { clause });
    o
}

/// ST-5: while vLLM is behind every row with vLLM source impact was looked into.
pub(crate) fn all_investigated(case: &Case, behind: bool) -> Objections {
    let mut o = Objections::default();
    if behind {
        o.unless(!case.kernel_rows.is_empty(), StopObjection::NothingProfiled {});
        for it in case.uninvestigated() {
            o.raise(StopObjection::Uninvestigated { row: it.row, name: it.name.clone() });
        }
    }
    o
}

/// GD-4: a claim stands, its review ended complete, and the build is the claimed one.
pub(crate) fn confirmed(case: &Case, order: &StopOrder) -> Objections {
    let mut o = Objections::default();
    let StopOrder::Confirm { stand } = order else {
        o.raise(StopObjection::NotHere {});
        return o;
    };
    // That there is one is asked before the command says anything.
    if let Some(claim) = &case.claim {
        let (found, claimed) = (stand.head.tree.clone(), claim.stand.head.tree.clone());
        o.unless(found == claimed, StopObjection::BuildMoved { found, claimed });
        let (found, claimed) = (case.running.dir.clone(), claim.stand.loop_dir.clone());
        o.unless(found == claimed, StopObjection::LoopMoved { found, claimed });
    }
    let state = stand.loop_state;
    o.unless(state == LoopEnd::Complete, StopObjection::ReviewOpen { state });
    o.unless(stand.head.clean, LoopObjection::DirtyGate {});
    o.join(entry::recorded_loop(case, stand));
    o
}

/// ST-3 from FixedBenchmark: no fair comparison can exist.
pub(crate) fn unfair(order: &StopOrder, comparable: bool) -> Objections {
    use crate::clause::Clause;
    let mut o = Objections::default();
    match order {
        StopOrder::Confirm { .. } => o.raise(StopObjection::NoClaim {}),
        StopOrder::External { evidence, .. } => {
            let clause = Clause::St3;
            o.unless(!evidence.is_empty(), StopObjection::NoEvidence { clause });
            o.unless(!comparable, StopObjection::Comparable {});
        }
    }
    o
}

/// ST-4 is claimed in LayerPipeline; ST-1 and ST-2 in GapDecision.
pub(crate) fn wrong_place(reason: StopReason) -> Objections {
    use crate::clause::Clause;
    let clause = match reason {
        StopReason::Beats => Clause::St1,
        StopReason::Tied => Clause::St2,
        StopReason::External => Clause::St3,
        StopReason::Limit => Clause::St4,
    };
    let mut o = Objections::default();
    o.raise(StopObjection::WrongPlace { clause, reason });
    o
}

/// ST-4: a limit is shown by a layer pipeline of this round.
pub(crate) fn limit_shown(reported: bool) -> Objections {
    let mut o = Objections::default();
    o.unless(reported, StopObjection::NoPipeline {});
    o
}
