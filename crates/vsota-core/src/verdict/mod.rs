//! Interim types until the verdict lands.
#![allow(missing_docs)]
use crate::measure::Real;
use serde::{Deserialize, Serialize};
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Verdict {
    Behind,
    AtLeastTied,
    Tied,
    Ahead,
    Unopposed,
    Inconclusive,
    NoCompetitor,
}
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Action {
    Patch,
    PatchLean,
    Confirm,
    Stop,
    MoreRuns,
    NoiseBlocked,
    NoBaseline,
}
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    Gate,
    Confirm,
}
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum SlaState {
    Pass,
    Fail,
    Marginal,
}
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pair {
    pub verdict: Verdict,
    pub mean: Option<Real>,
}
