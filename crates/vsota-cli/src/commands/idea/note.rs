//! `vsota idea note`: LE-2, ST-5.

use std::slice;

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::NoteIdea;
use vsota_core::evidence::draft::{self, DraftKind};

use crate::checkout::Checkout;
use crate::context::Context;
use crate::drafting::{self, DraftArgs};
use crate::failure::Failure;
use crate::find;
use crate::journal::rel;
use crate::objects::Objects;
use crate::output::Outcome;
use crate::rundir::intake::LIMIT;
use crate::rundir::names;
use crate::transition;

/// Note a source idea and its verdict
#[derive(Args, Debug)]
pub struct NoteArgs {
    #[command(flatten)]
    draft: DraftArgs,

    /// What proves that the cause is external
    #[arg(long, value_name = "FILE")]
    evidence: Option<Utf8PathBuf>,
}

/// Notes the idea.
///
/// # Errors
///
/// Bad evidence with file, line and field, also when the checkout holds no such source; refused when rows
/// or verdict do not hold.
pub fn run(context: &Context, args: NoteArgs) -> Result<Outcome, Failure> {
    let Some(sheet) = args.draft.read(context)? else {
        return drafting::skeleton(context, DraftKind::Idea);
    };
    let mut idea = sheet.says(|text| draft::idea(text, None))?;
    let run = context.run_dir()?;
    let (campaign, _) = drafting::standing(&run)?;
    if let Some(checkout) = find::checkout(&campaign)
        && let Some(head) = Checkout::at(&checkout)?.commit()?
        && let read = slice::from_ref(&idea.source_path)
        && let Some(source) = Objects::of(&checkout, &head)?.missing(&head, read)?
    {
        let message = format_args!("the commit {} holds no {source}", head.short());
        return Err(Failure::bad_evidence(message).in_file(sheet.from()).at_field("source-path"));
    }
    let mut staged = Vec::new();
    if let Some(from) = &args.evidence {
        let bytes = context.evidence(from, LIMIT)?;
        let name = from.file_name().and_then(names::slug);
        let name = name.unwrap_or_else(|| "evidence".to_owned());
        let to = rel(&format!("analysis/ideas/{}-{name}", crate::short(&bytes)))?;
        let kept = run.stage_bytes(&bytes, from.as_str(), &to, &context.secrets)?;
        idea.evidence = Some(kept.artifact().clone());
        staged.push(kept);
    }
    transition::take_with(context, &run, staged, |_| Ok(NoteIdea(idea).into()))?.outcome()
}
