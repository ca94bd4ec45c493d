//! `vsota bench run`: FB-2, FB-7, FB-9.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;
use vsota_core::command::{CommandKind, FreezeBenchmark};
use vsota_core::evidence::search::Candidate;
use vsota_core::facts::{self, FreezeAsked, Scenario, Status};
use vsota_core::phase::{Bench, BenchObjection};
use vsota_core::text::{Line, Name};
use vsota_core::{Campaign, Finding, GitId, State};

use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::help;
use crate::journal::Reading;
use crate::output::{Outcome, Text};
use crate::runner::{Asked, Limits, Runner};
use crate::transition::Transition;

/// The most launches of one candidate that tell it from its rivals.
const REPEATS: usize = 8;

/// Run the declared candidates: servers, clients and all; killed, the same command goes on
///
/// Each candidate is launched once and run in every scenario. Those within 3 % of their framework's
/// best are then launched again, in turn, till FB-9 is met.
#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    limits: Limits,
}

#[derive(Serialize)]
struct View {
    launches: usize,
    filed: usize,
}

/// Runs what is missing.
///
/// # Errors
///
/// Refused when rows are not due; busy when another run goes on; child when a foreign process is in
/// the way.
pub fn run(context: &Context, args: RunArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let campaign = chronicle::campaign(&Reading::of(&run)?)?.0;
    due(&campaign, CommandKind::FileCandidate)?;
    let runner = Runner::open(context, &run, None, args.limits)?;
    runner.settle()?;
    let mut view = View { launches: 0, filed: 0 };
    let mut last = None;
    let todo = missing(&runner)?;
    for (k, (candidate, scenarios)) in (1..).zip(&todo) {
        let names: Vec<&str> = scenarios.iter().map(|it| it.name.as_str()).collect();
        let what = format!("{} in {}", candidate.id, names.join(", "));
        runner.progress.step((k, todo.len()), &what);
        last = launch(&runner, candidate, scenarios, &mut view)?.or(last);
    }
    last = tell_apart(&runner, &mut view)?.or(last);
    let text =
        Text::new().line(format!("{} launches, {} rows filed", view.launches, view.filed)).clone();
    match last {
        Some(step) => step.outcome_with(text, &view),
        None => {
            let (campaign, head) = chronicle::campaign(&Reading::of(&run)?)?;
            Transition::none(&campaign, head).outcome_with(text, &view)
        }
    }
}

/// That a command is due, before anything is started for it.
///
/// # Errors
///
/// Refused with everything that stands in its way.
pub fn due(campaign: &Campaign, command: CommandKind) -> Result<(), Failure> {
    let reasons = match campaign.ready(command) {
        None => help::misplaced(campaign.phase(), command),
        Some(objections) => objections.iter().map(|it| help::reason(it, command)).collect(),
    };
    if reasons.is_empty() { Ok(()) } else { Err(crate::failure::Refused { reasons }.into()) }
}

fn rows(campaign: &Campaign) -> &[facts::Candidate] {
    match campaign.state() {
        State::FixedBenchmark(it) => match it.inside() {
            Bench::Searching(it) => &it.candidates,
            Bench::Frozen { .. } => &[],
        },
        _ => &[],
    }
}

/// A row that says how its run ended; one that was cut short says nothing.
fn is_done(row: &facts::Candidate) -> bool {
    let cut = |it: &Line| it.as_str().starts_with("interrupted:");
    row.status == Status::Ok || !row.failure_reason.as_ref().is_some_and(cut)
}

/// The candidates that still lack a row, with the scenarios in which they do.
fn missing<'a>(runner: &'a Runner<'_>) -> Result<Vec<(&'a Candidate, Vec<&'a Scenario>)>, Failure> {
    let campaign = runner.campaign()?;
    let rows = rows(&campaign);
    let lacks = |it: &Candidate, scenario: &Scenario| {
        !rows.iter().any(|row| {
            row.id == it.id
                && row.framework == it.framework
                && row.scenario == scenario.name
                && is_done(row)
        })
    };
    let candidates = runner.plan.searches.iter().flat_map(|it| &it.candidates);
    let with = candidates.map(|it| {
        let scenarios = runner.plan.scenarios().iter().filter(|scenario| lacks(it, scenario));
        (it, scenarios.collect::<Vec<_>>())
    });
    Ok(with.filter(|(_, scenarios)| !scenarios.is_empty()).collect())
}

/// One launch of a candidate, filed.
fn launch(
    runner: &Runner<'_>,
    candidate: &Candidate,
    scenarios: &[&Scenario],
    view: &mut View,
) -> Result<Option<Transition>, Failure> {
    let campaign = runner.campaign()?;
    let draw = |scenario: &Scenario| {
        let mut done = rows(&campaign).iter();
        let count = done.by_ref().filter(|it| {
            it.id == candidate.id && it.scenario == scenario.name && it.status == Status::Ok
        });
        u32::try_from(count.count()).unwrap_or(u32::MAX)
    };
    let asked: Vec<Asked<'_>> =
        scenarios.iter().map(|it| Asked { scenario: it, draw: draw(it) }).collect();
    let dir = runner.place(candidate.id.as_str())?;
    let job = runner.job(candidate, None)?;
    let records = runner.go(&job, &asked, &dir)?;
    let names: Vec<String> = scenarios.iter().map(|it| it.name.to_string()).collect();
    let step = runner.file_rows(&dir, &names)?;
    runner.forget(&dir);
    view.launches = view.launches.saturating_add(1);
    view.filed = view.filed.saturating_add(records.len());
    Ok(step)
}

/// FB-9: what is too close is launched again, in turn.
fn tell_apart(runner: &Runner<'_>, view: &mut View) -> Result<Option<Transition>, Failure> {
    let mut last = None;
    for turn in 1..=REPEATS {
        let close = close(&runner.campaign()?)?;
        if close.is_empty() {
            break;
        }
        for (k, (id, scenario)) in (1..).zip(&close) {
            let (Some(candidate), Some(scenario)) = (
                runner.plan.candidate(id),
                runner.plan.scenarios().iter().find(|it| it.name == *scenario),
            ) else {
                continue;
            };
            let what =
                format!("{id} in {} again: too close to its rival (turn {turn})", scenario.name);
            runner.progress.step((k, close.len()), &what);
            last = launch(runner, candidate, &[scenario], view)?.or(last);
        }
    }
    Ok(last)
}

/// The candidates that are too close to another one, with their scenario.
fn close(campaign: &Campaign) -> Result<BTreeSet<(Name, Name)>, Failure> {
    let nothing = GitId::new("0".repeat(40)).map_err(Failure::usage)?;
    let asked = FreezeAsked { tree: nothing.clone(), commit: nothing };
    let Err(refusal) = campaign.decide(FreezeBenchmark(asked)) else { return Ok(BTreeSet::new()) };
    let found = refusal.objections().iter().filter_map(|it| match &it.found {
        Finding::Bench(BenchObjection::TooClose { candidate, scenario, .. }) => {
            Some((candidate.clone(), scenario.clone()))
        }
        _ => None,
    });
    Ok(found.collect())
}
