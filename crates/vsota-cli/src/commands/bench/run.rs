//! `vsota bench run`: FB-2, FB-7, FB-9.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::Serialize;
use vsota_core::command::{CommandKind, FreezeBenchmark};
use vsota_core::evidence::search::{Candidate, LauncherKind};
use vsota_core::facts::{self, Framework, FreezeAsked, Scenario, Status};
use vsota_core::phase::{Bench, BenchObjection, rank};
use vsota_core::text::{Line, Name};
use vsota_core::{Campaign, Finding, GitId, State};

use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::help;
use crate::journal::Reading;
use crate::output::{Outcome, Text};
use crate::runner::{Asked, Limits, Runner, Task};
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
    let (arrays, own) = todo.into_iter().partition::<Vec<_>, _>(|it| is_array(&runner, it.0));
    for (k, (candidate, scenarios)) in (1..).zip(&own) {
        let names: Vec<&str> = scenarios.iter().map(|it| it.name.as_str()).collect();
        let what = format!("{} in {}", candidate.id, names.join(", "));
        runner.progress.step((k, own.len()), &what);
        last = launch(&runner, candidate, scenarios, &mut view)?.or(last);
        runner.progress.stands(best(&runner)?);
    }
    last = arrayed(&runner, &arrays, &mut view)?.or(last);
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
    let reasons = help::unready(campaign, command);
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

/// How often a candidate was measured in a scenario: its prompts are drawn anew each time.
fn draw(campaign: &Campaign, candidate: &Candidate, scenario: &Scenario) -> u32 {
    let done = rows(campaign).iter().filter(|it| {
        it.id == candidate.id && it.scenario == scenario.name && it.status == Status::Ok
    });
    u32::try_from(done.count()).unwrap_or(u32::MAX)
}

/// Whether a candidate is launched by Slurm, in an array with its like.
fn is_array(runner: &Runner<'_>, candidate: &Candidate) -> bool {
    runner.plan.launcher(candidate.framework).kind == LauncherKind::Slurm
}

/// Launches candidates as a job array for each framework, filed when they ended.
fn arrayed(
    runner: &Runner<'_>,
    all: &[(&Candidate, Vec<&Scenario>)],
    view: &mut View,
) -> Result<Option<Transition>, Failure> {
    let campaign = runner.campaign()?;
    let mut tasks: BTreeMap<Framework, Vec<Task>> = BTreeMap::new();
    for (candidate, scenarios) in all {
        let runs = scenarios.iter().map(|it| (it.name.clone(), draw(&campaign, candidate, it)));
        let task = Task { candidate: candidate.id.clone(), runs: runs.collect() };
        tasks.entry(candidate.framework).or_default().push(task);
    }
    let mut last = None;
    for (framework, tasks) in tasks {
        view.launches = view.launches.saturating_add(tasks.len());
        let (filed, step) = runner.array(framework, tasks)?;
        view.filed = view.filed.saturating_add(filed);
        last = step.or(last);
    }
    Ok(last)
}

/// Who is best so far, scenario by scenario (FB-9).
fn best(runner: &Runner<'_>) -> Result<String, Failure> {
    let campaign = runner.campaign()?;
    let brief = campaign.state().brief();
    let best = runner.plan.scenarios().iter().filter_map(|scenario| {
        let rank = rank(brief, scenario, rows(&campaign));
        let first = rank.ranking.first()?;
        Some(format!("{} in {}", first.row.id, scenario.name))
    });
    let best: Vec<String> = best.collect();
    Ok(if best.is_empty() {
        "nobody ranks yet".to_owned()
    } else {
        format!("best: {}", best.join(", "))
    })
}

/// One launch of a candidate, filed.
fn launch(
    runner: &Runner<'_>,
    candidate: &Candidate,
    scenarios: &[&Scenario],
    view: &mut View,
) -> Result<Option<Transition>, Failure> {
    let campaign = runner.campaign()?;
    let draw = |it| draw(&campaign, candidate, it);
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
        let mut arrays = Vec::new();
        for (k, (id, scenario)) in (1..).zip(&close) {
            let (Some(candidate), Some(scenario)) = (
                runner.plan.candidate(id),
                runner.plan.scenarios().iter().find(|it| it.name == *scenario),
            ) else {
                continue;
            };
            if is_array(runner, candidate) {
                arrays.push((candidate, vec![scenario]));
                continue;
            }
            let what =
                format!("{id} in {} again: too close to its rival (turn {turn})", scenario.name);
            runner.progress.step((k, close.len()), &what);
            last = launch(runner, candidate, &[scenario], view)?.or(last);
        }
        last = arrayed(runner, &arrays, view)?.or(last);
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
