//! The tests of the core.

mod journey;
mod verdict;
