//! `vsota gap run`: GD-1, GD-2, GD-5.

use camino::Utf8PathBuf;
use clap::Args;
use serde::Serialize;
use vsota_core::State;
use vsota_core::command::CommandKind;
use vsota_core::evidence::BlockKind;
use vsota_core::facts::{Framework, GapVerdict};
use vsota_core::phase::{Case, GapDecision, InLoop as _};
use vsota_core::text::Name;
use vsota_core::verdict::{Action, Verdict};

use crate::chronicle::{self, Chronicle};
use crate::commands::bench::run::due;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Reading;
use crate::output::{Outcome, Text};
use crate::runner::{BuildArgs, Limits, Member, Runner, commit_of};
use crate::transition::Transition;

/// Blocks between two looks: an order and its reverse.
const LOOK: usize = 2;

/// Run interleaved blocks of vLLM and its competitors, two at a time, till the gap is decided
///
/// Every value comes from a fresh launch; the order turns from block to block. Killed, the same command
/// goes on.
#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    builds: BuildArgs,

    /// A plan to take launches and builds from [default: the declared one]
    #[arg(long, value_name = "FILE")]
    plan: Option<Utf8PathBuf>,
}

#[derive(Serialize)]
struct View {
    blocks: usize,
    action: Action,
}

/// Runs blocks till the first decisive look.
///
/// # Errors
///
/// Refused outside a gap decision; busy when another run goes on; child when a block breaks again and
/// again.
pub fn run(context: &Context, args: RunArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let campaign = chronicle::campaign(&Reading::of(&run)?)?.0;
    due(&campaign, CommandKind::FileGapBlock)?;
    let runner = Runner::open(context, &run, args.plan.as_deref(), args.limits)?;
    runner.settle()?;
    let mut blocks = 0_usize;
    let mut last = None;
    loop {
        let wanted = with_gap(&runner, |gap| Ok(wanted(gap)))?;
        if wanted.is_empty() {
            break;
        }
        for _ in 0..LOOK {
            for scenario in &wanted {
                blocks = blocks.saturating_add(1);
                last = Some(block(&runner, scenario, blocks, args.builds)?);
            }
        }
        let shown = with_gap(&runner, |gap| Ok(told(&gap.verdict())))?;
        runner.progress.note(&shown);
        runner.progress.stands(shown);
    }
    let action = with_gap(&runner, |gap| Ok(gap.verdict().action))?;
    let text =
        Text::new().line(format!("{blocks} blocks; the verdict would be {action:?}")).clone();
    let view = View { blocks, action };
    runner.remove_builds(args.builds);
    runner.outcome(last, text, &view)
}

/// Looks at the gap decision as the journal has it now.
pub(super) fn with_gap<T>(
    runner: &Runner<'_>,
    look: impl FnOnce(&GapDecision) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let campaign = runner.campaign()?;
    match campaign.state() {
        State::GapDecision(gap) => look(gap),
        _ => Err(Failure::usage("the gap decision is over")),
    }
}

/// The scenarios that still want blocks: two each first, then those that are undecided.
fn wanted(gap: &GapDecision) -> Vec<Name> {
    let short = |name: &&Name| counted(gap, name) < LOOK;
    let few: Vec<Name> = gap.case().charter.scenarios.keys().filter(short).cloned().collect();
    if !few.is_empty() {
        return few;
    }
    let verdict = gap.verdict();
    if verdict.action != Action::MoreRuns {
        return Vec::new();
    }
    let open = |it: Verdict| it == Verdict::Inconclusive;
    let undecided = verdict.scenarios.iter().filter(|it| open(it.verdict));
    undecided.map(|it| it.scenario.clone()).collect()
}

/// The blocks of this session that count.
fn counted(gap: &GapDecision, scenario: &Name) -> usize {
    let here = gap.kept().iter().filter(|it| it.session == gap.session());
    here.filter(|it| it.scenario == *scenario).count()
}

/// One block: vLLM first in every other one.
fn block(
    runner: &Runner<'_>,
    scenario: &Name,
    number: usize,
    how: BuildArgs,
) -> Result<Transition, Failure> {
    let (members, draw, chartered) = with_gap(runner, |gap| {
        let case = gap.case();
        let draw = counted(gap, scenario);
        let mut members = Vec::new();
        for framework in sides(case, scenario) {
            members.push(member(runner, case, scenario, framework, how)?);
        }
        if draw % 2 == 1 {
            members.reverse();
        }
        let chartered = case.charter.scenarios.get(scenario).map(|it| it.scenario.clone());
        Ok((members, draw, chartered))
    })?;
    let chartered = chartered.ok_or_else(|| Failure::usage("the scenario is not frozen"))?;
    runner.progress.now(&format!("block {number}: {scenario}, number {} of its session", draw + 1));
    let draw = u32::try_from(draw).unwrap_or(u32::MAX);
    Ok(runner.block(BlockKind::Gap, &chartered, &members, draw)?.step)
}

/// vLLM, and the competitors that passed and still run.
fn sides(case: &Case, scenario: &Name) -> Vec<Framework> {
    let rivals = case.charter.rivals(scenario);
    let live = rivals.into_iter().filter(|it| !case.blocked.contains(it));
    [Framework::Vllm].into_iter().chain(live).collect()
}

pub(super) fn member(
    runner: &Runner<'_>,
    case: &Case,
    scenario: &Name,
    framework: Framework,
    how: BuildArgs,
) -> Result<Member, Failure> {
    let no_row = || Failure::usage(format_args!("{framework} has no frozen row in {scenario}"));
    let winner = case.charter.scenarios.get(scenario).and_then(|it| it.winners.get(&framework));
    let winner = winner.ok_or_else(no_row)?;
    let best = case.best_command.get(scenario).filter(|_| framework == Framework::Vllm);
    let command = best.unwrap_or(&winner.server_command);
    let candidate = runner.winning(framework, command)?;
    if framework != Framework::Vllm {
        return Ok(Member(runner.job(candidate, None)?));
    }
    let chronicle = Chronicle::of(&Reading::of(runner.run)?)?;
    let commit = commit_of(&chronicle, &case.accepted);
    let mut job = runner.as_build(candidate, commit.as_deref(), how)?;
    job.tree = Some(case.accepted.to_string());
    Ok(Member(job))
}

/// The running intervals.
fn told(verdict: &GapVerdict) -> String {
    let mut parts = Vec::new();
    for it in &verdict.scenarios {
        for (framework, pair) in &it.competitors {
            let percent = |it: vsota_core::measure::Real| it.get().exp_m1() * 100.0;
            let interval =
                pair.lo.zip(pair.hi).map_or(String::from("no interval yet"), |(lo, hi)| {
                    format!("{:+.1} … {:+.1} %", percent(lo), percent(hi))
                });
            parts.push(format!("{} against {}: {interval}", it.scenario, framework.title()));
        }
    }
    let more = match verdict.more_blocks {
        0 => String::new(),
        more => format!("; up to {more} more blocks a scenario"),
    };
    format!("{}: {:?}{more}", parts.join(", "), verdict.action)
}
