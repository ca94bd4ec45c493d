//! Traces from the disk: which files, how they are inflated, and what they are.

use std::io::{BufReader, Read as _};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::Digest;
use vsota_core::evidence::tables::{Role, Source};
use vsota_core::evidence::trace::{self, Limits, TraceError};

use crate::failure::Failure;
use crate::progress::Progress;
use crate::rundir::intake;

pub mod names;
mod pipe;

use pipe::Pipe;

/// What a trace may inflate to where nobody says it.
const INFLATED: u64 = 64 << 30;

/// What one byte of gzip may inflate to where nobody says it.
const RATIO: u64 = 250;

/// Limits against files that inflate without end.
#[derive(Args, Clone, Copy, Debug)]
pub struct LimitArgs {
    /// The most bytes that a trace may inflate to
    #[arg(long, value_name = "BYTES", default_value_t = INFLATED)]
    pub max_inflated: u64,

    /// The most bytes that one byte of gzip may inflate to
    #[arg(long, value_name = "N", default_value_t = RATIO)]
    pub max_ratio: u64,
}

impl LimitArgs {
    /// Those that hold where nobody says others.
    pub fn usual() -> Self {
        Self { max_inflated: INFLATED, max_ratio: RATIO }
    }

    /// Those of a file that was taken in before.
    pub fn generous() -> Self {
        Self { max_inflated: u64::MAX, max_ratio: u64::MAX }
    }
}

/// The most bytes of a trace's file.
pub const FILE: u64 = 64 << 30;

/// Reads one trace.
///
/// # Errors
///
/// Bad evidence with the byte and what was expected there.
pub fn read(path: &Utf8Path, role: Role, limits: LimitArgs) -> Result<Source, Failure> {
    read_as(path, path.file_name().unwrap_or_default(), role, limits)
}

/// As [`read`], for a file that had another name, which tells its rank and its stage.
///
/// # Errors
///
/// As [`read`].
pub fn read_as(
    path: &Utf8Path,
    name: &str,
    role: Role,
    limits: LimitArgs,
) -> Result<Source, Failure> {
    let file = intake::open(path, FILE)?;
    let whole = file.metadata().map_or(0, |it| it.len());
    let progress = Progress::of(name, whole);
    let mut pipe = Pipe::start(BufReader::with_capacity(256 << 10, file), limits, progress)
        .map_err(|error| Failure::file("read", path, &error))?;
    let inner = Limits { text: limits.max_inflated, ..Limits::default() };
    let trace = trace::read(&mut pipe, &inner).map_err(|error| bad(&error, path))?;
    let (digest, bytes) = pipe.finish();
    Ok(Source {
        file: name.to_owned(),
        sha256: Digest::from_bytes(digest),
        bytes,
        rank: trace.header.rank.or_else(|| names::rank(name)),
        role,
        named_stage: names::stage(name),
        trace,
    })
}

fn bad(error: &TraceError, path: &Utf8Path) -> Failure {
    Failure::bad_evidence(error).in_file(path)
}

/// How much of a file is looked at for its schema.
const START: u64 = 64 << 10;

/// Whether a file is a report of this schema; anything else is taken for a trace.
///
/// # Errors
///
/// When it cannot be read.
pub fn is_report(path: &Utf8Path, schema: &str) -> Result<bool, Failure> {
    if path.is_dir() {
        return Ok(false);
    }
    let mut start = Vec::new();
    let mut file = intake::open(path, FILE)?.take(START);
    file.read_to_end(&mut start).map_err(|error| Failure::file("read", path, &error))?;
    let told = memchr::memmem::find(&start, schema.as_bytes()).is_some();
    let events = memchr::memmem::find(&start, b"\"traceEvents\"").is_some();
    // What is neither is most likely a report that was damaged: its reader says what is wrong.
    let gzip = start.starts_with(&[0x1F, 0x8B]);
    Ok(told || !(gzip || events || start.trim_ascii_start().starts_with(b"[")))
}

/// Traces that were asked for: files as they are, directories searched.
#[derive(Debug, Default)]
pub struct Chosen {
    /// What is read.
    pub files: Vec<Utf8PathBuf>,
    /// Files of a directory that are left, each with the reason.
    pub left: Vec<(Utf8PathBuf, String)>,
    /// Whether a file that is no trace is passed over.
    pub searched: bool,
}

/// Finds the traces.
///
/// # Errors
///
/// When a path cannot be looked at, or a directory holds no file that could be a trace.
pub fn choose(paths: &[Utf8PathBuf]) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    for path in paths {
        if path.is_dir() {
            search(path, &mut chosen)?;
        } else {
            chosen.files.push(path.clone());
        }
    }
    Ok(chosen)
}

fn search(dir: &Utf8Path, chosen: &mut Chosen) -> Result<(), Failure> {
    let unread = |error| Failure::file("list", dir, &error);
    let mut found: Vec<Utf8PathBuf> = Vec::new();
    for entry in dir.read_dir_utf8().map_err(unread)? {
        found.push(entry.map_err(unread)?.into_path());
    }
    found.sort();
    let name = |it: &Utf8PathBuf| it.file_name().unwrap_or_default().to_owned();
    found.retain(|it| names::may_be_trace(&name(it)) && it.is_file());
    if found.is_empty() {
        let message = "the directory holds no file named *.json or *.json.gz";
        return Err(Failure::bad_evidence(message).in_file(dir));
    }
    let single = found.iter().any(|it| !name(it).starts_with("merged-"));
    let lowest = found.iter().filter_map(|it| names::rank(&name(it))).min();
    for file in found {
        let of = name(&file);
        let rank = names::rank(&of);
        if single && of.starts_with("merged-") {
            chosen.left.push((file, "merged from the others".into()));
        } else if of.contains(".async_llm.") {
            chosen.left.push((file, "the front end, which has no GPU work".into()));
        } else if rank > lowest {
            let rank = rank.unwrap_or_default();
            chosen.left.push((file, format!("rank {rank}: name the file to analyze it")));
        } else {
            chosen.files.push(file);
        }
    }
    chosen.searched = true;
    Ok(())
}
