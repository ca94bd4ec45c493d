//! What is asked for, of which model, on which machine? (IN, FB-14, RT-4)

use alloc::collections::BTreeSet;

use super::HistoryGate;
use crate::ask::command::{CloseInputs, NoteCompanion, RecordInputs};
use crate::ask::event::{CompanionNoted, InputsClosed, InputsRecorded};
use crate::brief::Base;
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::{Objections, objections};
use crate::text::Name;

/// The inputs so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inputs {
    base: Base,
}

objections! {
    /// What may stand in the way of inputs.
    pub enum InputsObjection {
        /// A workload without a scenario.
        [Fb4] NoScenario {} "the workload has no scenario",
        /// Two scenarios of one name.
        [Fb14] DoubledScenario { scenario: Name } "the workload names the scenario {scenario} twice",
        /// A scenario without tokens or prompts.
        [Fb4] EmptyScenario { scenario: Name } "the scenario {scenario} has no input, no output or no prompts",
        /// One of the three that nobody can guess.
        [In2] Missing { key: &'static str } "{key} is not known and could not be inferred",
        /// The workload, SLA or endpoint is not recorded.
        [Fb14] Unrecorded { key: &'static str } "{key} is not recorded",
        /// Nothing that could be patched; a demonstration patches nothing.
        [In5] NoCheckout {} "no vLLM checkout is known, and the loop, the plan and every patch need one",
        /// vLLM is not in the set.
        [In4] NoVllm {} "the framework set does not hold vllm",
        /// Nobody to compare with.
        [In4] NoCompetitor {} "the framework set holds no competitor",
        /// The served context is shorter than a request.
        [Fb10] ShortContext { max_model_len: u32, needed: u64 } "max_model_len {max_model_len} is shorter than the longest request of {needed} tokens",
    }
}

// --- record-inputs ---

impl Decide<RecordInputs> for Inputs {
    fn decide(&self, said: &InputsGiven) -> Result<(), Objections> {
        let mut o = Objections::default();
        for sourced in &said.inputs {
            if let Input::Workload(workload) = &sourced.input {
                o.unless(!workload.scenarios.is_empty(), InputsObjection::NoScenario {});
                o.join(sound(workload));
            }
        }
        o.or_agree()
    }
}

/// A scenario is named once and has something to serve.
fn sound(workload: &Workload) -> Objections {
    let mut o = Objections::default();
    let mut seen = BTreeSet::new();
    for it in &workload.scenarios {
        let scenario = it.name.clone();
        let full = it.input_len > 0 && it.output_len > 0 && it.num_prompts > 0;
        o.unless(full, InputsObjection::EmptyScenario { scenario: scenario.clone() });
        let first = seen.insert(&it.name);
        o.unless(first, InputsObjection::DoubledScenario { scenario });
    }
    o
}

impl Evolve<InputsRecorded> for Inputs {
    type Next = Self;

    fn evolve(mut self, event: InputsRecorded) -> Self {
        self.base.brief.take(event.said);
        self
    }
}

// --- close-inputs ---

impl Decide<CloseInputs> for Inputs {
    fn ready(&self) -> Objections {
        let brief = &self.base.brief;
        let mut o = Objections::default();
        for key in ["model", "gpu_model", "gpu_count", "precision", "quantization"] {
            o.unless(brief.get(key).is_some(), InputsObjection::Missing { key });
        }
        for key in ["workload", "endpoint", "sla.min_success_rate"] {
            o.unless(brief.get(key).is_some(), InputsObjection::Unrecorded { key });
        }
        let patched = self.base.demo || brief.vllm_checkout().is_some();
        o.unless(patched, InputsObjection::NoCheckout {});
        let set = brief.frameworks();
        let competitors = set.iter().any(|it| *it != Framework::Vllm);
        o.unless(set.contains(&Framework::Vllm), InputsObjection::NoVllm {});
        o.unless(competitors, InputsObjection::NoCompetitor {});
        let needed = brief.workload().map_or(0, Workload::longest);
        if let Some(served) = brief.max_model_len() {
            let max_model_len = served.get();
            let fits = u64::from(max_model_len) >= needed;
            o.unless(fits, InputsObjection::ShortContext { max_model_len, needed });
        }
        o
    }

    fn decide(&self, _: &Nothing) -> Result<(), Objections> {
        Ok(())
    }
}

impl Evolve<InputsClosed> for Inputs {
    type Next = HistoryGate;

    fn evolve(self, _: InputsClosed) -> HistoryGate {
        HistoryGate::after(self.base)
    }
}

// --- note-companion ---

impl Decide<NoteCompanion> for Inputs {
    fn decide(&self, _: &Companion) -> Result<(), Objections> {
        Ok(())
    }
}

impl Evolve<CompanionNoted> for Inputs {
    type Next = Self;

    fn evolve(mut self, event: CompanionNoted) -> Self {
        self.base.companions.insert(event.said.name, event.said.noted);
        self
    }
}

impl Inputs {
    pub(crate) fn opened(demo: bool) -> Self {
        Self { base: Base { demo, ..Base::default() } }
    }

    /// What is known so far.
    pub fn base(&self) -> &Base {
        &self.base
    }
}
