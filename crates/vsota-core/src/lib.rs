//! A serving-performance campaign as a pure state machine.
#![no_std]

extern crate alloc;

#[macro_use]
mod parsed;

mod artifact;
mod clause;
pub mod measure;
pub mod text;
pub mod verdict;

pub use artifact::{Artifact, Digest, GitId, IdError};
pub use clause::Clause;
