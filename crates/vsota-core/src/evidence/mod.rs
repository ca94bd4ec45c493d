//! Evidence: pure decoders of the field's files, bytes in and facts out.
//!
//! What a file does not say is absent, never guessed; what it says wrongly is an
//! [`EvidenceError`] with line and field. Nothing here decides anything: the machine does.

extern crate std;

mod error;
pub mod inputs;
pub mod plan;

pub use error::EvidenceError;
