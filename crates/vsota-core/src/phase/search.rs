//! What a bounded search must have tried, and which of its rows may stand for it. (FB-2 … FB-7)

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::Rank;
use super::bench::{BenchObjection, Searching};
use super::rank::{best_of_each, passes_sla};
use crate::facts::*;
use crate::objection::Objections;
use crate::text::Name;

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
        let commands: BTreeSet<_> = tried.filter(here).map(|it| &it.server_command).collect();
        commands.len()
    }

    fn covers_its_space(&self, framework: Framework) -> bool {
        let Some(space) = self.spaces.get(&framework) else { return false };
        let rows = || self.candidates.iter().filter(|it| it.framework == framework);
        let tried = |id: &Name| rows().any(|it| it.id == *id && was_tried(it));
        space.whole && space.candidates.iter().all(tried)
    }
}

/// A launch that was really made, whatever came of it; a flow check or a skipped row is none.
pub(crate) fn was_tried(row: &Candidate) -> bool {
    !row.smoke && row.status != Status::Skipped && !row.server_command.is_empty()
}

/// FB-3: where the inputs fix nothing, the winners are compared with each other.
pub(crate) fn everyone_agrees(scenario: &Scenario, rank: &Rank<'_>) -> Objections {
    let mut o = Objections::default();
    let best = best_of_each(rank);
    let Some(ours) = best.get(&Framework::Vllm) else { return o };
    for (row, (dimension, found)) in
        best.values().flat_map(|row| row.identity.iter().map(move |it| (*row, it)))
    {
        let Some(ours) = ours.identity.get(dimension).cloned() else { continue };
        let (candidate, scenario) = (row.id.clone(), scenario.name.clone());
        let (dimension, found) = (*dimension, found.clone());
        o.unless(
            found == ours,
            BenchObjection::Mismatch { candidate, scenario, dimension, found, ours },
        );
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
    let best = best_of_each(rank);
    for framework in compared.iter().copied() {
        let name = scenario.name.clone();
        let Some(row) = best.get(&framework) else {
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
        let unknown = rank.unknown.iter().find(|(it, _)| core::ptr::eq(*it, *row));
        if let Some((_, dimensions)) = unknown {
            let names: Vec<_> = dimensions.iter().map(|it| it.as_str()).collect();
            let (candidate, dimensions) = (row.id.clone(), names.join(", "));
            o.raise(BenchObjection::Unknown { candidate, scenario: name, dimensions });
        }
    }
    o
}

/// The row as it is frozen, with the values that later gates read.
pub(crate) fn winner(sla: &Sla, scenario: &Scenario, row: &Candidate) -> Option<Winner> {
    let measured = row.measured.as_ref()?;
    Some(Winner {
        scenario: scenario.name.clone(),
        framework: row.framework,
        candidate: row.id.clone(),
        sla_passed: passes_sla(sla, measured),
        objective: measured.metric(scenario.objective)?,
        server_command: row.server_command.clone(),
        identity: row.identity.clone(),
    })
}
