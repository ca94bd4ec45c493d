//! Every piece of work gets its group, stage, location and operator.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::category::{Category, categorize};
use super::named::canonical;
use super::stages::{Pass, Passes};
use super::{Device, Item, Role, Source, Texts};
use crate::evidence::trace::{
    CpuOp, GpuKind, GpuWork, LaneId, Launch, NameId, ThreadId, Trace, is_own_source,
    source_location,
};
use crate::facts::Stage;

/// All work of all formal traces.
#[derive(Debug, Default)]
pub(in crate::evidence) struct Placed {
    pub items: Vec<Item>,
    pub groups: Texts,
    pub categories: Vec<Category>,
    pub locations: Texts,
    pub ops: Texts,
    /// Passes and tokens of each stage.
    pub counted: BTreeMap<Stage, (u64, Option<u64>, Option<u64>)>,
    /// Locations that a mapping trace tells of a group: location and time.
    pub mapped: BTreeMap<u32, BTreeMap<u32, u64>>,
}

pub(in crate::evidence) fn place(sources: &[Source], device: Device) -> Placed {
    let mut placed = Placed::default();
    let (mut lanes, mut devices) = (0, 0);
    for source in sources.iter().filter(|it| it.role == Role::Formal) {
        let mut placing = Placing::new(source, &mut placed);
        match device {
            Device::Gpu => placing.gpu(lanes, devices),
            Device::Cpu => placing.cpu(lanes, devices),
        }
        lanes += u32::try_from(source.trace.lanes() + source.trace.threads()).unwrap_or(0);
        devices += u32::try_from(source.trace.lanes() + 1).unwrap_or(1);
        placing.count();
    }
    for source in sources.iter().filter(|it| it.role == Role::Mapping) {
        let mut other = Placed::default();
        Placing::new(source, &mut other).gpu(0, 0);
        for item in &other.items {
            let Some(location) = item.location else { continue };
            let group = other.groups.get(item.group);
            let Some(group) = placed.groups.ids.get(group).copied() else { continue };
            let location = placed.locations.id(other.locations.get(location).into());
            *placed.mapped.entry(group).or_default().entry(location).or_default() += item.duration;
        }
    }
    placed
}

struct Placing<'a> {
    source: &'a Source,
    trace: &'a Trace,
    passes: Passes,
    into: &'a mut Placed,
    /// The group, location and operator of each name that was asked for.
    groups: Vec<Option<u32>>,
    locations: Vec<Option<Option<u32>>>,
    ops: Vec<Option<u32>>,
}

/// A moment on a thread at which a frame is asked for.
struct Probe {
    thread: ThreadId,
    at: i64,
    item: usize,
    /// Whether it is that of the launch, which counts where the operator's says less.
    launch: bool,
}

impl<'a> Placing<'a> {
    fn new(source: &'a Source, into: &'a mut Placed) -> Self {
        let names = source.trace.names.len();
        Self {
            source,
            trace: &source.trace,
            passes: Passes::of(&source.trace),
            into,
            groups: vec![None; names],
            locations: vec![None; names],
            ops: vec![None; names],
        }
    }

    fn count(&mut self) {
        for stage in Stage::ALL {
            let (passes, prefill, decode) = self.passes.counted(*stage);
            let sum = self.into.counted.entry(*stage).or_insert((0, Some(0), Some(0)));
            if passes > 0 {
                sum.0 += passes;
                sum.1 = sum.1.zip(prefill).map(|(a, b)| a.saturating_add(b));
                sum.2 = sum.2.zip(decode).map(|(a, b)| a.saturating_add(b));
            }
        }
    }

    fn gpu(&mut self, lanes: u32, devices: u32) {
        let trace = self.trace;
        let mut probes = Vec::new();
        for work in &trace.gpu {
            let launch = launch_of(trace, work);
            let external = work.external.or(launch.map_or(work.external, |it| it.external));
            let op = latest(trace.ops_of(external), work.start, |it| it.start);
            let item = self.into.items.len();
            if let Some(op) = op {
                let half = i64::try_from(op.duration / 2).unwrap_or(i64::MAX).min(1_000);
                let at = op.start.saturating_add(half);
                probes.push(Probe { thread: op.thread, at, item, launch: false });
            }
            if let Some(launch) = launch {
                let (thread, at) = (launch.thread, launch.start);
                probes.push(Probe { thread, at, item, launch: true });
            }
            let pass = self.pass(launch, op, work);
            let op_name = op.map(|it| it.name).or(launch.map(|it| it.name));
            let item = Item {
                start: work.start,
                duration: work.duration,
                group: self.group(work.name, Some(work.kind)),
                stage: self.named(pass.map(|it| it.step.stage)),
                pass: pass.map(|it| it.start),
                lane: lanes.saturating_add(work.lane.0),
                device: devices.saturating_add(self.device(work.lane)),
                location: None,
                op: op_name.map(|it| self.op(it)),
            };
            self.into.items.push(item);
        }
        self.locate(probes);
    }

    /// The time of each operator that no operator inside it has.
    fn cpu(&mut self, lanes: u32, devices: u32) {
        let trace = self.trace;
        let mut ops: Vec<&CpuOp> = trace.ops.iter().filter(|it| it.duration > 0).collect();
        ops.sort_by_key(|it| (it.thread, it.start, core::cmp::Reverse(it.duration)));
        let end = |op: &CpuOp| op.start.saturating_add_unsigned(op.duration);
        let mut own: Vec<u64> = ops.iter().map(|it| it.duration).collect();
        let mut open: Vec<usize> = Vec::new();
        for (at, op) in ops.iter().enumerate() {
            let inside = |parent: &usize| {
                ops.get(*parent).is_some_and(|it| it.thread == op.thread && end(it) >= end(op))
            };
            while open.last().is_some_and(|it| !inside(it)) {
                open.pop();
            }
            if let Some(parent) = open.last().and_then(|it| own.get_mut(*it)) {
                *parent = parent.saturating_sub(op.duration);
            }
            open.push(at);
        }
        let mut probes = Vec::new();
        for (op, own) in ops.iter().zip(own).filter(|it| it.1 > 0) {
            let item = self.into.items.len();
            probes.push(Probe { thread: op.thread, at: op.start, item, launch: false });
            let pass = self.passes.of_host(trace, op.thread, op.start);
            let item = Item {
                start: op.start,
                duration: own,
                group: self.group(op.name, None),
                stage: self.named(pass.map(|it| it.step.stage)),
                pass: pass.map(|it| it.start),
                lane: lanes.saturating_add(op.thread.0),
                device: devices,
                location: None,
                op: None,
            };
            self.into.items.push(item);
        }
        self.locate(probes);
    }

    fn pass(&self, launch: Option<&Launch>, op: Option<&CpuOp>, work: &GpuWork) -> Option<Pass> {
        let host = |thread, at| self.passes.of_host(self.trace, thread, at);
        launch
            .and_then(|it| host(it.thread, it.start))
            .or_else(|| op.and_then(|it| host(it.thread, it.start)))
            .or_else(|| self.passes.of_lane(self.trace, work.lane, work.start))
    }

    fn named(&self, told: Option<Stage>) -> Stage {
        let told = told.filter(|it| *it != Stage::Unattributed);
        told.or(self.source.named_stage).unwrap_or(Stage::Unattributed)
    }

    fn device(&self, lane: LaneId) -> u32 {
        let device = self.trace.lane(lane).device;
        let first = (0..).zip(&self.trace.lanes).find(|(_, it)| it.device == device);
        first.map_or(0, |it| it.0)
    }

    fn group(&mut self, name: NameId, kind: Option<GpuKind>) -> u32 {
        if let Some(Some(group)) = self.groups.get(name.index()) {
            return *group;
        }
        let text = canonical(&self.trace.names.get(name));
        let category = categorize(kind, &text);
        let group = self.into.groups.id(text);
        if self.into.categories.len() <= group as usize {
            self.into.categories.resize(group as usize + 1, category);
        }
        if let Some(slot) = self.groups.get_mut(name.index()) {
            *slot = Some(group);
        }
        group
    }

    fn op(&mut self, name: NameId) -> u32 {
        if let Some(Some(op)) = self.ops.get(name.index()) {
            return *op;
        }
        let op = self.into.ops.id(self.trace.names.get(name));
        if let Some(slot) = self.ops.get_mut(name.index()) {
            *slot = Some(op);
        }
        op
    }

    fn location(&mut self, frame: NameId) -> Option<u32> {
        if let Some(Some(found)) = self.locations.get(frame.index()) {
            return *found;
        }
        let place = source_location(&self.trace.names.get(frame));
        let found = place.map(|it| self.into.locations.id(it.0));
        if let Some(slot) = self.locations.get_mut(frame.index()) {
            *slot = Some(found);
        }
        found
    }

    /// Asks the frames of each thread in the order of time, once.
    fn locate(&mut self, mut probes: Vec<Probe>) {
        probes.sort_unstable_by_key(|it| (it.thread, it.at, it.item, it.launch));
        let mut found: Vec<(usize, bool, u32)> = Vec::new();
        for of_thread in probes.chunk_by(|a, b| a.thread == b.thread) {
            let Some(first) = of_thread.first() else { continue };
            let frames = self.trace.frames_at(first.thread, of_thread.iter().map(|it| it.at));
            for (probe, frame) in of_thread.iter().zip(frames) {
                if let Some(location) = frame.and_then(|it| self.location(it)) {
                    found.push((probe.item, probe.launch, location));
                }
            }
        }
        // The operator's first: the launch's counts where there is none, or it is a library's.
        found.sort_unstable();
        for (item, _, location) in found {
            let new = is_own_source(self.into.locations.get(location));
            let Some(item) = self.into.items.get_mut(item) else { continue };
            let better = match item.location {
                None => true,
                Some(old) => new && !is_own_source(self.into.locations.get(old)),
            };
            if better {
                item.location = Some(location);
            }
        }
    }
}

/// The call that launched a piece of work.
fn launch_of<'a>(trace: &'a Trace, work: &GpuWork) -> Option<&'a Launch> {
    latest(trace.launches_of(work.correlation), work.start, |it| it.start)
}

/// The last that starts no later than `at`, or else the first.
fn latest<T>(all: &[T], at: i64, start: fn(&T) -> i64) -> Option<&T> {
    let after = all.partition_point(|it| start(it) <= at.saturating_add(1));
    all.get(after.saturating_sub(1))
}
