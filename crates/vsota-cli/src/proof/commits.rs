//! Has every commit of the checkout its gate? The way from where the loop was entered to HEAD is walked in
//! git's own objects, and what the gates recorded of their commits is asked again (PA-1, PA-6, FB-11, RL-9).

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use vsota_core::event::Event;
use vsota_core::evidence::checks;
use vsota_core::facts::{ChangedFile, ChecksGone, Fixup, Head, Patch, StopOrder};
use vsota_core::phase::InLoop as _;
use vsota_core::{Artifact, Campaign, Clause, Digest, Entry, GitId, Phase, State};

use super::facts::bytes;
use super::redacted::{self, Compared};
use super::{Checks, NotChecked};
use crate::checkout::Checkout;
use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::{Failure, Why};
use crate::find;
use crate::objects::{Commit, Objects};
use crate::rundir::RunDir;

/// The name of the check, as `--without` takes it.
const CHECK: &str = "checkout";

/// How many commits without a gate are listed.
const LISTED: usize = 5;

/// A gate that commits went through, with HEAD as it stood there.
struct Gate<'a> {
    seq: u64,
    kind: String,
    head: &'a Head,
    /// What a patch or a fixup recorded of its range.
    range: Option<Recorded<'a>>,
    /// Whether its commit stays in the history: the loop's beginning, and what was accepted.
    stays: bool,
}

struct Recorded<'a> {
    base: &'a GitId,
    descends: bool,
    files: &'a [ChangedFile],
    diff: &'a Artifact,
    gone: Option<&'a ChecksGone>,
}

/// Walks the commits; says what could not be checked.
pub(super) fn walked(
    context: &Context,
    run: &RunDir,
    chronicle: &Chronicle,
    checks: &mut Checks,
) -> Vec<NotChecked> {
    let gates = gates(&chronicle.entries);
    if gates.is_empty() {
        return Vec::new();
    }
    let open = |why: String| vec![NotChecked { check: CHECK, why }];
    let Some(checkout) = find::checkout(&chronicle.campaign) else {
        let told = gates.iter().filter(|it| it.range.is_some() || it.kind == "loop-entered");
        let why = format!(
            "{} events name commits of the vLLM checkout, which is not there",
            told.count()
        );
        return open(why);
    };
    let mut walk = Walk { context, run, checks, open: Vec::new() };
    match walk.through(chronicle, &checkout, &gates) {
        Ok(()) => walk.open.into_iter().flat_map(open).collect(),
        Err(Failure { why: Why::Fault(fault), .. }) => open(fault.message),
        Err(Failure { why: Why::Refused(_), .. }) => open(String::from("it cannot be asked")),
    }
}

fn gates(entries: &[Entry]) -> Vec<Gate<'_>> {
    entries.iter().filter_map(gate).collect()
}

fn gate(entry: &Entry) -> Option<Gate<'_>> {
    let (head, range) = match &entry.event {
        Event::LoopEntered(it) => (it.said.checkout.head.as_ref()?, None),
        Event::PatchRecorded(it) => (&it.said.stand.head, Some(Recorded::of(&it.said))),
        Event::PatchAmended(it) => (&it.said.patch.stand.head, Some(Recorded::of(&it.said.patch))),
        Event::FixupRecorded(it) => {
            let Fixup { stand, base_tree, descends, files, diff, checks_gone, .. } = &it.said;
            let (descends, gone) = (*descends, checks_gone.as_ref());
            let range = Recorded { base: base_tree, descends, files, diff, gone };
            (&stand.head, Some(range))
        }
        Event::PatchAccepted(it) => (&it.said.stand.head, None),
        Event::PatchRetried(it) => (&it.said.head, None),
        Event::PatchRejected(it) => (&it.said.head, None),
        Event::RoundAbandoned(it) => (&it.said.stand.head, None),
        Event::StopClaimed(it) => (&it.said.stand.head, None),
        _ => return None,
    };
    let stays = matches!(entry.event, Event::LoopEntered(_) | Event::PatchAccepted(_));
    Some(Gate { seq: entry.seq.0, kind: entry.event.kind().to_string(), head, range, stays })
}

impl<'a> Recorded<'a> {
    fn of(said: &'a Patch) -> Self {
        let Patch { base_tree, descends, files, diff, checks_gone, .. } = said;
        let (descends, gone) = (*descends, checks_gone.as_ref());
        Self { base: base_tree, descends, files, diff, gone }
    }
}

/// The way along the commits.
struct Walk<'a> {
    context: &'a Context,
    run: &'a RunDir,
    checks: &'a mut Checks,
    /// Why a part could not be checked.
    open: Vec<String>,
}

impl Walk<'_> {
    fn through(
        &mut self,
        chronicle: &Chronicle,
        checkout: &Utf8PathBuf,
        gates: &[Gate<'_>],
    ) -> Result<(), Failure> {
        let Some(base) = gates.first().map(|it| &it.head.commit) else { return Ok(()) };
        let now = Checkout::at(checkout)?.commit()?;
        let now = now.ok_or_else(|| Failure::bad_evidence("the checkout has no commit"))?;
        let stopped = stopped(&chronicle.entries);
        let end = stopped.unwrap_or(&now);
        let objects = Objects::of(checkout, &now)?;
        for wanted in [base, end] {
            if objects.tree(wanted)?.is_none() {
                let message = format_args!("the commit {wanted} is not in the checkout {checkout}");
                return Err(Failure::bad_evidence(message));
            }
        }
        let mut accepted = base;
        for gate in gates {
            self.again(&objects, gate, accepted, end)?;
            if gate.stays {
                accepted = &gate.head.commit;
            }
        }
        let mut known = Vec::new();
        for gate in gates {
            if objects.tree(&gate.head.commit)?.is_some() {
                known.push(&gate.head.commit);
            }
        }
        let strange = objects.beyond(&known, end)?;
        let phase = chronicle.campaign.phase();
        // Between the edit and its gate a commit has none yet.
        let waits = waiting(&chronicle.campaign);
        if waits.is_none() {
            for it in strange.iter().take(LISTED) {
                let clause = if phase == Phase::RlcrActive { Clause::Rl9 } else { Clause::Fb11 };
                let found =
                    format!("the commit {} has no gate in the journal: {}", it.id, it.subject);
                self.checks.say(CHECK, clause, false, found, Some(checkout.to_string()));
            }
            if let Some(more) = strange.len().checked_sub(LISTED).filter(|it| *it > 0) {
                let found = format!("and {more} more commits without a gate");
                self.checks.say(CHECK, Clause::Fb11, false, found, Some(checkout.to_string()));
            }
        }
        let count = objects.between(base, end)?.len();
        let later = if stopped.is_some() { objects.beyond(&[end], &now)? } else { Vec::new() };
        let mut held =
            format!("{count} commits from {} to {}, each with its gate", base.short(), end.short());
        if !later.is_empty() {
            held.push_str("; what came after the stop is not the campaign's: ");
            held.push_str(&named(&later));
        }
        if let Some(command) = waits.filter(|_| !strange.is_empty()) {
            self.open.push(format!("{} wait for their gate: {command}", named(&strange)));
            return Ok(());
        }
        // A rejected patch went through its gates as well; it is not what the checkout may stand on.
        let settled = matches!(phase, Phase::RlcrActive | Phase::GapDecision | Phase::Profiling);
        if (settled && waits.is_none()) || stopped.is_some() {
            let (stands, due) = (objects.tree(end)?, objects.tree(accepted)?);
            if stands != due {
                let found = format!(
                    "{} has another tree than the accepted build, {}",
                    end.short(),
                    accepted.short()
                );
                self.checks.say(CHECK, Clause::Pa1, false, found, Some(checkout.to_string()));
            }
        }
        self.sourced(chronicle, &objects)?;
        self.checks.conclude(CHECK, Clause::Pa1, held);
        Ok(())
    }

    /// PR-6: the sources of a root cause are files of the commit that it was named on, where that is still
    /// there: the commit of a try that was taken back may be gone.
    fn sourced(&mut self, chronicle: &Chronicle, objects: &Objects) -> Result<(), Failure> {
        for entry in &chronicle.entries {
            let Event::RootCauseNamed(it) = &entry.event else { continue };
            let commit = &it.said.stand.head.commit;
            if objects.tree(commit)?.is_none() {
                continue;
            }
            if let Some(source) = objects.missing(commit, &it.said.sources)? {
                let found =
                    format!("entry {}: the commit {} holds no {source}", entry.seq, commit.short());
                let draft = Some(it.said.draft.path.to_string());
                self.checks.say(CHECK, Clause::Pr6, false, found, draft);
            }
        }
        Ok(())
    }

    /// What a gate recorded of its commit is what git says of it. The commit of a rejected patch may be gone.
    fn again(
        &mut self,
        objects: &Objects,
        gate: &Gate<'_>,
        accepted: &GitId,
        end: &GitId,
    ) -> Result<(), Failure> {
        let Gate { seq, kind, head, range, stays } = gate;
        let mut wrong = |clause, found: String| {
            let found = format!("entry {seq}, {kind}: {found}");
            self.checks.say(CHECK, clause, false, found, None);
        };
        let commit = &head.commit;
        let Some(tree) = objects.tree(commit)? else {
            if *stays {
                wrong(Clause::Pa1, format!("its commit {commit} is not in the checkout"));
            }
            return Ok(());
        };
        if tree != head.tree {
            wrong(
                Clause::Pa1,
                format!("the commit {commit} has the tree {tree}, not {}", head.tree),
            );
            return Ok(());
        }
        if *stays && !objects.descends(end, commit)? {
            wrong(Clause::Pa1, format!("{end} does not descend from its commit {commit}"));
        }
        let Some(range) = range else { return Ok(()) };
        if objects.descends(commit, accepted)? != range.descends {
            let said = if range.descends { "does not descend" } else { "descends" };
            wrong(Clause::Pa1, format!("the commit {commit} {said} from the accepted {accepted}"));
        }
        let changed: BTreeSet<String> = objects.changed(range.base, &tree)?.into_iter().collect();
        let said: BTreeSet<String> = range.files.iter().map(|it| it.path.to_string()).collect();
        if changed != said {
            wrong(Clause::Pa1, String::from("git tells of other changed files"));
        }
        let diff = objects.diff(range.base, &tree)?;
        if Digest::of(&diff) == range.diff.sha256 {
            return Ok(());
        }
        // What was taken out as a secret may have been a check.
        let gone = checks::fact(&String::from_utf8_lossy(&diff), None).map_or(0, |it| it.count);
        let said = range.gone.map_or(0, |it| it.count);
        if gone > said {
            let found =
                format!("git's difference takes away {gone} checks, and {said} are recorded");
            wrong(Clause::Pa2, found);
        }
        // What was cleared of secrets is cleared of them again.
        let (again, _) = self.context.secrets.clean(&diff);
        let kept = bytes(self.run, range.diff).ok();
        let kept = kept.filter(|it| Digest::of(it) == range.diff.sha256).unwrap_or_default();
        let at = &range.diff.path;
        match redacted::compared(&kept, &again) {
            Compared::Same => {}
            Compared::ButFor(places) => self.open.push(format!(
                "entry {seq}, {kind}: {places} places of {at} were a secret of whoever recorded it, \
                 which is not known here"
            )),
            Compared::Differs => wrong(Clause::Pa6, format!("{at} is not git's difference")),
        }
        Ok(())
    }
}

/// The command that a commit without a gate may wait for: before the patch is recorded, while it is
/// measured, and where Humanize's review may demand a fixup (RL-9).
fn waiting(campaign: &Campaign) -> Option<&'static str> {
    match campaign.state() {
        State::LayerPipeline(_) | State::KernelAssist(_) => Some("vsota patch record"),
        State::Revalidate(_) => Some("vsota patch amend"),
        State::RlcrActive(it) if it.case().claim.is_some() || it.case().review_due => {
            Some("vsota patch fixup")
        }
        _ => None,
    }
}

/// The commit on which the campaign was stopped.
fn stopped(entries: &[Entry]) -> Option<&GitId> {
    match entries.last().map(|it| &it.event) {
        Some(Event::CampaignStopped(it)) => match &it.said {
            StopOrder::Confirm { stand } => Some(&stand.head.commit),
            StopOrder::External { .. } => None,
        },
        _ => None,
    }
}

fn named(commits: &[Commit]) -> String {
    let first: Vec<&str> = commits.iter().take(LISTED).map(|it| it.id.short()).collect();
    let more = if commits.len() > LISTED { ", …" } else { "" };
    format!("{} commits ({}{more})", commits.len(), first.join(", "))
}
