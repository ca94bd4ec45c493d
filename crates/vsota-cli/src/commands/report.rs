//! `vsota report`: the documents, rendered again from the journal.

use clap::Args;
use serde::Serialize;

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::documents;
use crate::failure::Failure;
use crate::journal::{Head, Journal};
use crate::output::{Outcome, Style, Text};

/// Render the documents again from the journal, and show the final report
#[derive(Args, Clone, Copy, Debug)]
pub struct ReportArgs {}

#[derive(Serialize)]
struct View {
    head: Head,
    documents: Vec<String>,
}

/// Renders the documents.
///
/// # Errors
///
/// Busy when another process holds the campaign; integrity when the journal cannot be believed.
pub fn run(context: &Context, _: ReportArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let (_journal, reading) = Journal::open(&run)?;
    let chronicle = Chronicle::of(&reading)?;
    documents::write(&run, &chronicle)?;
    let rendered = documents::rendered(&chronicle)?;
    let mut text = Text::new();
    if let Some((_, report)) = rendered.iter().find(|(at, _)| at.as_str() == "final_report.md") {
        text.block(report);
    }
    for (at, _) in &rendered {
        text.push(Style::Dim, run.join(at)).end();
    }
    let documents = rendered.iter().map(|(at, _)| at.to_string()).collect();
    Outcome::new(text, &View { head: chronicle.head, documents })
}
