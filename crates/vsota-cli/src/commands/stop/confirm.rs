//! `vsota stop confirm`: GD-4.

use clap::Args;
use vsota_core::command::StopCampaign;
use vsota_core::facts::StopOrder;

use crate::context::Context;
use crate::failure::Failure;
use crate::given::StandArgs;
use crate::output::Outcome;

/// Confirm the standing claim, once Humanize's review ended complete on the claimed build
#[derive(Args, Debug)]
pub struct ConfirmArgs {
    #[command(flatten)]
    stand: StandArgs,
}

/// Confirms the claim; the campaign is stopped.
///
/// # Errors
///
/// Refused when no claim stands, its review is open, or the build moved.
pub fn run(context: &Context, args: ConfirmArgs) -> Result<Outcome, Failure> {
    let stand = args.stand.read(context)?;
    super::stop(context, StopCampaign(StopOrder::Confirm { stand }))
}
