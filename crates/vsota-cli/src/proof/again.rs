//! Do the filed files still tell the facts that were recorded? What rounds, drafts, tests and diffs say
//! is decoded again; candidates and blocks are next door.

use std::collections::BTreeSet;

use camino::Utf8Path;
use vsota_core::event::{Event, FixupRecorded, PatchAmended, PatchRecorded};
use vsota_core::evidence::failing::{self, Failing, Shown};
use vsota_core::evidence::{EvidenceError, LayersFile, ProfileFile, checks, diff, draft, ncu};
use vsota_core::facts::{
    Amendment, ChangedFile, Copied, ExclusionCause, NcuDigest, Profile, StopOrder, TestRun,
};
use vsota_core::text::Line;
use vsota_core::{Artifact, Clause};

use super::facts::bytes;
use crate::failure::Failure;
use crate::gather::bad;
use crate::journal::rel;
use crate::junit::{self, Report};
use crate::rundir::RunDir;

/// A fact that was derived again from its file.
pub(super) struct Again<'a> {
    /// The clause that the fact serves.
    pub(super) clause: Clause,
    /// The file that tells it.
    pub(super) file: &'a Artifact,
    /// Whether it tells the same.
    pub(super) same: Result<bool, Failure>,
}

/// Derives the fact of an event again; `None` when no file tells it whole.
pub(super) fn derived<'a>(run: &RunDir, event: &'a Event) -> Option<Again<'a>> {
    let again = |clause, file, same| Some(Again { clause, file, same });
    match event {
        Event::ProfileFiled(it) => {
            let said = &it.said;
            again(Clause::Pr5, &said.source, profile(run, said))
        }
        Event::PipelineFiled(it) => {
            let said = &it.said;
            let same = bytes(run, &said.source).and_then(|bytes| {
                let report = LayersFile::read(&bytes)
                    .and_then(|it| it.pipeline(said.stand.clone(), said.source.clone()));
                Ok(report.map_err(|error| bad(&error, said.source.path.as_str()))? == *said)
            });
            again(Clause::Lp1, &said.source, same)
        }
        Event::RootCauseNamed(it) => {
            let said = &it.said;
            let same = drafted(run, &said.draft, |text| {
                let fact = draft::root_cause(text)?.fact(said.stand.clone(), said.draft.clone());
                Ok(fact == *said)
            });
            again(Clause::Pr6, &said.draft, same)
        }
        Event::HistoryNoted(it) => {
            let said = &it.said;
            let same = drafted(run, &said.draft, |text| {
                Ok(draft::history_note(text, said.draft.clone())? == *said)
            });
            again(Clause::Hi3, &said.draft, same)
        }
        Event::DigestFiled(it) if it.said.compared.is_some() => {
            let said = &it.said;
            again(Clause::Ka3, &said.source, exports(run, said))
        }
        // One CSV of NCU's tells no whole digest.
        Event::DigestFiled(it) if it.said.source.path.as_str().ends_with(".md") => {
            let said = &it.said;
            again(Clause::Ka3, &said.source, digest(run, said))
        }
        Event::FrameworkExcluded(it) => match &it.said.cause {
            ExclusionCause::Unsupported { evidence } => {
                let reason = it.said.reason.as_str();
                again(Clause::In4, evidence, fails(run, evidence, Failing::Server, Some(reason)))
            }
            ExclusionCause::ByUser => None,
        },
        Event::ProfileWaived(it) => {
            let log = &it.said.log;
            again(Clause::Pr8, log, fails(run, log, Failing::Anything, None))
        }
        Event::CompetitorBlocked(it) => {
            let log = &it.said.log;
            again(Clause::Gd8, log, fails(run, log, Failing::Server, None))
        }
        Event::StopClaimed(it) => {
            let said = &it.said;
            let first = said.evidence.first()?;
            again(Clause::St3, first, shows(run, &said.evidence, said.shown.as_ref()))
        }
        Event::CampaignStopped(it) => match &it.said {
            StopOrder::External { evidence, shown, .. } => {
                let first = evidence.first()?;
                again(Clause::St3, first, shows(run, evidence, shown.as_ref()))
            }
            StopOrder::Confirm { .. } => None,
        },
        Event::TestsFiled(it) => again(Clause::Rv2, &it.said.log, tests(run, &it.said)),
        Event::PatchRecorded(PatchRecorded { said })
        | Event::PatchAmended(PatchAmended { said: Amendment { patch: said, .. } }) => {
            again(Clause::Pa6, &said.diff, told(run, &said.diff, &said.files, &said.copied))
        }
        Event::FixupRecorded(FixupRecorded { said }) => {
            again(Clause::Rl9, &said.diff, told(run, &said.diff, &said.files, &said.copied))
        }
        _ => None,
    }
}

/// Reads again which checks the diff of an event takes away (PA-2); `None` for an event without a diff.
pub(super) fn strength<'a>(run: &RunDir, event: &'a Event) -> Option<Again<'a>> {
    let (file, gone) = match event {
        Event::PatchRecorded(PatchRecorded { said })
        | Event::PatchAmended(PatchAmended { said: Amendment { patch: said, .. } }) => {
            (&said.diff, &said.checks_gone)
        }
        Event::FixupRecorded(FixupRecorded { said }) => (&said.diff, &said.checks_gone),
        _ => return None,
    };
    let same = bytes(run, file).map(|bytes| {
        let because = gone.as_ref().and_then(|it| it.because.clone());
        checks::fact(&String::from_utf8_lossy(&bytes), because) == *gone
    });
    Some(Again { clause: Clause::Pa2, file, same })
}

/// The tables and the capture stand in one file; the server log of the capture lies beside it.
fn profile(run: &RunDir, said: &Profile) -> Result<bool, Failure> {
    let at = said.source.path.as_str();
    let file = ProfileFile::read(&bytes(run, &said.source)?).map_err(|error| bad(&error, at))?;
    let Some(capture) = &file.filed else {
        return Err(Failure::integrity("it says nothing of its capture").in_file(at));
    };
    if run.digest(&capture.launch.path)?.as_ref() != Some(&capture.launch) {
        let message = "the server log is gone, or is not the one that was filed";
        return Err(Failure::integrity(message).in_file(capture.launch.path.as_str()));
    }
    let again = file.profile(said.stage, capture, said.source.clone());
    Ok(again.map_err(|error| bad(&error, at))? == *said)
}

/// The number that a draft names is that of its version.
fn digest(run: &RunDir, said: &NcuDigest) -> Result<bool, Failure> {
    drafted(run, &said.source, |text| {
        let draft = draft::ncu_digest(text)?;
        let number = draft.version.map(u32::from);
        let named = number.is_none_or(|it| said.version.as_str().ends_with(&format!("-v{it}")));
        Ok(named && draft.fact(said.version.clone(), said.source.clone()) == *said)
    })
}

/// Two exports of NCU's tell everything but the next edit.
fn exports(run: &RunDir, said: &NcuDigest) -> Result<bool, Failure> {
    let Some(compared) = &said.compared else { return Ok(true) };
    let read = |artifact: &Artifact| {
        let report = ncu::read(&bytes(run, artifact)?);
        report.map_err(|error| bad(&error, artifact.path.as_str()))
    };
    let (before, after) = (read(&compared.baseline)?, read(&said.source)?);
    let again = || {
        let old = before.side(Some(compared.baseline_kernel.as_str()))?;
        let new = after.side(Some(compared.candidate_kernel.as_str()))?;
        ncu::compare(&old, &new)
    };
    let (baseline, source) = (compared.baseline.clone(), said.source.clone());
    let again = again().map_err(|error| bad(&error, said.source.path.as_str()))?;
    Ok(again.fact(said.version.clone(), said.next_edits.clone(), baseline, source) == *said)
}

fn drafted(
    run: &RunDir,
    artifact: &Artifact,
    same: impl FnOnce(&str) -> Result<bool, EvidenceError>,
) -> Result<bool, Failure> {
    let bytes = bytes(run, artifact)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::integrity("it is not UTF-8").in_file(artifact.path.as_str()))?;
    same(text).map_err(|error| bad(&error, artifact.path.as_str()))
}

/// A log that was to show a failure shows one, or a help output lacks what the reason says is missing.
fn fails(
    run: &RunDir,
    log: &Artifact,
    of: Failing,
    missing: Option<&str>,
) -> Result<bool, Failure> {
    let bytes = bytes(run, log)?;
    let shown = failing::shown(&bytes, of).map_err(|error| bad(&error, log.path.as_str()))?;
    Ok(match (shown, missing) {
        (Shown::Failure(_), _) => true,
        (Shown::Help, Some(reason)) => failing::not_missing(reason, &bytes).is_none(),
        (Shown::Help | Shown::Prose, _) => false,
    })
}

/// The evidence of a stop shows the failure that was recorded, or none.
fn shows(run: &RunDir, evidence: &[Artifact], said: Option<&Line>) -> Result<bool, Failure> {
    let mut found = None;
    for it in evidence {
        let shown = failing::shown(&bytes(run, it)?, Failing::Server);
        let shown = shown.map_err(|error| bad(&error, it.path.as_str()))?;
        found = found.or(shown.failure());
    }
    Ok(found.as_ref() == said)
}

/// A JUnit XML, or a command's own output: then its closing line, or the XML that it wrote.
fn tests(run: &RunDir, said: &TestRun) -> Result<bool, Failure> {
    let at = said.log.path.as_str();
    let log = bytes(run, &said.log)?;
    if Utf8Path::new(at).extension() == Some("xml") {
        let report = junit::read(&log).map_err(|failure| failure.in_file(at))?;
        return Ok(tells(report, said));
    }
    let closing = junit::closing_line(&String::from_utf8_lossy(&log));
    if closing.is_ok_and(|it| tells(it, said)) {
        return Ok(true);
    }
    let (dir, leaf) = at.rsplit_once('/').unwrap_or(("", at));
    let stem = leaf.rsplit_once('-').map_or(leaf, |it| it.0);
    let Ok(files) = run.path().join(dir).read_dir_utf8() else { return Ok(false) };
    let names = files.filter_map(|it| it.ok().map(|it| it.file_name().to_owned()));
    for name in names.filter(|it| it.starts_with(stem) && it.ends_with(".xml")) {
        let beside = run.read(&rel(&format!("{dir}/{name}"))?, crate::rundir::intake::LIMIT)?;
        let report = beside.and_then(|it| junit::read(&it).ok());
        if report.is_some_and(|it| tells(it, said)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A command that ended badly and names no failed test has failed all the same.
fn tells(report: Report, said: &TestRun) -> bool {
    let focused = said.focused.as_ref().is_none_or(|it| report.shows(it));
    let ended = said.exit.filter(|it| *it != 0 && report.failed.is_empty());
    let failed = match ended {
        Some(exit) => {
            let names: Vec<&str> = said.failed.iter().map(|it| it.as_str()).collect();
            names == [format!("the command ended with {exit}")]
        }
        None => report.failed == said.failed,
    };
    report.passed == said.passed && failed && focused
}

/// The diff changes what was recorded, and says nothing of copied code where none is named (PA-3).
fn told(
    run: &RunDir,
    at: &Artifact,
    files: &[ChangedFile],
    copied: &[Copied],
) -> Result<bool, Failure> {
    let bytes = bytes(run, at)?;
    let text = String::from_utf8_lossy(&bytes);
    let admits = copied.is_empty() && diff::admits(&text).is_some();
    Ok(touches(&text, at, files)? && !admits)
}

/// The diff changes the files that were recorded, and they are of the kind that was recorded.
fn touches(diff: &str, artifact: &Artifact, said: &[ChangedFile]) -> Result<bool, Failure> {
    let touched = diff::touched(diff).map_err(|error| bad(&error, artifact.path.as_str()))?;
    let told: BTreeSet<&str> = said.iter().map(|it| it.path.as_str()).collect();
    let all = touched.files.iter().all(|it| told.contains(it.as_str()));
    let known = |it: &&str| touched.files.contains(*it) || touched.renamed.contains(*it);
    let kinds = said.iter().all(|it| diff::kind(it.path.as_str()) == it.kind);
    Ok(all && told.iter().all(known) && kinds)
}
