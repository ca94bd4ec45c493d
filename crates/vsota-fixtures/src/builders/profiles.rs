//! Profiles and layer reports, as `profile analyze --json` and `layers analyze --json` print them.

use serde_json::{Value, json};
use vsota_core::facts::{Framework, Stage};

/// A row of the kernel table.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelRow {
    /// The kernel.
    pub name: String,
    /// Its category, such as `gemm`.
    pub category: String,
    /// Its share of the stage's GPU time.
    pub share: f64,
    /// How often it was launched.
    pub launches: u64,
    /// The source location that launches it.
    pub location: Option<String>,
    /// The CPU operator that launches it.
    pub cpu_op: Option<String>,
}

/// A row of the overlap table.
#[derive(Clone, Debug, PartialEq)]
pub struct OverlapRow {
    /// The kernel, by its place in the kernel table, from 1.
    pub kernel: usize,
    /// The share of its time in which nothing else ran.
    pub exclusive_share: f64,
    /// What could be done.
    pub advice: String,
}

/// A row of the fuse table.
#[derive(Clone, Debug, PartialEq)]
pub struct FuseRow {
    /// The pattern.
    pub pattern: String,
    /// The kernels, by their places in the kernel table, from 1.
    pub kernels: Vec<usize>,
    /// The source path that could fuse them.
    pub candidate_path: String,
}

/// What a profile of one stage says.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileParts {
    /// Whose profile it is.
    pub framework: Framework,
    /// The stage.
    pub stage: Stage,
    /// Forward passes in it.
    pub passes: u64,
    /// Prompt tokens and generated tokens that the annotations tell.
    pub tokens: Option<(u64, u64)>,
    /// GPU time of the stage, in ns.
    pub total_ns: u64,
    /// The kernel table.
    pub kernels: Vec<KernelRow>,
    /// The overlap table.
    pub overlap: Vec<OverlapRow>,
    /// The fuse table.
    pub fuse: Vec<FuseRow>,
    /// The trace's file name, SHA-256 and bytes.
    pub trace: (String, String, u64),
}

/// Layers of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerGroup {
    /// The type, such as `moe`.
    pub layer_type: String,
    /// The indices of its layers.
    pub layers: Vec<u32>,
    /// Wall time of a layer, in ns.
    pub wall_ns: u64,
    /// Summed kernel time of a layer, in ns.
    pub sum_ns: u64,
}

impl KernelRow {
    /// A row with a location.
    pub fn at(name: &str, category: &str, share: f64, location: &str) -> Self {
        Self {
            name: name.into(),
            category: category.into(),
            share,
            launches: 48,
            location: Some(location.into()),
            cpu_op: None,
        }
    }
}

fn nanoseconds(share: f64, total_ns: u64) -> u64 {
    (share * total_ns as f64).round() as u64
}

/// A `vsota-profile/1` of one stage.
pub fn profile(parts: &ProfileParts) -> Value {
    let ProfileParts { framework, stage, total_ns, .. } = parts;
    let id = |table: &str, n: usize| format!("{framework}:{stage}:{table}:{n}");
    let share = |ns: u64| ns as f64 / (*total_ns).max(1) as f64;
    let time = |n: usize| parts.kernels.get(n - 1).map_or(0, |it| nanoseconds(it.share, *total_ns));
    let kernels: Vec<Value> = (1..)
        .zip(&parts.kernels)
        .map(|(n, row)| {
            let locations: Vec<Value> =
                row.location.iter().map(|it| json!({"location": it, "share": 1.0})).collect();
            json!({
                "row": id("kernel", n), "name": row.name, "category": row.category,
                "total_ns": time(n), "launches": row.launches, "share": share(time(n)),
                "locations": locations, "cpu_op": row.cpu_op,
            })
        })
        .collect();
    let overlap: Vec<Value> = (1..)
        .zip(&parts.overlap)
        .map(|(n, row)| {
            json!({
                "row": id("overlap", n), "kernel": id("kernel", row.kernel),
                "verdict": "headroom", "priority": "P1", "total_ns": time(row.kernel),
                "exclusive_share": row.exclusive_share, "hidden_share": 1.0 - row.exclusive_share,
                "risk": "low", "advice": row.advice,
            })
        })
        .collect();
    let fuse: Vec<Value> = (1..)
        .zip(&parts.fuse)
        .map(|(n, row)| {
            let ns: u64 = row.kernels.iter().map(|it| time(*it)).sum();
            let kernels: Vec<String> = row.kernels.iter().map(|it| id("kernel", *it)).collect();
            json!({
                "row": id("fuse", n), "pattern": row.pattern, "confidence": "high",
                "total_ns": ns, "share": share(ns), "kernels": kernels,
                "candidate_path": row.candidate_path, "source": "vsota catalogue",
            })
        })
        .collect();
    let unlocated: u64 = (1..)
        .zip(&parts.kernels)
        .filter(|(_, row)| row.location.is_none())
        .map(|(n, _)| time(n))
        .sum();
    let (file, sha256, bytes) = &parts.trace;
    json!({
        "schema": "vsota-profile/1", "framework": framework, "device": "cuda", "ranks": [0],
        "traces": [{"file": file, "sha256": sha256, "bytes": bytes, "rank": 0, "role": "formal"}],
        "stages": [{
            "stage": stage, "passes": parts.passes,
            "tokens": parts.tokens.map(|(prefill, decode)| json!({"prefill": prefill, "decode": decode})),
            "total_ns": total_ns, "busy_ns": total_ns,
            "kernels": kernels, "overlap": overlap, "fuse": fuse,
        }],
        "unlocated_share": share(unlocated), "unclassified_share": 0.0,
    })
}

/// A `vsota-layers/1` of a model whose layers are those of the groups. `hot` names kernels by
/// layer, name and share of the layer's time; the digests are those of trace and config.
pub fn layers(
    framework: Framework,
    (trace_sha256, config_sha256): (&str, &str),
    groups: &[LayerGroup],
    hot: &[(u32, String, f64)],
) -> Value {
    let mut order: Vec<(u32, &LayerGroup)> =
        groups.iter().flat_map(|group| group.layers.iter().map(move |it| (*it, group))).collect();
    order.sort_by_key(|(layer, _)| *layer);
    let sums: Vec<Value> = order
        .iter()
        .map(|(index, group)| {
            json!({
                "index": index, "type": group.layer_type, "wall_ns": group.wall_ns,
                "sum_ns": group.sum_ns, "kernels": 12, "categories": {"gemm": group.sum_ns},
            })
        })
        .collect();
    let clusters: Vec<Value> = groups
        .iter()
        .map(|it| {
            json!({
                "type": it.layer_type, "layers": it.layers,
                "mean_wall_ns": it.wall_ns, "mean_sum_ns": it.sum_ns,
            })
        })
        .collect();
    let stand_ins: Vec<(u32, &str)> = groups
        .iter()
        .filter_map(|it| Some((*it.layers.get(it.layers.len() / 2)?, it.layer_type.as_str())))
        .collect();
    let representative: Vec<Value> = stand_ins
        .iter()
        .map(|(layer, kind)| json!({"layer": layer, "type": kind, "reason": "the median layer of its type"}))
        .collect();
    let hot: Vec<Value> = (1..)
        .zip(hot)
        .map(|(n, (layer, name, share))| {
            let sum = order.iter().find(|(it, _)| it == layer).map_or(0, |(_, group)| group.sum_ns);
            json!({
                "row": format!("{framework}:layer:{layer}:{n}"), "layer": layer, "name": name,
                "total_ns": nanoseconds(*share, sum), "share": share,
            })
        })
        .collect();
    let pass_ns: u64 = order.iter().map(|(_, group)| group.wall_ns).sum();
    let perfetto: Vec<Value> = stand_ins
        .iter()
        .map(|(layer, _)| {
            let before = order.iter().take_while(|(it, _)| it < layer).map(|(_, it)| it.wall_ns);
            let start = (pass_ns + before.sum::<u64>()) as f64 / 1e9;
            json!({"layer": layer, "start_s": start, "end_s": start + 0.0005})
        })
        .collect();
    json!({
        "schema": "vsota-layers/1", "framework": framework,
        "trace": {"file": "rank0.pt.trace.json.gz", "sha256": trace_sha256, "bytes": 1_048_576},
        "config": {"file": "config.json", "sha256": config_sha256, "num_layers": order.len()},
        "anchor": {"kernel": "flash_fwd_kernel", "how": "profile", "evidence": "one launch a layer"},
        "layers_per_pass": order.len(),
        "passes": [
            {"index": 0, "start_ns": 0, "end_ns": pass_ns, "stage": "decode"},
            {"index": 1, "start_ns": pass_ns, "end_ns": 2 * pass_ns, "stage": "decode"},
        ],
        "chosen_pass": {"index": 1, "reason": "the first pass after the cold start"},
        "layers": sums, "clusters": clusters, "representative": representative,
        "hot_kernels": hot, "perfetto": perfetto,
    })
}
