//! `vsota bench plan`: FB-2, FB-12.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use clap::Args;
use serde::Serialize;
use vsota_core::command::DeclareSearch;
use vsota_core::evidence::command_line::join;
use vsota_core::evidence::search::{Candidate, Estimate, Launch, Part, Plan};
use vsota_core::facts::{
    Framework, LeftOut, PlannedLaunch, SearchPlan, SearchSpace, SkippedCandidate,
};
use vsota_core::text::{Line, Name};

use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::gather::bad;
use crate::given;
use crate::journal::{Reading, rel};
use crate::output::{Outcome, Style, Text};
use crate::planned;
use crate::transition;

/// Declare the bounded search: the candidates of each framework, baseline first
///
/// FILE is a plan or cookbook file of the companion, with ours beside its keys where wanted
/// (launchers, builds, scenarios, and benchmark_flags, env or candidates of a framework), or a list:
/// {"schema":"vsota-search/1","frameworks":{"vllm":{"whole":false,"candidates":[{"id":…,"server_command":[…]}]}}}
///
/// What the file leaves out is taken from the campaign. Every launch and run is printed before
/// anything starts.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// The plan, in YAML or JSON
    #[arg(value_name = "FILE")]
    file: Utf8PathBuf,
}

/// What is printed: the searches, then everything that they come to.
#[derive(Serialize)]
struct View<'a> {
    frameworks: BTreeMap<Framework, SpaceView<'a>>,
    unsupported: &'a [LeftOut],
    launches: Vec<LaunchView>,
    estimate: EstimateView,
    notes: &'a [String],
}

#[derive(Serialize)]
struct SpaceView<'a> {
    whole: bool,
    candidates: Vec<CandidateView<'a>>,
    skipped: &'a [SkippedCandidate],
    benchmark_commands: BTreeMap<Name, Vec<Line>>,
}

#[derive(Serialize)]
struct CandidateView<'a> {
    id: &'a Name,
    server_command: &'a [Line],
}

#[derive(Serialize)]
struct LaunchView {
    framework: Framework,
    candidate: Name,
    command: Vec<Line>,
    env: BTreeMap<Name, Line>,
    host: Line,
    port: u16,
    runs: Vec<RunView>,
}

#[derive(Serialize)]
struct RunView {
    scenario: Name,
    warmup_command: Option<Vec<Line>>,
    benchmark_command: Vec<Line>,
    seed: u32,
    result: String,
}

#[derive(Serialize)]
struct EstimateView {
    launches: u64,
    runs: u64,
    seconds: u64,
    launch_seconds: u64,
    token_us: u64,
}

/// Declares the search and prints its commands.
///
/// # Errors
///
/// Bad evidence when the file is not a plan; refused when it says something else than the campaign,
/// or a search is empty or too large.
pub fn run(context: &Context, args: PlanArgs) -> Result<Outcome, Failure> {
    let text = given::text(context, &args.file)?;
    let run = context.run_dir()?;
    let campaign = chronicle::campaign(&Reading::of(&run)?)?.0;
    let plan = planned::of_campaign(&campaign, &run, &text, &args.file)?;
    let launches = launches(&plan).map_err(|error| bad(&error, &args.file))?;
    let estimate = Estimate::of(&plan, &campaign.state().brief().sla());
    let kind = if args.file.extension() == Some("json") { "json" } else { "yaml" };
    let to = rel(&format!("benchmark/plan-{}.{kind}", crate::short(text.as_bytes())))?;
    let staged = run.stage_bytes(text.as_bytes(), args.file.as_str(), &to, &context.secrets)?;
    let search = declared(&plan, staged.artifact().clone());
    let view = view(&plan, &search, launches, &estimate);
    let taken = {
        let search = search.clone();
        transition::take_with(context, &run, vec![staged], |_| Ok(DeclareSearch(search).into()))?
    };
    taken.outcome_with(told(&view), &view)
}

fn as_planned(it: &Candidate) -> PlannedLaunch {
    PlannedLaunch::new(it.id.clone(), &it.server_command.iter().collect())
}

/// The plan as the journal keeps it.
fn declared(plan: &Plan, artefact: vsota_core::Artifact) -> SearchPlan {
    let spaces = plan.searches.iter().map(|it| SearchSpace {
        framework: it.framework,
        candidates: it.candidates.iter().map(as_planned).collect(),
        whole: it.whole,
        skipped: it
            .skipped
            .iter()
            .map(|it| SkippedCandidate {
                id: it.candidate.id.clone(),
                server_command: it.candidate.server_command.iter().collect(),
                reason: it.reason.clone(),
            })
            .collect(),
    });
    let left_out = plan.unsupported.iter();
    let left_out = left_out.map(|it| LeftOut { name: it.name.clone(), reason: it.reason.clone() });
    SearchPlan { plan: artefact, spaces: spaces.collect(), unsupported: left_out.collect() }
}

fn launches(plan: &Plan) -> Result<Vec<LaunchView>, vsota_core::evidence::EvidenceError> {
    let candidates = plan.searches.iter().flat_map(|it| &it.candidates);
    candidates.map(|it| launch(plan, it)).collect()
}

fn launch(
    plan: &Plan,
    candidate: &Candidate,
) -> Result<LaunchView, vsota_core::evidence::EvidenceError> {
    let launch = plan.launch(candidate, None, None)?;
    let runs = plan.scenarios().iter().map(|scenario| {
        let client = |part: Part, suffix: &str| {
            let dir = format!("benchmark/raw/{}", candidate.id);
            plan.client(&launch, scenario, part, 0, &dir, &format!("{}{suffix}", scenario.name))
        };
        let measured = client(Part::Measured, ".json")?;
        let warmup = client(Part::Warmup, "-warmup.json")?;
        Ok(RunView {
            scenario: scenario.name.clone(),
            warmup_command: (warmup.prompts > 0).then_some(warmup.argv),
            benchmark_command: measured.argv,
            seed: measured.seed,
            result: measured.result,
        })
    });
    let runs = runs.collect::<Result<_, _>>()?;
    let Launch { framework, candidate, argv, env, host, port, .. } = launch;
    Ok(LaunchView { framework, candidate, command: argv, env, host, port, runs })
}

fn view<'a>(
    plan: &'a Plan,
    search: &'a SearchPlan,
    launches: Vec<LaunchView>,
    estimate: &Estimate,
) -> View<'a> {
    let spaces = plan.searches.iter().zip(&search.spaces).map(|(it, space)| {
        let first = launches.iter().find(|launch| launch.framework == it.framework);
        let commands = first.iter().flat_map(|launch| &launch.runs);
        let commands = commands.map(|run| (run.scenario.clone(), run.benchmark_command.clone()));
        let candidates = it.candidates.iter();
        let candidates = candidates
            .map(|it| CandidateView { id: &it.id, server_command: &it.server_command })
            .collect();
        let benchmark_commands = commands.collect();
        let skipped = space.skipped.as_slice();
        (it.framework, SpaceView { whole: it.whole, candidates, skipped, benchmark_commands })
    });
    View {
        frameworks: spaces.collect(),
        unsupported: &search.unsupported,
        launches,
        estimate: EstimateView {
            launches: estimate.launches,
            runs: estimate.runs,
            seconds: estimate.total_ms / 1_000,
            launch_seconds: estimate.launch_ms / 1_000,
            token_us: estimate.token_us,
        },
        notes: &plan.notes,
    }
}

fn told(view: &View<'_>) -> Text {
    let mut text = Text::new();
    for (framework, space) in &view.frameworks {
        let whole = if space.whole { ", the whole declared space" } else { "" };
        text.push(Style::Strong, framework.title());
        text.line(format!("  {} candidates{whole}", space.candidates.len()));
        for it in view.launches.iter().filter(|it| it.framework == *framework) {
            let command = join(it.command.iter().map(Line::as_str));
            text.plain(format!("  {}  ", it.candidate)).push(Style::Code, command).end();
        }
        for it in space.skipped {
            text.plain(format!("  {}  ", it.id)).push(Style::Warn, "skipped  ");
            text.line(it.reason.as_str());
        }
        for (scenario, command) in &space.benchmark_commands {
            let command = join(command.iter().map(Line::as_str));
            text.plain(format!("  in {scenario}  ")).push(Style::Code, command).end();
        }
    }
    for it in view.unsupported {
        text.push(Style::Warn, "unsupported  ").line(format!("{}: {}", it.name, it.reason));
    }
    for it in view.notes {
        text.push(Style::Warn, "note  ").line(it);
    }
    let EstimateView { launches, runs, seconds, launch_seconds, token_us } = view.estimate;
    text.push(Style::Strong, "all of it").line(format!(
        "  {launches} launches, {runs} runs, about {} at {launch_seconds} s a launch and {} ms a token",
        span(seconds),
        f64::from(u32::try_from(token_us).unwrap_or(u32::MAX)) / 1_000.0,
    ));
    text
}

/// A time for people: `2 h 05 min`.
fn span(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes:02} min"),
    }
}
