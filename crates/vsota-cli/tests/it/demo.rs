//! The demonstration: it runs, it is proved, and it leans on every file of its evidence.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use vsota_fixtures::demo::Demo;

use crate::world::{World, vsota};

struct Ended {
    code: Option<i32>,
    told: String,
}

fn demo(dir: &Utf8Path) -> Ended {
    let ended = vsota().args(["demo", "--dir"]).arg(dir).output().unwrap();
    Ended { code: ended.status.code(), told: String::from_utf8(ended.stderr).unwrap() }
}

impl Ended {
    /// The command of the step that the demonstration stopped at.
    fn last_step(&self) -> &str {
        let mut steps = self.told.lines().filter_map(|it| it.trim().strip_prefix("$ vsota "));
        steps.next_back().unwrap_or("nothing")
    }
}

fn run_dir(dir: &Utf8Path) -> Utf8PathBuf {
    let mut runs = dir.join("runs").read_dir_utf8().unwrap();
    runs.next().unwrap().unwrap().path().to_owned()
}

fn documents(dir: &Utf8Path) -> BTreeMap<Utf8PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in dir.read_dir_utf8().unwrap() {
            let path = entry.unwrap().path().to_owned();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn it_ends_in_stopped_and_is_proved() {
    let world = World::empty();
    let ended = demo(&world.root);
    assert_eq!(ended.code, Some(0), "{}", ended.told);
    let run = run_dir(&world.root);
    let status = vsota().arg("-C").arg(&run).args(["--json", "status"]).output().unwrap();
    assert!(String::from_utf8(status.stdout).unwrap().contains(r#""phase":"stopped""#));
    let verify = vsota()
        .arg("-C")
        .arg(&run)
        .args(["verify", "--strict", "--without", "checkout"])
        .output()
        .unwrap();
    assert_eq!(verify.status.code(), Some(0), "{}", String::from_utf8_lossy(&verify.stdout));

    let before = documents(&run);
    let report = vsota().arg("-C").arg(&run).arg("report").output().unwrap();
    assert_eq!(report.status.code(), Some(0));
    assert!(before == documents(&run), "report changed a file");
}

#[test]
fn every_path_of_the_contract_is_there_with_content() {
    let world = World::empty();
    assert_eq!(demo(&world.root).code, Some(0));
    let run = run_dir(&world.root);
    for file in [
        "manifest.md",
        "benchmark/candidates.jsonl",
        "benchmark/summary.md",
        "benchmark/winning-commands.md",
        "analysis/root-cause.md",
        "analysis/layer-pipeline.md",
        "history/model-pr-history-notes.md",
        "humanize/model-loop-checkpoint.md",
        "humanize/attempt-ledger.md",
        "humanize/optimization-ledger.md",
        "humanize/source-idea-ledger.md",
        "humanize/lineage.jsonl",
        "final_report.md",
    ] {
        let text = fs::read_to_string(run.join(file)).unwrap_or_default();
        assert!(text.len() > 80, "{file} is missing or empty");
        let first = text.lines().next().unwrap();
        assert!(first.contains("demo"), "{file} does not say that it is a demonstration: {first}");
    }
    for dir in ["help", "profiles", "kernel/ncu-digests", "patches", "humanize/profile-digests"] {
        assert!(!documents(&run.join(dir)).is_empty(), "{dir} is empty");
    }
}

/// A file, what is changed in it, and the command whose step reads it.
const CHANGES: &[(&str, &str, &str, &str)] = &[
    ("config.json", "\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5", "layers file"),
    ("config.json", "bfloat16", "float16", "bench"),
    ("workload.yaml", "input_len: 1000,", "input_len: 2000,", "bench"),
    ("workload.yaml", "max_p50_ttft_ms: 2500", "max_p50_ttft_ms: 0", "init"),
    ("history/vllm.md", "- pr: 4242", "- pr: many", "history note"),
    ("history/sglang.md", "- framework: sglang", "- framework: vllm", "history"),
    ("companions/host-skill/SKILL.md", "name: host-skill", "title: host-skill", "companion note"),
    (
        "companions/llm-pipeline-analysis/SKILL.md",
        "name: llm-pipeline-analysis",
        "name: another",
        "companion note",
    ),
    ("help/vllm.txt", "vllm serve", "vllm", "bench help"),
    ("bench/vllm/runs.jsonl", "\"scenario\":\"chat\"", "\"scenario\":\"talk\"", "bench ingest"),
    ("bench/vllm/raw/vllm-001.json", "\"completed\": 80", "\"completed\": 79", "bench"),
    ("bench/sglang/raw/sglang-009.jsonl", "\"completed\": 80", "\"completed\": 7", "bench"),
    ("refined-plan.md", "- **profile**:", "- profile:", "loop plan"),
    ("loop-start.json", "\"strict_success\": true", "\"strict_success\": false", "loop start"),
    ("loop-start.json", "\"exit\": 0", "\"exit\": 1", "loop start"),
    ("stand/round-1.json", "\"active\"", "\"cancel\"", "round open"),
    ("gap/round-1/chat-1.json", "\"kind\": \"gap\"", "\"kind\": \"trial\"", "gap ingest"),
    ("gap/round-1/chat-1.json", "--async-scheduling", "--enforce-eager", "gap ingest"),
    (
        "profiles/round-1/vllm-decode.pt.trace.json",
        "\"traceEvents\":[",
        "\"traceEvents\":[,{\"ph\":\"X\",",
        "profile file",
    ),
    (
        "profiles/round-1/vllm-decode.pt.trace.json",
        "\"dur\":11.430",
        "\"dur\":-11.430",
        "profile file",
    ),
    (
        "profiles/round-1/vllm-decode.capture.json",
        "\"output_len\": 1000",
        "\"output_len\": 10",
        "profile file",
    ),
    (
        "profiles/round-1/sglang-prefill.capture.json",
        "\"round\": 1",
        "\"round\": 2",
        "profile file",
    ),
    (
        "drafts/root-cause.md",
        "- vllm:decode:kernel:3",
        "- vllm:decode:kernel:9",
        "profile root-cause",
    ),
    ("drafts/idea-splitkv.md", "- reason: ", "- provenance: ", "idea note"),
    ("drafts/kernel-target.md", "decode:kernel:3", "decode:fuse:1", "kernel open"),
    ("ncu/candidate.csv", "\"Duration\",\"us\"", "\"Duration\",\"%\"", "kernel digest"),
    ("ncu/baseline.csv", "\"Metric Value\"", "\"Minimum\",\"Maximum\"", "kernel digest"),
    ("drafts/patch.md", "- item: vllm-pr-4242", "- item: vllm-pr-1", "patch record"),
    ("git/patch.json", "csrc/moe/topk_softmax_kernels.cu", "docs/notes.md", "patch record"),
    (
        "tests/junit.xml",
        "name=\"test_empty_batch\" time=\"0.4\"/>",
        "name=\"test_empty_batch\" time=\"0.4\"><failure/></testcase>",
        "revalidate test",
    ),
    ("trial/chat-1.json", "\"build\": \"new\"", "\"build\": \"accepted\"", "revalidate ingest"),
    (
        "profiles/patched/vllm-decode.pt.trace.json",
        "topk_softmax_sorted_kernel",
        "topk_softmax_kernel",
        "revalidate accept",
    ),
    ("stand/complete.json", "\"complete\"", "\"maxiter\"", "stop confirm"),
];

#[test]
fn a_changed_value_stops_the_step_that_reads_it() {
    let world = World::empty();
    let files = Demo::new().files;
    for (number, (file, from, to, command)) in CHANGES.iter().enumerate() {
        let dir = world.root.join(number.to_string());
        write(&dir.join("evidence"), &files);
        let path = dir.join("evidence").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not hold {from}");
        // A kernel's name stands at each of its launches.
        let all = if file.ends_with(".trace.json") { usize::MAX } else { 1 };
        fs::write(&path, text.replacen(from, to, all)).unwrap();
        let ended = demo(&dir);
        let step = ended.last_step();
        assert!(
            matches!(ended.code, Some(3 | 4)),
            "{file}, {from}: {:?}\n{}",
            ended.code,
            tail(&ended)
        );
        assert!(step.starts_with(command), "{file}, {from}: stopped at {step}\n{}", tail(&ended));
    }
}

#[test]
fn a_file_of_each_kind_is_needed() {
    let files = Demo::new().files;
    let mut kinds = BTreeMap::new();
    for path in files.keys() {
        let words = ["vllm", "sglang", "tensorrt_llm", "trtllm", "prefill", "decode", "chat"];
        let words = words.into_iter().chain(["summarization", "-gate", "-confirm", "patched"]);
        let kind: String = path.chars().filter(|it| !it.is_ascii_digit()).collect();
        let kind = words.fold(kind, |kind, word| kind.replace(word, ""));
        kinds.entry(kind).or_insert(path.as_str());
    }
    needed(kinds.into_values());
}

/// The whole evidence, file by file; minutes.
#[test]
#[ignore = "minutes; run with `cargo test -p vsota-cli --test it every_file -- --ignored`"]
fn every_file_is_needed() {
    needed(Demo::new().files.keys().map(String::as_str));
}

fn needed<'a>(paths: impl Iterator<Item = &'a str>) {
    let files = Demo::new().files;
    let world = World::empty();
    for (number, path) in paths.enumerate() {
        for empty in [false, true] {
            let dir = world.root.join(format!("{number}-{empty}"));
            let evidence = dir.join("evidence");
            write(&evidence, &files);
            if empty {
                fs::write(evidence.join(path), "").unwrap();
            } else {
                fs::remove_file(evidence.join(path)).unwrap();
            }
            let ended = demo(&dir);
            let how = if empty { "emptied" } else { "deleted" };
            assert!(
                matches!(ended.code, Some(3 | 4)),
                "{path} {how}: {:?}\n{}",
                ended.code,
                tail(&ended)
            );
            fs::remove_dir_all(&dir).unwrap();
        }
    }
}

fn write(evidence: &Utf8Path, files: &BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in files {
        let path = evidence.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn tail(ended: &Ended) -> String {
    let lines: Vec<&str> = ended.told.lines().collect();
    lines[lines.len().saturating_sub(6)..].join("\n")
}
