//! Blocks of run records: one fact of the runs that belong together.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

use super::bench::NativeRun;
use super::error::EvidenceError;
use super::json;
use super::run::{RunRecord, Settings};
use crate::artifact::Artifact;
use crate::facts::{
    Block, BlockRun, Dimension, Framework, Measurement, Metric, Status, vocabulary,
};
use crate::measure::{Measured, geometric_mean};
use crate::text::{Line, Name};

vocabulary! {
    /// What a block compares.
    pub enum BlockKind("block kind") {
        /// vLLM against its competitors.
        Gap = "gap",
        /// The new build against the accepted one.
        Trial = "trial",
    }
}

/// The most runs of one block.
const RUNS: usize = 64;

/// A block of run records, `vsota-block/1`.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockRecord {
    /// What it compares.
    pub kind: BlockKind,
    /// The scenario of all its runs.
    pub scenario: Name,
    /// Its runs, as they were written.
    pub runs: Vec<RunRecord>,
}

/// The files of one run of a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFiles {
    /// What the native result says.
    pub native: Option<NativeRun>,
    /// The native result, filed.
    pub result: Option<Artifact>,
    /// The server log, filed: its digest is the launch.
    pub log: Option<Artifact>,
    /// The file of settings that the launch command names.
    pub settings: Option<Settings>,
    /// Whether a mock server wrote the log (FB-5).
    pub mocked: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "schema")]
    _schema: BlockSchema,
    kind: BlockKind,
    scenario: Name,
    runs: Vec<RunRecord>,
}

#[derive(Deserialize)]
enum BlockSchema {
    #[serde(rename = "vsota-block/1")]
    One,
}

impl BlockRecord {
    /// Reads a block from its JSON value.
    ///
    /// # Errors
    ///
    /// When a field is missing, unknown or of another type, a run has another scenario, or a run
    /// of a trial does not say which build it measured.
    pub fn parse(value: Value) -> Result<Self, EvidenceError> {
        let Wire { _schema, kind, scenario, runs } = json::shaped(value)?;
        let block = Self { kind, scenario, runs };
        for (at, run) in block.runs.iter().enumerate() {
            run.check().and_then(|()| block.check_run(run)).map_err(|error| {
                let field = format!("runs[{at}].{}", error.field.as_deref().unwrap_or_default());
                EvidenceError { field: None, ..error }.of(field.trim_end_matches('.'))
            })?;
        }
        if block.runs.is_empty() || block.runs.len() > RUNS {
            let message = format!("a block has 1 to {RUNS} runs, this one {}", block.runs.len());
            return Err(EvidenceError::new(message).of("runs"));
        }
        Ok(block)
    }

    /// Reads a file that holds exactly one block.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], and when the bytes are not one JSON value or a key occurs twice.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        json::one(bytes).and_then(Self::parse)
    }

    fn check_run(&self, run: &RunRecord) -> Result<(), EvidenceError> {
        if run.scenario != self.scenario {
            let message = format!("the block is of {}, the run of {}", self.scenario, run.scenario);
            return Err(EvidenceError::new(message).of("scenario"));
        }
        let vllm = run.framework == Framework::Vllm;
        match (self.kind, run.build.is_some()) {
            (BlockKind::Trial, false) if vllm => {
                Err(EvidenceError::new("a vLLM run of a trial is of the new or the accepted build")
                    .of("build"))
            }
            (BlockKind::Gap, true) => {
                Err(EvidenceError::new("only a trial compares two builds").of("build"))
            }
            _ => Ok(()),
        }
    }

    /// Makes the fact of the block. `files` are those of the runs, in the order of [`Self::runs`];
    /// `source` is the filed block. Runs come in the order in which they started, and runs that
    /// share a launch are one: the geometric mean of what they measured.
    ///
    /// # Errors
    ///
    /// When a run contradicts its native file, the files are not as many as the runs, or one launch
    /// is said to have served two things.
    pub fn block(
        &self,
        files: &[RunFiles],
        source: Artifact,
        told: &BTreeMap<Dimension, Line>,
    ) -> Result<Block, EvidenceError> {
        if files.len() != self.runs.len() {
            return Err(EvidenceError::new("every run of a block has its files").of("runs"));
        }
        let mut order: Vec<(usize, &RunRecord, &RunFiles)> = self
            .runs
            .iter()
            .zip(files)
            .enumerate()
            .map(|(at, (run, files))| (at, run, files))
            .collect();
        order.sort_by_key(|(at, run, _)| (run.started_at, *at));
        let mut runs: Vec<Vec<BlockRun>> = Vec::new();
        for (at, record, files) in order {
            let run = record.block_run(files, told).map_err(|error| {
                let field = format!("runs[{at}].{}", error.field.as_deref().unwrap_or_default());
                EvidenceError { field: None, ..error }.of(field.trim_end_matches('.'))
            })?;
            let shares = |group: &&mut Vec<BlockRun>| {
                run.launch().is_some()
                    && group.first().is_some_and(|it| it.launch() == run.launch())
            };
            match runs.iter_mut().find(shares) {
                Some(group) => group.push(run),
                None => runs.push([run].into()),
            }
        }
        let runs = runs.into_iter().map(merged).collect::<Result<_, _>>()?;
        Ok(Block::new(self.scenario.clone(), runs, source))
    }
}

/// One run of several that share a launch.
fn merged(group: Vec<BlockRun>) -> Result<BlockRun, EvidenceError> {
    let several = group.len() > 1;
    let parts: Vec<Measurement> = group.iter().filter_map(|it| it.measured.clone()).collect();
    let mut group = group.into_iter();
    let Some(mut run) = group.next() else {
        return Err(EvidenceError::new("a block without runs"));
    };
    for other in group {
        let same = (run.framework, run.build, &run.tree, &run.server_command, &run.identity)
            == (other.framework, other.build, &other.tree, &other.server_command, &other.identity)
            && run.settings == other.settings
            && (&run.framework_version, &run.framework_commit)
                == (&other.framework_version, &other.framework_commit);
        if !same {
            let message = "two runs share a server log, but not framework, version, build, tree and launch command";
            return Err(EvidenceError::new(message).of("launch"));
        }
        run.smoke |= other.smoke;
        run.mock |= other.mock;
        run.launched_at = run.launched_at.into_iter().chain(other.launched_at).min();
        run.closed_at = run.closed_at.into_iter().chain(other.closed_at).max();
        run.results.extend(other.results);
        if run.status == Status::Ok {
            run.status = other.status;
        }
    }
    if several {
        run.measured = mean(&parts);
    }
    Ok(run)
}

/// One measurement of several in one launch. A block counts requests per run, so that a merged run is
/// held to the workload like any other: the fewest completed, and the tokens of an average run.
fn mean(parts: &[Measurement]) -> Option<Measurement> {
    let runs = u64::try_from(parts.len()).ok()?;
    let average = |of: fn(&Measurement) -> Option<u64>| {
        let sum = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(of(part)?))?;
        sum.checked_div(runs)
    };
    let first = parts.first()?;
    let mut metrics: BTreeMap<Metric, Measured> = BTreeMap::new();
    for metric in first.metrics.keys() {
        let values: Option<Vec<Measured>> = parts.iter().map(|it| it.metric(*metric)).collect();
        metrics.extend(values.and_then(|it| geometric_mean(&it)).map(|value| (*metric, value)));
    }
    // Zero is unknown: runs of different sizes are no repeats of one another.
    let same = parts.iter().all(|it| it.requested == first.requested);
    Some(Measurement {
        started_at: parts.iter().map(|it| it.started_at).min()?,
        ended_at: parts.iter().map(|it| it.ended_at).max()?,
        completed: parts.iter().map(|it| it.completed).min()?,
        requested: if same { first.requested } else { 0 },
        input_tokens: average(|it| it.input_tokens),
        output_tokens: average(|it| it.output_tokens),
        metrics,
        disturbed: parts.iter().find_map(|it| it.disturbed.clone()),
    })
}
