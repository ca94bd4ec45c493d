//! `vsota kernel digest`: KA-3.

use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::command::FileDigest;
use vsota_core::evidence::draft::{self, DraftKind};
use vsota_core::evidence::ncu::{self, Report};
use vsota_core::text::{Line, Name};
use vsota_core::{Campaign, State};

use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::{Failure, Why};
use crate::gather::bad;
use crate::journal::rel;
use crate::output::Outcome;
use crate::rundir::RunDir;
use crate::rundir::intake::Staged;
use crate::transition;

/// The most bytes of one of NCU's exports.
const EXPORT: u64 = 64 << 20;

/// File what NCU says of baseline and candidate, with exactly one next edit
///
/// From a draft, or from two exports of NCU's: `ncu --import REPORT --csv --page details` (or `raw`).
#[derive(Args, Debug)]
pub struct DigestArgs {
    /// The draft; `-` is standard input
    #[arg(value_name = "DRAFT", required_unless_present_any = ["template", "baseline"])]
    #[arg(conflicts_with_all = ["template", "baseline"])]
    draft: Option<Utf8PathBuf>,

    /// Print the skeleton of the draft, and record nothing
    #[arg(long, conflicts_with = "baseline")]
    template: bool,

    #[command(flatten)]
    exports: ExportArgs,
}

/// Two exports of NCU's.
#[derive(Args, Debug)]
struct ExportArgs {
    /// NCU's export of the baseline, the page details or raw as CSV
    #[arg(long, value_name = "A.csv", requires_all = ["candidate", "next_edit"])]
    baseline: Option<Utf8PathBuf>,

    /// NCU's export of the candidate, the page details or raw as CSV
    #[arg(long, value_name = "B.csv", requires = "baseline")]
    candidate: Option<Utf8PathBuf>,

    /// The next edit: exactly one
    #[arg(long, value_name = "TEXT", requires = "baseline")]
    next_edit: Vec<Line>,

    /// Compare the kernel whose name holds this, where an export has several
    #[arg(long, value_name = "TEXT", requires = "baseline")]
    kernel: Option<String>,

    /// The same for the candidate, where its kernel has another name
    #[arg(long, value_name = "TEXT", requires = "baseline")]
    candidate_kernel: Option<String>,
}

/// Files the digest.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when the version is used or there is not one edit.
pub fn run(context: &Context, args: DigestArgs) -> Result<Outcome, Failure> {
    if let (Some(baseline), Some(candidate)) = (&args.exports.baseline, &args.exports.candidate) {
        return exported(context, &args.exports, (baseline, candidate));
    }
    let draft = DraftArgs::of(args.draft, args.template);
    let Some(sheet) = draft.read(context)? else {
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

fn exported(
    context: &Context,
    args: &ExportArgs,
    (baseline, candidate): (&Utf8Path, &Utf8Path),
) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let (campaign, round) = drafting::standing(&run)?;
    let version = version(&campaign, round, None)?;
    let (old, before) = export(context, &run, baseline, &version)?;
    let (new, after) = export(context, &run, candidate, &version)?;
    let named = args.candidate_kernel.as_ref().or(args.kernel.as_ref());
    let old_side = before.side(args.kernel.as_deref()).map_err(|it| several(bad(&it, baseline)))?;
    let new_side =
        after.side(named.map(String::as_str)).map_err(|it| several(bad(&it, candidate)))?;
    let compared = ncu::compare(&old_side, &new_side).map_err(|it| bad(&it, candidate))?;
    let edits = args.next_edit.clone();
    let digest = compared.fact(version, edits, old.artifact().clone(), new.artifact().clone());
    // One export for both sides is one artefact.
    let staged = if old.artifact() == new.artifact() { vec![new] } else { vec![old, new] };
    transition::take_with(context, &run, staged, |_| Ok(FileDigest(digest).into()))?.outcome()
}

/// Where an export has several kernels, the flag that names one.
fn several(mut failure: Failure) -> Failure {
    if let Why::Fault(fault) = &mut failure.why
        && fault.field.as_deref() == Some("Kernel Name")
    {
        fault.message.push_str("; --kernel TEXT, for the candidate --candidate-kernel TEXT");
    }
    failure
}

/// Copies an export and reads the copy, as whoever proves it later will.
fn export<'a>(
    context: &Context,
    run: &'a RunDir,
    path: &Utf8Path,
    version: &Name,
) -> Result<(Staged<'a>, Report), Failure> {
    let bytes = context.evidence(path, EXPORT)?;
    let at = rel(&format!("kernel/ncu-digests/{version}/{}.csv", crate::short(&bytes)))?;
    let mut staged = run.stage_bytes(&bytes, path.as_str(), &at, &context.secrets)?;
    let mut copy = Vec::new();
    let copied = staged.reader()?.read_to_end(&mut copy);
    copied.map_err(|error| Failure::file("read", path, &error))?;
    let report = ncu::read(&copy).map_err(|error| bad(&error, path))?;
    Ok((staged, report))
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
