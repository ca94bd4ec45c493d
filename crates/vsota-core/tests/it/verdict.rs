//! The statistical verdict: the vectors, the exact boundaries, and what holds for any blocks.

mod boundaries;
mod evaluate;
mod folds;
mod gates;
mod properties;
mod vectors;

use vsota_core::measure::{Measured, Real};
use vsota_core::verdict::Order;
use vsota_core::verdict::Order::{CompetitorFirst, VllmFirst};

fn measured(values: &[f64]) -> Vec<Measured> {
    values.iter().map(|&value| Measured::new(value).unwrap()).collect()
}

fn reals(values: &[f64]) -> Vec<Real> {
    values.iter().map(|&value| Real::new(value).unwrap()).collect()
}

fn real(value: f64) -> Real {
    Real::new(value).unwrap()
}

/// VC VC VC …
fn alternating(n: usize) -> Vec<Order> {
    [VllmFirst, CompetitorFirst].into_iter().cycle().take(n).collect()
}

/// `VVCC` as slots.
fn slots(text: &str) -> Vec<Order> {
    text.chars().map(|c| if c == 'V' { VllmFirst } else { CompetitorFirst }).collect()
}
