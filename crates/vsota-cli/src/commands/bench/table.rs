//! `vsota bench table`: the ranking so far, and what is missing before the freeze.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use vsota_core::command::CommandKind;
use vsota_core::facts::{Candidate, Dimension, LatencyKind, Metric, Stat, Winner};
use vsota_core::phase::{Bench, Charter, Chartered, FixedBenchmark, InLoop as _, Rank};
use vsota_core::text::Name;
use vsota_core::{Clause, State};

use crate::chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason, Refused, Why};
use crate::help;
use crate::output::{Outcome, Style, Text};
use crate::table::Table;

/// Show the ranking so far, every mismatch, and what is missing before the freeze
#[derive(Args, Clone, Copy, Debug)]
pub struct TableArgs {}

#[derive(Serialize)]
struct View {
    scenarios: Vec<Ranked>,
    unreadable: [(); 0],
    frozen: bool,
    missing: Vec<Reason>,
}

/// The ranking of one scenario.
#[derive(Debug, Serialize)]
pub struct Ranked {
    scenario: Name,
    winner: Option<Name>,
    ranking: Vec<Name>,
    rejected: Vec<Turned>,
    unknown: Vec<Unknown>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overridden: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Turned {
    candidate_id: Name,
    reasons: Vec<Found>,
}

#[derive(Debug, Serialize)]
struct Found {
    clause: &'static str,
    found: String,
}

#[derive(Debug, Serialize)]
struct Unknown {
    candidate_id: Name,
    dimensions: Vec<String>,
}

/// Shows the table; once the benchmark is frozen, what was frozen.
///
/// # Errors
///
/// Refused while the benchmark is not open.
pub fn run(context: &Context, _: TableArgs) -> Result<Outcome, Failure> {
    let (_, reading) = context.reading()?;
    let (campaign, _) = chronicle::campaign(&reading)?;
    if let Some(charter) = charter(campaign.state()) {
        return frozen(charter);
    }
    let State::FixedBenchmark(bench) = campaign.state() else {
        let reasons = help::misplaced(campaign.phase(), CommandKind::FileCandidate);
        return Err(Failure { why: Why::Refused(Refused { reasons }), recorded: None });
    };
    let kind = CommandKind::FreezeBenchmark;
    let objections = campaign.ready(kind).unwrap_or_default();
    let missing: Vec<_> = objections.iter().map(|it| help::reason(it, kind)).collect();
    let text = text(bench, &missing);
    let mut scenarios = Vec::new();
    for (scenario, rank) in bench.table() {
        scenarios.push(Ranked::of(&scenario.name, &rank, &unknown(&rank)));
    }
    Outcome::new(text, &View { scenarios, unreadable: [], frozen: false, missing })
}

/// What was frozen, when it was.
fn charter(state: &State) -> Option<&Charter> {
    Some(match state {
        State::FixedBenchmark(it) => match it.inside() {
            Bench::Frozen { charter, .. } => charter,
            Bench::Searching(_) => return None,
        },
        State::RlcrActive(it) => &it.case().charter,
        State::GapDecision(it) => &it.case().charter,
        State::Profiling(it) => &it.case().charter,
        State::LayerPipeline(it) => &it.case().charter,
        State::KernelAssist(it) => &it.case().charter,
        State::Revalidate(it) => &it.case().charter,
        State::Stopped(it) => &it.case()?.charter,
        State::Inputs(_) | State::HistoryGate(_) => return None,
    })
}

/// The frozen table: the best of each framework in each scenario, best first (FB-1).
fn frozen(charter: &Charter) -> Result<Outcome, Failure> {
    let mut text = Text::new();
    let mut scenarios = Vec::new();
    for Chartered { scenario, winners } in charter.scenarios.values() {
        let objective = scenario.objective;
        let mut best: Vec<&Winner> = winners.values().collect();
        best.sort_by(|a, b| {
            let order = a.objective.cmp(&b.objective);
            let order = if objective.higher_is_better() { order.reverse() } else { order };
            b.sla_passed.cmp(&a.sla_passed).then(order)
        });
        text.push(Style::Strong, scenario.name.as_str()).plain("  frozen").end();
        let mut table =
            Table::new(["#", "framework", "candidate", objective_head(objective), "SLA"]);
        for (place, it) in (1..).zip(&best) {
            let sla = if it.sla_passed { "pass" } else { "FAIL" };
            table.row([
                place.to_string(),
                it.framework.title().to_owned(),
                it.candidate.to_string(),
                format!("{:.2}", it.objective.get()),
                sla.to_owned(),
            ]);
        }
        text.block(table.render());
        scenarios.push(Ranked::frozen(&scenario.name, &best));
    }
    Outcome::new(text, &View { scenarios, unreadable: [], frozen: true, missing: Vec::new() })
}

fn objective_head(objective: Metric) -> &'static str {
    match objective {
        Metric::RequestThroughput => "req/s",
        Metric::OutputTokenThroughput | Metric::TotalTokenThroughput => "tok/s",
        Metric::Latency(_) => "ms",
    }
}

fn unknown<'a>(rank: &Rank<'a>) -> Vec<(&'a Candidate, Vec<String>)> {
    let names = |it: &[Dimension]| it.iter().map(ToString::to_string).collect();
    rank.unknown.iter().map(|(row, dimensions)| (*row, names(dimensions))).collect()
}

/// Every row that may not win, with each reason: those that may not rank, and those that break the SLA.
fn rejected<'a>(rank: &'a Rank<'_>) -> Vec<(&'a Candidate, Vec<(Clause, &'a str)>)> {
    let mut all: Vec<(&Candidate, Vec<(Clause, &str)>)> = Vec::new();
    for it in &rank.rejected {
        let reasons = it.reasons.iter().map(|(clause, found)| (*clause, found.as_str()));
        all.push((it.row, reasons.collect()));
    }
    for (it, breaches) in &rank.failing {
        all.push((it.row, breaches.iter().map(|found| (Clause::Fb9, found.as_str())).collect()));
    }
    all
}

impl Ranked {
    /// The ranking as programs read it.
    pub fn of(scenario: &Name, rank: &Rank<'_>, unknown: &[(&Candidate, Vec<String>)]) -> Self {
        let ids = rank.ranking.iter().map(|it| it.row.id.clone()).collect();
        let found = |(clause, found): (Clause, &str)| Found {
            clause: clause.id(),
            found: found.to_owned(),
        };
        let turned = |(row, reasons): (&Candidate, Vec<(Clause, &str)>)| Turned {
            candidate_id: row.id.clone(),
            reasons: reasons.into_iter().map(found).collect(),
        };
        let unsaid = |(row, dimensions): &(&Candidate, Vec<String>)| Unknown {
            candidate_id: row.id.clone(),
            dimensions: dimensions.clone(),
        };
        Self {
            scenario: scenario.clone(),
            winner: rank.ranking.first().map(|it| it.row.id.clone()),
            ranking: ids,
            rejected: rejected(rank).into_iter().map(turned).collect(),
            unknown: unknown.iter().map(unsaid).collect(),
            overridden: Vec::new(),
        }
    }

    /// The same, with what was expected in vain.
    pub fn overriding(self, overridden: &[String]) -> Self {
        Self { overridden: overridden.to_vec(), ..self }
    }

    /// Frozen winners, best first; one that breaks the SLA ranks nowhere (FB-9).
    fn frozen(scenario: &Name, best: &[&Winner]) -> Self {
        let kept = best.iter().filter(|it| it.sla_passed);
        let ranking: Vec<Name> = kept.map(|it| it.candidate.clone()).collect();
        let broken = |it: &&&Winner| !it.sla_passed;
        let turned = |it: &&Winner| Turned {
            candidate_id: it.candidate.clone(),
            reasons: vec![Found {
                clause: Clause::Fb9.id(),
                found: "its frozen row breaks the SLA".to_owned(),
            }],
        };
        Self {
            scenario: scenario.clone(),
            winner: ranking.first().cloned(),
            ranking,
            rejected: best.iter().filter(broken).map(turned).collect(),
            unknown: Vec::new(),
            overridden: Vec::new(),
        }
    }
}

fn text(bench: &FixedBenchmark, missing: &[Reason]) -> Text {
    let mut text = Text::new();
    for (scenario, rank) in bench.table() {
        text.push(Style::Strong, scenario.name.as_str()).end();
        ranking(&mut text, scenario.objective, &rank, &unknown(&rank));
    }
    for it in missing {
        text.push(Style::Warn, "missing  ").plain(it.clause.id()).plain("  ").line(&it.found);
        text.plain("         try: ").push(Style::Code, &it.help).end();
    }
    text
}

/// The ranking as a person reads it: the table, who won, who was turned down and why, what nobody
/// said.
pub fn ranking(
    text: &mut Text,
    objective: Metric,
    rank: &Rank<'_>,
    unknown: &[(&Candidate, Vec<String>)],
) {
    let heads =
        ["#", "framework", "candidate", "runs", "req/s", "tok/s", "p50 TTFT ms", "p50 TPOT ms"];
    let mut table = Table::new(heads);
    for (place, it) in (1..).zip(&rank.ranking) {
        let value = |metric, digits: usize| {
            it.metric(metric).map_or(String::from("-"), |it| format!("{:.digits$}", it.get()))
        };
        let latency = |kind| value(Metric::latency(Stat::P50, kind), 1);
        table.row([
            place.to_string(),
            it.row.framework.title().to_owned(),
            it.row.id.to_string(),
            it.launches().to_string(),
            value(Metric::RequestThroughput, 2),
            value(Metric::OutputTokenThroughput, 1),
            latency(LatencyKind::Ttft),
            latency(LatencyKind::Tpot),
        ]);
    }
    match won(rank, objective) {
        Some(it) => {
            text.block(table.render());
            text.push(Style::Good, "winner    ").line(it);
        }
        None => {
            text.line("no winner");
        }
    }
    for (row, reasons) in rejected(rank) {
        text.push(Style::Warn, "rejected  ").plain(row.id.as_str());
        match &row.failure_reason {
            Some(reason) => text.plain(": ").line(reason.as_str()),
            None => text.end(),
        };
        for (clause, found) in reasons {
            text.plain(format!("          {:6}", clause.id())).line(found);
        }
    }
    // Rows of one source are silent on the same things: say it once.
    let mut silent: BTreeMap<&[String], Vec<String>> = BTreeMap::new();
    for (row, dimensions) in unknown {
        let ids = silent.entry(dimensions).or_default();
        if !ids.iter().any(|it| *it == row.id.as_str()) {
            ids.push(row.id.to_string());
        }
    }
    for (dimensions, ids) in silent {
        let mut heads = wrapped(&ids, 84).into_iter();
        text.push(Style::Warn, "unknown   ").line(heads.next().unwrap_or_default());
        heads.for_each(|it| {
            text.plain("          ").line(it);
        });
        for line in wrapped(dimensions, 80) {
            text.plain("            ").line(line);
        }
    }
}

/// Who won, and by how much the best of each other framework is behind.
fn won(rank: &Rank<'_>, objective: Metric) -> Option<String> {
    let first = rank.ranking.first()?;
    let mut won = format!("{} {}", first.row.framework.title(), first.row.id);
    for it in rank.best_of_each().into_iter().skip(1) {
        let kept = rank.ranking.iter().any(|one| std::ptr::eq(one, it));
        let (Some(a), Some(b)) = (first.metric(objective), it.metric(objective)) else { continue };
        if kept {
            let ratio = a.get() / b.get();
            let ahead = if objective.higher_is_better() { ratio } else { 1.0 / ratio } - 1.0;
            let name = it.row.framework.title();
            won.push_str(&format!(", {:.1} % ahead of {name} {}", ahead * 100.0, it.row.id));
        }
    }
    Some(won)
}

/// Words in lines of at most so many columns.
fn wrapped(words: &[String], columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut().filter(|it| it.len() + word.len() + 2 <= columns) {
            Some(line) => {
                line.push_str(", ");
                line.push_str(word);
            }
            None => lines.push(word.clone()),
        }
    }
    lines
}
