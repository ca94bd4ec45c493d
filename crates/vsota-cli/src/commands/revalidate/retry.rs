//! `vsota revalidate retry`: RV-2, RV-3; back to LayerPipeline.

use clap::Args;
use vsota_core::command::RetryPatch;
use vsota_core::facts::Rejection;
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::given::StandArgs;
use crate::output::Outcome;
use crate::transition;

/// Put the patch aside and try another on the same evidence
#[derive(Args, Debug)]
pub struct RetryArgs {
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Line,

    #[command(flatten)]
    stand: StandArgs,
}

/// Puts the patch aside.
///
/// # Errors
///
/// Refused while the accepted tree is not restored.
pub fn run(context: &Context, args: RetryArgs) -> Result<Outcome, Failure> {
    let given = Rejection { reason: args.reason, head: args.stand.read(context)?.head };
    transition::take(context, &context.run_dir()?, RetryPatch(given))?.outcome()
}
