//! `vsota loop reenter`: RL-7, FB-11.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::{Command, CommandKind, ReenterLoop};
use vsota_core::facts::LoopReentry;

use super::start::WishArgs;
use super::tell;
use crate::context::Context;
use crate::failure::Failure;
use crate::given;
use crate::loops::entry::Entrance;
use crate::output::{Outcome, Text};
use crate::transition;

/// Enter a successor of a loop that ended or was lost; the round keeps its evidence
///
/// The same checks, set-up and handshake as for the first loop.
#[derive(Args, Debug)]
pub struct ReenterArgs {
    #[command(flatten)]
    wish: WishArgs,

    /// What git, the set-up and the state files say, for a demonstration: JSON with old_state and start
    /// {checkout, other_loops, setup, active, handshake}
    #[arg(long, value_name = "FILE", hide = true)]
    facts: Option<Utf8PathBuf>,
}

/// Enters the successor.
///
/// # Errors
///
/// Bad evidence with file and line; refused when a precondition or the handshake does not hold.
pub fn run(context: &Context, args: ReenterArgs) -> Result<Outcome, Failure> {
    if let Some(facts) = &args.facts {
        given::only_in_a_demonstration(context, "--facts")?;
        let entry: LoopReentry = given::json(context, facts)?;
        return transition::take(context, &context.run_dir()?, ReenterLoop(entry))?.outcome();
    }
    let run = context.run_dir()?;
    let entrance = || Entrance::new(context, &run, args.wish.wish(), CommandKind::ReenterLoop);
    let say = |old_state| move |start| Command::from(ReenterLoop(LoopReentry { old_state, start }));
    if args.wish.check {
        let entrance = entrance()?;
        return tell::checked(&entrance.check(say(entrance.survey.end()))?);
    }
    let mut told = Text::new();
    // The lock is held from the first look to the record: two calls never set up two loops.
    let taken = transition::take_with(context, &run, Vec::new(), |_| {
        let entrance = entrance()?;
        let say = say(entrance.survey.end());
        let start = entrance.enter(say)?;
        told = tell::entered(&start);
        Ok(say(start))
    })?;
    taken.outcome_with(told, &())
}
