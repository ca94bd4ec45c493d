//! The tests of the core.

mod journey;
mod laws;
mod verdict;
