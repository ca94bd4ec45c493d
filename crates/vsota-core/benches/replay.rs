//! From the bytes of a long journal to its campaign: parse, chain and fold, on one core.
//!
//! The mix is `long_campaign(10_000)`; the goal is 300,000 events a second. The parts are measured
//! beside the whole, so that a slower whole says where it became slower.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails must fail loudly")]

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use vsota_core::{Campaign, Digest, Entry, Seq};
use vsota_fixtures::model::{Run, long_campaign};

const EVENTS: usize = 10_000;

static RUN: LazyLock<Run> = LazyLock::new(|| long_campaign(EVENTS));
static JOURNAL: LazyLock<String> = LazyLock::new(|| RUN.jsonl());

fn main() {
    divan::main();
}

/// The lines of a journal, without their newlines; UTF-8 is checked once, for all of it.
fn lines(journal: &[u8]) -> impl Iterator<Item = &str> {
    let journal = str::from_utf8(journal).unwrap();
    let mut begin = 0;
    memchr::memchr_iter(b'\n', journal.as_bytes()).map(move |end| {
        let line = journal.get(begin..end).unwrap();
        begin = end + 1;
        line
    })
}

/// Everything that a reader of a journal does, hashing included.
fn replay(journal: &[u8]) -> Campaign {
    let mut campaign: Option<Campaign> = None;
    let mut head = Digest::from_bytes([0; 32]);
    for line in lines(journal) {
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
    let journal = JOURNAL.as_bytes();
    bencher
        .counter(ItemsCount::new(EVENTS))
        .counter(BytesCount::new(journal.len()))
        .bench(|| replay(journal));
}

#[divan::bench]
fn parse_only(bencher: Bencher<'_, '_>) {
    let parse = |it| serde_json::from_str::<Entry>(it).unwrap();
    bencher
        .counter(ItemsCount::new(EVENTS))
        .bench(|| lines(JOURNAL.as_bytes()).map(parse).for_each(drop));
}

#[divan::bench]
fn hash_only(bencher: Bencher<'_, '_>) {
    let hash = |it: &str| Digest::of(it.as_bytes());
    bencher
        .counter(ItemsCount::new(EVENTS))
        .bench(|| lines(JOURNAL.as_bytes()).map(hash).for_each(drop));
}

#[divan::bench]
fn fold_only(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(EVENTS))
        .with_inputs(|| RUN.events.clone())
        .bench_values(|events| Campaign::replay((1..).map(Seq).zip(events)).unwrap());
}
