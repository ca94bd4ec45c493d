//! `benchmark/summary.md` and `benchmark/winning-commands.md` (FB-8, FB-12).

use alloc::string::String;
use alloc::vec::Vec;

use super::manifest::{excluded, value};
use super::page::{Grid, Md, Page, md};
use super::{Book, checkpoint, figures, standing, workload};
use crate::clause::Clause;
use crate::facts::*;
use crate::phase::{Contender, Rank, Rejected, passes_sla, rank};
use crate::text::Argv;

/// Where this tool differs from the companion that FB-12 names as the source of truth.
const DEVIATIONS: [&str; 12] = [
    "a scenario's own objective ranks first, before request throughput (GD-6)",
    "a framework needs its baseline and three other launch commands, or its whole declared space (FB-2)",
    "a row of another model, precision, hardware, endpoint, sampling or load does not rank (FB-3)",
    "a row that does not say one of these is no match either (FB-3)",
    "what the commands tell beyond these (overrides of the checkpoint, KV cache, speculation, prefix \
     cache, streaming, seeds) is compared between the winners (FB-3)",
    "runs of one launch command from several launches count by their geometric mean; candidates \
     within 3 % of their framework's best have four launches each, made in turn (FB-9)",
    "flow checks and offline runs never rank and stand apart (FB-5, FB-12)",
    "TensorRT-LLM ranks only with the pytorch server backend (FB-6)",
    "the SLA may limit any latency statistic, and is recomputed; a row's own word is not read",
    "p95 and p90 latencies are kept beside p50, mean and p99",
    "the columns Accept len, Pre-scheduler ms and Cache hit are left out: they are not recorded",
    "scenario, GPUs and server command stand outside the tables, which keeps them 100 columns wide",
];

pub(super) fn summary(book: &Book<'_>) -> Option<String> {
    if !book.story.searching {
        return None;
    }
    let mut page = Page::new(book.demo(), Md::own("Benchmark summary"));
    page.say(match book.story.freeze {
        Some(it) => md!("Frozen {}; nothing here changes any more.", Md::time(it.at)),
        None => Md::own("Not frozen: rows may still come in, and nothing here is final."),
    });
    if let Some(it) = book.story.brief.workload() {
        workload::scenarios(&mut page, it);
    }
    page.say(md!("SLA: {}.", workload::sla(book)));
    page.list(conditions(book));
    page.list(versions(book));
    page.section(Md::own("Result"));
    page.list(ranks(book).iter().map(|(scenario, rank)| result(scenario, rank)));
    page.section(Md::own("Best Commands By Framework"));
    best(&mut page, book);
    page.section(Md::own("Cross-Framework Best Comparison"));
    comparison(&mut page, book);
    page.section(Md::own("Failed Or SLA-Failing Candidates"));
    failing(&mut page, book);
    page.section(Md::own("Flow checks"));
    smoke(&mut page, book);
    page.section(Md::own("Excluded frameworks"));
    let excluded: Vec<_> = book.story.exclusions.iter().map(|it| excluded(it)).collect();
    page.list(if excluded.is_empty() { alloc::vec![Md::own("none")] } else { excluded });
    page.section(Md::own("Search"));
    search(&mut page, book);
    page.section(Md::own("Deviations from llm-serving-auto-benchmark"));
    page.list(DEVIATIONS.into_iter().map(Md::own));
    Some(page.finish())
}

/// What is the same for every row that ranks, each with its source (FB-3, FB-14).
fn conditions(book: &Book<'_>) -> Vec<Md> {
    let same = |key: &str| {
        let fixed = ["model", "tokenizer", "precision", "quantization", "endpoint", "workload"];
        let parts = ["gpu_", "sampling.", "sla.", "container", "cuda", "nccl"];
        fixed.contains(&key) || parts.iter().any(|it| key.starts_with(it))
    };
    let inputs = book.story.brief.iter().filter(|(key, _)| same(key));
    let line = |(key, it): (&str, &Sourced)| {
        md!("{}: {} (source: {})", Md::text(key), value(&it.input), Md::text(&it.source))
    };
    inputs.map(line).collect()
}

/// Which version of each framework the best rows ran, one line each. A frozen competitor never runs
/// another one (FB-1).
pub(super) fn versions(book: &Book<'_>) -> Vec<Md> {
    let tables = ranks(book);
    let of = |framework: &Framework| {
        let best = tables.iter().filter_map(|(_, rank)| rank.best_of(*framework));
        let row = best.map(|it| it.row).next()?;
        let version = row.framework_version.as_ref().map_or(Md::own("unknown"), Md::code);
        let commit = row.framework_commit.as_ref();
        let commit = commit.map_or(Md::own(""), |it| md!(" (commit {})", Md::code(it)));
        Some(md!("{}: version {}{}", Md::own(framework.title()), version, commit))
    };
    Framework::ALL.iter().filter_map(of).collect()
}

/// Who won a scenario, and by how much.
fn result(scenario: &Scenario, rank: &Rank<'_>) -> Md {
    let name = Md::code(&scenario.name);
    let objective = scenario.objective;
    let Some(first) = rank.ranking.first() else {
        let nobody = if rank.failing.is_empty() { "no row ranks" } else { "nobody keeps the SLA" };
        return md!("{}: {}", name, Md::own(nobody));
    };
    let of = |it: &Contender<'_>| {
        let value = it.metric(objective).map_or(Md::none(), |it| workload::value(objective, it));
        let (name, id) = (Md::own(it.row.framework.title()), Md::code(&it.row.id));
        match it.launches() {
            1 => md!("{} {} at {}", name, id, value),
            launches => md!("{} {} at {} (mean of {} launches)", name, id, value, launches),
        }
    };
    let behind = |it: &&Contender<'_>| {
        let ratio = it.metric(objective)?.get() / first.metric(objective)?.get();
        let lead = if objective.higher_is_better() { 1.0 / ratio } else { ratio } - 1.0;
        Some(md!("{} % ahead of {}", Md::figure(figures::one(lead * 100.0)), of(it)))
    };
    let best = rank.best_of_each();
    let kept = |it: &&&Contender<'_>| rank.ranking.iter().any(|one| core::ptr::eq(one, **it));
    let others: Vec<_> = best.iter().filter(kept).skip(1).filter_map(behind).collect();
    if others.is_empty() {
        return md!("{}: {} wins; nobody else keeps the SLA", name, of(first));
    }
    md!("{}: {} wins, {}", name, of(first), Md::list(others, " and "))
}

/// The ranking of each scenario, best first.
fn ranks<'a>(book: &'a Book<'_>) -> Vec<(&'a Scenario, Rank<'a>)> {
    let brief = &book.story.brief;
    let scenarios = brief.workload().map_or(&[][..], |it| &it.scenarios);
    let rows = || book.story.candidates.iter().copied();
    scenarios.iter().map(|it| (it, rank(brief, it, rows()))).collect()
}

fn best(page: &mut Page, book: &Book<'_>) {
    let mut any = false;
    for framework in Framework::ALL.iter().copied() {
        for (scenario, rank) in ranks(book) {
            let Some(it) = rank.best_of(framework) else { continue };
            any = true;
            let name = Md::own(framework.title());
            page.subsection(md!(
                "{} in {}: {}",
                name,
                Md::code(&scenario.name),
                Md::code(&it.row.id)
            ));
            page.command(&it.row.server_command);
        }
    }
    if !any {
        page.say(Md::own("No row ranks yet."));
    }
}

fn comparison(page: &mut Page, book: &Book<'_>) {
    page.say(Md::own(
        "The best of each framework, best first. A candidate that was launched several times counts \
         by the geometric mean of its launches.",
    ));
    for (scenario, rank) in ranks(book) {
        page.subsection(Md::code(&scenario.name));
        let heads = [
            ">Rank",
            "Framework",
            "Candidate",
            "SLA",
            ">Req/s",
            ">Output tok/s",
            ">P50 TTFT ms",
            ">P50 TPOT ms",
        ];
        let mut grid = Grid::new(&heads);
        for (at, it) in rank.best_of_each().into_iter().enumerate() {
            let value = |metric| {
                let value = it.metric(metric);
                value.map_or(Md::none(), |it| Md::figure(figures::metric(metric, it)))
            };
            let kept = rank.ranking.iter().any(|other| core::ptr::eq(other, it));
            grid.row([
                md!("{}", at.saturating_add(1)),
                Md::own(it.row.framework.title()),
                Md::code(&it.row.id),
                Md::own(if kept { "pass" } else { "FAIL" }),
                value(Metric::RequestThroughput),
                value(Metric::OutputTokenThroughput),
                value(Metric::latency(Stat::P50, LatencyKind::Ttft)),
                value(Metric::latency(Stat::P50, LatencyKind::Tpot)),
            ]);
        }
        page.table(grid);
    }
}

fn sla(book: &Book<'_>, row: &Candidate) -> Md {
    let sla = book.story.brief.sla();
    Md::own(match &row.measured {
        Some(it) if row.status == Status::Ok => {
            if passes_sla(&sla, it) {
                "pass"
            } else {
                "FAIL"
            }
        }
        _ => "–",
    })
}

/// Every row that failed, failed the SLA, or may not rank, with its reasons.
fn failing(page: &mut Page, book: &Book<'_>) {
    page.say(Md::own("What was tried and may not win, with each clause against it."));
    let heads = ["Scenario", "Framework", "Candidate", "Status", "SLA", "Against"];
    let mut grid = Grid::new(&heads);
    let mut reasons = Vec::new();
    for (scenario, rank) in ranks(book) {
        let mut add = |row: &Candidate, clauses: Md, why: Md| {
            let of = (Md::code(&scenario.name), Md::code(&row.id));
            reasons.push(md!("{} in {}: {}", of.1, of.0, why));
            grid.row([
                of.0,
                Md::own(row.framework.title()),
                of.1,
                md!("{}", row.status),
                sla(book, row),
                clauses,
            ]);
        };
        for it in rank.rejected.iter().filter(|it| !it.row.smoke) {
            add(it.row, clauses(it), why_not(it));
        }
        for (it, breaches) in &rank.failing {
            let why = Md::list(breaches.iter().map(Md::text), "; ");
            add(it.row, md!("{}", Clause::Fb9), why);
        }
    }
    page.table(grid);
    page.list(reasons);
}

fn clauses(it: &Rejected<'_>) -> Md {
    let mut clauses: Vec<_> = it.reasons.iter().map(|(clause, _)| *clause).collect();
    clauses.dedup();
    Md::list(clauses.into_iter().map(|it| md!("{}", it)), ", ")
}

/// Why a row does not rank: its own reason where it failed, else every clause against it.
fn why_not(it: &Rejected<'_>) -> Md {
    if let Some(reason) = &it.row.failure_reason {
        return Md::text(reason);
    }
    let against = it.reasons.iter();
    Md::list(against.map(|(clause, found)| md!("{}: {}", clause, Md::text(found))), "; ")
}

fn smoke(page: &mut Page, book: &Book<'_>) {
    page.say(Md::own("Labelled as such; never ranked, never part of a gap decision (FB-5)."));
    let mut grid = Grid::new(&["Scenario", "Framework", "Candidate", "Status", ">Req/s"]);
    for row in book.story.candidates.iter().filter(|it| it.smoke) {
        let rate = row.measured.as_ref().and_then(|it| it.metric(Metric::RequestThroughput));
        grid.row([
            Md::code(&row.scenario),
            Md::own(row.framework.title()),
            Md::code(&row.id),
            md!("{}", row.status),
            rate.map_or(Md::none(), |it| Md::figure(figures::two(it.get()))),
        ]);
    }
    page.table(grid);
}

fn search(page: &mut Page, book: &Book<'_>) {
    let story = &book.story;
    let heads = ["Framework", ">Rows", ">Ok", ">Failed", ">Commands", "Help output"];
    let mut grid = Grid::new(&heads);
    for framework in story.brief.frameworks() {
        let rows = || story.candidates.iter().filter(|it| it.framework == framework && !it.smoke);
        let ok = rows().filter(|it| it.status == Status::Ok).count();
        let mut commands: Vec<_> =
            rows().map(|it| &it.server_command).filter(|it| !it.is_empty()).collect();
        commands.sort();
        commands.dedup();
        let total = rows().count();
        let help = story.help.get(&framework);
        grid.row([
            Md::own(framework.title()),
            md!("{}", total),
            md!("{}", ok),
            md!("{}", total.saturating_sub(ok)),
            md!("{}", commands.len()),
            help.map_or(Md::own("not filed"), |it| Md::code(it.output.path.as_str())),
        ]);
    }
    page.table(grid);
    page.list(story.searches.iter().map(|it| {
        let spaces = it.spaces.iter().map(|space| {
            let whole = if space.whole { ", its whole space" } else { "" };
            md!("{} {}{}", space.candidates.len(), Md::own(space.framework.title()), Md::own(whole))
        });
        md!("declared in {}: {}", Md::code(it.plan.path.as_str()), Md::list(spaces, ", "))
    }));
    let searches = || story.searches.iter();
    page.list(
        searches()
            .flat_map(|it| &it.spaces)
            .flat_map(|it| &it.skipped)
            .map(|it| md!("{} is skipped: {}", Md::code(&it.id), Md::text(&it.reason))),
    );
    page.list(
        searches()
            .flat_map(|it| &it.unsupported)
            .map(|it| md!("{} is not run here: {}", Md::text(&it.name), Md::text(&it.reason))),
    );
}

pub(super) fn winning_commands(book: &Book<'_>) -> Option<String> {
    book.story.freeze?;
    let mut page = Page::new(book.demo(), Md::own("Winning commands"));
    page.say(Md::own("Exact, ready to paste: first the server, then the benchmark against it."));
    for scenario in standing::scenarios(book) {
        page.section(Md::code(&scenario));
        for framework in Framework::ALL.iter().copied() {
            let Some(winner) = standing::winner(book, &scenario, framework) else { continue };
            let objective = workload::objective(book, &scenario);
            let value = workload::value(objective, winner.objective);
            let title =
                md!("{}: {}, {}", Md::own(framework.title()), Md::code(&winner.candidate), value);
            page.subsection(title);
            if let Some(version) = &winner.framework_version {
                page.say(md!("Version {}.", Md::code(version)));
            }
            page.command(&winner.server_command);
            page.command(&benchmark_command(book, winner));
            if let Some(moved) = moved(book, &scenario, winner) {
                page.say(Md::own("An accepted patch moved vLLM's launch command to:"));
                page.command(moved);
            }
        }
    }
    Some(page.finish())
}

/// The benchmark command of the row that won: that of the latest run of its launch command.
fn benchmark_command(book: &Book<'_>, winner: &Winner) -> Argv {
    let of_it = |it: &&&Candidate| {
        it.framework == winner.framework
            && it.scenario == winner.scenario
            && it.server_command == winner.server_command
            && it.measured.is_some()
            && !it.smoke
    };
    let row = book.story.candidates.iter().rev().find(of_it);
    row.map(|it| it.benchmark_command.clone()).unwrap_or_default()
}

fn moved<'a>(book: &Book<'a>, scenario: &crate::text::Name, winner: &Winner) -> Option<&'a Argv> {
    let launch = checkpoint::launch(book, scenario, winner.framework)?;
    (*launch != winner.server_command).then_some(launch)
}
