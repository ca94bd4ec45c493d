//! `vsota gap rig`: GD-7.

use clap::Args;
use vsota_core::command::NoteRig;
use vsota_core::facts::RigChange;
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Note a change of the rig: a new session begins, and a new pool unless vLLM was behind on this build
#[derive(Args, Debug)]
pub struct RigArgs {
    /// What was changed, such as "clocks pinned to 1410 MHz"
    #[arg(long, value_name = "TEXT")]
    changed: Line,
}

/// Notes the change.
///
/// # Errors
///
/// When the journal cannot be read or written.
pub fn run(context: &Context, args: RigArgs) -> Result<Outcome, Failure> {
    let change = RigChange { changed: args.changed, at: Some(context.clock.now()) };
    transition::take(context, &context.run_dir()?, NoteRig(change))?.outcome()
}
