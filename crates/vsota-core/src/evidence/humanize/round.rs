//! What does the round of an active loop owe next? The files that are there say it.

use alloc::format;

use serde::Serialize;

use super::{Files, Lifecycle, Said, review};

/// What comes next in the round of an active loop.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owed {
    /// The prompt of the round is not there: set-up or the hook was cut off.
    Prompt,
    /// The agent writes the round's contract.
    Contract,
    /// The agent works, commits, and writes the summary.
    Summary,
    /// All is written, but the work tree is not clean, or nothing was committed since the loop began. Git
    /// says that, not the loop's files.
    Commit,
    /// All is written: the agent stops, so that the review can run.
    Stop,
    /// The review runs, or failed without a result.
    Review,
    /// The result has no verdict and blocks every further stop until it is removed.
    Verdict,
    /// The result is there, and the hook has not gone on yet.
    Advance,
    /// The agent writes the summary of the finalize phase, then stops.
    FinalizeSummary,
    /// The agent writes the analysis, then stops.
    Analysis,
}

impl Owed {
    /// What to do, in a line.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Prompt => {
                "the prompt of the round is missing; set-up or the Stop hook was cut off"
            }
            Self::Contract => "write the round's contract before the code",
            Self::Summary => "work, commit, and write the round's summary",
            Self::Commit => {
                "commit the work of the round, so that the work tree is clean, then stop"
            }
            Self::Stop => "stop, so that the review can run",
            Self::Review => "the review runs or failed; stop again",
            Self::Verdict => {
                "the review has no single verdict and blocks every stop; remove its result, then stop"
            }
            Self::Advance => "the review is there; stop again, so that the hook goes on",
            Self::FinalizeSummary => "finalize: write finalize-summary.md, then stop",
            Self::Analysis => "write the methodology analysis, then stop",
        }
    }
}

/// What a round of an active loop owes.
///
/// In the code review a stop at round N writes the review files of round N+1.
pub fn owed(files: &Files, lifecycle: Lifecycle, round: u32) -> Owed {
    let has = |name: &str| files.contains_key(name);
    let written = |name: &str| files.get(name).is_some_and(|it| !is_scaffold(it));
    match lifecycle {
        Lifecycle::Finalize if written("finalize-summary.md") => return Owed::Stop,
        Lifecycle::Finalize => return Owed::FinalizeSummary,
        Lifecycle::Methodology if has("methodology-analysis-done.md") => return Owed::Stop,
        Lifecycle::Methodology => return Owed::Analysis,
        _ => {}
    }
    let reviewed = if lifecycle == Lifecycle::Review { round.saturating_add(1) } else { round };
    let result = files.get(&format!("round-{reviewed}-review-result.md"));
    if let Some(result) = result {
        let none = lifecycle == Lifecycle::Implementation && review(result) == Said::Nothing;
        return if none { Owed::Verdict } else { Owed::Advance };
    }
    if has(&format!("round-{reviewed}-review-prompt.md")) {
        return Owed::Review;
    }
    if !has(&format!("round-{round}-prompt.md")) && lifecycle == Lifecycle::Implementation {
        return Owed::Prompt;
    }
    if !written(&format!("round-{round}-contract.md")) {
        return Owed::Contract;
    }
    if !written(&format!("round-{round}-summary.md")) {
        return Owed::Summary;
    }
    Owed::Stop
}

/// Whether a summary or contract is the scaffold that Humanize writes, or empty.
pub fn is_scaffold(text: &str) -> bool {
    const MARKS: [&str; 3] =
        ["[Describe what was", "Action: none|add|update", "[List tests/commands run"];
    text.trim().is_empty() || MARKS.iter().any(|it| text.contains(it))
}
