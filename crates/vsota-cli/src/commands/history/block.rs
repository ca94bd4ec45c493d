//! `vsota history block`: HI-5.

use clap::Args;
use vsota_core::command::BlockHistory;
use vsota_core::facts::{Framework, HistoryBlock};
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Record why no history could be read
#[derive(Args, Debug)]
pub struct BlockArgs {
    /// Whose history is missing
    #[arg(long)]
    framework: Framework,

    /// Where it was looked for; once for each place
    #[arg(long, value_name = "PATH")]
    tried: Vec<Line>,

    /// Why it could not be read
    #[arg(long, value_name = "TEXT")]
    reason: Line,
}

/// Records the blocker.
///
/// # Errors
///
/// Refused when no place was tried.
pub fn run(context: &Context, args: BlockArgs) -> Result<Outcome, Failure> {
    let BlockArgs { framework, tried, reason } = args;
    let block = HistoryBlock { framework, tried, reason };
    transition::take(context, &context.run_dir()?, BlockHistory(block))?.outcome()
}
