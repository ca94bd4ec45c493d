//! `vsota patch record`: PA-1 … PA-6; enters Revalidate.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Deserialize;
use vsota_core::GitId;
use vsota_core::command::RecordPatch;
use vsota_core::evidence::diff;
use vsota_core::evidence::draft::{self, DraftKind, Range};
use vsota_core::facts::{ChangedFile, Patch, Standpoint};
use vsota_core::text::Line;

use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::gather::bad;
use crate::given;
use crate::journal::rel;
use crate::output::Outcome;
use crate::rundir::RunDir;
use crate::rundir::intake::Staged;
use crate::transition;

/// The most bytes of a diff.
const DIFF: u64 = 16 << 20;

/// Record a patch of vLLM code
#[derive(Args, Debug)]
pub struct RecordArgs {
    #[command(flatten)]
    pub(super) told: Told,
}

/// What is told of a patch: its story, where the checkout stands, and what git says.
#[derive(Args, Clone, Debug)]
pub struct Told {
    #[command(flatten)]
    draft: DraftArgs,

    /// Where checkout and loop stand, for a demonstration; head is the patch
    #[arg(long, value_name = "FILE", hide = true)]
    stand: Option<Utf8PathBuf>,

    /// What git says of the range: JSON with base_tree, commits, descends and files [{path}]
    #[arg(long, value_name = "FILE", required_unless_present = "template")]
    git: Option<Utf8PathBuf>,

    /// The diff of the range, as `git -c core.quotepath=off diff` prints it
    #[arg(long, value_name = "FILE", required_unless_present = "template")]
    diff: Option<Utf8PathBuf>,
}

/// What git says of a range.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GitSays {
    base_tree: GitId,
    commits: u32,
    descends: bool,
    files: Vec<FileSaid>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSaid {
    path: Line,
}

/// Records the patch.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused when one of PA-1 … PA-5 does not hold.
pub fn run(context: &Context, args: RecordArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir();
    let Some((patch, staged)) = args.told.patch(context, run.as_ref())? else {
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
    /// Bad evidence with file, line and field.
    pub fn patch<'a>(
        &self,
        context: &Context,
        run: Result<&'a RunDir, &Failure>,
    ) -> Result<Option<(Patch, Staged<'a>)>, Failure> {
        let Some(sheet) = self.draft.read(context)? else { return Ok(None) };
        let (Some(git), Some(diff)) = (&self.git, &self.diff) else { return Ok(None) };
        let said = sheet.says(draft::patch)?;
        let stand = given::stand_of(context, self.stand.as_deref())?;
        let run = run.map_err(Clone::clone)?;
        let (range, staged) = range(context, run, &stand, git, diff)?;
        let artifact = staged.artifact().clone();
        Ok(Some((said.fact(stand, range, artifact), staged)))
    }
}

/// What git says of a range, held against the diff; the diff goes to `patches/` (PA-6).
///
/// # Errors
///
/// Bad evidence with file, line and field, also when the diff changes other files than git says.
pub fn range<'a>(
    context: &Context,
    run: &'a RunDir,
    stand: &Standpoint,
    git: &Utf8Path,
    diff: &Utf8Path,
) -> Result<(Range, Staged<'a>), Failure> {
    let says: GitSays = given::json(context, git)?;
    let bytes = context.evidence(diff, DIFF)?;
    // File contents may be in any encoding; the headers that are read here are not.
    let touched =
        diff::touched(&String::from_utf8_lossy(&bytes)).map_err(|error| bad(&error, diff))?;
    let told: BTreeSet<&str> = says.files.iter().map(|it| it.path.as_str()).collect();
    let wrong = |message: String| Failure::bad_evidence(message).in_file(git).at_field("files");
    if let Some(path) = touched.files.iter().find(|it| !told.contains(it.as_str())) {
        return Err(wrong(format!("the diff changes {path}, which git's list lacks")));
    }
    let extra = |it: &&&str| !touched.files.contains(**it) && !touched.renamed.contains(**it);
    if let Some(path) = told.iter().find(extra) {
        return Err(wrong(format!("git lists {path}, which the diff does not change")));
    }
    let kinds = says.files.into_iter().map(|FileSaid { path }| {
        let kind = diff::kind(path.as_str());
        ChangedFile { path, kind }
    });
    let range = Range {
        base_tree: says.base_tree,
        commits: says.commits,
        descends: says.descends,
        files: kinds.collect(),
    };
    let (_, round) = drafting::standing(run)?;
    let to = rel(&format!("patches/r{round}-{}.patch", stand.head.commit.short()))?;
    let staged = run.stage_bytes(&bytes, diff.as_str(), &to, &context.secrets)?;
    Ok((range, staged))
}
