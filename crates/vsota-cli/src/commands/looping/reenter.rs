//! `vsota loop reenter`: RL-7, FB-11.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::ReenterLoop;
use vsota_core::facts::LoopReentry;

use crate::context::Context;
use crate::failure::Failure;
use crate::given;
use crate::output::Outcome;
use crate::transition;

/// Enter a successor of a loop that ended or was lost; the round keeps its evidence
#[derive(Args, Debug)]
pub struct ReenterArgs {
    /// What git, the set-up and the state files say: JSON with old_state and start {checkout,
    /// other_loops, setup, active, handshake}
    #[arg(long, value_name = "FILE")]
    facts: Utf8PathBuf,
}

/// Enters the successor.
///
/// # Errors
///
/// Bad evidence with file and line; refused when a precondition or the handshake does not hold.
pub fn run(context: &Context, args: ReenterArgs) -> Result<Outcome, Failure> {
    let entry: LoopReentry = given::json(context, &args.facts)?;
    transition::take(context, &context.run_dir()?, ReenterLoop(entry))?.outcome()
}
