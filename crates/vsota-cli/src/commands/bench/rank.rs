//! `vsota bench rank`: rows from anywhere, compared by the rules of a campaign. No campaign is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Serialize;
use vsota_core::Artifact;
use vsota_core::evidence::{BareRun, EvidenceError, Filed, Item, NativeRun, RunRecord, lone, read};
use vsota_core::facts::{Candidate, Input, Metric};
use vsota_core::phase::{Compared, Limits, Lone, Terms, compare, contradict};
use vsota_core::text::{Name, RelPath};

use super::table::{Ranked, ranking};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::filing::{at_line, settings};
use crate::gather::workload_file;
use crate::output::{Outcome, Style, Text};
use crate::rundir::intake::{self, LIMIT};
use crate::unread::Unreadable;

/// Rank rows of any tool, scenario by scenario, and say why a row may not rank
#[derive(Args, Debug)]
pub struct RankArgs {
    /// Files of companion rows, native results or run records
    #[arg(required = true, value_name = "FILE")]
    files: Vec<Utf8PathBuf>,

    /// The workload and its limits; without it chat and summarization are those of the cookbook
    #[arg(long, value_name = "FILE")]
    workload: Option<Utf8PathBuf>,

    /// What every row must say, such as model=NAME, gpu_count=8 or sla.max_p50_ttft_ms=1500
    #[arg(long, value_name = "KEY=VALUE")]
    expect: Vec<Expected>,
}

/// One thing that every row must say.
#[derive(Clone, Debug)]
struct Expected {
    key: String,
    value: String,
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
        let (key, value) = Terms::expectation(key, value)?;
        Ok(Self { key, value })
    }
}

#[derive(Serialize)]
struct View {
    scenarios: Vec<Ranked>,
    unreadable: Vec<Unreadable>,
}

/// What was found in the files so far.
#[derive(Default)]
struct Found {
    rows: Vec<Lone>,
    places: Vec<(String, u64)>,
    /// Stems that several of the files have: the files of a sweep are all called `run=0`.
    shared: BTreeSet<String>,
    unreadable: Vec<Unreadable>,
}

/// Ranks the rows. Whatever is rejected, the exit is 0; what cannot be read makes it 4.
///
/// # Errors
///
/// Bad evidence when the workload file is none.
pub fn run(context: &Context, args: RankArgs) -> Result<Outcome, Failure> {
    let mut terms = Terms::default();
    if let Some(path) = &args.workload {
        take(&mut terms, workload_file(context, path)?);
    }
    terms.expected.extend(args.expect.into_iter().map(|it| (it.key, it.value)));
    let mut found = Found { shared: shared(&args.files), ..Found::default() };
    for path in &args.files {
        match intake::look(path, LIMIT) {
            Ok(bytes) => found.file(path, &bytes),
            Err(failure) => found.unreadable.push(Unreadable::of(path.as_str(), None, &failure)),
        }
    }
    let rows = found.one_run_each();
    let compared = compare(&terms, &rows);
    let mut text = Text::new();
    for it in &compared {
        tell(&mut text, it);
    }
    found.unreadable.iter().for_each(|it| it.tell(&mut text));
    let whole = found.unreadable.is_empty();
    let scenarios = compared
        .iter()
        .map(|it| Ranked::of(&it.scenario, &it.rank, &it.unknown).overriding(&it.overridden));
    let view = View { scenarios: scenarios.collect(), unreadable: found.unreadable };
    let outcome = Outcome::new(text, &view)?;
    Ok(if whole { outcome } else { outcome.exiting(Exit::BadEvidence) })
}

fn take(terms: &mut Terms, inputs: Vec<Input>) {
    let mut limits = Limits::default();
    let mut sampling = Vec::new();
    for input in inputs {
        match input {
            Input::Endpoint(path) => {
                terms.expected.insert("endpoint".to_owned(), path.to_string());
            }
            Input::Sampling { key, value } => sampling.push(format!("{key}={value}")),
            Input::Workload(workload) => terms.workload = Some(workload),
            Input::SlaLimit { metric, limit } => {
                limits.latencies.insert(metric, limit);
            }
            Input::SlaSuccessRate(rate) => limits.min_success_rate = Some(rate),
            _ => {}
        }
    }
    terms.limits = Some(limits);
    if !sampling.is_empty() {
        sampling.sort();
        terms.expected.insert("sampling".to_owned(), sampling.join(", "));
    }
}

impl Found {
    fn file(&mut self, path: &Utf8Path, bytes: &[u8]) {
        let (items, errors) = read(bytes);
        let single = items.len() == 1;
        for (line, item) in items {
            let called = called(path, line, single, &self.shared);
            match called.and_then(|called| row(path, called, item)) {
                Ok(row) => {
                    self.rows.push(row);
                    self.places.push((path.to_string(), line));
                }
                Err(failure) => {
                    self.unreadable.push(Unreadable::of(path.as_str(), Some(line), &failure));
                }
            }
        }
        let errors = errors.iter().map(|it| Unreadable::found(path.as_str(), it));
        self.unreadable.extend(errors);
    }

    /// Rows of one launch that say different things are no evidence, none of them.
    fn one_run_each(&mut self) -> Vec<Lone> {
        let twice = contradict(&self.rows);
        let rows = std::mem::take(&mut self.rows);
        let mut kept = Vec::new();
        for (at, row) in rows.into_iter().enumerate() {
            if !twice.contains(&at) {
                kept.push(row);
            } else if let Some((file, line)) = self.places.get(at) {
                let message = format!(
                    "{} has other numbers of the same launch elsewhere; repeats name a server log each",
                    row.row.id
                );
                let (file, line) = (file.clone(), Some(*line));
                let field = Some("candidate_id".to_owned());
                self.unreadable.push(Unreadable { file, line, field, message });
            }
        }
        kept
    }
}

fn row(path: &Utf8Path, called: Name, item: Item) -> Result<Lone, Failure> {
    let bad = |error: EvidenceError| crate::gather::bad(&error, path);
    match item {
        Item::Row(row) => row.lone(&called).map_err(bad),
        Item::Native(native) => {
            native.check_arithmetic().map_err(bad)?;
            bare(&native, called).map(|row| lone::native(row, Some(&native))).map_err(bad)
        }
        Item::Run(mut record) => {
            record.candidate_id.get_or_insert(called);
            recorded(path, &record)
        }
        Item::Block(_) => {
            let message = "a block of run records: file it with `vsota gap ingest`";
            Err(Failure::bad_evidence(message).in_file(path))
        }
    }
}

/// The stems that more than one of the files have.
fn shared(files: &[Utf8PathBuf]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let stems = files.iter().filter_map(|it| it.file_stem());
    stems.filter(|it| !seen.insert(*it)).map(ToOwned::to_owned).collect()
}

/// What a row without an id is called: the file's stem, after its folder where several files have it,
/// and its line where there are several.
fn called(
    path: &Utf8Path,
    line: u64,
    single: bool,
    shared: &BTreeSet<String>,
) -> Result<Name, Failure> {
    let stem = path.file_stem().unwrap_or("row");
    let folder = path.parent().and_then(Utf8Path::file_name).filter(|_| shared.contains(stem));
    let stem = folder.map_or_else(|| stem.to_owned(), |folder| format!("{folder}-{stem}"));
    let stem = crate::rundir::names::slug(&stem).unwrap_or_else(|| "row".to_owned());
    let name = if single { stem } else { format!("{stem}:{line}") };
    Name::new(name).map_err(|error| Failure::bad_evidence(error).in_file(path))
}

fn bare(native: &NativeRun, called: Name) -> Result<Candidate, EvidenceError> {
    let framework = native.framework().ok_or_else(|| {
        EvidenceError::new("nobody says which framework was measured").of("framework")
    })?;
    let run = BareRun {
        framework,
        framework_version: native.version.clone(),
        candidate_id: native.candidate.clone().unwrap_or(called),
        scenario: Name::new("default").map_err(EvidenceError::new)?,
        smoke: false,
        server_command: Vec::new(),
        benchmark_command: Vec::new(),
        tree: None,
        gpus: None,
        ended_at: 0,
    };
    run.candidate(native, Filed::default())
}

/// A run record with its native result and its log, read where they lie.
fn recorded(path: &Utf8Path, record: &RunRecord) -> Result<Lone, Failure> {
    let bad = |error: EvidenceError| crate::gather::bad(&error, path);
    let beside = |it: &RelPath| path.parent().unwrap_or(Utf8Path::new("")).join(it.as_str());
    let mut native = None;
    if let Some(place) = &record.result {
        let from = beside(&place.path);
        let bytes = intake::look(&from, LIMIT)?;
        let run = at_line(&bytes, place.line);
        native = Some(run.map_err(|error| crate::gather::bad(&error, &from))?);
    }
    let mut filed = Filed { told: BTreeMap::new(), ..Filed::default() };
    if let Some(log) = record.launch.as_ref().and_then(|it| it.log.as_ref()) {
        let bytes = intake::look(&beside(log), LIMIT)?;
        let sha256 = vsota_core::Digest::of(&bytes);
        filed.log = Some(Artifact { path: log.clone(), sha256, bytes: bytes.len() as u64 });
    }
    if let Some(path) = &record.settings {
        let from = beside(path);
        let bytes = intake::look(&from, LIMIT)?;
        let (sha256, size) = (vsota_core::Digest::of(&bytes), bytes.len() as u64);
        let file = Artifact { path: path.clone(), sha256, bytes: size };
        filed.settings = Some(settings(&bytes, file, &from)?);
    }
    let row = record.candidate(native.as_ref(), filed).map_err(bad)?;
    Ok(lone::native(row, native.as_ref()))
}

fn tell(text: &mut Text, it: &Compared<'_>) {
    text.push(Style::Strong, it.scenario.as_str());
    if let Some(terms) = &it.terms {
        let (input, output, prompts) = (terms.input_len, terms.output_len, terms.num_prompts);
        text.plain(format!("  {input} input, {output} output tokens, {prompts} prompts"));
    }
    text.end();
    for key in &it.overridden {
        let scenario = &it.scenario;
        text.push(Style::Warn, "note      ");
        text.line(format!("--expect {key} changes nothing: {scenario} is fixed without it"));
    }
    let objective = it.terms.as_ref().map_or(Metric::RequestThroughput, |it| it.objective);
    ranking(text, objective, &it.rank, &it.unknown);
}
