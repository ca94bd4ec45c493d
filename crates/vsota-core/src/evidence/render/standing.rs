//! Where do vLLM and its competitors stand: in the frozen table, and now? (FB-1, RE-1, CK-1)

use alloc::string::ToString;
use alloc::vec::Vec;

use super::page::{Grid, Md, Page, md};
use super::{Book, figures, workload};
use crate::facts::*;
use crate::measure::{Measured, Real, geometric_mean};
use crate::text::Name;
use crate::verdict::{SlaState, Verdict};

/// What a framework reached, and where that was measured.
pub(super) struct Level {
    pub(super) value: Measured,
    pub(super) source: Md,
}

/// How far vLLM is from a competitor.
pub(super) struct Gap {
    pub(super) scenario: Name,
    pub(super) rival: Framework,
    /// The log ratio, above zero where vLLM is better.
    pub(super) log: Real,
    pub(super) source: Md,
}

/// The frozen best row of a framework in a scenario.
pub(super) fn winner<'a>(book: &Book<'a>, of: &Name, framework: Framework) -> Option<&'a Winner> {
    let rows = &book.story.freeze?.said.found.rows;
    rows.iter().find(|it| it.scenario == *of && it.framework == framework)
}

/// What a framework reaches now: in the blocks since the last acceptance, else in the trial of the
/// accepted patch, else in the frozen table.
pub(super) fn level(book: &Book<'_>, of: &Name, framework: Framework) -> Option<Level> {
    let accepted = book.story.accepted().last().map(|(trial, seq, it)| (trial.round, seq, it));
    let ours = framework == Framework::Vllm;
    let fresh = |seq| !ours || accepted.is_none_or(|(_, since, _)| seq > since);
    let in_blocks = in_blocks(book, of, framework, fresh);
    let in_trial = || {
        let (round, _, it) = accepted.filter(|_| ours)?;
        let value = *it.found.gain.values.get(of)?;
        Some(Level { value, source: md!("trial of round {}", round) })
    };
    let frozen = || {
        let value = winner(book, of, framework)?.objective;
        Some(Level { value, source: Md::own("frozen table") })
    };
    in_blocks.or_else(in_trial).or_else(frozen)
}

/// The geometric mean over the counted blocks of the last round that ran the framework.
fn in_blocks(
    book: &Book<'_>,
    of: &Name,
    framework: Framework,
    fresh: impl Fn(crate::Seq) -> bool,
) -> Option<Level> {
    let objective = workload::objective(book, of);
    let counted =
        book.story.blocks.iter().filter(|it| {
            it.found.report_only.is_none() && it.said.scenario == *of && fresh(it.seq)
        });
    let values: Vec<_> = counted
        .filter_map(|block| {
            let run = block.said.runs.iter().find(|it| it.framework == framework)?;
            Some((block.round, run.measured.as_ref()?.metric(objective)?))
        })
        .collect();
    let round = values.last()?.0;
    let last: Vec<_> = values.iter().filter(|it| it.0 == round).map(|it| it.1).collect();
    let value = geometric_mean(&last)?;
    Some(Level { value, source: md!("{} blocks of round {}", last.len(), round) })
}

/// The gap to each competitor in each scenario: of the last verdict where nothing was accepted
/// since, else estimated from the levels.
pub(super) fn gaps(book: &Book<'_>) -> Vec<Gap> {
    let since = book.story.accepted().last().map(|(_, seq, _)| seq);
    let decided = book.story.decided.last().filter(|it| since.is_none_or(|seq| it.seq > seq));
    let mut gaps = Vec::new();
    for scenario in scenarios(book) {
        for rival in Framework::COMPETITORS.iter().copied() {
            let verdict = decided.and_then(|it| {
                let found = it.verdict.scenarios.iter().find(|it| it.scenario == scenario)?;
                Some((it.round, found.competitors.get(&rival)?.mean?))
            });
            let found = match verdict {
                Some((round, log)) => Some((log, md!("measured in round {}", round))),
                None => estimate(book, &scenario, rival),
            };
            if let Some((log, source)) = found {
                gaps.push(Gap { scenario: scenario.clone(), rival, log, source });
            }
        }
    }
    gaps
}

fn estimate(book: &Book<'_>, of: &Name, rival: Framework) -> Option<(Real, Md)> {
    let (ours, theirs) = (level(book, of, Framework::Vllm)?, level(book, of, rival)?);
    let log = libm::log(ours.value.get()) - libm::log(theirs.value.get());
    let sign = if workload::objective(book, of).higher_is_better() { 1.0 } else { -1.0 };
    let source =
        md!("estimate: vLLM {}, {} {}", ours.source, Md::own(rival.title()), theirs.source);
    Some((Real::new(sign * log).ok()?, source))
}

/// The names of the scenarios, in the order of the workload.
pub(super) fn scenarios(book: &Book<'_>) -> Vec<Name> {
    let workload = book.story.brief.workload();
    workload.map_or(Vec::new(), |it| it.scenarios.iter().map(|it| it.name.clone()).collect())
}

/// The frozen table: the best row of each framework in each scenario.
pub(super) fn frozen_table(page: &mut Page, book: &Book<'_>) {
    let Some(freeze) = book.story.freeze else {
        page.say(Md::own("The benchmark is not frozen."));
        return;
    };
    let mut grid =
        Grid::new(&["Scenario", "Framework", "Winner", "SLA", ">Objective", ">vLLM to it"]);
    for scenario in scenarios(book) {
        let objective = workload::objective(book, &scenario);
        let ours = winner(book, &scenario, Framework::Vllm).map(|it| it.objective);
        for framework in Framework::ALL.iter().copied() {
            let Some(it) = winner(book, &scenario, framework) else { continue };
            grid.row([
                Md::code(&scenario),
                Md::own(framework.title()),
                Md::code(&it.candidate),
                Md::own(if it.sla_passed { "pass" } else { "FAIL" }),
                workload::value(objective, it.objective),
                match framework {
                    Framework::Vllm => Md::none(),
                    _ => literal(objective, ours, it.objective),
                },
            ]);
        }
    }
    page.table(grid);
    let said = &freeze.said.said;
    page.say(md!(
        "Frozen {} on vLLM commit {}.",
        Md::time(freeze.at),
        Md::code(said.commit.as_str())
    ));
}

/// vLLM's value against another's in percent, above zero where vLLM is better.
fn literal(objective: Metric, ours: Option<Measured>, theirs: Measured) -> Md {
    let Some(ours) = ours else { return Md::none() };
    let (a, b) = if objective.higher_is_better() { (ours, theirs) } else { (theirs, ours) };
    Md::figure(figures::percent(100.0 * (a.get() / b.get() - 1.0)))
}

/// The table after the patches: what each framework reaches now.
pub(super) fn present_table(page: &mut Page, book: &Book<'_>) {
    let mut grid =
        Grid::new(&["Scenario", "Framework", ">Frozen", ">Now", ">Change", "Now is from"]);
    for scenario in scenarios(book) {
        let objective = workload::objective(book, &scenario);
        for framework in Framework::ALL.iter().copied() {
            let Some(now) = level(book, &scenario, framework) else { continue };
            let frozen = winner(book, &scenario, framework).map(|it| it.objective);
            grid.row([
                Md::code(&scenario),
                Md::own(framework.title()),
                frozen.map_or(Md::none(), |it| workload::value(objective, it)),
                workload::value(objective, now.value),
                frozen.map_or(Md::none(), |it| literal(objective, Some(now.value), it)),
                now.source,
            ]);
        }
    }
    page.table(grid);
}

/// A verdict on the gap, scenario by scenario.
pub(super) fn verdict_table(page: &mut Page, verdict: &GapVerdict) {
    let heads =
        ["Scenario", "Verdict", "Against", ">vLLM to it", ">Interval", ">Blocks", "vLLM SLA"];
    let mut grid = Grid::new(&heads);
    for it in &verdict.scenarios {
        let sla = it.sla.get(&Framework::Vllm).copied();
        let sla = Md::own(sla.map_or("–", sla_word));
        if it.competitors.is_empty() {
            let none = Md::none;
            let verdict = named(it.verdict);
            grid.row([
                Md::code(&it.scenario),
                verdict,
                none(),
                none(),
                none(),
                none(),
                sla.clone(),
            ]);
        }
        for (rival, pair) in &it.competitors {
            let ratio =
                |it: Option<Real>| it.map_or(Md::none(), |it| Md::figure(figures::ratio(it)));
            grid.row([
                Md::code(&it.scenario),
                named(pair.verdict),
                Md::own(rival.title()),
                ratio(pair.mean),
                match (pair.lo, pair.hi) {
                    (Some(lo), Some(hi)) => md!("{} … {}", ratio(Some(lo)), ratio(Some(hi))),
                    _ => Md::none(),
                },
                md!("{}", pair.n_used),
                sla.clone(),
            ]);
        }
    }
    page.table(grid);
}

/// The single-run reading of the seed beside the verdict; it decides nothing (GD-1).
pub(super) fn literal_line(verdict: &GapVerdict) -> Option<Md> {
    let gaps: Vec<_> = verdict
        .scenarios
        .iter()
        .filter_map(|it| Some((&it.scenario, it.literal_gap_pct?)))
        .map(|(of, gap)| md!("{} {}", Md::code(of), Md::figure(figures::percent(gap.get()))))
        .collect();
    let any = !gaps.is_empty();
    any.then(|| {
        md!("Against the frozen winner (report-only, decides nothing): {}.", Md::list(gaps, ", "))
    })
}

fn named(verdict: Verdict) -> Md {
    Md::figure(verdict.to_string())
}

fn sla_word(state: SlaState) -> &'static str {
    match state {
        SlaState::Pass => "pass",
        SlaState::Marginal => "marginal",
        SlaState::Fail => "FAIL",
    }
}
