//! The model that vsota's tests and its demonstration ask: campaigns in every phase, commands that
//! are granted, and ways out of every state.
//!
//! Nothing here measures anything. Every number is made up, and says so by its model name.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a fixture that does not hold must fail loudly, at its own line"
)]

pub mod builders;
pub mod cheats;
pub mod demo;
pub mod fuzz;
pub mod model;
mod samples;
#[cfg(feature = "proptest")]
pub mod strategy;
pub mod walk;

pub use samples::samples;
