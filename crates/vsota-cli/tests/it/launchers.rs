//! Launchers of the kind `command`: what runs on another machine is ended there, looked at there, and
//! called unknown where nobody can look. The other machine is a stand-in: a thread that runs what a
//! script of the name `ssh` leaves in a directory, and goes on when that script is killed.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};

use super::pilot::Rig;

const FOUR: [&str; 4] = ["--blocks", "4", "--scenario", "chat"];

/// The other machine.
pub(crate) struct Host {
    over: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

impl Host {
    /// Comes up, and puts its `ssh` on the path of the rig.
    fn of(rig: &Rig) -> Self {
        let dir = rig.root.join("host");
        fs::create_dir(&dir).unwrap();
        // As ssh does: the words are put together, and a shell on the other side takes them apart.
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = box ] || exit 255\nshift\nat={dir}/$$\nprintf '%s' \"$*\" >$at.new\n\
             mv $at.new $at.cmd\nwhile [ ! -e $at.rc ]; do sleep 0.02; done\ncat $at.out\n\
             exit $(cat $at.rc)\n"
        );
        rig.program("ssh", &script);
        Self::watching(dir)
    }

    /// Runs what is left in a directory.
    pub(crate) fn watching(dir: Utf8PathBuf) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let watch = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                // The directory goes with its test.
                let entries = dir.read_dir_utf8().into_iter().flatten().filter_map(Result::ok);
                for it in entries.map(|it| it.path().to_owned()) {
                    if it.extension() == Some("cmd") {
                        run(&it);
                    }
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self { over, watch: Some(watch) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.watch.take().map(JoinHandle::join);
    }
}

/// Runs what was left, in a session of its own.
fn run(cmd: &Utf8Path) {
    let text = fs::read_to_string(cmd).unwrap();
    fs::remove_file(cmd).unwrap();
    let out = fs::File::create(cmd.with_extension("out")).unwrap();
    let mut command = Command::new("setsid");
    command.args(["--wait", "sh", "-c", &text]).stdin(Stdio::null());
    command.stdout(out.try_clone().unwrap()).stderr(out).env_remove("VSOTA_RUN");
    let mut child = command.spawn().unwrap();
    let cmd = cmd.to_owned();
    thread::spawn(move || {
        let code = child.wait().unwrap().code().unwrap_or(255);
        let part = cmd.with_extension("part");
        // The directory goes with its test.
        let _ = fs::write(&part, code.to_string());
        let _ = fs::rename(&part, cmd.with_extension("rc"));
    });
}

fn launcher(rig: &Rig, launcher: Value) {
    rig.plan(|plan| plan["launchers"] = json!({"vllm": launcher}));
}

fn record(keep: &Utf8PathBuf) -> Value {
    serde_json::from_slice(&fs::read(keep.join("01-0-a/chat.run.json")).unwrap()).unwrap()
}

#[test]
fn what_runs_behind_ssh_is_ended_there() {
    let rig = Rig::new("0");
    let _host = Host::of(&rig);
    launcher(&rig, json!({"kind": "command", "start": "ssh box"}));
    // A process that leaves its session, and a word that a shell would take apart.
    rig.plan(|plan| {
        let vllm = &mut plan["frameworks"]["vllm"];
        vllm["env"] = json!({"SAID": "two words"});
        vllm["base_server_flags"]["override"] = json!("{\"a\": \"b c\"} $HOME");
        let words = vllm["server_command"].as_array_mut().unwrap();
        words.splice(2..2, [json!("--crash"), json!("orphan")]);
    });
    let keep = rig.root.join("kept");
    let ended = rig.pilot(&[&FOUR[..], &["--keep", keep.as_str()]].concat());
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{told}");
    assert_eq!(rig.family(), Vec::<String>::new());
    assert!(told.contains("the launcher has no probe"), "{told}");
    let log = fs::read_to_string(keep.join("01-0-a/server.log")).unwrap();
    assert!(
        log.contains("# the launcher has no probe") && log.contains("{\"a\": \"b c\"} $HOME"),
        "{log}"
    );
    let hygiene = &record(&keep)["hygiene"];
    assert_eq!(
        (&hygiene["other_gpu_processes"], &hygiene["throttle"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn the_death_of_vsota_ends_what_runs_behind_ssh() {
    let rig = Rig::new("0");
    let _host = Host::of(&rig);
    launcher(&rig, json!({"kind": "command", "start": "ssh box"}));
    let mut command = rig.command(&["--blocks", "32"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !rig.family().iter().any(|it| !it.contains("__reap") && it.contains("mock-server --")) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not come up");
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(700));
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    while !rig.family().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", rig.family());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_gpus_of_the_other_side_are_looked_at_by_its_probe() {
    let rig = Rig::new("0");
    let _host = Host::of(&rig);
    let there = rig.root.join("there");
    fs::create_dir(&there).unwrap();
    rig.program("nvidia-smi", "#!/bin/sh\nexit 9\n");
    let script = "#!/bin/sh\ncase \"$1\" in --query-gpu=index*) echo '0, 3 MiB, 81559 MiB' ;; --query-gpu*) \
                  echo 'Not Active, Not Active' ;; esac\n";
    fs::write(there.join("nvidia-smi"), script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(there.join("nvidia-smi"), mode).unwrap();
    let probe = format!("ssh box env PATH={there}:/usr/bin:/bin");
    launcher(&rig, json!({"kind": "command", "start": "ssh box", "probe": probe}));
    let keep = rig.root.join("kept");
    let ended = rig.pilot(&[&FOUR[..], &["--keep", keep.as_str()]].concat());
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && !told.contains("supervised"), "{told}");
    let hygiene = &record(&keep)["hygiene"];
    assert_eq!(hygiene["other_gpu_processes"], json!([]), "{hygiene}");
    assert_eq!(hygiene["throttle"], json!(["Not Active", "Not Active"]), "{hygiene}");
    assert_eq!(rig.family(), Vec::<String>::new());
}

/// PA-1: the build is asked for its tree where it lies.
#[test]
fn the_tree_of_a_build_behind_ssh_is_asked_there() {
    let rig = Rig::new("0");
    let _host = Host::of(&rig);
    let (root, checkout) = (&rig.root, rig.root.join("checkout"));
    fs::create_dir_all(checkout.join("vllm")).unwrap();
    fs::write(checkout.join("vllm/__init__.py"), "").unwrap();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C", checkout.as_str()]).args(args);
        String::from_utf8(git.output().unwrap().stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    // A Python that knows where vLLM lies with the variable of the launch, and is a mock otherwise.
    let vsota = env!("CARGO_BIN_EXE_vsota");
    let python = format!(
        "#!/bin/sh\n[ \"$1\" = -c ] && {{ echo $VLLM_AT; exit; }}\nshift\n\
         exec {vsota} mock-server --ttft-ms 20 -- vllm \"$@\"\n"
    );
    rig.program("python", &python);
    rig.program("vllm", &format!("#!{root}/bin/python\n"));
    rig.plan(|plan| {
        let vllm = &mut plan["frameworks"]["vllm"];
        vllm["server_command"] = json!([format!("{root}/bin/vllm"), "serve"]);
        vllm["env"] = json!({"VLLM_AT": checkout.join("vllm/__init__.py").to_string()});
    });
    launcher(&rig, json!({"kind": "command", "start": "ssh box", "probe": "ssh box"}));
    let keep = rig.root.join("kept");
    let ended = rig.pilot(&[&FOUR[..], &["--keep", keep.as_str()]].concat());
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(record(&keep)["tree"], git(&["rev-parse", "HEAD^{tree}"]));
    assert_eq!(rig.family(), Vec::<String>::new());
}

#[test]
fn a_stop_of_the_plan_is_run_and_believed() {
    let rig = Rig::new("0");
    let _host = Host::of(&rig);
    let stopped = rig.root.join("stopped");
    // It is told whom to end, and ends him not.
    let stop = format!("echo {{marker}} >>{stopped}; exit 3");
    let start = json!({"kind": "command", "start": "ssh box", "stop": ["sh", "-c", stop]});
    launcher(&rig, start);
    let ended = rig.pilot(&FOUR);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("ended with code 3: what was started there may still run"), "{told}");
    let marker = fs::read_to_string(&stopped).unwrap();
    assert!(marker.starts_with("VSOTA_RUN=") && marker.lines().count() == 1, "{marker}");
    // The machine is there and the server runs on, as was said.
    assert!(!rig.family().is_empty());
    let marker = marker.trim().trim_start_matches("VSOTA_RUN=");
    for it in vsota_cli::supervise::process::marked(marker) {
        it.signal(rustix::process::Signal::KILL);
    }
}

#[test]
fn without_stop_and_probe_a_run_says_that_it_is_not_supervised() {
    let rig = Rig::new("0");
    rig.program("elsewhere", "#!/bin/sh\nexec \"$@\"\n");
    launcher(&rig, json!({"kind": "command", "start": "elsewhere"}));
    let keep = rig.root.join("kept");
    let ended = rig.pilot(&[&FOUR[..], &["--keep", keep.as_str()]].concat());
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{told}");
    let words = "not supervised beyond its client";
    assert!(told.contains(words), "{told}");
    assert!(fs::read_to_string(keep.join("01-0-a/server.log")).unwrap().contains(words));
}
