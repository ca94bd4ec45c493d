//! `vsota stop claim`: ST-1 … ST-5.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::ClaimStop;
use vsota_core::facts::{StopClaim, StopReason};
use vsota_core::text::Prose;

use crate::context::Context;
use crate::failure::Failure;
use crate::given::StandArgs;
use crate::output::Outcome;
use crate::transition;

/// Claim that the campaign is done; Humanize's review comes before it is confirmed
#[derive(Args, Debug)]
pub struct ClaimArgs {
    /// beats, tied, external or limit
    reason: StopReason,

    #[command(flatten)]
    stand: StandArgs,

    /// The named cause, for external and limit
    #[arg(long, value_name = "TEXT")]
    because: Option<Prose>,

    /// Its evidence, for external and limit
    #[arg(long, value_name = "FILE")]
    evidence: Vec<Utf8PathBuf>,
}

/// Claims the stop.
///
/// # Errors
///
/// Bad evidence when a file is empty or the log of a server that came up; refused when the verdict, the evidence or an uninvestigated row stands in the way.
pub fn run(context: &Context, args: ClaimArgs) -> Result<Outcome, Failure> {
    let stand = args.stand.read(context)?;
    let run = context.run_dir()?;
    let (staged, shown) = super::evidence(context, &run, &args.evidence)?;
    let evidence = staged.iter().map(|it| it.artifact().clone()).collect();
    let (reason, because) = (args.reason, args.because);
    let claim = StopClaim { stand, reason, because, evidence, shown };
    transition::take_with(context, &run, staged, |_| Ok(ClaimStop(claim).into()))?.outcome()
}
