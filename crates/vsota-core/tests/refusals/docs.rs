//! Every clause is raised by a guard or stands on record; `docs/clauses.md` says which and where.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use vsota_core::{Clause, RECORD_ONLY};

use super::{Case, Cases, source};

fn record(clause: Clause) -> Option<&'static str> {
    RECORD_ONLY.iter().find(|(it, _)| *it == clause).map(|(_, record)| *record)
}

fn of(clause: Clause) -> Vec<&'static Case> {
    Cases::every().0.iter().filter(|it| it.clause == clause).collect()
}

#[test]
fn every_clause_is_raised_in_a_case_or_stands_on_record_and_never_both() {
    let both = |clause: &&Clause| of(**clause).is_empty() != record(**clause).is_some();
    let wrong: Vec<_> = Clause::ALL.iter().filter(both).map(|it| it.id()).collect();
    assert!(wrong.is_empty(), "neither or both: {wrong:?}");
    assert_eq!(Clause::ALL.len(), 88);
    let records: BTreeSet<_> = RECORD_ONLY.iter().map(|(clause, _)| clause).collect();
    assert_eq!(records.len(), RECORD_ONLY.len(), "a clause stands on record twice");
}

/// The page, from the cases, the sources and the list of records.
fn page() -> String {
    let cases = Cases::every();
    let statements = source::statements();
    let mut page = String::from(
        "# The clauses, and what holds each\n\n\
         Written by `VSOTA_REWRITE_DOCS=1 cargo test -p vsota-core --test refusals`; a test fails \
         when this page is old.\n\n",
    );
    writeln!(
        page,
        "{} clauses: {} held by a guard, {} by a record. {} statements raise {} objections; {} cases violate one each.",
        Clause::ALL.len(),
        Clause::ALL.len() - RECORD_ONLY.len(),
        RECORD_ONLY.len(),
        statements.len(),
        source::count().len(),
        cases.0.len(),
    )
    .unwrap();
    page.push_str(
        "\nA guard is a variant in its file below `crates/vsota-core/src/phase`; its test is every \
         case of its name in `crates/vsota-core/tests/refusals`. Help is what to ask instead, by the \
         clause and the command that was refused.\n\n\
         | Clause | Text | Guard, or record | Test | Help for |\n|---|---|---|---|---|\n",
    );
    for clause in Clause::ALL.iter().copied() {
        let (id, text) = (clause.id(), clause.text());
        match record(clause) {
            Some(record) => writeln!(page, "| {id} | {text} | *record*: {record} | | |").unwrap(),
            None => {
                let (guards, tests, commands) = held(clause, &statements);
                writeln!(page, "| {id} | {text} | {guards} | {tests} | {commands} |").unwrap();
            }
        }
    }
    page
}

/// The guards of a clause with their files, its cases, and the commands that they refuse.
fn held(clause: Clause, statements: &[source::Statement]) -> (String, String, String) {
    let cases = of(clause);
    let codes: BTreeSet<_> = cases.iter().map(|it| it.code()).collect();
    let guard = |code: &&str| {
        let files: BTreeSet<_> =
            statements.iter().filter(|it| it.code == **code).map(|it| it.file.as_str()).collect();
        let files: Vec<_> = files.into_iter().collect();
        format!("`{code}` ({})", files.join(", "))
    };
    let guards: Vec<_> = codes.iter().map(guard).collect();
    let test = |code: &&str| {
        let all: Vec<_> = cases.iter().filter(|it| it.code() == *code).collect();
        match all.as_slice() {
            [only] => format!("`{}`", only.name),
            [first, rest @ ..] => format!("`{}` +{}", first.name, rest.len()),
            [] => String::new(),
        }
    };
    let tests: Vec<_> = codes.iter().map(test).collect();
    let commands: BTreeSet<_> =
        cases.iter().map(|it| format!("`{}`", it.command().as_str())).collect();
    let commands: Vec<_> = commands.into_iter().collect();
    (guards.join("<br>"), tests.join("<br>"), commands.join(" "))
}

#[test]
fn the_page_of_clauses_is_what_the_cases_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/clauses.md");
    let page = page();
    if env::var_os("VSOTA_REWRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == page, "docs/clauses.md is old; VSOTA_REWRITE_DOCS=1 rewrites it");
}
