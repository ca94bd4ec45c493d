//! Builders of evidence files: native results, run records, blocks, profiles, layer reports.
//!
//! They write what the tools write, key for key and in their order, with numbers of our own. The
//! demo writes its evidence with them, and tests read it back.

mod clock;
mod commands;
mod native;
mod profiles;
mod records;
pub mod traces;

pub use clock::{native_date, rfc3339};
pub use commands::{MODEL, benchmark_command, server_command};
pub use native::{RunNumbers, Spread, sglang_bench, trtllm_bench, vllm_bench};
pub use profiles::{FuseRow, KernelRow, LayerGroup, OverlapRow, ProfileParts, layers, profile};
pub use records::{RecordParts, block, run_record};
