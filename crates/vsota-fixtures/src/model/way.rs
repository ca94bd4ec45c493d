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
            let mut given = super::inputs();
            let all = Framework::ALL.iter().copied().collect();
            given.inputs.push(super::sourced(Input::Frameworks(all)));
            run.ask(RecordInputs(given)).ask(CloseInputs(Nothing {}));
        }
        State::HistoryGate(_) => close_history(run),
        State::FixedBenchmark(_) => {
            let order = StopOrder::External {
                because: line("the weights cannot be loaded fairly"),
                evidence: vec![artifact("benchmark/logs/weights.log")],
                shown: None,
            };
            if run.attempt(StopCampaign(order)).is_err() {
                run.enter_loop();
            }
        }
        State::RlcrActive(_) => {
            if run.attempt(StopCampaign(run.confirmation())).is_err() {
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
    if run.attempt(ClaimStop(super::claim(run, StopReason::External))).is_ok() {
        return;
    }
    if run.attempt(OpenProfiling(run.asked())).is_ok() {
        return;
    }
    let before = kept(run);
    if before >= 16 {
        // Blocks that began in one order are never balanced again; the next round begins afresh.
        let stand = run.stand();
        run.ask(AbandonRound(Abandonment { reason: line("measure again"), stand }));
        return;
    }
    compare(run);
    if kept(run) == before {
        // Blocks that do not fit beside the filed ones say nothing; on a changed rig they would.
        run.ask(NoteRig(RigChange { changed: line("the clock of the rig is set"), at: None }));
    }
}

fn kept(run: &Run) -> usize {
    match run.campaign.state() {
        State::GapDecision(it) => it.kept().len(),
        _ => 0,
    }
}

/// Two blocks a scenario, one in each order, of all that still run.
fn compare(run: &mut Run) {
    run.catch_up();
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
        note_idea(run, rows);
        return;
    }
    match run.campaign.state() {
        State::Profiling(_) => {
            if !run.finish_triage() {
                run.ask(AbandonRound(super::abandonment(run, LoopEnd::Active)));
            }
        }
        State::KernelAssist(_) => {
            run.ask(CloseKernelAssist(Because { reason: line("target dropped") }));
        }
        _ => {
            if run.attempt(ClaimStop(super::claim(run, StopReason::External))).is_err() {
                // A profile without kernel rows shows no limit; the next round takes a better one.
                let row = RowId { table: Table::Fuse, ..super::kernel_row(Stage::Decode, 1) };
                note_idea(run, vec![row]);
                run.ask(AbandonRound(super::abandonment(run, LoopEnd::Active)));
            }
        }
    }
}

/// A reason why these rows are as good as they get.
fn note_idea(run: &mut Run, rows: Vec<RowId>) {
    let name = format!("way-out-{}", run.events.len());
    run.ask(NoteIdea(Idea { rows, ..super::idea(&name, 1) }));
}
