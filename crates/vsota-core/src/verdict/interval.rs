//! The repeated confidence interval that every gate shares.

use serde::{Deserialize, Serialize};

use super::{LOOKS, Verdict, count};
use crate::measure::{DELTA, Real};

/// The least spread of log ratios that is believed.
///
/// Equal readings of a coarse clock have none; with this floor four of them prove nothing finer
/// than 0.21 %.
const S_FLOOR: f64 = 0.001;

/// The critical values of [`LOOKS`]: Student's t with `n - 1` degrees of freedom at 0.0117.
///
/// 0.0117 at each look is 5 % over all seven together, so an interval holds at every look at once.
const CRITICAL: [f64; 7] = [
    4.281_999_811_600_721,
    3.222_514_739_016_766,
    2.887_488_376_082_423,
    2.630_173_173_425_511,
    2.523_369_057_204_56,
    2.428_281_558_470_176,
    2.384_596_316_518_969,
];

/// A confidence interval of a mean log ratio at a look: 90 % both ways, valid at all looks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// How many blocks it rests on.
    pub n: u32,
    /// The mean log ratio.
    pub mean: Real,
    /// The lower bound.
    pub lo: Real,
    /// The upper bound.
    pub hi: Real,
}

/// One planned number of blocks with its critical value.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) n: u32,
    critical: f64,
}

/// What the blocks of one look say; overflow leaves it not finite, and then it decides nothing.
#[derive(Clone, Copy)]
pub(super) struct Estimate {
    pub(super) n: u32,
    pub(super) mean: f64,
    pub(super) sd: f64,
    pub(super) half: f64,
    pub(super) lo: f64,
    pub(super) hi: f64,
}

/// All looks, in order.
pub(super) fn looks() -> impl DoubleEndedIterator<Item = Look> {
    LOOKS.into_iter().zip(CRITICAL).map(|(n, critical)| Look { n, critical })
}

impl Look {
    /// The entries of the look's blocks, if there are that many.
    pub(super) fn of<T>(self, list: &[T]) -> Option<&[T]> {
        list.get(..usize::try_from(self.n).ok()?)
    }

    /// Half the width of the interval that this look would have at that spread.
    pub(super) fn half(self, sd: f64) -> f64 {
        self.critical * self.error(sd)
    }

    /// The standard error of the mean that this look would have at that spread.
    pub(super) fn error(self, sd: f64) -> f64 {
        sd.max(S_FLOOR) / libm::sqrt(f64::from(self.n))
    }

    /// The interval of the look's blocks.
    pub(super) fn estimate(self, blocks: &[Real]) -> Estimate {
        let mean = mean(blocks);
        let sd = sd(blocks);
        let half = self.half(sd);
        Estimate { n: self.n, mean, sd, half, lo: mean - half, hi: mean + half }
    }
}

impl Estimate {
    /// The verdict, if the interval decides (GD-2).
    pub(super) fn verdict(&self) -> Option<Verdict> {
        if self.hi < -DELTA {
            Some(Verdict::Behind)
        } else if self.lo > -DELTA {
            Some(if self.hi < DELTA {
                Verdict::Tied
            } else if self.lo > 0.0 {
                Verdict::Ahead
            } else {
                Verdict::AtLeastTied
            })
        } else {
            None
        }
    }
}

/// The interval over the first blocks, as many as the largest look within them has.
///
/// `None` below four blocks. Beyond 32 blocks it stays that of the first 32: there is no later
/// look. GD-7 asks it of all blocks on one build and rig.
pub fn pooled(ratios: &[Real]) -> Option<Interval> {
    let Estimate { n, mean, lo, hi, .. } = largest(ratios)?;
    let [mean, lo, hi] = [mean, lo, hi].map(|value| Real::new(value).ok());
    Some(Interval { n, mean: mean?, lo: lo?, hi: hi? })
}

/// Whether a stop may rest on the interval: its lower bound is above -1 % (GD-7).
pub fn stop_eligible(interval: &Interval) -> bool {
    interval.lo.get() > -DELTA
}

/// The estimate at the largest look that the ratios fill.
pub(super) fn largest(ratios: &[Real]) -> Option<Estimate> {
    looks().rev().find_map(|look| Some(look.estimate(look.of(ratios)?)))
}

/// The mean; not a number without entries.
///
/// It is taken from the first entry's point of view, so equal entries have exactly their own mean
/// and exactly no spread.
pub(super) fn mean(list: &[Real]) -> f64 {
    let Some(first) = list.first() else { return f64::NAN };
    let sum: f64 = list.iter().map(|x| x.get() - first.get()).sum();
    first.get() + sum / f64::from(count(list))
}

/// The sum of squared distances from the mean.
pub(super) fn squares(list: &[Real]) -> f64 {
    let mean = mean(list);
    list.iter().map(|x| (x.get() - mean) * (x.get() - mean)).sum()
}

/// The standard deviation with `n - 1`; not a number below two entries.
pub(super) fn sd(list: &[Real]) -> f64 {
    libm::sqrt(squares(list) / (f64::from(count(list)) - 1.0))
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, StudentsT};

    use super::{DELTA, Estimate, Verdict, looks};

    #[test]
    fn a_bound_on_a_threshold_proves_nothing() {
        let verdict = |lo, hi| Estimate { n: 4, mean: 0.0, sd: 0.0, half: 0.0, lo, hi }.verdict();
        let (above, below) = ((-DELTA).next_up(), (-DELTA).next_down());
        assert_eq!(verdict(-0.1, -DELTA), None);
        assert_eq!(verdict(-0.1, below), Some(Verdict::Behind));
        assert_eq!(verdict(-DELTA, 0.1), None);
        assert_eq!(verdict(-DELTA, 0.0), None);
        assert_eq!(verdict(above, DELTA), Some(Verdict::AtLeastTied));
        assert_eq!(verdict(above, DELTA.next_down()), Some(Verdict::Tied));
        assert_eq!(verdict(0.0, DELTA), Some(Verdict::AtLeastTied));
        assert_eq!(verdict(f64::MIN_POSITIVE, DELTA), Some(Verdict::Ahead));
        assert_eq!(verdict(f64::MIN_POSITIVE, DELTA.next_down()), Some(Verdict::Tied));
        assert_eq!(verdict(f64::NAN, f64::NAN), None);
    }

    #[test]
    fn the_critical_values_are_those_of_students_t() {
        for look in looks() {
            let t = StudentsT::new(0.0, 1.0, f64::from(look.n) - 1.0).unwrap();
            assert!((look.critical + t.inverse_cdf(0.0117)).abs() < 1e-12, "{}", look.n);
        }
    }
}
