//! Profiles: `vsota-profile/1` to the facts of one stage (PR-3 … PR-8).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::EvidenceError;
use super::json;
use super::run::MOCK;
use crate::artifact::{Artifact, Digest, GitId};
use crate::facts::{Framework, Profile, ProfileRow, RowId, Stage, Table};
use crate::measure::Fraction;
use crate::text::{Line, Name, is_unsafe};

/// The least share of a row that a fact keeps.
const MIN_SHARE: f64 = 0.01;

/// How far a share may be from its times.
const EPSILON: f64 = 1e-6;

/// The most rows of one table, and of all tables, that a fact keeps.
const ROWS: (usize, usize) = (64, 96);

/// The most bytes that the rows of a fact take, so that its event stays small.
const ROW_BYTES: usize = 10_000;

/// A profile of one framework, `vsota-profile/1`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    #[serde(rename = "schema")]
    _schema: Schema,
    /// Whose profile it is.
    pub framework: Framework,
    #[serde(rename = "device")]
    _device: Device,
    #[serde(rename = "ranks")]
    _ranks: Vec<u32>,
    traces: Vec<Trace>,
    stages: Vec<StageTables>,
    unlocated_share: Fraction,
    #[serde(rename = "unclassified_share")]
    _unclassified_share: Fraction,
    /// What was said when it was filed.
    #[serde(default)]
    pub filed: Option<Capture>,
}

/// What a profile's caller says of its capture (PR-3, PR-8); stands in the filed file as `filed`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// The launch command of the server that was captured.
    pub command: Vec<Line>,
    /// The tree that ran, for vLLM.
    pub build: Option<GitId>,
    /// The scenario whose lengths it uses.
    pub scenario: Name,
    /// The round that it was captured in.
    pub round: u32,
    /// The server log: its digest is the launch.
    pub launch: Artifact,
    /// Prompt tokens of its requests.
    pub input_len: u32,
    /// Generated tokens of its requests.
    pub output_len: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
enum Schema {
    #[serde(rename = "vsota-profile/1")]
    One,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Device {
    Cuda,
    Rocm,
    Cpu,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Role {
    Formal,
    Mapping,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Trace {
    #[serde(rename = "file")]
    _file: String,
    sha256: Digest,
    #[serde(rename = "bytes")]
    _bytes: u64,
    #[serde(rename = "rank")]
    _rank: Option<u32>,
    #[serde(rename = "role")]
    _role: Role,
    #[serde(default)]
    mock: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct StageTables {
    stage: Stage,
    #[serde(rename = "passes")]
    _passes: u64,
    tokens: Option<Tokens>,
    total_ns: u64,
    busy_ns: u64,
    kernels: Vec<KernelRow>,
    overlap: Option<Vec<OverlapRow>>,
    fuse: Option<Vec<FuseRow>>,
}

/// Tokens that the annotations of the trace tell.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Tokens {
    prefill: Option<u64>,
    decode: Option<u64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct KernelRow {
    row: RowId,
    name: String,
    #[serde(rename = "category")]
    _category: String,
    total_ns: u64,
    #[serde(rename = "launches")]
    _launches: u64,
    share: Fraction,
    locations: Vec<Location>,
    #[serde(rename = "cpu_op")]
    _cpu_op: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Location {
    location: String,
    share: Fraction,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct OverlapRow {
    row: RowId,
    kernel: String,
    #[serde(rename = "verdict")]
    _verdict: Value,
    #[serde(rename = "priority")]
    _priority: Value,
    total_ns: u64,
    #[serde(rename = "exclusive_share")]
    _exclusive_share: Option<Fraction>,
    #[serde(rename = "hidden_share")]
    _hidden_share: Option<Fraction>,
    #[serde(rename = "risk")]
    _risk: Value,
    #[serde(rename = "advice")]
    _advice: Value,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct FuseRow {
    row: RowId,
    pattern: String,
    #[serde(rename = "confidence")]
    _confidence: Value,
    total_ns: u64,
    share: Fraction,
    kernels: Vec<RowId>,
    candidate_path: Option<String>,
    #[serde(rename = "source")]
    _source: Value,
}

/// A row of any table, before it is cut to the size of a fact.
struct Row {
    row: RowId,
    name: String,
    share: Fraction,
    location: Option<String>,
}

impl ProfileFile {
    /// Reads a profile from its JSON value.
    ///
    /// # Errors
    ///
    /// When a field is missing, unknown or of another type, a row id is not that of its place or
    /// occurs twice, or shares and times contradict each other.
    pub fn parse(value: Value) -> Result<Self, EvidenceError> {
        let file: Self = json::shaped(value)?;
        let mut seen = BTreeSet::new();
        for tables in &file.stages {
            if !seen.insert(tables.stage) {
                let message = format!("the stage {} occurs twice", tables.stage);
                return Err(EvidenceError::new(message).of("stages"));
            }
            tables.check(file.framework).map_err(|error| {
                let field = error.field.unwrap_or_default();
                EvidenceError::new(error.message).of(&format!("stages.{}.{field}", tables.stage))
            })?;
        }
        Ok(file)
    }

    /// Reads a file that holds exactly one profile.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`], and when the bytes are not one JSON value or a key occurs twice.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        json::one(bytes).and_then(Self::parse)
    }

    /// The stages that it has tables of, in the order of the file.
    pub fn stages(&self) -> impl Iterator<Item = Stage> {
        self.stages.iter().map(|it| it.stage)
    }

    /// Makes the fact of one stage (PR-4). `source` is the filed file.
    ///
    /// # Errors
    ///
    /// When the stage is absent or holds no GPU work, no trace is named, or the tokens that the
    /// annotations tell are fewer than one request of the capture has (PR-3).
    pub fn profile(
        &self,
        stage: Stage,
        capture: &Capture,
        source: Artifact,
    ) -> Result<Profile, EvidenceError> {
        let not = |message: &str| EvidenceError::new(message).of("stages");
        let tables = self.stages.iter().find(|it| it.stage == stage);
        let tables = tables.ok_or_else(|| not(&format!("the profile has no stage {stage}")))?;
        if tables.total_ns == 0 || tables.kernels.is_empty() {
            return Err(not(&format!("the stage {stage} holds no GPU work")));
        }
        if self.traces.is_empty() {
            return Err(EvidenceError::new("a profile names its traces").of("traces"));
        }
        Ok(Profile {
            framework: self.framework,
            stage,
            round: capture.round,
            mock: self.is_mock(capture),
            tree: capture.build.clone(),
            launch: capture.launch.sha256,
            server_command: capture.command.iter().collect(),
            scenario: capture.scenario.clone(),
            input_len: capture.input_len,
            output_len: capture.output_len,
            lengths_confirmed: tables.confirms(capture)?,
            traces: self.traces.iter().map(|it| it.sha256).collect(),
            total_ns: tables.total_ns,
            tokens: tables.worked(),
            tables: tables.held(),
            rows: small(&tables.rows()?)?,
            unlocated_share: self.unlocated_share,
            source,
        })
    }

    /// Whether a mock made it up, as one of its traces or the launch says (FB-5).
    fn is_mock(&self, capture: &Capture) -> bool {
        let launched = capture.command.iter().any(|it| it.as_str() == MOCK);
        launched || self.traces.iter().any(|it| it.mock)
    }
}

impl StageTables {
    fn check(&self, framework: Framework) -> Result<(), EvidenceError> {
        if self.busy_ns > self.total_ns {
            return Err(EvidenceError::new("more time busy than all kernels took").of("busy_ns"));
        }
        let mut seen = BTreeSet::new();
        let mut place = |row: RowId, table: Table| {
            if (row.framework, row.stage, row.table) != (framework, self.stage, table) {
                let message =
                    format!("{row} does not belong to {framework}:{}:{table}", self.stage);
                return Err(EvidenceError::new(message).of("row"));
            }
            if !seen.insert(row) {
                return Err(EvidenceError::new(format!("{row} occurs twice")).of("row"));
            }
            Ok(())
        };
        let mut sum = 0.0;
        for row in &self.kernels {
            place(row.row, Table::Kernel)?;
            self.check_share(row.row, row.share, row.total_ns)?;
            sum += row.share.get();
            let located: f64 = row.locations.iter().map(|it| it.share.get()).sum();
            if located > 1.0 + EPSILON {
                let message = format!("the locations of {} are more than the whole", row.row);
                return Err(EvidenceError::new(message).of("locations"));
            }
        }
        if sum > 1.0 + EPSILON {
            let message = format!("the shares of the kernel table sum to {sum}");
            return Err(EvidenceError::new(message).of("share"));
        }
        for row in self.overlap.iter().flatten() {
            place(row.row, Table::Overlap)?;
            self.of_time(row.row, row.total_ns)?;
        }
        for row in self.fuse.iter().flatten() {
            place(row.row, Table::Fuse)?;
            self.check_share(row.row, row.share, row.total_ns)?;
            let foreign = |it: &&RowId| {
                (it.framework, it.stage, it.table) != (framework, self.stage, Table::Kernel)
            };
            if let Some(other) = row.kernels.iter().find(foreign) {
                let message =
                    format!("{} cites {other}, which is no kernel row of its stage", row.row);
                return Err(EvidenceError::new(message).of("kernels"));
            }
        }
        Ok(())
    }

    fn check_share(&self, row: RowId, share: Fraction, total_ns: u64) -> Result<(), EvidenceError> {
        let found = self.of_time(row, total_ns)?;
        if (share.get() - found.get()).abs() <= EPSILON {
            return Ok(());
        }
        let message = format!("{row} says {share}, its time says {found}");
        Err(EvidenceError::new(message).of("share"))
    }

    /// The share of the stage's time that `ns` is.
    #[expect(clippy::cast_precision_loss, reason = "a share to 1e-6 needs no more")]
    fn of_time(&self, row: RowId, ns: u64) -> Result<Fraction, EvidenceError> {
        let share = if ns == 0 { 0.0 } else { ns as f64 / self.total_ns as f64 };
        Fraction::new(share).map_err(|_| {
            let message = format!("{row} took {ns} ns of {} ns", self.total_ns);
            EvidenceError::new(message).of("total_ns")
        })
    }

    /// The tokens of the stage itself.
    fn worked(&self) -> Option<NonZeroU64> {
        let tokens = self.tokens?;
        let of = match self.stage {
            Stage::Prefill => tokens.prefill,
            Stage::Decode => tokens.decode,
            Stage::Mixed | Stage::Unattributed => None,
        };
        of.and_then(NonZeroU64::new)
    }

    fn held(&self) -> Vec<Table> {
        let held = [
            Some(Table::Kernel),
            self.overlap.as_ref().map(|_| Table::Overlap),
            self.fuse.as_ref().map(|_| Table::Fuse),
        ];
        held.into_iter().flatten().collect()
    }

    /// Whether the annotations confirm the lengths of the capture: whole requests, to within 2 % of one,
    /// because prompts of random text are a token or two off. False where they tell nothing, or a
    /// window that does not end with a request.
    fn confirms(&self, capture: &Capture) -> Result<bool, EvidenceError> {
        let Some(tokens) = self.tokens else { return Ok(false) };
        // The first token of an answer comes from the prompt's forward pass.
        let generated = capture.output_len.saturating_sub(1).max(1);
        let read = tokens.prefill.map(|found| (found, u64::from(capture.input_len)));
        let wrote = tokens.decode.map(|found| (found, u64::from(generated)));
        let counts: &[Option<(u64, u64)>] = match self.stage {
            Stage::Prefill => &[read],
            Stage::Decode => &[wrote],
            Stage::Mixed => &[read, wrote],
            Stage::Unattributed => return Ok(false),
        };
        if let (Stage::Prefill, Some((found, one))) = (self.stage, read)
            && found.saturating_mul(100) < one.saturating_mul(98)
        {
            let message = format!("the trace read {found} prompt tokens; one request has {one}");
            return Err(EvidenceError::new(message).of("tokens"));
        }
        if let (Stage::Decode, Some((0, _))) = (self.stage, wrote) {
            return Err(EvidenceError::new("the trace generated no token").of("tokens"));
        }
        Ok(counts.iter().all(|it| it.is_some_and(|(found, one)| is_whole(found, one))))
    }

    /// All rows: kernels, then overlap, then fuse, each table in its order.
    fn rows(&self) -> Result<Vec<Row>, EvidenceError> {
        let mut rows: Vec<Row> = self.kernels.iter().map(KernelRow::row).collect();
        for row in self.overlap.iter().flatten() {
            let kernel = self.kernels.iter().find(|it| format!("{}", it.row) == row.kernel);
            rows.push(Row {
                row: row.row,
                name: kernel.map_or(&row.kernel, |it| &it.name).clone(),
                share: self.of_time(row.row, row.total_ns)?,
                location: kernel.and_then(|it| it.row().location),
            });
        }
        rows.extend(self.fuse.iter().flatten().map(|row| Row {
            row: row.row,
            name: row.pattern.clone(),
            share: row.share,
            location: row.candidate_path.clone(),
        }));
        Ok(rows)
    }
}

impl KernelRow {
    /// The row with the first location of the largest share.
    fn row(&self) -> Row {
        let mut best: Option<&Location> = None;
        for location in &self.locations {
            if best.is_none_or(|it| location.share > it.share) {
                best = Some(location);
            }
        }
        Row {
            row: self.row,
            name: self.name.clone(),
            share: self.share,
            location: best.map(|it| it.location.clone()),
        }
    }
}

/// Whether `found` is a whole number of `one`, at least one of them, to within 2 % of one.
fn is_whole(found: u64, one: u64) -> bool {
    let one = one.max(1);
    let whole = found.saturating_add(one / 2) / one;
    let expected = whole.saturating_mul(one);
    whole > 0 && found.abs_diff(expected).saturating_mul(50) <= one
}

/// The rows that a fact keeps, their texts cut so far that the event stays small.
fn small(rows: &[Row]) -> Result<Vec<ProfileRow>, EvidenceError> {
    let mut kept: Vec<&Row> = Vec::new();
    for table in Table::ALL {
        let of_table =
            rows.iter().filter(|it| it.row.table == *table && it.share.get() >= MIN_SHARE);
        kept.extend(of_table.take(ROWS.0));
    }
    kept.truncate(ROWS.1);
    for limit in [120, 80, 56, 40, 24] {
        let rows = kept.iter().map(|row| row.cut(limit)).collect::<Result<Vec<_>, _>>()?;
        let bytes: usize = rows.iter().map(size).sum();
        if bytes <= ROW_BYTES {
            return Ok(rows);
        }
    }
    kept.iter().map(|row| row.cut(12)).collect()
}

/// About what a row takes in the journal.
fn size(row: &ProfileRow) -> usize {
    let location = row.location.as_ref().map_or(0, |it| it.as_str().len() + 14);
    row.name.as_str().len() + location + 84
}

impl Row {
    fn cut(&self, limit: usize) -> Result<ProfileRow, EvidenceError> {
        let name = line(&self.name, limit);
        let name =
            name.ok_or_else(|| EvidenceError::new(format!("{} has no name", self.row)).of("name"))?;
        let location = self.location.as_ref().and_then(|it| line(it, limit));
        Ok(ProfileRow { row: self.row, name, share: self.share, location })
    }
}

/// One line of at most `limit` bytes, cut between characters; `None` when nothing is left.
pub(super) fn line(text: &str, limit: usize) -> Option<Line> {
    let plain: String = text.chars().map(|c| if is_unsafe(c) { ' ' } else { c }).collect();
    let cut = plain.floor_char_boundary(limit);
    Line::new(plain.get(..cut)?.trim().to_owned()).ok()
}
