//! What an agent's hook is told, and the deeds that are seen in it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::json;
use vsota_core::evidence::hook::{Deed, tool_call};

const CWD: &str = "/src/vllm";

fn deeds(tool: &str, input: &serde_json::Value) -> Vec<Deed> {
    let payload = json!({"cwd": CWD, "tool_name": tool, "tool_input": input}).to_string();
    tool_call(payload.as_bytes(), "/home/u", "/").unwrap().deeds
}

fn bash(command: &str) -> Vec<Deed> {
    deeds("Bash", &json!({ "command": command }))
}

fn write(path: &str) -> Deed {
    Deed::Write(path.to_string())
}

fn commit(dir: &str, verb: &str) -> Deed {
    Deed::Commit { dir: dir.to_string(), verb: verb.to_string() }
}

#[test]
fn tools_that_write_name_their_file_in_both_dialects() {
    let file = write("/src/vllm/vllm/x.py");
    for (tool, input) in [
        ("Edit", json!({"file_path": "/src/vllm/vllm/x.py"})),
        ("Write", json!({"file_path": "vllm/x.py", "content": "a"})),
        ("NotebookEdit", json!({"notebook_path": "/src/vllm/./vllm/y/../x.py"})),
        (
            "apply_patch",
            json!({"command": "*** Begin Patch\n*** Update File: vllm/x.py\n@@\n-a\n+b\n*** End Patch"}),
        ),
        (
            "apply_patch",
            json!({"input": "*** Begin Patch\n*** Add File: vllm/x.py\n+b\n*** End Patch"}),
        ),
        ("shell", json!({"command": ["bash", "-lc", "echo a > vllm/x.py"], "workdir": CWD})),
        (
            "Bash",
            json!({"command": "apply_patch <<'EOF'\n*** Begin Patch\n*** Delete File: vllm/x.py\n*** End Patch\nEOF"}),
        ),
    ] {
        assert_eq!(deeds(tool, &input), std::slice::from_ref(&file), "{tool} {input}");
    }
    assert!(deeds("Read", &json!({"file_path": "/src/vllm/vllm/x.py"})).is_empty());
    for text in [
        "not json",
        "[]",
        r#"{"cwd":5,"tool_name":"Edit","tool_input":{"file_path":"vllm/x.py"}}"#,
        r#"{"cwd":"/src/vllm","tool_name":7}"#,
        r#"{"cwd":"/src/vllm","tool_name":"Bash","tool_input":{"command":5}}"#,
        r#"{"cwd":"/src/vllm","tool_name":"Bash","tool_input":{}}"#,
        r#"{"cwd":"/src/vllm","tool_name":"Edit","tool_input":{"file_path":["vllm/x.py"]}}"#,
    ] {
        assert!(tool_call(text.as_bytes(), "", "").is_err(), "{text}");
    }
    let without = br#"{"tool_name":"Edit","tool_input":{"file_path":"vllm/x.py"}}"#;
    assert_eq!(tool_call(without, "", CWD).unwrap().deeds, [file]);
    let deep = json!({"command": "sed -i s/a/b/ x.py", "workdir": "vllm"});
    assert!(deeds("shell", &deep).contains(&write("/src/vllm/vllm/x.py")));
}

#[test]
fn a_shell_is_seen_to_write() {
    let x = "/src/vllm/vllm/x.py";
    for command in [
        "sed -i s/a/b/ vllm/x.py",
        "sed -Ei.bak 's/a/b/' ./vllm/x.py",
        "sed --in-place -e s/a/b/ vllm/x.py",
        "perl -pi -e 's/a/b/' vllm/x.py",
        "cat > vllm/x.py <<'EOF'\nimport os\nEOF",
        "cat <<EOF >> vllm/x.py\nx = 1\nEOF\n",
        "echo a | tee -a vllm/x.py > /dev/null",
        "echo a &> vllm/x.py",
        "cp /tmp/x.py vllm/x.py",
        "mv /tmp/new.py vllm/x.py",
        "install -m 644 /tmp/x.py vllm/x.py",
        "python -c \"open('vllm/x.py', 'w').write('a')\"",
        "python3 - <<'EOF'\nfrom pathlib import Path\np = Path('vllm/x.py')\np.write_text(p.read_text().replace('a', 'b'))\nEOF",
        "dd if=/tmp/x of=vllm/x.py",
        "python -c \"import shutil; shutil.copy('/tmp/x.py', 'vllm/x.py')\"",
        "truncate -s 0 vllm/x.py",
        "rm vllm/x.py",
        "cd vllm && sed -i s/a/b/ x.py",
        "(cd vllm; echo a > x.py)",
        "F=vllm/x.py; sed -i s/a/b/ $F",
        "bash -c \"sed -i s/a/b/ vllm/x.py\"",
        "sh <<'EOF'\nsed -i s/a/b/ vllm/x.py\nEOF",
        "env A=1 timeout 5 sed -i s/a/b/ vllm/x.py",
        "find vllm/x.py -exec sed -i s/a/b/ {} +",
        "true && if true; then sed -i s/a/b/ vllm/x.py; fi",
        "patch vllm/x.py < /tmp/fix.diff",
        "echo $(sed -i s/a/b/ vllm/x.py)",
    ] {
        assert!(bash(command).contains(&write(x)), "{command}: {:?}", bash(command));
    }
    assert_eq!(bash("patch -p1 < /tmp/fix.diff"), [Deed::Patch(CWD.to_string())]);
    assert_eq!(bash("cd /tmp && patch -p1 -i f.diff -d /src/vllm"), [Deed::Patch(CWD.to_string())]);
    for (command, dir) in [
        ("find . -name '*.py' -exec sed -i s/a/b/ {} +", CWD),
        ("find /src/vllm -name '*.py' -delete", CWD),
        ("find . -name __pycache__ -prune -o -name '*.py' -exec sed -i s/a/b/ {} +", CWD),
        ("find . -name '*.py' ! -name '*.o' -delete", CWD),
        ("cp -rT /tmp/new .", CWD),
        ("cp -r /tmp/new/vllm .", "/src/vllm/vllm"),
        ("grep -rl a . | xargs sed -i s/a/b/", CWD),
        ("cp -r /tmp/new/. .", CWD),
        ("rsync -a /tmp/new/ /src/vllm/", CWD),
        ("tar xzf /tmp/new.tgz", CWD),
        ("tar -C vllm -xf /tmp/new.tar", "/src/vllm/vllm"),
        ("cd /tmp && tar --extract -f new.tar --directory=/src/vllm", CWD),
        ("unzip -o /tmp/new.zip -d vllm", "/src/vllm/vllm"),
    ] {
        let seen = bash(command);
        assert!(seen.contains(&Deed::Patch(dir.to_string())), "{command}: {seen:?}");
    }
    for command in [
        "grep -rl a vllm/ | xargs sed -i s/a/b/",
        "grep -rl a vllm | xargs sed -i s/a/b/",
        "git ls-files vllm | xargs -I{} sed -i s/a/b/ {}",
        "sed -i s/a/b/ $PWD/vllm",
        "cd /tmp; cd /src/vllm && sed -i s/a/b/ \"${PWD}/vllm\"",
        "sed -i s/a/b/ $(pwd)/vllm",
        "sed -i s/a/b/ \"$(git rev-parse --show-toplevel)/vllm\"",
        "export F=vllm; sed -i s/a/b/ $F",
        "declare -r F=vllm; sed -i s/a/b/ $F",
        "(cd vllm; sed -i s/a/b/ .); ls $PWD/vllm",
    ] {
        assert!(bash(command).contains(&write("/src/vllm/vllm")), "{command}: {:?}", bash(command));
    }
    assert!(bash("cd $HOME/co && git commit -am x").contains(&commit("/home/u/co", "commit")));
    let away = bash("ls vllm/ | xargs -I{} cp vllm/{} /tmp/a");
    assert!(
        away.iter().all(|it| matches!(it, Deed::Write(to) if to.starts_with("/tmp/a"))),
        "{away:?}"
    );
}

#[test]
fn a_shell_is_seen_to_commit() {
    for (command, dir, verb) in [
        ("git commit -am x", CWD, "commit"),
        ("git add vllm/x.py && git commit -m \"fuse qk norm\"", CWD, "commit"),
        ("git -C /src/other commit -m x", "/src/other", "commit"),
        ("git -c user.name=a --no-pager -C ../other commit", "/src/other", "commit"),
        ("cd /src/other && git cherry-pick abc", "/src/other", "cherry-pick"),
        ("git am < /tmp/p.mbox", CWD, "am"),
        ("sh -c 'git commit'", CWD, "commit"),
        ("env A=1 git commit", CWD, "commit"),
        ("A=1 git commit", CWD, "commit"),
        ("git stash pop", CWD, "stash"),
        ("git apply /tmp/fix.diff", CWD, "apply"),
        ("git merge feature", CWD, "merge"),
        ("git merge --stat feature", CWD, "merge"),
        ("git apply --stat --apply /tmp/fix.diff", CWD, "apply"),
        ("git revert --no-edit HEAD", CWD, "revert"),
        ("git reset --hard fast", CWD, "reset"),
        ("git checkout fast -- vllm/x.py", CWD, "checkout"),
        ("git restore --source=fast vllm/", CWD, "restore"),
        ("git stash branch x", CWD, "stash"),
        ("(cd sub; git merge x)", "/src/vllm/sub", "merge"),
        ("eval \"git commit -m x\"", CWD, "commit"),
        ("sudo -u me git commit", CWD, "commit"),
        ("echo ok\ngit commit -m x", CWD, "commit"),
        ("env -C /src/other git commit -m x", "/src/other", "commit"),
        ("env --chdir=../other git commit -m x", "/src/other", "commit"),
        ("GIT_DIR=/src/other/.git git commit -m x", "/src/other", "commit"),
        ("env GIT_WORK_TREE=/src/other git commit -m x", "/src/other", "commit"),
        ("git --git-dir=/src/other/.git commit -m x", "/src/other", "commit"),
        (
            "python -c \"import subprocess; subprocess.run(['git', 'commit', '-am', 'x'])\"",
            CWD,
            "commit",
        ),
        ("python -c \"import os; os.system('git commit -am x')\"", CWD, "commit"),
    ] {
        assert!(bash(command).contains(&commit(dir, verb)), "{command}: {:?}", bash(command));
    }
    // A subshell's directory ends with it.
    assert_eq!(bash("(cd /tmp && ls); git commit"), [commit(CWD, "commit")]);
    assert_eq!(
        bash("/h/scripts/setup-rlcr-loop.sh plan.md --yolo"),
        [Deed::SetUpLoop(CWD.to_string())]
    );
    assert_eq!(
        bash("bash \"/h/scripts/cancel-rlcr-loop.sh\" --force"),
        [Deed::CancelLoop(CWD.to_string())]
    );
    let there = bash("cd /src/co && ../humanize/scripts/setup-rlcr-loop.sh plan.md");
    assert_eq!(there, [Deed::SetUpLoop("/src/co".to_string())]);
}

#[test]
fn what_only_reads_is_no_deed() {
    for command in [
        "pytest tests/kernels -q 2>&1",
        "python -m pytest vllm/tests 2>/dev/null",
        "grep -rn 'git commit' vllm/ csrc/",
        "sed -n 1,80p vllm/x.py",
        "cat vllm/x.py",
        "git log --oneline -- vllm/x.py",
        "git apply --stat /tmp/x.diff",
        "git reset --hard",
        "git reset --hard HEAD",
        "git checkout -- vllm/x.py",
        "git checkout HEAD -- vllm/x.py",
        "git restore vllm/x.py",
        "git merge --abort",
        "git diff HEAD -- vllm/",
        "git status --short",
        "git stash list",
        "git apply --check /tmp/fix.diff",
        "git merge-base main HEAD",
        "git merge --abort",
        "patch --dry-run -p1 < /tmp/f.diff",
        "python -c \"import vllm; print(vllm.__file__)\"",
        "python -c \"print(open('vllm/x.py').read())\"",
        "find vllm -name '*.py' | xargs wc -l",
        "ls csrc/ # git commit",
        "echo 'git commit -am x'",
        "pip install -e .",
        "ninja -C build",
        "cmake --build build -j 8",
        "vllm serve org/model --port 8000",
        "python setup.py build_ext --inplace",
        "nvidia-smi --query-gpu=name --format=csv",
        "ssh box 'ls'",
        "tar tzf /tmp/new.tgz",
        "tar czf /tmp/logs.tgz logs",
        "unzip -l /tmp/new.zip",
        "find . -name '*.pyc' -delete",
        "find . -name '*.log' -delete",
        "find . -name .pytest_cache -exec rm -rf {} +",
        "tar -Ixz -cf a.tar.xz dir",
        "find vllm -name __pycache__ -exec rm -rf {} +",
        "find . -name '*.py' | xargs grep -l x",
        "cpio -o < list",
    ] {
        assert_eq!(bash(command), [], "{command}");
    }
    // What is copied out of the source is only read there.
    let away = "python -c \"import shutil; shutil.copy('vllm/x.py', '/tmp/x.py')\"";
    assert_eq!(bash(away), [write("/tmp/x.py")]);
    // Output that goes elsewhere is a write elsewhere.
    assert_eq!(bash("git diff > /tmp/x.diff"), [write("/tmp/x.diff")]);
    assert!(
        !bash("cp vllm/x.py /tmp/")
            .iter()
            .any(|it| matches!(it, Deed::Write(at) if at.contains("/vllm/vllm")))
    );
}

#[test]
fn a_script_of_any_bytes_is_read_to_its_end() {
    for command in [
        "'",
        "\"$(",
        "cat <<",
        "a <<X",
        "$",
        "`",
        "((((",
        "))))",
        ">",
        "\\",
        "${",
        "git -C",
        "env -u",
        "find . -exec",
    ] {
        let _ = bash(command);
    }
    let _ = bash(&"$(".repeat(3_000));
    let _ = bash(&"sh -c 'sh -c ".repeat(100));
}
