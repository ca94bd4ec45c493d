//! `vsota profile root-cause`: PR-6, GD-3; enters LayerPipeline.

use clap::Args;
use vsota_core::command::NameRootCause;
use vsota_core::evidence::draft::{self, DraftKind};

use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::find;
use crate::given::StandArgs;
use crate::journal::rel;
use crate::objects::Objects;
use crate::output::Outcome;
use crate::transition;

/// Name the root cause of the gap, and go on to the layer pipeline
#[derive(Args, Debug)]
pub struct RootCauseArgs {
    #[command(flatten)]
    draft: DraftArgs,

    #[command(flatten)]
    stand: StandArgs,
}

/// Names the root cause.
///
/// # Errors
///
/// Bad evidence with file, line and field, also when the checkout holds no such source; refused while a
/// profile is missing, a row does not exist, or another stage is the slower one.
pub fn run(context: &Context, args: RootCauseArgs) -> Result<Outcome, Failure> {
    let Some(sheet) = args.draft.read(context)? else {
        return drafting::skeleton(context, DraftKind::RootCause);
    };
    let said = sheet.says(draft::root_cause)?;
    let stand = args.stand.read(context)?;
    let run = context.run_dir()?;
    let (campaign, round) = drafting::standing(&run)?;
    if let Some(checkout) = find::checkout(&campaign)
        && let commit = &stand.head.commit
        && let Some(source) = Objects::of(&checkout, commit)?.missing(commit, &said.sources)?
    {
        let message = format_args!("the commit {} holds no {source}", commit.short());
        return Err(Failure::bad_evidence(message).in_file(sheet.from()).at_field("Sources"));
    }
    let at = rel(&format!("analysis/r{round}-root-cause-{}.md", sheet.short()))?;
    let staged = sheet.stage(context, &run, &at)?;
    let cause = said.fact(stand, staged.artifact().clone());
    transition::take_with(context, &run, vec![staged], |_| Ok(NameRootCause(cause).into()))?
        .outcome()
}
