//! `vsota revalidate ingest`: blocks of a patched build that were run elsewhere.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::evidence::BlockKind;

use crate::blocks;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;

/// File blocks of the new build against the accepted one; the rest is report-only
#[derive(Args, Debug)]
pub struct IngestArgs {
    /// Files of one `vsota-block/1` of kind trial each
    #[arg(required = true, value_name = "FILE")]
    files: Vec<Utf8PathBuf>,
}

/// Files the blocks, one event each.
///
/// # Errors
///
/// As [`blocks::ingest`].
pub fn run(context: &Context, args: IngestArgs) -> Result<Outcome, Failure> {
    blocks::ingest(context, &args.files, BlockKind::Trial)
}
