//! The command line of vsota.

fn main() {}
