//! Which forward pass does work belong to? The one whose step launched it.
//!
//! A step of the host claims what its own thread launches inside it; a device's step claims what
//! runs inside it. Nearness in time claims nothing.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::evidence::trace::step::Step;
use crate::evidence::trace::{Id, LaneId, Place, ThreadId, Trace};
use crate::facts::Stage;

/// A forward pass of a trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pass {
    /// Its start, in ns of the trace.
    pub start: i64,
    /// Its end, in ns of the trace.
    pub end: i64,
    /// What it does.
    pub step: Step,
}

/// The forward passes of a trace: none of them inside another of its place.
#[derive(Clone, Debug, Default)]
pub struct Passes {
    host: BTreeMap<ThreadId, Vec<Pass>>,
    process: BTreeMap<Id, Vec<Pass>>,
    lane: BTreeMap<LaneId, Vec<Pass>>,
    device: BTreeMap<Id, Vec<Pass>>,
}

impl Passes {
    /// Takes the steps of a trace.
    pub fn of(trace: &Trace) -> Self {
        let mut all = Self::default();
        for it in &trace.annotations {
            let pass = Pass { start: it.start, end: it.end, step: it.step };
            match it.place {
                Place::Host(thread) => {
                    outermost(all.host.entry(thread).or_default(), pass);
                    outermost(all.process.entry(trace.process(thread)).or_default(), pass);
                }
                Place::Device(lane) => {
                    outermost(all.lane.entry(lane).or_default(), pass);
                    outermost(all.device.entry(trace.lane(lane).device).or_default(), pass);
                }
            }
        }
        all
    }

    /// The pass that a moment on a thread lies in: of the thread, or of its process where the
    /// thread has none.
    pub fn of_host(&self, trace: &Trace, thread: ThreadId, at: i64) -> Option<Pass> {
        match self.host.get(&thread) {
            Some(own) => around(own, at),
            None => around(self.process.get(&trace.process(thread))?, at),
        }
    }

    /// The pass that a moment of a stream lies in.
    pub fn of_lane(&self, trace: &Trace, lane: LaneId, at: i64) -> Option<Pass> {
        let own = self.lane.get(&lane).and_then(|it| around(it, at));
        own.or_else(|| around(self.device.get(&trace.lane(lane).device)?, at))
    }

    /// All passes, by start: those of the host, or of the devices where the host tells none.
    pub fn all(&self) -> Vec<Pass> {
        let host = self.process.values().flatten().copied();
        let mut all: Vec<Pass> = host.collect();
        if all.is_empty() {
            all = self.device.values().flatten().copied().collect();
        }
        all.sort_by_key(|it| it.start);
        all
    }

    /// Passes of a stage, and the tokens that they tell: unknown where one of them tells none.
    pub fn counted(&self, stage: Stage) -> (u64, Option<u64>, Option<u64>) {
        let of: Vec<Pass> = self.all().into_iter().filter(|it| it.step.stage == stage).collect();
        let sum = |tokens: fn(&Step) -> Option<u64>| {
            let sum = of.iter().try_fold(0_u64, |sum, it| sum.checked_add(tokens(&it.step)?));
            sum.filter(|_| !of.is_empty())
        };
        (of.len() as u64, sum(|it| it.prefill), sum(|it| it.decode))
    }
}

/// Adds a pass, unless it lies inside the last one. Passes come by start, the longer first.
fn outermost(passes: &mut Vec<Pass>, pass: Pass) {
    if passes.last().is_none_or(|last| last.end < pass.end) {
        passes.push(pass);
    }
}

fn around(passes: &[Pass], at: i64) -> Option<Pass> {
    let after = passes.partition_point(|it| it.start <= at);
    let pass = passes.get(after.checked_sub(1)?)?;
    (at <= pass.end).then_some(*pass)
}
