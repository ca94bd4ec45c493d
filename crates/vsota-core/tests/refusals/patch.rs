//! Patches and fixups, before they are measured.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::bench::searched;
use super::kernel::with_small_kernels;
use super::loops::blocked;
use super::{Cases, after, but};

pub(super) fn cases(all: &mut Cases) {
    range(all);
    citations(all);
    papers(all);
    kernels(all);
    sglang_history(all);
    due(all);
    fixups(all);
}

fn code(path: &str) -> ChangedFile {
    ChangedFile { path: line(path), kind: FileKind::Code }
}

fn range(all: &mut Cases) {
    let layered = Run::layered();
    all.of(&layered, RecordPatch, patch(&layered, "patch-1", false))
        .but("PatchObjection.OtherBase", Pa1, git("elsewhere").as_str(), |it| {
            it.base_tree = git("elsewhere");
        })
        .but("PatchObjection.NoCommit", Pa1, "no commit", |it| it.commits = 0)
        .but("PatchObjection.NotDescendant", Pa1, "descend", |it| it.descends = false)
        .but("PatchObjection.Dirty", Pa1, "uncommitted", |it| it.stand.head.clean = false)
        .but("PatchObjection.SameTree", Pa1, "nothing changed", |it| {
            it.stand.head.tree = git(BASELINE);
        });
    let fixed = Run::accepted_patch();
    all.of(&fixed, RecordFixup, fixup(&fixed, "fixup-1"))
        .but("PatchObjection.OtherBase/fixup", Pa1, git(BASELINE).as_str(), |it| {
            it.base_tree = git(BASELINE);
        })
        .but("PatchObjection.SameTree/fixup", Pa1, "nothing changed", |it| {
            it.stand.head.tree = git("patch-1");
        });
}

fn citations(all: &mut Cases) {
    let layered = Run::layered();
    all.of(&layered, RecordPatch, patch(&layered, "patch-1", false))
        .but("PatchObjection.NoCode", Pa1, "no vLLM code", |it| {
            it.files[0].kind = FileKind::Launch;
        })
        .but("PatchObjection.UnknownSymptom", Pa2, "translation", |it| {
            it.symptom = name("translation");
        })
        .but("PatchObjection.UnknownRow", Pa2, "vllm:decode:kernel:9", |it| {
            it.profiler_row = kernel_row(Stage::Decode, 9);
        })
        .but("PatchObjection.UnknownLayerRow", Pa2, "layer-9-hot-1", |it| {
            it.layer_row = name("layer-9-hot-1");
        })
        .but("PatchObjection.SourceUntouched", Pa2, "vllm/other.py", |it| {
            it.source_path = line("vllm/other.py");
        })
        .but("PatchObjection.SourceUntouched/not code", Pa2, "test_routing.py", |it| {
            it.source_path = line("tests/kernels/moe/test_routing.py");
        })
        .but("PatchObjection.NotLocal", Pa2, "9 code files", |it| {
            it.files.extend((1..=8).map(|n| code(&format!("vllm/file_{n}.py"))));
        })
        .but("PatchObjection.WeakensCorrectness", Pa2, "weakens", |it| {
            it.weakens_correctness = true;
        });
    let explained = but(&patch(&layered, "patch-1", false), |it| it.checks_gone = Some(gone()));
    all.of(&layered, RecordPatch, explained).but(
        "PatchObjection.ChecksGone/patch",
        Pa2,
        "3 in all, the first tests/kernels/test_topk.py: def test_ties;",
        |it| it.checks_gone.as_mut().unwrap().because = None,
    );
    let unnamed = but(&patch(&layered, "patch-1", false), |it| {
        it.checks_gone = Some(ChecksGone { shown: Vec::new(), ..gone() });
    });
    all.of(&layered, RecordPatch, unnamed).but(
        "PatchObjection.ChecksGone/none of them named",
        Pa2,
        "3 in all, the first not named;",
        |it| it.checks_gone.as_mut().unwrap().because = None,
    );
    let wide = but(&patch(&layered, "patch-1", false), |it| {
        it.files.extend((1..=8).map(|n| code(&format!("vllm/file_{n}.py"))));
        it.not_local_because = Some(line("one rename"));
    });
    all.of(&layered, RecordPatch, wide).but(
        "PatchObjection.NotLocal/unless it says why",
        Pa2,
        "9 code files",
        |it| it.not_local_because = None,
    );
    let attempt = Attempt {
        name: name("patch-1"),
        rows: Vec::new(),
        what: prose("An early try."),
        result: AttemptResult::Failed,
    };
    let tried = after(&layered, NoteAttempt(attempt));
    all.of(&tried, RecordPatch, patch(&tried, "patch-2", false)).but(
        "PatchObjection.NameTaken/patch",
        Le1,
        "patch-1",
        |it| it.name = name("patch-1"),
    );
}

/// Checks that a diff takes away, with a reason.
fn gone() -> ChecksGone {
    ChecksGone {
        count: 3,
        shown: vec![line("tests/kernels/test_topk.py: def test_ties")],
        because: Some(line("test_order covers ties")),
    }
}

fn papers(all: &mut Cases) {
    let layered = Run::layered();
    let copied = but(&patch(&layered, "patch-1", false), |it| {
        it.copied = vec![Copied {
            provenance: Some(line("tensorrt_llm: kernels/routing.cu at 1234")),
            licence: Some(line("Apache-2.0")),
            local_delta: Some(line("the tie rule")),
        }];
    });
    all.of(&layered, RecordPatch, copied)
        .but("PatchObjection.Unattributed/provenance", Pa3, "provenance", |it| {
            it.copied[0].provenance = None;
        })
        .but("PatchObjection.Unattributed/licence", Pa3, "licence", |it| {
            it.copied[0].licence = None;
        })
        .but("PatchObjection.Unattributed/local delta", Pa3, "local delta", |it| {
            it.copied[0].local_delta = None;
        })
        .but("PatchObjection.NoHistory", Pa5, "no history item", |it| {
            it.history = HistoryUse::Items(Vec::new());
        })
        .but("PatchObjection.UnknownItem", Pa5, "vllm-pr-1", |it| {
            it.history = HistoryUse::Items(vec![name("vllm-pr-4242"), name("vllm-pr-1")]);
        });
}

fn kernels(all: &mut Cases) {
    let blocked_ = blocked(&Run::layered());
    for source in ["csrc/moe/routing.cu", "csrc/moe/routing.cuh"] {
        let cuda = but(&patch(&blocked_, "patch-1", true), |it| {
            it.files[0].path = line(source);
            it.source_path = line(source);
        });
        let name = format!("PatchObjection.KernelUndeclared/{source}");
        all.of(&blocked_, RecordPatch, cuda).but(&name, Pa4, source, |it| it.kernel = None);
    }
    let beside = but(&patch(&blocked_, "patch-1", false), |it| {
        it.files.push(ChangedFile { path: line("csrc/moe/routing.cu"), kind: FileKind::Code });
    });
    let declared = but(&beside, |it| it.kernel = patch(&blocked_, "patch-1", true).kernel);
    let name_ = "PatchObjection.KernelUndeclared/beside the source path";
    all.of(&blocked_, RecordPatch, declared)
        .but(name_, Pa4, "csrc/moe/routing.cu", |it| *it = beside);
    let small = blocked(&with_small_kernels());
    all.of(&small, RecordPatch, patch(&small, "patch-1", true))
        .but("PatchObjection.KernelRows/below", Pa4, "0.80 %", |it| {
            let rows = [4, 5].map(|n| kernel_row(Stage::Decode, n)).to_vec();
            it.kernel.as_mut().unwrap().rows = rows;
        })
        .but("PatchObjection.KernelRows/none", Pa4, "no kernel row", |it| {
            it.kernel.as_mut().unwrap().rows.clear();
        });
    let layered = Run::layered();
    let it = RecordPatch(patch(&layered, "patch-1", true));
    let name = "PatchObjection.NoNcu/layers";
    all.moved(name, Pa4, "moe-routing", &layered, &blocked(&layered), it.clone());
    let assisted = Run::assisted();
    let digested = after(&assisted, FileDigest(ncu_digest("v1")));
    all.moved(
        "PatchObjection.NoNcu/kernel assist",
        Pa4,
        "moe-routing",
        &assisted,
        &digested,
        it.clone(),
    );
    let name = "PatchObjection.NoNcu/unless blocked";
    all.moved(name, Pa4, "moe-routing", &assisted, &blocked(&assisted), it.clone());
    // What was filed stays on record when the assist is left (RV-3).
    let left = |run| after(run, CloseKernelAssist(Because { reason: line("dropped") }));
    let name = "PatchObjection.NoNcu/after the assist";
    all.moved(name, Pa4, "moe-routing", &left(&assisted), &left(&digested), it);
    all.of(&digested, RecordPatch, patch(&digested, "patch-1", true))
        .but("PatchObjection.OtherKernel/other", Pa4, "moe-routing", |it| {
            it.kernel.as_mut().unwrap().name = vsota_fixtures::model::name("rms-norm");
        })
        .but("PatchObjection.OtherKernel/none", Pa4, "moe-routing", |it| it.kernel = None);
}

/// A layer pipeline in a campaign that compares vLLM with TensorRT-LLM only.
fn without_sglang() -> Run {
    let mut given = inputs();
    let set = [Framework::Vllm, Framework::TensorrtLlm].into();
    given.inputs.push(sourced(Input::Frameworks(set)));
    let mut run = Run::open();
    run.ask(RecordInputs(given)).ask(CloseInputs(Nothing {}));
    run.ask(NoteHistory(history(Framework::Vllm))).ask(CloseHistory(Nothing {}));
    for name in CompanionName::ALL {
        run.ask(NoteCompanion(companion(*name)));
    }
    let mut run = searched(&run, None, |_| true);
    run.ask(FreezeBenchmark(freeze())).ask(FilePlan(plan())).ask(EnterLoop(loop_start()));
    run.open_round();
    for index in 0..4 {
        for (of, _) in SCENARIOS {
            let mut block = gap_block(&mut run, of, 0.9, index % 2 == 0);
            block.runs.retain(|it| it.framework != Framework::Sglang);
            run.ask(FileGapBlock(block));
        }
    }
    let asked = run.asked();
    run.ask(OpenProfiling(asked));
    let of = slow(&run);
    for framework in [Framework::Vllm, Framework::TensorrtLlm] {
        for stage in STAGES {
            let it = profile(&mut run, framework, stage, &of);
            run.ask(FileProfile(it));
        }
    }
    let cause = root_cause(&run);
    run.ask(NameRootCause(cause));
    let report = pipeline(&run);
    but(&run, |it| {
        it.ask(FilePipeline(report));
    })
}

fn sglang_history(all: &mut Cases) {
    let found = "SGLang's source is cited";
    let bare = without_sglang();
    let read = |run: &Run| after(run, NoteHistory(history(Framework::Sglang)));
    let borrowed = but(&patch(&bare, "patch-1", false), |it| {
        it.copied = vec![Copied {
            provenance: Some(line("SGLang: sgl-kernel/csrc/moe.cu at 1234")),
            licence: Some(line("Apache-2.0")),
            local_delta: Some(line("the tie rule")),
        }];
    });
    let name = "PatchObjection.SglangHistoryOwed/copied";
    all.moved(name, Hi2, found, &bare, &read(&bare), RecordPatch(borrowed));
    let plain = RecordPatch(patch(&bare, "patch-1", false));
    let source = but(&idea("moe", 1), |it| it.source_path = line("sglang/srt/layers/moe.py"));
    let origin = but(&idea("moe", 1), |it| it.provenance = line("SGLang at 1234"));
    for (what, idea) in [("idea", source), ("provenance", origin)] {
        let run = after(&bare, NoteIdea(idea));
        let name = format!("PatchObjection.SglangHistoryOwed/{what}");
        all.moved(&name, Hi2, found, &run, &read(&run), plain.clone());
    }
    let run = after(&bare, NoteResearch(research("sgl-project/sglang: moe.py at 1234")));
    let name = "PatchObjection.SglangHistoryOwed/research";
    all.moved(name, Hi2, found, &run, &read(&run), plain);
}

/// A layer pipeline after as many retried patches.
fn after_weak(count: u32) -> Run {
    let mut run = Run::layered();
    for n in 1..=count {
        let it = patch(&run, &format!("weak-{n}"), false);
        run.ask(RecordPatch(it));
        let head = run.stand().head;
        run.ask(RetryPatch(Rejection { reason: line("no gain"), head }));
    }
    run
}

fn due(all: &mut Cases) {
    let (one, two) = (after_weak(1), after_weak(2));
    let researched = after(&two, NoteResearch(research("vllm/sort.py")));
    let it = RecordPatch(patch(&two, "patch-1", false));
    let found = "2 outcomes in a row";
    all.moved("PatchObjection.ResearchDue", Le3, found, &two, &researched, it.clone());
    all.moved("PatchObjection.ResearchDue/not after one", Le3, found, &two, &one, it);
    let mut third = researched.clone();
    let it = patch(&third, "weak-3", false);
    third.ask(RecordPatch(it));
    let head = third.stand().head;
    third.ask(RetryPatch(Rejection { reason: line("no gain"), head }));
    let again = after(&third, NoteResearch(research("vllm/merge.py")));
    let it = RecordPatch(patch(&third, "patch-1", false));
    let name = "PatchObjection.ResearchDue/of its own";
    all.moved(name, Le3, "3 outcomes in a row", &third, &again, it);
}

fn fixups(all: &mut Cases) {
    let accepted = Run::accepted_patch();
    let explained = but(&fixup(&accepted, "fixup-1"), |it| it.checks_gone = Some(gone()));
    all.of(&accepted, RecordFixup, explained).but(
        "PatchObjection.ChecksGone/fixup",
        Pa2,
        "3 in all",
        |it| it.checks_gone.as_mut().unwrap().because = None,
    );
    all.of(&accepted, RecordFixup, fixup(&accepted, "fixup-1"))
        .but("PatchObjection.OutsideAccepted", Rl9, "vllm/other.py", |it| {
            it.files.push(code("vllm/other.py"));
        })
        .but("PatchObjection.EmptyFixup", Rl9, "no file", |it| it.files.clear())
        .but("PatchObjection.Unattributed/fixup", Pa3, "licence", |it| {
            it.copied = vec![Copied {
                provenance: Some(line("tensorrt_llm: kernels/routing.cu at 1234")),
                licence: None,
                local_delta: Some(line("the tie rule")),
            }];
        })
        .but("PatchObjection.NameTaken/fixup", Le1, "patch-1", |it| it.name = name("patch-1"));
}
