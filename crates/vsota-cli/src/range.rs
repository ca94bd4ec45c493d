//! What lies between the accepted build and HEAD? A real campaign asks the checkout's own objects; a
//! demonstration, which has no checkout, takes it from files (PA-1, PA-6, RL-9).

use std::collections::BTreeSet;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Deserialize;
use vsota_core::command::CommandKind;
use vsota_core::event::Event;
use vsota_core::evidence::draft::Range;
use vsota_core::evidence::{checks, diff};
use vsota_core::facts::{ChangedFile, ChecksGone, Copied, Standpoint};
use vsota_core::text::Line;
use vsota_core::{Clause, Entry, GitId};

use crate::chronicle::{self, Chronicle};
use crate::context::Context;
use crate::failure::{Failure, Reason};
use crate::gather::bad;
use crate::given;
use crate::journal::{Reading, rel};
use crate::objects::{DIFF, Objects};
use crate::rundir::RunDir;
use crate::rundir::intake::Staged;
use crate::transition;

/// What git says of a range, told by files: in a demonstration only.
#[derive(Args, Clone, Debug)]
pub struct RangeArgs {
    /// What git says of the range, for a demonstration: JSON with base_tree, commits, descends and
    /// files [{path}]
    #[arg(long, value_name = "FILE", hide = true, requires = "diff")]
    git: Option<Utf8PathBuf>,

    /// The diff of the range, for a demonstration
    #[arg(long, value_name = "FILE", hide = true, requires = "git")]
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

/// A range with its diff.
pub struct Ranged<'a> {
    /// What git says of it.
    pub range: Range,
    /// The diff, on its way to `patches/` (PA-6).
    pub staged: Staged<'a>,
    /// A line that the range adds and that tells of code from elsewhere (PA-3).
    admitted: Option<diff::Admission>,
}

impl Ranged<'_> {
    /// Why the range cannot be recorded as it is told: a line of it tells of code from elsewhere, and
    /// nothing is named as copied (PA-3).
    ///
    /// # Errors
    ///
    /// Refused in that case.
    pub fn told_whole(
        &self,
        context: &Context,
        run: &RunDir,
        copied: &[Copied],
        (command, help): (CommandKind, &str),
    ) -> Result<(), Failure> {
        let Some(it) = self.admitted.as_ref().filter(|_| copied.is_empty()) else { return Ok(()) };
        let found = format!("{} says `{}`, and no copied code is named", it.path, it.text);
        let chronicle = Chronicle::of(&Reading::of(run)?)?;
        let reasons = vec![Reason { clause: Clause::Pa3, found, help: help.to_owned() }];
        Err(transition::object(context, run, &chronicle, command, reasons))
    }
}

impl RangeArgs {
    /// The range from the accepted build to where the checkout stands.
    ///
    /// # Errors
    ///
    /// Refused when the accepted commit is not in the checkout; bad evidence when git and the facts do not
    /// fit together; usage when files are named and this is no demonstration.
    pub fn read<'a>(
        &self,
        context: &Context,
        run: &'a RunDir,
        stand: &Standpoint,
        command: CommandKind,
    ) -> Result<Ranged<'a>, Failure> {
        let chronicle = Chronicle::of(&Reading::of(run)?)?;
        let (mut range, bytes, from) = match (&self.git, &self.diff) {
            (Some(git), Some(diff)) => told(context, git, diff)?,
            _ => found(context, run, stand, &chronicle, command)?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let odd = range.files.iter().map(|it| it.path.as_str()).find(|it| it.contains(['"', '\\']));
        if let Some(path) = odd {
            let message = format_args!(
                "rename {path}: a quote or a backslash in a name has no place in a diff"
            );
            return Err(Failure::bad_evidence(message).in_file(path));
        }
        let admitted = diff::admits(&text);
        let round = chronicle::round(&chronicle.campaign);
        let to = rel(&format!("patches/r{round}-{}.patch", stand.head.commit.short()))?;
        let mut staged = run.stage_bytes(&bytes, &from, &to, &context.secrets)?;
        // Read from what is kept, as `verify` will: no secret is told, and both say the same.
        let mut kept = Vec::new();
        let read = staged.reader()?.read_to_end(&mut kept);
        read.map_err(|error| Failure::file("read", Utf8Path::new(&from), &error))?;
        range.checks_gone = checks::fact(&String::from_utf8_lossy(&kept), None);
        let count = |it: &Option<ChecksGone>| it.as_ref().map_or(0, |it| it.count);
        if kept != bytes && count(&checks::fact(&text, None)) > count(&range.checks_gone) {
            let message = "a check differs only in what is taken out as a secret (PA-2, SE-1): \
                           leave it as it was, or put no secret into it";
            return Err(Failure::bad_evidence(message).in_file(&from));
        }
        Ok(Ranged { range, staged, admitted })
    }
}

/// What files say, held against each other.
fn told(
    context: &Context,
    git: &Utf8Path,
    diff: &Utf8Path,
) -> Result<(Range, Vec<u8>, String), Failure> {
    given::only_in_a_demonstration(context, "--git")?;
    let says: GitSays = given::json(context, git)?;
    let bytes = context.evidence(diff, DIFF)?;
    let files: Vec<Line> = says.files.into_iter().map(|it| it.path).collect();
    let touched = touched(&bytes).map_err(|error| bad(&error, diff))?;
    if let Some(message) = differ(&touched, &files) {
        return Err(Failure::bad_evidence(message).in_file(git).at_field("files"));
    }
    let GitSays { base_tree, commits, descends, .. } = says;
    let files = kinds(files);
    let range = Range { base_tree, commits, descends, files, checks_gone: None };
    Ok((range, bytes, diff.to_string()))
}

/// What the checkout's objects say.
fn found(
    context: &Context,
    run: &RunDir,
    stand: &Standpoint,
    chronicle: &Chronicle,
    command: CommandKind,
) -> Result<(Range, Vec<u8>, String), Failure> {
    let checkout = given::survey(context)?.checkout;
    let head = &stand.head;
    let objects = Objects::of(&checkout, &head.commit)?;
    if objects.tree(&head.commit)?.as_ref() != Some(&head.tree) {
        let message = format_args!(
            "the commit {} does not have the tree {} that git tells of HEAD",
            head.commit, head.tree
        );
        return Err(Failure::bad_evidence(message).in_file(&checkout));
    }
    let accepted = accepted(&chronicle.entries)
        .ok_or_else(|| Failure::bad_evidence("no event names the commit of the accepted build"))?;
    let Some(base_tree) = objects.tree(&accepted)? else {
        let reason = Reason {
            clause: Clause::Pa1,
            found: format!("the commit {accepted} of the accepted build is not in the checkout"),
            help: format!("git -C {checkout} fetch --all"),
        };
        return Err(transition::object(context, run, chronicle, command, vec![reason]));
    };
    let descends = objects.descends(&head.commit, &accepted)?;
    // What was tried and taken back belongs to no patch: the range begins where the tree was last that of
    // the accepted build.
    let since = objects.between(&accepted, &head.commit)?;
    let base = since.iter().find(|it| it.tree == base_tree).map_or(accepted, |it| it.id.clone());
    let commits = objects.between(&base, &head.commit)?.len();
    let commits = u32::try_from(commits).unwrap_or(u32::MAX);
    let named = objects.changed(&base_tree, &head.tree)?;
    let line = |it: String| Line::new(it.as_str()).map_err(|error| (error, it));
    let files: Result<Vec<Line>, _> = named.into_iter().map(line).collect();
    let files = files.map_err(|(error, it)| {
        Failure::bad_evidence(format_args!("the name of a changed file: {error}")).in_file(it)
    })?;
    let bytes = objects.diff(&base_tree, &head.tree)?;
    let from = format!("the diff of {checkout}");
    if !bytes.is_empty() {
        let touched = touched(&bytes).map_err(|error| bad(&error, &from))?;
        if let Some(message) = differ(&touched, &files) {
            return Err(Failure::bad_evidence(message).in_file(&checkout));
        }
    }
    let files = kinds(files);
    Ok((Range { base_tree, commits, descends, files, checks_gone: None }, bytes, from))
}

/// The commit of the accepted build: that of the last accepted patch, else that on which the loop was
/// entered.
pub fn accepted(entries: &[Entry]) -> Option<GitId> {
    entries.iter().rev().find_map(|it| match &it.event {
        Event::PatchAccepted(it) => Some(it.said.stand.head.commit.clone()),
        Event::LoopEntered(it) => it.said.checkout.head.as_ref().map(|it| it.commit.clone()),
        _ => None,
    })
}

/// File contents may be in any encoding; the headers that are read here are not.
fn touched(bytes: &[u8]) -> Result<diff::Touched, vsota_core::evidence::EvidenceError> {
    diff::touched(&String::from_utf8_lossy(bytes))
}

/// In what a diff and a list of files differ.
fn differ(touched: &diff::Touched, files: &[Line]) -> Option<String> {
    let told: BTreeSet<&str> = files.iter().map(Line::as_str).collect();
    if let Some(path) = touched.files.iter().find(|it| !told.contains(it.as_str())) {
        return Some(format!("the diff changes {path}, which git's list lacks"));
    }
    let extra = |it: &&&str| !touched.files.contains(**it) && !touched.renamed.contains(**it);
    let extra = told.iter().find(extra)?;
    Some(format!("git lists {extra}, which the diff does not change"))
}

fn kinds(files: Vec<Line>) -> Vec<ChangedFile> {
    let kind = |path: Line| {
        let kind = diff::kind(path.as_str());
        ChangedFile { path, kind }
    };
    files.into_iter().map(kind).collect()
}
