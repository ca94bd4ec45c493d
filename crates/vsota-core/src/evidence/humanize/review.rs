//! What did Humanize's review of a round say? Read as its Stop hook reads it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::{Files, Lifecycle, LoopState};
use crate::facts::{LoopPhase, Review};

/// What a review result says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// The round advanced, stalled, regressed, or the plan is met.
    Verdict(Review),
    /// The reviewer wants the loop to end; the round has no verdict.
    Stop,
    /// No verdict, or several at once: the hook blocks until the file is gone.
    Nothing,
}

/// Reads a `round-N-review-result.md` of the implementation phase.
///
/// `COMPLETE` counts only alone on the last line that is not blank; otherwise the last line with a
/// `Mainline Progress Verdict:` decides, when it names exactly one.
pub fn review(text: &str) -> Said {
    let last = text.lines().rfind(|it| !it.trim().is_empty()).map_or("", str::trim);
    let verdict = text.lines().rev().find_map(verdict);
    match (last, verdict) {
        ("COMPLETE", Some(Some(_))) => Said::Verdict(Review::Complete),
        (_, Some(Some(verdict))) => Said::Verdict(verdict),
        ("STOP", _) => Said::Stop,
        (_, Some(None) | None) => Said::Nothing,
    }
}

/// The verdict of a line: absent when it has none, empty when it has several.
fn verdict(line: &str) -> Option<Option<Review>> {
    const WORDS: [(&str, Review); 3] = [
        ("ADVANCED", Review::Advanced),
        ("STALLED", Review::Stalled),
        ("REGRESSED", Review::Regressed),
    ];
    let line = line.to_ascii_uppercase();
    let (_, after) = line.split_once("MAINLINE PROGRESS VERDICT:")?;
    let first = WORDS.iter().find(|(word, _)| {
        let rest = after.trim_start().strip_prefix(word);
        rest.is_some_and(|it| !it.starts_with(|c: char| c.is_ascii_alphabetic()))
    })?;
    let named: usize = WORDS.iter().map(|(word, _)| line.matches(word).count()).sum();
    Some((named == 1).then_some(first.1))
}

/// What the review of the round said in which a patch was accepted, once the loop has gone on from there.
///
/// A result file alone proves nothing: anybody can write one. What the Stop hook did after it is in the
/// name and the lines of the state file: the round, the phase, the last verdict.
pub fn reviewed(
    files: &Files,
    state: &LoopState,
    round: u32,
    accepted_in: LoopPhase,
) -> Option<Review> {
    let now = Lifecycle::of(files).outcome(files);
    let is_over = matches!(now, Lifecycle::Complete);
    match accepted_in {
        LoopPhase::Implementation => implemented(files, state, now, round),
        LoopPhase::Review if is_over || now == Lifecycle::Finalize => Some(Review::Complete),
        LoopPhase::Review => {
            let next = round.checked_add(1)?;
            let found = files.get(&format!("round-{next}-review-result.md"))?;
            let holds = findings(found).next().is_some();
            (state.round > round && holds).then_some(Review::Findings)
        }
        LoopPhase::Finalize | LoopPhase::Methodology => is_over.then_some(Review::Complete),
    }
}

/// The same for a round of the implementation phase.
fn implemented(files: &Files, state: &LoopState, now: Lifecycle, round: u32) -> Option<Review> {
    let result = files.get(&format!("round-{round}-review-result.md"))?;
    let Said::Verdict(said) = review(result) else { return None };
    let beyond = matches!(now, Lifecycle::Review | Lifecycle::Finalize | Lifecycle::Complete);
    let went_on = state.round > round || beyond || now == Lifecycle::Stop;
    // The state holds the verdict of the last implementation round only.
    let in_next = Some(state.round) == round.checked_add(1);
    let is_last = state.round == round || in_next && now == Lifecycle::Implementation;
    let (wanted, met) = match said {
        Review::Complete => (Review::Advanced, beyond),
        said => (said, true),
    };
    let last = state.last_verdict.as_deref().unwrap_or_default();
    let agrees = !is_last || last.eq_ignore_ascii_case(wanted.as_str());
    (went_on && agrees && met).then_some(said)
}

/// The findings of a code review: every line with a mark `[P0]` to `[P9]`.
pub fn findings(text: &str) -> impl Iterator<Item = Finding> {
    text.lines().filter_map(Finding::of)
}

/// One finding of a code review.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The line, without the mark of a list.
    line: String,
    /// What follows the mark of its priority.
    said: String,
    /// That, without the place in the code.
    title: String,
}

/// The fewest characters of a title that names a finding by itself.
const TITLE: usize = 12;

impl Finding {
    fn of(line: &str) -> Option<Self> {
        let line = plain(line.trim().trim_start_matches(['-', '*', ' ']));
        let (before, rest) = line.split_once("[p")?;
        let said = rest.strip_prefix(|c: char| c.is_ascii_digit())?.strip_prefix(']')?.trim();
        if !before.chars().all(|c| !c.is_alphanumeric()) {
            return None;
        }
        let title = said.split(" \u{2014} ").next().unwrap_or(said);
        let title = title.split(" - /").next().unwrap_or(title);
        Some(Self { said: said.into(), title: title.trim().into(), line })
    }

    /// Whether these words name it: the whole line, with or without its mark, or its title.
    pub fn is_named(&self, words: &str) -> bool {
        let words = plain(words.trim().trim_start_matches(['-', '*', ' ']));
        let titled = words == self.title && words.chars().count() >= TITLE;
        words == self.line || titled || words == self.said && words.chars().count() >= TITLE
    }
}

/// In small letters, with one blank between words.
fn plain(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_named_whole_or_by_its_title() {
        let text = "Review:\n- [P1] Guard the empty batch \u{2014} /w/vllm/a.py:3-4\n  it fails\n";
        let all: Vec<Finding> = findings(text).collect();
        assert_eq!(all.len(), 1, "{all:?}");
        for (words, named) in [
            ("[P1] Guard the empty batch \u{2014} /w/vllm/a.py:3-4", true),
            ("- [p1]  guard the  empty batch \u{2014} /w/vllm/a.py:3-4", true),
            ("Guard the empty batch", true),
            ("Guard the empty", false),
            ("e", false),
            ("", false),
            ("[P1]", false),
            ("it fails", false),
        ] {
            assert_eq!(all[0].is_named(words), named, "{words}");
        }
    }

    #[test]
    fn a_review_is_read_as_the_stop_hook_reads_it() {
        use Review::{Advanced, Complete, Regressed, Stalled};
        for (text, said) in [
            ("Mainline Progress Verdict: ADVANCED\n\n- more\n", Said::Verdict(Advanced)),
            ("mainline progress verdict:  stalled.\n", Said::Verdict(Stalled)),
            (
                "Mainline Progress Verdict: ADVANCED\nMainline Progress Verdict: REGRESSED\n",
                Said::Verdict(Regressed),
            ),
            ("Mainline Progress Verdict: ADVANCED\n\n  COMPLETE  \n\n", Said::Verdict(Complete)),
            ("Mainline Progress Verdict: ADVANCED\nCANNOT COMPLETE\n", Said::Verdict(Advanced)),
            ("COMPLETE\n", Said::Nothing),
            ("Mainline Progress Verdict: ADVANCED / STALLED / REGRESSED\n", Said::Nothing),
            ("Mainline Progress Verdict: ADVANCEDLY\n", Said::Nothing),
            ("- all good\nSTOP\n", Said::Stop),
            ("", Said::Nothing),
        ] {
            assert_eq!(review(text), said, "{text}");
        }
    }
}
