//! The `vsota` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vsota_cli::main()
}
