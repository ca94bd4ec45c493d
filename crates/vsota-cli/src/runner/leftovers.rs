//! What did a killed run leave behind? Its processes are ended by their recorded identity, its finished
//! runs are filed, its half ones are recorded as interrupted; then they are made again.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::Signal;

use super::job::{NOTE, Note, boot, write};
use super::{Runner, array, blocks};
use crate::commands::bench::ingest;
use crate::failure::{Failure, Kind};
use crate::supervise::process::{Process, marked};
use crate::supervise::question::Question;
use crate::supervise::reaper::Ending;
use crate::transition::Transition;

/// How long leftovers have to end before they are killed.
const GRACE: Duration = Duration::from_secs(2);

/// How long killed ones may take to be gone.
const GONE: Duration = Duration::from_secs(20);

impl Runner<'_> {
    /// Settles everything that a killed run left behind.
    ///
    /// # Errors
    ///
    /// Child when a leftover does not end; as filing says.
    pub fn settle(&self) -> Result<(), Failure> {
        self.settle_builds()?;
        for dir in directories(&self.running) {
            if dir.join(array::NOTE).exists() {
                self.gather(&dir)?;
                continue;
            }
            end_all(&dir)?;
            if dir.join(blocks::NOTE).exists() {
                self.settle_block(&dir)?;
            } else if let Some(note) = Note::read(&dir) {
                self.complete(&dir, &note)?;
                self.file_in_time(&dir, &note.scenarios)?;
            }
            self.forget(&dir);
        }
        Ok(())
    }

    /// Files the rows of a launch; where the campaign went on meanwhile, its benchmark takes no more.
    pub(super) fn file_in_time(
        &self,
        dir: &Utf8Path,
        scenarios: &[String],
    ) -> Result<Option<Transition>, Failure> {
        match self.file_rows(dir, scenarios) {
            Err(failure) if failure.kind().is_none() => {
                self.progress.note(&format!("the rows of {dir} came too late, and are left out"));
                Ok(None)
            }
            other => other,
        }
    }

    /// The record of each run that was not made says that it was interrupted.
    pub(super) fn complete(&self, dir: &Utf8Path, note: &Note) -> Result<(), Failure> {
        for (scenario, interrupted) in note.scenarios.iter().zip(&note.interrupted) {
            let path = dir.join(format!("{scenario}.run.json"));
            if !path.exists() {
                write(&path, &self.bytes(interrupted))?;
                self.progress.note(&format!("interrupted in {scenario}; it is made again"));
            }
        }
        Ok(())
    }

    /// Files the records of a launch, each once. What the machine cannot take for a measurement is filed
    /// as a failure, with the reason.
    ///
    /// # Errors
    ///
    /// As filing says.
    pub fn file_rows(
        &self,
        dir: &Utf8Path,
        scenarios: &[String],
    ) -> Result<Option<Transition>, Failure> {
        let mut last = None;
        for scenario in scenarios {
            let path = dir.join(format!("{scenario}.run.json"));
            let filed = match ingest::record(self.context, self.run, &path) {
                Err(failure) if failure.kind() == Some(Kind::BadEvidence) => {
                    self.progress.note(&format!("{scenario}: {failure}"));
                    self.demote(&path, &failure)?;
                    ingest::record(self.context, self.run, &path)?
                }
                other => other?,
            };
            last = filed.or(last);
        }
        Ok(last)
    }

    /// Makes a record one of a failed run.
    pub(super) fn demote(&self, path: &Utf8Path, why: &Failure) -> Result<(), Failure> {
        let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
        let mut value: serde_json::Value = serde_json::from_slice(&bytes).map_err(Failure::io)?;
        if let Some(record) = value.as_object_mut() {
            record.insert("status".to_owned(), "failed".into());
            let reason = crate::escape::brief(&why.to_string(), 200);
            record.insert("failure_reason".to_owned(), reason.into());
            record.insert("result".to_owned(), serde_json::Value::Null);
        }
        write(path, &self.bytes(&value))
    }
}

impl Note {
    pub(super) fn read(dir: &Utf8Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(NOTE)).ok()?).ok()
    }

    /// Everything of this launch that still runs. The server is known by its start too, should it have
    /// overwritten its environment; after a new boot of the machine nothing is left.
    fn alive(&self) -> Vec<Process> {
        let mut all = marked(&self.marker);
        let server = self.server.filter(|_| self.boot == boot());
        let server = server.map(|(pid, start)| Process { pid, start });
        all.extend(server.filter(|it| it.is_alive() && !all.contains(it)));
        all
    }
}

/// The directories in a directory, by name.
pub(super) fn directories(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(entries) = dir.read_dir_utf8() else { return Vec::new() };
    let mut all: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|it| it.file_type().is_ok_and(|it| it.is_dir()))
        .map(|it| it.path().to_owned())
        .collect();
    all.sort();
    all
}

/// Ends what the launches of a directory, and of those in it, left behind.
pub(super) fn end_all(dir: &Utf8Path) -> Result<(), Failure> {
    for dir in directories(dir).iter().map(Utf8PathBuf::as_path).chain([dir]) {
        if let Some(note) = Note::read(dir) {
            end(&note, dir)?;
        }
    }
    Ok(())
}

/// Ends what a launcher started on another machine: the reaper has done so, unless it was killed too.
fn end_there(note: &Note, dir: &Utf8Path) -> Result<(), Failure> {
    let Some(argv) = &note.stop else { return Ok(()) };
    let env = BTreeMap::new();
    // Who looks for the marker must not carry it.
    let question = Question { argv, env: &env, dir: None, marker: "stop", at_most: GONE + GONE };
    match question.ask() {
        Ok(answer) if answer.ending == Ending::Code(0) => Ok(()),
        _ => {
            let stop = crate::escape::brief(&argv.join(" "), 200);
            let message = format_args!(
                "`{stop}` did not end with 0: what a killed run started there may still run. Once nothing \
                 of it does, take `stop` out of this file, and call again"
            );
            Err(Failure::child(message).in_file(dir.join(NOTE)))
        }
    }
}

fn end(note: &Note, dir: &Utf8Path) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut asked = false;
    loop {
        let alive = note.alive();
        let Some(first) = alive.first() else { return end_there(note, dir) };
        if begun.elapsed() > GRACE + GONE {
            let message = format_args!("{} of a killed run does not end", first.shown());
            return Err(Failure::child(message));
        }
        let signal = if begun.elapsed() < GRACE { Signal::TERM } else { Signal::KILL };
        if !asked || signal == Signal::KILL {
            for it in &alive {
                it.signal(signal);
            }
            asked = true;
        }
        thread::sleep(Duration::from_millis(50));
    }
}
