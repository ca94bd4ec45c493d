//! What the PR history of the model family said (HI-1 … HI-5).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Framework;
use crate::artifact::Artifact;
use crate::text::{Line, Name};

/// The history of one framework for the family, as noted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryNote {
    /// Whose history it is.
    pub framework: Framework,
    /// The knowledge root that was searched.
    pub root: Line,
    /// What was found there.
    pub outcome: HistoryOutcome,
    /// The draft that was filed.
    pub draft: Artifact,
}

/// What a look into the knowledge root gave.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HistoryOutcome {
    /// A history of the family, and what it says.
    Found {
        /// The family slug.
        slug: Name,
        /// What was taken from it.
        items: Vec<HistoryItem>,
    },
    /// No history of this family (HI-2).
    NoneForFamily {
        /// The slugs that were tried.
        slugs_tried: Vec<Name>,
        /// The nearest family that was turned down.
        nearest_rejected: Option<Name>,
    },
}

/// One thing that the history taught (HI-3).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryItem {
    /// Its handle in this campaign, cited by patches (PA-5).
    pub id: Name,
    /// The files that were read, below the root.
    pub paths: Vec<Line>,
    /// The pull requests it names.
    pub prs: Vec<u32>,
    /// The source files it names.
    pub files: Vec<Line>,
    /// The symbols it names.
    pub symbols: Vec<Line>,
    /// The validation risks it names.
    pub risks: Vec<Line>,
    /// The decision that it influences.
    pub decision: Line,
}

/// Why no history could be read (HI-5).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryBlock {
    /// Whose history is missing.
    pub framework: Framework,
    /// Where it was looked for.
    pub tried: Vec<Line>,
    /// Why it could not be read.
    pub reason: Line,
}
