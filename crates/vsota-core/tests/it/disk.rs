//! What is written comes back bit for bit: events, extreme numbers, golden journals, long ones.
#![expect(clippy::print_stdout, reason = "a census is worth reading: --nocapture")]

use proptest::prelude::*;
use vsota_core::command::FileCandidate;
use vsota_core::event::{Event, EventKind};
use vsota_core::facts::{Block, Dimension, Framework, Metric};
use vsota_core::measure::Measured;
use vsota_core::text::Argv;
use vsota_core::{Ask as _, Campaign, Digest, Entry, Phase, ReplayError, Seq};
use vsota_fixtures::model::{self, Run, candidate, long_campaign};
use vsota_fixtures::strategy::{measurement, walk};

/// The golden journals of format 1, with the phase that each leads to.
const GOLDEN: [(&str, &str, Phase); 7] = [
    ("tied", include_str!("../../../vsota-fixtures/journals/v1/tied.jsonl"), Phase::Stopped),
    ("beats", include_str!("../../../vsota-fixtures/journals/v1/beats.jsonl"), Phase::Stopped),
    (
        "external-before-the-loop",
        include_str!("../../../vsota-fixtures/journals/v1/external-before-the-loop.jsonl"),
        Phase::Stopped,
    ),
    (
        "external",
        include_str!("../../../vsota-fixtures/journals/v1/external.jsonl"),
        Phase::Stopped,
    ),
    ("limit", include_str!("../../../vsota-fixtures/journals/v1/limit.jsonl"), Phase::Stopped),
    (
        "abandoned",
        include_str!("../../../vsota-fixtures/journals/v1/abandoned.jsonl"),
        Phase::RlcrActive,
    ),
    (
        "rejected",
        include_str!("../../../vsota-fixtures/journals/v1/rejected.jsonl"),
        Phase::RlcrActive,
    ),
];

fn survives(event: &Event) {
    let line = serde_json::to_string(event).unwrap();
    let back: Event = serde_json::from_str(&line).unwrap();
    assert_eq!(&back, event);
    assert_eq!(serde_json::to_string(&back).unwrap(), line);
}

/// Reads a journal line by line, with its chain; `None` when the chain is broken.
fn chained(journal: &str) -> Option<Vec<Entry>> {
    let mut head = Digest::from_bytes([0; 32]);
    let mut entries = Vec::new();
    for line in journal.lines() {
        let entry: Entry = serde_json::from_str(line).unwrap();
        if entry.prev != head {
            return None;
        }
        head = Digest::of(line.as_bytes());
        entries.push(entry);
    }
    Some(entries)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_event_of_every_walk_survives_the_disk(walk in walk(60)) {
        walk.end.events.iter().for_each(survives);
    }

    #[test]
    fn numbers_of_any_size_survive_the_disk(values in prop::collection::vec(measurement(), 4)) {
        let mut row = candidate(&mut Run::with_history(), Framework::Vllm, 1, "chat", 10.0);
        let metrics = &mut row.measured.as_mut().unwrap().metrics;
        for (slot, value) in metrics.values_mut().zip(&values) {
            *slot = Measured::new(*value).unwrap();
        }
        let line = serde_json::to_string(&Event::from(FileCandidate(row).event(()))).unwrap();
        let back: Event = serde_json::from_str(&line).unwrap();
        survives(&back);
        let Event::CandidateFiled(back) = back else { unreachable!() };
        let bits = |it: &Measured| it.get().to_bits();
        let read: Vec<_> = back.said.measured.unwrap().metrics.values().map(bits).collect();
        let written: Vec<_> = values.iter().map(|it| it.to_bits()).collect();
        prop_assert_eq!(read, written);
    }
}

#[test]
fn the_extremes_of_a_number_survive_the_disk() {
    let mut row = candidate(&mut Run::with_history(), Framework::Vllm, 1, "chat", 10.0);
    let extremes =
        [f64::MAX, f64::MIN_POSITIVE, f64::from_bits(1), 1.0 - f64::EPSILON / 2.0, 0.1 + 0.2];
    for value in extremes {
        let value = Measured::new(value).unwrap();
        row.measured.as_mut().unwrap().metrics.insert(Metric::RequestThroughput, value);
        survives(&FileCandidate(row.clone()).event(()).into());
    }
}

#[test]
fn golden_journals_replay_and_are_written_again_byte_for_byte() {
    for (name, journal, phase) in GOLDEN {
        let entries = chained(journal).unwrap_or_else(|| panic!("{name}: the chain is broken"));
        let events = entries.iter().map(|it| (it.seq, &it.event));
        let campaign = Campaign::replay(events).unwrap_or_else(|it| panic!("{name}: {it}"));
        assert_eq!(campaign.phase(), phase, "{name}");
        let line = |it: &Entry| serde_json::to_string(it).unwrap() + "\n";
        assert_eq!(entries.iter().map(line).collect::<String>(), journal, "{name}");
    }
}

#[test]
fn golden_journals_hold_every_event() {
    let mut missing: Vec<_> = EventKind::ALL.to_vec();
    for (_, journal, _) in GOLDEN {
        for entry in chained(journal).unwrap() {
            missing.retain(|it| *it != entry.event.kind());
        }
    }
    assert_eq!(missing, []);
}

#[test]
fn the_chain_tells_two_swapped_lines_apart_even_with_their_numbers_mended() {
    let (_, journal, _) = GOLDEN[0];
    let entries = chained(journal).unwrap();
    for at in 1..entries.len() - 1 {
        let mut swapped = entries.clone();
        swapped.swap(at, at + 1);
        let replayed = Campaign::replay(swapped.iter().map(|it| (it.seq, &it.event)));
        assert!(matches!(replayed, Err(ReplayError::OutOfOrder { .. })));
        for (seq, entry) in (1..).map(Seq).zip(&mut swapped) {
            entry.seq = seq;
        }
        let line = |it: &Entry| serde_json::to_string(it).unwrap() + "\n";
        let mended: String = swapped.iter().map(line).collect();
        assert!(chained(&mended).is_none(), "lines {at} and {}", at + 1);
    }
}

#[test]
fn events_stay_small() {
    let run = long_campaign(2_000);
    assert_eq!(run.events.len(), 2_000);
    let journal = run.jsonl();
    let longest = journal.lines().map(str::len).max().unwrap();
    let mean = journal.len() / run.events.len();
    println!("{mean} bytes a line, at most {longest}");
    assert!(longest <= 16 * 1024, "{longest}");
    assert!(mean < 1_500, "{mean}");
}

#[test]
fn a_long_campaign_is_the_same_every_time_and_replays() {
    let (one, two) = (long_campaign(600), long_campaign(600));
    assert_eq!(one.jsonl(), two.jsonl());
    let replayed = Campaign::replay((1..).map(Seq).zip(&one.events)).unwrap();
    assert_eq!(replayed, one.campaign);
    let kinds: std::collections::BTreeSet<_> = one.events.iter().map(Event::kind).collect();
    let wanted = [
        EventKind::GapBlockFiled,
        EventKind::ProfileFiled,
        EventKind::PatchAccepted,
        EventKind::PatchRetried,
        EventKind::PatchRejected,
        EventKind::IdeaNoted,
        EventKind::ResearchNoted,
        EventKind::RoundAbandoned,
    ];
    assert!(wanted.iter().all(|it| kinds.contains(it)));
}

#[test]
fn an_argument_vector_is_a_list_of_lines_on_the_disk() {
    let argv = model::argv(&["vllm", "serve", "a b", "--x={\"y\": 1}"]);
    let text = serde_json::to_string(&argv).unwrap();
    assert_eq!(text, r#"["vllm","serve","a b","--x={\"y\": 1}"]"#);
    assert_eq!(serde_json::from_str::<Argv>(&text).unwrap(), argv);
    assert_eq!(argv.iter().collect::<Vec<_>>(), ["vllm", "serve", "a b", "--x={\"y\": 1}"]);
    assert!(serde_json::from_str::<Argv>("[]").unwrap().is_empty());
    // A word that hides another one, or says nothing, is no word.
    for text in [r#"["a\u0000b"]"#, r#"["a\u001b[2J"]"#, r#"["a",""]"#, r#""a b""#, "[1]"] {
        assert!(serde_json::from_str::<Argv>(text).is_err(), "{text}");
    }
}

#[test]
fn a_block_says_once_what_its_runs_say_alike() {
    let mut run = model::Run::in_loop();
    run.open_round();
    let mut whole = Vec::new();
    for framework in [Framework::Vllm, Framework::Sglang] {
        whole.push(model::block_run(&mut run, framework, "chat", 10.0));
    }
    whole[1].identity.insert(Dimension::GpuIds, model::line("7"));
    whole[1].identity.remove(&Dimension::Precision);
    let said: Vec<_> = whole.iter().map(|it| it.identity.clone()).collect();
    let block = Block::new(model::name("chat"), whole, model::artifact("block.json"));
    assert_eq!(block.identity.len(), said[0].len() - 2);
    for (run, said) in block.runs.iter().zip(&said) {
        for dimension in Dimension::ALL.iter().copied() {
            assert_eq!(block.says(run, dimension), said.get(&dimension), "{dimension}");
        }
    }
}
