//! The documents: what they hold, that they are pure, and that no text from outside forges them.

mod documents;
mod eventful;
mod forgery;
mod machine;
mod numbers;
mod report;
mod snapshots;

use std::collections::BTreeMap;

use vsota_core::event::Event;
use vsota_core::evidence::render::{Chronicle, JournalHead, documents};
use vsota_core::{Campaign, Digest, Entry, Seq};
use vsota_fixtures::model::Run;

/// The documents of a journal by path.
fn rendered(entries: &[Entry]) -> BTreeMap<String, String> {
    let events = entries.iter().map(|it| (it.seq, &it.event));
    let campaign = Campaign::replay(events).unwrap();
    let hash = Digest::of(serde_json::to_string(entries.last().unwrap()).unwrap().as_bytes());
    let head = JournalHead { seq: entries.last().unwrap().seq.0, hash };
    let chronicle = Chronicle { campaign: &campaign, entries, head };
    documents(&chronicle).into_iter().map(|it| (it.path.to_string(), it.text)).collect()
}

fn of(run: &Run) -> BTreeMap<String, String> {
    rendered(&run.entries())
}

/// The journal of these events, a second apart.
fn entries(events: &[Event]) -> Vec<Entry> {
    let mut prev = Digest::from_bytes([0; 32]);
    let mut entries = Vec::new();
    for (seq, event) in (1..).zip(events) {
        let at = 1_790_000_000_000 + i64::try_from(seq).unwrap() * 1_000;
        let entry = Entry { seq: Seq(seq), at, prev, rounds: None, event: event.clone() };
        prev = Digest::of(serde_json::to_string(&entry).unwrap().as_bytes());
        entries.push(entry);
    }
    entries
}
