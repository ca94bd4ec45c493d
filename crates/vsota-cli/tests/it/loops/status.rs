//! Every state of a loop's life, from files alone; and what is wrong with loops, by name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vsota_fixtures::builders::humanize::{LoopParts, refined_plan, review_result};
use vsota_fixtures::model::Run;

use super::field::{Field, LOOP, git};

/// The loop as `loop status` shows it.
fn shown(field: &Field) -> (Value, Value) {
    let ended = field.vsota(&["loop", "status"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let own = ended.json["loops"].as_array().unwrap().iter().find(|it| it["dir"] == LOOP);
    (own.cloned().unwrap_or_default(), ended.json)
}

/// What is found, in one text a finding.
fn findings(all: &Value) -> Vec<String> {
    let found = all["findings"].as_array().unwrap().iter();
    found
        .map(|it| format!("{} {}", it["clause"].as_str().unwrap(), it["found"].as_str().unwrap()))
        .collect()
}

#[test]
fn every_state_is_recognised_by_the_name_of_its_file() {
    for (file, state, end) in [
        ("state.md", "implementation", "active"),
        ("finalize-state.md", "finalize", "active"),
        ("methodology-analysis-state.md", "methodology", "active"),
        ("complete-state.md", "complete", "complete"),
        ("cancel-state.md", "cancel", "cancel"),
        ("maxiter-state.md", "maxiter", "maxiter"),
        ("stop-state.md", "stop", "stop"),
        ("unexpected-state.md", "unexpected", "unexpected"),
        ("notes.md", "broken", "gone"),
    ] {
        let field = Field::in_loop(&Run::in_loop(), |it| it.named(file));
        let (own, all) = shown(&field);
        assert_eq!(
            (own["state"].as_str(), all["state"].as_str()),
            (Some(state), Some(end)),
            "{file}"
        );
        assert_eq!(own["active"], end == "active", "{file}");
        assert_eq!(findings(&all).is_empty(), end == "active", "{file}: {:?}", findings(&all));
    }
    let field = Field::in_loop(&Run::in_loop(), |it| it.in_review());
    assert_eq!(shown(&field).0["state"], "review");
}

#[test]
fn the_round_says_what_it_owes() {
    let field = Field::in_loop(&Run::in_loop(), |it| it.named("state.md"));
    let dir = field.vllm.join(".humanize/rlcr").join(LOOP);
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
    let owed = || shown(&field).0["owed"].clone();
    assert_eq!(owed(), "contract");
    write("round-0-contract.md", "the contract\n");
    assert_eq!(owed(), "summary", "the scaffold is no summary");
    write("round-0-summary.md", "# Round 0\n\nthe kernel was changed\n");
    assert_eq!(owed(), "commit", "Humanize lets a round without a commit pass");
    field.put("vllm/a.py", "a = 2\n");
    assert_eq!(owed(), "commit");
    field.commit("the kernel");
    assert_eq!(owed(), "stop");
    field.put("vllm/a.py", "a = 3\n");
    assert_eq!(owed(), "commit");
    field.commit("and more");
    write("round-0-review-prompt.md", "review\n");
    assert_eq!(owed(), "review");
    write(
        "round-0-review-result.md",
        "Mainline Progress Verdict: ADVANCED / STALLED / REGRESSED\n",
    );
    assert_eq!(owed(), "verdict");
    write("round-0-review-result.md", &review_result("STALLED", "- more"));
    assert_eq!(owed(), "advance");
    fs::remove_file(dir.join("round-0-prompt.md")).unwrap();
    fs::remove_file(dir.join("round-0-review-prompt.md")).unwrap();
    fs::remove_file(dir.join("round-0-review-result.md")).unwrap();
    assert_eq!(owed(), "prompt");
}

#[test]
fn a_lost_loop_a_second_one_and_a_zombie_are_named() {
    let field = Field::in_loop(&Run::in_loop(), |it| it.named("state.md"));
    let parts = LoopParts::on(&field.id("HEAD"), &refined_plan());
    // A finished one of later date hides the recorded loop from Humanize's set-up.
    field.lay(&field.vllm, "2026-02-01_00-00-00", &parts.named("complete-state.md"));
    let found = findings(&shown(&field).1);
    assert!(found.len() == 1 && found[0].starts_with("RL-4"), "{found:?}");
    assert!(found[0].contains("alive behind a newer directory"), "{found:?}");
    let all = shown(&field).1;
    let mend = all["findings"][0]["help"].as_str().unwrap();
    assert!(mend.starts_with("mv ") && mend.ends_with("/cancel-state.md"), "{mend}");
    assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-4"], "no gate passes a zombie");

    let field = Field::in_loop(&Run::in_loop(), |it| it.named("state.md"));
    field.git(&["worktree", "add", "-q", "-b", "kernel", "../kernel"]);
    let kernel = field.world.root.join("kernel");
    // Under the very name of the recorded one, which is over: nobody takes it for that.
    let over = |state: &str| {
        let own = field.vllm.join(".humanize/rlcr").join(LOOP);
        fs::rename(own.join("state.md"), own.join(state)).unwrap();
        field.lay(&kernel, LOOP, &parts.named("state.md"));
        let ended = field.vsota(&["round", "open"]);
        fs::remove_dir_all(kernel.join(".humanize")).unwrap();
        fs::rename(own.join(state), own.join("state.md")).unwrap();
        ended
    };
    let ended = over("cancel-state.md");
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-7"]), "{}", ended.told);
    assert!(ended.told.contains("kernel/.humanize"), "{}", ended.told);
    field.lay(&kernel, "2026-01-02_00-00-00", &parts.named("finalize-state.md"));
    let found = findings(&shown(&field).1);
    assert!(found.len() == 1 && found[0].starts_with("RL-4 a second loop is alive"), "{found:?}");
    assert!(found[0].contains("kernel/.humanize"), "{found:?}");

    let field = Field::in_loop(&Run::in_loop(), |it| it.named("state.md"));
    fs::remove_dir_all(field.vllm.join(".humanize/rlcr")).unwrap();
    let (_, all) = shown(&field);
    assert_eq!(all["state"], "gone");
    let found = findings(&all);
    assert!(found.len() == 1 && found[0].contains("is lost"), "{found:?}");
    assert!(found[0].starts_with("RL-7"), "{found:?}");
}

/// KA-6: whatever the kernel work starts among the artefacts is a second loop too.
#[test]
fn a_loop_below_the_artefacts_is_a_second_one() {
    let field = Field::in_loop(&Run::in_loop(), |it| it.named("state.md"));
    let parts = LoopParts::on(&field.id("HEAD"), &refined_plan());
    let below = field.world.run.join("kernel/moe");
    field.lay(&below, "2026-01-02_00-00-00", &parts.named("complete-state.md"));
    assert_eq!(findings(&shown(&field).1).len(), 0, "it is over");
    field.lay(&below, "2026-01-03_00-00-00", &parts.named("state.md"));
    let found = findings(&shown(&field).1);
    assert!(found.len() == 1 && found[0].starts_with("RL-4 a second loop is alive"), "{found:?}");
    let ended = field.vsota(&["round", "open"]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-7"]), "{}", ended.told);
    assert!(ended.told.contains("kernel/moe/.humanize"), "{}", ended.told);
}

#[test]
fn a_loop_in_the_wrong_repository_is_named() {
    let mut field = Field::in_loop(&Run::in_loop(), |it| it.named("state.md"));
    let other = field.world.root.join("other");
    fs::create_dir(&other).unwrap();
    git(&other, &["init", "-q"]);
    fs::rename(field.vllm.join(".humanize/rlcr"), other.join("rlcr")).unwrap();
    fs::create_dir(other.join(".humanize")).unwrap();
    fs::rename(other.join("rlcr"), other.join(".humanize/rlcr")).unwrap();
    field.env.insert("CLAUDE_PROJECT_DIR", other.to_string());
    let (_, all) = shown(&field);
    assert_eq!(all["state"], "gone");
    let found = findings(&all);
    assert!(
        found.iter().any(|it| it.starts_with("RL-7") && it.contains("not in the checkout")),
        "{found:?}"
    );
    assert!(found.iter().any(|it| it.contains("in the wrong repository")), "{found:?}");
    let ended = field.vsota(&["round", "open"]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-7"]), "{}", ended.told);
    let ended = field.vsota(&["loop", "reenter", "--handshake", "round-contract"]);
    assert_eq!(ended.exit, 3, "it is alive: {}", ended.told);
    assert!(!field.ran());
}

#[test]
fn a_half_written_state_is_named_and_nothing_follows_from_it() {
    for text in
        ["", "---\ncurrent_round: 1\n", "---\ncurrent_round: many\nmax_iterations: 4\n---\n"]
    {
        let field = Field::in_loop(&Run::in_loop(), |it| {
            let mut files = it.named("state.md");
            files.insert("state.md".into(), text.into());
            files
        });
        let (own, all) = shown(&field);
        assert_eq!(own["active"], true, "it is alive until Humanize says otherwise");
        assert!(own["error"].is_string(), "{own}");
        let found = findings(&all);
        assert!(found.len() == 1 && found[0].starts_with("RL-8"), "{found:?}");
        let ended = field.vsota(&["round", "open"]);
        assert_eq!(ended.exit, 4, "{}", ended.told);
        assert_eq!(ended.json["error"]["kind"], "bad-evidence");
        assert!(ended.json["error"]["file"].as_str().unwrap().ends_with("state.md"));
    }
}

#[test]
fn another_loop_under_the_recorded_name_is_named() {
    let field = Field::in_loop(&Run::in_loop(), |it| {
        it.plan = "another plan\n".into();
        it.named("state.md")
    });
    let found = findings(&shown(&field).1);
    assert!(found.len() == 1 && found[0].contains("another plan"), "{found:?}");
    let ended = field.vsota(&["round", "open"]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-7"]), "{}", ended.told);

    let field = Field::in_loop(&Run::in_loop(), |it| {
        let mut files = it.named("state.md");
        let state = it.state(false).replace("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z");
        files.insert("state.md".into(), state);
        files
    });
    let found = findings(&shown(&field).1);
    assert!(found.len() == 1 && found[0].contains("started at another time"), "{found:?}");
    assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-7"]);
}

#[test]
fn the_recorded_samples_are_read() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let root = std::env::var_os("VSOTA_SAMPLES").map_or(beside, PathBuf::from).join("humanize");
    if !root.is_dir() {
        println!("skipped: no samples at {}", root.display());
        return;
    }
    let mut read = 0;
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.contains("state.md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let state = vsota_core::evidence::humanize::LoopState::read(&text);
        let state = state.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(state.strict_success, name.contains("strict").then_some(true), "{name}");
        assert!(state.base_commit.is_some() && state.started_at.is_some(), "{name}");
        read += 1;
    }
    assert!(read >= 5, "{read} were read");
}
