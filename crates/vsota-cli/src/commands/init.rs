//! `vsota init`: opens a campaign (IN-1 … IN-5).

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Serialize;
use vsota_core::command::{CloseInputs, CommandKind, RecordInputs};
use vsota_core::facts::{Input, InputsGiven, Nothing};
use vsota_core::text::Line;
use vsota_core::{Clause, Format, Opening};

use crate::chronicle;
use crate::clock;
use crate::context::Context;
use crate::failure::{Failure, Reason, Refused};
use crate::fence::Fence;
use crate::find;
use crate::gather::{self, Pair};
use crate::help;
use crate::infer::{self, Around};
use crate::output::{Outcome, Style, Text};
use crate::rundir::{RunDir, names};
use crate::transition::{self, Transition};

/// Open a campaign and make its run directory
///
/// Without -C it is made under ./runs/, named after the day and the model. What is missing is listed;
/// when nothing is, the inputs are closed.
#[derive(Args, Debug)]
pub struct InitArgs {
    #[command(flatten)]
    files: gather::Files,

    /// Inputs, such as model=Qwen/Qwen3-8B, gpu_model="NVIDIA H100" or frameworks=vllm,sglang
    #[arg(value_name = "KEY=VALUE")]
    pairs: Vec<Pair>,

    /// How a command is run where the GPUs are, such as 'ssh box'; nvidia-smi and pip are asked there
    #[arg(long, value_name = "WORDS")]
    host_command: Option<String>,

    /// How a command is run in the container there, such as 'docker exec vllm'
    #[arg(long, value_name = "WORDS")]
    container_command: Option<String>,

    /// How long one answer from there may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    host_timeout: u64,

    /// Open a demonstration, which says so in every document
    #[arg(long, hide = true)]
    demo: bool,
}

#[derive(Serialize)]
struct Opened<'a> {
    run_dir: &'a str,
    missing: &'a [Reason],
}

/// Opens the campaign.
///
/// # Errors
///
/// Refused when a campaign is open there already or the place is inside the vLLM checkout.
pub fn run(context: &Context, args: InitArgs) -> Result<Outcome, Failure> {
    let given = gather::inputs(context, &args.files, &args.pairs)?;
    let given = if args.demo { given } else { inferred(given, &args)? };
    let place = place(context, &given)?;
    if args.demo {
        inside(&Fence::of_demo(&place)?, &args)?;
    }
    outside_the_checkout(&place, &given)?;
    gather::unclaimed(&place, &given)?;
    if let Some(above) = place.parent() {
        std::fs::create_dir_all(above).map_err(|error| Failure::file("create", above, &error))?;
    }
    let run = RunDir::create(&place)?;
    let version = Line::new(concat!("vsota ", env!("CARGO_PKG_VERSION")));
    let version = version.map_err(Failure::usage)?;
    let opening = Opening { format: Format::CURRENT, version, demo: args.demo };
    let mut last = transition::open(context, &run, opening)?;
    let missing =
        fill(context, &run, given, &mut last).map_err(|failure| match failure.recorded {
            Some(_) => failure,
            None => failure.after(last.head),
        })?;
    let mut text = Text::new();
    text.plain("run directory  ").push(Style::Strong, run.path()).end();
    for reason in &missing {
        text.push(Style::Warn, "missing  ")
            .plain(&reason.found)
            .plain("  ")
            .push(Style::Code, &reason.help)
            .end();
    }
    last.outcome_with(text, &Opened { run_dir: run.path().as_str(), missing: &missing })
}

/// What need not be asked is added (IN-2).
fn inferred(given: InputsGiven, args: &InitArgs) -> Result<InputsGiven, Failure> {
    let words = |it: &Option<String>| -> Vec<String> {
        it.iter().flat_map(|it| it.split_whitespace()).map(str::to_owned).collect()
    };
    let around = Around {
        config: args.files.config(),
        host: words(&args.host_command),
        container: words(&args.container_command),
        time: Duration::from_secs(args.host_timeout),
    };
    infer::add(given, &around)
}

/// Records what was given, and closes the inputs when nothing is missing; `last` is the last step that
/// was recorded, also when a later one fails.
fn fill(
    context: &Context,
    run: &RunDir,
    given: InputsGiven,
    last: &mut Transition,
) -> Result<Vec<Reason>, Failure> {
    if !given.inputs.is_empty() {
        gather::point_at(run, &given)?;
        *last = transition::take(context, run, RecordInputs(given))?;
    }
    if let Some(recorded) = gather::record_defaults(context, run)? {
        *last = recorded;
    }
    let missing = missing(run)?;
    if missing.is_empty() {
        *last = transition::take(context, run, CloseInputs(Nothing {}))?;
    }
    Ok(missing)
}

/// A demonstration takes no file from elsewhere.
fn inside(fence: &Fence, args: &InitArgs) -> Result<(), Failure> {
    gather::named(&args.files, &args.pairs).try_for_each(|it| fence.check(it))
}

fn missing(run: &RunDir) -> Result<Vec<Reason>, Failure> {
    let (campaign, _) = chronicle::campaign(&crate::journal::Reading::of(run)?)?;
    let kind = CommandKind::CloseInputs;
    let objections = campaign.ready(kind).unwrap_or_default();
    Ok(objections.iter().map(|it| help::reason(it, kind)).collect())
}

/// `-C`, else a fresh directory under `runs/` (IN-3).
fn place(context: &Context, given: &InputsGiven) -> Result<Utf8PathBuf, Failure> {
    if let Some(named) = context.finder.named() {
        return Ok(named.to_owned());
    }
    let model = given.inputs.iter().rev().find_map(|it| match &it.input {
        Input::Model(model) => Some(model.as_str()),
        _ => None,
    });
    let model = model.ok_or_else(|| {
        Failure::usage("the run directory is named after the model: give model=… or -C DIR")
    })?;
    let slug = names::slug(model).ok_or_else(|| {
        Failure::bad_evidence("no directory can be named after this model").at_field("model")
    })?;
    let day: String =
        clock::rfc3339(context.clock.now()).chars().take(10).filter(|it| *it != '-').collect();
    let runs = Utf8Path::new("runs");
    std::fs::create_dir_all(runs).map_err(|error| Failure::file("create", runs, &error))?;
    let named = |n: u32| match n {
        1 => runs.join(format!("{day}_{slug}_sota_humanize")),
        _ => runs.join(format!("{day}_{slug}_{n}_sota_humanize")),
    };
    (1..100)
        .map(named)
        .find(|it| !it.exists())
        .ok_or_else(|| Failure::usage("there are a hundred campaigns of this model today"))
}

/// IN-3: artefacts inside the checkout would be staged with the patch, unless git ignores them.
fn outside_the_checkout(place: &Utf8Path, given: &InputsGiven) -> Result<(), Failure> {
    let checkouts = given.inputs.iter().filter_map(|it| match &it.input {
        Input::VllmCheckout(path) => Some(Utf8Path::new(path.as_str())),
        _ => None,
    });
    let here =
        camino::absolute_utf8(place).map_err(|error| Failure::file("resolve", place, &error))?;
    for checkout in checkouts.filter(|it| here.starts_with(it)) {
        if !find::is_ignored(checkout, &here) {
            let found = format!(
                "the run directory {here} lies inside the vLLM checkout and git does not ignore it"
            );
            let help = String::from("vsota init -C DIR");
            return Err(
                Refused { reasons: vec![Reason { clause: Clause::In3, found, help }] }.into()
            );
        }
    }
    Ok(())
}
