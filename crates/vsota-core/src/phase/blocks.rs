//! Which blocks count, and what they compare. (GD-1, GD-2, GD-6, RV-1)

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::eligible::{is_rate_limited, off_workload};
use super::{Case, Chartered, search};
use crate::artifact::{Digest, GitId};
use crate::facts::*;
use crate::measure::{Measured, Real, geometric_mean};
use crate::objection::{Objections, objections};
use crate::text::{Argv, Line, Name};
use crate::verdict::{self, Order, SlaState};

/// A block that counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptBlock {
    /// Its scenario.
    pub scenario: Name,
    /// Its session.
    pub session: SessionId,
    /// Its runs, in the order in which they started.
    pub runs: Arc<[BlockRun]>,
}

objections! {
    /// What may stand in the way of a block.
    pub enum BlockObjection {
        /// A scenario that is not frozen.
        [Fb14] UnknownScenario { scenario: Name } "the benchmark has no scenario {scenario}",
        /// A framework without a frozen row.
        [Fb1] NoWinner { framework: Framework, scenario: Name } "{framework} has no frozen row in {scenario}",
        /// What a mock made up.
        [Fb5] MockResult { framework: Framework } "a mock made up the run of {framework}; that is for demonstrations",
        /// No run of vLLM.
        [Gd1] NoVllm {} "the block has no run of vllm",
        /// No run of a competitor.
        [Gd1] NoRival { scenario: Name } "the block has no run of a competitor, and {scenario} is not unopposed",
        /// Several launches of one framework.
        [Gd2] TwoRuns { framework: Framework } "the block has two launches of {framework}; a block compares one of each",
        /// A blocked competitor ran.
        [Gd8] RivalBlocked { framework: Framework } "{framework} was blocked, and a blocked competitor does not run again",
        /// Another model, hardware, load or setting than that of the frozen row.
        [Fb3] Mismatch { framework: Framework, scenario: Name, dimension: Dimension, found: String, frozen: String } "{framework} ran {scenario} with the {dimension} {found}; its frozen row has {frozen}",
        /// vLLM on another tree.
        [Pa1] OtherTree { accepted: GitId } "the run of vllm is not on the accepted build {accepted}",
        /// Another launch command.
        [Gd2] OtherCommand { framework: Framework, scenario: Name } "{framework} was not launched with its winning command of {scenario}",
        /// Another version than that of the frozen row.
        [Fb1] OtherVersion { framework: Framework, scenario: Name, found: String, frozen: String } "{framework} ran {scenario} as version {found}; its frozen row ran {frozen}",
        /// The same command with another file of settings.
        [Gd2] OtherSettings { framework: Framework, scenario: Name } "{framework} read another file of settings in {scenario} than its winning launch",
        /// Not one new and one accepted run.
        [Rv1] NoPair {} "a trial block holds one run of the new build and one of the accepted build",
        /// The new run on another tree.
        [Rv1] OtherNewTree { patch: GitId } "the new run is not on the patched tree {patch}",
        /// The new build with one command in one block and with another in the next.
        [Rv1] OtherNewCommand { scenario: Name } "the new build ran {scenario} with another launch command or other settings than in the blocks before; one command is on trial",
        /// The accepted run on another tree.
        [Rv1] OtherAcceptedTree { accepted: GitId } "the accepted run is not on the accepted build {accepted}",
        /// A competitor in a trial.
        [Rv1] Stranger { framework: Framework } "{framework} has no part in this trial",
        /// A rival is missing under a claim.
        [Rl9] ClaimNeedsRival { framework: Framework } "under the standing claim the block also needs a run of {framework}",
    }
}

/// GD-1, GD-2: a block of vLLM and its competitors, with their winning commands.
pub(crate) fn gap_block(case: &Case, block: &Block) -> Objections {
    let mut o = Objections::default();
    let scenario = || block.scenario.clone();
    let Some(chartered) = case.charter.scenarios.get(&block.scenario) else {
        o.raise(BlockObjection::UnknownScenario { scenario: scenario() });
        return o;
    };
    let mut seen = BTreeSet::new();
    for run in &block.runs {
        let framework = run.framework;
        o.join(measured(case, run));
        let first = seen.insert(framework);
        o.unless(first, BlockObjection::TwoRuns { framework });
        let live = !case.blocked.contains(&framework);
        o.unless(live, BlockObjection::RivalBlocked { framework });
        let Some(winner) = chartered.winners.get(&framework) else {
            o.raise(BlockObjection::NoWinner { framework, scenario: scenario() });
            continue;
        };
        o.join(same_as_frozen(winner, block, run));
        let command = match framework {
            Framework::Vllm => case.best_command.get(&block.scenario),
            _ => Some(&winner.server_command),
        };
        let winning = command == Some(&run.server_command);
        o.unless(winning, BlockObjection::OtherCommand { framework, scenario: scenario() });
        let accepted = case.accepted.clone();
        let there = framework != Framework::Vllm || runs_tree(run, &accepted);
        o.unless(there, BlockObjection::OtherTree { accepted });
    }
    o.unless(seen.contains(&Framework::Vllm), BlockObjection::NoVllm {});
    let opposed = !case.charter.rivals(&block.scenario).is_empty();
    let rival = seen.iter().any(|it| *it != Framework::Vllm);
    o.unless(rival || !opposed, BlockObjection::NoRival { scenario: scenario() });
    o
}

/// PA-1: that a run is of a build. One that came to nothing before it could say so makes its block a broken
/// one, which is kept and decides nothing.
fn runs_tree(run: &BlockRun, wanted: &GitId) -> bool {
    match &run.tree {
        Some(found) => found == wanted,
        None => run.came_to_nothing(),
    }
}

/// FB-5: what a mock made up decides nothing outside a demonstration.
fn measured(case: &Case, run: &BlockRun) -> Objections {
    let mut o = Objections::default();
    let framework = run.framework;
    o.unless(case.base.demo || !run.mock, BlockObjection::MockResult { framework });
    o
}

/// RV-1, RL-9: a block of the new build and the accepted one.
///
/// A trial may move vLLM's command: the first block that counts says to which.
pub(crate) fn trial_block(
    case: &Case,
    new: &GitId,
    rivals: bool,
    kept: &[KeptBlock],
    block: &Block,
) -> Objections {
    let mut o = Objections::default();
    let scenario = block.scenario.clone();
    let Some(chartered) = case.charter.scenarios.get(&block.scenario) else {
        o.raise(BlockObjection::UnknownScenario { scenario });
        return o;
    };
    let ours = |it: &&BlockRun| it.framework == Framework::Vllm;
    let of = |build| block.runs.iter().filter(ours).filter(move |it| it.build == Some(build));
    let pair = of(Build::New).count() == 1 && of(Build::Accepted).count() == 1;
    o.unless(pair, BlockObjection::NoPair {});
    for run in &block.runs {
        o.join(measured(case, run));
    }
    for run in of(Build::New).chain(of(Build::Accepted)) {
        if let Some(winner) = chartered.winners.get(&Framework::Vllm) {
            o.join(same_as_frozen(winner, block, run));
        }
    }
    for run in of(Build::New) {
        let patch = new.clone();
        let there = runs_tree(run, new);
        o.unless(there, BlockObjection::OtherNewTree { patch });
        let mut before = kept.iter().filter(|it| it.scenario == scenario);
        let tried = before.find_map(|it| Side::Build(Build::New).find(&it.runs));
        let same = tried.is_none_or(|(_, it)| launched(it) == launched(run));
        let scenario = scenario.clone();
        o.unless(same, BlockObjection::OtherNewCommand { scenario });
    }
    for run in of(Build::Accepted) {
        let accepted = case.accepted.clone();
        let there = runs_tree(run, &accepted);
        o.unless(there, BlockObjection::OtherAcceptedTree { accepted });
        let winning = case.best_command.get(&scenario) == Some(&run.server_command);
        let (framework, scenario) = (Framework::Vllm, scenario.clone());
        o.unless(winning, BlockObjection::OtherCommand { framework, scenario });
    }
    let live: BTreeSet<_> =
        case.charter.rivals(&scenario).difference(&case.blocked).copied().collect();
    let wanted = if rivals { live } else { BTreeSet::new() };
    o.join(rival_runs(chartered, &wanted, block));
    o
}

/// The command of a launch, with its file of settings.
fn launched(run: &BlockRun) -> (&Argv, Option<Digest>) {
    (&run.server_command, run.settings.as_ref().map(|it| it.sha256))
}

/// RL-9: each rival that a claim needs runs once, with its winning command, and nobody else does.
fn rival_runs(chartered: &Chartered, wanted: &BTreeSet<Framework>, block: &Block) -> Objections {
    let mut o = Objections::default();
    let mut seen = BTreeSet::new();
    let builds = |it: &&BlockRun| it.framework == Framework::Vllm && it.build.is_some();
    for run in block.runs.iter().filter(|it| !builds(it)) {
        let framework = run.framework;
        if !wanted.contains(&framework) || run.build.is_some() {
            o.raise(BlockObjection::Stranger { framework });
            continue;
        }
        let first = seen.insert(framework);
        o.unless(first, BlockObjection::TwoRuns { framework });
        let winner = chartered.winners.get(&framework);
        if let Some(winner) = winner {
            o.join(same_as_frozen(winner, block, run));
        }
        let winning = winner.is_some_and(|it| it.server_command == run.server_command);
        let scenario = block.scenario.clone();
        o.unless(winning, BlockObjection::OtherCommand { framework, scenario });
    }
    for framework in wanted.difference(&seen).copied() {
        o.raise(BlockObjection::ClaimNeedsRival { framework });
    }
    o
}

/// Why a block decides nothing, or that it counts.
///
/// A block counts when every run names a launch of its own that was never used before, the runs and
/// their servers lie one after another, and no earlier block lies between them.
pub(crate) fn standing(case: &Case, kept: &[KeptBlock], block: &Block) -> Option<ReportOnly> {
    let scenario = &case.charter.scenarios.get(&block.scenario)?.scenario;
    if block.runs.iter().any(|it| it.smoke) {
        return Some(ReportOnly::Smoke);
    }
    let begun = block.runs.iter().filter(|it| it.status != Status::Skipped);
    let launches: Option<Vec<Digest>> = begun.map(BlockRun::launch).collect();
    let Some(launches) = launches else { return Some(ReportOnly::NoLaunch) };
    let distinct: BTreeSet<_> = launches.iter().collect();
    if distinct.len() < launches.len() || launches.iter().any(|it| case.launches.contains_key(it)) {
        return Some(ReportOnly::LaunchReused);
    }
    let least = case.base.brief.sla().min_success_rate;
    let mut last_end = i64::MIN;
    for run in &block.runs {
        let measured = match &run.measured {
            Some(it) if run.status == Status::Ok && it.disturbed.is_none() => it,
            _ => return Some(ReportOnly::Broken),
        };
        if measured.success_rate().is_none_or(|it| it < least) {
            return Some(ReportOnly::Broken);
        }
        if !off_workload(&case.base.brief, scenario, measured).is_empty() {
            return Some(ReportOnly::OffWorkload);
        }
        if is_rate_limited(scenario, measured) {
            return Some(ReportOnly::RateLimited);
        }
        if measured.metric(scenario.objective).is_none() {
            return Some(ReportOnly::NoObjective);
        }
        if measured.started_at < last_end || measured.ended_at <= measured.started_at {
            return Some(ReportOnly::NotInterleaved);
        }
        last_end = measured.ended_at;
    }
    if up(&block.runs).is_some_and(|(start, _)| start < case.frontier) {
        return Some(ReportOnly::Stale);
    }
    let mut numbers = block.runs.iter().filter_map(BlockRun::numbers);
    if numbers.any(|it| case.numbers.contains(&it)) {
        return Some(ReportOnly::ResultReused);
    }
    if kept.iter().any(|it| overlap(window(&it.runs), window(&block.runs))) {
        return Some(ReportOnly::NotInterleaved);
    }
    let beside = kept.iter().any(|it| overlap(up(&it.runs), up(&block.runs)));
    (beside || !one_after_another(&block.runs)).then_some(ReportOnly::LaunchesOverlap)
}

/// GD-2: a launch is fresh for its run alone: no server was up while another one was.
fn one_after_another(runs: &[BlockRun]) -> bool {
    let mut last = i64::MIN;
    runs.iter().filter_map(BlockRun::up).all(|(from, to)| {
        let after = from >= last;
        last = last.max(to);
        after
    })
}

/// FB-3: a run says of itself what the frozen row of its framework says, dimension by dimension. A
/// block may draw its prompts anew: its seed is its own.
fn same_as_frozen(winner: &Winner, block: &Block, run: &BlockRun) -> Objections {
    let mut o = Objections::default();
    let said = |it: Option<&Line>| String::from(it.map_or("unknown", Line::as_str));
    for dimension in Dimension::ALL.iter().copied().filter(|it| *it != Dimension::Seed) {
        let (found, frozen) = (block.says(run, dimension), winner.identity.get(&dimension));
        let (framework, scenario) = (run.framework, winner.scenario.clone());
        // What the frozen row did not say nobody can differ from; what it said is said again.
        let free = !dimension.is_owed() && frozen.is_none();
        // Who came to nothing may not have said it: his block is broken, and decides nothing.
        let silent = found.is_none() && run.came_to_nothing();
        let same = free || silent || (found == frozen && found.is_some());
        let (found, frozen) = (said(found), said(frozen));
        o.unless(same, BlockObjection::Mismatch { framework, scenario, dimension, found, frozen });
    }
    o.join(same_version(winner, run));
    // An accepted patch may move vLLM's command, and the file with it.
    let moved = run.server_command != winner.server_command;
    let found = run.settings.as_ref().map(|it| it.sha256);
    let (framework, scenario) = (run.framework, winner.scenario.clone());
    o.unless(
        moved || found == winner.settings,
        BlockObjection::OtherSettings { framework, scenario },
    );
    o
}

/// FB-1: a competitor runs the version that was frozen. What vLLM runs is a build, hence a tree.
fn same_version(winner: &Winner, run: &BlockRun) -> Objections {
    let mut o = Objections::default();
    let frozen = (winner.framework_version.as_ref(), winner.framework_commit.as_ref());
    let found = (run.framework_version.as_ref(), run.framework_commit.as_ref());
    let same =
        found.0 == frozen.0 && found.0.is_some() && (frozen.1.is_none() || found.1 == frozen.1);
    // A server that did not come up was asked nothing.
    let silent = found.0.is_none() && run.came_to_nothing();
    let said = |(version, commit): (Option<&Line>, Option<&Line>)| {
        version.map_or_else(|| String::from("unknown"), |version| search::said((version, commit)))
    };
    let (framework, scenario) = (run.framework, winner.scenario.clone());
    let (found, frozen) = (said(found), said(frozen));
    o.unless(
        same || silent || framework == Framework::Vllm,
        BlockObjection::OtherVersion { framework, scenario, found, frozen },
    );
    o
}

pub(crate) fn window(runs: &[BlockRun]) -> Option<(i64, i64)> {
    let measured = || runs.iter().filter_map(|it| it.measured.as_ref());
    let start = measured().map(|it| it.started_at).min()?;
    let end = measured().map(|it| it.ended_at).max()?;
    Some((start, end))
}

/// From the first launch of runs to the end of their last server.
fn up(runs: &[BlockRun]) -> Option<(i64, i64)> {
    let all = || runs.iter().filter_map(BlockRun::up);
    Some((all().map(|it| it.0).min()?, all().map(|it| it.1).max()?))
}

fn overlap(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> bool {
    match (a, b) {
        (Some((a_start, a_end)), Some((b_start, b_end))) => a_start < b_end && b_start < a_end,
        _ => false,
    }
}

/// One side of a comparison.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// A framework in a gap block, or a rival in a trial.
    Of(Framework),
    /// A build in a trial block.
    Build(Build),
}

impl Side {
    fn is(self, run: &BlockRun) -> bool {
        match self {
            Self::Of(framework) => run.framework == framework && run.build.is_none(),
            Self::Build(build) => run.build == Some(build),
        }
    }

    pub(crate) fn find(self, runs: &[BlockRun]) -> Option<(usize, &BlockRun)> {
        runs.iter().enumerate().find(|(_, run)| self.is(run))
    }
}

/// The log ratios of two sides over blocks, above zero where `ours` is better, with their order.
pub(crate) fn ratios<'a>(
    blocks: impl IntoIterator<Item = &'a KeptBlock>,
    metric: Metric,
    ours: Side,
    theirs: Side,
) -> (Vec<Real>, Vec<Order>) {
    let mut left = Vec::new();
    let mut right = Vec::new();
    let mut orders = Vec::new();
    for block in blocks {
        let (Some((i, a)), Some((j, b))) = (ours.find(&block.runs), theirs.find(&block.runs))
        else {
            continue;
        };
        let value = |run: &BlockRun| run.measured.as_ref().and_then(|it| it.metric(metric));
        if let (Some(a), Some(b)) = (value(a), value(b)) {
            left.push(a);
            right.push(b);
            orders.push(if i < j { Order::VllmFirst } else { Order::CompetitorFirst });
        }
    }
    let (better, worse) = if metric.higher_is_better() { (left, right) } else { (right, left) };
    (verdict::log_ratios(&better, &worse).unwrap_or_default(), orders)
}

/// The SLA state of one side in a scenario: Fail in any limit, else Marginal in any, else Pass.
///
/// A limit whose metric a run does not hold is not kept. Without a run nothing is known: Marginal.
pub(crate) fn sla_state<'a>(
    sla: &Sla,
    blocks: impl IntoIterator<Item = &'a KeptBlock>,
    side: Side,
) -> SlaState {
    let runs: Vec<&Measurement> =
        blocks.into_iter().filter_map(|it| side.find(&it.runs)?.1.measured.as_ref()).collect();
    if runs.is_empty() {
        return SlaState::Marginal;
    }
    let state = |(metric, limit): (&LatencyMetric, &Measured)| {
        let metric = Metric::Latency(*metric);
        let values: Option<Vec<Measured>> = runs.iter().map(|it| it.metric(metric)).collect();
        values.map_or(SlaState::Marginal, |values| verdict::sla(&values, *limit).state)
    };
    let states: Vec<SlaState> = sla.limits.iter().map(state).collect();
    if states.contains(&SlaState::Fail) {
        SlaState::Fail
    } else if states.contains(&SlaState::Marginal) {
        SlaState::Marginal
    } else {
        SlaState::Pass
    }
}

/// What one side measured, block by block.
pub(crate) fn values<'a>(
    blocks: impl IntoIterator<Item = &'a KeptBlock>,
    metric: Metric,
    side: Side,
) -> Vec<Measured> {
    let value = |it: &'a KeptBlock| side.find(&it.runs)?.1.measured.as_ref()?.metric(metric);
    blocks.into_iter().filter_map(value).collect()
}

/// The geometric mean of one side's objective over blocks.
pub(crate) fn level<'a>(
    blocks: impl IntoIterator<Item = &'a KeptBlock>,
    metric: Metric,
    side: Side,
) -> Option<Measured> {
    geometric_mean(&values(blocks, metric, side))
}

/// The rivals of a scenario that still run, with their SLA state in these blocks.
pub(crate) fn rivals(
    case: &Case,
    scenario: &Name,
    blocks: &[KeptBlock],
) -> BTreeMap<Framework, SlaState> {
    let sla = case.base.brief.sla();
    let live = case.charter.rivals(scenario);
    let of = |framework: Framework| {
        let there = blocks.iter().filter(|it| it.scenario == *scenario);
        (framework, sla_state(&sla, there, Side::Of(framework)))
    };
    live.difference(&case.blocked).copied().map(of).collect()
}
