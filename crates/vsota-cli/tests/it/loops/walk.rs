//! `verify` walks the commits of the checkout: each has its gate in the journal (PA-1, PA-6, FB-11, RL-9).

use std::fs;

use serde_json::Value;
use vsota_fixtures::model::Run;

use super::field::Field;
use super::patch::{layered, patched, record};
use super::round::claimed;

/// What the walk says: the clause and the words of what is wrong, or what held, or what is open.
#[derive(Debug, PartialEq)]
enum Walked {
    Held(String),
    Wrong(Vec<(String, String)>),
    Open(String),
}

fn walked(field: &Field) -> Walked {
    let ended = field.vsota(&["verify", "--strict"]);
    assert_eq!(ended.exit, 5, "a model's journal has no artefacts: {}", ended.told);
    let of_it = |key: &str| -> Vec<Value> {
        let all = ended.json[key].as_array().unwrap().iter();
        all.filter(|it| it["check"] == "checkout").cloned().collect()
    };
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let (said, open) = (of_it("checks"), of_it("not_checked"));
    let wrong: Vec<_> = said
        .iter()
        .filter(|it| it["ok"] == false)
        .map(|it| (text(it, "clause"), text(it, "found")))
        .collect();
    if !wrong.is_empty() {
        return Walked::Wrong(wrong);
    }
    if let Some(it) = open.first() {
        return Walked::Open(text(it, "why"));
    }
    assert_eq!(said.len(), 1, "{}", ended.told);
    Walked::Held(text(&said[0], "found"))
}

#[track_caller]
fn held(field: &Field, commits: usize) {
    let Walked::Held(found) = walked(field) else { panic!("{:?}", walked(field)) };
    assert!(found.starts_with(&format!("{commits} commits from ")), "{found}");
    assert!(found.ends_with("each with its gate"), "{found}");
}

#[track_caller]
fn wrong(field: &Field, clause: &str, words: &str) {
    let Walked::Wrong(found) = walked(field) else { panic!("{:?}", walked(field)) };
    assert!(found.iter().any(|it| it.0 == clause && it.1.contains(words)), "{found:?}");
}

#[track_caller]
fn open(field: &Field, words: &str) {
    let Walked::Open(why) = walked(field) else { panic!("{:?}", walked(field)) };
    assert!(why.contains(words), "{why}");
}

#[test]
fn a_commit_between_rounds_or_before_the_patch_has_no_gate() {
    let field = Field::in_loop(&Run::in_loop(), |it| it.named("state.md"));
    held(&field, 0);
    field.put("vllm/a.py", "a = 2\n");
    field.commit("unasked");
    wrong(
        &field,
        "RL-9",
        &format!("the commit {} has no gate in the journal: unasked", field.id("HEAD")),
    );

    let mut model = Run::in_loop();
    model.open_round();
    let field = Field::in_loop(&model, |it| it.named("state.md"));
    for n in 0..7 {
        field.put("vllm/a.py", &format!("a = {n}\n"));
        field.commit("too early");
    }
    wrong(&field, "FB-11", "too early");
    wrong(&field, "FB-11", "and 2 more commits");
}

#[test]
fn a_commit_waits_for_its_gate_and_has_it_then() {
    let field = layered();
    patched(&field);
    open(&field, "1 commits (");
    assert_eq!(record(&field).exit, 0);
    held(&field, 1);
    // Taken back by a commit of its own, which the rejection knows.
    field.git(&["revert", "--no-edit", "HEAD"]);
    open(&field, "wait for their gate");
    let ended = field.vsota(&["revalidate", "reject", "--reason", "slower"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    held(&field, 2);
    // Taken back without a trace: the patch is in `patches/`, its commit is nowhere.
    let field = layered();
    patched(&field);
    assert_eq!(record(&field).exit, 0);
    field.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let rejected = field.id("ORIG_HEAD");
    assert_eq!(field.vsota(&["revalidate", "reject", "--reason", "slower"]).exit, 0);
    held(&field, 0);
    // Its commit had its gates; brought back, it is not what was accepted.
    field.git(&["reset", "-q", "--hard", &rejected]);
    wrong(&field, "PA-1", "another tree than the accepted build");
    field.git(&["reset", "-q", "--hard", "HEAD~1"]);
    field.git(&["update-ref", "-d", "ORIG_HEAD"]);
    field.git(&["reflog", "expire", "--expire=now", "--all"]);
    field.git(&["gc", "-q", "--prune=now"]);
    held(&field, 0);
    field.put("vllm/a.py", "a = 2\n");
    field.commit("unasked");
    wrong(&field, "RL-9", "unasked");
}

#[test]
fn what_a_gate_recorded_is_what_git_says() {
    let field = layered();
    patched(&field);
    assert_eq!(record(&field).exit, 0);
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    let forged = |from: &str, to: &str| {
        let lines = journal.lines().map(|line| {
            let line =
                if line.contains("patch-recorded") { line.replace(from, to) } else { line.into() };
            serde_json::from_str::<vsota_core::Entry>(&line).unwrap().event
        });
        let run = Run { events: lines.collect(), ..Run::open() };
        field.world.put(run.jsonl());
        // The checkpoint holds the head of the true one.
        let _ = fs::remove_file(field.world.run.join("humanize/model-loop-checkpoint.md"));
    };
    forged(r#"{"path":"docs/a.md","kind":"docs"},"#, "");
    wrong(&field, "PA-1", "other changed files");
    forged(r#""descends":true"#, r#""descends":false"#);
    wrong(&field, "PA-1", "descends from the accepted");
    forged(&field.id("HEAD^{tree}"), &field.id("HEAD~1^{tree}"));
    wrong(&field, "PA-1", "has the tree");
    let event: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    let digest = event["event"]["patch-recorded"]["diff"]["sha256"].as_str().unwrap();
    forged(digest, &"0".repeat(64));
    wrong(&field, "PA-6", "is not git's difference");
    forged("routing", "routing");
    held(&field, 1);
}

/// A diff that was cleared of secrets is made again from the commits, and cleared again.
#[test]
fn a_diff_without_its_secrets_is_still_gits_difference() {
    // Built at run time: the repository holds no secret, not even a made-up one.
    let letters = |by: usize| -> String {
        (0..34).map(|it| char::from(b'a' + u8::try_from(it * by % 26).unwrap())).collect()
    };
    let token = format!("hf_{}", letters(7));
    let mut field = layered();
    patched(&field);
    field.put("vllm/hub.py", &format!("TOKEN = \"{token}\"\nother = 1\n"));
    field.git(&["add", "-A"]);
    field.git(&["commit", "-q", "--amend", "-m", "routing"]);
    assert_eq!(record(&field).exit, 8);
    let draft = field.world.root.join("patch.md");
    let record = |field: &Field| {
        let ended = field.vsota(&["--redact", "patch", "record", draft.as_str()]);
        assert_eq!(ended.exit, 0, "{}", ended.told);
        let journal = String::from_utf8(field.world.bytes()).unwrap();
        let last: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
        let diff = &last["event"]["patch-recorded"]["diff"];
        let path = field.world.run.join(diff["path"].as_str().unwrap());
        (journal, path, diff["sha256"].as_str().unwrap().to_owned())
    };
    let before = field.world.bytes();
    let (journal, path, digest) = record(&field);
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.contains("[REDACTED:") && !kept.contains(&token), "{kept}");
    held(&field, 1);
    // Another text with another digest: a file in the place of the one that was filed.
    let other = kept.replace("other = 1", "other = 2");
    fs::write(&path, &other).unwrap();
    let events = journal.replace(&digest, &vsota_core::Digest::of(other.as_bytes()).to_string());
    let events = events.lines().map(|it| serde_json::from_str::<vsota_core::Entry>(it).unwrap());
    let run = Run { events: events.map(|it| it.event).collect(), ..Run::open() };
    field.world.put(run.jsonl());
    let checkpoint = field.world.run.join("humanize/model-loop-checkpoint.md");
    let _ = fs::remove_file(&checkpoint);
    wrong(&field, "PA-6", "is not git's difference");
    // What only the environment of that call knew, nobody knows later.
    field.world.put(before);
    fs::remove_file(&path).unwrap();
    let _ = fs::remove_file(&checkpoint);
    field.put("vllm/hub.py", &format!("key = \"{}\"\n", letters(11)));
    field.git(&["add", "-A"]);
    field.git(&["commit", "-q", "--amend", "-m", "routing"]);
    field.env.insert("OPENAI_API_KEY", letters(11));
    record(&field);
    held(&field, 1);
    field.env.remove("OPENAI_API_KEY");
    open(&field, "1 places of patches/r1-");
}

#[test]
fn an_accepted_patch_stays_in_the_history() {
    let mut model = Run::patched();
    model.trial(1.05);
    let head = model.acceptance().stand.head;
    let field = Field::in_loop(&Run::accepted_patch(), |it| it.named("state.md"));
    patched(&field);
    field.moved(&head);
    field.git(&["reset", "-q", "--hard", "HEAD~1"]);
    wrong(&field, "PA-1", "does not descend from its commit");
}

#[test]
fn what_was_tried_before_a_claim_has_its_gate_there() {
    let field = claimed("complete-state.md");
    let mut trial = Run::patched();
    trial.trial(1.05);
    field.moved(&trial.acceptance().stand.head);
    // Tried and taken back, as the claim then saw it.
    field.put("vllm/a.py", "a = 3\n");
    field.commit("try");
    field.git(&["revert", "--no-edit", "HEAD"]);
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    let events = journal.lines().map(|line| {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        if let Some(commit) = entry.pointer_mut("/event/stop-claimed/stand/head/commit") {
            *commit = field.id("HEAD").into();
        }
        serde_json::from_value::<vsota_core::Entry>(entry).unwrap().event
    });
    let run = Run { events: events.collect(), ..Run::open() };
    field.world.put(run.jsonl());
    let _ = fs::remove_file(field.world.run.join("humanize/model-loop-checkpoint.md"));
    let open = field.vsota(&["verify"]).json["not_checked"].to_string();
    assert!(!open.contains("wait for their gate"), "{open}");
}

#[test]
fn commits_after_the_stop_are_nobodys() {
    let field = claimed("complete-state.md");
    let mut trial = Run::patched();
    trial.trial(1.05);
    field.moved(&trial.acceptance().stand.head);
    assert_eq!(field.vsota(&["stop", "confirm"]).exit, 0);
    let open = |field: &Field| field.vsota(&["verify"]).json["not_checked"].to_string();
    assert!(!open(&field).contains("checkout"), "{}", open(&field));
    field.put("vllm/a.py", "a = 3\n");
    field.commit("later");
    assert!(!open(&field).contains("checkout"), "{}", open(&field));
    let Walked::Wrong(found) = walked(&field) else { panic!("the model's patch is another") };
    assert!(found.iter().all(|it| !it.1.contains("has no gate")), "{found:?}");
}

#[test]
fn without_a_checkout_its_commits_stay_unchecked() {
    let field = layered();
    fs::rename(field.vllm.join(".git"), field.world.root.join("away")).unwrap();
    let ended = field.vsota_in(&field.world.root, &["verify"]);
    let open = ended.json["not_checked"].as_array().unwrap();
    assert_eq!(open[0]["check"], "checkout", "{}", ended.told);
    assert!(open[0]["why"].as_str().unwrap().contains("which is not there"), "{}", ended.told);
}
