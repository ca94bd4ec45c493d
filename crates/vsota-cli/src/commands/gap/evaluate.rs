//! `vsota gap evaluate`: the verdict's pure functions on given numbers.

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::Value;
use vsota_core::verdict::{KINDS, evaluate};

use crate::context::Context;
use crate::failure::Failure;
use crate::given;
use crate::output::{Outcome, Text};

/// Apply the verdict's pure functions to given numbers
#[derive(Args, Debug)]
pub struct EvaluateArgs {
    /// The numbers as JSON; - is standard input
    #[arg(value_name = "FILE")]
    file: Utf8PathBuf,

    /// Which function
    #[arg(long, default_value = "pair", value_parser = clap::builder::PossibleValuesParser::new(KINDS))]
    kind: String,
}

/// Evaluates the numbers.
///
/// # Errors
///
/// Bad evidence when a number is no measurement or lists differ in length.
pub fn run(context: &Context, args: EvaluateArgs) -> Result<Outcome, Failure> {
    let text = given::text(context, &args.file)?;
    let input: Value =
        serde_json::from_str(&text).map_err(|error| given::misread(&error).in_file(&args.file))?;
    let found = evaluate(&args.kind, &input).map_err(|error| {
        let message = format_args!("{}: {}", error.code.as_str(), error.message);
        Failure::bad_evidence(message).in_file(&args.file).at_field(&error.field)
    })?;
    let pretty = serde_json::to_string_pretty(&found).unwrap_or_default();
    Outcome::new(Text::new().block(pretty).clone(), &found)
}
