//! `vsota gap ingest`: blocks that were run elsewhere.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::evidence::BlockKind;

use crate::blocks;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;

/// File blocks of interleaved runs; what cannot be shown to be one is report-only
#[derive(Args, Debug)]
pub struct IngestArgs {
    /// Files of one `vsota-block/1` of kind gap each
    #[arg(required = true, value_name = "FILE")]
    files: Vec<Utf8PathBuf>,
}

/// Files the blocks, one event each.
///
/// # Errors
///
/// As [`blocks::ingest`].
pub fn run(context: &Context, args: IngestArgs) -> Result<Outcome, Failure> {
    blocks::ingest(context, &args.files, BlockKind::Gap)
}
