//! `vsota bench read`: native result files as rows. No campaign is needed.

use camino::Utf8PathBuf;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use vsota_core::evidence::{EvidenceError, Item, companion_row, read};
use vsota_core::facts::{LatencyKind, Metric, Stat};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Why};
use crate::output::{Outcome, Style, Text};
use crate::rundir::intake::{self, LIMIT};
use crate::table::Table;

/// Read native result files and show their rows
#[derive(Args, Debug)]
pub struct ReadArgs {
    /// Result files of vLLM, SGLang, TensorRT-LLM or the companion
    #[arg(required = true, value_name = "FILE")]
    files: Vec<Utf8PathBuf>,
}

#[derive(Default, Serialize)]
struct View {
    rows: Vec<Value>,
    unreadable: Vec<Unreadable>,
}

#[derive(Serialize)]
struct Unreadable {
    file: String,
    line: Option<u64>,
    field: Option<String>,
    message: String,
}

/// Reads the files. What cannot be read is listed, and makes the exit 4.
///
/// # Errors
///
/// When the answer cannot be written.
pub fn run(_: &Context, args: ReadArgs) -> Result<Outcome, Failure> {
    let mut view = View::default();
    let mut text = Text::new();
    let mut table =
        Table::new(["file", "line", "format", "status", "req/s", "tok/s", "p50 TTFT ms"]);
    for path in &args.files {
        match intake::read(path, LIMIT) {
            Ok(bytes) => one(path.as_str(), &bytes, &mut view, &mut table),
            Err(failure) => view.unreadable.push(unread(path.as_str(), &failure)),
        }
    }
    if !view.rows.is_empty() {
        text.block(table.render());
    }
    for it in &view.unreadable {
        let line = it.line.map_or(String::new(), |line| format!(":{line}"));
        text.push(Style::Bad, "unreadable  ").plain(format!("{}{line}  ", it.file));
        if let Some(field) = &it.field {
            text.plain(format!("{field}: "));
        }
        text.line(&it.message);
    }
    let whole = view.unreadable.is_empty();
    let outcome = Outcome::new(text, &view)?;
    Ok(if whole { outcome } else { outcome.exiting(Exit::BadEvidence) })
}

fn one(file: &str, bytes: &[u8], view: &mut View, table: &mut Table) {
    let (items, errors) = read(bytes);
    for (line, item) in items {
        let (mut row, format) = match item {
            Item::Native(native) => {
                let value = |metric, digits: usize| {
                    native
                        .metric(metric)
                        .map_or("-".to_owned(), |it| format!("{:.digits$}", it.get()))
                };
                table.row([
                    file.to_owned(),
                    line.to_string(),
                    native.format.to_string(),
                    native.status.to_string(),
                    value(Metric::RequestThroughput, 2),
                    value(Metric::OutputTokenThroughput, 1),
                    value(Metric::latency(Stat::P50, LatencyKind::Ttft), 1),
                ]);
                (companion_row(&native), native.format.to_string())
            }
            Item::Row(row) => (json!(row.value), "companion-row".to_owned()),
            Item::Run(record) => {
                let row = json!({
                    "framework": record.framework,
                    "candidate_id": record.candidate_id,
                    "status": record.status,
                    "workload": {"scenario": record.scenario},
                    "server_command": record.server_command,
                    "benchmark_command": record.benchmark_command,
                });
                (row, "vsota-run".to_owned())
            }
            Item::Block(_) => {
                let message = "a block of run records: file it with `vsota gap ingest`";
                view.unreadable.push(unreadable(file, &EvidenceError::new(message).at(line)));
                continue;
            }
        };
        if let Value::Object(row) = &mut row {
            row.insert("source".into(), json!({"file": file, "format": format, "line": line}));
        }
        view.rows.push(row);
    }
    view.unreadable.extend(errors.iter().map(|it| unreadable(file, it)));
}

fn unreadable(file: &str, error: &EvidenceError) -> Unreadable {
    let (line, field) = (error.line, error.field.clone());
    Unreadable { file: file.to_owned(), line, field, message: error.message.clone() }
}

fn unread(file: &str, failure: &Failure) -> Unreadable {
    let message = match &failure.why {
        Why::Fault(fault) => fault.message.clone(),
        Why::Refused(_) => String::from("refused"),
    };
    Unreadable { file: file.to_owned(), line: None, field: None, message }
}
