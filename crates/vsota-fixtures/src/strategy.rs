//! Strategies for property tests: random walks that shrink by leaving out attempts.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::walk::{STARTS, Walk};

/// A walk of at most `longest` attempts, from one of the [`STARTS`].
pub fn walk(longest: usize) -> impl Strategy<Value = Walk> {
    (0..STARTS.len(), vec(any::<u64>(), 1..=longest))
        .prop_map(|(start, dice)| Walk::from_dice(STARTS[start], &dice))
}

/// A walk that begins at one place.
pub fn walk_from(start: &'static str, longest: usize) -> impl Strategy<Value = Walk> {
    vec(any::<u64>(), 1..=longest).prop_map(move |dice| Walk::from_dice(start, &dice))
}

/// A finite number above zero, of any size: subnormal, tiny, ordinary, huge.
pub fn measurement() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter_map("a measurement", |it| {
        let it = it.abs();
        (it.is_finite() && it > 0.0).then_some(it)
    })
}
