//! The cheats: rows, files and commands that must be refused, each with the clause that refuses it and
//! an honest twin that passes.
//!
//! Some were seen in the wild, some would be hard to see. Every gate has at least one that it must
//! catch: a gate that catches nothing proves nothing.

mod gates;
mod rows;

pub use rows::honest;

use vsota_core::Clause;
use vsota_core::command::Command;

use crate::model::Run;

/// One way to look better than one is.
#[derive(Clone, Debug)]
pub struct Cheat {
    /// What it is called.
    pub name: &'static str,
    /// The clause that refuses it.
    pub clause: Clause,
    /// Where it is tried.
    pub tried: Tried,
}

/// Where a cheat is tried, and the honest twin.
#[derive(Clone, Debug)]
pub enum Tried {
    /// Among rows that are compared without a campaign; the row is called [`ROW`].
    Rank {
        /// The file with the cheat.
        bad: String,
        /// The same file, honest.
        good: String,
    },
    /// At a gate of a campaign.
    Gate {
        /// A campaign, and a command that it must refuse.
        bad: Box<(Run, Command)>,
        /// A campaign, and a command that it must grant.
        good: Box<(Run, Command)>,
    },
}

/// What the row of a cheat, and that of its honest twin, is called.
pub const ROW: &str = "candidate";

/// Every cheat.
pub fn all() -> Vec<Cheat> {
    let mut all = rows::cheats();
    all.extend(gates::cheats());
    all
}
