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
    moved_command(all);
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
        .but("BlockObjection.OtherVersion/old", Fb1, "as version 0.0.0; its frozen row", |it| {
            of(it, Framework::Sglang).framework_version = Some(line("0.0.0"));
        })
        .but("BlockObjection.OtherVersion/unknown", Fb1, "as version unknown; its", |it| {
            of(it, Framework::Sglang).framework_version = None;
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

/// A frozen commit is run again; vLLM's own is told by its tree, whatever its version is called.
#[test]
fn a_frozen_commit_is_the_commit_of_every_later_run() {
    let mut run = Run::with_history().searched(|it| {
        it.framework_commit = Some(line("0123abc"));
        true
    });
    run.ask(FreezeBenchmark(freeze())).ask(FilePlan(plan())).ask(EnterLoop(loop_start()));
    run.open_round();
    let mut block = gap_block(&mut run, "chat", 1.0, true);
    let found = run.refused(FileGapBlock(block.clone()));
    let said: Vec<_> = found.iter().map(|it| (it.clause, it.found.to_string())).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[0].0, Fb1);
    assert!(said[0].1.contains("its frozen row ran 0.0.1 (0123abc)"), "{said:?}");
    for it in block.runs.iter_mut().filter(|it| it.framework != Framework::Vllm) {
        it.framework_commit = Some(line("0123abc"));
    }
    of(&mut block, Framework::Vllm).framework_version = Some(line("0.0.2.dev1+gfeed"));
    assert!(run.campaign.decide(FileGapBlock(block)).is_ok());
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

/// A trial may move vLLM's command, to one in each scenario.
fn moved_command(all: &mut Cases) {
    let mut run = Run::patched();
    let tuned = |block: &mut Block, tokens: &str| {
        let command = &mut build(block, Build::New).server_command;
        command.push(&line("--max-num-batched-tokens"));
        command.push(&line(tokens));
    };
    let mut first = trial_block(&mut run, "chat", 1.05, true);
    tuned(&mut first, "8192");
    run.ask(FileTrialBlock(first));
    let other = trial_block(&mut run.clone(), "summarization", 1.05, true);
    assert!(run.campaign.decide(FileTrialBlock(other)).is_ok());
    let plain = trial_block(&mut run, "chat", 1.05, false);
    let mut good = plain.clone();
    tuned(&mut good, "8192");
    let found = "the new build ran chat with another launch command";
    all.of(&run, FileTrialBlock, good)
        .but("BlockObjection.OtherNewCommand/flags", Rv1, found, |it| {
            build(it, Build::New).server_command =
                build(&mut plain.clone(), Build::New).server_command.clone();
            tuned(it, "16384");
        })
        .but("BlockObjection.OtherNewCommand/settings", Rv1, found, |it| {
            build(it, Build::New).settings = Some(artifact("benchmark/logs/fast.yaml"));
        });
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

/// Neither another round, nor a note of the rig, nor another byte in its log makes a run new.
#[test]
fn a_run_is_counted_once_in_a_campaign() {
    let mut run = open();
    let mut first = gap_block(&mut run, "chat", 1.0, true);
    run.ask(FileGapBlock(first.clone()));
    let stand = run.stand();
    run.ask(AbandonRound(Abandonment { reason: line("measure again"), stand }));
    run.open_round().ask(NoteRig(RigChange { changed: line("rebooted"), at: None }));
    for (n, it) in first.runs.iter_mut().enumerate() {
        it.log = Some(artifact(&format!("the-same-launch-{n}.log")));
    }
    assert_eq!(report_only(&run, first.clone()), Some(ReportOnly::ResultReused));
    let moved = |it: &mut BlockRun, by: i64| {
        let measured = it.measured.as_mut().unwrap();
        measured.started_at += by;
        measured.ended_at += by;
        it.launched_at = it.launched_at.map(|at| at + by);
        it.closed_at = it.closed_at.map(|at| at + by);
    };
    let mut early = gap_block(&mut run, "chat", 1.0, true);
    let until = run.case().charter.measured_until;
    let begun = early.runs[0].launched_at.unwrap();
    early.runs.iter_mut().for_each(|it| moved(it, until - begun));
    assert_eq!(report_only(&run, early.clone()), None);
    early.runs.iter_mut().for_each(|it| moved(it, -1));
    assert_eq!(report_only(&run, early), Some(ReportOnly::Stale));
}

/// GD-2: servers that were up together are no fresh launches, whatever their logs are called.
#[test]
fn launches_that_overlap_are_not_fresh() {
    let mut run = open();
    let first = gap_block(&mut run, "chat", 1.0, true);
    let up = |block: &Block, n: usize| block.runs[n].up().unwrap();
    let but = |change: &dyn Fn(&mut Block)| {
        let mut block = first.clone();
        change(&mut block);
        report_only(&run, block)
    };
    assert_eq!(but(&|_| {}), None);
    let overlap = Some(ReportOnly::LaunchesOverlap);
    let (from, to) = (up(&first, 0).0, up(&first, 2).1);
    let alike = |it: &mut Block| {
        it.runs.iter_mut().for_each(|it| (it.launched_at, it.closed_at) = (Some(from), Some(to)));
    };
    assert_eq!(but(&alike), overlap);
    let next = up(&first, 1).0;
    assert_eq!(but(&|it| it.runs[0].closed_at = Some(next)), None);
    assert_eq!(but(&|it| it.runs[0].closed_at = Some(next + 1)), overlap);
    // What a record does not say of its launch, its run says: it was up while it was measured.
    assert_eq!(but(&|it| it.runs[1].launched_at = None), None);

    run.ask(FileGapBlock(first.clone()));
    let mut second = gap_block(&mut run, "chat", 1.0, false);
    assert_eq!(report_only(&run, second.clone()), None);
    second.runs[0].launched_at = Some(to - 1);
    assert_eq!(report_only(&run, second), overlap);
    // A launch from before the round is none of it.
    let mut warm = gap_block(&mut run, "chat", 1.0, true);
    warm.runs[0].launched_at = Some(run.case().frontier - 1);
    assert_eq!(report_only(&run, warm), Some(ReportOnly::Stale));
}

/// GD-5: in earnest a round is opened at a moment, and so are a change of the rig and a patch. The clock
/// of a host may be a minute behind; a demonstration's runs are made up.
#[test]
fn what_was_measured_before_a_round_was_opened_is_none_of_it() {
    let opened = |run: Run, at: i64| {
        let mut run = run;
        let stand = Standpoint { seen_at: Some(at), ..run.stand() };
        run.ask(OpenRound(RoundStart { stand, review: None }));
        run
    };
    let base = Run::in_loop();
    let mut clock = base.clone();
    clock.open_round();
    let block = gap_block(&mut clock.clone(), "chat", 1.0, true);
    let begun = block.runs[0].launched_at.unwrap();
    let earnest = || base.in_earnest();
    let stale = Some(ReportOnly::Stale);
    assert_eq!(report_only(&opened(earnest(), begun + 60_000), block.clone()), None);
    assert_eq!(report_only(&opened(earnest(), begun + 60_001), block.clone()), stale);
    assert_eq!(report_only(&opened(base.clone(), begun + 60_001), block.clone()), None);
    // A changed rig forgets a clock that ran ahead, and what comes is measured after the change.
    let rig = |at: i64| {
        let mut run = opened(earnest(), begun + 900_000_000);
        run.ask(NoteRig(RigChange { changed: line("the clock is set"), at: Some(at) }));
        report_only(&run, block.clone())
    };
    assert_eq!((rig(begun + 60_000), rig(begun + 60_001)), (None, stale));

    // The same of a patch and its trial.
    let assisted = {
        let mut run = Run::assisted().in_earnest();
        run.ask(FileDigest(ncu_digest("v1")));
        run
    };
    let recorded = |at: i64| {
        let mut run = assisted.clone();
        let mut it = patch(&run, "patch-1", true);
        it.stand.seen_at = Some(at);
        run.ask(RecordPatch(it));
        run
    };
    let trial = trial_block(&mut recorded(0), "chat", 1.05, true);
    let begun = trial.runs[0].launched_at.unwrap();
    let judged = |at: i64| {
        let step = recorded(at).campaign.decide(FileTrialBlock(trial.clone())).unwrap();
        let vsota_core::event::Event::TrialBlockFiled(filed) = step.event() else { unreachable!() };
        filed.found.report_only
    };
    assert_eq!((judged(begun + 60_000), judged(begun + 60_001)), (None, stale));
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
            (it.framework_version, it.framework_commit) = (None, None);
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
