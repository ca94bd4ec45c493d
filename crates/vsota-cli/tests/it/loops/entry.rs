//! Into a loop: what is refused before set-up, the two handshakes, adoption, and the way back in.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use vsota_fixtures::builders::humanize::{LoopParts, refined_plan, runtime};
use vsota_fixtures::model::Run;

use super::field::{Field, LOOP, git};
use crate::world::binary;

const PLAN: &str = ".humanize/vllm-sota-agent/refined-plan.md";

/// `loop start` with the handshake of public releases.
pub(super) const START: [&str; 4] = ["loop", "start", "--handshake", "round-contract"];

fn make_strict(field: &Field) {
    for (path, text) in runtime(true) {
        field.script(&format!("humanize/{path}"), &text);
    }
}

#[test]
fn a_public_release_enters_only_by_the_recorded_waiver() {
    let field = Field::planned();
    let ended = field.vsota(&["loop", "start"]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-6"]), "{}", ended.told);
    assert!(ended.told.contains("Unknown option: --strict-success"));
    assert!(!field.ran());

    let ended = field.vsota(&START);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    assert_eq!(ended.json["phase"], "rlcr-active");
    assert!(field.ran());
    let status = field.vsota(&["loop", "status"]);
    assert_eq!(status.json["state"], "active", "{}", status.told);
    assert_eq!(status.json["findings"].as_array().unwrap().len(), 0, "{}", status.told);
    let recorded = &status.json["recorded"];
    assert_eq!(recorded["base_commit"], field.id("main"));
    let plan = fs::read(field.vllm.join(PLAN)).unwrap();
    assert_eq!(recorded["plan_sha256"], vsota_core::Digest::of(&plan).to_string());
    let ended = field.vsota(&["verify", "--without", "checkout"]);
    assert!(ended.json["waivers"].to_string().contains("RL-6"), "{}", ended.told);
    let ended = field.vsota(&["round", "open"]);
    assert_eq!((ended.exit, &ended.json["phase"]), (0, &"gap-decision".into()), "{}", ended.told);
}

#[test]
fn a_strict_runtime_enters_strictly() {
    let field = Field::planned();
    make_strict(&field);
    let ended = field.vsota(&["loop", "start"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let ended = field.vsota(&["verify", "--without", "checkout"]);
    assert!(!ended.json["waivers"].to_string().contains("RL-6"), "{}", ended.told);
}

#[test]
fn only_checking_sets_nothing_up() {
    let field = Field::planned();
    let before = field.events();
    let ended = field.vsota(&[&START[..], &["--check"]].concat());
    assert_eq!((ended.exit, &ended.json["checks"]), (0, &12.into()), "{}", ended.told);
    assert!(!field.ran());
    assert_eq!(field.events(), before);
}

/// What is wrong, and how it is made so.
pub(super) type Wrong = (&'static str, &'static str, fn(&mut Field));

/// Codex' own way to register the Stop hook.
const CODEX: &str =
    r#"{"hooks": {"Stop": [{"hooks": [{"command": "/x/hooks/loop-codex-stop-hook.sh"}]}]}}"#;

/// Each breaks one precondition, and is refused for its clause.
pub(super) const WRONG: &[Wrong] = &[
    ("RT-2", "no runtime", |it| {
        it.env.insert("HUMANIZE_RUNTIME_ROOT", "/nowhere".into());
    }),
    ("RT-2", "half a runtime", |it| {
        fs::remove_file(it.world.root.join("humanize/templates/bitlesson.md")).unwrap();
    }),
    ("RL-5", "an old runtime", |it| {
        it.script("humanize/scripts/setup-rlcr-loop.sh", "#!/bin/sh\nexit 0\n");
    }),
    ("RL-5", "no codex", |it| fs::remove_file(it.world.root.join("bin/codex")).unwrap()),
    ("RL-5", "another project", |it| {
        it.env.insert("CLAUDE_PROJECT_DIR", it.world.root.to_string());
    }),
    ("RL-1", "no repository", |it| fs::remove_dir_all(it.vllm.join(".git")).unwrap()),
    ("RL-1", "no commit", |it| {
        it.git(&["update-ref", "-d", "HEAD"]);
        it.git(&["rm", "-q", "--cached", "-r", "."]);
        fs::write(it.vllm.join(".git/info/exclude"), "*\n").unwrap();
    }),
    ("RL-1", "a shallow clone", |it| {
        fs::write(it.vllm.join(".git/shallow"), it.id("HEAD") + "\n").unwrap();
    }),
    ("RL-4", "a loop behind a finished one", |it| {
        let parts = LoopParts::on(&it.id("HEAD"), "another plan\n");
        it.lay(&it.vllm, "2026-01-01_00-00-00", &parts.named("state.md"));
        it.lay(&it.vllm, "2026-02-01_00-00-00", &parts.named("complete-state.md"));
    }),
    ("RL-4", "a loop in another work tree", |it| {
        it.git(&["worktree", "add", "-q", "-b", "kernel", "../kernel"]);
        let parts = LoopParts::on(&it.id("HEAD"), &refined_plan());
        let files = parts.named("methodology-analysis-state.md");
        it.lay(&it.world.root.join("kernel"), "2026-01-01_00-00-00", &files);
    }),
    ("RL-2", "state that is not ignored", |it| {
        it.put(".gitignore", "# nothing\n");
        it.git(&["update-index", "--assume-unchanged", ".gitignore"]);
    }),
    ("RL-2", "tracked state", |it| {
        it.put(".humanize/bitlesson.md", "x\n");
        it.git(&["add", "-f", ".humanize/bitlesson.md"]);
        it.git(&["commit", "-q", "-m", "tracked"]);
        it.git(&["rm", "-q", "--cached", ".humanize/bitlesson.md"]);
        it.git(&["reset", "-q", "--hard"]);
    }),
    ("PL-1", "no plan", |it| fs::remove_file(it.vllm.join(PLAN)).unwrap()),
    ("PL-1", "a linked plan", |it| {
        let plan = it.vllm.join(PLAN);
        fs::rename(&plan, it.world.root.join("plan.md")).unwrap();
        symlink(it.world.root.join("plan.md"), plan).unwrap();
    }),
    ("PL-1", "another plan", |it| it.put(PLAN, &refined_plan())),
    ("PL-1", "a plan of four lines", |it| it.put(PLAN, "# Plan\n\none\ntwo\n")),
    ("RL-3", "a detached HEAD", |it| {
        it.git(&["switch", "-q", "--detach"]);
    }),
    ("RL-3", "a branch that breaks the state file", |it| {
        it.git(&["switch", "-q", "-c", "fix#1"]);
    }),
    ("RL-3", "two base branches", |it| {
        it.git(&["branch", "master"]);
    }),
    ("RL-1", "a change", |it| it.put("vllm/a.py", "a = 2\n")),
    ("RL-1", "a file that is not tracked", |it| it.put("note.txt", "x\n")),
    ("RL-8", "no Stop hook", |it| {
        fs::remove_file(it.world.root.join("home/.claude/settings.json")).unwrap();
    }),
    ("RL-8", "a plugin that the project switches off", |it| {
        it.put(
            ".claude/settings.local.json",
            r#"{"enabledPlugins": {"humanize@PolyArch": false}}"#,
        );
    }),
    ("RL-8", "no hooks at all", |it| {
        it.put(".claude/settings.json", r#"{"disableAllHooks": true}"#);
    }),
    ("RL-8", "the Stop hook of another agent", |it| {
        fs::remove_file(it.world.root.join("home/.claude/settings.json")).unwrap();
        it.script("home/.codex/hooks.json", CODEX);
        it.env.insert("CLAUDECODE", "1".into());
    }),
    ("RL-8", "the script under another event", |it| {
        fs::remove_file(it.world.root.join("home/.claude/settings.json")).unwrap();
        it.script("home/.codex/hooks.json", &CODEX.replace("Stop", "PostToolUse"));
    }),
    ("RL-1", "a bare repository", |it| {
        it.git(&["config", "core.bare", "true"]);
    }),
    ("RL-1", "a change that git was told not to see", |it| {
        it.git(&["update-index", "--assume-unchanged", "vllm/a.py"]);
        it.put("vllm/a.py", "a = 2\n");
    }),
    ("RL-1", "a file that git was told to skip", |it| {
        it.git(&["update-index", "--skip-worktree", "vllm/a.py"]);
    }),
    ("RL-1", "a source that git was told to leave out", |it| {
        it.put("vllm/new.py", "");
        fs::write(it.vllm.join(".git/info/exclude"), "new.py\n").unwrap();
    }),
    ("RL-1", "a profile directory that git sees", |it| {
        it.put(".gitignore", ".humanize*\n");
        it.git(&["commit", "-q", "-am", "no profile"]);
    }),
    ("RL-1", "the artefacts in the checkout", |it| {
        let run = it.vllm.join("run");
        fs::rename(&it.world.run, &run).unwrap();
        it.world.run = run;
        fs::write(it.vllm.join(".git/info/exclude"), "run/humanize/\n").unwrap();
    }),
    ("FB-13", "another tree than the frozen one", |it| {
        it.put("vllm/a.py", "a = 3\n");
        it.commit("moved");
    }),
];

#[test]
fn each_precondition_is_refused_before_set_up() {
    for (clause, what, break_it) in WRONG {
        let mut field = Field::planned();
        break_it(&mut field);
        let before = field.events();
        let ended = field.vsota(&START);
        assert_eq!(ended.exit, 3, "{what}: {}", ended.told);
        assert!(ended.clauses().contains(clause), "{what}: {:?}\n{}", ended.clauses(), ended.told);
        assert!(!field.ran(), "{what}: set-up was run");
        assert_eq!(field.events(), before, "{what}");
    }
}

#[test]
fn an_obstacle_says_which_check_and_what_git_said() {
    for (break_it, said) in [
        (
            (|it| {
                it.put(".gitignore", ".humanize*\n");
                it.git(&["commit", "-q", "-am", "no profile"]);
            }) as fn(&Field),
            "check 12: git sees ",
        ),
        (|it| fs::write(it.vllm.join(".git/config"), "[core\n").unwrap(), "bad config line"),
        (
            |it| {
                it.git(&["config", "core.bare", "true"]);
            },
            "a bare repository has no work tree",
        ),
        (
            |it| {
                it.git(&["update-index", "--assume-unchanged", "vllm/a.py"]);
            },
            "check 10: the work tree is not clean: 1 changes, the first `assume-unchanged vllm/a.py`",
        ),
    ] {
        let field = Field::planned();
        break_it(&field);
        let ended = field.vsota(&START);
        assert_eq!(ended.exit, 3, "{}", ended.told);
        assert!(ended.told.contains(said), "{said}: {}", ended.told);
    }
}

#[test]
fn the_hook_of_codex_serves_where_no_other_agent_is_told() {
    let field = Field::planned();
    fs::remove_file(field.world.root.join("home/.claude/settings.json")).unwrap();
    assert_eq!(field.vsota(&START).clauses(), ["RL-8"]);
    field.script("home/.codex/hooks.json", CODEX);
    let ended = field.vsota(&[&START[..], &["--check"]].concat());
    assert_eq!(ended.exit, 0, "{}", ended.told);
    fs::remove_file(field.world.root.join("home/.codex/hooks.json")).unwrap();
    let toml = "[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ncommand = \"/x/loop-codex-stop-hook.sh\"\n";
    field.script("home/.codex/config.toml", toml);
    let ended = field.vsota(&[&START[..], &["--check"]].concat());
    assert_eq!(ended.exit, 0, "{}", ended.told);
}

/// Two calls at once set up one loop: the second finds the campaign held.
#[test]
fn two_starts_at_once_set_up_one_loop() {
    let field = Field::planned();
    let script =
        runtime(false)["scripts/setup-rlcr-loop.sh"].replace("set -e\n", "set -e\nsleep 3\n");
    let script = script.replace(
        "sleep 3\n",
        "[ -z \"$STAND_IN_RAN\" ] || echo slow >> \"$STAND_IN_RAN\"\nsleep 3\n",
    );
    field.script("humanize/scripts/setup-rlcr-loop.sh", &script);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| field.vsota(&START));
        while !field.ran() && !first.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let second = field.vsota(&START);
        assert_eq!(second.exit, 6, "{}", second.told);
        let first = first.join().unwrap();
        assert_eq!(first.exit, 0, "{}", first.told);
    });
    let loops = field.vllm.join(".humanize/rlcr").read_dir_utf8().unwrap().count();
    assert_eq!(loops, 1);
}

/// The plan of a live loop stays as it is, and a plan from a file meets the same rules.
#[test]
fn a_plan_is_filed_only_where_it_can_be_used() {
    let field = Field::planned();
    let short = field.world.root.join("short.md");
    fs::write(&short, "# Plan\n\none\ntwo\n").unwrap();
    let before = field.events();
    let ended = field.vsota(&["loop", "plan", "--file", short.as_str()]);
    assert_eq!(ended.exit, 3, "{}", ended.told);
    assert!(ended.told.contains("PL-3") && ended.told.contains("too simple"), "{}", ended.told);

    let dir = field.vllm.join(".humanize/vllm-sota-agent");
    let away = field.world.root.join("away");
    fs::rename(&dir, &away).unwrap();
    symlink(&away, &dir).unwrap();
    let ended = field.vsota(&["loop", "plan"]);
    assert_eq!((ended.exit, field.events()), (4, before), "{}", ended.told);
    fs::remove_file(&dir).unwrap();
    fs::rename(&away, &dir).unwrap();

    assert_eq!(field.vsota(&START).exit, 0);
    let (before, plan) = (field.events(), fs::read(field.vllm.join(PLAN)).unwrap());
    let ended = field.vsota(&["loop", "plan"]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-8"]), "{}", ended.told);
    assert_eq!((field.events(), fs::read(field.vllm.join(PLAN)).unwrap()), (before, plan));

    let field = Field::planned();
    fs::rename(&field.vllm, field.world.root.join("gone")).unwrap();
    let before = field.events();
    let ended = field.vsota_in(&field.world.root, &["loop", "plan"]);
    assert_eq!((ended.exit, field.events()), (4, before), "{}", ended.told);
}

#[test]
fn a_base_branch_that_looks_like_an_option_is_refused() {
    for name in ["--upload-pack=x", "nowhere", "a b"] {
        let field = Field::planned();
        let ended = field.vsota(&[&START[..], &["--base-branch", name]].concat());
        assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-3"]), "{name}: {}", ended.told);
        assert!(!field.ran());
    }
}

#[test]
fn a_checkout_that_is_a_submodule_is_refused() {
    let field = Field::planned();
    let above = field.world.root.join("above");
    fs::create_dir(&above).unwrap();
    git(&above, &["init", "-q", "-b", "main"]);
    let add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q"];
    git(&above, &[&add[..], &[field.vllm.as_str(), "vllm"]].concat());
    // The same place as before, now with its git directory inside the one above.
    fs::remove_dir_all(&field.vllm).unwrap();
    symlink(above.join("vllm"), &field.vllm).unwrap();
    let ended = field.vsota_in(&above, &START);
    assert_eq!(ended.exit, 3, "{}", ended.told);
    assert!(ended.told.contains("submodule of"), "{}", ended.told);
    assert!(!field.ran());
}

#[test]
fn set_up_that_fails_is_told_with_its_own_words() {
    let mut field = Field::planned();
    field.env.insert("STAND_IN_FAIL", "the moon is full".into());
    let ended = field.vsota(&START);
    assert_eq!(ended.exit, 3, "{}", ended.told);
    assert_eq!(ended.clauses(), ["RL-5", "RL-6"]);
    assert!(ended.told.contains("ended with 1: Error: the moon is full"), "{}", ended.told);
}

#[test]
fn a_loop_that_a_crash_left_unrecorded_is_adopted() {
    let field = Field::planned();
    let plan = fs::read_to_string(field.vllm.join(PLAN)).unwrap();
    let parts = LoopParts::on(&field.id("HEAD"), &plan);
    let state = |at: &str| {
        let mut files = parts.named("state.md");
        let text = parts.state(false).replace("2026-01-01T00:00:00Z", at);
        files.insert("state.md".into(), text);
        files
    };
    // It began before the last commit: something was committed since.
    field.lay(&field.vllm, LOOP, &state("2020-01-01T00:00:00Z"));
    assert_eq!(field.vsota(&START).clauses(), ["RL-4"]);
    field.lay(&field.vllm, LOOP, &state("2999-01-01T00:00:00Z"));
    let ended = field.vsota(&START);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    assert!(!field.ran(), "nothing is set up twice");
    let status = field.vsota(&["loop", "status"]);
    assert_eq!(status.json["recorded"]["dir"], LOOP, "{}", status.told);
}

#[test]
fn a_successor_is_entered_after_every_ending_and_keeps_the_round() {
    for (state, in_round) in [
        ("cancel-state.md", Run::in_loop as fn() -> Run),
        ("maxiter-state.md", Run::behind),
        ("stop-state.md", Run::triaged),
        ("unexpected-state.md", Run::layered),
        ("complete-state.md", Run::assisted),
        ("no-state.md", Run::behind),
    ] {
        let field = Field::in_loop(&in_round(), |it| it.named(state));
        let phase = field.vsota(&["status"]).json["phase"].clone();
        let ended = field.vsota(&["loop", "reenter", "--handshake", "round-contract"]);
        assert_eq!(ended.exit, 0, "{state}: {}", ended.told);
        assert_eq!(
            (&ended.json["phase"], &ended.json["event"]["kind"]),
            (&phase, &"loop-reentered".into())
        );
        let status = field.vsota(&["loop", "status"]);
        assert_eq!(status.json["state"], "active", "{state}: {}", status.told);
        assert_eq!(
            status.json["findings"].as_array().unwrap().len(),
            0,
            "{state}: {}",
            status.told
        );
    }
}

#[test]
fn no_successor_while_the_old_loop_is_alive_or_the_checkout_moved() {
    let again = ["loop", "reenter", "--handshake", "round-contract"];
    let field = Field::in_loop(&Run::behind(), |it| it.named("finalize-state.md"));
    assert_eq!(field.vsota(&again).clauses(), ["RL-7"]);
    assert!(!field.ran());
    let field = Field::in_loop(&Run::behind(), |it| it.named("cancel-state.md"));
    field.put("vllm/a.py", "a = 3\n");
    field.commit("patched while no loop was active");
    assert_eq!(field.vsota(&again).clauses(), ["FB-11"]);
    assert!(!field.ran());
}

#[test]
fn what_git_and_humanize_say_is_told_by_a_file_only_in_a_demonstration() {
    let field = Field::in_loop(&Run::in_loop(), |it| it.named("state.md"));
    let stand = field.world.root.join("stand.json");
    fs::write(&stand, serde_json::to_vec(&Run::in_loop().stand()).unwrap()).unwrap();
    for args in [["round", "open", "--stand"], ["loop", "start", "--facts"]] {
        let ended = field.vsota(&[&args[..], &[stand.as_str()]].concat());
        assert_eq!(ended.exit, 2, "{args:?}: {}", ended.told);
        assert!(ended.told.contains("only a demonstration"), "{}", ended.told);
    }
}

#[test]
fn a_hostile_repository_runs_nothing() {
    let field = Field::planned();
    let mark = field.world.root.join("owned");
    let run = field.world.root.join("evil");
    field.script("evil", &format!("#!/bin/sh\ntouch {mark}\ncat\n"));
    field.script("hooks/post-index-change", &format!("#!/bin/sh\ntouch {mark}\n"));
    for (key, value) in [
        ("core.fsmonitor", run.as_str()),
        ("core.hooksPath", field.world.root.join("hooks").as_str()),
        ("filter.evil.clean", run.as_str()),
        ("filter.evil.process", run.as_str()),
        ("filter.evil.required", "true"),
        ("filter.a.b=c.clean", run.as_str()),
        ("diff.external", run.as_str()),
        ("core.pager", run.as_str()),
        ("gpg.program", run.as_str()),
        ("log.showSignature", "true"),
        ("core.sshCommand", run.as_str()),
        ("credential.helper", run.as_str()),
    ] {
        field.git(&["config", key, value]);
    }
    fs::write(field.vllm.join(".git/info/attributes"), "*.py filter=evil diff=evil\n").unwrap();
    // A new time of change makes git look at the content, through the filter.
    fs::write(field.vllm.join("vllm/a.py"), "a = 1\n").unwrap();
    let ended = field.vsota(&[&START[..], &["--check"]].concat());
    assert!(!mark.exists(), "something was run");
    assert_eq!(ended.exit, 0, "{}", ended.told);
    // Nor does the set-up that calls git by itself, whatever the caller's variables say.
    let mut field = field;
    field.env.insert("GIT_DIR", "/nowhere".into());
    field.env.insert("GIT_EXTERNAL_DIFF", run.to_string());
    let ended = field.vsota(&START);
    assert!(!mark.exists(), "something was run by set-up");
    assert_eq!(ended.exit, 0, "{}", ended.told);
    assert!(field.ran());
}

#[test]
fn a_benchmark_is_frozen_on_the_head_of_the_checkout() {
    let field = Field::at(&Run::with_rows());
    let before = field.events();
    let other = "2".repeat(40);
    let ended = field.vsota(&["bench", "freeze", "--tree", &other]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["FB-13"]), "{}", ended.told);
    field.put("vllm/a.py", "a = 2\n");
    let ended = field.vsota(&["bench", "freeze"]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["FB-13"]), "{}", ended.told);
    assert_eq!(field.events(), before);
    field.git(&["checkout", "-q", "--", "vllm/a.py"]);
    let ended = field.vsota(&["bench", "freeze", "--commit", &field.id("HEAD")]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    let frozen = journal.lines().last().unwrap();
    assert!(frozen.contains(&field.id("HEAD^{tree}")), "{frozen}");
}

#[test]
fn a_checkout_of_another_campaign_opens_none() {
    let field = Field::bare();
    let checkout = format!("vllm_checkout={}", field.vllm);
    let ended = field.vsota(&["init", "model=a/b", &checkout]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let second = field.world.root.join("new/second");
    let ended = Command::new(binary())
        .args(["-C", second.as_str(), "init", "model=a/b", &checkout])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(7), "{told}");
    assert!(told.contains(field.world.run.as_str()), "{told}");
    assert!(!second.exists(), "a campaign was opened all the same");
}
