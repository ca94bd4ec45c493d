//! What the blocks, tests and profiles of a patch say. (RV-1, RV-2, KA-5, KA-9, RL-9)

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::blocks::{self, KeptBlock, Side};
use super::{Case, Triage};
use crate::artifact::GitId;
use crate::clause::Clause;
use crate::facts::*;
use crate::measure::{DELTA, Measured, Real};
use crate::objection::{Objections, objections};
use crate::text::{Line, Name};
use crate::verdict::{self, SlaState, Verdict, decide_ratios};

const NEW: Side = Side::Build(Build::New);
const ACCEPTED: Side = Side::Build(Build::Accepted);

objections! {
    /// What may stand in the way of revalidation.
    pub enum TrialObjection {
        /// It is measured already.
        [Rv1] AlreadyMeasured {} "the patch has blocks or tests already; it changes no more",
        /// A fixup is not amended.
        [Rl9] FixupAmended {} "a fixup is not amended; reject it and record another",
        /// A fixup is not retried.
        [Rl9] FixupRetried {} "a fixup opens no layer pipeline; reject it",
        /// Tests of another commit.
        [Rv2] OtherCommit { found: GitId, commit: GitId } "the tests ran on {found}, not on the patched commit {commit}",
        /// Tests that ran while the checkout stood elsewhere.
        [Rv2] TestedElsewhere { found: GitId, commit: GitId } "the checkout stood on {found} while the tests ran, not on the patched commit {commit}",
        /// HEAD moved.
        [Rv1] HeadMoved { found: GitId, patch: GitId } "HEAD has the tree {found}; the patch that was measured is {patch}",
        /// Not vLLM.
        [Rv1] NotVllm { framework: Framework } "revalidation profiles the new vllm build, not {framework}",
        /// The stage is profiled already.
        [Rv1] AlreadyProfiled { stage: Stage } "the new build already has a {stage} profile",
        /// Another launch command than the one that is measured.
        [Rv1] ProfiledElsewhere { stage: Stage, scenario: Name } "the {stage} profile was not made with the command that the new build runs {scenario} with",
        /// A launch of another build.
        [Pr8] OtherLaunch { stage: Stage } "the {stage} profile names a server launch from before the patch, or of another side of its blocks",
        /// A trace of the build before.
        [Pr8] OldTrace { stage: Stage } "the {stage} profile was made from a trace that this round profiled before the patch",
        /// No tests.
        [Rv2] NoTests {} "no test of the patched commit is filed",
        /// Nothing passed.
        [Rv2] NothingPassed {} "no test of the patched commit passed",
        /// A failed test.
        [Rv2] TestFailed { test: Line } "the test {test} failed and is not waived as a known failure",
        /// The tests ended badly, and nothing says which.
        [Rv2] TestsAborted { exit: i32 } "the tests ended with {exit} and name no failed test",
        /// Too few blocks.
        [Rv1] TooFewBlocks { scenario: Name, found: usize } "{scenario} has {found} of the 4 blocks that an interval needs",
        /// No profile.
        [Rv1] NoProfile { stage: Stage } "the new build has no {stage} profile",
        /// No profile of what was measured.
        [Rv1] OtherProfiled { stage: Stage } "no {stage} profile was made with the command that the blocks of the new build ran",
        /// Behind the accepted build.
        [Rv2] Behind { scenario: Name } "the new build is behind the accepted build in {scenario}",
        /// An SLA metric newly fails.
        [Rv2] SlaNewlyFails { scenario: Name, metric: LatencyMetric } "the new build fails the limit of {metric} in {scenario}, which the accepted build does not",
        /// No measured gain.
        [*clause] NoGain { clause: Clause } "no gain over the accepted build is measured: the lower bound is not above zero",
        /// A weak gain on a noisy rig.
        [Le3] TooFewToBeWeak { found: u32, percent: Real } "the gain is below 1 % and single runs vary by {percent} %: eight blocks say so, and {found} are filed",
        /// The kernel is not wired.
        [Ka9] NotWired { kernel: Line } "no profile of the new build shows {kernel} in the stage of the original row",
        /// No focused test.
        [Ka9] NoFocusedTest {} "the kernel patch names no focused correctness test",
        /// The focused test was not run.
        [Ka9] FocusedTestNotRun { test: Line } "no report of tests names the focused correctness test {test} as passed",
        /// The focused test failed.
        [Ka9] FocusedTestFailed { test: Line } "the focused correctness test {test} failed, and nobody waives that",
    }
}

/// RV-2: at least one test passed, and none failed that is not waived by name.
pub(crate) fn tests_objections(tests: &[TestRun]) -> Objections {
    let mut o = Objections::default();
    o.unless(!tests.is_empty(), TrialObjection::NoTests {});
    let passed = tests.is_empty() || tests.iter().any(|it| it.passed > 0);
    o.unless(passed, TrialObjection::NothingPassed {});
    for run in tests {
        let waived: BTreeSet<_> = run.waived.iter().map(|it| &it.name).collect();
        let exit = run.exit.unwrap_or(0);
        let told = exit == 0 || !run.failed.is_empty();
        o.unless(told, TrialObjection::TestsAborted { exit });
        for test in run.failed.iter().filter(|it| !waived.contains(it)).cloned() {
            o.raise(TrialObjection::TestFailed { test });
        }
    }
    o
}

/// RV-1: every scenario has the four blocks that an interval needs.
pub(crate) fn enough_blocks(case: &Case, kept: &[KeptBlock]) -> Objections {
    let mut o = Objections::default();
    for scenario in case.charter.scenarios.keys().cloned() {
        let found = of(kept, &scenario).count();
        o.unless(found >= 4, TrialObjection::TooFewBlocks { scenario, found });
    }
    o
}

/// LE-3: where single runs vary by 1 % or more, a gain is called weak from eight blocks on.
pub(crate) fn enough_to_be_weak(case: &Case, kept: &[KeptBlock], gain: &Gain) -> Objections {
    let mut o = Objections::default();
    let variation = variation(case, kept).unwrap_or(0.0);
    let enough = !gain.weak || variation < 0.01 || gain.blocks >= 8;
    let percent = Real::clamped(libm::round(variation * 1_000.0) / 10.0);
    o.unless(enough, TrialObjection::TooFewToBeWeak { found: gain.blocks, percent });
    o
}

/// How much single runs vary (CV): the pooled standard deviation of the logarithms of the objective,
/// each build in each scenario around its own mean.
#[expect(clippy::cast_precision_loss, reason = "there are few blocks")]
fn variation(case: &Case, kept: &[KeptBlock]) -> Option<f64> {
    let (mut squares, mut freedom) = (0.0, 0_usize);
    for (name, it) in &case.charter.scenarios {
        for side in [NEW, ACCEPTED] {
            let logs = verdict::logs(&blocks::values(of(kept, name), it.scenario.objective, side));
            let Some(middle) = mean(logs.iter()) else { continue };
            let square = |it: &Real| (it.get() - middle.get()) * (it.get() - middle.get());
            squares += logs.iter().map(square).sum::<f64>();
            freedom = freedom.saturating_add(logs.len().saturating_sub(1));
        }
    }
    (freedom > 0).then(|| libm::sqrt(squares / freedom as f64))
}

/// RV-2: no scenario is behind the accepted build, and no SLA metric newly fails.
pub(crate) fn nothing_lost(case: &Case, kept: &[KeptBlock]) -> Objections {
    let mut o = Objections::default();
    let sla = case.base.brief.sla();
    for (name, chartered) in &case.charter.scenarios {
        let scenario = || name.clone();
        let objective = chartered.scenario.objective;
        let (d, order) = blocks::ratios(of(kept, name), objective, NEW, ACCEPTED);
        let behind = decide_ratios(&d, &order).is_ok_and(|it| it.verdict == Verdict::Behind);
        o.unless(!behind, TrialObjection::Behind { scenario: scenario() });
        for (metric, limit) in sla.limits.iter().map(|(metric, limit)| (*metric, *limit)) {
            let fails = |side| fails(kept, name, metric, limit, side);
            let newly = fails(NEW) && !fails(ACCEPTED);
            o.unless(!newly, TrialObjection::SlaNewlyFails { scenario: scenario(), metric });
        }
    }
    o
}

fn of<'a>(kept: &'a [KeptBlock], scenario: &Name) -> impl Iterator<Item = &'a KeptBlock> {
    kept.iter().filter(move |it| it.scenario == *scenario)
}

/// The gain over the accepted build: block by block the mean over scenarios, then its interval.
///
/// In a round that a failed SLA opened, the failing metric of the slow scenario decides instead of
/// the objective (RV-2).
pub(crate) fn gain(case: &Case, kept: &[KeptBlock], sla_of: Option<&Name>) -> Option<Gain> {
    let gains = match sla_of.and_then(|slow| sla_gains(case, kept, slow)) {
        Some(gains) => gains,
        None => block_gains(case, kept),
    };
    let found = verdict::improvement_ratios(&gains);
    let mean = found.mean?;
    let percent = |ratio: Real| Real::new(libm::expm1(ratio.get()) * 100.0).ok();
    let level = |(name, it): (&Name, &super::Chartered)| {
        let value = blocks::level(of(kept, name), it.scenario.objective, NEW)?;
        Some((name.clone(), value))
    };
    Some(Gain {
        blocks: u32::try_from(gains.len()).unwrap_or(u32::MAX),
        gain_pct: percent(mean)?,
        lo: found.lo?,
        hi: found.hi?,
        weak: mean.get() < DELTA,
        values: case.charter.scenarios.iter().filter_map(level).collect(),
    })
}

fn block_gains(case: &Case, kept: &[KeptBlock]) -> Vec<Real> {
    let per_scenario: Vec<Vec<Real>> = case
        .charter
        .scenarios
        .iter()
        .map(|(name, it)| blocks::ratios(of(kept, name), it.scenario.objective, NEW, ACCEPTED).0)
        .collect();
    let rows = per_scenario.iter().map(Vec::len).min().unwrap_or(0);
    (0..rows).filter_map(|block| mean(per_scenario.iter().filter_map(|it| it.get(block)))).collect()
}

/// The gains in the failing metrics of the slow scenario, the least of them block by block.
fn sla_gains(case: &Case, kept: &[KeptBlock], slow: &Name) -> Option<Vec<Real>> {
    let sla = case.base.brief.sla();
    let failing: BTreeMap<LatencyMetric, Measured> = sla
        .limits
        .iter()
        .filter(|(metric, limit)| fails(kept, slow, **metric, **limit, ACCEPTED))
        .map(|(metric, limit)| (*metric, *limit))
        .collect();
    let per_metric: Vec<Vec<Real>> = failing
        .keys()
        .map(|it| blocks::ratios(of(kept, slow), Metric::Latency(*it), NEW, ACCEPTED).0)
        .collect();
    let rows = per_metric.iter().map(Vec::len).min()?;
    Some(
        (0..rows)
            .filter_map(|i| per_metric.iter().filter_map(|it| it.get(i)).min().copied())
            .collect(),
    )
}

fn fails(
    kept: &[KeptBlock],
    scenario: &Name,
    metric: LatencyMetric,
    limit: Measured,
    side: Side,
) -> bool {
    let sla = Sla { limits: [(metric, limit)].into(), ..Sla::default() };
    blocks::sla_state(&sla, of(kept, scenario), side) == SlaState::Fail
}

#[expect(clippy::cast_precision_loss, reason = "there are few scenarios")]
fn mean<'a>(values: impl Iterator<Item = &'a Real>) -> Option<Real> {
    let values: Vec<f64> = values.map(|it| it.get()).collect();
    Real::new(values.iter().sum::<f64>() / values.len() as f64).ok()
}

/// KA-9: the new kernel stands in the profile of the new build, and its test is named.
///
/// The name is a whole identifier of a kernel row, and no kernel had it before the patch but the
/// target itself.
pub(crate) fn wired<'a>(
    kernel: &KernelPatch,
    triage: &Triage,
    mut profiles: impl Iterator<Item = &'a Profile>,
) -> Objections {
    let mut o = Objections::default();
    let target = |it: &ProfileRow| kernel.rows.contains(&it.row);
    let ours = triage.profiles.iter().filter(|it| it.framework == Framework::Vllm);
    let others = ours.flat_map(|it| &it.rows).filter(|it| it.row.table == Table::Kernel);
    let new = !others.filter(|it| !target(it)).any(|it| {
        let same_kernel = triage.profiles.iter().flat_map(|it| &it.rows).filter(|it| target(it));
        is_kernel(it, kernel) && !same_kernel.into_iter().any(|row| row.name == it.name)
    });
    let stages: BTreeSet<Stage> = kernel.rows.iter().map(|it| it.stage).collect();
    let shown = profiles
        .any(|it| stages.contains(&it.stage) && it.rows.iter().any(|row| is_kernel(row, kernel)));
    let name = kernel.new_kernel.clone();
    o.unless(shown && new, TrialObjection::NotWired { kernel: name });
    o
}

/// KA-9: the focused correctness test is named, and it was run and passed.
pub(crate) fn correct(kernel: &KernelPatch, tests: &[TestRun]) -> Objections {
    let mut o = Objections::default();
    let Some(test) = kernel.correctness_test.clone() else {
        o.raise(TrialObjection::NoFocusedTest {});
        return o;
    };
    let is_it = |it: &Line| kernel.is_focused(it.as_str());
    let failed = tests.iter().flat_map(|it| &it.failed).any(is_it);
    let passed = tests.iter().filter_map(|it| it.focused.as_ref()).any(is_it);
    o.unless(!failed, TrialObjection::FocusedTestFailed { test: test.clone() });
    let ran = passed || failed || tests.is_empty();
    o.unless(ran, TrialObjection::FocusedTestNotRun { test });
    o
}

/// Whether a kernel row is of the new kernel: its name holds it as a whole identifier.
fn is_kernel(row: &ProfileRow, kernel: &KernelPatch) -> bool {
    let part = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let wanted = kernel.new_kernel.as_str();
    let named = row.name.as_str() == wanted || row.name.as_str().split(part).any(|it| it == wanted);
    row.row.table == Table::Kernel && named
}

/// RL-9: under a standing claim every scenario is still stop-eligible against every rival.
pub(crate) fn still_eligible(case: &Case, kept: &[KeptBlock]) -> bool {
    case.charter.scenarios.iter().all(|(name, it)| {
        blocks::rivals(case, name, kept).keys().all(|rival| {
            let theirs = Side::Of(*rival);
            let (d, order) = blocks::ratios(of(kept, name), it.scenario.objective, NEW, theirs);
            decide_ratios(&d, &order).is_ok_and(|it| it.verdict.stop_eligible())
        })
    })
}
