//! Facts that hold together, and campaigns made of them.

mod bench;
mod endings;
mod facts;
mod long;
mod round;
mod run;
mod way;

pub use bench::*;
pub(crate) use endings::tiny_search;
pub use endings::{abandonment, attempt, endings, reentry, rejection, samples};
pub use facts::*;
pub use long::long_campaign;
pub use round::*;
pub use run::Run;
pub use way::way_out;
