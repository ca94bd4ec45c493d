//! `vsota history note`: HI-1 … HI-3.

use clap::Args;
use vsota_core::command::NoteHistory;
use vsota_core::evidence::draft::{self, DraftKind};

use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::journal::rel;
use crate::output::Outcome;
use crate::transition;

/// Note what the PR history of a framework says, or that it has none of the family
#[derive(Args, Debug)]
pub struct NoteArgs {
    #[command(flatten)]
    draft: DraftArgs,
}

/// Notes the history.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when an item lacks a part.
pub fn run(context: &Context, args: NoteArgs) -> Result<Outcome, Failure> {
    let Some(sheet) = args.draft.read(context)? else {
        return drafting::skeleton(context, DraftKind::HistoryNote);
    };
    let at = rel(&format!("history/drafts/{}.md", sheet.short()))?;
    let note = sheet.says(|text| draft::history_note(text, sheet.artifact(&at)))?;
    let run = context.run_dir()?;
    let staged = sheet.stage(context, &run, &at)?;
    transition::take_with(context, &run, vec![staged], |_| Ok(NoteHistory(note).into()))?.outcome()
}
