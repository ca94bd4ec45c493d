//! `vsota research note`: LE-3.

use clap::Args;
use vsota_core::command::NoteResearch;
use vsota_core::evidence::draft::{self, DraftKind};

use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Note code-first research; code or a pull request that was not read before belongs to it
#[derive(Args, Debug)]
pub struct NoteArgs {
    #[command(flatten)]
    draft: DraftArgs,
}

/// Notes the research.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when it cites nothing new.
pub fn run(context: &Context, args: NoteArgs) -> Result<Outcome, Failure> {
    let Some(sheet) = args.draft.read(context)? else {
        return drafting::skeleton(context, DraftKind::Research);
    };
    let research = sheet.says(draft::research)?;
    transition::take(context, &context.run_dir()?, NoteResearch(research))?.outcome()
}
