//! `vsota bench read`: native result files as rows. No campaign is needed.

use std::ops::ControlFlow;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};
use vsota_core::evidence::bench::Read;
use vsota_core::evidence::{EvidenceError, Item, NativeRun, Reader, RunRecord, companion_row};
use vsota_core::facts::{LatencyKind, Metric, Stat};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Outcome, Style, Text};
use crate::rundir::intake;
use crate::sweep;
use crate::table::Table;
use crate::unread::Unreadable;

/// Read native result files and show their rows
#[derive(Args, Debug)]
pub struct ReadArgs {
    /// Result files of vLLM, SGLang, TensorRT-LLM or the companion, or the directory of a vLLM sweep
    #[arg(required = true, value_name = "FILE")]
    files: Vec<Utf8PathBuf>,
}

#[derive(Default, Serialize)]
struct View {
    rows: Vec<Value>,
    unreadable: Vec<Unreadable>,
}

/// The rows so far, for programs and for people.
struct Rows {
    view: View,
    table: Table,
    /// What a person should know of a row: its place, and the note.
    notes: Vec<(String, String)>,
}

/// Reads the files. What cannot be read is listed, and makes the exit 4.
///
/// # Errors
///
/// When the answer cannot be written.
pub fn run(_: &Context, args: ReadArgs) -> Result<Outcome, Failure> {
    let table = Table::new(["file", "line", "format", "status", "req/s", "tok/s", "p50 TTFT ms"]);
    let mut rows = Rows { view: View::default(), table, notes: Vec::new() };
    for path in &args.files {
        if let Err(failure) = if path.is_dir() { rows.sweep(path) } else { rows.file(path) } {
            rows.view.unreadable.push(Unreadable::of(path.as_str(), None, &failure));
        }
    }
    rows.outcome()
}

impl Rows {
    /// Every run of a sweep; a combination that failed is a row of status failed.
    fn sweep(&mut self, dir: &Utf8Path) -> Result<(), Failure> {
        let found = sweep::find(dir)?;
        for path in &found.runs {
            if let Err(failure) = self.file(path) {
                self.view.unreadable.push(Unreadable::of(path.as_str(), None, &failure));
            }
        }
        for path in &found.unfinished {
            let error = EvidenceError::new("a combination of a sweep in which no run ended");
            self.view.unreadable.push(Unreadable::found(path.as_str(), &error));
        }
        if found.runs.is_empty() {
            let message = "every combination of this sweep died before a run ended; what the server \
                           and the client printed says why, and `vllm bench sweep serve --resume` \
                           goes on where it stopped";
            let error = EvidenceError::new(message);
            self.view.unreadable.push(Unreadable::found(dir.as_str(), &error));
        }
        Ok(())
    }

    /// Every value of a file. Of a file that changed meanwhile nothing is kept.
    fn file(&mut self, path: &Utf8Path) -> Result<(), Failure> {
        let mut reader = Reader::new();
        let mut found = Vec::new();
        intake::pieces(path, |piece| {
            found.extend(reader.feed(piece));
            if reader.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        found.extend(reader.end());
        for read in found {
            self.take(path.as_str(), read);
        }
        Ok(())
    }

    fn take(&mut self, file: &str, read: Read) {
        let (line, item) = match read {
            Ok(read) => read,
            Err(error) => return self.view.unreadable.push(Unreadable::found(file, &error)),
        };
        let (mut row, format) = match item {
            Item::Native(native) => {
                self.tell(file, line, &native);
                (native_row(&native), native.format.to_string())
            }
            Item::Row(row) => (json!(row.value), "companion-row".to_owned()),
            Item::Run(record) => (recorded_row(&record), "vsota-run".to_owned()),
            Item::Block(_) => {
                let message = "a block of run records: file it with `vsota gap ingest`";
                let error = EvidenceError::new(message).at(line);
                return self.view.unreadable.push(Unreadable::found(file, &error));
            }
        };
        if let Value::Object(row) = &mut row {
            row.insert("source".into(), json!({"file": file, "format": format, "line": line}));
        }
        self.view.rows.push(row);
    }

    fn tell(&mut self, file: &str, line: u64, native: &NativeRun) {
        let value = |metric, digits: usize| {
            native.metric(metric).map_or("-".to_owned(), |it| format!("{:.digits$}", it.get()))
        };
        self.table.row([
            file.to_owned(),
            line.to_string(),
            native.format.to_string(),
            native.status.to_string(),
            value(Metric::RequestThroughput, 2),
            value(Metric::OutputTokenThroughput, 1),
            value(Metric::latency(Stat::P50, LatencyKind::Ttft), 1),
        ]);
        let place = format!("{file}:{line}");
        if let Some(failure) = &native.failure {
            self.notes.push((place.clone(), failure.to_string()));
        }
        if let Some((metric, value)) = native.bursts.first_key_value() {
            let note = format!(
                "{metric} is {value}: tokens came in bursts, so no time per token was measured"
            );
            self.notes.push((place, note));
        }
    }

    fn outcome(self) -> Result<Outcome, Failure> {
        let Self { view, table, notes } = self;
        let mut text = Text::new();
        if !view.rows.is_empty() {
            text.block(table.render());
        }
        for (place, note) in &notes {
            text.push(Style::Warn, "note  ").plain(format!("{place}  ")).line(note);
        }
        view.unreadable.iter().for_each(|it| it.tell(&mut text));
        let whole = view.unreadable.is_empty();
        let outcome = Outcome::new(text, &view)?;
        Ok(if whole { outcome } else { outcome.exiting(Exit::BadEvidence) })
    }
}

/// The companion's row, and beside it what only some files tell.
fn native_row(native: &NativeRun) -> Value {
    let mut row = companion_row(native);
    let mut beside = Map::new();
    if let Some(length) = native.accept_length {
        beside.insert("spec_decode".into(), json!({"accept_length": length}));
    }
    if let Some(hits) = native.cache_hits {
        beside.insert("cache".into(), json!({"hit_rate": hits}));
    }
    if !native.bursts.is_empty() {
        let bursts: Map<String, Value> =
            native.bursts.iter().map(|(key, it)| (key.to_string(), it.get().into())).collect();
        beside.insert("normalization".into(), json!({"bursts": bursts}));
    }
    if let Value::Object(row) = &mut row {
        row.extend(beside);
        if let Some(commit) = &native.commit {
            row.insert("framework_commit".into(), commit.as_str().into());
        }
    }
    row
}

fn recorded_row(record: &RunRecord) -> Value {
    json!({
        "framework": record.framework,
        "candidate_id": record.candidate_id,
        "status": record.status,
        "workload": {"scenario": record.scenario},
        "server_command": record.server_command,
        "benchmark_command": record.benchmark_command,
    })
}
