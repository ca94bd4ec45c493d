//! The tests of the core.

mod evidence_draft;
mod journey;
mod verdict;
