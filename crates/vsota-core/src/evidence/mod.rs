//! Pure decoders of the field's files: bytes in, facts out. Nothing here opens a file.
//!
//! [`read`] takes the bytes of any file of benchmark evidence and says what it holds: native
//! results, companion rows, run records, blocks. What is none of these is named for what it is.
//! What a file does not say is absent, never guessed; what it says wrongly is an
//! [`EvidenceError`] with line and field. Nothing here decides anything: the machine does.
extern crate std;

pub mod bench;
pub mod block;
pub mod checks;
pub mod command_line;
pub mod cookbook;
pub mod diff;
pub mod draft;
mod error;
pub mod failing;
pub mod history;
pub mod hook;
pub mod humanize;
pub mod hygiene;
pub mod inputs;
pub mod json;
pub mod layers;
mod lengths;
pub mod lone;
pub mod metrics;
pub mod ncu;
pub mod pipeline;
pub mod plan;
pub mod profile;
pub mod render;
pub mod run;
pub mod search;
pub mod server_log;
pub mod smi;
pub mod tables;
mod time;
pub mod trace;
mod workload;
pub mod yaml;

pub use bench::{Item, NativeRun, Reader, companion_row, read, read_all};
pub use block::{BlockKind, BlockRecord, RunFiles};
pub use error::EvidenceError;
pub use layers::LayersFile;
pub use lengths::buckets;
pub use metrics::Metrics;
pub use profile::{Capture, ProfileFile};
pub use run::{BareRun, Filed, RunRecord, Settings, is_of_mock};
pub use server_log::ServerLog;
pub use time::{CivilTime, rfc3339};
pub use workload::workload;
