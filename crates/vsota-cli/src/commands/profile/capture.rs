//! `vsota profile capture`: PR-1 … PR-4, PR-8, RV-1.

mod inside;
mod outside;

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::evidence::search::Window;
use vsota_core::facts::{Framework, Stage};
use vsota_core::text::Name;

use super::analyze::{self, Analysed, DeviceArg, HowArgs};
use super::file::{Captured, LEAST};
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::given;
use crate::output::Outcome;
use crate::runner::{BuildArgs, Limits};

/// Launch servers with their profiler on, capture prefill and decode apart, and make the tables
///
/// In a campaign: what this round still owes, of the slow scenario, filed. Elsewhere, with `--plan`: the
/// first candidate of each framework, told as `profile analyze` tells it. Killed, the same command goes on.
#[derive(Args, Debug)]
pub struct CaptureArgs {
    /// A plan to take launches from; outside a campaign it is all that is needed [default: the
    /// declared one]
    #[arg(long, value_name = "FILE")]
    plan: Option<Utf8PathBuf>,

    /// This framework; once for each [default: those that are due, or all of the plan]
    #[arg(long)]
    framework: Vec<Framework>,

    /// Only this stage: prefill or decode [default: both]
    #[arg(long)]
    stage: Option<Stage>,

    /// Steps before the profiler is on
    #[arg(long, value_name = "N", default_value_t = Window::default().warmup)]
    warmup: u32,

    /// Steps that it sees
    #[arg(long, value_name = "N", default_value_t = Window::default().active)]
    active: u32,

    /// What work is: that of the devices, or the self time of operators on the host
    #[arg(long, value_enum, default_value_t = DeviceArg::Gpu)]
    device: DeviceArg,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    builds: BuildArgs,

    #[command(flatten)]
    elsewhere: ElsewhereArgs,
}

/// What only a capture outside a campaign is asked.
#[derive(Args, Debug)]
#[command(next_help_heading = "Outside a campaign")]
struct ElsewhereArgs {
    /// Another candidate of the plan than the first
    #[arg(long, value_name = "ID")]
    candidate: Option<Name>,

    /// The scenario whose lengths are used [default: the one with the longest requests]
    #[arg(long, value_name = "NAME")]
    scenario: Option<Name>,

    /// Where traces and logs go [default: a fresh directory for temporary files]
    #[arg(long, value_name = "DIR")]
    out: Option<Utf8PathBuf>,

    /// Hide rows below this share of their stage, in percent
    #[arg(long, value_name = "PCT", default_value_t = 1.0)]
    min_share: f64,
}

/// Captures.
///
/// # Errors
///
/// Refused when no profile is due; child when a server gives none; busy when another run goes on; bad
/// evidence when a trace has no work of the device.
pub fn run(context: &Context, args: CaptureArgs) -> Result<Outcome, Failure> {
    if args.active == 0 {
        return Err(Failure::usage("a window has at least one step").at_field("--active"));
    }
    if args.stage.is_some_and(|it| !matches!(it, Stage::Prefill | Stage::Decode)) {
        let message = "prefill and decode are captured, each by itself";
        return Err(Failure::usage(message).at_field("--stage"));
    }
    match (context.finder.find(), &args.plan) {
        (Ok(_), _) => inside::run(context, &args),
        (Err(failure), Some(plan)) if failure.kind() == Some(Kind::NoCampaign) => {
            outside::run(context, plan, &args)
        }
        (Err(failure), _) => Err(failure),
    }
}

impl CaptureArgs {
    fn window(&self) -> Window {
        Window { warmup: self.warmup, active: self.active }
    }

    fn wants(&self, framework: Framework) -> bool {
        self.framework.is_empty() || self.framework.contains(&framework)
    }

    fn stages(&self) -> Vec<Stage> {
        let both = [Stage::Prefill, Stage::Decode].into_iter();
        both.filter(|it| self.stage.is_none_or(|only| only == *it)).collect()
    }
}

/// The tables of a stage's traces, and where they lie.
struct Tables {
    stage: Stage,
    done: Analysed,
    report: Utf8PathBuf,
    traces: Vec<Utf8PathBuf>,
}

impl Tables {
    /// Makes them of everything in the stage's directory, and leaves the report beside it.
    fn of(dir: &Utf8Path, stage: Stage, how: &HowArgs, least: f64) -> Result<Self, Failure> {
        let traces = dir.join(stage.as_str());
        let chosen = crate::traces::choose(&[traces])?;
        let mut done = analyze::made(&chosen.files, how)?;
        done.report.hide_below(least);
        let report = dir.join(format!("{stage}.profile.json"));
        let bytes = serde_json::to_vec(&done.report).map_err(|error| given::misread(&error))?;
        fs::write(&report, bytes).map_err(|error| Failure::file("write", &report, &error))?;
        Ok(Self { stage, done, report, traces: chosen.files })
    }
}

/// Leaves word of how a stage was captured.
fn note(dir: &Utf8Path, captured: &Captured) -> Result<Utf8PathBuf, Failure> {
    let path = dir.join(format!("{}.capture.json", captured.stage));
    let bytes = serde_json::to_vec_pretty(captured).map_err(|error| given::misread(&error))?;
    fs::write(&path, bytes).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(path)
}
