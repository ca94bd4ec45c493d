//! `vsota round open`: enters GapDecision.

use clap::Args;
use vsota_core::State;
use vsota_core::command::OpenRound;
use vsota_core::facts::{Review, RoundStart};
use vsota_core::phase::InLoop as _;

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::given::{self, StandArgs};
use crate::output::Outcome;
use crate::transition;

/// Open a round
#[derive(Args, Debug)]
pub struct OpenArgs {
    #[command(flatten)]
    stand: StandArgs,

    /// What Humanize's review said of the round whose patch was accepted, for a demonstration:
    /// advanced, stalled, regressed or complete
    #[arg(long, value_name = "VERDICT", hide = true, requires = "stand")]
    review: Option<Review>,
}

/// Opens the round.
///
/// # Errors
///
/// Refused when no loop is active, HEAD left the accepted build, or a review is still due.
pub fn run(context: &Context, args: OpenArgs) -> Result<Outcome, Failure> {
    let start = match args.stand.is_told() {
        true => RoundStart { stand: args.stand.read(context)?, review: args.review },
        false => found(context)?,
    };
    transition::take(context, &context.run_dir()?, OpenRound(start))?.outcome()
}

/// Where checkout and loop stand, and what the review of an accepted patch said in its result.
fn found(context: &Context) -> Result<RoundStart, Failure> {
    let survey = given::survey(context)?;
    let (_, reading) = context.reading()?;
    let Chronicle { campaign, entries, .. } = Chronicle::of(&reading)?;
    let due = match campaign.state() {
        State::RlcrActive(it) => it.case().review_due,
        _ => false,
    };
    let review = if due { survey.review(&entries) } else { None };
    Ok(RoundStart { stand: given::stand_now(context, &survey)?, review })
}
