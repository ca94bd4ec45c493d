//! The four reasons to stop, their claim and its confirmation (ST-1 … ST-5, GD-4).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Standpoint, words};
use crate::artifact::Artifact;
use crate::text::{Line, Prose};

words::vocabulary! {
    /// Why a campaign may stop.
    pub enum StopReason("stop reason") {
        /// vLLM beats every competitor (ST-1).
        Beats = "beats",
        /// vLLM is tied within the stable threshold (ST-2).
        Tied = "tied",
        /// The gap is external to vLLM (ST-3).
        External = "external",
        /// The hot path is near its limit (ST-4).
        Limit = "limit",
    }
}

/// A claim that the campaign is done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StopClaim {
    /// Where checkout and loop stand.
    pub stand: Standpoint,
    /// The reason.
    pub reason: StopReason,
    /// The named cause, for ST-3 and ST-4.
    pub because: Option<Prose>,
    /// Its evidence, for ST-3 and ST-4.
    pub evidence: Vec<Artifact>,
    /// The first failure that the evidence shows; without one it is prose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Line>,
}

/// The end of a campaign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StopOrder {
    /// Confirms the standing claim after Humanize's review (GD-4).
    Confirm {
        /// Where checkout and loop stand.
        stand: Standpoint,
    },
    /// No fair comparison can exist (ST-3, from FixedBenchmark).
    External {
        /// The named cause.
        because: Line,
        /// Its evidence.
        evidence: Vec<Artifact>,
        /// The first failure that the evidence shows; without one it is prose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown: Option<Line>,
    },
}
