//! Competitors into a scenario, scenarios into the next step.

use std::collections::BTreeMap;

use vsota_core::verdict::Verdict::{
    Ahead, AtLeastTied, Behind, Inconclusive, NoCompetitor, Tied, Unopposed,
};
use vsota_core::verdict::{
    Action, CampaignFold, Pair, Reason, ScenarioFold, SessionKind, Standing, Verdict,
    decide_ratios, fold_campaign, fold_competitors,
};

use super::{alternating, reals};

const ALL: [Verdict; 7] = [Behind, AtLeastTied, Tied, Ahead, Unopposed, Inconclusive, NoCompetitor];

fn standing(verdict: Verdict) -> Standing {
    Standing { verdict, k: 0, reason: None, lean: false }
}

fn open(reason: Reason, k: u32, lean: bool) -> Standing {
    Standing { verdict: Inconclusive, k, reason: Some(reason), lean }
}

fn fold(standings: &[Standing]) -> ScenarioFold<usize> {
    fold_competitors(&standings.iter().copied().enumerate().collect::<BTreeMap<_, _>>())
}

fn scenario(verdict: Verdict) -> ScenarioFold<u8> {
    ScenarioFold { verdict, reason: None, leaders: Vec::new(), k: 0 }
}

fn waiting(k: u32) -> ScenarioFold<u8> {
    ScenarioFold { reason: Some(Reason::NeedMore), k, ..scenario(Inconclusive) }
}

fn noisy(leaders: Vec<u8>) -> ScenarioFold<u8> {
    ScenarioFold { reason: Some(Reason::Noise), leaders, ..scenario(Inconclusive) }
}

fn gate(scenarios: &[ScenarioFold<u8>]) -> CampaignFold {
    fold_campaign(scenarios, false, SessionKind::Gate)
}

fn only(action: Action) -> CampaignFold {
    CampaignFold { action, label: None, more_blocks: 0 }
}

#[test]
fn a_stop_rests_on_four_verdicts() {
    let eligible: Vec<Verdict> = ALL.into_iter().filter(|v| v.stop_eligible()).collect();
    assert_eq!(eligible, [AtLeastTied, Tied, Ahead, Unopposed]);
}

#[test]
fn all_leaders_are_named() {
    let found = fold(&[
        standing(Tied),
        standing(Behind),
        open(Reason::NeedMore, 2, false),
        open(Reason::Cap, 0, true),
        standing(Behind),
    ]);
    assert_eq!((found.verdict, found.leaders, found.k), (Behind, vec![1, 4], 0));
    assert_eq!(found.reason, None);
}

#[test]
fn the_weakest_label_stands_for_the_scenario() {
    for weak in [AtLeastTied, Tied, Ahead] {
        for strong in [AtLeastTied, Tied, Ahead].into_iter().filter(|&v| v >= weak) {
            assert_eq!(fold(&[standing(strong), standing(weak)]).verdict, weak);
            assert_eq!(fold(&[standing(weak), standing(strong)]).verdict, weak);
        }
    }
}

#[test]
fn one_that_needs_more_keeps_the_scenario_waiting() {
    let found = fold(&[
        open(Reason::Noise, 8, true),
        open(Reason::NeedMore, 2, false),
        open(Reason::NeedMore, 4, false),
        open(Reason::NeedMore, 3, false),
    ]);
    assert_eq!((found.reason, found.k), (Some(Reason::NeedMore), 4));
    assert!(found.leaders.is_empty() && found.needs_more() && !found.lean());
}

#[test]
fn unbalanced_blocks_ask_for_more() {
    let found = fold(&[open(Reason::Unbalanced, 2, false), standing(Tied)]);
    assert_eq!((found.reason, found.k), (Some(Reason::NeedMore), 2));
}

#[test]
fn noise_and_cap_are_noise_with_the_leaning_named() {
    let found = fold(&[
        open(Reason::Noise, 4, false),
        open(Reason::Cap, 0, true),
        open(Reason::Noise, 4, true),
        standing(Ahead),
    ]);
    assert_eq!((found.verdict, found.reason), (Inconclusive, Some(Reason::Noise)));
    assert_eq!((&found.leaders, found.k), (&vec![1, 2], 0));
    assert!(found.lean() && !found.needs_more());
    assert!(!fold(&[open(Reason::Noise, 4, false)]).lean());
}

#[test]
fn nobody_ran_is_no_competitor() {
    assert_eq!(fold(&[]).verdict, NoCompetitor);
    assert_eq!(fold(&[standing(NoCompetitor)]).verdict, NoCompetitor);
    assert_eq!(fold(&[standing(NoCompetitor), standing(Tied)]).verdict, Inconclusive);
}

#[test]
fn a_pair_folds_as_it_is() {
    let ratios = reals(&[-0.5, 0.5, -0.5, 0.5]);
    let pair: Pair = decide_ratios(&ratios, &alternating(4)).unwrap();
    let found = fold_competitors(&BTreeMap::from([("sglang", pair)]));
    assert_eq!((found.verdict, found.k), (Inconclusive, 2));
    let cap = Pair { lean: true, reason: Some(Reason::Cap), ..pair };
    assert_eq!(fold_competitors(&BTreeMap::from([("sglang", cap)])).leaders, ["sglang"]);
}

#[test]
fn an_unopposed_scenario_stops_and_never_weakens_a_label() {
    let unopposed = ScenarioFold::<u8>::unopposed();
    assert_eq!(unopposed, scenario(Unopposed));
    let found = gate(&[unopposed.clone(), scenario(Ahead)]);
    assert_eq!((found.action, found.label), (Action::Confirm, Some(Ahead)));
    assert_eq!(gate(&[unopposed.clone(), unopposed]).label, Some(Unopposed));
}

#[test]
fn a_gate_confirms_and_a_confirmation_stops() {
    let scenarios = [scenario(Ahead), scenario(Tied)];
    let found = gate(&scenarios);
    assert_eq!(found, CampaignFold { label: Some(Tied), ..only(Action::Confirm) });
    let found = fold_campaign(&scenarios, false, SessionKind::Confirm);
    assert_eq!(found, CampaignFold { label: Some(Tied), ..only(Action::Stop) });
}

#[test]
fn behind_anywhere_patches_whatever_else_there_is() {
    for other in [scenario(Tied), scenario(NoCompetitor), waiting(2), noisy(vec![1])] {
        assert_eq!(gate(&[other.clone(), scenario(Behind)]), only(Action::Patch));
        assert_eq!(gate(&[scenario(Behind), other]), only(Action::Patch));
    }
}

#[test]
fn an_sla_that_only_vllm_fails_patches() {
    for session in [SessionKind::Gate, SessionKind::Confirm] {
        assert_eq!(fold_campaign(&[scenario(Tied)], true, session), only(Action::Patch));
        assert_eq!(fold_campaign::<u8>(&[], true, session), only(Action::Patch));
    }
}

#[test]
fn without_a_competitor_there_is_no_baseline() {
    assert_eq!(gate(&[]), only(Action::NoBaseline));
    for other in [scenario(Tied), waiting(2), noisy(vec![1])] {
        assert_eq!(gate(&[other, scenario(NoCompetitor)]), only(Action::NoBaseline));
    }
}

#[test]
fn the_longest_wait_sets_the_blocks() {
    let found = gate(&[waiting(2), scenario(Tied), waiting(6), noisy(vec![1]), waiting(4)]);
    assert_eq!(found, CampaignFold { more_blocks: 6, ..only(Action::MoreRuns) });
}

#[test]
fn a_lean_patches_only_when_nobody_waits() {
    assert_eq!(gate(&[noisy(vec![]), noisy(vec![1]), scenario(Tied)]), only(Action::PatchLean));
    assert_eq!(gate(&[noisy(vec![]), scenario(Tied)]), only(Action::NoiseBlocked));
}

#[test]
fn noise_never_stops() {
    for session in [SessionKind::Gate, SessionKind::Confirm] {
        for leaders in [vec![], vec![1]] {
            let found = fold_campaign(&[scenario(Ahead), noisy(leaders)], false, session);
            assert!(matches!(found.action, Action::PatchLean | Action::NoiseBlocked));
            assert_eq!(found.label, None);
        }
    }
}

#[test]
fn an_undecided_one_without_a_reason_waits() {
    let unknown = standing(Inconclusive);
    assert_eq!(fold(&[unknown]).reason, Some(Reason::NeedMore));
    assert_eq!(gate(&[scenario(Inconclusive)]).action, Action::MoreRuns);
}

#[test]
fn a_decided_scenario_neither_waits_nor_leans() {
    let odd =
        ScenarioFold { reason: Some(Reason::NeedMore), leaders: vec![1], k: 4, ..scenario(Behind) };
    assert!(!odd.needs_more() && !odd.lean());
    let odd = ScenarioFold { reason: Some(Reason::Noise), leaders: vec![1], ..scenario(Tied) };
    assert!(!odd.needs_more() && !odd.lean());
}

#[test]
fn folds_are_written_as_the_vectors_have_them() {
    let json = serde_json::json!({ "verdict": "Tied", "leaders": [], "k": 0 });
    let found: ScenarioFold<String> = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(found).unwrap(), json);
    assert_eq!(serde_json::json!(SessionKind::Gate), "gate");
    assert_eq!(serde_json::json!(Action::PatchLean), "PatchLean");
}
