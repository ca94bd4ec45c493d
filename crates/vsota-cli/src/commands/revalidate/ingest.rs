//! `vsota revalidate ingest`: blocks of the new build against the accepted one, run elsewhere.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::Campaign;
use vsota_core::command::FileTrialBlock;
use vsota_core::event::Event;
use vsota_core::evidence::{BlockKind, BlockRecord};
use vsota_core::facts::{Block, ReportOnly};

use crate::context::Context;
use crate::drafting;
use crate::failure::Failure;
use crate::filing::{FiledFact, Shelf, told};
use crate::gather::bad;
use crate::output::{Outcome, Style, Text};
use crate::rundir::RunDir;
use crate::rundir::intake::{self, LIMIT};
use crate::transition::{self, Transition};

/// File blocks of the new build against the accepted one; what cannot be shown to be one is report-only
#[derive(Args, Debug)]
pub struct IngestArgs {
    /// Files of one `vsota-block/1` of kind trial each
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
    let mut last: Option<Transition> = None;
    for path in &args.files {
        let step = file(context, &run, path, &mut text);
        last = Some(step.map_err(|failure| match &last {
            Some(done) => failure.after(done.head),
            None => failure,
        })?);
    }
    let last = last.ok_or_else(|| Failure::usage("no file was given"))?;
    last.outcome_with(text, &serde_json::json!({}))
}

fn file(
    context: &Context,
    run: &RunDir,
    path: &Utf8Path,
    text: &mut Text,
) -> Result<Transition, Failure> {
    let bytes = intake::read(path, LIMIT)?;
    let record = BlockRecord::read(&bytes).map_err(|error| bad(&error, path))?;
    if record.kind != BlockKind::Trial {
        let message = "the block is of kind gap: file it with `vsota gap ingest`";
        return Err(Failure::bad_evidence(message).in_file(path).at_field("kind"));
    }
    let (campaign, round) = drafting::standing(run)?;
    let FiledFact { fact, staged } = 
        Shelf::new(context, run, path).block(&record, &bytes, round, &told(&campaign))?;
    let mut report_only = None;
    let step = transition::take_with(context, run, staged, |campaign| {
        report_only = standing(campaign, &fact);
        Ok(FileTrialBlock(fact).into())
    })?;
    if let Some(why) = report_only {
        text.push(Style::Warn, "report-only  ").line(format!("{path}: {why}"));
    }
    Ok(step)
}

/// Why the machine keeps a block without counting it.
fn standing(campaign: &Campaign, block: &Block) -> Option<ReportOnly> {
    let step = campaign.decide(FileTrialBlock(block.clone())).ok()?;
    match step.event() {
        Event::TrialBlockFiled(it) => it.found.report_only,
        _ => None,
    }
}
