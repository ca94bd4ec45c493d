//! How does the campaign take a step? Lock, fold, decide, persist, tell: the only road to the journal.
//!
//! What is decided is decided against what is on the disk, under the lock. Nothing is told before the
//! event is on the disk, and nothing about it is ever untold: what fails afterwards says so.

use camino::Utf8Path;
use serde::Serialize;
use vsota_core::command::{Command, CommandKind};
use vsota_core::event::EventKind;
use vsota_core::phase::{LoopObjection, PatchObjection};
use vsota_core::{Campaign, Entry, Finding, Objection, Opening, Phase, Refusal, Rounds, Step};

use crate::checkout::Checkout;
use crate::chronicle::{self, Chronicle, Next};
use crate::context::Context;
use crate::documents;
use crate::escape;
use crate::failure::{Failure, Reason, Refused};
use crate::help;
use crate::journal::chain::ORIGIN;
use crate::journal::{Head, Journal, QUARANTINE, rel};
use crate::loops;
use crate::output::{Outcome, Style, Text};
use crate::proof;
use crate::refusals::{self, Noted};
use crate::rundir::RunDir;
use crate::rundir::intake::Staged;

/// How many changes of a work tree are named.
const NAMED: usize = 3;

/// The acknowledgement of a step, or of a call that recorded nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Transition {
    /// What was recorded; `None` when nothing was.
    pub event: Option<Recorded>,
    /// Where the campaign is now.
    pub phase: Phase,
    /// The round it is in; 0 before the first.
    pub round: u32,
    /// The head of the journal.
    pub head: Head,
    /// What can be done next.
    pub next: Vec<Next>,
}

/// A recorded event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Recorded {
    /// Its place in the journal.
    pub seq: u64,
    /// What happened.
    pub kind: EventKind,
}

/// A step's acknowledgement and a command's own object, in one.
#[derive(Serialize)]
struct Both<'a, T> {
    #[serde(flatten)]
    transition: &'a Transition,
    #[serde(flatten)]
    own: &'a T,
}

/// Opens a campaign in a run directory.
///
/// # Errors
///
/// Refused when one is open there already; otherwise as [`take`].
pub fn open(context: &Context, run: &RunDir, opening: Opening) -> Result<Transition, Failure> {
    let (mut journal, reading) = Journal::open_or_create(run)?;
    if !reading.is_empty() {
        let (campaign, head) = chronicle::campaign(&reading)?;
        let command = CommandKind::OpenCampaign;
        let refusal = Refusal::OutOfPhase { phase: campaign.phase(), command };
        return Err(refuse(context, run, head, &campaign, command, &refusal));
    }
    persist(context, run, &mut journal, Campaign::open(opening), Vec::new(), None)
}

/// Takes one step: what the command says must be known before the lock is taken.
///
/// # Errors
///
/// Refused when the machine objects; busy, integrity, no campaign and I/O as the journal says.
pub fn take(
    context: &Context,
    run: &RunDir,
    command: impl Into<Command>,
) -> Result<Transition, Failure> {
    let command = command.into();
    take_with(context, run, Vec::new(), |_| Ok(command))
}

/// Takes one step with evidence: the staged artefacts get their names once the machine has granted the
/// command, and before the event that names them is recorded.
///
/// # Errors
///
/// As [`take`], and what `say` finds wrong.
pub fn take_with(
    context: &Context,
    run: &RunDir,
    staged: Vec<Staged<'_>>,
    say: impl FnOnce(&Campaign) -> Result<Command, Failure>,
) -> Result<Transition, Failure> {
    let (mut journal, reading) = Journal::open(run)?;
    let chronicle = Chronicle::of(&reading)?;
    let command = say(&chronicle.campaign)?;
    let kind = command.kind();
    match chronicle.campaign.decide(command) {
        Ok(step) => persist(context, run, &mut journal, step, staged, Some(chronicle)),
        Err(refusal) => {
            Err(refuse(context, run, chronicle.head, &chronicle.campaign, kind, &refusal))
        }
    }
}

fn persist(
    context: &Context,
    run: &RunDir,
    journal: &mut Journal<'_>,
    step: Step,
    staged: Vec<Staged<'_>>,
    before: Option<Chronicle>,
) -> Result<Transition, Failure> {
    let prev = before.as_ref().map_or(ORIGIN, |it| it.head.hash);
    let entry: Entry = step.entry(context.clock.now(), prev);
    let entry = match entry.rounds {
        Some(Rounds { humanize: None, .. }) => entry.in_loop_round(counted(before.as_ref())),
        _ => entry,
    };
    // What a file spelled in another way is spelled out here (SE-1).
    let said = serde_json::to_string(&entry.event)
        .map_err(|error| Failure::io(format_args!("the event is not JSON: {error}")))?;
    context.secrets.refuse(&said, "event")?;
    let entries = before.as_ref().map_or(&[][..], |it| &it.entries);
    for artefact in staged {
        clear(run, entries, &artefact)?;
        artefact.publish()?;
    }
    let head = journal.append(&entry)?;
    let recorded = Recorded { seq: head.seq, kind: entry.event.kind() };

    let mut entries = before.map(|it| it.entries).unwrap_or_default();
    entries.push(entry);
    let chronicle = Chronicle { campaign: step.commit(), entries, head };
    // The event stands, whatever becomes of the documents: `report` renders them again.
    documents::write(run, &chronicle).map_err(|failure| failure.after(head))?;
    Ok(Transition { event: Some(recorded), ..Transition::none(&chronicle.campaign, head) })
}

/// Humanize's own counter, as the loop's files tell it now; a demonstration, which has none, was told it last
/// (RL-7).
fn counted(before: Option<&Chronicle>) -> Option<u32> {
    let Chronicle { campaign, entries, .. } = before?;
    if campaign.opening().demo {
        return entries.iter().rev().find_map(|it| it.event.loop_round());
    }
    let checkout = campaign.state().brief().vllm_checkout()?;
    loops::counter(Utf8Path::new(checkout.as_str()), entries)
}

/// A file that a killed call left under the name of an artefact is moved to quarantine. What an event
/// names stays, and is never overwritten.
fn clear(run: &RunDir, entries: &[Entry], artefact: &Staged<'_>) -> Result<(), Failure> {
    let at = &artefact.artifact().path;
    if !artefact.is_blocked()? || proof::named(entries).iter().any(|it| it.path == *at) {
        return Ok(());
    }
    let Some(left) = run.digest(at)? else { return Ok(()) };
    let leaf = at.as_str().rsplit('/').next().unwrap_or_default();
    run.move_aside(at, &rel(&format!("{QUARANTINE}/{}-{leaf}", left.sha256))?)
}

fn refuse(
    context: &Context,
    run: &RunDir,
    head: Head,
    campaign: &Campaign,
    command: CommandKind,
    refusal: &Refusal,
) -> Failure {
    let mut refused = help::refused(refusal);
    name_changes(campaign, refusal, &mut refused);
    noted(context, run, head, campaign, command, refused)
}

/// Says which changes are in the way of a gate that asks for a clean work tree, and how more is told of
/// the first one. A demonstration has no checkout (PA-1).
fn name_changes(campaign: &Campaign, refusal: &Refusal, refused: &mut Refused) {
    let dirty = |it: &Objection| {
        matches!(
            it.found,
            Finding::Loop(LoopObjection::DirtyGate {}) | Finding::Patch(PatchObjection::Dirty {})
        )
    };
    let Some(at) = refusal.objections().iter().position(dirty) else { return };
    let checkout = campaign.state().brief().vllm_checkout();
    let checkout = checkout.filter(|_| !campaign.opening().demo);
    let checkout = checkout.and_then(|it| Checkout::at(Utf8Path::new(it.as_str())).ok());
    let changes = checkout.as_ref().and_then(|it| it.changes().ok()).unwrap_or_default();
    let (Some(reason), Some(checkout), Some(first)) =
        (refused.reasons.get_mut(at), checkout, changes.first())
    else {
        return;
    };
    let shown = changes.iter().take(NAMED).map(|it| format!("`{}`", escape::brief(it, 200)));
    let shown: Vec<String> = shown.collect();
    let more = changes.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    reason.found = format!("{}: {}{more}", reason.found, shown.join(", "));
    reason.help = checkout.asks(first);
}

/// Refuses a command before the machine is asked, because of what was found outside; noted as any other
/// refusal.
pub fn object(
    context: &Context,
    run: &RunDir,
    chronicle: &Chronicle,
    command: CommandKind,
    reasons: Vec<Reason>,
) -> Failure {
    let Chronicle { campaign, head, .. } = chronicle;
    noted(context, run, *head, campaign, command, Refused { reasons })
}

fn noted(
    context: &Context,
    run: &RunDir,
    head: Head,
    campaign: &Campaign,
    command: CommandKind,
    refused: Refused,
) -> Failure {
    let noted = Noted::new(context.clock.now(), head.seq, campaign.phase(), command, &refused);
    // A refusal that cannot be noted is still a refusal.
    let _ = refusals::note(run, &noted);
    refused.into()
}

impl Transition {
    /// The acknowledgement of a call that recorded nothing.
    #[must_use]
    pub fn none(campaign: &Campaign, head: Head) -> Self {
        Self {
            event: None,
            phase: campaign.phase(),
            round: chronicle::round(campaign),
            head,
            next: chronicle::next(campaign),
        }
    }

    /// The outcome of a command that has nothing else to say.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    pub fn outcome(&self) -> Result<Outcome, Failure> {
        Ok(Outcome { recorded: self.recorded(), ..Outcome::new(self.text(), self)? })
    }

    /// The outcome of a command that has an object of its own; its text comes first.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    pub fn outcome_with(&self, mut text: Text, own: &impl Serialize) -> Result<Outcome, Failure> {
        text.append(self.text());
        let outcome = Outcome::new(text, &Both { transition: self, own })?;
        Ok(Outcome { recorded: self.recorded(), ..outcome })
    }

    /// The acknowledgement for people.
    pub fn text(&self) -> Text {
        let mut text = Text::new();
        if let Some(Recorded { seq, kind }) = self.event {
            text.push(Style::Good, "recorded").plain(format!("  {seq} {kind}")).end();
        }
        text.plain("phase     ")
            .push(Style::Strong, chronicle::place(self.phase, self.round))
            .end();
        text.plain("head      ").push(Style::Dim, self.head.to_string()).end();
        let mut ready = self.next.iter().filter(|it| it.ready).peekable();
        if ready.peek().is_some() {
            text.line("next");
        }
        for next in ready {
            text.plain("  ").push(Style::Code, next.command).end();
        }
        text
    }

    fn recorded(&self) -> Option<Head> {
        self.event.map(|_| self.head)
    }
}
