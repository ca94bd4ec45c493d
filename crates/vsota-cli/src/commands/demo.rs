//! `vsota demo`: a whole campaign on made-up evidence, through the same commands that people type.

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Parser as _};
use serde::Serialize;
use serde_json::Value;
use vsota_core::Phase;
use vsota_fixtures::demo::{Demo, Files, Live, Step};

use crate::chronicle;
use crate::cli::Cli;
use crate::clock;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Why};
use crate::journal::{Head, Reading};
use crate::output::{Outcome, Style, Text, told};
use crate::rundir::{RunDir, names};
use crate::secrets::Secrets;

/// Walk a whole campaign, from Inputs to Stopped, on made-up evidence: no GPU, no network
///
/// The evidence is written under DIR/evidence/ first; when it is there already it is used as it is.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Where to put evidence and run directory [default: a fresh directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<Utf8PathBuf>,

    /// Measure instead of filing evidence: three mock frameworks on this machine, with real processes
    #[arg(long)]
    live: bool,

    /// Only write the evidence
    #[arg(long)]
    evidence_only: bool,
}

/// Program and ports of the live demonstration, below the evidence.
const SITE: &str = "site.json";

#[derive(Serialize)]
struct View {
    dir: String,
    run_dir: Option<String>,
    phase: Option<Phase>,
    head: Option<Head>,
    steps: usize,
}

/// Walks the demonstration.
///
/// # Errors
///
/// As the step that fails; what came before it stays recorded.
pub fn run(context: &Context, args: DemoArgs) -> Result<Outcome, Failure> {
    let dir = match args.dir {
        Some(dir) => dir,
        None => fresh(context)?,
    };
    let evidence = dir.join("evidence");
    let demo = if args.live { Demo::live(live(&evidence)?) } else { Demo::new() };
    if is_fresh(&evidence) {
        write(&evidence, &demo.files)?;
    }
    if args.evidence_only {
        let text = Text::new().line(format!("{} files under {evidence}", demo.files.len())).clone();
        let dir = dir.to_string();
        return Outcome::new(text, &View { dir, run_dir: None, phase: None, head: None, steps: 0 });
    }
    let run_dir = run_dir(context, &dir)?;
    for (number, step) in (1..).zip(&demo.steps) {
        walk(context, &evidence, &run_dir, number, step)?;
    }
    concluded(&dir, &run_dir, demo.steps.len())
}

/// Whether nothing but the place of a live demonstration is written there.
fn is_fresh(evidence: &Utf8Path) -> bool {
    let Ok(mut entries) = evidence.read_dir_utf8() else { return true };
    entries.all(|it| it.is_ok_and(|it| it.file_name() == SITE))
}

/// Where the live demonstration runs: as its evidence says, else here, on ports that are free now.
fn live(evidence: &Utf8Path) -> Result<Live, Failure> {
    let site = evidence.join(SITE);
    if let Ok(text) = std::fs::read_to_string(&site) {
        let found: Result<(String, [u16; 3]), _> = serde_json::from_str(&text);
        let (vsota, ports) = found.map_err(|error| Failure::bad_evidence(error).in_file(&site))?;
        return Ok(Live { vsota, ports });
    }
    let own = std::env::current_exe().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let own = own.ok_or_else(|| Failure::usage("the path of vsota is not UTF-8"))?;
    // All three are held till all are known, so that no two are one.
    let free = || {
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| Ok((it.local_addr()?.port(), it)))
    };
    let held = (free(), free(), free());
    let (Ok(one), Ok(two), Ok(three)) = held else {
        return Err(Failure::child("no port is free on this machine"));
    };
    let live = Live { vsota: own.to_string(), ports: [one.0, two.0, three.0] };
    std::fs::create_dir_all(evidence).map_err(|error| Failure::file("create", evidence, &error))?;
    let text = serde_json::json!((&live.vsota, live.ports)).to_string();
    std::fs::write(&site, text).map_err(|error| Failure::file("write", &site, &error))?;
    Ok(live)
}

fn concluded(dir: &Utf8Path, run_dir: &Utf8Path, steps: usize) -> Result<Outcome, Failure> {
    let (campaign, head) = chronicle::campaign(&Reading::of(&RunDir::open(run_dir)?)?)?;
    let phase = campaign.phase();
    let mut text = Text::new();
    text.plain("phase          ").push(Style::Strong, phase.as_str()).end();
    text.plain("run directory  ").push(Style::Strong, run_dir.as_str()).end();
    text.plain("read it        ").push(Style::Code, format!("{run_dir}/final_report.md")).end();
    let prove = format!("vsota -C {run_dir} verify --strict --without checkout");
    text.plain("prove it       ").push(Style::Code, prove).end();
    let run_dir = Some(run_dir.to_string());
    let view = View { dir: dir.to_string(), run_dir, phase: Some(phase), head: Some(head), steps };
    Ok(Outcome::new(text, &view)?.recorded(head))
}

fn fresh(context: &Context) -> Result<Utf8PathBuf, Failure> {
    let base = Utf8PathBuf::from_path_buf(std::env::temp_dir());
    let base = base.map_err(|_| {
        Failure::usage("the directory for temporary files is not UTF-8; give --dir")
    })?;
    let name = |n: u32| base.join(format!("vsota-demo-{}-{n}", context.clock.now()));
    let free = (1..1_000).map(name).find(|it| !it.exists());
    free.ok_or_else(|| Failure::usage("no fresh directory is free; give --dir"))
}

/// `DIR/runs/YYYYMMDD_demo-tiny-moe_sota_humanize`, fresh.
fn run_dir(context: &Context, dir: &Utf8Path) -> Result<Utf8PathBuf, Failure> {
    let runs = dir.join("runs");
    std::fs::create_dir_all(&runs).map_err(|error| Failure::file("create", &runs, &error))?;
    let day: String =
        clock::rfc3339(context.clock.now()).chars().take(10).filter(|it| *it != '-').collect();
    let model = names::slug(vsota_fixtures::builders::MODEL).unwrap_or_default();
    let name = |n: u32| match n {
        1 => runs.join(format!("{day}_{model}_sota_humanize")),
        _ => runs.join(format!("{day}_{model}_{n}_sota_humanize")),
    };
    let free = (1..1_000).map(name).find(|it| !it.exists());
    free.ok_or_else(|| {
        Failure::usage("there are a thousand demonstrations here; give another --dir")
    })
}

fn write(evidence: &Utf8Path, files: &Files) -> Result<(), Failure> {
    for (path, bytes) in files {
        let path = evidence.join(path);
        let dir = path.parent().unwrap_or(evidence);
        std::fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
        std::fs::write(&path, bytes).map_err(|error| Failure::file("write", &path, &error))?;
    }
    Ok(())
}

/// One step, typed as a person would type it and run by the same function.
fn walk(
    context: &Context,
    evidence: &Utf8Path,
    run_dir: &Utf8Path,
    number: usize,
    step: &Step,
) -> Result<(), Failure> {
    let named = |arg: &String| match (arg.strip_prefix('@'), arg.strip_prefix('%')) {
        (Some(path), _) => Ok(evidence.join(path).to_string()),
        (_, Some(pattern)) => filed(run_dir, pattern),
        _ => Ok(arg.clone()),
    };
    let args = step.args.iter().map(named).collect::<Result<Vec<String>, _>>()?;
    say(context, number, step, &args);
    let words = ["vsota", "-C", run_dir.as_str()].into_iter().map(String::from);
    let cli = Cli::try_parse_from(words.chain(args)).map_err(Failure::usage)?;
    let inner = Context::new(&cli.global, Secrets::of_process())?;
    match (cli.command.run(&inner), step.refused) {
        (Ok(outcome), false) if outcome.exit == Exit::Done => {
            if let Some(head) = outcome.recorded {
                let mut text = Text::new();
                text.plain("     ").push(Style::Good, "recorded").plain("  head ");
                context.output.progress(text.push(Style::Dim, head.to_string()).end());
            }
            counted(&outcome, step)
        }
        (Ok(outcome), false) => Err(failed(number, outcome.exit)),
        (Err(failure), true) => {
            context.output.progress(&told(&failure));
            match failure.why {
                Why::Refused(_) => Ok(()),
                Why::Fault(_) => Err(failure),
            }
        }
        (Ok(_), true) => {
            let message = format_args!("step {number} should have been refused, and was granted");
            Err(Failure::bad_evidence(message))
        }
        (Err(failure), false) => Err(failure),
    }
}

/// The file of the run directory whose name fits: what stands before and after the one `*`.
fn filed(run_dir: &Utf8Path, pattern: &str) -> Result<String, Failure> {
    let nothing = || Failure::bad_evidence("no file fits").in_file(run_dir.join(pattern));
    let (dir, name) = pattern.rsplit_once('/').ok_or_else(nothing)?;
    let (before, after) = name.split_once('*').ok_or_else(nothing)?;
    let dir = run_dir.join(dir);
    let entries = dir.read_dir_utf8().map_err(|error| Failure::file("list", &dir, &error))?;
    let fits = |it: &camino::Utf8DirEntry| {
        it.file_name().starts_with(before) && it.file_name().ends_with(after)
    };
    let found = entries.filter_map(Result::ok).find(fits).ok_or_else(nothing)?;
    Ok(found.path().to_string())
}

/// A block that does not count would leave the demonstration short of its verdict.
fn counted(outcome: &Outcome, step: &Step) -> Result<(), Failure> {
    let value: Value = serde_json::from_str(&outcome.json).unwrap_or_default();
    match value.get("report_only").and_then(Value::as_array) {
        Some(blocks) if !blocks.is_empty() => {
            let file = step.args.last().map_or("", String::as_str);
            let message = format_args!("the block does not count: {}", Value::from(blocks.clone()));
            Err(Failure::bad_evidence(message).in_file(file.trim_start_matches('@')))
        }
        _ => Ok(()),
    }
}

fn failed(number: usize, exit: Exit) -> Failure {
    Failure::bad_evidence(format_args!("step {number} ended with {}", exit.code()))
}

fn say(context: &Context, number: usize, step: &Step, args: &[String]) {
    let mut text = Text::new();
    text.push(Style::Dim, format!("{number:>3}  ")).line(step.shows);
    let shown: Vec<&str> = args.iter().map(String::as_str).collect();
    text.plain("     $ ").push(Style::Code, format!("vsota {}", shown.join(" "))).end();
    context.output.progress(&text);
}
