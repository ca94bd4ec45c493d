//! The tests of the core.

mod evidence_bad_input;
mod evidence_bench;
mod evidence_commands;
mod evidence_profile;
mod evidence_run;
mod evidence_samples;
mod verdict;
