//! A forged journal: one derived fact is changed, and every line is chained anew. The artefacts, or the
//! guards, tell another fact.

use std::fs;

use camino::Utf8Path;
use serde_json::Value;
use vsota_cli::journal::chain;
use vsota_core::event::Event;
use vsota_core::facts::{ChecksGone, FileKind, HistoryOutcome, Measurement, Metric};
use vsota_core::measure::{Fraction, Measured, Real};
use vsota_core::text::{Line, Prose};
use vsota_core::{Digest, Entry};

use crate::world::{World, json, vsota};

/// What is changed in the first event that holds the fact; whether the event holds it.
type Forge = fn(&mut Event) -> bool;

fn faster(measured: Option<&mut Measurement>) -> bool {
    let metrics = measured.map(|it| &mut it.metrics);
    let value = metrics.and_then(|it| it.get_mut(&Metric::RequestThroughput));
    value.is_some_and(|it| {
        *it = Measured::new(it.get() * 1.02).unwrap();
        true
    })
}

/// Each kind of derived fact, how it is forged, and the check that finds it.
const FORGERIES: &[(&str, &str, Forge)] = &[
    ("a metric of a row", "fact", |event| match event {
        Event::CandidateFiled(it) => faster(it.said.measured.as_mut()),
        _ => false,
    }),
    ("a dimension of a row", "fact", |event| match event {
        Event::CandidateFiled(it) => it.said.identity.values_mut().next().is_some_and(|it| {
            *it = Line::new("another").unwrap();
            true
        }),
        _ => false,
    }),
    ("a metric of a gap block", "fact", |event| match event {
        Event::GapBlockFiled(it) => faster(it.said.runs[0].measured.as_mut()),
        _ => false,
    }),
    ("the time of a gap block", "fact", |event| match event {
        Event::GapBlockFiled(it) => it.said.runs[0].measured.as_mut().is_some_and(|it| {
            it.completed += 1;
            true
        }),
        _ => false,
    }),
    ("a metric of a trial block", "fact", |event| match event {
        Event::TrialBlockFiled(it) => faster(it.said.runs[0].measured.as_mut()),
        _ => false,
    }),
    ("the share of a kernel", "fact", |event| match event {
        Event::ProfileFiled(it) => {
            let share = &mut it.said.rows[0].share;
            *share = Fraction::new(share.get() / 2.0).unwrap();
            true
        }
        _ => false,
    }),
    ("the GPU time of a stage", "fact", |event| match event {
        Event::ProfileFiled(it) => {
            it.said.total_ns += 1;
            true
        }
        _ => false,
    }),
    ("a layer count", "fact", |event| match event {
        Event::PipelineFiled(it) => {
            it.said.layer_types[0].layers += 1;
            true
        }
        _ => false,
    }),
    ("the rows of a root cause", "fact", |event| match event {
        Event::RootCauseNamed(it) => it.said.rows.pop().is_some(),
        _ => false,
    }),
    ("a PR of the history", "fact", |event| match event {
        Event::HistoryNoted(it) => match &mut it.said.outcome {
            HistoryOutcome::Found { items, .. } => {
                items[0].prs.push(1);
                true
            }
            HistoryOutcome::NoneForFamily { .. } => false,
        },
        _ => false,
    }),
    ("the findings of a digest", "fact", |event| match event {
        Event::DigestFiled(it) => {
            it.said.findings = Prose::new("Twice as fast.").unwrap();
            true
        }
        _ => false,
    }),
    ("a count of tests", "fact", |event| match event {
        Event::TestsFiled(it) => {
            it.said.passed += 1;
            true
        }
        _ => false,
    }),
    ("a file of a diff", "fact", |event| match event {
        Event::PatchRecorded(it) => it.said.files.pop().is_some(),
        _ => false,
    }),
    ("the kind of a changed file", "fact", |event| match event {
        Event::PatchRecorded(it) => {
            let code = it.said.files[0].kind == FileKind::Code;
            it.said.files[0].kind = if code { FileKind::Docs } else { FileKind::Code };
            true
        }
        _ => false,
    }),
    ("a check that no diff takes away", "fact", |event| match event {
        Event::PatchRecorded(it) => {
            let line = Line::new("vllm/a.py: assert a").unwrap();
            let gone = ChecksGone { count: 1, shown: vec![line.clone()], because: Some(line) };
            it.said.checks_gone.replace(gone).is_none()
        }
        _ => false,
    }),
    ("the objective of a winner", "guard", |event| match event {
        Event::BenchmarkFrozen(it) => {
            let value = &mut it.found.rows[0].objective;
            *value = Measured::new(value.get() * 2.0).unwrap();
            true
        }
        _ => false,
    }),
    ("a verdict", "guard", |event| match event {
        Event::ProfilingOpened(it) => {
            it.found.more_blocks += 1;
            true
        }
        _ => false,
    }),
    ("the gain of a patch", "guard", |event| match event {
        Event::PatchAccepted(it) => {
            it.found.gain.gain_pct = Real::new(it.found.gain.gain_pct.get() + 1.0).unwrap();
            true
        }
        _ => false,
    }),
];

/// What makes an entry tell other rounds, when it can.
type Miscount = fn(&mut Entry) -> bool;

/// Rounds that are not those of the event (RL-7).
const MISCOUNTS: [(&str, Miscount); 3] = [
    ("no rounds", |it| it.rounds.take().is_some()),
    ("another round", |it| {
        let rounds = it.rounds.as_mut().map(|it| it.vsota += 1);
        rounds.is_some()
    }),
    ("another round of the loop", |it| {
        let gate = it.event.stand().is_some();
        gate && it.rounds.as_mut().map(|it| it.humanize = Some(7)).is_some()
    }),
];

/// Chains the entries anew, as a forger would, and forgets the heads outside.
fn put(run: &Utf8Path, entries: &[Entry]) {
    let mut prev = chain::ORIGIN;
    let mut text = String::new();
    for entry in entries {
        let line = serde_json::to_string(&Entry { prev, ..entry.clone() }).unwrap();
        prev = Digest::of(line.as_bytes());
        text.extend([&line, "\n"]);
    }
    fs::write(run.join("humanize/lineage.jsonl"), text).unwrap();
    for document in ["humanize/model-loop-checkpoint.md", "final_report.md"] {
        let _ = fs::remove_file(run.join(document));
    }
    // What else a head stands in is rendered from the forged journal.
    vsota().arg("-C").arg(run).arg("report").output().unwrap();
}

fn verify(run: &Utf8Path) -> (Option<i32>, Value) {
    let ended = vsota().arg("-C").arg(run).args(["--json", "verify"]).output().unwrap();
    (ended.status.code(), json(&ended.stdout))
}

fn failed(found: &Value) -> Vec<&str> {
    let checks = found["checks"].as_array().unwrap();
    checks.iter().filter(|it| it["ok"] == false).map(|it| it["check"].as_str().unwrap()).collect()
}

#[test]
fn every_kind_of_derived_fact_is_derived_again() {
    let world = World::empty();
    let ended = vsota().args(["demo", "--dir"]).arg(&world.root).output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let mut runs = world.root.join("runs").read_dir_utf8().unwrap();
    let run = runs.next().unwrap().unwrap().path().to_owned();
    let journal = fs::read_to_string(run.join("humanize/lineage.jsonl")).unwrap();
    let sound: Vec<Entry> = journal.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    put(&run, &sound);
    let (code, found) = verify(&run);
    assert_eq!((code, failed(&found)), (Some(0), vec![]), "chained anew without a change");

    let mut missed = Vec::new();
    for (what, check, forge) in FORGERIES {
        let mut forged = sound.clone();
        assert!(forged.iter_mut().any(|it| forge(&mut it.event)), "{what}: no event holds it");
        put(&run, &forged);
        let (code, found) = verify(&run);
        if code != Some(5) || !failed(&found).contains(check) {
            missed.push(format!("{what}: {code:?}, {:?}, wanted {check}", failed(&found)));
        }
    }
    for (what, forge) in MISCOUNTS {
        let mut forged = sound.clone();
        assert!(forged.iter_mut().any(forge), "{what}: no entry holds it");
        put(&run, &forged);
        let (code, found) = verify(&run);
        if code != Some(5) || failed(&found) != ["guard"] {
            missed.push(format!("{what}: {code:?}, {:?}", failed(&found)));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
