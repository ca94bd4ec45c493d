//! `gap pilot`: the noise that was planted is the noise that is found; nothing is filed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};

const VSOTA: &str = env!("CARGO_BIN_EXE_vsota");

/// A plan for one mock vLLM with two candidates, in a directory of its own.
pub(crate) struct Rig {
    pub(crate) root: Utf8PathBuf,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Rig {
    pub(crate) fn new(noise: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap().canonicalize_utf8().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mock = ["--ttft-ms", "80", "--tpot-ms", "20", "--likes", "async-scheduling"];
        let server =
            [&[VSOTA, "mock-server"][..], &mock, &["--noise", noise, "--", "vllm", "serve"]];
        let client = [VSOTA, "mock-server", "--client", "--", "vllm", "bench", "serve"];
        let plan = json!({
            "model": {"name": "made/up"},
            "scenarios": [
                {"name": "chat", "input_len": 16, "output_len": 8, "num_prompts": 4},
                {"name": "long", "input_len": 64, "output_len": 2, "num_prompts": 2},
            ],
            "search": {"candidate_generation": "ordered_list"},
            "frameworks": {"vllm": {
                "server_command": server.concat(),
                "benchmark_command": client,
                "warmup_prompts": 0,
                "ready_seconds": 30,
                "base_server_flags": {"port": port},
                "candidates": [{"async_scheduling": true}],
            }},
        });
        fs::write(root.join("plan.json"), plan.to_string()).unwrap();
        Self { root, port, _dir: dir }
    }

    /// Changes the plan.
    pub(crate) fn plan(&self, change: impl FnOnce(&mut Value)) {
        let path = self.root.join("plan.json");
        let mut plan = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut plan);
        fs::write(&path, plan.to_string()).unwrap();
    }

    /// Puts an executable beside the plan, on the path of every pilot.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let bin = self.root.join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(name), script).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(VSOTA);
        command.args(["gap", "pilot", "--grace", "1", "--plan"]).arg(self.root.join("plan.json"));
        let path = format!("{}/bin:{}", self.root, std::env::var("PATH").unwrap());
        command.args(args).env("PATH", path).stdin(Stdio::null()).current_dir(&self.root);
        command
    }

    pub(crate) fn pilot(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The processes that name this directory or its port in their words.
    pub(crate) fn family(&self) -> Vec<String> {
        let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let words = all.map(|it| fs::read(it.path().join("cmdline")).unwrap_or_default());
        let words = words.map(|it| String::from_utf8_lossy(&it).replace('\0', " "));
        let port = format!("--port {} ", self.port);
        words.filter(|it| it.contains(self.root.as_str()) || it.contains(&port)).collect()
    }
}

fn answer(ended: &Output) -> Value {
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    serde_json::from_slice(&ended.stdout).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect()
}

/// How long a launch took beside the others, as its own log tells.
fn planted(log: &Utf8Path) -> f64 {
    let text = fs::read_to_string(log).unwrap();
    let told = text.split("this launch takes ").nth(1).unwrap();
    told.split(' ').next().unwrap().parse().unwrap()
}

fn cv_pct(ratios: &[f64]) -> f64 {
    let n = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / n;
    let squares = ratios.iter().map(|it| (it - mean).powi(2)).sum::<f64>();
    100.0 * (squares / (n - 1.0) / 2.0).exp_m1().sqrt()
}

#[test]
fn a_run_that_cannot_be_made_is_found_before_the_launch() {
    let rig = Rig::new("0");
    rig.plan(|plan| plan["benchmark"] = json!({"endpoint": "/v1/embeddings"}));
    let keep = rig.root.join("kept");
    let refused = rig.pilot(&["--blocks", "4", "--keep", keep.as_str()]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(4), "{said}");
    assert!(said.contains("endpoint"), "{said}");
    let log = keep.join("01-0-a/server.log");
    assert!(!log.exists(), "a server was launched for nothing");
}

#[test]
fn the_noise_that_was_planted_is_found() {
    let rig = Rig::new("20");
    let keep = rig.root.join("kept");
    let args = ["--blocks", "6", "--scenario", "chat", "--keep", keep.as_str(), "--json"];
    let found = answer(&rig.pilot(&args));
    assert_eq!(found["mock"], true);
    assert_eq!((&found["a"], &found["b"]), (&json!("vllm-base"), &json!("vllm-base")));
    let chat = &found["scenarios"][0];
    let (a, b) = (numbers(&chat["a"]), numbers(&chat["b"]));
    assert_eq!((a.len(), b.len(), chat["redone"].as_u64()), (6, 6, Some(0)), "{chat}");
    let mut wanted = Vec::new();
    for (at, (a, b)) in a.iter().zip(&b).enumerate() {
        let log = |side: &str| keep.join(format!("{:02}-0-{side}/server.log", at + 1));
        // A launch that takes longer answers fewer requests a second.
        let ratio = (planted(&log("b")) / planted(&log("a"))).ln();
        assert!(((a / b).ln() - ratio).abs() < 0.15, "block {at}: {} {ratio}", (a / b).ln());
        wanted.push(ratio);
    }
    let (cv, wanted) = (chat["noise"]["cv_pct"].as_f64().unwrap(), cv_pct(&wanted));
    assert!((cv / wanted - 1.0).abs() < 0.3, "{cv} {wanted}");
    // So much noise tells nothing of 1 %.
    assert_eq!(chat["needs"][0]["blocks"], Value::Null);
    // Half of the blocks began with the other side.
    let first = |at: usize, side: &str| {
        let file = keep.join(format!("{at:02}-0-{side}/chat.run.json"));
        let record: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        record["started_at"].as_str().unwrap().to_owned()
    };
    assert!((1..=6).all(|it| (first(it, "a") < first(it, "b")) == (it % 2 == 1)));
    assert!(!rig.root.join("runs").exists() && !rig.root.join("benchmark").exists());
}

#[test]
fn another_candidate_takes_turns_with_the_first() {
    let rig = Rig::new("0");
    let keep = rig.root.join("kept");
    let args = ["--blocks", "4", "--against", "vllm-1", "--keep", keep.as_str(), "--json"];
    let found = answer(&rig.pilot(&args));
    assert_eq!((&found["a"], &found["b"]), (&json!("vllm-base"), &json!("vllm-1")));
    let scenarios = found["scenarios"].as_array().unwrap();
    for (at, it) in scenarios.iter().enumerate() {
        assert_eq!(it["scenario"], ["chat", "long"][at]);
        let (a, b) = (numbers(&it["a"]), numbers(&it["b"]));
        // A verdict would rest on the first two blocks, where these lie far apart; a pilot rests on all.
        let ratios = a.iter().zip(&b).map(|(a, b)| (a / b).ln());
        let (mean, interval) = (ratios.sum::<f64>() / 4.0, &it["interval"]);
        assert_eq!(interval["n"], 4, "{it}");
        let [found, lo, hi] = ["mean", "lo", "hi"].map(|key| interval[key].as_f64().unwrap());
        assert!((found - mean).abs() < 1e-9 && lo <= mean && mean <= hi, "{it}");
        for block in 1..=4 {
            for (side, id, flag) in [("a", "vllm-base", false), ("b", "vllm-1", true)] {
                let file = keep.join(format!(
                    "{block:02}-0-{side}/{}.run.json",
                    it["scenario"].as_str().unwrap()
                ));
                let record: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
                let words = record["server_command"].as_array().unwrap();
                let has = words.contains(&json!("--async-scheduling"));
                assert_eq!((&record["candidate_id"], has), (&json!(id), flag), "{record}");
            }
        }
    }
    assert_eq!(scenarios.len(), 2);
}

/// On a terminal one line is written over; anywhere else each step has its own.
#[test]
fn a_terminal_has_a_live_line_and_anything_else_has_lines() {
    let rig = Rig::new("0");
    let lines = rig.pilot(&["--blocks", "4", "--scenario", "chat"]);
    let told = String::from_utf8_lossy(&lines.stderr).into_owned();
    assert!((1..=4).all(|it| told.contains(&format!("{it}/4  vllm-base"))), "{told}");
    assert!(!told.contains('\r') && !told.contains('\u{1b}'), "{told}");
    let plan = rig.root.join("plan.json");
    let words = format!("{VSOTA} gap pilot --grace 1 --plan {plan} --blocks 4 --scenario chat");
    let mut command = Command::new("script");
    command.args(["-qec", &words, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::null());
    let Ok(live) = command.output() else {
        println!("skipped: there is no `script` here to make a terminal");
        return;
    };
    let told = String::from_utf8_lossy(&live.stdout).into_owned();
    assert!(live.status.success(), "{told}");
    assert!(told.contains("1/4  vllm-base, then vllm-base") && told.contains('\u{1b}'), "{told:?}");
    assert!(!told.contains("4/4  vllm-base, then vllm-base  ("), "{told:?}");
}

#[test]
fn what_the_plan_does_not_have_is_named() {
    let rig = Rig::new("0");
    for (args, code, words) in [
        (&["--candidate", "vllm-7"][..], 4, "it has vllm-base, vllm-1"),
        (&["--scenario", "none"], 4, "no such scenario"),
        (&["--blocks", "5"], 2, "--blocks"),
    ] {
        let ended = rig.pilot(args);
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{told}");
        assert!(told.contains(words), "{told}");
    }
    // Without a plan a campaign is needed.
    let mut command = Command::new(VSOTA);
    command.args(["gap", "pilot"]).current_dir(&rig.root).env_remove("VSOTA_RUN_DIR");
    assert_eq!(command.output().unwrap().status.code(), Some(7));
}

#[test]
fn a_block_that_breaks_again_and_again_is_given_up() {
    let rig = Rig::new("0");
    rig.plan(|plan| plan["frameworks"]["vllm"]["benchmark_command"] = json!(["false"]));
    let ended = rig.pilot(&["--blocks", "4"]);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains("broke 3 times in a row"), "{told}");
    assert!(told.contains("the client ended with code 1"), "{told}");
}
