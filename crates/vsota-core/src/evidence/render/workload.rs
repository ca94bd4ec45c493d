//! The fixed workload, its limits and its load, as several documents show them (FB-4, FB-14).

use alloc::string::ToString;
use alloc::vec::Vec;

use super::page::{Grid, Md, Page, md};
use super::{Book, figures};
use crate::facts::*;
use crate::measure::Measured;
use crate::text::Name;

/// The scenarios, with lengths, load and objective.
pub(super) fn scenarios(page: &mut Page, workload: &Workload) {
    let data = match &workload.dataset_path {
        Some(path) => md!(", from {}", Md::code(path)),
        None => Md::default(),
    };
    page.say(md!("Kind {}{}.", Md::code(&workload.kind), data));
    let heads =
        ["Scenario", ">Input", ">Output", ">Prompts", ">Rate", ">Cap", ">Burst", "Objective"];
    let mut grid = Grid::new(&heads);
    for it in &workload.scenarios {
        let rate = match it.request_rate {
            Rate::Unbounded => Md::own("inf"),
            Rate::PerSecond(rate) => number(rate),
        };
        grid.row([
            Md::code(&it.name),
            md!("{}", it.input_len),
            md!("{}", it.output_len),
            md!("{}", it.num_prompts),
            rate,
            it.max_concurrency.map_or(Md::own("none"), |cap| md!("{}", cap)),
            number(it.burstiness),
            Md::code(it.objective.to_string()),
        ]);
    }
    page.table(grid);
}

/// The limits of the SLA in one line.
pub(super) fn sla(book: &Book<'_>) -> Md {
    let sla = book.story.brief.sla();
    let mut parts: Vec<_> = sla
        .limits
        .iter()
        .map(|(metric, limit)| {
            let limit = Md::figure(figures::one(limit.get()));
            md!("{} at most {} ms", Md::code(metric.to_string()), limit)
        })
        .collect();
    if parts.is_empty() {
        parts.push(Md::own("no latency limit"));
    }
    let rate = Md::figure(figures::share(sla.min_success_rate.get()));
    parts.push(md!("at least {} of the requests completed", rate));
    Md::list(parts, "; ")
}

/// The objective of a scenario.
pub(super) fn objective(book: &Book<'_>, scenario: &Name) -> Metric {
    let known = book.story.brief.scenario(scenario);
    known.map_or(Metric::RequestThroughput, |it| it.objective)
}

/// A value of an objective with its unit.
pub(super) fn value(objective: Metric, value: Measured) -> Md {
    Md::figure(alloc::format!("{} {}", figures::metric(objective, value), figures::unit(objective)))
}

fn number(value: Measured) -> Md {
    Md::figure(value.to_string())
}
