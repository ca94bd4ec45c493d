//! Traces: planted truth comes out exactly, real ones as the table says, bad ones with their place.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use camino::Utf8PathBuf;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;
use vsota_core::evidence::{LayersFile, ProfileFile};
use vsota_fixtures::builders::traces::{LAYER_NS, MadeTrace, trace};
use vsota_fixtures::samples;

use crate::world::{json, vsota};

const STEPS: &[(u64, u64)] = &[(128, 0), (0, 4), (0, 32), (0, 256), (64, 3), (0, 1)];

pub(crate) fn placed(name: &str, bytes: &[u8]) -> (TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(dir.path().join(name)).unwrap();
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::best());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

pub(crate) fn analyzed(args: &[&str]) -> (i32, Value) {
    let ended = vsota().args(args).arg("--json").output().unwrap();
    (ended.status.code().unwrap(), json(&ended.stdout))
}

fn profile(path: &Utf8PathBuf) -> Value {
    let (exit, found) = analyzed(&["profile", "analyze", path.as_str(), "--min-share", "0"]);
    assert_eq!(exit, 0, "{found}");
    // What is printed is what may be filed.
    ProfileFile::parse(found.clone()).unwrap();
    found
}

pub(crate) fn ns(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no count: {value}"))
}

fn agrees(made: &MadeTrace, found: &Value) {
    let stages = found["stages"].as_array().unwrap();
    assert_eq!(stages.len(), made.stages.len());
    for stage in stages {
        let truth = &made.stages[stage["stage"].as_str().unwrap()];
        assert_eq!(ns(&stage["total_ns"]), truth.total_ns);
        assert_eq!(ns(&stage["busy_ns"]), truth.busy_ns, "{}", stage["stage"]);
        assert_eq!(ns(&stage["passes"]), truth.passes);
        let canonical = |raw: &str| {
            raw.strip_prefix("void ")
                .map_or(raw.to_owned(), |it| format!("void {}", it.rsplit_once('(').unwrap().0))
        };
        let planted: BTreeMap<String, (u64, u64)> =
            truth.kernels.iter().map(|(name, it)| (canonical(name), *it)).collect();
        let rows = stage["kernels"].as_array().unwrap();
        let row = |it: &Value| {
            (it["name"].as_str().unwrap().to_owned(), (ns(&it["total_ns"]), ns(&it["launches"])))
        };
        assert_eq!(rows.iter().map(row).collect::<BTreeMap<_, _>>(), planted);
        for it in rows {
            assert_eq!(it["locations"].as_array().unwrap().len(), 1, "{it}");
            assert_eq!(it["locations"][0]["share"], 1.0);
        }
        let hidden: BTreeMap<String, u64> =
            truth.hidden.iter().map(|(name, it)| (canonical(name), *it)).collect();
        for it in stage["overlap"].as_array().unwrap() {
            let kernel = rows.iter().find(|row| row["row"] == it["kernel"]).unwrap();
            let name = kernel["name"].as_str().unwrap();
            let share = hidden[name] as f64 / planted[name].0 as f64;
            assert!((it["hidden_share"].as_f64().unwrap() - share).abs() < 1e-12, "{name}");
        }
    }
}

#[test]
fn what_was_planted_comes_out_exactly() {
    let made = trace(4, STEPS);
    let (_dir, path) = placed("made.json", made.text.as_bytes());
    let found = profile(&path);
    agrees(&made, &found);
    assert_eq!(found["framework"], "vllm");
    assert_eq!((&found["device"], &found["ranks"][0]), (&"cuda".into(), &0.into()));
    let tokens = |stage: usize| {
        let it = &found["stages"][stage]["tokens"];
        (ns(&it["prefill"]), ns(&it["decode"]))
    };
    assert_eq!((tokens(0), tokens(1), tokens(2)), ((128, 0), (0, 293), (64, 3)));
    assert_eq!(found["unlocated_share"], 0.0);
    let location = |stage: usize, name: &str| {
        let rows = found["stages"][stage]["kernels"].as_array().unwrap();
        let row = rows.iter().find(|it| it["name"].as_str().unwrap().contains(name)).unwrap();
        row["locations"][0]["location"].clone()
    };
    assert_eq!(location(1, "flash_fwd"), "vllm/v1/attention/backends/flash_attn.py:512 forward");
    assert_eq!(location(3, "stray"), "made_benchmark.py:3 main");

    // The same text in two members of gzip, in a directory with other files.
    let (one, other) = made.text.as_bytes().split_at(made.text.len() / 3);
    let packed = [gzip(one), gzip(other)].concat();
    let (dir, path) = placed("rank0.json.gz", &packed);
    fs::write(dir.path().join("server_args.json"), "{}").unwrap();
    fs::write(dir.path().join("rank1.json.gz"), &packed).unwrap();
    fs::write(dir.path().join("notes.json"), "[1, 2]").unwrap();
    let again = profile(&path);
    assert_eq!(again["stages"], found["stages"]);
    let all = profile(&Utf8PathBuf::from_path_buf(dir.path().into()).unwrap());
    assert_eq!(all["stages"], found["stages"]);
}

#[test]
fn the_order_of_the_events_changes_no_row() {
    let made = trace(2, STEPS);
    let (_dir, path) = placed("made.json", made.text.as_bytes());
    let expected = profile(&path)["stages"].clone();
    let mut whole: Value = serde_json::from_str(&made.text).unwrap();
    let events = whole["traceEvents"].as_array().unwrap().clone();
    let turned = |change: fn(&mut Vec<Value>)| {
        let mut events = events.clone();
        change(&mut events);
        events
    };
    let by_time: fn(&mut Vec<Value>) = |events| {
        events.sort_by(|a, b| a["ts"].as_f64().unwrap().total_cmp(&b["ts"].as_f64().unwrap()));
    };
    let mixed: fn(&mut Vec<Value>) = |events| {
        let length = events.len();
        (0..length).for_each(|at| events.swap(at, (at * 7_919 + 13) % length));
    };
    for change in [by_time, mixed, |events| events.reverse()] {
        whole["traceEvents"] = turned(change).into();
        let (_dir, path) = placed("other.json", &serde_json::to_vec(&whole).unwrap());
        assert_eq!(profile(&path)["stages"], expected);
    }
}

#[test]
fn layers_come_out_exactly() {
    let made = trace(5, STEPS);
    let (dir, path) = placed("made.json", made.text.as_bytes());
    let config = dir.path().join("config.json");
    let types = r#"{"num_hidden_layers":5,"n_routed_experts":8,"first_k_dense_replace":2}"#;
    fs::write(&config, types).unwrap();
    let config = config.to_str().unwrap();
    let (exit, found) = analyzed(&["layers", "analyze", path.as_str(), "--config", config]);
    assert_eq!(exit, 0, "{found}");
    LayersFile::parse(found.clone()).unwrap();
    assert_eq!(found["anchor"]["how"], "profile");
    let stages: Vec<&str> = found["passes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["stage"].as_str().unwrap())
        .collect();
    assert_eq!(stages, ["prefill", "decode", "decode", "decode", "mixed", "decode"]);
    for (pass, scale) in [("0", 2), ("1", 1)] {
        let args = ["layers", "analyze", path.as_str(), "--config", config, "--pass", pass];
        let (_, found) = analyzed(&args);
        let layers = found["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 5);
        for it in layers {
            assert_eq!(ns(&it["kernels"]), 6, "{it}");
            assert_eq!(ns(&it["wall_ns"]), 90_000 * scale, "{it}");
            assert_eq!(ns(&it["sum_ns"]), 108_000 * scale, "{it}");
            assert_eq!(ns(&it["categories"]["gemm"]), 50_000 * scale, "{it}");
        }
        let clusters = &found["clusters"];
        assert_eq!(clusters[0]["layers"], serde_json::json!([0, 1]));
        assert_eq!((&clusters[0]["type"], &clusters[1]["type"]), (&"dense".into(), &"moe".into()));
        let range = &found["perfetto"][0];
        let length = range["end_s"].as_f64().unwrap() - range["start_s"].as_f64().unwrap();
        assert!((length - 90e-6 * scale as f64).abs() < 1e-9 && LAYER_NS == 100_000);
    }
    let args = ["layers", "analyze", path.as_str(), "--config", config, "--anchor", "nothing"];
    let (exit, found) = analyzed(&args);
    assert_eq!(exit, 4);
    assert!(found["error"]["message"].as_str().unwrap().contains("no kernel named `nothing`"));
}

#[test]
fn a_trace_that_cannot_be_read_is_told_with_its_place() {
    let text = trace(1, &[(0, 1)]).text;
    let packed = gzip(text.as_bytes());
    let half = &packed[..packed.len() / 2];
    let garbage = [&packed[..], b"garbage"].concat();
    let bomb = gzip(&vec![b' '; 80 << 20]);
    let idle =
        r#"{"traceEvents":[{"ph":"X","cat":"cpu_op","name":"a","ts":1,"dur":1,"pid":1,"tid":1}]}"#;
    let cases: &[(&str, &[u8], &str)] = &[
        ("half.json.gz", half, "the gzip is broken near its byte"),
        ("garbage.json.gz", &garbage, "the gzip is broken near its byte"),
        ("bomb.json.gz", &bomb, "--max-ratio raises that"),
        ("page.json", b"<!DOCTYPE html>", "byte 0: expected `{` or `[`"),
        ("cut.json", &text.as_bytes()[..200], "byte 200: the text ends"),
        ("quotes.json", br#"[{"ph":"X","name":"a "b" c"}]"#, "byte 22: expected `,` or `}`"),
        ("idle.json", idle.as_bytes(), "--device cpu makes the tables of the 1 operators"),
        ("empty.json", b"", "the file is empty"),
    ];
    for (name, bytes, message) in cases {
        let (_dir, path) = placed(name, bytes);
        let args = ["profile", "analyze", path.as_str(), "--framework", "vllm"];
        let (exit, found) = analyzed(&args);
        let told = found["error"]["message"].as_str().unwrap_or_default();
        assert_eq!((exit, told.contains(message)), (4, true), "{name}: {found}");
    }
    let (_dir, path) = placed("idle.json", idle.as_bytes());
    let args = ["profile", "analyze", path.as_str(), "--framework", "vllm", "--device", "cpu"];
    let (exit, found) = analyzed(&args);
    assert_eq!((exit, &found["stages"][0]["total_ns"]), (0, &1_000.into()));
}

/// File, exit, stage or message, passes, total ns, kernels (0: not counted): what must come out of each
/// real trace. The totals are sums over the raw events by another parser, with decimal numbers.
const REAL: &[(&str, i32, &str, u64, u64, usize)] = &[
    ("b200__eager", 0, "prefill", 1, 11_665_760, 32),
    ("h100__Qwen", 0, "unattributed", 0, 45_647_300, 28),
    ("sglang_prefilldecode", 0, "prefill", 1, 492_811_563, 29),
    ("vllm_decode_full", 0, "decode", 1, 10_717_708, 25),
    ("vllm_prefilldecode_piecewise", 0, "mixed", 1, 156_085_905, 24),
    ("torch_compile_triton", 0, "unattributed", 0, 12_549_021, 8),
    ("mi250_minitoy", 0, "unattributed", 0, 149_042, 13),
    ("backward_thread", 0, "unattributed", 0, 45_000, 1),
    ("cpu_only", 4, "no GPU work among 30 events", 0, 0, 0),
    ("cuda_event_sync", 0, "unattributed", 0, 51_000, 5),
    ("simple_add_et", 4, "an execution trace", 0, 0, 0),
    ("nccl_data", 0, "unattributed", 0, 165_185_838, 72),
    ("sampled_rank-0", 0, "unattributed", 0, 607_844_000, 0),
    ("triton_example", 0, "unattributed", 0, 1_760, 1),
];

pub(crate) fn real(root: &Path, part: &str) -> Utf8PathBuf {
    let files = fs::read_dir(root.join("gpu-trace")).unwrap().map(|it| it.unwrap().path());
    let found = files.into_iter().find(|it| it.to_str().unwrap().contains(part));
    Utf8PathBuf::from_path_buf(found.unwrap_or_else(|| panic!("no trace {part}"))).unwrap()
}

#[test]
fn every_real_trace_has_its_outcome() {
    let Some(root) = samples("") else { return };
    for (part, exit, stage, passes, total, kernels) in REAL {
        let path = real(&root, part);
        let args = ["profile", "analyze", path.as_str(), "--framework", "vllm", "--min-share", "0"];
        let (code, found) = analyzed(&args);
        assert_eq!(code, *exit, "{part}: {found}");
        if *exit != 0 {
            assert!(found["error"]["message"].as_str().unwrap().contains(stage), "{part}: {found}");
            continue;
        }
        let stages = found["stages"].as_array().unwrap();
        assert_eq!(stages.len(), 1, "{part}");
        assert_eq!((&stages[0]["stage"], ns(&stages[0]["passes"])), (&(*stage).into(), *passes));
        let rows = stages[0]["kernels"].as_array().unwrap();
        let sum: u64 = rows.iter().map(|it| ns(&it["total_ns"])).sum();
        assert_eq!(sum, ns(&stages[0]["total_ns"]), "{part}");
        let (wanted, found) = ((*total, *kernels), (sum, rows.len()));
        assert_eq!(wanted.0, found.0, "{part}: {found:?}");
        assert!(*kernels == 0 || wanted.1 == found.1, "{part}: {found:?}");
    }
}

#[test]
fn the_one_pass_of_the_b200_trace_is_found() {
    let Some(root) = samples("") else { return };
    let (_dir, config) =
        placed("config.json", br#"{"num_hidden_layers":36,"num_local_experts":128}"#);
    let path = real(&root, "b200__eager");
    let args = ["layers", "analyze", path.as_str(), "--config", config.as_str()];
    let (exit, found) = analyzed(&args);
    assert_eq!((exit, found["passes"].as_array().unwrap().len()), (0, 1), "{found}");
    assert_eq!(found["passes"][0]["stage"], "prefill");
    assert_eq!(found["layers"].as_array().unwrap().len(), 36);
    assert!(found["layers"].as_array().unwrap().iter().all(|it| it["kernels"] == 25));
}
