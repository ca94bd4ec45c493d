//! `vsota why`: the dry run of a guard.

use clap::Args;
use vsota_core::command::CommandKind;

use super::next::View;
use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::help;
use crate::output::{Outcome, Style, Text};

/// Say what stands in the way of a command, without asking for it
#[derive(Args, Debug)]
pub struct WhyArgs {
    /// The command, as it is typed or as the table names it: `patch record`, `record-patch`
    #[arg(required = true, num_args = 1.., value_name = "COMMAND")]
    command: Vec<String>,
}

/// Says what stands in the way.
///
/// # Errors
///
/// Usage when there is no such command.
pub fn run(context: &Context, args: WhyArgs) -> Result<Outcome, Failure> {
    let asked = args.command.join(" ");
    let kinds: Vec<CommandKind> =
        CommandKind::ALL.iter().copied().filter(|it| is_meant(*it, &asked)).collect();
    if kinds.is_empty() {
        let message = format_args!("no transition is called `{asked}`; `vsota machine` lists them");
        return Err(Failure::usage(message));
    }
    let (_, reading) = context.reading()?;
    let (campaign, head) = chronicle::campaign(&reading)?;
    let (phase, round) = (campaign.phase(), chronicle::round(&campaign));
    let next = chronicle::judged(&campaign, kinds.into_iter());
    let mut text = Text::new();
    text.plain("phase     ").push(Style::Strong, chronicle::place(phase, round)).end();
    super::status::list(&mut text, &next);
    Outcome::new(text, &View { phase, round, head, next })
}

fn is_meant(kind: CommandKind, asked: &str) -> bool {
    let typed = help::typed(kind).strip_prefix("vsota ").unwrap_or_default();
    let words: Vec<&str> = typed
        .split(' ')
        .take_while(|it| {
            it.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !it.starts_with("--")
        })
        .collect();
    kind.as_str() == asked || words.join(" ") == asked.trim_start_matches("vsota ")
}
