//! Names and texts that would forge a row, drive a terminal or leave the run directory.

use std::fs;

use vsota_core::facts::{Framework, Stage as Part};
use vsota_fixtures::model::Run;

use super::Stage;

#[test]
fn control_characters_in_drafts_are_refused_with_their_line() {
    let stage = Stage::at(Run::layered());
    for c in ['\u{1b}', '\u{7}', '\u{202e}', '\u{200b}', '\u{9b}', '\0'] {
        let draft = format!("# Attempt\n- name: a\n- result: failed\n## What was tried\nx{c}y\n");
        let draft = stage.file("a.md", draft);
        stage.bad(&["attempt", "note", &draft], "a.md", Some(5), None);
    }
}

#[test]
fn names_that_are_no_names_are_refused() {
    let stage = Stage::at(Run::layered());
    for name in ["../../x", "a|b", "a b", "-rf", "a/b", "é", &"x".repeat(200)] {
        let draft = format!("# Attempt\n- name: {name}\n- result: failed\n## What was tried\nx\n");
        let draft = stage.file("a.md", draft);
        stage.bad(&["attempt", "note", &draft], "a.md", Some(2), Some("name"));
    }
}

#[test]
fn a_file_that_is_no_text_or_far_too_large_is_refused() {
    let stage = Stage::at(Run::layered());
    let draft = stage.file("a.md", b"# Attempt\n\xff\xfe");
    stage.bad(&["attempt", "note", &draft], "a.md", None, None);
    let draft = stage.file("b.md", vec![b'x'; 5 << 20]);
    stage.bad(&["attempt", "note", &draft], "b.md", None, None);
    let draft = stage.file("c.md", "");
    stage.bad(&["attempt", "note", &draft], "c.md", Some(1), None);
    let dir = stage.path("humanize");
    stage.bad(&["attempt", "note", dir.as_str()], "humanize", None, None);
}

#[test]
fn a_trace_that_is_named_elsewhere_is_looked_for_beside_the_profile() {
    let stage = Stage::at(Run::behind());
    let (file, capture) = super::profile::written(&stage, Framework::Vllm, Part::Decode, |_| {});
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("rank0.json.gz", "../../../etc/rank0.json.gz")).unwrap();
    stage.granted(&["profile", "file", &file, "--capture", &capture], "profile-filed", "profiling");
    fs::write(&file, text.replace("rank0.json.gz", "/etc/passwd")).unwrap();
    let args = ["profile", "file", &file, "--capture", &capture];
    stage.bad(&args, "profile.json", None, Some("traces[0]"));
}

#[test]
fn the_names_of_kernels_cannot_drive_a_terminal() {
    let stage = Stage::at(Run::behind());
    let (file, capture) = super::profile::written(&stage, Framework::Vllm, Part::Decode, |_| {});
    stage.granted(&["profile", "file", &file, "--capture", &capture], "profile-filed", "profiling");
    let said = stage.said();
    let names: Vec<_> =
        said["rows"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.iter().all(|it| !it.contains(|c: char| c.is_control())), "{names:?}");
    for args in [&["log"][..], &["profile", "root-cause", "--template"]] {
        let ended = stage.run(args);
        assert!(!ended.text.replace('\n', "").contains(|c: char| c.is_control()), "{args:?}");
    }
}

#[test]
fn a_secret_in_a_draft_is_not_kept() {
    let stage = Stage::at(Run::layered());
    // Built at run time: the repository holds no secret, not even a made-up one.
    let canary: String = (0..24_u8).map(|it| char::from(b'a' + (it * 7) % 26)).collect();
    let draft = format!("# Attempt\n- name: a\n- result: failed\n## What was tried\n{canary}\n");
    let draft = stage.file("a.md", draft);
    let before = stage.events();
    let ended = crate::world::vsota()
        .env("SOME_TOKEN", &canary)
        .args(["-C", stage.path("").as_str(), "attempt", "note", &draft])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(8));
    assert!(!String::from_utf8_lossy(&ended.stderr).contains(&canary));
    assert_eq!(stage.events(), before);
    let ended = crate::world::vsota()
        .env("SOME_TOKEN", &canary)
        .args(["-C", stage.path("").as_str(), "attempt", "note", &draft, "--redact"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{told}");
    assert!(told.contains("redacted: 1 environment"), "{told}");
    assert_eq!(stage.events(), before + 1);
    let journal = std::fs::read_to_string(stage.path("humanize/lineage.jsonl")).unwrap();
    assert!(journal.contains("[REDACTED:environment]") && !journal.contains(&canary));
}
