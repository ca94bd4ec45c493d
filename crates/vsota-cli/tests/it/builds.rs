//! Builds of vLLM in work trees of their own: made where they are missing, used again, removed at the end,
//! and nothing that the repository's settings name is run (PA-1).

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use vsota_core::event::Event;
use vsota_core::facts::Input;
use vsota_core::{Campaign, Seq};
use vsota_fixtures::model::{self, Run};

use crate::late::Stage;

/// The words of a mock, which a demonstration must launch.
const MOCK: [&str; 5] = [env!("CARGO_BIN_EXE_vsota"), "mock-server", "--ttft-ms", "1", "--"];

fn script(path: &Utf8Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn git(dir: &Utf8Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C", dir.as_str()]).args(args);
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap().trim().to_owned()
}

/// A campaign with a patch on trial, whose builds are commits of a checkout that there is.
struct Rig {
    stage: Stage,
    checkout: Utf8PathBuf,
    /// The commits of the accepted build and of the new one.
    commits: [String; 2],
    port: u16,
}

impl Rig {
    fn new(model: &Run) -> Self {
        let stage = Stage::at(model.clone());
        let checkout = stage.world.root.join("checkout");
        fs::create_dir_all(checkout.join("vllm")).unwrap();
        git(&checkout, &["init", "-q", "-b", "main"]);
        let commit = |text: &str| {
            fs::write(checkout.join("vllm/__init__.py"), text).unwrap();
            fs::write(checkout.join(".gitignore"), "bin/\n").unwrap();
            fs::write(checkout.join(".gitattributes"), "*.py filter=evil\n*.txt filter=late\n")
                .unwrap();
            fs::write(checkout.join("a.txt"), text).unwrap();
            git(&checkout, &["add", "."]);
            git(&checkout, &["commit", "-qm", "a commit"]);
            git(&checkout, &["rev-parse", "HEAD"])
        };
        let commits = [commit("accepted = 1\n"), commit("new = 1\n")];
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut it = Self { stage, checkout, commits, port };
        it.stage.model = it.of_the_checkout(model);
        let entries = it.stage.model.entries();
        let line = |it| serde_json::to_string(it).unwrap() + "\n";
        it.stage.world.put(entries.iter().map(line).collect::<String>());
        it
    }

    /// The same campaign over the commits of the checkout, with launches at a port that is free.
    fn of_the_checkout(&self, model: &Run) -> Run {
        let port = self.port;
        let words = |before: &[&str], flags: &[&str]| {
            let words = [before, &["vllm", "serve", "demo/tiny-moe"], flags, &["--max-num-seqs"]];
            let words = json!(words.concat()).to_string();
            words.trim_matches(['[', ']']).to_owned()
        };
        let at = ["--host", "127.0.0.1", "--port", &port.to_string()];
        let mut named = vec![(words(&[], &[]), words(&MOCK, &at))];
        for (build, commit) in [model::BASELINE, "patch-1"].iter().zip(&self.commits) {
            let head = model::head(build);
            let tree = git(&self.checkout, &["rev-parse", &format!("{commit}^{{tree}}")]);
            named.push((head.commit.to_string(), commit.clone()));
            named.push((head.tree.to_string(), tree));
        }
        let event = |it: &Event| {
            let mut text = serde_json::to_string(it).unwrap();
            for (from, to) in &named {
                text = text.replace(from, to);
            }
            let mut event: Event = serde_json::from_str(&text).unwrap();
            if let Event::InputsRecorded(it) = &mut event {
                let checkout = Input::VllmCheckout(self.checkout.as_str().parse().unwrap());
                it.said.inputs.push(model::sourced(checkout));
            }
            event
        };
        let events: Vec<Event> = model.events.iter().map(event).collect();
        let campaign = Campaign::replay((1..).map(Seq).zip(events.iter())).unwrap();
        Run { campaign, events, tick: model.tick }
    }

    /// A plan whose builds are made by a script.
    fn plan(&self) -> String {
        let (build, port) = (self.stage.path("../../evidence/build.sh"), self.port);
        let mock = MOCK.map(|it| json!(it).to_string()).join(", ");
        let text = format!(
            "search: {{candidate_generation: ordered_list, max_candidates_per_framework: 6}}\n\
             builds:\n  any:\n    launch_prefix: [\"{{tree}}/bin/start\"]\n\
             \x20   build_command: [sh, {build}]\n\
             frameworks:\n  vllm:\n    server_command: [{mock}, vllm, serve]\n    benchmark_command: [/bin/false]\n\
             \x20   ready_seconds: 20\n    base_server_flags: {{host: 127.0.0.1, port: {port}}}\n\
             \x20   candidates: [{{max_num_seqs: 1}}, {{max_num_seqs: 2}}, {{max_num_seqs: 3}}, {{max_num_seqs: 4}}]\n"
        );
        self.stage.file("plan.yaml", text)
    }

    /// What a build runs: it counts itself, then does this.
    fn builds_by(&self, text: &str) {
        let count = self.stage.world.root.join("count");
        self.stage.file("build.sh", format!("echo built >>{count}\n{text}\n"));
    }

    /// A build whose program is a mock that says which tree it lies in.
    fn builds_well(&self) {
        self.builds_by(
            "mkdir bin && tree=$(git rev-parse 'HEAD^{tree}') && printf '#!/bin/sh\\nexec env \
             VSOTA_MOCK_TREE=%s \"$@\"\\n' \"$tree\" >bin/start && chmod 755 bin/start",
        );
    }

    fn count(&self) -> usize {
        let count = fs::read_to_string(self.stage.world.root.join("count"));
        count.unwrap_or_default().lines().count()
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = crate::world::vsota();
        command.env("PATH", std::env::var("PATH").unwrap()).arg("-C").arg(&self.stage.world.run);
        command.args(["revalidate", "run", "--plan", &self.plan(), "--grace", "1"]).args(more);
        command
    }

    /// Exit code, and what was said.
    fn run(&self, more: &[&str]) -> (i32, String) {
        let ended = self.command(more).output().unwrap();
        (ended.status.code().unwrap(), String::from_utf8(ended.stderr).unwrap())
    }

    /// The work trees beside the checkout.
    fn trees(&self) -> Vec<Utf8PathBuf> {
        let all = self.stage.world.root.read_dir_utf8().unwrap().map(|it| it.unwrap().into_path());
        let mut all: Vec<_> = all.filter(|it| it.as_str().contains("checkout-vsota-")).collect();
        all.sort();
        all
    }

    /// The runs of the blocks that were filed.
    fn filed(&self) -> Vec<Value> {
        let text = String::from_utf8(self.stage.world.bytes()).unwrap();
        let events = text.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        let blocks = events.filter_map(|it| it["event"].get("trial-block-filed").cloned());
        blocks.map(|it| it.get("said").cloned().unwrap_or(it)["runs"].clone()).collect()
    }
}

/// The run of a block that failed; the others were never begun.
fn failed(block: &Value) -> Value {
    let mut failed = block.as_array().unwrap().iter().filter(|it| it["status"] == "failed");
    failed.next().unwrap().clone()
}

#[test]
fn what_is_missing_is_built_once_beside_the_checkout_and_removed_at_the_end() {
    let rig = Rig::new(&Run::patched());
    rig.builds_well();
    // Everything that a repository may name to be run leaves a trace here.
    let (root, trap) = (&rig.stage.world.root, rig.stage.world.root.join("trap"));
    let trapped = format!("#!/bin/sh\necho \"$0 $*\" >>{trap}\ncat\n");
    for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
        script(&root.join("hooks").join(hook), &trapped);
    }
    script(&root.join("trap.sh"), &trapped);
    let late = root.join("late");
    fs::write(&late, format!("[filter \"late\"]\n\tsmudge = {root}/trap.sh\n\trequired = true\n"))
        .unwrap();
    for (key, value) in [
        ("core.hooksPath", "hooks"),
        ("core.fsmonitor", "trap.sh"),
        ("filter.evil.smudge", "trap.sh"),
        ("filter.evil.process", "trap.sh"),
        ("filter.evil.required", "true"),
    ] {
        let value = if value == "true" { value.to_owned() } else { format!("{root}/{value}") };
        git(&rig.checkout, &["config", key, &value]);
    }
    let inside = "includeIf.gitdir:**/worktrees/**.path";
    git(&rig.checkout, &["config", inside, late.as_str()]);
    let plain = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];
    let own = root.join("of-somebody");
    let add = ["worktree", "add", "-q", "--detach", "--no-checkout", own.as_str()];
    git(&rig.checkout, &[&plain[..], &add].concat());
    let _ = fs::remove_file(&trap);

    let (code, told) = rig.run(&[]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("broke 3 times"), "{told}");
    assert_eq!(
        fs::read_to_string(&trap).unwrap_or_default(),
        "",
        "nothing of the repository's ran"
    );
    assert_eq!((rig.trees().len(), rig.count()), (2, 2), "{told}");
    // It was launched from there, and said so (PA-1); its client failed.
    let blocks = rig.filed();
    let tree = git(&rig.checkout, &["rev-parse", "HEAD^{tree}"]);
    assert_eq!((blocks.len(), &failed(&blocks[0])["tree"]), (3, &Value::from(tree)));
    let listed = git(&rig.checkout, &["worktree", "list", "--porcelain"]);
    assert_eq!(listed.matches("locked vsota ").count(), 2, "{listed}");
    assert_eq!(fs::read_to_string(rig.trees()[0].join("a.txt")).unwrap().lines().count(), 1);

    // Called again they are there; with a trial that is decided they go, and nothing else does.
    let (code, told) = rig.run(&[]);
    assert_eq!((code, rig.count()), (1, 2), "{told}");
    let mut decided = Run::patched();
    decided.trial(1.05);
    let other = Rig::new(&decided);
    let from = rig.stage.path("benchmark/builds");
    fs::create_dir_all(other.stage.path("benchmark")).unwrap();
    fs::rename(from, other.stage.path("benchmark/builds")).unwrap();
    let (code, told) = other.run(&["--keep-builds"]);
    assert_eq!((code, rig.trees().len()), (0, 2), "{told}");
    let moved = rig.trees().pop().unwrap();
    fs::rename(&moved, root.join("aside")).unwrap();
    fs::create_dir_all(moved.join("of-somebody-else")).unwrap();
    let (code, told) = other.run(&[]);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("it is not the work tree that vsota added here"), "{told}");
    assert_eq!(rig.trees(), [moved]);
    let listed = git(&rig.checkout, &[&plain[..], &["worktree", "list", "--porcelain"]].concat());
    assert_eq!(listed.matches("locked vsota ").count(), 1, "{listed}");
    assert!(own.is_dir() && listed.contains(own.as_str()), "{listed}");
    assert_eq!(fs::read_to_string(&trap).unwrap_or_default(), "");
}

#[test]
fn a_build_that_fails_is_a_mechanical_failure_with_its_log() {
    let rig = Rig::new(&Run::patched());
    let key = ["sk-proj-", "Zq3vT9xLm2RkW8bN5yHc7PdF4sJ6aGu1"].concat();
    for (text, more, reason) in [
        (
            format!("echo 'no compiler'; echo OPENAI_API_KEY={key}; exit 7"),
            &[][..],
            "ended with code 7",
        ),
        ("sleep 60".into(), &["--build-timeout", "1"][..], "took more than 1 s"),
        ("echo changed >vllm/__init__.py".into(), &[][..], "changed what git keeps"),
    ] {
        let before = rig.filed().len();
        rig.builds_by(&text);
        let (code, told) = rig.run(more);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains(reason) && told.contains("build.log"), "{told}");
        let blocks = rig.filed();
        assert_eq!(blocks.len(), before + 1, "one block, made once: {told}");
        let failed = failed(&blocks[before]);
        assert_eq!((&failed["measured"], &failed["tree"]), (&Value::Null, &Value::Null));
        let log = String::from_utf8(rig.stage.holds(&failed["log"])).unwrap();
        assert!(log.contains("# build ") && !log.contains(&key), "{log}");
        if before == 0 {
            assert!(log.contains("no compiler"), "{log}");
        }
    }
    assert_eq!(rig.count(), 3, "the other build is not made for nothing");
}

#[test]
fn a_kill_in_the_midst_of_a_build_leaves_nothing_that_is_in_the_way() {
    let rig = Rig::new(&Run::patched());
    // A time that nobody else sleeps.
    let long = format!("43{:07}", std::process::id());
    rig.builds_by(&format!("echo half >half; sleep {long} & sleep {long}"));
    let mut child = rig.command(&[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let half = || rig.trees().iter().filter(|it| it.join("half").exists()).count();
    let begun = Instant::now();
    while half() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing is built");
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let alive = || {
        let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let words = all.map(|it| fs::read(it.path().join("cmdline")).unwrap_or_default());
        words.filter(|it| String::from_utf8_lossy(it).contains(&long)).count()
    };
    let begun = Instant::now();
    while alive() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(5), "the build goes on");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((rig.trees().len(), half()), (1, 1));

    // What lies where a build would, and is nobody's of ours, is named and left alone.
    rig.builds_well();
    let (builds, aside) = (rig.stage.path("benchmark/builds"), rig.stage.path("benchmark/aside"));
    fs::rename(&builds, &aside).unwrap();
    let (code, told) = rig.run(&[]);
    assert_eq!(code, 4, "{told}");
    assert!(told.contains("something else does: move it away"), "{told}");
    fs::remove_dir_all(&builds).unwrap();
    fs::rename(&aside, &builds).unwrap();
    assert_eq!(half(), 1);

    let (code, told) = rig.run(&[]);
    assert!(code == 1 && told.contains("broke 3 times"), "{told}");
    assert_eq!((rig.count(), rig.trees().len(), half()), (3, 2, 0), "{told}");
}
