//! `vsota companion note`: RT-4.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::NoteCompanion;
use vsota_core::facts::{Companion, CompanionName, Noted};
use vsota_core::text::Line;
use vsota_core::{Clause, Digest};

use crate::context::Context;
use crate::failure::{Failure, Reason, Refused};
use crate::fence::Fence;
use crate::output::Outcome;
use crate::roots;
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
/// Bad evidence when the file cannot be read; refused when a candidate is filed already, or when what is
/// said to be missing is there.
pub fn run(context: &Context, args: NoteArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let noted = match (args.read, args.blocked) {
        (Some(path), _) => {
            let bytes = context.evidence(&path, 16 << 20)?;
            is_the_companion(args.name, &bytes).map_err(|failure| failure.in_file(&path))?;
            let line = Line::new(path.as_str());
            let path = line.map_err(|error| Failure::bad_evidence(error).in_file(&path))?;
            Noted::Read { path, sha256: Digest::of(&bytes) }
        }
        (None, Some(reason)) => {
            if Fence::around(&run)?.is_none() {
                missing(args.name)?;
            }
            Noted::Blocked { reason }
        }
        (None, None) => return Err(Failure::usage("give --read PATH or --blocked REASON")),
    };
    let companion = Companion { name: args.name, noted };
    transition::take(context, &run, NoteCompanion(companion))?.outcome()
}

/// RT-4: what lies where it is looked for is read, not blocked.
fn missing(name: CompanionName) -> Result<(), Failure> {
    let Some(skill) = roots::companion(name).found else { return Ok(()) };
    let found = format!("the companion {name} lies in {skill}, so it can be read");
    let help = format!("vsota companion note {name} --read {skill}");
    Err(Refused { reasons: vec![Reason { clause: Clause::Rt4, found, help }] }.into())
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
