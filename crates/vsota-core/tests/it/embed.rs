//! The example for embedders, run.

#[path = "../../examples/embed.rs"]
mod example;

use vsota_core::{Campaign, Phase};

#[test]
fn the_example_drives_a_campaign_from_its_opening_to_stopped() {
    let journal = example::drive().unwrap();
    let replayed = Campaign::replay(journal.iter().map(|it| (it.seq, &it.event))).unwrap();
    assert_eq!(replayed.phase(), Phase::Stopped);
    let phases = example::phases(&journal);
    let all: std::collections::BTreeSet<_> = phases.into_iter().collect();
    assert!(all.len() >= 6, "{all:?}");
}
