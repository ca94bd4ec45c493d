//! The layer report: `vsota-layers/1` to the facts of the pipeline (LP-1, LP-2).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::Deserialize;
use serde_json::Value;

use super::error::EvidenceError;
use super::json;
use super::profile::line;
use crate::artifact::{Artifact, Digest};
use crate::facts::{
    Framework, HotKernel, LayerType, PerfettoRange, Pipeline, Representative, Stage, Standpoint,
};
use crate::measure::Fraction;
use crate::text::{Line, Name};

/// The most entries of each list that a fact keeps.
const KEPT: usize = 24;

/// The most bytes of a kernel's name or a reason.
const TEXT: usize = 120;

/// A layer report, `vsota-layers/1`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LayersFile {
    #[serde(rename = "schema")]
    _schema: Schema,
    /// Whose trace it was made from.
    pub framework: Framework,
    trace: Trace,
    config: Config,
    #[serde(rename = "anchor")]
    _anchor: Anchor,
    layers_per_pass: u32,
    passes: Vec<Pass>,
    chosen_pass: Chosen,
    layers: Vec<Layer>,
    clusters: Vec<Cluster>,
    representative: Vec<StandIn>,
    hot_kernels: Vec<Hot>,
    perfetto: Option<Vec<Range>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
enum Schema {
    #[serde(rename = "vsota-layers/1")]
    One,
}

/// The trace; other keys about it are welcome.
#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Trace {
    sha256: Digest,
    #[serde(default)]
    mock: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(rename = "file")]
    _file: String,
    sha256: Digest,
    num_layers: NonZeroU32,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Anchor {
    #[serde(rename = "kernel")]
    _kernel: Option<String>,
    #[serde(rename = "how")]
    _how: String,
    #[serde(rename = "evidence")]
    _evidence: Value,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Pass {
    index: u32,
    start_ns: u64,
    end_ns: u64,
    #[serde(rename = "stage")]
    _stage: Option<Stage>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Chosen {
    index: u32,
    reason: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Layer {
    index: u32,
    #[serde(rename = "type")]
    kind: Name,
    #[serde(rename = "wall_ns")]
    _wall_ns: u64,
    sum_ns: u64,
    #[serde(rename = "kernels")]
    _kernels: u64,
    categories: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Cluster {
    #[serde(rename = "type")]
    kind: Name,
    layers: Vec<u32>,
    mean_wall_ns: f64,
    mean_sum_ns: f64,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct StandIn {
    layer: u32,
    #[serde(rename = "type")]
    kind: Name,
    reason: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Hot {
    row: Name,
    layer: u32,
    name: String,
    total_ns: u64,
    share: Fraction,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Range {
    layer: u32,
    start_s: f64,
    end_s: f64,
}

fn wrong(field: &str, message: impl core::fmt::Display) -> EvidenceError {
    EvidenceError::new(message).of(field)
}

impl LayersFile {
    /// Reads a report from its JSON value.
    ///
    /// # Errors
    ///
    /// When a field is missing, unknown or of another type, or passes, layers, types and kernels
    /// contradict each other.
    pub fn parse(value: Value) -> Result<Self, EvidenceError> {
        let file: Self = json::shaped(value)?;
        file.check()?;
        Ok(file)
    }

    /// Reads a file that holds exactly one report.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], and when the bytes are not one JSON value or a key occurs twice.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        json::one(bytes).and_then(Self::parse)
    }

    fn check(&self) -> Result<(), EvidenceError> {
        if self.layers_per_pass == 0 || self.layers.is_empty() {
            return Err(wrong("layers_per_pass", "a report of no layer"));
        }
        if self.passes.iter().any(|it| it.end_ns <= it.start_ns) {
            return Err(wrong("passes", "a pass ends before it starts"));
        }
        if !self.passes.iter().any(|it| it.index == self.chosen_pass.index) {
            let message = format!("there is no pass {}", self.chosen_pass.index);
            return Err(wrong("chosen_pass", message));
        }
        let layers = self.checked_layers()?;
        for cluster in &self.clusters {
            if cluster.layers.is_empty() {
                return Err(wrong("clusters", format!("the type {} has no layer", cluster.kind)));
            }
            for index in &cluster.layers {
                of_type(&layers, *index, &cluster.kind).map_err(|error| error.of("clusters"))?;
            }
        }
        if self.representative.is_empty() {
            return Err(wrong("representative", "no layer stands for its type"));
        }
        for it in &self.representative {
            of_type(&layers, it.layer, &it.kind).map_err(|error| error.of("representative"))?;
        }
        for hot in &self.hot_kernels {
            let sum = layers.get(&hot.layer).map(|it| it.sum_ns);
            match sum {
                Some(sum) if hot.total_ns <= sum => {}
                Some(_) => {
                    return Err(wrong(
                        "hot_kernels",
                        format!("{} took longer than its layer", hot.row),
                    ));
                }
                None => {
                    return Err(wrong("hot_kernels", format!("there is no layer {}", hot.layer)));
                }
            }
        }
        Ok(())
    }

    fn checked_layers(&self) -> Result<BTreeMap<u32, &Layer>, EvidenceError> {
        let mut layers = BTreeMap::new();
        for layer in &self.layers {
            if layer.index >= self.layers_per_pass {
                let message = format!("layer {} of {}", layer.index, self.layers_per_pass);
                return Err(wrong("layers", message));
            }
            if layers.insert(layer.index, layer).is_some() {
                return Err(wrong("layers", format!("layer {} occurs twice", layer.index)));
            }
            let parts = layer.categories.values().try_fold(0_u64, |sum, ns| sum.checked_add(*ns));
            if parts.is_none_or(|it| it > layer.sum_ns) {
                let message =
                    format!("the categories of layer {} are more than the layer", layer.index);
                return Err(wrong("layers", message));
            }
        }
        Ok(layers)
    }

    /// Makes the fact. `stand` is where checkout and loop stand, `source` the filed report.
    ///
    /// # Errors
    ///
    /// When a reason or a name has no text, or a time is no time.
    pub fn pipeline(&self, stand: Standpoint, source: Artifact) -> Result<Pipeline, EvidenceError> {
        Ok(Pipeline {
            stand,
            trace: self.trace.sha256,
            mock: self.trace.mock,
            config: self.config.sha256,
            num_layers: self.config.num_layers,
            layers_per_pass: self.layers_per_pass,
            chosen_pass: self.chosen_pass.index,
            reason: text("chosen_pass", &self.chosen_pass.reason)?,
            layer_types: kept(&self.clusters, Cluster::fact)?,
            representative: kept(&self.representative, StandIn::fact)?,
            hot: kept(&self.hot_kernels, Hot::fact)?,
            perfetto: kept(self.perfetto.as_deref().unwrap_or_default(), Range::fact)?,
            source,
        })
    }
}

fn of_type(layers: &BTreeMap<u32, &Layer>, index: u32, kind: &Name) -> Result<(), EvidenceError> {
    match layers.get(&index) {
        Some(layer) if layer.kind == *kind => Ok(()),
        Some(layer) => {
            Err(EvidenceError::new(format!("layer {index} is {}, not {kind}", layer.kind)))
        }
        None => Err(EvidenceError::new(format!("there is no layer {index}"))),
    }
}

fn kept<T, F>(
    list: &[T],
    fact: fn(&T) -> Result<F, EvidenceError>,
) -> Result<Vec<F>, EvidenceError> {
    list.iter().take(KEPT).map(fact).collect()
}

fn text(field: &str, text: &str) -> Result<Line, EvidenceError> {
    line(text, TEXT).ok_or_else(|| wrong(field, "the text is empty"))
}

/// Whole nanoseconds of a number of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range"
)]
fn whole_ns(field: &str, ns: f64) -> Result<u64, EvidenceError> {
    let ns = libm::round(ns);
    if (0.0..9e18).contains(&ns) {
        Ok(ns as u64)
    } else {
        Err(wrong(field, format!("{ns} ns is no time")))
    }
}

impl Cluster {
    fn fact(&self) -> Result<LayerType, EvidenceError> {
        Ok(LayerType {
            name: self.kind.clone(),
            layers: u32::try_from(self.layers.len()).map_err(|error| wrong("clusters", error))?,
            mean_wall_ns: whole_ns("clusters", self.mean_wall_ns)?,
            mean_sum_ns: whole_ns("clusters", self.mean_sum_ns)?,
        })
    }
}

impl StandIn {
    fn fact(&self) -> Result<Representative, EvidenceError> {
        let reason = text("representative", &self.reason)?;
        Ok(Representative { layer: self.layer, layer_type: self.kind.clone(), reason })
    }
}

impl Hot {
    fn fact(&self) -> Result<HotKernel, EvidenceError> {
        let name = text("hot_kernels", &self.name)?;
        Ok(HotKernel { row: self.row.clone(), layer: self.layer, name, share: self.share })
    }
}

impl Range {
    fn fact(&self) -> Result<PerfettoRange, EvidenceError> {
        let start_ns = whole_ns("perfetto", self.start_s * 1e9)?;
        let end_ns = whole_ns("perfetto", self.end_s * 1e9)?;
        if end_ns <= start_ns {
            return Err(wrong("perfetto", "a range ends before it starts"));
        }
        Ok(PerfettoRange { layer: self.layer, start_ns, end_ns })
    }
}
