//! `vsota patch amend`: before the first block or test is filed.

use clap::Args;
use vsota_core::command::{AmendPatch, CommandKind};
use vsota_core::evidence::draft::DraftKind;
use vsota_core::facts::Amendment;
use vsota_core::text::Line;

use super::record::Told;
use crate::context::Context;
use crate::drafting;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Change the recorded patch before it is measured
#[derive(Args, Debug)]
pub struct AmendArgs {
    #[command(flatten)]
    told: Told,

    /// Why it changed
    #[arg(long, value_name = "TEXT", required_unless_present = "template")]
    reason: Option<Line>,
}

/// Changes the patch.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused once it is measured, and as `patch record`.
pub fn run(context: &Context, args: AmendArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir();
    let told = args.told.patch(context, run.as_ref(), CommandKind::AmendPatch)?;
    let (Some((patch, staged)), Some(reason)) = (told, args.reason) else {
        return drafting::skeleton(context, DraftKind::Patch);
    };
    let run = run.as_ref().map_err(Clone::clone)?;
    let command = AmendPatch(Amendment { patch, reason }).into();
    transition::take_with(context, run, vec![staged], |_| Ok(command))?.outcome()
}
