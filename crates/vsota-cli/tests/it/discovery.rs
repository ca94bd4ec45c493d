//! The campaign is found as the interface says, and an ambiguity is told.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use vsota_cli::failure::Failure;
use vsota_cli::find::{around, git_common_dir};

use crate::world::{World, json, open, vsota};

fn campaign(at: &Utf8Path) -> Utf8PathBuf {
    fs::create_dir_all(at).unwrap();
    open(at).unwrap();
    at.to_owned()
}

fn told(failure: &Failure) -> String {
    assert_eq!(failure.exit().code(), 7);
    format!("{failure:?}")
}

fn stop(run: &Utf8Path) {
    let journal = run.join("humanize/lineage.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let last = "{\"seq\":2,\"at\":0,\"prev\":\"\",\"event\":{\"campaign-stopped\":{}}}";
    fs::write(journal, format!("{text}{last}\n")).unwrap();
}

#[test]
fn it_is_looked_for_upwards() {
    let world = World::empty();
    let run = campaign(&world.root.join("a/b"));
    let deep = run.join("benchmark/raw/x");
    fs::create_dir_all(&deep).unwrap();
    assert_eq!(around(&deep).unwrap(), Some(run.clone()));
    assert_eq!(around(&run).unwrap(), Some(run));
    assert_eq!(around(&world.root).unwrap(), None);
}

#[test]
fn a_git_repository_and_its_worktrees_name_one() {
    let world = World::empty();
    let run = campaign(&world.root.join("elsewhere/run"));
    let checkout = world.root.join("vllm");
    let git = checkout.join(".git");
    fs::create_dir_all(git.join("worktrees/w")).unwrap();
    fs::create_dir_all(checkout.join("csrc")).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    assert_eq!(around(&checkout).unwrap(), None);
    fs::write(git.join("vsota-campaign"), format!("{run}\n")).unwrap();
    assert_eq!(around(&checkout.join("csrc")).unwrap(), Some(run.clone()));

    let worktree = world.root.join("w");
    fs::create_dir_all(worktree.join("vllm")).unwrap();
    fs::write(worktree.join(".git"), format!("gitdir: {git}/worktrees/w\n")).unwrap();
    fs::write(git.join("worktrees/w/commondir"), "../..\n").unwrap();
    assert_eq!(around(&worktree.join("vllm")).unwrap(), Some(run.clone()));
    let common = git_common_dir(&worktree).unwrap();
    assert_eq!(fs::canonicalize(common).unwrap(), fs::canonicalize(&git).unwrap());

    fs::write(worktree.join(".git"), "gitdir: ../vllm/.git/worktrees/w\n").unwrap();
    assert_eq!(around(&worktree).unwrap(), Some(run));
}

#[test]
fn a_dangling_pointer_is_told_with_both_ends() {
    let world = World::empty();
    let git = world.root.join(".git");
    fs::create_dir(&git).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(git.join("vsota-campaign"), "/nowhere/run\n").unwrap();
    let text = told(&around(&world.root).unwrap_err());
    assert!(text.contains("/nowhere/run") && text.contains("vsota-campaign"), "{text}");
    for unreadable in ["", "relative/path\n", "\u{0}"] {
        fs::write(git.join("vsota-campaign"), unreadable).unwrap();
        told(&around(&world.root).unwrap_err());
    }
}

#[test]
fn the_only_unfinished_run_is_taken() {
    let world = World::empty();
    let one = campaign(&world.root.join("runs/one"));
    assert_eq!(around(&world.root).unwrap(), Some(one.clone()));
    let two = campaign(&world.root.join("runs/two"));
    let text = told(&around(&world.root).unwrap_err());
    assert!(text.contains(one.as_str()) && text.contains(two.as_str()), "{text}");
    stop(&one);
    assert_eq!(around(&world.root).unwrap(), Some(two.clone()));
    stop(&two);
    assert_eq!(around(&world.root).unwrap(), None);
}

#[test]
fn the_flag_wins_over_the_variable_and_both_over_the_place() {
    let world = World::empty();
    let [flag, variable, here] =
        ["flag", "variable", "here"].map(|it| campaign(&world.root.join(it)));
    let head = |flag: Option<&Utf8Path>, variable: Option<&Utf8Path>, cwd: &Utf8Path| {
        let mut command = vsota();
        command.args(["log", "--json"]).current_dir(cwd);
        if let Some(variable) = variable {
            command.env("VSOTA_RUN_DIR", variable);
        }
        if let Some(flag) = flag {
            command.arg("-C").arg(flag);
        }
        let ended = command.output().unwrap();
        (ended.status.code(), json(&ended.stdout)["head"]["hash"].to_string())
    };
    // The clock tells the three apart.
    for (run, seconds) in [(&flag, 1), (&variable, 2), (&here, 3)] {
        let journal = run.join("humanize/lineage.jsonl");
        let text = fs::read_to_string(&journal).unwrap();
        let at = text.find("\"at\":").unwrap();
        let rest = text[at..].find(',').unwrap() + at;
        fs::write(&journal, format!("{}\"at\":{seconds}{}", &text[..at], &text[rest..])).unwrap();
        fs::remove_file(run.join("humanize/model-loop-checkpoint.md")).unwrap();
    }
    let [f, v, h] = [&flag, &variable, &here].map(|it| head(Some(it), None, &world.root).1);
    assert!(f != v && v != h && f != h);
    assert_eq!(head(Some(&flag), Some(&variable), &here).1, f);
    assert_eq!(head(None, Some(&variable), &here).1, v);
    assert_eq!(head(None, None, &here).1, h);
    assert_eq!(head(None, None, &world.root).0, Some(7));
    assert_eq!(head(Some(&world.run), Some(&variable), &here).0, Some(7), "the flag is meant");
}
