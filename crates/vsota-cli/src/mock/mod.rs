//! A server and a client that measure nothing: an OpenAI-compatible server of settable speed, and a
//! client that writes what the three frameworks' own clients write. Both say "mock" in everything.

pub mod client;
pub mod profiler;
pub mod server;
pub mod speed;
mod words;

pub use words::Words;

/// The word that stands in everything the mock writes.
pub const MOCK: &str = "mock";

/// The version that a mock framework says it has.
pub const VERSION: &str = "0.0.0+mock";
