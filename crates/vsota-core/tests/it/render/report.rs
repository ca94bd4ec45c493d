//! The final report says what was reached, and nothing more (RE-1).

use vsota_core::command::*;
use vsota_core::event::{Event, FixupRecorded, PatchAccepted};
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::eventful::eventful;
use super::{entries, of, rendered};

fn report(run: &Run) -> String {
    of(run)["final_report.md"].clone()
}

fn heads(text: &str) -> Vec<&str> {
    text.lines().filter(|it| it.starts_with("vsota-head:")).collect()
}

#[test]
fn a_report_is_undecided_before_the_end() {
    for (phase, run) in Run::all() {
        let text = report(&run);
        let ended = phase == "stopped";
        assert_eq!(text.contains("**Undecided.**"), !ended, "{phase}");
        assert_eq!(text.contains("reached target-environment SOTA"), ended, "{phase}");
        assert_eq!(heads(&text).len(), usize::from(ended), "{phase}");
    }
}

#[test]
fn a_claim_is_not_sota() {
    let text = report(&Run::claimed());
    assert!(text.contains("**Claimed**"));
    assert!(!text.contains("SOTA"));
}

#[test]
fn a_claim_that_a_new_round_voids_is_undecided_again() {
    let mut run = Run::claimed();
    run.open_round();
    assert!(report(&run).contains("**Undecided.**"));
}

#[test]
fn only_beats_and_tied_say_sota() {
    for reason in StopReason::ALL.iter().copied() {
        let mut events = Run::stopped().events;
        for event in &mut events {
            if let Event::StopClaimed(it) = event {
                it.said.reason = reason;
            }
        }
        let text = rendered(&entries(&events))["final_report.md"].clone();
        let reached = matches!(reason, StopReason::Beats | StopReason::Tied);
        assert_eq!(text.contains("**vLLM reached target-environment SOTA**"), reached, "{reason}");
        assert_eq!(text.contains("**SOTA was not reached.**"), !reached, "{reason}");
    }
}

#[test]
fn a_stop_before_the_loop_is_external() {
    let mut run = Run::with_history();
    let order = StopOrder::External {
        because: line("the weights cannot be loaded fairly"),
        evidence: vec![artifact("benchmark/logs/weights.log")],
        shown: None,
    };
    run.ask(StopCampaign(order));
    let documents = of(&run);
    let text = &documents["final_report.md"];
    assert!(text.contains("**SOTA was not reached.**"));
    assert!(text.contains("the weights cannot be loaded fairly"));
    assert!(documents.contains_key("benchmark/summary.md"));
}

/// The hash of an entry is not inside it, so the report holds the head before the claim or stop.
#[test]
fn the_report_holds_the_head_before_the_end() {
    let run = Run::stopped();
    let entries = run.entries();
    let last = entries.last().unwrap();
    let wanted = format!("vsota-head: {} {}", last.seq.0 - 1, last.prev);
    assert_eq!(heads(&report(&run)), [wanted]);
    let checkpoint = &of(&run)["humanize/model-loop-checkpoint.md"];
    let heads = heads(checkpoint);
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with(&format!("vsota-head: {} ", last.seq)));
}

#[test]
fn a_fixup_that_keeps_the_claim_keeps_its_head() {
    let mut run = Run::claimed();
    let claimed = report(&run);
    let it = fixup(&run, "fixup-1");
    run.ask(RecordFixup(it));
    assert_eq!(heads(&report(&run)), heads(&claimed));
    let rejection = Rejection { reason: line("slower"), head: run.stand().head };
    run.ask(RejectPatch(rejection));
    assert!(report(&run).contains("**Undecided.**"), "a fixup that does not hold voids the claim");
}

#[test]
fn an_accepted_fixup_keeps_the_claim_only_when_it_renews_it() {
    for (renewed, claimed) in [(Some(true), true), (Some(false), false), (None, false)] {
        let mut run = Run::claimed();
        let it = fixup(&run, "fixup-1");
        run.events.push(FixupRecorded { said: it }.into());
        let gain = eventful().into_iter().find_map(|it| match it {
            Event::PatchAccepted(it) => Some(it.found.gain),
            _ => None,
        });
        let found = Accepted { gain: gain.unwrap(), claim_renewed: renewed };
        let said = Acceptance { stand: run.stand(), next_planned: None };
        run.events.push(PatchAccepted { said, found }.into());
        let text = &of(&run)["final_report.md"];
        assert_eq!(text.contains("**Claimed**"), claimed, "{renewed:?}");
        assert_eq!(text.contains("**Undecided.**"), !claimed, "{renewed:?}");
    }
}

#[test]
fn every_waiver_stands_in_the_report() {
    let text = &rendered(&entries(&eventful()))["final_report.md"];
    for waiver in [
        "IN-4: TensorRT-LLM is unsupported here: no PyTorch backend in this image",
        "IN-4: SGLang was left out by the user: the user does not deploy it",
        "RL-6: the loop `2026-01-01_00-00-00` entered by the handshake round-contract",
        "PR-8: no profile of TensorRT-LLM in round 1: no profiler route",
        "RV-2: the failing test tests/test\\_flaky.py::test\\_a\\|b",
        "GD-8: TensorRT-LLM can no longer run since round 1: the container is gone",
        "RT-4: the companion `host-skill` was not read: there is none on this host",
        "HI-5: no PR history of SGLang: the checkout is shallow",
        "KA-4: no NCU evidence for `rms-norm` in round 1: performance counters need root",
        "Left out of the comparison: TensorRT-LLM (unsupported), SGLang (user-excluded).",
    ] {
        let text = text.replace("\n  ", " ").replace('\n', " ");
        let plain = text.replace("test_flaky", "test\\_flaky").replace("::test_a", "::test\\_a");
        assert!(plain.contains(waiver), "{waiver}\n{text}");
    }
}

#[test]
fn the_report_has_every_part_that_the_contract_names() {
    let text = report(&Run::stopped());
    for part in [
        "## Verdict",
        "## What was compared",
        "## Waivers and blockers",
        "## Fixed benchmark",
        "## After the patches",
        "## Changed files of vLLM",
        "## Winner commands",
        "## Artefacts",
        "history/model-pr-history-notes.md",
        "humanize/profile-digests/r1-vllm.md",
        "analysis/layer-pipeline.md",
        "kernel/ncu-digests/r1-moe-routing-v1/digest.md",
        "`vllm/model_executor/layers/fused_moe.py` (code)",
        "12 passed, 0 failed",
    ] {
        assert!(text.contains(part), "{part}");
    }
}
