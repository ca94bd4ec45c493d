//! The four reasons to stop, the claim, and its confirmation.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::gap::{block_of, exact, file_exact, open};
use super::loops::in_successor;
use super::{Cases, after, but};

pub(super) fn cases(all: &mut Cases) {
    as_the_best(all);
    service_level(all);
    pooled(all);
    causes(all);
    places(all);
    confirming(all);
    before_the_loop(all);
}

fn claims(run: &Run, reason: StopReason) -> ClaimStop {
    ClaimStop(claim(run, reason))
}

/// A round whose gate and confirmation are decided on four blocks each.
fn decided(levels: fn(&str, usize) -> [f64; 3]) -> Run {
    let mut run = open();
    confirm(&mut run, levels);
    run
}

fn confirm(run: &mut Run, levels: impl Fn(&str, usize) -> [f64; 3]) {
    for _ in 0..2 {
        file_exact(run, 4, &levels);
        let asked = run.asked();
        run.ask(DecideGap(asked));
    }
}

fn as_the_best(all: &mut Cases) {
    let tied = decided(|_, _| [1.0, 1.0, 1.0]);
    let mut gate = open();
    file_exact(&mut gate, 4, |_, _| [1.0, 1.0, 1.0]);
    let asked = gate.asked();
    gate.ask(DecideGap(asked));
    let best = claims(&tied, StopReason::Tied);
    let found = "the verdict is Confirm";
    all.moved("StopObjection.NotStop/tied", St2, found, &gate, &tied, best.clone());
    let undecided = open();
    all.moved(
        "StopObjection.NotDecided",
        Gd5,
        "no recorded verdict",
        &undecided,
        &tied,
        best.clone(),
    );
    let more = but(&tied, |it| file_exact(it, 1, |_, _| [1.0, 1.0, 1.0]));
    let name = "StopObjection.NotDecided/since the last block";
    all.moved(name, Gd5, "no recorded verdict", &more, &tied, best);

    let ahead = decided(|_, _| [1.1, 1.0, 1.0]);
    let half = decided(|of, _| if of == "chat" { [1.1, 1.0, 1.0] } else { [1.0, 1.0, 1.0] });
    let beats = claims(&ahead, StopReason::Beats);
    let found = "summarization is Tied";
    all.moved("StopObjection.NotAhead", St1, found, &half, &ahead, beats.clone());
    let mut gate = open();
    file_exact(&mut gate, 4, |_, _| [1.1, 1.0, 1.0]);
    let asked = gate.asked();
    gate.ask(DecideGap(asked));
    let found = "the verdict is Confirm";
    all.moved("StopObjection.NotStop/beats", St1, found, &gate, &ahead, beats);

    let trt = Framework::TensorrtLlm;
    let mut lost = after(&open(), BlockCompetitor(block_of(trt)));
    for _ in 0..2 {
        for index in 0..4 {
            for (of, _) in SCENARIOS {
                let mut block = gap_block(&mut lost, of, 1.06, index % 2 == 0);
                block.runs.retain(|it| it.framework != trt);
                lost.ask(FileGapBlock(block));
            }
        }
        let asked = lost.asked();
        lost.ask(DecideGap(asked));
    }
    let name = "StopObjection.CompetitorBlocked";
    let best = claims(&lost, StopReason::Tied);
    all.moved(name, Gd8, "tensorrt_llm", &lost, &tied, best);
}

fn service_level(all: &mut Cases) {
    let tied = decided(|_, _| [1.0, 1.0, 1.0]);
    let mut unknown = open();
    for _ in 0..2 {
        for index in 0..4 {
            for (of, _) in SCENARIOS {
                let mut block = gap_block(&mut unknown, of, 1.06, index % 2 == 0);
                let ours = block.runs.iter_mut().find(|it| it.framework == Framework::Vllm);
                let metrics = &mut ours.unwrap().measured.as_mut().unwrap().metrics;
                if of == "chat" && index == 3 {
                    metrics.remove(&Metric::latency(Stat::P50, LatencyKind::Ttft));
                }
                unknown.ask(FileGapBlock(block));
            }
        }
        let asked = unknown.asked();
        unknown.ask(DecideGap(asked));
    }
    let best = claims(&tied, StopReason::Tied);
    let found = "in chat is Marginal";
    all.moved("StopObjection.SlaNotPassed", St2, found, &unknown, &tied, best);
}

/// GD-7: behind on this build before, and level in fresh blocks.
fn pooled(all: &mut Cases) {
    let mut run = open();
    file_exact(&mut run, 4, |of, _| if of == "chat" { [0.9, 1.0, 0.8] } else { [1.0, 0.9, 0.9] });
    let asked = run.asked();
    run.ask(OpenProfiling(asked));
    let stand = run.stand();
    run.ask(AbandonRound(Abandonment { reason: line("measure again"), stand }));
    run.open_round();
    let rig = |it: &mut Run| {
        it.ask(NoteRig(RigChange { changed: line("the clocks are locked"), at: None }));
    };
    let level = |of: &str, _: usize| if of == "chat" { [1.0, 1.0, 0.8] } else { [1.0, 0.9, 0.9] };
    let again = but(&run, |it| confirm(it, level));
    let never = but(&open(), |it| confirm(it, level));
    let best = claims(&again, StopReason::Tied);
    let found = "chat was behind before, and its pooled interval against sglang";
    all.moved("StopObjection.PoolBehind", Gd7, found, &again, &never, best.clone());
    // A word about the rig is no measurement, before the blocks of the round or after them.
    let name = |what: &str| format!("StopObjection.PoolBehind/{what}");
    let early = but(&but(&run, rig), |it| confirm(it, level));
    all.moved(&name("a rig noted before"), Gd7, found, &early, &never, best.clone());
    let late = but(&but(&again, rig), |it| confirm(it, level));
    all.moved(&name("a rig noted after"), Gd7, found, &late, &never, best.clone());
    // One scenario is behind, the other not compared yet: the rig may be mended, the gap stays.
    let mut half = open();
    for index in 0..4 {
        let mut order = [Framework::Vllm, Framework::Sglang, Framework::TensorrtLlm];
        order.rotate_left(index % 2);
        let slow = |it| match it {
            Framework::Vllm => (it, 0.9),
            Framework::Sglang => (it, 1.0),
            Framework::TensorrtLlm => (it, 0.8),
        };
        let block = exact(&mut half, "chat", &order.map(slow));
        half.ask(FileGapBlock(block));
    }
    let half = but(&but(&half, rig), |it| confirm(it, level));
    all.moved(&name("a rig noted in between"), Gd7, found, &half, &never, best);

    let mut claimed = landed(investigated());
    let fresh = but(&claimed, |it| {
        it.open_round();
        confirm(it, level);
    });
    claimed.open_round();
    file_exact(&mut claimed, 4, |of, _| match of {
        "chat" => [0.9, 1.0, 0.8],
        _ => [1.0, 0.9, 0.9],
    });
    let external = claims(&claimed, StopReason::External);
    claimed.ask(external).open_round();
    let again = but(&claimed, |it| confirm(it, level));
    let best = claims(&again, StopReason::Tied);
    let found = "chat was behind before, and its pooled interval against sglang";
    let name = "StopObjection.PoolBehind/after an external claim";
    all.moved(name, Gd7, found, &again, &fresh, best);
}

/// The same campaign with a kernel patch accepted.
fn landed(mut run: Run) -> Run {
    let target = kernel_target(&run);
    run.ask(OpenKernelAssist(target)).ask(FileDigest(ncu_digest("v1")));
    let it = patch(&run, "patch-1", true);
    run.ask(RecordPatch(it));
    run.trial(1.05);
    let told = run.acceptance();
    run.ask(AcceptPatch(told));
    run
}

/// A layer pipeline in which every row was looked into.
fn investigated() -> Run {
    let mut run = Run::layered();
    run.ask(NoteIdea(idea("norm", 2))).ask(NoteIdea(idea("routing", 1)));
    run
}

fn causes(all: &mut Cases) {
    let run = investigated();
    all.of(&run, ClaimStop, claim(&run, StopReason::External))
        .but("StopObjection.NoCause/external", St3, "no cause", |it| it.because = None)
        .but("StopObjection.NoEvidence/external", St3, "no evidence", |it| it.evidence.clear());
    all.of(&run, ClaimStop, claim(&run, StopReason::Limit))
        .but("StopObjection.NoCause/limit", St4, "no cause", |it| it.because = None)
        .but("StopObjection.NoEvidence/limit", St4, "no evidence", |it| it.evidence.clear());

    let mut unread = Run::layered();
    unread.ask(NoteIdea(idea("norm", 2)));
    let limit = claims(&unread, StopReason::Limit);
    let found = "(moe_routing_kernel) has vLLM source impact";
    // Both stages launch the kernel, so it has a row in each: one is cited here, both stand.
    let only_decode = {
        let mut run = Run::behind();
        let of = slow(&run);
        for framework in Framework::ALL.iter().copied() {
            for stage in STAGES {
                let mut it = profile(&mut run, framework, stage, &of);
                if stage == Stage::Prefill {
                    it.rows.iter_mut().for_each(|row| row.location = None);
                }
                run.ask(FileProfile(it));
            }
        }
        let cause = root_cause(&run);
        run.ask(NameRootCause(cause));
        let report = pipeline(&run);
        run.ask(FilePipeline(report)).ask(NoteIdea(idea("norm", 2)));
        run
    };
    let looked_into = after(&only_decode, NoteIdea(idea("routing", 1)));
    all.moved("StopObjection.Uninvestigated/limit", St5, found, &only_decode, &looked_into, limit);
    let external = claims(&unread, StopReason::External);
    let name = "StopObjection.Uninvestigated/external";
    all.moved(name, St5, found, &only_decode, &looked_into, external);

    let triaged = but(&Run::triaged(), |it| {
        it.ask(NoteIdea(idea("norm", 2))).ask(NoteIdea(idea("routing", 1)));
    });
    let limit = claims(&run, StopReason::Limit);
    let found = "no layer pipeline";
    all.moved("StopObjection.NoPipeline", St4, found, &triaged, &run, limit);

    let behind = but(&open(), |it| {
        it.blocks(4, 1.0);
    });
    let mut known = investigated();
    let stand = known.stand();
    known.ask(AbandonRound(Abandonment { reason: line("measure again"), stand }));
    known.open_round().blocks(4, 1.0);
    let external = claims(&behind, StopReason::External);
    let found = "no profile says which rows are left";
    all.moved("StopObjection.NothingProfiled", St5, found, &behind, &known, external);
    not_measured(all, &only_decode);
}

/// A round without blocks says nothing of a gap, and an earlier Behind still stands.
fn not_measured(all: &mut Cases, unread: &Run) {
    let open = open();
    let level = but(&open, |it| {
        it.blocks(4, 1.06);
    });
    let external = claims(&open, StopReason::External);
    let found = "more blocks are wanted";
    all.moved("GapObjection.Undecided", Gd5, found, &open, &level, external);
    all.of(&level, ClaimStop, claim(&level, StopReason::External))
        .but("StopObjection.NoCause/gap", St3, "no cause", |it| it.because = None)
        .but("StopObjection.NoEvidence/gap", St3, "no evidence", |it| it.evidence.clear());
    let mut again = unread.clone();
    let stand = again.stand();
    again.ask(AbandonRound(Abandonment { reason: line("measure again"), stand }));
    again.open_round().blocks(4, 1.06);
    let looked_into = after(&again, NoteIdea(idea("routing", 1)));
    let external = claims(&again, StopReason::External);
    let found = "(moe_routing_kernel) has vLLM source impact";
    let name = "StopObjection.Uninvestigated/behind in an earlier round";
    all.moved(name, St5, found, &again, &looked_into, external);
}

fn places(all: &mut Cases) {
    let (tied, layers) = (decided(|_, _| [1.0, 1.0, 1.0]), investigated());
    let ahead = decided(|_, _| [1.1, 1.0, 1.0]);
    for (reason, clause, wrong, right) in [
        (StopReason::Limit, St4, &tied, &layers),
        (StopReason::Tied, St2, &layers, &tied),
        (StopReason::Beats, St1, &layers, &ahead),
    ] {
        let name = format!("StopObjection.WrongPlace/{reason}");
        all.moved(&name, clause, reason.as_str(), wrong, right, claims(wrong, reason));
    }
}

fn confirming(all: &mut Cases) {
    let claimed = Run::claimed();
    let order = StopCampaign(claimed.confirmation());
    let voided = but(&Run::accepted_patch(), |_| {});
    let name = "StopObjection.NoClaim/in the loop";
    all.moved(name, Gd4, "no claim stands", &voided, &claimed, order.clone());
    let stand = |change: fn(&mut Standpoint)| {
        let StopOrder::Confirm { stand } = claimed.confirmation() else { unreachable!() };
        StopCampaign(StopOrder::Confirm { stand: but(&stand, change) })
    };
    let mut wrong = |name: &str, clause, found: &str, change: fn(&mut Standpoint)| {
        all.add(name, clause, found, (&claimed, stand(change)), (&claimed, order.clone()));
    };
    wrong("StopObjection.ReviewOpen/active", Gd4, "is active", |it| {
        it.loop_state = LoopEnd::Active;
    });
    wrong("StopObjection.ReviewOpen/cancelled", Gd4, "is cancel", |it| {
        it.loop_state = LoopEnd::Cancel;
    });
    wrong("StopObjection.BuildMoved", Gd4, git("edited").as_str(), |it| {
        it.head.tree = git("edited");
    });
    wrong("LoopObjection.OtherDir/stop-campaign", Rl7, "2026-02-02_02-02-02", |it| {
        it.loop_dir = vsota_fixtures::model::name("2026-02-02_02-02-02");
    });
    wrong("LoopObjection.DirtyGate/stop-campaign", Pa1, "work tree", |it| it.head.clean = false);
    let successor = in_successor(&claimed);
    let elsewhere = StopCampaign(successor.confirmation());
    let found = "the claim was made in 2026-01-01_00-00-00";
    let good = (&claimed, StopCampaign(claimed.confirmation()));
    all.add("StopObjection.LoopMoved", Gd4, found, (&successor, elsewhere), good);
    let order = StopOrder::External {
        because: line("no fair comparison"),
        evidence: vec![artifact("benchmark/logs/weights.log")],
        shown: None,
    };
    let name = "StopObjection.NotHere";
    let found = "only on a claim";
    let good = (&claimed, StopCampaign(claimed.confirmation()));
    all.add(name, Gd4, found, (&claimed, StopCampaign(order)), good);
}

fn before_the_loop(all: &mut Cases) {
    let (searching, rows) = (Run::with_history(), Run::with_rows());
    let order = StopOrder::External {
        because: line("the weights cannot be loaded fairly"),
        evidence: vec![artifact("benchmark/logs/weights.log")],
        shown: None,
    };
    let found = "a fair comparison exists";
    let stop = StopCampaign(order.clone());
    all.moved("StopObjection.Comparable/rows", St3, found, &rows, &searching, stop.clone());
    let frozen = Run::frozen();
    all.moved("StopObjection.Comparable/frozen", St3, found, &frozen, &searching, stop.clone());
    let bare =
        StopOrder::External { because: line("no reason"), evidence: Vec::new(), shown: None };
    let name = "StopObjection.NoEvidence/before the loop";
    all.add(name, St3, "no evidence", (&searching, StopCampaign(bare)), (&searching, stop.clone()));
    let confirm =
        StopCampaign(StopOrder::Confirm { stand: vsota_fixtures::model::stand(BASELINE) });
    let name = "StopObjection.NoClaim/before the loop";
    all.add(name, Gd4, "no claim stands", (&searching, confirm), (&searching, stop));
}
