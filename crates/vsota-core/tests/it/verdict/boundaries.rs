//! The edges of `decide`, on log ratios made for them; bounds to the last bit are tested beside it.

use vsota_core::measure::DELTA;
use vsota_core::verdict::{
    LOOKS, LengthError, Order, Pair, Reason, Rule, Verdict, decide, decide_ratios, log_ratios,
    pooled, stop_eligible,
};

use super::{alternating, measured, real, reals, slots};

/// Critical values to 30 digits from another source (mpmath), rounded to a double.
const CRITICAL: [(u32, f64); 7] = [
    (4, 4.281_999_811_600_721),
    (6, 3.222_514_739_016_766),
    (8, 2.887_488_376_082_423),
    (12, 2.630_173_173_425_511),
    (16, 2.523_369_057_204_56),
    (24, 2.428_281_558_470_176),
    (32, 2.384_596_316_518_969),
];

/// Half the width at a look whose ratios are all equal: the floor of the spread decides.
fn floor_half(n: u32) -> f64 {
    let critical = CRITICAL.iter().find(|look| look.0 == n).unwrap().1;
    critical * 0.001 / f64::from(n).sqrt()
}

fn judge(ratios: &[f64]) -> Pair {
    decide_ratios(&reals(ratios), &alternating(ratios.len())).unwrap()
}

/// Every ratio the same.
fn level(value: f64, n: usize) -> Pair {
    judge(&vec![value; n])
}

/// A mean with an exact spread: half of the blocks above, half below.
fn spread(mean: f64, distance: f64, n: usize) -> Vec<f64> {
    [mean + distance, mean - distance].into_iter().cycle().take(n).collect()
}

fn level_half(ratios: &[f64]) -> f64 {
    judge(ratios).half.unwrap().get()
}

#[test]
fn every_look_has_its_own_critical_value() {
    assert_eq!(CRITICAL.map(|look| look.0), LOOKS);
    for (n, critical) in CRITICAL {
        // A wide spread around the threshold decides nothing before its look.
        let ratios = spread(-DELTA, 0.01, n as usize);
        let pair = judge(&ratios);
        let sd = 0.01 * (f64::from(n) / (f64::from(n) - 1.0)).sqrt();
        assert_eq!(pair.n_used, n);
        assert!((pair.sd.unwrap().get() - sd).abs() < 1e-15);
        let half = critical * sd / f64::from(n).sqrt();
        assert!((pair.half.unwrap().get() - half).abs() < 1e-15, "{n}");
    }
}

#[test]
fn a_spread_below_the_floor_counts_as_the_floor() {
    assert!((level_half(&spread(0.0, 0.0005, 4)) - floor_half(4)).abs() < 1e-18);
    assert!(level_half(&spread(0.0, 0.0011, 4)) > floor_half(4) * 1.2);
}

#[test]
fn one_block_decides_nothing_however_far() {
    for far in [-700.0, -1.0, -0.02, 0.0, 0.02, 1.0, 700.0] {
        let pair = level(far, 1);
        assert_eq!((pair.verdict, pair.k), (Verdict::Inconclusive, 3));
        assert_eq!((pair.n_used, pair.mean), (0, Some(real(far))));
    }
}

#[test]
fn a_tie_needs_four_blocks() {
    for n in 0..4 {
        let pair = level(0.0, n);
        assert_eq!((pair.verdict, pair.reason), (Verdict::Inconclusive, Some(Reason::NeedMore)));
        assert_eq!(pair.k, 4 - u32::try_from(n).unwrap());
    }
    assert_eq!(level(0.0, 4).verdict, Verdict::Tied);
}

#[test]
fn two_blocks_decide_only_below_nine_and_a_quarter_percent() {
    let threshold = -(DELTA + 2.053_748_910_631_823 * 2_f64.sqrt() * 0.03);
    assert!((threshold + 0.097_083_5).abs() < 1e-7);
    let below = threshold.next_down();
    let pair = level(below, 2);
    assert_eq!((pair.verdict, pair.rule, pair.n_used), (Verdict::Behind, Some(Rule::Fast2), 2));
    assert_eq!((pair.mean, pair.sd), (Some(real(below)), Some(real(0.0))));
    assert_eq!((pair.half, pair.lo, pair.hi, pair.k), (None, None, None, 0));
    for on in [[threshold, below], [below, threshold], [threshold, threshold]] {
        assert_eq!(judge(&on).verdict, Verdict::Inconclusive);
    }
}

#[test]
fn two_blocks_decide_only_within_four_hundredths() {
    // No two doubles so far below zero are exactly 0.04 apart; these are just inside and outside.
    let (inside, outside) = (-0.16 + 1e-15, -0.16 - 1e-15);
    for pair in [[-0.12, inside], [inside, -0.12]] {
        assert_eq!(judge(&pair).rule, Some(Rule::Fast2));
    }
    for pair in [[-0.12, outside], [outside, -0.12]] {
        assert_eq!(judge(&pair).verdict, Verdict::Inconclusive);
    }
}

#[test]
fn blocks_missing_are_those_to_the_next_look() {
    // One ratio far out keeps every look undecided.
    for n in 1..=40_u32 {
        let ratios: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 0.5 } else { -0.5 }).collect();
        let next = LOOKS.into_iter().find(|&look| look > n);
        assert_eq!(judge(&ratios).k, next.map_or(0, |next| next - n), "{n} blocks");
    }
}

#[test]
fn unbalanced_looks_are_skipped() {
    let tied = |order: &str| decide_ratios(&reals(&vec![0.0; order.len()]), &slots(order)).unwrap();
    let pair = tied("VVVC");
    assert_eq!((pair.verdict, pair.reason), (Verdict::Inconclusive, Some(Reason::Unbalanced)));
    assert_eq!((pair.n_used, pair.mean, pair.k), (0, Some(real(0.0)), 2));
    assert_eq!(tied("CCCV").reason, Some(Reason::Unbalanced));
    assert_eq!(tied("VVVCC").reason, Some(Reason::Unbalanced));
    assert_eq!((tied("VVVCCC").verdict, tied("VVVCCC").n_used), (Verdict::Tied, 6));
    assert_eq!((tied("VVCC").verdict, tied("CVVC").n_used), (Verdict::Tied, 4));
    assert_eq!(tied("VVV").reason, Some(Reason::NeedMore), "no look was due");
}

#[test]
fn a_valid_look_outlives_an_unbalanced_one() {
    let pair = decide_ratios(&reals(&spread(-DELTA, 0.01, 6)), &slots("VCVCVV")).unwrap();
    assert_eq!((pair.n_used, pair.reason, pair.k), (4, Some(Reason::NeedMore), 2));
}

#[test]
fn noise_is_called_from_twelve_blocks_on() {
    let hopeless = |n| judge(&spread(-DELTA, 0.05, n));
    for n in [4, 6, 8, 11] {
        assert_eq!(hopeless(n).reason, Some(Reason::NeedMore), "{n} blocks");
    }
    for n in [12, 16, 24, 31] {
        assert_eq!((hopeless(n).reason, hopeless(n).forecast), (Some(Reason::Noise), None));
    }
    for n in [32, 33, 100] {
        assert_eq!((hopeless(n).reason, hopeless(n).k), (Some(Reason::Cap), 0));
        assert_eq!(hopeless(n).n_used, 32);
    }
}

/// Undecided at `n` blocks, with the mean `share` of the last look's half width above -1 %.
fn at_share(n: usize, share: f64) -> Pair {
    let sd = 0.01 * (n as f64 / (n as f64 - 1.0)).sqrt();
    let half = CRITICAL[6].1 * sd / 32_f64.sqrt();
    judge(&spread(-DELTA + share * half, 0.01, n))
}

#[test]
fn a_look_in_reach_at_seventy_percent_keeps_the_runs_going() {
    assert_eq!(at_share(12, 0.699_999).reason, Some(Reason::Noise));
    assert_eq!(at_share(12, -0.699_999).reason, Some(Reason::Noise));
    let beyond = at_share(12, 0.700_001);
    assert_eq!((beyond.reason, beyond.forecast), (Some(Reason::NeedMore), None));
    assert_eq!(at_share(12, -0.700_001).reason, Some(Reason::NeedMore));
}

#[test]
fn the_forecast_is_the_first_look_that_would_decide() {
    assert_eq!(at_share(12, 1.000_001).forecast, Some(32));
    assert_eq!(at_share(12, 0.999_999).forecast, None);
    // At four blocks the rest starts with six.
    let edge = floor_half(6);
    let at = |share: f64| level(share * edge - DELTA, 4);
    assert_eq!((at(1.001).forecast, at(0.999).forecast), (Some(6), Some(8)));
    assert_eq!((at(-1.001).forecast, at(-0.999).forecast), (Some(6), Some(8)));
}

#[test]
fn a_lean_is_slower_for_certain_and_by_one_percent_as_estimated() {
    // 32 blocks; the half width is 0.70 of the distance to zero or just reaches it.
    let at = |mean: f64, distance: f64| judge(&spread(mean, distance, 32));
    let pair = at(-0.0101, 0.01);
    assert_eq!((pair.reason, pair.lean), (Some(Reason::Cap), true));
    assert!(!at(-0.0099, 0.01).lean, "the estimate is inside 1 %");
    assert!(!at(-0.0101, 0.05).lean, "the interval reaches zero");
    let early = judge(&spread(-0.0101, 0.005, 8));
    assert_eq!((early.reason, early.lean), (Some(Reason::NeedMore), false));
    assert!(early.hi.unwrap().get() < 0.0);
}

#[test]
fn a_mean_on_the_threshold_leans() {
    let pair = level(-DELTA, 32);
    assert_eq!((pair.mean, pair.reason, pair.lean), (Some(real(-DELTA)), Some(Reason::Cap), true));
    assert!(!level((-DELTA).next_up(), 32).lean);
}

#[test]
fn lists_of_different_lengths_are_refused() {
    let two = measured(&[1.0, 2.0]);
    let one = measured(&[1.0]);
    let error = LengthError { list: "c", expected: 2, found: 1 };
    assert_eq!(decide(&two, &one, &alternating(2)), Err(error));
    assert_eq!(log_ratios(&two, &one), Err(error));
    let error = LengthError { list: "order", expected: 2, found: 3 };
    assert_eq!(decide(&two, &two, &alternating(3)), Err(error));
    assert_eq!(error.to_string(), "`order` has 3 entries where 2 belong");
}

#[test]
fn a_latency_is_better_when_it_is_lower() {
    let vllm = measured(&[0.9; 4]);
    let other = measured(&[1.0; 4]);
    let ratios = log_ratios(&other, &vllm).unwrap();
    assert_eq!(decide_ratios(&ratios, &alternating(4)).unwrap().verdict, Verdict::Ahead);
}

#[test]
fn ratios_that_overflow_decide_nothing() {
    for huge in [f64::MAX, f64::MIN] {
        let mut ratios = vec![huge; 32];
        ratios[1] = -huge;
        let pair = judge(&ratios);
        assert_eq!((pair.verdict, pair.reason), (Verdict::Inconclusive, Some(Reason::Cap)));
        assert_eq!((pair.mean, pair.lo, pair.hi), (None, None, None));
        assert_eq!(pooled(&reals(&ratios)), None);
    }
}

#[test]
fn the_pooled_interval_is_that_of_the_largest_look() {
    let ratios: Vec<f64> = (0..40).map(|i| f64::from(i % 5) * 0.001).collect();
    for n in 0..=40 {
        let interval = pooled(&reals(&ratios[..n]));
        let look = LOOKS.into_iter().rev().find(|&look| look as usize <= n);
        assert_eq!(interval.map(|interval| interval.n), look, "{n} ratios");
    }
    let pair = judge(&ratios[..4]);
    let interval = pooled(&reals(&ratios[..5])).unwrap();
    assert_eq!((Some(interval.mean), Some(interval.lo)), (pair.mean, pair.lo));
    assert_eq!(Some(interval.hi), pair.hi);
}

#[test]
fn a_pooled_interval_is_stop_eligible_above_the_threshold() {
    let mut interval = pooled(&reals(&[0.0; 4])).unwrap();
    assert!(stop_eligible(&interval));
    interval.lo = real(-DELTA);
    assert!(!stop_eligible(&interval));
    interval.lo = real((-DELTA).next_up());
    assert!(stop_eligible(&interval));
}

#[test]
fn the_words_are_those_of_the_vectors() {
    let json = |value: &dyn Fn() -> serde_json::Value| value().to_string();
    assert_eq!(json(&|| serde_json::json!([Rule::Fast2, Rule::Look])), r#"["fast2","look"]"#);
    let orders = [Order::VllmFirst, Order::CompetitorFirst];
    assert_eq!(json(&|| serde_json::json!(orders)), r#"["V","C"]"#);
    assert_eq!(Verdict::AtLeastTied.to_string(), "AtLeastTied");
    let pair = level(0.0, 4);
    let text = serde_json::to_string(&pair).unwrap();
    assert_eq!(serde_json::from_str::<Pair>(&text).unwrap(), pair);
    let more = text.replace("\"k\":", "\"extra\":1,\"k\":");
    assert!(serde_json::from_str::<Pair>(&more).is_err());
}
