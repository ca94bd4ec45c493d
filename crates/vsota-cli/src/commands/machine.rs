//! `vsota machine`: the transition table.

use clap::{Args, ValueEnum};
use vsota_core::evidence::render::machine;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Outcome, Text};

/// Show the transition table of the campaign
#[derive(Args, Clone, Copy, Debug)]
pub struct MachineArgs {
    /// How the table is written; `--json` asks for json
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How the table is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Format {
    /// A Markdown table, as in docs/machine.md
    #[default]
    Table,
    /// A Mermaid state diagram
    Mermaid,
    /// A Graphviz digraph
    Dot,
    /// One JSON object
    Json,
}

/// Shows every edge of the machine.
///
/// # Errors
///
/// None that a user could cause.
pub fn run(_: &Context, args: MachineArgs) -> Result<Outcome, Failure> {
    let json = machine::json();
    let mut text = Text::new();
    match args.format {
        Format::Table => text.block(machine::table_markdown()),
        Format::Mermaid => text.block(machine::mermaid()),
        Format::Dot => text.block(machine::dot()),
        Format::Json => text.line(json.to_string()),
    };
    Outcome::new(text, &json)
}
