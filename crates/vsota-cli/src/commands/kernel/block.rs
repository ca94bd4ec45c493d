//! `vsota kernel block`: RT-3, KA-4, PA-4.

use clap::Args;
use vsota_core::command::BlockNcu;
use vsota_core::facts::NcuBlock;
use vsota_core::text::{Line, Name};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Record why NCU evidence of a kernel is missing
#[derive(Args, Debug)]
pub struct BlockArgs {
    /// The kernel, as the patch or the target names it
    #[arg(value_name = "NAME")]
    kernel: Name,

    /// Why NCU cannot run, or its skill is missing
    #[arg(long, value_name = "TEXT")]
    reason: Line,

    /// The next edit, grounded in profiler, layer and source evidence
    #[arg(long, value_name = "TEXT")]
    next_edit: Line,
}

/// Records the blocker.
///
/// # Errors
///
/// Refused outside LayerPipeline and KernelAssist.
pub fn run(context: &Context, args: BlockArgs) -> Result<Outcome, Failure> {
    let BlockArgs { kernel, reason, next_edit } = args;
    let block = NcuBlock { kernel, reason, next_edit };
    transition::take(context, &context.run_dir()?, BlockNcu(block))?.outcome()
}
