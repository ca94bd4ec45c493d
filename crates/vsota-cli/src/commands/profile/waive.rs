//! `vsota profile waive`: PR-8.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::WaiveProfile;
use vsota_core::evidence::failing::Failing;
use vsota_core::facts::{Framework, ProfileWaiver};
use vsota_core::text::Line;

use crate::context::Context;
use crate::drafting;
use crate::failing::Seen;
use crate::failure::Failure;
use crate::journal::rel;
use crate::output::Outcome;
use crate::transition;

/// Record that a competitor cannot be captured
#[derive(Args, Debug)]
pub struct WaiveArgs {
    /// The competitor
    framework: Framework,

    /// The log of the failed capture
    #[arg(long, value_name = "FILE")]
    log: Utf8PathBuf,

    /// Why it failed
    #[arg(long, value_name = "TEXT")]
    reason: Line,
}

/// Waives the profile.
///
/// # Errors
///
/// Bad evidence when the log shows no failure; refused for vLLM, and for a framework that is not
/// compared.
pub fn run(context: &Context, args: WaiveArgs) -> Result<Outcome, Failure> {
    let WaiveArgs { framework, log, reason } = args;
    let run = context.run_dir()?;
    let (_, round) = drafting::standing(&run)?;
    let to = rel(&format!("profiles/r{round}/{framework}-waived.log"))?;
    // The server of a capture is up; what fails is the profiler.
    let staged = Seen::of(context, &run, &log, &to, Failing::Anything)?.failed(&log)?;
    let waiver = ProfileWaiver { framework, log: staged.artifact().clone(), reason };
    transition::take_with(context, &run, vec![staged], |_| Ok(WaiveProfile(waiver).into()))?
        .outcome()
}
