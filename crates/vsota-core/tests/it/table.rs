//! The edges that the contract draws against the edges that the machine has: every phase, every
//! command.

use std::collections::{BTreeMap, BTreeSet};

use vsota_core::command::CommandKind;
use vsota_core::{Phase, Refusal, TRANSITIONS};
use vsota_fixtures::model::{Run, endings, samples};
use vsota_fixtures::walk::{STARTS, place};

/// Event and phase, by phase and command, as the text has them.
type Table = BTreeMap<(&'static str, &'static str), (&'static str, &'static str)>;

/// Reads the table that was written by hand, and its phases in order.
fn by_hand() -> (Vec<&'static str>, Table) {
    let (mut phases, mut table) = (Vec::new(), Table::new());
    let lines = include_str!("table.txt").lines();
    for line in lines.filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let words: Vec<_> = line.split("=>").map(str::trim).collect();
        match words[..] {
            [phase] => phases.push(phase),
            [command, event, to] => {
                let from = *phases.last().expect("an edge stands under a phase");
                let doubled = table.insert((from, command), (event, to));
                assert_eq!(doubled, None, "{from} names {command} twice");
            }
            _ => panic!("not an edge: {line}"),
        }
    }
    (phases, table)
}

/// Every campaign that the model reaches on the way to its ends, one a phase and moment.
fn moments() -> Vec<Run> {
    let mut moments: Vec<_> = STARTS.iter().map(|it| place(it).clone()).collect();
    moments.extend(endings().into_iter().map(|(_, run)| run));
    moments
}

#[test]
fn the_machine_has_the_phases_of_the_table_and_no_other() {
    let (phases, _) = by_hand();
    let machine: Vec<_> = Phase::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(machine, phases);
}

#[test]
fn the_machine_has_the_edges_of_the_table_and_no_other() {
    let (_, table) = by_hand();
    let edge = |it: &vsota_core::Transition| {
        ((it.from.as_str(), it.command.as_str()), (it.event.as_str(), it.to.as_str()))
    };
    let machine: Table = TRANSITIONS.iter().map(edge).collect();
    assert_eq!(machine.len(), TRANSITIONS.len(), "a row stands twice");
    assert_eq!(machine, table);
}

#[test]
fn every_command_in_every_phase_is_out_of_phase_exactly_where_the_table_is_empty() {
    let (_, table) = by_hand();
    let mut asked = BTreeSet::new();
    for run in moments() {
        let phase = run.campaign.phase();
        for (kind, command) in samples() {
            let edge = table.get(&(phase.as_str(), kind.as_str()));
            let answer = run.campaign.decide(command.clone());
            match answer {
                Ok(step) => {
                    let event = step.event().kind().as_str();
                    let to = step.commit().phase().as_str();
                    assert_eq!(edge, Some(&(event, to)), "{kind} in {phase}");
                }
                Err(Refusal::Objected { .. }) => assert!(edge.is_some(), "{kind} in {phase}"),
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::OutOfPhase { phase, command: *kind });
                    assert_eq!(edge, None, "{kind} in {phase}");
                }
            }
            asked.insert((phase, *kind));
        }
    }
    assert_eq!(samples().len(), CommandKind::ALL.len());
    assert_eq!(asked.len(), Phase::ALL.len() * CommandKind::ALL.len());
}
