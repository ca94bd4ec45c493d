//! The launch commands of the three servers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Facts;
use super::words::{Flags, Words, base};
use crate::evidence::error::EvidenceError;
use crate::facts::{Dimension, Framework};
use crate::text::{Line, Name};

/// A launch command whose framework is known.
pub(super) struct Server {
    pub(super) framework: Framework,
    words: Vec<String>,
    visible: Option<String>,
}

impl Server {
    pub(super) fn of(command: &[Line]) -> Option<Self> {
        let words = Words::of(command);
        let visible = words.variable("CUDA_VISIBLE_DEVICES").map(ToString::to_string);
        [Framework::Vllm, Framework::Sglang, Framework::TensorrtLlm].into_iter().find_map(
            |framework| {
                let words = words.after(|rest| names(framework, rest))?.to_vec();
                Some(Self { framework, words, visible: visible.clone() })
            },
        )
    }

    fn flags(&self) -> Flags<'_> {
        Flags(&self.words)
    }

    fn value(&self, names: &[&str]) -> Option<&str> {
        self.flags().value(names).filter(|it| !it.is_empty())
    }

    /// Whether a file beside the command holds settings, so that an absent flag says nothing.
    fn is_configured_elsewhere(&self) -> bool {
        let flags = self.flags();
        ["--config", "--extra-llm-api-options"].into_iter().any(|name| flags.has(name))
    }

    pub(super) fn model(&self) -> Option<&str> {
        let named = match self.framework {
            Framework::Sglang => self.value(&["--model-path", "--model"]),
            Framework::Vllm | Framework::TensorrtLlm => self.value(&["--model"]),
        };
        self.flags().positional().or(named)
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

    /// GPUs that tensor and pipeline parallelism take.
    pub(super) fn parallel(&self) -> Result<Option<u64>, EvidenceError> {
        let tensor: &[&str] = &["--tensor-parallel-size", "-tp", "--tp", "--tp-size"];
        let pipeline: &[&str] = &["--pipeline-parallel-size", "-pp", "--pp", "--pp-size"];
        match (self.count(tensor)?, self.count(pipeline)?) {
            (None, None) => Ok(None),
            (tensor, pipeline) => Ok(tensor.unwrap_or(1).checked_mul(pipeline.unwrap_or(1))),
        }
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

    pub(super) fn tell(&self, facts: &mut Facts) -> Result<(), EvidenceError> {
        if let Some(precision) = self.value(&["--dtype"]).and_then(precision) {
            facts.say(Dimension::Precision, precision)?;
        }
        match self.value(&["--quantization", "-q"]) {
            Some(method) => facts.say(Dimension::Quantization, method.to_ascii_lowercase()),
            None if self.is_configured_elsewhere() => Ok(()),
            None => facts.say(Dimension::Quantization, "none"),
        }
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
