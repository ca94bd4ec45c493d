//! The campaign value, and the handshake that keeps it behind the disk.

use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::artifact::Digest;
use crate::ask::command::{Command, CommandKind, OpenCampaign};
use crate::ask::event::{CampaignOpened, Event, EventKind};
use crate::ask::{Ask as _, Format, Opening};
use crate::machine::{Misplaced, Phase, State};
use crate::objection::{Objections, Refusal};
use crate::phase::Inputs;
use crate::rounds::Rounds;

/// One campaign, at one point of its journal.
///
/// A plain value: cloning it forks nothing, dropping it loses nothing, and two campaigns are equal
/// when the same journal leads to both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Campaign {
    opening: Opening,
    state: State,
    next: Seq,
}

/// An accepted command whose event is not yet a fact.
///
/// Persist [`event`](Self::event), then [`commit`](Self::commit). Until then the campaign that made
/// the step is still the current one; dropping the step abandons it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "a step is a fact only once its entry is persisted and the step is committed"]
pub struct Step {
    event: Event,
    seq: Seq,
    after: Campaign,
}

/// One line of a journal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The place of this entry, counted from 1 without holes.
    pub seq: Seq,
    /// When it was recorded, ms since the epoch. Kept for people; no guard reads it.
    pub at: i64,
    /// The SHA-256 of the line before, as written; zeros in the first.
    pub prev: Digest,
    /// In which round it happened, by both counters; absent before the loop (RL-7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<Rounds>,
    /// What happened.
    pub event: Event,
}

/// A position in a journal, from 1.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

/// A journal that is not the journal of a campaign.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no event at all.
    #[error("the journal is empty")]
    Empty,
    /// The first event does not open a campaign.
    #[error("the journal begins with {found} instead of campaign-opened")]
    NotOpened {
        /// The event that was found there.
        found: EventKind,
    },
    /// The journal was written by a later version.
    #[error("the journal has format {found}; this version reads up to {}", Format::CURRENT.0)]
    TooNew {
        /// The format of the journal.
        found: u32,
    },
    /// An entry is missing, doubled or out of order.
    #[error("the journal has entry {found} where entry {expected} belongs")]
    OutOfOrder {
        /// The place that comes next.
        expected: Seq,
        /// The place that was found.
        found: Seq,
    },
    /// An event has no edge from the phase it was found in.
    #[error("entry {seq}: {source}")]
    Misplaced {
        /// The place of the entry.
        seq: Seq,
        /// What does not fit.
        source: Misplaced,
    },
}

impl Campaign {
    /// Opens a campaign.
    pub fn open(opening: Opening) -> Step {
        let after = Self::opened(opening.clone());
        Step { event: OpenCampaign(opening).event(()).into(), seq: Seq(1), after }
    }

    /// Folds a journal into the campaign that wrote it. Guards are not asked again.
    ///
    /// # Errors
    ///
    /// When the events are not, in order and without holes, the journal of one campaign.
    pub fn replay<E: Into<Event>>(
        events: impl IntoIterator<Item = (Seq, E)>,
    ) -> Result<Self, ReplayError> {
        let mut events = events.into_iter();
        let (seq, first) = events.next().ok_or(ReplayError::Empty)?;
        let mut campaign = Self::begin(seq, &first.into())?;
        for (seq, event) in events {
            campaign = campaign.follow(seq, event)?;
        }
        Ok(campaign)
    }

    /// The campaign after the first event of its journal.
    ///
    /// # Errors
    ///
    /// When the event is not the opening of a campaign that this version can read.
    pub fn begin(seq: Seq, first: &Event) -> Result<Self, ReplayError> {
        seq.must_be(Seq(1))?;
        let Event::CampaignOpened(CampaignOpened { said }) = first else {
            return Err(ReplayError::NotOpened { found: first.kind() });
        };
        if said.format > Format::CURRENT {
            return Err(ReplayError::TooNew { found: said.format.0 });
        }
        Ok(Self::opened(said.clone()))
    }

    /// The campaign after one more event of its journal: the event itself, or a reference to it,
    /// which is copied.
    ///
    /// # Errors
    ///
    /// When the event is out of order, or has no edge from here.
    pub fn follow(self, seq: Seq, event: impl Into<Event>) -> Result<Self, ReplayError> {
        seq.must_be(self.next)?;
        let evolved = self.state.evolve(event.into());
        let state = evolved.map_err(|source| ReplayError::Misplaced { seq, source })?;
        Ok(Self { opening: self.opening, state, next: seq.next() })
    }

    /// Asks for an edge. Pure: this campaign stays what it is.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when the command has no edge from here, or when its guard objects.
    pub fn decide(&self, command: impl Into<Command>) -> Result<Step, Refusal> {
        let command = command.into();
        let refused = Refusal::OutOfPhase { phase: self.phase(), command: command.kind() };
        let event = self.state.decide(command)?;
        let after = self.clone().follow(self.next, &event).map_err(|_| refused)?;
        Ok(Step { event, seq: self.next, after })
    }

    /// What stands in the way of a command whatever it says; `None` when it has no edge from here.
    pub fn ready(&self, command: CommandKind) -> Option<Objections> {
        self.state.ready(command)
    }

    /// How the campaign was opened.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Where the campaign is, with all that it knows there.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Where the campaign is.
    pub fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// The place of the entry that the next step will write.
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    fn opened(opening: Opening) -> Self {
        let state = Inputs::opened(opening.demo).into();
        Self { opening, state, next: Seq(2) }
    }
}

impl Step {
    /// What will have happened.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// The place of the event in the journal.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// The line to persist, with the caller's time and the hash of the line before. Humanize's counter is
    /// in it when the event tells it; else [`Entry::in_loop_round`] says it.
    pub fn entry(&self, at: i64, prev: Digest) -> Entry {
        let rounds = self.after.state.rounds(&self.event);
        Entry { seq: self.seq, at, prev, rounds, event: self.event.clone() }
    }

    /// Moves to the campaign in which the event is a fact.
    pub fn commit(self) -> Campaign {
        self.after
    }
}

impl Entry {
    /// The entry of an event in the loop that does not itself tell Humanize's counter; what it tells
    /// stands.
    #[must_use]
    pub fn in_loop_round(mut self, humanize: Option<u32>) -> Self {
        if let Some(rounds) = &mut self.rounds {
            rounds.humanize = rounds.humanize.or(humanize);
        }
        self
    }
}

impl Seq {
    /// The place after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    fn must_be(self, expected: Self) -> Result<(), ReplayError> {
        if self == expected {
            Ok(())
        } else {
            Err(ReplayError::OutOfOrder { expected, found: self })
        }
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
