//! How are blocks that were run elsewhere filed? One file, one event; what does not count says why.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use vsota_core::Campaign;
use vsota_core::command::{Command, FileGapBlock, FileTrialBlock};
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
use crate::rundir::intake::LIMIT;
use crate::transition::{self, Transition};

/// Files blocks of one kind, one event each. What was filed stays when a later one fails.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused by the gate.
pub fn ingest(
    context: &Context,
    files: &[Utf8PathBuf],
    kind: BlockKind,
) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let mut text = Text::new();
    let mut report_only: Vec<Value> = Vec::new();
    let mut last: Option<Transition> = None;
    for path in files {
        let filed = one(context, &run, path, kind);
        let (step, why) = filed.map_err(|failure| match &last {
            Some(done) => failure.after(done.head),
            None => failure,
        })?;
        last = Some(step);
        if let Some(why) = why {
            text.push(Style::Warn, "report-only  ").line(format!("{path}: {why}"));
            report_only.push(json!({"file": path.as_str(), "reason": why}));
        }
    }
    let last = last.ok_or_else(|| Failure::usage("no file was given"))?;
    last.outcome_with(text, &json!({ "report_only": report_only }))
}

/// Files one block: the event, and why it does not count when it does not.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused by the gate.
pub fn one(
    context: &Context,
    run: &RunDir,
    path: &Utf8Path,
    kind: BlockKind,
) -> Result<(Transition, Option<ReportOnly>), Failure> {
    let bytes = context.evidence(path, LIMIT)?;
    let record = BlockRecord::read(&bytes).map_err(|error| bad(&error, path))?;
    if record.kind != kind {
        let message = match record.kind {
            BlockKind::Gap => "the block is of kind gap: file it with `vsota gap ingest`",
            BlockKind::Trial => {
                "the block is of kind trial: file it with `vsota revalidate ingest`"
            }
        };
        return Err(Failure::bad_evidence(message).in_file(path).at_field("kind"));
    }
    let (campaign, round) = drafting::standing(run)?;
    let shelf = Shelf::new(context, run, path);
    let FiledFact { fact, staged } = shelf.block(&record, &bytes, round, &told(&campaign))?;
    let mut why = None;
    let step = transition::take_with(context, run, staged, |campaign| {
        let command = asked(kind, fact);
        why = standing(campaign, &command);
        Ok(command)
    })?;
    Ok((step, why))
}

fn asked(kind: BlockKind, block: Block) -> Command {
    match kind {
        BlockKind::Gap => FileGapBlock(block).into(),
        BlockKind::Trial => FileTrialBlock(block).into(),
    }
}

/// Why the machine keeps a block without counting it.
fn standing(campaign: &Campaign, command: &Command) -> Option<ReportOnly> {
    let step = campaign.decide(command.clone()).ok()?;
    match step.event() {
        Event::GapBlockFiled(it) => it.found.report_only,
        Event::TrialBlockFiled(it) => it.found.report_only,
        _ => None,
    }
}
