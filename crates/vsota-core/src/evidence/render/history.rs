//! `history/model-pr-history-notes.md`: what others learnt about this model family (HI-1 … HI-5).

use alloc::string::{String, ToString};

use super::Book;
use super::page::{Md, Page, md};
use super::story::At;
use crate::facts::*;

pub(super) fn render(book: &Book<'_>) -> Option<String> {
    let story = &book.story;
    if story.notes.is_empty() && story.no_history.is_empty() {
        return None;
    }
    let mut page = Page::new(book.demo(), Md::own("PR history of the model family"));
    page.say(Md::own("Memory that helps to choose; never measured proof of anything."));
    for note in &story.notes {
        noted(&mut page, note);
    }
    for block in &story.no_history {
        let it = block.said;
        page.section(md!("{}: blocked, {}", Md::own(it.framework.title()), when(block.round)));
        page.say(md!("Why: {}", Md::text(&it.reason)));
        page.say(md!("Looked for in: {}.", Md::codes(&it.tried)));
    }
    Some(page.finish())
}

fn noted(page: &mut Page, note: &At<'_, HistoryNote>) {
    let it = note.said;
    page.section(md!("{}, {}", Md::own(it.framework.title()), when(note.round)));
    page.list([
        md!("knowledge root: {}", Md::code(&it.root)),
        md!("draft: {}", Md::artifact(&it.draft)),
    ]);
    match &it.outcome {
        HistoryOutcome::NoneForFamily { slugs_tried, nearest_rejected } => {
            let near = nearest_rejected.as_ref().map_or(Md::own("none"), Md::code);
            let tried = Md::codes(slugs_tried);
            page.say(md!(
                "No history of this family. Slugs tried: {}. Nearest, turned down: {}.",
                tried,
                near
            ));
        }
        HistoryOutcome::Found { slug, items } => {
            page.say(md!("Family {}, {} items.", Md::code(slug), items.len()));
            for item in items {
                one(page, item);
            }
        }
    }
}

fn one(page: &mut Page, item: &HistoryItem) {
    page.subsection(Md::code(&item.id));
    let prs = Md::list(item.prs.iter().map(|it| Md::figure(it.to_string())), ", ");
    page.list([
        md!("decision it influences: {}", Md::text(&item.decision)),
        md!("PR numbers: {}", prs),
        md!("paths read: {}", Md::codes(&item.paths)),
        md!("source files: {}", Md::codes(&item.files)),
        md!("symbols: {}", Md::codes(&item.symbols)),
        md!("validation risks: {}", Md::list(item.risks.iter().map(Md::text), "; ")),
    ]);
}

fn when(round: u32) -> Md {
    if round == 0 { Md::own("before the loop") } else { md!("in round {}", round) }
}
