//! The way into kernel assist, and its digests.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::loops::blocked;
use super::rank::told_otherwise;
use super::{Cases, after, but};

pub(super) fn cases(all: &mut Cases) {
    not_behind(all);
    targets(all);
    families(all);
    digests(all);
}

/// A layer pipeline whose vLLM decode profile holds small kernels beside the large ones.
pub(super) fn with_small_kernels() -> Run {
    let mut run = Run::behind();
    let of = slow(&run);
    for framework in Framework::ALL.iter().copied() {
        for stage in STAGES {
            let mut it = profile(&mut run, framework, stage, &of);
            if (framework, stage) == (Framework::Vllm, Stage::Decode) {
                for n in 4..=6 {
                    let mut small = it.rows[0].clone();
                    small.row.n = n;
                    small.name = line(&format!("gather_{n}"));
                    small.share = share(0.004);
                    it.rows.push(small);
                }
            }
            run.ask(FileProfile(it));
        }
    }
    let cause = root_cause(&run);
    run.ask(NameRootCause(cause));
    let report = pipeline(&run);
    run.ask(FilePipeline(report));
    run
}

/// A round that vLLM's TTFT alone opens: it is ahead everywhere and fails the SLA of `chat`.
pub(super) fn sla_round_of(told: impl FnOnce(&mut InputsGiven)) -> Run {
    let mut run = told_otherwise(told);
    for framework in Framework::ALL.iter().copied() {
        let output = artifact(&format!("help/{framework}.txt"));
        run.ask(FileHelp(HelpOutput { framework, output })).search(framework);
    }
    run.ask(FreezeBenchmark(freeze())).ask(FilePlan(plan())).ask(EnterLoop(loop_start()));
    run.open_round();
    for index in 0..4 {
        for (of, _) in SCENARIOS {
            let mut block = gap_block(&mut run, of, 1.2, index % 2 == 0);
            let late = (Metric::latency(Stat::P50, LatencyKind::Ttft), measured(3_000.0));
            for it in block.runs.iter_mut().filter(|it| it.framework == Framework::Vllm) {
                if of == "chat" {
                    it.measured.as_mut().unwrap().metrics.extend([late]);
                }
            }
            run.ask(FileGapBlock(block));
        }
    }
    let asked = run.asked();
    run.ask(OpenProfiling(asked));
    run
}

fn not_behind(all: &mut Cases) {
    let mut run = sla_round_of(|_| {});
    run.profiles();
    let cause = root_cause(&run);
    run.ask(NameRootCause(cause));
    let report = pipeline(&run);
    run.ask(FilePipeline(report));
    let target = OpenKernelAssist(kernel_target(&run));
    let name = "KernelObjection.NotBehind";
    all.moved(name, Ka2, "no scenario is proven behind", &run, &Run::layered(), target);
}

fn targets(all: &mut Cases) {
    let layered = Run::layered();
    all.of(&layered, OpenKernelAssist, kernel_target(&layered))
        .but("KernelObjection.ProfilerEnough", Ka1, "not enough", |it| {
            it.profiler_falls_short = None;
        })
        .but("KernelObjection.NoReference", Ka2, "reference", |it| it.reference = None)
        .but("KernelObjection.NoShapes/shapes", Ka2, "shapes", |it| it.shapes.clear())
        .but("KernelObjection.NoShapes/dtypes", Ka2, "dtypes", |it| it.dtypes.clear())
        .but("KernelObjection.NoShapes/layouts", Ka2, "layouts", |it| it.layouts.clear())
        .but("KernelObjection.NoWiring", Ka2, "wires", |it| it.wiring = None)
        .but("KernelObjection.OtherLoop", Ka6, "../kernel/.humanize", |it| {
            it.other_loops = lines(&["../kernel/.humanize/rlcr/2026-01-02_00-00-00"]);
        })
        .but("KernelObjection.SkillUnread", Ka7, "moe-routing", |it| {
            it.ncu_skill = Noted::Blocked { reason: line("not installed") };
        })
        .but("KernelObjection.NoHarness", Ka8, "harness", |it| it.harness = None);
    let unread = but(&kernel_target(&layered), |it| {
        it.ncu_skill = Noted::Blocked { reason: line("not installed") };
    });
    let name = "KernelObjection.SkillUnread/unless its blocker is filed";
    let target = OpenKernelAssist(unread);
    all.moved(name, Ka7, "moe-routing", &layered, &blocked(&layered), target);
}

fn families(all: &mut Cases) {
    let run = with_small_kernels();
    let small = |ns: &[u32]| ns.iter().map(|n| kernel_row(Stage::Decode, *n)).collect();
    all.of(&run, OpenKernelAssist, kernel_target(&run))
        .but("KernelObjection.NoRows", Ka2, "no kernel row", |it| it.rows.clear())
        .but("KernelObjection.NotASlowKernel/other stage", Ka2, "vllm:prefill:kernel:1", |it| {
            it.rows = vec![kernel_row(Stage::Prefill, 1)];
        })
        .but("KernelObjection.NotASlowKernel/other table", Ka2, "vllm:decode:fuse:1", |it| {
            it.rows[0].table = Table::Fuse;
        })
        .but("KernelObjection.NotASlowKernel/competitor", Ka2, "sglang:decode:kernel:1", |it| {
            it.rows[0].framework = Framework::Sglang;
        })
        .but("KernelObjection.NotASlowKernel/unknown", Ka2, "vllm:decode:kernel:99", |it| {
            it.rows = vec![kernel_row(Stage::Decode, 99)];
        })
        .but("KernelObjection.BelowOnePercent", Ka2, "0.80 %", |it| it.rows = small(&[4, 5]))
        .but("KernelObjection.BelowOnePercent/one row thrice", Ka2, "0.40 %", |it| {
            it.rows = small(&[4, 4, 4]);
        });
    let family = but(&kernel_target(&run), |it| {
        it.rows = small(&[4, 5, 6]);
        it.shared_source = Some(line("csrc/gather.cu"));
    });
    all.of(&run, OpenKernelAssist, family).but(
        "KernelObjection.NoSharedSource",
        Ka2,
        "no shared implementation",
        |it| it.shared_source = None,
    );
}

fn digests(all: &mut Cases) {
    let assisted = Run::assisted();
    all.of(&assisted, FileDigest, ncu_digest("v1"))
        .but("KernelObjection.NotOneEdit/none", Ka3, "0 next edits", |it| it.next_edits.clear())
        .but("KernelObjection.NotOneEdit/two", Ka3, "2 next edits", |it| {
            it.next_edits.push(line("and unroll the loop"));
        })
        .but("KernelObjection.NotCompared/nothing", Ka3, "compare", |it| {
            it.baseline_us.clear();
            it.candidate_us.clear();
        })
        .but("KernelObjection.NotCompared/one side", Ka3, "compare", |it| {
            it.candidate_us.clear();
        });
    let filed = after(&assisted, FileDigest(ncu_digest("v1")));
    all.of(&filed, FileDigest, ncu_digest("v2")).but(
        "KernelObjection.VersionUsed",
        Ka3,
        "v1",
        |it| it.version = name("v1"),
    );
}
