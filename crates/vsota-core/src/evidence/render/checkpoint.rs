//! `humanize/model-loop-checkpoint.md`: all that a reader who knows nothing needs to go on (CK-1).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::page::{Grid, Md, Page, md};
use super::story::{At, End};
use super::{Book, artefacts, figures, report, standing, waivers, workload};
use crate::facts::*;
use crate::text::{Argv, Line};

pub(super) fn render(book: &Book<'_>) -> String {
    let mut page = Page::new(book.demo(), Md::own("Checkpoint"));
    page.say(place(book));
    page.head(book.head.seq, book.head.hash);
    page.section(Md::own("What is served"));
    served(&mut page, book);
    if book.story.freeze.is_some() {
        page.section(Md::own("Best rows"));
        standing::present_table(&mut page, book);
        page.section(Md::own("Remaining gap"));
        remaining(&mut page, book);
        page.section(Md::own("vLLM"));
        vllm(&mut page, book);
        page.section(Md::own("Winner commands"));
        commands(&mut page, book);
    }
    if !book.story.loops.is_empty() {
        page.section(Md::own("Patches"));
        patches(&mut page, book);
        page.section(Md::own("Evidence"));
        evidence(&mut page, book);
        page.section(Md::own("Rejected ideas"));
        page.list(rejected(book));
        page.section(Md::own("Next"));
        next(&mut page, book);
    }
    let waived = waivers::all(book);
    if !waived.is_empty() {
        page.section(Md::own("Waivers and blockers"));
        page.list(waived);
    }
    page.finish()
}

/// Where the campaign is, in one sentence.
pub(super) fn place(book: &Book<'_>) -> Md {
    let phase = Md::code(book.phase().as_str());
    match book.story.round() {
        0 => md!("The campaign is in {}; no round was opened yet.", phase),
        n => md!("The campaign is in {}, round {}.", phase, n),
    }
}

fn served(page: &mut Page, book: &Book<'_>) {
    let brief = &book.story.brief;
    let known = |it: Option<&Line>| it.map_or(Md::own("unknown"), Md::code);
    let gpus = brief.gpu_count().map_or(Md::own("unknown number"), |it| md!("{}", it.get()));
    page.list([
        md!("model: {}", known(brief.model())),
        md!("tokenizer: {}", brief.tokenizer().map_or(Md::own("the model's"), Md::code)),
        md!(
            "precision: {}; quantization: {}",
            known(brief.precision()),
            known(brief.quantization())
        ),
        md!("hardware: {} × {}, ids {}", gpus, known(brief.gpu_model()), known(brief.gpu_ids())),
        md!("endpoint: {}; sampling: {}", known(brief.endpoint()), Md::code(brief.sampling())),
        md!("SLA: {}", workload::sla(book)),
        match brief.get("artifact_root") {
            Some(Input::ArtifactRoot(root)) => md!("artefact root: {}", Md::code(root)),
            _ => Md::own("artefact root: this run directory"),
        },
    ]);
    if let Some(it) = brief.workload() {
        workload::scenarios(page, it);
    }
}

fn remaining(page: &mut Page, book: &Book<'_>) {
    let mut grid = Grid::new(&["Scenario", "Against", ">vLLM to it", "From"]);
    for gap in standing::gaps(book) {
        grid.row([
            Md::code(&gap.scenario),
            Md::own(gap.rival.title()),
            Md::figure(figures::ratio(gap.log)),
            gap.source,
        ]);
    }
    page.table(grid);
    let cause = book.story.roots.last().and_then(|it| Some((it.round, it.said.estimated_gap_pct?)));
    if let Some((round, part)) = cause {
        let part = Md::figure(figures::two(part.get()));
        page.say(md!(
            "The root cause of round {} explains an estimated {} % of a gap.",
            round,
            part
        ));
    }
}

fn vllm(page: &mut Page, book: &Book<'_>) {
    let brief = &book.story.brief;
    let text = |key| match brief.get(key) {
        Some(Input::VllmCheckout(it) | Input::BaseBranch(it)) => Md::code(it),
        _ => Md::own("unknown"),
    };
    let mut lines = alloc::vec![
        md!("checkout: {}", text("vllm_checkout")),
        md!("base branch: {}", text("base_branch")),
    ];
    if let Some((commit, tree)) = book.story.accepted_head() {
        lines.push(md!("accepted commit: {}", Md::code(commit.as_str())));
        lines.push(md!("accepted build (tree): {}", Md::code(tree.as_str())));
    }
    if let Some(it) = book.story.loops.last().and_then(|it| it.said.active.as_ref()) {
        lines.push(md!("Humanize loop: {}", Md::code(&it.dir)));
    }
    page.list(lines);
}

/// The launch command of every winner; vLLM's is the one of the accepted build.
fn commands(page: &mut Page, book: &Book<'_>) {
    for scenario in standing::scenarios(book) {
        for framework in Framework::ALL.iter().copied() {
            let Some(argv) = launch(book, &scenario, framework) else { continue };
            page.subsection(md!("{} in {}", Md::own(framework.title()), Md::code(&scenario)));
            page.command(argv);
        }
    }
}

/// The best launch command known: an accepted patch moves vLLM's, nothing moves the others'.
pub(super) fn launch<'a>(
    book: &Book<'a>,
    scenario: &crate::text::Name,
    framework: Framework,
) -> Option<&'a Argv> {
    let moved = book.case().and_then(|it| it.best_command.get(scenario));
    let frozen = standing::winner(book, scenario, framework).map(|it| &it.server_command);
    moved.filter(|_| framework == Framework::Vllm).or(frozen)
}

fn patches(page: &mut Page, book: &Book<'_>) {
    let mut grid = Grid::new(&["Name", ">Round", "Kind", ">Gain", "Commit", "Tests"]);
    for (trial, _, accepted) in book.story.accepted() {
        grid.row([
            Md::code(trial.name()),
            md!("{}", trial.round),
            Md::own(if trial.is_fixup() { "fixup" } else { "patch" }),
            Md::figure(figures::percent(accepted.found.gain.gain_pct.get())),
            Md::code(trial.head().commit.short()),
            report::tests(&trial.tests),
        ]);
    }
    page.table(grid);
}

fn evidence(page: &mut Page, book: &Book<'_>) {
    let story = &book.story;
    if let Some(root) = story.roots.last() {
        let rows = Md::rows(&root.said.rows);
        page.say(md!("Profiler rows of round {} that explain the gap: {}.", root.round, rows));
    }
    page.list(artefacts::since(book, story.profiles.last().map_or(0, |it| it.round)));
    if let Some(case) = book.case() {
        let left: Vec<_> = case
            .uninvestigated()
            .map(|it| md!("{} {}", Md::rows(&[it.row]), Md::code(&it.name)))
            .collect();
        if !left.is_empty() {
            page.say(md!("Profiler rows that nobody looked into yet: {}.", Md::list(left, ", ")));
        }
    }
}

/// What was turned down: ideas, tries and patches, each with its reason where one was given.
fn rejected(book: &Book<'_>) -> Vec<Md> {
    let story = &book.story;
    let mut latest: BTreeMap<_, &At<'_, Idea>> = BTreeMap::new();
    for it in &story.ideas {
        latest.insert(&it.said.name, it);
    }
    let ideas = latest.values().filter_map(|at| {
        let it = at.said;
        let closed = matches!(it.fate, IdeaFate::Rejected | IdeaFate::External);
        let reason = it.reason.as_ref().map_or(Md::own("no reason"), Md::text);
        let (name, path) = (Md::code(&it.name), Md::code(&it.source_path));
        closed.then(|| md!("idea {}, {}, round {}, {}: {}", name, path, at.round, it.fate, reason))
    });
    let tries = story.attempts.iter().filter_map(|at| {
        let it = at.said;
        let closed = matches!(it.result, AttemptResult::Rejected | AttemptResult::Failed);
        closed.then(|| md!("try {}, round {}: {}", Md::code(&it.name), at.round, it.result))
    });
    let patches = story.trials.iter().filter_map(|it| match it.end {
        End::Retried(why) | End::Rejected(why) => {
            let (name, reason) = (Md::code(it.name()), Md::text(&why.reason));
            Some(md!("patch {}, round {}: {}", name, it.round, reason))
        }
        End::Open | End::Accepted(..) => None,
    });
    let found: Vec<_> = ideas.chain(tries).chain(patches).collect();
    if found.is_empty() { alloc::vec![Md::own("none")] } else { found }
}

fn next(page: &mut Page, book: &Book<'_>) {
    let planned = book
        .story
        .accepted()
        .filter_map(|(trial, _, it)| Some((trial.name(), it.said.next_planned.as_ref()?)));
    let mut lines = alloc::vec![match planned.last() {
        Some((name, it)) => md!("next planned patch, as of {}: {}", Md::code(name), Md::text(it)),
        None => Md::own("next planned patch: none recorded"),
    }];
    if let Some(case) = book.case() {
        lines.push(md!("weak outcomes in a row: {}", case.weak));
        if case.weak >= 2 && !case.researched {
            lines.push(Md::own("code-first research is owed before the next edit"));
        }
        if case.review_due {
            lines.push(Md::own("Humanize has not reviewed the last accepted patch yet"));
        }
    }
    page.list(lines);
}
