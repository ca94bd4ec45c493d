//! Chrome traces of the torch profiler: bytes in, GPU work and what launched it out.
//!
//! The reader streams: it finds the marks of the text in blocks of 64 bytes, decodes one event at a
//! time, keeps what the tables need of it and forgets the rest. Memory grows with the GPU work, the
//! launches, the operators and those Python frames that can name a location, not with the file.
//!
//! ```text
//!   bytes ──► marks ──► events ──► fields ──► columns
//!           (quotes,    (one at    (of its    (`Trace`)
//!            brackets)   a time)   category)
//! ```
//!
//! Times are whole nanoseconds from the decimal text; no time is ever a float here.
use thiserror::Error;

mod columns;
mod event;
mod fields;
mod frames;
mod layout;
mod marks;
mod names;
mod number;
mod reader;
pub mod step;
mod top;

pub use columns::{
    Annotation, CpuOp, GpuKind, GpuWork, Id, Lane, LaneId, Launch, Link, Odd, Place, ThreadId,
    Trace,
};
pub use frames::{Frame, is_own_source, source_location};
pub use names::{NameId, Names};
pub use reader::{Limits, read};
pub use top::Header;

use alloc::string::String;

/// Why a trace cannot be read, and where.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("byte {offset}: {message}")]
pub struct TraceError {
    /// Bytes of the inflated text before the place.
    pub offset: u64,
    /// What is wrong and what was expected.
    pub message: String,
    /// Whether the source failed, not the text.
    pub io: bool,
}

impl TraceError {
    pub(super) fn new(offset: u64, message: impl core::fmt::Display) -> Self {
        let message = super::EvidenceError::new(message).message;
        Self { offset, message, io: false }
    }
}
