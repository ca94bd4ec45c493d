//! `vsota revalidate reject`: RV-2, RV-3; back to RlcrActive.

use clap::Args;
use vsota_core::command::RejectPatch;
use vsota_core::facts::Rejection;
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::given::StandArgs;
use crate::output::Outcome;
use crate::transition;

/// Reject the patch
#[derive(Args, Debug)]
pub struct RejectArgs {
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Line,

    #[command(flatten)]
    stand: StandArgs,
}

/// Rejects the patch.
///
/// # Errors
///
/// Refused while the accepted tree is not restored.
pub fn run(context: &Context, args: RejectArgs) -> Result<Outcome, Failure> {
    let given = Rejection { reason: args.reason, head: args.stand.read(context)?.head };
    transition::take(context, &context.run_dir()?, RejectPatch(given))?.outcome()
}
