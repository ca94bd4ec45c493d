//! The layer pipeline of the profiled forward pass (LP-1, LP-2).

use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::Standpoint;
use crate::artifact::{Artifact, Digest};
use crate::measure::Fraction;
use crate::text::{Line, Name};

/// The layer report, in the facts that gates and documents ask for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Where checkout and loop stand.
    pub stand: Standpoint,
    /// The trace it was made from.
    pub trace: Digest,
    /// Whether a mock server made that trace up (FB-5).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub mock: bool,
    /// The config it was made with.
    pub config: Digest,
    /// Layers that the config names.
    pub num_layers: NonZeroU32,
    /// Layers found in one forward pass.
    pub layers_per_pass: u32,
    /// The chosen forward pass.
    pub chosen_pass: u32,
    /// Why that pass is representative.
    pub reason: Line,
    /// The layer types with their times.
    pub layer_types: Vec<LayerType>,
    /// The layers that stand for their types.
    pub representative: Vec<Representative>,
    /// The hottest kernels in them.
    pub hot: Vec<HotKernel>,
    /// Perfetto ranges, where used.
    pub perfetto: Vec<PerfettoRange>,
    /// The filed `vsota-layers/1`.
    pub source: Artifact,
}

/// One type of layer: dense, MoE, hash, a `compress_ratios` value.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LayerType {
    /// The type.
    pub name: Name,
    /// How many layers have it.
    pub layers: u32,
    /// Mean wall time of a layer, in ns.
    pub mean_wall_ns: u64,
    /// Mean summed kernel time of a layer, in ns.
    pub mean_sum_ns: u64,
}

/// A layer that stands for its type.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Representative {
    /// The layer's index.
    pub layer: u32,
    /// Its type.
    pub layer_type: Name,
    /// Why it stands for it.
    pub reason: Line,
}

/// A hot kernel of a representative layer, cited by its row.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HotKernel {
    /// Its row in the layer report.
    pub row: Name,
    /// The layer's index.
    pub layer: u32,
    /// The kernel.
    pub name: Line,
    /// Its share of the layer's time.
    pub share: Fraction,
}

/// A range to look at in Perfetto, in ns from the start of the trace.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PerfettoRange {
    /// The layer's index.
    pub layer: u32,
    /// Where it starts, in ns.
    pub start_ns: u64,
    /// Where it ends, in ns.
    pub end_ns: u64,
}
