//! What `verify` lists and does not hold against anybody, and what the first call acknowledges.

use std::fs;

use serde_json::{Value, json};
use vsota_core::command::NoteRig;
use vsota_core::facts::RigChange;
use vsota_fixtures::model::{Run, line};

use crate::late::Stage;
use crate::world::{World, json as parsed, vsota};

#[test]
fn a_changed_rig_is_listed_as_a_waiver() {
    let mut model = Run::in_loop();
    model
        .open_round()
        .ask(NoteRig(RigChange { changed: line("the GPU clock is locked"), at: None }));
    let waivers = Stage::at(model).run(&["verify"]).json["waivers"].clone();
    let reason = "the rig was changed in round 1: the GPU clock is locked";
    assert_eq!(waivers, json!([{"clause": "GD-7", "reason": reason}]));
    assert_eq!(Stage::at(Run::in_loop()).run(&["verify"]).json["waivers"], json!([]));
}

#[test]
fn a_head_that_somebody_kept_is_looked_for() {
    let stage = Stage::at(Run::in_loop());
    let expected = |hash: &str| {
        let proof = stage.run(&["verify", "--expect-head", hash]).json;
        let checks = proof["checks"].as_array().unwrap().clone();
        let found = checks.into_iter().find(|it| it["found"].as_str().unwrap().contains(hash));
        found.unwrap()["ok"].clone()
    };
    // That of any entry, not only of the last one.
    let links = vsota_cli::journal::chain::linked(&stage.world.bytes()).unwrap();
    assert_eq!(expected(&links.head().unwrap().hash.to_string()), true);
    let second: Value = {
        let text = String::from_utf8(stage.world.bytes()).unwrap();
        serde_json::from_str(text.lines().nth(1).unwrap()).unwrap()
    };
    assert_eq!(expected(second["prev"].as_str().unwrap()), true);
    assert_eq!(expected(&"ab".repeat(32)), false);
}

#[test]
fn files_that_no_event_names_are_listed_and_break_nothing() {
    let stage = Stage::at(Run::in_loop());
    let extra = |stage: &Stage| {
        let proof = stage.run(&["verify"]).json;
        let checks = proof["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|it| it["check"] == "extra")
    };
    assert_eq!(extra(&stage), None);
    fs::create_dir_all(stage.path("patches")).unwrap();
    for n in 1..=6 {
        fs::write(stage.path(&format!("patches/stray-{n}.patch")), "x").unwrap();
    }
    let found = extra(&stage).unwrap();
    assert_eq!((&found["ok"], &found["clause"]), (&json!(true), &json!("IN-3")));
    let told = found["found"].as_str().unwrap();
    assert!(told.starts_with("6 files that no event names: patches/stray-1.patch"), "{told}");
    assert!(told.ends_with(", …") && !told.contains("stray-6"), "{told}");
}

#[test]
fn opening_acknowledges_the_head_that_it_reached() {
    let world = World::empty();
    let fresh = world.root.join("fresh");
    let open = |pairs: &[&str]| {
        let all = [&["--json", "-C", fresh.as_str(), "init"], pairs].concat();
        let ended = vsota().args(all).output().unwrap();
        (ended.status.code(), parsed(&ended.stdout))
    };
    let last = || -> Value {
        let text = fs::read_to_string(fresh.join("humanize/lineage.jsonl")).unwrap();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    };
    let (exit, opened) = open(&["model=demo/tiny-moe"]);
    assert_eq!(exit, Some(0), "{opened}");
    assert_eq!(opened["head"]["seq"], last()["seq"]);
    let log = vsota().args(["--json", "-C", fresh.as_str(), "log"]).output().unwrap();
    assert_eq!(parsed(&log.stdout)["head"], opened["head"]);
}

#[test]
fn a_success_rate_of_zero_is_no_limit() {
    let stage = Stage::at(Run::open());
    let ended = stage.run(&["inputs", "set", "sla.min_success_rate=0"]);
    assert_eq!((ended.exit, &ended.json["error"]["kind"]), (2, &json!("usage")));
    let file = json!({
        "schema": "vsota-workload/1", "kind": "random", "sla": {"min_success_rate": 0.0},
        "scenarios": [{"name": "short", "input_len": 32, "output_len": 8, "num_prompts": 4}],
    });
    let pair = format!("workload={}", stage.json_file("workload.json", &file));
    stage.bad(&["inputs", "set", &pair], "workload.json", None, Some("sla.min_success_rate"));
    let ended = stage.run(&["inputs", "set", "sla.min_success_rate=0.5"]);
    assert_eq!(ended.exit, 0, "{}", ended.text);
}
