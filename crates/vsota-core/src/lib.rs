//! A serving-performance campaign as a pure state machine.
#![no_std]

extern crate alloc;

#[macro_use]
mod parsed;
#[macro_use]
mod sum;

mod artifact;
mod ask;
mod brief;
mod campaign;
mod clause;
pub mod evidence;
pub mod facts;
pub mod machine;
pub mod measure;
mod objection;
pub mod phase;
mod record_only;
pub mod text;
pub mod verdict;

pub use artifact::{Artifact, Digest, GitId, IdError};
pub use ask::{Ask, Format, Opening, command, event};
pub use brief::{Base, Brief, History};
pub use campaign::{Campaign, Entry, ReplayError, Seq, Step};
pub use clause::Clause;
pub use machine::{Decide, Evolve, Misplaced, Phase, State, TRANSITIONS, Transition};
pub use objection::{Finding, Objection, Objections, Refusal};
pub use record_only::RECORD_ONLY;
