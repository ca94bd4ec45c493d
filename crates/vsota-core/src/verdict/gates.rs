//! The other gates on the same interval: SLA, improvement, and whether a kernel needs counters.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::interval::{Estimate, largest, mean};
use super::{LengthError, log_ratio, log_ratios, real};
use crate::measure::{DELTA, Measured, Real};

/// Two percent as a log ratio, `ln 1.02`: the margin of a kernel's time.
const KERNEL_MARGIN: f64 = 0.019_802_627_296_179_712;

/// One framework's state in one SLA metric.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum SlaState {
    /// Below the limit, proven.
    Pass,
    /// Above the limit, proven.
    Fail,
    /// Neither; a competitor counts as passing, vLLM cannot stop on it.
    Marginal,
}

/// An SLA metric against its limit.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sla {
    /// Pass, Fail, or Marginal.
    pub state: SlaState,
    /// The lower bound of `ln(metric / limit)`; absent below four values.
    pub lo: Option<Real>,
    /// The upper bound of `ln(metric / limit)`; absent below four values.
    pub hi: Option<Real>,
}

/// A new build against the accepted one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Improvement {
    /// The mean log gain over the look's blocks, or over all below four; absent without a block.
    pub mean: Option<Real>,
    /// The lower bound of the log gain; absent below four blocks.
    pub lo: Option<Real>,
    /// The upper bound of the log gain; absent below four blocks.
    pub hi: Option<Real>,
    /// At least four blocks, and a mean gain below 1 % (LE-3).
    ///
    /// On a rig whose runs vary by 1 % or more (CV) eight blocks are the least that say so: the
    /// caller, who knows the rig, asks for them.
    pub weak: bool,
    /// A gain is proven: the lower bound is above 0 (one of the conditions of RV-2).
    pub accept: bool,
}

/// A kernel candidate against its baseline.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum NcuState {
    /// Faster by more than 2 %, proven.
    Gain,
    /// Slower, proven.
    Regress,
    /// Within 2 % both ways.
    WithinBand,
    /// None of these.
    Unclear,
}

/// Whether a kernel's change of time needs counter evidence (KA-3).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ncu {
    /// What the timings prove.
    pub state: NcuState,
    /// The lower bound of `ln(base / candidate)`; absent below four timings.
    pub lo: Option<Real>,
    /// The upper bound of `ln(base / candidate)`; absent below four timings.
    pub hi: Option<Real>,
    /// Counters are required: always but for a proven gain.
    pub ncu_required: bool,
}

/// Judges one SLA metric against its limit, both in the metric's unit.
pub fn sla(values: &[Measured], limit: Measured) -> Sla {
    let excess: Vec<Real> = values.iter().map(|&value| log_ratio(value, limit)).collect();
    let (lo, hi) = bounds(largest(&excess).as_ref());
    let state = SlaState::within(lo, hi);
    Sla { state, lo, hi }
}

/// Compares a new build's throughputs with the accepted build's: a row per scenario, an entry per
/// interleaved block, in any one unit (RV-2).
///
/// # Errors
///
/// When the tables differ in shape, or a scenario has more blocks than another.
pub fn improvement(
    new: &[Vec<Measured>],
    base: &[Vec<Measured>],
) -> Result<Improvement, LengthError> {
    LengthError::check("base", base.len(), new.len())?;
    let blocks = new.first().map_or(0, Vec::len);
    for (new, base) in new.iter().zip(base) {
        LengthError::check("new", new.len(), blocks)?;
        LengthError::check("base", base.len(), blocks)?;
    }
    let gains = (0..blocks).map(|block| {
        let scenarios = new.iter().zip(base);
        let gain = scenarios.filter_map(|(n, b)| Some(log_ratio(*n.get(block)?, *b.get(block)?)));
        Real::clamped(mean(&gain.collect::<Vec<_>>()))
    });
    Ok(improvement_ratios(&gains.collect::<Vec<_>>()))
}

/// [`improvement`] on log gains, one a block: the mean over the scenarios, above zero when better.
pub fn improvement_ratios(gains: &[Real]) -> Improvement {
    let estimate = largest(gains);
    let (lo, hi) = bounds(estimate.as_ref());
    Improvement {
        mean: real(estimate.map_or_else(|| mean(gains), |estimate| estimate.mean)),
        lo,
        hi,
        weak: estimate.is_some_and(|estimate| estimate.mean < DELTA),
        accept: lo.is_some_and(above(0.0)),
    }
}

/// Compares a kernel's timings before and after, pair by pair, in any one unit (KA-3).
///
/// # Errors
///
/// When the lists differ in length.
pub fn ncu(base: &[Measured], cand: &[Measured]) -> Result<Ncu, LengthError> {
    LengthError::check("cand_us", cand.len(), base.len())?;
    let (lo, hi) = bounds(largest(&log_ratios(base, cand)?).as_ref());
    let state = NcuState::within(lo, hi);
    Ok(Ncu { state, lo, hi, ncu_required: state != NcuState::Gain })
}

impl SlaState {
    fn within(lo: Option<Real>, hi: Option<Real>) -> Self {
        if hi.is_some_and(below(0.0)) {
            Self::Pass
        } else if lo.is_some_and(above(0.0)) {
            Self::Fail
        } else {
            Self::Marginal
        }
    }
}

impl NcuState {
    fn within(lo: Option<Real>, hi: Option<Real>) -> Self {
        if lo.is_some_and(above(KERNEL_MARGIN)) {
            Self::Gain
        } else if hi.is_some_and(below(0.0)) {
            Self::Regress
        } else if lo.is_some_and(above(-KERNEL_MARGIN)) && hi.is_some_and(below(KERNEL_MARGIN)) {
            Self::WithinBand
        } else {
            Self::Unclear
        }
    }
}

fn bounds(estimate: Option<&Estimate>) -> (Option<Real>, Option<Real>) {
    estimate.map_or((None, None), |estimate| (real(estimate.lo), real(estimate.hi)))
}

fn above(limit: f64) -> impl Fn(Real) -> bool {
    move |value| value.get() > limit
}

fn below(limit: f64) -> impl Fn(Real) -> bool {
    move |value| value.get() < limit
}

#[cfg(test)]
mod tests {
    use super::{KERNEL_MARGIN, NcuState, Real, SlaState};

    fn bounds(lo: f64, hi: f64) -> (Option<Real>, Option<Real>) {
        (Real::new(lo).ok(), Real::new(hi).ok())
    }

    #[test]
    fn an_sla_bound_on_the_limit_proves_nothing() {
        let state = |lo, hi| {
            let (lo, hi) = bounds(lo, hi);
            SlaState::within(lo, hi)
        };
        assert_eq!(state(-0.1, 0.0), SlaState::Marginal);
        assert_eq!(state(-0.1, -f64::MIN_POSITIVE), SlaState::Pass);
        assert_eq!(state(0.0, 0.1), SlaState::Marginal);
        assert_eq!(state(f64::MIN_POSITIVE, 0.1), SlaState::Fail);
        assert_eq!(SlaState::within(None, None), SlaState::Marginal);
    }

    #[test]
    fn a_kernel_bound_on_a_margin_proves_nothing() {
        let state = |lo, hi| {
            let (lo, hi) = bounds(lo, hi);
            NcuState::within(lo, hi)
        };
        let margin = KERNEL_MARGIN;
        assert!((margin - libm::log(1.02)).abs() < 1e-16);
        assert_eq!(state(margin, 0.1), NcuState::Unclear);
        assert_eq!(state(margin.next_up(), 0.1), NcuState::Gain);
        assert_eq!(state(-0.1, 0.0), NcuState::Unclear);
        assert_eq!(state(-0.1, -f64::MIN_POSITIVE), NcuState::Regress);
        assert_eq!(state(0.0, margin), NcuState::Unclear);
        assert_eq!(state(0.0, margin.next_down()), NcuState::WithinBand);
        assert_eq!(state(-margin, 0.0), NcuState::Unclear);
        assert_eq!(state((-margin).next_up(), 0.0), NcuState::WithinBand);
    }
}
