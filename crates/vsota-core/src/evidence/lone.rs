//! A row from outside a campaign: what the companion's schema says of it, and what its commands say.
//!
//! Where the two differ the row contradicts itself; the companion's `passed` is not read.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::bench::{CompanionRow, NativeRun};
use super::command_line::{Identity, Known, identify, split};
use super::error::EvidenceError;
use super::hygiene::Hygiene;
use crate::artifact::{Artifact, Digest};
use crate::facts::*;
use crate::measure::{Fraction, Measured};
use crate::phase::{Limits, Load, Lone};
use crate::text::{Line, Name, RelPath};

/// Requests by which a bare success rate is written down.
const OF: u64 = 1_000_000_000;

impl CompanionRow {
    /// The row as it is compared; one without an id is called `called`.
    ///
    /// # Errors
    ///
    /// When a value is not what its key asks for.
    pub fn lone(&self, called: &Name) -> Result<Lone, EvidenceError> {
        let part = Part::of(&self.value);
        let workload = part.inside("workload");
        let commands = [part.command("server_command")?, part.command("benchmark_command")?];
        let [server_command, benchmark_command] = commands;
        let mut contradictions = admissions(part);
        let identity =
            self.identity(part, &server_command, &benchmark_command, &mut contradictions)?;
        let sent = workload.count("num_prompts")?;
        if let (Some(sent), Some(asked)) = (sent, identity.requested)
            && sent != asked
        {
            contradictions.push(format!("it says {sent} requests, its command asks for {asked}"));
        }
        contradictions.extend(impossible(part)?);
        let load = Load {
            num_prompts: sent.or(identity.requested),
            input_len: asked(&identity, Dimension::InputLen),
            output_len: asked(&identity, Dimension::OutputLen),
        };
        let row = Candidate {
            id: part.name("candidate_id")?.unwrap_or_else(|| called.clone()),
            framework: self.framework,
            framework_version: part.line("framework_version")?,
            framework_commit: part.line("framework_commit")?,
            scenario: scenario(part)?,
            status: self.status,
            smoke: part.flag("smoke") == Some(true) || workload.text("kind") == Some("smoke"),
            mock: part.flag("mock") == Some(true),
            served: part.flag("served") != Some(false),
            failure_reason: part.line("failure_reason")?,
            backend: identity.backend.or(part.name("backend")?),
            context_len: identity.context_len,
            identity: identity.dimensions,
            tree: None,
            measured: self.measured(part, load, identity.streaming)?,
            buckets: None,
            record: None,
            result: None,
            log: log(part)?,
            settings: None,
            server_command: server_command.into_iter().collect(),
            benchmark_command: benchmark_command.into_iter().collect(),
        };
        Ok(Lone { row, load, limits: limits(part.inside("sla"))?, contradictions })
    }

    fn identity(
        &self,
        part: Part<'_>,
        server: &[Line],
        client: &[Line],
        contradictions: &mut Vec<String>,
    ) -> Result<Identity, EvidenceError> {
        let told = BTreeMap::new();
        let framework = self.framework;
        let known = Known { framework, native: None, gpus: None, settings: None, told: &told };
        let mut identity = match identify(server, client, known) {
            Ok(identity) => identity,
            Err(error) => {
                contradictions.push(error.to_string());
                Identity { streaming: true, ..Identity::default() }
            }
        };
        for (dimension, said) in said(part)? {
            let commanded = identity.dimensions.get(&dimension);
            if let Some(other) = commanded.filter(|it| **it != said) {
                contradictions
                    .push(format!("it says {dimension} {said}, its command says {other}"));
            }
            identity.dimensions.insert(dimension, said);
        }
        Ok(identity)
    }

    fn measured(
        &self,
        part: Part<'_>,
        load: Load,
        streaming: bool,
    ) -> Result<Option<Measurement>, EvidenceError> {
        let (workload, metrics) = (part.inside("workload"), part.inside("metrics"));
        let mut found = BTreeMap::new();
        for (key, value) in metrics.0.into_iter().flatten() {
            let (Ok(metric), Some(value)) = (key.parse::<Metric>(), value.as_f64()) else {
                continue;
            };
            let token = matches!(metric, Metric::Latency(it) if it.kind != LatencyKind::E2e);
            // The whole answer comes as one chunk: these would describe the chunk, not the tokens.
            if streaming || !token {
                let value = Measured::new(value);
                found.insert(metric, value.map_err(|it| EvidenceError::new(it).of(key))?);
            }
        }
        if found.is_empty() {
            return Ok(None);
        }
        let completed = workload.count("completed")?;
        let (completed, requested) = match (completed, load.num_prompts, metrics.share()?) {
            (Some(completed), Some(requested), _) if completed > requested => {
                let message = format!("{completed} of {requested} requests cannot have completed");
                return Err(EvidenceError::new(message).of("completed"));
            }
            (Some(completed), Some(requested), _) => (completed, requested),
            (_, _, Some(rate)) => (parts(rate), OF),
            (completed, ..) => (completed.unwrap_or(0), 0),
        };
        let hygiene = Hygiene {
            prefix_cache_hit_rate: part.inside("cache").number("hit_rate"),
            ..Hygiene::default()
        };
        Ok(Some(Measurement {
            started_at: 0,
            ended_at: 0,
            completed,
            requested,
            input_tokens: workload.tokens("total_input_tokens", completed, requested)?,
            output_tokens: workload.tokens("total_output_tokens", completed, requested)?,
            metrics: found,
            disturbed: hygiene.disturbance(),
        }))
    }
}

/// A native result without a record: only what it says itself is known.
pub fn native(row: Candidate, native: Option<&NativeRun>) -> Lone {
    let said = |dimension| row.identity.get(&dimension)?.as_str().parse().ok();
    let requested = row.measured.as_ref().map(|it| it.requested).filter(|it| *it > 0);
    let load = Load {
        num_prompts: requested,
        input_len: native.and_then(|it| it.input_len).or(said(Dimension::InputLen)),
        output_len: native.and_then(|it| it.output_len).or(said(Dimension::OutputLen)),
    };
    Lone { row, load, limits: Limits::default(), contradictions: Vec::new() }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of a number far below 2^52"
)]
fn parts(rate: Fraction) -> u64 {
    libm::round(rate.get() * OF as f64) as u64
}

/// Throughputs that the tokens of the run deny: tokens a second are requests a second times the tokens
/// of each.
fn impossible(part: Part<'_>) -> Result<Option<String>, EvidenceError> {
    let (workload, metrics) = (part.inside("workload"), part.inside("metrics"));
    let counts = (workload.count("total_output_tokens")?, workload.count("completed")?);
    let rates = (metrics.number("request_throughput"), metrics.number("output_token_throughput"));
    let ((Some(tokens), Some(completed)), (Some(requests), Some(output))) = (counts, rates) else {
        return Ok(None);
    };
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    let (tokens, completed) = (tokens as f64, completed as f64);
    let off = libm::fabs(output * completed - requests * tokens) > 0.01 * requests * tokens;
    Ok(off.then(|| {
        format!("{output} tokens a second are not {requests} requests a second of its tokens")
    }))
}

/// A length that a row or its command says.
fn asked(identity: &Identity, dimension: Dimension) -> Option<u64> {
    identity.dimensions.get(&dimension)?.as_str().parse().ok()
}

/// What the row itself admits to differ; that it says the same proves nothing.
fn admissions(part: Part<'_>) -> Vec<String> {
    let normalization = part.inside("normalization");
    let same = normalization.0.into_iter().flatten().filter(|(key, _)| key.starts_with("same_"));
    let admitted = same.filter(|(_, it)| match it {
        Value::String(word) => {
            matches!(word.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "n")
        }
        other => other.as_bool() == Some(false) || other.as_f64() == Some(0.0),
    });
    admitted.map(|(key, _)| format!("it says itself that {} does not hold", short(key))).collect()
}

fn short(key: &str) -> String {
    key.chars().filter(|c| !crate::text::is_unsafe(*c)).take(60).collect()
}

fn scenario(part: Part<'_>) -> Result<Name, EvidenceError> {
    let workload = part.inside("workload");
    let named = workload.name("scenario")?.or(workload.name("scenario_name")?);
    let named = named.or(workload.name("dataset_scenario")?).or(part.name("scenario")?);
    named.map_or_else(|| Name::new("default").map_err(EvidenceError::new), Ok)
}

/// The log of the launch, as the row names it; nobody opened it. Our own export names its digest.
fn log(part: Part<'_>) -> Result<Option<Artifact>, EvidenceError> {
    let exported = part.inside("sources").text("launch").and_then(|it| it.parse().ok());
    let log = part.inside("artifacts").text("server_log").filter(|it| !it.is_empty());
    let digest: Option<Digest> = exported.or(log.map(|it| Digest::of(it.as_bytes())));
    let path = RelPath::new("server.log").map_err(EvidenceError::new)?;
    Ok(digest.map(|sha256| Artifact { path, sha256, bytes: 0 }))
}

/// The dimensions that the schema has keys for.
fn said(part: Part<'_>) -> Result<Vec<(Dimension, Line)>, EvidenceError> {
    let (hardware, workload) = (part.inside("hardware"), part.inside("workload"));
    let of = [
        (Dimension::Model, part, "model"),
        (Dimension::Tokenizer, part, "tokenizer"),
        (Dimension::Precision, part, "precision"),
        (Dimension::Quantization, part, "quantization"),
        (Dimension::Sampling, part, "sampling"),
        (Dimension::GpuModel, hardware, "gpu_model"),
        (Dimension::GpuCount, hardware, "gpu_count"),
        (Dimension::GpuIds, hardware, "visible_devices"),
        (Dimension::Endpoint, workload, "endpoint"),
        (Dimension::RequestRate, workload, "request_rate"),
        (Dimension::MaxConcurrency, workload, "max_concurrency"),
        (Dimension::Burstiness, workload, "burstiness"),
        (Dimension::Seed, workload, "seed"),
        (Dimension::InputLen, workload, "input_len"),
        (Dimension::OutputLen, workload, "output_len"),
        (Dimension::Dataset, workload, "kind"),
    ];
    let mut found = Vec::new();
    for (dimension, part, key) in of {
        if matches!(dimension, Dimension::InputLen | Dimension::OutputLen) {
            part.count(key)?;
        }
        found.extend(part.line(key)?.map(|it| (dimension, it)));
    }
    // A flow check is a label and no data set.
    found.retain(|(dimension, it)| *dimension != Dimension::Dataset || it.as_str() != "smoke");
    Ok(found)
}

fn limits(sla: Part<'_>) -> Result<Limits, EvidenceError> {
    let mut limits = Limits::default();
    for (key, value) in sla.0.into_iter().flatten() {
        let Some(number) = value.as_f64() else { continue };
        let wrong = |error| EvidenceError::new(error).of(&format!("sla.{}", short(key)));
        if key == "min_success_rate" {
            limits.min_success_rate = Some(Fraction::new(number).map_err(wrong)?);
        } else if let Some(metric) = key.strip_prefix("max_").and_then(|it| it.parse().ok()) {
            limits.latencies.insert(metric, Measured::new(number).map_err(wrong)?);
        }
    }
    Ok(limits)
}

/// An object of the row, or nothing.
#[derive(Clone, Copy)]
struct Part<'a>(Option<&'a Map<String, Value>>);

impl<'a> Part<'a> {
    fn of(value: &'a Value) -> Self {
        Self(value.as_object())
    }

    fn get(self, key: &str) -> Option<&'a Value> {
        self.0.and_then(|it| it.get(key)).filter(|it| !it.is_null())
    }

    fn inside(self, key: &str) -> Self {
        Self(self.get(key).and_then(Value::as_object))
    }

    fn text(self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// Flags come as words too.
    fn flag(self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(word) => {
                Some(matches!(word.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "y"))
            }
            _ => None,
        }
    }

    fn number(self, key: &str) -> Option<f64> {
        self.get(key).and_then(Value::as_f64)
    }

    fn share(self) -> Result<Option<Fraction>, EvidenceError> {
        let rate = self.number("success_rate").map(Fraction::new).transpose();
        rate.map_err(|error| EvidenceError::new(error).of("success_rate"))
    }

    fn count(self, key: &str) -> Result<Option<u64>, EvidenceError> {
        let wrong = || EvidenceError::new("a whole number of at least zero is expected").of(key);
        self.get(key).map(|it| it.as_u64().ok_or_else(wrong)).transpose()
    }

    /// Tokens over all completed requests, on the scale in which these are counted.
    fn tokens(
        self,
        key: &str,
        completed: u64,
        requested: u64,
    ) -> Result<Option<u64>, EvidenceError> {
        let known = requested != OF && completed > 0;
        Ok(self.count(key)?.filter(|_| known))
    }

    /// A word or a number in one spelling.
    fn line(self, key: &str) -> Result<Option<Line>, EvidenceError> {
        let text = match self.get(key) {
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => {
                number.as_f64().map_or_else(|| number.to_string(), |it| it.to_string())
            }
            Some(Value::Object(object)) => {
                let pair = |(key, value): (&String, &Value)| format!("{key}={value}");
                object.iter().map(pair).collect::<Vec<_>>().join(", ")
            }
            Some(Value::Array(words)) => {
                let word = |it: &Value| it.as_str().map_or_else(|| it.to_string(), Into::into);
                words.iter().map(word).collect::<Vec<String>>().join(",")
            }
            _ => return Ok(None),
        };
        Line::new(text).map(Some).map_err(|error| EvidenceError::new(error).of(key))
    }

    fn name(self, key: &str) -> Result<Option<Name>, EvidenceError> {
        let Some(text) = self.line(key)? else { return Ok(None) };
        Name::new(text.as_str()).map(Some).map_err(|error| EvidenceError::new(error).of(key))
    }

    /// A command, as one line or as its words.
    fn command(self, key: &str) -> Result<Vec<Line>, EvidenceError> {
        let words = match self.get(key) {
            Some(Value::String(line)) => split(line).map_err(|error| error.of(key))?,
            Some(Value::Array(words)) => {
                words.iter().filter_map(Value::as_str).map(Into::into).collect()
            }
            _ => Vec::new(),
        };
        let line = |it: String| Line::new(it).map_err(|error| EvidenceError::new(error).of(key));
        words.into_iter().map(line).collect()
    }
}
