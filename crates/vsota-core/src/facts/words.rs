//! The closed vocabularies: frameworks, stages, tables, metrics. One word per thing.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use thiserror::Error;

use crate::clause::Clause;

/// A word outside its vocabulary.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{found}` is not a {what}; known: {known}")]
pub struct UnknownWord {
    /// What was found.
    pub found: String,
    /// Which vocabulary was asked.
    pub what: &'static str,
    /// The words it has.
    pub known: &'static str,
}

/// Declares a closed vocabulary: an enum that is written, parsed and stored as one word.
macro_rules! vocabulary {
    ($( $(#[$attr:meta])* pub enum $Word:ident($what:literal) { $( $(#[$doc:meta])* $Variant:ident = $text:literal, )+ } )+) => { $(
        $(#[$attr])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $Word { $( $(#[$doc])* $Variant, )+ }

        impl $Word {
            /// Every word, in order.
            pub const ALL: &[Self] = &[ $( Self::$Variant, )+ ];

            /// The word as files and people write it.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$Variant => $text, )+ }
            }
        }

        impl core::fmt::Display for $Word {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl core::str::FromStr for $Word {
            type Err = $crate::facts::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::facts::UnknownWord> {
                match text {
                    $( $text => Ok(Self::$Variant), )+
                    _ => Err($crate::facts::UnknownWord {
                        found: text.chars().take(60).filter(|c| !crate::text::is_unsafe(*c)).collect(),
                        what: $what,
                        known: concat!($( $text, " ", )+),
                    }),
                }
            }
        }

        as_string! { $Word: $what; }
    )+ };
}

pub(crate) use vocabulary;

vocabulary! {
    /// A serving framework that can be compared.
    pub enum Framework("framework") {
        /// The framework that the campaign improves.
        Vllm = "vllm",
        /// The competitor SGLang.
        Sglang = "sglang",
        /// The competitor TensorRT-LLM.
        TensorrtLlm = "tensorrt_llm",
    }

    /// A part of serving that is profiled on its own.
    pub enum Stage("stage") {
        /// The prompt is read.
        Prefill = "prefill",
        /// Tokens are generated.
        Decode = "decode",
        /// Both in one forward pass.
        Mixed = "mixed",
        /// GPU work that no annotation claims.
        Unattributed = "unattributed",
    }

    /// One of the three tables of a profile (PR-5).
    pub enum Table("table") {
        /// Kernels by GPU time.
        Kernel = "kernel",
        /// What could overlap.
        Overlap = "overlap",
        /// What could be fused.
        Fuse = "fuse",
    }

    /// How a benchmark run ended.
    pub enum Status("status") {
        /// It ran and measured.
        Ok = "ok",
        /// It ended in an error.
        Failed = "failed",
        /// It ran out of memory.
        Oom = "oom",
        /// It ran out of time.
        Timeout = "timeout",
        /// It was not run, with a reason.
        Skipped = "skipped",
    }

    /// A statistic over requests.
    pub enum Stat("statistic") {
        /// The arithmetic mean.
        Mean = "mean",
        /// The median.
        P50 = "p50",
        /// The 90th percentile.
        P90 = "p90",
        /// The 95th percentile.
        P95 = "p95",
        /// The 99th percentile.
        P99 = "p99",
    }

    /// A latency of one request.
    pub enum LatencyKind("latency") {
        /// Time to first token.
        Ttft = "ttft",
        /// Time per output token.
        Tpot = "tpot",
        /// Inter-token latency.
        Itl = "itl",
        /// End-to-end latency.
        E2e = "e2e",
    }

    /// Something that must be equal for two rows to be comparable (FB-3).
    pub enum Dimension("dimension") {
        /// The model weights.
        Model = "model",
        /// The tokenizer.
        Tokenizer = "tokenizer",
        /// The precision of weights and activations.
        Precision = "precision",
        /// The quantization.
        Quantization = "quantization",
        /// The GPU type.
        GpuModel = "gpu_model",
        /// The number of GPUs.
        GpuCount = "gpu_count",
        /// The visible GPU ids.
        GpuIds = "gpu_ids",
        /// The endpoint path.
        Endpoint = "endpoint",
        /// The sampling settings.
        Sampling = "sampling",
        /// The offered request rate.
        RequestRate = "request_rate",
        /// The cap on concurrent requests.
        MaxConcurrency = "max_concurrency",
        /// The burstiness of arrivals.
        Burstiness = "burstiness",
        /// What the launch changes about the checkpoint: revision, config overrides, dummy weights.
        ModelOverrides = "model_overrides",
        /// The type of the KV cache.
        KvCacheDtype = "kv_cache_dtype",
        /// Whether tokens are guessed ahead (speculative decoding).
        Speculation = "speculation",
        /// Whether a prefix cache may answer, where a flag says so.
        PrefixCaching = "prefix_caching",
        /// Whether the client takes tokens as they come.
        Streaming = "streaming",
        /// Whether generation runs past the end token, where a flag says so.
        IgnoreEos = "ignore_eos",
        /// The seed of the client's prompts, where a flag says so.
        Seed = "seed",
        /// The prompt tokens that the client was told to send with each request.
        InputLen = "input_len",
        /// The tokens that the client was told to ask for.
        OutputLen = "output_len",
        /// What the client drew its prompts from: `random`, or the data set's path.
        Dataset = "dataset",
    }

    /// Which build a run of a trial block measured.
    pub enum Build("build") {
        /// The patched build.
        New = "new",
        /// The accepted build.
        Accepted = "accepted",
    }

    /// A companion of the campaign (RT-4).
    pub enum CompanionName("companion") {
        /// Benchmark search and schema.
        ServingAutoBenchmark = "llm-serving-auto-benchmark",
        /// Profile tables.
        TorchProfilerAnalysis = "llm-torch-profiler-analysis",
        /// Layer pipeline.
        PipelineAnalysis = "llm-pipeline-analysis",
        /// PR history.
        PrHistory = "model-pr-optimization-history",
        /// Host conventions.
        HostSkill = "host-skill",
        /// Nsight Compute reports.
        NcuReport = "ncu-report-skill",
    }

    /// A way to write a kernel (KA-1).
    pub enum KernelKind("kernel kind") {
        /// CUDA C++.
        Cuda = "cuda",
        /// Triton.
        Triton = "triton",
        /// CuTe.
        Cute = "cute",
        /// CUTLASS.
        Cutlass = "cutlass",
        /// TileLang.
        Tilelang = "tilelang",
        /// A path that torch.compile drives.
        TorchCompile = "torch.compile",
    }

    /// The kind of a changed file (PA-1).
    pub enum FileKind("file kind") {
        /// vLLM code.
        Code = "code",
        /// Tests.
        Tests = "tests",
        /// Documentation.
        Docs = "docs",
        /// Launch or benchmark parameters.
        Launch = "launch",
    }

    /// How a Humanize loop ended, or that it has not.
    pub enum LoopEnd("loop state") {
        /// Still running.
        Active = "active",
        /// The review ended complete.
        Complete = "complete",
        /// The review stopped it.
        Stop = "stop",
        /// Cancelled by hand.
        Cancel = "cancel",
        /// It ran out of rounds.
        Maxiter = "maxiter",
        /// Something it did not expect.
        Unexpected = "unexpected",
        /// Its directory is gone.
        Gone = "gone",
    }

    /// Where a Humanize loop that runs stands on its way.
    pub enum LoopPhase("loop phase") {
        /// Rounds are worked and reviewed.
        Implementation = "implementation",
        /// The code is reviewed.
        Review = "review",
        /// The work is cleared up.
        Finalize = "finalize",
        /// The development itself is looked back upon.
        Methodology = "methodology",
    }

    /// What Humanize's review said of a round.
    pub enum Review("review verdict") {
        /// The round advanced.
        Advanced = "advanced",
        /// The round stalled.
        Stalled = "stalled",
        /// The round regressed.
        Regressed = "regressed",
        /// The code review had findings; it has no verdict on the round.
        Findings = "findings",
        /// The loop is complete.
        Complete = "complete",
    }
}

impl Dimension {
    /// Whether a row owes a word on it before the freeze. The others are compared where two rows
    /// say them: a server or client without such a flag says nothing.
    pub fn is_owed(self) -> bool {
        !matches!(
            self,
            Self::ModelOverrides
                | Self::KvCacheDtype
                | Self::Speculation
                | Self::PrefixCaching
                | Self::Streaming
                | Self::IgnoreEos
                | Self::Seed
                | Self::InputLen
                | Self::OutputLen
                | Self::Dataset
        )
    }

    /// Whether one winner may be silent where another one speaks. Each client draws its prompts from
    /// a seed of its own, and no flag of TensorRT-LLM's server tells of its prefix cache.
    pub fn may_be_unsaid(self, silent: Framework) -> bool {
        match self {
            Self::Seed => true,
            Self::PrefixCaching => silent == Framework::TensorrtLlm,
            _ => false,
        }
    }

    /// The clause that wants it to be equal.
    pub fn clause(self) -> Clause {
        match self {
            Self::InputLen | Self::OutputLen | Self::Dataset => Clause::Fb4,
            _ => Clause::Fb3,
        }
    }
}

impl Framework {
    /// The frameworks that vLLM is compared with.
    pub const COMPETITORS: &[Self] = &[Self::Sglang, Self::TensorrtLlm];

    /// The name as documents print it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::TensorrtLlm => "TensorRT-LLM",
        }
    }
}

/// A latency metric: a statistic of a latency, in ms.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LatencyMetric {
    /// The statistic over requests.
    pub stat: Stat,
    /// The latency of one request.
    pub kind: LatencyKind,
}

/// A metric of a benchmark run, with its unit.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Metric {
    /// Completed requests a second.
    RequestThroughput,
    /// Generated tokens a second.
    OutputTokenThroughput,
    /// Read and generated tokens a second.
    TotalTokenThroughput,
    /// A latency, in ms.
    Latency(LatencyMetric),
}

impl Metric {
    /// The metric of a latency, in ms.
    pub const fn latency(stat: Stat, kind: LatencyKind) -> Self {
        Self::Latency(LatencyMetric { stat, kind })
    }

    /// Whether more of it is better.
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Self::Latency(_))
    }
}

impl fmt::Display for LatencyMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}_{}_ms", self.stat, self.kind))
    }
}

impl FromStr for LatencyMetric {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord {
            found: text.chars().take(60).filter(|c| !crate::text::is_unsafe(*c)).collect(),
            what: "latency metric",
            known: "{mean,p50,p90,p95,p99}_{ttft,tpot,itl,e2e}_ms",
        };
        let (stat, kind) =
            text.strip_suffix("_ms").and_then(|it| it.split_once('_')).ok_or_else(unknown)?;
        Ok(Self {
            stat: stat.parse().map_err(|_| unknown())?,
            kind: kind.parse().map_err(|_| unknown())?,
        })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestThroughput => f.pad("request_throughput"),
            Self::OutputTokenThroughput => f.pad("output_token_throughput"),
            Self::TotalTokenThroughput => f.pad("total_token_throughput"),
            Self::Latency(latency) => latency.fmt(f),
        }
    }
}

impl FromStr for Metric {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "request_throughput" => Ok(Self::RequestThroughput),
            "output_token_throughput" => Ok(Self::OutputTokenThroughput),
            "total_token_throughput" => Ok(Self::TotalTokenThroughput),
            latency => latency.parse().map(Self::Latency),
        }
    }
}

as_string! {
    LatencyMetric: "a latency metric such as p50_ttft_ms";
    Metric: "a metric such as request_throughput or p50_ttft_ms";
}
