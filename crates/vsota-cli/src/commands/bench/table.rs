//! `vsota bench table`: the ranking so far, and what is missing before the freeze.

use clap::Args;
use serde::Serialize;
use vsota_core::State;
use vsota_core::command::CommandKind;
use vsota_core::facts::{Dimension, LatencyKind, Metric, Stat};
use vsota_core::phase::{Bench, FixedBenchmark, Rank};
use vsota_core::text::Name;

use crate::chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason};
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
    missing: Vec<Reason>,
}

#[derive(Serialize)]
struct Ranked {
    scenario: Name,
    winner: Option<Name>,
    ranking: Vec<Name>,
    rejected: Vec<Turned>,
    unknown: Vec<Unknown>,
}

#[derive(Serialize)]
struct Turned {
    candidate_id: Name,
    reasons: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    clause: &'static str,
    found: String,
}

#[derive(Serialize)]
struct Unknown {
    candidate_id: Name,
    dimensions: Vec<Dimension>,
}

/// Shows the table.
///
/// # Errors
///
/// No campaign when the benchmark is not open; the frozen table stands in benchmark/summary.md.
pub fn run(context: &Context, _: TableArgs) -> Result<Outcome, Failure> {
    let (_, reading) = context.reading()?;
    let (campaign, _) = chronicle::campaign(&reading)?;
    let State::FixedBenchmark(bench) = campaign.state() else {
        let phase = campaign.phase();
        return Err(Failure::bad_evidence(format_args!(
            "the campaign is in {phase}; the table of the benchmark stands in benchmark/summary.md"
        )));
    };
    let kind = CommandKind::FreezeBenchmark;
    let objections = campaign.ready(kind).unwrap_or_default();
    let missing: Vec<_> = objections.iter().map(|it| help::reason(it, kind)).collect();
    let text = text(bench, &missing);
    let ranked = bench.table().into_iter().map(|(scenario, rank)| ranked(&scenario.name, &rank));
    Outcome::new(text, &View { scenarios: ranked.collect(), unreadable: [], missing })
}

fn ranked(scenario: &Name, rank: &Rank<'_>) -> Ranked {
    let reasons = |it: &vsota_core::phase::Rejected<'_>| {
        let found = |(clause, found): &(vsota_core::Clause, String)| Found {
            clause: clause.id(),
            found: found.clone(),
        };
        it.reasons.iter().map(found).collect()
    };
    Ranked {
        scenario: scenario.clone(),
        winner: rank.ranking.first().map(|it| it.id.clone()),
        ranking: rank.ranking.iter().map(|it| it.id.clone()).collect(),
        rejected: rank
            .rejected
            .iter()
            .map(|it| Turned { candidate_id: it.row.id.clone(), reasons: reasons(it) })
            .collect(),
        unknown: rank
            .unknown
            .iter()
            .map(|(row, dimensions)| Unknown {
                candidate_id: row.id.clone(),
                dimensions: dimensions.clone(),
            })
            .collect(),
    }
}

fn text(bench: &FixedBenchmark, missing: &[Reason]) -> Text {
    let mut text = Text::new();
    if matches!(bench.inside(), Bench::Frozen { .. }) {
        return text.line("the benchmark is frozen; see benchmark/summary.md").clone();
    }
    for (scenario, rank) in bench.table() {
        text.push(Style::Strong, scenario.name.as_str()).end();
        let mut table =
            Table::new(["#", "framework", "candidate", "req/s", "p50 TTFT ms", "p50 TPOT ms"]);
        for (place, row) in (1..).zip(&rank.ranking) {
            let value = |metric, digits: usize| {
                let value = row.measured.as_ref().and_then(|it| it.metric(metric));
                value.map_or(String::from("-"), |it| format!("{:.digits$}", it.get()))
            };
            let latency = |kind| value(Metric::latency(Stat::P50, kind), 1);
            table.row([
                place.to_string(),
                row.framework.title().to_owned(),
                row.id.to_string(),
                value(Metric::RequestThroughput, 2),
                latency(LatencyKind::Ttft),
                latency(LatencyKind::Tpot),
            ]);
        }
        text.block(table.render());
        for it in &rank.rejected {
            text.push(Style::Warn, "rejected  ").plain(it.row.id.as_str());
            for (clause, found) in &it.reasons {
                text.plain(format!("  {clause} {found}"));
            }
            text.end();
        }
    }
    for it in missing {
        text.push(Style::Warn, "missing  ").plain(it.clause.id()).plain("  ").line(&it.found);
        text.plain("         try: ").push(Style::Code, &it.help).end();
    }
    text
}
