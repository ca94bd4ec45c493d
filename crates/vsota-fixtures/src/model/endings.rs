//! Short campaigns, one for each way in which a campaign ends, that together hold every event.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use vsota_core::command::*;
use vsota_core::facts::*;

use super::*;

/// Short campaigns by the way they end. The last two go on; what ended there is a round.
pub fn endings() -> Vec<(&'static str, Run)> {
    vec![
        ("tied", tied()),
        ("beats", beats()),
        ("external-before-the-loop", external_before_the_loop()),
        ("external", external()),
        ("limit", limit()),
        ("abandoned", abandoned()),
        ("rejected", rejected()),
    ]
}

/// One command of every kind, as some campaign asked it. Not every phase grants it.
pub fn samples() -> &'static BTreeMap<CommandKind, Command> {
    static SAMPLES: LazyLock<BTreeMap<CommandKind, Command>> = LazyLock::new(|| {
        let mut samples = BTreeMap::new();
        for (_, run) in endings() {
            for command in run.events.iter().map(vsota_core::event::Event::asked) {
                samples.entry(command.kind()).or_insert(command);
            }
        }
        samples
    });
    &SAMPLES
}

/// The whole space of a framework: one candidate.
pub(crate) fn tiny_search(frameworks: &[Framework]) -> SearchPlan {
    let space = |framework: &Framework| SearchSpace {
        framework: *framework,
        candidates: vec![planned(*framework, WINNER)],
        whole: true,
        skipped: Vec::new(),
    };
    SearchPlan {
        plan: artifact("benchmark/search.json"),
        spaces: frameworks.iter().map(space).collect(),
        unsupported: Vec::new(),
    }
}

/// One framework's only candidate in every scenario.
fn only_candidate(run: &mut Run, framework: Framework) {
    let lead = LEADS.iter().find(|(it, _)| *it == framework).map_or(1.0, |(_, lead)| *lead);
    for (of, base) in SCENARIOS {
        let row = candidate(run, framework, WINNER, of, base * lead);
        run.ask(FileCandidate(row));
    }
}

/// A small search without TensorRT-LLM, frozen, planned, and in the loop.
fn small(cause: ExclusionCause) -> Run {
    let mut run = Run::with_history();
    let frameworks = [Framework::Vllm, Framework::Sglang];
    let framework = Framework::TensorrtLlm;
    run.ask(ExcludeFramework(Exclusion { framework, cause, reason: line("not in this image") }));
    run.ask(DeclareSearch(tiny_search(&frameworks)));
    for framework in frameworks {
        let output = artifact(&format!("help/{framework}.txt"));
        run.ask(FileHelp(HelpOutput { framework, output }));
        only_candidate(&mut run, framework);
    }
    run.ask(FreezeBenchmark(freeze())).ask(FilePlan(plan())).ask(EnterLoop(loop_start()));
    run
}

fn unsupported() -> ExclusionCause {
    ExclusionCause::Unsupported { evidence: artifact("benchmark/logs/trtllm.log") }
}

/// A round that is behind, up to the layer report.
fn layered(run: &mut Run) {
    run.open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(OpenProfiling(asked)).profiles();
    let cause = root_cause(run);
    run.ask(NameRootCause(cause));
    let report = pipeline(run);
    run.ask(FilePipeline(report));
}

/// Gate and confirmation at a level, and the claim that follows.
fn claimed(run: &mut Run, level: f64, reason: StopReason) {
    run.open_round();
    for _ in 0..2 {
        run.blocks(4, level);
        let asked = run.asked();
        run.ask(DecideGap(asked));
    }
    let it = claim(run, reason);
    run.ask(ClaimStop(it));
}

fn confirmed(mut run: Run) -> Run {
    let order = run.confirmation();
    run.ask(StopCampaign(order));
    run
}

/// A kernel patch closes the gap; a fixup keeps the claim; the review ends complete.
fn tied() -> Run {
    let mut run = small(ExclusionCause::ByUser);
    layered(&mut run);
    let target = kernel_target(&run);
    run.ask(OpenKernelAssist(target)).ask(FileDigest(ncu_digest("v1")));
    let it = patch(&run, "patch-1", true);
    run.ask(RecordPatch(it));
    let amended = patch(&run, "patch-1a", true);
    run.ask(AmendPatch(Amendment { patch: amended, reason: line("a typo") }));
    run.trial(1.05);
    let told = run.acceptance();
    run.ask(AcceptPatch(told));
    claimed(&mut run, 1.05, StopReason::Tied);
    let it = fixup(&run, "fixup-1");
    run.ask(RecordFixup(it)).trial(1.05);
    let told = run.acceptance();
    run.ask(AcceptPatch(told));
    confirmed(run)
}

/// vLLM is ahead from the start.
fn beats() -> Run {
    let mut run = small(unsupported());
    claimed(&mut run, 1.1, StopReason::Beats);
    confirmed(run)
}

/// No competitor can load the weights.
fn external_before_the_loop() -> Run {
    let mut run = Run::with_history();
    for framework in [Framework::Sglang, Framework::TensorrtLlm] {
        let mut row = candidate(&mut run, framework, 1, SCENARIOS[0].0, 1.0);
        row.status = Status::Failed;
        row.failure_reason = Some(line("the checkpoint format is not supported"));
        (row.measured, row.result) = (None, None);
        run.ask(FileCandidate(row));
    }
    run.ask(StopCampaign(StopOrder::External {
        because: line("the weights cannot be loaded fairly"),
        evidence: vec![artifact("benchmark/logs/weights.log")],
        shown: None,
    }));
    run
}

/// The leader is lost; what is left of the gap lies outside vLLM.
fn external() -> Run {
    let mut run = small(ExclusionCause::ByUser);
    run.open_round().blocks(1, 1.0);
    run.ask(NoteRig(RigChange { changed: line("the GPU clock is locked"), at: None }));
    run.ask(BlockCompetitor(CompetitorBlock {
        framework: Framework::Sglang,
        log: artifact("benchmark/logs/sglang-launch.log"),
        reason: line("the image was withdrawn"),
    }));
    run.ask(NoteResearch(research("sglang/srt/layers/moe/topk.py")));
    let it = claim(&run, StopReason::External);
    run.ask(ClaimStop(it));
    confirmed(run)
}

/// Every row was looked into; the hot path is near its limit.
fn limit() -> Run {
    let mut run = small(ExclusionCause::ByUser);
    layered(&mut run);
    run.ask(BlockNcu(NcuBlock {
        kernel: name("moe-routing"),
        reason: line("performance counters need root"),
        next_edit: line("route with a warp a token"),
    }));
    let target = kernel_target(&run);
    run.ask(OpenKernelAssist(target));
    run.ask(NoteAttempt(attempt("attempt-1")));
    run.ask(CloseKernelAssist(Because { reason: line("target dropped") }));
    run.ask(NoteIdea(idea("fused_moe", 1))).ask(NoteIdea(idea("layernorm", 2)));
    for (index, stage) in STAGES.into_iter().enumerate() {
        let rows = run.case().uninvestigated().filter(|it| it.row.stage == stage);
        let rows: Vec<_> = rows.map(|it| it.row).collect();
        if !rows.is_empty() {
            let it = Idea { rows, ..idea(&format!("rest-{index}"), 1) };
            run.ask(NoteIdea(it));
        }
    }
    let it = claim(&run, StopReason::Limit);
    run.ask(ClaimStop(it));
    confirmed(run)
}

/// Rounds that are left without a patch, and a loop that is lost between them.
fn abandoned() -> Run {
    let mut run = small(ExclusionCause::ByUser);
    run.open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(OpenProfiling(asked));
    run.ask(WaiveProfile(ProfileWaiver {
        framework: Framework::Sglang,
        log: artifact("profiles/sglang-capture.log"),
        reason: line("the capture crashes the server"),
    }));
    let it = abandonment(&run, LoopEnd::Active);
    run.ask(AbandonRound(it));
    layered(&mut run);
    run.ask(NoteIdea(idea("fused_moe", 1)));
    let it = abandonment(&run, LoopEnd::Active);
    run.ask(AbandonRound(it));
    let it = reentry(&run);
    run.ask(ReenterLoop(it));
    let (tried, reason) = (lines(&["/knowledge"]), line("not installed"));
    let framework = Framework::TensorrtLlm;
    run.ask(BlockHistory(HistoryBlock { framework, tried, reason }));
    run
}

/// A patch that is retried and then rejected.
fn rejected() -> Run {
    let mut run = small(ExclusionCause::ByUser);
    layered(&mut run);
    for build in ["patch-1", "patch-2"] {
        let it = patch(&run, build, false);
        run.ask(RecordPatch(it));
        let it = rejection(&run, "no gain");
        if build == "patch-1" {
            run.ask(RetryPatch(it))
        } else {
            run.ask(RejectPatch(it))
        };
    }
    run
}

/// A try that failed.
pub fn attempt(id: &str) -> Attempt {
    Attempt {
        name: name(id),
        rows: vec![kernel_row(Stage::Decode, 1)],
        what: prose("Two tokens a warp: more registers than there are."),
        result: AttemptResult::Failed,
    }
}

/// A rejection, with the accepted build checked out again.
pub fn rejection(run: &Run, reason: &str) -> Rejection {
    Rejection { reason: line(reason), head: run.stand().head }
}

/// A round that is left on the accepted build.
pub fn abandonment(run: &Run, loop_state: LoopEnd) -> Abandonment {
    let stand = Standpoint { loop_state, ..run.stand() };
    Abandonment { reason: line("nothing more to learn here"), stand }
}

/// A successor of the loop, on the build that is checked out.
pub fn reentry(run: &Run) -> LoopReentry {
    use vsota_core::State;
    let mut start = loop_start();
    let tree = match run.campaign.state() {
        State::Revalidate(it) => it.trialled().head().tree.clone(),
        _ => run.accepted(),
    };
    if let Some(head) = &mut start.checkout.head {
        head.tree = tree;
    }
    if let Some(active) = &mut start.active {
        active.dir = name(&format!("2026-01-02_{}", run.events.len()));
    }
    LoopReentry { old_state: LoopEnd::Maxiter, start }
}
