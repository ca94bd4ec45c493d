//! The layers as they are printed and filed: `vsota-layers/1`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use super::super::EvidenceError;
use super::super::tables::place::Placed;
use super::super::tables::{Item, ProfileReport, Role, Source, TraceNamed};
use super::cut::{Cut, How, Plan};
use super::{Asked, ConfigFile, row_of};
use crate::artifact::Digest;
use crate::facts::{Framework, Stage};

/// The most hot kernels of a representative layer.
const HOT: usize = 6;

/// A layer report.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct LayersReport {
    pub schema: &'static str,
    pub framework: Framework,
    pub trace: TraceNamed,
    pub config: ConfigNamed,
    pub anchor: AnchorTold,
    pub layers_per_pass: u32,
    pub passes: Vec<PassRow>,
    pub chosen_pass: Chosen,
    pub layers: Vec<LayerRow>,
    pub clusters: Vec<Cluster>,
    pub representative: Vec<StandIn>,
    pub hot_kernels: Vec<HotKernel>,
    pub perfetto: Vec<Range>,
    /// The kernels of each layer of the chosen pass, by start: name, start and time in ns.
    #[serde(skip)]
    pub kernels: Vec<Vec<(String, u64, u64)>>,
}

#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct ConfigNamed {
    pub file: String,
    pub sha256: Digest,
    pub num_layers: u32,
}

#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct AnchorTold {
    pub kernel: String,
    pub how: How,
    pub evidence: String,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct PassRow {
    pub index: u32,
    pub start_ns: u64,
    pub end_ns: u64,
    pub stage: Stage,
}

#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct Chosen {
    pub index: u32,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct LayerRow {
    pub index: u32,
    #[serde(rename = "type")]
    pub kind: String,
    pub wall_ns: u64,
    pub sum_ns: u64,
    pub kernels: u64,
    pub categories: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct Cluster {
    #[serde(rename = "type")]
    pub kind: String,
    pub layers: Vec<u32>,
    pub mean_wall_ns: f64,
    pub mean_sum_ns: f64,
}

#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct StandIn {
    pub layer: u32,
    #[serde(rename = "type")]
    pub kind: String,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct HotKernel {
    pub row: String,
    pub layer: u32,
    pub name: String,
    pub total_ns: u64,
    pub share: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct Range {
    pub layer: u32,
    pub start_s: f64,
    pub end_s: f64,
}

pub(super) fn report(
    framework: Framework,
    source: &Source,
    config: &ConfigFile,
    asked: &Asked,
    placed: &Placed,
    plan: &Plan,
    tables: Option<&ProfileReport>,
) -> Result<LayersReport, EvidenceError> {
    let zero = source.trace.first.unwrap_or(0);
    let since = |at: i64| u64::try_from(at.saturating_sub(zero)).unwrap_or(0);
    let passes: Vec<PassRow> = (0..)
        .zip(&plan.passes)
        .map(|(index, cut)| PassRow {
            index,
            start_ns: since(cut.pass.start),
            end_ns: since(cut.pass.end),
            stage: cut.pass.stage,
        })
        .collect();
    let chosen = choose(&passes, asked)?;
    let cut = plan.passes.get(chosen.index as usize);
    let cut = cut.ok_or_else(|| EvidenceError::new("no pass could be cut into layers"))?;
    let kind = |at: usize| config.model.types.get(at).map_or("extra", String::as_str).to_string();
    let layers: Vec<LayerRow> = (0..)
        .zip(&cut.layers)
        .map(|(index, range)| layer(placed, cut, *range, index, kind(index as usize)))
        .collect();
    let clusters = clusters(&layers);
    let representative: Vec<StandIn> =
        clusters.iter().filter_map(|it| stand_in(it, &layers)).collect();
    let mut hot_kernels = Vec::new();
    let mut perfetto = Vec::new();
    for it in &representative {
        let Some(range) = cut.layers.get(it.layer as usize) else { continue };
        hot_kernels.extend(hot(placed, cut, *range, it.layer, tables));
        let items: Vec<&Item> = work(placed, cut, *range).collect();
        let start = items.iter().map(|it| it.start).min().unwrap_or(zero);
        let end = items.iter().map(|it| it.end()).max().unwrap_or(start);
        perfetto.push(Range {
            layer: it.layer,
            start_s: seconds(since(start)),
            end_s: seconds(since(end)),
        });
    }
    let kernels = cut.layers.iter().map(|range| {
        let one =
            |it: &Item| (placed.groups.get(it.group).to_string(), since(it.start), it.duration);
        work(placed, cut, *range).map(one).collect()
    });
    Ok(LayersReport {
        schema: "vsota-layers/1",
        framework,
        trace: TraceNamed { role: Role::Formal, ..TraceNamed::of(source) },
        config: ConfigNamed {
            file: config.file.clone(),
            sha256: config.sha256,
            num_layers: config.model.layers.get(),
        },
        anchor: AnchorTold {
            kernel: plan.anchor.clone(),
            how: plan.how,
            evidence: plan.evidence.clone(),
        },
        layers_per_pass: u32::try_from(cut.layers.len()).unwrap_or(u32::MAX),
        passes,
        chosen_pass: chosen,
        kernels: kernels.collect(),
        layers,
        clusters,
        representative,
        hot_kernels,
        perfetto,
    })
}

#[expect(clippy::cast_precision_loss, reason = "seconds for a viewer")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// The pass asked for, or the median of the longest-running stage without its first.
fn choose(passes: &[PassRow], asked: &Asked) -> Result<Chosen, EvidenceError> {
    let length = |it: &&PassRow| it.end_ns.saturating_sub(it.start_ns);
    if let Some(index) = asked.pass {
        if !passes.iter().any(|it| it.index == index) {
            let message = format!("there is no pass {index}; there are {}", passes.len());
            return Err(EvidenceError::new(message).of("--pass"));
        }
        return Ok(Chosen { index, reason: "asked for with --pass".into() });
    }
    let mut stages: BTreeMap<Stage, u64> = BTreeMap::new();
    for it in passes {
        *stages.entry(it.stage).or_default() += length(&it);
    }
    let stage = stages.into_iter().max_by_key(|it| it.1).map(|it| it.0);
    let of: Vec<&PassRow> = passes.iter().filter(|it| Some(it.stage) == stage).collect();
    let mut steady: Vec<&PassRow> =
        if of.len() > 1 { of.iter().skip(1).copied().collect() } else { of.clone() };
    steady.sort_by_key(length);
    let median = steady.get(steady.len() / 2).copied();
    let Some(median) = median else {
        return Err(EvidenceError::new("no pass could be cut into layers"));
    };
    let reason = match of.len() {
        1 => format!("the only {} pass", median.stage),
        n => format!(
            "the median by time of {} {} passes; the first of {n} may be cold",
            n - 1,
            median.stage
        ),
    };
    Ok(Chosen { index: median.index, reason })
}

fn work<'a>(
    placed: &'a Placed,
    cut: &'a Cut,
    range: (usize, usize),
) -> impl Iterator<Item = &'a Item> {
    let places = cut.pass.work.get(range.0..range.1).unwrap_or_default();
    places.iter().filter_map(|it| placed.items.get(*it))
}

fn layer(placed: &Placed, cut: &Cut, range: (usize, usize), index: u32, kind: String) -> LayerRow {
    let mut row =
        LayerRow { index, kind, wall_ns: 0, sum_ns: 0, kernels: 0, categories: BTreeMap::new() };
    let (mut start, mut end) = (i64::MAX, i64::MIN);
    for item in work(placed, cut, range) {
        (start, end) = (start.min(item.start), end.max(item.end()));
        row.sum_ns += item.duration;
        row.kernels += 1;
        let category = placed.categories.get(item.group as usize).map_or("other", |it| it.as_str());
        *row.categories.entry(category).or_default() += item.duration;
    }
    row.wall_ns = u64::try_from(end.saturating_sub(start)).unwrap_or(0);
    row
}

#[expect(clippy::cast_precision_loss, reason = "a mean of nanoseconds")]
fn clusters(layers: &[LayerRow]) -> Vec<Cluster> {
    let mut all: Vec<Cluster> = Vec::new();
    for layer in layers {
        let at = all.iter().position(|it| it.kind == layer.kind);
        let at = at.unwrap_or_else(|| {
            let kind = layer.kind.clone();
            all.push(Cluster { kind, layers: Vec::new(), mean_wall_ns: 0.0, mean_sum_ns: 0.0 });
            all.len() - 1
        });
        if let Some(cluster) = all.get_mut(at) {
            cluster.layers.push(layer.index);
            cluster.mean_wall_ns += layer.wall_ns as f64;
            cluster.mean_sum_ns += layer.sum_ns as f64;
        }
    }
    for cluster in &mut all {
        let count = cluster.layers.len() as f64;
        cluster.mean_wall_ns /= count;
        cluster.mean_sum_ns /= count;
    }
    all
}

/// The layer of median time stands for its type.
fn stand_in(cluster: &Cluster, layers: &[LayerRow]) -> Option<StandIn> {
    let mut of: Vec<&LayerRow> = layers.iter().filter(|it| it.kind == cluster.kind).collect();
    of.sort_by_key(|it| (it.sum_ns, it.index));
    let median = of.get(of.len() / 2)?;
    Some(StandIn {
        layer: median.index,
        kind: cluster.kind.clone(),
        reason: match of.len() {
            1 => "the only layer of its type".into(),
            n => format!("the median by kernel time of {n} layers of its type"),
        },
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share to 1e-6 needs no more")]
fn hot(
    placed: &Placed,
    cut: &Cut,
    range: (usize, usize),
    layer: u32,
    tables: Option<&ProfileReport>,
) -> Vec<HotKernel> {
    let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
    for item in work(placed, cut, range) {
        *sums.entry(item.group).or_default() += item.duration;
    }
    let whole: u64 = sums.values().sum();
    let mut sums: Vec<(u32, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|it| (core::cmp::Reverse(it.1), it.0));
    let one = |(group, total_ns): (u32, u64)| {
        let name = placed.groups.get(group).to_string();
        let row = row_of(tables, cut.pass.stage, &name)?;
        let share = total_ns as f64 / whole.max(1) as f64;
        Some(HotKernel { row, layer, name, total_ns, share })
    };
    sums.into_iter().take(HOT).filter_map(one).collect()
}
