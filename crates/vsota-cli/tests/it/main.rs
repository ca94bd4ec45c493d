//! The tests of the command line.

mod crash;
mod damage;
mod discovery;
mod intake;
mod lock;
mod run_dir;
mod shell;
mod world;
