//! What is kept of a trace: flat records, one column a kind.

use alloc::vec::Vec;

use super::frames::{Frame, Stack};
use super::names::{NameId, Names};
use super::step::Step;
use super::top::Header;

/// A thread of the host, by its number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ThreadId(pub(in crate::evidence) u32);

/// A stream of a device, by its number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LaneId(pub(in crate::evidence) u32);

/// The id of a process, thread, device or stream as the file spells it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text, such as `[TP00] 123`.
    Text(NameId),
    /// None was given.
    Missing,
}

/// A stream of a device.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Lane {
    /// The process of the event: the device, in a merged trace with its rank.
    pub device: Id,
    /// The stream.
    pub stream: Id,
}

/// A number that links events, or none: 64 bits for an `Option<u64>`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Link(u64);

impl Link {
    /// No link.
    pub const NONE: Self = Self(u64::MAX);

    pub(super) fn new(value: Option<i64>) -> Self {
        value.and_then(|it| u64::try_from(it).ok()).map_or(Self::NONE, Self)
    }

    /// The number.
    pub fn get(self) -> Option<u64> {
        (self != Self::NONE).then_some(self.0)
    }

    /// This link, or another where there is none.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == Self::NONE { other } else { self }
    }
}

/// What a device did.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum GpuKind {
    /// A kernel.
    Kernel,
    /// A copy of memory.
    Memcpy,
    /// A fill of memory.
    Memset,
}

/// A kernel, copy or fill with a duration above 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GpuWork {
    /// Its start, in ns of the trace.
    pub start: i64,
    /// How long it took, in ns.
    pub duration: u64,
    /// Links it to its launch.
    pub correlation: Link,
    /// Links it to its operator.
    pub external: Link,
    /// Its name.
    pub name: NameId,
    /// Where it ran.
    pub lane: LaneId,
    /// What it is.
    pub kind: GpuKind,
}

impl GpuWork {
    /// Its end, in ns of the trace.
    pub fn end(&self) -> i64 {
        self.start.saturating_add_unsigned(self.duration)
    }
}

/// A call of the runtime or driver that other events are linked to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Launch {
    /// Links it to the work.
    pub correlation: Link,
    /// Its start, in ns of the trace.
    pub start: i64,
    /// Links it to its operator.
    pub external: Link,
    /// Its name.
    pub name: NameId,
    /// Where it was called.
    pub thread: ThreadId,
}

/// An operator on the host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CpuOp {
    /// Links work to it.
    pub external: Link,
    /// Its start, in ns of the trace.
    pub start: i64,
    /// How long it took, in ns.
    pub duration: u64,
    /// Its name.
    pub name: NameId,
    /// Where it ran.
    pub thread: ThreadId,
}

/// A forward pass that an annotation tells of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Annotation {
    /// Its start, in ns of the trace.
    pub start: i64,
    /// Its end, in ns of the trace.
    pub end: i64,
    /// What it says.
    pub step: Step,
    /// Its thread on the host, or its stream.
    pub place: Place,
}

/// Where an annotation stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// On a thread of the host.
    Host(ThreadId),
    /// On a stream of a device.
    Device(LaneId),
}

/// What was odd and passed over.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Odd {
    /// GPU work without a duration: zero is no measurement.
    pub no_duration: u64,
    /// Host events that end before they start.
    pub negative: u64,
}

/// A trace: what the tables need of it.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// What stands beside the events.
    pub header: Header,
    /// All names.
    pub names: Names,
    /// GPU work, in the order of the file.
    pub gpu: Vec<GpuWork>,
    /// Calls with a correlation, ordered by it, then by start.
    pub launches: Vec<Launch>,
    /// Operators, ordered by external id, then by start.
    pub ops: Vec<CpuOp>,
    /// Forward passes, ordered by start.
    pub annotations: Vec<Annotation>,
    /// How many events there were, of any kind.
    pub events: u64,
    /// The bytes of the text.
    pub bytes: u64,
    /// The least start of all events, in ns; what Perfetto shows as 0.
    pub first: Option<i64>,
    /// The last end of all events that were timed, in ns.
    pub last: Option<i64>,
    /// What was passed over.
    pub odd: Odd,
    pub(in crate::evidence) lanes: Vec<Lane>,
    pub(super) threads: Vec<(Id, Id)>,
    pub(super) stacks: Vec<Stack>,
    /// How many Python frames there were.
    pub frames_seen: u64,
}

impl Trace {
    /// The device and stream of a lane.
    pub fn lane(&self, lane: LaneId) -> Lane {
        let none = Lane { device: Id::Missing, stream: Id::Missing };
        self.lanes.get(lane.0 as usize).copied().unwrap_or(none)
    }

    /// Whether its launches are calls of HIP.
    pub fn calls_hip(&self) -> bool {
        self.launches.first().is_some_and(|it| self.names.get(it.name).starts_with("hip"))
    }

    /// The process of a thread.
    pub fn process(&self, thread: ThreadId) -> Id {
        self.threads.get(thread.0 as usize).map_or(Id::Missing, |it| it.0)
    }

    /// How many lanes there are.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// How many Python frames were kept.
    pub fn frames_kept(&self) -> usize {
        self.stacks.iter().map(Stack::len).sum()
    }

    /// The operators of an external id, by start.
    pub fn ops_of(&self, external: Link) -> &[CpuOp] {
        let Some(_) = external.get() else { return &[] };
        let from = self.ops.partition_point(|it| it.external < external);
        let rest = self.ops.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|it| it.external == external)).unwrap_or_default()
    }

    /// The calls of a correlation, by start.
    pub fn launches_of(&self, correlation: Link) -> &[Launch] {
        let Some(_) = correlation.get() else { return &[] };
        let from = self.launches.partition_point(|it| it.correlation < correlation);
        let rest = self.launches.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|it| it.correlation == correlation)).unwrap_or_default()
    }

    /// The frame that counts at each moment of a thread; `moments` ascend.
    pub fn frames_at(
        &self,
        thread: ThreadId,
        moments: impl Iterator<Item = i64>,
    ) -> Vec<Option<NameId>> {
        match self.stacks.get(thread.0 as usize) {
            Some(stack) => stack.at(moments),
            None => moments.map(|_| None).collect(),
        }
    }

    pub(super) fn frame(&mut self, thread: ThreadId, frame: Frame) {
        let at = thread.0 as usize;
        if self.stacks.len() <= at {
            self.stacks.resize_with(at + 1, Stack::default);
        }
        if let Some(stack) = self.stacks.get_mut(at) {
            stack.push(frame);
        }
    }

    /// Orders the columns.
    pub(super) fn finish(&mut self) {
        self.launches.sort_unstable_by_key(|it| (it.correlation, it.start));
        self.ops.sort_unstable_by_key(|it| (it.external, it.start));
        self.annotations.sort_by_key(|it| (it.start, core::cmp::Reverse(it.end)));
        self.stacks.iter_mut().for_each(Stack::finish);
    }
}
