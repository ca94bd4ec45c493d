//! `vsota bench exclude`: IN-4.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::ExcludeFramework;
use vsota_core::evidence::failing::{Failing, Shown, not_missing};
use vsota_core::facts::{Exclusion, ExclusionCause, Framework};
use vsota_core::text::Line;

use crate::context::Context;
use crate::failing::{Seen, nothing};
use crate::failure::Failure;
use crate::journal::rel;
use crate::output::Outcome;
use crate::transition;

/// Take a framework out of the comparison, with the reason
#[derive(Args, Debug)]
pub struct ExcludeArgs {
    /// The framework
    framework: Framework,

    /// It cannot run here, as this log shows by its error, or this help output by what it lacks
    #[arg(long, value_name = "FILE", required_unless_present = "by_user")]
    unsupported: Option<Utf8PathBuf>,

    /// The user left it out
    #[arg(long, conflicts_with = "unsupported")]
    by_user: bool,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Line,
}

/// Takes the framework out.
///
/// # Errors
///
/// Bad evidence when the file shows no failure, or a help output has what the reason says is missing;
/// refused when it is vLLM, when it ran here, or when the user speaks too late.
pub fn run(context: &Context, args: ExcludeArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let (framework, reason) = (args.framework, args.reason);
    let Some(log) = args.unsupported else {
        let cause = ExclusionCause::ByUser;
        let exclusion = Exclusion { framework, cause, reason };
        return transition::take(context, &run, ExcludeFramework(exclusion))?.outcome();
    };
    let to = rel(&format!("benchmark/logs/{framework}-unsupported.log"))?;
    let Seen { staged, bytes, shown } = Seen::of(context, &run, &log, &to, Failing::Server)?;
    match shown {
        Shown::Failure(_) => {}
        Shown::Help => {
            if let Some(there) = not_missing(reason.as_str(), &bytes) {
                let message =
                    format_args!("the help has {there}, which the reason says is missing");
                return Err(Failure::bad_evidence(message).in_file(&log).at_field("reason"));
            }
        }
        Shown::Prose => return Err(nothing().in_file(&log)),
    }
    let cause = ExclusionCause::Unsupported { evidence: staged.artifact().clone() };
    let exclusion = Exclusion { framework, cause, reason };
    transition::take_with(context, &run, vec![staged], |_| Ok(ExcludeFramework(exclusion).into()))?
        .outcome()
}
