//! `vsota history block`: HI-5.

use clap::Args;
use vsota_core::command::BlockHistory;
use vsota_core::facts::{Framework, HistoryBlock};
use vsota_core::text::Line;
use vsota_core::{Brief, Clause};

use super::query;
use crate::chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason, Refused};
use crate::fence::Fence;
use crate::journal::Reading;
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
/// Refused when no place was tried, or when the knowledge root holds the family's history.
pub fn run(context: &Context, args: BlockArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let BlockArgs { framework, tried, reason } = args;
    if Fence::around(&run)?.is_none() {
        let (campaign, _) = chronicle::campaign(&Reading::of(&run)?)?;
        missing(campaign.state().brief(), framework)?;
    }
    let block = HistoryBlock { framework, tried, reason };
    transition::take(context, &run, BlockHistory(block))?.outcome()
}

/// HI-5: what can be read is no blocker.
fn missing(brief: &Brief, framework: Framework) -> Result<(), Failure> {
    let found = brief.model().and_then(|model| query::family(model.as_str(), framework));
    let Some((slug, root)) = found else { return Ok(()) };
    let found = format!("the history of {slug} lies in {root}/{framework}, so it can be read");
    let help = String::from("vsota history note --template");
    Err(Refused { reasons: vec![Reason { clause: Clause::Hi5, found, help }] }.into())
}
