//! Research, ideas and attempts.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::{Cases, after, but};

pub(super) fn cases(all: &mut Cases) {
    research_notes(all);
    ideas(all);
    attempts(all);
}

fn research_notes(all: &mut Cases) {
    let running = Run::in_loop();
    let read = after(&running, NoteResearch(research("vllm/sort.py")));
    all.of(&read, NoteResearch, research("vllm/merge.py"))
        .but("LedgerObjection.NothingNew/prose alone", Le3, "no code", |it| {
            it.sources = vec![ResearchSource::Article(line("a blog post"))];
        })
        .but("LedgerObjection.NothingNew/nothing", Le3, "no code", |it| it.sources.clear())
        .but("LedgerObjection.NothingNew/read before", Le3, "not read before", |it| {
            it.sources = vec![ResearchSource::Code(line("vllm/sort.py"))];
        });
}

fn ideas(all: &mut Cases) {
    let layered = after(&Run::layered(), NoteIdea(idea("norm", 2)));
    all.of(&layered, NoteIdea, idea("routing", 1))
        .but("LedgerObjection.NoRows", Le2, "no profiler row", |it| it.rows.clear())
        .but("LedgerObjection.UnknownRow", Le2, "vllm:decode:kernel:9", |it| {
            it.rows.push(kernel_row(Stage::Decode, 9));
        })
        .but("LedgerObjection.UnknownRow/other table", Le2, "vllm:decode:fuse:9", |it| {
            let row = RowId { table: Table::Fuse, ..kernel_row(Stage::Decode, 9) };
            it.rows.push(row);
        })
        .but("LedgerObjection.UnknownRow/competitor", Le2, "sglang:decode:kernel:9", |it| {
            let row = RowId { framework: Framework::Sglang, ..kernel_row(Stage::Decode, 9) };
            it.rows.push(row);
        })
        .but("LedgerObjection.AlreadyRead", Le2, "the idea norm", |it| {
            it.source_path = line("vllm/norm.py");
        })
        .but("LedgerObjection.UnknownItem", Le2, "vllm-pr-1", |it| {
            it.history = vec![name("vllm-pr-1")];
        })
        .but("LedgerObjection.UnknownDigest", Le2, "v7", |it| it.ncu_versions = vec![name("v7")])
        .but("LedgerObjection.NoReason/rejected", St5, "rejected", |it| it.reason = None);
    let external = but(&idea("routing", 1), |it| {
        it.fate = IdeaFate::External;
        it.evidence = Some(artifact("benchmark/logs/driver.log"));
    });
    all.of(&layered, NoteIdea, external)
        .but("LedgerObjection.NoReason/external", St5, "external", |it| it.reason = None)
        .but("LedgerObjection.NoEvidence", St5, "artefact", |it| it.evidence = None);
}

/// The rows of a round before are gone with its first profile: neither cited nor asked about.
#[test]
fn every_row_that_st_5_asks_about_may_be_cited() {
    let mut run = Run::layered();
    run.ask(NoteIdea(Idea { fate: IdeaFate::Taken, ..idea("fuse", 3) }));
    let stand = run.stand();
    run.ask(AbandonRound(Abandonment { reason: line("measure again"), stand }));
    run.open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(OpenProfiling(asked));
    let of = slow(&run);
    for framework in [Framework::Sglang, Framework::Vllm] {
        let it = profile(&mut run, framework, Stage::Decode, &of);
        run.ask(FileProfile(it));
        let citable = |it: &ProfileRow| run.case().rows.contains(&it.row);
        assert!(run.case().uninvestigated().all(citable), "after {framework}");
    }
    assert!(run.case().uninvestigated().next().is_some());
}

fn attempts(all: &mut Cases) {
    let attempt = |text: &str| Attempt {
        name: name(text),
        rows: vec![kernel_row(Stage::Decode, 1)],
        what: prose("Sorted the tokens by expert."),
        result: AttemptResult::Failed,
    };
    let tried = after(&Run::layered(), NoteAttempt(attempt("sort")));
    all.of(&tried, NoteAttempt, attempt("merge"))
        .but("LedgerObjection.NameTaken", Le1, "sort", |it| it.name = name("sort"))
        .but("LedgerObjection.SelectedIsPatch", Le1, "recorded as a patch", |it| {
            it.result = AttemptResult::Selected;
        })
        .but("LedgerObjection.UnknownAttemptRow", Le1, "vllm:decode:kernel:9", |it| {
            it.rows.push(kernel_row(Stage::Decode, 9));
        });
}
