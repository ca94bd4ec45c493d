//! Ideas, attempts, research, successor loops, and rounds that are given up.

use serde_json::json;
use vsota_core::facts::{LoopEnd, LoopReentry};
use vsota_fixtures::model::{self, Run};

use super::Stage;

fn idea(verdict: &str, more: &str) -> String {
    format!(
        "# Idea\n- name: fuse\n- source-path: vllm/a.py\n- provenance: vllm at the baseline\n\
         - verdict: {verdict}\n- row: vllm:decode:kernel:1  moe_routing_kernel\n{more}"
    )
}

#[test]
fn an_idea_gets_its_verdict() {
    let stage = Stage::at(Run::layered());
    let open = stage.file("open.md", idea("rejected", ""));
    stage.refused(&["idea", "note", &open], &["ST-5"]);
    let bad = stage.file("bad.md", idea("maybe", ""));
    stage.bad(&["idea", "note", &bad], "bad.md", Some(5), Some("verdict"));
    let unknown = stage.file("unknown.md", idea("open", "- history: pr-0\n- ncu: v9\n"));
    stage.refused(&["idea", "note", &unknown], &["LE-2", "LE-2"]);
    let external = stage.file("external.md", idea("external", "- reason: the driver\n"));
    stage.refused(&["idea", "note", &external], &["ST-5"]);
    let proof = stage.file("proof log.txt", "the driver says so");
    let args = ["idea", "note", &external, "--evidence", &proof];
    stage.granted(&args, "idea-noted", "layer-pipeline");
    assert_eq!(stage.holds(&stage.said()["evidence"]), b"the driver says so");
    let missing = ["idea", "note", &external, "--evidence", "nowhere.log"];
    stage.bad(&missing, "nowhere.log", None, None);
}

fn attempt(result: &str, row: u32) -> String {
    format!(
        "# Attempt\n- name: split\n- result: {result}\n- row: vllm:decode:kernel:{row}\n\
         ## What was tried\nA split.\n"
    )
}

#[test]
fn an_attempt_is_noted_once() {
    let stage = Stage::at(Run::layered());
    let selected = stage.file("a.md", attempt("selected", 9));
    stage.refused(&["attempt", "note", &selected], &["LE-1", "LE-1"]);
    let bad = stage.file("b.md", attempt("failed", 1).replace("A split.", ""));
    stage.bad(&["attempt", "note", &bad], "b.md", Some(5), Some("What was tried"));
    let good = stage.file("c.md", attempt("failed", 1));
    stage.granted(&["attempt", "note", &good], "attempt-noted", "layer-pipeline");
    stage.refused(&["attempt", "note", &good], &["LE-1"]);
    let stage = Stage::at(Run::behind());
    let good = stage.file("c.md", attempt("failed", 1));
    stage.refused(&["attempt", "note", &good], &["LE-1"]);
}

#[test]
fn research_cites_code_that_was_not_read_before() {
    let stage = Stage::at(Run::in_loop());
    let article = stage.file("a.md", "# Research\n- article: a page\n## Findings\nx\n");
    stage.refused(&["research", "note", &article], &["LE-3"]);
    let code = stage.file("b.md", "# Research\n- code: a/b, c.py\n## Findings\nIt sorts.\n");
    stage.granted(&["research", "note", &code], "research-noted", "rlcr-active");
    stage.refused(&["research", "note", &code], &["LE-3"]);
    let bad = stage.file("c.md", "# Research\n- book: x\n## Findings\nx\n");
    stage.bad(&["research", "note", &bad], "c.md", Some(2), Some("book"));
}

#[test]
fn a_draft_may_come_from_standard_input() {
    use std::io::Write as _;
    let stage = Stage::at(Run::in_loop());
    let mut child = crate::world::vsota()
        .args(["-C", stage.path("").as_str(), "research", "note", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let draft = b"# Research\n- pull-request: a/b#7\n## Findings\nx\n";
    child.stdin.take().unwrap().write_all(draft).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stage.said()["sources"][0]["pull_request"], "a/b#7");
}

#[test]
fn a_lost_loop_is_followed_by_another() {
    let stage = Stage::at(Run::behind());
    let mut start = model::loop_start();
    start.checkout.head = Some(stage.model.stand().head);
    let same = start.clone();
    let successor = start.active.as_mut().unwrap();
    successor.dir = model::name("2026-01-03_00-00-00");
    let entry = |old_state, start| LoopReentry { old_state, start };
    let again = stage.json_file("again.json", &entry(LoopEnd::Gone, same));
    stage.refused(&["loop", "reenter", "--facts", &again], &["RL-7"]);
    let running = stage.json_file("a.json", &entry(LoopEnd::Active, start.clone()));
    stage.refused(&["loop", "reenter", "--facts", &running], &["RL-7"]);
    let good = stage.json_file("b.json", &entry(LoopEnd::Gone, start.clone()));
    stage.granted(&["loop", "reenter", "--facts", &good], "loop-reentered", "profiling");
    start.active.as_mut().unwrap().dir = model::name("2026-01-04_00-00-00");
    start.checkout.head = Some(model::head("patched outside"));
    let outside = stage.json_file("c.json", &entry(LoopEnd::Gone, start));
    let ended = stage.refused(&["loop", "reenter", "--facts", &outside], &["FB-11"]);
    assert_eq!(ended.json["refused"][0]["help"], "vsota loop reenter");
    let bad = stage.json_file("d.json", &json!({"old_state": "sleeping"}));
    stage.bad(&["loop", "reenter", "--facts", &bad], "d.json", Some(2), None);
}

#[test]
fn a_round_is_given_up_on_the_accepted_tree() {
    let stage = Stage::at(Run::layered());
    let stand = stage.stand(|_| {});
    let args = ["round", "abandon", "--reason", "nothing left", "--stand", &stand];
    stage.refused(&args, &["LE-2"]);
    let draft = stage.file("idea.md", idea("taken", ""));
    stage.granted(&["idea", "note", &draft], "idea-noted", "layer-pipeline");
    let moved = stage.stand(|it| it.head.tree = model::git("elsewhere"));
    let ended = stage.run(&["round", "abandon", "--reason", "x", "--stand", &moved]);
    assert_eq!(ended.exit, 3);
    stage.stand(|_| {});
    stage.granted(&args, "round-abandoned", "rlcr-active");
    let bad = stage.file("bad.json", "[");
    stage.bad(&["round", "abandon", "--reason", "x", "--stand", &bad], "bad.json", Some(1), None);
}
