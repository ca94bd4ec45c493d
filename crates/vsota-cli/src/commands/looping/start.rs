//! `vsota loop start`: RL-1 … RL-7.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use vsota_core::command::EnterLoop;
use vsota_core::facts::{Handshake, LoopStart};

use crate::context::Context;
use crate::failure::Failure;
use crate::given;
use crate::output::Outcome;
use crate::transition;

/// Enter the RLCR loop
#[derive(Args, Debug)]
pub struct StartArgs {
    /// What git, the set-up and the loop's state file say: JSON with checkout, other_loops, setup and
    /// active
    #[arg(long, value_name = "FILE")]
    facts: Utf8PathBuf,

    /// Which handshake proves that the loop started; round-contract is recorded as a waiver of RL-6
    #[arg(long, value_enum, default_value_t)]
    handshake: Shake,
}

/// Which handshake proves that the loop started.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Shake {
    /// `strict_success: true` in the state file
    #[default]
    Strict,
    /// The Round Contract of public Humanize releases
    RoundContract,
}

impl From<Shake> for Handshake {
    fn from(shake: Shake) -> Self {
        match shake {
            Shake::Strict => Self::Strict,
            Shake::RoundContract => Self::RoundContract,
        }
    }
}

/// Enters the loop.
///
/// # Errors
///
/// Refused when a precondition or the handshake does not hold.
pub fn run(context: &Context, args: StartArgs) -> Result<Outcome, Failure> {
    let start: LoopStart = given::json(context, &args.facts)?;
    let start = LoopStart { handshake: args.handshake.into(), ..start };
    transition::take(context, &context.run_dir()?, EnterLoop(start))?.outcome()
}
