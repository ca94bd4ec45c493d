//! `vsota status`: where the campaign is, in one look.

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use vsota_core::{Campaign, Phase, State};

use crate::chronicle::{self, Next};
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Head;
use crate::output::{Outcome, Style, Text};

/// Show where the campaign is and what is next
#[derive(Args, Clone, Copy, Debug)]
pub struct StatusArgs {}

#[derive(Serialize)]
struct View<'a> {
    phase: Phase,
    round: u32,
    head: Head,
    verdicts: &'a [Value],
    next: &'a [Next],
}

/// Shows the status.
///
/// # Errors
///
/// When the journal cannot be read or believed.
pub fn run(context: &Context, _: StatusArgs) -> Result<Outcome, Failure> {
    let (path, reading) = context.reading()?;
    let (campaign, head) = chronicle::campaign(&reading)?;
    let (phase, round) = (campaign.phase(), chronicle::round(&campaign));
    let next = chronicle::next(&campaign);
    let verdicts = verdicts(&campaign);
    let mut text = Text::new();
    text.plain("campaign  ").push(Style::Strong, path.as_str()).end();
    text.plain("phase     ").push(Style::Strong, chronicle::place(phase, round)).end();
    text.plain("head      ").push(Style::Dim, head.to_string()).end();
    for it in &verdicts {
        let word = |key: &str| it.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        text.plain("verdict   ").line(format!("{}: {}", word("scenario"), word("verdict")));
    }
    list(&mut text, &next);
    Outcome::new(text, &View { phase, round, head, verdicts: &verdicts, next: &next })
}

/// The commands that have an edge from here, with what stands in the way.
pub(super) fn list(text: &mut Text, next: &[Next]) {
    for it in next {
        let mark = if it.ready { (Style::Good, "ready     ") } else { (Style::Warn, "not yet   ") };
        text.push(mark.0, mark.1).push(Style::Code, it.command).end();
        for reason in &it.unmet {
            text.plain("            ").push(Style::Strong, reason.clause.id());
            text.plain("  ").line(&reason.found);
            text.plain("            try: ").push(Style::Code, &reason.help).end();
        }
    }
}

/// The verdict that stands in this round, scenario by scenario.
fn verdicts(campaign: &Campaign) -> Vec<Value> {
    let verdict = match campaign.state() {
        State::GapDecision(it) => Some(it.verdict()),
        State::Profiling(it) => Some(it.triage().verdict.clone()),
        State::LayerPipeline(it) => Some(it.triage().verdict.clone()),
        State::KernelAssist(it) => Some(it.triage().verdict.clone()),
        State::Revalidate(it) => it.trialled().triage().map(|it| it.verdict.clone()),
        _ => None,
    };
    let scenarios = verdict.into_iter().flat_map(|it| it.scenarios);
    scenarios
        .map(|it| json!({"scenario": it.scenario, "verdict": it.verdict, "leaders": it.leaders}))
        .collect()
}
