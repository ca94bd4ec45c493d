//! `humanize/source-idea-ledger.md`: what was read, and what became of it, by source path (LE-2, LE-3).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::Book;
use super::page::{Grid, Md, Page, md};
use super::story::At;
use crate::facts::*;
use crate::text::{Line, Name};

pub(super) fn render(book: &Book<'_>) -> Option<String> {
    book.story.loops.first()?;
    let mut ideas: BTreeMap<&Name, Vec<&At<'_, Idea>>> = BTreeMap::new();
    for it in &book.story.ideas {
        ideas.entry(&it.said.name).or_default().push(it);
    }
    let latest = || ideas.values().filter_map(|it| it.last().copied());
    let mut page = Page::new(book.demo(), Md::own("Source idea ledger"));
    page.say(Md::own("Look here by source path before reading a source again."));
    page.section(Md::own("By source path"));
    let mut by_path: Vec<(&Line, &At<'_, Idea>)> =
        latest().map(|it| (&it.said.source_path, it)).collect();
    by_path.sort_by(|a, b| (a.0, &a.1.said.name).cmp(&(b.0, &b.1.said.name)));
    let mut grid = Grid::new(&["Source path", "Idea", "Verdict", ">Round"]);
    for (path, it) in by_path {
        grid.row([
            Md::code(path),
            Md::code(&it.said.name),
            md!("{}", it.said.fate),
            md!("{}", it.round),
        ]);
    }
    page.table(grid);
    for notes in ideas.values() {
        idea(&mut page, notes);
    }
    page.section(Md::own("Research"));
    for it in &book.story.research {
        research(&mut page, it);
    }
    if book.story.research.is_empty() {
        page.say(Md::own("None was due."));
    }
    Some(page.finish())
}

fn idea(page: &mut Page, notes: &[&At<'_, Idea>]) {
    let Some((last, earlier)) = notes.split_last() else { return };
    let it = last.said;
    page.section(Md::code(&it.name));
    let mut lines = alloc::vec![
        md!("source path: {}", Md::code(&it.source_path)),
        md!("profiler rows: {}", Md::rows(&it.rows)),
        md!("layer evidence: {}", Md::codes(&it.layer_rows)),
        md!("NCU digests: {}", Md::codes(&it.ncu_versions)),
        md!("provenance: {}", Md::text(&it.provenance)),
        md!("PR history: {}", Md::codes(&it.history)),
        md!("verdict: **{}**, round {}", it.fate, last.round),
    ];
    if let Some(reason) = &it.reason {
        lines.push(md!("why: {}", Md::text(reason)));
    }
    if let Some(evidence) = &it.evidence {
        lines.push(md!("evidence: {}", Md::artifact(evidence)));
    }
    for before in earlier {
        lines.push(md!("earlier: {}, round {}", before.said.fate, before.round));
    }
    page.list(lines);
}

fn research(page: &mut Page, at: &At<'_, Research>) {
    page.subsection(md!("Entry {}, round {}", at.seq, at.round));
    page.quote(&at.said.findings);
    page.list(at.said.sources.iter().map(|it| match it {
        ResearchSource::Code(it) => md!("code: {}", Md::code(it)),
        ResearchSource::PullRequest(it) => md!("pull request: {}", Md::code(it)),
        ResearchSource::Article(it) => md!("article: {}", Md::text(it)),
    }));
}
