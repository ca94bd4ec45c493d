//! A serving-performance campaign as a pure state machine.
#![no_std]

extern crate alloc;

#[macro_use]
mod parsed;
#[macro_use]
mod sum;

mod artifact;
mod ask;
mod clause;
pub mod evidence;
pub mod facts;
pub mod measure;
pub mod text;
pub mod verdict;

pub use artifact::{Artifact, Digest, GitId, IdError};
pub use ask::{Ask, Format, Opening, command, event};
pub use clause::Clause;
