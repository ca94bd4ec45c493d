//! Which files of a directory are the runs of a `vllm bench sweep`?
//!
//! Each combination of parameters has a directory with `run=0.json`, `run=1.json` and so on; one
//! that failed leaves `run=0.failure.json`, or `SERVE-NAME-failure.json` when its server never
//! started. `summary.json` holds the same runs once more, `warmup.json` is no run, and what lies
//! beside them is nobody's business.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use crate::failure::Failure;

/// A sweep's results lie at most so deep: results, experiment, combination, workload.
const DEPTH: usize = 4;

/// The most entries of a tree that are looked at.
const ENTRIES: usize = 20_000;

/// What a directory holds of a sweep, in the order of names and run numbers.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Results and records of failures.
    pub runs: Vec<Utf8PathBuf>,
    /// Directories of combinations in which no run ended.
    pub unfinished: Vec<Utf8PathBuf>,
}

/// Finds the runs of a sweep; links are not followed. Where every combination died there is none, and
/// the combinations are named.
///
/// # Errors
///
/// Bad evidence when the directory holds neither a run nor a combination, or too many entries to be a sweep; I/O when it
/// cannot be listed.
pub fn find(dir: &Utf8Path) -> Result<Sweep, Failure> {
    let mut sweep = Sweep::default();
    let mut left = ENTRIES;
    walk(dir, DEPTH, &mut left, &mut sweep)?;
    if sweep.runs.is_empty() && sweep.unfinished.is_empty() {
        let message = "a directory without a run of a vLLM sweep (run=0.json, run=1.json, … in a \
                       directory a combination): name its result files one by one";
        return Err(Failure::bad_evidence(message).in_file(dir));
    }
    Ok(sweep)
}

fn walk(dir: &Utf8Path, depth: usize, left: &mut usize, sweep: &mut Sweep) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::file("list", dir, error);
    let (mut files, mut folders) = (BTreeSet::new(), BTreeSet::new());
    for entry in dir.read_dir_utf8().map_err(|error| failed(&error))? {
        *left = left.checked_sub(1).ok_or_else(|| {
            let message = format_args!("more than {ENTRIES} entries: not the results of a sweep");
            Failure::bad_evidence(message).in_file(dir)
        })?;
        // A name that is not UTF-8 is none of a sweep's.
        let Ok(entry) = entry else { continue };
        let kind = entry.file_type().map_err(|error| failed(&error))?;
        if kind.is_dir() {
            folders.insert(entry.file_name().to_owned());
        } else if kind.is_file() {
            files.insert(entry.file_name().to_owned());
        }
    }
    let mut runs: Vec<(u64, &str)> =
        files.iter().filter_map(|name| Some((number(name, &files)?, name.as_str()))).collect();
    runs.sort_unstable();
    if runs.is_empty() && is_combination(dir) && folders.is_empty() {
        sweep.unfinished.push(dir.to_owned());
    }
    sweep.runs.extend(runs.iter().map(|(_, name)| dir.join(name)));
    if depth > 0 {
        for name in &folders {
            walk(&dir.join(name), depth.saturating_sub(1), left, sweep)?;
        }
    }
    Ok(())
}

/// The number of a run, or of a failure that no later try made good; a server's failure has none.
fn number(name: &str, files: &BTreeSet<String>) -> Option<u64> {
    if name.starts_with("SERVE-") && name.ends_with("-failure.json") {
        return Some(0);
    }
    let stem = name.strip_prefix("run=")?.strip_suffix(".json")?;
    match stem.strip_suffix(".failure") {
        None => stem.parse().ok(),
        Some(stem) if files.contains(&format!("run={stem}.json")) => None,
        Some(stem) => stem.parse().ok(),
    }
}

fn is_combination(dir: &Utf8Path) -> bool {
    let name = dir.file_name().unwrap_or_default();
    name.starts_with("SERVE--") || name.starts_with("BENCH--")
}
