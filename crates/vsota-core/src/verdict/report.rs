//! Numbers for the report: never silent, never part of a verdict.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::interval::{mean, sd, squares};
use super::{LengthError, Order, count, logs, real};
use crate::measure::{Measured, Real};

/// One tail of a 90 % interval.
const TAIL_90: Tail = Tail { p: 0.05, z: 1.644_853_626_951_472_2 };

/// One tail of a two-sided test at 1 %.
const TAIL_FLAG: Tail = Tail { p: 0.005, z: 2.575_829_303_548_900_4 };

/// Beyond this many degrees of freedom the quantile is a series around the normal one.
///
/// Up to here they agree to 2e-11; far beyond, the library's iteration goes astray or never ends.
const SERIES_BEYOND: f64 = 10_000.0;

/// The fewest blocks in which an outlier is looked for.
const OUTLIERS_FROM: usize = 6;

/// How many robust standard deviations from the median make an outlier.
const OUTLIER_FAR: f64 = 5.0;

/// The standard deviation of Gaussian noise whose median absolute deviation is 1.
const MAD_SCALE: f64 = 1.4826;

/// The least robust spread of log ratios that is believed.
const MAD_FLOOR: f64 = 0.001;

/// An upper tail: its probability, and the normal quantile that it begins at.
#[derive(Clone, Copy)]
struct Tail {
    p: f64,
    z: f64,
}

/// Two unpaired groups, as the phase-1 tables have them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Welch {
    /// The difference of the mean logarithms; absent when a group is empty.
    pub mean: Option<Real>,
    /// Welch's degrees of freedom; absent below two values a group and without any spread.
    pub nu: Option<Real>,
    /// The lower bound of the 90 % interval.
    pub lo: Option<Real>,
    /// The upper bound of the 90 % interval.
    pub hi: Option<Real>,
}

/// What it does to a block which side runs first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OrderEffect {
    /// Half the difference of mean log ratios, vLLM first less competitor first.
    pub tau: Option<Real>,
    /// Its pooled t statistic; absent below three blocks and without any spread.
    pub t: Option<Real>,
    /// Significant, two-sided at 1 %.
    pub flag: bool,
}

/// A drift over the blocks, of a level (logs) or of the gap (log ratios).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Slope {
    /// The change a block; absent below two.
    pub slope: Option<Real>,
    /// Its t statistic; absent below three blocks and without any residue.
    pub t: Option<Real>,
    /// Significant, two-sided at 1 %.
    pub flag: bool,
}

/// The 90 % Welch interval of `ln v - ln c` for unpaired values.
pub fn welch(v: &[Measured], c: &[Measured]) -> Welch {
    let (v, c) = (logs(v), logs(c));
    let center = mean(&v) - mean(&c);
    // The squared standard error of a group's mean, and its share in the degrees of freedom.
    let error = |group: &[Real]| sd(group) * sd(group) / f64::from(count(group));
    let share = |group: &[Real]| error(group) * error(group) / (f64::from(count(group)) - 1.0);
    let variance = error(&v) + error(&c);
    let nu = variance * variance / (share(&v) + share(&c));
    let half = critical(TAIL_90, nu).map(|t| t * libm::sqrt(variance));
    let at = |sign: f64| half.and_then(|half| real(center + sign * half));
    Welch { mean: real(center), nu: half.and_then(|_| real(nu)), lo: at(-1.0), hi: at(1.0) }
}

/// The effect of the order inside blocks on the log ratios.
///
/// # Errors
///
/// When the lists differ in length.
pub fn order_effect(ratios: &[Real], order: &[Order]) -> Result<OrderEffect, LengthError> {
    LengthError::check("order", order.len(), ratios.len())?;
    let with = |which: Order| -> Vec<Real> {
        let slots = ratios.iter().zip(order);
        slots.filter(|&(_, &slot)| slot == which).map(|(&ratio, _)| ratio).collect()
    };
    let (v, c) = (with(Order::VllmFirst), with(Order::CompetitorFirst));
    let (of_v, of_c) = (f64::from(count(&v)), f64::from(count(&c)));
    let difference = mean(&v) - mean(&c);
    let nu = of_v + of_c - 2.0;
    let variance = (squares(&v) + squares(&c)) / nu;
    let error = libm::sqrt(variance * (1.0 / of_v + 1.0 / of_c));
    let (t, flag) = tested(difference, error, nu);
    Ok(OrderEffect { tau: real(difference / 2.0), t, flag })
}

/// The least-squares slope of `y` over the block number, with its t statistic.
pub fn slope_t(y: &[Real]) -> Slope {
    let n = f64::from(count(y));
    let (middle, level) = ((n - 1.0) / 2.0, mean(y));
    let points = || (0_u32..).zip(y).map(|(x, y)| (f64::from(x) - middle, y.get() - level));
    let spread: f64 = points().map(|(x, _)| x * x).sum();
    let slope = points().map(|(x, y)| x * y).sum::<f64>() / spread;
    let residue: f64 = points().map(|(x, y)| y - slope * x).map(|rest| rest * rest).sum();
    let error = libm::sqrt(residue / (n - 2.0) / spread);
    let (t, flag) = tested(slope, error, n - 2.0);
    Slope { slope: real(slope), t, flag }
}

/// The positions, from 0, of log ratios far from the median; none below six.
///
/// They stay in every verdict.
pub fn outliers(ratios: &[Real]) -> Vec<u32> {
    if ratios.len() < OUTLIERS_FROM {
        return Vec::new();
    }
    let center = median(ratios.iter().map(|ratio| ratio.get()));
    let distance = |ratio: &Real| (ratio.get() - center).abs();
    let spread = MAD_SCALE * median(ratios.iter().map(distance));
    let far = OUTLIER_FAR * spread.max(MAD_FLOOR);
    (0..).zip(ratios).filter(|(_, ratio)| distance(ratio) > far).map(|(at, _)| at).collect()
}

/// The literal gap of one value to another in percent, such as to the frozen winner (GD-1):
/// above zero when `v` is larger; it decides nothing.
pub fn literal(v: Measured, c: Measured) -> Real {
    Real::clamped(100.0 * (v.get() / c.get() - 1.0))
}

/// The t statistic of an effect, and whether it is significant at 1 %.
///
/// Without any spread there is no statistic, and every effect is significant.
fn tested(effect: f64, error: f64, nu: f64) -> (Option<Real>, bool) {
    let Some(critical) = critical(TAIL_FLAG, nu) else { return (None, false) };
    let t = effect / error;
    (real(t), t.abs() > critical)
}

/// Student's t at a tail; none unless `nu` is a number above zero.
fn critical(tail: Tail, nu: f64) -> Option<f64> {
    if nu > SERIES_BEYOND {
        return Some(series(tail.z, nu));
    }
    // The lower tail is the accurate one.
    StudentsT::new(0.0, 1.0, nu).ok().map(|t| -t.inverse_cdf(tail.p))
}

/// Student's quantile as the normal one with the first two corrections in `1 / nu`.
fn series(z: f64, nu: f64) -> f64 {
    let (z3, z5) = (z * z * z, z * z * z * z * z);
    z + (z3 + z) / (4.0 * nu) + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * nu * nu)
}

/// The middle value, or the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let lower = sorted.len().saturating_sub(1) / 2;
    match (sorted.get(lower), sorted.get(upper)) {
        (Some(lower), Some(upper)) => lower + (upper - lower) / 2.0,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::{SERIES_BEYOND, TAIL_90, TAIL_FLAG, critical, series, tested};

    #[test]
    fn a_statistic_on_the_critical_value_is_not_significant() {
        let edge = critical(TAIL_FLAG, 6.0).unwrap();
        assert!(!tested(edge, 1.0, 6.0).1 && !tested(-edge, 1.0, 6.0).1);
        assert!(tested(edge.next_up(), 1.0, 6.0).1);
    }

    #[test]
    fn the_series_continues_the_quantile() {
        for tail in [TAIL_90, TAIL_FLAG] {
            for nu in [SERIES_BEYOND / 2.0, SERIES_BEYOND] {
                assert!((critical(tail, nu).unwrap() - series(tail.z, nu)).abs() < 2e-10);
            }
            // Few enough for every term of the last correction to show.
            assert!((critical(tail, 2_000.0).unwrap() - series(tail.z, 2_000.0)).abs() < 3e-9);
            let beyond = critical(tail, SERIES_BEYOND.next_up()).unwrap();
            assert_eq!(beyond, series(tail.z, SERIES_BEYOND.next_up()));
            let edge = critical(tail, SERIES_BEYOND).unwrap();
            assert!(edge != series(tail.z, SERIES_BEYOND), "the library still serves the edge");
        }
    }

    #[test]
    fn any_degrees_of_freedom_have_an_answer() {
        for nu in [1e7, 3e7, 1e12, f64::MAX, f64::INFINITY] {
            assert!((critical(TAIL_90, nu).unwrap() - TAIL_90.z).abs() < 1e-6);
        }
        for nu in [0.0, -1.0, f64::NAN] {
            assert_eq!(critical(TAIL_90, nu), None);
        }
    }
}
