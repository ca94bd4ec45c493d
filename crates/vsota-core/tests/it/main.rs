//! The tests of the core.

mod journey;
mod refusals;
mod verdict;
