//! The example for embedders, run.

#[path = "../../examples/embed.rs"]
mod example;

use vsota_core::{Campaign, Phase};

#[test]
fn the_example_drives_a_campaign_from_its_opening_to_stopped() {
    let journal = example::drive().unwrap();
    let replayed = Campaign::replay(journal.iter().map(|it| (it.seq, &it.event))).unwrap();
    assert_eq!(replayed.phase(), Phase::Stopped);
    let walked = [
        Phase::Inputs,
        Phase::HistoryGate,
        Phase::FixedBenchmark,
        Phase::RlcrActive,
        Phase::GapDecision,
        Phase::RlcrActive,
        Phase::Stopped,
    ];
    assert_eq!(example::phases(&journal), walked);
}

#[test]
fn the_example_runs_as_a_program() {
    example::main().unwrap();
}
