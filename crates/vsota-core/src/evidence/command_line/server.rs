//! The launch commands of the three servers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::words::{Flags, Words, base};
use super::{Facts, settings};
use crate::evidence::error::EvidenceError;
use crate::facts::{Dimension, Framework};
use crate::text::{Line, Name};

/// Flags that name a file of settings.
const FILES: &[&str] = &["--config", "--extra-llm-api-options", "--extra-llm-api-config"];

/// Flags that change what is served, beside those that override its config.
const CHANGING: [&str; 4] = [
    "--load-format",
    "--hf-config-path",
    "--override-generation-config",
    "--preferred-sampling-params",
];

/// Formats in which the weights of a checkpoint are loaded as they are.
const PLAIN: [&str; 10] = [
    "auto",
    "hf",
    "pt",
    "safetensors",
    "npcache",
    "sharded_state",
    "mistral",
    "runai_streamer",
    "fastsafetensors",
    "tensorizer",
];

/// A launch command whose framework is known.
pub(super) struct Server {
    pub(super) framework: Framework,
    words: Vec<String>,
    /// The flags of the file of settings, when its text is known.
    file: Option<Vec<String>>,
    visible: Option<String>,
    /// Whether it runs inside a container.
    contained: bool,
}

impl Server {
    /// # Errors
    ///
    /// When the settings are no flags, or the command names no file of settings.
    pub(super) fn of(
        command: &[Line],
        settings: Option<&Value>,
    ) -> Result<Option<Self>, EvidenceError> {
        let words = Words::of(command);
        let visible = words.variable("CUDA_VISIBLE_DEVICES").map(ToString::to_string);
        let contained = words.has_any(&["docker", "podman", "nerdctl", "kubectl", "apptainer"]);
        let frameworks = [Framework::Vllm, Framework::Sglang, Framework::TensorrtLlm];
        let found = frameworks.into_iter().find_map(|framework| {
            let words = words.after(|rest| names(framework, rest))?.to_vec();
            Some(Self { framework, words, file: None, visible: visible.clone(), contained })
        });
        let Some(settings) = settings else { return Ok(found) };
        let Some(mut server) = found else { return Ok(None) };
        if !server.is_configured_elsewhere() {
            let message = "the launch command names no file of settings";
            return Err(EvidenceError::new(message).of("settings"));
        }
        server.file = Some(settings::words(server.framework, settings)?);
        Ok(Some(server))
    }

    /// The value of a flag on the command line or in the file, whichever overrules the other;
    /// `Some("")` for a flag without one.
    fn flag(&self, names: &[&str]) -> Option<&str> {
        let typed = Flags(&self.words).value(names);
        let filed = self.file.as_ref().and_then(|it| Flags(it).value(names));
        match self.framework {
            Framework::TensorrtLlm => filed.or(typed),
            Framework::Vllm | Framework::Sglang => typed.or(filed),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.flag(&[name]).is_some_and(is_true)
    }

    fn value(&self, names: &[&str]) -> Option<&str> {
        self.flag(names).filter(|it| !it.is_empty())
    }

    /// Whether a file beside the command holds settings that nobody filed, so that an absent flag says
    /// nothing.
    pub(super) fn is_configured_elsewhere(&self) -> bool {
        let named = FILES.iter().any(|name| Flags(&self.words).has(name));
        named && self.file.is_none()
    }

    pub(super) fn model(&self) -> Option<&str> {
        let named = match self.framework {
            Framework::Sglang => self.value(&["--model-path", "--model"]),
            Framework::Vllm | Framework::TensorrtLlm => self.value(&["--model"]),
        };
        Flags(&self.words).positional().or(named)
    }

    /// Whether a client may call the model by that name.
    pub(super) fn answers_to(&self, model: &str, name: &str) -> bool {
        let served = self.value(&["--served-model-name"]);
        let directory = self.framework == Framework::TensorrtLlm && base(model) == name;
        name == model || served == Some(name) || directory
    }

    pub(super) fn tokenizer(&self) -> Option<&str> {
        self.value(&["--tokenizer", "--tokenizer-path"])
    }

    pub(super) fn visible_gpus(&self) -> Option<&str> {
        self.visible.as_deref()
    }

    /// GPUs that tensor, pipeline and data parallelism take, where a flag says so.
    pub(super) fn parallel(&self) -> Result<Option<u64>, EvidenceError> {
        let tensor: &[&str] = &["--tensor-parallel-size", "-tp", "--tp", "--tp-size"];
        let pipeline: &[&str] = &["--pipeline-parallel-size", "-pp", "--pp", "--pp-size"];
        let data: &[&str] = &["--data-parallel-size", "-dp", "--dp", "--dp-size"];
        // SGLang's attention splits its data inside the GPUs of tensor parallelism.
        let inside = self.has("--enable-dp-attention");
        let data = self.count(data)?.filter(|_| !inside);
        let context = self.count(&["--prefill-context-parallel-size", "-pcp"])?;
        let factors = [self.count(tensor)?, self.count(pipeline)?, context, data];
        // No node is without a GPU.
        let nodes = self.count(&["--nnodes"])?.filter(|it| *it > 1);
        if factors.iter().all(Option::is_none) {
            return Ok(nodes);
        }
        let used = factors.into_iter().flatten().try_fold(1_u64, u64::checked_mul);
        Ok(used.max(nodes))
    }

    /// The port that a client calls, where the command says it and no container may map it.
    pub(super) fn port(&self) -> Option<&str> {
        self.value(&["--port"]).filter(|_| !self.contained)
    }

    fn count(&self, names: &[&str]) -> Result<Option<u64>, EvidenceError> {
        self.value(names).map(tokens).transpose().map(Option::flatten)
    }

    pub(super) fn context_len(&self) -> Result<Option<u64>, EvidenceError> {
        self.count(match self.framework {
            Framework::Vllm => &["--max-model-len"],
            Framework::Sglang => &["--context-length"],
            Framework::TensorrtLlm => &["--max-seq-len"],
        })
    }

    pub(super) fn backend(&self) -> Result<Option<Name>, EvidenceError> {
        if self.framework != Framework::TensorrtLlm {
            return Ok(None);
        }
        let backend = self.value(&["--backend"]);
        backend
            .map(|it| Name::new(it).map_err(|error| EvidenceError::new(error).of("backend")))
            .transpose()
    }

    /// Whether every GPU of the launch is counted by the flags of this one command.
    pub(super) fn is_one_node(&self) -> bool {
        let spread = ["--nnodes", "--node-rank", "--data-parallel-size-local", "--headless"];
        !self.is_configured_elsewhere() && !spread.into_iter().any(|name| self.has(name))
    }

    pub(super) fn tell(&self, facts: &mut Facts) -> Result<(), EvidenceError> {
        // What a file overrules that nobody filed, the command line does not say.
        if self.framework == Framework::TensorrtLlm && self.is_configured_elsewhere() {
            return Ok(());
        }
        if let Some(precision) = self.value(&["--dtype"]).and_then(precision) {
            facts.say(Dimension::Precision, precision)?;
        }
        let quantization = self.value(&["--quantization", "-q", "--torchao-config"]);
        let quantization = quantization.map(str::to_ascii_lowercase);
        self.say(facts, Dimension::Quantization, quantization, "none")?;
        self.say(facts, Dimension::ModelOverrides, self.overrides(), "none")?;
        self.say(facts, Dimension::KvCacheDtype, self.kv_cache(), "auto")?;
        self.say(facts, Dimension::Speculation, self.speculates().then(|| "on".into()), "off")?;
        match self.caches_prefixes() {
            Some(on) => facts.say(Dimension::PrefixCaching, on_off(on)),
            None => Ok(()),
        }
    }

    /// Says what a flag gives, else what its absence means, unless a file of settings may say more.
    fn say(
        &self,
        facts: &mut Facts,
        dimension: Dimension,
        given: Option<String>,
        absent: &str,
    ) -> Result<(), EvidenceError> {
        match given {
            Some(given) => facts.say(dimension, given),
            None if self.is_configured_elsewhere() => Ok(()),
            None => facts.say(dimension, absent),
        }
    }

    /// What the launch changes about the checkpoint, in canonical words.
    fn overrides(&self) -> Option<String> {
        let mut said = Vec::new();
        let overrides = ["--hf-overrides", "--json-model-override-args", "--model-kwargs"];
        if let Some(json) = self.value(&overrides).and_then(canonical) {
            said.push(json);
        }
        if let Some(revision) = self.value(&["--revision"]) {
            said.push(format!("revision={revision}"));
        }
        for name in CHANGING {
            let plain = |it: &&str| name == "--load-format" && PLAIN.contains(it);
            if let Some(value) = self.value(&[name]).filter(|it| !plain(it)) {
                said.push(format!("{}={value}", name.trim_start_matches('-').replace('-', "_")));
            }
        }
        (!said.is_empty()).then(|| said.join(", "))
    }

    fn kv_cache(&self) -> Option<String> {
        let word = self.value(&["--kv-cache-dtype"])?.to_ascii_lowercase();
        Some(match word.as_str() {
            "fp8_e4m3" | "float8_e4m3fn" => "fp8".into(),
            _ => precision(&word).unwrap_or(word),
        })
    }

    fn speculates(&self) -> bool {
        let sglang =
            ["--speculative-algorithm", "--speculative-algo", "--speculative-draft-model-path"];
        let vllm = [
            "--speculative-config",
            "-sc",
            "--speculative-model",
            "--num-speculative-tokens",
            "--spec-method",
        ];
        self.value(&sglang).or(self.value(&vllm)).is_some_and(|it| !it.eq_ignore_ascii_case("none"))
    }

    /// What a flag says of the prefix cache; without one each server has its own way.
    fn caches_prefixes(&self) -> Option<bool> {
        match self.framework {
            Framework::Vllm if self.has("--no-enable-prefix-caching") => Some(false),
            Framework::Vllm => self.flag(&["--enable-prefix-caching"]).map(is_true),
            Framework::Sglang => self.flag(&["--disable-radix-cache"]).map(|it| !is_true(it)),
            // Only a file of settings can say it.
            Framework::TensorrtLlm => self.flag(&["--enable-block-reuse"]).map(is_true),
        }
    }
}

/// A switch without a value is on.
fn is_true(word: &str) -> bool {
    !matches!(word.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "off")
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// A JSON object with its keys in order; `{}` overrides nothing.
fn canonical(json: &str) -> Option<String> {
    match serde_json::from_str::<serde_json::Value>(json) {
        Ok(serde_json::Value::Object(object)) if object.is_empty() => None,
        Ok(value) => Some(value.to_string()),
        Err(_) => Some(json.to_string()),
    }
}

/// How many words at the start name the framework's server.
fn names(framework: Framework, words: &[String]) -> usize {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match (framework, base(word(0)), word(1)) {
        (Framework::Vllm, "vllm", "serve") | (Framework::Sglang, "sglang", "serve") => 2,
        (Framework::Vllm, "vllm.entrypoints.openai.api_server", _)
        | (Framework::Sglang, "sglang.launch_server", _) => 1,
        (Framework::TensorrtLlm, "trtllm-serve", "serve") => 2,
        (Framework::TensorrtLlm, "trtllm-serve", _) => 1,
        _ => 0,
    }
}

/// The precision in one spelling; `auto` is none.
fn precision(word: &str) -> Option<String> {
    match word.to_ascii_lowercase().as_str() {
        "auto" => None,
        "bf16" => Some("bfloat16".into()),
        "half" | "fp16" => Some("float16".into()),
        "float" | "fp32" => Some("float32".into()),
        other => Some(other.into()),
    }
}

/// A number of tokens as vLLM takes it: `32000`, `32k` (thousands), `32K` (times 1024). `auto` and
/// `-1` leave it to the server.
fn tokens(word: &str) -> Result<Option<u64>, EvidenceError> {
    if matches!(word, "auto" | "-1") {
        return Ok(None);
    }
    let wrong = || {
        EvidenceError::new(format!("{word} is not a number of tokens or GPUs")).of("server_command")
    };
    let (digits, unit) = match word.chars().next_back() {
        Some('k') => (word.strip_suffix('k'), 1_000),
        Some('K') => (word.strip_suffix('K'), 1 << 10),
        Some('m') => (word.strip_suffix('m'), 1_000_000),
        Some('M') => (word.strip_suffix('M'), 1 << 20),
        _ => (Some(word), 1),
    };
    let number: u64 = digits.and_then(|it| it.parse().ok()).ok_or_else(wrong)?;
    number.checked_mul(unit).map(Some).ok_or_else(wrong)
}
