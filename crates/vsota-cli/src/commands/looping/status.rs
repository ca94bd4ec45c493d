//! `vsota loop status`: RL-4, RL-7, RL-8, from the loop's files alone.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Serialize;
use vsota_core::facts::{ActiveLoop, LoopEnd};

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason};
use crate::loops::{Survey, View};
use crate::output::{Outcome, Style, Text};

/// Show what the loop's files say: its state, what the round owes, and loops that should not be
///
/// Every loop directory of every work tree is read; nothing is run or written.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The checkout to look at [default: the campaign's]
    #[arg(long, value_name = "DIR")]
    vllm: Option<Utf8PathBuf>,
}

#[derive(Serialize)]
struct Shown<'a> {
    checkout: &'a str,
    recorded: Option<&'a ActiveLoop>,
    /// How the recorded loop stands; null before one was entered.
    state: Option<LoopEnd>,
    loops: Vec<View<'a>>,
    findings: &'a [Reason],
}

/// Shows the loops.
///
/// # Errors
///
/// Usage when no checkout is named and no campaign here knows one; bad evidence when it is not there.
pub fn run(context: &Context, args: StatusArgs) -> Result<Outcome, Failure> {
    let survey = survey(context, args.vllm.as_deref())?;
    let findings = survey.findings();
    let shown = Shown {
        checkout: survey.checkout.as_str(),
        recorded: survey.recorded.as_ref(),
        state: survey.recorded.as_ref().map(|_| survey.end()),
        loops: survey.views(),
        findings: &findings,
    };
    Outcome::new(text(&survey, &findings), &shown)
}

fn survey(context: &Context, vllm: Option<&Utf8Path>) -> Result<Survey, Failure> {
    if let Some(dir) = vllm {
        return Survey::of(dir, dir, &[]);
    }
    let (run, reading) = context.reading()?;
    let Chronicle { campaign, entries, .. } = Chronicle::of(&reading)?;
    let checkout = campaign.state().brief().vllm_checkout().ok_or_else(|| {
        Failure::usage("the campaign knows no vLLM checkout: vsota inputs set vllm_checkout=DIR")
    })?;
    Survey::of(Utf8Path::new(checkout.as_str()), &run, &entries)
}

fn text(survey: &Survey, findings: &[Reason]) -> Text {
    let mut text = Text::new();
    text.plain("checkout  ").line(survey.checkout.as_str());
    match &survey.recorded {
        Some(it) => text.plain("recorded  ").push(Style::Strong, it.dir.as_str()).plain("  "),
        None => text.plain("recorded  none").plain("  "),
    };
    let state = survey.recorded.as_ref().map(|_| survey.end().as_str());
    text.line(state.unwrap_or_default());
    if survey.found.is_empty() {
        text.line("loops     none in any work tree");
    }
    for it in &survey.found {
        let reading = &it.reading;
        let style = if reading.lifecycle.is_active() { Style::Good } else { Style::Dim };
        text.plain("loop      ").push(style, reading.lifecycle.as_str()).plain("  ");
        if let Some(Ok(state)) = &reading.state {
            text.plain(format!("round {} of {}  ", state.round, state.max_iterations));
        }
        text.line(it.path.as_str());
        if let Some(owed) = reading.owed {
            text.plain("            owes: ").line(owed.advice());
        }
    }
    for it in findings {
        text.push(Style::Bad, it.clause.id()).plain("      ").line(&it.found);
        text.plain("            try: ").push(Style::Code, &it.help).end();
    }
    text
}
