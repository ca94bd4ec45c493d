//! The binary itself: exit codes, JSON, hostile arguments, a stdout that fails.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::process::{Output, Stdio};

use crate::world::{World, json, step, vsota};

fn run(args: &[&str]) -> Output {
    vsota().args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_lists_only_what_exists() {
    let ended = run(&["--help"]);
    assert_eq!(ended.status.code(), Some(0));
    let help = text(&ended.stdout);
    assert!(help.contains("machine") && help.contains("log"), "{help}");
    assert!(help.contains("mock-server") && !help.contains("selftest"), "{help}");
    assert_eq!(run(&["--version"]).status.code(), Some(0));
    assert!(json(&run(&["--help", "--json"]).stdout)["help"].is_string());
}

#[test]
fn a_usage_error_names_what_is_near() {
    assert_eq!(run(&[]).status.code(), Some(2));
    let ended = run(&["machin"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stdout.is_empty());
    assert!(text(&ended.stderr).contains("'machine'"), "{}", text(&ended.stderr));
    for args in [
        &["--json", "machin"][..],
        &["machine", "--format", "svg", "--json"],
        &["log", "--json", "-C", ""],
    ] {
        let ended = run(args);
        assert_eq!(ended.status.code(), Some(2), "{args:?}");
        assert_eq!(json(&ended.stdout)["error"]["kind"], "usage", "{args:?}");
    }
}

#[test]
fn hostile_arguments_are_answered_in_plain_text() {
    let ended =
        vsota().args(["--json", "log", "-C"]).arg(OsStr::from_bytes(b"\xff\xfe")).output().unwrap();
    assert_eq!(ended.status.code(), Some(4));
    assert_eq!(json(&ended.stdout)["error"]["field"], "argument 4");
    for hostile in ["\u{1b}]52;c;x\u{7}", "a\nb", "\u{202e}x", "\u{9b}2J"] {
        for args in [
            &["log", "-C", hostile][..],
            &[hostile],
            &["machine", "--format", hostile],
            &["log", "--json", "-C", hostile],
        ] {
            let ended = run(args);
            assert!(matches!(ended.status.code(), Some(2 | 4)), "{args:?}");
            for shown in [text(&ended.stdout), text(&ended.stderr)] {
                let plain = |c: char| c == '\n' || !vsota_core::text::is_unsafe(c);
                assert!(shown.chars().all(plain), "{args:?}: {shown:?}");
            }
        }
    }
}

#[test]
fn a_secret_in_an_argument_is_not_repeated() {
    let value: String = (0..16_u8).map(|it| char::from(b'a' + (it * 5) % 26)).collect();
    let world = World::with(1);
    let mut command = vsota();
    command.env("HF_TOKEN", &value).args(["--json", "log", "-C"]);
    let ended = command.arg(format!("{}/{value}", world.run)).output().unwrap();
    assert_eq!(ended.status.code(), Some(8));
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    assert!(!out.contains(&value) && !err.contains(&value));
    let error = &json(&ended.stdout)["error"];
    assert_eq!(error["kind"], "secret");
    assert_eq!(error["field"], "argument 4");
}

#[test]
fn no_campaign_is_7_and_a_file_is_4() {
    let world = World::empty();
    assert_eq!(world.vsota(&["log"]).status.code(), Some(7));
    let ended = vsota().args(["log", "--json"]).current_dir(&world.root).output().unwrap();
    assert_eq!(ended.status.code(), Some(7));
    assert_eq!(json(&ended.stdout)["error"]["kind"], "no-campaign");
    let file = world.root.join("file");
    fs::write(&file, "").unwrap();
    symlink(&world.run, world.root.join("link")).unwrap();
    for path in [&file, &world.root.join("link")] {
        assert_eq!(vsota().args(["log", "-C"]).arg(path).output().unwrap().status.code(), Some(4));
    }
}

#[test]
fn the_machine_has_ten_phases_and_every_edge() {
    let machine = json(&run(&["machine", "--json"]).stdout);
    assert_eq!(machine["phases"].as_array().unwrap().len(), 10);
    let transitions = machine["transitions"].as_array().unwrap();
    assert_eq!(transitions.len(), vsota_core::TRANSITIONS.len() + 1);
    assert!(transitions[0]["from"].is_null());
    assert_eq!(json(&run(&["machine", "--format", "json"]).stdout), machine);
    assert!(
        text(&run(&["machine", "--format", "mermaid"]).stdout).starts_with("stateDiagram-v2\n")
    );
    assert!(text(&run(&["machine", "--format", "dot"]).stdout).starts_with("digraph"));
    let table = text(&run(&["machine"]).stdout);
    // A head, its rule, and a row for every edge.
    assert_eq!(table.lines().count(), transitions.len() + 2);
}

#[test]
fn the_log_is_readable() {
    let world = World::with(3);
    let ended = world.vsota(&["log"]);
    assert_eq!(ended.status.code(), Some(0));
    let shown = text(&ended.stdout);
    assert_eq!(shown.lines().count(), 3);
    assert!(shown.lines().nth(2).unwrap().contains("companion-noted"), "{shown}");
    let log = json(&world.vsota(&["log", "--json"]).stdout);
    assert_eq!(log["head"]["seq"], 3);
    assert_eq!(
        log["entries"][2]["event"]["companion-noted"]["noted"]["blocked"]["reason"],
        "not installed"
    );
}

#[test]
fn a_refusal_leaves_the_journal_and_is_noted_beside_it() {
    let world = World::with(2);
    let before = world.bytes();
    let again = crate::world::open(&world.run).unwrap_err();
    assert_eq!(again.exit().code(), 3);
    assert_eq!(world.bytes(), before);
    let noted = json(&world.vsota(&["log", "--refusals", "--json"]).stdout);
    let noted = noted["refusals"].as_array().unwrap();
    assert_eq!(noted.len(), 1);
    assert_eq!(noted[0]["command"], "open-campaign");
    assert_eq!(noted[0]["reasons"][0]["clause"], "IN-3");
    assert!(text(&world.vsota(&["log", "--refusals"]).stdout).contains("open-campaign in inputs"));

    // Where it cannot be noted, it is refused all the same.
    fs::remove_file(world.run.join("humanize/refusals.jsonl")).unwrap();
    fs::create_dir(world.run.join("humanize/refusals.jsonl")).unwrap();
    assert_eq!(crate::world::open(&world.run).unwrap_err().exit().code(), 3);
}

#[test]
fn refusals_are_bounded() {
    let world = World::with(1);
    let file = world.run.join("humanize/refusals.jsonl");
    let line = format!("{{\"x\":\"{}\"}}\n", "y".repeat(1_040));
    fs::write(&file, line.repeat(1_005)).unwrap();
    crate::world::open(&world.run).unwrap_err();
    let kept = fs::read_to_string(&file).unwrap();
    assert!(kept.len() <= 1 << 20 && kept.lines().count() <= 1_000);
    assert!(kept.lines().last().unwrap().contains("open-campaign"));
}

#[test]
fn a_document_that_fails_does_not_hide_the_event() {
    let world = World::with(2);
    // The place of the temporary file is taken: the checkpoint cannot be written.
    let taken = world.run.join("humanize/.model-loop-checkpoint.md.vsota-new");
    fs::create_dir(&taken).unwrap();
    let failure = step(&world.run).unwrap_err();
    assert_eq!(failure.exit().code(), 1);
    let head = failure.recorded.expect("the event is recorded");
    assert_eq!(world.read().unwrap().head, head);
    assert_eq!(head.seq, 3);

    fs::remove_dir(taken).unwrap();
    assert_eq!(step(&world.run).unwrap().head.seq, 4);
}

#[test]
fn a_full_or_closed_stdout_is_told() {
    let world = World::with(2);
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    for args in [&["log"][..], &["log", "--json"]] {
        let ended = vsota().arg("-C").arg(&world.run).args(args).stdout(full()).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{args:?}");
        assert!(
            text(&ended.stderr).contains("could not write the answer"),
            "{}",
            text(&ended.stderr)
        );
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = vsota().arg("-C").arg(&world.run).arg("log").stdout(writer).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "a reader that went away has seen enough");
}
