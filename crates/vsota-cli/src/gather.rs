//! Where do inputs come from? Typed pairs, a model's config, a workload file, the checkout, and the
//! defaults of the companion's cookbook. Each keeps its source (IN-2, FB-14).

use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::command::RecordInputs;
use vsota_core::evidence::inputs::{config, input};
use vsota_core::evidence::search::ENDPOINT;
use vsota_core::evidence::{workload, yaml};
use vsota_core::facts::{Input, InputsGiven, Sourced, Workload};
use vsota_core::measure::Fraction;
use vsota_core::text::Line;
use vsota_core::{Brief, State};

use crate::chronicle;
use crate::context::Context;
use crate::failure::Failure;
use crate::find;
use crate::given;
use crate::infer;
use crate::rundir::RunDir;
use crate::transition::{self, Transition};

/// One typed input, or the workload file that holds several.
#[derive(Clone, Debug)]
pub enum Pair {
    /// An input with its value.
    Input(Input),
    /// `workload=FILE`.
    Workload(Utf8PathBuf),
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
        if key == "workload" {
            return Ok(Self::Workload(Utf8PathBuf::from(value)));
        }
        input(key, value).map(Self::Input).map_err(|error| error.to_string())
    }
}

/// The files that inputs are taken from.
#[derive(Args, Clone, Debug, Default)]
pub struct Files {
    /// The vLLM checkout that is patched
    #[arg(long, value_name = "DIR")]
    vllm: Option<Utf8PathBuf>,

    /// The served model's Hugging Face config
    #[arg(long, value_name = "CONFIG.json")]
    config: Option<Utf8PathBuf>,

    /// The workload, as JSON or YAML
    #[arg(long, value_name = "FILE")]
    workload: Option<Utf8PathBuf>,

    /// What `nvidia-smi --query-gpu=index,name,… --format=csv` printed where the GPUs are
    #[arg(long, value_name = "FILE.csv")]
    nvidia_smi: Option<Utf8PathBuf>,

    /// What `pip list --format=json` printed where a framework is installed; once for each place
    #[arg(long, value_name = "FILE.json")]
    pip_list: Vec<Utf8PathBuf>,
}

impl Files {
    /// The served model's config, when it was named.
    pub fn config(&self) -> Option<&Utf8Path> {
        self.config.as_deref()
    }
}

/// Every file that was named.
pub fn named<'a>(files: &'a Files, pairs: &'a [Pair]) -> impl Iterator<Item = &'a Utf8Path> {
    let of_pairs = pairs.iter().filter_map(|it| match it {
        Pair::Workload(path) => Some(path),
        Pair::Input(_) => None,
    });
    let named = files.config.iter().chain(&files.workload).chain(&files.nvidia_smi);
    let named = named.chain(&files.pip_list);
    named.chain(of_pairs).map(Utf8PathBuf::as_path)
}

/// Everything that was given, files first, so that a typed value wins over an inferred one.
///
/// # Errors
///
/// Bad evidence when a file is not what it should be.
pub fn inputs(context: &Context, files: &Files, pairs: &[Pair]) -> Result<InputsGiven, Failure> {
    let mut inputs = Vec::new();
    if let Some(dir) = &files.vllm {
        inputs.push(infer::checkout(dir, "--vllm")?);
    }
    if let Some(path) = &files.config {
        let bytes = context.evidence(path, 16 << 20)?;
        for it in config(&bytes).map_err(|error| bad(&error, path))? {
            inputs.push(sourced(it, path.as_str())?);
        }
    }
    if let Some(path) = &files.nvidia_smi {
        let bytes = context.evidence(path, 16 << 20)?;
        inputs.extend(infer::saved(path, &bytes)?);
    }
    for path in &files.pip_list {
        let bytes = context.evidence(path, infer::PACKAGES)?;
        let found = infer::packages(&bytes, path.as_str())?;
        infer::unless_known(&mut inputs, found);
    }
    if let Some(path) = &files.workload {
        for it in workload_file(context, path)? {
            inputs.push(sourced(it, path.as_str())?);
        }
    }
    for pair in pairs {
        match pair {
            Pair::Input(it) => inputs.push(sourced(it.clone(), "flag")?),
            Pair::Workload(path) => {
                for it in workload_file(context, path)? {
                    inputs.push(sourced(it, path.as_str())?);
                }
            }
        }
    }
    Ok(InputsGiven { inputs })
}

/// The inputs that a workload file holds.
///
/// # Errors
///
/// Bad evidence when it is none.
pub fn workload_file(context: &Context, path: &Utf8Path) -> Result<Vec<Input>, Failure> {
    let text = given::text(context, path)?;
    let file = yaml::read(&text).map_err(|error| bad(&error, path))?;
    let inputs = workload(file.json()).map_err(|error| bad(&error, path))?;
    let none = |it: &Input| matches!(it, Input::SlaSuccessRate(rate) if rate.get() <= 0.0);
    if inputs.iter().any(none) {
        let message = "a success rate must be above 0";
        return Err(Failure::bad_evidence(message).in_file(path).at_field("sla.min_success_rate"));
    }
    Ok(inputs)
}

/// An evidence error with the file in which it was found.
pub fn bad(error: &vsota_core::evidence::EvidenceError, path: impl AsRef<Utf8Path>) -> Failure {
    let mut failure = Failure::bad_evidence(&error.message).in_file(path);
    if let Some(line) = error.line {
        failure = failure.at_line(line);
    }
    match &error.field {
        Some(field) => failure.at_field(field),
        None => failure,
    }
}

fn sourced(input: Input, source: &str) -> Result<Sourced, Failure> {
    Ok(Sourced { input, source: line(source)? })
}

fn line(text: &str) -> Result<Line, Failure> {
    Line::new(text).map_err(Failure::bad_evidence)
}

/// Records what the companion's cookbook says where the caller said nothing (FB-4, FB-14); `None` when
/// he said everything.
///
/// # Errors
///
/// When the journal cannot be read or written.
pub fn record_defaults(context: &Context, run: &RunDir) -> Result<Option<Transition>, Failure> {
    let (campaign, _) = chronicle::campaign(&crate::journal::Reading::of(run)?)?;
    let State::Inputs(inputs) = campaign.state() else { return Ok(None) };
    let inputs = defaults(&inputs.base().brief)?;
    if inputs.is_empty() {
        return Ok(None);
    }
    transition::take(context, run, RecordInputs(InputsGiven { inputs })).map(Some)
}

fn defaults(brief: &Brief) -> Result<Vec<Sourced>, Failure> {
    let mut inputs = Vec::new();
    let mut unless_given = |key: &str, input: Option<Input>, source: &str| {
        if let Some(input) = input.filter(|_| brief.get(key).is_none()) {
            inputs.push(sourced(input, source)?);
        }
        Ok::<(), Failure>(())
    };
    let cookbook = "default: the companion's cookbook";
    unless_given("workload", Workload::standard().map(Input::Workload), cookbook)?;
    let endpoint = Line::new(ENDPOINT).ok().map(Input::Endpoint);
    unless_given("endpoint", endpoint, cookbook)?;
    let every = Some(Input::SlaSuccessRate(Fraction::ONE));
    unless_given("sla.min_success_rate", every, "default: every request completes")?;
    Ok(inputs)
}

/// Whether the checkout belongs to no other campaign than the one at that place, which may not be there yet.
///
/// # Errors
///
/// When it belongs to another one that is still there.
pub fn unclaimed(place: &Utf8Path, given: &InputsGiven) -> Result<(), Failure> {
    let Some(pointer) = pointer(given) else { return Ok(()) };
    let Ok(other) = std::fs::read_to_string(&pointer) else { return Ok(()) };
    let other = Utf8PathBuf::from(other.trim());
    let same = place.canonicalize_utf8().is_ok_and(|it| it == other);
    if same || !find::is_campaign(&other) {
        return Ok(());
    }
    let message = format_args!(
        "the checkout belongs to the campaign {other}: go on there with `-C {other}`, or end it first"
    );
    Err(Failure::no_campaign(message).in_file(pointer))
}

/// Where the repository of the checkout names its campaign.
fn pointer(given: &InputsGiven) -> Option<Utf8PathBuf> {
    let checkout = given.inputs.iter().find_map(|it| match &it.input {
        Input::VllmCheckout(path) => Some(Utf8Path::new(path.as_str())),
        _ => None,
    });
    Some(find::git_common_dir(checkout?)?.join(find::POINTER))
}

/// Leaves word of the campaign in the git repository of the checkout, so that it is found from there.
///
/// # Errors
///
/// When the pointer cannot be written, or names another campaign that is still there.
pub fn point_at(run: &RunDir, given: &InputsGiven) -> Result<(), Failure> {
    let Some(pointer) = pointer(given) else { return Ok(()) };
    unclaimed(run.path(), given)?;
    let here = run.path().canonicalize_utf8();
    let here = here.map_err(|error| Failure::file("resolve", run.path(), &error))?;
    std::fs::write(&pointer, format!("{here}\n"))
        .map_err(|error| Failure::file("write", &pointer, &error))
}

/// Removes that word when the campaign has stopped.
pub fn forget(brief: &Brief, run: &RunDir) {
    let checkout = brief.vllm_checkout().map(|it| Utf8PathBuf::from(it.as_str()));
    let Some(common) = checkout.as_deref().and_then(find::git_common_dir) else { return };
    let pointer = common.join(find::POINTER);
    let ours = std::fs::read_to_string(&pointer)
        .is_ok_and(|it| run.path().canonicalize_utf8().is_ok_and(|here| it.trim() == here));
    if ours {
        // A pointer that stays is named as dangling later; the stop is recorded all the same.
        let _ = std::fs::remove_file(&pointer);
    }
}
