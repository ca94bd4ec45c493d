//! `vsota patch record`: PA-1 … PA-6; enters Revalidate.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::{CommandKind, RecordPatch};
use vsota_core::evidence::draft::{self, DraftKind};
use vsota_core::facts::Patch;

use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::given;
use crate::output::Outcome;
use crate::range::{RangeArgs, Ranged};
use crate::rundir::RunDir;
use crate::rundir::intake::Staged;
use crate::transition;

/// Record a patch of vLLM code
#[derive(Args, Debug)]
pub struct RecordArgs {
    #[command(flatten)]
    pub(super) told: Told,
}

/// What is told of a patch: its story; where the checkout stands and what changed is asked of git, but
/// told by files in a demonstration.
#[derive(Args, Clone, Debug)]
pub struct Told {
    #[command(flatten)]
    draft: DraftArgs,

    /// Where checkout and loop stand, for a demonstration; head is the patch
    #[arg(long, value_name = "FILE", hide = true)]
    stand: Option<Utf8PathBuf>,

    #[command(flatten)]
    range: RangeArgs,
}

/// Records the patch.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when one of PA-1 … PA-5 does not hold.
pub fn run(context: &Context, args: RecordArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir();
    let told = args.told.patch(context, run.as_ref(), CommandKind::RecordPatch)?;
    let Some((patch, staged)) = told else {
        return drafting::skeleton(context, DraftKind::Patch);
    };
    let command = RecordPatch(patch).into();
    transition::take_with(context, run.as_ref().map_err(Clone::clone)?, vec![staged], |_| {
        Ok(command)
    })?
    .outcome()
}

impl Told {
    /// The patch and its diff; `None` when the skeleton is wanted.
    ///
    /// # Errors
    ///
    /// Bad evidence with file, line and field; refused when the diff tells of code from elsewhere and the
    /// story does not (PA-3).
    pub fn patch<'a>(
        &self,
        context: &Context,
        run: Result<&'a RunDir, &Failure>,
        command: CommandKind,
    ) -> Result<Option<(Patch, Staged<'a>)>, Failure> {
        let Some(sheet) = self.draft.read(context)? else { return Ok(None) };
        let said = sheet.says(draft::patch)?;
        let stand = given::stand_of(context, self.stand.as_deref())?;
        let run = run.map_err(Clone::clone)?;
        let ranged = self.range.read(context, run, &stand, command)?;
        let verb = if command == CommandKind::AmendPatch { "amend" } else { "record" };
        let help = format!("vsota patch {verb} --template");
        ranged.told_whole(context, run, &said.copied, (command, &help))?;
        let Ranged { range, staged, .. } = ranged;
        let artifact = staged.artifact().clone();
        Ok(Some((said.fact(stand, range, artifact), staged)))
    }
}
