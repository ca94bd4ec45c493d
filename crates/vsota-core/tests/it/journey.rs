//! A whole campaign, and the way out of every phase.

use vsota_core::command::FileGapBlock;
use vsota_core::facts::{Framework, Metric, Status};
use vsota_core::{Campaign, Phase, Seq, State};
use vsota_fixtures::model::{Run, gap_block, measured, name, way_out};

#[test]
fn a_campaign_runs_from_inputs_to_stopped() {
    let run = Run::stopped();
    assert_eq!(run.campaign.phase(), Phase::Stopped);
    let replayed = Campaign::replay((1..).map(Seq).zip(&run.events)).unwrap();
    assert_eq!(replayed, run.campaign);
}

#[test]
fn there_is_a_way_out_of_every_phase() {
    for (phase, run) in Run::all() {
        assert_eq!(run.campaign.phase().as_str(), phase);
        let mut ahead = run.clone();
        for command in way_out(&run) {
            ahead.ask(command);
        }
        assert_eq!(ahead.campaign.phase(), Phase::Stopped, "from {phase}");
    }
}

#[test]
fn an_order_effect_is_flagged_and_decides_nothing() {
    let flagged = |swing: f64| {
        let mut run = Run::in_loop();
        run.open_round();
        for index in 0..8 {
            let first = index % 2 == 0;
            let level = if first { 1.0 + swing } else { 1.0 - swing };
            let block = gap_block(&mut run, "chat", level, first);
            run.ask(FileGapBlock(block));
        }
        let State::GapDecision(gap) = run.campaign.state() else { unreachable!() };
        gap.flags(&name("chat"), Framework::Sglang)
    };
    // The made-up noise of the model drifts by itself.
    assert!(flagged(0.01).contains(&"order-effect"));
    assert!(!flagged(0.0).contains(&"order-effect"));
}

#[test]
fn a_level_that_drifts_and_a_rig_that_breaks_are_flagged() {
    let flagged = |drift: f64, broken: usize| {
        let mut run = Run::in_loop();
        run.open_round();
        let noise = [0.0, 0.002, -0.001, 0.001, -0.001, 0.001, 0.0, 0.0];
        for (index, noise) in (0..8_u32).zip(noise) {
            let mut block = gap_block(&mut run, "chat", 1.0, index % 2 == 0);
            for it in &mut block.runs {
                let metrics = &mut it.measured.as_mut().unwrap().metrics;
                let value = 10.0 * (1.0 + noise + drift * f64::from(index));
                metrics.insert(Metric::RequestThroughput, measured(value));
            }
            run.ask(FileGapBlock(block));
        }
        for _ in 0..broken {
            let mut block = gap_block(&mut run, "chat", 1.0, true);
            block.runs[0].status = Status::Oom;
            run.ask(FileGapBlock(block));
        }
        let State::GapDecision(gap) = run.campaign.state() else { unreachable!() };
        gap.flags(&name("chat"), Framework::Sglang)
    };
    assert_eq!(flagged(0.01, 0), ["level-drift"]);
    // Two of ten are a fifth; three of eleven are more than a quarter.
    assert_eq!(flagged(0.0, 2), [""; 0]);
    assert_eq!(flagged(0.0, 3), ["rig-not-qualified"]);
}
