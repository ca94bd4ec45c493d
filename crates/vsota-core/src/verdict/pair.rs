//! One scenario, one competitor: decided, or how many blocks more.

use serde::{Deserialize, Serialize};

use super::interval::{self, Estimate, Look, looks};
use super::{LengthError, Order, Reason, Rule, Verdict, count, log_ratios, real};
use crate::measure::{DELTA, Measured, Real};

/// The noise of a run, as a CV, that no usable rig exceeds.
const SIGMA_MAX: f64 = 0.03;

/// How many standard deviations of a pair count as certain for one of two blocks: 2 %, one-sided.
const Z2: f64 = 2.053_748_910_631_823;

/// Below this log ratio (9.25 % slower) two blocks may decide.
const FAST_BELOW: f64 = -(DELTA + Z2 * core::f64::consts::SQRT_2 * SIGMA_MAX);

/// How far apart those two may lie; further apart, the noise ceiling is not to be believed.
const FAST_SPREAD: f64 = 0.04;

/// The first look that may be called futile.
const FUTILE_FROM: u32 = 12;

/// A look is out of reach when even this share of its half width covers the distance to -1 %.
const FUTILE_SHARE: f64 = 0.7;

/// The comparison of vLLM with one competitor in one scenario (GD-1, GD-2).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Where vLLM stands.
    pub verdict: Verdict,
    /// How many blocks the numbers below rest on; 0 before the first look.
    pub n_used: u32,
    /// The mean log ratio; of all blocks before the first look, absent without a block.
    pub mean: Option<Real>,
    /// The standard deviation of the log ratios.
    pub sd: Option<Real>,
    /// Half the width of the interval.
    pub half: Option<Real>,
    /// The lower bound of the log ratio.
    pub lo: Option<Real>,
    /// The upper bound of the log ratio.
    pub hi: Option<Real>,
    /// What decided, once decided.
    pub rule: Option<Rule>,
    /// How many blocks are missing to the next look; 0 once decided and past the last look.
    pub k: u32,
    /// Why it is undecided.
    pub reason: Option<Reason>,
    /// Undecided for good, yet slower for certain and by more than 1 % as estimated (GD-3).
    pub lean: bool,
    /// The look that would decide at this mean and spread: for planning only.
    pub forecast: Option<u32>,
}

/// Compares vLLM's throughputs `v` with a competitor's `c`, block by block (GD-2).
///
/// The first look that decides wins; later blocks cannot undo it.
///
/// # Errors
///
/// When the lists differ in length.
pub fn decide(v: &[Measured], c: &[Measured], order: &[Order]) -> Result<Pair, LengthError> {
    decide_ratios(&log_ratios(v, c)?, order)
}

/// [`decide`] on log ratios, above zero where vLLM is better; for a latency
/// `ln competitor - ln vLLM` (GD-6).
///
/// # Errors
///
/// When the lists differ in length.
pub fn decide_ratios(ratios: &[Real], order: &[Order]) -> Result<Pair, LengthError> {
    LengthError::check("order", order.len(), ratios.len())?;
    if let Some(pair) = fast(ratios) {
        return Ok(pair);
    }
    let mut last = None;
    let mut unbalanced = false;
    for look in looks() {
        let (Some(blocks), Some(slots)) = (look.of(ratios), look.of(order)) else { break };
        if !balanced(slots) {
            unbalanced = true;
            continue;
        }
        let estimate = look.estimate(blocks);
        if let Some(verdict) = estimate.verdict() {
            return Ok(Pair::at(&estimate, verdict, Some(Rule::Look)));
        }
        last = Some(estimate);
    }
    let k = missing(count(ratios));
    Ok(match last {
        Some(estimate) => undecided(&estimate, k),
        None => early(ratios, k, unbalanced),
    })
}

/// Two blocks, both so far behind that no believable noise explains them.
fn fast(ratios: &[Real]) -> Option<Pair> {
    let [first, second, ..] = ratios else { return None };
    let far = first.get() < FAST_BELOW && second.get() < FAST_BELOW;
    if !far || (first.get() - second.get()).abs() > FAST_SPREAD {
        return None;
    }
    let two = [*first, *second];
    Some(Pair {
        verdict: Verdict::Behind,
        n_used: 2,
        mean: real(interval::mean(&two)),
        sd: real(interval::sd(&two)),
        rule: Some(Rule::Fast2),
        ..Pair::NOTHING
    })
}

/// Half of the blocks had vLLM first.
fn balanced(slots: &[Order]) -> bool {
    let first = slots.iter().filter(|&&slot| slot == Order::VllmFirst).count();
    first.saturating_mul(2) == slots.len()
}

/// How many blocks are missing to the next look; 0 past the last one.
fn missing(n: u32) -> u32 {
    looks().find(|look| look.n > n).map_or(0, |look| look.n.saturating_sub(n))
}

/// No look was valid yet.
fn early(ratios: &[Real], k: u32, unbalanced: bool) -> Pair {
    let reason = if unbalanced { Reason::Unbalanced } else { Reason::NeedMore };
    Pair { mean: real(interval::mean(ratios)), k, reason: Some(reason), ..Pair::NOTHING }
}

/// The last valid look decided nothing.
fn undecided(last: &Estimate, k: u32) -> Pair {
    let distance = (last.mean + DELTA).abs();
    let rest = || looks().filter(|look| look.n > last.n);
    let decides = |look: &Look| distance > look.half(last.sd);
    let out_of_reach = |look: Look| distance <= FUTILE_SHARE * look.half(last.sd);
    let reason = if rest().next().is_none() {
        Reason::Cap
    } else if last.n >= FUTILE_FROM && rest().all(out_of_reach) {
        Reason::Noise
    } else {
        Reason::NeedMore
    };
    Pair {
        k,
        reason: Some(reason),
        lean: !reason.needs_more() && last.mean <= -DELTA && last.hi < 0.0,
        forecast: rest().find(decides).map(|look| look.n),
        ..Pair::at(last, Verdict::Inconclusive, None)
    }
}

impl Pair {
    /// Before any block.
    const NOTHING: Self = Self {
        verdict: Verdict::Inconclusive,
        n_used: 0,
        mean: None,
        sd: None,
        half: None,
        lo: None,
        hi: None,
        rule: None,
        k: 0,
        reason: None,
        lean: false,
        forecast: None,
    };

    fn at(estimate: &Estimate, verdict: Verdict, rule: Option<Rule>) -> Self {
        Self {
            verdict,
            n_used: estimate.n,
            mean: real(estimate.mean),
            sd: real(estimate.sd),
            half: real(estimate.half),
            lo: real(estimate.lo),
            hi: real(estimate.hi),
            rule,
            ..Self::NOTHING
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DELTA, Estimate, Reason, looks, undecided};

    /// Sixteen blocks of which only these numbers matter to what follows a look.
    fn estimate(mean: f64, sd: f64, hi: f64) -> Estimate {
        Estimate { n: 16, mean, sd, half: 0.0, lo: -1.0, hi }
    }

    /// A spread at which the half width of the look is `share` of exactly this distance from -1 %.
    fn spread(mean: f64, n: u32, share: f64) -> f64 {
        let look = looks().find(|look| look.n == n).unwrap();
        let distance = (mean + DELTA).abs();
        let start = distance / share / look.half(1.0);
        let near = |steps: i32| start * (1.0 + f64::from(steps) * f64::EPSILON);
        (-99..99).map(near).find(|&sd| share * look.half(sd) == distance).unwrap()
    }

    #[test]
    fn exactly_seventy_percent_is_out_of_reach() {
        for mean in [0.0, -0.02] {
            let sd = spread(mean, 32, 0.7);
            assert_eq!(undecided(&estimate(mean, sd, 0.0), 8).reason, Some(Reason::Noise));
            let tighter = estimate(mean, sd * (1.0 - 1e-12), 0.0);
            assert_eq!(undecided(&tighter, 8).reason, Some(Reason::NeedMore));
        }
    }

    #[test]
    fn a_distance_of_exactly_the_half_width_does_not_decide() {
        for mean in [0.0, -0.02] {
            let sd = spread(mean, 24, 1.0);
            assert_eq!(undecided(&estimate(mean, sd, 0.0), 8).forecast, Some(32));
            let tighter = estimate(mean, sd * (1.0 - 1e-12), 0.0);
            assert_eq!(undecided(&tighter, 8).forecast, Some(24));
        }
    }

    #[test]
    fn an_upper_bound_of_zero_does_not_lean() {
        let lean = |mean, hi| undecided(&estimate(mean, 1.0, hi), 8).lean;
        assert!(lean(-0.02, -f64::MIN_POSITIVE));
        assert!(!lean(-0.02, 0.0));
        assert!(lean(-DELTA, -0.001));
        assert!(!lean((-DELTA).next_up(), -0.001));
    }
}
