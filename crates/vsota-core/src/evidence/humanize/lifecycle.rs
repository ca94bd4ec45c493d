//! Is a loop alive, and how did it end? The name of its state file says it.

use core::fmt;

use serde::{Serialize, Serializer};

use super::{Files, LoopState};
use crate::facts::{LoopEnd, LoopPhase};

/// The states of a loop directory.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Lifecycle {
    /// Rounds are worked and reviewed.
    Implementation,
    /// The plan is met; the code is reviewed, without a limit of rounds.
    Review,
    /// The review found nothing more; the work is cleared up.
    Finalize,
    /// The development itself is looked back upon.
    Methodology,
    /// The review ended complete.
    Complete,
    /// Cancelled by hand.
    Cancel,
    /// It ran out of rounds.
    Maxiter,
    /// The review stopped it, or it no longer advanced.
    Stop,
    /// Its state file was not what it should be.
    Unexpected,
    /// It has no state file: a crash between making the directory and writing, or a deletion.
    Broken,
}

/// The names, alive ones first: a directory that holds two counts as alive, so that no second loop
/// starts beside it.
const NAMES: [(&str, Lifecycle); 8] = [
    ("methodology-analysis-state.md", Lifecycle::Methodology),
    ("finalize-state.md", Lifecycle::Finalize),
    ("state.md", Lifecycle::Implementation),
    ("complete-state.md", Lifecycle::Complete),
    ("cancel-state.md", Lifecycle::Cancel),
    ("maxiter-state.md", Lifecycle::Maxiter),
    ("stop-state.md", Lifecycle::Stop),
    ("unexpected-state.md", Lifecycle::Unexpected),
];

/// Whether a file of this name says what state a loop is in.
pub fn state_file(name: &str) -> bool {
    NAMES.iter().any(|(it, _)| *it == name)
}

impl Lifecycle {
    /// The state of a directory with these files.
    pub fn of(files: &Files) -> Self {
        let found = NAMES.iter().find(|(name, _)| files.contains_key(*name));
        match found {
            Some((name, Self::Implementation)) => {
                let state = files.get(*name).and_then(|it| LoopState::read(it).ok());
                let reviewed = state.is_some_and(|it| it.review_started == Some(true));
                if reviewed { Self::Review } else { Self::Implementation }
            }
            Some((_, lifecycle)) => *lifecycle,
            None => Self::Broken,
        }
    }

    /// The file that says so.
    pub fn file(self) -> Option<&'static str> {
        let sought = if self == Self::Review { Self::Implementation } else { self };
        NAMES.iter().find(|(_, it)| *it == sought).map(|(name, _)| *name)
    }

    /// Whether the loop is alive: its Stop hook still decides whether the agent may stop.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Implementation | Self::Review | Self::Finalize | Self::Methodology)
    }

    /// The state as the machine knows it. Without a state file nothing is left that runs.
    pub fn end(self) -> LoopEnd {
        match self {
            Self::Implementation | Self::Review | Self::Finalize | Self::Methodology => {
                LoopEnd::Active
            }
            Self::Complete => LoopEnd::Complete,
            Self::Cancel => LoopEnd::Cancel,
            Self::Maxiter => LoopEnd::Maxiter,
            Self::Stop => LoopEnd::Stop,
            Self::Unexpected => LoopEnd::Unexpected,
            Self::Broken => LoopEnd::Gone,
        }
    }

    /// What the loop ends as: the phase that looks back upon it comes after every end but one, and its
    /// files say after which.
    #[must_use]
    pub fn outcome(self, files: &Files) -> Self {
        if self != Self::Methodology {
            return self;
        }
        match files.get(super::EXIT_REASON).map(|it| it.trim()) {
            Some("complete") => Self::Complete,
            Some("stop") => Self::Stop,
            Some("maxiter") => Self::Maxiter,
            _ => self,
        }
    }

    /// The phase of a loop that is alive, as an event holds it.
    pub fn phase(self) -> Option<LoopPhase> {
        match self {
            Self::Implementation => Some(LoopPhase::Implementation),
            Self::Review => Some(LoopPhase::Review),
            Self::Finalize => Some(LoopPhase::Finalize),
            Self::Methodology => Some(LoopPhase::Methodology),
            _ => None,
        }
    }

    /// The state as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Implementation => "implementation",
            Self::Review => "review",
            Self::Finalize => "finalize",
            Self::Methodology => "methodology",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
            Self::Maxiter => "maxiter",
            Self::Stop => "stop",
            Self::Unexpected => "unexpected",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Lifecycle {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}
