//! `vsota gap decide`: the verdict, as one event.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};
use vsota_core::command::{Command, DecideGap, OpenProfiling};
use vsota_core::event::Event;
use vsota_core::facts::{DecisionAsked, Framework, GapVerdict, ScenarioVerdict};
use vsota_core::text::Name;
use vsota_core::verdict::{Action, Pair};
use vsota_core::{Campaign, State};

use crate::context::Context;
use crate::failure::Failure;
use crate::given::StandArgs;
use crate::output::{Outcome, Style, Text};
use crate::table::Table;
use crate::transition;

/// Decide the gap: profiling opens when a patch follows, else the verdict is recorded
#[derive(Args, Debug)]
pub struct DecideArgs {
    #[command(flatten)]
    stand: StandArgs,
}

/// Decides the gap.
///
/// # Errors
///
/// Refused when a scenario lacks its two blocks of this round, or the loop or HEAD moved.
pub fn run(context: &Context, args: DecideArgs) -> Result<Outcome, Failure> {
    let stand = args.stand.read(context)?;
    let mut verdict = None;
    let mut warned = Flags::new();
    let asked = DecisionAsked { stand };
    let taken = transition::take_with(context, &context.run_dir()?, Vec::new(), |campaign| {
        let command = which(campaign, asked);
        verdict = found(campaign, &command);
        warned = flags(campaign, verdict.as_ref());
        Ok(command)
    })?;
    let Some(verdict) = verdict else { return taken.outcome() };
    taken.outcome_with(text(&verdict, &warned), &view(&verdict, &warned))
}

/// The verdict chooses its own command; the gate asks again.
fn which(campaign: &Campaign, asked: DecisionAsked) -> Command {
    let State::GapDecision(gap) = campaign.state() else { return DecideGap(asked).into() };
    match gap.verdict().action {
        Action::Patch | Action::PatchLean => OpenProfiling(asked).into(),
        _ => DecideGap(asked).into(),
    }
}

fn found(campaign: &Campaign, command: &Command) -> Option<GapVerdict> {
    let step = campaign.decide(command.clone()).ok()?;
    match step.event() {
        Event::GapDecided(it) => Some(it.found.clone()),
        Event::ProfilingOpened(it) => Some(it.found.clone()),
        _ => None,
    }
}

/// What the blocks warn of, by scenario and competitor.
type Flags = BTreeMap<(Name, Framework), Vec<&'static str>>;

fn flags(campaign: &Campaign, verdict: Option<&GapVerdict>) -> Flags {
    let State::GapDecision(gap) = campaign.state() else { return Flags::new() };
    let mut all = Flags::new();
    for it in verdict.into_iter().flat_map(|it| &it.scenarios) {
        for rival in it.competitors.keys().copied() {
            let found = gap.flags(&it.scenario, rival);
            if !found.is_empty() {
                all.insert((it.scenario.clone(), rival), found);
            }
        }
    }
    all
}

#[derive(Serialize)]
struct View {
    action: Action,
    label: Value,
    session: Value,
    more_blocks: u32,
    scenarios: Vec<Value>,
}

fn view(verdict: &GapVerdict, warned: &Flags) -> View {
    View {
        action: verdict.action,
        label: json!(verdict.label),
        session: json!(verdict.session),
        more_blocks: verdict.more_blocks,
        scenarios: verdict.scenarios.iter().map(|it| scenario(it, warned)).collect(),
    }
}

fn scenario(it: &ScenarioVerdict, warned: &Flags) -> Value {
    let competitor = |(framework, pair): (&Framework, &Pair)| {
        let mut value = Map::new();
        value.insert("framework".into(), json!(framework));
        if let Value::Object(keys) = json!(pair) {
            value.extend(keys);
        }
        let flags = warned.get(&(it.scenario.clone(), *framework));
        value.insert("flags".into(), json!(flags.cloned().unwrap_or_default()));
        Value::Object(value)
    };
    json!({
        "scenario": it.scenario,
        "verdict": it.verdict,
        "leaders": it.leaders,
        "competitors": it.competitors.iter().map(competitor).collect::<Vec<_>>(),
        "sla": it.sla,
        "pooled": it.pooled,
        "literal": {"gap_pct": it.literal_gap_pct, "report_only": true},
    })
}

fn text(verdict: &GapVerdict, warned: &Flags) -> Text {
    let mut text = Text::new();
    let session = verdict.session;
    text.plain("verdict   ").push(Style::Strong, format!("{:?}", verdict.action));
    text.line(format!("  ({} session {})", session_name(verdict), session.n));
    let mut table = Table::new(["scenario", "verdict", "against", "blocks", "gap %", "interval %"]);
    for it in &verdict.scenarios {
        for (framework, pair) in &it.competitors {
            let percent =
                |ratio: vsota_core::measure::Real| format!("{:+.2}", ratio.get().exp_m1() * 100.0);
            let interval = pair.lo.zip(pair.hi);
            table.row([
                it.scenario.to_string(),
                pair.verdict.to_string(),
                framework.title().to_owned(),
                pair.n_used.to_string(),
                pair.mean.map_or(String::from("-"), percent),
                interval.map_or(String::from("-"), |(lo, hi)| {
                    format!("{} … {}", percent(lo), percent(hi))
                }),
            ]);
        }
    }
    text.block(table.render());
    for ((scenario, framework), flags) in warned {
        let flags = flags.join(", ");
        text.push(Style::Warn, "flag      ").line(format!("{scenario}, {framework}: {flags}"));
    }
    if verdict.more_blocks > 0 {
        text.line(format!("{} more blocks a scenario are wanted", verdict.more_blocks));
    }
    text
}

fn session_name(verdict: &GapVerdict) -> &'static str {
    match verdict.session.kind {
        vsota_core::verdict::SessionKind::Gate => "gate",
        vsota_core::verdict::SessionKind::Confirm => "confirm",
    }
}
