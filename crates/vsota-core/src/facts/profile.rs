//! Profiles, their rows, and the root cause drawn from them (PR-1 … PR-8).

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Framework, Stage, Standpoint, Table, UnknownWord};
use crate::artifact::{Artifact, Digest, GitId};
use crate::measure::{Fraction, Measured};
use crate::text::{Argv, Line, Name, Prose};

/// A row of a profile, cited everywhere as `FRAMEWORK:STAGE:TABLE:N`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RowId {
    /// Whose profile.
    pub framework: Framework,
    /// Of which stage.
    pub stage: Stage,
    /// In which table.
    pub table: Table,
    /// The place in the table, from 1.
    pub n: u32,
}

/// A profile of one framework and one stage, in the facts that gates ask for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Whose profile it is.
    pub framework: Framework,
    /// The stage that it is filed for (PR-4).
    pub stage: Stage,
    /// The round that the capture names (PR-8).
    pub round: u32,
    /// Whether a mock server made any of its traces up (FB-5).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub mock: bool,
    /// The tree that ran, for vLLM.
    pub tree: Option<GitId>,
    /// The server log's digest: the launch.
    pub launch: Digest,
    /// The launch command.
    pub server_command: Argv,
    /// The scenario whose lengths it uses (PR-3).
    pub scenario: Name,
    /// Prompt tokens of its requests.
    pub input_len: u32,
    /// Generated tokens of its requests.
    pub output_len: u32,
    /// Whether the trace's own annotations confirm the lengths.
    pub lengths_confirmed: bool,
    /// The digests of its traces.
    pub traces: Vec<Digest>,
    /// GPU time of the stage, in ns.
    pub total_ns: u64,
    /// The tokens of the stage that took it, where the trace's own annotations tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<NonZeroU64>,
    /// The tables that the file holds (PR-5).
    pub tables: Vec<Table>,
    /// Rows of at least 1 %, at most 64 a table.
    pub rows: Vec<ProfileRow>,
    /// The share of GPU time without a source location.
    pub unlocated_share: Fraction,
    /// The filed `vsota-profile/1`.
    pub source: Artifact,
}

/// One row, as far as gates need it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileRow {
    /// Its id.
    pub row: RowId,
    /// The kernel, pattern or pair that it names.
    pub name: Line,
    /// Its share of the stage's GPU time.
    pub share: Fraction,
    /// The source location that launches it, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Line>,
}

/// A competitor that cannot be captured (PR-8).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileWaiver {
    /// The competitor.
    pub framework: Framework,
    /// The log of the failed capture.
    pub log: Artifact,
    /// Why it failed.
    pub reason: Line,
}

/// What explains the gap (PR-6).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RootCause {
    /// Where checkout and loop stand.
    pub stand: Standpoint,
    /// The slower stage.
    pub slower_stage: Stage,
    /// Why it is another than the one in which vLLM loses the most GPU time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_because: Option<Line>,
    /// The rows that explain the gap.
    pub rows: Vec<RowId>,
    /// How they explain it.
    pub explanation: Prose,
    /// The vLLM source paths or kernel families that could change it.
    pub sources: Vec<Line>,
    /// The part of the gap that the rows explain, in percent, where it was estimated (GD-3).
    pub estimated_gap_pct: Option<Measured>,
    /// The filed draft.
    pub draft: Artifact,
}

impl RootCause {
    /// The path in the checkout that a source names, as a trace spells it too: without the place where the
    /// package lies, the line and the function behind it. Absent for a kernel family and for what lies in
    /// another package.
    pub fn path_of(source: &Line) -> Option<&str> {
        let word = source.as_str().split_whitespace().next()?;
        let path = word.split_once(':').map_or(word, |(path, _)| path);
        let path = path.rsplit_once("site-packages/").map_or(path, |(_, below)| below);
        ["vllm/", "csrc/"].iter().any(|it| path.starts_with(it)).then_some(path)
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { framework, stage, table, n } = self;
        write!(f, "{framework}:{stage}:{table}:{n}")
    }
}

impl FromStr for RowId {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord {
            found: text.chars().take(60).filter(|c| !crate::text::is_unsafe(*c)).collect(),
            what: "row id",
            known: "FRAMEWORK:STAGE:TABLE:N",
        };
        let mut parts = text.split(':');
        let mut part = || parts.next().ok_or_else(unknown);
        let row = Self {
            framework: part()?.parse()?,
            stage: part()?.parse()?,
            table: part()?.parse()?,
            n: part()?.parse().ok().filter(|n| *n > 0).ok_or_else(unknown)?,
        };
        parts.next().map_or(Ok(row), |_| Err(unknown()))
    }
}

as_string! { RowId: "a row id FRAMEWORK:STAGE:TABLE:N"; }
