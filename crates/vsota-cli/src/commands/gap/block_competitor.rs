//! `vsota gap block-competitor`: GD-8.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::BlockCompetitor;
use vsota_core::evidence::failing::Failing;
use vsota_core::facts::{CompetitorBlock, Framework};
use vsota_core::text::Line;

use crate::context::Context;
use crate::failing::Seen;
use crate::failure::Failure;
use crate::journal::rel;
use crate::output::Outcome;
use crate::transition;

/// Record that a competitor can no longer run; its frozen row stays, and nothing is claimed against it
#[derive(Args, Debug)]
pub struct BlockArgs {
    /// The competitor
    framework: Framework,

    /// The launch log that shows it
    #[arg(long, value_name = "FILE")]
    log: Utf8PathBuf,

    /// Why it cannot run
    #[arg(long, value_name = "TEXT")]
    reason: Line,
}

/// Blocks the competitor.
///
/// # Errors
///
/// Bad evidence when the log shows no failure; refused when it is no competitor of this benchmark.
pub fn run(context: &Context, args: BlockArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let (framework, reason) = (args.framework, args.reason);
    let to = rel(&format!("benchmark/logs/{framework}-blocked.log"))?;
    let log = &args.log;
    let staged = Seen::of(context, &run, log, &to, Failing::Server)?.failed(log)?;
    let block = CompetitorBlock { framework, log: staged.artifact().clone(), reason };
    transition::take_with(context, &run, vec![staged], |_| Ok(BlockCompetitor(block).into()))?
        .outcome()
}
