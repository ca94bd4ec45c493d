//! Drafts: what people write, and how a mistake is told.

use vsota_core::evidence::EvidenceError;
use vsota_core::evidence::draft::{self, Draft, DraftKind, Known};
use vsota_core::facts::*;
use vsota_fixtures::model::{self, Run};

const NOTE: &str = "\
# History note

- framework: vllm
- root: /knowledge
- slug: demo-moe

## Item vllm-pr-4242
- path: vllm/demo-moe/README.md
- pr: #4242
- file: vllm/model_executor/layers/fused_moe.py
- symbol: fused_moe
- risk: routing ties
- decision: look at the MoE routing
  kernel first
";

const ROOT_CAUSE: &str = "\
# Root cause: decode

- stage: decode
- estimated-gap-pct: 4.25

## Rows
- vllm:decode:kernel:1  moe_routing_kernel (50.0 %)
- sglang:decode:kernel:2

## Sources
- vllm/model_executor/layers/fused_moe.py:120 fused_moe

## Explanation
<!-- for the author -->
The routing kernel takes half of a step:

- it is not fused

```
## not a heading
```
";

const PATCH: &str = "\
# Patch

- name: routing
- symptom: chat
- profiler-row: vllm:decode:kernel:1 moe_routing_kernel
- layer-row: layer-2-hot-1
- source-path: vllm/model_executor/layers/fused_moe.py
- expected-effect: a decode step shorter by 5 %
- weakens-correctness: no

## History
- item: vllm-pr-4242

## Kernel moe-routing
- row: vllm:decode:kernel:1
- new-kernel: moe_routing_kernel
- correctness-test: tests/kernels/moe/test_routing.py::test_ties

## Copied sorting
- provenance: example/repository, csrc/sort.cu, commit abc
- licence: Apache-2.0
";

fn artifact() -> vsota_core::Artifact {
    model::artifact("history/draft.md")
}

fn place(error: &EvidenceError) -> (Option<u64>, Option<&str>) {
    (error.line, error.field.as_deref())
}

#[test]
fn a_history_note_becomes_its_fact() {
    let note = draft::history_note(NOTE, artifact()).unwrap();
    let mut expected = model::history(Framework::Vllm);
    expected.draft = artifact();
    assert_eq!(note, expected);
}

#[test]
fn no_history_of_the_family_is_an_outcome_of_its_own() {
    let text = "# History note\n- framework: sglang\n- root: /knowledge\n\
                ## None for this family\n- tried: demo-moe\n- tried: demo\n- nearest-rejected: other\n";
    let note = draft::history_note(text, artifact()).unwrap();
    let HistoryOutcome::NoneForFamily { slugs_tried, nearest_rejected } = note.outcome else {
        panic!("the draft says that there is none");
    };
    assert_eq!((slugs_tried.len(), nearest_rejected.unwrap().as_str()), (2, "other"));

    let both = format!("{NOTE}## None for this family\n- tried: demo\n");
    let error = draft::history_note(&both, artifact()).unwrap_err();
    assert_eq!(place(&error), (Some(15), Some("None for this family")));

    let neither = "# History note\n- framework: sglang\n- root: /knowledge\n";
    let error = draft::history_note(neither, artifact()).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("slug"));
}

#[test]
fn a_root_cause_keeps_its_rows_and_its_prose() {
    let cause = draft::root_cause(ROOT_CAUSE).unwrap();
    assert_eq!(cause.slower_stage, Stage::Decode);
    let rows: Vec<_> = cause.rows.iter().map(ToString::to_string).collect();
    assert_eq!(rows, ["vllm:decode:kernel:1", "sglang:decode:kernel:2"]);
    assert_eq!(cause.estimated_gap_pct, Some(model::measured(4.25)));
    assert_eq!(cause.sources[0].as_str(), "vllm/model_executor/layers/fused_moe.py:120 fused_moe");
    assert_eq!(
        cause.explanation.as_str(),
        "The routing kernel takes half of a step:\n\n- it is not fused\n\n```\n## not a heading\n```"
    );
}

#[test]
fn a_patch_says_what_no_diff_says() {
    let said = draft::patch(PATCH).unwrap();
    assert_eq!(said.profiler_row.to_string(), "vllm:decode:kernel:1");
    assert_eq!(said.layer_row.as_str(), "layer-2-hot-1");
    assert!(!said.weakens_correctness);
    assert_eq!(said.history, HistoryUse::Items(vec![model::name("vllm-pr-4242")]));
    let kernel = said.kernel.unwrap();
    assert_eq!((kernel.name.as_str(), kernel.rows.len()), ("moe-routing", 1));
    assert_eq!(said.copied[0].local_delta, None);
    assert!(
        draft::patch(&PATCH.replace("correctness: no", "correctness: yes"))
            .unwrap()
            .weakens_correctness
    );
    assert_eq!(said.checks_gone_because, None);
    let because = "correctness: no\n- checks-gone-because: the head checks it";
    let said = draft::patch(&PATCH.replace("correctness: no", because)).unwrap();
    assert_eq!(said.checks_gone_because.unwrap().as_str(), "the head checks it");
}

#[test]
fn a_digest_takes_samples_and_a_version() {
    let text = "# NCU digest\n- version: v2\n## Baseline\n- 41.5\n- 41.6\n## Candidate\n- 38.1\n- 38\n\
                ## Findings\nFewer stalls.\n## Next edit\n- use shared memory\n";
    let digest = draft::ncu_digest(text).unwrap();
    assert_eq!(digest.version.unwrap().get(), 2);
    assert_eq!(digest.baseline_us, [41.5, 41.6].map(model::measured));
    assert_eq!(digest.candidate_us, [38.1, 38.0].map(model::measured));
    for (bad, line) in [("41.6", 5), ("38.1", 7)] {
        for not in ["0", "-1", "nan", "fast"] {
            let error = draft::ncu_digest(&text.replace(bad, not)).unwrap_err();
            assert_eq!(error.line, Some(line), "{not}");
        }
    }
}

#[test]
fn ideas_attempts_and_research_are_read() {
    let idea = draft::idea(
        "# Idea\n- name: fuse\n- source-path: vllm/a.py\n- provenance: vllm\n- verdict: rejected\n\
         - reason: too short\n- row: vllm:decode:kernel:2 x\n- layer-row: layer-2-hot-1 y\n- ncu: v1\n- history: a\n",
        None,
    )
    .unwrap();
    assert_eq!((idea.fate, idea.rows.len(), idea.layer_rows.len()), (IdeaFate::Rejected, 1, 1));
    assert_eq!((idea.ncu_versions.len(), idea.history.len()), (1, 1));
    let attempt = draft::attempt(
        "# Attempt\n- name: split\n- result: failed\n- row: vllm:decode:kernel:1\n## What was tried\nA split.\n",
    )
    .unwrap();
    assert_eq!((attempt.result, attempt.what.as_str()), (AttemptResult::Failed, "A split."));
    let research = draft::research(
        "# Research\n- code: a/b, x.py, c0ffee\n- pull-request: a/b#7\n- article: a page\n## Findings\nIt sorts.\n",
    )
    .unwrap();
    assert_eq!(research.sources.len(), 3);
    let error = draft::research("# Research\n## Findings\nx\n").unwrap_err();
    assert_eq!(error.field.as_deref(), Some("code"));
    let prose = draft::research("# Research\n- code: lorem ipsum\n## Findings\nx\n").unwrap_err();
    assert_eq!(prose.field.as_deref(), Some("code"));
}

#[test]
fn every_mistake_has_its_line_and_its_field() {
    let cases: &[(&str, &str, u64, Option<&str>)] = &[
        ("- stage: decode", "- stage: late", 3, Some("stage")),
        ("- stage: decode", "- stag: decode", 3, Some("stag")),
        ("- stage: decode", "- stage:", 3, Some("stage")),
        ("- stage: decode", "- stage: decode\n- stage: decode", 4, Some("stage")),
        ("- stage: decode", "decode", 3, None),
        ("- stage: decode", "- decode", 3, None),
        ("4.25", "-1", 4, Some("estimated-gap-pct")),
        ("## Rows", "## Row", 6, Some("Row")),
        ("## Sources", "## Rows", 10, Some("Rows")),
        ("vllm:decode:kernel:1", "vllm:decode:kernel:0", 7, Some("Rows")),
        ("- sglang", "sglang", 8, Some("Rows")),
        ("moe_routing_kernel (", "a\u{1b}[2J(", 7, None),
        ("moe_routing_kernel (", "a\u{202e}(", 7, None),
        ("# Root cause: decode", "# Root cause: decode\n# Root cause", 2, None),
        ("# Root cause: decode", "# Idea", 1, None),
        ("# Root cause: decode", "text\n# Root cause", 1, None),
        ("<!-- for the author -->", "<!-- for the author", 14, None),
        ("## not a heading\n```", "## not a heading", 19, None),
        ("## Rows", "## ", 6, None),
    ];
    for (from, to, line, field) in cases {
        let text = ROOT_CAUSE.replacen(from, to, 1);
        assert_ne!(text, ROOT_CAUSE, "{from}");
        let error = draft::root_cause(&text).unwrap_err();
        assert_eq!(place(&error), (Some(*line), *field), "{to}: {error}");
    }
}

#[test]
fn the_nearest_known_name_is_offered() {
    let text = ROOT_CAUSE.replacen("## Sources", "## Source", 1);
    let error = draft::root_cause(&text).unwrap_err();
    assert!(error.message.ends_with("`Sources` is near"), "{error}");
    let text = ROOT_CAUSE.replacen("## Sources", "## Something else", 1);
    let error = draft::root_cause(&text).unwrap_err();
    assert!(error.message.ends_with("known: Rows, Sources, Explanation"), "{error}");
}

#[test]
fn a_missing_section_is_named() {
    for (kind, part) in [
        (DraftKind::RootCause, "Rows"),
        (DraftKind::NcuDigest, "Baseline"),
        (DraftKind::Attempt, "What was tried"),
        (DraftKind::Research, "Findings"),
        (DraftKind::Patch, "History"),
    ] {
        let error = kind.read(&format!("# {}\n", kind.title())).unwrap_err();
        assert_eq!(error.field.as_deref(), Some(part));
    }
}

#[test]
fn prose_is_only_asked_to_be_there() {
    let empty = "# Attempt\n- name: a\n- result: failed\n## What was tried\n\n";
    assert_eq!(draft::attempt(empty).unwrap_err().field.as_deref(), Some("What was tried"));
    assert_eq!(draft::attempt(&format!("{empty}.\n")).unwrap().what.as_str(), ".");
    let long = format!("{empty}{}\n", "x".repeat(5_000));
    assert!(draft::attempt(&long).is_err());
}

#[test]
fn a_skeleton_is_a_draft_that_still_has_to_be_filled_in() {
    let run = Run::layered();
    let vsota_core::State::LayerPipeline(state) = run.campaign.state() else { panic!() };
    let triage = state.triage();
    let rows: Vec<_> = triage.profiles.iter().flat_map(|it| it.rows.clone()).collect();
    let (scenario, history) = (model::name("chat"), [model::name("vllm-pr-4242")]);
    let known = Known {
        rows: &rows,
        layer_rows: &triage.pipeline.as_ref().unwrap().hot,
        history: &history,
        scenario: Some(&scenario),
    };
    for kind in DraftKind::ALL.iter().copied() {
        for known in [Known::default(), known] {
            let text = draft::template(kind, &known);
            let draft = Draft::parse(&text).unwrap();
            assert_eq!(draft.title(), kind.title());
            let unfilled = match kind {
                DraftKind::HistoryNote => draft::history_note(&text, artifact()).map(drop),
                DraftKind::RootCause => draft::root_cause(&text).map(drop),
                DraftKind::KernelTarget => draft::kernel_target(&text).map(drop),
                DraftKind::NcuDigest => draft::ncu_digest(&text).map(drop),
                DraftKind::Idea => draft::idea(&text, None).map(drop),
                DraftKind::Attempt => draft::attempt(&text).map(drop),
                DraftKind::Research => draft::research(&text).map(drop),
                DraftKind::Patch => draft::patch(&text).map(drop),
            };
            let error = unfilled.unwrap_err();
            assert!(!error.message.contains("there is no"), "{kind:?}: {error}");
        }
    }
    let text = draft::template(DraftKind::RootCause, &known).replace("- stage:", "- stage: decode");
    let text = text.replace("## Sources\n", "## Sources\n- vllm/a.py\n") + "It is slow.\n";
    let cause = draft::root_cause(&text).unwrap();
    assert_eq!(cause.rows.len(), rows.len());
}

#[test]
fn no_prefix_of_a_draft_panics() {
    for text in [NOTE, ROOT_CAUSE, PATCH] {
        for (end, _) in text.char_indices() {
            let _ = draft::history_note(&text[..end], artifact());
            let _ = draft::root_cause(&text[..end]);
            let _ = draft::patch(&text[..end]);
        }
    }
}
