//! The benchmark commands of the three clients: the load, the endpoint, the sampling.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::words::{Flags, Words, base};
use super::{Facts, contradiction};
use crate::evidence::bench::{Cap, NativeRun, Offered};
use crate::evidence::error::EvidenceError;
use crate::facts::{Dimension, Framework, Rate};
use crate::measure::Measured;
use crate::text::Line;

/// Flags that change how tokens are chosen.
const SAMPLING: &[&str] = &[
    "temperature",
    "top-p",
    "top-k",
    "min-p",
    "frequency-penalty",
    "presence-penalty",
    "repetition-penalty",
];

/// A benchmark command whose tool is known.
pub(super) struct Client {
    /// The framework whose client it is.
    pub(super) tool: Framework,
    words: Vec<String>,
}

impl Client {
    pub(super) fn of(command: &[Line]) -> Option<Self> {
        let words = Words::of(command);
        [Framework::Sglang, Framework::TensorrtLlm, Framework::Vllm].into_iter().find_map(|tool| {
            let words = words.after(|rest| names(tool, rest))?.to_vec();
            Some(Self { tool, words })
        })
    }

    /// Whether a file says what the command does not, so that an absent flag says nothing.
    fn is_configured_elsewhere(&self) -> bool {
        self.flags().has("--config")
    }

    fn flags(&self) -> Flags<'_> {
        Flags(&self.words)
    }

    fn value(&self, names: &[&str]) -> Option<&str> {
        self.flags().value(names).filter(|it| !it.is_empty())
    }

    /// The port that it calls, where it says one.
    pub(super) fn port(&self) -> Option<&str> {
        let url = self.value(&["--base-url"]).map(|it| {
            let place = it.split_once("://").map_or(it, |(_, place)| place);
            let place = place.split('/').next().unwrap_or(place);
            place.rsplit_once(':').map(|(_, port)| port)
        });
        url.unwrap_or_else(|| self.value(&["--port"]))
    }

    pub(super) fn model(&self) -> Option<&str> {
        self.value(&["--model"])
    }

    pub(super) fn served_name(&self) -> Option<&str> {
        self.value(&["--served-model-name"])
    }

    pub(super) fn tokenizer(&self) -> Option<&str> {
        self.value(&["--tokenizer"])
    }

    pub(super) fn streams(&self) -> bool {
        let asked = self.body().ok().and_then(|it| it.get("stream")?.as_bool());
        let flags = ["--non-streaming", "--disable-stream"];
        asked != Some(false) && !flags.into_iter().any(|it| self.flags().has(it))
    }

    pub(super) fn requested(&self) -> Result<Option<u64>, EvidenceError> {
        self.count("--num-prompts")
    }

    fn count(&self, flag: &str) -> Result<Option<u64>, EvidenceError> {
        let wrong =
            || EvidenceError::new(format!("{flag} takes a whole number")).of("benchmark_command");
        self.value(&[flag]).map(|it| it.parse().map_err(|_| wrong())).transpose()
    }

    /// Says load, endpoint and sampling; the native file's word wins, and must not differ.
    pub(super) fn tell(
        &self,
        native: Option<&NativeRun>,
        facts: &mut Facts,
    ) -> Result<(), EvidenceError> {
        let recorded = native.and_then(|it| it.request_rate);
        // A rate that rises is none of these; a native file says from where to where.
        let rises = self.value(&["--ramp-up-strategy"]).is_some();
        let asked = self.value(&["--request-rate"]).filter(|_| !rises).map(rate).transpose()?;
        let rate = agreed("request_rate", recorded, asked)?.map(|it| it.to_string());
        self.say(facts, Dimension::RequestRate, rate, if rises { "ramp-up" } else { "inf" })?;
        let asked = self.count("--max-concurrency")?.map(Cap::At);
        let cap = agreed("max_concurrency", native.and_then(|it| it.max_concurrency), asked)?;
        let cap = cap.map(|it| it.to_string());
        self.say(facts, Dimension::MaxConcurrency, cap, &Cap::Unlimited.to_string())?;
        let asked = self.value(&["--burstiness"]).map(measured).transpose()?;
        let burstiness = agreed("burstiness", native.and_then(|it| it.burstiness), asked)?;
        let burstiness = burstiness.map(|it| it.to_string());
        self.say(facts, Dimension::Burstiness, burstiness, "1")?;
        if let Some(endpoint) = self.endpoint(native) {
            facts.say(Dimension::Endpoint, endpoint)?;
        }
        let whole = (!self.streams()).then(|| "off".to_string());
        self.say(facts, Dimension::Streaming, whole, "on")?;
        if let Some(on) = self.ignores_end()? {
            facts.say(Dimension::IgnoreEos, if on { "on" } else { "off" })?;
        }
        if let Some(seed) = self.value(&["--seed"]) {
            facts.say(Dimension::Seed, seed)?;
        }
        self.tell_prompts(native, facts)?;
        let sampling = self.sampling()?;
        self.say(facts, Dimension::Sampling, sampling, "default")
    }

    /// Says what was found, else what its absence means, unless a file may say more.
    fn say(
        &self,
        facts: &mut Facts,
        dimension: Dimension,
        found: Option<String>,
        absent: &str,
    ) -> Result<(), EvidenceError> {
        match found {
            Some(found) => facts.say(dimension, found),
            None if self.is_configured_elsewhere() => Ok(()),
            None => facts.say(dimension, absent),
        }
    }

    /// Says what the prompts were drawn from, and how long they and their answers were to be.
    fn tell_prompts(
        &self,
        native: Option<&NativeRun>,
        facts: &mut Facts,
    ) -> Result<(), EvidenceError> {
        let Some(dataset) = self.dataset() else { return Ok(()) };
        let random = dataset.starts_with("random");
        facts.say(Dimension::Dataset, dataset)?;
        if !random {
            return Ok(());
        }
        let input = self.first(&["--random-input-len", "--random-input", "--input-len"])?;
        let input = agreed("input_len", native.and_then(|it| it.input_len), input)?;
        let output = self.first(&["--random-output-len", "--random-output", "--output-len"])?;
        let output = agreed("output_len", native.and_then(|it| it.output_len), output)?;
        for (dimension, len) in [(Dimension::InputLen, input), (Dimension::OutputLen, output)] {
            if let Some(len) = len {
                facts.say(dimension, len.to_string())?;
            }
        }
        Ok(())
    }

    /// The data set in canonical words: `random` for prompts of one length each, else what is
    /// different about them; a file by its name.
    fn dataset(&self) -> Option<String> {
        let name = self.value(&["--dataset-name"]);
        let path = self.value(&["--dataset-path"]);
        if !matches!(name, Some("random" | "random-ids")) {
            return path.map(base).or(name).map(ToString::to_string);
        }
        let mut said = String::from("random");
        let ratio = self.value(&["--random-range-ratio"]);
        // Without a ratio SGLang draws lengths from one token upwards, the others draw none; its 1 is
        // the others' 0. What another number means depends on the version.
        let even = match (self.tool, ratio.map(number).as_deref()) {
            (Framework::Sglang, ratio) => ratio == Some("1"),
            (Framework::TensorrtLlm, ratio) => matches!(ratio, None | Some("0" | "1")),
            (Framework::Vllm, ratio) => matches!(ratio, None | Some("0")),
        };
        if !even {
            said.push_str(&format!(", range ratio {}", ratio.unwrap_or("of the client")));
        }
        for (flag, word) in [("--random-prefix-len", "prefix"), ("--random-batch-size", "batch")] {
            if let Some(value) = self.value(&[flag]).filter(|it| !matches!(*it, "0" | "1")) {
                said.push_str(&format!(", {word} {value}"));
            }
        }
        Some(said)
    }

    fn first(&self, names: &[&str]) -> Result<Option<u64>, EvidenceError> {
        for name in names {
            if let Some(count) = self.count(name)? {
                return Ok(Some(count));
            }
        }
        Ok(None)
    }

    /// What is sure of `ignore_eos`. vLLM turns it on for random prompts in some versions only.
    fn ignores_end(&self) -> Result<Option<bool>, EvidenceError> {
        let flags = self.flags();
        let flag = match self.tool {
            Framework::Sglang if self.is_configured_elsewhere() => None,
            Framework::Sglang => Some(!flags.has("--disable-ignore-eos")),
            Framework::Vllm | Framework::TensorrtLlm => flags.has("--ignore-eos").then_some(true),
        };
        let asked = self.body()?.get("ignore_eos").and_then(serde_json::Value::as_bool);
        Ok(asked.or(flag))
    }

    /// What every request carries beside the prompt.
    fn body(&self) -> Result<serde_json::Map<String, serde_json::Value>, EvidenceError> {
        let Some(body) = self.value(&["--extra-body", "--extra-request-body"]) else {
            return Ok(serde_json::Map::new());
        };
        serde_json::from_str(body).map_err(|error| {
            let message = format!("the extra body is no JSON object: {error}");
            EvidenceError::new(message).of("benchmark_command")
        })
    }

    fn endpoint<'a>(&'a self, native: Option<&NativeRun>) -> Option<&'a str> {
        let chosen = self.value(&["--endpoint"]);
        let default = match (self.tool, self.value(&["--backend"])) {
            (Framework::Sglang, None | Some("sglang" | "sglang-native")) => Some("/generate"),
            (_, None | Some("openai" | "vllm" | "sglang" | "sglang-oai")) => {
                Some("/v1/completions")
            }
            (_, Some("openai-chat" | "vllm-chat" | "sglang-oai-chat")) => {
                Some("/v1/chat/completions")
            }
            _ => None,
        };
        chosen.or(native.and_then(|it| it.endpoint)).or(default)
    }

    /// The sampling in canonical words: `temperature=0, top_p=0.9`.
    fn sampling(&self) -> Result<Option<String>, EvidenceError> {
        let mut said: BTreeMap<String, String> = BTreeMap::new();
        for key in SAMPLING {
            if let Some(value) = self.value(&[&format!("--{key}")]) {
                said.insert(key.replace('-', "_"), number(value));
            }
        }
        // These two are dimensions of their own.
        let other = |key: &str| matches!(key, "ignore_eos" | "stream");
        for (key, value) in self.body()?.into_iter().filter(|(key, _)| !other(key)) {
            match value {
                serde_json::Value::Object(inside) if key == "sampling_params" => {
                    let inside = inside.into_iter().filter(|(key, _)| !other(key));
                    said.extend(inside.map(|(key, value)| (key, number(&value.to_string()))));
                }
                value => {
                    said.insert(key, number(&value.to_string()));
                }
            }
        }
        if said.is_empty() {
            return Ok(None);
        }
        let said: Vec<String> =
            said.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        Ok(Some(said.join(", ")))
    }
}

/// Says of a run without a known client what its native file has.
pub(super) fn tell_native(
    native: Option<&NativeRun>,
    facts: &mut Facts,
) -> Result<(), EvidenceError> {
    let Some(native) = native else { return Ok(()) };
    if let Some(rate) = native.request_rate {
        facts.say(Dimension::RequestRate, rate.to_string())?;
    }
    if let Some(cap) = native.max_concurrency {
        facts.say(Dimension::MaxConcurrency, cap.to_string())?;
    }
    if let Some(burstiness) = native.burstiness {
        facts.say(Dimension::Burstiness, burstiness.to_string())?;
    }
    Ok(())
}

/// How many words at the start name the framework's benchmark client.
fn names(tool: Framework, words: &[String]) -> usize {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let first = base(word(0));
    match tool {
        Framework::Sglang => usize::from(matches!(
            first,
            "sglang.bench_serving"
                | "sglang.benchmark.serving"
                | "bench_serving.py"
                | "bench_serving"
        )),
        Framework::TensorrtLlm => {
            let module = matches!(first, "tensorrt_llm.serve.scripts.benchmark_serving");
            let script = first == "benchmark_serving.py" && word(0).contains("tensorrt_llm");
            usize::from(module || script)
        }
        Framework::Vllm => match (first, word(1), word(2)) {
            ("vllm", "bench", "serve") => 3,
            ("benchmark_serving.py" | "vllm.benchmarks.serve", ..) => 1,
            _ => 0,
        },
    }
}

/// One word of two sources, or the contradiction between them.
fn agreed<T: Copy + PartialEq + ToString>(
    field: &str,
    native: Option<T>,
    asked: Option<T>,
) -> Result<Option<T>, EvidenceError> {
    match (native, asked) {
        (Some(native), Some(asked)) if native != asked => {
            let one = format!("the native file says {}", native.to_string());
            Err(contradiction(
                field,
                &one,
                &format!("the benchmark command says {}", asked.to_string()),
            ))
        }
        (native, asked) => Ok(native.or(asked)),
    }
}

fn rate(word: &str) -> Result<Offered, EvidenceError> {
    match word {
        "inf" | "Infinity" | "infinity" => Ok(Offered::Rate(Rate::Unbounded)),
        "trace" => Ok(Offered::Trace),
        number => measured(number).map(|rate| Offered::Rate(Rate::PerSecond(rate))),
    }
}

fn measured(word: &str) -> Result<Measured, EvidenceError> {
    let number: Option<f64> = word.parse().ok();
    number.and_then(|it| Measured::new(it).ok()).ok_or_else(|| {
        EvidenceError::new(format!("{word} is not a number above zero")).of("benchmark_command")
    })
}

/// A number in its shortest form; other text as it is.
fn number(word: &str) -> String {
    word.parse::<f64>().map_or_else(|_| word.into(), |it| it.to_string())
}
