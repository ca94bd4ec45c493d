//! Where does a layer start? Found by a kernel that runs once, or equally often, in every layer.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::EvidenceError;
use super::super::tables::Category;
use super::super::tables::place::Placed;
use super::{Model, Pass};

/// The most times that an anchor runs in a layer.
const BLOCKS: usize = 4;

/// How an anchor was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// A kernel of a kind that every layer is known to have.
    Profile,
    /// It was asked for.
    Flag,
    /// Any kernel that runs equally often in every layer.
    Period,
}

/// How a trace is cut.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub anchor: String,
    pub how: How,
    pub evidence: String,
    pub passes: Vec<Cut>,
}

/// A pass with its layers: each a range of its work.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub pass: Pass,
    pub layers: Vec<(usize, usize)>,
}

/// A kernel that could be the anchor.
struct Candidate {
    group: u32,
    /// How often it runs in a layer.
    blocks: usize,
    /// Layers with those of speculative decoding.
    layers: usize,
    /// Passes that it cuts.
    passes: usize,
}

/// Finds the anchor and cuts every pass that it fits.
pub(super) fn plan(
    placed: &Placed,
    passes: Vec<Pass>,
    model: &Model,
    asked: Option<&str>,
) -> Result<Plan, EvidenceError> {
    let candidates = candidates(placed, &passes, model, asked);
    let best = candidates.into_iter().max_by_key(|it| {
        let category = placed.categories.get(it.group as usize).copied();
        let time: u64 =
            placed.items.iter().filter(|item| item.group == it.group).map(|it| it.duration).sum();
        (it.passes, known(category), core::cmp::Reverse(it.blocks), time)
    });
    let Some(best) = best else { return Err(none(placed, &passes, model, asked)) };
    let category = placed.categories.get(best.group as usize).copied();
    let how = match (asked, known(category)) {
        (Some(_), _) => How::Flag,
        (None, 0) => How::Period,
        (None, _) => How::Profile,
    };
    let whole = passes.len();
    let cuts: Vec<Cut> = passes.into_iter().flat_map(|it| cut(placed, it, &best)).collect();
    let evidence = format!(
        "it runs {} for each of {} layers in {} of {} passes",
        if best.blocks == 1 { "once".into() } else { format!("{} times", best.blocks) },
        best.layers,
        cuts.len(),
        whole.max(cuts.len()),
    );
    Ok(Plan { anchor: placed.groups.get(best.group).into(), how, evidence, passes: cuts })
}

/// Kinds that every layer has, the surest last.
fn known(category: Option<Category>) -> u8 {
    match category {
        Some(Category::Attention) => 3,
        Some(Category::Rope) => 2,
        Some(Category::Norm) => 1,
        _ => 0,
    }
}

fn candidates(
    placed: &Placed,
    passes: &[Pass],
    model: &Model,
    asked: Option<&str>,
) -> Vec<Candidate> {
    let layers = model.layers.get() as usize;
    let mut found: BTreeMap<(u32, usize, usize), usize> = BTreeMap::new();
    for pass in passes {
        for (group, runs) in counts(placed, pass) {
            let name = placed.groups.get(group);
            if asked.is_some_and(|it| !name.contains(it)) {
                continue;
            }
            // A pass that no step tells may hold several of the model's.
            let told = pass.stage != crate::facts::Stage::Unattributed;
            for blocks in 1..=BLOCKS {
                let more = layers + model.extra as usize;
                for layers in if more > layers { [layers, more] } else { [layers, layers] } {
                    let each = layers * blocks;
                    let whole = if told { runs == each } else { runs % each == 0 };
                    if whole && runs > 0 {
                        found.insert((group, blocks, layers), 0);
                    }
                }
            }
        }
    }
    for ((group, blocks, layers), fits) in &mut found {
        let each = *blocks * *layers;
        *fits = passes
            .iter()
            .map(|it| counts(placed, it).get(group).copied().unwrap_or(0) / each)
            .sum();
    }
    let one = |((group, blocks, layers), passes): ((u32, usize, usize), usize)| Candidate {
        group,
        blocks,
        layers,
        passes,
    };
    found.into_iter().map(one).collect()
}

fn counts(placed: &Placed, pass: &Pass) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for item in pass.work.iter().filter_map(|it| placed.items.get(*it)) {
        *counts.entry(item.group).or_default() += 1;
    }
    counts
}

/// Cuts a pass into the model's passes and each of them into layers.
fn cut(placed: &Placed, pass: Pass, by: &Candidate) -> Vec<Cut> {
    let group = |at: usize| {
        let item = pass.work.get(at).and_then(|it| placed.items.get(*it));
        item.map_or(u32::MAX, |it| it.group)
    };
    let anchors: Vec<usize> = (0..pass.work.len()).filter(|it| group(*it) == by.group).collect();
    // Of several in a layer the first starts it.
    let firsts: Vec<usize> = anchors.iter().copied().step_by(by.blocks).collect();
    if by.layers == 0 || !anchors.len().is_multiple_of(by.blocks * by.layers) {
        return Vec::new();
    }
    let head = head(placed, &pass, &firsts);
    let starts: Vec<usize> = firsts.iter().map(|it| it.saturating_sub(head)).collect();
    let mut cuts = Vec::new();
    for (n, of_pass) in starts.chunks(by.layers).enumerate() {
        let after = starts.get((n + 1) * by.layers).copied();
        let end = last_end(placed, &pass, of_pass, after.unwrap_or(pass.work.len()));
        let next = of_pass.iter().skip(1).copied().chain([end]);
        let layers: Vec<(usize, usize)> = of_pass.iter().copied().zip(next).collect();
        let whole = starts.len() == by.layers;
        let range = match (whole, of_pass.first()) {
            (false, Some(first)) => *first..after.unwrap_or(pass.work.len()),
            _ => 0..pass.work.len(),
        };
        let work: Vec<usize> = pass.work.get(range.clone()).unwrap_or_default().to_vec();
        let items = || work.iter().filter_map(|it| placed.items.get(*it));
        let (Some(start), Some(end)) =
            (items().map(|it| it.start).min(), items().map(super::Item::end).max())
        else {
            continue;
        };
        let layers = layers.iter().map(|(a, b)| (a - range.start, b - range.start)).collect();
        cuts.push(Cut { pass: Pass { start, end, stage: pass.stage, work }, layers });
    }
    cuts
}

/// How many kernels of a layer come before its anchor: as many as are alike before the first two.
fn head(placed: &Placed, pass: &Pass, firsts: &[usize]) -> usize {
    let [first, second, ..] = firsts else { return 0 };
    let item = |at: usize| pass.work.get(at).and_then(|it| placed.items.get(*it));
    let category = |at: usize| placed.categories.get(item(at)?.group as usize).copied();
    let mut head = 0;
    while head < *first && first + head + 1 < *second {
        let (one, other) = (first - 1 - head, second - 1 - head);
        if item(one).map(|it| it.group) == item(other).map(|it| it.group) {
            head += 1;
            continue;
        }
        // The first norm of a model has no residual to add: another kernel at the same place.
        let alike = category(one).is_some() && category(one) == category(other);
        return if alike && category(one) == Some(Category::Norm) { head + 1 } else { head };
    }
    head
}

/// Where the last layer ends: as long as what follows is like the layer before it.
fn last_end(placed: &Placed, pass: &Pass, starts: &[usize], limit: usize) -> usize {
    let (Some(last), Some(before)) =
        (starts.last(), starts.len().checked_sub(2).and_then(|it| starts.get(it)))
    else {
        return limit;
    };
    let length = last - before;
    let group =
        |at: usize| pass.work.get(at).and_then(|it| placed.items.get(*it)).map(|it| it.group);
    let mut end = *last;
    while end < limit && end - last < length && group(end) == group(before + (end - last)) {
        end += 1;
    }
    // Where the layers differ in kernels, their length stands for the sameness.
    if end - last < length / 2 { (last + length).min(limit) } else { end }
}

fn none(placed: &Placed, passes: &[Pass], model: &Model, asked: Option<&str>) -> EvidenceError {
    let layers = model.layers;
    let Some(first) = passes.first() else { return EvidenceError::new("no forward pass") };
    let mut runs: Vec<(usize, u32)> =
        counts(placed, first).into_iter().map(|(group, runs)| (runs, group)).collect();
    runs.sort_unstable();
    let told: Vec<String> = runs
        .iter()
        .rev()
        .filter(|(_, group)| asked.is_none_or(|it| placed.groups.get(*group).contains(it)))
        .take(3)
        .map(|(runs, group)| {
            let name: String = placed.groups.get(*group).chars().take(60).collect();
            format!("{runs} × {name}")
        })
        .collect();
    let what = asked.map_or("no kernel runs".into(), |it| format!("no kernel named `{it}` runs"));
    EvidenceError::new(format!(
        "{what} equally often for each of {layers} layers; the first of {} passes has {}",
        passes.len(),
        if told.is_empty() { "none such".into() } else { told.join(", ") },
    ))
}
