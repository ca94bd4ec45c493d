//! What stands beside the events: rank, versions, whether the writer finished.

use alloc::string::{String, ToString};

use serde_json::Value;

use super::names::text;

/// The members of the top-level object that say something of the trace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// The rank that `distributedInfo` tells.
    pub rank: Option<u32>,
    /// Ranks that took part.
    pub world_size: Option<u32>,
    /// Whether a ROCm profiler wrote it.
    pub rocm: bool,
    /// The version of vLLM, where it is told.
    pub vllm_version: Option<String>,
    /// Whether a mock server made it up, as a member `mock` or the version says (FB-5).
    pub mock: bool,
    /// Nanoseconds that all times count from.
    pub base_ns: Option<u64>,
    /// Whether `traceName` stands at the end: Kineto writes it last.
    pub finished: bool,
    /// Whether a member `traceEvents` stands in it.
    pub has_events: bool,
    /// Whether the top-level value is an object.
    pub object: bool,
    /// Top-level keys that tell another kind of file.
    pub foreign: Option<&'static str>,
}

/// The most bytes of a member that is looked into.
pub(super) const MEMBER: usize = 1 << 20;

impl Header {
    /// Whether the value of a key is looked into.
    pub(super) fn wants(key: &[u8]) -> bool {
        matches!(key, b"distributedInfo" | b"vllm_version" | b"baseTimeNanoseconds")
    }

    /// Takes a key whose value is not needed.
    pub(super) fn note(&mut self, key: &[u8]) {
        match key {
            b"traceName" => self.finished = true,
            // That it stands there is enough: no framework writes one.
            b"mock" => self.mock = true,
            b"roctracer_version" | b"hip_runtime_version" | b"hip_driver_version" => {
                self.rocm = true;
            }
            b"nodes" => self.foreign = Some("an execution trace (`nodes`)"),
            b"frame" | b"children" => self.foreign = Some("a Proton profile (`frame`, `children`)"),
            b"num_prompts" | b"request_throughput" => self.foreign = Some("a benchmark result"),
            b"num_hidden_layers" | b"model_type" => self.foreign = Some("a model's config"),
            _ => {}
        }
    }

    /// Takes the value of a key that is wanted.
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) {
        // A member of this kind that is no JSON is none of the tables' business.
        let Ok(value) = serde_json::from_slice::<Value>(value) else { return };
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let small = |key| number(key).and_then(|it| u32::try_from(it).ok());
        match key {
            b"distributedInfo" => {
                self.rank = small("rank");
                self.world_size = small("world_size");
            }
            b"vllm_version" => {
                self.vllm_version = value.as_str().map(|it| text(it.as_bytes()).to_string());
                self.mock |= value.as_str().is_some_and(|it| it.ends_with("+mock"));
            }
            b"baseTimeNanoseconds" => self.base_ns = value.as_u64(),
            _ => {}
        }
    }
}
