//! `bench read`: what stands in a file, a sweep or a heap of either; exit 4 where something could
//! not be read, and the answer all the same.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::ops::ControlFlow;
use std::process::{Command, Output as Ended};

use camino::Utf8Path;
use serde_json::Value;
use vsota_cli::rundir::intake;
use vsota_fixtures::builders::{
    MODEL, RunNumbers, SglangExtra, SglangVersion, Spread, VllmShape, VllmVersion, appended,
    server_failure, sglang_of, sweep_failure, sweep_tree, vllm_bench, vllm_of,
};

use crate::world::{World, binary, vsota};

fn numbers() -> RunNumbers {
    RunNumbers::plausible(MODEL, (1_000, 100), 7.25, 1_795_507_650_000)
}

fn read(world: &World, files: &[&str]) -> (Option<i32>, Value) {
    let ended = call(world, files);
    let text = String::from_utf8(ended.stdout).unwrap();
    (ended.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

fn call(world: &World, files: &[&str]) -> Ended {
    let args = ["--json", "bench", "read"];
    vsota().current_dir(&world.root).args(args).args(files).output().unwrap()
}

fn put(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    let path = world.root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The only message of a file that is nothing, and exit 4.
fn refused(world: &World, file: &str) -> String {
    let (exit, view) = read(world, &[file]);
    assert_eq!(exit, Some(4), "{view}");
    assert_eq!(view["rows"], serde_json::json!([]));
    assert_eq!(view["unreadable"].as_array().unwrap().len(), 1, "{view}");
    assert_eq!(view["unreadable"][0]["file"], file);
    view["unreadable"][0]["message"].as_str().unwrap().to_owned()
}

fn of<'a>(view: &'a Value, key: &str) -> Vec<&'a str> {
    let rows = view["rows"].as_array().unwrap();
    rows.iter().map(|row| row[key].as_str().unwrap_or("-")).collect()
}

#[test]
fn a_sweep_is_read_once_and_its_failures_are_rows() {
    let world = World::empty();
    for (name, text) in sweep_tree(&numbers()) {
        put(&world, &format!("results/20260801_101112/{name}"), text);
    }
    let (exit, view) = read(&world, &["results"]);
    assert_eq!(exit, Some(0), "{view}");
    let dir = "results/20260801_101112";
    let files: Vec<_> =
        view["rows"].as_array().unwrap().iter().map(|row| row["source"]["file"].clone()).collect();
    let expected = [
        "SERVE-seqs8-failure.json",
        "SERVE--seqs4-BENCH--two/run=0.json",
        "SERVE--seqs4-BENCH--two/run=1.json",
        "SERVE--seqs6-BENCH--two/run=0.json",
        "SERVE--seqs6-BENCH--two/run=1.json",
        "SERVE--seqs6-BENCH--two/run=2.failure.json",
    ]
    .map(|name| format!("{dir}/{name}"));
    assert_eq!(files, expected);
    assert_eq!(of(&view, "status"), ["oom", "ok", "ok", "ok", "ok", "failed"]);
    let rows = view["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["source"]["format"] == "vllm-sweep"));
    assert_eq!(rows[5]["failure_reason"], "CalledProcessError: the client exited with 1");
    assert_eq!(rows[5]["metrics"], serde_json::json!({}));
    // A combination by itself, and a summary by its name.
    let (exit, view) = read(&world, &[&format!("{dir}/SERVE--seqs4-BENCH--two")]);
    assert_eq!((exit, view["rows"].as_array().unwrap().len()), (Some(0), 2));
    let (exit, view) = read(&world, &[&format!("{dir}/SERVE--seqs4-BENCH--two/summary.json")]);
    assert_eq!((exit, view["rows"].as_array().unwrap().len()), (Some(0), 2));
}

#[test]
fn a_combination_without_a_run_is_named() {
    let world = World::empty();
    for (name, text) in sweep_tree(&numbers()) {
        put(&world, &format!("sweep/{name}"), text);
    }
    put(&world, "sweep/SERVE--seqs9-BENCH--two/warmup.json", "{}");
    let (exit, view) = read(&world, &["sweep"]);
    assert_eq!(exit, Some(4));
    assert_eq!(view["rows"].as_array().unwrap().len(), 6);
    assert_eq!(view["unreadable"][0]["file"], "sweep/SERVE--seqs9-BENCH--two");
    assert!(view["unreadable"][0]["message"].as_str().unwrap().contains("no run ended"));
}

#[test]
fn a_failed_combination_by_itself_is_a_row() {
    let world = World::empty();
    put(&world, "run=0.failure.json", sweep_failure(0, "ValueError", "no"));
    put(&world, "SERVE-a-failure.json", server_failure("TimeoutError", "not ready in 300 s"));
    let (exit, view) = read(&world, &["run=0.failure.json", "SERVE-a-failure.json"]);
    assert_eq!(exit, Some(0), "{view}");
    assert_eq!(of(&view, "status"), ["failed", "failed"]);
}

#[test]
fn a_directory_that_is_no_sweep_says_what_is_expected() {
    let world = World::empty();
    put(&world, "results/a.json", vllm_bench(&numbers()));
    let message = refused(&world, "results");
    assert!(message.contains("run=0.json") && message.contains("one by one"), "{message}");
    std::os::unix::fs::symlink(world.root.join("results"), world.root.join("link")).unwrap();
    assert!(refused(&world, "link").contains("run=0.json"));
}

#[test]
fn one_file_of_two_frameworks_has_rows_of_both() {
    let world = World::empty();
    let line = sglang_of(SglangVersion::V0_5_23, &numbers(), &SglangExtra::default()).unwrap();
    put(&world, "mixed.jsonl", format!("{line}{}\n{line}", vllm_bench(&numbers())));
    let (exit, view) = read(&world, &["mixed.jsonl"]);
    assert_eq!(exit, Some(0));
    assert_eq!(of(&view, "framework"), ["sglang", "vllm", "sglang"]);
    let lines: Vec<_> =
        view["rows"].as_array().unwrap().iter().map(|it| it["source"]["line"].clone()).collect();
    assert_eq!(lines, [1, 2, 3]);
}

#[test]
fn appended_results_of_one_run_after_the_other_are_rows() {
    let world = World::empty();
    put(&world, "append.json", appended(&[vllm_bench(&numbers()), vllm_bench(&numbers())]));
    let (exit, view) = read(&world, &["append.json"]);
    assert_eq!((exit, view["rows"].as_array().unwrap().len()), (Some(0), 2));
}

#[test]
fn a_run_in_which_every_request_failed_is_a_failed_row() {
    // The client exited with 0.
    let world = World::empty();
    put(&world, "a.json", vllm_bench(&RunNumbers { failed: 80, ..numbers() }));
    let (exit, view) = read(&world, &["a.json"]);
    assert_eq!(exit, Some(0));
    assert_eq!(of(&view, "status"), ["failed"]);
    assert_eq!(view["rows"][0]["metrics"], serde_json::json!({}));
    assert_eq!(view["rows"][0]["failure_reason"], "no request completed");
}

#[test]
fn a_burst_is_told_and_is_no_metric() {
    let world = World::empty();
    let burst = Spread { mean: 0.0041, p50: 0.003, p99: 0.02 };
    put(&world, "a.json", vllm_bench(&RunNumbers { tpot: burst, ..numbers() }));
    let (exit, view) = read(&world, &["a.json"]);
    assert_eq!(exit, Some(0));
    assert_eq!(view["rows"][0]["normalization"]["bursts"]["p50_tpot_ms"], 0.003);
    assert_eq!(view["rows"][0]["metrics"].get("p50_tpot_ms"), None);
    let text = vsota().current_dir(&world.root).args(["bench", "read", "a.json"]).output().unwrap();
    assert!(String::from_utf8(text.stdout).unwrap().contains("tokens came in bursts"));
}

/// Cases 39 to 42, 49 to 51 and 53 of the catalogue, and the other wrong files: all exit 4.
#[test]
fn wrong_files_are_exit_4_with_their_field() {
    let world = World::empty();
    let good = vllm_bench(&numbers());
    let with = |key: &str, value: &str| {
        let start = good.find(&format!("\"{key}\": ")).unwrap() + key.len() + 4;
        let end = good[start..].find([',', '}']).unwrap() + start;
        format!("{}{value}{}", &good[..start], &good[end..])
    };
    for (case, key, value) in [
        (38, "request_throughput", "NaN"),
        (39, "mean_ttft_ms", "1e999"),
        (40, "mean_ttft_ms", "-1.0"),
        (41, "request_throughput", "0.0"),
        (42, "failed", "1"),
        (49, "mean_ttft_ms", "0.0001"),
        (49, "mean_ttft_ms", "1e7"),
        (50, "median_ttft_ms", "1e5"),
        (51, "completed", "18446744073709551616"),
    ] {
        put(&world, "a.json", with(key, value));
        let message = refused(&world, "a.json");
        assert!(!message.is_empty(), "case {case}");
    }
    put(&world, "a.json", with("request_goodput", "Infinity"));
    assert_eq!(read(&world, &["a.json"]).0, Some(0), "case 38: beside the metrics it is read");
    for (text, what) in [
        ("", "empty"),
        (&good[..good.len() / 2], "truncated"),
        ("model,rate,p50,p99\nx,1,2,3\n", "comma-separated"),
        ("# HELP vllm:a b\n", "Prometheus"),
    ] {
        put(&world, "candidates.jsonl", text);
        let message = refused(&world, "candidates.jsonl");
        assert!(message.contains(what), "{message}");
    }
    assert!(refused(&world, "none.json").contains("no such file"));
}

#[test]
fn a_huge_file_is_read_without_being_held() {
    let world = World::empty();
    let sparse = File::create(world.root.join("sparse.json")).unwrap();
    sparse.set_len(4 << 30).unwrap();
    assert!(refused(&world, "sparse.json").contains("a binary file"));

    // 160 MB in two results, nearly all of it texts that nobody needs.
    let shape = VllmShape { detailed: true, ..VllmShape::default() };
    let text = vllm_of(VllmVersion::V0_32, &numbers(), &shape);
    let (before, after) = text.split_once("\"generated_texts\": [").unwrap();
    let mut file = File::create(world.root.join("huge.json")).unwrap();
    for _ in 0..2 {
        write!(file, "{before}\"generated_texts\": [").unwrap();
        for _ in 0..80 {
            file.write_all(format!("\"{}\", ", "x".repeat(1_000_000)).as_bytes()).unwrap();
        }
        writeln!(file, "{after}").unwrap();
    }
    // The address space, so the memory too, is bounded to 96 MB.
    let script = "ulimit -v 98304; exec \"$0\" --json bench read huge.json";
    let ended = Command::new("sh")
        .args(["-c", script])
        .arg(binary())
        .current_dir(&world.root)
        .env_clear()
        .output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let view: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(view["rows"].as_array().unwrap().len(), 2);
}

/// Case 54: a file that grows while it is read.
#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let world = World::empty();
    let path = world.root.join("growing.jsonl");
    fs::write(&path, vllm_bench(&numbers())).unwrap();
    let mut more = OpenOptions::new().append(true).open(&path).unwrap();
    let failure = intake::pieces(Utf8Path::new(path.as_str()), |_| {
        more.write_all(b"\n{}").unwrap();
        ControlFlow::Break(())
    })
    .unwrap_err();
    assert_eq!(failure.exit().code(), 4);
    assert!(format!("{failure:?}").contains("changed while it was read"));
}

#[test]
fn a_file_with_a_second_name_is_read() {
    let world = World::empty();
    put(&world, "one.json", vllm_bench(&numbers()));
    fs::hard_link(world.root.join("one.json"), world.root.join("two.json")).unwrap();
    let (exit, view) = read(&world, &["two.json"]);
    assert_eq!((exit, view["rows"].as_array().unwrap().len()), (Some(0), 1), "{view}");
}

#[test]
fn a_sweep_in_which_every_combination_died_says_so() {
    let world = World::empty();
    for name in ["SERVE--seqs4-BENCH--two", "SERVE--seqs6-BENCH--two"] {
        put(&world, &format!("sweep/20260801_101112/{name}/warmup.json"), "{}");
    }
    let (exit, view) = read(&world, &["sweep"]);
    assert_eq!((exit, &view["rows"]), (Some(4), &serde_json::json!([])));
    let unreadable = view["unreadable"].as_array().unwrap();
    assert_eq!(unreadable.len(), 3, "{view}");
    assert_eq!(unreadable[2]["file"], "sweep");
    let message = unreadable[2]["message"].as_str().unwrap();
    assert!(message.contains("every combination") && message.contains("--resume"), "{message}");
}
