//! What a gap decision lets follow.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::bench::{exclusion, searched};
use super::{Cases, after, but};

/// A campaign in a round of its first loop, before any block.
pub(super) fn open() -> Run {
    but(&Run::in_loop(), |it| {
        it.open_round();
    })
}

/// The same, in a benchmark without TensorRT-LLM.
pub(super) fn without_trt() -> Run {
    let left_out = ExcludeFramework(exclusion(Framework::TensorrtLlm));
    let mut run = searched(&after(&Run::with_history(), left_out), None, |_| true);
    run.ask(FreezeBenchmark(freeze())).ask(FilePlan(plan())).ask(EnterLoop(loop_start()));
    run.open_round();
    run
}

/// A block with each framework exactly at its level times the frozen base of vLLM, within the SLA.
pub(super) fn exact(run: &mut Run, of: &str, levels: &[(Framework, f64)]) -> Block {
    let base = SCENARIOS.iter().find(|(it, _)| *it == of).unwrap().1;
    let one = |(framework, level): &(Framework, f64)| {
        let mut it = block_run(run, *framework, of, base);
        let mut found = measurement(run, of, base * level);
        let soon = (Metric::latency(Stat::P50, LatencyKind::Ttft), measured(800.0));
        found.metrics.extend([soon]);
        it.measured = Some(found);
        it
    };
    let runs = levels.iter().map(one).collect();
    Block::new(name(of), runs, artifact(&format!("benchmark/blocks/{of}.json")))
}

/// Blocks in every scenario, vLLM first in every other one.
pub(super) fn file_exact(run: &mut Run, count: usize, levels: impl Fn(&str, usize) -> [f64; 3]) {
    let frameworks = [Framework::Vllm, Framework::Sglang, Framework::TensorrtLlm];
    for index in 0..count {
        for (of, _) in SCENARIOS {
            let mut order: Vec<_> = frameworks.into_iter().zip(levels(of, index)).collect();
            if index % 2 == 1 {
                order.rotate_left(1);
            }
            let block = exact(run, of, &order);
            run.ask(FileGapBlock(block));
        }
    }
}

pub(super) fn cases(all: &mut Cases) {
    let level = |level| {
        but(&open(), |it| {
            it.blocks(4, level);
        })
    };
    let (behind, ahead) = (level(1.0), level(1.06));
    let asked = || DecisionAsked { stand: behind.stand() };
    let found = "the verdict is Patch";
    all.moved("GapObjection.PatchIsDue", Gd3, found, &behind, &ahead, DecideGap(asked()));
    let found = "the verdict is Confirm";
    all.moved("GapObjection.NoPatch", Gd3, found, &ahead, &behind, OpenProfiling(asked()));

    let leaves = Abandonment { reason: line("too slow"), stand: behind.stand() };
    all.moved(
        "GapObjection.PatchStands",
        Gd3,
        "the verdict is Patch",
        &behind,
        &ahead,
        AbandonRound(leaves.clone()),
    );
    let lost = but(&leaves, |it| it.stand.loop_state = LoopEnd::Gone);
    all.add(
        "GapObjection.PatchStands/unless the loop is lost",
        Gd3,
        "the verdict is Patch",
        (&behind, AbandonRound(leaves.clone())),
        (&behind, AbandonRound(lost)),
    );
    let elsewhere = but(&leaves, |it| {
        it.stand.loop_state = LoopEnd::Gone;
        it.stand.loop_dir = name("another-loop");
    });
    let gone = but(&leaves, |it| it.stand.loop_state = LoopEnd::Gone);
    all.add(
        "LoopObjection.OtherDir/abandoned in the gap decision",
        Rl7,
        "another-loop",
        (&behind, AbandonRound(elsewhere)),
        (&behind, AbandonRound(gone)),
    );
    let rig = NoteRig(RigChange { changed: line("clocks pinned"), at: None });
    all.moved("GapObjection.BehindStands", Gd7, "in chat, summarization", &behind, &ahead, rig);
    too_few_blocks(all);
    blocked_competitors(all);
    let blocked = after(&behind, BlockCompetitor(block_of(Framework::TensorrtLlm)));
    all.moved(
        "GapObjection.PatchStands/unless a competitor is lost",
        Gd3,
        "the verdict is Patch",
        &behind,
        &blocked,
        AbandonRound(leaves),
    );
}

fn too_few_blocks(all: &mut Cases) {
    let (vllm, sglang, trt) = (Framework::Vllm, Framework::Sglang, Framework::TensorrtLlm);
    let mut few = open();
    let file = |few: &mut Run, of: &str, frameworks: &[(Framework, f64)]| {
        let block = exact(few, of, frameworks);
        few.ask(FileGapBlock(block));
    };
    let three = [(vllm, 0.85), (sglang, 1.05), (trt, 1.04)];
    file(&mut few, "chat", &three);
    file(&mut few, "chat", &three);
    file(&mut few, "summarization", &three);
    file(&mut few, "summarization", &three[..2]);
    let mut enough = few.clone();
    file(&mut enough, "summarization", &[three[0], three[2]]);
    let asked = OpenProfiling(DecisionAsked { stand: few.stand() });
    let found = "summarization has 1 of the 2 blocks of this round with tensorrt_llm";
    all.moved("GapObjection.TooFewBlocks", Gd1, found, &few, &enough, asked);
}

pub(super) fn block_of(framework: Framework) -> CompetitorBlock {
    let log = artifact("benchmark/logs/launch.log");
    CompetitorBlock { framework, log, reason: line("the engine does not start any more") }
}

fn blocked_competitors(all: &mut Cases) {
    let (open, fewer) = (open(), without_trt());
    let trt = || BlockCompetitor(block_of(Framework::TensorrtLlm));
    all.of(&open, BlockCompetitor, block_of(Framework::Sglang)).but(
        "GapObjection.NoRival/vllm",
        Gd8,
        "vllm",
        |it| it.framework = Framework::Vllm,
    );
    all.moved("GapObjection.NoRival/excluded", Gd8, "tensorrt_llm", &fewer, &open, trt());
    let blocked = after(&open, trt());
    all.moved("GapObjection.AlreadyBlocked", Gd8, "tensorrt_llm", &blocked, &open, trt());
}
