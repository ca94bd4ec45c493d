//! The tests of the core.
// `cfg(test)` tells clippy that the helpers of a module are test code too.

#[cfg(test)]
mod journey;
#[cfg(test)]
mod verdict;
