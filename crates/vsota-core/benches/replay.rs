//! From the bytes of a long journal to its campaign: parse, chain and fold, on one core.
//!
//! The mix is `long_campaign(10_000)`; the goal is 300,000 events a second.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use vsota_core::{Campaign, Digest, Entry};
use vsota_fixtures::model::long_campaign;

const EVENTS: usize = 10_000;

fn main() {
    divan::main();
}

fn journal() -> String {
    long_campaign(EVENTS).jsonl()
}

/// Everything that a reader of a journal does, hashing included.
fn replay(journal: &str) -> Campaign {
    let mut campaign: Option<Campaign> = None;
    let mut head = Digest::from_bytes([0; 32]);
    for line in journal.lines() {
        let entry: Entry = serde_json::from_str(line).unwrap();
        assert_eq!(entry.prev, head);
        head = Digest::of(line.as_bytes());
        campaign = Some(match campaign {
            None => Campaign::begin(entry.seq, &entry.event).unwrap(),
            Some(campaign) => campaign.follow(entry.seq, entry.event).unwrap(),
        });
    }
    campaign.unwrap()
}

#[divan::bench]
fn bytes_to_campaign(bencher: Bencher<'_, '_>) {
    let journal = journal();
    bencher
        .counter(ItemsCount::new(EVENTS))
        .counter(BytesCount::new(journal.len()))
        .bench(|| replay(&journal));
}

#[divan::bench]
fn parse_only(bencher: Bencher<'_, '_>) {
    let journal = journal();
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| {
        journal.lines().map(|it| serde_json::from_str::<Entry>(it).unwrap()).for_each(drop);
    });
}

#[divan::bench]
fn hash_only(bencher: Bencher<'_, '_>) {
    let journal = journal();
    bencher
        .counter(ItemsCount::new(EVENTS))
        .bench(|| journal.lines().map(|it| Digest::of(it.as_bytes())).for_each(drop));
}

#[divan::bench]
fn fold_only(bencher: Bencher<'_, '_>) {
    let run = long_campaign(EVENTS);
    let events = || (1..).map(vsota_core::Seq).zip(&run.events);
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| Campaign::replay(events()).unwrap());
}
