//! What must hold of any bytes, a function a family of files.
//!
//! The fuzz targets call the functions with what libFuzzer thinks of; a test of the core calls them
//! with the kept corpus. They need nothing but the core, so that they build quickly.

use std::io::Read;
use std::num::NonZeroU32;

use vsota_core::Digest;
use vsota_core::evidence::pipeline::{self, Asked, ConfigFile, Model};
use vsota_core::evidence::tables::{Catalogue, Device, Role, Source, analyze};
use vsota_core::evidence::trace::{self, Limits, Trace, TraceError};
use vsota_core::evidence::{
    BlockRecord, EvidenceError, Item, LayersFile, Metrics, ProfileFile, Reader, RunRecord,
    ServerLog, checks, companion_row, diff, failing, hook, json, ncu, read, smi,
};
use vsota_core::facts::{Framework, Status};

/// The columns of the tables in the corpus.
const SMI_QUERY: &str =
    "index,name,clocks.sm,power.draw,memory.used,ecc.mode.current,clocks_throttle_reasons.active";

/// A family of files and what must hold of any bytes that are taken for one.
pub type Target = (&'static str, fn(&[u8]));

/// Every family.
pub const TARGETS: [Target; 16] = [
    ("json", any_json),
    ("vllm", any_result),
    ("sglang", any_result),
    ("trtllm", any_result),
    ("companion", any_result),
    ("server_log", any_log),
    ("metrics", any_scrape),
    ("smi", any_table),
    ("records", any_record),
    ("trace", any_trace),
    ("profile", any_profile),
    ("layers", any_layers),
    ("ncu", any_export),
    ("failing", any_failure),
    ("hook", any_call),
    ("diff", any_diff),
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

/// A source that gives few bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.1.min(to.len()).min(self.0.len());
        let (now, rest) = self.0.split_at(bytes);
        to[..bytes].copy_from_slice(now);
        self.0 = rest;
        Ok(bytes)
    }
}

fn traced(bytes: &[u8]) -> Result<Trace, TraceError> {
    let limits = Limits { event: 1 << 20, text: 1 << 30 };
    trace::read(&mut { bytes }, &limits)
}

/// However the bytes come, they tell the same; GPU work has a time.
fn any_trace(bytes: &[u8]) {
    let step = 1 + usize::from(bytes.first().copied().unwrap_or_default()) % 97;
    let limits = Limits { event: 1 << 20, text: 1 << 30 };
    let again = trace::read(&mut Slowly(bytes, step), &limits);
    match (traced(bytes), again) {
        (Ok(whole), Ok(again)) => {
            assert_eq!(whole.gpu, again.gpu);
            assert_eq!((whole.events, whole.bytes), (again.events, again.bytes));
            assert_eq!(whole.bytes, bytes.len() as u64);
            assert!(whole.gpu.iter().all(|it| it.duration > 0));
        }
        (Err(error), Err(again)) => {
            assert_eq!(error, again);
            assert!(!error.message.is_empty());
            assert!(!error.to_string().chars().any(vsota_core::text::is_unsafe), "{error:?}");
        }
        (whole, again) => panic!("{whole:?} and {again:?}"),
    }
}

fn source(trace: Trace) -> Source {
    Source {
        file: "rank0.json".to_owned(),
        sha256: Digest::of(b""),
        bytes: trace.bytes,
        rank: None,
        role: Role::Formal,
        named_stage: None,
        trace,
    }
}

/// The tables of any trace can be filed, and hold all of its work.
fn any_profile(bytes: &[u8]) {
    let Ok(trace) = traced(bytes) else { return };
    let work: u64 = trace.gpu.iter().fold(0, |sum, it| sum.saturating_add(it.duration));
    let sources = [source(trace)];
    let Ok(catalogue) = Catalogue::own() else { panic!("the own catalogue is broken") };
    for device in [Device::Gpu, Device::Cpu] {
        let Some(report) = analyze(Framework::Vllm, &sources, device, &catalogue) else { continue };
        let sum = report.stages.iter().fold(0_u64, |sum, it| sum.saturating_add(it.total_ns));
        assert!(device == Device::Cpu || sum == work, "{sum} and {work}");
        let value = serde_json::to_value(&report).unwrap_or_default();
        if let Err(error) = ProfileFile::parse(value) {
            panic!("what is printed cannot be filed: {error}");
        }
    }
}

/// The layers of any trace can be filed, or the reason is told.
fn any_layers(bytes: &[u8]) {
    let Ok(trace) = traced(bytes) else { return };
    let source = source(trace);
    for count in [1_u32, 2, 3] {
        let layers = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let types = (0..count).map(|_| "dense".to_owned()).collect();
        let model = Model { layers, extra: 0, types };
        let config = ConfigFile { file: "config.json".to_owned(), sha256: Digest::of(b""), model };
        match pipeline::layers(Framework::Vllm, &source, &config, &Asked::default()) {
            Ok(report) => {
                let value = serde_json::to_value(&report).unwrap_or_default();
                if let Err(error) = LayersFile::parse(value) {
                    panic!("what is printed cannot be filed: {error}");
                }
            }
            Err(error) => check(&error),
        }
    }
}

/// An export compares with itself, or the reason is told.
fn any_export(bytes: &[u8]) {
    match ncu::read(bytes) {
        Ok(report) => match report.side(None) {
            Ok(side) => {
                if let Err(error) = ncu::compare(&side, &side) {
                    check(&error);
                }
            }
            Err(error) => check(&error),
        },
        Err(error) => check(&error),
    }
}

/// What shows a failure names a line of it, and what keeps a server down is a failure of anything.
fn any_failure(bytes: &[u8]) {
    for of in [failing::Failing::Server, failing::Failing::Anything] {
        match failing::shown(bytes, of) {
            Ok(shown) => {
                if let Some(line) = shown.failure() {
                    assert!(!line.as_str().chars().any(vsota_core::text::is_unsafe), "{line:?}");
                }
            }
            Err(error) => check(&error),
        }
    }
    // The first line says what the others lack.
    let (reason, help) = bytes.split_at(bytes.iter().position(|it| *it == b'\n').unwrap_or(0));
    let reason = String::from_utf8_lossy(reason);
    if let Some(word) = failing::not_missing(&reason, help) {
        assert!(reason.contains(word) && !word.trim().is_empty(), "{word:?}");
    }
}

/// A payload is read or its fault told; as the words of a shell the same bytes name no place but a whole one.
fn any_call(bytes: &[u8]) {
    if let Err(error) = hook::tool_call(bytes, "/home", "/src") {
        check(&error);
    }
    let command = String::from_utf8_lossy(bytes);
    let payload = serde_json::json!({
        "tool_name": "Bash", "tool_input": {"command": command}, "cwd": "/src/vllm",
    });
    let Ok(call) = hook::tool_call(payload.to_string().as_bytes(), "/home", "/src") else {
        panic!("a command in words is a payload");
    };
    for deed in call.deeds {
        let place = match deed {
            hook::Deed::Write(it) | hook::Deed::Remove(it) | hook::Deed::Patch(it) => it,
            hook::Deed::Commit { dir, .. } => dir,
            hook::Deed::SetUpLoop(it) | hook::Deed::CancelLoop(it) => it,
        };
        assert!(place.starts_with('/'), "{place:?}");
    }
}

/// The checks that are gone are counted, in their order, and at least one of them is named.
fn any_diff(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match diff::touched(&text) {
        Ok(touched) => assert!(!touched.files.is_empty(), "{touched:?}"),
        Err(error) => check(&error),
    }
    let _ = diff::admits(&text);
    let gone = checks::gone(&text);
    assert!(gone.is_sorted_by_key(|it| it.loss), "{gone:?}");
    let fact = checks::fact(&text, None);
    assert_eq!(fact.as_ref().map_or(0, |it| it.count as usize), gone.len());
    assert!(fact.is_none_or(|it| !it.shown.is_empty()), "{gone:?}");
}
