//! What need nobody be asked? The model from its config, the tokenizer from beside it, the checkout from where
//! we stand, GPUs and frameworks from where the GPUs are (IN-1, IN-2, IN-5). Each value names what it was
//! taken from; nothing found is guessed.

use std::env;
use std::process::{Command, Output};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use vsota_core::evidence::inputs;
use vsota_core::evidence::smi;
use vsota_core::facts::{Framework, Input, InputsGiven, Sourced};
use vsota_core::text::Line;

use crate::bounded::{self, Patience, Unanswered};
use crate::checkout::Checkout;
use crate::commands::history::query;
use crate::failure::Failure;
use crate::gather::bad;
use crate::loops::ground::on_path;
use crate::loops::trees;
use crate::rundir::intake;

/// The most bytes of a table of nvidia-smi.
const TABLE: u64 = 1 << 20;

/// The most bytes of a list of packages.
pub const PACKAGES: u64 = 4 << 20;

/// The most bytes of a tokenizer.
const TOKENIZER: u64 = 64 << 20;

/// The files that a tokenizer is loaded from, the first that is there.
const TOKENIZERS: [&str; 4] = ["tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json"];

/// The most bytes of a model's config.
const CONFIG: u64 = 16 << 20;

/// What ssh ends with when it fails itself.
const SSH_FAILED: i32 = 255;

/// What helps then: nobody is asked for a password, a passphrase, or whether a host is known.
const ADVICE: &str =
    "; if ssh wants to ask something, connect once by hand, and load the key with ssh-add";

/// What is asked of nvidia-smi.
const QUERY: &str = "--query-gpu=index,name,uuid,driver_version,memory.total,mig.mode.current";

/// How the packages of a Python are asked for: words that no shell on the way reads in another way.
const PIP: [&str; 6] =
    ["python3", "-m", "pip", "list", "--format=json", "--disable-pip-version-check"];

/// What inference looks at beside what was given.
#[derive(Clone, Debug)]
pub struct Around<'a> {
    /// The served model's config.
    pub config: Option<&'a Utf8Path>,
    /// How a command is run where the GPUs are, such as `ssh box`; here when empty.
    pub host: Vec<String>,
    /// How a command is run in the container there, such as `docker exec vllm`; outside when empty.
    pub container: Vec<String>,
    /// How long one answer may take.
    pub time: Duration,
}

/// Adds what can be inferred and was not given, before what was given, so that a given value wins.
///
/// # Errors
///
/// Child when the host was named and cannot be asked; bad evidence when what it says is no table.
pub fn add(given: InputsGiven, around: &Around<'_>) -> Result<InputsGiven, Failure> {
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
    if !has("gpu_model") || around.is_elsewhere() {
        let there = asked(around, &given)?;
        found.extend(there.into_iter().filter(|it| !has(&it.input.key())));
    }
    if !has("tokenizer")
        && let Some(path) = around.config
    {
        found.extend(tokenizer(path, found.iter().chain(&given.inputs))?);
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

impl Around<'_> {
    /// Whether a place was named, which is expected to answer then.
    fn is_elsewhere(&self) -> bool {
        !self.host.is_empty() || !self.container.is_empty()
    }

    /// Runs a command there; the words that were run, and what they said.
    fn ask(&self, words: &[&str], bytes: u64) -> (String, Result<Output, Unanswered>) {
        let before = self.host.iter().chain(&self.container).map(String::as_str);
        let words: Vec<&str> = before.chain(words.iter().copied()).collect();
        let patience = Patience { time: self.time, bytes };
        let answer = match self.is_elsewhere() {
            true => bounded::ask_alone(&words, patience),
            false => {
                let mut command = Command::new(words.first().unwrap_or(&""));
                bounded::ask(command.args(words.iter().skip(1)), patience)
            }
        };
        (words.join(" "), answer)
    }
}

/// What the place of the GPUs says of itself: nothing where nothing was named and no GPU is here.
fn asked(around: &Around<'_>, given: &InputsGiven) -> Result<Vec<Sourced>, Failure> {
    let named = around.is_elsewhere();
    let remote = given.inputs.iter().any(|it| matches!(it.input, Input::Host(_)));
    if !named && (remote || !on_path("nvidia-smi")) {
        return Ok(Vec::new());
    }
    let (run, answer) = around.ask(&["nvidia-smi", QUERY, "--format=csv"], TABLE);
    let shown = run.split(QUERY).next().unwrap_or_default().trim_end();
    let failed = |why: String| Failure::child(format_args!("`{shown}` {why}"));
    let answer = match answer {
        Ok(answer) if answer.status.success() => answer,
        // A driver that is not loaded is no GPU; a place that was named is expected to answer.
        Ok(_) if !named => return Ok(Vec::new()),
        Ok(answer) => {
            // ssh says on stderr why; what nvidia-smi has to say stands on stdout.
            let last = |it: &[u8]| {
                let text = String::from_utf8_lossy(it).into_owned();
                text.lines().rfind(|it| !it.trim().is_empty()).map(str::to_owned)
            };
            let said = last(&answer.stderr).or_else(|| last(&answer.stdout)).unwrap_or_default();
            let advice = if answer.status.code() == Some(SSH_FAILED) { ADVICE } else { "" };
            return Err(failed(format!("ended with {}: {said}{advice}", answer.status)));
        }
        Err(error @ Unanswered::Late(_)) => {
            return Err(failed(format!("{error}; a slow host wants --host-timeout")));
        }
        Err(error) => return Err(failed(error.to_string())),
    };
    let table = smi::read(&answer.stdout).map_err(|error| bad(&error, shown))?;
    let mut found = Vec::new();
    for it in inputs::gpus(&table) {
        found.push(sourced(it, shown)?);
    }
    for (words, input) in [
        (&around.host, Input::Host as fn(Line) -> Input),
        (&around.container, Input::Container as fn(Line) -> Input),
    ] {
        if !words.is_empty() {
            found.push(sourced(input(line(&words.join(" "))?), "flag")?);
        }
    }
    found.extend(frameworks(around)?);
    Ok(found)
}

/// The frameworks that the Python there has installed; nothing where it cannot say so.
fn frameworks(around: &Around<'_>) -> Result<Vec<Sourced>, Failure> {
    let (shown, answer) = around.ask(&PIP, PACKAGES);
    match answer {
        Ok(answer) if answer.status.success() => packages(&answer.stdout, &shown),
        // No Python, or one without pip: that says nothing of the frameworks.
        Ok(_) | Err(Unanswered::Start(_)) => Ok(Vec::new()),
        // A place that was named is expected to answer; here they may be told by --pip-list.
        Err(_) if !around.is_elsewhere() => Ok(Vec::new()),
        Err(error) => Err(Failure::child(format_args!("`{shown}` {error}"))),
    }
}

/// What a list of packages says.
///
/// # Errors
///
/// Bad evidence when it is none.
pub fn packages(bytes: &[u8], source: &str) -> Result<Vec<Sourced>, Failure> {
    let found = inputs::packages(bytes).map_err(|error| bad(&error, source))?;
    found.into_iter().map(|it| sourced(it, source)).collect()
}

/// Adds what another place says of frameworks: what one of them has installed is installed, and what an
/// earlier one told of CUDA and NCCL stays.
pub fn unless_known(inputs: &mut Vec<Sourced>, found: Vec<Sourced>) {
    for it in found {
        let key = it.input.key();
        let absent = |it: &Sourced| matches!(it.input, Input::Installed { version: None, .. });
        match inputs.iter_mut().find(|other| other.input.key() == key) {
            None => inputs.push(it),
            Some(other) if absent(other) => *other = it,
            Some(_) => {}
        }
    }
}

/// The tokenizer that lies beside the config: it is the model's own. Its class and its digest stand in the
/// source.
fn tokenizer<'a>(
    config: &Utf8Path,
    known: impl DoubleEndedIterator<Item = &'a Sourced>,
) -> Result<Option<Sourced>, Failure> {
    let model = known.rev().find_map(|it| match &it.input {
        Input::Model(model) => Some(model.clone()),
        _ => None,
    });
    let dir = config.parent().unwrap_or(Utf8Path::new(""));
    let file = TOKENIZERS.iter().map(|it| dir.join(it)).find(|it| it.is_file());
    let (Some(model), Some(file)) = (model, file) else { return Ok(None) };
    // What cannot be read stays unknown; a tokenizer stops no campaign (IN-2).
    let Ok(bytes) = intake::read(&file, TOKENIZER) else { return Ok(None) };
    let digest = vsota_core::Digest::of(&bytes).to_string();
    let short: String = digest.chars().take(12).collect();
    let settings = dir.join("tokenizer_config.json");
    let class = match settings.is_file() {
        true => {
            let class =
                |it: Vec<u8>| inputs::tokenizer_class(&it).map_err(|it| bad(&it, &settings));
            intake::read(&settings, CONFIG).ok().map(class).transpose()?.flatten()
        }
        false => None,
    };
    let class = class.map_or(String::new(), |it| format!(", {it}"));
    sourced(Input::Tokenizer(model), &format!("{file}: sha256 {short}{class}")).map(Some)
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
