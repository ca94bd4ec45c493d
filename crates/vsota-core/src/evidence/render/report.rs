//! `final_report.md`: what was reached, on what evidence, and with which waivers (RE-1).

use alloc::string::String;
use alloc::vec::Vec;

use super::page::{Md, Page, md};
use super::story::At;
use super::{Book, artefacts, attempts, benchmark, checkpoint, standing, waivers};
use crate::artifact::Digest;
use crate::facts::*;
use crate::text::Line;

pub(super) fn render(book: &Book<'_>) -> String {
    let mut page = Page::new(book.demo(), Md::own("Final report"));
    page.section(Md::own("Verdict"));
    verdict(&mut page, book);
    page.section(Md::own("What was compared"));
    compared(&mut page, book);
    page.section(Md::own("Waivers and blockers"));
    let waived = waivers::all(book);
    page.list(if waived.is_empty() { alloc::vec![Md::own("none")] } else { waived });
    page.section(Md::own("Fixed benchmark"));
    standing::frozen_table(&mut page, book);
    if book.story.freeze.is_some() {
        page.section(Md::own("After the patches"));
        standing::present_table(&mut page, book);
    }
    if let Some(it) = book.story.decided.last() {
        page.section(md!("Last verdict on the gap, round {}", it.round));
        standing::verdict_table(&mut page, it.verdict);
        if let Some(line) = standing::literal_line(it.verdict) {
            page.say(line);
        }
        let on = Md::code(it.stand.head.commit.as_str());
        page.say(md!("Decided on vLLM commit {}: {}.", on, Md::action(it.verdict.action)));
        if let Some(rounds) = waivers::behind(book, it.seq) {
            page.say(md!(
                "On this build vLLM was behind before, in {}; the pooled interval of all its blocks \
                 must allow a stop as well (GD-7).",
                rounds
            ));
        }
    }
    page.section(Md::own("Changed files of vLLM"));
    changed(&mut page, book);
    page.section(Md::own("Winner commands"));
    commands(&mut page, book);
    page.section(Md::own("Artefacts"));
    let mut paths = artefacts::since(book, 0);
    if !book.story.loops.is_empty() {
        paths.push(md!("every attempt: {}", Md::code("humanize/attempt-ledger.md")));
    }
    paths.push(md!("the journal: {}", Md::code("humanize/lineage.jsonl")));
    page.list(paths);
    page.finish()
}

fn verdict(page: &mut Page, book: &Book<'_>) {
    let story = &book.story;
    match (story.stop, story.claim) {
        (Some(stop), claim) => {
            page.say(ended(book, &stop, claim.map(|it| it.said)));
            page.say(scope(book));
            match (stop.said, claim) {
                (StopOrder::External { because, evidence, shown }, _) => {
                    page.say(md!("Cause: {}", Md::text(because)));
                    page.list(evidence.iter().map(Md::artifact));
                    page.say(proof(shown.as_ref()));
                }
                (StopOrder::Confirm { .. }, Some(claim)) => cause(page, claim.said),
                (StopOrder::Confirm { .. }, None) => {}
            }
            head(page, &stop, story.stopped_after);
        }
        (None, Some(claim)) => {
            let reason = reason(claim.said.reason);
            page.say(md!(
                "**Claimed**, not confirmed: {}. Claimed {}.",
                reason,
                Md::time(claim.at)
            ));
            page.say(Md::own("Humanize's review of the claimed build must end complete first."));
            page.say(scope(book));
            cause(page, claim.said);
            head(page, &claim, story.claimed_after);
        }
        (None, None) => {
            page.say(md!("**Undecided.** {}", checkpoint::place(book)));
        }
    }
}

/// How the campaign ended. SOTA is said only under ST-1 and ST-2.
fn ended(book: &Book<'_>, stop: &At<'_, StopOrder>, claim: Option<&StopClaim>) -> Md {
    let when = Md::time(stop.at);
    let claim = match (stop.said, claim) {
        (StopOrder::Confirm { .. }, Some(claim)) => claim,
        (StopOrder::Confirm { .. }, None) => {
            return md!("**SOTA was not reached.** The campaign ended {} without a claim.", when);
        }
        (StopOrder::External { .. }, _) => {
            let external = reason(StopReason::External);
            return md!("**SOTA was not reached.** The campaign ended {}: {}.", when, external);
        }
    };
    let reason = reason(claim.reason);
    match claim.reason {
        StopReason::Beats | StopReason::Tied => {
            let others = measured(book);
            md!(
                "**vLLM reached target-environment SOTA** relative to {}: {}. Confirmed {}.",
                others,
                reason,
                when
            )
        }
        StopReason::External | StopReason::Limit => {
            md!("**SOTA was not reached.** The campaign ended {}: {}.", when, reason)
        }
    }
}

fn reason(it: StopReason) -> Md {
    Md::own(match it {
        StopReason::Beats => "vLLM beats every SLA-passing competitor in every scenario (ST-1)",
        StopReason::Tied => "vLLM is at least tied within the stable 1 % in every scenario (ST-2)",
        StopReason::External => "the remaining gap is external to vLLM (ST-3)",
        StopReason::Limit => "the hot path is near its limit and no low-risk patch is left (ST-4)",
    })
}

/// The competitors that were measured.
fn measured(book: &Book<'_>) -> Md {
    let rows = book.story.freeze.map_or(&[][..], |it| &it.said.found.rows);
    let there = |it: &&Framework| rows.iter().any(|row| row.framework == **it);
    Md::list(Framework::COMPETITORS.iter().filter(there).map(|it| Md::own(it.title())), " and ")
}

/// What the verdict does not cover.
fn scope(book: &Book<'_>) -> Md {
    let mut left: Vec<_> = book
        .story
        .exclusions
        .iter()
        .map(|it| {
            let why = match it.cause {
                ExclusionCause::ByUser => "user-excluded",
                ExclusionCause::Unsupported { .. } => "unsupported",
            };
            md!("{} ({})", Md::own(it.framework.title()), Md::own(why))
        })
        .collect();
    left.extend(unasked(book).map(|it| md!("{} (user-excluded)", Md::own(it.title()))));
    let left = if left.is_empty() { Md::own("nothing") } else { Md::list(left, ", ") };
    let waived = waivers::all(book).len();
    md!("Left out of the comparison: {}. Waivers and blockers: {}, each named below.", left, waived)
}

/// Competitors that the caller did not ask for.
fn unasked(book: &Book<'_>) -> impl Iterator<Item = Framework> {
    let asked = book.story.brief.frameworks();
    Framework::COMPETITORS.iter().copied().filter(move |it| !asked.contains(it))
}

fn cause(page: &mut Page, claim: &StopClaim) {
    if let Some(because) = &claim.because {
        page.quote(because);
    }
    page.list(claim.evidence.iter().map(Md::artifact));
    if !claim.evidence.is_empty() {
        page.say(proof(claim.shown.as_ref()));
    }
}

/// Whether the evidence of a stop shows a failure, or is words.
fn proof(shown: Option<&Line>) -> Md {
    match shown {
        Some(line) => md!("The evidence shows a failure: {}", Md::text(line)),
        None => Md::own("The evidence is prose: no failure was found in it."),
    }
}

/// The head that stood before the entry: its own hash is not known inside it.
fn head<T>(page: &mut Page, at: &At<'_, T>, before: Option<Digest>) {
    if let (Some(hash), Some(seq)) = (before, at.seq.0.checked_sub(1)) {
        page.head(seq, hash);
    }
}

fn compared(page: &mut Page, book: &Book<'_>) {
    let brief = &book.story.brief;
    let model = brief.model().map_or(Md::own("unknown"), Md::code);
    let gpu = brief.gpu_model().map_or(Md::own("unknown"), Md::code);
    let count = brief.gpu_count().map_or(Md::own("unknown"), |it| md!("{}", it.get()));
    page.say(md!(
        "Model {} on {} × {}; precision {}, quantization {}.",
        model,
        count,
        gpu,
        precision(book),
        quantization(book)
    ));
    let mut lines = alloc::vec![md!("measured beside vLLM: {}", measured(book))];
    if book.story.freeze.is_some() {
        lines.extend(benchmark::versions(book));
    }
    lines.extend(book.story.exclusions.iter().map(|it| super::manifest::excluded(it)));
    for framework in unasked(book) {
        lines.push(md!("{} was not asked for (user-excluded)", Md::own(framework.title())));
    }
    page.list(lines);
}

fn precision(book: &Book<'_>) -> Md {
    book.story.brief.precision().map_or(Md::own("unknown"), Md::code)
}

fn quantization(book: &Book<'_>) -> Md {
    book.story.brief.quantization().map_or(Md::own("unknown"), Md::code)
}

fn changed(page: &mut Page, book: &Book<'_>) {
    let mut any = false;
    for (trial, ..) in book.story.accepted() {
        any = true;
        let kind = Md::own(if trial.is_fixup() { "fixup" } else { "patch" });
        page.subsection(md!("{} ({}, round {})", Md::code(trial.name()), kind, trial.round));
        let mut lines = alloc::vec![
            md!("files: {}", files(trial.files())),
            md!("tests: {}", tests(&trial.tests)),
            md!("commit: {}", Md::code(trial.head().commit.as_str())),
        ];
        lines.extend(attempts::checks_gone(trial.checks_gone()));
        page.list(lines);
    }
    if !any {
        page.say(Md::own("None: no patch was accepted."));
    }
}

fn commands(page: &mut Page, book: &Book<'_>) {
    if book.story.freeze.is_none() {
        page.say(Md::own("None: the benchmark is not frozen."));
        return;
    }
    let with = Md::code("benchmark/winning-commands.md");
    page.say(md!("Launch commands; {} has them with their benchmark commands.", with));
    for scenario in standing::scenarios(book) {
        for framework in Framework::ALL.iter().copied() {
            let Some(argv) = checkpoint::launch(book, &scenario, framework) else { continue };
            page.subsection(md!("{} in {}", Md::own(framework.title()), Md::code(&scenario)));
            page.command(argv);
        }
    }
}

/// Changed files with their kinds.
pub(super) fn files(files: &[ChangedFile]) -> Md {
    Md::list(files.iter().map(|it| md!("{} ({})", Md::code(&it.path), it.kind)), ", ")
}

/// The last tests of a trial in short.
pub(super) fn tests(runs: &[&TestRun]) -> Md {
    let Some(last) = runs.last() else { return Md::own("none filed") };
    let waived: Vec<_> = last.waived.iter().map(|it| Md::code(&it.name)).collect();
    let mut text = md!("{} passed, {} failed", last.passed, last.failed.len());
    if !waived.is_empty() {
        text = md!("{}, waived {}", text, Md::list(waived, ", "));
    }
    text
}
