//! Which loops are there, and where does the campaign's own stand? Every loop directory of every work
//! tree is read (RL-4, RL-7); nothing is written, and no script of Humanize's is run.

pub mod entry;
pub mod ground;
mod named;
mod owed;
mod setup;
pub mod trees;

use std::env;
use std::fs;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use vsota_core::event::Event;
use vsota_core::evidence::humanize::{self, Files, LOOPS, Lifecycle, LoopReading, LoopState, Owed};
use vsota_core::facts::{ActiveLoop, LoopEnd, Standpoint};
use vsota_core::text::{Line, Name};
use vsota_core::{Digest, Entry};

use crate::checkout::Checkout;
use crate::failure::{Failure, Reason, Refused};

/// The most bytes of a file of a loop that are read.
const LIMIT: u64 = 4 << 20;

/// The most entries of one directory that are looked at.
const MOST: usize = 10_000;

/// One loop directory.
#[derive(Clone, Debug)]
pub struct Found {
    /// The work tree that it lies in.
    pub tree: Utf8PathBuf,
    /// Its name: the local time of its start.
    pub dir: String,
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// Whether it lies in a work tree of the checkout, not in another repository.
    pub inside: bool,
    /// Whether it lies below the artefacts, where no loop belongs (KA-6).
    pub below: bool,
    /// Whether a newer one lies beside it.
    pub outdated: bool,
    /// What its files say.
    pub reading: LoopReading,
    /// Its files.
    pub files: Files,
    /// The SHA-256 of the plan that it runs.
    pub plan: Option<Digest>,
}

/// Every loop that could matter to a campaign.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The vLLM checkout.
    pub checkout: Utf8PathBuf,
    /// The loop that the journal knows.
    pub recorded: Option<ActiveLoop>,
    /// Whether a claim stands.
    pub claimed: bool,
    /// Every loop directory, by work tree and name.
    pub found: Vec<Found>,
}

/// One loop, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct View<'a> {
    dir: &'a str,
    path: &'a str,
    state: Lifecycle,
    active: bool,
    recorded: bool,
    inside: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    owed: Option<Owed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<&'a LoopState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Survey {
    /// Looks at every work tree of the checkout, and at the places where a loop could have gone by
    /// mistake: the project directory that the runtime names, the working directory, the run directory.
    ///
    /// # Errors
    ///
    /// Bad evidence when the checkout is not a directory.
    pub fn of(checkout: &Utf8Path, run_dir: &Utf8Path, entries: &[Entry]) -> Result<Self, Failure> {
        let there = checkout.canonicalize_utf8();
        let there = there.map_err(|error| Failure::bad_evidence(error).in_file(checkout))?;
        let mut found = Vec::new();
        let inside = trees::all(&there);
        for tree in &inside {
            look(tree, Place::Tree, &mut found);
        }
        let below = trees::below(run_dir, &inside);
        for place in &below {
            look(place, Place::Artefacts, &mut found);
        }
        let known = |it: &Utf8PathBuf| inside.contains(it) || below.contains(it);
        for place in elsewhere(run_dir).into_iter().filter(|it| !known(it)) {
            look(&place, Place::Elsewhere, &mut found);
        }
        for it in found.iter_mut().filter(|it| it.inside && it.reading.owed == Some(Owed::Stop)) {
            if it.is_uncommitted() {
                it.reading.owed = Some(Owed::Commit);
            }
        }
        let (recorded, claimed) = (recorded(entries), claimed(entries));
        Ok(Self { checkout: there, recorded, claimed, found })
    }

    /// The directory of the recorded loop in the checkout.
    pub fn own(&self) -> Option<&Found> {
        let (recorded, top) = (self.recorded.as_ref()?, self.top());
        self.found.iter().find(|it| it.dir == recorded.dir.as_str() && it.tree == top)
    }

    /// A directory of its name that lies elsewhere, when the checkout has none.
    pub fn strayed(&self) -> Option<&Found> {
        let recorded = self.recorded.as_ref().filter(|_| self.own().is_none())?;
        self.found.iter().find(|it| it.dir == recorded.dir.as_str())
    }

    /// The loop that the journal knows, as it stands; gone when its directory is.
    pub fn end(&self) -> LoopEnd {
        self.own().map_or(LoopEnd::Gone, |it| it.reading.lifecycle.end())
    }

    /// Every loop that is alive in a work tree of the checkout or below the artefacts, and the recorded
    /// one wherever it strayed to.
    pub fn alive(&self) -> impl Iterator<Item = &Found> {
        let strayed = self.strayed().map(|it| it.path.clone());
        self.found.iter().filter(move |it| {
            let counts = it.inside || it.below || Some(&it.path) == strayed.as_ref();
            counts && it.reading.lifecycle.is_active()
        })
    }

    /// Every loop that is alive beside the recorded one.
    pub fn others(&self) -> impl Iterator<Item = &Found> {
        let own = self.own().map(|it| it.path.clone());
        self.alive().filter(move |it| Some(&it.path) != own.as_ref())
    }

    /// The work tree that the campaign patches.
    pub fn top(&self) -> Utf8PathBuf {
        trees::around(&self.checkout).unwrap_or_else(|| self.checkout.clone())
    }

    /// Where checkout and loop stand, for a gate (RL-7, RL-8, PA-1).
    ///
    /// # Errors
    ///
    /// Bad evidence when no loop was entered, the checkout has no commit, or the state of the loop is
    /// half written; refused when a second loop is alive, or the recorded one is not what was entered.
    pub fn stand(&self) -> Result<Standpoint, Failure> {
        let Some(recorded) = &self.recorded else {
            return Err(Failure::bad_evidence("no loop was entered yet: vsota loop start"));
        };
        let git = Checkout::at(&self.checkout)?;
        let head = git.head()?.ok_or_else(|| {
            Failure::bad_evidence("the checkout has no commit").in_file(&self.checkout)
        })?;
        let top = git.top()?.map(|it| it.canonicalize_utf8().unwrap_or(it));
        if let Some(other) = top.filter(|it| *it != self.top()) {
            let message = format_args!("git is configured to look at another work tree: {other}");
            return Err(Failure::bad_evidence(message).in_file(&self.checkout));
        }
        let (loop_round, loop_phase) = match self.own() {
            Some(own) => (own.state()?.map_or(0, |it| it.round), own.reading.lifecycle.phase()),
            None => (0, None),
        };
        let reasons = named::bars(self);
        if !reasons.is_empty() {
            return Err(Refused { reasons }.into());
        }
        let loop_dir = recorded.dir.clone();
        let (loop_state, seen_at) = (self.end(), None);
        Ok(Standpoint { head, loop_dir, loop_state, loop_round, loop_phase, seen_at })
    }

    /// What is wrong with the loops, each with its clause and what helps.
    pub fn findings(&self) -> Vec<Reason> {
        named::findings(self)
    }

    /// Every loop as it is shown.
    pub fn views(&self) -> Vec<View<'_>> {
        let own = self.own().map(|it| &it.path);
        self.found.iter().map(|it| it.view(Some(&it.path) == own)).collect()
    }
}

impl Found {
    /// What the state file says; absent when there is none.
    ///
    /// # Errors
    ///
    /// Bad evidence with file and line when it is half written.
    pub fn state(&self) -> Result<Option<&LoopState>, Failure> {
        match &self.reading.state {
            None => Ok(None),
            Some(Ok(state)) => Ok(Some(state)),
            Some(Err(error)) => {
                let file = self.reading.lifecycle.file().unwrap_or("state.md");
                Err(crate::gather::bad(error, self.path.join(file)))
            }
        }
    }

    /// Whether changes lie in its work tree, or nothing was committed since it began; Humanize lets the
    /// second pass. Where git does not answer, nothing is said.
    fn is_uncommitted(&self) -> bool {
        let Ok(git) = Checkout::at(&self.tree) else { return false };
        let dirty = git.changes().is_ok_and(|it| !it.is_empty());
        let base = self.state().ok().flatten().and_then(|it| it.base_commit.as_ref());
        let none = base.zip(git.commit().ok().flatten()).is_some_and(|(base, head)| {
            git.commits(base, &head).is_ok_and(|count| count == Some(0))
        });
        dirty || none
    }

    /// The loop as the machine records it when it is entered.
    ///
    /// # Errors
    ///
    /// Bad evidence when the state is half written or lacks what identifies a loop.
    pub fn active(&self) -> Result<Option<ActiveLoop>, Failure> {
        let Some(state) = self.state()? else { return Ok(None) };
        let lacks = |key: &str| {
            let message = "the state file does not hold it, so the loop cannot be recognised again";
            Failure::bad_evidence(message).in_file(&self.path).at_field(key)
        };
        Ok(Some(ActiveLoop {
            dir: name(&self.dir)?,
            started_at: state.started_at.clone().ok_or_else(|| lacks("started_at"))?,
            base_commit: state.base_commit.clone().ok_or_else(|| lacks("base_commit"))?,
            plan_sha256: self.plan.ok_or_else(|| lacks("plan.md"))?,
            current_round: state.round,
            strict_success: state.strict_success,
            ask_codex_question: state.ask_codex_question,
            round_prompt: self.reading.prompt,
            round_contract: self.reading.contract_setup,
        }))
    }

    fn view(&self, recorded: bool) -> View<'_> {
        let reading = &self.reading;
        View {
            dir: &self.dir,
            path: self.path.as_str(),
            state: reading.lifecycle,
            active: reading.lifecycle.is_active(),
            recorded,
            inside: self.inside,
            owed: reading.owed,
            advice: reading.owed.map(Owed::advice),
            said: reading.state.as_ref().and_then(|it| it.as_ref().ok()),
            error: reading.state.as_ref().and_then(|it| it.as_ref().err()).map(ToString::to_string),
        }
    }
}

fn name(dir: &str) -> Result<Name, Failure> {
    Name::new(dir).map_err(|error| Failure::bad_evidence(error).at_field(dir))
}

/// The last loop that the journal entered.
pub fn recorded(entries: &[Entry]) -> Option<ActiveLoop> {
    entries.iter().rev().find_map(|it| match &it.event {
        Event::LoopEntered(it) => it.said.active.clone(),
        Event::LoopReentered(it) => it.said.start.active.clone(),
        _ => None,
    })
}

/// Humanize's own counter, as the files of the recorded loop tell it; absent where they do not (RL-7).
pub fn counter(checkout: &Utf8Path, entries: &[Entry]) -> Option<u32> {
    let recorded = recorded(entries)?;
    let there = checkout.canonicalize_utf8().ok()?;
    let top = trees::around(&there).unwrap_or(there);
    let dir = top.join(LOOPS).join(recorded.dir.as_str());
    let state = |name: &str| name.ends_with("state.md");
    humanize::read(&files(&dir, state)).state?.ok().map(|it| it.round)
}

/// Whether a claim stands: no round was opened since, and no successor entered, which reviews anew.
fn claimed(entries: &[Entry]) -> bool {
    let last = entries.iter().rev().find_map(|it| match &it.event {
        Event::StopClaimed(_) => Some(true),
        Event::RoundOpened(_) | Event::LoopReentered(_) => Some(false),
        _ => None,
    });
    last == Some(true)
}

/// Where a loop directory lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Tree,
    Artefacts,
    Elsewhere,
}

/// Work trees of other repositories in which a loop may have been started by mistake.
fn elsewhere(run_dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let project = env::var("CLAUDE_PROJECT_DIR").ok().filter(|it| !it.is_empty());
    let here = env::current_dir().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let project = project.map(Utf8PathBuf::from);
    let mut places: Vec<Utf8PathBuf> =
        project.iter().filter_map(|it| it.canonicalize_utf8().ok()).collect();
    let around = [project, here, Some(run_dir.to_owned())];
    places.extend(around.iter().flatten().filter_map(|it| trees::around(it)));
    places.extend(run_dir.canonicalize_utf8());
    places.sort();
    places.dedup();
    places
}

fn look(tree: &Utf8Path, place: Place, found: &mut Vec<Found>) {
    let entries = tree.join(LOOPS).read_dir_utf8().into_iter().flatten().flatten();
    let mut dirs: Vec<Utf8PathBuf> =
        entries.take(MOST).map(|it| it.path().to_owned()).filter(|it| it.is_dir()).collect();
    dirs.sort();
    let newest = dirs.last().cloned();
    for path in dirs {
        let files = files(&path, humanize::wants);
        found.push(Found {
            tree: tree.to_owned(),
            dir: path.file_name().unwrap_or_default().to_owned(),
            inside: place == Place::Tree,
            below: place == Place::Artefacts,
            outdated: Some(&path) != newest.as_ref(),
            reading: humanize::read(&files),
            plan: bytes(&path.join("plan.md")).map(|it| Digest::of(&it)),
            files,
            path,
        });
    }
}

/// The files of a loop directory; what is not wanted or cannot be read is there without text.
fn files(dir: &Utf8Path, wanted: impl Fn(&str) -> bool) -> Files {
    let entries = dir.read_dir_utf8().into_iter().flatten().flatten();
    let read = |name: &str| {
        let text = wanted(name).then(|| bytes(&dir.join(name))).flatten();
        text.map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default()
    };
    entries
        .take(MOST)
        .map(|it| it.file_name().to_owned())
        .map(|it| (it.clone(), read(&it)))
        .collect()
}

fn bytes(path: &Utf8Path) -> Option<Vec<u8>> {
    // A pipe would wait for ever.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A line of text from outside, cut to what an event may hold.
pub fn line(text: &str) -> Result<Line, Failure> {
    let kept: String = text
        .chars()
        .map(|c| if vsota_core::text::is_unsafe(c) { '\u{FFFD}' } else { c })
        .take(240)
        .collect();
    Line::new(kept).map_err(Failure::bad_evidence)
}
