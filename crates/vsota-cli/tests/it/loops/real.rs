//! The same against the real Humanize, where it is at hand: `VSOTA_HUMANIZE` names its roots, with `:`
//! between them. What each run said is printed as a table.

use std::fs;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::entry::{START, WRONG};
use super::field::Field;

fn roots() -> Vec<Utf8PathBuf> {
    let told = std::env::var("VSOTA_HUMANIZE").unwrap_or_default();
    let roots: Vec<_> =
        told.split(':').filter(|it| !it.is_empty()).map(Utf8PathBuf::from).collect();
    if roots.is_empty() {
        println!("skipped: VSOTA_HUMANIZE names no root of Humanize");
    }
    roots
}

/// The field with a real runtime; a copy, since some cases break it.
fn field(root: &Utf8Path) -> Field {
    let field = Field::planned();
    let copy = field.world.root.join("humanize");
    fs::remove_dir_all(&copy).unwrap();
    let copied = Command::new("cp").args(["-a", root.as_str(), copy.as_str()]).status().unwrap();
    assert!(copied.success());
    // The stand-in answers nothing; the real script needs the real one.
    for tool in ["jq", "python3", "perl"] {
        fs::remove_file(field.world.root.join("bin").join(tool)).unwrap();
    }
    field
}

/// What the script itself says, run as the contract has it: its exit code and first line.
fn script(field: &Field, flags: &[&str]) -> (i32, String) {
    let root = field.env["HUMANIZE_RUNTIME_ROOT"].clone();
    let path = format!("{}:/usr/bin:/bin", field.world.root.join("bin"));
    let mut command = Command::new(format!("{root}/scripts/setup-rlcr-loop.sh"));
    command.env_clear().env("PATH", path).env("HOME", field.world.root.join("home"));
    let plan = ".humanize/vllm-sota-agent/refined-plan.md";
    let ended = command.envs(&field.env).current_dir(&field.vllm).arg(plan).args(flags).output();
    match ended {
        Ok(ended) => {
            let text = String::from_utf8_lossy(&ended.stderr).into_owned();
            let line = text.lines().find(|it| it.starts_with("Error") || it.starts_with("Unknown"));
            let first = line.or_else(|| text.lines().next()).unwrap_or_default();
            (ended.status.code().unwrap_or(-1), first.replace(field.world.root.as_str(), "…"))
        }
        Err(error) => (127, error.to_string()),
    }
}

fn loops(field: &Field) -> usize {
    fs::read_dir(field.vllm.join(".humanize/rlcr")).map_or(0, Iterator::count)
}

#[test]
fn the_real_set_up_is_never_reached_where_it_would_fail() {
    for root in roots() {
        println!("\n| {root}: broken | vsota | the script itself |\n|---|---|---|");
        for (clause, what, break_it) in WRONG {
            let mut field = field(&root);
            break_it(&mut field);
            let before = loops(&field);
            let ended = field.vsota(&START);
            assert_eq!(ended.exit, 3, "{what}: {}", ended.told);
            assert!(ended.clauses().contains(clause), "{what}: {}", ended.told);
            assert_eq!(loops(&field), before, "{what}");
            let (exit, said) = script(&field, &["--yolo", "--base-branch", "main"]);
            println!("| {what} | exit 3, {} | exit {exit}, {said} |", ended.clauses().join(" "));
        }
    }
}

#[test]
fn the_real_set_up_is_entered_by_the_handshake_that_it_can_give() {
    for root in roots() {
        let text = fs::read_to_string(root.join("scripts/setup-rlcr-loop.sh")).unwrap();
        let strict = text.contains("--strict-success)");
        let real = field(&root);
        let ended = real.vsota(&["loop", "start"]);
        println!("| {root} | strict | exit {}, {} |", ended.exit, ended.clauses().join(" "));
        assert_eq!(ended.exit, if strict { 0 } else { 3 }, "{}", ended.told);
        if strict {
            continue;
        }
        assert_eq!((ended.clauses(), loops(&real)), (vec!["RL-6"], 0), "{}", ended.told);
        let ended = real.vsota(&START);
        println!("| {root} | round-contract | exit {}, {} |", ended.exit, ended.json["phase"]);
        assert_eq!(ended.exit, 0, "{}", ended.told);
        let status = real.vsota(&["loop", "status"]);
        assert_eq!(status.json["state"], "active", "{}", status.told);
        assert_eq!(status.json["loops"][0]["owed"], "contract");
        assert_eq!(status.json["findings"].as_array().unwrap().len(), 0, "{}", status.told);
        let ended = real.vsota(&["round", "open"]);
        assert_eq!(ended.exit, 0, "{}", ended.told);
    }
}
