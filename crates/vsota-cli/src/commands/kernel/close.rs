//! `vsota kernel close`: the target is dropped; back to LayerPipeline.

use clap::Args;
use vsota_core::command::CloseKernelAssist;
use vsota_core::facts::Because;
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Drop the kernel target
#[derive(Args, Debug)]
pub struct CloseArgs {
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Line,
}

/// Drops the target.
///
/// # Errors
///
/// Refused when no target is open.
pub fn run(context: &Context, args: CloseArgs) -> Result<Outcome, Failure> {
    let because = Because { reason: args.reason };
    transition::take(context, &context.run_dir()?, CloseKernelAssist(because))?.outcome()
}
