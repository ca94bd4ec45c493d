//! What holds for any blocks.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use vsota_core::measure::{DELTA, Measured, Real};
use vsota_core::verdict::{
    KINDS, LOOKS, Order, Pair, Reason, Rule, Verdict, decide, decide_ratios, evaluate, pooled,
    stop_eligible,
};

use super::{alternating, reals};

/// Log ratios around a gap with a noise, so that every verdict turns up.
fn ratios(n: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    let noise = prop_oneof![Just(0.0005), Just(0.003), Just(0.01), Just(0.03), Just(0.1)];
    (-0.13..0.06, noise, vec(-1.0..1.0, n))
        .prop_map(|(gap, noise, all)| all.into_iter().map(|x: f64| gap + noise * x).collect())
}

fn order(n: usize) -> impl Strategy<Value = Vec<Order>> {
    vec(prop_oneof![Just(Order::VllmFirst), Just(Order::CompetitorFirst)], n)
}

/// Blocks in a fair order or any order.
fn blocks() -> impl Strategy<Value = (Vec<f64>, Vec<Order>)> {
    (0_usize..=36).prop_flat_map(|n| (ratios(n), prop_oneof![Just(alternating(n)), order(n)]))
}

fn judge(all: &[f64], order: &[Order]) -> Pair {
    decide_ratios(&reals(all), order).unwrap()
}

fn throughputs() -> impl Strategy<Value = Vec<(f64, f64)>> {
    vec((11.5..12.5, 11.5..12.5), 0..=36)
}

fn of(values: impl Iterator<Item = f64>) -> Vec<Measured> {
    values.map(|value| Measured::new(value).unwrap()).collect()
}

proptest! {
    #[test]
    fn later_blocks_cannot_undo_a_decision((all, order) in blocks()) {
        let whole = judge(&all, &order);
        for n in 0..=all.len() {
            let part = judge(&all[..n], &order[..n]);
            if part.verdict != Verdict::Inconclusive {
                prop_assert_eq!(part, whole);
                break;
            }
        }
    }

    #[test]
    fn a_decision_falls_at_a_fair_look_or_after_two_far_blocks((all, order) in blocks()) {
        let pair = judge(&all, &order);
        match pair.rule {
            Some(Rule::Fast2) => {
                prop_assert_eq!((pair.verdict, pair.n_used), (Verdict::Behind, 2));
                prop_assert!(all[0] < -0.097 && all[1] < -0.097);
            }
            Some(Rule::Look) => {
                let used = &order[..pair.n_used as usize];
                let first = used.iter().filter(|&&slot| slot == Order::VllmFirst).count();
                prop_assert!(LOOKS.contains(&pair.n_used) && 2 * first == used.len());
            }
            None => prop_assert_eq!(pair.verdict, Verdict::Inconclusive),
        }
        prop_assert_eq!(pair.rule.is_none(), pair.reason.is_some());
    }

    #[test]
    fn a_verdict_agrees_with_its_interval((all, order) in blocks()) {
        let pair = judge(&all, &order);
        let (Some(lo), Some(hi)) = (pair.lo.map(Real::get), pair.hi.map(Real::get)) else {
            return Ok(());
        };
        let expected = match () {
            () if hi < -DELTA => Verdict::Behind,
            () if lo <= -DELTA => Verdict::Inconclusive,
            () if hi < DELTA => Verdict::Tied,
            () if lo > 0.0 => Verdict::Ahead,
            () => Verdict::AtLeastTied,
        };
        prop_assert_eq!(pair.verdict, expected);
    }

    #[test]
    fn fewer_than_four_blocks_never_stop(all in ratios(0..4)) {
        prop_assert!(!judge(&all, &alternating(all.len())).verdict.stop_eligible());
    }

    #[test]
    fn one_block_decides_nothing(ratio in -700.0..700.0, slot in order(1)) {
        let pair = judge(&[ratio], &slot);
        prop_assert_eq!((pair.verdict, pair.k), (Verdict::Inconclusive, 3));
    }

    #[test]
    fn blocks_that_all_start_with_vllm_are_never_judged_by_interval(all in ratios(0..=36)) {
        let pair = judge(&all, &vec![Order::VllmFirst; all.len()]);
        prop_assert!(pair.rule != Some(Rule::Look));
        if pair.rule.is_none() {
            let early = all.len() < 4;
            let reason = if early { Reason::NeedMore } else { Reason::Unbalanced };
            prop_assert_eq!(pair.reason, Some(reason));
        }
    }

    #[test]
    fn a_change_of_units_changes_no_verdict(all in throughputs(), power in -60_i32..60) {
        let order = alternating(all.len());
        let (v, c) = (of(all.iter().map(|x| x.0)), of(all.iter().map(|x| x.1)));
        let factor = 10_f64.powi(power);
        let scaled = |x: &[Measured]| of(x.iter().map(|x| x.get() * factor));
        let (one, other) = (
            decide(&v, &c, &order).unwrap(),
            decide(&scaled(&v), &scaled(&c), &order).unwrap(),
        );
        // A bound within rounding of a threshold may fall on either side.
        let near = [one.lo, one.hi].into_iter().flatten().any(|bound| {
            [-DELTA, 0.0, DELTA].iter().any(|t| (bound.get() - t).abs() < 1e-12)
        });
        prop_assume!(!near);
        prop_assert_eq!(one.verdict, other.verdict);
        prop_assert_eq!((one.n_used, one.k), (other.n_used, other.k));
        let mean = |pair: &Pair| pair.mean.map_or(0.0, Real::get);
        prop_assert!((mean(&one) - mean(&other)).abs() < 1e-12);
    }

    #[test]
    fn swapping_the_sides_mirrors_the_verdict(all in throughputs()) {
        let order = alternating(all.len());
        let (v, c) = (of(all.iter().map(|x| x.0)), of(all.iter().map(|x| x.1)));
        let (one, other) = (decide(&v, &c, &order).unwrap(), decide(&c, &v, &order).unwrap());
        if one.n_used == other.n_used {
            let minus = |bound: Option<Real>| bound.map(|bound| 0.0 - bound.get());
            prop_assert_eq!(minus(one.mean), other.mean.map(Real::get));
            prop_assert_eq!(minus(one.lo), other.hi.map(Real::get));
            prop_assert_eq!(minus(one.hi), other.lo.map(Real::get));
            prop_assert_eq!(one.verdict == Verdict::Tied, other.verdict == Verdict::Tied);
        }
        if one.verdict == Verdict::Behind {
            prop_assert!(other.verdict != Verdict::Behind);
        }
    }

    #[test]
    fn clearly_behind_is_clearly_ahead_from_the_other_side(
        gap in 0.03..0.09, noise in vec(-0.004..0.004, 4..=32_usize),
    ) {
        let order = alternating(noise.len());
        let slow: Vec<f64> = noise.iter().map(|x| x - gap).collect();
        let fast: Vec<f64> = slow.iter().map(|x| -x).collect();
        prop_assert_eq!(judge(&slow, &order).verdict, Verdict::Behind);
        prop_assert_eq!(judge(&fast, &order).verdict, Verdict::Ahead);
    }

    #[test]
    fn a_stop_at_the_last_block_is_stop_eligible_when_pooled(all in ratios(0..=32)) {
        let pair = judge(&all, &alternating(all.len()));
        let interval = pooled(&reals(&all));
        if pair.rule == Some(Rule::Look) && pair.n_used as usize == all.len() {
            prop_assert_eq!(pair.verdict.stop_eligible(), stop_eligible(&interval.unwrap()));
        }
        prop_assert_eq!(interval.is_some(), all.len() >= 4);
    }

    #[test]
    fn no_input_makes_evaluation_panic(input in json_value(), kind in 0..KINDS.len()) {
        let _ = evaluate(KINDS[kind], &input);
    }
}

/// JSON that resembles inputs: the right names, and values right and wrong.
fn json_value() -> impl Strategy<Value = Value> {
    let number =
        prop_oneof![Just(0.0), Just(-1.0), Just(1e308), Just(5e-324), 0.5..2.0, Just(f64::MAX)];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(Value::from),
        "[VC]{0,6}".prop_map(Value::from),
        Just(json!("Inconclusive")),
    ];
    let list = vec(leaf.clone(), 0..6).prop_map(Value::from);
    let numbers = vec(0.5..2.0, 0..40).prop_map(Value::from);
    let table = vec(numbers.clone(), 0..3).prop_map(Value::from);
    let name = prop_oneof![
        Just("v"),
        Just("c"),
        Just("order"),
        Just("y"),
        Just("values"),
        Just("limit"),
        Just("new"),
        Just("base"),
        Just("base_us"),
        Just("cand_us"),
        Just("scenarios"),
        Just("session"),
        Just("sla_fail_while_other_passes"),
    ];
    let value = prop_oneof![leaf.clone(), list, numbers, table];
    let fields = vec((name, value), 0..4);
    prop_oneof![
        leaf,
        fields.prop_map(|all| all.into_iter().map(|(k, v)| (k.to_string(), v)).collect()),
    ]
}
