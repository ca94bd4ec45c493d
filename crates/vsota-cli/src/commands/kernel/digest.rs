//! `vsota kernel digest`: KA-3.

use clap::Args;
use vsota_core::command::FileDigest;
use vsota_core::evidence::draft::{self, DraftKind};
use vsota_core::text::Name;
use vsota_core::{Campaign, State};

use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::journal::rel;
use crate::output::Outcome;
use crate::transition;

/// File what NCU says of baseline and candidate, with exactly one next edit
#[derive(Args, Debug)]
pub struct DigestArgs {
    #[command(flatten)]
    draft: DraftArgs,
}

/// Files the digest.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when the version is used or there is not one edit.
pub fn run(context: &Context, args: DigestArgs) -> Result<Outcome, Failure> {
    let Some(sheet) = args.draft.read(context)? else {
        return drafting::skeleton(context, DraftKind::NcuDigest);
    };
    let said = sheet.says(draft::ncu_digest)?;
    let run = context.run_dir()?;
    let (campaign, round) = drafting::standing(&run)?;
    let version = version(&campaign, round, said.version.map(u32::from))?;
    let at = rel(&format!("kernel/ncu-digests/{version}/draft-{}.md", sheet.short()))?;
    let staged = sheet.stage(context, &run, &at)?;
    let digest = said.fact(version, staged.artifact().clone());
    transition::take_with(context, &run, vec![staged], |_| Ok(FileDigest(digest).into()))?.outcome()
}

/// `rN-<kernel>-vM`: the number that the draft names, or the next one.
fn version(campaign: &Campaign, round: u32, number: Option<u32>) -> Result<Name, Failure> {
    let (kernel, filed) = match campaign.state() {
        State::KernelAssist(it) => (it.target().name.as_str(), it.digests().len()),
        // Without a target the machine refuses the digest.
        _ => ("none", 0),
    };
    let next = u32::try_from(filed).unwrap_or(u32::MAX).saturating_add(1);
    let number = number.unwrap_or(next);
    let long = |error| Failure::bad_evidence(error).at_field("version");
    Name::new(format!("r{round}-{kernel}-v{number}")).map_err(long)
}
