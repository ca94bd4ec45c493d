//! What a bounded search must have tried, and which of its rows may stand for it. (FB-2 … FB-7)

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::Contender;
use super::Rank;
use super::bench::{BenchObjection, Searching};
use crate::artifact::Digest;
use crate::facts::*;
use crate::measure::Measured;
use crate::objection::Objections;
use crate::text::{Line, Name};

pub(crate) fn backend(row: &Candidate) -> String {
    row.backend.as_ref().map_or("unknown", Name::as_str).to_string()
}

pub(crate) fn pytorch_or_skipped(row: &Candidate) -> bool {
    row.framework != Framework::TensorrtLlm
        || row.status == Status::Skipped
        || row.server_command.is_empty()
        || backend(row) == "pytorch"
}

/// A row without a launch command is kept and never ranks; it names no other launch.
pub(crate) fn names_another_launch(a: &Candidate, b: &Candidate) -> bool {
    let known = !a.server_command.is_empty() && !b.server_command.is_empty();
    known && a.launched() != b.launched()
}

/// The same result file, or the same launch at the same moment, is the same run; so are the same
/// numbers: no two runs agree in four metrics to the last digit.
pub(crate) fn is_same_run(a: &Candidate, b: &Candidate) -> bool {
    let result = |row: &Candidate| row.result.as_ref().map(|it| it.sha256);
    let moment = |row: &Candidate| row.measured.as_ref().map(|it| it.started_at);
    let same_result = result(a).is_some() && result(a) == result(b) && moment(a) == moment(b);
    let same_launch = a.launch().is_some() && a.launch() == b.launch() && moment(a) == moment(b);
    let numbers = |row: &Candidate| row.measured.as_ref()?.numbers(row.framework);
    let same_numbers = numbers(a).is_some() && numbers(a) == numbers(b);
    a.scenario == b.scenario && (same_result || same_launch || same_numbers)
}

/// One launch stands behind one run of a scenario, and behind one command: a second run would meet
/// a warm server (files.md). A flow check may come first.
pub(crate) fn is_same_launch(a: &Candidate, b: &Candidate) -> bool {
    let same = a.launch().is_some() && a.launch() == b.launch();
    let measured = |it: &Candidate| it.measured.is_some() && !it.smoke;
    let other = a.framework != b.framework || names_another_launch(a, b);
    same && (other || (a.scenario == b.scenario && measured(a) && measured(b)))
}

impl Searching {
    /// FB-2: each framework searched in each scenario, so that no winner is a mere default.
    pub(crate) fn everyone_searched(
        &self,
        it: &Scenario,
        compared: &BTreeSet<Framework>,
    ) -> Objections {
        let mut o = Objections::default();
        for framework in compared.iter().copied() {
            let found = self.tried(framework, &it.name).len();
            let rows = self
                .candidates
                .iter()
                .any(|row| row.framework == framework && row.scenario == it.name);
            let enough = found >= 4 || self.covers_its_space(framework, &it.name);
            let scenario = it.name.clone();
            // Without any row there is more to say than this.
            o.unless(
                enough || !rows,
                BenchObjection::SearchTooSmall { framework, scenario, found },
            );
        }
        o
    }

    /// What a framework tried in a scenario; what failed anywhere counts in each (FB-2).
    fn tried(&self, framework: Framework, scenario: &Name) -> BTreeSet<(Digest, Option<Digest>)> {
        let here = |it: &&Candidate| it.scenario == *scenario || it.status != Status::Ok;
        let tried = self.candidates.iter().filter(|it| it.framework == framework && was_tried(it));
        tried.filter(here).map(Candidate::launched).collect()
    }

    /// Whether each command of a space that is declared as the whole one was tried in a scenario.
    fn covers_its_space(&self, framework: Framework, scenario: &Name) -> bool {
        let Some(space) = self.spaces.get(&framework) else { return false };
        let tried: BTreeSet<_> =
            self.tried(framework, scenario).into_iter().map(|(launch, _)| launch).collect();
        space.whole
            && !space.candidates.is_empty()
            && space.candidates.iter().all(|it| tried.contains(&it.launch))
    }
}

/// A launch that was really made, whatever came of it; a flow check or a skipped row is none.
pub(crate) fn was_tried(row: &Candidate) -> bool {
    !row.smoke && row.status != Status::Skipped && !row.server_command.is_empty()
}

/// The share of the framework's best within which a candidate is its equal till it is run again.
const CLOSE: f64 = 0.97;

/// The launches that tell close candidates apart.
const REPEATS: usize = 4;

/// FB-9: the best of several single runs is partly luck. Candidates within 3 % of their framework's
/// best have four launches each, made in turn, before the highest mean wins.
pub(crate) fn told_apart(
    scenario: &Scenario,
    rank: &Rank<'_>,
    compared: &BTreeSet<Framework>,
) -> Objections {
    let mut o = Objections::default();
    for framework in compared.iter().copied() {
        let close = close_to_best(scenario.objective, rank, framework);
        let [best, second, ..] = close.as_slice() else { continue };
        for it in &close {
            let (candidate, found) = (it.row.id.clone(), it.launches());
            let rival = if core::ptr::eq(*it, *best) { second } else { best };
            let (scenario, rival) = (scenario.name.clone(), rival.row.id.clone());
            o.unless(
                found >= REPEATS,
                BenchObjection::TooClose { candidate, scenario, rival, found },
            );
        }
        if close.iter().any(|it| it.launches() < REPEATS) {
            continue;
        }
        let first = close.iter().filter_map(|it| window(it)).map(|(_, end)| end).min();
        for it in &close {
            let after = window(it).zip(first).is_some_and(|((start, _), end)| start > end);
            let (candidate, scenario) = (it.row.id.clone(), scenario.name.clone());
            o.unless(!after, BenchObjection::NotInTurn { candidate, scenario });
        }
    }
    o
}

/// The best of a framework and what comes within 3 % of it, of those that stand as it does to the SLA.
fn close_to_best<'r, 'a>(
    objective: Metric,
    rank: &'r Rank<'a>,
    framework: Framework,
) -> Vec<&'r Contender<'a>> {
    let of_it = |it: &&Contender<'_>| it.row.framework == framework;
    let mut them: Vec<_> = rank.ranking.iter().filter(of_it).collect();
    if them.is_empty() {
        them = rank.failing.iter().map(|(it, _)| it).filter(of_it).collect();
    }
    let value = |it: &Contender<'_>| it.metric(objective).map(Measured::get);
    let Some(best) = them.first().and_then(|it| value(it)) else { return Vec::new() };
    them.retain(|it| {
        value(it).is_some_and(|it| match objective.higher_is_better() {
            true => it >= best * CLOSE,
            false => it * CLOSE <= best,
        })
    });
    them
}

/// When the first run of a candidate started and when the last one did, ms since the epoch.
fn window(it: &Contender<'_>) -> Option<(i64, i64)> {
    let starts = || it.rows.iter().filter_map(|it| it.measured.as_ref()).map(|it| it.started_at);
    starts().min().zip(starts().max())
}

/// FB-3: where the inputs fix nothing, the winners are compared with each other, run by run. What one
/// of them says and another does not is no match.
pub(crate) fn everyone_agrees(scenario: &Scenario, rank: &Rank<'_>) -> Objections {
    let mut o = Objections::default();
    let Some(ours) = rank.best_of(Framework::Vllm) else { return o };
    let best = Framework::ALL.iter().filter_map(|it| rank.best_of(*it));
    for (first, row) in best.flat_map(|it| it.rows.iter().map(move |row| (it.row, *row))) {
        for dimension in Dimension::ALL.iter().copied() {
            let (found, ours) = (row.identity.get(&dimension), ours.row.identity.get(&dimension));
            // Repeats of one candidate may draw their prompts anew.
            let drawn = dimension == Dimension::Seed && !core::ptr::eq(first, row);
            let scenario = scenario.name.clone();
            let (silent, said) = match (found, ours) {
                (Some(found), Some(ours)) => {
                    let candidate = row.id.clone();
                    let (clause, found, ours) = (dimension.clause(), found.clone(), ours.clone());
                    o.unless(
                        found == ours || drawn,
                        BenchObjection::Mismatch {
                            clause,
                            candidate,
                            scenario,
                            dimension,
                            found,
                            ours,
                        },
                    );
                    continue;
                }
                (None, Some(said)) => (row.framework, said),
                (Some(said), None) => (Framework::Vllm, said),
                (None, None) => continue,
            };
            // What every row owes is asked for by itself.
            let excused = dimension.is_owed() || dimension.may_be_unsaid(silent);
            let (candidate, said) = (row.id.clone(), said.clone());
            let clause = dimension.clause();
            o.unless(
                excused,
                BenchObjection::OneSided { clause, candidate, scenario, dimension, silent, said },
            );
        }
    }
    o
}

/// FB-1: the winners of a framework ran one version of it, of which the comparison is. Of a winner that ran
/// more than once one run says which; vLLM's is a tree (FB-13).
pub(crate) fn one_version_each(tables: &[(&Scenario, Rank<'_>)]) -> Objections {
    let mut o = Objections::default();
    let mut versions: BTreeMap<Framework, (&Line, Option<&Line>)> = BTreeMap::new();
    for it in tables.iter().flat_map(|(_, it)| it.best_of_each()) {
        let (framework, candidate) = (it.row.framework, it.row.id.clone());
        let told = framework == Framework::Vllm || version_of(it).is_some();
        o.unless(told, BenchObjection::NoVersion { framework, candidate });
    }
    for row in tables.iter().flat_map(|(_, it)| it.best_of_each()).flat_map(|it| &it.rows) {
        let (framework, candidate) = (row.framework, row.id.clone());
        let Some(version) = &row.framework_version else { continue };
        let ran = (version, row.framework_commit.as_ref());
        let first = *versions.entry(row.framework).or_insert(ran);
        let (found, other) = (said(ran), said(first));
        o.unless(ran == first, BenchObjection::TwoVersions { framework, candidate, found, other });
    }
    o
}

/// A version with its commit.
pub(crate) fn said((version, commit): (&Line, Option<&Line>)) -> String {
    commit.map_or_else(|| version.to_string(), |commit| format!("{version} ({commit})"))
}

/// In each scenario each framework has a row that ranks, and the best one is fully known.
pub(crate) fn everyone_ranks(
    scenario: &Scenario,
    rank: &Rank<'_>,
    compared: &BTreeSet<Framework>,
) -> Objections {
    let mut o = Objections::default();
    for framework in compared.iter().copied() {
        let name = scenario.name.clone();
        let Some(best) = rank.best_of(framework) else {
            let mut rejected =
                rank.rejected.iter().filter(|it| it.row.framework == framework).peekable();
            o.unless(
                rejected.peek().is_some(),
                BenchObjection::NoRow { framework, scenario: name },
            );
            for it in rejected {
                let (candidate, scenario) = (it.row.id.clone(), it.row.scenario.clone());
                let Some((clause, reason)) = it.reasons.first().cloned() else { continue };
                o.raise(BenchObjection::Unranked { clause, candidate, scenario, reason });
            }
            continue;
        };
        let of_it = |row: &Candidate| best.rows.iter().any(|it| core::ptr::eq(*it, row));
        for (row, dimensions) in rank.unknown.iter().filter(|(row, _)| of_it(row)) {
            let names: Vec<_> = dimensions.iter().map(|it| it.as_str()).collect();
            let (candidate, dimensions) = (row.id.clone(), names.join(", "));
            let scenario = scenario.name.clone();
            o.raise(BenchObjection::Unknown { candidate, scenario, dimensions });
        }
    }
    o
}

/// The version of a contender, with its commit, as the first of its runs tells it that does.
fn version_of<'a>(it: &Contender<'a>) -> Option<(&'a Line, Option<&'a Line>)> {
    let all = core::iter::once(it.row).chain(it.rows.iter().copied());
    all.into_iter()
        .find_map(|row| Some((row.framework_version.as_ref()?, row.framework_commit.as_ref())))
}

/// The candidate as it is frozen, with the values that later gates read.
pub(crate) fn winner(rank: &Rank<'_>, scenario: &Scenario, it: &Contender<'_>) -> Option<Winner> {
    let version = version_of(it);
    Some(Winner {
        scenario: scenario.name.clone(),
        framework: it.row.framework,
        candidate: it.row.id.clone(),
        sla_passed: rank.ranking.iter().any(|other| core::ptr::eq(other, it)),
        objective: it.metric(scenario.objective)?,
        server_command: it.row.server_command.clone(),
        framework_version: version.map(|it| it.0.clone()),
        framework_commit: version.and_then(|it| it.1.cloned()),
        identity: it.row.identity.clone(),
        settings: it.row.settings.as_ref().map(|it| it.sha256),
    })
}
