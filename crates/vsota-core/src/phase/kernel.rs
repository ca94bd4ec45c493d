//! What does the kernel itself say? (KA-1 … KA-8, RT-3)

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{
    Case, LayerPipeline, LedgerObjection, Outcome, Revalidate, RlcrActive, Triage, entry, ledger,
    patch,
};
use crate::artifact::GitId;
use crate::ask::command::*;
use crate::ask::event::*;
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::{Objections, objections};
use crate::text::{Line, Name};

/// The layer pipeline, with a kernel under the microscope.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelAssist {
    layers: LayerPipeline,
    target: KernelTarget,
    digests: Vec<NcuDigest>,
}

objections! {
    /// What may stand in the way of kernel evidence.
    pub enum KernelObjection {
        /// Nothing is proven behind.
        [Ka2] NotBehind {} "no scenario is proven behind by more than 1 %",
        /// Profiler evidence is enough.
        [Ka1] ProfilerEnough {} "nothing says why torch-profiler evidence is not enough",
        /// No rows.
        [Ka2] NoRows {} "the target cites no kernel row",
        /// A row that is not a vLLM kernel row of the slow stage.
        [Ka2] NotASlowKernel { row: RowId } "{row} is not a vllm kernel row of the slower stage of this round",
        /// A family below 1 %.
        [Ka2] BelowOnePercent { percent: alloc::string::String } "the cited rows hold {percent} % of the slow stage; 1 % is needed",
        /// A family without a shared implementation.
        [Ka2] NoSharedSource {} "no single row holds 1 %, and no shared implementation is named",
        /// No reference.
        [Ka2] NoReference {} "no correctness reference is named",
        /// No shapes, dtypes or layouts.
        [Ka2] NoShapes { what: &'static str } "no representative {what} from the model run are named",
        /// No wiring.
        [Ka2] NoWiring {} "no path wires the candidate into the serving code",
        /// A standalone loop.
        [Ka6] OtherLoop { dir: Line } "the loop {dir} is active; kernel work stays inside the model loop",
        /// The skill is not read.
        [Ka7] SkillUnread { kernel: Name } "ncu-report-skill is not read, and no blocker of {kernel} is filed",
        /// No harness.
        [Ka8] NoHarness {} "no focused harness is named or built",
        /// A version twice.
        [Ka3] VersionUsed { version: Name } "the digest version {version} is filed already",
        /// Not one next edit.
        [Ka3] NotOneEdit { found: usize } "the digest names {found} next edits; it ends with exactly one",
        /// No comparison.
        [Ka3] NotCompared {} "the digest does not compare baseline with candidate samples",
    }
}

/// KA-2: more than 1 % slower, proven; an SLA failure alone never opens kernel work.
pub(crate) fn worth_it(triage: &Triage) -> Objections {
    let mut o = Objections::default();
    o.unless(triage.is_behind(), KernelObjection::NotBehind {});
    o
}

/// KA-2, PA-4: the cited rows are vLLM kernels of the slow stage and hold 1 % together.
pub(crate) fn family_objections(
    triage: &Triage,
    rows: &[RowId],
    shared_source: Option<&Line>,
) -> Objections {
    let mut o = Objections::default();
    o.unless(!rows.is_empty(), KernelObjection::NoRows {});
    let mut total = 0.0;
    let mut largest = 0.0_f64;
    // A row that is cited twice is one row.
    for row in rows.iter().copied().collect::<BTreeSet<_>>() {
        let ours = row.framework == Framework::Vllm && row.table == Table::Kernel;
        let slow = triage.slower_stage() == Some(row.stage);
        let Some(kernel) = triage.row(row).filter(|_| ours && slow) else {
            o.raise(KernelObjection::NotASlowKernel { row });
            continue;
        };
        total += kernel.share.get();
        largest = largest.max(kernel.share.get());
    }
    if o.is_empty() {
        let percent = alloc::format!("{:.2}", total * 100.0);
        o.unless(total >= 0.01, KernelObjection::BelowOnePercent { percent });
        let lone = largest >= 0.01 || total < 0.01;
        o.unless(lone || shared_source.is_some(), KernelObjection::NoSharedSource {});
    }
    o
}

/// KA-1, KA-2, KA-6, KA-7, KA-8: a concrete target with everything that a candidate needs.
pub(crate) fn target_objections(triage: &Triage, said: &KernelTarget) -> Objections {
    let mut o = family_objections(triage, &said.rows, said.shared_source.as_ref());
    o.unless(said.profiler_falls_short.is_some(), KernelObjection::ProfilerEnough {});
    o.unless(said.reference.is_some(), KernelObjection::NoReference {});
    let parts = [("shapes", &said.shapes), ("dtypes", &said.dtypes), ("layouts", &said.layouts)];
    for (what, given) in parts {
        o.unless(!given.is_empty(), KernelObjection::NoShapes { what });
    }
    o.unless(said.wiring.is_some(), KernelObjection::NoWiring {});
    for dir in said.other_loops.iter().cloned() {
        o.raise(KernelObjection::OtherLoop { dir });
    }
    let read = matches!(said.ncu_skill, Noted::Read { .. });
    let blocked = triage.ncu_blocked.contains(&said.name);
    let kernel = said.name.clone();
    o.unless(read || blocked, KernelObjection::SkillUnread { kernel });
    o.unless(said.harness.is_some(), KernelObjection::NoHarness {});
    o
}

impl KernelAssist {
    pub(crate) fn of(layers: LayerPipeline, target: KernelTarget) -> Self {
        Self { layers, target, digests: Vec::new() }
    }

    pub(crate) fn shared(&self) -> &Case {
        self.layers.shared()
    }

    pub(crate) fn shared_mut(&mut self) -> &mut Case {
        self.layers.shared_mut()
    }

    pub(crate) fn checked_out(&self) -> &GitId {
        self.layers.checked_out()
    }

    /// What this round found out so far.
    pub fn triage(&self) -> &Triage {
        self.layers.triage()
    }

    /// The kernel under the microscope.
    pub fn target(&self) -> &KernelTarget {
        &self.target
    }

    /// The digests of this target.
    pub fn digests(&self) -> &[NcuDigest] {
        &self.digests
    }
}

// --- file-digest ---

impl Decide<FileDigest> for KernelAssist {
    fn decide(&self, said: &NcuDigest) -> Result<(), Objections> {
        let mut o = Objections::default();
        let version = said.version.clone();
        let fresh = !self.shared().ncu_versions.contains(&version);
        o.unless(fresh, KernelObjection::VersionUsed { version });
        let found = said.next_edits.len();
        o.unless(found == 1, KernelObjection::NotOneEdit { found });
        let compared =
            !said.baseline_us.is_empty() && said.baseline_us.len() == said.candidate_us.len();
        o.unless(compared, KernelObjection::NotCompared {});
        o.or_agree()
    }
}

impl Evolve<DigestFiled> for KernelAssist {
    type Next = Self;

    fn evolve(mut self, event: DigestFiled) -> Self {
        self.shared_mut().ncu_versions.insert(event.said.version.clone());
        self.digests.push(event.said);
        let kernel = self.target.name.clone();
        self.layers.triage_mut().ncu_filed.insert(kernel);
        self
    }
}

// --- close-kernel-assist ---

impl Decide<CloseKernelAssist> for KernelAssist {
    fn decide(&self, _: &Because) -> Result<(), Objections> {
        Ok(())
    }
}

impl Evolve<KernelAssistClosed> for KernelAssist {
    type Next = LayerPipeline;

    fn evolve(self, _: KernelAssistClosed) -> LayerPipeline {
        self.layers
    }
}

// --- record-patch ---

impl Decide<RecordPatch> for KernelAssist {
    fn ready(&self) -> Objections {
        patch::patch_due(self.shared())
    }

    fn decide(&self, said: &Patch) -> Result<(), Objections> {
        let mut o = patch::patch_objections(self.shared(), self.triage(), said);
        o.join(patch::of_the_target(&self.target, said));
        o.join(patch::ncu_on_record(self.triage(), &self.target.name));
        o.or_agree()
    }
}

impl Evolve<PatchRecorded> for KernelAssist {
    type Next = Revalidate;

    fn evolve(self, event: PatchRecorded) -> Revalidate {
        Revalidate::patch(self.layers, event.said)
    }
}

// --- note-attempt, block-ncu ---

impl Decide<NoteAttempt> for KernelAssist {
    fn decide(&self, said: &Attempt) -> Result<(), Objections> {
        ledger::attempt_objections(self.shared(), self.triage(), said).or_agree()
    }
}

impl Evolve<AttemptNoted> for KernelAssist {
    type Next = Self;

    fn evolve(mut self, event: AttemptNoted) -> Self {
        ledger::attempted(self.shared_mut(), event.said);
        self
    }
}

impl Decide<BlockNcu> for KernelAssist {
    fn decide(&self, _: &NcuBlock) -> Result<(), Objections> {
        Ok(())
    }
}

impl Evolve<NcuBlocked> for KernelAssist {
    type Next = Self;

    fn evolve(mut self, event: NcuBlocked) -> Self {
        self.layers.triage_mut().ncu_blocked.insert(event.said.kernel);
        self
    }
}

// --- abandon-round ---

impl Decide<AbandonRound> for KernelAssist {
    fn ready(&self) -> Objections {
        let mut o = Objections::default();
        o.unless(self.shared().has_idea_verdict(), LedgerObjection::NoIdeaVerdict {});
        o
    }

    fn decide(&self, said: &Abandonment) -> Result<Left, Objections> {
        let left = Left { behind: self.triage().is_behind() };
        entry::on_accepted(self.shared(), &said.stand.head).or_grant(left)
    }
}

impl Evolve<RoundAbandoned> for KernelAssist {
    type Next = RlcrActive;

    fn evolve(self, _: RoundAbandoned) -> RlcrActive {
        let (mut case, _) = self.layers.into_parts();
        case.conclude(Outcome::Weak);
        RlcrActive::of(case)
    }
}
