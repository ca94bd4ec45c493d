//! The promises of the contract that no order of commands can break, each by its name.

use proptest::prelude::*;
use vsota_core::command::*;
use vsota_core::event::{Event, EventKind};
use vsota_core::facts::*;
use vsota_core::{Campaign, Clause, Objection, Phase, Seq, State};
use vsota_fixtures::model::*;
use vsota_fixtures::strategy::{walk, walk_from};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() }
}

/// The phase before each event of a journal, and the event.
fn history_of(events: &[Event]) -> Vec<(Option<Phase>, &Event)> {
    let mut campaign: Option<Campaign> = None;
    let mut walked = Vec::new();
    for (seq, event) in (1..).map(Seq).zip(events) {
        walked.push((campaign.as_ref().map(Campaign::phase), event));
        campaign = Some(match campaign {
            None => Campaign::begin(seq, event).unwrap(),
            Some(it) => it.follow(seq, event).unwrap(),
        });
    }
    walked
}

/// The events of the round that an event at this place belongs to.
fn round_before(events: &[Event], at: usize) -> &[Event] {
    let opened = |it: &Event| it.kind() == EventKind::RoundOpened;
    let first = events[..at].iter().rposition(opened).expect("a round was opened");
    &events[first..at]
}

fn clauses(objections: &[Objection]) -> Vec<Clause> {
    objections.iter().map(|it| it.clause).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_benchmark_is_frozen_once_and_nothing_about_it_follows(walk in walk(70)) {
        use EventKind::*;
        let events = &walk.end.events;
        let mut frozen = false;
        for event in events {
            let kind = event.kind();
            let about = matches!(
                kind,
                BenchmarkFrozen | SearchDeclared | HelpFiled | CandidateFiled | FrameworkExcluded
            );
            prop_assert!(!(frozen && about), "{kind} after the freeze");
            frozen |= kind == BenchmarkFrozen;
        }
    }

    #[test]
    fn no_patch_is_recorded_without_the_evidence_of_its_round(
        walk in prop_oneof![walk_from("profiling", 90), walk_from("triaged", 70)],
    ) {
        let events = &walk.end.events;
        let patches = (0..events.len()).filter(|at| events[*at].kind() == EventKind::PatchRecorded);
        for at in patches {
            let round = round_before(events, at);
            let has = |kind| round.iter().any(|it| it.kind() == kind);
            let blocks = round.iter().filter(|it| it.kind() == EventKind::GapBlockFiled).count();
            prop_assert!(has(EventKind::ProfilingOpened), "a verdict");
            prop_assert!(blocks >= 4, "blocks");
            for stage in STAGES {
                let profiled = round.iter().any(|it| match it {
                    Event::ProfileFiled(it) => {
                        it.said.framework == Framework::Vllm && it.said.stage == stage
                    }
                    _ => false,
                });
                prop_assert!(profiled, "a profile of {stage}");
            }
            prop_assert!(has(EventKind::RootCauseNamed), "a root cause");
            prop_assert!(has(EventKind::PipelineFiled), "a layer pipeline");
        }
    }

    #[test]
    fn after_two_weak_outcomes_no_patch_comes_before_research(walk in walk_from("layered", 90)) {
        let (mut weak, mut researched, mut fixup) = (0, false, false);
        for (phase, event) in history_of(&walk.end.events) {
            let late = matches!(phase, Some(Phase::LayerPipeline | Phase::KernelAssist));
            let outcome = match event {
                Event::FixupRecorded(_) => { fixup = true; None }
                Event::PatchRecorded(_) => {
                    prop_assert!(weak < 2 || researched, "{weak} weak outcomes");
                    fixup = false;
                    None
                }
                Event::ResearchNoted(_) => { researched = true; None }
                Event::PatchRejected(_) | Event::PatchRetried(_) if !fixup => Some(true),
                Event::PatchAccepted(it) if !fixup => Some(it.found.gain.weak),
                Event::RoundAbandoned(_) if late => Some(true),
                _ => None,
            };
            if let Some(is_weak) = outcome {
                weak = if is_weak { weak + 1 } else { 0 };
                researched = false;
            }
        }
    }

    #[test]
    fn a_campaign_stops_for_one_of_four_reasons_and_nothing_follows(walk in walk(70)) {
        let mut ahead = walk.end.clone();
        for command in way_out(&walk.end) {
            prop_assert_eq!(ahead.attempt(command), Ok(()));
        }
        let events = &ahead.events;
        let stops = events.iter().filter(|it| it.kind() == EventKind::CampaignStopped);
        prop_assert_eq!(stops.count(), 1);
        let Some(Event::CampaignStopped(stopped)) = events.last() else {
            return Err(TestCaseError::fail("something follows the stop"));
        };
        match &stopped.said {
            StopOrder::External { evidence, .. } => {
                // ST-3 before the loop, where there is no claim.
                prop_assert!(!evidence.is_empty());
                let entered = events.iter().any(|it| it.kind() == EventKind::LoopEntered);
                prop_assert!(!entered);
            }
            StopOrder::Confirm { stand } => {
                prop_assert_eq!(stand.loop_state, LoopEnd::Complete);
                let claimed = |it: &Event| it.kind() == EventKind::StopClaimed;
                let claim = events.iter().rposition(claimed).expect("a claim");
                let voided = events[claim..].iter().any(|it| it.kind() == EventKind::RoundOpened);
                prop_assert!(!voided, "a round was opened since the claim");
                let Event::StopClaimed(claim) = &events[claim] else { unreachable!() };
                prop_assert_eq!(&stand.head.tree, &ahead.case().accepted);
                match claim.said.reason {
                    StopReason::Beats | StopReason::Tied => {}
                    StopReason::External | StopReason::Limit => {
                        prop_assert!(claim.said.because.is_some());
                        prop_assert!(!claim.said.evidence.is_empty());
                    }
                }
            }
        }
    }
}

#[test]
fn a_stop_has_four_reasons() {
    assert_eq!(StopReason::ALL.len(), 4);
}

#[test]
fn the_blocks_of_one_round_open_no_other_round() {
    let mut run = Run::behind();
    let it = abandonment(&run, LoopEnd::Active);
    run.ask(AbandonRound(it)).open_round();
    assert!(!run.case().pool.is_empty(), "the blocks are still there to be reported");
    let asked = run.asked();
    assert!(clauses(&run.refused(OpenProfiling(asked))).contains(&Clause::Gd3));
    run.blocks(1, 1.0);
    let asked = run.asked();
    assert!(run.campaign.decide(OpenProfiling(asked)).is_err(), "one fresh block is not two");
}

#[test]
fn the_verdict_of_one_round_claims_nothing_in_another() {
    let mut run = Run::decided();
    let it = abandonment(&run, LoopEnd::Gone);
    run.ask(AbandonRound(it)).open_round();
    let it = claim(&run, StopReason::Tied);
    assert!(clauses(&run.refused(ClaimStop(it))).contains(&Clause::Gd5));
}

#[test]
fn the_launches_of_one_round_count_in_no_other() {
    let mut run = Run::in_loop();
    run.open_round();
    let old = gap_block(&mut run, SCENARIOS[0].0, 1.0, true);
    run.ask(FileGapBlock(old.clone()));
    let it = abandonment(&run, LoopEnd::Active);
    run.ask(AbandonRound(it)).open_round().ask(FileGapBlock(old));
    let Some(Event::GapBlockFiled(again)) = run.events.last() else { unreachable!() };
    assert_eq!(again.found.report_only, Some(ReportOnly::LaunchReused));
}

#[test]
fn the_profiles_and_root_cause_of_one_round_explain_no_other() {
    let mut run = Run::triaged();
    let State::LayerPipeline(state) = run.campaign.state() else { unreachable!() };
    let old = state.triage().profiles.clone();
    run.ask(NoteIdea(idea("fused_moe", 1)));
    let it = abandonment(&run, LoopEnd::Active);
    run.ask(AbandonRound(it)).open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(OpenProfiling(asked));
    for mut profile in old {
        assert!(clauses(&run.refused(FileProfile(profile.clone()))).contains(&Clause::Pr8));
        // Even with its round rewritten: the launch is known.
        profile.round = run.case().rounds;
        assert!(clauses(&run.refused(FileProfile(profile))).contains(&Clause::Pr8));
    }
    let cause = root_cause_of_the_open_round(&run);
    let objections = run.refused(NameRootCause(cause));
    assert!(clauses(&objections).contains(&Clause::Pr1), "{objections:?}");
}

fn root_cause_of_the_open_round(run: &Run) -> RootCause {
    RootCause { stand: run.stand(), ..root_cause(run) }
}

#[test]
fn the_layer_report_of_one_round_opens_no_target_in_another() {
    let mut run = Run::layered();
    let State::LayerPipeline(state) = run.campaign.state() else { unreachable!() };
    let old = state.triage().pipeline.clone().expect("a report");
    run.ask(NoteIdea(idea("fused_moe", 1)));
    let it = abandonment(&run, LoopEnd::Active);
    run.ask(AbandonRound(it)).open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(OpenProfiling(asked)).profiles();
    let cause = root_cause(&run);
    run.ask(NameRootCause(cause));
    let target = kernel_target(&run);
    assert!(clauses(&run.refused(OpenKernelAssist(target))).contains(&Clause::Lp1));
    let it = patch(&run, "patch-9", false);
    assert!(clauses(&run.refused(RecordPatch(it))).contains(&Clause::Lp1));
    assert!(clauses(&run.refused(FilePipeline(old))).contains(&Clause::Lp2));
}

#[test]
fn two_rejected_patches_force_research_and_prose_does_not_count() {
    let (_, mut run) = endings().into_iter().find(|(name, _)| *name == "rejected").unwrap();
    assert_eq!(run.case().weak, 2);
    run.open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(OpenProfiling(asked)).profiles();
    let cause = root_cause(&run);
    run.ask(NameRootCause(cause));
    let report = pipeline(&run);
    run.ask(FilePipeline(report));
    let it = patch(&run, "patch-3", false);
    assert_eq!(clauses(&run.refused(RecordPatch(it.clone()))), [Clause::Le3]);
    let prose = Research {
        sources: vec![ResearchSource::Article(line("a blog"))],
        findings: prose("Everybody fuses it."),
    };
    assert_eq!(clauses(&run.refused(NoteResearch(prose))), [Clause::Le3]);
    run.ask(NoteResearch(research("sglang/srt/layers/moe/topk.py"))).ask(RecordPatch(it));
}

#[test]
fn the_freeze_happens_once() {
    let run = Run::frozen();
    assert_eq!(clauses(&run.refused(FreezeBenchmark(freeze()))), [Clause::Fb1]);
}
