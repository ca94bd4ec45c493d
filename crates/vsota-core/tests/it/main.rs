//! The tests of the core.

mod verdict;
