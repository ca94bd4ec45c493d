//! The command line, as data. Nothing here opens a file or takes a decision.

use camino::Utf8PathBuf;
use clap::{Args, Parser};

use crate::commands::Command;
use crate::output::{Color, Output};

/// Take a vLLM performance campaign from gate to gate, and nowhere else
#[derive(Debug, Parser)]
#[command(name = "vsota", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// The run directory of the campaign [default: $VSOTA_RUN_DIR, else found from here]
    #[arg(short = 'C', long, global = true, value_name = "DIR", value_parser = some_path)]
    pub run_dir: Option<Utf8PathBuf>,

    /// Print exactly one JSON value on stdout, and prose on stderr
    #[arg(long, global = true)]
    pub json: bool,

    /// Store files without the secrets in them, and say what was taken out
    #[arg(long, global = true)]
    pub redact: bool,

    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
}

impl Global {
    /// The terminal as these flags ask for it.
    pub fn output(&self) -> Output {
        Output::new(self.json, self.color)
    }
}

fn some_path(text: &str) -> Result<Utf8PathBuf, &'static str> {
    if text.is_empty() { Err("the path is empty") } else { Ok(text.into()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
