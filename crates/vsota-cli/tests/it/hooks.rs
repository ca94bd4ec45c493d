//! The hooks of agents: what is denied while its gate is shut, and nothing else.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use vsota_fixtures::model::{Run, long_campaign};

use crate::late::Stage;
use crate::world::{World, json as value, vsota};

/// The checkout of the fixtures' campaigns.
const CHECKOUT: &str = "/src/vllm";

/// Asks a hook, with the campaign named by the environment.
fn ask(hook: &str, run: Option<&Utf8Path>, payload: impl AsRef<[u8]>) -> Value {
    let mut command = vsota();
    if let Some(run) = run {
        command.env("VSOTA_RUN_DIR", run);
    }
    told(command.args(["hook", hook, "--runtime", "claude"]), payload)
}

fn told(command: &mut Command, payload: impl AsRef<[u8]>) -> Value {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    child.stdin.take().unwrap().write_all(payload.as_ref()).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    value(&ended.stdout)
}

/// The reason of a denial.
fn denied(answer: &Value) -> Option<&str> {
    let inside = &answer["hookSpecificOutput"];
    if inside["permissionDecision"] != "deny" {
        assert_eq!(*answer, json!({}), "only a denial or no decision is known to both agents");
        return None;
    }
    assert_eq!(inside["hookEventName"], "PreToolUse");
    assert_eq!(inside.as_object().unwrap().len(), 3);
    inside["permissionDecisionReason"].as_str()
}

fn claude(tool: &str, input: &Value) -> String {
    json!({"session_id": "s", "transcript_path": "/t", "cwd": CHECKOUT, "permission_mode": "default",
           "hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": input, "tool_use_id": "u"})
    .to_string()
}

fn codex(tool: &str, input: &Value) -> String {
    json!({"cwd": CHECKOUT, "hook_event_name": "PreToolUse", "model": "m", "permission_mode": "default",
           "session_id": "s", "tool_name": tool, "tool_input": input, "tool_use_id": "c",
           "transcript_path": null, "turn_id": "t"})
    .to_string()
}

/// Calls that patch, in both dialects.
fn patches() -> Vec<String> {
    let file = "/src/vllm/vllm/attention/x.py";
    let patch = "*** Begin Patch\n*** Update File: vllm/attention/x.py\n@@\n-a\n+b\n*** End Patch";
    let mut calls = vec![
        claude("Edit", &json!({"file_path": file, "old_string": "a", "new_string": "b"})),
        claude("Write", &json!({"file_path": "/src/vllm/csrc/x.cu", "content": ""})),
        codex("apply_patch", &json!({"command": patch})),
        codex("shell", &json!({"command": ["bash", "-lc", "sed -i s/a/b/ vllm/x.py"]})),
    ];
    for command in [
        "sed -i s/a/b/ vllm/x.py",
        "cat > vllm/x.py <<'EOF'\na\nEOF",
        "echo a | tee vllm/x.py",
        "python -c \"open('vllm/x.py', 'w').write('a')\"",
        "cp /tmp/x.py vllm/x.py",
        "patch -p1 < /tmp/fix.diff",
        "git add vllm/x.py && git commit -m \"fuse qk norm\"",
        "git commit -am x",
        "git -C /src/vllm commit -m x",
        "cd /src/vllm && git cherry-pick abc",
        "git am < /tmp/x.mbox",
        "sh -c 'git commit'",
        "env A=1 git commit",
        "git stash pop",
        "find . -name '*.py' -exec sed -i s/a/b/ {} +",
        "tar xzf /tmp/new.tgz",
        "cp -r /tmp/new/. .",
        "env -C /src/vllm git commit -am x",
        "git rm vllm/x.py",
        "git mv vllm/x.py vllm/y.py",
        "git read-tree -u HEAD~1",
        "git -c alias.ci=commit ci -am x",
        "uv run git commit -am x",
        "curl -o vllm/x.py https://example.org/x.py",
        "cd vllm && wget https://example.org/x.py",
        "ruff check --fix vllm",
        "ruff format",
        "black vllm/x.py",
        "clang-format -i csrc/x.cu",
        "sort -o vllm/x.txt vllm/x.txt",
        "curl -fsSLo vllm/x.py https://example.org/x.py",
        "wget -Ovllm/x.py https://example.org/x.py",
        "ruff check --fix -n vllm",
        "xargs sed -i s/a/b/ < files",
        "cd /tmp && GIT_DIR=/src/vllm/.git git commit -m x",
    ] {
        calls.push(claude("Bash", &json!({"command": command, "timeout": 1000})));
        calls.push(codex("Bash", &json!({ "command": command })));
    }
    calls
}

/// Calls that nobody minds at any time.
fn harmless() -> Vec<String> {
    [
        "pytest tests/kernels -q 2>&1 | tail -5",
        "python -m pytest vllm/tests -x",
        "grep -rn 'git commit' vllm/ csrc/",
        "rg fused vllm/",
        "cat vllm/attention/x.py",
        "sed -n 1,80p vllm/x.py",
        "git status --short",
        "git diff HEAD -- vllm/ > /tmp/x.diff",
        "git log --oneline -5",
        "git show HEAD:vllm/x.py | head",
        "git -C /src/other commit -am x",
        "cd /src/other && git commit -m x",
        "cd /src/other && git merge main",
        "pip install -e . --no-build-isolation",
        "cmake --build build -j 8",
        "ninja -C build",
        "python setup.py build_ext --inplace",
        "cp vllm/x.py /tmp/x.py",
        "echo a > tests/kernels/test_x.py",
        "python -c \"import vllm; print(vllm.__file__)\"",
        "vllm serve org/model --port 8000 > /tmp/log 2>&1 &",
        "nvidia-smi",
        "nsys profile -o /tmp/x python bench.py",
        "vsota next && vsota why patch record",
        "ls csrc vllm",
        "find vllm -name '*.py' | wc -l",
        "wc -l vllm/x.py",
        "git stash list",
        "ruff check vllm",
        "black --check vllm",
        "isort -c vllm",
        "clang-format --dry-run csrc/x.cu",
        "curl -sO https://example.org/x.json",
        "git rm --cached docs/x.md",
        "uv run pytest tests -q",
        "xargs -n1 pytest < tests.txt",
        "git apply --check /tmp/x.diff",
        "rm -rf build",
        "rm -rf vllm/__pycache__",
        "rm -f vllm/_C.abi3.so",
        "find . -name '*.pyc' -delete",
        "cp -r /tmp/results tests/data",
        "cp -r /tmp/captures .",
        "cp -a out /src/",
        "find . -name '*.log' -delete",
        "cd /tmp && tar xzf logs.tgz",
        "tar xzf /tmp/data.tgz -C benchmarks",
        "python -c \"import shutil; shutil.copy('vllm/x.py', '/tmp/x.py')\"",
    ]
    .map(|it| claude("Bash", &json!({ "command": it })))
    .to_vec()
}

fn at(model: Run) -> Stage {
    Stage::at(model)
}

/// As [`at`], with the documents that a transition leaves, the gates among them.
fn kept(model: Run) -> Stage {
    let stage = at(model);
    assert_eq!(stage.run(&["report"]).exit, 0);
    assert!(stage.path(GATES).is_file());
    stage
}

/// Where the gates are kept.
const GATES: &str = "humanize/gates.json";

/// Changes the kept gates: closes that of a patch for a reason of its own, and then what `edit` does.
fn forge(stage: &Stage, edit: impl FnOnce(&mut Value)) {
    let at = stage.path(GATES);
    let mut kept = value(&fs::read(&at).unwrap());
    kept["gates"]["patch"] = json!(["PA-1 forged (next: nothing)"]);
    edit(&mut kept);
    fs::write(at, kept.to_string()).unwrap();
}

#[test]
fn what_patches_is_denied_until_the_gate_opens() {
    for (name, model, clause) in [
        ("frozen", Run::frozen(), "FB-11"),
        ("in the loop", Run::in_loop(), "FB-11"),
        ("behind", Run::behind(), "FB-11"),
        ("triaged", Run::triaged(), "LP-1"),
    ] {
        let stage = kept(model);
        for payload in patches() {
            let answer = ask("pre-tool-use", Some(&stage.world.run), &payload);
            let reason = denied(&answer).unwrap_or_else(|| panic!("{name}: {payload}"));
            assert!(reason.starts_with("vsota: ") && reason.contains(clause), "{name}: {reason}");
            assert!(reason.contains("(next: vsota "), "{name}: {reason}");
        }
        for payload in harmless() {
            let answer = ask("pre-tool-use", Some(&stage.world.run), &payload);
            assert_eq!(denied(&answer), None, "{name}: {payload}");
        }
    }
    for (name, model) in
        [("layered", Run::layered()), ("assisted", Run::assisted()), ("stopped", Run::stopped())]
    {
        let stage = kept(model);
        for payload in patches().into_iter().chain(harmless()) {
            let answer = ask("pre-tool-use", Some(&stage.world.run), &payload);
            assert_eq!(denied(&answer), None, "{name}: {payload}");
        }
    }
}

#[test]
fn the_loops_scripts_and_the_frozen_benchmark_have_gates_of_their_own() {
    let bash = |command: &str| claude("Bash", &json!({ "command": command }));
    let setup = bash("/h/scripts/setup-rlcr-loop.sh plan.md --yolo");
    let cancel = bash("bash /h/scripts/cancel-rlcr-loop.sh --force");
    for (model, set_up, cancelled, frozen) in [
        (Run::with_history(), true, false, false),
        (Run::behind(), true, true, true),
        (Run::layered(), true, true, true),
        (Run::stopped(), false, false, false),
    ] {
        let stage = at(model);
        let file = stage.path("benchmark/raw/x.json");
        let write = claude("Write", &json!({"file_path": file.as_str(), "content": ""}));
        let copy = bash(&format!("cp /tmp/x.json {}", stage.path("benchmark/")));
        let journal = bash(&format!("cat x > {}", stage.path("humanize/lineage.jsonl")));
        let gone = bash(&format!("rm -rf {}", stage.world.run.parent().unwrap()));
        let runs = stage.world.run.parent().unwrap();
        let moved = bash(&format!("mv {} /tmp/old", stage.world.run));
        let into = bash(&format!("mv -t /tmp/old {}", stage.world.run));
        let flagged = bash(&format!("mv --target-directory=/tmp/old {}", stage.world.run));
        let every = bash(&format!("cd {runs} && mv * /tmp/old"));
        let below = bash(&format!("mv {runs}/* /tmp/old"));
        let from = bash(&format!("mv -t {runs} /tmp/notes.txt /tmp/other.txt"));
        let short = bash(&format!("mv -t{runs} /tmp/notes.txt"));
        // Only after the stop they are anybody's.
        let going = set_up;
        for (payload, shut, clause) in [
            (&setup, set_up, ["RL-7", "FB-1"]),
            (&cancel, cancelled, ["RL-8", "RL-8"]),
            (&write, frozen, ["FB-1", "FB-1"]),
            (&copy, frozen, ["FB-1", "FB-1"]),
            (&journal, going, ["IN-3", "IN-3"]),
            (&gone, going, ["IN-3", "IN-3"]),
            (&moved, going, ["IN-3", "IN-3"]),
            (&into, going, ["IN-3", "IN-3"]),
            (&flagged, going, ["IN-3", "IN-3"]),
            (&every, going, ["IN-3", "IN-3"]),
            (&below, going, ["IN-3", "IN-3"]),
            (&from, false, ["", ""]),
            (&short, false, ["", ""]),
        ] {
            let answer = ask("pre-tool-use", Some(&stage.world.run), payload);
            let reason = denied(&answer);
            assert_eq!(reason.is_some(), shut, "{payload}: {reason:?}");
            if let Some(reason) = reason {
                assert!(clause.iter().any(|it| reason.contains(it)), "{reason}");
            }
        }
    }
}

#[test]
fn a_hook_fails_open_outside_and_closed_inside() {
    // Neither clap's exit code nor a panic leaks: every answer is JSON and 0.
    for payload in ["", "not json", "[]", "{\"tool_name\": 1}", "\u{0}"] {
        for hook in ["pre-tool-use", "stop", "session-start"] {
            assert_eq!(ask(hook, None, payload), json!({}), "{hook} {payload:?}");
        }
    }
    let stage = at(Run::behind());
    let answer = ask("pre-tool-use", Some(&stage.world.run), "not json");
    assert!(denied(&answer).is_some_and(|it| it.contains("payload")), "{answer}");
    // A journal that cannot be believed denies what a gate cares for, and nothing else.
    let mut bytes = stage.world.bytes();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    stage.world.put(bytes);
    let commit = claude("Bash", &json!({"command": "git commit -am x"}));
    let answer = ask("pre-tool-use", Some(&stage.world.run), &commit);
    assert!(denied(&answer).is_some_and(|it| it.contains("cannot be read")), "{answer}");
    let look = claude("Bash", &json!({"command": "git status"}));
    assert_eq!(denied(&ask("pre-tool-use", Some(&stage.world.run), &look)), None);
    // The rest of the call is not clap's: an unknown flag changes nothing.
    let mut odd = vsota();
    assert_eq!(told(odd.args(["hook", "pre-tool-use", "--nonsense"]), "{}"), json!({}));
}

/// A checkout as git lays it out, with a campaign that knows it.
fn checkout() -> (World, Utf8PathBuf) {
    let world = World::empty();
    let dir = world.root.join("vllm");
    for below in [".git/hooks", ".git/info", "vllm", "csrc"] {
        fs::create_dir_all(dir.join(below)).unwrap();
    }
    fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    (world, dir)
}

#[test]
fn the_campaign_is_found_from_the_checkout() {
    let (world, dir) = checkout();
    let run = world.root.join("elsewhere/run");
    fs::create_dir_all(run.parent().unwrap()).unwrap();
    let opened = vsota()
        .args(["-C", run.as_str(), "init", "--vllm", dir.as_str(), "model=org/m"])
        .output()
        .unwrap();
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    let here = |cwd: &Utf8Path, command: &str| {
        let payload =
            json!({"cwd": cwd.as_str(), "tool_name": "Bash", "tool_input": {"command": command}});
        ask("pre-tool-use", None, payload.to_string())
    };
    let reason = here(&dir.join("vllm"), "git commit -am x");
    assert!(denied(&reason).is_some_and(|it| it.contains("FB-11")), "{reason}");
    // From elsewhere, by the path that the call names; another repository is nobody's.
    let named = format!("sed -i s/a/b/ {}", dir.join("vllm/x.py"));
    assert!(denied(&here(&world.root, &named)).is_some());
    assert_eq!(denied(&here(&world.root, "git commit -am x")), None);
    // A pointer to a campaign whose journal is gone is inside, and shut.
    fs::remove_dir_all(&run).unwrap();
    assert!(denied(&here(&dir, "git commit -am x")).is_some());
    assert_eq!(denied(&here(&dir, "git status")), None);
}

#[test]
fn a_fresh_context_and_a_stop_are_told_where_the_campaign_stands() {
    let stage = at(Run::behind());
    let payload = json!({"cwd": CHECKOUT, "hook_event_name": "SessionStart", "source": "compact"});
    let answer = ask("session-start", Some(&stage.world.run), payload.to_string());
    let told = answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap();
    for word in ["profiling, round 1", "vsota profile root-cause", "PR-1", "vsota next"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let stop = |active: bool| {
        let payload =
            json!({"cwd": CHECKOUT, "hook_event_name": "Stop", "stop_hook_active": active});
        ask("stop", Some(&stage.world.run), payload.to_string())
    };
    let first = stop(false);
    assert_eq!(first["decision"], "block");
    assert!(first["reason"].as_str().unwrap().contains("round 1"), "{first}");
    assert_eq!(stop(true), json!({}));
    // Between rounds the agent has to stop, so that the review can run.
    let between = at(Run::in_loop());
    let payload = json!({"cwd": CHECKOUT, "stop_hook_active": false}).to_string();
    assert_eq!(ask("stop", Some(&between.world.run), payload), json!({}));
}

#[test]
fn hooks_are_merged_once_and_taken_out_again() {
    let (_world, dir) = checkout();
    let install = |more: &[&str]| {
        let mut command = vsota();
        command.args(["--json", "hook", "install", "--checkout", dir.as_str()]).args(more);
        let ended = command.output().unwrap();
        (ended.status.code().unwrap(), value(&ended.stdout))
    };
    let settings = dir.join(".claude/settings.local.json");
    let theirs = "{\n  \"model\":   \"x\",\n  \"hooks\": {\"PreToolUse\": [{\"matcher\": \"Bash\", \"hooks\": [{\"type\": \"command\", \"command\": \"mine\"}]}]}\n}\n";
    fs::create_dir_all(dir.join(".claude")).unwrap();
    // A link to a file that nobody else may read.
    let real = dir.join("dotfiles.json");
    fs::write(&real, theirs).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&real, &settings).unwrap();
    let private =
        |path: &Utf8Path| fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600;
    let (exit, first) = install(&["--claude", "--codex", "--git"]);
    assert_eq!(exit, 0, "{first}");
    assert!(first["files"][0]["diff"].to_string().contains("vsota hook pre-tool-use"), "{first}");
    let merged = value(&fs::read(&settings).unwrap());
    assert_eq!(merged["model"], "x");
    let tools = merged["hooks"]["PreToolUse"].as_array().unwrap();
    assert_eq!((tools.len(), &tools[0]["hooks"][0]["command"]), (2, &json!("mine")));
    let exclude = fs::read_to_string(dir.join(".git/info/exclude")).unwrap();
    assert_eq!(exclude, "/.claude/settings.local.json\n/.codex/hooks.json\n");
    assert!(settings.is_symlink() && private(&real));
    let kept: Vec<_> =
        dir.join(".git/vsota").read_dir_utf8().unwrap().map(Result::unwrap).collect();
    assert!(kept.len() == 1 && private(kept[0].path()));
    assert_eq!(
        dir.join(".claude").read_dir_utf8().unwrap().count(),
        1,
        "nothing is left beside it"
    );
    // Again: nothing changes.
    let (_, again) = install(&["--claude", "--codex", "--git"]);
    assert!(again["files"].as_array().unwrap().iter().all(|it| it["changed"] == false), "{again}");
    // Out again: theirs byte for byte, ours gone.
    assert_eq!(install(&["--claude", "--codex", "--git", "--uninstall"]).0, 0);
    assert_eq!(fs::read_to_string(&settings).unwrap(), theirs);
    assert!(settings.is_symlink() && private(&real));
    assert_eq!(install(&["--uninstall"]).1["files"][0]["changed"], false, "and stays as it is");
    // What the user puts beside ours outlives them.
    assert_eq!(install(&["--claude"]).0, 0);
    let mut edited = value(&fs::read(&settings).unwrap());
    let beside = edited["hooks"]["PreToolUse"][1]["hooks"].as_array_mut().unwrap();
    beside.push(json!({"type": "command", "command": "theirs"}));
    fs::write(&settings, edited.to_string()).unwrap();
    assert_eq!(install(&["--claude", "--uninstall"]).0, 0);
    let left = value(&fs::read(&settings).unwrap())["hooks"]["PreToolUse"][1]["hooks"].clone();
    assert_eq!(left, json!([{"type": "command", "command": "theirs"}]));
    assert!(!dir.join(".codex/hooks.json").exists() && !dir.join(".git/hooks/pre-commit").exists());
    assert!(fs::read_to_string(dir.join(".git/info/exclude")).unwrap_or_default().is_empty());
    // What is no settings file, and a hook of somebody else, stay.
    fs::write(&settings, "[]").unwrap();
    assert_eq!(install(&["--claude"]).0, 4);
    fs::write(dir.join(".git/hooks/pre-commit"), "#!/bin/sh\nexit 0\n").unwrap();
    assert_eq!(install(&["--git"]).0, 4);
    assert_eq!(fs::read_to_string(&settings).unwrap(), "[]");
}

#[test]
fn kept_gates_hold_only_for_the_journal_that_they_are_of() {
    let commit = claude("Bash", &json!({"command": "git commit -am x"}));
    let asked = |stage: &Stage| {
        let answer = ask("pre-tool-use", Some(&stage.world.run), &commit);
        denied(&answer).map(str::to_owned)
    };
    let verified = |stage: &Stage| {
        stage.run(&["verify"]).json["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["check"] == "document" && it["ok"] == false && it["file"] == GATES)
    };
    // The gate is open, folded or kept.
    let stage = at(Run::layered());
    assert_eq!(asked(&stage), None);
    let stage = kept(Run::layered());
    assert_eq!(asked(&stage), None);
    assert!(!verified(&stage));
    // What is kept is what is told; `verify` says that the journal does not.
    forge(&stage, |_| {});
    assert!(asked(&stage).is_some_and(|it| it.contains("forged")));
    assert!(verified(&stage));
    // Gates of another version, of another entry, or with a word more are not asked.
    forge(&stage, |it| it["gates"]["vsota"] = json!("0.0.0"));
    assert_eq!(asked(&stage), None);
    assert!(!verified(&stage), "nobody believes them");
    fs::remove_file(stage.path(GATES)).unwrap();
    assert_eq!(asked(&stage), None);
    assert!(!verified(&stage));
    let stage = kept(Run::layered());
    forge(&stage, |it| it["head"]["seq"] = json!(it["head"]["seq"].as_u64().unwrap() - 1));
    assert_eq!(asked(&stage), None);
    forge(&stage, |it| it["open"] = json!(true));
    assert_eq!(asked(&stage), None);
    // A journal that went on, here back by an entry that no document knows any more.
    let stage = kept(Run::layered());
    forge(&stage, |_| {});
    let bytes = stage.world.bytes();
    let last = bytes.iter().rev().skip(1).position(|it| *it == b'\n').unwrap() + 1;
    stage.world.put(&bytes[..bytes.len() - last]);
    fs::remove_file(stage.world.checkpoint()).unwrap();
    assert!(asked(&stage).is_some_and(|it| it.contains("LP-1")));
    // A document acknowledges more than the journal holds.
    stage.world.put(&bytes);
    let hash = "ab".repeat(32);
    fs::write(stage.world.checkpoint(), format!("vsota-head: 999 {hash}\n")).unwrap();
    assert!(asked(&stage).is_some_and(|it| it.contains("acknowledges")));
    // One byte in the midst.
    let stage = kept(Run::layered());
    let mut bytes = stage.world.bytes();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    stage.world.put(bytes);
    assert!(asked(&stage).is_some_and(|it| it.contains("cannot be read")));
}

#[test]
fn a_long_campaign_is_answered_as_any() {
    let stage = kept(long_campaign(2_000));
    let commit = claude("Bash", &json!({"command": "git commit -am x"}));
    let answer = ask("pre-tool-use", Some(&stage.world.run), &commit);
    assert_eq!(answer["hookSpecificOutput"]["permissionDecision"], "deny", "{answer}");
}
