//! `vsota profile analyze`: the three tables of traces (PR-4, PR-5). No campaign is needed.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use vsota_core::evidence::tables::{
    Catalogue, Device, ProfileReport, Role, Source, StageReport, analyze, base_name, framework_of,
};
use vsota_core::facts::{Framework, Stage};

use crate::context::Context;
use crate::failure::Failure;
use crate::gather::bad;
use crate::output::{Outcome, Style, Text};
use crate::rundir::intake;
use crate::table::Table;
use crate::traces::{self, LimitArgs};

/// Make the kernel, overlap and fuse tables of traces of the torch profiler
#[derive(Args, Debug)]
pub struct AnalyzeArgs {
    /// Chrome traces, plain or gzip, or directories of them
    #[arg(required = true, value_name = "TRACE|DIR")]
    traces: Vec<Utf8PathBuf>,

    #[command(flatten)]
    how: HowArgs,

    /// Show only this stage
    #[arg(long)]
    stage: Option<Stage>,

    /// Hide rows below this share of their stage, in percent
    #[arg(long, value_name = "PCT", default_value_t = 1.0)]
    min_share: f64,
}

/// How traces become tables.
#[derive(Args, Clone, Debug)]
pub struct HowArgs {
    /// Whose traces they are, where they do not tell it themselves
    #[arg(long)]
    framework: Option<Framework>,

    /// A trace with Python stacks of the same server, for locations only; once for each
    #[arg(long, value_name = "TRACE")]
    mapping: Vec<Utf8PathBuf>,

    /// What work is: that of the devices, or the self time of operators on the host
    #[arg(long, value_enum, default_value_t = DeviceArg::Gpu)]
    device: DeviceArg,

    /// Fusions to know besides the own, `vsota-fuse/1`
    #[arg(long, value_name = "FILE")]
    fusions: Option<Utf8PathBuf>,

    /// The model that ran: fusions of some models are told only for them
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    #[command(flatten)]
    limits: LimitArgs,
}

impl HowArgs {
    /// Tables of traces that are known: whose they are, and what work is.
    pub(super) fn of(framework: Framework, device: DeviceArg, model: Option<String>) -> Self {
        let limits = LimitArgs::usual();
        let framework = Some(framework);
        Self { framework, mapping: Vec::new(), device, fusions: None, model, limits }
    }
}

/// What counts as work.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum DeviceArg {
    /// Kernels, copies and fills
    Gpu,
    /// Operators on the host
    Cpu,
}

/// Stands before a location that a mapping trace told.
const MAPPED: &str = "~";

/// What was made of traces, and what was passed over.
pub struct Analysed {
    /// The tables.
    pub report: ProfileReport,
    /// The traces.
    pub sources: Vec<Source>,
    left: Vec<(Utf8PathBuf, String)>,
}

/// Prints the tables.
///
/// # Errors
///
/// Bad evidence with the byte, when a file is no trace or holds no work of the device.
pub fn run(_: &Context, args: AnalyzeArgs) -> Result<Outcome, Failure> {
    if !(0.0..=100.0).contains(&args.min_share) {
        return Err(Failure::usage("a share is 0 to 100 percent").at_field("--min-share"));
    }
    let mut done = made(&args.traces, &args.how)?;
    done.report.hide_below(args.min_share / 100.0);
    if let Some(stage) = args.stage {
        done.report.only(stage);
    }
    Outcome::new(shown(&done, args.min_share), &done.report)
}

/// Makes the tables of traces.
///
/// # Errors
///
/// As [`run`].
pub fn made(paths: &[Utf8PathBuf], how: &HowArgs) -> Result<Analysed, Failure> {
    let chosen = traces::choose(paths)?;
    let (mut sources, mut left) = (Vec::new(), chosen.left);
    for path in &chosen.files {
        match traces::read(path, Role::Formal, how.limits) {
            Ok(source) => sources.push(source),
            // Of a directory that was searched, a file that is no trace is only told.
            Err(failure) if chosen.searched && chosen.files.len() > 1 => {
                left.push((path.clone(), crate::output::told(&failure).render(false)));
            }
            Err(failure) => return Err(failure),
        }
    }
    for path in &how.mapping {
        sources.push(traces::read(path, Role::Mapping, how.limits)?);
    }
    let device = match how.device {
        DeviceArg::Gpu => Device::Gpu,
        DeviceArg::Cpu => Device::Cpu,
    };
    let first = chosen.files.first().cloned().unwrap_or_default();
    let framework = how.framework.or_else(|| framework_of(&sources)).ok_or_else(|| {
        let message = "nothing in the trace tells whose it is: name it with --framework";
        Failure::bad_evidence(message).in_file(&first)
    })?;
    let catalogue = catalogue(how)?;
    let report = analyze(framework, &sources, device, &catalogue);
    let report = report.ok_or_else(|| idle(&sources, device).in_file(&first))?;
    Ok(Analysed { report, sources, left })
}

fn catalogue(how: &HowArgs) -> Result<Catalogue, Failure> {
    let own = Catalogue::own().map_err(|error| bad(&error, "fuse.json"))?;
    let all = match &how.fusions {
        Some(path) => {
            let bytes = intake::read(path, intake::LIMIT)?;
            own.with(Catalogue::read(&bytes).map_err(|error| bad(&error, path))?)
        }
        None => own,
    };
    Ok(all.of_model(how.model.as_deref()))
}

fn idle(sources: &[Source], device: Device) -> Failure {
    let ops: usize = sources.iter().map(|it| it.trace.ops.len()).sum();
    let events: u64 = sources.iter().map(|it| it.trace.events).sum();
    Failure::bad_evidence(match device {
        Device::Gpu if ops > 0 => format!(
            "no GPU work among {events} events: kernels, copies and fills are expected; --device \
             cpu makes the tables of the {ops} operators on the host"
        ),
        Device::Gpu => format!("no GPU work among {events} events"),
        Device::Cpu => format!("no operator on the host among {events} events"),
    })
}

fn milliseconds(ns: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let ms = ns as f64 / 1e6;
    format!("{ms:.3}")
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A name of at most so many characters, cut in the middle.
fn short(name: &str, most: usize) -> String {
    let count = name.chars().count();
    if count <= most {
        return name.to_owned();
    }
    let half = most.saturating_sub(1) / 2;
    let first: String = name.chars().take(most - 1 - half).collect();
    let last: String = name.chars().skip(count - half).collect();
    format!("{first}…{last}")
}

/// The end of a location, which says most.
fn tail(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let rest: String = text.chars().skip(count - most + 1).collect();
    format!("…{rest}")
}

pub(super) fn shown(done: &Analysed, least: f64) -> Text {
    let report = &done.report;
    let mut text = Text::new();
    text.push(Style::Strong, report.framework.title()).plain(format!(" on {}", report.device));
    let ranks: Vec<String> = report.ranks.iter().map(ToString::to_string).collect();
    text.line(format!(", rank {}", ranks.join(", ")));
    for trace in &report.traces {
        let of = if trace.mock { ", made up by a mock" } else { "" };
        text.line(format!("  {} ({} bytes){of}", trace.file, trace.bytes));
    }
    for stage in &report.stages {
        of_stage(&mut text, stage, least);
    }
    text.end().line(format!(
        "without a location: {}; of no known category: {} (of all work)",
        percent(report.unlocated_share),
        percent(report.unclassified_share),
    ));
    for source in &done.sources {
        let odd = source.trace.odd;
        if odd.no_duration > 0 {
            let n = odd.no_duration;
            text.push(Style::Warn, "note  ");
            text.line(format!("{}: {n} pieces of GPU work without a duration", source.file));
        }
        if odd.negative > 0 {
            text.push(Style::Warn, "note  ");
            let n = odd.negative;
            text.line(format!("{}: {n} host events that end before they start", source.file));
        }
    }
    for (path, why) in &done.left {
        text.push(Style::Dim, "left  ").line(format!("{path}: {}", why.trim()));
    }
    text
}

fn of_stage(text: &mut Text, stage: &StageReport, least: f64) {
    let count = |it: Option<u64>| it.map_or("unknown".to_owned(), |it| it.to_string());
    let tokens = stage.tokens.map_or(String::new(), |it| {
        format!(", prompt tokens {}, generated {}", count(it.prefill), count(it.decode))
    });
    text.end().push(Style::Strong, stage.stage.to_string());
    text.line(format!(
        ": {} {}{tokens}; {} ms of work in {} ms",
        stage.passes,
        if stage.passes == 1 { "pass" } else { "passes" },
        milliseconds(stage.total_ns),
        milliseconds(stage.busy_ns),
    ));
    text.line(format!("  share: of the summed time of the stage; rows of at least {least}%"));
    let mut kernels =
        Table::new(["#", "kernel", "category", "ms", "share", "launches", "location"]);
    for row in &stage.kernels {
        let location = row.locations.first().map_or("-".to_owned(), |it| {
            let more =
                if it.share < 0.9995 { format!(" ({})", percent(it.share)) } else { String::new() };
            let from = if row.mapped { MAPPED } else { "" };
            format!("{from}{}{more}", tail(&it.location, 34))
        });
        kernels.row([
            row.row.n.to_string(),
            short(base_name(&row.name), 25),
            row.category.as_str().to_owned(),
            milliseconds(row.total_ns),
            percent(row.share),
            row.launches.to_string(),
            location,
        ]);
    }
    text.block(kernels.render());
    if stage.kernels.iter().any(|it| it.mapped) {
        text.line("  ~ located by a mapping trace: its shares, applied to the time of this one");
    }
    if let Some(rows) = &stage.overlap {
        if rows.is_empty() {
            text.line("  overlap: no kernel has room or is hidden");
        } else {
            let heads = ["overlap", "verdict", "kernel", "ms", "alone", "hidden", "risk", "advice"];
            let mut overlap = Table::new(heads);
            for row in rows {
                let name = stage.kernels.iter().find(|it| it.row == row.kernel);
                let name = name.map_or(String::new(), |it| short(base_name(&it.name), 25));
                overlap.row([
                    format!("{} {}", row.row.n, row.priority),
                    row.verdict.to_owned(),
                    format!("{} {name}", row.kernel.n),
                    milliseconds(row.total_ns),
                    percent(row.exclusive_share),
                    percent(row.hidden_share),
                    row.risk.to_owned(),
                    row.advice.to_owned(),
                ]);
            }
            text.block(overlap.render());
        }
    }
    let fuse = stage.fuse.as_deref().unwrap_or_default();
    if fuse.is_empty() {
        text.line("  fuse: no known fusion matches");
        return;
    }
    let mut table =
        Table::new(["fuse", "pattern", "confidence", "ms", "share", "kernels", "source"]);
    for row in fuse {
        let kernels: Vec<String> = row.kernels.iter().map(|it| it.n.to_string()).collect();
        table.row([
            row.row.n.to_string(),
            short(&row.pattern, 40),
            row.confidence.to_owned(),
            milliseconds(row.total_ns),
            percent(row.share),
            short(&kernels.join(" "), 14),
            short(row.candidate_path.as_deref().unwrap_or("-"), 24),
        ]);
    }
    text.block(table.render());
}
