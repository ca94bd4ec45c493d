//! `vsota bench ingest`: files rows.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::command::FileCandidate;
use vsota_core::evidence::{BareRun, Filed, Item, NativeRun, read};
use vsota_core::facts::{Candidate, Dimension, Framework, Status};
use vsota_core::phase::{Bench, off_workload};
use vsota_core::text::{Line, Name};
use vsota_core::{Brief, GitId, State, evidence};

use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::filing::{FiledFact, Shelf, told};
use crate::gather::bad;
use crate::journal::{Reading, rel};
use crate::output::Outcome;
use crate::rundir::RunDir;
use crate::rundir::intake::LIMIT;
use crate::transition::{self, Transition};

/// File run records, or bare native results with their identity as flags
#[derive(Args, Debug)]
pub struct IngestArgs {
    /// Files of vsota-run/1 records, or one native result
    #[arg(required = true, value_name = "FILE")]
    files: Vec<Utf8PathBuf>,

    #[command(flatten)]
    bare: Bare,
}

/// What a bare native result does not say of itself.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "For a bare native result")]
struct Bare {
    /// What was served
    #[arg(long)]
    framework: Option<Framework>,

    /// The candidate's id
    #[arg(long, value_name = "ID")]
    candidate: Option<Name>,

    /// The scenario that was run
    #[arg(long, value_name = "NAME")]
    scenario: Option<Name>,

    /// The exact launch command; without it the row is kept and never ranked
    #[arg(long, value_name = "COMMAND")]
    server_command: Option<String>,

    /// The exact benchmark command; without it the row is kept and never ranked
    #[arg(long, value_name = "COMMAND")]
    benchmark_command: Option<String>,

    /// The file of settings that the launch command names; without it what it may set is unknown
    #[arg(long, value_name = "FILE")]
    settings: Option<Utf8PathBuf>,

    /// The git tree of a vLLM row
    #[arg(long, value_name = "ID")]
    tree: Option<GitId>,

    /// It is only a flow check
    #[arg(long)]
    smoke: bool,
}

/// Files the rows, one event each; what is filed already stays when a later one fails.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused by the gate.
pub fn run(context: &Context, args: IngestArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let mut last: Option<Transition> = None;
    for path in &args.files {
        file(context, &run, path, &args.bare, &mut last).map_err(|failure| match &last {
            Some(done) => failure.after(done.head),
            None => failure,
        })?;
    }
    last.ok_or_else(|| Failure::usage("no file was given"))?.outcome()
}

/// Files the record that is alone in a file, unless it is filed already.
///
/// # Errors
///
/// As [`run`].
pub fn record(
    context: &Context,
    run: &RunDir,
    path: &Utf8Path,
) -> Result<Option<Transition>, Failure> {
    let bytes = context.evidence(path, LIMIT)?;
    let campaign = chronicle::campaign(&Reading::of(run)?)?.0;
    let digest = vsota_core::Digest::of(&bytes);
    if let State::FixedBenchmark(phase) = campaign.state()
        && let Bench::Searching(it) = phase.inside()
        && it.candidates.iter().any(|it| it.record.as_ref().is_some_and(|it| it.sha256 == digest))
    {
        return Ok(None);
    }
    let mut last = None;
    file(context, run, path, &Bare::default(), &mut last)?;
    Ok(last)
}

fn file(
    context: &Context,
    run: &RunDir,
    path: &Utf8Path,
    bare: &Bare,
    last: &mut Option<Transition>,
) -> Result<(), Failure> {
    let bytes = context.evidence(path, LIMIT)?;
    let campaign = chronicle::campaign(&Reading::of(run)?)?.0;
    let told = told(&campaign);
    let (items, errors) = read(&bytes);
    if let Some(error) = errors.first() {
        return Err(bad(error, path));
    }
    if items.is_empty() {
        return Err(Failure::bad_evidence("the file holds no row").in_file(path));
    }
    once_a_launch(path, &items)?;
    for (line, item) in items {
        let filed = match item {
            Item::Run(record) => {
                let text = slice(&bytes, line);
                Shelf::new(context, run, path).candidate(&record, text, told.clone())
            }
            Item::Native(native) => {
                bare_candidate(context, run, path, &bytes, &native, bare, &told)
            }
            Item::Row(_) | Item::Block(_) => {
                let message = "file run records (vsota-run/1) or native results here";
                Err(Failure::bad_evidence(message).in_file(path))
            }
        }
        .map_err(|failure| failure.at_line(line))?;
        let FiledFact { fact, staged } = filed;
        of_the_workload(campaign.state().brief(), &fact)
            .map_err(|failure| failure.in_file(path).at_line(line))?;
        let step = transition::take_with(context, run, staged, |_| Ok(FileCandidate(fact).into()))?;
        *last = Some(step);
    }
    Ok(())
}

/// A row that calls itself ok and ran another load is not comparable (FB-4). Labelled as a flow check
/// it may be filed; where nobody says what was sent, the table says so.
fn of_the_workload(brief: &Brief, row: &Candidate) -> Result<(), Failure> {
    let Some(scenario) = brief.scenario(&row.scenario) else { return Ok(()) };
    let counts = row.status == Status::Ok && !row.smoke;
    let Some(measured) = row.measured.as_ref().filter(|_| counts) else { return Ok(()) };
    if measured.requested == 0 {
        return Ok(());
    }
    let off = off_workload(brief, scenario, measured);
    if off.is_empty() {
        return Ok(());
    }
    let (id, name, found) = (&row.id, &row.scenario, off.join("; "));
    let message = format_args!("FB-4: {id} in {name}: {found}; label it as a flow check (smoke)");
    Err(Failure::bad_evidence(message))
}

/// Two rows of one candidate, scenario and launch in one file contradict each other.
fn once_a_launch(path: &Utf8Path, items: &[(u64, Item)]) -> Result<(), Failure> {
    let mut seen = BTreeMap::new();
    for (line, item) in items {
        let Item::Run(record) = item else { continue };
        let Some(log) = record.launch.as_ref().and_then(|it| it.log.as_ref()) else { continue };
        if record.smoke || record.status != Status::Ok {
            continue;
        }
        let run = (record.framework, &record.candidate_id, &record.scenario, log);
        if let Some(before) = seen.insert(run, *line) {
            let message = format_args!(
                "FB-7: line {before} is a run of the same launch; a repeat is a launch of its own"
            );
            return Err(Failure::bad_evidence(message).in_file(path).at_line(*line));
        }
    }
    Ok(())
}

/// The value that starts on a line: the line itself in JSONL, else all that follows.
fn slice(bytes: &[u8], line: u64) -> &[u8] {
    let mut rest = bytes;
    for _ in 1..line {
        let end =
            rest.iter().position(|it| *it == b'\n').map_or(rest.len(), |it| it.saturating_add(1));
        rest = rest.get(end..).unwrap_or_default();
    }
    let end = rest.iter().position(|it| *it == b'\n').unwrap_or(rest.len());
    let first = rest.get(..end).unwrap_or(rest);
    if serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok() { first } else { rest }
}

fn bare_candidate<'a>(
    context: &'a Context,
    run: &'a RunDir,
    path: &'a Utf8Path,
    bytes: &[u8],
    native: &NativeRun,
    bare: &Bare,
    told: &BTreeMap<Dimension, Line>,
) -> Result<FiledFact<'a, Candidate>, Failure> {
    let needed =
        || Failure::usage("a bare native result needs --framework, --candidate and --scenario");
    let framework = bare.framework.or(native.framework()).ok_or_else(needed)?;
    let candidate_id = bare.candidate.clone().ok_or_else(needed)?;
    let scenario = bare.scenario.clone().ok_or_else(needed)?;
    let to = rel(&format!("benchmark/raw/{candidate_id}/{}.json", crate::short(bytes)))?;
    let mut staged = vec![run.stage_bytes(bytes, path.as_str(), &to, &context.secrets)?];
    let result = staged.first().map(|it| it.artifact().clone());
    let mut filed = Filed { result, told: told.clone(), ..Filed::default() };
    if let Some(from) = &bare.settings {
        let logs = format!("benchmark/logs/{candidate_id}");
        let (settings, kept) = Shelf::new(context, run, path).settings(from, &logs)?;
        filed.settings = Some(settings);
        staged.push(kept);
    }
    let record = BareRun {
        framework,
        framework_version: native.version.clone(),
        candidate_id,
        scenario,
        smoke: bare.smoke,
        server_command: words(bare.server_command.as_deref(), "--server-command")?,
        benchmark_command: words(bare.benchmark_command.as_deref(), "--benchmark-command")?,
        tree: bare.tree.clone(),
        gpus: None,
        ended_at: context.clock.now(),
    };
    let fact = record.candidate(native, filed).map_err(|error| bad(&error, path))?;
    Ok(FiledFact { fact, staged })
}

fn words(command: Option<&str>, flag: &str) -> Result<Vec<Line>, Failure> {
    let Some(command) = command else { return Ok(Vec::new()) };
    let words = evidence::command_line::split(command);
    let words = words.map_err(|error| Failure::usage(&error.message).at_field(flag))?;
    let line = |it: String| Line::new(it).map_err(|error| Failure::usage(error).at_field(flag));
    words.into_iter().map(line).collect()
}
