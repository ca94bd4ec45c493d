//! `vsota kernel check`: KA-1 and KA-2 without opening anything.

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::{Command, CommandKind, OpenKernelAssist};

use super::open::{self, Around};
use crate::chronicle;
use crate::context::Context;
use crate::drafting::Sheet;
use crate::failure::{Failure, Reason, Refused};
use crate::given::StandArgs;
use crate::help;
use crate::output::{Outcome, Style, Text};
use crate::transition::Transition;

/// Check whether kernel evidence may be opened, and record nothing
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The draft of the target; `-` is standard input. Without one only the round is checked
    #[arg(value_name = "DRAFT")]
    draft: Option<Utf8PathBuf>,

    #[command(flatten)]
    stand: StandArgs,

    #[command(flatten)]
    around: Around,
}

/// Says what stands in the way.
///
/// # Errors
///
/// Bad evidence with file, line and field; refused with everything that stands in the way.
pub fn run(context: &Context, args: CheckArgs) -> Result<Outcome, Failure> {
    let kind = CommandKind::OpenKernelAssist;
    let command = match &args.draft {
        Some(draft) => {
            let sheet = Sheet::read(context, draft)?;
            Some(Command::from(OpenKernelAssist(open::target(
                context,
                &sheet,
                &args.stand,
                args.around,
            )?)))
        }
        None => None,
    };
    let (_, reading) = context.reading()?;
    let (campaign, head) = chronicle::campaign(&reading)?;
    let reasons: Vec<Reason> = match command {
        Some(command) => match campaign.decide(command) {
            Ok(_) => Vec::new(),
            Err(refusal) => help::refused(&refusal).reasons,
        },
        None => match campaign.ready(kind) {
            Some(objections) => objections.iter().map(|it| help::reason(it, kind)).collect(),
            None => help::misplaced(campaign.phase(), kind),
        },
    };
    if !reasons.is_empty() {
        return Err(Refused { reasons }.into());
    }
    let mut text = Text::new();
    text.push(Style::Good, "nothing stands in the way").end();
    Transition::none(&campaign, head).outcome_with(text, &serde_json::json!({}))
}
