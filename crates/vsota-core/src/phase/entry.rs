//! Entering the loop, and where checkout and loop stand at each gate (PL, RL, PA-1).

use alloc::string::String;

use super::case::Case;
use crate::artifact::GitId;
use crate::facts::*;
use crate::objection::{Objections, objections};
use crate::text::{Line, Name};

objections! {
    /// What may stand in the way of plan and loop.
    pub enum LoopObjection {
        /// No plan was filed.
        [Pl1] NoPlan {} "no refined plan is filed",
        /// The plan lies elsewhere.
        [Pl1] PlanElsewhere { path: Line } "the plan lies at {path}, not at .humanize/vllm-sota-agent/refined-plan.md",
        /// Placeholders are left.
        [Pl1] Placeholders { found: u32 } "the plan holds {found} placeholders",
        /// A duty is missing.
        [Pl2] DutyMissing { duty: Duty } "the plan does not require {duty}",
        /// A section is missing.
        [Pl3] SectionMissing { section: Section } "the plan has no section {section}",
        /// Not a repository.
        [Rl1] NotGit {} "the checkout is not a git repository",
        /// No commit.
        [Rl1] NoCommit {} "the checkout has no commit",
        /// A work tree with changes.
        [Rl1] Dirty {} "the work tree of the checkout is not clean",
        /// Humanize's state is visible to git.
        [Rl2] NotIgnored {} ".humanize* is not ignored by git",
        /// Humanize's state is tracked.
        [Rl2] Tracked {} "files under .humanize* are tracked by git",
        /// No base branch.
        [Rl3] NoBase {} "the review base branch does not exist locally",
        /// Detection would be ambiguous.
        [Rl3] AmbiguousBase {} "the base branch is ambiguous and --base-branch was not passed",
        /// Another loop runs.
        [Rl4] OtherLoop { dir: Line } "the loop {dir} is active in a worktree of the checkout",
        /// The loop runs another plan.
        [Rl4] OtherPlan { dir: Name } "the loop {dir} runs another plan than the filed one",
        /// A flag is missing.
        [Rl5] FlagMissing { flag: &'static str } "setup-rlcr-loop.sh was run without {flag}",
        /// The plan was not passed.
        [Rl5] PlanNotPassed {} "setup-rlcr-loop.sh was not given the refined plan",
        /// Set-up failed.
        [Rl5] SetupFailed { exit: i32, message: String } "setup-rlcr-loop.sh ended with {exit}: {message}",
        /// No active state file.
        [Rl6] NotActive {} "no active state file exists after set-up: RLCR did not start",
        /// No prompt.
        [Rl6] NoPrompt { dir: Name } "the loop {dir} has no round-0-prompt.md",
        /// Not strict.
        [Rl6] NotStrict { dir: Name } "the state of the loop {dir} does not say strict_success: true",
        /// The waived handshake fails too.
        [Rl6] NoContract { dir: Name } "the loop {dir} is not at round 0 with the Round Contract Setup and ask_codex_question: false",
        /// HEAD moved since the freeze.
        [Fb13] OtherTree { found: GitId, frozen: GitId } "HEAD has the tree {found}; the benchmark was frozen on {frozen}",
        /// The old loop still runs.
        [Rl7] StillActive {} "the old loop is still active",
        /// The successor is the old loop.
        [Rl7] SameLoop { dir: Name } "{dir} is the loop that ended; a successor is another one",
        /// Not a fresh loop.
        [Rl4] NotFresh { dir: Name, round: u32 } "the loop {dir} is in its round {round}; only a loop of round 0 is entered",
        /// HEAD moved while no loop was active.
        [Fb11] PatchedOutside { found: GitId, wanted: GitId } "HEAD has the tree {found}; the lost loop was left on {wanted}, and nothing is patched outside a loop",
        /// The checkout left the accepted build.
        [Pa1] LeftAccepted { found: GitId, accepted: GitId } "HEAD has the tree {found}; the accepted build is {accepted}",
        /// No loop is active.
        [Rl8] LoopEnded { state: LoopEnd } "the loop is {state}; nothing goes on while no loop is active",
        /// Another loop than the recorded one.
        [Rl7] OtherDir { found: Name, recorded: Name } "the loop {found} is not the recorded loop {recorded}",
        /// The work tree has changes at a gate.
        [Pa1] DirtyGate {} "the work tree has changes that belong to no recorded patch",
        /// The review of the accepted patch is not there yet.
        [Rl8] NoReview {} "Humanize has not reviewed the accepted patch; stop, so that the review can run",
    }
}

/// PL-1 … PL-3.
pub(crate) fn plan_objections(plan: &Plan) -> Objections {
    let mut o = Objections::default();
    let path = plan.path.clone();
    let found = plan.placeholders;
    let place = path.as_str() == ".humanize/vllm-sota-agent/refined-plan.md";
    o.unless(place, LoopObjection::PlanElsewhere { path });
    o.unless(found == 0, LoopObjection::Placeholders { found });
    for duty in Duty::ALL.iter().copied() {
        o.unless(plan.duties.contains(&duty), LoopObjection::DutyMissing { duty });
    }
    for section in Section::ALL.iter().copied() {
        let there = plan.sections.contains(&section);
        o.unless(there, LoopObjection::SectionMissing { section });
    }
    o
}

/// RL-1 … RL-6, for the first loop and for its successors.
pub(crate) fn entry_objections(start: &LoopStart, plan: &Plan) -> Objections {
    let mut o = checkout_objections(&start.checkout);
    let passed = |flag: &str| start.setup.argv.iter().any(|it| it.as_str() == flag);
    let branch = !start.checkout.base_ambiguous || passed("--base-branch");
    o.unless(branch, LoopObjection::AmbiguousBase {});
    for dir in &start.other_loops {
        o.raise(LoopObjection::OtherLoop { dir: dir.clone() });
    }
    o.unless(passed("--yolo"), LoopObjection::FlagMissing { flag: "--yolo" });
    if start.handshake == Handshake::Strict {
        let flag = "--strict-success";
        o.unless(passed(flag), LoopObjection::FlagMissing { flag });
    }
    let planned = start.setup.argv.iter().any(|it| it.as_str().ends_with(plan.path.as_str()));
    o.unless(planned, LoopObjection::PlanNotPassed {});
    let exit = start.setup.exit;
    let message = start.setup.message.as_ref().map_or("no message", Line::as_str).into();
    o.unless(exit == 0, LoopObjection::SetupFailed { exit, message });
    match &start.active {
        None => o.raise(LoopObjection::NotActive {}),
        Some(active) => o.join(handshake_objections(active, start.handshake, plan)),
    }
    o
}

fn checkout_objections(checkout: &Checkout) -> Objections {
    let mut o = Objections::default();
    o.unless(checkout.is_git, LoopObjection::NotGit {});
    o.unless(checkout.head.is_some(), LoopObjection::NoCommit {});
    let clean = checkout.head.as_ref().is_none_or(|it| it.clean);
    o.unless(clean, LoopObjection::Dirty {});
    o.unless(checkout.humanize_ignored, LoopObjection::NotIgnored {});
    o.unless(!checkout.humanize_tracked, LoopObjection::Tracked {});
    o.unless(checkout.base_exists, LoopObjection::NoBase {});
    o
}

fn handshake_objections(active: &ActiveLoop, handshake: Handshake, plan: &Plan) -> Objections {
    let mut o = Objections::default();
    let dir = || active.dir.clone();
    o.unless(active.round_prompt, LoopObjection::NoPrompt { dir: dir() });
    let same = active.plan_sha256 == plan.copy.sha256;
    o.unless(same, LoopObjection::OtherPlan { dir: dir() });
    match handshake {
        Handshake::Strict => {
            let round = active.current_round;
            o.unless(round == 0, LoopObjection::NotFresh { dir: dir(), round });
            let strict = active.strict_success == Some(true);
            o.unless(strict, LoopObjection::NotStrict { dir: dir() });
        }
        Handshake::RoundContract => {
            let contract = active.current_round == 0
                && active.ask_codex_question == Some(false)
                && active.round_contract;
            o.unless(contract, LoopObjection::NoContract { dir: dir() });
        }
    }
    o
}

/// RL-7, RL-8: the recorded loop runs.
pub(crate) fn loop_runs(case: &Case, stand: &Standpoint) -> Objections {
    let mut o = Objections::default();
    let state = stand.loop_state;
    o.unless(state == LoopEnd::Active, LoopObjection::LoopEnded { state });
    o.join(recorded_loop(case, stand));
    o
}

/// RL-7: it is the loop that the journal knows.
pub(crate) fn recorded_loop(case: &Case, stand: &Standpoint) -> Objections {
    let mut o = Objections::default();
    let (found, recorded) = (stand.loop_dir.clone(), case.running.dir.clone());
    o.unless(found == recorded, LoopObjection::OtherDir { found, recorded });
    o
}

/// PA-1, RL-8: the loop runs and HEAD is still the accepted build, unchanged.
pub(crate) fn stands_at_gate(case: &Case, stand: &Standpoint) -> Objections {
    let mut o = loop_runs(case, stand);
    o.join(on_accepted(case, &stand.head));
    o
}

/// PA-1: HEAD is the accepted build, and the work tree is clean.
pub(crate) fn on_accepted(case: &Case, head: &Head) -> Objections {
    let mut o = Objections::default();
    let (found, accepted) = (head.tree.clone(), case.accepted.clone());
    o.unless(found == accepted, LoopObjection::LeftAccepted { found, accepted });
    o.unless(head.clean, LoopObjection::DirtyGate {});
    o
}
