//! `vsota revalidate run`: RV-1, RL-9.

use camino::Utf8PathBuf;
use clap::Args;
use serde::Serialize;
use vsota_core::State;
use vsota_core::command::CommandKind;
use vsota_core::evidence::BlockKind;
use vsota_core::facts::{Build, Framework, Gain};
use vsota_core::phase::{InLoop as _, Revalidate, Trialled};
use vsota_core::text::Name;

use crate::chronicle::{self, Chronicle};
use crate::commands::bench::run::due;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Reading;
use crate::output::{Outcome, Text};
use crate::runner::{BuildArgs, Limits, Member, Runner, commit_of};
use crate::transition::Transition;

/// The blocks that every scenario has at least (RV-1).
const LEAST: usize = 4;

/// Run interleaved blocks of the new build and the accepted one
///
/// Every value comes from a fresh launch; the order turns from block to block. Killed, the same command
/// goes on. A build is taken from the plan by its commit, and made where it is missing.
#[derive(Args, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    builds: BuildArgs,

    /// A plan to take launches and builds from [default: the declared one]
    #[arg(long, value_name = "FILE")]
    plan: Option<Utf8PathBuf>,

    /// The most blocks a scenario, while the gain is not certain
    #[arg(long, value_name = "N", default_value_t = 8)]
    most: usize,
}

#[derive(Serialize)]
struct View {
    blocks: usize,
    gain: Option<Gain>,
}

/// Runs blocks till the gain is certain, or there are enough of them.
///
/// # Errors
///
/// Refused when nothing is on trial; busy when another run goes on; child when a block breaks again and
/// again.
pub fn run(context: &Context, args: RunArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let campaign = chronicle::campaign(&Reading::of(&run)?)?.0;
    due(&campaign, CommandKind::FileTrialBlock)?;
    let runner = Runner::open(context, &run, args.plan.as_deref(), args.limits)?;
    runner.settle()?;
    let mut blocks = 0_usize;
    let mut last = None;
    loop {
        let wanted = on_trial(&runner, |it| Ok(wanted(it, args.most)))?;
        if wanted.is_empty() {
            break;
        }
        for _ in 0..2 {
            for scenario in &wanted {
                blocks = blocks.saturating_add(1);
                last = Some(block(&runner, scenario, blocks, args.builds)?);
            }
        }
        let gain = on_trial(&runner, |it| Ok(it.gain()))?;
        runner.progress.note(&told(gain.as_ref()));
        runner.progress.stands(told(gain.as_ref()));
    }
    let gain = on_trial(&runner, |it| Ok(it.gain()))?;
    let text = Text::new().line(format!("{blocks} blocks; {}", told(gain.as_ref()))).clone();
    let view = View { blocks, gain };
    runner.remove_builds(args.builds);
    runner.outcome(last, text, &view)
}

fn on_trial<T>(
    runner: &Runner<'_>,
    look: impl FnOnce(&Revalidate) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let campaign = runner.campaign()?;
    match campaign.state() {
        State::Revalidate(it) => look(it),
        _ => Err(Failure::usage("nothing is on trial")),
    }
}

fn counted(it: &Revalidate, scenario: &Name) -> usize {
    it.kept().iter().filter(|it| it.scenario == *scenario).count()
}

/// The scenarios that still want blocks: four each first, then all while the gain is not certain.
fn wanted(it: &Revalidate, most: usize) -> Vec<Name> {
    let all = || it.case().charter.scenarios.keys();
    let few: Vec<Name> = all().filter(|name| counted(it, name) < LEAST).cloned().collect();
    let certain = it.gain().is_some_and(|it| it.lo.get() > 0.0 || it.hi.get() < 0.0);
    if !few.is_empty() || certain {
        return few;
    }
    all().filter(|name| counted(it, name) < most).cloned().collect()
}

fn block(
    runner: &Runner<'_>,
    scenario: &Name,
    number: usize,
    how: BuildArgs,
) -> Result<Transition, Failure> {
    let (members, draw, chartered) = on_trial(runner, |it| {
        let draw = counted(it, scenario);
        let mut members = builds(runner, it, scenario, how)?;
        if draw % 2 == 1 {
            members.reverse();
        }
        let chartered = it.case().charter.scenarios.get(scenario).map(|it| it.scenario.clone());
        Ok((members, draw, chartered))
    })?;
    let chartered = chartered.ok_or_else(|| Failure::usage("the scenario is not frozen"))?;
    runner.progress.now(&format!("block {number}: {scenario}, number {}", draw + 1));
    let draw = u32::try_from(draw).unwrap_or(u32::MAX);
    Ok(runner.block(BlockKind::Trial, &chartered, &members, draw)?.step)
}

/// The two builds; under a standing claim a fixup also meets every rival (RL-9).
fn builds(
    runner: &Runner<'_>,
    it: &Revalidate,
    scenario: &Name,
    how: BuildArgs,
) -> Result<Vec<Member>, Failure> {
    let case = it.case();
    let command = case.best_command.get(scenario);
    let command = command.ok_or_else(|| Failure::usage("vllm has no frozen row"))?;
    let candidate = runner.winning(Framework::Vllm, command)?;
    let chronicle = Chronicle::of(&Reading::of(runner.run)?)?;
    let mut members = Vec::new();
    for (which, tree) in
        [(Build::New, &it.trialled().head().tree), (Build::Accepted, &case.accepted)]
    {
        let commit = commit_of(&chronicle, tree);
        let mut job = match members.iter().any(|Member(it)| it.unbuilt.is_some()) {
            // Nobody launches the other side of what cannot be launched.
            true => runner.job(candidate, None)?,
            false => runner.as_build(candidate, commit.as_deref(), how)?,
        };
        (job.build, job.tree) = (Some(which), Some(tree.to_string()));
        members.push(Member(job));
    }
    if case.claim.is_some() && matches!(it.trialled(), Trialled::Fixup(_)) {
        let chartered = case.charter.scenarios.get(scenario);
        for rival in case.charter.rivals(scenario).iter().filter(|it| !case.blocked.contains(it)) {
            if let Some(winner) = chartered.and_then(|it| it.winners.get(rival)) {
                let candidate = runner.winning(*rival, &winner.server_command)?;
                members.push(Member(runner.job(candidate, None)?));
            }
        }
    }
    Ok(members)
}

fn told(gain: Option<&Gain>) -> String {
    let Some(gain) = gain else { return "no gain is known yet".to_owned() };
    let percent = |it: f64| it.exp_m1() * 100.0;
    format!(
        "gain {:+.1} % ({:+.1} … {:+.1} %) over {} blocks",
        gain.gain_pct.get(),
        percent(gain.lo.get()),
        percent(gain.hi.get()),
        gain.blocks
    )
}
