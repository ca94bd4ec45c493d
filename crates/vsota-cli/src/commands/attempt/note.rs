//! `vsota attempt note`: LE-1.

use clap::Args;
use vsota_core::command::NoteAttempt;
use vsota_core::evidence::draft::{self, DraftKind};

use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Note a try that never became a patch
#[derive(Args, Debug)]
pub struct NoteArgs {
    #[command(flatten)]
    draft: DraftArgs,
}

/// Notes the attempt.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when the name is taken or a row does not exist.
pub fn run(context: &Context, args: NoteArgs) -> Result<Outcome, Failure> {
    let Some(sheet) = args.draft.read(context)? else {
        return drafting::skeleton(context, DraftKind::Attempt);
    };
    let attempt = sheet.says(draft::attempt)?;
    transition::take(context, &context.run_dir()?, NoteAttempt(attempt))?.outcome()
}
