//! How noisy is a rig, and what can be decided on it at what cost? For planning: no verdict rests on it.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::interval::{looks, sd};
use super::{count, real};
use crate::measure::Real;

/// The tails of the 90 % interval of the noise.
const TAILS: [f64; 2] = [0.95, 0.05];

/// How many standard errors make a look decide four times out of five: the normal quantile of 0.8.
const FOUR_OF_FIVE: f64 = 0.841_621_233_572_914_2;

/// How much single runs vary, from the log ratios of blocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Noise {
    /// The blocks that it rests on.
    pub n: u32,
    /// The standard deviation of a block's log ratio.
    pub sd: Real,
    /// The coefficient of variation of a run in a fresh launch, in percent.
    pub cv_pct: Real,
    /// Its lower bound, in percent: 90 % both ways.
    pub cv_lo_pct: Real,
    /// Its upper bound, in percent.
    pub cv_hi_pct: Real,
}

/// The noise that the log ratios of blocks show; `None` below two blocks. Runs of both sides are taken
/// to vary alike, so that a block's ratio holds twice the variance of a run.
pub fn noise(ratios: &[Real]) -> Option<Noise> {
    let n = count(ratios);
    let freedom = f64::from(n.checked_sub(1).filter(|it| *it > 0)?);
    let sd = sd(ratios);
    let chi = ChiSquared::new(freedom).ok()?;
    let [lo, hi] = TAILS.map(|p| sd * libm::sqrt(freedom / chi.inverse_cdf(p)));
    let [cv_pct, cv_lo_pct, cv_hi_pct] = [sd, lo, hi].map(|it| real(of_a_run(it)));
    Some(Noise { n, sd: real(sd)?, cv_pct: cv_pct?, cv_lo_pct: cv_lo_pct?, cv_hi_pct: cv_hi_pct? })
}

/// The coefficient of variation of a run, in percent, whose log ratios have this standard deviation.
fn of_a_run(sd: f64) -> f64 {
    100.0 * libm::sqrt(libm::expm1(sd * sd / 2.0))
}

/// The blocks that tell a true difference from its boundary, both as log ratios, at least four times out
/// of five; `None` where 32 do not. A tie is 1 % from its boundary, and so is what is 2 % slower.
pub fn blocks_for(distance: Real, sd: Real) -> Option<u32> {
    let far = distance.get().abs();
    let decides =
        looks().find(|look| far > look.half(sd.get()) + FOUR_OF_FIVE * look.error(sd.get()));
    decides.map(|it| it.n)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::measure::DELTA;
    use crate::verdict::{LOOKS, Order, decide_ratios};

    /// Twelve uniform numbers less six, from a generator of Knuth's.
    fn normal(state: &mut u64) -> f64 {
        let mut sum = -6.0;
        for _ in 0..12 {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += f64::from(u32::try_from(*state >> 32).unwrap()) / 4_294_967_296.0;
        }
        sum
    }

    fn ratios(state: &mut u64, n: u32, mean: f64, cv: f64) -> Vec<Real> {
        let sd = cv * core::f64::consts::SQRT_2;
        (0..n).map(|_| Real::new(mean + sd * normal(state)).unwrap()).collect()
    }

    #[test]
    fn planted_noise_is_found_within_its_interval_nine_times_in_ten() {
        let mut state = 7;
        let inside = (0..1_000).filter(|_| {
            let found = noise(&ratios(&mut state, 8, 0.02, 0.03)).unwrap();
            (found.cv_lo_pct.get()..found.cv_hi_pct.get()).contains(&3.0)
        });
        let inside = inside.count();
        assert!((870..930).contains(&inside), "{inside}");
        let many = noise(&ratios(&mut state, 5_000, 0.0, 0.01)).unwrap();
        assert!((0.97..1.03).contains(&many.cv_pct.get()), "{many:?}");
    }

    #[test]
    fn without_two_blocks_no_noise_is_known() {
        assert_eq!(noise(&[]), None);
        assert_eq!(noise(&[Real::new(0.1).unwrap()]), None);
        let same = noise(&[Real::new(0.1).unwrap(); 4]).unwrap();
        assert!(same.cv_pct.get() == 0.0 && same.cv_hi_pct.get() == 0.0);
    }

    /// GD-2: the verdict itself comes to its end by that look, as often as was said.
    #[test]
    fn so_many_blocks_decide_four_times_out_of_five() {
        for (cv, wanted) in [(0.003, 6), (0.005, 8), (0.01, 24)] {
            let sd = Real::new(cv * core::f64::consts::SQRT_2).unwrap();
            let n = blocks_for(Real::new(DELTA).unwrap(), sd);
            assert_eq!(n, Some(wanted), "{cv}");
            let mut state = 11;
            let order: Vec<Order> = (0..wanted)
                .map(|it| if it % 2 == 0 { Order::VllmFirst } else { Order::CompetitorFirst })
                .collect();
            let decided = (0..1_000).filter(|_| {
                let pair = decide_ratios(&ratios(&mut state, wanted, 0.0, cv), &order).unwrap();
                pair.verdict.stop_eligible()
            });
            let decided = decided.count();
            assert!(decided >= 800, "{cv}: {decided}");
        }
        let wide = Real::new(0.03).unwrap();
        assert_eq!(blocks_for(Real::new(DELTA).unwrap(), wide), None);
        assert!(LOOKS.contains(&blocks_for(Real::new(0.048).unwrap(), wide).unwrap()));
    }
}
