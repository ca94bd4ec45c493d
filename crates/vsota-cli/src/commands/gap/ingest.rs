//! `vsota gap ingest`: blocks that were run elsewhere.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::FileGapBlock;
use vsota_core::evidence::{BlockKind, BlockRecord};
use vsota_core::facts::ReportOnly;

use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::filing::{FiledFact, Shelf, told};
use crate::gather::bad;
use crate::journal::Reading;
use crate::output::{Outcome, Style, Text};
use crate::rundir::RunDir;
use crate::rundir::intake::{self, LIMIT};
use crate::transition::{self, Transition};

/// File blocks of interleaved runs; what cannot be shown to be one is report-only
#[derive(Args, Debug)]
pub struct IngestArgs {
    /// Files of one vsota-block/1 of kind gap each
    #[arg(required = true, value_name = "FILE")]
    files: Vec<Utf8PathBuf>,
}

/// Files the blocks, one event each.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused by the gate.
pub fn run(context: &Context, args: IngestArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let mut text = Text::new();
    let mut report_only = Vec::new();
    let mut last: Option<Transition> = None;
    for path in &args.files {
        let step = file(context, &run, path, &mut text, &mut report_only);
        last = Some(step.map_err(|failure| match &last {
            Some(done) => failure.after(done.head),
            None => failure,
        })?);
    }
    let last = last.ok_or_else(|| Failure::usage("no file was given"))?;
    last.outcome_with(text, &serde_json::json!({ "report_only": report_only }))
}

fn file(
    context: &Context,
    run: &RunDir,
    path: &camino::Utf8Path,
    text: &mut Text,
    all: &mut Vec<serde_json::Value>,
) -> Result<Transition, Failure> {
    let bytes = intake::read(path, LIMIT)?;
    let record = BlockRecord::read(&bytes).map_err(|error| bad(&error, path))?;
    if record.kind != BlockKind::Gap {
        let message = "the block is of kind trial: file it with `vsota revalidate ingest`";
        return Err(Failure::bad_evidence(message).in_file(path).at_field("kind"));
    }
    let (campaign, _) = chronicle::campaign(&Reading::of(run)?)?;
    let round = chronicle::round(&campaign);
    let FiledFact { fact, staged } = 
        Shelf::new(context, run, path).block(&record, &bytes, round, &told(&campaign))?;
    let mut report_only = None;
    let step = transition::take_with(context, run, staged, |campaign| {
        report_only = standing(campaign, &fact);
        Ok(FileGapBlock(fact).into())
    })?;
    if let Some(why) = report_only {
        text.push(Style::Warn, "report-only  ").line(format!("{path}: {why}"));
        all.push(serde_json::json!({"file": path.as_str(), "reason": why}));
    }
    Ok(step)
}

/// Why the machine keeps a block without counting it.
fn standing(campaign: &vsota_core::Campaign, block: &vsota_core::facts::Block) -> Option<ReportOnly> {
    let step = campaign.decide(FileGapBlock(block.clone())).ok()?;
    match step.event() {
        vsota_core::event::Event::GapBlockFiled(it) => it.found.report_only,
        _ => None,
    }
}
