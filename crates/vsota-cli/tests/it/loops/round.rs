//! What a round of Humanize owes the gates: contract and summary before a patch is accepted, the review
//! before the next round, the complete end before the stop.

use std::fs;

use serde_json::{Value, json};
use vsota_core::command::NameRootCause;
use vsota_fixtures::builders::humanize::{LoopFiles, LoopParts, refined_plan, review_result};
use vsota_fixtures::model::{self, Run};

use super::field::{Field, LOOP};

/// A loop whose round 0 is written.
fn written(parts: &LoopParts) -> LoopFiles {
    let mut files = parts.named("state.md");
    files.insert("round-0-contract.md".into(), "the contract\n".into());
    files.insert("round-0-summary.md".into(), "# Round 0\n\nwhat was done\n".into());
    files
}

/// The model's patch, measured, with its build checked out.
fn trialled(change: impl FnOnce(&LoopParts) -> LoopFiles) -> Field {
    let mut model = Run::patched();
    model.trial(1.05);
    let field = Field::in_loop(&model, |it| change(it));
    field.put("vllm/a.py", "a = 2\n");
    field.commit("patch");
    field.moved(&model.acceptance().stand.head);
    field
}

#[test]
fn a_patch_is_accepted_only_with_contract_and_summary() {
    let accept = ["revalidate", "accept"];
    let field = trialled(|it| it.named("state.md"));
    let ended = field.vsota(&accept);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-8", "RL-8"]), "{}", ended.told);
    assert!(ended.told.contains("round-0-contract.md") && ended.told.contains("the scaffold"));
    let field = trialled(written);
    field.git(&["switch", "-q", "-c", "other"]);
    let ended = field.vsota(&accept);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-8"]), "{}", ended.told);
    field.git(&["switch", "-q", "main"]);
    let ended = field.vsota(&accept);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    assert_eq!(ended.json["phase"], "rlcr-active");
}

/// A round of vsota is not one of Humanize: every event in the loop says both, also where no gate asks.
#[test]
fn every_event_in_the_loop_says_both_rounds() {
    let field = Field::in_loop(&Run::layered(), |it| it.named("state.md"));
    let told = |name: &str| {
        let args = ["kernel", "block", name, "--reason", "no counters", "--next-edit", "split"];
        let ended = field.vsota(&args);
        assert_eq!(ended.exit, 0, "{}", ended.told);
        let journal = String::from_utf8(field.world.bytes()).unwrap();
        let entry: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
        entry["rounds"].clone()
    };
    assert_eq!(told("one"), json!({"vsota": 1, "humanize": 0}));
    let parts = LoopParts { round: 3, ..LoopParts::on(&field.id("HEAD"), &refined_plan()) };
    field.tell("state.md", &parts.state(false));
    assert_eq!(told("two"), json!({"vsota": 1, "humanize": 3}));
    field.tell("state.md", "---\ncurrent_round: 4");
    assert_eq!(told("three"), json!({"vsota": 1, "humanize": null}), "nothing is made up");
    let rounds = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        (
            entry["event"].as_object().unwrap().keys().next().unwrap().clone(),
            entry["rounds"].clone(),
        )
    };
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    let all: Vec<_> = journal.lines().map(rounds).collect();
    let entered = all.iter().position(|(kind, _)| kind == "loop-entered").unwrap();
    assert!(all[..entered].iter().all(|(_, rounds)| rounds.is_null()));
    assert!(all[entered..].iter().all(|(_, rounds)| rounds["vsota"].is_u64()), "{all:?}");
}

/// The state of the model's loop, as the hook writes it.
fn state(field: &Field, round: u32, verdict: &str, review_started: bool) -> String {
    let parts = LoopParts { round, ..LoopParts::on(&field.id("HEAD~1"), &refined_plan()) };
    let verdict = format!("last_mainline_verdict: {verdict}");
    parts.state(review_started).replace("last_mainline_verdict: unknown", &verdict)
}

/// The next round opens only after the review, whatever it says.
#[test]
fn the_review_is_read_by_the_next_round() {
    let field = trialled(written);
    assert_eq!(field.vsota(&["revalidate", "accept"]).exit, 0);
    let ended = field.vsota(&["round", "open"]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-8"]), "{}", ended.told);
    assert!(ended.told.contains("stop, so that the review can run"), "{}", ended.told);
    for nothing in ["no verdict\n", "Mainline Progress Verdict: ADVANCED or STALLED\n", "STOP\n"] {
        field.put(&format!(".humanize/rlcr/{LOOP}/round-0-review-result.md"), nothing);
        assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-8"], "{nothing}");
    }
    // A bare file is nobody's review: the hook that acts upon one goes on, and says what it read.
    field.tell("round-0-review-result.md", &review_result("REGRESSED", "- more"));
    assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-8"], "the loop stands still");
    field.tell("state.md", &state(&field, 1, "stalled", false));
    assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-8"], "another verdict");
    field.tell("state.md", &state(&field, 1, "regressed", false));
    let ended = field.vsota(&["round", "open"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    assert!(journal.lines().last().unwrap().contains(r#""review":"regressed""#));
}

/// A review that ends the implementation is believed once the code review has begun.
#[test]
fn a_complete_review_is_believed_when_the_code_review_began() {
    let field = trialled(written);
    assert_eq!(field.vsota(&["revalidate", "accept"]).exit, 0);
    field.tell("round-0-review-result.md", &review_result("ADVANCED", "COMPLETE"));
    field.tell("state.md", &state(&field, 1, "advanced", false));
    assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-8"]);
    field.tell("state.md", &state(&field, 0, "advanced", true));
    let ended = field.vsota(&["round", "open"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    assert!(journal.lines().last().unwrap().contains(r#""review":"complete""#));
}

/// In the code review the files of the next round hold the review, and none is written when it is clean.
#[test]
fn a_patch_of_the_code_review_waits_for_its_own_review() {
    let in_review = |it: &LoopParts| {
        let mut files = written(it);
        files.extend(it.in_review().into_iter().filter(|(name, _)| !name.contains("summary")));
        // The review that ended the implementation says nothing of this patch.
        files.insert("round-0-review-result.md".into(), review_result("ADVANCED", "COMPLETE"));
        let state = files.get("state.md").unwrap().replace("verdict: unknown", "verdict: advanced");
        files.insert("state.md".into(), state);
        files
    };
    let accepted = || {
        let field = trialled(in_review);
        let ended = field.vsota(&["revalidate", "accept"]);
        assert_eq!(ended.exit, 0, "{}", ended.told);
        assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-8"]);
        field
    };
    let opened = |field: &Field, said: &str| {
        let ended = field.vsota(&["round", "open"]);
        assert_eq!(ended.exit, 0, "{}", ended.told);
        let journal = String::from_utf8(field.world.bytes()).unwrap();
        let review = format!(r#""review":"{said}""#);
        assert!(journal.lines().last().unwrap().contains(&review), "{journal}");
    };
    let field = accepted();
    field.tell("round-1-review-result.md", "- [P1] the empty batch is not handled\n");
    assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-8"], "the loop stands still");
    field.tell("state.md", &state(&field, 1, "advanced", true));
    opened(&field, "findings");

    let field = accepted();
    field.tell("finalize-state.md", &state(&field, 0, "advanced", true));
    fs::remove_file(field.vllm.join(".humanize/rlcr").join(LOOP).join("state.md")).unwrap();
    opened(&field, "complete");
}

/// The model's claim on the patched build, in a loop whose state lies under this name.
pub(super) fn claimed(state: &str) -> Field {
    let model = Run::claimed();
    let field = Field::in_loop(&model, |it| it.named(state));
    field.put("vllm/a.py", "a = 2\n");
    field.commit("patch");
    field.moved(&model.stand().head);
    field
}

#[test]
fn a_claim_is_confirmed_only_when_the_loop_ended_complete() {
    let confirm = ["stop", "confirm"];
    for state in ["state.md", "finalize-state.md", "maxiter-state.md"] {
        let ended = claimed(state).vsota(&confirm);
        assert_eq!((ended.exit, ended.clauses()), (3, vec!["GD-4"]), "{state}: {}", ended.told);
    }
    let field = claimed("complete-state.md");
    let ended = field.vsota(&confirm);
    assert_eq!((ended.exit, &ended.json["phase"]), (0, &"stopped".into()), "{}", ended.told);
}

#[test]
fn a_fixup_cites_a_finding_or_the_phase() {
    let field = Field::in_loop(&Run::accepted_patch(), |it| {
        let mut files = it.in_review();
        let old = "- [P2] the last row is read twice \u{2014} /w/vllm/a.py:3-4\n";
        files.insert("round-1-review-result.md".into(), old.into());
        let text =
            "Prose first.\n\n- [P1] the empty batch is not handled \u{2014} /w/vllm/a.py:9-9\n";
        files.insert("round-2-review-result.md".into(), text.into());
        files
    });
    let fixup = |finding: &str| {
        let ended = field.vsota(&["patch", "fixup", "--finding", finding]);
        (ended.exit, ended.clauses().concat())
    };
    assert_eq!(fixup("make it nicer"), (3, "RL-9".into()));
    for words in ["e", "empty batch", "[P1]", "Prose first.", "the last row is read twice"] {
        assert_eq!(fixup(words), (3, "RL-9".into()), "{words}");
    }
    assert_eq!(fixup("finalize phase"), (3, "RL-9".into()), "it does not run");
    let mut trial = Run::patched();
    trial.trial(1.05);
    field.put("vllm/a.py", "a = 2\n");
    field.put("tests/test_a.py", "def test_a():\n    assert a == 2\n");
    field.commit("the patch");
    field.moved(&trial.acceptance().stand.head);
    assert_eq!(fixup("the empty batch is not handled"), (3, "PA-1RL-9".into()), "nothing changed");
    field.put("vllm/b.py", "b = 1\n");
    field.commit("another file");
    assert_eq!(fixup("the empty batch is not handled"), (3, "RL-9".into()), "another file");
    field.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let from = "# Adapted from https://github.com/sgl-project/sglang\n";
    field.put("vllm/model_executor/layers/fused_moe.py", from);
    field.git(&["rm", "-q", "tests/test_a.py"]);
    field.commit("the finding");
    assert_eq!(fixup("the empty batch is not handled"), (3, "PA-3".into()), "from elsewhere");
    let named = ["--copied", "TensorRT-LLM, kernels/routing.cu", "Apache-2.0", "the tie rule"];
    let args = ["patch", "fixup", "--finding", "the empty batch is not handled"];
    assert_eq!(field.vsota(&[&args[..], &named[..3]].concat()).exit, 2, "two of three");
    let args = [&args[..], &named].concat();
    let ended = field.vsota(&args);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["PA-2"]), "{}", ended.told);
    let help = "vsota patch fixup --finding TEXT --checks-gone-because TEXT";
    assert_eq!(ended.json["refused"][0]["help"], help);
    let ended = field.vsota(&[&args[..], &["--checks-gone-because", "b is tested"]].concat());
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    let last = journal.lines().last().unwrap();
    assert!(last.contains("fused_moe.py") && last.contains(r#""licence":"Apache-2.0""#), "{last}");
    let gone = r#""shown":["tests/test_a.py: the file"],"because":"b is tested""#;
    assert!(last.contains(gone), "{last}");
}

#[test]
fn the_sources_of_a_root_cause_are_files_of_the_commit() {
    let mut model = Run::behind();
    model.profiles();
    let field = Field::in_loop(&model, |it: &mut LoopParts| written(it));
    let draft = |source: &str| {
        format!(
            "# Root cause\n- stage: decode\n- estimated-gap-pct: 4\n## Rows\n- vllm:decode:kernel:1\n\
             ## Sources\n- moe routing kernels\n- {source}\n## Explanation\nThe kernel is slow.\n"
        )
    };
    let file = field.world.root.join("cause.md");
    let named = |source: &str| {
        fs::write(&file, draft(source)).unwrap();
        field.vsota(&["profile", "root-cause", file.as_str()])
    };
    let ended = named("vllm/no/such.py:3");
    assert_eq!(
        (ended.exit, &ended.json["error"]["field"]),
        (4, &"Sources".into()),
        "{}",
        ended.told
    );
    assert!(ended.told.contains("holds no vllm/no/such.py"), "{}", ended.told);
    assert_eq!(named("vllm/a.py:1 f").exit, 0);
    let checked = |field: &Field| {
        let found = field.vsota(&["verify", "--without", "traces"]).json["checks"].clone();
        let wrong = |it: &&serde_json::Value| it["clause"] == "PR-6" && it["check"] == "checkout";
        found.as_array().unwrap().iter().filter(wrong).count()
    };
    assert_eq!(checked(&field), 0);
    let mut cause = model::root_cause(&model);
    cause.sources = model::lines(&["vllm/no/such.py"]);
    model.ask(NameRootCause(cause));
    assert_eq!(checked(&Field::in_loop(&model, |it| written(it))), 1);
}

#[test]
fn the_source_of_an_idea_is_a_file_of_the_commit() {
    let field = Field::in_loop(&Run::layered(), |it: &mut LoopParts| written(it));
    let file = field.world.root.join("idea.md");
    let noted = |source: &str| {
        let text = format!(
            "# Idea\n- name: fuse\n- source-path: {source}\n- provenance: vllm at the baseline\n\
             - verdict: open\n- row: vllm:decode:kernel:1  moe_routing_kernel\n"
        );
        fs::write(&file, text).unwrap();
        field.vsota(&["idea", "note", file.as_str()])
    };
    let ended = noted("vllm/does/not/exist.py");
    let place = &ended.json["error"]["field"];
    assert_eq!((ended.exit, place), (4, &"source-path".into()), "{}", ended.told);
    for source in ["vllm/a.py", "python/sglang/srt/layers/moe.py"] {
        let ended = noted(source);
        assert_eq!(ended.exit, 0, "{source}: {}", ended.told);
    }
}
