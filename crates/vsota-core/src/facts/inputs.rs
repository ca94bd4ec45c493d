//! What a campaign is told before it measures (IN-1), and its companions (RT-4).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{CompanionName, Framework, LatencyMetric, Workload};
use crate::artifact::Digest;
use crate::measure::{Fraction, Measured};
use crate::text::{Line, Name};

/// One input of the campaign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// The model id or checkpoint path.
    Model(Line),
    /// The tokenizer.
    Tokenizer(Line),
    /// The precision, such as `bfloat16`.
    Precision(Line),
    /// The quantization, or `none`.
    Quantization(Line),
    /// Whether remote code of the model is trusted.
    TrustRemoteCode(bool),
    /// The context length that is served, in tokens.
    MaxModelLen(NonZeroU32),
    /// The vLLM checkout that is patched.
    VllmCheckout(Line),
    /// The branch that reviews compare with.
    BaseBranch(Line),
    /// The GPU type.
    GpuModel(Line),
    /// The number of GPUs.
    GpuCount(NonZeroU32),
    /// The visible GPU ids.
    GpuIds(Line),
    /// The host or remote shell.
    Host(Line),
    /// The container.
    Container(Line),
    /// The CUDA version.
    Cuda(Line),
    /// The NCCL version.
    Nccl(Line),
    /// Whether several nodes are allowed.
    MultiNode(bool),
    /// The frameworks to compare (IN-4).
    Frameworks(BTreeSet<Framework>),
    /// The family of the PR history.
    HistorySlug(Name),
    /// Where artefacts are kept.
    ArtifactRoot(Line),
    /// The workload (FB-14).
    Workload(Workload),
    /// The endpoint path.
    Endpoint(Line),
    /// One sampling setting.
    Sampling {
        /// Its name, such as `temperature`.
        key: Name,
        /// Its value, as written.
        value: Line,
    },
    /// One latency limit, in ms.
    SlaLimit {
        /// The latency that is limited.
        metric: LatencyMetric,
        /// The upper limit, in ms.
        limit: Measured,
    },
    /// The least share of requests that must complete.
    SlaSuccessRate(Fraction),
    /// The served model's configuration (LP-2).
    ModelConfig(ModelConfig),
    /// Whether a framework is installed where the GPUs are, and which version (IN-1, IN-4).
    Installed {
        /// The framework.
        framework: Framework,
        /// Its version; absent when it was looked for and is not there.
        version: Option<Line>,
    },
}

/// The served model's Hugging Face config, as far as the machine needs it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The SHA-256 of the file.
    pub sha256: Digest,
    /// Its number of layers.
    pub num_layers: NonZeroU32,
    /// Its first architecture.
    pub architecture: Option<Line>,
}

/// An input with the place it was taken from (IN-2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced {
    /// The input.
    pub input: Input,
    /// Where it was taken from: `flag`, a file, a tool.
    pub source: Line,
}

/// Several inputs at once; a later value of one key replaces the earlier.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InputsGiven {
    /// The inputs.
    pub inputs: Vec<Sourced>,
}

/// A companion that was read, or why it was not (RT-4).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Which companion.
    pub name: CompanionName,
    /// What became of it.
    pub noted: Noted,
}

/// What became of a companion.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Noted {
    /// It was read.
    Read {
        /// Where it lies.
        path: Line,
        /// The SHA-256 of what was read.
        sha256: Digest,
    },
    /// It is not to be had.
    Blocked {
        /// Why not.
        reason: Line,
    },
}

impl Input {
    /// The key that `inputs set` takes: `model`, `sampling.temperature`, `sla.max_p50_ttft_ms`.
    pub fn key(&self) -> String {
        match self {
            Self::Model(_) => "model",
            Self::Tokenizer(_) => "tokenizer",
            Self::Precision(_) => "precision",
            Self::Quantization(_) => "quantization",
            Self::TrustRemoteCode(_) => "trust_remote_code",
            Self::MaxModelLen(_) => "max_model_len",
            Self::VllmCheckout(_) => "vllm_checkout",
            Self::BaseBranch(_) => "base_branch",
            Self::GpuModel(_) => "gpu_model",
            Self::GpuCount(_) => "gpu_count",
            Self::GpuIds(_) => "gpu_ids",
            Self::Host(_) => "host",
            Self::Container(_) => "container",
            Self::Cuda(_) => "cuda",
            Self::Nccl(_) => "nccl",
            Self::MultiNode(_) => "multi_node",
            Self::Frameworks(_) => "frameworks",
            Self::HistorySlug(_) => "history_slug",
            Self::ArtifactRoot(_) => "artifact_root",
            Self::Workload(_) => "workload",
            Self::Endpoint(_) => "endpoint",
            Self::ModelConfig(_) => "config",
            Self::SlaSuccessRate(_) => "sla.min_success_rate",
            Self::Sampling { key, .. } => return format!("sampling.{key}"),
            Self::SlaLimit { metric, .. } => return format!("sla.max_{metric}"),
            Self::Installed { framework, .. } => return format!("installed.{framework}"),
        }
        .to_string()
    }
}
