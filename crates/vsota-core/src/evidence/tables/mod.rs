//! The three tables of a profile, from traces: which kernels took the time of each stage, what could
//! run beside what, and which of them a known fusion would join (PR-4, PR-5).
//!
//! The stages partition the work: what no forward pass claims stands as `unattributed`, what no rule
//! knows as `other`, what no frame launched has no location; each with its share.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::trace::Trace;
use crate::artifact::Digest;
use crate::facts::{Framework, Stage};

mod category;
mod fuse;
mod kernels;
mod named;
mod overlap;
pub(super) mod place;
mod report;
mod stages;

pub use category::{Category, categorize};
pub use fuse::{Catalogue, Fusion};
pub use named::{base_name, canonical};
pub use report::{
    FuseRow, KernelRow, LocationShare, OverlapRow, ProfileReport, StageReport, Tokens, TraceNamed,
};
pub use stages::{Pass, Passes};

/// What the work of the tables is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Device {
    /// Kernels, copies and fills of the devices.
    #[default]
    Gpu,
    /// The self time of operators on the host.
    Cpu,
}

/// What a trace serves as.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Its times are those of the tables.
    Formal,
    /// It only tells locations.
    Mapping,
}

/// A trace with its file.
#[derive(Debug)]
pub struct Source {
    /// The file as it is to be shown.
    pub file: String,
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Its bytes, compressed as they are.
    pub bytes: u64,
    /// The rank, of the trace or of the file's name.
    pub rank: Option<u32>,
    /// What it serves as.
    pub role: Role,
    /// A stage that the file's name tells; used for work that the trace itself tells nothing of.
    pub named_stage: Option<Stage>,
    /// What was read.
    pub trace: Trace,
}

/// One piece of work, placed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub start: i64,
    pub duration: u64,
    /// The group of its canonical name.
    pub group: u32,
    pub stage: Stage,
    /// The start of the forward pass that it belongs to.
    pub pass: Option<i64>,
    /// Device and stream, or thread; unique over all traces.
    pub lane: u32,
    /// Lanes of one device, or of one host.
    pub device: u32,
    /// Its location, among all locations.
    pub location: Option<u32>,
    /// Its operator or launch, among all texts.
    pub op: Option<u32>,
}

impl Item {
    pub(super) fn end(&self) -> i64 {
        self.start.saturating_add_unsigned(self.duration)
    }
}

/// Texts, each once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    ids: BTreeMap<String, u32>,
    all: Vec<String>,
}

impl Texts {
    fn id(&mut self, text: String) -> u32 {
        if let Some(id) = self.ids.get(&text) {
            return *id;
        }
        let id = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(text.clone());
        self.ids.insert(text, id);
        id
    }

    pub(super) fn get(&self, id: u32) -> &str {
        self.all.get(id as usize).map_or("", String::as_str)
    }
}

/// Makes the tables of one framework from its traces.
///
/// `None` when the traces hold no work of the device.
pub fn analyze(
    framework: Framework,
    sources: &[Source],
    device: Device,
    catalogue: &Catalogue,
) -> Option<ProfileReport> {
    let placed = place::place(sources, device);
    if placed.items.is_empty() {
        return None;
    }
    Some(report::report(framework, sources, device, &placed, catalogue))
}

/// The framework whose source launches most of the work, where the traces tell one.
pub fn framework_of(sources: &[Source]) -> Option<Framework> {
    if sources.iter().any(|it| it.trace.header.vllm_version.is_some()) {
        return Some(Framework::Vllm);
    }
    let roots = [
        ("vllm/", Framework::Vllm),
        ("python/sglang/", Framework::Sglang),
        ("tensorrt_llm/", Framework::TensorrtLlm),
    ];
    let placed = place::place(sources, Device::Gpu);
    let launched = |root: &str| {
        let of = |id: u32| placed.locations.get(id).starts_with(root);
        placed.items.iter().filter(|it| it.location.is_some_and(of)).count()
    };
    let counts = roots.map(|(root, framework)| (launched(root), framework));
    let best = counts.into_iter().max_by_key(|it| it.0)?;
    (best.0 > 0).then_some(best.1)
}
