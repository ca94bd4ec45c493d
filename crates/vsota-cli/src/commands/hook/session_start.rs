//! `vsota hook session-start`.

use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::hook::{Hook, answer};
use crate::output::Outcome;

/// Tell a fresh context where the campaign stands
#[derive(Args, Debug)]
pub struct SessionStartArgs {
    /// Which agent calls; both speak alike
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
}

/// Answers on stdout. The arguments of a process lead there without coming by (`hook::asked`).
///
/// # Errors
///
/// None: the answer says what went wrong.
pub fn run(_: &Context, args: SessionStartArgs) -> Result<Outcome, Failure> {
    let _ = args.runtime;
    let exit = answer(Hook::SessionStart);
    Ok(Outcome::default().exiting(exit))
}
