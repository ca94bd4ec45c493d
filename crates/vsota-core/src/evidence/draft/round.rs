//! Root causes, kernel targets and NCU digests (PR-6, KA-2, KA-3).

use alloc::string::ToString;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::str::FromStr;

use super::{Draft, DraftKind, Section};
use crate::artifact::Artifact;
use crate::evidence::EvidenceError;
use crate::facts::*;
use crate::measure::{Measured, NumberError};
use crate::text::{Line, Name, Prose};

/// An id, and behind it words for people.
pub(super) struct Cited<T>(T);

impl<T: FromStr> FromStr for Cited<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.split_whitespace().next().unwrap_or_default().parse().map(Self)
    }
}

impl<T> Cited<T> {
    pub(super) fn all(cited: Vec<Self>) -> Vec<T> {
        cited.into_iter().map(|it| it.0).collect()
    }

    pub(super) fn it(self) -> T {
        self.0
    }
}

/// A number above zero.
struct Number(Measured);

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let number: f64 = text.parse().map_err(|_| NotANumber::Text)?;
        Measured::new(number).map(Self).map_err(NotANumber::Value)
    }
}

/// Why a text is no measurement.
#[derive(Debug, thiserror::Error)]
enum NotANumber {
    #[error("a number is expected")]
    Text,
    #[error(transparent)]
    Value(NumberError),
}

impl Draft {
    /// A section that the form has made sure of.
    pub(super) fn needed(&self, name: &str) -> Result<&Section, EvidenceError> {
        let missing = || EvidenceError::new("the section is missing").at(1).of(name);
        self.section(name).ok_or_else(missing)
    }
}

/// What a root-cause draft says (PR-6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RootCauseDraft {
    /// The slower stage.
    pub slower_stage: Stage,
    /// Why it is another than the one in which vLLM loses the most GPU time.
    pub stage_because: Option<Line>,
    /// The rows that explain the gap.
    pub rows: Vec<RowId>,
    /// How they explain it.
    pub explanation: Prose,
    /// The sources that could change it.
    pub sources: Vec<Line>,
    /// The part of the gap that they explain, in percent.
    pub estimated_gap_pct: Option<Measured>,
}

impl RootCauseDraft {
    /// The fact, with where the checkout stands and what was filed.
    pub fn fact(self, stand: Standpoint, draft: Artifact) -> RootCause {
        let Self { slower_stage, stage_because, rows, explanation, sources, estimated_gap_pct } =
            self;
        RootCause {
            stand,
            slower_stage,
            stage_because,
            rows,
            explanation,
            sources,
            estimated_gap_pct,
            draft,
        }
    }
}

/// Reads a root cause.
///
/// # Errors
///
/// With line and field, when a part is missing, unknown or not what it should be.
pub fn root_cause(text: &str) -> Result<RootCauseDraft, EvidenceError> {
    let read = DraftKind::RootCause.read(text)?;
    let head = read.head();
    let estimated = head.optional::<Number>("estimated-gap-pct")?;
    Ok(RootCauseDraft {
        slower_stage: head.one("stage")?,
        stage_because: head.optional("stage-because")?,
        rows: Cited::all(read.needed("Rows")?.list()?),
        explanation: read.needed("Explanation")?.prose()?,
        sources: read.needed("Sources")?.list()?,
        estimated_gap_pct: estimated.map(|it| it.0),
    })
}

/// What a kernel-target draft says (KA-1, KA-2, KA-8).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TargetDraft {
    /// A short name.
    pub name: Name,
    /// What the kernel is written in.
    pub kind: KernelKind,
    /// Its rows.
    pub rows: Vec<RowId>,
    /// The implementation that a family shares.
    pub shared_source: Option<Line>,
    /// Why the profiler is not enough.
    pub profiler_falls_short: Option<Line>,
    /// The correctness reference.
    pub reference: Option<Line>,
    /// Shapes of the model run.
    pub shapes: Vec<Line>,
    /// Its dtypes.
    pub dtypes: Vec<Line>,
    /// Its layouts.
    pub layouts: Vec<Line>,
    /// How the candidate gets into the serving code.
    pub wiring: Option<Line>,
    /// The focused harness.
    pub harness: Option<Line>,
}

impl TargetDraft {
    /// The fact, with what no draft can say.
    pub fn fact(self, stand: Standpoint, ncu_skill: Noted, other_loops: Vec<Line>) -> KernelTarget {
        let Self { name, kind, rows, shared_source, profiler_falls_short, .. } = self;
        let Self { reference, shapes, dtypes, layouts, wiring, harness, .. } = self;
        KernelTarget {
            stand,
            name,
            kind,
            rows,
            shared_source,
            profiler_falls_short,
            reference,
            shapes,
            dtypes,
            layouts,
            wiring,
            ncu_skill,
            harness,
            other_loops,
        }
    }
}

/// Reads a kernel target.
///
/// # Errors
///
/// With line and field, when a part is missing, unknown or not what it should be.
pub fn kernel_target(text: &str) -> Result<TargetDraft, EvidenceError> {
    let read = DraftKind::KernelTarget.read(text)?;
    let head = read.head();
    Ok(TargetDraft {
        name: head.one("name")?,
        kind: head.one("kind")?,
        rows: Cited::all(head.many("row")?),
        shared_source: head.optional("shared-source")?,
        profiler_falls_short: head.optional("profiler-falls-short")?,
        reference: head.optional("reference")?,
        shapes: head.many("shape")?,
        dtypes: head.many("dtype")?,
        layouts: head.many("layout")?,
        wiring: head.optional("wiring")?,
        harness: head.optional("harness")?,
    })
}

/// What a draft of an NCU digest says (KA-3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DigestDraft {
    /// The number of the candidate, when the draft names it.
    pub version: Option<NonZeroU32>,
    /// Duration samples of the baseline, in µs.
    pub baseline_us: Vec<Measured>,
    /// Duration samples of the candidate, in µs.
    pub candidate_us: Vec<Measured>,
    /// What the comparison says.
    pub findings: Prose,
    /// The next edits.
    pub next_edits: Vec<Line>,
}

impl DigestDraft {
    /// The fact, under its full version and with what was filed.
    pub fn fact(self, version: Name, source: Artifact) -> NcuDigest {
        let Self { baseline_us, candidate_us, findings, next_edits, .. } = self;
        let compared = None;
        NcuDigest { version, baseline_us, candidate_us, findings, next_edits, source, compared }
    }
}

/// Reads an NCU digest.
///
/// # Errors
///
/// With line and field, when a part is missing, unknown or not what it should be.
pub fn ncu_digest(text: &str) -> Result<DigestDraft, EvidenceError> {
    let read = DraftKind::NcuDigest.read(text)?;
    let samples = |name| -> Result<Vec<Measured>, EvidenceError> {
        let numbers: Vec<Number> = read.needed(name)?.list()?;
        Ok(numbers.into_iter().map(|it| it.0).collect())
    };
    let version: Option<Version> = read.head().optional("version")?;
    Ok(DigestDraft {
        version: version.map(|it| it.0),
        baseline_us: samples("Baseline")?,
        candidate_us: samples("Candidate")?,
        findings: read.needed("Findings")?.prose()?,
        next_edits: read.needed("Next edit")?.list()?,
    })
}

/// The number of a candidate, as `2` or `v2`.
struct Version(NonZeroU32);

impl FromStr for Version {
    type Err = alloc::string::String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix('v').unwrap_or(text).parse();
        number.map(Self).map_err(|_| "a number from 1 is expected".to_string())
    }
}
