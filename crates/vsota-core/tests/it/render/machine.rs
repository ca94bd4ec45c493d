//! The machine, drawn from its own table.

use vsota_core::evidence::render::machine;
use vsota_core::{Phase, TRANSITIONS};

#[test]
fn docs_machine_is_generated() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/machine.md");
    let wanted = machine::machine_md();
    if std::env::var_os("VSOTA_REWRITE_DOCS").is_some_and(|it| it == "1") {
        std::fs::write(path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "docs/machine.md is old; run this with VSOTA_REWRITE_DOCS=1");
}

#[test]
fn every_edge_is_in_every_picture() {
    let (table, mermaid, dot) = (machine::table_markdown(), machine::mermaid(), machine::dot());
    assert_eq!(table.lines().count(), TRANSITIONS.len() + 3, "head, rule, opening, edges");
    for edge in TRANSITIONS {
        let command = edge.command.as_str();
        let cells = [edge.from.as_str(), command, edge.event.as_str(), edge.to.as_str()];
        let is_row = |line: &&str| {
            let found: Vec<_> = line.split('|').map(str::trim).skip(1).take(4).collect();
            found == cells
        };
        assert_eq!(table.lines().filter(is_row).count(), 1, "{edge:?}");
        let id = |phase: Phase| phase.as_str().replace('-', "_");
        let arrow = format!("    {} --> {} : ", id(edge.from), id(edge.to));
        let drawn = mermaid.lines().find_map(|it| it.strip_prefix(arrow.as_str())).unwrap();
        assert!(drawn.split("<br/>").any(|it| it == command), "{edge:?}");
        let arrow = format!("\"{}\" -> \"{}\"", edge.from, edge.to);
        let drawn = dot.lines().find(|it| it.contains(&arrow)).unwrap();
        assert!(drawn.contains(command), "{edge:?}");
    }
}

#[test]
fn the_json_names_ten_phases_and_every_edge() {
    let json = machine::json();
    let phases: Vec<_> =
        json["phases"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let wanted: Vec<_> = Phase::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(phases, wanted);
    assert_eq!(phases.len(), 10);
    let edges = json["transitions"].as_array().unwrap();
    assert_eq!(edges.len(), TRANSITIONS.len() + 1);
    let opening = serde_json::json!({
        "from": null, "command": "open-campaign", "event": "campaign-opened", "to": "inputs",
    });
    assert_eq!(edges[0], opening);
    for (json, edge) in edges[1..].iter().zip(TRANSITIONS) {
        assert_eq!(*json, serde_json::to_value(edge).unwrap());
    }
}
