//! `vsota history …`

use vsota_fixtures::model::{Run, name};

use super::Stage;

fn note(framework: &str, items: &str) -> String {
    format!(
        "# History note\n- framework: {framework}\n- root: /knowledge\n- slug: demo-moe\n{items}"
    )
}

fn item(id: &str) -> String {
    format!(
        "## Item {id}\n- path: a.md\n- pr: 7\n- file: vllm/a.py\n- symbol: f\n- risk: ties\n- decision: look at f\n"
    )
}

/// A campaign at the history gate.
fn gate() -> Stage {
    let mut model = Run::with_inputs();
    let at_gate = |run: &Run| run.campaign.phase().as_str() == "history-gate";
    if !at_gate(&model) {
        model.ask(vsota_core::command::CloseInputs(vsota_core::facts::Nothing {}));
    }
    assert!(at_gate(&model));
    Stage::at(model)
}

#[test]
fn the_gate_is_left_once_every_history_is_noted_or_blocked() {
    let stage = gate();
    stage.refused(&["history", "close"], &["HI-1", "HI-2"]);
    let draft = stage.file("vllm.md", note("vllm", &item("vllm-pr-7")));
    stage.granted(&["history", "note", &draft], "history-noted", "history-gate");
    let said = stage.said();
    assert_eq!(said["outcome"]["found"]["items"][0]["prs"][0], 7);
    assert_eq!(stage.holds(&said["draft"]), note("vllm", &item("vllm-pr-7")).as_bytes());
    stage.refused(&["history", "close"], &["HI-2"]);
    let block = ["history", "block", "--framework", "sglang", "--reason", "not installed"];
    stage.refused(&block, &["HI-5"]);
    let tried = [&block[..], &["--tried", "/a", "--tried", "/b"]].concat();
    stage.granted(&tried, "history-blocked", "history-gate");
    assert_eq!(stage.said()["tried"][1], "/b");
    stage.granted(&["history", "close"], "history-closed", "fixed-benchmark");
    stage.refused(&["history", "close"], &["HI-1"]);
}

#[test]
fn an_item_that_lacks_a_part_or_comes_twice_is_refused() {
    let stage = gate();
    let bare = "## Item a\n- decision: look\n";
    let draft = stage.file("a.md", note("vllm", bare));
    stage.refused(&["history", "note", &draft], &["HI-3"; 5]);
    let draft = stage.file("b.md", note("vllm", ""));
    stage.refused(&["history", "note", &draft], &["HI-3"]);
    let draft = stage.file("c.md", note("vllm", &item("a")));
    stage.granted(&["history", "note", &draft], "history-noted", "history-gate");
    stage.refused(&["history", "note", &draft], &["HI-3"]);
}

#[test]
fn a_note_is_bad_evidence_with_its_place() {
    let stage = gate();
    let draft = stage.file("a.md", note("vllm", &item("a")).replace("- pr: 7", "- pr: seven"));
    stage.bad(&["history", "note", &draft], "a.md", Some(7), Some("Item a.pr"));
    let draft = stage.file("b.md", note("megatron", &item("a")));
    stage.bad(&["history", "note", &draft], "b.md", Some(2), Some("framework"));
    let draft = stage.file("c.md", note("vllm", &item("a")).replace("## Item", "## Itm"));
    stage.bad(&["history", "note", &draft], "c.md", Some(5), Some("Itm a"));
    stage.bad(&["history", "note", "nowhere.md"], "nowhere.md", None, None);
}

#[test]
fn history_may_be_noted_inside_a_round() {
    let stage = Stage::at(Run::behind());
    let draft = stage.file("a.md", note("sglang", &item("sglang-pr-8")));
    stage.granted(&["history", "note", &draft], "history-noted", "profiling");
    assert_eq!(stage.said()["outcome"]["found"]["items"][0]["id"], name("sglang-pr-8").as_str());
}
