//! The statistical verdict of GD-1 and GD-2 as pure functions: numbers in, a decision out.
//!
//! A block is one run of vLLM and of each competitor, back to back, each in a fresh launch. All
//! that decides is the log ratio `d = ln vLLM - ln competitor` of a block (for a latency the other
//! way round, so that more is always better). [`decide`] looks at the first 4, 6, 8, 12, 16, 24
//! and 32 blocks and stops at the first look whose interval decides; [`fold_competitors`] and
//! [`fold_campaign`] turn those answers into the campaign's next [`Action`].
//!
//! Nothing here panics on any input, and nothing reads a clock, a file or a random number.

mod evaluate;
mod fold;
mod gates;
mod interval;
mod noise;
mod pair;
mod report;

use core::fmt;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use evaluate::{ErrorCode, EvaluateError, KINDS, evaluate};
pub use fold::{
    Action, CampaignFold, ScenarioFold, SessionKind, Standing, fold_campaign, fold_competitors,
};
pub use gates::{
    Improvement, Ncu, NcuState, Sla, SlaState, improvement, improvement_ratios, ncu, sla,
};
pub use interval::{Interval, pooled, stop_eligible};
pub use noise::{Noise, blocks_for, noise};
pub use pair::{Pair, decide, decide_ratios};
pub use report::{OrderEffect, Slope, Welch, literal, order_effect, outliers, slope_t, welch};

use crate::measure::{Measured, Real};

/// The numbers of blocks at which a decision may fall (GD-2).
pub const LOOKS: [u32; 7] = [4, 6, 8, 12, 16, 24, 32];

/// Where vLLM stands, against one competitor, in a scenario, or in the campaign (GD-1, GD-8).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Verdict {
    /// Slower by more than 1 %.
    Behind,
    /// Not slower by 1 %; whether tied or ahead is not resolved.
    AtLeastTied,
    /// Within 1 % both ways.
    Tied,
    /// Faster, and by more than a tie allows.
    Ahead,
    /// vLLM passes the SLA and every competitor, having run its search, fails it (GD-8).
    Unopposed,
    /// Not decided by the blocks at hand.
    Inconclusive,
    /// No competitor ran.
    NoCompetitor,
}

/// Why a comparison is inconclusive.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Reason {
    /// The next look may decide.
    NeedMore,
    /// Every look so far had more blocks of one order than of the other.
    Unbalanced,
    /// No remaining look is likely to decide at this noise.
    Noise,
    /// The last look is used up.
    Cap,
}

/// What decided a comparison.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The first two blocks, both far behind and close to each other.
    Fast2,
    /// The interval at a look.
    Look,
}

/// Which side of a block ran first; written `V` or `C`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Order {
    /// vLLM ran before the competitor.
    #[serde(rename = "V")]
    VllmFirst,
    /// The competitor ran before vLLM.
    #[serde(rename = "C")]
    CompetitorFirst,
}

/// Lists that belong together and have different lengths.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("`{list}` has {found} entries where {expected} belong")]
pub struct LengthError {
    /// The name of the list that differs.
    pub list: &'static str,
    /// How many entries its partner has.
    pub expected: usize,
    /// How many it has itself.
    pub found: usize,
}

impl Verdict {
    /// Whether a stop may rest on this: not slower than the threshold, proven (ST-1, ST-2).
    pub fn stop_eligible(self) -> bool {
        matches!(self, Self::AtLeastTied | Self::Tied | Self::Ahead | Self::Unopposed)
    }
}

impl Reason {
    /// Whether further blocks are the answer.
    pub fn needs_more(self) -> bool {
        matches!(self, Self::NeedMore | Self::Unbalanced)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl LengthError {
    /// Checks that a list is as long as its partner.
    fn check(list: &'static str, found: usize, expected: usize) -> Result<(), Self> {
        if found == expected { Ok(()) } else { Err(Self { list, expected, found }) }
    }
}

/// The log ratios `ln a - ln b`, block by block: above zero when `a` is larger.
///
/// For a throughput `a` is vLLM; for a latency `a` is the competitor (GD-6).
///
/// # Errors
///
/// When the lists differ in length.
pub fn log_ratios(a: &[Measured], b: &[Measured]) -> Result<Vec<Real>, LengthError> {
    LengthError::check("c", b.len(), a.len())?;
    Ok(a.iter().zip(b).map(|(&a, &b)| log_ratio(a, b)).collect())
}

/// The natural logarithms of measurements, for the drift of a level over the blocks.
pub fn logs(values: &[Measured]) -> Vec<Real> {
    values.iter().map(|&value| Real::clamped(ln(value))).collect()
}

fn log_ratio(a: Measured, b: Measured) -> Real {
    Real::clamped(ln(a) - ln(b))
}

fn ln(value: Measured) -> f64 {
    libm::log(value.get())
}

/// A finite number, or nothing.
fn real(value: f64) -> Option<Real> {
    Real::new(value).ok()
}

/// The number of a list's entries.
fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
