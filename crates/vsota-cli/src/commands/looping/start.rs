//! `vsota loop start`: RL-1 … RL-7.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use vsota_core::command::{Command, CommandKind, EnterLoop};
use vsota_core::facts::{Handshake, LoopStart};

use super::tell;
use crate::context::Context;
use crate::failure::Failure;
use crate::given;
use crate::loops::entry::Entrance;
use crate::loops::ground::Wish;
use crate::output::{Outcome, Text};
use crate::transition;

/// Enter the RLCR loop: check, run Humanize's set-up, shake hands
///
/// Twelve checks come first, none of which changes anything; the first failure of each is named with its
/// mend. A loop of this campaign that a crash left unrecorded is adopted.
#[derive(Args, Debug)]
pub struct StartArgs {
    #[command(flatten)]
    pub(super) wish: WishArgs,

    /// What git, the set-up and the loop's state file say, for a demonstration: JSON with checkout,
    /// other_loops, setup and active
    #[arg(long, value_name = "FILE", hide = true)]
    facts: Option<Utf8PathBuf>,
}

/// What is asked for when a loop is entered.
#[derive(Args, Clone, Debug)]
pub struct WishArgs {
    /// Which handshake proves that the loop started; round-contract is recorded as a waiver of RL-6
    #[arg(long, value_enum, default_value_t)]
    handshake: Shake,

    /// The local branch that reviews compare with [default: the recorded one, else main or master]
    #[arg(long, value_name = "BRANCH", allow_hyphen_values = true)]
    base_branch: Option<String>,

    /// Humanize's runtime [default: $HUMANIZE_RUNTIME_ROOT, else the installed one]
    #[arg(long, value_name = "DIR")]
    humanize_root: Option<Utf8PathBuf>,

    /// Only check; set nothing up
    #[arg(long)]
    pub(super) check: bool,
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

impl WishArgs {
    /// The wish.
    pub fn wish(&self) -> Wish {
        Wish {
            handshake: self.handshake.into(),
            base: self.base_branch.clone(),
            runtime: self.humanize_root.clone(),
        }
    }
}

/// Enters the loop.
///
/// # Errors
///
/// Refused when a precondition or the handshake does not hold.
pub fn run(context: &Context, args: StartArgs) -> Result<Outcome, Failure> {
    if let Some(facts) = &args.facts {
        given::only_in_a_demonstration(context, "--facts")?;
        let start: LoopStart = given::json(context, facts)?;
        let start = LoopStart { handshake: args.wish.handshake.into(), ..start };
        return transition::take(context, &context.run_dir()?, EnterLoop(start))?.outcome();
    }
    let run = context.run_dir()?;
    let entrance = || Entrance::new(context, &run, args.wish.wish(), CommandKind::EnterLoop);
    let say = |start| Command::from(EnterLoop(start));
    if args.wish.check {
        return tell::checked(&entrance()?.check(say)?);
    }
    let mut told = Text::new();
    // The lock is held from the first look to the record: two calls never set up two loops.
    let taken = transition::take_with(context, &run, Vec::new(), |_| {
        let start = entrance()?.enter(say)?;
        told = tell::entered(&start);
        Ok(say(start))
    })?;
    taken.outcome_with(told, &())
}
