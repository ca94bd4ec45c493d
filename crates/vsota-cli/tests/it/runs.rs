//! The tool runs servers and clients itself: what fails is recorded, what is killed goes on, nobody is
//! left.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

const VSOTA: &str = env!("CARGO_BIN_EXE_vsota");

/// A live demonstration up to the declared search, small and with another plan where wanted.
pub(crate) struct Site {
    pub(crate) run: Utf8PathBuf,
    _dir: tempfile::TempDir,
}

fn vsota() -> Command {
    let mut command = Command::new(VSOTA);
    command.stdin(Stdio::null()).env_remove("SOURCE_DATE_EPOCH");
    command
}

impl Site {
    pub(crate) fn new(change: impl Fn(&str) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap().canonicalize_utf8().unwrap();
        let ended =
            vsota().args(["demo", "--live", "--evidence-only", "--dir"]).arg(&root).output();
        assert!(ended.unwrap().status.success());
        let evidence = root.join("evidence");
        for (file, change) in
            [("plan.yaml", &change as &dyn Fn(&str) -> String), ("workload.yaml", &small)]
        {
            let path = evidence.join(file);
            fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
        }
        let site = Self { run: root.join("runs/r"), _dir: dir };
        fs::create_dir(root.join("runs")).unwrap();
        for step in fs::read_to_string(evidence.join("steps.txt")).unwrap().lines() {
            if step == "bench\u{1f}run" {
                break;
            }
            let words = step.split('\u{1f}');
            let named = words.map(|it| match it.strip_prefix('@') {
                Some(path) => evidence.join(path).to_string(),
                None => it.to_owned(),
            });
            let ended = site.vsota().args(named).output().unwrap();
            assert!(ended.status.success(), "{step}: {}", String::from_utf8_lossy(&ended.stderr));
        }
        site
    }

    pub(crate) fn vsota(&self) -> Command {
        let mut command = vsota();
        command.args(["-C", self.run.as_str()]);
        command
    }

    fn bench_run(&self) -> Output {
        self.vsota().args(["bench", "run", "--grace", "1"]).output().unwrap()
    }

    /// The filed rows.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let journal = fs::read_to_string(self.run.join("humanize/lineage.jsonl")).unwrap();
        let events = journal.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        events.filter_map(|it| it["event"].get("candidate-filed").cloned()).collect()
    }
}

/// Runs of a fifth of a second.
fn small(workload: &str) -> String {
    workload.replace("num_prompts: 16", "num_prompts: 8").replace("output_len: 32", "output_len: 8")
}

impl Site {
    fn ports(&self) -> Vec<u16> {
        let site = fs::read_to_string(self.run.join("../../evidence/site.json")).unwrap();
        serde_json::from_str::<(String, Vec<u16>)>(&site).unwrap().1
    }

    /// The processes that carry a marker and have this campaign, or one of its ports, in their words.
    fn family(&self) -> Vec<String> {
        let ports: Vec<String> = self.ports().iter().map(|it| format!("--port {it} ")).collect();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let read = |what: &str| fs::read(entry.path().join(what)).unwrap_or_default();
            let marked =
                read("environ").split(|it| *it == 0).any(|it| it.starts_with(b"VSOTA_RUN="));
            let words = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let ours =
                words.contains(self.run.as_str()) || ports.iter().any(|it| words.contains(it));
            if marked && ours {
                found.push(words);
            }
        }
        found
    }
}

#[test]
fn a_killed_run_leaves_nobody_and_goes_on_where_it_was() {
    let site = Site::new(str::to_owned);
    let mut kills = 0;
    let ended = loop {
        let mut child = site
            .vsota()
            .args(["bench", "run"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if kills == 3 {
            break child.wait().unwrap();
        }
        thread::sleep(Duration::from_millis(700 + 300 * kills));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let begun = Instant::now();
        while !site.family().is_empty() && begun.elapsed() < Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(site.family(), Vec::<String>::new());
    };
    assert!(ended.success());
    let mut done: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut digests = Vec::new();
    for row in site.rows() {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(row["mock"], true, "{row}");
        if row["status"] == "ok" {
            *done.entry((text("id"), text("scenario"))).or_default() += 1;
            digests.push(row["result"]["sha256"].clone());
        } else {
            assert!(text("failure_reason").starts_with("interrupted:"), "{row}");
        }
    }
    assert_eq!(done.len(), 24, "{done:?}");
    digests.sort_by_key(Value::to_string);
    let all = digests.len();
    digests.dedup();
    assert_eq!(digests.len(), all, "a result is counted twice");
    assert!(!site.run.join("benchmark/running").exists());
    assert!(
        site.vsota().args(["verify", "--without", "checkout"]).output().unwrap().status.success()
    );
}

#[test]
fn what_goes_wrong_is_recorded_with_its_reason() {
    let site = Site::new(|plan| {
        let (vllm, rest) = plan.split_once("  sglang:").unwrap();
        let (sglang, trt) = rest.split_once("  tensorrt_llm:").unwrap();
        let crash = |text: &str, mode: &str| {
            text.replacen(
                "\"mock-server\",",
                &format!("\"mock-server\",\"--crash\",\"{mode}\","),
                1,
            )
            .replace("ready_seconds: 30", "ready_seconds: 1")
        };
        let (vllm, sglang) = (crash(vllm, "lies"), crash(sglang, "oom"));
        format!("{vllm}  sglang:{sglang}  tensorrt_llm:{}", crash(trt, "dies"))
    });
    let ended = site.bench_run();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let rows = site.rows();
    assert_eq!(rows.len(), 24);
    for row in &rows {
        let reason = row["failure_reason"].as_str().unwrap_or_default();
        let (status, words) = match row["framework"].as_str().unwrap() {
            "vllm" => ("timeout", "says that it is ready, and answers no request"),
            "sglang" => ("oom", "out of memory"),
            _ => ("failed", "the server ended with code 0"),
        };
        assert_eq!(row["status"], status, "{row}");
        assert!(reason.contains(words), "{reason}");
        assert!(row["log"]["sha256"].is_string());
    }
    // Nothing of it is run again, and nobody is left.
    assert!(site.bench_run().status.success());
    assert_eq!(site.rows().len(), 24);
}

#[test]
fn a_foreign_process_in_the_way_is_named_and_left_alone() {
    let site = Site::new(str::to_owned);
    let port = site.ports()[0];
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let ended = site.bench_run();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    let who = format!("process {}", std::process::id());
    assert!(told.contains(&who) && told.contains("left alone"), "{told}");
    assert!(site.rows().is_empty());
    drop(listener);
}

#[test]
fn a_second_runner_is_refused_while_transitions_go_on() {
    let site = Site::new(str::to_owned);
    let mut child = site
        .vsota()
        .args(["bench", "run"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(600));
    let second = site.bench_run();
    assert_eq!(second.status.code(), Some(6), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(site.vsota().arg("status").output().unwrap().status.success());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// P15: the reaper may be killed as well; the run then ends by itself and nobody of it is left.
#[test]
fn a_killed_reaper_leaves_nobody_either() {
    let site = Site::new(str::to_owned);
    let mut child = site.vsota();
    child.args(["bench", "run", "--grace", "1"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    let reapers = || {
        let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let words = |it: &fs::DirEntry| fs::read(it.path().join("cmdline")).unwrap_or_default();
        let ours = |it: &fs::DirEntry| {
            let words = String::from_utf8_lossy(&words(it)).replace('\0', " ");
            words.contains("__reap")
                && site.ports().iter().any(|port| words.contains(&format!("--port {port} ")))
        };
        all.filter(ours)
            .filter_map(|it| it.file_name().to_str()?.parse().ok())
            .collect::<Vec<i32>>()
    };
    let begun = Instant::now();
    while reapers().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no reaper comes up");
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(300));
    for pid in reapers() {
        let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(90), "it hangs");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(site.family(), Vec::<String>::new());
}
