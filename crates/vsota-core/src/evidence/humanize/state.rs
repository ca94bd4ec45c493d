//! The state file of a loop: `key: value` lines between two lines of three dashes.
//!
//! It looks like YAML and is none: values stand unquoted, and Humanize finds them by the beginning of
//! their line. Keys that nobody here needs are passed over; versions add some.

use alloc::format;
use alloc::string::{String, ToString};

use serde::Serialize;

use super::super::EvidenceError;
use crate::artifact::GitId;
use crate::text::Line;

/// What the state file of a loop says. A key that it lacks, or leaves empty, is absent.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LoopState {
    /// The round that is worked on, from 0.
    pub round: u32,
    /// After this many rounds the loop ends unreviewed.
    pub max_iterations: u32,
    /// Whether the code review has begun.
    pub review_started: Option<bool>,
    /// The plan, below the root of the work tree.
    pub plan_file: Option<String>,
    /// The branch that it was started on; `HEAD` when none.
    pub start_branch: Option<String>,
    /// The branch that reviews compare with.
    pub base_branch: Option<String>,
    /// The commit of that branch at the start.
    pub base_commit: Option<GitId>,
    /// Whether the agent answers the reviewer's questions; `false` under `--yolo`.
    pub ask_codex_question: Option<bool>,
    /// Only success ends the loop (RL-6); no public release has the key.
    pub strict_success: Option<bool>,
    /// The session that the loop is bound to; absent when it binds every session.
    pub session_id: Option<String>,
    /// Rounds in a row that did not advance.
    pub stalled: Option<u32>,
    /// What the last review said, as written.
    pub last_verdict: Option<String>,
    /// When it was started, UTC, as written.
    pub started_at: Option<Line>,
}

impl LoopState {
    /// Reads a state file.
    ///
    /// # Errors
    ///
    /// With the line when it is half written: no front matter, no end to it, no round, or a value that
    /// is not of its kind.
    pub fn read(text: &str) -> Result<Self, EvidenceError> {
        let matter = Matter::of(text)?;
        let round = matter.parsed::<u32>("current_round")?;
        let max = matter.parsed::<u32>("max_iterations")?;
        let owed = |key: &str| {
            EvidenceError::new("the state file lacks it; it may be half written").of(key)
        };
        Ok(Self {
            round: round.ok_or_else(|| owed("current_round"))?,
            max_iterations: max.ok_or_else(|| owed("max_iterations"))?,
            review_started: matter.parsed("review_started")?,
            plan_file: matter.text("plan_file"),
            start_branch: matter.text("start_branch"),
            base_branch: matter.text("base_branch"),
            base_commit: matter.parsed("base_commit")?,
            ask_codex_question: matter.parsed("ask_codex_question")?,
            strict_success: matter.parsed("strict_success")?,
            session_id: matter.text("session_id"),
            stalled: matter.parsed("mainline_stall_count")?,
            last_verdict: matter.text("last_mainline_verdict"),
            started_at: matter.parsed("started_at")?,
        })
    }
}

/// The lines between the dashes.
struct Matter<'a>(&'a str);

impl<'a> Matter<'a> {
    fn of(text: &'a str) -> Result<Self, EvidenceError> {
        let body = text.strip_prefix("---\n").ok_or_else(|| {
            EvidenceError::new("a state file begins with a line of three dashes").at(1)
        })?;
        let end = body.find("\n---").filter(|at| {
            body.get(at + 4..).is_some_and(|rest| rest.is_empty() || rest.starts_with('\n'))
        });
        match end.and_then(|at| body.get(..at)) {
            Some(matter) => Ok(Self(matter)),
            None => {
                let lines = u64::try_from(text.lines().count()).unwrap_or(u64::MAX);
                Err(EvidenceError::new("no line of three dashes ends it: it is half written")
                    .at(lines.max(1)))
            }
        }
    }

    /// The value of a key with its line, from 1.
    fn find(&self, key: &str) -> Option<(u64, &'a str)> {
        let value = |line: &'a str| line.strip_prefix(key)?.strip_prefix(':').map(str::trim);
        let found = (2..).zip(self.0.lines()).find_map(|(at, it)| Some((at, value(it)?)));
        found.filter(|(_, it)| !it.is_empty())
    }

    fn text(&self, key: &str) -> Option<String> {
        self.find(key).map(|(_, it)| it.to_string())
    }

    fn parsed<T: core::str::FromStr<Err: core::fmt::Display>>(
        &self,
        key: &str,
    ) -> Result<Option<T>, EvidenceError> {
        let Some((line, value)) = self.find(key) else { return Ok(None) };
        let parsed = value.parse().map_err(|error| {
            EvidenceError::new(format!("not what the key holds: {error}")).at(line).of(key)
        })?;
        Ok(Some(parsed))
    }
}
