//! The tests of the core.
// `cfg(test)` tells clippy that the helpers of a module are test code too.

#[cfg(test)]
mod cheats;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod embed;
#[cfg(test)]
mod evidence_bad_input;
#[cfg(test)]
mod evidence_bench;
#[cfg(test)]
mod evidence_bench_versions;
#[cfg(test)]
mod evidence_checks;
#[cfg(test)]
mod evidence_commands;
#[cfg(test)]
mod evidence_companions;
mod evidence_diff;
#[cfg(test)]
mod evidence_draft;
#[cfg(test)]
mod evidence_hook;
#[cfg(test)]
mod evidence_ncu;
#[cfg(test)]
mod evidence_plan;
#[cfg(test)]
mod evidence_profile;
#[cfg(test)]
mod evidence_run;
#[cfg(test)]
mod evidence_samples;
#[cfg(test)]
mod evidence_servers;
#[cfg(test)]
mod fuzz_corpus;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod journey;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod purity;
#[cfg(test)]
mod render;
#[cfg(test)]
mod table;
#[cfg(test)]
mod verdict;
