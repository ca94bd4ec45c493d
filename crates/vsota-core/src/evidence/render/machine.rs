//! The machine itself, drawn from [`TRANSITIONS`]: table, pictures and JSON.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::ask::command::CommandKind;
use crate::ask::event::EventKind;
use crate::machine::{Phase, TRANSITIONS};

/// One edge; without a phase to come from it is the opening.
#[derive(Clone, Copy)]
struct Edge {
    from: Option<Phase>,
    command: CommandKind,
    event: EventKind,
    to: Phase,
}

/// Every edge as a Markdown table with its clause, the opening first.
pub fn table_markdown() -> String {
    let mut text = format!(
        "| {:<15} | {:<19} | {:<20} | {:<15} | Clause |\n| {:-<15} | {:-<19} | {:-<20} | {:-<15} | ------ |\n",
        "From", "Command", "Event", "To", "", "", "", ""
    );
    for Edge { from, command, event, to } in edges() {
        let from = from.map_or("–", Phase::as_str);
        let clause = command.clause();
        text.push_str(&format!(
            "| {from:<15} | {command:<19} | {event:<20} | {to:<15} | {clause:<6} |\n"
        ));
    }
    text
}

/// The edges as a Mermaid state diagram; edges between the same two phases share an arrow.
pub fn mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n");
    for phase in Phase::ALL {
        text.push_str(&format!("    state \"{phase}\" as {}\n", id(*phase)));
    }
    for (from, to, commands) in arrows() {
        let from = from.map_or("[*]".to_owned(), id);
        text.push_str(&format!("    {from} --> {} : {}\n", id(to), commands.join("<br/>")));
    }
    for phase in Phase::ALL.iter().filter(|it| it.is_terminal()) {
        text.push_str(&format!("    {} --> [*]\n", id(*phase)));
    }
    text
}

/// The edges as a Graphviz digraph.
pub fn dot() -> String {
    let mut text = String::from("digraph vsota {\n    rankdir=TB;\n    node [shape=box];\n");
    text.push_str("    start [shape=point];\n");
    for (from, to, commands) in arrows() {
        let from = from.map_or("start", Phase::as_str);
        text.push_str(&format!(
            "    \"{from}\" -> \"{to}\" [label=\"{}\"];\n",
            commands.join("\\n")
        ));
    }
    text.push_str("}\n");
    text
}

/// `{"phases":[…],"transitions":[{"from","command","event","to"}]}`; `from` is null in the opening.
pub fn json() -> Value {
    let transitions: Vec<_> = edges()
        .map(|it| {
            json!({
                "from": it.from.map(Phase::as_str),
                "command": it.command.as_str(),
                "event": it.event.as_str(),
                "to": it.to.as_str(),
            })
        })
        .collect();
    let phases: Vec<_> = Phase::ALL.iter().map(|it| it.as_str()).collect();
    json!({ "phases": phases, "transitions": transitions })
}

/// The whole `docs/machine.md`: the picture and the table.
pub fn machine_md() -> String {
    let edges = edges().count();
    let phases = Phase::ALL.len();
    format!(
        "# The machine\n\n\
         Drawn from `vsota_core::TRANSITIONS`: {phases} phases, {edges} edges. Do not edit; a test compares\n\
         this page with the table and rewrites it when `VSOTA_REWRITE_DOCS=1` is set.\n\n\
         A row reads: *from this phase, this command, if granted, becomes this event and leads to that\n\
         phase.* Everything that is not a row is refused, with the clause of the command.\n\n\
         ```mermaid\n{}```\n\n{}",
        mermaid(),
        table_markdown()
    )
}

fn edges() -> impl Iterator<Item = Edge> {
    let command = CommandKind::OpenCampaign;
    let opening = Edge { from: None, command, event: command.event(), to: Phase::Inputs };
    let rows = TRANSITIONS.iter().map(|it| Edge {
        from: Some(it.from),
        command: it.command,
        event: it.event,
        to: it.to,
    });
    core::iter::once(opening).chain(rows)
}

/// The pairs of phases in table order, each with its commands.
fn arrows() -> Vec<(Option<Phase>, Phase, Vec<&'static str>)> {
    let mut arrows: Vec<(Option<Phase>, Phase, Vec<&'static str>)> = Vec::new();
    for Edge { from, command, to, .. } in edges() {
        match arrows.iter_mut().find(|it| (it.0, it.1) == (from, to)) {
            Some((_, _, commands)) => commands.push(command.as_str()),
            None => arrows.push((from, to, alloc::vec![command.as_str()])),
        }
    }
    arrows
}

fn id(phase: Phase) -> String {
    phase.as_str().replace('-', "_")
}
