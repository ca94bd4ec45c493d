//! A journal in which everything happened that a document can show. Told, not granted: a fold asks
//! no guard.

use vsota_core::event::*;
use vsota_core::facts::*;
use vsota_core::measure::Real;
use vsota_fixtures::model::*;

/// A whole campaign with every kind of event in it.
pub(super) fn eventful() -> Vec<Event> {
    let mut events = Vec::new();
    let mut fresh = 0;
    for event in Run::stopped().events {
        let kind = event.kind();
        match kind {
            EventKind::HistoryClosed => events.extend(history_events()),
            EventKind::BenchmarkFrozen => events.extend(bench_events()),
            _ => {}
        }
        events.push(event);
        match kind {
            EventKind::RoundOpened if fresh == 0 => {
                fresh = 1;
                events.extend(gap_events());
            }
            EventKind::ProfilingOpened => events.push(waiver()),
            EventKind::PipelineFiled => events.extend(layer_events()),
            EventKind::DigestFiled => events.push(ncu_block().into()),
            EventKind::PatchRecorded => events.extend(retried()),
            EventKind::PatchAccepted => events.extend(after_acceptance()),
            _ => {}
        }
    }
    events
}

fn history_events() -> Vec<Event> {
    let note = HistoryNote {
        framework: Framework::TensorrtLlm,
        root: line("/knowledge"),
        outcome: HistoryOutcome::NoneForFamily {
            slugs_tried: vec![name("demo-moe"), name("demo")],
            nearest_rejected: Some(name("other-moe")),
        },
        draft: artifact("history/none-draft.md"),
    };
    let tried = vec![line("/knowledge/sglang")];
    let block = HistoryBlock {
        framework: Framework::Sglang,
        tried,
        reason: line("the checkout is shallow"),
    };
    vec![HistoryNoted { said: note }.into(), HistoryBlocked { said: block }.into()]
}

fn bench_events() -> Vec<Event> {
    let mut run = Run::open();
    let mut failed = candidate(&mut run, Framework::Sglang, 7, "chat", 1.0);
    failed.status = Status::Oom;
    failed.measured = None;
    failed.failure_reason = Some(line("CUDA out of memory while capturing graphs"));
    let mut smoke = candidate(&mut run, Framework::Vllm, 8, "chat", 99.0);
    smoke.smoke = true;
    let mut other = candidate(&mut run, Framework::Vllm, 9, "chat", 98.0);
    other.identity.insert(Dimension::Precision, line("float16"));
    other.buckets = Some(Buckets {
        input_p50: 900,
        input_p95: 1_100,
        output_p50: 800,
        output_p95: 1_000,
        e2e_ms: [(Stat::P50, measured(4_000.0))].into(),
    });
    let plan = SearchPlan {
        plan: artifact("benchmark/plan.json"),
        spaces: vec![SearchSpace {
            framework: Framework::Sglang,
            candidates: vec![planned(Framework::Sglang, 7)],
            whole: true,
            skipped: vec![SkippedCandidate {
                id: name("sglang-8"),
                server_command: [line("sglang"), line("serve"), line("--fast")].iter().collect(),
                reason: line("FB-6: for the page"),
            }],
        }],
        unsupported: vec![LeftOut { name: name("lmdeploy"), reason: line("not run here") }],
    };
    let unsupported = Exclusion {
        framework: Framework::TensorrtLlm,
        cause: ExclusionCause::Unsupported { evidence: artifact("help/tensorrt_llm.txt") },
        reason: line("no PyTorch backend in this image"),
    };
    let by_user = Exclusion {
        framework: Framework::Sglang,
        cause: ExclusionCause::ByUser,
        reason: line("the user does not deploy it"),
    };
    let companion = Companion {
        name: CompanionName::HostSkill,
        noted: Noted::Blocked { reason: line("there is none on this host") },
    };
    vec![
        CompanionNoted { said: companion }.into(),
        SearchDeclared { said: plan }.into(),
        CandidateFiled { said: failed }.into(),
        CandidateFiled { said: smoke }.into(),
        CandidateFiled { said: other }.into(),
        FrameworkExcluded { said: unsupported }.into(),
        FrameworkExcluded { said: by_user }.into(),
    ]
}

fn gap_events() -> Vec<Event> {
    let changed = RigChange { changed: line("locked the clocks"), at: None };
    let block = CompetitorBlock {
        framework: Framework::TensorrtLlm,
        log: artifact("benchmark/logs/trt.log"),
        reason: line("the container is gone"),
    };
    let mut start = loop_start();
    start.handshake = Handshake::RoundContract;
    let reentry = LoopReentry { old_state: LoopEnd::Gone, start };
    vec![
        RigNoted { said: changed, found: Left { behind: true } }.into(),
        CompetitorBlocked { said: block }.into(),
        LoopReentered { said: reentry }.into(),
    ]
}

fn waiver() -> Event {
    let (framework, log) = (Framework::TensorrtLlm, artifact("profiles/r1/trt-waived.log"));
    ProfileWaived { said: ProfileWaiver { framework, log, reason: line("no profiler route") } }
        .into()
}

fn ncu_block() -> NcuBlocked {
    NcuBlocked {
        said: NcuBlock {
            kernel: name("rms-norm"),
            reason: line("performance counters need root"),
            next_edit: line("vectorise the loads"),
        },
    }
}

fn layer_events() -> Vec<Event> {
    let attempt = Attempt {
        name: name("try-1"),
        rows: vec![kernel_row(Stage::Decode, 1)],
        what: prose("Sorted the tokens by expert.\n\nIt was slower for small batches."),
        result: AttemptResult::Failed,
    };
    let mut external = idea("idea-b", 2);
    external.fate = IdeaFate::External;
    external.evidence = Some(artifact("benchmark/logs/driver.log"));
    external.ncu_versions = vec![name("v1")];
    external.history = vec![name("vllm-pr-4242")];
    let mut open = idea("idea-a", 1);
    open.fate = IdeaFate::Open;
    open.reason = None;
    let research = Research {
        sources: vec![
            ResearchSource::Code(line("sglang/layers/moe/router.py@abc")),
            ResearchSource::PullRequest(line("vllm#4242")),
            ResearchSource::Article(line("a talk on routing")),
        ],
        findings: prose("The leader sorts tokens by expert before the gemm."),
    };
    vec![
        AttemptNoted { said: attempt }.into(),
        IdeaNoted { said: open }.into(),
        IdeaNoted { said: idea("idea-a", 1) }.into(),
        IdeaNoted { said: external }.into(),
        ResearchNoted { said: research }.into(),
        ncu_block().into(),
    ]
}

/// The first recorded patch is amended, fails its tests, and is recorded once more.
fn retried() -> Vec<Event> {
    let run = Run::assisted();
    let mut first = patch(&run, "patch-1", true);
    first.copied = vec![Copied {
        provenance: Some(line("sglang/layers/moe/router.py@abc")),
        licence: Some(line("Apache-2.0")),
        local_delta: Some(line("names only")),
    }];
    first.history = HistoryUse::NoneApplicable(line("no item speaks of routing"));
    first.not_local_because = Some(line("two layers share the helper"));
    first.checks_gone = Some(ChecksGone {
        count: 3,
        shown: vec![
            line("tests/kernels/moe/test_routing.py: def test_a|b"),
            line("csrc/moe/routing.cu: TORCH_CHECK(topk > 0)"),
        ],
        because: Some(line("the head checks both once")),
    });
    let mut failing = tests(first.stand.head.commit.clone());
    failing.failed = vec![line("tests/kernels/moe/test_routing.py::test_ties")];
    failing.waived = vec![WaivedTest {
        name: line("tests/test_flaky.py::test_a|b"),
        reason: line("fails on the baseline as well"),
    }];
    let amendment = Amendment { patch: first.clone(), reason: line("the test was missing") };
    let head = run.stand().head;
    let rejection = Rejection { reason: line("wrong for ties"), head };
    let mut second = patch(&run, "patch-2", true);
    second.copied = first.copied;
    vec![
        PatchAmended { said: amendment }.into(),
        TestsFiled { said: failing }.into(),
        PatchRetried { said: rejection }.into(),
        PatchRecorded { said: second }.into(),
    ]
}

/// A fixup that holds, one that does not, and a round that is given up.
fn after_acceptance() -> Vec<Event> {
    let run = Run::accepted_patch();
    let real = |value| Real::new(value).unwrap();
    let gain = Gain {
        blocks: 4,
        gain_pct: real(0.2),
        lo: real(-0.001),
        hi: real(0.005),
        weak: true,
        values: [(name("chat"), measured(10.5))].into(),
    };
    let acceptance = Acceptance { stand: run.stand(), next_planned: None };
    let found = Accepted { gain, claim_renewed: None };
    let rejection = Rejection { reason: line("slower"), head: run.stand().head };
    let start = RoundStart { stand: run.stand(), review: Some(Review::Stalled) };
    let left = Abandonment { reason: line("the rig was needed elsewhere"), stand: run.stand() };
    vec![
        FixupRecorded { said: fixup(&run, "fixup-1") }.into(),
        PatchAccepted { said: acceptance, found }.into(),
        FixupRecorded { said: fixup(&run, "fixup-2") }.into(),
        PatchRejected { said: rejection }.into(),
        RoundOpened { said: start, found: 2 }.into(),
        RoundAbandoned { said: left, found: Left { behind: true } }.into(),
    ]
}
