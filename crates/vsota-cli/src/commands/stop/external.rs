//! `vsota stop external`: ST-3 before the loop.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::StopCampaign;
use vsota_core::facts::StopOrder;
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Stop before the loop: no fair comparison can exist
#[derive(Args, Debug)]
pub struct ExternalArgs {
    /// The named cause
    #[arg(long, value_name = "TEXT")]
    because: Line,

    /// Its evidence
    #[arg(long, value_name = "FILE", required = true)]
    evidence: Vec<Utf8PathBuf>,
}

/// Stops the campaign.
///
/// # Errors
///
/// Bad evidence when a file is empty or the log of a server that came up; refused when a competitor has a row that ranks.
pub fn run(context: &Context, args: ExternalArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let (staged, shown) = super::evidence(context, &run, &args.evidence)?;
    let evidence = staged.iter().map(|it| it.artifact().clone()).collect();
    let order = StopOrder::External { because: args.because, evidence, shown };
    transition::take_with(context, &run, staged, |_| Ok(StopCampaign(order).into()))?.outcome()
}
