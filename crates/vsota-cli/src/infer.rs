//! What need nobody be asked? The model from its config, the checkout from where we stand, the GPUs from
//! nvidia-smi (IN-1, IN-2, IN-5). Each value names what it was taken from; nothing found is guessed.

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use vsota_core::evidence::inputs;
use vsota_core::evidence::smi;
use vsota_core::facts::{Framework, Input, InputsGiven, Sourced};
use vsota_core::text::Line;

use crate::checkout::Checkout;
use crate::commands::history::query;
use crate::failure::Failure;
use crate::gather::bad;
use crate::loops::ground::on_path;
use crate::loops::trees;
use crate::rundir::intake;
use crate::supervise::question::{Question, Unanswered};
use crate::supervise::reaper::Ending;

/// The most bytes of a table of nvidia-smi.
const TABLE: u64 = 1 << 20;

/// The most bytes of a model's config.
const CONFIG: u64 = 16 << 20;

/// What is asked of nvidia-smi.
const QUERY: &str = "--query-gpu=index,name,uuid,driver_version,memory.total,mig.mode.current";

/// How long nvidia-smi may take to answer, here or on a host.
const ANSWER: Duration = Duration::from_secs(60);

/// What inference looks at beside what was given.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The served model's config.
    pub config: Option<&'a Utf8Path>,
    /// How a command is run where the GPUs are, such as `ssh box`; here when empty.
    pub host: &'a [String],
}

/// Adds what can be inferred and was not given, before what was given, so that a given value wins.
///
/// # Errors
///
/// Child when the host was named and cannot be asked; bad evidence when what it says is no table.
pub fn add(given: InputsGiven, around: Around<'_>) -> Result<InputsGiven, Failure> {
    let has = |key: &str| given.inputs.iter().any(|it| it.input.key() == key);
    let mut found = Vec::new();
    if !has("model")
        && let Some(path) = around.config
    {
        found.extend(model(path)?);
    }
    if !has("vllm_checkout") {
        found.extend(here()?);
    }
    if !has("gpu_model") || !around.host.is_empty() {
        let table = asked(around.host, &given)?;
        found.extend(table.into_iter().filter(|it| !has(&it.input.key())));
    }
    if !has("history_slug") {
        let named = found.iter().chain(&given.inputs).rev().find_map(|it| match &it.input {
            Input::Model(model) => Some(model.clone()),
            _ => None,
        });
        found.extend(named.map(|it| family(&it)).transpose()?.flatten());
    }
    found.extend(given.inputs);
    Ok(InputsGiven { inputs: found })
}

/// The checkout that was named: the root of its work tree, and in its source branch, commit and version.
///
/// # Errors
///
/// Bad evidence when it is not there; child when git cannot be run.
pub fn checkout(dir: &Utf8Path, source: &str) -> Result<Sourced, Failure> {
    let there = dir.canonicalize_utf8();
    let there = there.map_err(|error| Failure::bad_evidence(error).in_file(dir))?;
    let top = trees::around(&there).unwrap_or_else(|| there.clone());
    let mut source = source.to_owned();
    if top.join(".git").exists() {
        let git = Checkout::at(&top)?;
        let branch =
            git.branch()?.map_or_else(|| "detached".to_owned(), |it| format!("branch {it}"));
        let commit = git
            .commit()?
            .map_or_else(|| "no commit".to_owned(), |it| format!("commit {}", it.short()));
        let version = git
            .version()?
            .map_or_else(|| "version unknown".to_owned(), |it| format!("version {it}"));
        source = format!("{source}: {branch}, {commit}, {version}");
    }
    sourced(Input::VllmCheckout(line(top.as_str())?), &source)
}

fn model(path: &Utf8Path) -> Result<Option<Sourced>, Failure> {
    let bytes = intake::read(path, CONFIG)?;
    let there = path.canonicalize_utf8();
    // A cache holds links to blobs; the name of the model is in the path that leads there.
    let shown = camino::absolute_utf8(path).or(there);
    let shown = shown.map_err(|error| Failure::file("resolve", path, &error))?;
    let named = inputs::model(shown.as_str(), &bytes);
    named.map(|it| sourced(Input::Model(it), path.as_str())).transpose()
}

/// The checkout around the working directory, when it is one of vLLM.
fn here() -> Result<Option<Sourced>, Failure> {
    let here = env::current_dir().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let Some(top) = here.as_deref().and_then(trees::around) else { return Ok(None) };
    let ours = top.join("vllm/__init__.py").is_file() && top.join("pyproject.toml").is_file();
    if ours { checkout(&top, "the working directory").map(Some) } else { Ok(None) }
}

/// What nvidia-smi says, here or on the host; nothing where there is none.
fn asked(host: &[String], given: &InputsGiven) -> Result<Vec<Sourced>, Failure> {
    let remote = given.inputs.iter().any(|it| matches!(it.input, Input::Host(_)));
    if host.is_empty() && (remote || !on_path("nvidia-smi")) {
        return Ok(Vec::new());
    }
    let words = [host, &["nvidia-smi".into(), QUERY.into(), "--format=csv".into()]].concat();
    let shown = [host, &["nvidia-smi".into()]].concat().join(" ");
    let failed = |why: String| Failure::child(format_args!("`{shown}` {why}"));
    let (env, marker) = (BTreeMap::new(), format!("init-{}", std::process::id()));
    let question =
        Question { argv: &words, env: &env, dir: None, marker: &marker, at_most: ANSWER };
    let answer = match question.ask() {
        Ok(answer) => answer,
        // A driver that is not loaded is no GPU; a host that was named is expected to answer.
        Err(_) if host.is_empty() => return Ok(Vec::new()),
        Err(Unanswered::Program) => return Err(failed("could not be run".to_owned())),
        Err(Unanswered::Late) => {
            return Err(failed(format!("did not answer in {} s", ANSWER.as_secs())));
        }
        Err(Unanswered::Own(failure)) => return Err(failure),
    };
    if answer.ending != Ending::Code(0) {
        let said = answer.text.lines().next().unwrap_or_default();
        let ended = failed(format!("ended {}: {said}", answer.ending));
        return if host.is_empty() { Ok(Vec::new()) } else { Err(ended) };
    }
    let table = smi::read(answer.text.as_bytes()).map_err(|error| bad(&error, &shown))?;
    let mut found = Vec::new();
    for it in inputs::gpus(&table) {
        found.push(sourced(it, &shown)?);
    }
    if !host.is_empty() {
        found.push(sourced(Input::Host(line(&host.join(" "))?), "flag")?);
    }
    Ok(found)
}

/// What a saved table of nvidia-smi says.
///
/// # Errors
///
/// Bad evidence when it is none.
pub fn saved(path: &Utf8Path, bytes: &[u8]) -> Result<Vec<Sourced>, Failure> {
    if bytes.len() as u64 > TABLE {
        return Err(Failure::bad_evidence("too large for a table of nvidia-smi").in_file(path));
    }
    let table = smi::read(bytes).map_err(|error| bad(&error, path))?;
    inputs::gpus(&table).into_iter().map(|it| sourced(it, path.as_str())).collect()
}

/// The family of a model in vLLM's history, where a knowledge root is installed.
fn family(model: &Line) -> Result<Option<Sourced>, Failure> {
    let Some((slug, root)) = query::family(model.as_str(), Framework::Vllm) else {
        return Ok(None);
    };
    let slug = inputs::input("history_slug", &slug).map_err(|error| bad(&error, &root))?;
    sourced(slug, root.as_str()).map(Some)
}

fn sourced(input: Input, source: &str) -> Result<Sourced, Failure> {
    Ok(Sourced { input, source: line(source)? })
}

fn line(text: &str) -> Result<Line, Failure> {
    Line::new(text).map_err(Failure::bad_evidence)
}
