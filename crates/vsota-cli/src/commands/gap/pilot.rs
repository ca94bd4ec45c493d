//! `vsota gap pilot`: GD-2, GD-7.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use serde::Serialize;
use vsota_core::Brief;
use vsota_core::command::CommandKind;
use vsota_core::evidence::search::{Candidate, ENDPOINT, Known, Plan};
use vsota_core::facts::{Framework, Metric, Scenario};
use vsota_core::measure::{Measured, Real};
use vsota_core::phase::InLoop as _;
use vsota_core::text::{Line, Name};
use vsota_core::verdict::{
    Interval, Noise, blocks_for, log_ratios, logs, noise, order_effect, outliers, pooled, slope_t,
};

use super::run::{member, with_gap};
use crate::chronicle;
use crate::commands::bench::run::due;
use crate::context::Context;
use crate::failure::Failure;
use crate::gather::bad;
use crate::given;
use crate::journal::Reading;
use crate::output::{Outcome, Style, Text};
use crate::runner::{BuildArgs, Limits, Member, Mocks, Pilot, Rig, Runner, Series};
use crate::table::Table;

/// The differences whose price is told, in percent.
const DIFFERENCES: [u32; 3] = [1, 2, 5];

/// How many blocks a verdict may look at.
const BLOCKS: [&str; 7] = ["4", "6", "8", "12", "16", "24", "32"];

/// Measure the noise here: fresh launches of one command, in turn, and what that lets be decided
///
/// Outside a campaign (--plan) one candidate is compared with itself, or with another one (--against).
/// In a campaign's gap decision vLLM's current best command is compared with itself alone: a look at a
/// competitor that no block keeps would be another roll of the dice (GD-7). Nothing is filed.
#[derive(Args, Debug)]
pub struct PilotArgs {
    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    builds: BuildArgs,

    /// A plan to take the launches from; no campaign is needed then
    #[arg(long, value_name = "FILE")]
    plan: Option<Utf8PathBuf>,

    /// The candidate that is launched [default: the first of the plan]
    #[arg(long, value_name = "ID", requires = "plan")]
    candidate: Option<Name>,

    /// The candidate that it is compared with [default: itself]
    #[arg(long, value_name = "ID", requires = "plan")]
    against: Option<Name>,

    /// Only this scenario [default: all of the plan]
    #[arg(long, value_name = "NAME")]
    scenario: Option<Name>,

    /// Blocks of two launches each
    #[arg(long, value_name = "N", default_value = "8",
          value_parser = PossibleValuesParser::new(BLOCKS).map(|it| it.parse::<u32>().unwrap_or(8)))]
    blocks: u32,

    /// Keep logs and results of the launches in this directory
    #[arg(long, value_name = "DIR")]
    keep: Option<Utf8PathBuf>,
}

/// What is printed.
#[derive(Serialize)]
struct View {
    a: Name,
    b: Name,
    mock: bool,
    scenarios: Vec<ScenarioView>,
    kept: Option<String>,
}

#[derive(Serialize)]
struct ScenarioView {
    scenario: Name,
    metric: Metric,
    a: Vec<Measured>,
    b: Vec<Measured>,
    redone: u32,
    noise: Option<Noise>,
    interval: Option<Interval>,
    block_seconds: f64,
    needs: Vec<Need>,
    flags: Vec<String>,
}

/// What it takes to tell a difference from none, four times out of five.
#[derive(Serialize)]
struct Need {
    difference_pct: u32,
    /// Absent where 32 blocks do not tell it.
    blocks: Option<u32>,
    seconds: Option<f64>,
}

/// Makes the blocks and says what they show.
///
/// # Errors
///
/// Bad evidence when the plan is none, or has no such candidate or scenario; refused in a campaign outside
/// its gap decision; busy when a run goes on there; child when a block breaks again and again.
pub fn run(context: &Context, args: PilotArgs) -> Result<Outcome, Failure> {
    let view = match &args.plan {
        Some(path) => outside(context, &args, path)?,
        None => inside(context, &args)?,
    };
    Outcome::new(told(&view), &view)
}

/// Two candidates of a plan file, where no campaign is.
fn outside(context: &Context, args: &PilotArgs, path: &Utf8Path) -> Result<View, Failure> {
    let text = given::text(context, path)?;
    let mut plan = Plan::read(&text, &Known::default()).map_err(|error| bad(&error, path))?;
    plan.serving.endpoint = plan.serving.endpoint.or_else(|| Line::new(ENDPOINT).ok());
    let none =
        |what: &str| Failure::bad_evidence(format_args!("the plan has {what}")).in_file(path);
    let find = |id: &Name| {
        let ids: Vec<&str> = all(&plan).map(|it| it.id.as_str()).collect();
        plan.candidate(id).cloned().ok_or_else(|| {
            none(&format!("no candidate {id}; it has {}", ids.join(", "))).at_field("candidate")
        })
    };
    let a = match &args.candidate {
        Some(id) => find(id)?,
        None => all(&plan).next().cloned().ok_or_else(|| none("no candidate"))?,
    };
    let b = args.against.as_ref().map_or_else(|| Ok(a.clone()), find)?;
    let scenarios = chosen(plan.scenarios(), args.scenario.as_ref())
        .ok_or_else(|| none("no such scenario").at_field("scenarios"))?;
    let rig = Rig::new(context, plan, args.limits, Brief::default(), Mocks::Allowed);
    let sides = [rig.job(&a, None)?, rig.job(&b, None)?];
    let place = Place::new(args.keep.as_deref())?;
    let pilot = Pilot { rig: &rig, sides, scenarios, dir: place.path()? };
    let series = place.ending(pilot.blocks(args.blocks))?;
    Ok(View::of(&a.id, &b.id, series, args))
}

/// vLLM's best command against itself, in the gap decision of a campaign.
fn inside(context: &Context, args: &PilotArgs) -> Result<View, Failure> {
    let run = context.run_dir()?;
    let campaign = chronicle::campaign(&Reading::of(&run)?)?.0;
    due(&campaign, CommandKind::FileGapBlock)?;
    let runner = Runner::open(context, &run, None, args.limits)?;
    runner.settle()?;
    let scenarios: Vec<Scenario> = with_gap(&runner, |gap| {
        Ok(gap.case().charter.scenarios.values().map(|it| it.scenario.clone()).collect())
    })?;
    let scenarios = chosen(&scenarios, args.scenario.as_ref())
        .ok_or_else(|| Failure::usage("no such scenario is frozen").at_field("--scenario"))?;
    let mut all = Vec::new();
    let mut id = None;
    for scenario in scenarios {
        // A scenario has a best command of its own.
        let job = with_gap(&runner, |gap| {
            let Member(job) =
                member(&runner, gap.case(), &scenario.name, Framework::Vllm, args.builds)?;
            Ok(job)
        })?;
        id.get_or_insert_with(|| job.launch.candidate.clone());
        let dir = match &args.keep {
            Some(dir) => fresh(&dir.join(scenario.name.as_str()))?,
            None => runner.place("pilot")?,
        };
        let sides = [job.clone(), job];
        let pilot = Pilot { rig: &runner, sides, scenarios: vec![scenario], dir: dir.clone() };
        all.extend(pilot.blocks(args.blocks)?);
        if args.keep.is_none() {
            runner.forget(&dir);
        }
    }
    runner.remove_builds(args.builds);
    let id = id.ok_or_else(|| Failure::usage("no scenario is frozen"))?;
    Ok(View::of(&id, &id, all, args))
}

fn all(plan: &Plan) -> impl Iterator<Item = &Candidate> {
    plan.searches.iter().flat_map(|it| &it.candidates)
}

/// The scenarios that are run; `None` when there is none of that name.
fn chosen(all: &[Scenario], name: Option<&Name>) -> Option<Vec<Scenario>> {
    let wanted = |it: &&Scenario| name.is_none_or(|name| it.name == *name);
    let found: Vec<Scenario> = all.iter().filter(wanted).cloned().collect();
    (!found.is_empty()).then_some(found)
}

/// Where the launches of a pilot lie.
enum Place {
    Kept(Utf8PathBuf),
    /// Removed at the end, unless the pilot failed.
    Passing(tempfile::TempDir),
}

impl Place {
    fn new(keep: Option<&Utf8Path>) -> Result<Self, Failure> {
        match keep {
            Some(dir) => fresh(dir).map(Self::Kept),
            None => tempfile::Builder::new()
                .prefix("vsota-pilot-")
                .tempdir()
                .map(Self::Passing)
                .map_err(|error| Failure::io(format_args!("no directory for logs: {error}"))),
        }
    }

    fn path(&self) -> Result<Utf8PathBuf, Failure> {
        let path = match self {
            Self::Kept(dir) => return Ok(dir.clone()),
            Self::Passing(dir) => dir.path().to_owned(),
        };
        Utf8PathBuf::from_path_buf(path)
            .map_err(|_| Failure::usage("the directory for temporary files is not UTF-8"))
    }

    /// Logs of what failed are worth reading.
    fn ending<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        if result.is_err()
            && let Self::Passing(dir) = self
        {
            drop(dir.keep());
        }
        result
    }
}

/// A directory with nothing in it, as an absolute path.
fn fresh(dir: &Utf8Path) -> Result<Utf8PathBuf, Failure> {
    std::fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
    let whole = dir.canonicalize_utf8();
    let whole = whole.map_err(|error| Failure::file("resolve", dir, &error))?;
    let mut inside = whole.read_dir_utf8().map_err(|error| Failure::file("list", dir, &error))?;
    match inside.next() {
        None => Ok(whole),
        Some(_) => Err(Failure::usage("the directory is not empty; name a fresh one").in_file(dir)),
    }
}

impl View {
    fn of(a: &Name, b: &Name, series: Vec<Series>, args: &PilotArgs) -> Self {
        let alike = a == b;
        Self {
            a: a.clone(),
            b: b.clone(),
            mock: series.iter().any(|it| it.mock),
            scenarios: series.into_iter().filter_map(|it| ScenarioView::of(it, alike)).collect(),
            kept: args.keep.as_ref().map(ToString::to_string),
        }
    }
}

impl ScenarioView {
    fn of(it: Series, alike: bool) -> Option<Self> {
        let metric = it.scenario.objective;
        let (better, worse) =
            if metric.higher_is_better() { (&it.a, &it.b) } else { (&it.b, &it.a) };
        let ratios = log_ratios(better, worse).ok()?;
        // A verdict stops at the first look that decides; a pilot has all its blocks.
        let interval = pooled(&ratios);
        let noise = noise(&ratios);
        let block = it.block.as_secs_f64();
        let needs = DIFFERENCES.iter().map(|percent| {
            let far = Real::new((f64::from(*percent) / 100.0).ln_1p()).ok();
            let blocks = far.zip(noise).and_then(|(far, noise)| blocks_for(far, noise.sd));
            let seconds = blocks.map(|it| f64::from(it) * block);
            Need { difference_pct: *percent, blocks, seconds }
        });
        let needs = needs.collect();
        let flags = flags(&it, &ratios, interval.as_ref(), alike);
        let (a, b, redone) = (it.a, it.b, it.redone);
        let scenario = it.scenario.name;
        Some(Self {
            scenario,
            metric,
            a,
            b,
            redone,
            noise,
            interval,
            block_seconds: block,
            needs,
            flags,
        })
    }
}

/// What is to be looked at before these numbers are believed.
fn flags(it: &Series, ratios: &[Real], interval: Option<&Interval>, alike: bool) -> Vec<String> {
    let mut flags = Vec::new();
    let apart = |it: &Interval| it.lo.get() > 0.0 || it.hi.get() < 0.0;
    if alike && interval.is_some_and(apart) {
        flags.push("one command differs from itself: something else changes here".to_owned());
    }
    if order_effect(ratios, &it.order).is_ok_and(|it| it.flag) {
        flags.push("who runs first matters".to_owned());
    }
    for (what, values) in [("a", &it.a), ("b", &it.b)] {
        if slope_t(&logs(values)).flag {
            flags.push(format!("the level of {what} drifts"));
        }
    }
    if slope_t(ratios).flag {
        flags.push("the difference drifts".to_owned());
    }
    for at in outliers(ratios) {
        flags.push(format!("block {} is an outlier", at.saturating_add(1)));
    }
    let blocks = u32::try_from(it.order.len()).unwrap_or(u32::MAX);
    if it.redone.saturating_mul(3) > blocks {
        flags.push(format!("{} blocks broke: the rig is not qualified", it.redone));
    }
    flags
}

fn told(view: &View) -> Text {
    let mut text = Text::new();
    text.push(Style::Strong, "noise  ");
    match view.a == view.b {
        true => text.line(format!("of {}, launched against itself", view.a)),
        false => text.line(format!("of {} against {}", view.a, view.b)),
    };
    if view.mock {
        text.push(Style::Warn, "mock   ")
            .line("a mock made these numbers up: they measure nothing");
    }
    let mut table =
        Table::new(["scenario", "metric", "blocks", "CV %", "90 %", "difference %", "interval %"]);
    for it in &view.scenarios {
        let noise = it.noise.as_ref();
        let percent = |it: Real| format!("{:+.2}", it.get().exp_m1() * 100.0);
        let interval = it.interval.as_ref();
        table.row([
            it.scenario.to_string(),
            it.metric.to_string(),
            it.a.len().to_string(),
            noise.map_or("-".to_owned(), |it| format!("{:.2}", it.cv_pct.get())),
            noise.map_or("-".to_owned(), |it| {
                format!("{:.2} … {:.2}", it.cv_lo_pct.get(), it.cv_hi_pct.get())
            }),
            interval.map_or("-".to_owned(), |it| percent(it.mean)),
            interval
                .map_or("-".to_owned(), |it| format!("{} … {}", percent(it.lo), percent(it.hi))),
        ]);
    }
    text.block(table.render());
    text.push(Style::Strong, "what it takes here")
        .line("  to tell so much from nothing, 4 times in 5");
    let mut table = Table::new(["scenario", "1 %", "2 %", "5 %"]);
    for it in &view.scenarios {
        let mut cells = it.needs.iter().map(cost);
        let mut cell = || cells.next().unwrap_or_default();
        table.row([it.scenario.to_string(), cell(), cell(), cell()]);
    }
    text.block(table.render());
    text.line("1 % is what a tie needs, and what is 2 % slower (GD-2)");
    for it in &view.scenarios {
        for flag in &it.flags {
            text.push(Style::Warn, "flag   ").line(format!("{}: {flag}", it.scenario));
        }
    }
    if let Some(dir) = &view.kept {
        text.plain("kept   ").line(dir);
    }
    text
}

fn cost(it: &Need) -> String {
    let (Some(blocks), Some(seconds)) = (it.blocks, it.seconds) else {
        return "more than 32 blocks".to_owned();
    };
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).as_secs();
    match (time / 3_600, time / 60 % 60) {
        (0, 0) => format!("{blocks} blocks, {time} s"),
        (0, minutes) => format!("{blocks} blocks, {minutes} min"),
        (hours, minutes) => format!("{blocks} blocks, {hours} h {minutes:02} min"),
    }
}
