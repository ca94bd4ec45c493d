//! What a bounded search must have tried, and which of its rows may stand for it. (FB-2 … FB-7)

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::Contender;
use super::Rank;
use super::bench::{BenchObjection, Searching};
use crate::facts::*;
use crate::measure::Measured;
use crate::objection::Objections;
use crate::text::{Argv, Name};

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
    known && a.server_command != b.server_command
}

/// The same result file, or the same launch at the same moment, is the same run.
pub(crate) fn is_same_run(a: &Candidate, b: &Candidate) -> bool {
    let result = |row: &Candidate| row.result.as_ref().map(|it| it.sha256);
    let moment = |row: &Candidate| row.measured.as_ref().map(|it| it.started_at);
    let same_result = result(a).is_some() && result(a) == result(b) && moment(a) == moment(b);
    let same_launch = a.launch().is_some() && a.launch() == b.launch() && moment(a) == moment(b);
    a.scenario == b.scenario && (same_result || same_launch)
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
            let found = self.distinct_commands(framework, &it.name);
            let rows = self
                .candidates
                .iter()
                .any(|row| row.framework == framework && row.scenario == it.name);
            let enough = found >= 4 || self.covers_its_space(framework);
            let scenario = it.name.clone();
            // Without any row there is more to say than this.
            o.unless(
                enough || !rows,
                BenchObjection::SearchTooSmall { framework, scenario, found },
            );
        }
        o
    }

    /// Distinct launch commands that a framework tried in a scenario; one that failed anywhere
    /// counts in each (FB-2).
    fn distinct_commands(&self, framework: Framework, scenario: &Name) -> usize {
        let here = |it: &&Candidate| it.scenario == *scenario || it.status != Status::Ok;
        let tried = self.candidates.iter().filter(|it| it.framework == framework && was_tried(it));
        let commands: BTreeSet<_> =
            tried.filter(here).map(|it| tuned(&it.server_command)).collect();
        commands.len()
    }

    fn covers_its_space(&self, framework: Framework) -> bool {
        let Some(space) = self.spaces.get(&framework) else { return false };
        let rows = || self.candidates.iter().filter(|it| it.framework == framework);
        let tried = |id: &Name| rows().any(|it| it.id == *id && was_tried(it));
        space.whole && !space.candidates.is_empty() && space.candidates.iter().all(tried)
    }
}

/// Flags that say where a server listens and how it is called, and tune nothing.
const ASIDE: [&str; 7] = [
    "--host",
    "--port",
    "--served-model-name",
    "--served_model_name",
    "--log-level",
    "--log_level",
    "--uvicorn-log-level",
];

/// A launch command without what tunes nothing: another port is no other candidate (FB-2).
fn tuned(command: &Argv) -> Vec<&str> {
    let mut words = command.iter().peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let flag = word.split_once('=').map_or(word, |(flag, _)| flag);
        if !ASIDE.contains(&flag) {
            kept.push(word);
        } else if flag == word {
            words.next_if(|it| !it.starts_with("--"));
        }
    }
    kept
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

/// FB-3: where the inputs fix nothing, the winners are compared with each other, run by run.
pub(crate) fn everyone_agrees(scenario: &Scenario, rank: &Rank<'_>) -> Objections {
    let mut o = Objections::default();
    let Some(ours) = rank.best_of(Framework::Vllm) else { return o };
    let best = Framework::ALL.iter().filter_map(|it| rank.best_of(*it));
    for (first, row) in best.flat_map(|it| it.rows.iter().map(move |row| (it.row, *row))) {
        for (dimension, found) in &row.identity {
            let Some(ours) = ours.row.identity.get(dimension).cloned() else { continue };
            let (candidate, scenario) = (row.id.clone(), scenario.name.clone());
            let (dimension, found) = (*dimension, found.clone());
            // Repeats of one candidate may draw their prompts anew.
            let drawn = dimension == Dimension::Seed && !core::ptr::eq(first, row);
            o.unless(
                found == ours || drawn,
                BenchObjection::Mismatch { candidate, scenario, dimension, found, ours },
            );
        }
    }
    o
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

/// The candidate as it is frozen, with the values that later gates read.
pub(crate) fn winner(rank: &Rank<'_>, scenario: &Scenario, it: &Contender<'_>) -> Option<Winner> {
    Some(Winner {
        scenario: scenario.name.clone(),
        framework: it.row.framework,
        candidate: it.row.id.clone(),
        sla_passed: rank.ranking.iter().any(|other| core::ptr::eq(other, it)),
        objective: it.metric(scenario.objective)?,
        server_command: it.row.server_command.clone(),
        identity: it.row.identity.clone(),
    })
}
