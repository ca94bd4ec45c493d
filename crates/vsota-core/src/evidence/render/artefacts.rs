//! Where do history, profile, layer and NCU artefacts lie? (RE-1, CK-1)

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::page::{Md, md};
use super::{Book, kernel, profiles};
use crate::text::RelPath;

/// Every path that a reader follows; profiles only from a round on, for documents that must not
/// grow with the campaign.
pub(super) fn since(book: &Book<'_>, first: u32) -> Vec<Md> {
    let story = &book.story;
    let mut found = Vec::new();
    if !story.notes.is_empty() || !story.no_history.is_empty() {
        found.push(md!("history notes: {}", Md::code("history/model-pr-history-notes.md")));
    }
    let digests = profiles::paths(book, first);
    if !digests.is_empty() {
        found.push(md!("profile digests: {}", Md::codes(digests)));
    }
    let files = profile_files(book, first);
    if !files.is_empty() {
        found.push(md!("profiles: {}", Md::codes(files)));
    }
    if story.profiles.first().is_some_and(|it| it.round < first) {
        let (digests, files) = (Md::code("humanize/profile-digests/"), Md::code("profiles/"));
        found.push(md!("profiles of earlier rounds: in {} and {}", digests, files));
    }
    if !story.roots.is_empty() {
        found.push(md!("root cause: {}", Md::code("analysis/root-cause.md")));
    }
    if let Some(it) = story.pipelines.last() {
        let source = Md::code(&it.said.source.path);
        found.push(md!("layer notes: {}, from {}", Md::code("analysis/layer-pipeline.md"), source));
    }
    let ncu = kernel::paths(book);
    let ncu = if ncu.is_empty() { Md::own("none") } else { Md::codes(ncu) };
    found.push(md!("NCU digests and blockers: {}", ncu));
    found
}

fn profile_files<'a>(book: &Book<'a>, first: u32) -> BTreeSet<&'a RelPath> {
    let story = &book.story;
    let rounds = story.profiles.iter().filter(|it| it.round >= first).map(|it| it.said);
    let trials = story.trials.iter().filter(|it| it.round >= first);
    let trials = trials.flat_map(|it| it.profiles.iter().copied());
    rounds.chain(trials).map(|it| &it.source.path).collect()
}
