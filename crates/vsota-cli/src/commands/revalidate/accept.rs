//! `vsota revalidate accept`: RV-1, RV-2, KA-5, KA-9, RL-9.

use clap::Args;
use vsota_core::command::{AcceptPatch, CommandKind};
use vsota_core::facts::Acceptance;
use vsota_core::text::Line;

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::given::{self, StandArgs};
use crate::help;
use crate::journal::Reading;
use crate::output::Outcome;
use crate::rundir::RunDir;
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
/// Refused while tests, blocks or the profile are missing, nothing was gained, or Humanize's round lacks
/// its contract or summary.
pub fn run(context: &Context, args: AcceptArgs) -> Result<Outcome, Failure> {
    let told = args.stand.is_told();
    let given = Acceptance { stand: args.stand.read(context)?, next_planned: args.next_planned };
    let run = context.run_dir()?;
    if !told {
        written(context, &run, &given)?;
    }
    transition::take(context, &run, AcceptPatch(given))?.outcome()
}

/// RL-8: the round has its contract and a summary that is not the scaffold.
fn written(context: &Context, run: &RunDir, given: &Acceptance) -> Result<(), Failure> {
    let mut reasons = given::survey(context)?.unwritten()?;
    if reasons.is_empty() {
        return Ok(());
    }
    let chronicle = Chronicle::of(&Reading::of(run)?)?;
    if let Err(refusal) = chronicle.campaign.decide(AcceptPatch(given.clone())) {
        reasons.extend(help::refused(&refusal).reasons);
    }
    Err(transition::object(context, run, &chronicle, CommandKind::AcceptPatch, reasons))
}
