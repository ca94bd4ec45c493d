//! What a round of Humanize owes the gates: contract and summary before a patch is accepted, the review
//! before the next round, the complete end before the stop.

use vsota_fixtures::builders::humanize::{LoopFiles, LoopParts, review_result};
use vsota_fixtures::model::Run;

use super::field::{Field, LOOP};

/// A loop whose round 0 is written.
fn written(parts: &LoopParts) -> LoopFiles {
    let mut files = parts.named("state.md");
    files.insert("round-0-contract.md".into(), "the contract\n".into());
    files.insert("round-0-summary.md".into(), "# Round 0\n\nwhat was done\n".into());
    files
}

/// The model's patch, measured, with its build checked out.
fn trialled(change: impl FnOnce(&LoopParts) -> LoopFiles) -> Field {
    let mut model = Run::patched();
    model.trial(1.05);
    let field = Field::in_loop(&model, |it| change(it));
    field.put("vllm/a.py", "a = 2\n");
    field.commit("patch");
    field.moved(&model.acceptance().stand.head);
    field
}

#[test]
fn a_patch_is_accepted_only_with_contract_and_summary() {
    let accept = ["revalidate", "accept"];
    let field = trialled(|it| it.named("state.md"));
    let ended = field.vsota(&accept);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-8", "RL-8"]), "{}", ended.told);
    assert!(ended.told.contains("round-0-contract.md") && ended.told.contains("the scaffold"));
    let field = trialled(written);
    field.git(&["switch", "-q", "-c", "other"]);
    let ended = field.vsota(&accept);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-8"]), "{}", ended.told);
    field.git(&["switch", "-q", "main"]);
    let ended = field.vsota(&accept);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    assert_eq!(ended.json["phase"], "rlcr-active");
}

/// The next round opens only after the review, whatever it says.
#[test]
fn the_review_is_read_by_the_next_round() {
    let field = trialled(written);
    assert_eq!(field.vsota(&["revalidate", "accept"]).exit, 0);
    let ended = field.vsota(&["round", "open"]);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["RL-8"]), "{}", ended.told);
    assert!(ended.told.contains("stop, so that the review can run"), "{}", ended.told);
    for nothing in ["no verdict\n", "Mainline Progress Verdict: ADVANCED or STALLED\n", "STOP\n"] {
        field.put(&format!(".humanize/rlcr/{LOOP}/round-0-review-result.md"), nothing);
        assert_eq!(field.vsota(&["round", "open"]).clauses(), ["RL-8"], "{nothing}");
    }
    let review = review_result("REGRESSED", "- more");
    field.put(&format!(".humanize/rlcr/{LOOP}/round-0-review-result.md"), &review);
    let ended = field.vsota(&["round", "open"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    assert!(journal.lines().last().unwrap().contains(r#""review":"regressed""#));
}

/// The model's claim on the patched build, in a loop whose state lies under this name.
fn claimed(state: &str) -> Field {
    let model = Run::claimed();
    let field = Field::in_loop(&model, |it| it.named(state));
    field.put("vllm/a.py", "a = 2\n");
    field.commit("patch");
    field.moved(&model.stand().head);
    field
}

#[test]
fn a_claim_is_confirmed_only_when_the_loop_ended_complete() {
    let confirm = ["stop", "confirm"];
    for state in ["state.md", "finalize-state.md", "maxiter-state.md"] {
        let ended = claimed(state).vsota(&confirm);
        assert_eq!((ended.exit, ended.clauses()), (3, vec!["GD-4"]), "{state}: {}", ended.told);
    }
    let field = claimed("complete-state.md");
    let ended = field.vsota(&confirm);
    assert_eq!((ended.exit, &ended.json["phase"]), (0, &"stopped".into()), "{}", ended.told);
}

#[test]
fn a_fixup_cites_a_finding_or_the_phase() {
    let field = Field::in_loop(&Run::accepted_patch(), |it| {
        let mut files = it.in_review();
        let text = "[P1] the empty batch is not handled\n";
        files.insert("round-1-review-result.md".into(), text.into());
        files
    });
    let fixup = |finding: &str| {
        let ended = field.vsota(&[
            "patch",
            "fixup",
            "--finding",
            finding,
            "--git",
            "/nowhere",
            "--diff",
            "/nowhere",
        ]);
        (ended.exit, ended.clauses().concat())
    };
    assert_eq!(fixup("make it nicer"), (3, "RL-9".into()));
    assert_eq!(fixup("finalize phase"), (3, "RL-9".into()), "it does not run");
    assert_eq!(fixup("the empty batch is not handled").0, 4, "the next thing that is looked at");
}
