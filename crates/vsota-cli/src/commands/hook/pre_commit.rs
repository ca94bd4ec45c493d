//! `vsota hook pre-commit`.

use clap::Args;

use crate::context::Context;
use crate::failure::Failure;
use crate::hook::{Hook, answer};
use crate::output::Outcome;

/// Refuse a commit whose gate is shut (called by git)
#[derive(Args, Debug)]
pub struct PreCommitArgs {
    /// Which agent calls; both speak alike
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
}

/// Answers on stdout. The arguments of a process lead there without coming by (`hook::asked`).
///
/// # Errors
///
/// None: the answer says what went wrong.
pub fn run(_: &Context, args: PreCommitArgs) -> Result<Outcome, Failure> {
    let _ = args.runtime;
    let exit = answer(Hook::PreCommit);
    Ok(Outcome::default().exiting(exit))
}
