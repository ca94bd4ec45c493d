//! `vsota round abandon`: back to RlcrActive without a patch.

use clap::Args;
use vsota_core::command::AbandonRound;
use vsota_core::facts::Abandonment;
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::given::StandArgs;
use crate::output::Outcome;
use crate::transition;

/// Give up the round; from the layer pipeline on it counts as a weak outcome
#[derive(Args, Debug)]
pub struct AbandonArgs {
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Line,

    #[command(flatten)]
    stand: StandArgs,
}

/// Gives up the round.
///
/// # Errors
///
/// Refused when the accepted tree is not restored, or no idea got its verdict.
pub fn run(context: &Context, args: AbandonArgs) -> Result<Outcome, Failure> {
    let given = Abandonment { reason: args.reason, stand: args.stand.read(context)? };
    transition::take(context, &context.run_dir()?, AbandonRound(given))?.outcome()
}
