//! Is vLLM behind, and is that certain? (GD-1 … GD-8)

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::blocks::{self, KeptBlock, Side};
use super::{Case, Profiling, RlcrActive, entry, stop};
use crate::artifact::GitId;
use crate::ask::command::*;
use crate::ask::event::*;
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::measure::Measured;
use crate::objection::{Objections, objections};
use crate::text::Name;
use crate::verdict::{
    self, Action, Reason, ScenarioFold, SessionKind, SlaState, Verdict, decide_ratios,
    fold_campaign, fold_competitors,
};

/// The blocks of this round.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GapDecision {
    case: Box<Case>,
    session: SessionId,
    kept: Vec<KeptBlock>,
    /// Broken blocks of this session, by scenario: each is redone in its slot.
    redone: BTreeMap<Name, usize>,
    decided: Option<GapVerdict>,
    blocked_now: bool,
}

objections! {
    /// What may stand in the way of a gap decision.
    pub enum GapObjection {
        /// The verdict is a patch, so profiling is what follows.
        [Gd3] PatchIsDue { action: Action } "the verdict is {action:?}: profiling follows, not a decision without a patch",
        /// Nothing allows a patch.
        [Gd3] NoPatch { action: Action } "the verdict is {action:?}: no scenario is behind, fails its SLA, or leans behind",
        /// A scenario is not compared yet.
        [Gd1] TooFewBlocks { scenario: Name, framework: Framework, found: usize } "{scenario} has {found} of the 2 blocks of this round with {framework}",
        /// Blocks are still wanted.
        [Gd5] Undecided { blocks: u32 } "the gap of this round is not decided: {blocks} more blocks are wanted",
        /// A changed rig does not undo a gap.
        [Gd7] BehindStands { scenarios: String } "vLLM is behind on this rig in {scenarios}; profiling follows, and a changed rig does not undo it",
        /// Not a competitor of the charter.
        [Gd8] NoRival { framework: Framework } "{framework} is not a competitor of this benchmark",
        /// Already blocked.
        [Gd8] AlreadyBlocked { framework: Framework } "{framework} is already blocked",
        /// A round with a patch verdict goes on.
        [Gd3] PatchStands { action: Action } "the verdict is {action:?}: the round goes on to profiling unless its loop or a competitor is lost",
    }
}

impl GapDecision {
    pub(crate) fn of(case: Box<Case>) -> Self {
        Self {
            case,
            session: SessionId { kind: SessionKind::Gate, n: 1 },
            kept: Vec::new(),
            redone: BTreeMap::new(),
            decided: None,
            blocked_now: false,
        }
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

    /// The session that the next block belongs to.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The blocks of this round that count.
    pub fn kept(&self) -> &[KeptBlock] {
        &self.kept
    }

    /// The latest recorded verdict of this round.
    pub fn decided(&self) -> Option<&GapVerdict> {
        self.decided.as_ref()
    }

    /// The verdict that the filed blocks give now.
    pub fn verdict(&self) -> GapVerdict {
        let scenarios: Vec<_> =
            self.case.charter.scenarios.keys().map(|it| self.scenario_verdict(it)).collect();
        let failed = |(it, _): &&(ScenarioVerdict, ScenarioFold<Framework>)| self.fails_sla(it);
        let failing = scenarios.iter().find(failed).map(|(it, _)| it.scenario.clone());
        let folds: Vec<_> = scenarios.iter().map(|(_, fold)| fold.clone()).collect();
        let fold = fold_campaign(&folds, failing.is_some(), self.session.kind);
        let scenarios: Vec<_> = scenarios.into_iter().map(|(it, _)| it).collect();
        GapVerdict {
            session: self.session,
            action: fold.action,
            label: fold.label,
            more_blocks: fold.more_blocks,
            sla_failed: failing.is_some(),
            slow: failing.or_else(|| slowest(&scenarios)),
            scenarios,
        }
    }

    /// What the blocks of this session against a competitor warn of; report-only, never a verdict.
    ///
    /// `order-effect`: who runs first in a block matters. `gap-drift`: the gap moves over the blocks.
    /// `level-drift`: one of the two moves over the blocks. `outliers`: a block lies far from the others;
    /// it stays in. `rig-not-qualified`: more than a quarter of the blocks were broken and redone.
    pub fn flags(&self, scenario: &Name, rival: Framework) -> Vec<&'static str> {
        let chartered = self.case.charter.scenarios.get(scenario);
        let Some(objective) = chartered.map(|it| it.scenario.objective) else { return Vec::new() };
        let here = |it: &&KeptBlock| it.scenario == *scenario && it.session == self.session;
        let blocks = || self.kept.iter().filter(here);
        let (ours, theirs) = (Side::Of(Framework::Vllm), Side::Of(rival));
        let (d, order) = blocks::ratios(blocks(), objective, ours, theirs);
        let drifts = |side| {
            let level = blocks::values(blocks(), objective, side);
            verdict::slope_t(&verdict::logs(&level)).flag
        };
        let redone = self.redone.get(scenario).copied().unwrap_or(0);
        let filed = blocks().count().saturating_add(redone);
        let found = [
            ("order-effect", verdict::order_effect(&d, &order).is_ok_and(|it| it.flag)),
            ("gap-drift", verdict::slope_t(&d).flag),
            ("level-drift", drifts(ours) || drifts(theirs)),
            ("outliers", !verdict::outliers(&d).is_empty()),
            ("rig-not-qualified", redone.saturating_mul(4) > filed),
        ];
        found.into_iter().filter(|(_, there)| *there).map(|(flag, _)| flag).collect()
    }

    fn scenario_verdict(&self, name: &Name) -> (ScenarioVerdict, ScenarioFold<Framework>) {
        let case = &self.case;
        let objective = case
            .charter
            .scenarios
            .get(name)
            .map_or(Metric::RequestThroughput, |it| it.scenario.objective);
        let round = || self.kept.iter().filter(|it| it.scenario == *name);
        let session = || round().filter(|it| it.session == self.session);
        let pool = || case.pool.iter().filter(|it| it.scenario == *name);
        let vllm = Side::Of(Framework::Vllm);
        let states = blocks::rivals(case, name, &self.kept);
        let in_play: BTreeSet<_> =
            states.iter().filter(|(_, it)| **it != SlaState::Fail).map(|(it, _)| *it).collect();
        let mut competitors = BTreeMap::new();
        let mut pooled = BTreeMap::new();
        for rival in in_play.iter().copied() {
            let (d, order) = blocks::ratios(session(), objective, vllm, Side::Of(rival));
            if let Ok(pair) = decide_ratios(&d, &order) {
                competitors.insert(rival, pair);
            }
            let (all, _) = blocks::ratios(pool(), objective, vllm, Side::Of(rival));
            if let Some(it) = verdict::pooled(&all) {
                pooled
                    .insert(rival, PooledInterval { n: it.n, mean: it.mean, lo: it.lo, hi: it.hi });
            }
        }
        let mut sla = states;
        let ours = blocks::sla_state(&case.base.brief.sla(), round(), vllm);
        sla.insert(Framework::Vllm, ours);
        let blocked = case.charter.rivals(name).iter().any(|it| case.blocked.contains(it));
        let fold = match in_play.is_empty() && !blocked {
            true => unopposed(ours, session().count()),
            false => fold_competitors(&competitors),
        };
        let found = ScenarioVerdict {
            scenario: name.clone(),
            verdict: fold.verdict,
            leaders: fold.leaders.clone(),
            literal_gap_pct: self.literal_gap(name, objective),
            competitors,
            sla,
            pooled,
        };
        (found, fold)
    }

    /// Whether the blocks of this round say Behind in any scenario (GD-7).
    fn is_behind(&self) -> bool {
        self.verdict().scenarios.iter().any(|it| it.verdict == Verdict::Behind)
    }

    /// GD-3: vLLM fails the SLA of a scenario that a competitor passes.
    fn fails_sla(&self, it: &ScenarioVerdict) -> bool {
        let state = |framework| it.sla.get(&framework).copied();
        let rival = |it: &Framework| state(*it).is_some_and(|state| state != SlaState::Fail);
        state(Framework::Vllm) == Some(SlaState::Fail) && Framework::COMPETITORS.iter().any(rival)
    }

    /// The gap to the frozen table in percent; report-only (GD-1).
    fn literal_gap(&self, name: &Name, objective: Metric) -> Option<crate::measure::Real> {
        let there = self.kept.iter().filter(|it| it.scenario == *name);
        let ours = blocks::level(there, objective, Side::Of(Framework::Vllm))?;
        let chartered = self.case.charter.scenarios.get(name)?;
        let rivals = chartered.winners.values();
        let theirs = rivals.filter(|it| it.framework != Framework::Vllm && it.sla_passed);
        let values = theirs.map(|it| it.objective);
        let best: Measured =
            if objective.higher_is_better() { values.max()? } else { values.min()? };
        Some(match objective.higher_is_better() {
            true => verdict::literal(ours, best),
            false => verdict::literal(best, ours),
        })
    }

    /// GD-1: every scenario has two blocks of this round with every competitor in play.
    fn everyone_compared(&self, verdict: &GapVerdict) -> Objections {
        let mut o = Objections::default();
        for it in &verdict.scenarios {
            for framework in it.competitors.keys().copied() {
                let scenario = it.scenario.clone();
                let with = |block: &&KeptBlock| {
                    block.scenario == scenario && Side::Of(framework).find(&block.runs).is_some()
                };
                let found = self.kept.iter().filter(with).count();
                o.unless(found >= 2, GapObjection::TooFewBlocks { scenario, framework, found });
            }
        }
        o
    }
}

/// GD-8: nobody passes the SLA but vLLM; it takes four runs to show that vLLM does.
fn unopposed(ours: SlaState, blocks: usize) -> ScenarioFold<Framework> {
    let missing = 4_u32.saturating_sub(u32::try_from(blocks).unwrap_or(u32::MAX));
    if missing > 0 && ours != SlaState::Fail {
        let (verdict, reason) = (Verdict::Inconclusive, Some(Reason::NeedMore));
        return ScenarioFold { verdict, reason, leaders: Vec::new(), k: missing };
    }
    match ours {
        SlaState::Pass => ScenarioFold::unopposed(),
        SlaState::Marginal | SlaState::Fail => {
            fold_competitors::<Framework, verdict::Pair>(&BTreeMap::new())
        }
    }
}

/// The scenario with the largest gap: the smallest mean log ratio against any competitor.
fn slowest(scenarios: &[ScenarioVerdict]) -> Option<Name> {
    let gap = |it: &ScenarioVerdict| it.competitors.values().filter_map(|pair| pair.mean).min();
    let known = scenarios.iter().filter_map(|it| Some((gap(it)?, &it.scenario)));
    known.min().map(|(_, scenario)| scenario.clone())
}

fn is_patch(action: Action) -> bool {
    matches!(action, Action::Patch | Action::PatchLean)
}

// --- file-gap-block ---

impl Decide<FileGapBlock> for GapDecision {
    fn decide(&self, said: &Block) -> Result<BlockFound, Objections> {
        let report_only = blocks::standing(&self.case, &self.kept, said);
        let found = BlockFound { session: self.session, report_only };
        blocks::gap_block(&self.case, said).or_grant(found)
    }
}

impl Evolve<GapBlockFiled> for GapDecision {
    type Next = Self;

    fn evolve(mut self, event: GapBlockFiled) -> Self {
        let GapBlockFiled { said, found } = event;
        self.case.use_runs(&said.runs);
        if found.report_only == Some(ReportOnly::Broken) {
            let redone = self.redone.entry(said.scenario.clone()).or_default();
            *redone = redone.saturating_add(1);
        }
        if found.report_only.is_none() {
            let kept = KeptBlock {
                scenario: said.scenario,
                session: found.session,
                runs: said.runs.into(),
            };
            self.case.measured(&kept.runs);
            self.case.pool.push(kept.clone());
            self.kept.push(kept);
            self.decided = None;
        }
        self
    }
}

// --- decide-gap ---

impl Decide<DecideGap> for GapDecision {
    fn decide(&self, said: &DecisionAsked) -> Result<GapVerdict, Objections> {
        let verdict = self.verdict();
        let action = verdict.action;
        let mut o = entry::stands_at_gate(&self.case, &said.stand);
        o.unless(!is_patch(action), GapObjection::PatchIsDue { action });
        o.or_grant(verdict)
    }
}

impl Evolve<GapDecided> for GapDecision {
    type Next = Self;

    fn evolve(mut self, event: GapDecided) -> Self {
        if event.found.action == Action::Confirm {
            self.session = SessionId { kind: SessionKind::Confirm, n: self.session.n };
            self.redone.clear();
        }
        self.decided = Some(event.found);
        self
    }
}

// --- note-rig ---

impl Decide<NoteRig> for GapDecision {
    fn ready(&self) -> Objections {
        let mut o = Objections::default();
        let verdict = self.verdict();
        let behind = verdict.scenarios.iter().filter(|it| it.verdict == Verdict::Behind);
        let names: Vec<_> = behind.map(|it| it.scenario.as_str()).collect();
        let scenarios = names.join(", ");
        // Where some scenario is not compared yet, a broken rig may still be mended.
        let open = names.is_empty() || !self.everyone_compared(&verdict).is_empty();
        o.unless(open, GapObjection::BehindStands { scenarios });
        o
    }

    fn decide(&self, _: &RigChange) -> Result<Left, Objections> {
        Ok(Left { behind: self.is_behind() })
    }
}

impl Evolve<RigNoted> for GapDecision {
    type Next = Self;

    fn evolve(mut self, event: RigNoted) -> Self {
        self.session = SessionId { kind: SessionKind::Gate, n: self.session.n.saturating_add(1) };
        self.kept.clear();
        self.redone.clear();
        self.decided = None;
        // A word about the rig is no measurement: what was behind on this build stays in the pool.
        self.case.was_behind |= event.found.behind;
        if !self.case.was_behind {
            self.case.begin_pool();
        }
        // The clock of the rig may be what was wrong.
        self.case.forget_the_clock(event.said.at);
        self
    }
}

// --- block-competitor ---

impl Decide<BlockCompetitor> for GapDecision {
    fn decide(&self, said: &CompetitorBlock) -> Result<(), Objections> {
        let framework = said.framework;
        let mut o = Objections::default();
        let known = framework != Framework::Vllm
            && self.case.charter.scenarios.values().any(|it| it.winners.contains_key(&framework));
        o.unless(known, GapObjection::NoRival { framework });
        let live = !self.case.blocked.contains(&framework);
        o.unless(live, GapObjection::AlreadyBlocked { framework });
        o.or_agree()
    }
}

impl Evolve<CompetitorBlocked> for GapDecision {
    type Next = Self;

    fn evolve(mut self, event: CompetitorBlocked) -> Self {
        self.case.blocked.insert(event.said.framework);
        self.blocked_now = true;
        self.decided = None;
        self
    }
}

// --- open-profiling ---

impl Decide<OpenProfiling> for GapDecision {
    fn ready(&self) -> Objections {
        let verdict = self.verdict();
        let action = verdict.action;
        let mut o = Objections::default();
        o.unless(is_patch(action), GapObjection::NoPatch { action });
        if is_patch(action) {
            o.join(self.everyone_compared(&verdict));
        }
        o
    }

    fn decide(&self, said: &DecisionAsked) -> Result<GapVerdict, Objections> {
        entry::stands_at_gate(&self.case, &said.stand).or_grant(self.verdict())
    }
}

impl Evolve<ProfilingOpened> for GapDecision {
    type Next = Profiling;

    fn evolve(mut self, event: ProfilingOpened) -> Profiling {
        let behind = |it: &ScenarioVerdict| it.verdict == Verdict::Behind;
        self.case.was_behind |= event.found.scenarios.iter().any(behind);
        Profiling::of(self.case, event.found)
    }
}

// --- claim-stop ---

impl Decide<ClaimStop> for GapDecision {
    fn decide(&self, said: &StopClaim) -> Result<(), Objections> {
        let mut o = entry::stands_at_gate(&self.case, &said.stand);
        match said.reason {
            StopReason::Beats | StopReason::Tied => {
                o.join(stop::as_the_best(&self.case, said, self.decided.as_ref()));
            }
            StopReason::External => {
                let verdict = self.verdict();
                let (action, blocks) = (verdict.action, verdict.more_blocks);
                o.unless(action != Action::MoreRuns, GapObjection::Undecided { blocks });
                o.join(stop::because(said));
                let was_behind = self.case.was_behind && action != Action::NoBaseline;
                let behind = is_patch(action) || was_behind;
                o.join(stop::all_investigated(&self.case, behind));
            }
            StopReason::Limit => o.join(stop::wrong_place(said.reason)),
        }
        o.or_agree()
    }
}

impl Evolve<StopClaimed> for GapDecision {
    type Next = RlcrActive;

    fn evolve(mut self, event: StopClaimed) -> RlcrActive {
        // After profiling an external cause says that a gap remains; a later stop is held to it
        // (GD-7).
        let remains =
            event.said.reason == StopReason::External && !self.case.kernel_rows.is_empty();
        self.case.was_behind |= remains;
        self.case.claim = Some(event.said);
        RlcrActive::of(self.case)
    }
}

// --- abandon-round ---

impl Decide<AbandonRound> for GapDecision {
    fn decide(&self, said: &Abandonment) -> Result<Left, Objections> {
        let verdict = self.verdict();
        let action = verdict.action;
        let lost = said.stand.loop_state != LoopEnd::Active || self.blocked_now;
        let mut o = entry::on_accepted(&self.case, &said.stand.head);
        o.join(entry::recorded_loop(&self.case, &said.stand));
        o.unless(lost || !is_patch(action), GapObjection::PatchStands { action });
        o.or_grant(Left { behind: self.is_behind() })
    }
}

impl Evolve<RoundAbandoned> for GapDecision {
    type Next = RlcrActive;

    fn evolve(mut self, event: RoundAbandoned) -> RlcrActive {
        self.case.was_behind |= event.found.behind;
        RlcrActive::of(self.case)
    }
}
