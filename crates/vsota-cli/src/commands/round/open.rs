//! `vsota round open`: enters GapDecision.

use clap::Args;
use vsota_core::command::OpenRound;
use vsota_core::facts::{Review, RoundStart};

use crate::context::Context;
use crate::failure::Failure;
use crate::given::StandArgs;
use crate::output::Outcome;
use crate::transition;

/// Open a round
#[derive(Args, Debug)]
pub struct OpenArgs {
    #[command(flatten)]
    stand: StandArgs,

    /// What Humanize's review said of the round whose patch was accepted: advanced, stalled,
    /// regressed or complete
    #[arg(long, value_name = "VERDICT")]
    review: Option<Review>,
}

/// Opens the round.
///
/// # Errors
///
/// Refused when no loop is active, HEAD left the accepted build, or a review is still due.
pub fn run(context: &Context, args: OpenArgs) -> Result<Outcome, Failure> {
    let start = RoundStart { stand: args.stand.read(context)?, review: args.review };
    transition::take(context, &context.run_dir()?, OpenRound(start))?.outcome()
}
