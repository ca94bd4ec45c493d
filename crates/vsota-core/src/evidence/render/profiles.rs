//! `humanize/profile-digests/`: the tables of every profile, for people (PR-5, LE-1).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::page::{Grid, Md, Page, md};
use super::{Book, figures};
use crate::facts::*;
use crate::text::Name;

pub(super) fn render(book: &Book<'_>) -> Vec<(String, String)> {
    let mut documents = of_rounds(book);
    documents.extend(of_trials(book));
    documents
}

/// Where the digests lie from a round on.
pub(super) fn paths(book: &Book<'_>, first: u32) -> Vec<String> {
    let rounds = by_round(book).into_keys().filter(|it| it.0 >= first);
    let mut paths: Vec<_> = rounds.map(round_path).collect();
    paths.extend(by_commit(book).into_keys().filter(|it| it.0 >= first).map(commit_path));
    paths
}

fn of_rounds(book: &Book<'_>) -> Vec<(String, String)> {
    let one = |(key, profiles): ((u32, Framework), Vec<&Profile>)| {
        let title = md!("Profile of {}, round {}", Md::own(key.1.title()), key.0);
        let mut page = Page::new(book.demo(), title);
        for it in profiles {
            profile(&mut page, it);
        }
        (round_path(key), page.finish())
    };
    by_round(book).into_iter().map(one).collect()
}

fn of_trials(book: &Book<'_>) -> Vec<(String, String)> {
    let one = |(key, profiles): ((u32, &str), Vec<(&Name, &Profile)>)| {
        let mut page = Page::new(book.demo(), md!("Profile of a patched vLLM, round {}", key.0));
        let commit = Md::code(key.1);
        page.say(md!("Commit {}. Compared with the profile of the round, never cited.", commit));
        for (name, it) in profiles {
            page.say(md!("On trial: {}.", Md::code(name)));
            profile(&mut page, it);
        }
        (commit_path(key), page.finish())
    };
    by_commit(book).into_iter().map(one).collect()
}

fn by_round<'a>(book: &Book<'a>) -> BTreeMap<(u32, Framework), Vec<&'a Profile>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for it in &book.story.profiles {
        groups.entry((it.round, it.said.framework)).or_default().push(it.said);
    }
    groups
}

/// Profiles of patched builds by round and commit, each with the name of what was on trial.
fn by_commit<'a>(book: &Book<'a>) -> BTreeMap<(u32, &'a str), Vec<(&'a Name, &'a Profile)>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for trial in &book.story.trials {
        for it in trial.profiles.iter().copied() {
            let key = (trial.round, trial.head().commit.short());
            groups.entry(key).or_default().push((trial.name(), it));
        }
    }
    groups
}

fn round_path((round, framework): (u32, Framework)) -> String {
    format!("humanize/profile-digests/r{round}-{framework}.md")
}

fn commit_path((round, commit): (u32, &str)) -> String {
    format!("humanize/profile-digests/r{round}-{commit}.md")
}

fn profile(page: &mut Page, it: &Profile) {
    page.section(md!("{}", it.stage));
    let sure = if it.lengths_confirmed { "confirmed by the trace" } else { "unchecked" };
    let total = Md::figure(figures::duration(it.total_ns));
    let unlocated = Md::figure(figures::share(it.unlocated_share.get()));
    page.list([
        md!(
            "scenario {}, {} → {} tokens ({})",
            Md::code(&it.scenario),
            it.input_len,
            it.output_len,
            Md::own(sure)
        ),
        md!("GPU time {}, of which {} has no source location", total, unlocated),
        md!("source: {}", Md::artifact(&it.source)),
    ]);
    page.command(&it.server_command);
    for table in it.tables.iter().copied() {
        rows(page, it, table);
    }
}

fn rows(page: &mut Page, it: &Profile, table: Table) {
    let prefix = format!("{}:{}:{table}:N", it.framework, it.stage);
    page.subsection(md!("{} rows, cited as {}", table, Md::code(prefix)));
    let mut grid = Grid::new(&[">N", ">Share", "Name", "Location"]);
    for row in it.rows.iter().filter(|it| it.row.table == table) {
        grid.row([
            md!("{}", row.row.n),
            Md::figure(figures::share(row.share.get())),
            Md::code(&row.name),
            row.location.as_ref().map_or(Md::none(), Md::code),
        ]);
    }
    page.table(grid);
}
