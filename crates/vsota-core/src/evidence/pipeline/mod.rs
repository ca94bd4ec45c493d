//! Forward passes, layers and their types, from a trace and the model's config (LP-2).
//!
//! A pass is what a step launched; a layer is what runs from one occurrence of an anchor kernel to
//! the next, moved back so far that a layer starts with its own first kernel. What runs before the
//! first layer and after the last belongs to none.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::EvidenceError;
use super::tables::place::{Placed, place};
use super::tables::{Catalogue, Device, Item, ProfileReport, Source, analyze};
use crate::artifact::Digest;
use crate::facts::{Framework, Stage};

mod cut;
mod model;
mod report;

pub use cut::How;
pub use model::Model;
pub use report::{
    AnchorTold, Cluster, ConfigNamed, HotKernel, LayerRow, LayersReport, PassRow, Range, StandIn,
};

/// What is asked of the analysis.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// A part of the anchor kernel's name.
    pub anchor: Option<String>,
    /// The forward pass, by its index.
    pub pass: Option<u32>,
}

/// The config of the served model, with its file.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The file as it is to be shown.
    pub file: String,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// What it says of layers.
    pub model: Model,
}

/// One forward pass: its work by start, as places among all items.
#[derive(Clone, Debug)]
struct Pass {
    start: i64,
    end: i64,
    stage: Stage,
    work: Vec<usize>,
}

/// Finds passes and layers in a trace.
///
/// # Errors
///
/// When the trace holds no GPU work, no kernel runs once a layer, or the pass asked for is not there;
/// the message says what was found and which flag would help.
pub fn layers(
    framework: Framework,
    source: &Source,
    config: &ConfigFile,
    asked: &Asked,
) -> Result<LayersReport, EvidenceError> {
    let sources = core::slice::from_ref(source);
    let placed = place(sources, Device::Gpu);
    let passes = passes(&placed);
    if passes.is_empty() {
        return Err(EvidenceError::new("no GPU work, so no forward pass"));
    }
    let plan = cut::plan(&placed, passes, &config.model, asked.anchor.as_deref())?;
    let catalogue = Catalogue::own()?;
    let tables = analyze(framework, sources, Device::Gpu, &catalogue);
    report::report(framework, source, config, asked, &placed, &plan, tables.as_ref())
}

/// The passes that the steps tell, by start; all work as one where there is no step.
fn passes(placed: &Placed) -> Vec<Pass> {
    let device = busiest(placed);
    let of_device = |it: &&Item| it.device == device;
    let told = placed.items.iter().filter(of_device).any(|it| it.pass.is_some());
    let mut all: BTreeMap<i64, Pass> = BTreeMap::new();
    for (at, item) in placed.items.iter().enumerate().filter(|it| it.1.device == device) {
        let Some(key) = item.pass.or((!told).then_some(0)) else { continue };
        let (start, end, stage) = (item.start, item.end(), item.stage);
        let pass = all.entry(key).or_insert(Pass { start, end, stage, work: Vec::new() });
        pass.start = pass.start.min(start);
        pass.end = pass.end.max(end);
        pass.work.push(at);
    }
    let start = |at: &usize| placed.items.get(*at).map(|it| (it.start, it.end()));
    let mut all: Vec<Pass> = all.into_values().collect();
    all.iter_mut().for_each(|it| it.work.sort_by_key(start));
    all
}

/// The device with most work; a merged trace has several.
fn busiest(placed: &Placed) -> u32 {
    let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
    for item in &placed.items {
        *sums.entry(item.device).or_default() += item.duration;
    }
    sums.into_iter().max_by_key(|it| (it.1, core::cmp::Reverse(it.0))).map_or(0, |it| it.0)
}

/// The row of a kernel in the tables of a stage.
fn row_of(tables: Option<&ProfileReport>, stage: Stage, name: &str) -> Option<String> {
    let stage = tables?.stages.iter().find(|it| it.stage == stage)?;
    let row = stage.kernels.iter().find(|it| it.name == name)?;
    Some(format!("{}", row.row))
}
