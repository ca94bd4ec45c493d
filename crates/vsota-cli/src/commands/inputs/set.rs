//! `vsota inputs set`: IN-1.

use clap::Args;
use vsota_core::command::RecordInputs;

use crate::context::Context;
use crate::failure::Failure;
use crate::gather::{self, Pair};
use crate::output::Outcome;
use crate::transition;

/// Record inputs; a later value of one key replaces the earlier
#[derive(Args, Debug)]
pub struct SetArgs {
    #[command(flatten)]
    files: gather::Files,

    /// The inputs, such as model=Qwen/Qwen3-8B or sla.max_p50_ttft_ms=2000
    #[arg(value_name = "KEY=VALUE")]
    pairs: Vec<Pair>,
}

/// Records the inputs.
///
/// # Errors
///
/// Usage when a key is unknown; bad evidence when a file is not what it should be.
pub fn run(context: &Context, args: SetArgs) -> Result<Outcome, Failure> {
    let given = gather::inputs(context, &args.files, &args.pairs)?;
    if given.inputs.is_empty() {
        return Err(Failure::usage("give at least one KEY=VALUE, --config or --workload"));
    }
    let run = context.run_dir()?;
    gather::point_at(&run, &given)?;
    transition::take(context, &run, RecordInputs(given))?.outcome()
}
