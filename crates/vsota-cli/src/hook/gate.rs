//! Is the gate of a deed open? (FB-1, FB-11, RL-7, RL-8, PA-1)

use camino::Utf8Path;
use vsota_core::command::CommandKind;
use vsota_core::evidence::hook::Deed;
use vsota_core::phase::{Bench, InLoop as _};
use vsota_core::{Campaign, Clause, Phase, State};

use super::place::Site;
use crate::chronicle;
use crate::failure::Reason;
use crate::help;

/// Why a deed may not happen now; `None` when it may.
pub(super) fn against(deed: &Deed, site: &Site, campaign: &Campaign) -> Option<String> {
    let (what, reasons) = match deed {
        Deed::Write(path) if site.is_benchmark(Utf8Path::new(path)) => {
            (format!("the write to {path}"), frozen(campaign))
        }
        Deed::Write(path) if site.is_record(Utf8Path::new(path)) => {
            (format!("the write to {path}"), recorded(campaign))
        }
        Deed::Remove(path) if site.holds_records(Utf8Path::new(path)) => {
            (format!("the removal of {path}"), recorded(campaign))
        }
        Deed::Write(path) if site.is_source(Utf8Path::new(path)) => {
            (format!("the change of {path}"), patching(campaign))
        }
        Deed::Patch(dir) if site.may_hold_source(Utf8Path::new(dir)) => {
            (format!("the patch in {dir}"), patching(campaign))
        }
        Deed::Commit { dir, verb } if site.is_checkout(Utf8Path::new(dir)) => {
            (format!("git {verb} in {dir}"), patching(campaign))
        }
        Deed::SetUpLoop(_) => ("setup-rlcr-loop.sh".to_owned(), setting_up(campaign)),
        Deed::CancelLoop(_) => ("cancel-rlcr-loop.sh".to_owned(), cancelling(campaign)),
        _ => return None,
    };
    if reasons.is_empty() {
        return None;
    }
    let place = chronicle::place(campaign.phase(), chronicle::round(campaign));
    let told: Vec<String> = reasons
        .iter()
        .take(4)
        .map(|it| format!("{} {} (next: {})", it.clause, it.found, it.help))
        .collect();
    Some(format!("{what} is refused in {place}: {}", told.join("; ")))
}

/// A patch is made where it can be recorded, amended, or demanded by Humanize's review.
fn patching(campaign: &Campaign) -> Vec<Reason> {
    match (campaign.phase(), campaign.state()) {
        (Phase::Stopped, _) => Vec::new(),
        (Phase::LayerPipeline | Phase::KernelAssist, _) => {
            unmet(campaign, CommandKind::RecordPatch)
        }
        (Phase::Revalidate, _) => unmet(campaign, CommandKind::AmendPatch),
        (_, State::RlcrActive(phase)) if demands_fixup(phase.case()) => Vec::new(),
        // The shortest way in the table would be a fixup, which nobody demanded.
        (Phase::RlcrActive, _) => vec![Reason {
            clause: Clause::Fb11,
            found: "no round is open, and Humanize's review demands no fixup".to_owned(),
            help: help::typed(CommandKind::OpenRound).to_owned(),
        }],
        (phase @ (Phase::GapDecision | Phase::Profiling), _) => {
            help::misplaced(phase, CommandKind::RecordPatch)
        }
        _ => vec![Reason {
            clause: Clause::Fb11,
            found: "no patch is chosen or made outside the loop".to_owned(),
            help: first_step(campaign),
        }],
    }
}

/// RL-9: between rounds a commit is a fixup, and Humanize's review or finalize phase demands it.
fn demands_fixup(case: &vsota_core::phase::Case) -> bool {
    let checkout = case.base.brief.vllm_checkout().map_or("", |it| it.as_str());
    let dir = Utf8Path::new(checkout).join(".humanize/rlcr").join(case.running.dir.as_str());
    let reviewed = [".review-phase-started", "finalize-state.md"];
    case.claim.is_some() || case.review_due || reviewed.iter().any(|it| dir.join(it).exists())
}

fn setting_up(campaign: &Campaign) -> Vec<Reason> {
    let phase = campaign.phase();
    match phase {
        Phase::Stopped => Vec::new(),
        Phase::FixedBenchmark => unmet(campaign, CommandKind::EnterLoop),
        Phase::Inputs | Phase::HistoryGate => help::misplaced(phase, CommandKind::EnterLoop),
        _ => vec![Reason {
            clause: Clause::Rl7,
            found: "the campaign has its loop, and there is one at a time".to_owned(),
            help: help::typed(CommandKind::ReenterLoop).to_owned(),
        }],
    }
}

fn cancelling(campaign: &Campaign) -> Vec<Reason> {
    match campaign.phase() {
        Phase::Stopped | Phase::Inputs | Phase::HistoryGate | Phase::FixedBenchmark => Vec::new(),
        _ => vec![Reason {
            clause: Clause::Rl8,
            found: "the campaign's loop is not cancelled; it ends by its review".to_owned(),
            help: first_step(campaign),
        }],
    }
}

/// IN-3: the journal and what is rendered from it are written by vsota alone.
fn recorded(campaign: &Campaign) -> Vec<Reason> {
    if campaign.phase() == Phase::Stopped {
        return Vec::new();
    }
    vec![Reason {
        clause: Clause::In3,
        found: "the journal and its documents are written by vsota alone".to_owned(),
        help: first_step(campaign),
    }]
}

/// FB-1: what was frozen never changes; before that, rows are still gathered.
fn frozen(campaign: &Campaign) -> Vec<Reason> {
    let gathering = match campaign.state() {
        State::FixedBenchmark(bench) => matches!(bench.inside(), Bench::Searching(_)),
        State::Inputs(_) | State::HistoryGate(_) | State::Stopped(_) => true,
        _ => false,
    };
    if gathering {
        return Vec::new();
    }
    vec![Reason {
        clause: Clause::Fb1,
        found: "the benchmark is frozen and never changes again".to_owned(),
        help: first_step(campaign),
    }]
}

fn unmet(campaign: &Campaign, kind: CommandKind) -> Vec<Reason> {
    match campaign.ready(kind) {
        Some(objections) => objections.iter().map(|it| help::reason(it, kind)).collect(),
        None => help::misplaced(campaign.phase(), kind),
    }
}

fn first_step(campaign: &Campaign) -> String {
    let next = chronicle::next(campaign);
    let first = next.iter().find(|it| it.ready).or(next.first());
    first.map_or_else(|| "vsota next".to_owned(), |it| it.command.to_owned())
}
