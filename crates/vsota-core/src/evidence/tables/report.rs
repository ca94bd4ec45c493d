//! The profile as it is printed and filed: `vsota-profile/1`.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::category::Category;
use super::fuse::Catalogue;
use super::kernels::{Kernel, kernels};
use super::overlap::{Neighbours, Overlap, overlaps, sweep};
use super::place::Placed;
use super::{Device, Role, Source};
use crate::artifact::Digest;
use crate::facts::{Framework, RowId, Stage, Table};

/// The most locations of a row that are told.
const LOCATIONS: usize = 8;

/// A profile of one framework.
#[derive(Clone, Debug, Serialize)]
pub struct ProfileReport {
    schema: &'static str,
    /// Whose profile it is.
    pub framework: Framework,
    /// `cuda`, `rocm` or `cpu`.
    pub device: &'static str,
    /// The ranks whose work it holds.
    pub ranks: Vec<u32>,
    /// The traces that it was made from.
    pub traces: Vec<TraceNamed>,
    /// The stages, which partition the work.
    pub stages: Vec<StageReport>,
    /// The share of all work without a location.
    pub unlocated_share: f64,
    /// The share of all work whose category is `other`.
    pub unclassified_share: f64,
}

/// A trace as a profile names it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct TraceNamed {
    pub file: String,
    pub sha256: Digest,
    pub bytes: u64,
    pub rank: Option<u32>,
    pub role: Role,
    /// Whether a mock server made it up (FB-5).
    #[serde(skip_serializing_if = "crate::facts::is_false")]
    pub mock: bool,
}

/// The tables of one stage.
#[derive(Clone, Debug, Serialize)]
pub struct StageReport {
    /// The stage.
    pub stage: Stage,
    /// Forward passes of it.
    pub passes: u64,
    /// Tokens that the annotations tell.
    pub tokens: Option<Tokens>,
    /// The summed time of its work, in ns; shares are fractions of it.
    pub total_ns: u64,
    /// The time in which any of it ran, in ns.
    pub busy_ns: u64,
    /// The kernel table.
    pub kernels: Vec<KernelRow>,
    /// The overlap table; none for operators of the host.
    pub overlap: Option<Vec<OverlapRow>>,
    /// The fuse table.
    pub fuse: Option<Vec<FuseRow>>,
}

/// Tokens of a stage's forward passes.
#[derive(Clone, Copy, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct Tokens {
    pub prefill: Option<u64>,
    pub decode: Option<u64>,
}

/// A row of the kernel table.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct KernelRow {
    pub row: RowId,
    pub name: String,
    pub category: Category,
    pub total_ns: u64,
    pub launches: u64,
    pub share: f64,
    pub locations: Vec<LocationShare>,
    pub cpu_op: Option<String>,
    /// Whether a mapping trace told the locations.
    #[serde(skip)]
    pub mapped: bool,
}

/// A location and its share of a kernel's time.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct LocationShare {
    pub location: String,
    pub share: f64,
}

/// A row of the overlap table.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct OverlapRow {
    pub row: RowId,
    pub kernel: RowId,
    pub verdict: &'static str,
    pub priority: &'static str,
    pub total_ns: u64,
    pub exclusive_share: f64,
    pub hidden_share: f64,
    pub risk: &'static str,
    pub advice: &'static str,
}

/// A row of the fuse table.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the words of the format")]
pub struct FuseRow {
    pub row: RowId,
    pub pattern: String,
    pub confidence: &'static str,
    pub total_ns: u64,
    pub share: f64,
    pub kernels: Vec<RowId>,
    pub candidate_path: Option<String>,
    pub source: String,
}

#[expect(clippy::cast_precision_loss, reason = "a share to 1e-6 needs no more")]
fn share(part: u64, whole: u64) -> f64 {
    if part == 0 { 0.0 } else { (part as f64 / whole.max(1) as f64).min(1.0) }
}

pub(super) fn report(
    framework: Framework,
    sources: &[Source],
    device: Device,
    placed: &Placed,
    catalogue: &Catalogue,
) -> ProfileReport {
    let (splits, busy) = sweep(placed);
    let neighbours = Neighbours::of(placed);
    let (mut unlocated, mut unclassified, mut whole) = (0_u64, 0_u64, 0_u64);
    let mut stages = Vec::new();
    for stage in Stage::ALL {
        let kernels = kernels(placed, *stage);
        let total_ns: u64 = kernels.iter().map(|it| it.total_ns).sum();
        if total_ns == 0 {
            continue;
        }
        whole += total_ns;
        unlocated += kernels.iter().map(|it| it.unlocated_ns).sum::<u64>();
        let other = |it: &&Kernel| category(placed, it.group) == Category::Other;
        unclassified += kernels.iter().filter(other).map(|it| it.total_ns).sum::<u64>();
        let making = Making { framework, stage: *stage, placed, kernels: &kernels, total_ns };
        let overlap = (device == Device::Gpu)
            .then(|| making.overlap(&overlaps(placed, &splits, *stage, &kernels, &neighbours)));
        let (passes, prefill, decode) = placed.counted.get(stage).copied().unwrap_or_default();
        let told = passes > 0 && (prefill.is_some() || decode.is_some());
        stages.push(StageReport {
            stage: *stage,
            passes,
            tokens: told.then_some(Tokens { prefill, decode }),
            total_ns,
            busy_ns: busy.get(stage).copied().unwrap_or(0).min(total_ns),
            kernels: making.kernels(),
            overlap,
            fuse: Some(making.fuse(catalogue)),
        });
    }
    let rocm = sources.iter().any(|it| it.trace.header.rocm || it.trace.calls_hip());
    let formal = || sources.iter().filter(|it| it.role == Role::Formal);
    let ranks: BTreeSet<u32> = formal().map(|it| it.rank.unwrap_or(0)).collect();
    ProfileReport {
        schema: "vsota-profile/1",
        framework,
        device: match (device, rocm) {
            (Device::Cpu, _) => "cpu",
            (Device::Gpu, true) => "rocm",
            (Device::Gpu, false) => "cuda",
        },
        ranks: ranks.into_iter().collect(),
        traces: sources.iter().map(TraceNamed::of).collect(),
        stages,
        unlocated_share: share(unlocated, whole),
        unclassified_share: share(unclassified, whole),
    }
}

fn category(placed: &Placed, group: u32) -> Category {
    placed.categories.get(group as usize).copied().unwrap_or(Category::Other)
}

impl TraceNamed {
    /// A trace as it was read.
    pub(crate) fn of(source: &Source) -> Self {
        Self {
            file: source.file.clone(),
            sha256: source.sha256,
            bytes: source.bytes,
            rank: source.rank,
            role: source.role,
            mock: source.trace.header.mock,
        }
    }
}

/// The rows of one stage, with their ids.
struct Making<'a> {
    framework: Framework,
    stage: Stage,
    placed: &'a Placed,
    kernels: &'a [Kernel],
    total_ns: u64,
}

impl Making<'_> {
    fn id(&self, table: Table, place: usize) -> RowId {
        let n = u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1);
        RowId { framework: self.framework, stage: self.stage, table, n }
    }

    fn kernels(&self) -> Vec<KernelRow> {
        let row = |(place, it): (usize, &Kernel)| KernelRow {
            row: self.id(Table::Kernel, place),
            name: self.placed.groups.get(it.group).into(),
            category: category(self.placed, it.group),
            total_ns: it.total_ns,
            launches: it.launches,
            share: share(it.total_ns, self.total_ns),
            locations: it
                .locations
                .iter()
                .take(LOCATIONS)
                .map(|(location, ns)| LocationShare {
                    location: self.placed.locations.get(*location).into(),
                    share: share(*ns, it.total_ns),
                })
                .collect(),
            cpu_op: it.op.map(|it| self.placed.ops.get(it).into()),
            mapped: it.mapped,
        };
        self.kernels.iter().enumerate().map(row).collect()
    }

    fn overlap(&self, all: &[Overlap]) -> Vec<OverlapRow> {
        let row = |(place, it): (usize, &Overlap)| OverlapRow {
            row: self.id(Table::Overlap, place),
            kernel: self.id(Table::Kernel, it.kernel),
            verdict: it.verdict,
            priority: it.priority,
            total_ns: it.total_ns,
            exclusive_share: share(it.total_ns.saturating_sub(it.hidden_ns), it.total_ns),
            hidden_share: share(it.hidden_ns, it.total_ns),
            risk: it.risk,
            advice: it.advice,
        };
        all.iter().enumerate().map(row).collect()
    }

    fn fuse(&self, catalogue: &Catalogue) -> Vec<FuseRow> {
        let found = catalogue.find(self.framework, self.placed, self.kernels, self.total_ns);
        let row = |(place, it): (usize, super::fuse::Fused<'_>)| FuseRow {
            row: self.id(Table::Fuse, place),
            pattern: it.fusion.pattern.clone(),
            confidence: it.confidence,
            total_ns: it.total_ns,
            share: share(it.total_ns, self.total_ns),
            kernels: it.kernels.iter().map(|it| self.id(Table::Kernel, *it)).collect(),
            candidate_path: it.fusion.candidate.get(&self.framework).cloned(),
            source: it.fusion.source.clone(),
        };
        found.into_iter().enumerate().map(row).collect()
    }
}

impl ProfileReport {
    /// Hides rows below a share of their stage, from 0 to 1; ids and totals stay.
    pub fn hide_below(&mut self, least: f64) {
        for stage in &mut self.stages {
            let total = stage.total_ns;
            stage.kernels.retain(|it| it.share >= least);
            if let Some(rows) = &mut stage.overlap {
                rows.retain(|it| share(it.total_ns, total) >= least);
            }
            if let Some(rows) = &mut stage.fuse {
                rows.retain(|it| it.share >= least);
            }
        }
    }

    /// Leaves only one stage.
    pub fn only(&mut self, stage: Stage) {
        self.stages.retain(|it| it.stage == stage);
    }
}
