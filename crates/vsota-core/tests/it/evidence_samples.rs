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

use vsota_core::evidence::{NativeRun, companion_row, read_all};
use vsota_core::facts::{Metric, Status};

fn samples() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let root = std::env::var_os("VSOTA_SAMPLES").map_or(beside, PathBuf::from);
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no samples at {}", root.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn checked(path: &Path) -> (Vec<(u64, NativeRun)>, usize) {
    let (runs, errors) = read_all(&fs::read(path).unwrap());
    assert!(!runs.is_empty() || !errors.is_empty(), "{} says nothing", path.display());
    for (_, run) in &runs {
        run.check_arithmetic().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(run.completed == 0, run.status == Status::Failed, "{}", path.display());
        assert_eq!(run.completed == 0, run.metrics.is_empty(), "{}", path.display());
        assert!(companion_row(run).is_object());
    }
    assert!(errors.iter().all(|error| !error.message.is_empty()));
    (runs, errors.len())
}

#[test]
fn every_real_file_is_read_or_named() {
    let Some(root) = samples() else { return };
    for (folder, runs, unread) in [
        ("vllm-bench", 24, 1),
        ("sglang-bench", 18, 0),
        ("trtllm-bench", 7, 0),
        ("synthetic-trtllm-serve", 6, 1),
    ] {
        let found: Vec<_> = files(&root.join(folder)).iter().map(|path| checked(path)).collect();
        let read: usize = found.iter().map(|(runs, _)| runs.len()).sum();
        let errors: usize = found.iter().map(|(_, errors)| errors).sum();
        assert_eq!((read, errors), (runs, unread), "{folder}");
    }
}

#[test]
fn every_other_file_of_the_samples_is_named() {
    let Some(root) = samples() else { return };
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
    let Some(root) = samples() else { return };
    let all: Vec<_> = files(&root.join("vllm-cpu/bench-vllm/ab"))
        .into_iter()
        .filter(|it| it.extension().is_some_and(|it| it == "json"))
        .collect();
    assert_eq!(all.len(), 20);
    for path in all {
        let (runs, errors) = checked(&path);
        assert_eq!((runs.len(), errors), (1, 0));
        let run = &runs[0].1;
        assert_eq!((run.completed, run.requested), (24, Some(24)));
        assert!(run.metric(Metric::RequestThroughput).is_some());
        assert!(run.date.is_some());
    }
}
