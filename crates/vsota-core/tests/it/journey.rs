//! A whole campaign, and the way out of every phase.

use vsota_core::command::FileGapBlock;
use vsota_core::facts::Framework;
use vsota_core::{Campaign, Phase, Seq, State};
use vsota_fixtures::model::{Run, gap_block, name, way_out};

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
    assert_eq!(flagged(0.01), ["order-effect"]);
    assert_eq!(flagged(0.0), [""; 0]);
}
