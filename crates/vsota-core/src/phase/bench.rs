//! What is the best that each framework does under the fixed workload? (FB-1 … FB-14)
//!
//! The phase has a typed inside: while [`Searching`] rows come in; once the benchmark is frozen
//! there is a [`Charter`] and nothing about it moves again.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::search::{
    backend, everyone_agrees, everyone_ranks, is_same_launch, is_same_run, names_another_launch,
    one_version_each, pytorch_or_skipped, told_apart, was_tried, winner,
};
use super::{
    Case, Charter, Chartered, LoopObjection, Rank, RlcrActive, Stopped, entry, rank, stop,
};
use crate::artifact::GitId;
use crate::ask::command::*;
use crate::ask::event::*;
use crate::brief::Base;
use crate::clause::Clause;
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::{Objections, objections};
use crate::text::{Line, Name};

/// The benchmark: rows first, then the charter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FixedBenchmark {
    base: Base,
    inside: Bench,
}

/// What is inside the phase.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bench {
    /// Rows come in.
    Searching(Searching),
    /// The benchmark is frozen.
    Frozen {
        /// What was frozen.
        charter: Charter,
        /// The plan, once it was filed.
        plan: Option<Plan>,
    },
}

/// The rows so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Searching {
    /// Every filed run.
    pub candidates: Vec<Candidate>,
    /// The declared spaces.
    pub spaces: BTreeMap<Framework, SearchSpace>,
    /// Frameworks whose help is filed.
    pub helped: BTreeSet<Framework>,
    /// Frameworks that left the comparison.
    pub excluded: BTreeMap<Framework, Exclusion>,
}

objections! {
    /// What may stand in the way of the fixed benchmark.
    pub enum BenchObjection {
        /// The benchmark is frozen.
        [Fb1] Frozen {} "the benchmark is frozen and never changes again",
        /// The benchmark is not frozen.
        [Fb1] NotFrozen {} "the benchmark is not frozen",
        /// A companion was neither read nor blocked.
        [Rt4] CompanionMissing { name: CompanionName } "the companion {name} is neither read nor blocked",
        /// Companions are noted before the first row.
        [Rt4] CandidatesFiled {} "a candidate is filed already; companions are noted before the first",
        /// A framework outside the comparison.
        [In4] NotCompared { framework: Framework } "{framework} is not in the comparison",
        /// vLLM leaves.
        [In4] VllmStays {} "vllm is what the campaign improves; it never leaves the comparison",
        /// The user leaves a framework out too late.
        [In4] TooLateForUser { framework: Framework } "{framework} can be left out by the user only before the first candidate",
        /// A framework that ran is called unsupported.
        [In4] RanHere { framework: Framework } "{framework} has an ok row, so it is supported here",
        /// A search that names no candidate.
        [Fb12] EmptySearch { framework: Framework } "the search of {framework} names no candidate",
        /// A search beyond the cap.
        [Fb12] Unbounded { framework: Framework, found: usize } "the search of {framework} names {found} candidates; at most 10 are allowed",
        /// A search that is declared after its rows.
        [Fb12] SearchTooLate { framework: Framework } "{framework} has rows already; its search is declared before the first",
        /// A row of a scenario that is not in the workload.
        [Fb14] UnknownScenario { scenario: Name } "the workload has no scenario {scenario}",
        /// TensorRT-LLM with another backend.
        [Fb6] Backend { found: String } "TensorRT-LLM ran the server backend {found}; only pytorch is compared",
        /// What a mock made up.
        [Fb5] MockResult { candidate: Name } "a mock made up the row of {candidate}; that is for demonstrations",
        /// The same run twice.
        [Fb7] AlreadyFiled { candidate: Name } "this very run of {candidate} is filed already",
        /// One launch for two runs.
        [Fb7] LaunchReused { candidate: Name } "the launch of {candidate} stands behind another row already; a repeat is a launch of its own",
        /// One id for two launch commands.
        [Fb2] IdReused { candidate: Name } "the id {candidate} already names another launch command",
        /// A row that failed and says nothing.
        [Fb7] NoReason { candidate: Name } "the row of {candidate} is not ok and names no reason",
        /// A row that is ok and measured nothing.
        [Fb9] NoNumbers { candidate: Name } "the row of {candidate} is ok and holds no measurement",
        /// A search that is too small.
        [Fb2] SearchTooSmall { framework: Framework, scenario: Name, found: usize } "{framework} tried {found} launch commands in {scenario}; the baseline and three others are needed, or the whole declared space",
        /// No competitor was tried.
        [Fb2] NoCompetitorTried {} "no competitor was tried",
        /// No help output.
        [Fb8] NoHelp { framework: Framework } "the help output of {framework} is not filed",
        /// Nothing was filed for a scenario.
        [Fb2] NoRow { framework: Framework, scenario: Name } "{framework} has no row in {scenario}",
        /// Nothing ranks in a scenario.
        [*clause] Unranked { clause: Clause, candidate: Name, scenario: Name, reason: String } "{candidate} does not rank in {scenario}: {reason}",
        /// Unknown is never a match.
        [Fb3] Unknown { candidate: Name, scenario: Name, dimensions: String } "{candidate} in {scenario} does not say its {dimensions}",
        /// The best of several single runs.
        [Fb9] TooClose { candidate: Name, scenario: Name, rival: Name, found: usize } "{candidate} in {scenario} has {found} of the 4 launches that tell it from {rival}, which is within 3 %",
        /// Repeats one after the other.
        [Fb9] NotInTurn { candidate: Name, scenario: Name } "{candidate} in {scenario} was run after its rivals and not in turn with them",
        /// Two winners differ where the inputs fix nothing.
        [*clause] Mismatch { clause: Clause, candidate: Name, scenario: Name, dimension: Dimension, found: Line, ours: Line } "{candidate} in {scenario} has the {dimension} {found}; vllm has {ours}",
        /// One winner is silent where another one speaks.
        [*clause] OneSided { clause: Clause, candidate: Name, scenario: Name, dimension: Dimension, silent: Framework, said: Line } "{candidate} in {scenario}: the {dimension} is {said} on one side, and {silent} does not say its own",
        /// A framework's winners ran two versions of it.
        [Fb1] TwoVersions { framework: Framework, candidate: Name, found: String, other: String } "{candidate} of {framework} ran version {found}, another of its winning rows {other}",
        /// A winner whose version nobody knows.
        [Fb1] NoVersion { framework: Framework, candidate: Name } "{candidate} of {framework} does not say its version, so none can be frozen",
        /// The winner ran on another tree.
        [Fb13] OtherTree { candidate: Name, tree: GitId, head: GitId } "{candidate} was measured on the tree {tree}; the checkout has {head}",
    }
}

impl FixedBenchmark {
    pub(crate) fn after(base: Base) -> Self {
        Self { base, inside: Bench::Searching(Searching::default()) }
    }

    /// What is known so far.
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// What is inside.
    pub fn inside(&self) -> &Bench {
        &self.inside
    }

    /// The frameworks that are still compared.
    pub fn compared(&self) -> BTreeSet<Framework> {
        let mut set = self.base.brief.frameworks();
        if let Bench::Searching(it) = &self.inside {
            set.retain(|framework| !it.excluded.contains_key(framework));
        }
        set
    }

    /// The frameworks whose help output is filed (FB-8).
    pub fn helped(&self) -> BTreeSet<Framework> {
        match &self.inside {
            Bench::Searching(it) => it.helped.clone(),
            Bench::Frozen { .. } => BTreeSet::new(),
        }
    }

    /// The ranking so far, scenario by scenario (FB-9).
    pub fn table(&self) -> Vec<(&Scenario, Rank<'_>)> {
        let Bench::Searching(it) = &self.inside else { return Vec::new() };
        let scenarios = self.base.brief.workload().map_or(&[][..], |it| &it.scenarios);
        scenarios
            .iter()
            .map(|scenario| (scenario, rank(&self.base.brief, scenario, &it.candidates)))
            .collect()
    }

    fn searching(&self) -> Result<&Searching, Objections> {
        match &self.inside {
            Bench::Searching(it) => Ok(it),
            Bench::Frozen { .. } => Err(self.while_searching()),
        }
    }

    /// Rows come in only before the freeze.
    fn while_searching(&self) -> Objections {
        let mut o = Objections::default();
        o.unless(matches!(self.inside, Bench::Searching(_)), BenchObjection::Frozen {});
        o
    }

    fn once_frozen(&self) -> Objections {
        let mut o = Objections::default();
        o.unless(matches!(self.inside, Bench::Frozen { .. }), BenchObjection::NotFrozen {});
        o
    }

    fn among(&self, framework: Framework) -> Objections {
        let mut o = Objections::default();
        let compared = self.compared().contains(&framework);
        o.unless(compared, BenchObjection::NotCompared { framework });
        o
    }

    fn with(mut self, change: impl FnOnce(&mut Searching)) -> Self {
        if let Bench::Searching(it) = &mut self.inside {
            change(it);
        }
        self
    }
}

// --- note-companion ---

impl Decide<NoteCompanion> for FixedBenchmark {
    fn ready(&self) -> Objections {
        let mut o = Objections::default();
        let none = matches!(&self.inside, Bench::Searching(it) if it.candidates.is_empty());
        o.unless(none, BenchObjection::CandidatesFiled {});
        o
    }

    fn decide(&self, _: &Companion) -> Result<(), Objections> {
        Ok(())
    }
}

impl Evolve<CompanionNoted> for FixedBenchmark {
    type Next = Self;

    fn evolve(mut self, event: CompanionNoted) -> Self {
        self.base.companions.insert(event.said.name, event.said.noted);
        self
    }
}

// --- declare-search ---

impl Decide<DeclareSearch> for FixedBenchmark {
    fn ready(&self) -> Objections {
        self.while_searching()
    }

    fn decide(&self, said: &SearchPlan) -> Result<(), Objections> {
        let it = self.searching()?;
        let mut o = Objections::default();
        for space in &said.spaces {
            let framework = space.framework;
            let found = space.candidates.len();
            o.join(self.among(framework));
            let named = found > 0 || !space.skipped.is_empty();
            o.unless(named, BenchObjection::EmptySearch { framework });
            o.unless(found <= 10, BenchObjection::Unbounded { framework, found });
            let early = !it.candidates.iter().any(|row| row.framework == framework);
            let same = it.spaces.get(&framework) == Some(space);
            o.unless(early || same, BenchObjection::SearchTooLate { framework });
        }
        o.or_agree()
    }
}

impl Evolve<SearchDeclared> for FixedBenchmark {
    type Next = Self;

    fn evolve(self, event: SearchDeclared) -> Self {
        self.with(|it| {
            for space in event.said.spaces {
                it.spaces.insert(space.framework, space);
            }
        })
    }
}

// --- file-help ---

impl Decide<FileHelp> for FixedBenchmark {
    fn ready(&self) -> Objections {
        self.while_searching()
    }

    fn decide(&self, said: &HelpOutput) -> Result<(), Objections> {
        self.among(said.framework).or_agree()
    }
}

impl Evolve<HelpFiled> for FixedBenchmark {
    type Next = Self;

    fn evolve(self, event: HelpFiled) -> Self {
        self.with(|it| {
            it.helped.insert(event.said.framework);
        })
    }
}

// --- file-candidate ---

impl Decide<FileCandidate> for FixedBenchmark {
    fn ready(&self) -> Objections {
        let mut o = self.while_searching();
        for name in CompanionName::ALL {
            let noted = self.base.companions.contains_key(name);
            o.unless(noted, BenchObjection::CompanionMissing { name: *name });
        }
        o
    }

    fn decide(&self, said: &Candidate) -> Result<(), Objections> {
        let it = self.searching()?;
        let candidate = said.id.clone();
        let mut o = self.among(said.framework);
        let scenario = said.scenario.clone();
        let known = self.base.brief.scenario(&said.scenario).is_some();
        o.unless(known, BenchObjection::UnknownScenario { scenario });
        o.unless(pytorch_or_skipped(said), BenchObjection::Backend { found: backend(said) });
        let real = self.base.demo || !said.mock;
        o.unless(real, BenchObjection::MockResult { candidate: candidate.clone() });
        let again = it.candidates.iter().any(|row| is_same_run(row, said));
        o.unless(!again, BenchObjection::AlreadyFiled { candidate: candidate.clone() });
        let warm = it.candidates.iter().any(|row| is_same_launch(row, said));
        o.unless(again || !warm, BenchObjection::LaunchReused { candidate: candidate.clone() });
        let reused = it.candidates.iter().any(|row| {
            row.id == said.id && row.framework == said.framework && names_another_launch(row, said)
        });
        o.unless(!reused, BenchObjection::IdReused { candidate: candidate.clone() });
        let explained = said.status == Status::Ok || said.failure_reason.is_some();
        o.unless(explained, BenchObjection::NoReason { candidate: candidate.clone() });
        let measured = said.status != Status::Ok || said.measured.is_some();
        o.unless(measured, BenchObjection::NoNumbers { candidate });
        o.or_agree()
    }
}

impl Evolve<CandidateFiled> for FixedBenchmark {
    type Next = Self;

    fn evolve(self, event: CandidateFiled) -> Self {
        self.with(|it| it.candidates.push(event.said))
    }
}

// --- exclude-framework ---

impl Decide<ExcludeFramework> for FixedBenchmark {
    fn ready(&self) -> Objections {
        self.while_searching()
    }

    fn decide(&self, said: &Exclusion) -> Result<(), Objections> {
        let it = self.searching()?;
        let framework = said.framework;
        let mut o = Objections::default();
        if framework == Framework::Vllm {
            o.raise(BenchObjection::VllmStays {});
            return o.or_agree();
        }
        o.join(self.among(framework));
        let ran =
            it.candidates.iter().any(|row| row.framework == framework && row.status == Status::Ok);
        match &said.cause {
            ExclusionCause::ByUser => {
                let early = it.candidates.is_empty();
                o.unless(early, BenchObjection::TooLateForUser { framework });
            }
            ExclusionCause::Unsupported { .. } => {
                o.unless(!ran, BenchObjection::RanHere { framework });
            }
        }
        o.or_agree()
    }
}

impl Evolve<FrameworkExcluded> for FixedBenchmark {
    type Next = Self;

    fn evolve(self, event: FrameworkExcluded) -> Self {
        self.with(|it| {
            it.excluded.insert(event.said.framework, event.said);
        })
    }
}

// --- freeze-benchmark ---

impl Decide<FreezeBenchmark> for FixedBenchmark {
    fn ready(&self) -> Objections {
        let Bench::Searching(it) = &self.inside else { return self.while_searching() };
        let compared = self.compared();
        let mut o = Objections::default();
        let competitor = |row: &Candidate| row.framework != Framework::Vllm && was_tried(row);
        o.unless(it.candidates.iter().any(competitor), BenchObjection::NoCompetitorTried {});
        for framework in compared.iter().copied() {
            o.unless(it.helped.contains(&framework), BenchObjection::NoHelp { framework });
        }
        let tables = self.table();
        for (scenario, rank) in &tables {
            o.join(it.everyone_searched(scenario, &compared));
            o.join(everyone_ranks(scenario, rank, &compared));
            o.join(everyone_agrees(scenario, rank));
            o.join(told_apart(scenario, rank, &compared));
        }
        o.join(one_version_each(&tables));
        o
    }

    fn decide(&self, said: &FreezeAsked) -> Result<Winners, Objections> {
        self.searching()?;
        let mut o = Objections::default();
        let mut rows = Vec::new();
        for (scenario, rank) in self.table() {
            for best in Framework::ALL.iter().filter_map(|it| rank.best_of(*it)) {
                let ours = best.rows.iter().filter(|it| it.framework == Framework::Vllm);
                for (row, tree) in ours.filter_map(|it| Some((it, it.tree.clone()?))) {
                    let (candidate, head) = (row.id.clone(), said.tree.clone());
                    o.unless(tree == head, BenchObjection::OtherTree { candidate, tree, head });
                }
                rows.extend(winner(&rank, scenario, best));
            }
        }
        o.or_grant(Winners { rows })
    }
}

impl Evolve<BenchmarkFrozen> for FixedBenchmark {
    type Next = Self;

    fn evolve(mut self, event: BenchmarkFrozen) -> Self {
        let mut charter = Charter {
            scenarios: BTreeMap::new(),
            tree: event.said.tree,
            commit: event.said.commit,
            excluded: BTreeMap::new(),
            launches: BTreeSet::new(),
            numbers: BTreeSet::new(),
            measured_until: i64::MIN,
        };
        if let Some(workload) = self.base.brief.workload() {
            for scenario in &workload.scenarios {
                let of_it = |it: &&Winner| it.scenario == scenario.name;
                let rows = event.found.rows.iter().filter(of_it);
                let winners = rows.map(|it| (it.framework, it.clone())).collect();
                let chartered = Chartered { scenario: scenario.clone(), winners };
                charter.scenarios.insert(scenario.name.clone(), chartered);
            }
        }
        if let Bench::Searching(it) = &self.inside {
            charter.excluded = it.excluded.clone();
            charter.launches = it.candidates.iter().filter_map(Candidate::launch).collect();
            let numbers = |row: &Candidate| row.measured.as_ref()?.numbers(row.framework);
            charter.numbers = it.candidates.iter().filter_map(numbers).collect();
            let ends = it.candidates.iter().filter_map(|row| row.measured.as_ref());
            charter.measured_until = ends.map(|it| it.ended_at).max().unwrap_or(i64::MIN);
        }
        self.inside = Bench::Frozen { charter, plan: None };
        self
    }
}

// --- file-plan ---

impl Decide<FilePlan> for FixedBenchmark {
    fn ready(&self) -> Objections {
        self.once_frozen()
    }

    fn decide(&self, said: &Plan) -> Result<(), Objections> {
        entry::plan_objections(said).or_agree()
    }
}

impl Evolve<PlanFiled> for FixedBenchmark {
    type Next = Self;

    fn evolve(mut self, event: PlanFiled) -> Self {
        if let Bench::Frozen { plan, .. } = &mut self.inside {
            *plan = Some(event.said);
        }
        self
    }
}

// --- enter-loop ---

impl Decide<EnterLoop> for FixedBenchmark {
    fn ready(&self) -> Objections {
        let mut o = self.once_frozen();
        if let Bench::Frozen { plan, .. } = &self.inside {
            o.unless(plan.is_some(), LoopObjection::NoPlan {});
        }
        o
    }

    fn decide(&self, said: &LoopStart) -> Result<(), Objections> {
        let Bench::Frozen { charter, plan: Some(plan) } = &self.inside else { return Ok(()) };
        let mut o = entry::entry_objections(said, plan);
        if let Some(head) = &said.checkout.head {
            let (found, frozen) = (head.tree.clone(), charter.tree.clone());
            o.unless(found == frozen, LoopObjection::OtherTree { found, frozen });
        }
        o.or_agree()
    }
}

impl Evolve<LoopEntered> for FixedBenchmark {
    type Next = RlcrActive;

    fn evolve(self, event: LoopEntered) -> RlcrActive {
        let (charter, plan) = match self.inside {
            Bench::Frozen { charter, plan } => (charter, plan),
            Bench::Searching(_) => (Charter::empty(&event), None),
        };
        RlcrActive::of(Box::new(Case::begun(self.base, charter, plan, &event.said)))
    }
}

// --- stop-campaign ---

impl Decide<StopCampaign> for FixedBenchmark {
    fn decide(&self, said: &StopOrder) -> Result<(), Objections> {
        let fair = |(_, rank): &(&Scenario, Rank<'_>)| {
            rank.contenders().any(|it| it.row.framework != Framework::Vllm)
        };
        let comparable = match &self.inside {
            Bench::Searching(_) => self.table().iter().any(fair),
            Bench::Frozen { .. } => true,
        };
        stop::unfair(said, comparable).or_agree()
    }
}

impl Evolve<CampaignStopped> for FixedBenchmark {
    type Next = Stopped;

    fn evolve(self, event: CampaignStopped) -> Stopped {
        Stopped::before_the_loop(self.base, event.said)
    }
}
