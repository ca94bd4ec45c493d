//! `vsota loop plan`: PL-1 … PL-3.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::State;
use vsota_core::command::{CommandKind, FilePlan};
use vsota_core::evidence::plan;
use vsota_core::facts::Plan;
use vsota_core::phase::{Bench, InLoop as _};
use vsota_core::text::Line;
use vsota_core::{Base, Campaign, Clause};

use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason};
use crate::fence::Fence;
use crate::given;
use crate::help;
use crate::journal::{Reading, rel};
use crate::loops::{Found, Survey};
use crate::output::Outcome;
use crate::transition;

/// Write the refined plan into the vLLM checkout, and file it
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// File this plan instead of writing one
    #[arg(long, value_name = "FILE")]
    file: Option<Utf8PathBuf>,
}

/// Writes and files the plan.
///
/// # Errors
///
/// Refused when the benchmark is not frozen, or the plan lacks what PL-1 to PL-3 ask.
pub fn run(context: &Context, args: PlanArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let chronicle = Chronicle::of(&Reading::of(&run)?)?;
    let campaign = &chronicle.campaign;
    let kind = CommandKind::FilePlan;
    let early = help::unready(campaign, kind);
    if !early.is_empty() {
        return Err(transition::object(context, &run, &chronicle, kind, early));
    }
    let text = match &args.file {
        Some(path) => given::text(context, path)?,
        None => written(campaign, run.path())?,
    };
    let to = rel(&format!("humanize/refined-plan-{}.md", crate::short(text.as_bytes())))?;
    let staged = run.stage_bytes(text.as_bytes(), plan::PATH, &to, &context.secrets)?;
    let real = Fence::around(&run)?.is_none();
    let checkout = real.then(|| checkout(campaign)).transpose()?;
    let facts = plan::read(&text);
    let filed = Plan {
        path: Line::new(plan::PATH).map_err(Failure::bad_evidence)?,
        copy: staged.artifact().clone(),
        placeholders: facts.placeholders,
        duties: facts.duties,
        sections: facts.sections,
    };
    let mut reasons = rules(&text);
    if let Some(checkout) = &checkout {
        reasons.extend(alive(&Survey::of(checkout, run.path(), &chronicle.entries)?));
    }
    if !reasons.is_empty() {
        if let Err(refusal) = campaign.decide(FilePlan(filed)) {
            reasons.extend(help::refused(&refusal).reasons);
        }
        return Err(transition::object(context, &run, &chronicle, kind, reasons));
    }
    // What can fail of the place fails before the event.
    let path = checkout.as_deref().map(room).transpose()?;
    let taken = transition::take_with(context, &run, vec![staged], |_| Ok(FilePlan(filed).into()))?;
    if let Some(path) = path {
        let written = std::fs::write(&path, &text);
        written.map_err(|error| Failure::file("write", &path, &error).after(taken.head))?;
    }
    taken.outcome()
}

fn written(campaign: &Campaign, run_dir: &Utf8Path) -> Result<String, Failure> {
    let shown = run_dir.canonicalize_utf8();
    let shown = shown.map_err(|error| Failure::file("resolve", run_dir, &error))?;
    let (base, charter) = match campaign.state() {
        State::FixedBenchmark(it) => match it.inside() {
            Bench::Frozen { charter, .. } => Some((it.base(), charter)),
            Bench::Searching(_) => None,
        },
        State::RlcrActive(it) => Some((&it.case().base, &it.case().charter)),
        _ => None,
    }
    .ok_or_else(|| Failure::usage("the benchmark is not frozen, so there is nothing to plan by"))?;
    Ok(plan::write(base, charter, shown.as_str()))
}

/// The checkout that the plan is written into.
fn checkout(campaign: &Campaign) -> Result<Utf8PathBuf, Failure> {
    let known = base(campaign).and_then(|it| it.brief.vllm_checkout()).ok_or_else(|| {
        Failure::usage("the campaign knows no vLLM checkout: vsota inputs set vllm_checkout=DIR")
    })?;
    let there = Utf8PathBuf::from(known.as_str());
    if there.is_dir() {
        return Ok(there);
    }
    Err(Failure::bad_evidence("the vLLM checkout is not a directory here").in_file(there))
}

/// Where Humanize reads the plan, with its directory made.
fn room(checkout: &Utf8Path) -> Result<Utf8PathBuf, Failure> {
    let path = checkout.join(plan::PATH);
    let mut part = checkout.to_owned();
    for name in plan::PATH.split('/') {
        part.push(name);
        // A link would lead the plan to a place that is not the checkout's.
        if std::fs::symlink_metadata(&part).is_ok_and(|it| it.is_symlink()) {
            let message =
                "a symbolic link; Humanize refuses a plan behind one, and so is it not written";
            return Err(Failure::bad_evidence(message).in_file(part));
        }
    }
    let dir = path.parent().unwrap_or(checkout);
    std::fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
    Ok(path)
}

/// RL-8: under a loop that is alive the plan stays as it is, or Humanize blocks every stop.
fn alive(survey: &Survey) -> Vec<Reason> {
    let reason = |it: &Found| Reason {
        clause: Clause::Rl8,
        found: format!(
            "the loop {} is alive, and Humanize would block every stop once its plan is another",
            it.path
        ),
        help: String::from("vsota loop status"),
    };
    survey.alive().map(reason).collect()
}

/// PL-3: Humanize's own rules, before the plan is used.
fn rules(text: &str) -> Vec<Reason> {
    let reason = |rule: &plan::Broken| Reason {
        clause: Clause::Pl3,
        found: rule.to_string(),
        help: String::from("vsota loop plan"),
    };
    plan::broken(text).iter().map(reason).collect()
}

fn base(campaign: &Campaign) -> Option<&Base> {
    match campaign.state() {
        State::FixedBenchmark(it) => Some(it.base()),
        State::RlcrActive(it) => Some(&it.case().base),
        _ => None,
    }
}
