//! `vsota hook stop`.

use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::hook::{Hook, answer};
use crate::output::Outcome;

/// Hold up a stop in the midst of a round once, with what the round owes
#[derive(Args, Debug)]
pub struct StopArgs {
    /// Which agent calls; both speak alike
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
}

/// Answers on stdout. The arguments of a process lead there without coming by (`hook::asked`).
///
/// # Errors
///
/// None: the answer says what went wrong.
pub fn run(_: &Context, args: StopArgs) -> Result<Outcome, Failure> {
    let _ = args.runtime;
    let exit = answer(Hook::Stop);
    Ok(Outcome::default().exiting(exit))
}
