//! `vsota history close`: leaves the history gate.

use clap::Args;
use vsota_core::command::CloseHistory;
use vsota_core::facts::Nothing;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Leave the history gate
#[derive(Args, Clone, Copy, Debug)]
pub struct CloseArgs {}

/// Leaves the gate.
///
/// # Errors
///
/// Refused while a history is neither noted nor blocked.
pub fn run(context: &Context, _: CloseArgs) -> Result<Outcome, Failure> {
    transition::take(context, &context.run_dir()?, CloseHistory(Nothing {}))?.outcome()
}
