//! The tests of the command line.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may fail"
)]

mod analyze_text;
mod bench_read;
mod builds;
mod captures;
mod companion;
mod crash;
mod damage;
mod demo;
mod discovery;
mod fence;
mod forged;
mod gate;
mod history;
mod hooks;
mod inputs;
mod intake;
mod late;
mod launchers;
mod lock;
mod loops;
mod pilot;
mod rank;
mod robust;
mod run_dir;
mod runs;
mod secrets;
mod shell;
mod slurm;
mod stories;
mod supervise;
mod traces;
mod verified;
mod world;
