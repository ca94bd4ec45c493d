//! What must hold of any bytes, a function a family of files.
//!
//! The fuzz targets call the functions with what libFuzzer thinks of; a test of the core calls them
//! with the kept corpus. They need nothing but the core, so that they build quickly.

use vsota_core::evidence::{
    BlockRecord, EvidenceError, Item, Metrics, Reader, RunRecord, ServerLog, companion_row, json,
    read, smi,
};
use vsota_core::facts::Status;

/// The columns of the tables in the corpus.
const SMI_QUERY: &str =
    "index,name,clocks.sm,power.draw,memory.used,ecc.mode.current,clocks_throttle_reasons.active";

/// A family of files and what must hold of any bytes that are taken for one.
pub type Target = (&'static str, fn(&[u8]));

/// Every family.
pub const TARGETS: [Target; 9] = [
    ("json", any_json),
    ("vllm", any_result),
    ("sglang", any_result),
    ("trtllm", any_result),
    ("companion", any_result),
    ("server_log", any_log),
    ("metrics", any_scrape),
    ("smi", any_table),
    ("records", any_record),
];

/// The function of a family.
///
/// Panics when there is no such family.
pub fn target(name: &str) -> fn(&[u8]) {
    match TARGETS.iter().find(|(target, _)| *target == name) {
        Some((_, function)) => *function,
        None => panic!("no fuzz target {name}"),
    }
}

fn check(error: &EvidenceError) {
    assert!(!error.message.is_empty(), "an error without a message");
    assert!(!error.to_string().chars().any(vsota_core::text::is_unsafe), "{error:?}");
}

fn any_json(bytes: &[u8]) {
    let (found, errors) = json::values(bytes);
    errors.iter().for_each(check);
    for value in found {
        let _ = value.value.strict();
    }
}

/// Whatever is read can be a result, and pieces say what the whole says.
fn any_result(bytes: &[u8]) {
    let (items, errors) = read(bytes);
    assert!(!items.is_empty() || !errors.is_empty(), "a file that says nothing");
    errors.iter().for_each(check);
    for (line, item) in &items {
        assert!(*line > 0, "lines count from 1");
        if let Item::Native(run) = item {
            assert!(run.requested.is_none_or(|it| run.completed <= it), "{run:?}");
            assert!(run.status == Status::Ok || run.metrics.is_empty(), "{run:?}");
            assert!(run.completed > 0 || run.status != Status::Ok, "{run:?}");
            assert!(run.check_arithmetic().is_ok(), "{run:?}");
            assert!(companion_row(run).is_object(), "{run:?}");
        }
    }
    let piece = 1 + bytes.len() / 3 + usize::from(bytes.first().copied().unwrap_or_default()) % 7;
    let mut reader = Reader::new();
    let mut again: Vec<_> = bytes.chunks(piece).flat_map(|it| reader.feed(it)).collect();
    again.extend(reader.end());
    let again: Vec<_> = again.into_iter().filter_map(Result::ok).collect();
    assert_eq!(items, again, "pieces and the whole differ");
}

fn any_log(bytes: &[u8]) {
    if let Err(error) = ServerLog::read(bytes) {
        check(&error);
    }
}

fn any_scrape(bytes: &[u8]) {
    match Metrics::read(bytes) {
        Ok(scrape) => {
            assert!(scrape.framework.is_some(), "{scrape:?}");
            let nothing = scrape.since(&scrape);
            assert!(nothing.is_ok_and(|it| it.prefix_hit_rate().is_none()), "{scrape:?}");
        }
        Err(error) => check(&error),
    }
}

fn any_table(bytes: &[u8]) {
    for table in [smi::read(bytes), smi::read_headless(bytes, SMI_QUERY)] {
        match table {
            Ok(gpus) => assert!(!gpus.is_empty(), "a table without a GPU"),
            Err(error) => check(&error),
        }
    }
}

fn any_record(bytes: &[u8]) {
    if let Err(error) = RunRecord::read(bytes) {
        check(&error);
    }
    if let Err(error) = BlockRecord::read(bytes) {
        check(&error);
    }
    any_result(bytes);
}
