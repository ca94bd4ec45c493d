//! Blocks of a round, and blocks of a trial.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::gap::{block_of, open, without_trt};
use super::{Cases, after};

pub(super) fn cases(all: &mut Cases) {
    in_a_round(all);
    silent(all);
    in_a_trial(all);
    no_mock(all);
    under_a_claim(all);
}

fn of(block: &mut Block, framework: Framework) -> &mut BlockRun {
    block.runs.iter_mut().find(|it| it.framework == framework).unwrap()
}

fn in_a_round(all: &mut Cases) {
    let open = open();
    let block = gap_block(&mut open.clone(), "chat", 1.0, true);
    all.of(&open, FileGapBlock, block.clone())
        .but("BlockObjection.UnknownScenario/round", Fb14, "translation", |it| {
            it.scenario = name("translation");
        })
        .but("BlockObjection.TwoRuns/round", Gd2, "two launches of sglang", |it| {
            let mut again = of(it, Framework::Sglang).clone();
            again.log = Some(artifact("a-second-launch.log"));
            it.runs.push(again);
        })
        .but("BlockObjection.OtherCommand/vllm", Gd2, "vllm", |it| {
            of(it, Framework::Vllm).server_command = server_command(Framework::Vllm, 1);
        })
        .but("BlockObjection.OtherCommand/competitor", Gd2, "sglang", |it| {
            of(it, Framework::Sglang).server_command = server_command(Framework::Sglang, 1);
        })
        .but("BlockObjection.OtherSettings", Gd2, "sglang read another file", |it| {
            of(it, Framework::Sglang).settings = Some(artifact("benchmark/logs/fast.yaml"));
        })
        .but("BlockObjection.Mismatch/round", Fb3, "the gpu_model Another GPU", |it| {
            of(it, Framework::Sglang).identity.insert(Dimension::GpuModel, line("Another GPU"));
        })
        .but("BlockObjection.Mismatch/round, unknown", Fb3, "the precision unknown", |it| {
            let said = it.identity.remove(&Dimension::Precision).unwrap();
            let others = it.runs.iter_mut().filter(|it| it.framework != Framework::Vllm);
            others.for_each(|it| drop(it.identity.insert(Dimension::Precision, said.clone())));
        })
        .but("BlockObjection.OtherTree/other", Pa1, git(BASELINE).as_str(), |it| {
            of(it, Framework::Vllm).tree = Some(git("edited"));
        })
        .but("BlockObjection.OtherTree/unsaid", Pa1, git(BASELINE).as_str(), |it| {
            of(it, Framework::Vllm).tree = None;
        })
        .but("BlockObjection.NoVllm", Gd1, "no run of vllm", |it| {
            it.runs.retain(|it| it.framework != Framework::Vllm);
        })
        .but("BlockObjection.NoRival", Gd1, "chat is not unopposed", |it| {
            it.runs.retain(|it| it.framework == Framework::Vllm);
        });
    let trt = Framework::TensorrtLlm;
    let blocked = after(&open, BlockCompetitor(block_of(trt)));
    let file = FileGapBlock(block);
    all.moved("BlockObjection.RivalBlocked", Gd8, trt.as_str(), &blocked, &open, file.clone());
    let found = "tensorrt_llm has no frozen row in chat";
    all.moved("BlockObjection.NoWinner", Fb1, found, &without_trt(), &open, file);
}

#[test]
fn a_launch_of_the_benchmark_is_none_of_a_block() {
    let open = open();
    let mut block = gap_block(&mut open.clone(), "chat", 1.0, true);
    block.runs[0].log.as_mut().unwrap().sha256 = digest("launch 1");
    let step = open.campaign.decide(FileGapBlock(block)).unwrap();
    let vsota_core::event::Event::GapBlockFiled(filed) = step.event() else { unreachable!() };
    assert_eq!(filed.found.report_only, Some(ReportOnly::LaunchReused));
}

fn build(block: &mut Block, build: Build) -> &mut BlockRun {
    block.runs.iter_mut().find(|it| it.build == Some(build)).unwrap()
}

/// What a frozen row said, a run says again: silence is no match.
fn silent(all: &mut Cases) {
    let (dimension, word) = (Dimension::Speculation, line("off"));
    let mut run = Run::with_history().searched(|it| {
        it.identity.insert(dimension, word.clone());
        true
    });
    run.ask(FreezeBenchmark(freeze())).ask(FilePlan(plan())).ask(EnterLoop(loop_start()));
    run.open_round();
    let mut good = gap_block(&mut run, "chat", 1.0, true);
    good.identity.insert(dimension, word.clone());
    let found = "sglang ran chat with the speculation unknown; its frozen row has off";
    all.of(&run, FileGapBlock, good).but("BlockObjection.Mismatch/silent", Fb3, found, |it| {
        let said = it.identity.remove(&Dimension::Speculation).unwrap();
        let others = it.runs.iter_mut().filter(|it| it.framework != Framework::Sglang);
        others.for_each(|it| drop(it.identity.insert(Dimension::Speculation, said.clone())));
    });
}

fn no_mock(all: &mut Cases) {
    let open = open().in_earnest();
    let block = gap_block(&mut open.clone(), "chat", 1.0, true);
    let found = "a mock made up the run of sglang";
    all.of(&open, FileGapBlock, block).but("BlockObjection.MockResult/round", Fb5, found, |it| {
        of(it, Framework::Sglang).mock = true;
    });
    let patched = Run::patched().in_earnest();
    let block = trial_block(&mut patched.clone(), "chat", 1.05, true);
    let found = "a mock made up the run of vllm";
    all.of(&patched, FileTrialBlock, block).but(
        "BlockObjection.MockResult/trial",
        Fb5,
        found,
        |it| {
            build(it, Build::New).mock = true;
        },
    );
}

fn in_a_trial(all: &mut Cases) {
    let patched = Run::patched();
    let block = trial_block(&mut patched.clone(), "chat", 1.05, true);
    all.of(&patched, FileTrialBlock, block)
        .but("BlockObjection.UnknownScenario/trial", Fb14, "translation", |it| {
            it.scenario = name("translation");
        })
        .but("BlockObjection.NoPair/no new", Rv1, "one run of the new build", |it| {
            it.runs.retain(|it| it.build == Some(Build::Accepted));
        })
        .but("BlockObjection.NoPair/no accepted", Rv1, "one of the accepted build", |it| {
            it.runs.retain(|it| it.build == Some(Build::New));
        })
        .but("BlockObjection.NoPair/two new", Rv1, "one run of the new build", |it| {
            let again = build(it, Build::New).clone();
            it.runs.push(again);
        })
        .but("BlockObjection.Mismatch/trial", Fb3, "the quantization fp8", |it| {
            build(it, Build::New).identity.insert(Dimension::Quantization, line("fp8"));
        })
        .but("BlockObjection.OtherNewTree", Rv1, git("patch-1").as_str(), |it| {
            build(it, Build::New).tree = Some(git("edited"));
        })
        .but("BlockObjection.OtherAcceptedTree", Rv1, git(BASELINE).as_str(), |it| {
            build(it, Build::Accepted).tree = Some(git("edited"));
        })
        .but("BlockObjection.OtherCommand/accepted build", Gd2, "vllm", |it| {
            build(it, Build::Accepted).server_command = server_command(Framework::Vllm, 1);
        })
        .but("BlockObjection.Stranger/competitor", Rv1, "sglang", |it| {
            let mut stranger = build(it, Build::New).clone();
            stranger.framework = Framework::Sglang;
            stranger.build = None;
            it.runs.push(stranger);
        })
        .but("BlockObjection.Stranger/dressed as a build", Rv1, "sglang", |it| {
            let mut stranger = build(it, Build::New).clone();
            stranger.framework = Framework::Sglang;
            it.runs.push(stranger);
        });
}

/// A fixup on trial under a standing claim.
pub(super) fn fixup_under_claim() -> Run {
    let claimed = Run::claimed();
    after(&claimed, RecordFixup(fixup(&claimed, "fixup-1")))
}

fn under_a_claim(all: &mut Cases) {
    let (sglang, trt) = (Framework::Sglang, Framework::TensorrtLlm);
    let run = fixup_under_claim();
    let block = trial_block(&mut run.clone(), "chat", 1.0, true);
    all.of(&run, FileTrialBlock, block)
        .but("BlockObjection.ClaimNeedsRival", Rl9, "sglang", |it| {
            it.runs.retain(|it| it.framework != sglang);
        })
        .but("BlockObjection.TwoRuns/trial", Gd2, "two launches of sglang", |it| {
            let again = of(it, sglang).clone();
            it.runs.push(again);
        })
        .but("BlockObjection.Mismatch/rival in a trial", Fb3, "the gpu_ids 7", |it| {
            of(it, sglang).identity.insert(Dimension::GpuIds, line("7"));
        })
        .but("BlockObjection.OtherCommand/rival in a trial", Gd2, "sglang", |it| {
            of(it, sglang).server_command = server_command(sglang, 1);
        });
    // A blocked competitor cannot run, so no claim asks for it.
    let mut lost = after(&Run::accepted_patch(), NoteIdea(idea("norm", 2)));
    lost.open_round().ask(BlockCompetitor(block_of(trt)));
    for (of, _) in SCENARIOS.iter().chain(&SCENARIOS).chain(&SCENARIOS).chain(&SCENARIOS) {
        let mut block = gap_block(&mut lost, of, 0.8, true);
        block.runs.retain(|it| it.framework != trt);
        lost.ask(FileGapBlock(block));
    }
    let external = ClaimStop(claim(&lost, StopReason::External));
    let claimed = after(&lost, external);
    let run = after(&claimed, RecordFixup(fixup(&claimed, "fixup-1")));
    let block = trial_block(&mut run.clone(), "chat", 1.0, true);
    assert!(block.runs.iter().all(|it| it.framework != trt));
    all.of(&run, FileTrialBlock, block).but(
        "BlockObjection.ClaimNeedsRival/only one that runs",
        Rl9,
        "sglang",
        |it| it.runs.retain(|it| it.framework != sglang),
    );
}

fn report_only(run: &Run, block: Block) -> Option<ReportOnly> {
    let step = run.campaign.decide(FileGapBlock(block)).unwrap();
    let vsota_core::event::Event::GapBlockFiled(filed) = step.event() else { unreachable!() };
    filed.found.report_only
}

#[test]
fn numbers_that_an_earlier_run_holds_are_not_measured_twice() {
    let mut run = open();
    let first = gap_block(&mut run, "chat", 1.0, true);
    run.ask(FileGapBlock(first.clone()));
    let mut second = gap_block(&mut run, "chat", 1.0, false);
    assert_eq!(report_only(&run, second.clone()), None);
    let copied = of(&mut first.clone(), Framework::Sglang).measured.clone().unwrap().metrics;
    of(&mut second, Framework::Sglang).measured.as_mut().unwrap().metrics = copied;
    assert_eq!(report_only(&run, second), Some(ReportOnly::ResultReused));
}

#[test]
fn what_was_measured_before_the_round_is_none_of_it() {
    let run = open();
    let mut block = gap_block(&mut run.clone(), "chat", 1.0, true);
    assert_eq!(report_only(&run, block.clone()), None);
    for it in &mut block.runs {
        let measured = it.measured.as_mut().unwrap();
        measured.started_at -= 100 * 86_400_000;
        measured.ended_at -= 100 * 86_400_000;
    }
    assert_eq!(report_only(&run, block), Some(ReportOnly::Stale));
}

/// A server that does not come up tells neither its tree nor what its client would have sent: the block is
/// kept, and made again in its slot.
#[test]
fn a_side_that_came_to_nothing_breaks_its_block() {
    let nothing = |block: &mut Block| {
        block.identity.clear();
        for (it, status) in
            block.runs.iter_mut().zip([Status::Failed, Status::Skipped, Status::Skipped])
        {
            (it.measured, it.tree, it.status) = (None, None, status);
            it.identity.clear();
            it.log = it.log.take().filter(|_| status == Status::Failed);
        }
    };
    let run = open();
    let mut block = gap_block(&mut run.clone(), "chat", 1.0, true);
    nothing(&mut block);
    assert_eq!(report_only(&run, block.clone()), Some(ReportOnly::Broken));
    // Who says that it ran owes its log, and its tree.
    of(&mut block, Framework::Vllm).status = Status::Ok;
    assert!(run.campaign.decide(FileGapBlock(block.clone())).is_err());
    let patched = Run::patched();
    let mut block = trial_block(&mut patched.clone(), "chat", 1.05, true);
    nothing(&mut block);
    let step = patched.campaign.decide(FileTrialBlock(block.clone())).unwrap();
    let vsota_core::event::Event::TrialBlockFiled(filed) = step.event() else { unreachable!() };
    assert_eq!(filed.found.report_only, Some(ReportOnly::Broken));
    // Another tree is another build, whatever came of it (PA-1).
    build(&mut block, Build::Accepted).tree = Some(git("edited"));
    assert!(patched.campaign.decide(FileTrialBlock(block)).is_err());
}
