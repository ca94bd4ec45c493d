//! What ran alone, and what beside other streams: one sweep over starts and ends.
//!
//! Work is hidden while another stream of its device works too. The sweep keeps running sums, so
//! that its cost does not grow with how much runs at once.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::category::Category;
use super::place::Placed;
use super::{Item, kernels::Kernel};
use crate::evidence::trace::is_own_source;
use crate::facts::Stage;

/// The least total time of a row, in ns.
const LEAST: u64 = 5_000;

/// How the time of one piece of work splits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Split {
    /// Another stream of the device worked too.
    pub hidden: u64,
    /// A computing stream did.
    pub hidden_by_compute: u64,
}

/// A row of the overlap table.
#[derive(Clone, Debug)]
pub(super) struct Overlap {
    /// Its place among the kernels, from 0.
    pub kernel: usize,
    pub total_ns: u64,
    pub hidden_ns: u64,
    pub verdict: &'static str,
    pub priority: &'static str,
    pub risk: &'static str,
    pub advice: &'static str,
}

/// What kind of work a category is to a scheduler.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Compute,
    Communication,
    Memory,
    Elementwise,
    Other,
}

impl Kind {
    fn of(category: Category) -> Self {
        match category {
            Category::Communication => Self::Communication,
            Category::Memory => Self::Memory,
            Category::HybridLinear | Category::Attention | Category::Moe | Category::Gemm => {
                Self::Compute
            }
            Category::Other | Category::SamplingIo => Self::Other,
            _ => Self::Elementwise,
        }
    }

    /// How much an exclusive nanosecond of it weighs.
    fn weight(self) -> u64 {
        match self {
            Self::Communication => 130,
            Self::Memory => 115,
            Self::Elementwise => 100,
            Self::Other => 80,
            Self::Compute => 35,
        }
    }
}

/// The split of every item, in their order, and the time in which any item of each stage ran.
pub(super) fn sweep(placed: &Placed) -> (Vec<Split>, BTreeMap<Stage, u64>) {
    let items = &placed.items;
    let mut edges: Vec<(u32, i64, bool, usize)> = Vec::with_capacity(items.len() * 2);
    for (at, item) in items.iter().enumerate() {
        edges.push((item.device, item.start, true, at));
        edges.push((item.device, item.end(), false, at));
    }
    // At a tie ends come first: what touches does not overlap.
    edges.sort_unstable();
    let mut splits = vec![Split::default(); items.len()];
    let mut busy: BTreeMap<Stage, u64> = BTreeMap::new();
    for of_device in edges.chunk_by(|a, b| a.0 == b.0) {
        let mut sums = Sums::default();
        for (_, at, starts, item) in of_device {
            let Some(work) = items.get(*item) else { continue };
            let compute = placed.categories.get(work.group as usize).copied();
            let compute = compute.is_some_and(|it| Kind::of(it) == Kind::Compute);
            sums.advance(*at, &mut busy);
            let now = sums.now(work.lane);
            if let Some(split) = splits.get_mut(*item) {
                if *starts {
                    // What was before does not count; taken off again at the end.
                    *split = now;
                } else {
                    split.hidden = now.hidden.wrapping_sub(split.hidden);
                    split.hidden_by_compute =
                        now.hidden_by_compute.wrapping_sub(split.hidden_by_compute);
                }
            }
            sums.turn(work, compute, *starts);
        }
    }
    (splits, busy)
}

/// Running sums of one device.
#[derive(Default)]
struct Sums {
    at: i64,
    /// Active work of each lane: all, and computing.
    active: BTreeMap<u32, (u32, u32)>,
    lanes: u32,
    computing: u32,
    stages: BTreeMap<Stage, u32>,
    /// Time with at least two lanes active.
    shared: u64,
    /// Time with at least one lane computing, and of each lane the time in which it was the only.
    any_compute: u64,
    only_compute: BTreeMap<u32, u64>,
}

impl Sums {
    fn advance(&mut self, to: i64, busy: &mut BTreeMap<Stage, u64>) {
        let passed = u64::try_from(to.saturating_sub(self.at)).unwrap_or(0);
        self.at = to;
        if passed == 0 {
            return;
        }
        for stage in self.stages.keys() {
            *busy.entry(*stage).or_default() += passed;
        }
        if self.lanes >= 2 {
            self.shared += passed;
        }
        if self.computing >= 1 {
            self.any_compute += passed;
        }
        if self.computing == 1
            && let Some((lane, _)) = self.active.iter().find(|(_, it)| it.1 > 0)
        {
            *self.only_compute.entry(*lane).or_default() += passed;
        }
    }

    fn now(&self, lane: u32) -> Split {
        let own = self.only_compute.get(&lane).copied().unwrap_or(0);
        Split { hidden: self.shared, hidden_by_compute: self.any_compute - own }
    }

    fn turn(&mut self, work: &Item, compute: bool, starts: bool) {
        let lane = self.active.entry(work.lane).or_default();
        let (before, computed) = (lane.0 > 0, lane.1 > 0);
        let stage = self.stages.entry(work.stage).or_default();
        if starts {
            lane.0 += 1;
            lane.1 += u32::from(compute);
            *stage += 1;
        } else {
            lane.0 = lane.0.saturating_sub(1);
            lane.1 = lane.1.saturating_sub(u32::from(compute));
            *stage = stage.saturating_sub(1);
        }
        if *stage == 0 {
            self.stages.remove(&work.stage);
        }
        let (after, computes) = (lane.0 > 0, lane.1 > 0);
        if !after {
            self.active.remove(&work.lane);
        }
        self.lanes = self.lanes + u32::from(after) - u32::from(before);
        self.computing = self.computing + u32::from(computes) - u32::from(computed);
    }
}

/// The overlap table of a stage: what has room first, then what is hidden already.
pub(super) fn overlaps(
    placed: &Placed,
    splits: &[Split],
    stage: Stage,
    kernels: &[Kernel],
    neighbours: &Neighbours,
) -> Vec<Overlap> {
    let mut hidden: BTreeMap<u32, (u64, u64, usize, u64)> = BTreeMap::new();
    for (at, (item, split)) in placed.items.iter().zip(splits).enumerate() {
        if item.stage != stage {
            continue;
        }
        let sum = hidden.entry(item.group).or_default();
        sum.0 += split.hidden;
        sum.1 += split.hidden_by_compute;
        // The longest launch stands for the others.
        if item.duration > sum.3 {
            (sum.2, sum.3) = (at, item.duration);
        }
    }
    let mut rows: Vec<((u8, core::cmp::Reverse<u64>), Overlap)> = Vec::new();
    for (place, kernel) in kernels.iter().enumerate() {
        let Some((hidden_ns, by_compute, longest, _)) = hidden.get(&kernel.group).copied() else {
            continue;
        };
        if kernel.total_ns < LEAST {
            continue;
        }
        let category = placed.categories.get(kernel.group as usize).copied();
        let kind = Kind::of(category.unwrap_or(Category::Other));
        let exclusive = kernel.total_ns.saturating_sub(hidden_ns);
        let percent = |part: u64| u128::from(part) * 100 / u128::from(kernel.total_ns);
        let risk = neighbours.risk(placed, longest, kind);
        let row = |verdict, priority, advice| Overlap {
            kernel: place,
            total_ns: kernel.total_ns,
            hidden_ns,
            verdict,
            priority,
            risk,
            advice,
        };
        let weighed = exclusive.saturating_mul(kind.weight());
        if percent(exclusive) >= 45 {
            let (priority, advice) = match (risk, kind) {
                ("low", Kind::Communication) => ("P1", "try overlap"),
                ("low", _) => ("P1", "try fusion"),
                _ => ("P2", "check deps"),
            };
            let order = (u8::from(kind == Kind::Compute), core::cmp::Reverse(weighed));
            rows.push((order, row("headroom", priority, advice)));
        } else if percent(hidden_ns) >= 65 && matches!(kind, Kind::Elementwise | Kind::Memory) {
            let order = (2, core::cmp::Reverse(hidden_ns.saturating_add(by_compute)));
            rows.push((order, row("low-roi-hidden", "P4", "skip")));
        }
    }
    rows.sort_by_key(|it| it.0);
    rows.into_iter().map(|it| it.1).collect()
}

/// The work before and after each on its stream.
pub(super) struct Neighbours(Vec<(Option<u32>, Option<u32>)>);

impl Neighbours {
    pub(super) fn of(placed: &Placed) -> Self {
        let mut order: Vec<usize> = (0..placed.items.len()).collect();
        let key = |at: &usize| placed.items.get(*at).map(|it| (it.lane, it.start));
        order.sort_unstable_by_key(key);
        let mut all = vec![(None, None); placed.items.len()];
        for pair in order.windows(2) {
            let [first, second] = pair else { continue };
            if key(first).map(|it| it.0) != key(second).map(|it| it.0) {
                continue;
            }
            if let Some(it) = all.get_mut(*first) {
                it.1 = u32::try_from(*second).ok();
            }
            if let Some(it) = all.get_mut(*second) {
                it.0 = u32::try_from(*first).ok();
            }
        }
        Self(all)
    }

    /// How likely it is that work waits for its neighbours: `high`, `unclear` or `low`.
    fn risk(&self, placed: &Placed, at: usize, kind: Kind) -> &'static str {
        let (Some(item), Some((before, after))) = (placed.items.get(at), self.0.get(at)) else {
            return "unclear";
        };
        let sides = [(*before, true), (*after, false)];
        let judged = sides.map(|(other, before)| {
            let other = other.and_then(|it| placed.items.get(it as usize))?;
            let gap = if before { item.start - other.end() } else { other.start - item.end() };
            let longest = i64::try_from(item.duration).unwrap_or(i64::MAX) / 100 * 15;
            if gap.max(0) > longest.clamp(2_000, 20_000) {
                return None;
            }
            Some(related(placed, item, other, kind))
        });
        let any = |what| judged.iter().flatten().any(|it| *it == what);
        match (any("high"), any("unclear")) {
            (true, _) => "high",
            (_, true) => "unclear",
            _ => "low",
        }
    }
}

/// Whether one of two neighbours without a gap plausibly waits for the other.
fn related(placed: &Placed, item: &Item, other: &Item, kind: Kind) -> &'static str {
    let category = placed.categories.get(other.group as usize).copied();
    let next = Kind::of(category.unwrap_or(Category::Other));
    let plausible = match kind {
        Kind::Communication => true,
        Kind::Elementwise | Kind::Memory => next != Kind::Other,
        Kind::Compute | Kind::Other => false,
    };
    let file = |it: &Item| {
        let location = placed.locations.get(it.location?);
        is_own_source(location).then(|| location.split(':').next().unwrap_or(location))
    };
    let same_file = file(item).is_some_and(|it| Some(it) == file(other));
    let same_op = item.op.is_some_and(|it| Some(it) == other.op);
    let launch = item.op.is_some_and(|it| placed.ops.get(it).starts_with("cuda"));
    if same_file || (same_op && !launch) || plausible {
        "high"
    } else if item.location.is_none() || other.location.is_none() {
        "unclear"
    } else {
        "low"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn placed(all: &[(i64, u64, u32, bool)]) -> Placed {
        let categories = [Category::Gemm, Category::Memory].into();
        let items = all
            .iter()
            .map(|(start, duration, lane, compute)| Item {
                start: *start,
                duration: *duration,
                group: u32::from(!compute),
                stage: Stage::Decode,
                pass: None,
                lane: *lane,
                device: *lane / 2,
                location: None,
                op: None,
            })
            .collect();
        Placed { categories, items, ..Placed::default() }
    }

    proptest! {
        #[test]
        fn the_sweep_is_a_look_at_every_nanosecond(
            all in prop::collection::vec((0_i64..40, 1_u64..20, 0_u32..4, any::<bool>()), 0..24),
        ) {
            let (splits, busy) = sweep(&placed(&all));
            let runs = |it: &(i64, u64, u32, bool), at: i64| it.0 <= at && at < it.0 + it.1 as i64;
            for (one, split) in all.iter().zip(splits) {
                let beside = |at: i64, all_kinds: bool| {
                    all.iter().any(|it| {
                        runs(it, at) && it.2 != one.2 && it.2 / 2 == one.2 / 2 && (all_kinds || it.3)
                    })
                };
                let count = |kinds| (0..60).filter(|at| runs(one, *at) && beside(*at, kinds)).count();
                prop_assert_eq!(split.hidden, count(true) as u64);
                prop_assert_eq!(split.hidden_by_compute, count(false) as u64);
            }
            let any = |device: u32| {
                (0..60).filter(|at| all.iter().any(|it| it.2 / 2 == device && runs(it, *at))).count()
            };
            let found = busy.get(&Stage::Decode).copied().unwrap_or(0);
            prop_assert_eq!(found, (any(0) + any(1)) as u64);
        }
    }
}
