//! Builders of evidence files: native results, run records, blocks, profiles, layer reports.
//!
//! They write what the tools write, key for key and in their order, with numbers of our own. The
//! demo writes its evidence with them, and tests read it back.

mod clock;
mod commands;
pub mod humanize;
mod native;
mod ncu;
mod passes;
mod profiles;
mod records;
mod servers;
mod sglang;
mod sweep;
pub mod traces;
mod trtllm;
mod vllm;

pub use clock::{native_date, rfc3339};
pub use commands::{MODEL, benchmark_command, server_command};
pub use native::{RunNumbers, Spread, sglang_bench, vllm_bench};
pub use ncu::{NcuLaunch, ncu_details, ncu_raw};
pub use passes::{PassKernel, PassesOf, Step, server_trace, server_trace_of};
pub use profiles::{FuseRow, KernelRow, LayerGroup, OverlapRow, ProfileParts, layers, profile};
pub use records::{RecordParts, block, run_record};
pub use servers::{SMI_QUERY, metrics, nvidia_smi, server_log, server_log_failed};
pub use sglang::{SglangExtra, SglangVersion, auto_benchmark, sglang_of};
pub use sweep::{server_failure, sweep_failure, sweep_run, sweep_summary, sweep_tree};
pub use trtllm::{TrtllmShape, offline_report, trtllm_bench, trtllm_of};
pub use vllm::{VllmShape, VllmVersion, appended, detailed, vllm_of};
