//! `kernel/ncu-digests/<rN-kernel-vM>/digest.md`: what the kernel itself said, or why it could not
//! be asked (KA-3, KA-4).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::page::{Grid, Md, Page, md};
use super::story::Ncu;
use super::{Book, figures};
use crate::artifact::Digest;
use crate::facts::*;
use crate::measure::{Measured, geometric_mean};
use crate::text::Name;
use crate::verdict::{self, NcuState};

/// The longest directory name that is kept as it is.
const LONGEST: usize = 150;

pub(super) fn render(book: &Book<'_>) -> Vec<(String, String)> {
    let mut documents = Vec::new();
    for (path, found) in by_path(book) {
        let title = match found.first() {
            Some((round, Ncu::Digest(kernel, it))) => {
                md!("NCU digest {} of {}, round {}", Md::code(&it.version), Md::code(kernel), round)
            }
            Some((round, Ncu::Block(it))) => {
                md!("NCU blocked for {}, round {}", Md::code(&it.kernel), round)
            }
            None => continue,
        };
        let mut page = Page::new(book.demo(), title);
        for (_, ncu) in &found {
            match ncu {
                Ncu::Digest(kernel, it) => digest(&mut page, book, kernel, it),
                Ncu::Block(it) => blocked(&mut page, it),
            }
        }
        documents.push((path, page.finish()));
    }
    documents
}

/// Where the digests and blockers lie.
pub(super) fn paths(book: &Book<'_>) -> Vec<String> {
    by_path(book).into_keys().collect()
}

fn by_path<'a>(book: &Book<'a>) -> BTreeMap<String, Vec<(u32, Ncu<'a>)>> {
    let mut documents: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (round, ncu) in &book.story.ncu {
        let name = match ncu {
            Ncu::Digest(kernel, it) => directory(*round, kernel, it.version.as_str()),
            Ncu::Block(it) => directory(*round, &it.kernel, "blocked"),
        };
        let path = format!("kernel/ncu-digests/{name}/digest.md");
        documents.entry(path).or_default().push((*round, *ncu));
    }
    documents
}

/// `rN-<kernel>-<version>`; a name that no directory should have is cut and told apart by a digest.
fn directory(round: u32, kernel: &Name, version: &str) -> String {
    let prefix = format!("r{round}-{kernel}-");
    let name = if version.starts_with(&prefix) {
        String::from(version)
    } else {
        format!("{prefix}{version}")
    };
    if name.len() <= LONGEST && !name.ends_with('.') {
        return name;
    }
    let hash: String = Digest::of(name.as_bytes()).to_string().chars().take(12).collect();
    let kept: String = name.chars().take(LONGEST - hash.len() - 1).collect();
    format!("{kept}-{hash}")
}

fn digest(page: &mut Page, book: &Book<'_>, kernel: &Name, it: &NcuDigest) {
    if let Some(target) = book.story.targets.iter().rev().find(|target| target.said.name == *kernel)
    {
        page.section(Md::own("The target"));
        target_lines(page, target.said);
    }
    page.section(Md::own("Baseline against candidate"));
    let mut grid = Grid::new(&["Side", ">Samples", ">Mean", ">Least", ">Most"]);
    for (side, samples) in [("baseline", &it.baseline_us), ("candidate", &it.candidate_us)] {
        let us = |value: Option<Measured>| {
            value.map_or(Md::none(), |it| Md::figure(format!("{} µs", figures::two(it.get()))))
        };
        let (least, most) = (samples.iter().min().copied(), samples.iter().max().copied());
        let mean = us(geometric_mean(samples));
        grid.row([Md::own(side), md!("{}", samples.len()), mean, us(least), us(most)]);
    }
    page.table(grid);
    let means = (geometric_mean(&it.baseline_us), geometric_mean(&it.candidate_us));
    if let (Some(before), Some(after)) = means {
        let change = figures::percent(100.0 * (after.get() / before.get() - 1.0));
        page.say(md!("Duration of the candidate to the baseline: {}.", Md::figure(change)));
    }
    page.say(Md::own("Geometric means. A win here alone is never a success (KA-5)."));
    if let Ok(rule) = verdict::ncu(&it.baseline_us, &it.candidate_us) {
        page.say(md!("Timings alone: {}.", Md::own(proven(rule.state))));
    }
    if let Some(compared) = &it.compared {
        counters(page, compared);
    }
    page.section(Md::own("Findings"));
    page.quote(&it.findings);
    match &it.compared {
        None => page.say(md!("Source: {}.", Md::artifact(&it.source))),
        Some(compared) => page.list([
            md!("baseline: {}", Md::artifact(&compared.baseline)),
            md!("candidate: {}", Md::artifact(&it.source)),
        ]),
    }
    page.section(Md::own("The next edit"));
    page.list(it.next_edits.iter().map(Md::text));
}

/// What the timings of both sides prove (KA-3).
fn proven(state: NcuState) -> &'static str {
    match state {
        NcuState::Gain => "a gain of more than 2 %, proven",
        NcuState::Regress => "a regression, proven",
        NcuState::WithinBand => "within 2 % both ways, proven",
        NcuState::Unclear => "they prove neither a gain of 2 % nor its absence",
    }
}

/// What NCU counted on both sides.
fn counters(page: &mut Page, it: &NcuCompared) {
    page.section(Md::own("Evidence"));
    let (old, new) = (Md::code(&it.baseline_kernel), Md::code(&it.candidate_kernel));
    if it.baseline_kernel == it.candidate_kernel {
        page.say(md!("Kernel: {}.", old));
    } else {
        page.say(md!("Kernel: {} before, {} after.", old, new));
    }
    let mut grid = Grid::new(&["Metric", "Unit", ">Baseline", ">Candidate", ">Change"]);
    for metric in &it.metrics {
        let (before, after) = (metric.baseline.get(), metric.candidate.get());
        let change = if before == 0.0 {
            Md::none()
        } else {
            Md::figure(figures::percent(100.0 * (after / before - 1.0)))
        };
        let unit = metric.unit.as_ref().map_or(Md::none(), Md::code);
        let figure = |it| Md::figure(figures::two(it));
        grid.row([Md::code(&metric.name), unit, figure(before), figure(after), change]);
    }
    page.table(grid);
}

/// What a kernel target says of itself.
pub(super) fn target_lines(page: &mut Page, it: &KernelTarget) {
    let or_none = |it: &Option<crate::text::Line>| it.as_ref().map_or(Md::none(), Md::code);
    let why = it.profiler_falls_short.as_ref().map_or(Md::none(), Md::text);
    page.list([
        md!("kernel: {} ({})", Md::code(&it.name), it.kind),
        md!("rows: {}", Md::rows(&it.rows)),
        md!("shared implementation: {}", or_none(&it.shared_source)),
        md!("why the profiler is not enough: {}", why),
        md!("reference: {}", or_none(&it.reference)),
        md!("shapes: {}; dtypes: {}", Md::codes(&it.shapes), Md::codes(&it.dtypes)),
        md!("layouts: {}", Md::codes(&it.layouts)),
        md!("wiring: {}", or_none(&it.wiring)),
        md!("harness: {}", or_none(&it.harness)),
    ]);
}

fn blocked(page: &mut Page, it: &NcuBlock) {
    page.section(Md::own("The blocker"));
    page.say(md!("NCU evidence is missing: {}", Md::text(&it.reason)));
    page.section(Md::own("The next edit"));
    page.say(Md::own("It rests on profiler, layer and source evidence (KA-4)."));
    page.list([Md::text(&it.next_edit)]);
}
