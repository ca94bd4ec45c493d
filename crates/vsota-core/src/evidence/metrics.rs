//! The `/metrics` text of a server, as Prometheus has it: prefix-cache hits, preemptions and the
//! cache's configuration, which no result file tells.
//!
//! Counters run since the server started, so one scrape says what happened to everything before;
//! what a run did is the difference of two ([`Metrics::since`]).

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::error::EvidenceError;
use crate::facts::Framework;
use crate::measure::Fraction;
use crate::text::Line;

/// The most bytes of a scrape.
pub const MAX_SCRAPE: usize = 16 << 20;

/// What a server counted; an absent value was not exported. Values of several engines are added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Whose server it is.
    pub framework: Option<Framework>,
    /// The server's version, where it exports one.
    pub version: Option<Line>,
    /// The model, as the server calls it, when all series are of one.
    pub model: Option<Line>,
    /// Prompt tokens that were looked up in the prefix cache.
    pub prefix_queries: Option<f64>,
    /// Prompt tokens that the prefix cache answered.
    pub prefix_hits: Option<f64>,
    /// The share of prompt tokens that a cache answered, where only a gauge tells it.
    pub hit_rate: Option<Fraction>,
    /// Requests whose KV cache was taken from them.
    pub preemptions: Option<f64>,
    /// Prompt tokens that were processed.
    pub prompt_tokens: Option<f64>,
    /// Tokens that were generated.
    pub generation_tokens: Option<f64>,
    /// Whether prompts that begin alike share their KV cache.
    pub prefix_caching: Option<bool>,
    /// The KV cache of an engine, in blocks.
    pub kv_cache_blocks: Option<u64>,
    /// Tokens of a block.
    pub block_size: Option<u64>,
    /// The data type of the KV cache.
    pub kv_cache_dtype: Option<Line>,
}

/// One sample: a name, its labels, its value.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

impl Metrics {
    /// Reads one scrape.
    ///
    /// # Errors
    ///
    /// When a line is no sample, a series occurs twice, a counter is negative or no number, or
    /// nothing of a server of language models is there.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > MAX_SCRAPE {
            let found = bytes.len();
            let message = format!("the scrape has {found} bytes; at most {MAX_SCRAPE} are read");
            return Err(EvidenceError::new(message));
        }
        let text =
            core::str::from_utf8(bytes).map_err(|_| EvidenceError::new("the text is not UTF-8"))?;
        let (mut metrics, mut seen) = (Self::default(), BTreeSet::new());
        for (at, line) in (1_u64..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
            let known = ["vllm:", "sglang:", "trtllm_"].iter().any(|it| line.starts_with(it));
            let sample = sample(line).map_err(|error| error.at(at))?;
            if known && !seen.insert(series) {
                let message = format!("the series `{}` occurs twice", sample.name);
                return Err(EvidenceError::new(message).at(at));
            }
            metrics.take(&sample).map_err(|error| error.of(sample.name).at(at))?;
        }
        if metrics.framework.is_none() {
            return Err(EvidenceError::new("no metric of vLLM, SGLang or TensorRT-LLM"));
        }
        Ok(metrics)
    }

    /// The share of looked-up prompt tokens that the prefix cache answered; absent without lookups.
    pub fn prefix_hit_rate(&self) -> Option<Fraction> {
        match (self.prefix_hits, self.prefix_queries) {
            (Some(hits), Some(queries)) if queries > 0.0 => Fraction::new(hits / queries).ok(),
            _ => self.hit_rate,
        }
    }

    /// What happened between an earlier scrape of the same server and this one.
    ///
    /// # Errors
    ///
    /// When a counter fell: the server was started anew in between.
    pub fn since(&self, before: &Self) -> Result<Self, EvidenceError> {
        let between = |field: &str, now: Option<f64>, then: Option<f64>| match (now, then) {
            (Some(now), Some(then)) if now < then => {
                let message = "the counter fell: the server was started anew between the scrapes";
                Err(EvidenceError::new(message).of(field))
            }
            (Some(now), Some(then)) => Ok(Some(now - then)),
            _ => Ok(None),
        };
        Ok(Self {
            prefix_queries: between("prefix_queries", self.prefix_queries, before.prefix_queries)?,
            prefix_hits: between("prefix_hits", self.prefix_hits, before.prefix_hits)?,
            preemptions: between("preemptions", self.preemptions, before.preemptions)?,
            prompt_tokens: between("prompt_tokens", self.prompt_tokens, before.prompt_tokens)?,
            generation_tokens: between(
                "generation_tokens",
                self.generation_tokens,
                before.generation_tokens,
            )?,
            // A gauge tells of a moment, not of what lies between two.
            hit_rate: None,
            ..self.clone()
        })
    }

    fn take(&mut self, sample: &Sample<'_>) -> Result<(), EvidenceError> {
        let (framework, name) = match sample.name.split_once(':') {
            Some(("vllm", name)) => (Framework::Vllm, name),
            Some(("sglang", name)) => (Framework::Sglang, name),
            _ if sample.name.starts_with("trtllm_") => (Framework::TensorrtLlm, sample.name),
            _ => return Ok(()),
        };
        if self.framework.is_some_and(|it| it != framework) {
            return Err(EvidenceError::new("metrics of two frameworks in one scrape"));
        }
        if self.framework.is_none() {
            self.model = sample.label("model_name").and_then(|it| Line::new(it).ok());
        }
        self.framework = Some(framework);
        if let (Some(model), Some(other)) = (&self.model, sample.label("model_name"))
            && model.as_str() != other
        {
            self.model = None;
        }
        match name {
            // Before the first V1 releases the names had `gpu_`; `_created` is a time, no count.
            "prefix_cache_queries_total"
            | "prefix_cache_queries"
            | "gpu_prefix_cache_queries_total"
            | "gpu_prefix_cache_queries" => add(&mut self.prefix_queries, sample.value)?,
            "prefix_cache_hits_total"
            | "prefix_cache_hits"
            | "gpu_prefix_cache_hits_total"
            | "gpu_prefix_cache_hits" => add(&mut self.prefix_hits, sample.value)?,
            "num_preemptions_total" | "num_preemptions" => {
                add(&mut self.preemptions, sample.value)?
            }
            "prompt_tokens_total" => add(&mut self.prompt_tokens, sample.value)?,
            "generation_tokens_total" => add(&mut self.generation_tokens, sample.value)?,
            "gpu_prefix_cache_hit_rate" | "cache_hit_rate" => {
                // The older engine has -1 where it caches no prefix.
                self.hit_rate = Fraction::new(sample.value).ok();
            }
            "cache_config_info" => self.configure(sample),
            "version_info" | "build_info" => {
                self.version = sample.label("version").and_then(|it| Line::new(it).ok());
            }
            _ => {}
        }
        Ok(())
    }

    fn configure(&mut self, sample: &Sample<'_>) {
        let number = |key| sample.label(key).and_then(|it| it.parse().ok());
        self.prefix_caching = match sample.label("enable_prefix_caching") {
            Some("True" | "true") => Some(true),
            Some("False" | "false") => Some(false),
            _ => None,
        };
        self.kv_cache_blocks = number("num_gpu_blocks");
        self.block_size = number("block_size");
        self.kv_cache_dtype = sample.label("cache_dtype").and_then(|it| Line::new(it).ok());
    }
}

impl Sample<'_> {
    fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }
}

fn add(sum: &mut Option<f64>, value: f64) -> Result<(), EvidenceError> {
    if !(0.0..=f64::MAX).contains(&value) {
        return Err(EvidenceError::new(format!("{value} is no count")));
    }
    *sum = Some(sum.unwrap_or(0.0) + value);
    Ok(())
}

/// `name{label="value",…} value [time]`.
fn sample(line: &str) -> Result<Sample<'_>, EvidenceError> {
    let wrong =
        |what: &dyn fmt::Display| EvidenceError::new(format!("no Prometheus sample: {what}"));
    let end = line.find(['{', ' ', '\t']).ok_or_else(|| wrong(&"it has no value"))?;
    let (name, rest) = line.split_at(end);
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    if name.is_empty() || !name.chars().all(named) {
        return Err(wrong(&"it has no name"));
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest).ok_or_else(|| wrong(&"its labels do not end"))?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next().ok_or_else(|| wrong(&"it has no value"))?;
    let value = value.parse().map_err(|_| wrong(&"its value is no number"))?;
    Ok(Sample { name, labels, value })
}

/// The labels, whose values may hold any character, and what follows their brace.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((found, rest));
        }
        let (key, text) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = text.char_indices();
        loop {
            match chars.next()? {
                (at, '"') => {
                    rest = text.get(at.saturating_add(1)..)?;
                    break;
                }
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        }
        found.push((key.trim(), value));
    }
}
