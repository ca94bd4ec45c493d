//! `vsota revalidate accept`: RV-1, RV-2, KA-5, KA-9, RL-9.

use clap::Args;
use vsota_core::command::AcceptPatch;
use vsota_core::facts::Acceptance;
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::given::StandArgs;
use crate::output::Outcome;
use crate::transition;

/// Accept the patch
#[derive(Args, Debug)]
pub struct AcceptArgs {
    #[command(flatten)]
    stand: StandArgs,

    /// What is planned next, for the checkpoint
    #[arg(long, value_name = "TEXT")]
    next_planned: Option<Line>,
}

/// Accepts the patch.
///
/// # Errors
///
/// Refused while tests, blocks or the profile are missing, or nothing was gained.
pub fn run(context: &Context, args: AcceptArgs) -> Result<Outcome, Failure> {
    let given = Acceptance { stand: args.stand.read(context)?, next_planned: args.next_planned };
    transition::take(context, &context.run_dir()?, AcceptPatch(given))?.outcome()
}
