//! A whole campaign, and the way out of every phase.

use vsota_core::{Campaign, Phase, Seq};
use vsota_fixtures::model::{Run, way_out};

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
