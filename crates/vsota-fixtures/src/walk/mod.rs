//! Random walks through a campaign: at each step a command that is plausible in the phase, sometimes
//! a fact that does not hold, sometimes a command that belongs elsewhere.

mod die;
mod plausible;
mod spoil;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use vsota_core::command::Command;

use crate::model::{Run, samples};

pub use die::Die;

/// The names of the places where walks begin: the phases, and a few moments inside them.
pub const STARTS: [&str; 14] = [
    "opened",
    "inputs-closed",
    "history-closed",
    "rows-filed",
    "frozen",
    "in-loop",
    "round-opened",
    "profiling",
    "triaged",
    "layered",
    "assisted",
    "patched",
    "accepted",
    "claimed",
];

/// A walk: where it began, what was attempted one after another, and where it led.
#[derive(Clone)]
pub struct Walk {
    /// The place where it began.
    pub start: &'static str,
    /// The campaign at that place.
    pub begun: Run,
    /// Every attempt; refused ones left the campaign as it was.
    pub tried: Vec<Command>,
    /// Where it led.
    pub end: Run,
}

impl Walk {
    /// The walk that these dice make.
    pub fn from_dice(start: &'static str, dice: &[u64]) -> Self {
        let begun = place(start).clone();
        let mut walker = Walker { run: begun.clone(), level: 1.0, gain: 1.05 };
        let mut tried = Vec::new();
        for seed in dice {
            let command = walker.choose(&mut Die::new(*seed));
            // A refusal is part of the walk.
            let _ = walker.run.attempt(command.clone());
            tried.push(command);
        }
        Self { start, begun, tried, end: walker.run }
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "from {}:", self.start)?;
        let mut run = self.begun.clone();
        for command in &self.tried {
            let (phase, kind) = (run.campaign.phase(), command.kind());
            match run.attempt(command.clone()) {
                Ok(()) => writeln!(f, "  {phase}: {kind}")?,
                Err(refusal) => writeln!(f, "  {phase}: {kind} refused: {refusal}")?,
            }
        }
        write!(f, "to {}", self.end.campaign.phase())
    }
}

/// Somebody who walks: a campaign, and how fast vLLM is at the moment.
struct Walker {
    run: Run,
    /// vLLM's level in gap blocks, against its frozen value.
    level: f64,
    /// The gain of a new build in trial blocks.
    gain: f64,
}

impl Walker {
    /// The next attempt: one in twelve belongs elsewhere, one in eight does not hold.
    fn choose(&mut self, die: &mut Die) -> Command {
        if die.one_in(12) {
            let samples: Vec<_> = samples().values().collect();
            return (*die.pick(&samples)).clone();
        }
        let mut command = plausible::command(self, die);
        if die.one_in(8) {
            spoil::spoil(&mut command, die);
        }
        command
    }
}

/// The campaign at one of the [`STARTS`].
///
/// # Panics
///
/// When there is no such place.
pub fn place(start: &str) -> &'static Run {
    static PLACES: LazyLock<BTreeMap<&str, Run>> = LazyLock::new(|| {
        let round_opened = || {
            let mut run = Run::in_loop();
            run.open_round();
            run
        };
        let runs = [
            Run::open(),
            Run::with_inputs(),
            Run::with_history(),
            Run::with_rows(),
            Run::frozen(),
            Run::in_loop(),
            round_opened(),
            Run::behind(),
            Run::triaged(),
            Run::layered(),
            Run::assisted(),
            Run::patched(),
            Run::accepted_patch(),
            Run::claimed(),
        ];
        STARTS.into_iter().zip(runs).collect()
    });
    PLACES.get(start).expect("a place where walks begin")
}
