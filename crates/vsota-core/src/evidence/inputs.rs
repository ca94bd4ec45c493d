//! Inputs as they are typed, and as a model's config, its tokenizer and a list of packages tell them
//! (IN-1, IN-2).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::num::NonZeroU32;
use core::str::FromStr;

use serde_json::Value;

use super::EvidenceError;
use super::smi::Gpu;
use crate::artifact::Digest;
use crate::facts::{Framework, Input, LatencyMetric, ModelConfig};
use crate::measure::{Fraction, Measured};
use crate::text::{Line, Name};

/// The keys that `inputs set` takes; `installed.*`, `sampling.*` and `sla.*` come beside them.
pub const KEYS: &[&str] = &[
    "model",
    "tokenizer",
    "precision",
    "quantization",
    "trust_remote_code",
    "max_model_len",
    "vllm_checkout",
    "base_branch",
    "gpu_model",
    "gpu_count",
    "gpu_ids",
    "host",
    "container",
    "cuda",
    "nccl",
    "multi_node",
    "frameworks",
    "history_slug",
    "artifact_root",
    "endpoint",
];

/// Reads one typed input.
///
/// # Errors
///
/// When the key is unknown or the value is not of its kind.
pub fn input(key: &str, value: &str) -> Result<Input, EvidenceError> {
    let line = || parse::<Line>(key, value);
    Ok(match key {
        "model" => Input::Model(line()?),
        "tokenizer" => Input::Tokenizer(line()?),
        "precision" => Input::Precision(precision(key, value)?),
        "quantization" => Input::Quantization(line()?),
        "trust_remote_code" => Input::TrustRemoteCode(parse(key, value)?),
        "max_model_len" => Input::MaxModelLen(parse::<NonZeroU32>(key, value)?),
        "vllm_checkout" => Input::VllmCheckout(line()?),
        "base_branch" => Input::BaseBranch(line()?),
        "gpu_model" => Input::GpuModel(line()?),
        "gpu_count" => Input::GpuCount(parse::<NonZeroU32>(key, value)?),
        "gpu_ids" => Input::GpuIds(line()?),
        "host" => Input::Host(line()?),
        "container" => Input::Container(line()?),
        "cuda" => Input::Cuda(line()?),
        "nccl" => Input::Nccl(line()?),
        "multi_node" => Input::MultiNode(parse(key, value)?),
        "frameworks" => Input::Frameworks(frameworks(key, value)?),
        "history_slug" => Input::HistorySlug(parse::<Name>(key, value)?),
        "artifact_root" => Input::ArtifactRoot(line()?),
        "endpoint" => Input::Endpoint(line()?),
        "sla.min_success_rate" => {
            let rate = Fraction::new(parse(key, value)?);
            let rate = rate.map_err(|error| wrong(key, error))?;
            if rate.get() <= 0.0 {
                return Err(wrong(key, "a success rate must be above 0"));
            }
            Input::SlaSuccessRate(rate)
        }
        _ => dotted(key, value)?,
    })
}

fn dotted(key: &str, value: &str) -> Result<Input, EvidenceError> {
    if let Some(setting) = key.strip_prefix("sampling.") {
        let (key, value) = (parse::<Name>(key, setting)?, parse::<Line>(key, value)?);
        return Ok(Input::Sampling { key, value });
    }
    if let Some(framework) = key.strip_prefix("installed.") {
        let framework: Framework = parse(key, framework)?;
        let version = (value != "none").then(|| parse(key, value)).transpose()?;
        return Ok(Input::Installed { framework, version });
    }
    if let Some(metric) = key.strip_prefix("sla.max_") {
        let metric: LatencyMetric = parse(key, metric)?;
        let limit = Measured::new(parse(key, value)?).map_err(|error| wrong(key, error))?;
        return Ok(Input::SlaLimit { metric, limit });
    }
    let known = KEYS.join(" ");
    let message = format!(
        "there is no input of this name; known: {known} installed.FRAMEWORK sampling.NAME \
         sla.min_success_rate sla.max_{{mean,p50,p90,p95,p99}}_{{ttft,tpot,itl,e2e}}_ms"
    );
    Err(wrong(key, message))
}

/// The names that precision goes by, in the form that rows are compared in.
fn precision(key: &str, value: &str) -> Result<Line, EvidenceError> {
    let normal = match value.trim_start_matches("torch.") {
        "bf16" => "bfloat16",
        "fp16" | "half" => "float16",
        "fp32" | "float" => "float32",
        other => other,
    };
    parse(key, normal)
}

fn frameworks(key: &str, value: &str) -> Result<BTreeSet<Framework>, EvidenceError> {
    value.split(',').map(|word| parse(key, word.trim())).collect()
}

fn parse<T: FromStr<Err: Display>>(key: &str, value: &str) -> Result<T, EvidenceError> {
    value.parse().map_err(|error| wrong(key, error))
}

fn wrong(key: &str, message: impl Display) -> EvidenceError {
    EvidenceError::new(message).of(key)
}

/// Reads a served model's `config.json`: layers, precision, quantization, and the context length.
///
/// Nothing is guessed: a key that the file lacks gives no input. A multi-modal file keeps these
/// under `text_config` or `llm_config`.
///
/// # Errors
///
/// When it is not JSON, or names no number of layers.
pub fn config(bytes: &[u8]) -> Result<Vec<Input>, EvidenceError> {
    let whole: Value = json(bytes)?;
    let text = whole.get("text_config").or_else(|| whole.get("llm_config"));
    let get = |key: &str| text.and_then(|it| it.get(key)).or_else(|| whole.get(key));
    let layers = ["num_hidden_layers", "n_layer", "num_layers"].into_iter().find_map(get);
    let layers = layers.and_then(Value::as_u64).and_then(|it| u32::try_from(it).ok());
    let num_layers = layers
        .and_then(NonZeroU32::new)
        .ok_or_else(|| wrong("num_hidden_layers", "the config names no number of layers"))?;
    let architecture = whole.get("architectures").and_then(|it| it.get(0)).and_then(Value::as_str);
    let architecture = architecture.and_then(|it| it.parse().ok());
    let sha256 = Digest::of(bytes);
    let mut inputs =
        alloc::vec![Input::ModelConfig(ModelConfig { sha256, num_layers, architecture })];
    let dtype = get("dtype").or_else(|| get("torch_dtype")).filter(|it| !it.is_null());
    if let Some(dtype) = dtype {
        let word = dtype.as_str().ok_or_else(|| wrong("torch_dtype", "it is no word"))?;
        inputs.push(Input::Precision(precision("torch_dtype", word)?));
    }
    inputs.push(Input::Quantization(quantization(get("quantization_config"))?));
    let tokens = get("max_position_embeddings").filter(|it| !it.is_null());
    if let Some(tokens) = tokens {
        let key = "max_position_embeddings";
        let tokens =
            tokens.as_u64().and_then(|it| u32::try_from(it).ok()).and_then(NonZeroU32::new);
        let tokens = tokens.ok_or_else(|| wrong(key, "it is no number of tokens"))?;
        inputs.push(Input::MaxModelLen(tokens));
    }
    Ok(inputs)
}

/// The model that a `config.json` belongs to: what its path says, else what it says of itself, else the
/// checkpoint directory that holds it. `path` is absolute.
///
/// A cache of Hugging Face keeps a model under `models--ORGANISATION--NAME/snapshots/REVISION`.
pub fn model(path: &str, bytes: &[u8]) -> Option<Line> {
    let cached = path.split('/').find_map(|it| it.strip_prefix("models--"));
    if let Some((organisation, name)) = cached.and_then(|it| it.split_once("--")) {
        return Line::new(format!("{organisation}/{name}")).ok();
    }
    let whole: Option<Value> = serde_json::from_slice(bytes).ok();
    let named = whole.as_ref().and_then(|it| it.get("_name_or_path")).and_then(Value::as_str);
    // A relative path of whoever saved it says nothing here.
    let id = named.filter(|it| it.split('/').count() == 2 && !it.starts_with(['.', '/', '~']));
    let dir = path.rsplit_once('/').map(|(dir, _)| dir).filter(|it| !it.is_empty());
    id.or(dir).and_then(|it| Line::new(it).ok())
}

/// The class that a `tokenizer_config.json` names; absent when it names none.
///
/// # Errors
///
/// When it is no JSON object, or the class is no word.
pub fn tokenizer_class(bytes: &[u8]) -> Result<Option<Line>, EvidenceError> {
    let whole: Value = json(bytes)?;
    let whole = whole.as_object().ok_or_else(|| EvidenceError::new("it is no object").at(1))?;
    match whole.get("tokenizer_class") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(class)) => parse("tokenizer_class", class).map(Some),
        Some(_) => Err(wrong("tokenizer_class", "it is no word")),
    }
}

/// Which frameworks a list of Python packages holds, and which CUDA and NCCL, as `pip list --format=json`
/// prints it. What is not in the list is not installed there; of two CUDA runtimes none is guessed.
///
/// # Errors
///
/// When it is no such list.
pub fn packages(bytes: &[u8]) -> Result<Vec<Input>, EvidenceError> {
    #[derive(serde::Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    let packages: Vec<Package> = json(bytes)?;
    let normal = |it: &Package| it.name.to_lowercase().replace(['_', '.'], "-");
    let named = |name: &str| packages.iter().find(|it| normal(it) == name);
    let mut inputs = Vec::new();
    for framework in Framework::ALL.iter().copied() {
        let found = named(&framework.as_str().replace('_', "-"));
        let version = found.map(|it| parse(framework.as_str(), &it.version)).transpose()?;
        inputs.push(Input::Installed { framework, version });
    }
    let only = |stem: &str| {
        let is_it = |name: &str| match name.strip_prefix(stem) {
            Some("") => true,
            Some(rest) => rest.strip_prefix("-cu").is_some_and(|it| it.parse::<u8>().is_ok()),
            None => false,
        };
        let mut found = packages.iter().filter(|it| is_it(&normal(it)));
        found.next().filter(|_| found.next().is_none()).map(|it| it.version.as_str())
    };
    if let Some(version) = only("nvidia-cuda-runtime") {
        inputs.push(Input::Cuda(parse("cuda", version)?));
    }
    if let Some(version) = only("nvidia-nccl") {
        inputs.push(Input::Nccl(parse("nccl", version)?));
    }
    Ok(inputs)
}

fn json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, EvidenceError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let line = u64::try_from(error.line()).unwrap_or(0).max(1);
        EvidenceError::new(error).at(line)
    })
}

/// The GPU environment as the table of nvidia-smi tells it: type, count and ids. GPUs of several types
/// give no type, since nobody can know which of them is meant.
pub fn gpus(table: &[Gpu]) -> Vec<Input> {
    let mut inputs = Vec::new();
    let names: BTreeSet<&Line> = table.iter().filter_map(|it| it.name.as_ref()).collect();
    let named = table.iter().all(|it| it.name.is_some());
    if let Some(name) = names.first().filter(|_| named && names.len() == 1) {
        inputs.push(Input::GpuModel((*name).clone()));
    }
    let count = u32::try_from(table.len()).ok().and_then(NonZeroU32::new);
    inputs.extend(count.map(Input::GpuCount));
    let ids: Option<Vec<String>> =
        table.iter().map(|it| it.index.map(|index| index.to_string())).collect();
    let ids = ids.filter(|it| !it.is_empty()).and_then(|it| Line::new(it.join(",")).ok());
    inputs.extend(ids.map(Input::GpuIds));
    inputs
}

/// The method of the quantization, or `none` for a file without one: weights say how they are
/// stored.
fn quantization(config: Option<&Value>) -> Result<Line, EvidenceError> {
    let method = match config {
        None | Some(Value::Null) => String::from("none"),
        Some(config) => config
            .get("quant_method")
            .and_then(Value::as_str)
            .map(ToString::to_string)
            .ok_or_else(|| wrong("quantization_config", "it names no quant_method"))?,
    };
    parse("quantization_config", &method)
}
