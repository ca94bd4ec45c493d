//! From competitors to a scenario, and from scenarios to the campaign's next step.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Pair, Reason, Verdict};

/// What the fold needs to know of one competitor.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Where vLLM stands against it.
    pub verdict: Verdict,
    /// How many blocks are missing to the next look.
    pub k: u32,
    /// Why it is inconclusive.
    pub reason: Option<Reason>,
    /// Whether an undecided comparison leans to Behind.
    pub lean: bool,
}

/// One scenario over all of its SLA-passing competitors (GD-1).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFold<L> {
    /// Where vLLM stands in the scenario.
    pub verdict: Verdict,
    /// Why it is inconclusive: `NeedMore`, or `Noise` for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The competitors that lead: all that vLLM is behind, or those that an undecided one leans to.
    pub leaders: Vec<L>,
    /// How many more blocks to run; above 0 only with `NeedMore`.
    pub k: u32,
}

/// Which of the two sessions of a stop is judged (GD-4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// The first: stop-eligible here asks for a confirmation.
    Gate,
    /// The second, on fresh blocks: stop-eligible here is a stop.
    Confirm,
}

/// What the campaign may do next.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Action {
    /// Behind somewhere, or only vLLM fails the SLA: profile and patch.
    Patch,
    /// Undecided for good but leaning: profile and patch, without kernel assist (GD-3).
    PatchLean,
    /// Everything stop-eligible in the gate session: measure again on fresh blocks.
    Confirm,
    /// Everything stop-eligible in the confirm session.
    Stop,
    /// Run more blocks.
    MoreRuns,
    /// The noise decides: quieten the rig, or ask.
    NoiseBlocked,
    /// There is nothing to compare with.
    NoBaseline,
}

/// The campaign over all scenarios.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignFold {
    /// What may be done next.
    pub action: Action,
    /// The weakest verdict, with `Confirm` and `Stop`.
    pub label: Option<Verdict>,
    /// How many more blocks to run; above 0 only with `MoreRuns`.
    pub more_blocks: u32,
}

impl Standing {
    fn needs_more(&self) -> bool {
        undecided(self.verdict, self.reason, true)
    }
}

impl From<&Self> for Standing {
    fn from(standing: &Self) -> Self {
        *standing
    }
}

impl From<&Pair> for Standing {
    fn from(pair: &Pair) -> Self {
        Self { verdict: pair.verdict, k: pair.k, reason: pair.reason, lean: pair.lean }
    }
}

impl<L> ScenarioFold<L> {
    /// A scenario in which vLLM passes the SLA and every competitor ran and fails it (GD-8).
    pub fn unopposed() -> Self {
        Self::plain(Verdict::Unopposed)
    }

    /// Whether it is undecided for good and leans to Behind (GD-3).
    pub fn lean(&self) -> bool {
        undecided(self.verdict, self.reason, false) && !self.leaders.is_empty()
    }

    /// Whether more blocks are the answer.
    pub fn needs_more(&self) -> bool {
        undecided(self.verdict, self.reason, true)
    }

    fn plain(verdict: Verdict) -> Self {
        Self { verdict, reason: None, leaders: Vec::new(), k: 0 }
    }
}

/// Undecided, and with more blocks to come or without. One without a reason has them to come.
fn undecided(verdict: Verdict, reason: Option<Reason>, more: bool) -> bool {
    verdict == Verdict::Inconclusive && reason.is_none_or(Reason::needs_more) == more
}

/// Folds a scenario's competitors: behind any, or stop-eligible against all, or undecided (GD-1).
///
/// Without a competitor the scenario has no verdict: `NoCompetitor`. One that is unopposed is
/// made by [`ScenarioFold::unopposed`], from SLA states that are not known here.
pub fn fold_competitors<L, S>(competitors: &BTreeMap<L, S>) -> ScenarioFold<L>
where
    L: Clone + Ord,
    for<'a> Standing: From<&'a S>,
{
    let all: Vec<(&L, Standing)> = competitors.iter().map(|(l, s)| (l, s.into())).collect();
    let named = |picked: fn(&Standing) -> bool| -> Vec<L> {
        all.iter().filter(|(_, s)| picked(s)).map(|&(l, _)| l.clone()).collect()
    };
    let behind = named(|s| s.verdict == Verdict::Behind);
    if !behind.is_empty() {
        return ScenarioFold { leaders: behind, ..ScenarioFold::plain(Verdict::Behind) };
    }
    if let Some(label) = weakest(all.iter().map(|(_, s)| s.verdict)) {
        return ScenarioFold::plain(label);
    }
    if all.iter().all(|(_, s)| s.verdict == Verdict::NoCompetitor) {
        return ScenarioFold::plain(Verdict::NoCompetitor);
    }
    let more = all.iter().filter(|(_, s)| s.needs_more()).map(|(_, s)| s.k).max();
    let leaders = if more.is_some() { Vec::new() } else { named(|s| s.lean) };
    let reason = if more.is_some() { Reason::NeedMore } else { Reason::Noise };
    let verdict = Verdict::Inconclusive;
    ScenarioFold { verdict, reason: Some(reason), leaders, k: more.unwrap_or(0) }
}

/// Folds the scenarios into the campaign's next step (GD-1 to GD-4, GD-8).
///
/// `sla_fail_while_other_passes`: vLLM fails an SLA metric in some scenario that another framework
/// passes. Never a stop from noise, from the cap or from a lean.
pub fn fold_campaign<L>(
    scenarios: &[ScenarioFold<L>],
    sla_fail_while_other_passes: bool,
    session: SessionKind,
) -> CampaignFold {
    let any = |verdict| scenarios.iter().any(|scenario| scenario.verdict == verdict);
    let only = |action| CampaignFold { action, label: None, more_blocks: 0 };
    if sla_fail_while_other_passes || any(Verdict::Behind) {
        return only(Action::Patch);
    }
    if scenarios.is_empty() || any(Verdict::NoCompetitor) {
        return only(Action::NoBaseline);
    }
    if let Some(label) = weakest(scenarios.iter().map(|scenario| scenario.verdict)) {
        let action = match session {
            SessionKind::Gate => Action::Confirm,
            SessionKind::Confirm => Action::Stop,
        };
        return CampaignFold { label: Some(label), ..only(action) };
    }
    let more = scenarios.iter().filter(|scenario| scenario.needs_more()).map(|s| s.k).max();
    if let Some(more_blocks) = more {
        return CampaignFold { more_blocks, ..only(Action::MoreRuns) };
    }
    let lean = scenarios.iter().any(ScenarioFold::lean);
    only(if lean { Action::PatchLean } else { Action::NoiseBlocked })
}

/// The weakest of verdicts that are all stop-eligible; nothing otherwise, or without any.
fn weakest(verdicts: impl Iterator<Item = Verdict>) -> Option<Verdict> {
    // The variants of `Verdict` stand in this order: AtLeastTied < Tied < Ahead < Unopposed.
    let mut least = None;
    for verdict in verdicts {
        if !verdict.stop_eligible() {
            return None;
        }
        least = Some(least.map_or(verdict, |least| verdict.min(least)));
    }
    least
}
