//! What surrounds a run goes wrong: GPUs that keep their memory, programs that never answer, servers that
//! refuse, secrets in what a server says.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::pilot::Rig;

const FOUR: [&str; 4] = ["--blocks", "4", "--scenario", "chat"];

/// nvidia-smi of one GPU. `memory` is a script that sees in `$n` how often memory was asked for.
fn smi(memory: &str) -> String {
    format!(
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\ncase \"$1\" in\n\
         --query-compute-apps*) [ -e held ] && echo '4242, python' ;;\n\
         --query-gpu=index*) n=$(cat n 2>/dev/null || echo 0); n=$((n + 1)); echo $n >n; {memory} ;;\n\
         *) echo 'Not Active, Not Active' ;;\nesac\nexit 0\n"
    )
}

#[test]
fn the_next_launch_waits_until_the_memory_is_back() {
    let rig = Rig::new("0");
    // Before a launch, twice while it is not back, and once when it is.
    let held = "case $((n % 4)) in 2|3) echo '0, 30000 MiB, 81559 MiB' ;; \
                *) echo '0, 100 MiB, 81559 MiB' ;; esac";
    rig.program("nvidia-smi", &smi(held));
    let ended = rig.pilot(&FOUR);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let asked = fs::read_to_string(rig.root.join("bin/n")).unwrap();
    assert_eq!(asked.trim(), "32", "8 launches");
}

#[test]
fn memory_that_is_not_given_back_is_named_and_nobody_is_killed() {
    let rig = Rig::new("0");
    let held = "if [ $n = 1 ]; then echo '0, 100 MiB, 81559 MiB'; else touch held; \
                echo '0, 30000 MiB, 81559 MiB'; fi";
    rig.program("nvidia-smi", &smi(held));
    let ended = rig.pilot(&[&FOUR[..], &["--memory-timeout", "1"]].concat());
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("GPU 0 holds 29900 MiB more than before the launch"), "{told}");
    assert!(told.contains("4242, python"), "{told}");
    assert_eq!(rig.family(), Vec::<String>::new());
}

#[test]
fn a_program_that_never_answers_holds_nobody_up() {
    let rig = Rig::new("0");
    rig.program("nvidia-smi", "#!/bin/sh\nsleep 600\n");
    let begun = Instant::now();
    let ended = rig.pilot(&FOUR);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    // It is waited for once, and then is known.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(rig.family(), Vec::<String>::new());
}

#[test]
fn who_refuses_requests_does_not_serve() {
    let rig = Rig::new("0");
    rig.plan(|plan| {
        let vllm = &mut plan["frameworks"]["vllm"];
        let words = vllm["server_command"].as_array_mut().unwrap();
        words.splice(2..2, [json!("--crash"), json!("refuses")]);
        vllm["ready_seconds"] = json!(1);
    });
    let ended = rig.pilot(&FOUR);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("refuses a request of one token with status 404"), "{told}");
}

/// SE-1: what a server says of its environment reaches neither the disk nor the terminal.
#[test]
fn a_secret_in_what_a_server_says_is_kept_nowhere() {
    let rig = Rig::new("0");
    let token = format!("hf_{}", "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567");
    let script = "echo \"error: unrecognized arguments: $HF_TOKEN\" >&2; sleep 1; exit 2";
    rig.plan(|plan| {
        plan["frameworks"]["vllm"]["server_command"] = json!(["sh", "-c", script, "vllm"])
    });
    let keep = rig.root.join("kept");
    let mut command = rig.command(&[&FOUR[..], &["--keep", keep.as_str()]].concat());
    let ended = command.env("HF_TOKEN", &token).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(
        told.contains("unrecognized arguments: [REDACTED:") && !told.contains(&token),
        "{told}"
    );
    let mut files = Vec::new();
    let mut dirs = vec![keep];
    while let Some(dir) = dirs.pop() {
        for entry in dir.read_dir_utf8().unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => dirs.push(entry.path().to_owned()),
                false => files.push(entry.path().to_owned()),
            }
        }
    }
    assert!(files.iter().any(|it| it.file_name() == Some("chat.run.json")), "{files:?}");
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains(&token), "{file}: {text}");
    }
}
