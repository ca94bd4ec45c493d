//! How are small files of facts read? What git, Humanize and a test runner say comes in this way.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::de::DeserializeOwned;
use vsota_core::Clause;
use vsota_core::facts::Standpoint;

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason, Refused};
use crate::fence::Fence;
use crate::loops::{Survey, recorded};

/// The most bytes of a small file.
const LIMIT: u64 = 4 << 20;

/// Where checkout and loop stand: read from git and the loop's files. Only a demonstration, which has
/// neither, takes it from a file.
#[derive(Args, Clone, Debug)]
pub struct StandArgs {
    /// Where checkout and loop stand, for a demonstration: JSON with head {commit, tree, clean},
    /// loop_dir, loop_state and loop_round
    #[arg(long, value_name = "FILE", hide = true)]
    stand: Option<Utf8PathBuf>,
}

impl StandArgs {
    /// Reads where checkout and loop stand.
    ///
    /// # Errors
    ///
    /// As [`stand_of`].
    pub fn read(&self, context: &Context) -> Result<Standpoint, Failure> {
        stand_of(context, self.stand.as_deref())
    }

    /// Whether it is told by a file, as in a demonstration.
    pub fn is_told(&self) -> bool {
        self.stand.is_some()
    }
}

/// Where checkout and loop stand: in a demonstration from the file, else from git and the loop's files.
///
/// # Errors
///
/// Usage when a file is named and this is no demonstration, or the campaign knows no checkout; refused
/// when no loop was entered; bad evidence when what is read is not what it should be.
pub fn stand_of(context: &Context, path: Option<&Utf8Path>) -> Result<Standpoint, Failure> {
    match path {
        Some(path) => stand(context, path),
        None => stand_now(context, &survey(context)?),
    }
}

/// Where checkout and loop stand at this moment.
///
/// # Errors
///
/// As [`stand_of`].
pub fn stand_now(context: &Context, survey: &Survey) -> Result<Standpoint, Failure> {
    Ok(Standpoint { seen_at: Some(context.clock.now()), ..survey.stand()? })
}

/// The loops of the campaign's checkout.
///
/// # Errors
///
/// As [`stand_of`].
pub fn survey(context: &Context) -> Result<Survey, Failure> {
    let (run, reading) = context.reading()?;
    let Chronicle { campaign, entries, .. } = Chronicle::of(&reading)?;
    if recorded(&entries).is_none() {
        let found = String::from("no loop was entered yet, so nothing stands in one");
        let help = String::from("vsota loop start");
        return Err(Refused { reasons: vec![Reason { clause: Clause::Rl7, found, help }] }.into());
    }
    let checkout = campaign.state().brief().vllm_checkout().ok_or_else(|| {
        Failure::usage("the campaign knows no vLLM checkout: vsota inputs set vllm_checkout=DIR")
    })?;
    Survey::of(Utf8Path::new(checkout.as_str()), &run, &entries)
}

/// Reads where checkout and loop of a demonstration stand.
///
/// # Errors
///
/// Usage when this is no demonstration; bad evidence when it is not what it should be.
pub fn stand(context: &Context, path: &Utf8Path) -> Result<Standpoint, Failure> {
    only_in_a_demonstration(context, "--stand")?;
    json(context, path)
}

/// What git and Humanize say is taken from files only where there is neither.
///
/// # Errors
///
/// Usage when the campaign that is meant is no demonstration.
pub fn only_in_a_demonstration(context: &Context, flag: &str) -> Result<(), Failure> {
    if Fence::around(&context.run_dir()?)?.is_some() {
        return Ok(());
    }
    let message =
        "only a demonstration is told this; here it is read from git and the loop's files";
    Err(Failure::usage(message).at_field(flag))
}

/// Reads a small JSON file of exactly one shape.
///
/// # Errors
///
/// Bad evidence with line and field when it is not what it should be; secret when it holds one.
pub fn json<T: DeserializeOwned>(context: &Context, path: &Utf8Path) -> Result<T, Failure> {
    let text = text(context, path)?;
    serde_json::from_str(&text).map_err(|error| misread(&error).in_file(path))
}

/// A JSON error with its line.
pub fn misread(error: &serde_json::Error) -> Failure {
    let line = u64::try_from(error.line()).unwrap_or(0);
    Failure::bad_evidence(error).at_line(line.max(1))
}

/// Reads a small text file; `-` is standard input.
///
/// # Errors
///
/// Bad evidence when it is not UTF-8 or too large; secret when it holds one.
pub fn text(context: &Context, path: &Utf8Path) -> Result<String, Failure> {
    let bytes = match path.as_str() {
        "-" => standard_input()?,
        _ => context.evidence(path, LIMIT)?,
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::bad_evidence("the file is not UTF-8").in_file(path))?;
    context.secrets.refuse(&text, path)?;
    Ok(text)
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let limited = std::io::stdin().lock().take(LIMIT.saturating_add(1)).read_to_end(&mut bytes);
    limited.map_err(|error| Failure::file("read", "-", &error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Failure::bad_evidence("the input is too large").in_file("-"));
    }
    if bytes.is_empty() {
        return Err(Failure::bad_evidence("the input is empty").in_file("-"));
    }
    Ok(bytes)
}
