//! Interim.
#![allow(missing_docs)]
use serde::{Deserialize, Serialize};
use vsota_core::Digest;
use vsota_core::event::Event;
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub seq: Seq,
    pub at: i64,
    pub prev: Digest,
    pub event: Event,
}
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);
