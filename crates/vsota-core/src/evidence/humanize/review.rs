//! What did Humanize's review of a round say? Read as its Stop hook reads it.

use serde::Serialize;

use crate::facts::Review;

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

#[cfg(test)]
mod tests {
    use super::*;

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
