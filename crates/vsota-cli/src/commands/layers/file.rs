//! `vsota layers file`: LP-1, LP-2.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::FilePipeline;
use vsota_core::evidence::LayersFile;

use super::analyze::{self, HowArgs};
use crate::context::Context;
use crate::drafting;
use crate::failure::Failure;
use crate::gather::bad;
use crate::given::{self, StandArgs};
use crate::journal::rel;
use crate::output::Outcome;
use crate::rundir::intake::LIMIT;
use crate::{traces, transition};

/// File the layer report of a vLLM trace that this round profiled
#[derive(Args, Debug)]
pub struct FileArgs {
    /// A trace, with `--config`, or a `vsota-layers/1` that was made of one
    file: Utf8PathBuf,

    #[command(flatten)]
    how: HowArgs,

    #[command(flatten)]
    stand: StandArgs,
}

/// Files the report.
///
/// # Errors
///
/// Bad evidence with file and field; refused when trace or config are not this round's.
pub fn run(context: &Context, args: FileArgs) -> Result<Outcome, Failure> {
    let bytes = match traces::is_report(&args.file, "vsota-layers/1")? {
        true => context.evidence(&args.file, LIMIT)?,
        false => made_of(context, &args)?,
    };
    let wrong = |error| bad(&error, &args.file);
    let report = LayersFile::read(&bytes).map_err(wrong)?;
    let stand = args.stand.read(context)?;
    let run = context.run_dir()?;
    let (_, round) = drafting::standing(&run)?;
    let to = rel(&format!("analysis/r{round}-layers-{}.json", crate::short(&bytes)))?;
    let staged = run.stage_bytes(&bytes, args.file.as_str(), &to, &context.secrets)?;
    let pipeline = report.pipeline(stand, staged.artifact().clone()).map_err(wrong)?;
    transition::take_with(context, &run, vec![staged], |_| Ok(FilePipeline(pipeline).into()))?
        .outcome()
}

/// The layers of a trace, as `layers analyze --json` prints them.
fn made_of(context: &Context, args: &FileArgs) -> Result<Vec<u8>, Failure> {
    context.may_take(&args.file)?;
    let report = analyze::made(&args.file, &args.how)?;
    serde_json::to_vec(&report).map_err(|error| given::misread(&error).in_file(&args.file))
}
