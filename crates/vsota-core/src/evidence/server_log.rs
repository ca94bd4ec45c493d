//! What a vLLM server says of itself in its log, and a result file does not: its version, its KV
//! cache, its context length, whether it caches prefixes, and why it did not start.
//!
//! A log is foreign text of any size; it is read a line at a time, and what it does not say is
//! absent. Two servers that wrote one log are no launch: that is an error.

use alloc::string::{String, ToString};
use core::str::FromStr;

use super::bench::foreign::{out_of_memory, plain};
use super::error::EvidenceError;
use crate::measure::{Fraction, Measured};
use crate::text::Line;

/// The most bytes of a line that are looked at.
const LINE: usize = 64 << 10;

/// The facts of a server's log; an absent value was not logged.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServerLog {
    /// The version of vLLM.
    pub version: Option<Line>,
    /// The model, as the server calls it.
    pub model: Option<Line>,
    /// The data type of the weights, without `torch.`.
    pub dtype: Option<Line>,
    /// The data type of the KV cache; `auto` is that of the weights.
    pub kv_cache_dtype: Option<Line>,
    /// The method of quantization; the word `none` where the server says that there is none.
    pub quantization: Option<Line>,
    /// The longest context, in tokens.
    pub max_model_len: Option<u64>,
    /// GPUs over which each layer is split.
    pub tensor_parallel: Option<u64>,
    /// Whether prompts that begin alike share their KV cache.
    pub prefix_caching: Option<bool>,
    /// Whether graphs and compilation are off.
    pub enforce_eager: Option<bool>,
    /// The KV cache, in tokens.
    pub kv_cache_tokens: Option<u64>,
    /// The KV cache, in blocks.
    pub kv_cache_blocks: Option<u64>,
    /// Requests of the longest context that the KV cache holds at once.
    pub max_concurrency: Option<Measured>,
    /// The share of prompt tokens that the prefix cache answered, as last logged.
    pub prefix_cache_hits: Option<Fraction>,
    /// Whether the server came up.
    pub ready: bool,
    /// Why it did not come up, or why its engine died.
    pub failure: Option<Failed>,
}

/// Why a server failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failed {
    /// The reason, as the server put it.
    pub reason: Line,
    /// Whether memory ran out.
    pub out_of_memory: bool,
}

/// Reads a log line by line; feed it the lines in their order, then [`end`](Self::end) it.
#[derive(Debug, Default)]
pub struct LogReader {
    log: ServerLog,
    line: u64,
    trace: Trace,
    /// Whether a frame or a message is vLLM's own.
    ours: bool,
}

/// Whether the lines at hand are a Python traceback.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Trace {
    #[default]
    None,
    /// Inside its frames.
    Frames,
    /// After its message, whose indented lines say more.
    Message,
}

impl ServerLog {
    /// Reads a whole log.
    ///
    /// # Errors
    ///
    /// When it says nothing that a vLLM server says, or two servers wrote it.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut reader = LogReader::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            reader.line(line)?;
        }
        reader.end()
    }

    /// Whether only what any program says was said: that it is up, or that it failed.
    fn is_silent(&self) -> bool {
        *self == Self { ready: self.ready, failure: self.failure.clone(), ..Self::default() }
    }
}

impl LogReader {
    /// Takes the next line, without its line end.
    ///
    /// # Errors
    ///
    /// When it contradicts an earlier line: two servers wrote this log.
    pub fn line(&mut self, line: &[u8]) -> Result<(), EvidenceError> {
        self.line = self.line.saturating_add(1);
        let line = String::from_utf8_lossy(line.get(..LINE).unwrap_or(line));
        let text = message(&line);
        self.ours |= text.contains("-packages/vllm/") || text.starts_with("vllm: error: ");
        self.failure(text);
        self.said(text).map_err(|error| error.at(self.line))
    }

    /// The facts of the whole log.
    ///
    /// # Errors
    ///
    /// When it says nothing that a vLLM server says.
    pub fn end(self) -> Result<ServerLog, EvidenceError> {
        if self.log.is_silent() && !self.ours {
            return Err(EvidenceError::new("not the log of a vLLM server"));
        }
        Ok(self.log)
    }

    /// Why the server did not come up or its engine died, as far as it was read.
    pub(super) fn failure_so_far(self) -> Option<Line> {
        self.log.failure.map(|it| it.reason)
    }

    fn said(&mut self, text: &str) -> Result<(), EvidenceError> {
        let log = &mut self.log;
        if let Some(config) = text.split_once(" with config: ").and_then(engine) {
            let (version, config) = config;
            once(&mut log.version, line(version), "version")?;
            once(&mut log.model, value(config, "model").and_then(line), "model")?;
            once(&mut log.dtype, value(config, "dtype").and_then(line), "dtype")?;
            once(
                &mut log.kv_cache_dtype,
                value(config, "kv_cache_dtype").and_then(line),
                "kv_cache_dtype",
            )?;
            once(
                &mut log.quantization,
                value(config, "quantization").and_then(line),
                "quantization",
            )?;
            once(&mut log.max_model_len, number(value(config, "max_seq_len")), "max_seq_len")?;
            let split = number(value(config, "tensor_parallel_size"));
            once(&mut log.tensor_parallel, split, "tensor_parallel_size")?;
            let prefix = value(config, "enable_prefix_caching").and_then(flag);
            once(&mut log.prefix_caching, prefix, "enable_prefix_caching")?;
            once(
                &mut log.enforce_eager,
                value(config, "enforce_eager").and_then(flag),
                "enforce_eager",
            )?;
        } else if let Some((_, version)) = text.split_once("vLLM API server version ") {
            once(&mut log.version, line(version), "version")?;
        } else if let Some((_, version)) = text.split_once("█  version ") {
            once(&mut log.version, line(version), "version")?;
        } else if let Some((_, model)) = text.split_once("█  model   ") {
            once(&mut log.model, line(model), "model")?;
        } else if let Some(length) = text.strip_prefix("Using max model len ") {
            once(&mut log.max_model_len, number(Some(length)), "max_model_len")?;
        } else if let Some((_, size)) = text.split_once("KV cache size: ") {
            let (tokens, rest) = size.split_once(" tokens").unwrap_or_default();
            // Each engine of a data-parallel server has its own; the first speaks.
            log.kv_cache_tokens = log.kv_cache_tokens.or(number(Some(tokens)));
            let times = rest.split_once(" tokens per request: ").map(|(_, it)| it);
            log.max_concurrency = log.max_concurrency.or(times.and_then(times_x));
        } else if let Some(times) = text.split_once(" tokens per request: ").map(|(_, it)| it) {
            log.max_concurrency = log.max_concurrency.or(times_x(times));
        } else if let Some((_, blocks)) = text.split_once("# GPU blocks: ") {
            let blocks = blocks.split(", ").next();
            log.kv_cache_blocks = log.kv_cache_blocks.or(number(blocks));
        } else if let Some((_, rate)) = text.split_once("Prefix cache hit rate: ") {
            // The older engine says `GPU: 12.00%, CPU: 0.00%`.
            let percent = rate.trim_start_matches("GPU: ").split('%').next().unwrap_or_default();
            let share = percent.trim().parse::<f64>().ok().map(|it| it / 100.0);
            log.prefix_cache_hits =
                share.and_then(|it| Fraction::new(it).ok()).or(log.prefix_cache_hits);
        }
        log.ready |= is_up(text);
        Ok(())
    }

    /// The first reason is the root; later ones only say that somebody waited for it. What goes
    /// wrong with one request of a running server is no failure of the server.
    fn failure(&mut self, text: &str) {
        let starts = text.starts_with("Traceback (most recent call last)");
        let indented = text.starts_with(' ') || text.is_empty();
        let (trace, reason) = match self.trace {
            _ if starts => (Trace::Frames, None),
            Trace::Frames if indented => (Trace::Frames, None),
            Trace::Frames => (Trace::Message, (!self.log.ready).then_some(text)),
            Trace::Message if indented => (Trace::Message, None),
            _ => (Trace::None, direct(text)),
        };
        if let (Trace::Message, Trace::Message, Some(failed)) =
            (self.trace, trace, &mut self.log.failure)
            && failed.reason.as_str().contains("ValidationError")
            && let Some(more) = text.trim().strip_prefix("Value error, ").and_then(plain)
        {
            failed.reason = more;
        }
        self.trace = trace;
        if let Some(reason) = reason.and_then(plain).filter(|_| self.log.failure.is_none()) {
            let out_of_memory = out_of_memory(reason.as_str());
            self.log.failure = Some(Failed { reason, out_of_memory });
        }
    }
}

/// Whether a line says that the server is up. Uvicorn says it on stderr, vLLM on stdout when its engine
/// is up, SGLang after its warm-up.
pub(super) fn is_up(text: &str) -> bool {
    text.contains("Application startup complete")
        || text.contains("Uvicorn running on ")
        || text.contains("The server is fired up and ready to roll")
        || text.contains("Starting vLLM server on ")
        || text.contains("Starting vLLM API server")
}

/// A line that says by itself that the server failed.
fn direct(text: &str) -> Option<&str> {
    text.starts_with("vllm: error: ")
        .then(|| text.trim_start_matches("vllm: error: "))
        .or_else(|| text.contains("EngineDeadError").then_some(text))
        .or_else(|| {
            text.contains("Engine core proc").then_some(text).filter(|it| it.contains("died"))
        })
}

/// A line without the process, the level, the time and the place that vLLM puts before it.
fn message(line: &str) -> &str {
    let line = line.trim_end();
    let mut rest = line;
    if rest.starts_with('(')
        && let Some((head, tail)) = rest.split_once(") ")
        && head.contains("pid=")
    {
        rest = tail;
    }
    let levels = ["INFO ", "WARNING ", "ERROR ", "DEBUG ", "CRITICAL "];
    if levels.iter().any(|level| rest.starts_with(level))
        && let Some((head, tail)) = rest.split_once(']')
        && head.contains(".py:")
    {
        rest = tail.strip_prefix(' ').unwrap_or(tail);
    }
    rest
}

/// The version and the configuration of `Initializing a V1 LLM engine (v0.32.0) with config: …`.
fn engine<'a>((before, config): (&'a str, &'a str)) -> Option<(&'a str, &'a str)> {
    let (_, version) = before.rsplit_once("(v")?;
    before.contains("LLM engine").then(|| (version.trim_end_matches(')'), config))
}

/// The value of a key in `key=value, key=value`, without quotes.
fn value<'a>(config: &'a str, key: &str) -> Option<&'a str> {
    let found = config.match_indices(key).find_map(|(at, _)| {
        let before = config.get(..at)?;
        let fresh = before.is_empty() || before.ends_with(", ");
        let value = config.get(at..)?.strip_prefix(key)?.strip_prefix('=')?;
        fresh.then_some(value)
    })?;
    let end = found.find(", ").unwrap_or(found.len());
    Some(found.get(..end)?.trim().trim_matches('\''))
}

/// A word of Python: its `None` says that there is none.
fn line(text: &str) -> Option<Line> {
    match text.trim().trim_start_matches("torch.") {
        "None" => Line::new("none").ok(),
        word => Line::new(word).ok(),
    }
}

/// A count, with or without separators of thousands.
fn number(text: Option<&str>) -> Option<u64> {
    let digits: String = text?.trim().chars().filter(|it| *it != ',').collect();
    digits.parse().ok()
}

fn times_x(text: &str) -> Option<Measured> {
    let number = text.trim().trim_end_matches('x').parse().ok()?;
    Measured::new(number).ok()
}

fn flag(text: &str) -> Option<bool> {
    bool::from_str(&text.to_string().to_ascii_lowercase()).ok()
}

/// Keeps a fact; a second one that differs is another server's.
fn once<T: PartialEq>(
    fact: &mut Option<T>,
    said: Option<T>,
    field: &str,
) -> Result<(), EvidenceError> {
    match (&*fact, said) {
        (Some(known), Some(said)) if *known != said => {
            let message = "two servers wrote this log: a later line contradicts an earlier one";
            Err(EvidenceError::new(message).of(field))
        }
        (None, Some(said)) => {
            *fact = Some(said);
            Ok(())
        }
        _ => Ok(()),
    }
}
