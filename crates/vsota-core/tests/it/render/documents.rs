//! Which documents are due, and what each of them owes (IN-3, FB-8, LE-1, CK-1).

use std::collections::BTreeSet;

use vsota_core::event::Event;
use vsota_core::evidence::command_line::split;
use vsota_fixtures::model::*;

use super::eventful::eventful;
use super::{entries, of, rendered};

#[test]
fn a_document_is_absent_until_it_is_due() {
    let opened: Vec<_> = of(&Run::open()).into_keys().collect();
    assert_eq!(opened, ["final_report.md", "humanize/model-loop-checkpoint.md", "manifest.md"]);
    let frozen = of(&Run::frozen());
    assert!(frozen.contains_key("benchmark/winning-commands.md"));
    assert!(!of(&Run::with_rows()).contains_key("benchmark/winning-commands.md"));
    assert!(!frozen.contains_key("humanize/attempt-ledger.md"));
    assert!(!of(&Run::behind()).contains_key("analysis/root-cause.md"));
    assert!(of(&Run::triaged()).contains_key("analysis/root-cause.md"));
    assert!(!of(&Run::triaged()).contains_key("analysis/layer-pipeline.md"));
}

#[test]
fn every_rendered_path_of_the_run_directory_is_there_at_the_end() {
    let documents = of(&Run::stopped());
    for path in [
        "manifest.md",
        "benchmark/candidates.jsonl",
        "benchmark/summary.md",
        "benchmark/winning-commands.md",
        "analysis/root-cause.md",
        "analysis/layer-pipeline.md",
        "history/model-pr-history-notes.md",
        "kernel/ncu-digests/r1-moe-routing-v1/digest.md",
        "humanize/attempt-ledger.md",
        "humanize/optimization-ledger.md",
        "humanize/source-idea-ledger.md",
        "humanize/profile-digests/r1-vllm.md",
        "humanize/model-loop-checkpoint.md",
        "final_report.md",
    ] {
        assert!(documents.get(path).is_some_and(|it| it.len() > 100), "{path}");
    }
}

#[test]
fn a_demonstration_says_so_first() {
    for (path, text) in of(&Run::stopped()) {
        if path.ends_with(".jsonl") {
            assert!(text.lines().all(|it| it.contains("\"demo\":true")), "{path}");
        } else {
            assert!(text.starts_with("> demo: "), "{path}");
        }
    }
    let mut events = Run::stopped().events;
    let Event::CampaignOpened(opened) = &mut events[0] else { panic!("not opened") };
    opened.said.demo = false;
    for (path, text) in rendered(&entries(&events)) {
        assert!(!text.contains("demo:") && !text.contains("\"demo\""), "{path}");
    }
}

#[test]
fn the_same_journal_gives_the_same_bytes() {
    let journal = entries(&eventful());
    assert_eq!(rendered(&journal), rendered(&journal.clone()));
}

#[test]
fn a_prefix_of_the_journal_renders_too() {
    let journal = entries(&eventful());
    for end in 1..=journal.len() {
        let documents = rendered(&journal[..end]);
        assert!(documents.values().all(|it| it.ends_with('\n') && !it.ends_with("\n\n")));
    }
}

#[test]
fn every_candidate_has_a_row_of_valid_json() {
    let journal = entries(&eventful());
    let filed = journal.iter().filter(|it| matches!(it.event, Event::CandidateFiled(_))).count();
    let documents = rendered(&journal);
    let rows: Vec<serde_json::Value> = documents["benchmark/candidates.jsonl"]
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let skipped: Vec<_> = rows.iter().filter(|it| it["candidate_id"] == "sglang-8").collect();
    assert_eq!(rows.len(), filed + skipped.len());
    assert_eq!(skipped.len(), SCENARIOS.len(), "what is never run has a row in each scenario");
    assert!(skipped.iter().all(|it| it["status"] == "skipped" && it["eligible"]["ranks"] == false));
    assert_eq!(skipped[0]["failure_reason"], "FB-6: for the page");
    let find = |id: &str| rows.iter().find(|it| it["candidate_id"] == id).unwrap();
    assert_eq!(find("sglang-7")["status"], "oom");
    assert_eq!(find("sglang-7")["metrics"], serde_json::json!({}), "absent, never 0");
    assert_eq!(find("vllm-8")["smoke"], true);
    assert_eq!(find("vllm-8")["sla"]["passed"], serde_json::Value::Null, "judged by nobody");
    assert_eq!(find("vllm-9")["eligible"]["ranks"], false);
    assert_eq!(find("vllm-9")["eligible"]["against"][0]["clause"], "FB-3");
    assert_eq!(find("vllm-9")["workload"]["input_len_p95"], 1_100);
    assert_eq!(find("vllm-4")["eligible"]["ranks"], true);
    assert!(find("vllm-4")["sources"]["result"]["sha256"].is_string());
}

#[test]
fn flow_checks_and_failures_stand_apart_from_the_comparison() {
    let documents = rendered(&entries(&eventful()));
    let summary = &documents["benchmark/summary.md"];
    let part = |name: &str| {
        let rest = summary.split(&format!("## {name}\n")).nth(1).unwrap();
        rest.split("\n## ").next().unwrap().to_owned()
    };
    let comparison = part("Cross-Framework Best Comparison");
    assert!(!comparison.contains("vllm-8") && !comparison.contains("vllm-9"));
    assert!(part("Flow checks").contains("vllm-8"));
    let failed = part("Failed Or SLA-Failing Candidates");
    assert!(failed.contains("CUDA out of memory") && failed.contains("FB-3: precision is float16"));
    assert!(!failed.contains("vllm-8"));
    assert!(part("Excluded frameworks").contains("TensorRT-LLM is unsupported here"));
    assert!(part("Deviations from llm-serving-auto-benchmark").contains("own objective"));
}

#[test]
fn a_winning_command_is_read_back_word_for_word() {
    let words =
        ["env", "A=1", "vllm", "serve", "it's", "a b", "$HOME", "--x={\"y\": [1, 2]}", "`id`", "~"];
    let argv = argv(&words);
    let mut events = Run::frozen().events;
    for event in &mut events {
        if let Event::BenchmarkFrozen(it) = event {
            for row in &mut it.found.rows {
                row.server_command = argv.clone();
            }
        }
    }
    let documents = rendered(&entries(&events));
    let text = &documents["benchmark/winning-commands.md"];
    let block = text.split("```sh\n").nth(1).unwrap().split("\n```").next().unwrap();
    assert_eq!(split(&block.replace("\\\n", "")).unwrap(), words);
}

#[test]
fn the_ledgers_tell_patches_fixups_tries_and_rounds_apart() {
    let documents = rendered(&entries(&eventful()));
    let attempts = &documents["humanize/attempt-ledger.md"];
    let table: Vec<Vec<&str>> = attempts
        .lines()
        .filter(|it| it.starts_with("| ") && !it.contains("--"))
        .map(|it| it.split('|').map(str::trim).skip(3).take(3).collect())
        .collect();
    assert_eq!(
        table,
        [
            ["Attempt", "Kind", "Result"],
            ["`try-1`", "try", "failed"],
            ["`patch-1`", "patch", "rejected, retried"],
            ["`patch-2`", "patch", "selected"],
            ["`fixup-1`", "fixup", "selected"],
            ["`fixup-2`", "fixup", "rejected"],
            ["–", "round", "abandoned"],
        ]
    );
    let gains = &documents["humanize/optimization-ledger.md"];
    assert!(gains.contains("patch-2") && !gains.contains("fixup-") && !gains.contains("patch-1"));
}

#[test]
fn an_idea_is_found_by_its_source_path_with_its_last_verdict() {
    let documents = rendered(&entries(&eventful()));
    let ideas = &documents["humanize/source-idea-ledger.md"];
    let row = |path: &str| ideas.lines().find(|it| it.starts_with(&format!("| `{path}`"))).unwrap();
    assert!(row("vllm/idea-a.py").contains("| rejected |"));
    assert!(row("vllm/idea-b.py").contains("| external |"));
    assert!(ideas.contains("earlier: open, round 1"));
    assert!(ideas.contains("code: `sglang/layers/moe/router.py@abc`"));
}

#[test]
fn a_patch_that_leaves_a_gap_is_partial() {
    let mut run = Run::accepted_patch();
    run.open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(vsota_core::command::OpenProfiling(asked));
    let ledger = &of(&run)["humanize/attempt-ledger.md"];
    assert!(ledger.lines().any(|it| it.contains("`patch-1`") && it.contains("| partial")));
}

#[test]
fn the_gap_after_a_patch_is_an_estimate_until_it_is_measured() {
    let checkpoint = |run: &Run| of(run)["humanize/model-loop-checkpoint.md"].clone();
    let patched = checkpoint(&Run::accepted_patch());
    assert!(patched.contains("estimate: vLLM trial of round 1, SGLang 4 blocks of round 1"));
    assert!(patched.contains("fuse the norm with the quantization"), "the next planned patch");
    assert!(checkpoint(&Run::decided()).contains("| measured in round 2 |"));
}

#[test]
fn the_checkpoint_names_the_profiles_of_the_last_round_and_the_report_all() {
    let mut run = Run::accepted_patch();
    run.open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(vsota_core::command::OpenProfiling(asked)).profiles();
    let documents = of(&run);
    let (old, new) = ("humanize/profile-digests/r1-vllm.md", "humanize/profile-digests/r2-vllm.md");
    let checkpoint = &documents["humanize/model-loop-checkpoint.md"];
    assert!(checkpoint.contains(new) && !checkpoint.contains(old));
    assert!(checkpoint.contains("profiles of earlier rounds"));
    let report = &documents["final_report.md"];
    assert!(report.contains(new) && report.contains(old));
}

#[test]
fn digests_of_one_kernel_and_round_have_a_directory_each() {
    let paths: BTreeSet<_> = rendered(&entries(&eventful())).into_keys().collect();
    let ncu: Vec<_> = paths.iter().filter(|it| it.starts_with("kernel/")).collect();
    assert_eq!(
        ncu,
        [
            "kernel/ncu-digests/r1-moe-routing-v1/digest.md",
            "kernel/ncu-digests/r1-rms-norm-blocked/digest.md",
        ]
    );
}

#[test]
fn a_version_that_names_its_directory_is_not_doubled_and_a_long_one_is_cut() {
    let path = |version: &str| {
        let mut run = Run::assisted();
        run.ask(vsota_core::command::FileDigest(ncu_digest(version)));
        of(&run).into_keys().find(|it| it.starts_with("kernel/")).unwrap()
    };
    assert_eq!(path("r1-moe-routing-v7"), "kernel/ncu-digests/r1-moe-routing-v7/digest.md");
    let (one, other) = (path(&"x".repeat(120)), path(&format!("{}y", "x".repeat(119))));
    assert_ne!(one, other);
    assert_ne!(path("v1"), path("v1."), "no directory ends in a dot");
    assert!(path(&"n".repeat(120)).len() < 200);
}

#[test]
fn tables_fit_a_terminal_of_a_hundred_columns() {
    for (path, text) in of(&Run::stopped()) {
        if path.starts_with("humanize/profile-digests/") {
            continue;
        }
        for line in text.lines().filter(|it| it.starts_with('|')) {
            assert!(line.chars().count() <= 100, "{path}: {line}");
        }
    }
}

#[test]
fn unknown_inputs_are_named() {
    let manifest = &of(&Run::with_inputs())["manifest.md"];
    let unknown = manifest.split("Unknown: ").nth(1).unwrap().split('.').next().unwrap();
    for key in ["tokenizer", "cuda", "nccl", "container", "vllm_checkout"] {
        assert!(unknown.contains(&format!("`{key}`")), "{key}");
    }
    assert!(!unknown.contains("precision"));
}
