//! One file a phase: what it knows, what it demands, what it becomes.

mod bench;
mod blocks;
mod case;
mod entry;
mod gap;
mod history;
mod inputs;
mod kernel;
mod layers;
mod ledger;
mod patch;
mod profiling;
mod rank;
mod revalidate;
mod rlcr;
mod search;
mod stop;
mod trial;

pub use bench::{Bench, BenchObjection, FixedBenchmark, Searching};
pub use blocks::{BlockObjection, KeptBlock};
pub use case::{Case, Charter, Chartered, InLoop, Outcome, Running};
pub use entry::LoopObjection;
pub use gap::{GapDecision, GapObjection};
pub use history::{HistoryGate, HistoryObjection};
pub use inputs::{Inputs, InputsObjection};
pub use kernel::{KernelAssist, KernelObjection};
pub use layers::{LayerPipeline, LayersObjection};
pub use ledger::LedgerObjection;
pub use patch::PatchObjection;
pub use profiling::{Profiling, ProfilingObjection, Triage};
pub(crate) use rank::passes_sla;
pub use rank::{Rank, Rejected, rank};
pub use revalidate::{Revalidate, Trialled};
pub use rlcr::RlcrActive;
pub use stop::{StopObjection, Stopped};
pub use trial::TrialObjection;
