//! Numbers that decide: measured values, real results of arithmetic, and fractions.

use core::cmp::Ordering;
use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One percent as a log ratio, `ln 1.01`: the threshold of GD-2.
pub const DELTA: f64 = 0.009_950_330_853_168_083;

/// A measured number: finite and above zero, in the unit of its metric.
///
/// Zero is never a measurement (`reference/formats.md` rule 4), so it cannot be written down here.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Measured(f64);

/// The result of arithmetic on measured numbers: finite, of any sign.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Real(f64);

/// A share of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fraction(f64);

/// A number that cannot be what it claims to be.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum NumberError {
    /// Zero, negative, infinite or not a number.
    #[error("{0} is not a measurement (finite and above zero)")]
    NotMeasured(f64),
    /// Infinite or not a number.
    #[error("{0} is not finite")]
    NotFinite(f64),
    /// Outside 0 to 1.
    #[error("{0} is not a fraction between 0 and 1")]
    NotAFraction(f64),
}

impl Measured {
    /// Reads a number as a measurement.
    ///
    /// # Errors
    ///
    /// When it is zero, negative, infinite or not a number.
    pub fn new(value: f64) -> Result<Self, NumberError> {
        if value.is_finite() && value > 0.0 {
            Ok(Self(value))
        } else {
            Err(NumberError::NotMeasured(value))
        }
    }

    /// The number, in the unit of its metric.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Real {
    /// Keeps a result of arithmetic.
    ///
    /// # Errors
    ///
    /// When it is infinite or not a number.
    pub fn new(value: f64) -> Result<Self, NumberError> {
        if value.is_finite() { Ok(Self(value)) } else { Err(NumberError::NotFinite(value)) }
    }

    /// Keeps a result that may overflow: an infinity becomes the last finite number on its side.
    ///
    /// For arithmetic that cannot give NaN, such as a quotient of measurements.
    #[expect(clippy::manual_clamp, reason = "clamp would let NaN through")]
    pub(crate) fn clamped(value: f64) -> Self {
        Self(value.max(f64::MIN).min(f64::MAX))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Fraction {
    /// Nothing of the whole.
    pub const ZERO: Self = Self(0.0);
    /// All of the whole.
    pub const ONE: Self = Self(1.0);

    /// Reads a share.
    ///
    /// # Errors
    ///
    /// When it lies outside 0 to 1.
    pub fn new(value: f64) -> Result<Self, NumberError> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(NumberError::NotAFraction(value))
        }
    }

    /// The share, 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

macro_rules! ordered {
    ($($Number:ident)+) => { $(
        impl Eq for $Number {}

        impl PartialEq for $Number {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other) == Ordering::Equal
            }
        }

        impl Ord for $Number {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.total_cmp(&other.0)
            }
        }

        impl PartialOrd for $Number {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Display for $Number {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl TryFrom<f64> for $Number {
            type Error = NumberError;

            fn try_from(value: f64) -> Result<Self, NumberError> {
                Self::new(value)
            }
        }

        impl From<$Number> for f64 {
            fn from(number: $Number) -> Self {
                number.0
            }
        }
    )+ };
}

ordered! { Measured Real Fraction }

/// The geometric mean of measurements; nothing without any.
#[expect(clippy::cast_precision_loss, reason = "there are few values")]
pub fn geometric_mean(values: &[Measured]) -> Option<Measured> {
    let logs: f64 = values.iter().map(|it| libm::log(it.0)).sum();
    Measured::new(libm::exp(logs / values.len() as f64)).ok()
}
