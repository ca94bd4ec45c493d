//! What can be proved from the run directory alone? Chain, fold, heads, artefacts, facts, guards,
//! documents; and, where the checkout is there, that every commit has its gate. Nothing is believed because a document says so.

mod again;
mod beside;
mod commits;
mod facts;
mod redacted;
mod traced;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use vsota_core::event::Event;
use vsota_core::facts::Handshake;
use vsota_core::{Artifact, Campaign, Clause, Digest, Entry};

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::documents;
use crate::failure::{Failure, Why};
use crate::hook::gates::{self, Gates};
use crate::journal::{Care, Head, Links, Reading};
use crate::rundir::RunDir;
use crate::rundir::intake::LIMIT;

/// The outcome of a proof.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// Whether every check held.
    pub ok: bool,
    /// The head that was proved.
    pub head: Option<Head>,
    /// Every check, with what it found.
    pub checks: Vec<Check>,
    /// What could not be checked.
    pub not_checked: Vec<NotChecked>,
    /// The waivers on record.
    pub waivers: Vec<Waiver>,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name.
    pub check: &'static str,
    /// Whether it held.
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// The clause that it serves.
    pub clause: Clause,
    /// The file that it concerns.
    pub file: Option<String>,
}

/// Something that cannot be checked from the run directory.
#[derive(Clone, Debug, Serialize)]
pub struct NotChecked {
    /// Its name, as `--without` takes it.
    pub check: &'static str,
    /// Why it cannot be checked.
    pub why: String,
}

/// A waiver on record.
#[derive(Clone, Debug, Serialize)]
pub struct Waiver {
    /// The clause that was waived.
    pub clause: Clause,
    /// Why.
    pub reason: String,
}

/// The checks of one proof as they come in.
#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn say(
        &mut self,
        check: &'static str,
        clause: Clause,
        ok: bool,
        found: String,
        file: Option<String>,
    ) {
        self.0.push(Check { check, ok, found, clause, file });
    }

    /// Says once that everything of a kind held, unless something did not.
    fn conclude(&mut self, check: &'static str, clause: Clause, held: String) {
        if self.0.iter().all(|it| it.check != check || it.ok) {
            self.say(check, clause, true, held, None);
        }
    }

    fn wrong(&mut self, check: &'static str, clause: Clause, failure: &Failure) {
        let (found, file) = match &failure.why {
            Why::Fault(fault) => {
                let line = fault.line.map_or(String::new(), |it| format!("line {it}: "));
                (format!("{line}{}", fault.message), fault.file.clone())
            }
            Why::Refused(refused) => (format!("{} objections", refused.reasons.len()), None),
        };
        self.say(check, clause, false, found, file);
    }
}

/// Proves the campaign of a run directory.
///
/// # Errors
///
/// When there is no journal, or the system fails. What is wrong with the campaign is in the proof.
pub fn prove(context: &Context, run: &RunDir, expected: Option<Digest>) -> Result<Proof, Failure> {
    let reading = Reading::of(run)?;
    let mut checks = Checks::default();
    let Some((chronicle, links)) = believed(&reading, &mut checks) else {
        return Ok(Proof {
            ok: false,
            head: None,
            checks: checks.0,
            not_checked: Vec::new(),
            waivers: Vec::new(),
        });
    };
    heads(&reading, &links, expected, &mut checks);
    beside::refusals(run, chronicle.head, &mut checks);
    artefacts(run, &chronicle, &mut checks);
    guards(&chronicle.entries, &mut checks);
    facts::derived(run, &chronicle.entries, &mut checks);
    traced::again(run, &chronicle.entries, &mut checks);
    rendered(&reading, run, &chronicle, &mut checks)?;
    secrets(context, run, &chronicle, &mut checks);
    beside::extra(run, &chronicle, &mut checks)?;
    let mut not_checked = commits::walked(context, run, &chronicle, &mut checks);
    not_checked.extend(untraced(run, &chronicle.entries));
    Ok(Proof {
        ok: checks.0.iter().all(|it| it.ok),
        head: Some(chronicle.head),
        checks: checks.0,
        not_checked,
        waivers: waivers(&chronicle.entries),
    })
}

/// Chain and fold: without them nothing else means anything.
fn believed(reading: &Reading, checks: &mut Checks) -> Option<(Chronicle, Links)> {
    let mut entries: Vec<Entry> = Vec::new();
    let links = reading.walk(Care::Bytes, |entry| {
        entries.push(entry);
        Ok(())
    });
    let links = match links {
        Ok(links) => links,
        Err(failure) => {
            checks.wrong("chain", Clause::Ck2, &failure);
            return None;
        }
    };
    if !reading.torn().is_empty() {
        // A torn line that an outside head names is damage, and was refused by the reading.
        let found =
            format!("{} bytes of an entry that was never acknowledged", reading.torn().len());
        checks.say("torn", Clause::Ck2, true, found, None);
    }
    checks.conclude(
        "chain",
        Clause::Ck2,
        format!("{} entries, each bound to the one before", entries.len()),
    );
    let events = entries.iter().map(|it| (it.seq, &it.event));
    match (Campaign::replay(events), links.head()) {
        (Ok(campaign), Some(head)) => {
            let found = format!("leads to {}", campaign.phase());
            checks.say("fold", Clause::Ck2, true, found, None);
            Some((Chronicle { campaign, entries, head }, links))
        }
        (Err(error), _) => {
            checks.say("fold", Clause::Ck2, false, error.to_string(), None);
            None
        }
        (Ok(_), None) => None,
    }
}

/// Every head that stands outside is one that the journal passed through (F3).
fn heads(reading: &Reading, links: &Links, expected: Option<Digest>, checks: &mut Checks) {
    for outside in reading.outside() {
        let ok = links.passed(outside.head);
        let word = if ok { "is" } else { "is NOT" };
        let found = format!("head {} {word} in the journal", outside.head);
        checks.say("head", Clause::Ck1, ok, found, Some(outside.holder.to_string()));
    }
    if reading.outside().is_empty() {
        // A call that was killed at the opening was acknowledged to nobody.
        let opening = unacknowledged_opening(reading, links);
        let found = if opening {
            "the opening was never acknowledged; `vsota report` renders what is due"
        } else {
            "no document holds the head of the journal"
        };
        checks.say("head", Clause::Ck1, opening, found.to_owned(), None);
    }
    if let Some(hash) = expected {
        let ok = links.holds(hash);
        let found = format!("the expected head {hash} is {}there", if ok { "" } else { "NOT " });
        checks.say("head", Clause::Ck1, ok, found, None);
    }
}

/// Every artefact that an event names is there, byte for byte.
fn artefacts(run: &RunDir, chronicle: &Chronicle, checks: &mut Checks) {
    let mut count = 0_usize;
    for artifact in named(&chronicle.entries) {
        count = count.saturating_add(1);
        let file = Some(artifact.path.to_string());
        match run.digest(&artifact.path) {
            Ok(Some(found)) if found == artifact => {}
            Ok(Some(_)) => {
                let found = String::from("its bytes are not those that were recorded");
                checks.say("artefact", Clause::In3, false, found, file);
            }
            Ok(None) => {
                checks.say("artefact", Clause::In3, false, String::from("it is gone"), file)
            }
            Err(failure) => checks.wrong("artefact", Clause::In3, &failure),
        }
    }
    checks.conclude("artefact", Clause::In3, format!("{count} files as they were recorded"));
}

/// Every artefact that is named anywhere in the journal, once.
pub(crate) fn named(entries: &[Entry]) -> Vec<Artifact> {
    let mut found = BTreeMap::new();
    for entry in entries {
        if let Ok(value) = serde_json::to_value(&entry.event) {
            collect(&value, &mut found);
        }
    }
    found.into_values().collect()
}

fn collect(value: &Value, found: &mut BTreeMap<String, Artifact>) {
    match value {
        Value::Object(map) => {
            if let Ok(artifact) = serde_json::from_value::<Artifact>(value.clone()) {
                found.insert(format!("{} {}", artifact.path, artifact.sha256), artifact);
            }
            map.values().for_each(|it| collect(it, found));
        }
        Value::Array(items) => items.iter().for_each(|it| collect(it, found)),
        _ => {}
    }
}

/// Every guard is asked again, and grants the same event.
fn guards(entries: &[Entry], checks: &mut Checks) {
    let mut campaign: Option<Campaign> = None;
    for entry in entries {
        let Some(before) = campaign.take() else {
            campaign = Campaign::begin(entry.seq, &entry.event).ok();
            continue;
        };
        let place = || format!("entry {}, {}", entry.seq, entry.event.kind());
        match before.decide(entry.event.asked()) {
            Ok(step) if *step.event() == entry.event => {}
            Ok(_) => {
                let found =
                    format!("{}: the machine finds something else than was recorded", place());
                checks.say("guard", Clause::Fb1, false, found, None);
            }
            Err(refusal) => {
                let reasons: Vec<String> = refusal
                    .reasons()
                    .iter()
                    .map(|(clause, found)| format!("{clause} {found}"))
                    .collect();
                let found = format!("{}: {}", place(), reasons.join("; "));
                let clause = refusal.reasons().first().map_or(Clause::Fb1, |it| it.0);
                checks.say("guard", clause, false, found, None);
            }
        }
        campaign = before.follow(entry.seq, &entry.event).ok();
        if campaign.as_ref().is_some_and(|it| is_miscounted(it, entry)) {
            let found = format!("{}: the rounds are not those of the event", place());
            checks.say("guard", Clause::Rl7, false, found, None);
        }
    }
    checks.conclude("guard", Clause::Fb1, format!("{} commands granted again", entries.len()));
}

/// Whether an entry in the loop lacks its counters, or tells others than the event and the fold (RL-7).
fn is_miscounted(after: &Campaign, entry: &Entry) -> bool {
    let known = after.state().rounds(&entry.event);
    match (known, entry.rounds) {
        (None, None) => false,
        (Some(known), Some(said)) => {
            let told = known.humanize.is_none_or(|it| said.humanize == Some(it));
            known.vsota != said.vsota || !told
        }
        _ => true,
    }
}

/// Every document is what the journal renders. After a crash between journal and checkpoint a
/// document may still be that of the entry before; `report` renders it again.
fn rendered(
    reading: &Reading,
    run: &RunDir,
    chronicle: &Chronicle,
    checks: &mut Checks,
) -> Result<(), Failure> {
    let documents = documents::rendered(chronicle)?;
    let before = interrupted(reading, chronicle);
    let before = before.map(|it| documents::rendered(&it)).transpose()?.unwrap_or_default();
    let opening = reading.outside().is_empty() && chronicle.head.seq == 1;
    for (at, text) in &documents {
        let earlier = before.iter().find(|(it, _)| it == at).map(|(_, text)| text.as_bytes());
        let found = match run.read(at, LIMIT) {
            Ok(Some(bytes)) if bytes == text.as_bytes() => continue,
            Ok(Some(bytes)) if Some(bytes.as_slice()) == earlier => continue,
            Ok(Some(_)) => "it differs from what the journal renders",
            Ok(None) if opening || (!before.is_empty() && earlier.is_none()) => continue,
            Ok(None) => "it is missing",
            Err(failure) => {
                checks.wrong("document", Clause::Ck1, &failure);
                continue;
            }
        };
        checks.say("document", Clause::Ck1, false, found.to_owned(), Some(at.to_string()));
    }
    if Gates::are_forged(run, chronicle) {
        let found = "the hook would believe gates that are not those of the journal; \
                     `vsota report` writes them again";
        let at = Some(gates::PATH.to_owned());
        checks.say("document", Clause::Fb11, false, found.to_owned(), at);
    }
    let count = documents.len();
    let held = if before.is_empty() {
        format!("{count} documents as the journal renders them")
    } else {
        format!("{count} documents, some of the entry before; `vsota report` renders them again")
    };
    checks.conclude("document", Clause::Ck1, held);
    Ok(())
}

fn unacknowledged_opening(reading: &Reading, links: &Links) -> bool {
    reading.outside().is_empty() && links.head().is_some_and(|it| it.seq == 1)
}

/// The campaign before its last entry, when no document acknowledges that entry yet.
fn interrupted(reading: &Reading, chronicle: &Chronicle) -> Option<Chronicle> {
    let acknowledged = reading.outside().iter().map(|it| it.head.seq).max()?;
    let (last, before) = chronicle.entries.split_last()?;
    if acknowledged >= last.seq.0 || before.is_empty() {
        return None;
    }
    let campaign = Campaign::replay(before.iter().map(|it| (it.seq, &it.event))).ok()?;
    let head = Head { seq: last.seq.0.checked_sub(1)?, hash: last.prev };
    Some(Chronicle { campaign, entries: before.to_vec(), head })
}

/// No artefact and no entry of the journal holds a secret (SE-1).
fn secrets(context: &Context, run: &RunDir, chronicle: &Chronicle, checks: &mut Checks) {
    for entry in &chronicle.entries {
        let said = serde_json::to_string(&entry.event).unwrap_or_default();
        if let Some(hit) = context.secrets.find(&said) {
            let failure = hit.failure().at_field(format_args!("entry {}", entry.seq.0));
            checks.wrong("secret", Clause::Se1, &failure);
        }
    }
    for artifact in named(&chronicle.entries) {
        let Ok(Some(bytes)) = run.read(&artifact.path, LIMIT) else { continue };
        if let Some(hit) = context.secrets.find(&bytes) {
            let failure = hit.failure().at_field(&artifact.path);
            checks.wrong("secret", Clause::Se1, &failure);
        }
    }
    checks.conclude("secret", Clause::Se1, String::from("no artefact holds a secret"));
}

/// Profiles whose traces are not here.
fn untraced(run: &RunDir, entries: &[Entry]) -> Option<NotChecked> {
    let traces = entries.iter().filter_map(|it| match &it.event {
        Event::ProfileFiled(event) => Some(&event.said),
        _ => None,
    });
    let absent = traces.filter(|it| !facts::has_traces(run, it)).count();
    let why = format!("{absent} profiles name traces that are not in the run directory");
    (absent > 0).then_some(NotChecked { check: "traces", why })
}

fn waivers(entries: &[Entry]) -> Vec<Waiver> {
    let mut waivers = Vec::new();
    let mut round = 0;
    for entry in entries {
        if let Event::RoundOpened(it) = &entry.event {
            round = it.found;
        }
        let start = match &entry.event {
            Event::LoopEntered(it) => Some(&it.said),
            Event::LoopReentered(it) => Some(&it.said.start),
            _ => None,
        };
        if start.is_some_and(|it| it.handshake == Handshake::RoundContract) {
            let reason = String::from(
                "RL-6 waived: the handshake was the round contract, not strict success",
            );
            waivers.push(Waiver { clause: Clause::Rl6, reason });
        }
        match &entry.event {
            Event::ProfileWaived(it) => {
                let reason = format!("no profile of {}: {}", it.said.framework, it.said.reason);
                waivers.push(Waiver { clause: Clause::Pr8, reason });
            }
            Event::CompetitorBlocked(it) => {
                let reason = format!("{} can no longer run: {}", it.said.framework, it.said.reason);
                waivers.push(Waiver { clause: Clause::Gd8, reason });
            }
            Event::RigNoted(it) => {
                let found = format!("the rig was changed in round {round}: {}", it.said.changed);
                waivers.push(Waiver { clause: Clause::Gd7, reason: found });
            }
            Event::TestsFiled(it) => waivers.extend(it.said.waived.iter().map(|test| Waiver {
                clause: Clause::Rv2,
                reason: format!("known failure {}: {}", test.name, test.reason),
            })),
            _ => {}
        }
    }
    waivers
}
