//! Are the facts of the journal what the artefacts say? Each is decoded again from the filed bytes.

use std::collections::BTreeMap;

use vsota_core::event::Event;
use vsota_core::evidence::{self, BlockRecord, NativeRun, RunFiles, RunRecord, Settings};
use vsota_core::facts::{Block, BlockRun, Candidate, Dimension, Profile};
use vsota_core::text::Line;
use vsota_core::{Artifact, Campaign, Clause, Digest, Entry};

use super::Checks;
use super::again::{self, Again};
use crate::failure::Failure;
use crate::filing::{at_line, told};
use crate::gather::bad;
use crate::rundir::RunDir;
use crate::rundir::intake::LIMIT;

/// Derives every fact again that a filed artefact tells.
pub(super) fn derived(run: &RunDir, entries: &[Entry], checks: &mut Checks) {
    let mut count = 0_usize;
    let mut campaign: Option<Campaign> = None;
    for entry in entries {
        let before = campaign.take();
        campaign = match &before {
            None => Campaign::begin(entry.seq, &entry.event).ok(),
            Some(before) => before.clone().follow(entry.seq, &entry.event).ok(),
        };
        let told = before.as_ref().map(told).unwrap_or_default();
        let again = |file, same| Some(Again { clause: Clause::Fb3, file, same });
        let again = match &entry.event {
            Event::CandidateFiled(it) => {
                let record = it.said.record.as_ref();
                record.and_then(|record| again(record, candidate(run, &it.said, told)))
            }
            Event::GapBlockFiled(it) => again(&it.said.source, block(run, &it.said, &told)),
            Event::TrialBlockFiled(it) => again(&it.said.source, block(run, &it.said, &told)),
            other => again::derived(run, other),
        };
        let Some(again) = again else { continue };
        count = count.saturating_add(1);
        say(entry, again, "the artefacts tell another fact", checks);
        if let Some(again) = again::strength(run, &entry.event) {
            let message = "the diff takes away other checks than were recorded, or more";
            say(entry, again, message, checks);
        }
    }
    checks.conclude("fact", Clause::Fb3, format!("{count} facts derived again from their files"));
}

fn say(entry: &Entry, Again { clause, file, same }: Again<'_>, message: &str, checks: &mut Checks) {
    match same {
        Ok(true) => {}
        Ok(false) => {
            let found = format!("entry {}, {}: {message}", entry.seq, entry.event.kind());
            checks.say("fact", clause, false, found, Some(file.path.to_string()));
        }
        Err(failure) => checks.wrong("fact", clause, &failure),
    }
}

fn candidate(
    run: &RunDir,
    said: &Candidate,
    told: BTreeMap<Dimension, Line>,
) -> Result<bool, Failure> {
    let Some(record) = &said.record else { return Ok(true) };
    let parsed =
        RunRecord::read(&bytes(run, record)?).map_err(|error| bad(&error, record.path.as_str()))?;
    let line = parsed.result.as_ref().map_or(1, |it| it.line);
    let native = native(run, said.result.as_ref(), line)?;
    let buckets = match (&said.result, &native) {
        (Some(result), Some(native)) => evidence::buckets(&bytes(run, result)?, line, native),
        _ => None,
    };
    let filed = evidence::Filed {
        record: said.record.clone(),
        result: said.result.clone(),
        log: said.log.clone(),
        settings: settings(run, said.settings.as_ref())?,
        told,
        buckets,
        mocked: mocked(run, said.log.as_ref())?,
    };
    let again = parsed.candidate(native.as_ref(), filed);
    Ok(again.map_err(|error| bad(&error, record.path.as_str()))? == *said)
}

fn block(run: &RunDir, said: &Block, told: &BTreeMap<Dimension, Line>) -> Result<bool, Failure> {
    let source = &said.source;
    let parsed = BlockRecord::read(&bytes(run, source)?)
        .map_err(|error| bad(&error, source.path.as_str()))?;
    let mut files = Vec::new();
    for (at, record) in parsed.runs.iter().enumerate() {
        files.push(run_files(run, &parsed.runs, at, record, said)?);
    }
    let again = parsed.block(&files, source.clone(), told);
    Ok(again.map_err(|error| bad(&error, source.path.as_str()))? == *said)
}

/// The files of the filed run that a record of the block became. Records that share a launch became
/// one run, which names their results in the order in which they started.
fn run_files(
    run: &RunDir,
    records: &[RunRecord],
    at: usize,
    record: &RunRecord,
    said: &Block,
) -> Result<RunFiles, Failure> {
    let Some(filed) = said.runs.iter().find(|it| became(record, it)) else {
        return Ok(RunFiles::default());
    };
    let mocked = mocked(run, filed.log.as_ref())?;
    if record.result.is_none() {
        let settings = settings(run, filed.settings.as_ref())?;
        return Ok(RunFiles { log: filed.log.clone(), settings, mocked, ..RunFiles::default() });
    }
    let before = |(other, it): &(usize, &RunRecord)| {
        became(it, filed)
            && it.result.is_some()
            && (it.started_at, *other) < (record.started_at, at)
    };
    let place = records.iter().enumerate().filter(before).count();
    let result = filed.results.get(place);
    let line = record.result.as_ref().map_or(1, |it| it.line);
    let native = native(run, result, line)?;
    let settings = settings(run, filed.settings.as_ref())?;
    Ok(RunFiles { native, result: result.cloned(), log: filed.log.clone(), settings, mocked })
}

fn mocked(run: &RunDir, log: Option<&Artifact>) -> Result<bool, Failure> {
    let Some(log) = log else { return Ok(false) };
    Ok(evidence::is_of_mock(&bytes(run, log)?))
}

fn settings(run: &RunDir, filed: Option<&Artifact>) -> Result<Option<Settings>, Failure> {
    let Some(file) = filed else { return Ok(None) };
    let bytes = bytes(run, file)?;
    crate::filing::settings(&bytes, file.clone(), file.path.as_str().into()).map(Some)
}

/// Whether a record is of this filed run: its framework and build, within its times.
fn became(record: &RunRecord, it: &BlockRun) -> bool {
    let times = it.measured.as_ref().map(|it| (it.started_at, it.ended_at));
    it.framework == record.framework
        && it.build == record.build
        && times.is_none_or(|(start, end)| start <= record.started_at.0 && record.ended_at.0 <= end)
}

fn native(
    run: &RunDir,
    result: Option<&Artifact>,
    line: u64,
) -> Result<Option<NativeRun>, Failure> {
    let Some(result) = result else { return Ok(None) };
    let found = at_line(&bytes(run, result)?, line);
    found.map(Some).map_err(|error| bad(&error, result.path.as_str()))
}

/// The bytes of an artefact that must be there.
pub(super) fn bytes(run: &RunDir, artifact: &Artifact) -> Result<Vec<u8>, Failure> {
    let found = run.read(&artifact.path, LIMIT)?;
    found.ok_or_else(|| Failure::integrity("the artefact is gone").in_file(artifact.path.as_str()))
}

/// Whether every trace of a profile lies beside it, as it was: a name that holds the first digits of
/// its digest, and the bytes.
pub(super) fn has_traces(run: &RunDir, profile: &Profile) -> bool {
    let dir = profile.source.path.as_str().rsplit_once('/').map_or("", |it| it.0);
    let Ok(files) = run.path().join(dir).read_dir_utf8() else { return false };
    let names: Vec<String> =
        files.filter_map(|it| it.ok().map(|it| it.file_name().to_owned())).collect();
    let there = |trace: &Digest| {
        let short: String = trace.to_string().chars().take(12).collect();
        names.iter().filter(|it| it.contains(&short)).any(|name| {
            let at = crate::journal::rel(&format!("{dir}/{name}"));
            at.is_ok_and(|at| {
                run.digest(&at).is_ok_and(|it| it.is_some_and(|it| it.sha256 == *trace))
            })
        })
    };
    profile.traces.iter().all(there)
}
