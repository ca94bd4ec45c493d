//! Interleaved blocks: one launch of each side, back to back; a block that breaks is filed as broken and
//! made again in its slot.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vsota_core::Digest;
use vsota_core::event::Event;
use vsota_core::evidence::BlockKind;
use vsota_core::facts::{ReportOnly, Scenario, Status};

use super::job::write;
use super::record::{Launched, Outcome, record};
use super::{Asked, Job, Runner, which};
use crate::chronicle::Chronicle;
use crate::failure::{Failure, Kind};
use crate::journal::Reading;
use crate::transition::Transition;

/// What is known of a block that is being made, in its directory.
pub(super) const NOTE: &str = "block.note.json";

/// How often in a row a block may break before the run gives up.
const BROKEN: usize = 3;

/// One side of a block.
#[derive(Clone, Debug)]
pub struct Member(pub Job);

/// A block that was filed.
#[derive(Debug)]
pub struct Filed {
    /// The event.
    pub step: Transition,
    /// Why it does not count, when it does not.
    pub report_only: Option<ReportOnly>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Note {
    kind: BlockKind,
    scenario: String,
    members: Vec<Part>,
}

/// A side of a block: its directory, and its record when it was never begun.
#[derive(Debug, Deserialize, Serialize)]
struct Part {
    dir: String,
    skipped: Value,
}

impl Runner<'_> {
    /// Makes a block and files it; one that breaks for a mechanical reason is filed, and made again.
    ///
    /// # Errors
    ///
    /// Refused when the machine does not take the block; child when it breaks again and again, or is
    /// filed as report-only.
    pub fn block(
        &self,
        kind: BlockKind,
        scenario: &Scenario,
        members: &[Member],
        draw: u32,
    ) -> Result<Filed, Failure> {
        let mut why = None;
        let unbuilt = members.iter().find_map(|it| it.0.unbuilt.as_ref());
        for _ in 0..BROKEN {
            let filed = self.once(kind, scenario, members, draw)?;
            if let Some(it) = unbuilt {
                // What cannot be built now cannot be a moment later.
                let failure = Failure::child(&it.reason).in_file(&it.log);
                return Err(failure.after(filed.step.head));
            }
            match filed.report_only {
                Some(ReportOnly::Broken) => {
                    self.progress.note("the block broke; it is kept, and made again in its slot");
                    why = Some(filed);
                }
                // It would not count the next time either: whoever waits for it waits for ever.
                Some(reason) => {
                    let mend = match reason {
                        ReportOnly::Stale => {
                            "it was launched before its round, patch or change of the rig was recorded: \
                             the clocks of the hosts differ by more than a minute; set them"
                        }
                        ReportOnly::LaunchesOverlap => {
                            "two of its servers were up at one time; end what is left of the one before"
                        }
                        _ => "look at its rows with `vsota log` and mend the workload or the plan",
                    };
                    let failure = Failure::child(format_args!(
                        "a block of {} was filed and does not count: {reason}; {mend}, then call again",
                        scenario.name
                    ));
                    return Err(failure.after(filed.step.head));
                }
                None => return Ok(filed),
            }
        }
        let head = why.map(|it| it.step.head);
        let failure = Failure::child(format_args!(
            "the block of {} broke {BROKEN} times in a row; see the logs of the last ones",
            scenario.name
        ));
        Err(match head {
            Some(head) => failure.after(head),
            None => failure,
        })
    }

    fn once(
        &self,
        kind: BlockKind,
        scenario: &Scenario,
        members: &[Member],
        draw: u32,
    ) -> Result<Filed, Failure> {
        let dir = self.place(&format!("block-{}", scenario.name))?;
        let asked = Asked { scenario, draw };
        let note = self.plan_block(kind, &asked, members)?;
        write(&dir.join(NOTE), &self.bytes(&json!(note)))?;
        // Nobody measures the other side of what cannot be launched.
        let is_unbuilt = members.iter().any(|it| it.0.unbuilt.is_some());
        let sides = members.iter().zip(&note.members);
        for (Member(job), part) in sides.filter(|it| !is_unbuilt || it.0.0.unbuilt.is_some()) {
            let own = dir.join(&part.dir);
            std::fs::create_dir_all(&own).map_err(|error| Failure::file("create", &own, &error))?;
            let records = self.go(job, &[asked], &own)?;
            if records.iter().any(|it| it.get("status") != Some(&json!(Status::Ok))) {
                break;
            }
        }
        let filed = self.file_block(&dir, &note)?;
        self.forget(&dir);
        Ok(filed)
    }

    fn plan_block(
        &self,
        kind: BlockKind,
        asked: &Asked<'_>,
        members: &[Member],
    ) -> Result<Note, Failure> {
        let brief = &self.brief;
        let reason = "skipped: an earlier run of the block did not come to its end";
        let part = |(at, Member(job)): (usize, &Member)| {
            let outcome = Outcome::without(Status::Skipped, reason);
            let launched = Launched { started_at: outcome.started_at, ..Launched::default() };
            let mut skipped = record(brief, job, asked, &launched, &outcome);
            if let Some(record) = skipped.as_object_mut() {
                record.insert("launch".to_owned(), Value::Null);
            }
            let side = job.build.map_or(job.launch.framework.as_str(), which);
            Part { dir: format!("{at}-{side}"), skipped }
        };
        let members = members.iter().enumerate().map(part).collect();
        Ok(Note { kind, scenario: asked.scenario.name.to_string(), members })
    }

    /// Puts the records of a block together and files it.
    fn file_block(&self, dir: &Utf8Path, note: &Note) -> Result<Filed, Failure> {
        let path = dir.join("block.json");
        if !path.exists() {
            write(&path, &self.bytes(&self.assembled(dir, note)?))?;
        }
        let filed = crate::blocks::one(self.context, self.run, &path, note.kind);
        let filed = match filed {
            Err(failure) if failure.kind() == Some(Kind::BadEvidence) => {
                self.progress.note(&format!("the block of {}: {failure}", note.scenario));
                for part in &note.members {
                    let record = dir.join(&part.dir).join(format!("{}.run.json", note.scenario));
                    if record.exists() {
                        self.demote(&record, &failure)?;
                    }
                }
                write(&path, &self.bytes(&self.assembled(dir, note)?))?;
                crate::blocks::one(self.context, self.run, &path, note.kind)
            }
            other => other,
        };
        let (step, report_only) = filed?;
        if let Some(why) = report_only {
            self.progress.note(&format!("the block does not count: {why}"));
        }
        Ok(Filed { step, report_only })
    }

    fn assembled(&self, dir: &Utf8Path, note: &Note) -> Result<Value, Failure> {
        let mut runs = Vec::new();
        for part in &note.members {
            let own = dir.join(&part.dir);
            if let Some(launch) = super::job::Note::read(&own) {
                self.complete(&own, &launch)?;
            }
            let path = own.join(format!("{}.run.json", note.scenario));
            runs.push(match std::fs::read(&path) {
                Ok(bytes) => {
                    within(&part.dir, serde_json::from_slice(&bytes).map_err(Failure::io)?)
                }
                Err(_) => part.skipped.clone(),
            });
        }
        let (kind, scenario) = (note.kind, &note.scenario);
        Ok(json!({"schema": "vsota-block/1", "kind": kind, "scenario": scenario, "runs": runs}))
    }

    /// A block whose runner was killed: whole it is filed, half it is filed as broken; either way once.
    pub(super) fn settle_block(&self, dir: &Utf8Path) -> Result<(), Failure> {
        let bytes = std::fs::read(dir.join(NOTE)).unwrap_or_default();
        let Ok(note) = serde_json::from_slice::<Note>(&bytes) else { return Ok(()) };
        let begun = |it: &Part| super::job::Note::read(&dir.join(&it.dir)).is_some();
        if !note.members.iter().any(begun) {
            return Ok(());
        }
        let path = dir.join("block.json");
        if let Ok(bytes) = std::fs::read(&path)
            && self.is_filed(&bytes)?
        {
            return Ok(());
        }
        match self.file_block(dir, &note) {
            Ok(_) => Ok(()),
            // The campaign went on meanwhile; what was half is of no use to it.
            Err(failure) if failure.kind().is_none() => {
                self.progress.note(&format!("a half block of {} is left out", note.scenario));
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    fn is_filed(&self, bytes: &[u8]) -> Result<bool, Failure> {
        let digest = Digest::of(bytes);
        let chronicle = Chronicle::of(&Reading::of(self.run)?)?;
        Ok(chronicle.entries.iter().any(|it| match &it.event {
            Event::GapBlockFiled(it) => it.said.source.sha256 == digest,
            Event::TrialBlockFiled(it) => it.said.source.sha256 == digest,
            _ => false,
        }))
    }
}

/// A record whose paths begin one directory further out.
fn within(dir: &str, mut record: Value) -> Value {
    for (of, key) in [("launch", "log"), ("result", "path")] {
        if let Some(path) = record.get_mut(of).and_then(|it| it.get_mut(key))
            && let Some(inner) = path.as_str()
        {
            *path = format!("{dir}/{inner}").into();
        }
    }
    record
}
