//! Run records and blocks: who ran what, when, on which launch. `vsota-run/1`, `vsota-block/1`.
//!
//! A record names its native result and its server log by path. Nothing here opens them: the
//! caller reads the files and hands over what it found.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::bench::{NativeRun, overwritten};
use super::block::RunFiles;
use super::command_line::{Gpus, Identity, Known, identify};
use super::error::EvidenceError;
use super::hygiene::Hygiene;
use super::json;
use super::time::rfc3339;
use crate::artifact::{Artifact, GitId};
use crate::facts::{
    BlockRun, Buckets, Build, Candidate, Dimension, Framework, LatencyKind, Measurement, Metric,
    Status,
};
use crate::parsed::Parsed;
use crate::text::{Line, Name, RelPath};

/// The most bytes of a recorded command, so that an event stays small.
const COMMAND: usize = 4_096;

/// How the versions of mock servers and of the demonstration's evidence end.
const MADE_UP: [&str; 2] = ["+mock", "+demo"];

/// The command that stands before what a mock takes the place of.
pub(super) const MOCK: &str = "mock-server";

/// What the log of a mock server begins with.
const OF_MOCK: &str = "mock server, process ";

/// A moment, in ms since the epoch, written in RFC 3339.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(pub i64);

/// A record of one run, `vsota-run/1`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    schema: RunSchema,
    /// What was served.
    pub framework: Framework,
    /// Its version.
    #[serde(default)]
    pub framework_version: Option<Line>,
    /// Its commit.
    #[serde(default)]
    pub commit: Option<Line>,
    /// Whether it is only a flow check (FB-5).
    #[serde(default)]
    pub smoke: bool,
    /// The git tree that was measured, for vLLM (FB-13).
    #[serde(default)]
    pub tree: Option<GitId>,
    /// The candidate; a run of a block may have none.
    #[serde(default)]
    pub candidate_id: Option<Name>,
    /// The scenario.
    pub scenario: Name,
    /// Which vLLM build, in a trial block.
    #[serde(default)]
    pub build: Option<Build>,
    /// The exact launch command.
    pub server_command: Vec<Line>,
    /// The exact benchmark command.
    pub benchmark_command: Vec<Line>,
    /// The launch of the server.
    #[serde(default)]
    pub launch: Option<Launch>,
    /// When the benchmark started.
    pub started_at: Moment,
    /// When the benchmark ended.
    pub ended_at: Moment,
    /// The exit code of the benchmark, when it exited.
    #[serde(default)]
    pub exit_code: Option<i64>,
    /// How the run ended.
    pub status: Status,
    /// Why it failed or was skipped.
    #[serde(default)]
    pub failure_reason: Option<Line>,
    /// The native result.
    #[serde(default)]
    pub result: Option<ResultPlace>,
    /// The file of settings that the launch command names, relative to the record's file.
    #[serde(default)]
    pub settings: Option<RelPath>,
    /// The GPUs.
    #[serde(default)]
    pub gpus: Option<Gpus>,
    /// What was seen of disturbances.
    #[serde(default)]
    pub hygiene: Option<Hygiene>,
}

/// The launch of a server; its identity is the digest of its log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// The server log, relative to the record's file.
    pub log: Option<RelPath>,
    /// When the server was started.
    #[serde(default)]
    pub started_at: Option<Moment>,
    /// When the server ended, when it has.
    #[serde(default)]
    pub ended_at: Option<Moment>,
}

/// Where a native result lies.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ResultPlace {
    /// The file, relative to the record's file.
    pub path: RelPath,
    /// The line where the result starts, from 1.
    #[serde(default = "first")]
    pub line: u64,
}

/// A native result without a record, with the identity that its caller gives it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BareRun {
    /// What was served.
    pub framework: Framework,
    /// Its version.
    pub framework_version: Option<Line>,
    /// The candidate.
    pub candidate_id: Name,
    /// The scenario.
    pub scenario: Name,
    /// Whether it is only a flow check (FB-5).
    pub smoke: bool,
    /// The launch command; empty when unknown, and then the row never ranks.
    pub server_command: Vec<Line>,
    /// The benchmark command; empty when unknown, and then the row never ranks.
    pub benchmark_command: Vec<Line>,
    /// The git tree that was measured, for vLLM (FB-13).
    pub tree: Option<GitId>,
    /// The GPUs, when known.
    pub gpus: Option<Gpus>,
    /// When the run ended, in ms since the epoch, for a file that does not say it.
    pub ended_at: i64,
}

/// A file of settings that a launch command names: `--config` of vLLM and SGLang,
/// `--extra_llm_api_options` of TensorRT-LLM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The file as it was filed.
    pub file: Artifact,
    /// What stands in it.
    pub value: Value,
}

/// The files of a run as they were filed, and what the caller knows beside them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filed {
    /// The run record.
    pub record: Option<Artifact>,
    /// The native result.
    pub result: Option<Artifact>,
    /// The server log.
    pub log: Option<Artifact>,
    /// The file of settings that the launch command names.
    pub settings: Option<Settings>,
    /// Dimensions that nothing else tells, such as the precision that `--dtype auto` comes to.
    pub told: BTreeMap<Dimension, Line>,
    /// The length buckets, where the native result keeps lengths (FB-4).
    pub buckets: Option<Buckets>,
    /// Whether a mock server wrote the log (FB-5).
    pub mocked: bool,
}

/// Whether a mock server wrote a log: it says so in its first words, behind whatever command (FB-5).
pub fn is_of_mock(log: &[u8]) -> bool {
    let mut lines = log.split(|it| *it == b'\n');
    lines.any(|it| String::from_utf8_lossy(it).trim_start().starts_with(OF_MOCK))
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
enum RunSchema {
    #[serde(rename = "vsota-run/1")]
    One,
}

fn first() -> u64 {
    1
}

impl FromStr for Moment {
    type Err = EvidenceError;

    fn from_str(text: &str) -> Result<Self, EvidenceError> {
        rfc3339(text).map(Self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed::new("an RFC 3339 time such as 2026-11-24T07:54:10Z"))
    }
}

/// What a record and its native file say together.
struct Joined {
    status: Status,
    failure: Option<Line>,
    measured: Option<Measurement>,
    identity: Identity,
}

impl RunRecord {
    /// Reads a record from its JSON value.
    ///
    /// # Errors
    ///
    /// When a field is missing, unknown or of another type, or the times and the status of the
    /// record contradict each other.
    pub fn parse(value: Value) -> Result<Self, EvidenceError> {
        let record: Self = json::shaped(value)?;
        record.check()?;
        Ok(record)
    }

    /// Reads a file that holds exactly one record.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], and when the bytes are not one JSON value or a key occurs twice.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        json::one(bytes).and_then(Self::parse)
    }

    pub(super) fn check(&self) -> Result<(), EvidenceError> {
        let not = |field: &str, message: &str| Err(EvidenceError::new(message).of(field));
        if self.ended_at < self.started_at {
            return not("ended_at", "the run ended before it started");
        }
        if let Some(launch) = &self.launch {
            if launch.started_at.is_some_and(|it| it > self.started_at) {
                return not("launch", "the server was started after the run");
            }
            if launch.ended_at.is_some_and(|it| it < self.ended_at) && self.status == Status::Ok {
                return not("launch", "the server ended before the run");
            }
        }
        if self.status == Status::Ok && self.exit_code.is_some_and(|code| code != 0) {
            return not("exit_code", "the status is ok, but the benchmark exited with an error");
        }
        if self.status == Status::Ok && self.result.is_none() {
            return not("result", "the status is ok, but no result is named");
        }
        if self.build.is_some() && self.framework != Framework::Vllm {
            return not("build", "only vLLM has a new and an accepted build");
        }
        for (field, command) in [
            ("server_command", &self.server_command),
            ("benchmark_command", &self.benchmark_command),
        ] {
            let bytes: usize = command.iter().map(|word| word.as_str().len()).sum();
            if bytes > COMMAND {
                let message = format!("the command has {bytes} bytes; at most {COMMAND} are kept");
                return Err(EvidenceError::new(message).of(field));
            }
        }
        Ok(())
    }

    /// Makes the fact of one filed candidate (FB-7: failed ones too).
    ///
    /// # Errors
    ///
    /// When the record names no candidate, names a result that was not given, or contradicts its
    /// native file.
    pub fn candidate(
        &self,
        native: Option<&NativeRun>,
        filed: Filed,
    ) -> Result<Candidate, EvidenceError> {
        let id = self.candidate_id.clone();
        let id = id.ok_or_else(|| {
            EvidenceError::new("a filed run names its candidate").of("candidate_id")
        })?;
        let joined = self.join(native, filed.settings.as_ref(), &filed.told)?;
        Ok(Candidate {
            id,
            framework: self.framework,
            framework_version: self.version(native),
            framework_commit: self.framework_commit(native),
            scenario: self.scenario.clone(),
            status: joined.status,
            smoke: self.smoke,
            mock: filed.mocked || self.is_mock(native),
            served: native.is_none_or(|it| it.served),
            failure_reason: joined.failure,
            server_command: self.server_command.iter().collect(),
            benchmark_command: self.benchmark_command.iter().collect(),
            backend: joined.identity.backend,
            context_len: joined.identity.context_len,
            identity: joined.identity.dimensions,
            tree: self.tree.clone(),
            measured: joined.measured,
            buckets: filed.buckets,
            record: filed.record,
            result: filed.result,
            log: filed.log,
            settings: filed.settings.map(|it| it.file),
        })
    }

    /// Makes the fact of one run of a block from its files; the digest of its server log is its launch.
    ///
    /// # Errors
    ///
    /// When the record contradicts its native file.
    pub fn block_run(
        &self,
        files: &RunFiles,
        told: &BTreeMap<Dimension, Line>,
    ) -> Result<BlockRun, EvidenceError> {
        let joined = self.join(files.native.as_ref(), files.settings.as_ref(), told)?;
        Ok(BlockRun {
            framework: self.framework,
            build: self.build,
            tree: self.tree.clone(),
            framework_version: self.version(files.native.as_ref()),
            framework_commit: self.framework_commit(files.native.as_ref()),
            server_command: self.server_command.iter().collect(),
            status: joined.status,
            smoke: self.smoke,
            mock: files.mocked || self.is_mock(files.native.as_ref()),
            launched_at: self.launch.as_ref().and_then(|it| it.started_at).map(|it| it.0),
            closed_at: self.launch.as_ref().and_then(|it| it.ended_at).map(|it| it.0),
            measured: joined.measured,
            identity: joined.identity.dimensions,
            results: files.result.iter().cloned().collect(),
            log: files.log.clone(),
            settings: files.settings.as_ref().map(|it| it.file.clone()),
        })
    }

    /// The framework's version, as the record says it, else the native file.
    fn version(&self, native: Option<&NativeRun>) -> Option<Line> {
        self.framework_version.clone().or_else(|| native?.version.clone())
    }

    /// The framework's commit, as the record says it, else the native file.
    fn framework_commit(&self, native: Option<&NativeRun>) -> Option<Line> {
        self.commit.clone().or_else(|| native?.commit.clone())
    }

    /// Whether a mock made it up, as the native file, the server's version or one of the commands says
    /// (FB-5). The version tells it of a server behind the words of a build or a script, and of the
    /// demonstration's evidence.
    fn is_mock(&self, native: Option<&NativeRun>) -> bool {
        let mut words = self.server_command.iter().chain(&self.benchmark_command);
        let version = self.framework_version.as_ref();
        native.is_some_and(|it| it.mock)
            || version.is_some_and(|it| MADE_UP.iter().any(|mark| it.as_str().ends_with(mark)))
            || words.any(|it| it.as_str() == MOCK)
    }

    fn join(
        &self,
        native: Option<&NativeRun>,
        settings: Option<&Settings>,
        told: &BTreeMap<Dimension, Line>,
    ) -> Result<Joined, EvidenceError> {
        if self.status == Status::Ok && native.is_none() {
            return Err(EvidenceError::new("the status is ok, but there is no result").of("result"));
        }
        let (framework, gpus) = (self.framework, self.gpus.as_ref());
        let known = Known { framework, native, gpus, settings: settings.map(|it| &it.value), told };
        let identity = identify(&self.server_command, &self.benchmark_command, known)?;
        let mut status = self.status;
        let mut failure = self.failure_reason.clone();
        if let Some(native) = native {
            self.check_metadata()?;
            self.check_date(native)?;
            native.check_arithmetic()?;
            if status == Status::Ok && native.status != Status::Ok {
                status = native.status;
                failure = failure.or(native.failure.clone());
            }
        }
        let measured = native.map(|it| self.measurement(it, &identity)).transpose()?.flatten();
        Ok(Joined { status, failure, measured, identity })
    }

    fn check_metadata(&self) -> Result<(), EvidenceError> {
        match overwritten(&self.benchmark_command) {
            Some(key) => {
                let message = format!("--metadata overwrites `{key}` of the result: name it anew");
                Err(EvidenceError::new(message).of("benchmark_command"))
            }
            None => Ok(()),
        }
    }

    fn check_date(&self, native: &NativeRun) -> Result<(), EvidenceError> {
        match native.date {
            Some(date) if !date.agrees_with(self.ended_at.0) => {
                let message = "the native file's date is not that of `ended_at`, in any time zone";
                Err(EvidenceError::new(message).of("ended_at"))
            }
            _ => Ok(()),
        }
    }

    fn measurement(
        &self,
        native: &NativeRun,
        identity: &Identity,
    ) -> Result<Option<Measurement>, EvidenceError> {
        let requested = sent(native, identity)?;
        if native.completed == 0 {
            return Ok(None);
        }
        let mut metrics = native.metrics.clone();
        if !identity.streaming {
            // The whole answer comes as one chunk: these would describe the chunk, not the tokens.
            let whole = |metric: &Metric| match metric {
                Metric::Latency(latency) => latency.kind == LatencyKind::E2e,
                _ => true,
            };
            metrics.retain(|metric, _| whole(metric));
        }
        Ok(Some(Measurement {
            started_at: self.started_at.0,
            ended_at: self.ended_at.0,
            completed: native.completed,
            // Nobody says how many were sent: then the success rate is unknown.
            requested: requested.unwrap_or(0),
            input_tokens: native.input_tokens,
            output_tokens: native.output_tokens,
            metrics,
            disturbed: self.hygiene.as_ref().and_then(Hygiene::disturbance),
        }))
    }
}

/// The requests that were sent, as native file and command tell (rule 7).
fn sent(native: &NativeRun, identity: &Identity) -> Result<Option<u64>, EvidenceError> {
    let asked = identity.requested;
    if let (Some(found), Some(asked)) = (native.requested, asked)
        && found != asked
    {
        let message = format!("{found} requests were sent, but the command asks for {asked}");
        return Err(EvidenceError::new(message).of("num_prompts"));
    }
    let requested = native.requested.or(asked);
    match requested.filter(|it| native.completed > *it) {
        Some(asked) => {
            let message = format!("{} of {asked} requests cannot have completed", native.completed);
            Err(EvidenceError::new(message).of("completed"))
        }
        None => Ok(requested),
    }
}

impl BareRun {
    /// Makes the fact of a candidate from a native result alone. Without commands it is kept, and
    /// what they would say stays unknown.
    ///
    /// # Errors
    ///
    /// When the given identity contradicts the native file.
    #[expect(clippy::cast_possible_truncation, reason = "a run lasts far less than 2^63 ms")]
    pub fn candidate(self, native: &NativeRun, filed: Filed) -> Result<Candidate, EvidenceError> {
        let ended_at = native.date.map_or(self.ended_at, |it| it.0.saturating_mul(1_000));
        let lasted = native.duration.map_or(0, |it| (it.get() * 1_000.0) as i64);
        let place = RelPath::new("result").map_err(EvidenceError::new)?;
        let record = RunRecord {
            schema: RunSchema::One,
            framework: self.framework,
            framework_version: self.framework_version,
            commit: None,
            smoke: self.smoke,
            tree: self.tree,
            candidate_id: Some(self.candidate_id),
            scenario: self.scenario,
            build: None,
            server_command: self.server_command,
            benchmark_command: self.benchmark_command,
            launch: None,
            started_at: Moment(ended_at.saturating_sub(lasted)),
            ended_at: Moment(ended_at),
            exit_code: None,
            status: native.status,
            failure_reason: native.failure.clone(),
            result: Some(ResultPlace { path: place, line: 1 }),
            settings: None,
            gpus: self.gpus,
            hygiene: None,
        };
        record.check()?;
        record.candidate(Some(native), filed)
    }
}
