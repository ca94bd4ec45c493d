//! `vsota companion note`: RT-4.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::Digest;
use vsota_core::command::NoteCompanion;
use vsota_core::facts::{Companion, CompanionName, Noted};
use vsota_core::text::Line;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Outcome;
use crate::transition;

/// Note that a companion was read, or why it was not
#[derive(Args, Debug)]
pub struct NoteArgs {
    /// The companion, such as llm-serving-auto-benchmark or host-skill
    name: CompanionName,

    /// The file that was read
    #[arg(long, value_name = "PATH", required_unless_present = "blocked")]
    read: Option<Utf8PathBuf>,

    /// Why it is not to be had
    #[arg(long, value_name = "REASON", conflicts_with = "read")]
    blocked: Option<Line>,
}

/// Notes the companion.
///
/// # Errors
///
/// Bad evidence when the file cannot be read; refused when a candidate is filed already.
pub fn run(context: &Context, args: NoteArgs) -> Result<Outcome, Failure> {
    let noted = match (args.read, args.blocked) {
        (Some(path), _) => {
            let bytes = context.evidence(&path, 16 << 20)?;
            is_the_companion(args.name, &bytes).map_err(|failure| failure.in_file(&path))?;
            let line = Line::new(path.as_str());
            let path = line.map_err(|error| Failure::bad_evidence(error).in_file(&path))?;
            Noted::Read { path, sha256: Digest::of(&bytes) }
        }
        (None, Some(reason)) => Noted::Blocked { reason },
        (None, None) => return Err(Failure::usage("give --read PATH or --blocked REASON")),
    };
    let companion = Companion { name: args.name, noted };
    transition::take(context, &context.run_dir()?, NoteCompanion(companion))?.outcome()
}

/// A skill names itself in its front matter; the host skill may have any name.
fn is_the_companion(name: CompanionName, bytes: &[u8]) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(bytes);
    if text.trim().is_empty() {
        return Err(Failure::bad_evidence("the file is empty"));
    }
    let front = text.strip_prefix("---").and_then(|it| it.split_once("\n---")).map(|it| it.0);
    let named = front.and_then(|it| it.lines().find_map(|line| line.strip_prefix("name:")));
    let Some(named) = named.map(|it| it.trim().trim_matches(['"', '\''])) else {
        let message = "no front matter names the skill (name: …); read its SKILL.md";
        return Err(Failure::bad_evidence(message).at_field("name"));
    };
    let same = match name {
        CompanionName::HostSkill => true,
        CompanionName::PrHistory => {
            matches!(named, "model-pr-optimization-history" | "model-pr-history-knowledge")
        }
        other => named == other.as_str(),
    };
    if same {
        return Ok(());
    }
    let named: String = named.chars().take(80).collect();
    let message = format_args!("the file is the skill `{named}`, not {name}");
    Err(Failure::bad_evidence(message).at_field("name"))
}
