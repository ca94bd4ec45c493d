//! In which round did an event happen? By both counters: a round of the machine is not one of Humanize's
//! (RL-7).

use serde::{Deserialize, Serialize};

use crate::ask::event::Event;
use crate::facts::{LoopEnd, Standpoint, StopOrder};
use crate::machine::State;
use crate::phase::InLoop as _;

/// The round of an event in the loop, by both counters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rounds {
    /// The machine's, from 1; 0 before the first.
    pub vsota: u32,
    /// Humanize's own, from 0; absent where nothing tells it: the loop is gone, or its state cannot be
    /// read.
    pub humanize: Option<u32>,
}

impl Event {
    /// Where checkout and loop stood, when the event is one of a gate that asks for it.
    pub fn stand(&self) -> Option<&Standpoint> {
        Some(match self {
            Self::RoundOpened(it) => &it.said.stand,
            Self::GapDecided(it) => &it.said.stand,
            Self::ProfilingOpened(it) => &it.said.stand,
            Self::RootCauseNamed(it) => &it.said.stand,
            Self::PipelineFiled(it) => &it.said.stand,
            Self::KernelAssistOpened(it) => &it.said.stand,
            Self::PatchRecorded(it) => &it.said.stand,
            Self::PatchAmended(it) => &it.said.patch.stand,
            Self::FixupRecorded(it) => &it.said.stand,
            Self::PatchAccepted(it) => &it.said.stand,
            Self::RoundAbandoned(it) => &it.said.stand,
            Self::StopClaimed(it) => &it.said.stand,
            Self::CampaignStopped(it) => match &it.said {
                StopOrder::Confirm { stand } => stand,
                StopOrder::External { .. } => return None,
            },
            _ => return None,
        })
    }

    /// Humanize's own counter, when the event tells it.
    pub fn loop_round(&self) -> Option<u32> {
        let entered = match self {
            Self::LoopEntered(it) => it.said.active.as_ref(),
            Self::LoopReentered(it) => it.said.start.active.as_ref(),
            _ => None,
        };
        let stand = self.stand().filter(|it| it.loop_state != LoopEnd::Gone);
        entered.map(|it| it.current_round).or(stand.map(|it| it.loop_round))
    }
}

impl State {
    /// The machine's own counter: 0 in the loop before the first round; absent before the loop.
    pub fn round(&self) -> Option<u32> {
        match self {
            Self::Inputs(_) | Self::HistoryGate(_) | Self::FixedBenchmark(_) => None,
            Self::RlcrActive(it) => Some(it.case().rounds),
            Self::GapDecision(it) => Some(it.case().rounds),
            Self::Profiling(it) => Some(it.case().rounds),
            Self::LayerPipeline(it) => Some(it.case().rounds),
            Self::KernelAssist(it) => Some(it.case().rounds),
            Self::Revalidate(it) => Some(it.case().rounds),
            Self::Stopped(it) => it.case().map(|it| it.rounds),
        }
    }

    /// The round of an event that led here.
    pub fn rounds(&self, event: &Event) -> Option<Rounds> {
        self.round().map(|vsota| Rounds { vsota, humanize: event.loop_round() })
    }
}
