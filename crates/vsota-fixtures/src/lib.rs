//! Fixtures.

pub mod builders;
