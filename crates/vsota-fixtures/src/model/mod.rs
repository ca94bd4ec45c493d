//! Facts that hold together, and campaigns made of them.

mod bench;
mod facts;
mod round;
mod run;
mod way;

pub use bench::*;
pub use facts::*;
pub use round::*;
pub use run::Run;
pub use way::way_out;
