//! `vsota loop plan`: PL-1 … PL-3.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::State;
use vsota_core::command::FilePlan;
use vsota_core::evidence::plan;
use vsota_core::facts::Plan;
use vsota_core::phase::{Bench, InLoop as _};
use vsota_core::text::Line;
use vsota_core::{Base, Campaign};

use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::given;
use crate::journal::{Reading, rel};
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
    let (campaign, _) = chronicle::campaign(&Reading::of(&run)?)?;
    let text = match &args.file {
        Some(path) => given::text(context, path)?,
        None => written(&campaign, run.path())?,
    };
    let to = rel(&format!("humanize/refined-plan-{}.md", crate::short(text.as_bytes())))?;
    let staged = run.stage_bytes(text.as_bytes(), plan::PATH, &to, &context.secrets)?;
    if args.file.is_none() && is_written(&campaign) {
        rules(&text)?;
    }
    let facts = plan::read(&text);
    let filed = Plan {
        path: Line::new(plan::PATH).map_err(Failure::bad_evidence)?,
        copy: staged.artifact().clone(),
        placeholders: facts.placeholders,
        duties: facts.duties,
        sections: facts.sections,
    };
    let taken = transition::take_with(context, &run, vec![staged], |_| Ok(FilePlan(filed).into()))?;
    place(&campaign, &text).map_err(|failure| failure.after(taken.head))?;
    taken.outcome()
}

fn written(campaign: &Campaign, run_dir: &Utf8Path) -> Result<String, Failure> {
    let shown = run_dir.canonicalize_utf8();
    let shown = shown.map_err(|error| Failure::file("resolve", run_dir, &error))?;
    match campaign.state() {
        State::FixedBenchmark(it) => match it.inside() {
            Bench::Frozen { charter, .. } => Ok(plan::write(it.base(), charter, shown.as_str())),
            // The gate says that the benchmark is not frozen.
            Bench::Searching(_) => Ok(String::from("# no plan yet\n")),
        },
        State::RlcrActive(it) => {
            Ok(plan::write(&it.case().base, &it.case().charter, shown.as_str()))
        }
        _ => Ok(String::from("# no plan here\n")),
    }
}

/// Puts the plan where Humanize reads it, when the checkout is known and here.
fn place(campaign: &Campaign, text: &str) -> Result<(), Failure> {
    let Some(checkout) = base(campaign).and_then(|it| it.brief.vllm_checkout()) else {
        return Ok(());
    };
    let checkout = Utf8Path::new(checkout.as_str());
    if !checkout.is_dir() {
        return Ok(());
    }
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
    std::fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))
}

/// Whether a plan is written in this phase; elsewhere the gate says what is missing.
fn is_written(campaign: &Campaign) -> bool {
    match campaign.state() {
        State::FixedBenchmark(it) => matches!(it.inside(), Bench::Frozen { .. }),
        State::RlcrActive(_) => true,
        _ => false,
    }
}

/// PL-3: Humanize's own rules, before the plan is used.
fn rules(text: &str) -> Result<(), Failure> {
    match plan::broken(text).first() {
        None => Ok(()),
        Some(rule) => Err(Failure::bad_evidence(format_args!("PL-3: {rule}")).in_file(plan::PATH)),
    }
}

fn base(campaign: &Campaign) -> Option<&Base> {
    match campaign.state() {
        State::FixedBenchmark(it) => Some(it.base()),
        State::RlcrActive(it) => Some(&it.case().base),
        _ => None,
    }
}
