//! Real files, where a checkout has them: each is read or named, none panics.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

use std::fs;
use std::path::{Path, PathBuf};

use vsota_core::evidence::{
    EvidenceError, Metrics, NativeRun, ServerLog, companion_row, read_all, smi,
};
use vsota_core::facts::{Framework, LatencyKind, Metric, Stat, Status};
use vsota_fixtures::samples;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn checked(path: &Path) -> (Vec<(u64, NativeRun)>, Vec<EvidenceError>) {
    let (runs, errors) = read_all(&fs::read(path).unwrap());
    assert!(!runs.is_empty() || !errors.is_empty(), "{} says nothing", path.display());
    for (_, run) in &runs {
        run.check_arithmetic().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(run.completed == 0, run.status == Status::Failed, "{}", path.display());
        assert_eq!(run.completed == 0, run.metrics.is_empty(), "{}", path.display());
        assert!(companion_row(run).is_object());
    }
    assert!(errors.iter().all(|error| !error.message.is_empty()));
    (runs, errors)
}

/// The folders whose every file stands in `samples.txt`.
const TABLED: [&str; 5] =
    ["sglang-bench", "synthetic-trtllm-serve", "trtllm-bench", "vllm-bench", "vllm-cpu"];

/// What a file holds, a line a value: `LINE FORMAT FRAMEWORK STATUS COMPLETED/SENT` with requests
/// and tokens a second and the median TTFT in ms, or `unreadable` and what it is.
fn outcome(path: &Path) -> Vec<String> {
    let (runs, errors) = checked(path);
    let value = |run: &NativeRun, metric| {
        run.metric(metric).map_or("-".into(), |it| format!("{:?}", it.get()))
    };
    let rows = runs.iter().map(|(line, run)| {
        let framework = run.framework().map_or("-", Framework::as_str);
        let sent = run.requested.map_or("-".into(), |it| it.to_string());
        let numbers = [
            Metric::RequestThroughput,
            Metric::OutputTokenThroughput,
            Metric::latency(Stat::P50, LatencyKind::Ttft),
        ];
        let numbers = numbers.map(|it| value(run, it)).join(" ");
        let (format, status, done) = (run.format, run.status, run.completed);
        format!("{line} {format} {framework} {status} {done}/{sent} {numbers}")
    });
    let named = errors.iter().map(|it| {
        let short: String = it.message.chars().take(72).collect();
        format!(
            "unreadable {} {}",
            it.line.map_or("-".into(), |it| it.to_string()),
            short.trim_end()
        )
    });
    rows.chain(named).collect()
}

#[test]
fn every_file_of_the_samples_has_its_outcome_and_every_outcome_its_file() {
    let Some(root) = samples("") else { return };
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/samples.txt");
    let mut found = String::new();
    for folder in TABLED {
        for path in files(&root.join(folder)) {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            for line in outcome(&path) {
                found.push_str(&format!("{name}\n    {line}\n"));
            }
        }
    }
    if std::env::var_os("VSOTA_REWRITE_DOCS").is_some() {
        fs::write(&table, &found).unwrap();
    }
    let expected = fs::read_to_string(&table).unwrap();
    let pairs = |text: &str| -> Vec<(String, String)> {
        let lines: Vec<&str> = text.lines().collect();
        lines.chunks(2).map(|it| (it[0].to_owned(), it[1].trim().to_owned())).collect()
    };
    let (found, expected) = (pairs(&found), pairs(&expected));
    for pair in &expected {
        assert!(found.contains(pair), "not found: {pair:?}");
    }
    for pair in &found {
        assert!(expected.contains(pair), "not in samples.txt: {pair:?}");
    }
    assert_eq!(found, expected);
}

#[test]
fn every_other_file_of_the_samples_is_named() {
    let Some(root) = samples("") else { return };
    for folder in [
        "vllm-cpu",
        "vllm-serve-log",
        "vllm-metrics",
        "companion-output",
        "humanize",
        "ncu-csv",
        "nvidia-smi",
    ] {
        for path in files(&root.join(folder)) {
            checked(&path);
        }
    }
}

#[test]
fn the_unchanged_set_decodes_whole() {
    let Some(root) = samples("") else { return };
    let all: Vec<_> = files(&root.join("vllm-cpu/bench-vllm/ab"))
        .into_iter()
        .filter(|it| it.extension().is_some_and(|it| it == "json"))
        .collect();
    assert_eq!(all.len(), 20);
    for path in all {
        let (runs, errors) = checked(&path);
        assert_eq!((runs.len(), errors.len()), (1, 0));
        let run = &runs[0].1;
        assert_eq!((run.completed, run.requested), (24, Some(24)));
        assert!(run.metric(Metric::RequestThroughput).is_some());
        assert!(run.date.is_some());
    }
}

#[test]
fn the_logs_of_real_servers_tell_their_facts() {
    let Some(root) = samples("") else { return };
    let read = |name: &str| ServerLog::read(&fs::read(root.join(name)).unwrap()).unwrap();
    let log = read("vllm-cpu/server/server-g.stdout.log");
    assert_eq!(log.version.unwrap().as_str(), "0.32.0");
    assert_eq!((log.max_model_len, log.kv_cache_tokens), (Some(12_000), Some(261_446)));
    assert_eq!((log.prefix_caching, log.tensor_parallel), (Some(false), Some(1)));
    assert_eq!((log.dtype.unwrap().as_str(), log.failure), ("bfloat16", None));
    assert!(log.ready);
    let log = read("vllm-cpu/server/server-e.stdout.log");
    assert_eq!(log.prefix_cache_hits.map(|it| it.get()), Some(0.239));
    let mut failed = 0;
    for path in files(&root.join("vllm-serve-log")) {
        let log = ServerLog::read(&fs::read(&path).unwrap()).unwrap();
        let why = log.failure.unwrap_or_else(|| panic!("{}", path.display()));
        failed += 1;
        let name = path.display().to_string();
        assert_eq!(why.out_of_memory, name.contains("no_kv_cache_memory"), "{name}");
        for (part, reason) in [
            ("max_model_len_rejected", "User-specified max_model_len (999999)"),
            ("no_kv_cache_memory", "ValueError: No available memory for the cache blocks"),
            ("unrecognized_argument", "unrecognized arguments: --no-such-flag 3"),
        ] {
            assert!(!name.contains(part) || why.reason.as_str().starts_with(reason), "{why:?}");
        }
    }
    assert_eq!(failed, 3);
    for (name, reason) in [
        ("fail-badflag", "unrecognized arguments: --no-such-flag"),
        ("fail-engine", "User-specified max_model_len (1200000)"),
        ("fail-nomodel", "huggingface_hub.errors.HFValidationError: Repo id must be"),
        ("fail-portinuse", "OSError: [Errno 98] Address already in use"),
    ] {
        let why = read(&format!("vllm-cpu/server/{name}.stderr.log")).failure.unwrap();
        assert!(why.reason.as_str().starts_with(reason), "{name}: {why:?}");
    }
}

#[test]
fn the_scrapes_of_real_servers_tell_their_counts() {
    let Some(root) = samples("") else { return };
    let read = |name: &str| Metrics::read(&fs::read(root.join(name)).unwrap()).unwrap();
    let [idle, loaded] = ["idle", "loaded"].map(|state| {
        let found = files(&root.join("vllm-metrics"));
        let path = found.iter().find(|it| it.display().to_string().contains(state)).unwrap();
        Metrics::read(&fs::read(path).unwrap()).unwrap()
    });
    assert_eq!((loaded.prefix_queries, loaded.prefix_hits), (Some(339_968.0), Some(2_480.0)));
    assert_eq!((loaded.prefix_caching, loaded.kv_cache_blocks), (Some(true), Some(25_028)));
    assert_eq!(idle.prefix_hit_rate(), None);
    let before = read("vllm-cpu/server/metrics_idle.prom");
    let after = read("vllm-cpu/server/metrics_after_bench.prom");
    let between = after.since(&before).unwrap();
    assert_eq!(
        (between.prompt_tokens, between.generation_tokens),
        (Some(53_398.0), Some(11_830.0))
    );
    assert_eq!((between.preemptions, between.prefix_queries), (Some(0.0), Some(0.0)));
}

#[test]
fn the_tables_of_real_gpus_are_read() {
    let Some(root) = samples("") else { return };
    let found = files(&root.join("nvidia-smi"));
    assert_eq!(found.len(), 2);
    for path in found {
        let gpus = smi::read(&fs::read(path).unwrap()).unwrap();
        assert_eq!(gpus.len(), 8);
        assert_eq!(gpus.iter().filter_map(|it| it.index).sum::<u64>(), 28);
        assert!(gpus.iter().all(|it| it.clock_sm_max == Some(1_980.0) && it.power.is_some()));
        assert!(gpus.iter().all(|it| it.absent.is_empty() && it.name.is_none()));
    }
}
