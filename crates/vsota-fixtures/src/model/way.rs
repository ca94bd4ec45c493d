//! The constructive proof of liveness: from every state there is a way to Stopped.

use vsota_core::State;
use vsota_core::command::*;
use vsota_core::facts::*;

use super::{Run, artifact, line};

/// The commands that lead from any campaign to Stopped without breaking a rule.
///
/// Before the loop the way is to say why no fair comparison can exist, or to go on to the loop;
/// inside it a round is closed on the accepted build, and a claim with evidence is confirmed.
pub fn way_out(run: &Run) -> Vec<Command> {
    let mut ahead = run.clone();
    let before = ahead.events.len();
    while !ahead.campaign.phase().is_terminal() {
        step(&mut ahead);
        assert!(ahead.events.len() < before + 400, "the way out does not end");
    }
    ahead.events.split_off(before).iter().map(vsota_core::event::Event::asked).collect()
}

fn step(run: &mut Run) {
    match run.campaign.state().clone() {
        State::Inputs(_) => {
            run.ask(RecordInputs(super::inputs())).ask(CloseInputs(Nothing {}));
        }
        State::HistoryGate(_) => close_history(run),
        State::FixedBenchmark(_) => {
            let order = StopOrder::External {
                because: line("the weights cannot be loaded fairly"),
                evidence: vec![artifact("benchmark/logs/weights.log")],
            };
            if run.campaign.decide(StopCampaign(order.clone())).is_ok() {
                run.ask(StopCampaign(order));
            } else {
                run.enter_loop();
            }
        }
        State::RlcrActive(_) => {
            let order = run.confirmation();
            if run.campaign.decide(StopCampaign(order.clone())).is_ok() {
                run.ask(StopCampaign(order));
            } else {
                run.open_round();
            }
        }
        State::GapDecision(_) => leave_gap(run),
        State::Profiling(_) | State::LayerPipeline(_) | State::KernelAssist(_) => leave_round(run),
        State::Revalidate(_) => {
            let reason = line("put aside");
            let head = run.stand().head;
            run.ask(RejectPatch(Rejection { reason, head }));
        }
        State::Stopped(_) => {}
    }
}

fn close_history(run: &mut Run) {
    for framework in [Framework::Vllm, Framework::Sglang] {
        let (tried, reason) = (vec![line("/knowledge")], line("not installed"));
        run.ask(BlockHistory(HistoryBlock { framework, tried, reason }));
    }
    run.ask(CloseHistory(Nothing {}));
}

/// An external claim when nothing is left to measure or to look into; otherwise that comes first.
fn leave_gap(run: &mut Run) {
    let it = super::claim(run, StopReason::External);
    if run.campaign.decide(ClaimStop(it.clone())).is_ok() {
        run.ask(ClaimStop(it));
        return;
    }
    let asked = run.asked();
    if run.campaign.decide(OpenProfiling(asked.clone())).is_ok() {
        run.ask(OpenProfiling(asked));
    } else if matches!(run.campaign.state(), State::GapDecision(it) if it.kept().len() >= 16) {
        // Blocks that began in one order are never balanced again; the next round begins afresh.
        let stand = run.stand();
        run.ask(AbandonRound(Abandonment { reason: line("measure again"), stand }));
    } else {
        compare(run);
    }
}

/// Two blocks a scenario, one in each order, of all that still run.
fn compare(run: &mut Run) {
    for vllm_first in [true, false] {
        for (of, _) in super::SCENARIOS {
            let mut block = super::gap_block(run, of, 1.0, vllm_first);
            let case = run.case();
            let winners = case.charter.scenarios.get(&block.scenario).map(|it| &it.winners);
            block.runs.retain(|it| {
                winners.is_some_and(|winners| winners.contains_key(&it.framework))
                    && !case.blocked.contains(&it.framework)
            });
            run.ask(FileGapBlock(block));
        }
    }
}

fn leave_round(run: &mut Run) {
    let rows: Vec<_> = run.case().uninvestigated().map(|it| it.row).collect();
    if !rows.is_empty() {
        let serial = run.events.len();
        let mut it = super::idea(&format!("idea-{serial}"), 1);
        it.rows = rows;
        run.ask(NoteIdea(it));
        return;
    }
    match run.campaign.state() {
        State::Profiling(_) => run.finish_triage(),
        State::KernelAssist(_) => {
            run.ask(CloseKernelAssist(Because { reason: line("target dropped") }));
        }
        _ => {
            let it = super::claim(run, StopReason::External);
            run.ask(ClaimStop(it));
        }
    }
}
