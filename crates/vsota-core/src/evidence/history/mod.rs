//! The pull-request history of model families: which family a model is of, and what its page says.
//! (HI-1 … HI-3)
//!
//! A page is the knowledge root's `<framework>/<slug>/README.*.md`. The lookup is the native one that
//! HI-1 allows in the place of the companion's script.

mod family;
mod page;

pub use family::{Choice, Passed, choose};
pub use page::{Card, cards};
