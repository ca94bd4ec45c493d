//! What moves along once the loop runs: the charter, the accepted build, and the memory of rounds.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;

use super::blocks::KeptBlock;
use super::history::Learns;
use super::{GapDecision, KernelAssist, LayerPipeline, Profiling, Revalidate, RlcrActive};
use crate::artifact::{Digest, GitId};
use crate::ask::event::LoopEntered;
use crate::brief::{Base, History};
use crate::facts::*;
use crate::text::{Argv, Line, Name};

/// What was frozen (FB-1). Nothing in it ever changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Charter {
    /// The scenarios with their winners.
    pub scenarios: BTreeMap<Name, Chartered>,
    /// The tree of the vLLM baseline.
    pub tree: GitId,
    /// Its commit.
    pub commit: GitId,
    /// The frameworks that are not compared, and why.
    pub excluded: BTreeMap<Framework, Exclusion>,
    /// The launches of its rows; none of them is a launch of a round (GD-2, PR-8).
    pub launches: BTreeSet<Digest>,
    /// The numbers of its rows; none of them is measured by a block (GD-7).
    pub numbers: BTreeSet<Digest>,
    /// The end of the last row, ms since the epoch; what a round measures comes after it.
    pub measured_until: i64,
}

/// One frozen scenario.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chartered {
    /// The scenario.
    pub scenario: Scenario,
    /// The best row of each framework.
    pub winners: BTreeMap<Framework, Winner>,
}

/// How far the clock of a host may be behind ours, in ms: a run on it begins that much earlier.
const CLOCKS: i64 = 60_000;

/// The loop that the campaign runs in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Running {
    /// Its directory.
    pub dir: Name,
    /// Which handshake let it in; anything but strict is a waiver (RL-6).
    pub handshake: Handshake,
}

/// How a round or an attempt at one came out, for LE-3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// At least 1 % over the accepted build.
    Strong,
    /// Less than 1 %, rejected, retried, or abandoned after triage.
    Weak,
}

/// Everything that the six phases share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Case {
    /// Inputs, companions, history.
    pub base: Base,
    /// What was frozen.
    pub charter: Charter,
    /// The filed plan.
    pub plan: Option<Plan>,
    /// The loop.
    pub running: Running,
    /// The accepted build: a tree.
    pub accepted: GitId,
    /// The build that was accepted before it.
    pub previous: Option<GitId>,
    /// Files that accepted patches changed (RL-9).
    pub accepted_files: BTreeSet<Line>,
    /// vLLM's current best launch command in each scenario.
    pub best_command: BTreeMap<Name, Argv>,
    /// Rounds opened so far.
    pub rounds: u32,
    /// Whether an accepted patch still waits for Humanize's review.
    pub review_due: bool,
    /// The standing claim, with the tree it was made on.
    pub claim: Option<StopClaim>,
    /// Every launch that a row, block or profile named, with its round; 0 before the loop.
    pub launches: BTreeMap<Digest, u32>,
    /// The numbers of every run that a row or block named; a run is counted once (GD-7).
    pub numbers: BTreeSet<Digest>,
    /// All counted blocks on this build and rig; on this build, once it was behind (GD-7).
    pub pool: Vec<KeptBlock>,
    /// The end of the last counted run, ms since the epoch.
    pub latest: i64,
    /// What was measured before this moment belongs to an earlier round or build.
    pub frontier: i64,
    /// Whether a Behind verdict fell on this build (GD-7).
    pub was_behind: bool,
    /// Competitors that can no longer run (GD-8).
    pub blocked: BTreeSet<Framework>,
    /// The latest citable vLLM kernel rows, for ST-5.
    pub kernel_rows: Vec<ProfileRow>,
    /// Every row of the latest profiles, for LE-2.
    pub rows: BTreeSet<RowId>,
    /// Kernels with an attempt or an idea verdict (ST-5).
    pub investigated: BTreeSet<Line>,
    /// Source ideas, by name (LE-2).
    pub ideas: BTreeMap<Name, Idea>,
    /// Names of recorded attempts and patches.
    pub attempts: BTreeSet<Name>,
    /// Weak outcomes in a row (LE-3).
    pub weak: u32,
    /// Whether research was recorded since the last outcome.
    pub researched: bool,
    /// Code and PR sources that were read before.
    pub read: BTreeSet<Line>,
    /// Filed NCU digest versions (KA-3).
    pub ncu_versions: BTreeSet<Name>,
    /// The round in which an idea last got its verdict.
    pub idea_round: u32,
}

/// A phase in which the loop runs: the six.
pub trait InLoop: Sized {
    /// What the six share.
    fn case(&self) -> &Case;
    /// The same, to change it.
    fn case_mut(&mut self) -> &mut Case;
    /// The tree that HEAD has in this phase: the accepted build, or the recorded patch (FB-11).
    fn build(&self) -> &GitId;
}

macro_rules! in_loop {
    ($($Phase:ident),+) => { $(
        impl InLoop for $Phase {
            fn case(&self) -> &Case {
                self.shared()
            }

            fn case_mut(&mut self) -> &mut Case {
                self.shared_mut()
            }

            fn build(&self) -> &GitId {
                self.checked_out()
            }
        }

        impl Learns for $Phase {
            fn history(&self) -> &History {
                &self.case().base.history
            }

            fn history_mut(&mut self) -> &mut History {
                &mut self.case_mut().base.history
            }
        }
    )+ };
}

in_loop! { RlcrActive, GapDecision, Profiling, LayerPipeline, KernelAssist, Revalidate }

impl Charter {
    /// A charter without scenarios, for a journal that enters the loop without a freeze.
    pub(crate) fn empty(event: &LoopEntered) -> Self {
        let head = event.said.checkout.head.as_ref();
        let zero = || GitId::new("0".repeat(40)).unwrap_or_else(|_| unreachable!("forty digits"));
        Self {
            scenarios: BTreeMap::new(),
            tree: head.map_or_else(zero, |it| it.tree.clone()),
            commit: head.map_or_else(zero, |it| it.commit.clone()),
            excluded: BTreeMap::new(),
            launches: BTreeSet::new(),
            numbers: BTreeSet::new(),
            measured_until: i64::MIN,
        }
    }

    /// Competitors whose frozen row passed the SLA in a scenario.
    pub fn rivals(&self, scenario: &Name) -> BTreeSet<Framework> {
        let passed = |it: &&Winner| it.sla_passed && it.framework != Framework::Vllm;
        let winners = self.scenarios.get(scenario).into_iter().flat_map(|it| it.winners.values());
        winners.filter(passed).map(|it| it.framework).collect()
    }
}

impl Case {
    pub(crate) fn begun(
        base: Base,
        charter: Charter,
        plan: Option<Plan>,
        start: &LoopStart,
    ) -> Self {
        let vllm = |it: &Chartered| {
            let winner = it.winners.get(&Framework::Vllm)?;
            Some((it.scenario.name.clone(), winner.server_command.clone()))
        };
        Self {
            base,
            plan,
            running: Running::of(start),
            accepted: charter.tree.clone(),
            previous: None,
            accepted_files: BTreeSet::new(),
            best_command: charter.scenarios.values().filter_map(vllm).collect(),
            rounds: 0,
            review_due: false,
            claim: None,
            launches: charter.launches.iter().map(|it| (*it, 0)).collect(),
            numbers: charter.numbers.clone(),
            pool: Vec::new(),
            latest: charter.measured_until,
            frontier: charter.measured_until,
            was_behind: false,
            blocked: BTreeSet::new(),
            kernel_rows: Vec::new(),
            rows: BTreeSet::new(),
            investigated: BTreeSet::new(),
            ideas: BTreeMap::new(),
            attempts: BTreeSet::new(),
            weak: 0,
            researched: false,
            read: BTreeSet::new(),
            ncu_versions: BTreeSet::new(),
            idea_round: 0,
            charter,
        }
    }

    /// Notes how a round or an attempt came out (LE-3).
    pub(crate) fn conclude(&mut self, outcome: Outcome) {
        self.weak = match outcome {
            Outcome::Strong => 0,
            Outcome::Weak => self.weak.saturating_add(1),
        };
        self.researched = false;
    }

    /// A new build begins a new pool, and so does a new rig on a build that was never behind (GD-7).
    pub(crate) fn begin_pool(&mut self) {
        self.pool.clear();
        self.was_behind = false;
    }

    /// The kernel rows of vLLM that nobody looked into (ST-5): at least 1 % with a location.
    pub fn uninvestigated(&self) -> impl Iterator<Item = &ProfileRow> {
        self.kernel_rows.iter().filter(|row| {
            row.share.get() >= 0.01
                && row.location.is_some()
                && !self.investigated.contains(&row.name)
        })
    }

    /// Whether an idea got its verdict in this round.
    pub(crate) fn has_idea_verdict(&self) -> bool {
        self.idea_round == self.rounds
    }

    /// The kernels that rows of the latest profile name are looked into from here on.
    pub(crate) fn investigate(&mut self, rows: &[RowId]) {
        for row in self.kernel_rows.iter().filter(|it| rows.contains(&it.row)) {
            self.investigated.insert(row.name.clone());
        }
    }

    /// Whether SGLang's history is owed: it is unread, and its source was cited (HI-2).
    ///
    /// Where SGLang is compared its history was answered for before the benchmark.
    pub(crate) fn owes_sglang_history(&self) -> bool {
        let idea = |it: &Idea| cites_sglang(&it.source_path) || cites_sglang(&it.provenance);
        let cited = self.ideas.values().any(idea) || self.read.iter().any(cites_sglang);
        cited && !self.base.history.answers(Framework::Sglang)
    }

    /// The same, for a patch that takes code from there.
    pub(crate) fn owes_sglang_history_for(&self, copied: &Copied) -> bool {
        copied.provenance.as_ref().is_some_and(cites_sglang)
            && !self.base.history.answers(Framework::Sglang)
    }
}

fn cites_sglang(line: &Line) -> bool {
    line.as_str().to_ascii_lowercase().contains("sglang")
}

impl Running {
    pub(crate) fn of(start: &LoopStart) -> Self {
        let unknown = || "none".to_string().try_into();
        let dir = start.active.as_ref().map(|it| it.dir.clone());
        Self {
            dir: dir.or_else(|| unknown().ok()).unwrap_or_else(|| unreachable!("`none` is a name")),
            handshake: start.handshake,
        }
    }
}

impl Case {
    /// The accepted build moves to a new tree.
    pub(crate) fn land(&mut self, tree: &GitId, files: &[ChangedFile]) {
        let before = core::mem::replace(&mut self.accepted, tree.clone());
        self.previous = Some(before);
        self.accepted_files.extend(files.iter().map(|it| it.path.clone()));
        self.begin_pool();
    }

    /// A counted block moves the clock of the campaign.
    pub(crate) fn measured(&mut self, runs: &[BlockRun]) {
        let ends = runs.iter().filter_map(|it| it.measured.as_ref()).map(|it| it.ended_at);
        self.latest = ends.fold(self.latest, i64::max);
    }

    /// What comes now is measured after what came before, and after this moment: a round, or a patch.
    pub(crate) fn turn(&mut self, at: Option<i64>) {
        let moments = self.moment(at).into_iter().chain([self.latest]);
        self.frontier = moments.fold(self.frontier, i64::max);
    }

    /// On a changed rig no time since the freeze is held against what comes, but the moment of the change.
    pub(crate) fn forget_the_clock(&mut self, at: Option<i64>) {
        self.latest = self.charter.measured_until;
        self.frontier = self.moment(at).unwrap_or(self.latest);
    }

    /// A moment as the clock of any host may call it; none in a demonstration, whose runs are made up.
    fn moment(&self, at: Option<i64>) -> Option<i64> {
        at.filter(|_| !self.base.demo).map(|it| it.saturating_sub(CLOCKS))
    }

    /// A launch is used once (GD-2, PR-8), and so are the numbers of a run (GD-7).
    pub(crate) fn use_runs(&mut self, runs: &[BlockRun]) {
        for run in runs {
            if let Some(launch) = run.launch() {
                self.use_launch(launch);
            }
            self.numbers.extend(run.numbers());
        }
    }

    /// A launch is used once (GD-2, PR-8).
    pub(crate) fn use_launch(&mut self, launch: Digest) {
        let round = self.rounds;
        self.launches.entry(launch).or_insert(round);
    }
}
