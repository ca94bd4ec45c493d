//! `vsota hook pre-tool-use`.

use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::hook::{Hook, answer};
use crate::output::Outcome;

/// Deny a tool call whose gate is shut (the payload on stdin, the answer on stdout)
#[derive(Args, Debug)]
pub struct PreToolUseArgs {
    /// Which agent calls; both speak alike
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
}

/// Answers on stdout. The arguments of a process lead there without coming by (`hook::asked`).
///
/// # Errors
///
/// None: the answer says what went wrong.
pub fn run(_: &Context, args: PreToolUseArgs) -> Result<Outcome, Failure> {
    let _ = args.runtime;
    let exit = answer(Hook::PreToolUse);
    Ok(Outcome::default().exiting(exit))
}
