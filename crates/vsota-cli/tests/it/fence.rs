//! A demonstration takes evidence only from its own place, and a cut journal has a witness.

use std::fs;

use vsota_fixtures::model::Run;

use crate::late::Stage;
use crate::world::{json, vsota};

#[test]
fn a_demonstration_takes_no_file_from_elsewhere() {
    let stage = Stage::at(Run::in_loop());
    let draft = "# Research\n- pull-request: a/b#7\n## Findings\nx\n";
    let inside = stage.file("r.md", draft);
    let outside = stage.path("../../outside.md");
    fs::write(&outside, draft).unwrap();
    let link = stage.path("../../evidence/link.md");
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    for from in [&outside, &link] {
        let ended = stage.run(&["research", "note", from.as_str()]);
        assert_eq!(ended.exit, 4, "{}", ended.text);
        let message = ended.json["error"]["message"].as_str().unwrap();
        assert!(message.contains("takes evidence only from"), "{message}");
    }
    stage.granted(&["research", "note", &inside], "research-noted", "rlcr-active");
}

#[test]
fn a_demonstration_is_not_opened_with_inputs_from_elsewhere() {
    let stage = Stage::at(Run::in_loop());
    let config = stage.path("../../config.json");
    fs::write(&config, r#"{"num_hidden_layers": 4}"#).unwrap();
    let fresh = stage.path("../fresh");
    let ended = vsota()
        .args(["--json", "-C", fresh.as_str(), "init", "--demo", "--config", config.as_str()])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(4));
    assert_eq!(json(&ended.stdout)["error"]["kind"], "bad-evidence");
    assert!(!fresh.exists());
}

#[test]
fn a_refusal_of_a_later_entry_shows_that_the_journal_was_cut() {
    let stage = Stage::at(Run::in_loop());
    let wrong = |stage: &Stage| {
        let checks = stage.run(&["verify"]).json["checks"].as_array().unwrap().clone();
        let refusals = checks.into_iter().find(|it| it["check"] == "refusals").unwrap();
        assert_eq!(refusals["clause"], "CK-1");
        (refusals["ok"] == false, refusals["found"].as_str().unwrap().to_owned())
    };
    assert_eq!(stage.run(&["history", "close"]).exit, 3);
    assert!(!wrong(&stage).0);
    let at = stage.path("humanize/refusals.jsonl");
    let mut noted = json(&fs::read(&at).unwrap());
    noted["seq"] = 100_000.into();
    fs::write(&at, format!("{noted}\n")).unwrap();
    let (is_wrong, found) = wrong(&stage);
    assert!(is_wrong && found.contains("the journal was cut"), "{found}");
    assert_eq!(stage.run(&["verify"]).exit, 5);
    fs::write(&at, "not a refusal\n").unwrap();
    assert!(wrong(&stage).0);
}

#[test]
fn a_link_to_a_name_that_is_no_text_is_elsewhere_all_the_same() {
    use std::os::unix::ffi::OsStrExt as _;
    let stage = Stage::at(Run::in_loop());
    let draft = "# Research\n- pull-request: a/b#7\n## Findings\nx\n";
    let inside = stage.file("r.md", draft);
    let named = std::ffi::OsStr::from_bytes(b"outside-\xff.md");
    let outside = stage.path("../..").into_std_path_buf().join(named);
    fs::write(&outside, draft).unwrap();
    let link = stage.path("../../evidence/link.md");
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    let ended = stage.run(&["research", "note", link.as_str()]);
    assert_eq!(ended.exit, 4, "{}", ended.text);
    let message = ended.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("takes evidence only from"), "{message}");
    stage.granted(&["research", "note", &inside], "research-noted", "rlcr-active");
}
