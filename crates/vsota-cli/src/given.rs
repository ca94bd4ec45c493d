//! How are small files of facts read? What git, Humanize and a test runner say comes in this way.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::de::DeserializeOwned;
use vsota_core::facts::Standpoint;

use crate::context::Context;
use crate::failure::Failure;

/// The most bytes of a small file.
const LIMIT: u64 = 4 << 20;

/// Where checkout and loop stand.
#[derive(Args, Clone, Debug)]
pub struct StandArgs {
    /// Where checkout and loop stand: JSON with head {commit, tree, clean}, loop_dir, loop_state and
    /// loop_round
    #[arg(long, value_name = "FILE")]
    stand: Utf8PathBuf,
}

impl StandArgs {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// Bad evidence when it is not what it should be; secret when it holds one.
    pub fn read(&self, context: &Context) -> Result<Standpoint, Failure> {
        stand(context, &self.stand)
    }
}

/// Reads where checkout and loop stand.
///
/// # Errors
///
/// Bad evidence when it is not what it should be; secret when it holds one.
pub fn stand(context: &Context, path: &Utf8Path) -> Result<Standpoint, Failure> {
    json(context, path)
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
