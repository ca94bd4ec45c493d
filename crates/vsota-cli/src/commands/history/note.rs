//! `vsota history note`: HI-1 … HI-3.

use clap::Args;
use vsota_core::command::{CommandKind, NoteHistory};
use vsota_core::evidence::draft::{self, DraftKind};
use vsota_core::facts::{Framework, HistoryNote};

use super::{check, query};
use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::fence::Fence;
use crate::help;
use crate::journal::Reading;
use crate::journal::rel;
use crate::output::Outcome;
use crate::rundir::RunDir;
use crate::transition;

/// Note what the PR history of a framework says, or that it has none of the family
#[derive(Args, Debug)]
pub struct NoteArgs {
    #[command(flatten)]
    draft: DraftArgs,

    /// Fill the skeleton with what the knowledge root holds of the model; decisions are left to write
    #[arg(long, requires = "template")]
    framework: Option<Framework>,
}

/// Notes the history.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when an item lacks a part, or cites what the knowledge
/// root does not hold.
pub fn run(context: &Context, args: NoteArgs) -> Result<Outcome, Failure> {
    let Some(sheet) = args.draft.read(context)? else {
        if let Some(framework) = args.framework {
            return query::filled(context, framework);
        }
        return drafting::skeleton(context, DraftKind::HistoryNote);
    };
    let at = rel(&format!("history/drafts/{}.md", sheet.short()))?;
    let note = sheet.says(|text| draft::history_note(text, sheet.artifact(&at)))?;
    let run = context.run_dir()?;
    if Fence::around(&run)?.is_none() {
        believed(context, &run, &note)?;
    }
    let staged = sheet.stage(context, &run, &at)?;
    transition::take_with(context, &run, vec![staged], |_| Ok(NoteHistory(note).into()))?.outcome()
}

/// HI-1 … HI-3: what the note cites is there; a demonstration's knowledge root is made up.
fn believed(context: &Context, run: &RunDir, note: &HistoryNote) -> Result<(), Failure> {
    let chronicle = Chronicle::of(&Reading::of(run)?)?;
    let model = chronicle.campaign.state().brief().model().map(|it| it.as_str().to_owned());
    let mut reasons = check::against_root(note, model.as_deref());
    if reasons.is_empty() {
        return Ok(());
    }
    if let Err(refusal) = chronicle.campaign.decide(NoteHistory(note.clone())) {
        reasons.extend(help::refused(&refusal).reasons);
    }
    Err(transition::object(context, run, &chronicle, CommandKind::NoteHistory, reasons))
}
