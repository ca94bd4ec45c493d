//! How do run records and blocks become facts with artefacts? Each file that a record names is copied
//! into the run directory, and what is decoded are the copied bytes.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use vsota_core::evidence::yaml;
use vsota_core::evidence::{
    BlockRecord, EvidenceError, NativeRun, RunFiles, RunRecord, Settings, read_all,
};
use vsota_core::facts::{Block, Buckets, Candidate, Dimension, Input};
use vsota_core::text::{Line, Name, RelPath};
use vsota_core::{Artifact, Campaign, evidence};

use crate::context::Context;
use crate::failure::Failure;
use crate::gather::bad;
use crate::journal::rel;
use crate::rundir::RunDir;
use crate::rundir::intake::{LIMIT, Staged};

/// A fact with the artefacts that it names, copied but not yet published.
#[derive(Debug)]
pub struct FiledFact<'a, F> {
    /// The fact.
    pub fact: F,
    /// Its artefacts.
    pub staged: Vec<Staged<'a>>,
}

/// The place of evidence: where it is read from, and where in the run directory it goes.
#[derive(Debug)]
pub struct Shelf<'a> {
    context: &'a Context,
    run: &'a RunDir,
    /// The file that names the others; their paths are relative to it.
    from: &'a Utf8Path,
}

/// The files of one run, staged.
struct RunFound<'a> {
    native: Option<NativeRun>,
    buckets: Option<Buckets>,
    result: Option<Artifact>,
    log: Option<Artifact>,
    settings: Option<Settings>,
    mocked: bool,
    staged: Vec<Staged<'a>>,
}

impl<'a> Shelf<'a> {
    /// The evidence around a file.
    pub fn new(context: &'a Context, run: &'a RunDir, from: &'a Utf8Path) -> Self {
        Self { context, run, from }
    }

    /// A candidate from its run record.
    ///
    /// # Errors
    ///
    /// Bad evidence when the record, its native result or its log is not what it should be.
    pub fn candidate(
        &self,
        record: &RunRecord,
        text: &[u8],
        told: BTreeMap<Dimension, Line>,
    ) -> Result<FiledFact<'a, Candidate>, Failure> {
        let id = record.candidate_id.as_ref().map_or("unnamed", Name::as_str);
        let mut found =
            self.files(record, &format!("benchmark/raw/{id}"), &format!("benchmark/logs/{id}"))?;
        let to = format!("benchmark/raw/{id}/{}.run.json", crate::short(text));
        let kept = self.bytes(text, self.from.as_str(), &to)?;
        let filed = evidence::Filed {
            record: Some(kept.artifact().clone()),
            result: found.result.clone(),
            log: found.log.clone(),
            settings: found.settings.clone(),
            told,
            buckets: found.buckets.clone(),
            mocked: found.mocked,
        };
        found.staged.push(kept);
        let fact = record
            .candidate(found.native.as_ref(), filed)
            .map_err(|error| bad(&error, self.from))?;
        Ok(FiledFact { fact, staged: found.staged })
    }

    /// A block from its record, under `benchmark/blocks/rN/`.
    ///
    /// # Errors
    ///
    /// Bad evidence when the block, a native result or a log is not what it should be.
    pub fn block(
        &self,
        record: &BlockRecord,
        text: &[u8],
        round: u32,
        told: &BTreeMap<Dimension, Line>,
    ) -> Result<FiledFact<'a, Block>, Failure> {
        let dir = format!("benchmark/blocks/r{round}/{}", crate::short(text));
        let mut staged = Vec::new();
        let mut files = Vec::new();
        for run in &record.runs {
            let found = self.files(run, &dir, &dir)?;
            let RunFound { native, result, log, settings, mocked, .. } = found;
            files.push(RunFiles { native, result, log, settings, mocked });
            staged.extend(found.staged);
        }
        let source = self.bytes(text, self.from.as_str(), &format!("{dir}/block.json"))?;
        let fact = record
            .block(&files, source.artifact().clone(), told)
            .map_err(|error| bad(&error, self.from))?;
        staged.push(source);
        Ok(FiledFact { fact, staged })
    }

    fn files(&self, record: &RunRecord, raw: &str, logs: &str) -> Result<RunFound<'a>, Failure> {
        let mut staged = Vec::new();
        let (mut native, mut buckets) = (None, None);
        let mut result = None;
        if let Some(place) = &record.result {
            let from = self.beside(&place.path);
            let bytes = self.context.evidence(&from, LIMIT)?;
            let run = at_line(&bytes, place.line).map_err(|error| bad(&error, &from))?;
            buckets = evidence::buckets(&bytes, place.line, &run);
            native = Some(run);
            let kept =
                self.bytes(&bytes, from.as_str(), &format!("{raw}/{}", named(&bytes, &from)))?;
            result = Some(kept.artifact().clone());
            staged.push(kept);
        }
        let (mut log, mut mocked) = (None, false);
        if let Some(path) = record.launch.as_ref().and_then(|it| it.log.as_ref()) {
            let from = self.beside(path);
            let bytes = self.context.evidence(&from, LIMIT)?;
            if bytes.is_empty() {
                return Err(Failure::bad_evidence("the server log is empty").in_file(from));
            }
            mocked = evidence::is_of_mock(&bytes);
            let kept =
                self.bytes(&bytes, from.as_str(), &format!("{logs}/{}", named(&bytes, &from)))?;
            log = Some(kept.artifact().clone());
            staged.push(kept);
        }
        let mut settings = None;
        if let Some(path) = &record.settings {
            let from = self.beside(path);
            let (found, kept) = self.settings(&from, logs)?;
            settings = Some(found);
            staged.push(kept);
        }
        Ok(RunFound { native, buckets, result, log, settings, mocked, staged })
    }

    /// A file of settings that a launch command names, filed in a directory.
    ///
    /// # Errors
    ///
    /// Bad evidence when it is no YAML, or cannot be read.
    pub fn settings(&self, from: &Utf8Path, dir: &str) -> Result<(Settings, Staged<'a>), Failure> {
        let bytes = self.context.evidence(from, LIMIT)?;
        let to = format!("{dir}/{}", named(&bytes, from));
        let kept = self.bytes(&bytes, from.as_str(), &to)?;
        Ok((settings(&bytes, kept.artifact().clone(), from)?, kept))
    }

    fn bytes(&self, bytes: &[u8], label: &str, to: &str) -> Result<Staged<'a>, Failure> {
        self.run.stage_bytes(bytes, label, &rel(to)?, &self.context.secrets)
    }

    fn beside(&self, path: &RelPath) -> Utf8PathBuf {
        self.from.parent().unwrap_or(Utf8Path::new("")).join(path.as_str())
    }
}

/// What stands in a file of settings.
///
/// # Errors
///
/// Bad evidence when it is no YAML.
pub fn settings(bytes: &[u8], file: Artifact, from: &Utf8Path) -> Result<Settings, Failure> {
    let not_utf8 = |_| Failure::bad_evidence("the file is not UTF-8").in_file(from);
    let text = std::str::from_utf8(bytes).map_err(not_utf8)?;
    let node = yaml::read(text).map_err(|error| crate::gather::bad(&error, from))?;
    let value = node.json();
    Ok(Settings { file, value })
}

/// A short name of its own for each content, which ends as its file was called.
fn named(bytes: &[u8], from: &Utf8Path) -> String {
    let name = from.file_name().and_then(crate::rundir::names::slug);
    format!("{}-{}", crate::short(bytes), name.unwrap_or_else(|| "file".to_owned()))
}

/// The native result that starts on a line of a file.
///
/// # Errors
///
/// When no result starts there, or the file cannot be read.
pub fn at_line(bytes: &[u8], line: u64) -> Result<NativeRun, EvidenceError> {
    let (runs, errors) = read_all(bytes);
    let found = runs.into_iter().find(|(at, _)| *at == line).map(|(_, run)| run);
    found.ok_or_else(|| {
        let there = errors.into_iter().find(|it| it.line.is_none_or(|at| at == line));
        there.unwrap_or_else(|| EvidenceError::new("no benchmark result starts here").at(line))
    })
}

/// What the served model's config tells of every run: without a flag a server takes precision and
/// quantization from the checkpoint.
pub fn told(campaign: &Campaign) -> BTreeMap<Dimension, Line> {
    let brief = campaign.state().brief();
    let source = |key: &str| brief.iter().find(|(it, _)| *it == key).map(|(_, it)| &it.source);
    let config = source("config");
    let of_config = |key: &str| config.is_some() && source(key) == config;
    let mut told = BTreeMap::new();
    if let Some(Input::Precision(precision)) =
        brief.get("precision").filter(|_| of_config("precision"))
    {
        told.insert(Dimension::Precision, precision.clone());
    }
    told
}
