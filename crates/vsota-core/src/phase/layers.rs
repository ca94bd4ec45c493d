//! Which layer, which kernel, which source? (LP-1, LP-2, KA-1, KA-2, ST-4)

use alloc::boxed::Box;

use super::kernel::{self, KernelAssist};
use super::{
    Case, LedgerObjection, Outcome, Revalidate, RlcrActive, Triage, entry, ledger, patch, stop,
};
use crate::artifact::GitId;
use crate::ask::command::*;
use crate::ask::event::*;
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::{Objections, objections};

/// After triage, before a target is chosen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LayerPipeline {
    case: Box<Case>,
    triage: Box<Triage>,
}

objections! {
    /// What may stand in the way of the layer pipeline.
    pub enum LayersObjection {
        /// The report is missing.
        [Lp1] NoPipeline {} "this round has no layer pipeline",
        /// What a mock made up.
        [Fb5] MockResult {} "a mock made up the trace of the layer report; that is for demonstrations",
        /// Another trace.
        [Lp2] OtherTrace {} "the layer report was not made from a vllm trace that this round profiled",
        /// Another config.
        [Lp2] OtherConfig {} "the layer report was not made with the served model's config",
        /// No config is recorded.
        [Lp2] NoConfig {} "the served model's config is not recorded",
        /// Another number of layers.
        [Lp2] OtherLayers { found: u32, layers: u32 } "the report names {found} layers; the served model has {layers}",
        /// No layer types.
        [Lp2] NoLayerTypes {} "the layer report has no layer-type timing table",
        /// No representative layer.
        [Lp2] NoRepresentative {} "the layer report chooses no representative layer",
        /// No hot kernel.
        [Lp2] NoHotKernel {} "the layer report names no hot kernel of a representative layer",
    }
}

impl LayerPipeline {
    pub(crate) fn of(case: Box<Case>, triage: Box<Triage>) -> Self {
        Self { case, triage }
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

    pub(crate) fn triage_mut(&mut self) -> &mut Triage {
        &mut self.triage
    }

    pub(crate) fn into_parts(self) -> (Box<Case>, Box<Triage>) {
        (self.case, self.triage)
    }

    /// LP-1: the report stands before any target.
    pub(crate) fn reported(&self) -> Objections {
        let mut o = Objections::default();
        o.unless(self.triage.pipeline.is_some(), LayersObjection::NoPipeline {});
        o
    }
}

// --- file-pipeline ---

impl Decide<FilePipeline> for LayerPipeline {
    fn decide(&self, said: &Pipeline) -> Result<(), Objections> {
        let mut o = entry::stands_at_gate(&self.case, &said.stand);
        let vllm = self.triage.profiles.iter().filter(|it| it.framework == Framework::Vllm);
        let profiled = vllm.flat_map(|it| &it.traces).any(|it| *it == said.trace);
        o.unless(profiled, LayersObjection::OtherTrace {});
        o.unless(self.case.base.demo || !said.mock, LayersObjection::MockResult {});
        match self.case.base.brief.model_config() {
            None => o.raise(LayersObjection::NoConfig {}),
            Some(config) => {
                o.unless(config.sha256 == said.config, LayersObjection::OtherConfig {});
                let (found, layers) = (said.num_layers.get(), config.num_layers.get());
                o.unless(found == layers, LayersObjection::OtherLayers { found, layers });
            }
        }
        o.unless(!said.layer_types.is_empty(), LayersObjection::NoLayerTypes {});
        o.unless(!said.representative.is_empty(), LayersObjection::NoRepresentative {});
        let hot = said.hot.iter().any(|it| said.representative.iter().any(|r| r.layer == it.layer));
        o.unless(hot || said.representative.is_empty(), LayersObjection::NoHotKernel {});
        o.or_agree()
    }
}

impl Evolve<PipelineFiled> for LayerPipeline {
    type Next = Self;

    fn evolve(mut self, event: PipelineFiled) -> Self {
        self.triage.pipeline = Some(event.said);
        self
    }
}

// --- open-kernel-assist ---

impl Decide<OpenKernelAssist> for LayerPipeline {
    fn ready(&self) -> Objections {
        let mut o = self.reported();
        o.join(kernel::worth_it(&self.triage));
        o
    }

    fn decide(&self, said: &KernelTarget) -> Result<(), Objections> {
        let mut o = entry::stands_at_gate(&self.case, &said.stand);
        o.join(kernel::target_objections(&self.triage, said));
        o.or_agree()
    }
}

impl Evolve<KernelAssistOpened> for LayerPipeline {
    type Next = KernelAssist;

    fn evolve(self, event: KernelAssistOpened) -> KernelAssist {
        KernelAssist::of(self, event.said)
    }
}

// --- record-patch ---

impl Decide<RecordPatch> for LayerPipeline {
    fn ready(&self) -> Objections {
        let mut o = self.reported();
        o.join(patch::patch_due(&self.case));
        o
    }

    fn decide(&self, said: &Patch) -> Result<(), Objections> {
        let mut o = patch::patch_objections(&self.case, &self.triage, said);
        if let Some(kernel) = &said.kernel {
            o.join(patch::ncu_on_record(&self.triage, &kernel.name));
        }
        o.or_agree()
    }
}

impl Evolve<PatchRecorded> for LayerPipeline {
    type Next = Revalidate;

    fn evolve(self, event: PatchRecorded) -> Revalidate {
        Revalidate::patch(self, event.said)
    }
}

// --- note-attempt, block-ncu ---

impl Decide<NoteAttempt> for LayerPipeline {
    fn decide(&self, said: &Attempt) -> Result<(), Objections> {
        ledger::attempt_objections(&self.case, &self.triage, said).or_agree()
    }
}

impl Evolve<AttemptNoted> for LayerPipeline {
    type Next = Self;

    fn evolve(mut self, event: AttemptNoted) -> Self {
        ledger::attempted(&mut self.case, event.said);
        self
    }
}

impl Decide<BlockNcu> for LayerPipeline {
    fn decide(&self, _: &NcuBlock) -> Result<(), Objections> {
        Ok(())
    }
}

impl Evolve<NcuBlocked> for LayerPipeline {
    type Next = Self;

    fn evolve(mut self, event: NcuBlocked) -> Self {
        self.triage.ncu_blocked.insert(event.said.kernel);
        self
    }
}

// --- claim-stop ---

impl Decide<ClaimStop> for LayerPipeline {
    fn decide(&self, said: &StopClaim) -> Result<(), Objections> {
        let mut o = entry::stands_at_gate(&self.case, &said.stand);
        match said.reason {
            StopReason::Beats | StopReason::Tied => o.join(stop::wrong_place(said.reason)),
            StopReason::External => o.join(stop::because(said)),
            StopReason::Limit => {
                o.join(stop::because(said));
                o.join(stop::limit_shown(self.triage.pipeline.is_some()));
            }
        }
        if matches!(said.reason, StopReason::External | StopReason::Limit) {
            o.join(stop::all_investigated(&self.case, true));
        }
        o.or_agree()
    }
}

impl Evolve<StopClaimed> for LayerPipeline {
    type Next = RlcrActive;

    fn evolve(mut self, event: StopClaimed) -> RlcrActive {
        self.case.claim = Some(event.said);
        RlcrActive::of(self.case)
    }
}

// --- abandon-round ---

impl Decide<AbandonRound> for LayerPipeline {
    fn ready(&self) -> Objections {
        let mut o = Objections::default();
        o.unless(self.case.has_idea_verdict(), LedgerObjection::NoIdeaVerdict {});
        o
    }

    fn decide(&self, said: &Abandonment) -> Result<Left, Objections> {
        let left = Left { behind: self.triage.is_behind() };
        entry::on_accepted(&self.case, &said.stand.head).or_grant(left)
    }
}

impl Evolve<RoundAbandoned> for LayerPipeline {
    type Next = RlcrActive;

    fn evolve(mut self, _: RoundAbandoned) -> RlcrActive {
        self.case.conclude(Outcome::Weak);
        RlcrActive::of(self.case)
    }
}
