//! `vsota machine`: the transition table.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde::Serialize;
use vsota_core::command::CommandKind;
use vsota_core::event::EventKind;
use vsota_core::{Phase, TRANSITIONS};

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
    /// Columns, for people
    #[default]
    Table,
    /// A Mermaid state diagram
    Mermaid,
    /// A Graphviz digraph
    Dot,
    /// One JSON object
    Json,
}

#[derive(Serialize)]
struct MachineView {
    phases: &'static [Phase],
    transitions: Vec<Edge>,
}

/// One edge; without a phase to come from it is the opening.
#[derive(Serialize)]
struct Edge {
    from: Option<Phase>,
    command: CommandKind,
    event: EventKind,
    to: Phase,
}

/// Shows every edge of the machine.
///
/// # Errors
///
/// None that a user could cause.
pub fn run(_: &Context, args: MachineArgs) -> Result<Outcome, Failure> {
    let view = MachineView { phases: Phase::ALL, transitions: edges().collect() };
    let mut text = Text::new();
    match args.format {
        Format::Table => text.block(table()),
        Format::Mermaid => text.block(mermaid()),
        Format::Dot => text.block(dot()),
        Format::Json => {
            let json = serde_json::to_string(&view).map_err(Failure::io)?;
            text.line(json)
        }
    };
    Outcome::new(text, &view)
}

fn edges() -> impl Iterator<Item = Edge> {
    let command = CommandKind::OpenCampaign;
    let opening = Edge { from: None, command, event: command.event(), to: Phase::Inputs };
    let rows = TRANSITIONS.iter();
    std::iter::once(opening).chain(rows.map(|it| Edge {
        from: Some(it.from),
        command: it.command,
        event: it.event,
        to: it.to,
    }))
}

/// The edges in columns.
pub fn table() -> String {
    let mut table = format!("{:<16} {:<20} {:<21} {}\n", "from", "command", "event", "to");
    for Edge { from, command, event, to } in edges() {
        let from = from.map_or("-", Phase::as_str);
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{from:<16} {command:<20} {event:<21} {to}");
    }
    table
}

/// The edges as a Mermaid state diagram; edges between the same two phases share an arrow.
pub fn mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n");
    for phase in Phase::ALL {
        let _ = writeln!(text, "    state \"{phase}\" as {}", id(*phase));
    }
    for (from, to, commands) in arrows() {
        let from = from.map_or("[*]".to_owned(), id);
        let _ = writeln!(text, "    {from} --> {} : {}", id(to), commands.join("<br/>"));
    }
    for phase in Phase::ALL.iter().filter(|it| it.is_terminal()) {
        let _ = writeln!(text, "    {} --> [*]", id(*phase));
    }
    text
}

/// The edges as a Graphviz digraph.
pub fn dot() -> String {
    let mut text = String::from("digraph vsota {\n    rankdir=TB;\n    node [shape=box];\n");
    text.push_str("    start [shape=point];\n");
    for (from, to, commands) in arrows() {
        let from = from.map_or("start", Phase::as_str);
        let _ = writeln!(text, "    \"{from}\" -> \"{to}\" [label=\"{}\"];", commands.join("\\n"));
    }
    text.push_str("}\n");
    text
}

/// The pairs of phases in table order, each with its commands.
fn arrows() -> Vec<(Option<Phase>, Phase, Vec<&'static str>)> {
    let mut arrows: Vec<(Option<Phase>, Phase, Vec<&'static str>)> = Vec::new();
    for Edge { from, command, to, .. } in edges() {
        match arrows.iter_mut().find(|it| (it.0, it.1) == (from, to)) {
            Some((_, _, commands)) => commands.push(command.as_str()),
            None => arrows.push((from, to, vec![command.as_str()])),
        }
    }
    arrows
}

fn id(phase: Phase) -> String {
    phase.as_str().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_is_in_every_picture() {
        let (table, mermaid, dot) = (table(), mermaid(), dot());
        assert_eq!(table.lines().count(), TRANSITIONS.len() + 2);
        for edge in TRANSITIONS {
            let arrow = format!("    {} --> {} : ", id(edge.from), id(edge.to));
            let drawn = mermaid.lines().find(|it| it.starts_with(&arrow)).unwrap();
            assert!(drawn.contains(edge.command.as_str()));
            let arrow = format!("\"{}\" -> \"{}\"", edge.from, edge.to);
            let drawn = dot.lines().find(|it| it.contains(&arrow)).unwrap();
            assert!(drawn.contains(edge.command.as_str()));
        }
    }
}
