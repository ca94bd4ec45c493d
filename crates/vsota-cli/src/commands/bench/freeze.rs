//! `vsota bench freeze`: FB-1.

use clap::Args;
use vsota_core::GitId;
use vsota_core::command::FreezeBenchmark;
use vsota_core::facts::FreezeAsked;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Freeze the benchmark, once and for ever
#[derive(Args, Debug)]
pub struct FreezeArgs {
    /// The tree of the checkout's HEAD (git rev-parse HEAD^{tree})
    #[arg(long, value_name = "ID")]
    tree: GitId,

    /// The commit of the checkout's HEAD (git rev-parse HEAD)
    #[arg(long, value_name = "ID")]
    commit: GitId,
}

/// Freezes the benchmark.
///
/// # Errors
///
/// Refused while a search is too small, a row is missing or unknown, or the benchmark is frozen.
pub fn run(context: &Context, args: FreezeArgs) -> Result<Outcome, Failure> {
    let asked = FreezeAsked { tree: args.tree, commit: args.commit };
    transition::take(context, &context.run_dir()?, FreezeBenchmark(asked))?.outcome()
}
