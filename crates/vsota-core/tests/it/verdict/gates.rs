//! SLA, improvement, kernel counters, and what is only reported.

use vsota_core::measure::{DELTA, Measured};
use vsota_core::verdict::{
    LengthError, NcuState, SlaState, improvement, improvement_ratios, literal, logs, ncu,
    order_effect, outliers, sla, slope_t, welch,
};

use super::{alternating, measured, real, reals, slots};

/// The half width of four equal log ratios.
const HALF: f64 = 0.002_140_999_905_800_36;

fn times(factor: f64, n: usize) -> Vec<Measured> {
    measured(&vec![100.0 * factor; n])
}

fn limit() -> Measured {
    Measured::new(100.0).unwrap()
}

#[test]
fn an_sla_needs_four_values() {
    for n in 0..4 {
        let found = sla(&times(0.1, n), limit());
        assert_eq!((found.state, found.lo, found.hi), (SlaState::Marginal, None, None));
    }
    assert_eq!(sla(&times(0.1, 4), limit()).state, SlaState::Pass);
    assert_eq!(sla(&times(10.0, 4), limit()).state, SlaState::Fail);
}

#[test]
fn an_sla_bound_on_the_limit_is_marginal() {
    let state = |log: f64| sla(&times(log.exp(), 4), limit()).state;
    assert_eq!((state(-HALF - 1e-9), state(-HALF + 1e-9)), (SlaState::Pass, SlaState::Marginal));
    assert_eq!((state(HALF + 1e-9), state(HALF - 1e-9)), (SlaState::Fail, SlaState::Marginal));
}

#[test]
fn a_gain_of_nothing_but_the_half_width_is_not_accepted() {
    let half = improvement_ratios(&reals(&[0.0; 4])).hi.unwrap().get();
    assert!((half - HALF).abs() < 1e-17);
    let on = improvement_ratios(&reals(&[half; 4]));
    assert_eq!((on.lo, on.accept), (Some(real(0.0)), false));
    assert!(improvement_ratios(&reals(&[half.next_up(); 4])).accept);
}

#[test]
fn a_gain_of_exactly_one_percent_is_not_weak() {
    let on = improvement_ratios(&reals(&[DELTA; 4]));
    assert!(on.accept && !on.weak);
    let below = improvement_ratios(&reals(&[DELTA.next_down(); 4]));
    assert!(below.accept && below.weak);
}

#[test]
fn three_blocks_are_neither_weak_nor_accepted() {
    let found = improvement_ratios(&reals(&[0.5, 0.25, 0.0]));
    assert_eq!((found.mean, found.lo, found.hi), (Some(real(0.25)), None, None));
    assert!(!found.weak && !found.accept);
    assert!(!improvement_ratios(&reals(&[0.0; 3])).weak);
    assert_eq!(improvement_ratios(&[]).mean, None);
}

#[test]
fn a_gain_is_the_mean_over_the_scenarios_inside_each_block() {
    let (new, base) = ([times(1.21, 4), times(1.0, 4)], [times(1.0, 4), times(1.0, 4)]);
    let found = improvement(&new, &base).unwrap();
    assert!((found.mean.unwrap().get() - 1.1_f64.ln()).abs() < 1e-12);
    // One scenario up and one down by the same factor in each block: no spread, no gain.
    let (new, base) = (
        [measured(&[1.0, 2.0, 3.0, 4.0]), measured(&[1.0; 4])],
        [measured(&[1.0; 4]), measured(&[1.0, 2.0, 3.0, 4.0])],
    );
    let found = improvement(&new, &base).unwrap();
    assert!(found.mean.unwrap().get().abs() < 1e-15 && found.weak);
    assert!(found.hi.unwrap().get() < HALF + 1e-15);
}

#[test]
fn tables_of_different_shapes_are_refused() {
    let error = |list, expected, found| Err(LengthError { list, expected, found });
    let (two, three) = (times(1.0, 2), times(1.0, 3));
    let rows = |rows: &[&Vec<Measured>]| rows.iter().map(|&row| row.clone()).collect::<Vec<_>>();
    let found = improvement(&rows(&[&two]), &rows(&[&two, &two]));
    assert_eq!(found, error("base", 1, 2));
    let found = improvement(&rows(&[&two, &three]), &rows(&[&two, &three]));
    assert_eq!(found, error("new", 2, 3));
    assert_eq!(improvement(&rows(&[&two]), &rows(&[&three])), error("base", 2, 3));
    assert_eq!(improvement(&[], &[]).unwrap().mean, None);
    let expected = LengthError { list: "cand_us", expected: 2, found: 3 };
    assert_eq!(ncu(&two, &three), Err(expected));
}

/// A candidate that is faster by this log ratio in each of four timings.
fn kernel(log: f64) -> (NcuState, bool) {
    let found = ncu(&times(log.exp(), 4), &times(1.0, 4)).unwrap();
    (found.state, found.ncu_required)
}

#[test]
fn a_kernel_gain_alone_needs_no_counters() {
    let two = 1.02_f64.ln();
    assert_eq!(kernel(two + HALF + 1e-9), (NcuState::Gain, false));
    assert_eq!(kernel(two + HALF - 1e-9), (NcuState::Unclear, true));
    assert_eq!(kernel(two - HALF + 1e-9), (NcuState::Unclear, true));
    assert_eq!(kernel(two - HALF - 1e-9), (NcuState::WithinBand, true));
    assert_eq!(kernel(0.0), (NcuState::WithinBand, true));
    assert_eq!(kernel(-HALF + 1e-9), (NcuState::WithinBand, true));
    assert_eq!(kernel(-HALF - 1e-9), (NcuState::Regress, true));
    assert_eq!(kernel(-0.5), (NcuState::Regress, true));
    let few = ncu(&times(2.0, 3), &times(1.0, 3)).unwrap();
    assert_eq!((few.state, few.lo, few.hi), (NcuState::Unclear, None, None));
    assert!(few.ncu_required);
}

#[test]
fn a_kernel_that_may_be_much_slower_is_unclear() {
    // The interval spans from far below -2 % to above 0.
    let (base, cand) = (measured(&[1.0; 4]), measured(&[1.0, 1.1, 1.0, 1.1]));
    assert_eq!(ncu(&base, &cand).unwrap().state, NcuState::Unclear);
}

#[test]
fn welch_needs_two_values_a_group() {
    let found = welch(&measured(&[2.0]), &measured(&[1.0, 1.0, 1.1]));
    assert!(found.mean.is_some());
    assert_eq!((found.nu, found.lo, found.hi), (None, None, None));
    assert_eq!(welch(&[], &measured(&[1.0, 2.0])).mean, None);
    let equal = welch(&measured(&[2.0; 3]), &measured(&[1.0; 3]));
    assert_eq!(equal.mean, Some(real(2.0_f64.ln())));
    assert_eq!((equal.nu, equal.lo, equal.hi), (None, None, None));
}

#[test]
fn an_order_effect_is_half_the_difference_of_the_orders() {
    let found = order_effect(&reals(&[0.04, 0.0, 0.04, 0.0]), &alternating(4)).unwrap();
    assert_eq!((found.tau, found.t, found.flag), (Some(real(0.02)), None, true));
    let none = order_effect(&reals(&[0.01; 4]), &alternating(4)).unwrap();
    assert_eq!((none.tau, none.t, none.flag), (Some(real(0.0)), None, false));
    let one_sided = order_effect(&reals(&[0.01; 4]), &slots("VVVV")).unwrap();
    assert_eq!((one_sided.tau, one_sided.t, one_sided.flag), (None, None, false));
    let two = order_effect(&reals(&[0.01, 0.0]), &slots("VC")).unwrap();
    assert_eq!((two.tau, two.t, two.flag), (Some(real(0.005)), None, false));
    let error = LengthError { list: "order", expected: 2, found: 1 };
    assert_eq!(order_effect(&reals(&[0.0, 0.0]), &slots("V")), Err(error));
}

#[test]
fn an_order_effect_is_flagged_from_one_percent_two_sided() {
    // Six blocks: four degrees of freedom, t = 4.604 at 1 %.
    let at = |shift: f64, sign: f64| {
        let noise = [0.001, 0.001, 0.0, 0.0, -0.001, -0.001];
        let ratios: Vec<f64> =
            (0..6).map(|i| noise[i] + if i % 2 == 0 { sign * shift } else { 0.0 }).collect();
        order_effect(&reals(&ratios), &alternating(6)).unwrap()
    };
    let error = 0.001 * (2.0_f64 / 3.0).sqrt();
    for sign in [-1.0, 1.0] {
        assert!(!at(4.604 * error, sign).flag);
        assert!(at(4.605 * error, sign).flag);
        assert!((at(4.6 * error, sign).t.unwrap().get() - sign * 4.6).abs() < 1e-9);
    }
    // Groups of four and two: the standard error counts both sizes.
    let ratios = reals(&[0.001, -0.001, 0.001, -0.001, 0.002, 0.004]);
    let found = order_effect(&ratios, &slots("VVVVCC")).unwrap();
    let error = (6e-6_f64 / 4.0 * 0.75).sqrt();
    assert!((found.t.unwrap().get() + 0.003 / error).abs() < 1e-9);
}

#[test]
fn a_slope_is_flagged_from_one_percent_two_sided() {
    // Residues 1 -2 1 are at right angles to a line; here doubled to six points, symmetrically.
    let residue = [1.0, -2.0, 1.0, 1.0, -2.0, 1.0];
    let error = (12.0_f64 / 4.0 / 17.5).sqrt();
    for sign in [-1.0, 1.0] {
        let at = |t: f64| {
            let y: Vec<f64> = (0..6).map(|i| residue[i] + sign * t * error * i as f64).collect();
            slope_t(&reals(&y))
        };
        assert!((at(4.6).t.unwrap().get() - sign * 4.6).abs() < 1e-9);
        assert!((at(4.6).slope.unwrap().get() - sign * 4.6 * error).abs() < 1e-12);
        assert!(!at(4.604).flag && at(4.605).flag);
    }
}

#[test]
fn a_slope_needs_two_points_and_its_test_three() {
    assert_eq!(slope_t(&[]).slope, None);
    assert_eq!(slope_t(&reals(&[1.0])).slope, None);
    let two = slope_t(&reals(&[1.0, 3.0]));
    assert_eq!((two.slope, two.t, two.flag), (Some(real(2.0)), None, false));
    let line = slope_t(&reals(&[1.0, 2.0, 3.0, 4.0]));
    assert_eq!((line.slope, line.t, line.flag), (Some(real(1.0)), None, true));
    let flat = slope_t(&reals(&[0.1; 7]));
    assert_eq!((flat.slope, flat.t, flat.flag), (Some(real(0.0)), None, false));
}

#[test]
fn an_outlier_lies_five_robust_deviations_from_the_median() {
    // Median 0, median absolute deviation 1.
    let at = |far: f64| outliers(&reals(&[-1.0, 1.0, -1.0, 1.0, far, -far]));
    assert_eq!(at(7.412), Vec::<u32>::new());
    assert_eq!(at(7.414), [4, 5]);
    assert_eq!(at(5.0 * 1.4826), Vec::<u32>::new(), "exactly five is still inside");
}

#[test]
fn outliers_of_equal_ratios_are_held_to_the_floor() {
    let at = |far: f64| outliers(&reals(&[0.0, 0.0, far, 0.0, 0.0, 0.0, 0.0]));
    assert_eq!((at(0.004_99), at(-0.005_01)), (vec![], vec![2]));
}

#[test]
fn outliers_are_looked_for_from_six_blocks_on() {
    assert_eq!(outliers(&reals(&[0.0, 0.0, 0.0, 0.0, 9.0])), Vec::<u32>::new());
    assert_eq!(outliers(&reals(&[0.0, 0.0, 0.0, 0.0, 0.0, 9.0])), [5]);
    // An odd number has one middle, an even one the mean of two.
    let odd = reals(&[0.0, 0.0, 0.0, 10.0, 10.0, 10.0, 10.0]);
    assert_eq!(outliers(&odd), [0, 1, 2]);
    let even = reals(&[0.0, 0.0, 0.0, 10.0, 10.0, 10.0]);
    assert_eq!(outliers(&even), Vec::<u32>::new());
}

#[test]
fn the_literal_gap_is_in_percent() {
    let gap = |v, c| literal(Measured::new(v).unwrap(), Measured::new(c).unwrap()).get();
    assert_eq!((gap(3.0, 2.0), gap(1.0, 2.0), gap(2.0, 2.0)), (50.0, -50.0, 0.0));
    assert_eq!(gap(1e308, 1e-300), f64::MAX);
    assert_eq!(gap(1e-300, 1e308), -100.0);
}

#[test]
fn logarithms_are_natural() {
    let found = logs(&measured(&[1.0, 2.0]));
    assert_eq!(found, reals(&[0.0, core::f64::consts::LN_2]));
}
