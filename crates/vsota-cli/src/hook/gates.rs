//! Is the gate of a deed open? (FB-1, FB-11, IN-3, RL-7, RL-8, PA-1)

use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use vsota_core::command::CommandKind;
use vsota_core::evidence::hook::Deed;
use vsota_core::phase::{Bench, Case, InLoop as _};
use vsota_core::{Campaign, Clause, Phase, State};

use super::place::Site;
use crate::chronicle::{self, Chronicle};
use crate::failure::{Failure, Reason};
use crate::help;
use crate::journal::{Head, Reading, rel};
use crate::rundir::RunDir;

/// Where the gates of a campaign are kept, below the run directory.
pub const PATH: &str = "humanize/gates.json";

/// The most bytes of that file.
const LIMIT: u64 = 256 << 10;

/// The most reasons that are told of a gate.
const TOLD: usize = 4;

/// What stands before each gate; a gate without a reason is open.
///
/// To fold thousands of entries before every tool call takes longer than to hash them. So the gates
/// are kept with the documents, and the hook takes them from there while the journal is, byte for byte,
/// the one that they are of, and this version wrote them. `verify` holds such gates against the journal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// The version of vsota whose guards were asked.
    vsota: String,
    /// Phase and round.
    place: String,
    /// The checkout, once it is an input.
    pub(super) checkout: Option<String>,
    /// Changes of the source, and commits.
    patch: Vec<String>,
    /// Where Humanize keeps the loop whose review may open that gate (RL-9).
    unless_reviewed: Option<String>,
    /// `setup-rlcr-loop.sh`.
    set_up_loop: Vec<String>,
    /// `cancel-rlcr-loop.sh`.
    cancel_loop: Vec<String>,
    /// Files of the benchmark.
    benchmark: Vec<String>,
    /// Files that vsota alone writes.
    records: Vec<String>,
}

/// Gates, and the last entry of the journal that they are of.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// As every document of a demonstration says first.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    demo: bool,
    head: Head,
    gates: Gates,
}

impl Kept {
    /// What a run directory keeps; `None` where nobody would believe it: it is no file, no such document or
    /// of another version.
    fn by_us(run: &RunDir) -> Option<Self> {
        let bytes = run.read(&rel(PATH).ok()?, LIMIT).ok()??;
        let kept: Self = serde_json::from_slice(&bytes).ok()?;
        (kept.gates.vsota == env!("CARGO_PKG_VERSION")).then_some(kept)
    }
}

impl Gates {
    /// The gates of a campaign.
    pub fn of(campaign: &Campaign) -> Self {
        let checkout = campaign.state().brief().vllm_checkout();
        let patch = patching(campaign);
        Self {
            vsota: env!("CARGO_PKG_VERSION").to_owned(),
            place: chronicle::place(campaign.phase(), chronicle::round(campaign)),
            checkout: checkout.map(|it| it.as_str().to_owned()),
            unless_reviewed: loop_of(campaign).filter(|_| !patch.is_empty()),
            patch: told(&patch),
            set_up_loop: told(&setting_up(campaign)),
            cancel_loop: told(&cancelling(campaign)),
            benchmark: told(&frozen(campaign)),
            records: told(&recorded(campaign)),
        }
    }

    /// The document: the gates, and which journal they are of.
    ///
    /// # Errors
    ///
    /// When it cannot be written as JSON.
    pub fn text(self, head: Head, demo: bool) -> Result<String, Failure> {
        let text = serde_json::to_string_pretty(&Kept { demo, head, gates: self });
        let text = text.map_err(|error| Failure::io(format_args!("{PATH}: {error}")))?;
        Ok(text + "\n")
    }

    /// The gates that a run directory keeps, when they are of this journal and of this version.
    pub(super) fn kept(run: &RunDir, reading: &Reading) -> Option<Self> {
        Kept::by_us(run).filter(|it| reading.ends_with(it.head)).map(|it| it.gates)
    }

    /// Whether the hook would believe gates that are not those of the journal.
    pub fn are_forged(run: &RunDir, chronicle: &Chronicle) -> bool {
        let kept = Kept::by_us(run).filter(|it| it.head == chronicle.head);
        kept.is_some_and(|it| it.gates != Self::of(&chronicle.campaign))
    }

    /// Why a deed may not happen now; `None` when it may.
    pub(super) fn against(&self, deed: &Deed, site: &Site) -> Option<String> {
        let (what, reasons) = match deed {
            Deed::Write(path) if site.is_benchmark(Utf8Path::new(path)) => {
                (format!("the write to {path}"), &*self.benchmark)
            }
            Deed::Write(path) if site.is_record(Utf8Path::new(path)) => {
                (format!("the write to {path}"), &*self.records)
            }
            Deed::Remove(path) if site.holds_records(Utf8Path::new(path)) => {
                (format!("the removal of {path}"), &*self.records)
            }
            Deed::Write(path) if site.is_source(Utf8Path::new(path)) => {
                (format!("the change of {path}"), self.patching())
            }
            Deed::Patch(dir) if site.may_hold_source(Utf8Path::new(dir)) => {
                (format!("the patch in {dir}"), self.patching())
            }
            Deed::Commit { dir, verb } if site.is_checkout(Utf8Path::new(dir)) => {
                (format!("git {verb} in {dir}"), self.patching())
            }
            Deed::SetUpLoop(_) => ("setup-rlcr-loop.sh".to_owned(), &*self.set_up_loop),
            Deed::CancelLoop(_) => ("cancel-rlcr-loop.sh".to_owned(), &*self.cancel_loop),
            _ => return None,
        };
        if reasons.is_empty() {
            return None;
        }
        Some(format!("{what} is refused in {}: {}", self.place, reasons.join("; ")))
    }

    /// RL-9: between rounds a commit is a fixup when Humanize's review or finalize phase demands it.
    fn patching(&self) -> &[String] {
        let reviewed =
            |dir: &String| REVIEWED.iter().any(|it| Utf8Path::new(dir).join(it).exists());
        if self.unless_reviewed.as_ref().is_some_and(reviewed) { &[] } else { &self.patch }
    }
}

/// The files of a loop that tell that its review or finalize phase has begun.
const REVIEWED: [&str; 2] = [".review-phase-started", "finalize-state.md"];

fn told(reasons: &[Reason]) -> Vec<String> {
    let told = |it: &Reason| format!("{} {} (next: {})", it.clause, it.found, it.help);
    reasons.iter().take(TOLD).map(told).collect()
}

/// The directory of the loop between whose rounds the campaign is.
fn loop_of(campaign: &Campaign) -> Option<String> {
    let State::RlcrActive(active) = campaign.state() else { return None };
    let checkout = campaign.state().brief().vllm_checkout()?;
    let dir = active.case().running.dir.as_str();
    Some(Utf8Path::new(checkout.as_str()).join(".humanize/rlcr").join(dir).into_string())
}

/// A patch is made where it can be recorded, amended, or demanded by Humanize's review.
fn patching(campaign: &Campaign) -> Vec<Reason> {
    match (campaign.phase(), campaign.state()) {
        (Phase::Stopped, _) => Vec::new(),
        (Phase::LayerPipeline | Phase::KernelAssist, _) => {
            unmet(campaign, CommandKind::RecordPatch)
        }
        (Phase::Revalidate, _) => unmet(campaign, CommandKind::AmendPatch),
        (_, State::RlcrActive(active)) if demands_fixup(active.case()) => Vec::new(),
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

/// RL-9: what the journal knows of a review that demands a fixup; what only its files know, the hook looks
/// for when it is asked.
fn demands_fixup(case: &Case) -> bool {
    case.claim.is_some() || case.review_due
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
