//! The tests of the command line.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may fail"
)]

mod crash;
mod damage;
mod demo;
mod discovery;
mod fence;
mod intake;
mod late;
mod lock;
mod run_dir;
mod shell;
mod stories;
mod traces;
mod world;
