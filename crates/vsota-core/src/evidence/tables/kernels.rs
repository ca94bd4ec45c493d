//! The kernel table of a stage: what took its time, and from where it was launched.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::place::Placed;
use crate::evidence::trace::is_own_source;
use crate::facts::Stage;

/// All work of one name in one stage.
#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    pub group: u32,
    pub total_ns: u64,
    pub launches: u64,
    /// Locations with the time that was launched there, the framework's own first.
    pub locations: Vec<(u32, u64)>,
    /// Time without a location.
    pub unlocated_ns: u64,
    /// The operator or launch of most launches.
    pub op: Option<u32>,
    /// Whether a mapping trace told the locations.
    pub mapped: bool,
}

/// The kernels of a stage, by falling time, then by name.
pub(super) fn kernels(placed: &Placed, stage: Stage) -> Vec<Kernel> {
    #[derive(Default)]
    struct Sum {
        kernel: Kernel,
        locations: BTreeMap<u32, u64>,
        ops: BTreeMap<u32, u64>,
    }
    let mut sums: BTreeMap<u32, Sum> = BTreeMap::new();
    for item in placed.items.iter().filter(|it| it.stage == stage) {
        let sum = sums.entry(item.group).or_default();
        sum.kernel.group = item.group;
        sum.kernel.total_ns = sum.kernel.total_ns.saturating_add(item.duration);
        sum.kernel.launches += 1;
        match item.location {
            Some(location) => *sum.locations.entry(location).or_default() += item.duration,
            None => sum.kernel.unlocated_ns += item.duration,
        }
        if let Some(op) = item.op {
            *sum.ops.entry(op).or_default() += 1;
        }
    }
    let mut all: Vec<Kernel> = sums
        .into_values()
        .map(|Sum { mut kernel, locations, ops }| {
            kernel.locations = locations.into_iter().collect();
            if let Some(mapped) = placed.mapped.get(&kernel.group) {
                kernel.map(mapped);
            }
            let own = |it: &(u32, u64)| !is_own_source(placed.locations.get(it.0));
            kernel.locations.sort_by_key(|it| (own(it), core::cmp::Reverse(it.1), it.0));
            kernel.op = ops.into_iter().max_by_key(|it| it.1).map(|it| it.0);
            kernel
        })
        .collect();
    all.sort_by(|a, b| {
        let name = |it: &Kernel| placed.groups.get(it.group);
        b.total_ns.cmp(&a.total_ns).then_with(|| name(a).cmp(name(b)))
    });
    all
}

impl Kernel {
    /// Takes the locations of a mapping trace, its shares applied to the time measured here.
    fn map(&mut self, mapped: &BTreeMap<u32, u64>) {
        let whole: u128 = mapped.values().map(|it| u128::from(*it)).sum();
        let part = |ns: u64| {
            let ns = u128::from(self.total_ns) * u128::from(ns) / whole.max(1);
            u64::try_from(ns).unwrap_or(u64::MAX)
        };
        self.locations = mapped.iter().map(|(location, ns)| (*location, part(*ns))).collect();
        self.unlocated_ns = 0;
        self.mapped = true;
    }
}
