//! What holds on every walk, whatever is asked in whatever order.
#![expect(clippy::print_stdout, reason = "a census is worth reading: --nocapture")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use vsota_core::command::{Command, CommandKind};
use vsota_core::phase::{Bench, Charter, InLoop as _};
use vsota_core::{
    Campaign, Phase, Refusal, ReplayError, Seq, State, Step, TRANSITIONS, Transition,
};
use vsota_fixtures::model::{Run, samples, way_out};
use vsota_fixtures::strategy::{walk, walk_from};
use vsota_fixtures::walk::{Die, STARTS, Walk};

/// Attempts of a walk, at most.
const LONGEST: usize = 70;

/// So many cases, or as many as `PROPTEST_CASES` says.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok());
    let cases = asked.unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Walks again, with a look at every attempt: the campaign before it, the command, the answer.
fn each(walk: &Walk, mut look: impl FnMut(&Campaign, &Command, &Result<Step, Refusal>)) {
    let mut campaign = walk.begun.campaign.clone();
    for command in &walk.tried {
        let answer = campaign.decide(command.clone());
        look(&campaign, command, &answer);
        if let Ok(step) = answer {
            campaign = step.commit();
        }
    }
    assert_eq!(campaign, walk.end.campaign);
}

fn row_of(from: Phase, step: &Step) -> Transition {
    let event = step.event().kind();
    let to = step.clone().commit().phase();
    let command = step.event().asked().kind();
    Transition { from, command, event, to }
}

fn charter(state: &State) -> Option<&Charter> {
    match state {
        State::FixedBenchmark(it) => match it.inside() {
            Bench::Frozen { charter, .. } => Some(charter),
            Bench::Searching(_) => None,
        },
        State::RlcrActive(it) => Some(&it.case().charter),
        State::GapDecision(it) => Some(&it.case().charter),
        State::Profiling(it) => Some(&it.case().charter),
        State::LayerPipeline(it) => Some(&it.case().charter),
        State::KernelAssist(it) => Some(&it.case().charter),
        State::Revalidate(it) => Some(&it.case().charter),
        State::Stopped(it) => it.case().map(|it| &it.charter),
        State::Inputs(_) | State::HistoryGate(_) => None,
    }
}

proptest! {
    #![proptest_config(config(32))]

    #[test]
    fn the_fold_of_the_journal_is_the_campaign_after_every_step(walk in walk(LONGEST)) {
        let journal = |run: &Run| Campaign::replay((1..).map(Seq).zip(&run.events));
        prop_assert_eq!(journal(&walk.begun), Ok(walk.begun.campaign.clone()));
        prop_assert_eq!(journal(&walk.end), Ok(walk.end.campaign.clone()));
        let mut folded = walk.begun.campaign.clone();
        each(&walk, |campaign, _, answer| {
            assert_eq!(&folded, campaign);
            if let Ok(step) = answer {
                let line = serde_json::to_string(step.event()).unwrap();
                let event = serde_json::from_str(&line).unwrap();
                folded = folded.clone().follow(step.seq(), &event).unwrap();
            }
        });
        prop_assert_eq!(folded, walk.end.campaign);
    }

    #[test]
    fn no_step_is_taken_without_a_row_and_no_row_is_out_of_phase(walk in walk(LONGEST)) {
        each(&walk, |campaign, command, answer| {
            let (phase, kind) = (campaign.phase(), command.kind());
            let row = TRANSITIONS.iter().find(|it| it.from == phase && it.command == kind);
            match answer {
                Ok(step) => assert_eq!(row, Some(&row_of(phase, step))),
                Err(Refusal::Objected { .. }) => assert!(row.is_some(), "{kind} in {phase}"),
                Err(Refusal::OutOfPhase { .. }) => assert!(row.is_none(), "{kind} in {phase}"),
            }
        });
    }

    #[test]
    fn the_same_question_has_the_same_answer_and_changes_nothing(walk in walk(LONGEST)) {
        each(&walk, |campaign, command, answer| {
            let before = campaign.clone();
            assert_eq!(&campaign.decide(command.clone()), answer);
            assert_eq!(campaign, &before);
        });
    }

    #[test]
    fn the_charter_never_changes_once_it_is_frozen(walk in walk(LONGEST)) {
        let mut frozen = charter(walk.begun.campaign.state()).cloned();
        each(&walk, |_, _, answer| {
            let Ok(step) = answer else { return };
            let after = step.clone().commit();
            let now = charter(after.state()).cloned();
            // A campaign that stops before the loop leaves nothing to compare against.
            let gone = after.phase() == Phase::Stopped && now.is_none();
            assert!(gone || frozen.is_none() || now == frozen, "by {}", step.event().kind());
            frozen = now;
        });
    }

    #[test]
    fn what_an_event_asked_is_granted_again_with_the_same_event(walk in walk(LONGEST)) {
        each(&walk, |campaign, command, answer| {
            let Ok(step) = answer else { return };
            assert_eq!(&step.event().asked(), command);
            assert_eq!(campaign.decide(step.event().asked()).as_ref(), Ok(step));
        });
    }

    #[test]
    fn rounds_only_go_up(walk in walk(LONGEST)) {
        let rounds = |state: &State| match state {
            State::RlcrActive(it) => Some(it.case().rounds),
            State::GapDecision(it) => Some(it.case().rounds),
            State::Profiling(it) => Some(it.case().rounds),
            State::LayerPipeline(it) => Some(it.case().rounds),
            State::KernelAssist(it) => Some(it.case().rounds),
            State::Revalidate(it) => Some(it.case().rounds),
            _ => None,
        };
        each(&walk, |campaign, command, answer| {
            let Ok(step) = answer else { return };
            let after = step.clone().commit();
            if let (Some(before), Some(after)) = (rounds(campaign.state()), rounds(after.state())) {
                let opened = u32::from(command.kind() == CommandKind::OpenRound);
                assert_eq!(after, before + opened);
            }
        });
    }

    #[test]
    fn what_stands_in_the_way_whatever_is_said_stands_in_every_refusal(walk in walk(LONGEST)) {
        each(&walk, |campaign, command, answer| {
            let ready = campaign.ready(command.kind());
            match answer {
                Ok(_) => assert!(ready.is_some_and(|it| it.is_empty())),
                Err(Refusal::OutOfPhase { .. }) => assert_eq!(ready, None),
                Err(refusal) => {
                    let ready = ready.unwrap();
                    let mut missing = ready.iter().filter(|it| !refusal.objections().contains(it));
                    assert_eq!(missing.next(), None);
                    assert!(!refusal.objections().is_empty());
                }
            }
        });
    }

    #[test]
    fn a_damaged_journal_never_passes_for_another(
        walk in walk(LONGEST),
        at in any::<prop::sample::Index>(),
    ) {
        let journal: Vec<_> = (1..).map(Seq).zip(&walk.end.events).collect();
        let at = at.index(journal.len());
        let replay = |events: &[(Seq, &vsota_core::event::Event)]| {
            Campaign::replay(events.iter().copied())
        };
        let renumbered = |events: &[(Seq, &vsota_core::event::Event)]| {
            Campaign::replay((1..).map(Seq).zip(events.iter().map(|(_, event)| *event)))
        };

        let mut doubled = journal.clone();
        doubled.insert(at, journal[at]);
        let out_of_order = |it| matches!(it, Err(ReplayError::OutOfOrder { .. }));
        prop_assert!(out_of_order(replay(&doubled)));
        prop_assert_ne!(renumbered(&doubled), Ok(walk.end.campaign.clone()));

        let mut dropped = journal.clone();
        dropped.remove(at);
        prop_assert!(at + 1 == journal.len() || out_of_order(replay(&dropped)));
        prop_assert_ne!(renumbered(&dropped), Ok(walk.end.campaign.clone()));

        if at + 1 < journal.len() {
            let mut swapped = journal.clone();
            swapped.swap(at, at + 1);
            prop_assert!(out_of_order(replay(&swapped)));
        }
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn from_the_end_of_every_walk_there_is_a_way_to_stopped(walk in walk(LONGEST)) {
        let mut ahead = walk.end.clone();
        for command in way_out(&walk.end) {
            let answer = ahead.attempt(command);
            prop_assert_eq!(answer, Ok(()));
        }
        prop_assert_eq!(ahead.campaign.phase(), Phase::Stopped);
    }

    #[test]
    fn a_stopped_campaign_refuses_everything(walk in walk_from("claimed", 40)) {
        let mut stopped = walk.end.clone();
        for command in way_out(&walk.end) {
            prop_assert_eq!(stopped.attempt(command), Ok(()));
        }
        for (kind, command) in samples() {
            let refused = Refusal::OutOfPhase { phase: Phase::Stopped, command: *kind };
            prop_assert_eq!(stopped.campaign.decide(command.clone()), Err(refused));
        }
    }
}

/// The walks of the census: the same on every machine.
fn census() -> impl Iterator<Item = Walk> {
    let mut die = Die::new(2_026);
    (0..280).map(move |n| {
        let dice: Vec<_> = (0..LONGEST).map(|_| die.roll(u64::MAX)).collect();
        Walk::from_dice(STARTS[n % STARTS.len()], &dice)
    })
}

#[test]
fn the_walks_together_take_every_row() {
    let mut walked: BTreeMap<Transition, u32> = BTreeMap::new();
    let mut ends: BTreeMap<Phase, u32> = BTreeMap::new();
    let (mut attempts, mut refused, mut codes) = (0, 0, BTreeSet::new());
    for walk in census() {
        *ends.entry(walk.end.campaign.phase()).or_default() += 1;
        each(&walk, |campaign, _, answer| {
            attempts += 1;
            match answer {
                Ok(step) => *walked.entry(row_of(campaign.phase(), step)).or_default() += 1,
                Err(refusal) => {
                    refused += 1;
                    codes.extend(refusal.objections().iter().map(|it| it.found.code()));
                }
            }
        });
    }
    println!("{attempts} attempts, {refused} refused for {} different findings", codes.len());
    for (phase, count) in &ends {
        println!("{count:5} walks end in {phase}");
    }
    for row in TRANSITIONS {
        let count = walked.get(row).copied().unwrap_or(0);
        println!("{count:5} {} : {} => {} => {}", row.from, row.command, row.event, row.to);
    }
    let missing: Vec<_> = TRANSITIONS.iter().filter(|it| !walked.contains_key(it)).collect();
    assert!(missing.is_empty(), "rows that no walk took: {missing:#?}");
}
