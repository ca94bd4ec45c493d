//! What explains the gap? (PR-1 … PR-8, GD-3)

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Case, LayerPipeline, RlcrActive, entry};
use crate::artifact::GitId;
use crate::ask::command::{AbandonRound, FileProfile, NameRootCause, WaiveProfile};
use crate::ask::event::{ProfileFiled, ProfileWaived, RootCauseNamed, RoundAbandoned};
use crate::clause::Clause;
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::{Objections, objections};
use crate::text::{Line, Name};
use crate::verdict::{Action, SessionKind, Verdict};

/// The profiles of this round.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profiling {
    case: Box<Case>,
    triage: Box<Triage>,
}

/// What a round found out since its verdict, carried until its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Triage {
    /// The verdict that opened profiling.
    pub verdict: GapVerdict,
    /// The profiles that may be cited.
    pub profiles: Vec<Profile>,
    /// Competitors that cannot be captured.
    pub waived: BTreeSet<Framework>,
    /// The root cause.
    pub root: Option<RootCause>,
    /// The layer pipeline.
    pub pipeline: Option<Pipeline>,
    /// Kernels whose NCU evidence is blocked (RT-3).
    pub ncu_blocked: BTreeSet<Name>,
    /// Kernels of which NCU evidence is filed; it outlives the assist that filed it (RV-3).
    pub ncu_filed: BTreeSet<Name>,
}

objections! {
    /// What may stand in the way of profiles and root causes.
    pub enum ProfilingObjection {
        /// A framework that is not compared.
        [Pr1] NotCompared { framework: Framework } "{framework} has no frozen row, so its profile explains nothing here",
        /// Another launch command.
        [Pr1] OtherCommand { framework: Framework } "{framework} was not profiled with its winning command of the slow scenario",
        /// What a mock made up.
        [Fb5] MockResult { framework: Framework } "a mock made up the profile of {framework}; that is for demonstrations",
        /// A stage that cannot be filed.
        [Pr4] NotAStage {} "a profile is filed for prefill, decode or mixed",
        /// Rows of another stage.
        [Pr4] ForeignRow { row: RowId } "the row {row} does not belong to this framework and stage",
        /// A table is missing.
        [Pr5] TableMissing { table: Table } "the profile holds no {table} table",
        /// No GPU work.
        [Pr5] NoWork {} "the profile holds no GPU work",
        /// Another scenario.
        [Pr3] OtherScenario { slow: Name } "the profile does not use the slow scenario {slow}",
        /// Other lengths.
        [Pr3] OtherLengths { input: u32, output: u32, wanted_input: u32, wanted_output: u32 } "the profile ran {input} input and {output} output tokens; this stage of the slow scenario asks for {wanted_input} and {wanted_output}",
        /// Another round.
        [Pr8] OtherRound { found: u32, round: u32 } "the capture names round {found}; this is round {round}",
        /// A launch of an earlier round.
        [Pr8] OldLaunch { round: u32 } "the capture names a launch of round {round}",
        /// The build before the last patch.
        [Pr7] OldBuild {} "the profile was taken on the build before the last accepted patch",
        /// Another build.
        [Pr8] OtherBuild { wanted: GitId } "the profile was not taken on the build {wanted}",
        /// The same stage twice.
        [Pr8] AlreadyFiled { framework: Framework, stage: Stage } "this round already has a {stage} profile of {framework}",
        /// vLLM cannot be waived.
        [Pr8] VllmWaived {} "the profile of vllm is never waived",
        /// A needed profile is missing.
        [*clause] ProfileMissing { clause: Clause, framework: Framework, stage: Stage } "this round has no {stage} profile of {framework}",
        /// A root cause without rows.
        [Pr6] NoRows {} "the root cause cites no row",
        /// A row that does not exist.
        [Pr6] UnknownRow { row: RowId } "no profile of this round has the row {row}",
        /// No row of vLLM in the slower stage.
        [Pr6] NoVllmRow { stage: Stage } "the root cause cites no vllm row of the {stage} stage",
        /// Another stage than the one that is slower.
        [Pr6] OtherStage { stage: Stage, losing: Stage } "vllm loses the most GPU time against the leader in the {losing} stage; the draft names {stage} and gives no stage-because",
        /// A source that is neither a path nor a family.
        [Pr6] UnknownSource { named: Line } "{named} is neither a path nor in the name of any kernel that this round profiled",
        /// No source.
        [Pr6] NoSources {} "the root cause names no source path or kernel family",
        /// Lean without an estimate.
        [Gd3] NoEstimate {} "the gap is not proven, so the root cause must estimate the part that its rows explain",
    }
}

impl Triage {
    fn of(verdict: GapVerdict) -> Self {
        Self {
            verdict,
            profiles: Vec::new(),
            waived: BTreeSet::new(),
            root: None,
            pipeline: None,
            ncu_blocked: BTreeSet::new(),
            ncu_filed: BTreeSet::new(),
        }
    }

    /// A triage without a verdict, for a journal that retries a fixup.
    pub(crate) fn nothing() -> Self {
        Self::of(GapVerdict {
            session: SessionId { kind: SessionKind::Gate, n: 1 },
            action: Action::NoBaseline,
            label: None,
            more_blocks: 0,
            sla_failed: false,
            slow: None,
            scenarios: Vec::new(),
        })
    }

    /// The verdict of the slow scenario.
    pub fn slow(&self) -> Option<&ScenarioVerdict> {
        let slow = self.verdict.slow.as_ref()?;
        self.verdict.scenarios.iter().find(|it| it.scenario == *slow)
    }

    /// The competitors to profile, with the clause that asks for each: the best, then the leaders.
    pub fn rivals(&self) -> Vec<(Framework, Clause)> {
        let Some(slow) = self.slow() else { return Vec::new() };
        let gaps = slow.competitors.iter().filter_map(|(it, pair)| Some((pair.mean?, *it)));
        let best = gaps.min().map(|(_, it)| it);
        let mut rivals: Vec<_> = best.map(|it| (it, Clause::Pr1)).into_iter().collect();
        for leader in slow.leaders.iter().copied().filter(|it| Some(*it) != best) {
            rivals.push((leader, Clause::Pr2));
        }
        rivals
    }

    /// The citable row of that id.
    pub fn row(&self, id: RowId) -> Option<&ProfileRow> {
        self.profiles.iter().flat_map(|it| &it.rows).find(|it| it.row == id)
    }

    /// The slower stage, as the root cause names it.
    pub fn slower_stage(&self) -> Option<Stage> {
        self.root.as_ref().map(|it| it.slower_stage)
    }

    /// Whether vLLM is proven behind; a lean verdict or a failed SLA alone is not (KA-2).
    pub fn is_behind(&self) -> bool {
        self.verdict.scenarios.iter().any(|it| it.verdict == Verdict::Behind)
    }

    fn has(&self, framework: Framework, stage: Stage) -> bool {
        self.profile(framework, stage).is_some()
    }

    fn profile(&self, framework: Framework, stage: Stage) -> Option<&Profile> {
        self.profiles.iter().find(|it| it.framework == framework && it.stage == stage)
    }

    /// The stage in which vLLM loses the most GPU time against the best rival that was profiled in both;
    /// none where it loses none (PR-6).
    ///
    /// The time is that of one request where every trace tells its tokens, else that of the captures,
    /// which run the same lengths.
    pub fn losing_stage(&self) -> Option<Stage> {
        let whole = |it: Framework| {
            Some([self.profile(it, Stage::Prefill)?, self.profile(it, Stage::Decode)?])
        };
        let ours = whole(Framework::Vllm)?;
        let theirs = self.rivals().into_iter().find_map(|(it, _)| whole(it))?;
        let told = ours.iter().chain(&theirs).all(|it| it.tokens.is_some());
        let losses = ours.iter().zip(&theirs).map(|(ours, theirs)| {
            let lost = spent(ours, told) - spent(theirs, told);
            (ours.stage, lost)
        });
        let losing = losses.filter(|(_, lost)| *lost > 0.0);
        losing.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(stage, _)| stage)
    }

    /// Whether a source names a part of a kernel that this round profiled: a family.
    fn is_family(&self, source: &Line) -> bool {
        let kernels = self.profiles.iter().flat_map(|it| &it.rows);
        let kernels = kernels.filter(|it| it.row.table == Table::Kernel);
        let names: Vec<String> = kernels.map(|it| it.name.as_str().to_ascii_lowercase()).collect();
        let source = source.as_str().to_ascii_lowercase();
        let mut words =
            source.split(|c: char| !c.is_ascii_alphanumeric()).filter(|it| it.len() > 2);
        words.any(|word| names.iter().any(|it| it.contains(word)))
    }

    /// PR-1, PR-2, PR-4: each needed profile is there, or waived.
    fn complete(&self) -> Objections {
        let mut o = Objections::default();
        let mut needed = alloc::vec![(Framework::Vllm, Clause::Pr1)];
        needed.extend(self.rivals().into_iter().filter(|(it, _)| !self.waived.contains(it)));
        for (framework, clause) in needed {
            for stage in [Stage::Prefill, Stage::Decode] {
                let there = self.has(framework, stage);
                o.unless(there, ProfilingObjection::ProfileMissing { clause, framework, stage });
            }
        }
        o
    }
}

/// GPU time of one request in ns, where the tokens are told; else of the capture.
#[expect(clippy::cast_precision_loss, reason = "a comparison of times needs no more")]
fn spent(profile: &Profile, told: bool) -> f64 {
    let total = profile.total_ns as f64;
    let of_one = match profile.stage {
        Stage::Prefill => profile.input_len,
        _ => profile.output_len,
    };
    match profile.tokens.filter(|_| told) {
        Some(tokens) => total / tokens.get() as f64 * f64::from(of_one),
        None => total,
    }
}

/// FB-5, PR-3, PR-4, PR-5, PR-8: what every profile must be, here and in Revalidate.
pub(crate) fn profile_objections(
    case: &Case,
    slow: Option<&Name>,
    build: &GitId,
    profile: &Profile,
) -> Objections {
    let mut o = Objections::default();
    let (framework, real) = (profile.framework, case.base.demo || !profile.mock);
    o.unless(real, ProfilingObjection::MockResult { framework });
    o.unless(profile.stage != Stage::Unattributed, ProfilingObjection::NotAStage {});
    for it in &profile.rows {
        let (row, ours) = (it.row, (profile.framework, profile.stage));
        o.unless((row.framework, row.stage) == ours, ProfilingObjection::ForeignRow { row });
    }
    for table in Table::ALL.iter().copied() {
        let there = profile.tables.contains(&table);
        o.unless(there, ProfilingObjection::TableMissing { table });
    }
    o.unless(profile.total_ns > 0, ProfilingObjection::NoWork {});
    if let Some(slow) = slow {
        o.join(slow_lengths(case, slow, profile));
    }
    let (found, round) = (profile.round, case.rounds);
    o.unless(found == round, ProfilingObjection::OtherRound { found, round });
    if let Some(round) = case.launches.get(&profile.launch).copied() {
        o.unless(round == case.rounds, ProfilingObjection::OldLaunch { round });
    }
    if profile.framework == Framework::Vllm && profile.tree.as_ref() != Some(build) {
        let old = profile.tree.is_some() && profile.tree == case.previous;
        o.unless(!old, ProfilingObjection::OldBuild {});
        let wanted = build.clone();
        o.unless(old, ProfilingObjection::OtherBuild { wanted });
    }
    o
}

/// PR-3: prefill is slow input to one token, decode one token to slow output.
fn slow_lengths(case: &Case, slow: &Name, profile: &Profile) -> Objections {
    let mut o = Objections::default();
    let same = profile.scenario == *slow;
    o.unless(same, ProfilingObjection::OtherScenario { slow: slow.clone() });
    let Some(chartered) = case.charter.scenarios.get(slow) else { return o };
    let (wanted_input, wanted_output) = chartered.scenario.shown_by(profile.stage);
    let (input, output) = (profile.input_len, profile.output_len);
    let right = (input, output) == (wanted_input, wanted_output);
    o.unless(
        right,
        ProfilingObjection::OtherLengths { input, output, wanted_input, wanted_output },
    );
    o
}

impl Profiling {
    pub(crate) fn of(case: Box<Case>, verdict: GapVerdict) -> Self {
        Self { case, triage: Box::new(Triage::of(verdict)) }
    }

    pub(crate) fn shared(&self) -> &Case {
        &self.case
    }

    pub(crate) fn shared_mut(&mut self) -> &mut Case {
        &mut self.case
    }

    pub(crate) fn checked_out(&self) -> &GitId {
        &self.case.accepted
    }

    /// What this round found out so far.
    pub fn triage(&self) -> &Triage {
        &self.triage
    }
}

// --- file-profile ---

impl Decide<FileProfile> for Profiling {
    fn decide(&self, said: &Profile) -> Result<(), Objections> {
        let (framework, stage) = (said.framework, said.stage);
        let slow = self.triage.verdict.slow.as_ref();
        let mut o = profile_objections(&self.case, slow, &self.case.accepted, said);
        let chartered = slow.and_then(|it| self.case.charter.scenarios.get(it));
        let winner = chartered.and_then(|it| it.winners.get(&framework));
        o.unless(winner.is_some(), ProfilingObjection::NotCompared { framework });
        if let Some(winner) = winner {
            let best = slow.and_then(|it| self.case.best_command.get(it));
            let command = match framework {
                Framework::Vllm => best.unwrap_or(&winner.server_command),
                _ => &winner.server_command,
            };
            let same = said.server_command == *command;
            o.unless(same, ProfilingObjection::OtherCommand { framework });
        }
        let fresh = !self.triage.has(framework, stage);
        o.unless(fresh, ProfilingObjection::AlreadyFiled { framework, stage });
        o.or_agree()
    }
}

impl Evolve<ProfileFiled> for Profiling {
    type Next = Self;

    fn evolve(mut self, event: ProfileFiled) -> Self {
        let profile = event.said;
        self.case.use_launch(profile.launch);
        // The first profile of a round puts the rows of earlier rounds away, all of them at once.
        if self.triage.profiles.is_empty() {
            self.case.rows.clear();
            self.case.kernel_rows.clear();
        }
        self.case.rows.extend(profile.rows.iter().map(|it| it.row));
        if profile.framework == Framework::Vllm {
            let kernels = profile.rows.iter().filter(|it| it.row.table == Table::Kernel);
            self.case.kernel_rows.extend(kernels.cloned());
        }
        self.triage.profiles.push(profile);
        self
    }
}

// --- waive-profile ---

impl Decide<WaiveProfile> for Profiling {
    fn decide(&self, said: &ProfileWaiver) -> Result<(), Objections> {
        let framework = said.framework;
        let mut o = Objections::default();
        o.unless(framework != Framework::Vllm, ProfilingObjection::VllmWaived {});
        let frozen =
            self.case.charter.scenarios.values().any(|it| it.winners.contains_key(&framework));
        o.unless(frozen, ProfilingObjection::NotCompared { framework });
        o.or_agree()
    }
}

impl Evolve<ProfileWaived> for Profiling {
    type Next = Self;

    fn evolve(mut self, event: ProfileWaived) -> Self {
        self.triage.waived.insert(event.said.framework);
        self
    }
}

// --- name-root-cause ---

impl Decide<NameRootCause> for Profiling {
    fn ready(&self) -> Objections {
        self.triage.complete()
    }

    fn decide(&self, said: &RootCause) -> Result<(), Objections> {
        let mut o = entry::stands_at_gate(&self.case, &said.stand);
        o.unless(!said.rows.is_empty(), ProfilingObjection::NoRows {});
        for row in said.rows.iter().copied() {
            let there = self.triage.row(row).is_some();
            o.unless(there, ProfilingObjection::UnknownRow { row });
        }
        let stage = said.slower_stage;
        let ours = |it: &RowId| it.framework == Framework::Vllm && it.stage == stage;
        let cited = said.rows.is_empty() || said.rows.iter().any(ours);
        o.unless(cited, ProfilingObjection::NoVllmRow { stage });
        let losing = self.triage.losing_stage().filter(|it| *it != stage);
        if let Some(losing) = losing.filter(|_| said.stage_because.is_none()) {
            o.raise(ProfilingObjection::OtherStage { stage, losing });
        }
        o.unless(!said.sources.is_empty(), ProfilingObjection::NoSources {});
        for source in &said.sources {
            let known = RootCause::path_of(source).is_some() || self.triage.is_family(source);
            o.unless(known, ProfilingObjection::UnknownSource { named: source.clone() });
        }
        let lean = self.triage.verdict.action == Action::PatchLean;
        let estimated = !lean || said.estimated_gap_pct.is_some();
        o.unless(estimated, ProfilingObjection::NoEstimate {});
        o.or_agree()
    }
}

impl Evolve<RootCauseNamed> for Profiling {
    type Next = LayerPipeline;

    fn evolve(mut self, event: RootCauseNamed) -> LayerPipeline {
        self.triage.root = Some(event.said);
        LayerPipeline::of(self.case, self.triage)
    }
}

// --- abandon-round ---

impl Decide<AbandonRound> for Profiling {
    fn decide(&self, said: &Abandonment) -> Result<Left, Objections> {
        let left = Left { behind: self.triage.is_behind() };
        entry::on_accepted(&self.case, &said.stand.head).or_grant(left)
    }
}

impl Evolve<RoundAbandoned> for Profiling {
    type Next = RlcrActive;

    fn evolve(self, _: RoundAbandoned) -> RlcrActive {
        RlcrActive::of(self.case)
    }
}
