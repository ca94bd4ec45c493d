//! The facts that commands carry in and events keep: plain values, checked where they are parsed.
//!
//! A fact never holds a decision. What the machine finds out by itself stands beside the fact in
//! the event, never in the command.

mod bench;
mod gap;
mod history;
mod inputs;
mod kernel;
mod launch;
mod layers;
mod looping;
mod patch;
mod profile;
mod stop;
mod words;
mod workload;

pub use bench::*;
pub use gap::*;
pub use history::*;
pub use inputs::*;
pub use kernel::*;
pub use launch::*;
pub use layers::*;
pub use looping::*;
pub use patch::*;
pub use profile::*;
pub use stop::*;
pub use words::*;
pub use workload::*;

/// A command that says nothing beyond its name.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, Eq, PartialEq, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
pub(crate) fn is_false(it: &bool) -> bool {
    !it
}
