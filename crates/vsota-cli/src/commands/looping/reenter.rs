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
use crate::output::Outcome;
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
    let entrance = Entrance::new(context, &run, args.wish.wish(), CommandKind::ReenterLoop)?;
    let old_state = entrance.survey.end();
    let say = |start| Command::from(ReenterLoop(LoopReentry { old_state, start }));
    if args.wish.check {
        return tell::checked(&entrance.check(say)?);
    }
    let start = entrance.enter(say)?;
    let told = tell::entered(&start);
    let entry = LoopReentry { old_state, start };
    transition::take(context, &run, ReenterLoop(entry))?.outcome_with(told, &())
}
