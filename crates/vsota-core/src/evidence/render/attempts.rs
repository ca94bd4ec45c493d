//! `humanize/attempt-ledger.md`: every attempt, whatever came of it (LE-1, RV-1 … RV-3, RL-9).

use alloc::string::String;
use alloc::vec::Vec;

use super::page::{Grid, Md, Page, md};
use super::story::{At, End, Trial, What};
use super::{Book, figures, report};
use crate::Seq;
use crate::facts::*;

/// One line of the ledger, in the order of the journal.
enum Row<'a> {
    Trial(&'a Trial<'a>),
    Attempt(&'a At<'a, Attempt>),
    Abandoned(&'a At<'a, Abandonment>),
}

pub(super) fn render(book: &Book<'_>) -> Option<String> {
    book.story.loops.first()?;
    let rows = rows(book);
    let mut page = Page::new(book.demo(), Md::own("Attempt ledger"));
    page.say(Md::own(
        "Every patch, fixup, try and abandoned round, in the order in which they began.",
    ));
    let mut grid = Grid::new(&[">#", ">Round", "Attempt", "Kind", "Result", ">Gain"]);
    for (at, (_, row)) in rows.iter().enumerate() {
        let [round, name, kind, result, gain] = cells(book, row);
        grid.row([md!("{}", at.saturating_add(1)), round, name, kind, result, gain]);
    }
    page.table(grid);
    for (_, row) in &rows {
        match row {
            Row::Trial(it) => trial(&mut page, it),
            Row::Attempt(it) => attempt(&mut page, it),
            Row::Abandoned(it) => {
                page.section(md!("Round {} abandoned", it.round));
                page.say(md!("{}: {}", Md::time(it.at), Md::text(&it.said.reason)));
            }
        }
    }
    Some(page.finish())
}

fn rows<'a>(book: &'a Book<'a>) -> Vec<(Seq, Row<'a>)> {
    let story = &book.story;
    let mut rows: Vec<_> = story.trials.iter().map(|it| (it.seq, Row::Trial(it))).collect();
    rows.extend(story.attempts.iter().map(|it| (it.seq, Row::Attempt(it))));
    rows.extend(story.abandoned.iter().map(|it| (it.seq, Row::Abandoned(it))));
    rows.sort_by_key(|(seq, _)| *seq);
    rows
}

fn cells(book: &Book<'_>, row: &Row<'_>) -> [Md; 5] {
    match row {
        Row::Attempt(it) => {
            let (name, result) = (Md::code(&it.said.name), md!("{}", it.said.result));
            [md!("{}", it.round), name, Md::own("try"), result, Md::none()]
        }
        Row::Abandoned(it) => {
            [md!("{}", it.round), Md::none(), Md::own("round"), Md::own("abandoned"), Md::none()]
        }
        Row::Trial(it) => {
            let kind = Md::own(if it.is_fixup() { "fixup" } else { "patch" });
            let gain = match it.end {
                End::Accepted(_, it) => Md::figure(figures::percent(it.found.gain.gain_pct.get())),
                End::Open | End::Retried(_) | End::Rejected(_) => Md::none(),
            };
            [md!("{}", it.round), Md::code(it.name()), kind, Md::own(result(book, it)), gain]
        }
    }
}

/// The word of LE-1; an accepted patch that left a gap to close is partial.
fn result(book: &Book<'_>, trial: &Trial<'_>) -> &'static str {
    match trial.end {
        End::Open => "on trial",
        End::Retried(_) => "rejected, retried",
        End::Rejected(_) => "rejected",
        End::Accepted(..) if trial.is_fixup() => "selected",
        End::Accepted(seq, _) => match book.story.verdict_after(seq) {
            Some(it) if it.asks_for_patch() => "partial",
            _ => "selected",
        },
    }
}

fn attempt(page: &mut Page, at: &At<'_, Attempt>) {
    let it = at.said;
    page.section(md!("{}: a try in round {}", Md::code(&it.name), at.round));
    page.quote(&it.what);
    page.list([
        md!("result: {}", it.result),
        md!("profiler rows: {}", Md::rows(&it.rows)),
        md!("noted {}", Md::time(at.at)),
    ]);
}

fn trial(page: &mut Page, it: &Trial<'_>) {
    let kind = Md::own(if it.is_fixup() { "a fixup" } else { "a patch" });
    page.section(md!("{}: {} of round {}", Md::code(it.name()), kind, it.round));
    match (it.patch(), it.what) {
        (Some(patch), _) | (None, What::Patch(patch)) => described(page, patch),
        (None, What::Fixup(fixup)) => {
            let mut lines = alloc::vec![
                md!("demanded by: {}", Md::text(&fixup.finding)),
                md!("commit: {}", Md::code(fixup.stand.head.commit.as_str())),
                md!("base tree: {}", Md::code(fixup.base_tree.as_str())),
                md!("diff: {}", Md::artifact(&fixup.diff)),
                md!("files: {}", report::files(&fixup.files)),
            ];
            lines.extend(checks_gone(fixup.checks_gone.as_ref()));
            page.list(lines);
        }
    }
    for amendment in &it.amended {
        page.say(md!("Amended: {}", Md::text(&amendment.reason)));
    }
    page.subsection(Md::own("Revalidation"));
    revalidation(page, it);
}

fn described(page: &mut Page, it: &Patch) {
    let local = it.not_local_because.as_ref().map_or(Md::own("local"), Md::text);
    let history = match &it.history {
        HistoryUse::Items(items) => Md::codes(items),
        HistoryUse::NoneApplicable(why) => md!("none applicable: {}", Md::text(why)),
    };
    let mut lines = alloc::vec![
        md!("symptom: scenario {}", Md::code(&it.symptom)),
        md!(
            "profiler row: {}; layer row: {}",
            Md::rows(&[it.profiler_row]),
            Md::code(&it.layer_row)
        ),
        md!("source path: {}", Md::code(&it.source_path)),
        md!("expected effect: {}", Md::text(&it.expected_effect)),
        md!("scope: {}", local),
        md!("history: {}", history),
        md!("commit: {}, {} in the range", Md::code(it.stand.head.commit.as_str()), it.commits),
        md!("base tree: {}", Md::code(it.base_tree.as_str())),
        md!("diff: {}", Md::artifact(&it.diff)),
        md!("files: {}", report::files(&it.files)),
    ];
    if let Some(kernel) = &it.kernel {
        let test = kernel.correctness_test.as_ref().map_or(Md::none(), Md::code);
        let new = Md::code(&kernel.new_kernel);
        lines.push(md!(
            "kernel {} becomes {}; correctness test {}",
            Md::code(&kernel.name),
            new,
            test
        ));
    }
    for copied in &it.copied {
        let part = |it: &Option<crate::text::Line>| it.as_ref().map_or(Md::none(), Md::text);
        let (from, licence) = (part(&copied.provenance), part(&copied.licence));
        lines.push(md!(
            "copied from {}, licence {}; changed: {}",
            from,
            licence,
            part(&copied.local_delta)
        ));
    }
    lines.extend(checks_gone(it.checks_gone.as_ref()));
    page.list(lines);
}

/// PA-2: the checks that a diff takes away, and what its author says of it.
pub(super) fn checks_gone(gone: Option<&ChecksGone>) -> Vec<Md> {
    let Some(it) = gone else { return Vec::new() };
    let because = it.because.as_ref().map_or(Md::own("nothing is said"), Md::text);
    let mut lines =
        alloc::vec![md!("checks taken away: {}; as strong because: {}", it.count, because)];
    lines.extend(it.shown.iter().map(|check| md!("gone: {}", Md::code(check))));
    let more = it.count.saturating_sub(u32::try_from(it.shown.len()).unwrap_or(u32::MAX));
    if more > 0 {
        lines.push(md!("and {} more", more));
    }
    lines
}

fn revalidation(page: &mut Page, it: &Trial<'_>) {
    let fixup = it.is_fixup();
    let counted = it.blocks.iter().filter(|it| it.found.report_only.is_none()).count();
    let mut lines = alloc::vec![
        md!("tests: {}", report::tests(&it.tests)),
        md!("blocks: {} filed, {} of them count", it.blocks.len(), counted),
        md!("profiles of the new build: {}", it.profiles.len()),
    ];
    for test in it.tests.iter().flat_map(|it| &it.failed) {
        lines.push(md!("failed: {}", Md::code(test)));
    }
    for test in it.tests.iter().flat_map(|it| &it.waived) {
        lines.push(md!(
            "known failure, waived: {}: {}",
            Md::code(&test.name),
            Md::text(&test.reason)
        ));
    }
    lines.push(match it.end {
        End::Open => Md::own("**on trial**"),
        End::Rejected(it) => md!("**rejected**: {}", Md::text(&it.reason)),
        End::Retried(it) => {
            md!("**rejected, retried in the same round**: {}", Md::text(&it.reason))
        }
        End::Accepted(_, it) => {
            let gain = &it.found.gain;
            let percent = Md::figure(figures::percent(gain.gain_pct.get()));
            let (lo, hi) =
                (Md::figure(figures::ratio(gain.lo)), Md::figure(figures::ratio(gain.hi)));
            let weak = Md::own(if gain.weak && !fixup { "; a weak outcome (LE-3)" } else { "" });
            md!("**accepted**: {} over the accepted build ({} … {}){}", percent, lo, hi, weak)
        }
    });
    lines.push(md!("recorded {}", Md::time(it.at)));
    page.list(lines);
}
