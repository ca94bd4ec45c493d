//! An event becomes a record of its column, or is forgotten.

use hashbrown::HashTable;

use super::TraceError;
use super::columns::{
    Annotation, CpuOp, GpuKind, GpuWork, Id, Lane, LaneId, Launch, Link, Place, ThreadId, Trace,
};
use super::event::{Category, Event, RawId};
use super::frames::{Frame, source_location};
use super::names::{NameId, text};
use super::step::Step;

/// The most names, lanes or threads of a trace.
const TOO_MANY: &str = "more names, streams or threads than 32 bits count";

/// The most ns that all work of a trace may take, two years: sums of it stay far below 64 bits.
const LONGEST: u64 = 1 << 56;

/// Fills a trace, event by event.
#[derive(Debug, Default)]
pub(super) struct Filling {
    pub trace: Trace,
    /// The rank of each name as a frame, as far as it was asked for: `None` not yet, 0 none.
    ranks: alloc::vec::Vec<Option<u16>>,
    places: HashTable<(Id, Id, u32)>,
    /// The thread and lane of the last events: the next are often alike.
    last_thread: Option<(Id, Id, ThreadId)>,
    last_lane: Option<(Lane, LaneId)>,
    /// Events that have a phase.
    pub phased: u64,
    /// The time of all work so far, in ns.
    worked: u64,
}

impl Filling {
    /// Takes the event that starts at `offset`.
    pub(super) fn take(&mut self, event: &Event<'_>, offset: u64) -> Result<(), TraceError> {
        self.trace.events += 1;
        let Some(phase) = event.phase else { return Ok(()) };
        self.phased += 1;
        if event.category == Category::Flow || matches!(phase, b'M' | b's' | b'f' | b't') {
            return Ok(());
        }
        let gpu = match event.category {
            Category::Kernel => Some(GpuKind::Kernel),
            Category::Memcpy => Some(GpuKind::Memcpy),
            Category::Memset => Some(GpuKind::Memset),
            _ => None,
        };
        if phase == b'X' && gpu.is_some() && (event.ts.is_none() || event.dur.is_none()) {
            let message = "GPU work needs `ts` and `dur` as numbers of microseconds";
            return Err(TraceError::new(offset, message));
        }
        let Some(start) = event.ts else { return Ok(()) };
        let duration = event.dur.unwrap_or(0);
        let Ok(duration) = u64::try_from(duration) else {
            if gpu.is_some() {
                let message = alloc::format!("GPU work that took {duration} ns");
                return Err(TraceError::new(offset, message));
            }
            self.trace.odd.negative += 1;
            return Ok(());
        };
        let Some(end) = start.checked_add_unsigned(duration) else {
            return Err(TraceError::new(offset, "the event ends beyond what 64 bits of ns hold"));
        };
        let trace = &mut self.trace;
        trace.first = Some(trace.first.map_or(start, |it| it.min(start)));
        trace.last = Some(trace.last.map_or(end, |it| it.max(end)));
        if phase != b'X' {
            return Ok(());
        }
        if gpu.is_some() || event.category == Category::CpuOp {
            self.worked = self.worked.saturating_add(duration);
            if self.worked > LONGEST {
                return Err(TraceError::new(offset, "the work so far took longer than two years"));
            }
        }
        match (event.category, gpu) {
            (_, Some(kind)) => self.gpu(event, kind, start, duration),
            (Category::Runtime, _) => self.launch(event, start),
            (Category::CpuOp, _) => self.op(event, start, duration),
            (Category::Python, _) => self.frame(event, start, end),
            (Category::Annotation | Category::GpuAnnotation, _) => {
                self.annotation(event, start, end)
            }
            _ => Some(()),
        }
        .ok_or_else(|| TraceError::new(offset, TOO_MANY))
    }

    fn gpu(&mut self, event: &Event<'_>, kind: GpuKind, start: i64, duration: u64) -> Option<()> {
        if duration == 0 {
            self.trace.odd.no_duration += 1;
            return Some(());
        }
        let name = self.trace.names.of(event.name)?;
        let lane = self.lane(event)?;
        let (correlation, external) = (Link::new(event.correlation), Link::new(event.external));
        self.trace.gpu.push(GpuWork { start, duration, correlation, external, name, lane, kind });
        Some(())
    }

    fn launch(&mut self, event: &Event<'_>, start: i64) -> Option<()> {
        let correlation = Link::new(event.correlation);
        if correlation == Link::NONE {
            return Some(());
        }
        let external = Link::new(event.external);
        let name = self.trace.names.of(event.name)?;
        let thread = self.thread(event)?;
        self.trace.launches.push(Launch { correlation, start, external, name, thread });
        Some(())
    }

    fn op(&mut self, event: &Event<'_>, start: i64, duration: u64) -> Option<()> {
        let name = self.trace.names.of(event.name)?;
        let thread = self.thread(event)?;
        let external = Link::new(event.external);
        self.trace.ops.push(CpuOp { external, start, duration, name, thread });
        Some(())
    }

    fn frame(&mut self, event: &Event<'_>, start: i64, end: i64) -> Option<()> {
        self.trace.frames_seen += 1;
        // `<built-in …>` holds addresses: each would be a name of its own.
        if event.name.first() == Some(&b'<') {
            return Some(());
        }
        let name = self.trace.names.of(event.name)?;
        let rank = self.rank(name);
        if rank == 0 {
            return Some(());
        }
        let thread = self.thread(event)?;
        self.trace.frame(thread, Frame { start, end, name, rank });
        Some(())
    }

    fn rank(&mut self, name: NameId) -> u16 {
        if let Some(Some(rank)) = self.ranks.get(name.index()) {
            return *rank;
        }
        if self.ranks.len() <= name.index() {
            self.ranks.resize(name.index() + 1, None);
        }
        let rank = source_location(&self.trace.names.get(name)).map_or(0, |it| it.1);
        if let Some(slot) = self.ranks.get_mut(name.index()) {
            *slot = Some(rank);
        }
        rank
    }

    fn annotation(&mut self, event: &Event<'_>, start: i64, end: i64) -> Option<()> {
        let Some(step) = Step::parse(&text(event.name)) else { return Some(()) };
        let place = if event.category == Category::Annotation {
            Place::Host(self.thread(event)?)
        } else {
            Place::Device(self.lane(event)?)
        };
        self.trace.annotations.push(Annotation { start, end, step, place });
        Some(())
    }

    fn id(&mut self, raw: RawId<'_>) -> Option<Id> {
        Some(match raw {
            RawId::Number(value) => Id::Number(value),
            RawId::Text(text) => Id::Text(self.trace.names.of(text)?),
            RawId::Missing => Id::Missing,
        })
    }

    fn thread(&mut self, event: &Event<'_>) -> Option<ThreadId> {
        let (pid, tid) = (self.id(event.pid)?, self.id(event.tid)?);
        if let Some((p, t, thread)) = self.last_thread
            && (p, t) == (pid, tid)
        {
            return Some(thread);
        }
        let key = place_hash(pid, tid);
        let found = self.places.find(key, |it| (it.0, it.1) == (pid, tid)).map(|it| it.2);
        let number = match found {
            Some(number) => number,
            None => {
                let number = u32::try_from(self.trace.threads.len()).ok()?;
                self.trace.threads.push((pid, tid));
                let entry = (pid, tid, number);
                self.places.insert_unique(key, entry, |it| place_hash(it.0, it.1));
                number
            }
        };
        self.last_thread = Some((pid, tid, ThreadId(number)));
        Some(ThreadId(number))
    }

    fn lane(&mut self, event: &Event<'_>) -> Option<LaneId> {
        // A stream 0 is a stream; only where none is told the row of the viewer stands for it.
        let stream = if event.stream == RawId::Missing { event.tid } else { event.stream };
        let lane = Lane { device: self.id(event.pid)?, stream: self.id(stream)? };
        if let Some((last, id)) = self.last_lane
            && last == lane
        {
            return Some(id);
        }
        let at = self.trace.lanes.iter().position(|it| *it == lane);
        let at = at.unwrap_or_else(|| {
            self.trace.lanes.push(lane);
            self.trace.lanes.len() - 1
        });
        let id = LaneId(u32::try_from(at).ok()?);
        self.last_lane = Some((lane, id));
        Some(id)
    }
}

fn place_hash(pid: Id, tid: Id) -> u64 {
    let number = |id| match id {
        Id::Number(value) => value.cast_unsigned(),
        Id::Text(name) => u64::from(name.0) | 1 << 63,
        Id::Missing => u64::MAX,
    };
    let mixed = number(pid).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number(tid);
    mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32)
}
