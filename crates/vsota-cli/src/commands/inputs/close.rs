//! `vsota inputs close`: IN-2.

use clap::Args;
use vsota_core::command::CloseInputs;
use vsota_core::facts::Nothing;

use crate::context::Context;
use crate::failure::Failure;
use crate::gather;
use crate::output::Outcome;
use crate::transition;

/// Close the inputs; what nobody can guess must be there
#[derive(Args, Clone, Copy, Debug)]
pub struct CloseArgs {}

/// Closes the inputs, with the defaults of the companion's cookbook recorded where nothing was said.
///
/// # Errors
///
/// Refused when one of the inputs that nobody can guess is missing.
pub fn run(context: &Context, _: CloseArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let defaults = gather::record_defaults(context, &run)?;
    let closed = transition::take(context, &run, CloseInputs(Nothing {}));
    closed
        .map_err(|failure| match (failure.recorded, defaults) {
            (None, Some(recorded)) => failure.after(recorded.head),
            _ => failure,
        })?
        .outcome()
}
