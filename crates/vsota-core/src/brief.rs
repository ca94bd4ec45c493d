//! What the campaign was told: inputs by key, companions, and the PR history.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use crate::facts::*;
use crate::text::{Line, Name};

/// The recorded inputs, by key; the latest of a key counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Brief {
    inputs: BTreeMap<String, Sourced>,
}

/// What a campaign knows before it measures.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Base {
    /// The inputs.
    pub brief: Brief,
    /// The companions that were noted (RT-4).
    pub companions: BTreeMap<CompanionName, Noted>,
    /// The PR history.
    pub history: History,
    /// Whether the campaign is a demonstration, which may hold mock results (FB-5).
    pub demo: bool,
}

/// The PR history as noted, per framework (HI-2).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct History {
    /// The notes.
    pub notes: Vec<HistoryNote>,
    /// The blockers.
    pub blocks: Vec<HistoryBlock>,
}

/// Reads one kind of input out of the brief.
macro_rules! lines {
    ($($(#[$doc:meta])* $name:ident = $key:literal $Variant:ident,)+) => { $(
        $(#[$doc])*
        pub fn $name(&self) -> Option<&Line> {
            match self.get($key) {
                Some(Input::$Variant(line)) => Some(line),
                _ => None,
            }
        }
    )+ };
}

impl Brief {
    /// Takes over given inputs; a later value of one key replaces the earlier.
    pub(crate) fn take(&mut self, given: InputsGiven) {
        for sourced in given.inputs {
            self.inputs.insert(sourced.input.key(), sourced);
        }
    }

    /// The input of a key such as `model` or `sla.max_p50_ttft_ms`.
    pub fn get(&self, key: &str) -> Option<&Input> {
        self.inputs.get(key).map(|it| &it.input)
    }

    /// Every input with its key and source, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Sourced)> {
        self.inputs.iter().map(|(key, sourced)| (key.as_str(), sourced))
    }

    lines! {
        /// The model id or checkpoint path.
        model = "model" Model,
        /// The tokenizer.
        tokenizer = "tokenizer" Tokenizer,
        /// The precision.
        precision = "precision" Precision,
        /// The quantization, or `none`.
        quantization = "quantization" Quantization,
        /// The vLLM checkout.
        vllm_checkout = "vllm_checkout" VllmCheckout,
        /// The branch that reviews compare with.
        base_branch = "base_branch" BaseBranch,
        /// The GPU type.
        gpu_model = "gpu_model" GpuModel,
        /// The visible GPU ids.
        gpu_ids = "gpu_ids" GpuIds,
        /// The endpoint path.
        endpoint = "endpoint" Endpoint,
    }

    /// The number of GPUs.
    pub fn gpu_count(&self) -> Option<NonZeroU32> {
        match self.get("gpu_count") {
            Some(Input::GpuCount(count)) => Some(*count),
            _ => None,
        }
    }

    /// The context length that is served, in tokens.
    pub fn max_model_len(&self) -> Option<NonZeroU32> {
        match self.get("max_model_len") {
            Some(Input::MaxModelLen(tokens)) => Some(*tokens),
            _ => None,
        }
    }

    /// The frameworks to compare; all three when nothing was said (IN-1).
    pub fn frameworks(&self) -> BTreeSet<Framework> {
        match self.get("frameworks") {
            Some(Input::Frameworks(set)) => set.clone(),
            _ => Framework::ALL.iter().copied().collect(),
        }
    }

    /// The workload.
    pub fn workload(&self) -> Option<&Workload> {
        match self.get("workload") {
            Some(Input::Workload(workload)) => Some(workload),
            _ => None,
        }
    }

    /// The scenario of that name.
    pub fn scenario(&self, name: &Name) -> Option<&Scenario> {
        self.workload().and_then(|it| it.scenario(name))
    }

    /// The served model's config (LP-2).
    pub fn model_config(&self) -> Option<&ModelConfig> {
        match self.get("config") {
            Some(Input::ModelConfig(config)) => Some(config),
            _ => None,
        }
    }

    /// What is known of a framework where the GPUs are: its version, or that it is not there.
    pub fn installed(&self, framework: Framework) -> Option<(Option<&Line>, &Line)> {
        let sourced = self.inputs.get(&alloc::format!("installed.{framework}"))?;
        match &sourced.input {
            Input::Installed { version, .. } => Some((version.as_ref(), &sourced.source)),
            _ => None,
        }
    }

    /// The limits of the SLA. Without a recorded success rate every request must complete.
    pub fn sla(&self) -> Sla {
        let mut sla = Sla::default();
        for (_, sourced) in self.iter() {
            match &sourced.input {
                Input::SlaLimit { metric, limit } => {
                    sla.limits.insert(*metric, *limit);
                }
                Input::SlaSuccessRate(rate) => sla.min_success_rate = *rate,
                _ => {}
            }
        }
        sla
    }

    /// The sampling settings in one canonical line, as commands are read: `temperature=0, top_p=0.9`,
    /// or `default`.
    pub fn sampling(&self) -> String {
        let mut settings = String::new();
        for (_, sourced) in self.iter() {
            if let Input::Sampling { key, value } = &sourced.input {
                if !settings.is_empty() {
                    settings.push_str(", ");
                }
                settings.push_str(key.as_str());
                settings.push('=');
                let value = value.as_str();
                match value.parse::<f64>() {
                    Ok(number) => settings.push_str(&number.to_string()),
                    Err(_) => settings.push_str(value),
                }
            }
        }
        if settings.is_empty() { String::from("default") } else { settings }
    }
}

impl History {
    /// Whether the history of a framework was noted or its blocker recorded.
    pub fn answers(&self, framework: Framework) -> bool {
        self.notes.iter().any(|it| it.framework == framework)
            || self.blocks.iter().any(|it| it.framework == framework)
    }

    /// Every noted item.
    pub fn items(&self) -> impl Iterator<Item = &HistoryItem> {
        self.notes.iter().flat_map(|note| match &note.outcome {
            HistoryOutcome::Found { items, .. } => items.as_slice(),
            HistoryOutcome::NoneForFamily { .. } => &[],
        })
    }
}
