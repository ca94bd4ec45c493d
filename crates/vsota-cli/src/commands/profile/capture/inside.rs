//! In a campaign: what this round still owes is captured and filed, one stage an event.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use vsota_core::command::CommandKind;
use vsota_core::facts::{Framework, Profile, Scenario, Stage};
use vsota_core::phase::{Case, InLoop as _, Triage};
use vsota_core::text::{Argv, Line, Name};
use vsota_core::{GitId, State};

use super::super::file::{self, FileArgs};
use super::{BuildArgs, CaptureArgs, Captured, HowArgs, LEAST, Tables, note};
use crate::chronicle::{self, Chronicle};
use crate::commands::bench::run::due;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::gather::bad;
use crate::journal::{Reading, rel};
use crate::output::{Outcome, Style, Text};
use crate::runner::{Camera, Job, NotTaken, Runner, commit_of};
use crate::transition::Transition;

#[derive(Serialize)]
struct View {
    filed: Vec<String>,
    /// What could not be captured, with the log of its launch.
    failed: Vec<NotCaptured>,
}

#[derive(Serialize)]
struct NotCaptured {
    framework: Framework,
    reason: String,
    log: String,
}

/// One framework's open stages.
struct Owed {
    framework: Framework,
    command: Argv,
    /// The tree that must run, for vLLM.
    tree: Option<GitId>,
    stages: Vec<Stage>,
    scenario: Scenario,
    round: u32,
}

/// Captures and files what is owed.
pub(super) fn run(context: &Context, args: &CaptureArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let campaign = chronicle::campaign(&Reading::of(&run)?)?.0;
    due(&campaign, CommandKind::FileProfile)?;
    let runner = Runner::open(context, &run, args.plan.as_deref(), args.limits)?;
    runner.settle()?;
    let mut view = View { filed: Vec::new(), failed: Vec::new() };
    let mut last = None;
    let all = owed(&runner, args)?;
    for (k, it) in (1..).zip(&all) {
        let stages: Vec<&str> = it.stages.iter().map(|it| it.as_str()).collect();
        let what = format!("{} in {}: {}", it.framework, it.scenario.name, stages.join(", "));
        runner.progress.step((k, all.len()), &what);
        last = capture(context, &runner, args, it, &mut view)?.or(last);
    }
    let mut text = Text::new();
    text.line(format!("{} profiles filed", view.filed.len()));
    for it in &view.failed {
        let NotCaptured { framework, reason, log } = it;
        text.push(Style::Warn, "not captured  ").line(format!("{framework}: {reason}"));
        let help = format!("vsota profile waive {framework} --log {log} --reason TEXT");
        text.plain("              ").push(Style::Code, help).end();
    }
    runner.remove_builds(args.builds);
    let outcome = runner.outcome(last, text, &view)?;
    match view.failed.is_empty() {
        true => Ok(outcome),
        false => Ok(Outcome { exit: crate::exit::Exit::Failed, ..outcome }),
    }
}

/// The profiles that are still missing (PR-1, PR-2, RV-1).
fn owed(runner: &Runner<'_>, args: &CaptureArgs) -> Result<Vec<Owed>, Failure> {
    let campaign = runner.campaign()?;
    let (case, triage, filed): (_, _, Vec<&Profile>) = match campaign.state() {
        State::Profiling(it) => {
            (it.case(), Some(it.triage()), it.triage().profiles.iter().collect())
        }
        // A profile of another command than the blocks measured is owed anew.
        State::Revalidate(it) => {
            let shown = it.profiles().iter().filter(|profile| it.shows(profile));
            (it.case(), it.trialled().triage(), shown.collect())
        }
        _ => return Err(Failure::usage("no profile is due")),
    };
    let slow = slow(case, triage)?;
    let (new, measured) = match campaign.state() {
        State::Revalidate(it) => {
            (Some(it.trialled().head().tree.clone()), it.launched_with(&slow).cloned())
        }
        _ => (None, None),
    };
    let mut frameworks = args.framework.clone();
    if frameworks.is_empty() {
        frameworks.push(Framework::Vllm);
        if let (None, Some(triage)) = (&new, triage) {
            let rivals = triage.rivals().into_iter().map(|(it, _)| it);
            frameworks.extend(rivals.filter(|it| !triage.waived.contains(it)));
        }
    }
    let mut all = Vec::new();
    for framework in frameworks {
        let open = |stage: &Stage| !has(&filed, framework, *stage);
        let stages: Vec<Stage> = args.stages().into_iter().filter(open).collect();
        if stages.is_empty() {
            continue;
        }
        let tree = new.as_ref().unwrap_or(&case.accepted);
        all.push(Owed {
            framework,
            command: match measured.clone().filter(|_| framework == Framework::Vllm) {
                Some(measured) => measured,
                None => command(case, &slow, framework)?,
            },
            tree: (framework == Framework::Vllm).then(|| tree.clone()),
            stages,
            scenario: chartered(case, &slow)?,
            round: case.rounds,
        });
    }
    Ok(all)
}

fn has(filed: &[&Profile], framework: Framework, stage: Stage) -> bool {
    filed.iter().any(|it| it.framework == framework && it.stage == stage)
}

/// The slow scenario; a fixup, which nobody measured a gap for, takes the one with the longest requests.
fn slow(case: &Case, triage: Option<&Triage>) -> Result<Name, Failure> {
    if let Some(slow) = triage.and_then(|it| it.verdict.slow.clone()) {
        return Ok(slow);
    }
    let all = case.charter.scenarios.values().map(|it| &it.scenario);
    let longest = all.max_by_key(|it| u64::from(it.input_len) + u64::from(it.output_len));
    let longest = longest.ok_or_else(|| Failure::usage("no scenario is frozen"))?;
    Ok(longest.name.clone())
}

fn chartered(case: &Case, slow: &Name) -> Result<Scenario, Failure> {
    let found = case.charter.scenarios.get(slow).map(|it| it.scenario.clone());
    found.ok_or_else(|| Failure::usage(format_args!("{slow} is not frozen")))
}

/// The command whose profile counts: vLLM's best one, a rival's winning one (PR-1).
fn command(case: &Case, slow: &Name, framework: Framework) -> Result<Argv, Failure> {
    let winner = case.charter.scenarios.get(slow).and_then(|it| it.winners.get(&framework));
    let best = case.best_command.get(slow).filter(|_| framework == Framework::Vllm);
    let command = best.or(winner.map(|it| &it.server_command)).cloned();
    command.ok_or_else(|| Failure::usage(format_args!("{framework} has no frozen row in {slow}")))
}

/// Captures one framework and files its stages. A rival that gives no profile is noted; vLLM must.
fn capture(
    context: &Context,
    runner: &Runner<'_>,
    args: &CaptureArgs,
    it: &Owed,
    view: &mut View,
) -> Result<Option<Transition>, Failure> {
    let job = job(runner, it, args.builds)?;
    let model = runner.plan.serving.model.as_ref().map_or("", Line::as_str).to_owned();
    let how = HowArgs::of(it.framework, args.device, Some(model));
    let camera = Camera(runner);
    let mut last = None;
    let mut open = it.stages.clone();
    while !open.is_empty() {
        let dir = runner.place(&format!("profile-{}", it.framework))?;
        let launches = job.launch.profiled(&it.scenario, &open, args.window(), dir.as_str());
        let launches = launches.map_err(|error| bad(&error, "the plan"))?;
        // A framework that needs a launch for each stage gets a place for each.
        let Some(first) = launches.into_iter().next() else { break };
        let captured: Vec<Stage> = first.shots.iter().map(|it| it.stage).collect();
        open.retain(|it| !captured.contains(it));
        match camera.take(&first, it.tree.as_ref().map(GitId::as_str), &dir) {
            Ok(()) => {}
            Err(NotTaken::Framework(reason)) => {
                let log = keep_log(runner, it, &dir)?;
                let failure = Failure::child(&reason).in_file(&log);
                not_captured(runner, it, &dir, (failure, reason, log), view)?;
                return Ok(last);
            }
            Err(why) => return Err(Failure::from(why).in_file(dir.join("server.log"))),
        }
        for stage in captured {
            let step = match file(context, it, stage, &how, &dir) {
                Err(failure) if failure.kind() == Some(Kind::BadEvidence) => {
                    let log = keep_log(runner, it, &dir)?;
                    let reason = format!("its trace of {stage} tells nothing: {failure}");
                    not_captured(runner, it, &dir, (failure, reason, log), view)?;
                    return Ok(last);
                }
                other => other?,
            };
            view.filed.push(format!("{}:{stage}", it.framework));
            last = Some(step);
        }
        runner.forget(&dir);
    }
    Ok(last)
}

/// A rival that gave no profile is noted, with its log for a waiver (PR-8); vLLM must give one.
fn not_captured(
    runner: &Runner<'_>,
    it: &Owed,
    dir: &Utf8Path,
    (failure, reason, log): (Failure, String, Utf8PathBuf),
    view: &mut View,
) -> Result<(), Failure> {
    if it.framework == Framework::Vllm {
        return Err(failure);
    }
    runner.progress.note(&format!("{}: {reason}", it.framework));
    crate::failing::add(&log, &reason)?;
    let log = log.into_string();
    view.failed.push(NotCaptured { framework: it.framework, reason, log });
    runner.forget(dir);
    Ok(())
}

/// The launch, as the build of vLLM that is meant.
fn job(runner: &Runner<'_>, it: &Owed, how: BuildArgs) -> Result<Job, Failure> {
    let candidate = runner.winning(it.framework, &it.command)?;
    let commit = match &it.tree {
        Some(tree) => commit_of(&Chronicle::of(&Reading::of(runner.run)?)?, tree),
        None => None,
    };
    let job = runner.as_build(candidate, commit.as_deref(), how)?;
    match job.unbuilt {
        Some(it) => Err(Failure::child(it.reason).in_file(it.log)),
        None => Ok(job),
    }
}

/// Files one stage, as `profile file` does.
fn file(
    context: &Context,
    it: &Owed,
    stage: Stage,
    how: &HowArgs,
    dir: &Utf8Path,
) -> Result<Transition, Failure> {
    let (input_len, output_len) = it.scenario.shown_by(stage);
    let command: Vec<Line> =
        it.command.iter().map(Line::new).collect::<Result<_, _>>().map_err(Failure::usage)?;
    let captured = Captured {
        stage,
        scenario: it.scenario.name.clone(),
        round: Some(it.round),
        build: it.tree.clone(),
        command,
        launch: "server.log".to_owned(),
        input_len,
        output_len,
    };
    let capture = note(dir, &captured)?;
    let tables = Tables::of(dir, stage, how, LEAST)?;
    let how = how.clone();
    let Tables { report, traces, .. } = tables;
    file::filed(context, &FileArgs { file: report, how, capture, trace: traces, no_trace: false })
}

/// The log of a launch that gave no profile stays, for a waiver (PR-8).
fn keep_log(runner: &Runner<'_>, it: &Owed, dir: &Utf8Path) -> Result<Utf8PathBuf, Failure> {
    let from = dir.join("server.log");
    let bytes = fs::read(&from).map_err(|error| Failure::file("read", &from, &error))?;
    let name =
        format!("profiles/failed/r{}-{}-{}.log", it.round, it.framework, crate::short(&bytes));
    let to = runner.run.join(&rel(&name)?);
    let parent = to.parent().unwrap_or(Utf8Path::new("."));
    fs::create_dir_all(parent).map_err(|error| Failure::file("create", parent, &error))?;
    fs::write(&to, bytes).map_err(|error| Failure::file("write", &to, &error))?;
    Ok(to)
}
