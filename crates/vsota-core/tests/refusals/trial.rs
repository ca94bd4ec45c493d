//! Revalidation: what a patch or a fixup still owes before it is accepted.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_core::{Clause, State};
use vsota_fixtures::model::*;

use super::kernel::sla_round_of;
use super::loops::blocked;
use super::{Cases, after, but};

pub(super) fn cases(all: &mut Cases) {
    amending(all);
    filing(all);
    accepting(all);
    gains(all);
    wiring(all);
}

fn fixup_on_trial() -> Run {
    let accepted = Run::accepted_patch();
    after(&accepted, RecordFixup(fixup(&accepted, "fixup-1")))
}

fn commit(run: &Run) -> vsota_core::GitId {
    let State::Revalidate(state) = run.campaign.state() else { panic!("no trial is open") };
    state.trialled().head().commit.clone()
}

fn amendment(run: &Run, build: &str) -> Amendment {
    Amendment { patch: patch(run, build, true), reason: line("a typo") }
}

fn amending(all: &mut Cases) {
    let patched = Run::patched();
    let tested = after(&patched, FileTests(tests(commit(&patched))));
    let amend = AmendPatch(amendment(&patched, "patch-2"));
    let name_ = "TrialObjection.AlreadyMeasured/tests";
    all.moved(name_, Rv1, "changes no more", &tested, &patched, amend.clone());
    let block = trial_block(&mut patched.clone(), "chat", 1.05, true);
    let measured = after(&patched, FileTrialBlock(block));
    let name_ = "TrialObjection.AlreadyMeasured/blocks";
    all.moved(name_, Rv1, "changes no more", &measured, &patched, amend.clone());
    let name_ = "TrialObjection.FixupAmended";
    all.moved(name_, Rl9, "a fixup is not amended", &fixup_on_trial(), &patched, amend);
    all.of(&patched, AmendPatch, amendment(&patched, "patch-2")).but(
        "PatchObjection.OtherBase/amendment",
        Pa1,
        git("elsewhere").as_str(),
        |it| it.patch.base_tree = git("elsewhere"),
    );
    all.of(&patched, AmendPatch, amendment(&patched, "patch-2"))
        .but("PatchObjection.KernelChanged/amended away", Pa4, "targets moe-routing", |it| {
            it.patch.kernel = None;
        })
        .but("PatchObjection.KernelChanged/another", Pa4, "targets moe-routing", |it| {
            it.patch.kernel.as_mut().unwrap().name = name("rms-norm");
        });
    let layered = Run::layered();
    let plain = after(&layered, RecordPatch(patch(&layered, "patch-1", false)));
    let amended = Amendment { patch: patch(&plain, "patch-2", false), reason: line("a typo") };
    all.of(&plain, AmendPatch, amended).but(
        "PatchObjection.KernelChanged/amended in",
        Pa4,
        "targets no kernel",
        |it| it.patch.kernel = patch(&plain, "patch-2", true).kernel,
    );
    let fixup = fixup_on_trial();
    let back = |run: &Run| RetryPatch(Rejection { reason: line("again"), head: run.stand().head });
    let name_ = "TrialObjection.FixupRetried";
    all.add(name_, Rl9, "reject it", (&fixup, back(&fixup)), (&patched, back(&patched)));
}

fn filing(all: &mut Cases) {
    let patched = Run::patched();
    let found = git("commit baseline");
    all.of(&patched, FileTests, tests(commit(&patched)))
        .but("TrialObjection.OtherCommit", Rv2, found.as_str(), |it| it.commit = found.clone())
        .but("TrialObjection.TestedElsewhere", Rv2, "while the tests ran", |it| {
            it.head = Some(found.clone());
        });
    let of = slow(&patched);
    let new = |framework, stage| {
        let mut it = profile(&mut patched.clone(), framework, stage, &of);
        it.tree = Some(git("patch-1"));
        it
    };
    let decode = new(Framework::Vllm, Stage::Decode);
    let name_ = "TrialObjection.NotVllm";
    let sglang = FileProfile(new(Framework::Sglang, Stage::Decode));
    all.add(name_, Rv1, "sglang", (&patched, sglang), (&patched, FileProfile(decode.clone())));
    let profiled = after(&patched, FileProfile(decode.clone()));
    let name_ = "TrialObjection.AlreadyProfiled";
    all.moved(name_, Rv1, "a decode profile", &profiled, &patched, FileProfile(decode.clone()));
    let old = trace_of_the_round(&patched);
    all.of(&patched, FileProfile, decode.clone()).but(
        "TrialObjection.OldTrace",
        Pr8,
        "before the patch",
        move |it| it.traces = vec![old],
    );
    launched(all, &patched, &decode);
    all.of(&patched, FileProfile, decode).but(
        "ProfilingObjection.OtherBuild/revalidation",
        Pr8,
        git("patch-1").as_str(),
        |it| it.tree = Some(git(BASELINE)),
    );
}

/// The profile of a patch is of its own launch, with the command that its blocks run.
fn launched(all: &mut Cases, patched: &Run, decode: &Profile) {
    let mut tried = patched.clone();
    let of = slow(patched);
    let block = trial_block(&mut tried, &of, 1.05, true);
    tried.ask(FileTrialBlock(block.clone()));
    let accepted = block.runs.iter().find(|it| it.build == Some(Build::Accepted)).unwrap();
    let accepted = accepted.launch().unwrap();
    let before = {
        let State::Revalidate(state) = patched.campaign.state() else { panic!("no trial is open") };
        let profiles = &state.trialled().triage().unwrap().profiles;
        profiles.iter().find(|it| it.framework == Framework::Vllm).unwrap().launch
    };
    let searched = server_command(Framework::Vllm, 2);
    all.of(&tried, FileProfile, decode.clone())
        .but("TrialObjection.OtherLaunch/before the patch", Pr8, "before the patch", |it| {
            it.launch = before;
        })
        .but("TrialObjection.OtherLaunch/accepted build", Pr8, "another side", |it| {
            it.launch = accepted;
        })
        .but("TrialObjection.ProfiledElsewhere/blocks", Rv1, "not made with", |it| {
            it.server_command = searched.clone();
        });
    all.of(patched, FileProfile, decode.clone()).but(
        "TrialObjection.ProfiledElsewhere/best",
        Rv1,
        "not made with",
        |it| it.server_command = searched.clone(),
    );
}

/// What a trial of a patch is made of.
#[derive(Clone)]
pub(super) struct Trial {
    pub(super) tests: Vec<TestRun>,
    /// The gain of each block, in scenario and order of filing.
    pub(super) gain: fn(&str, usize) -> f64,
    pub(super) blocks: usize,
    pub(super) profile: bool,
    pub(super) row: Option<&'static str>,
    pub(super) change: fn(&str, &mut Block),
}

pub(super) fn trial(run: &Run) -> Trial {
    Trial {
        tests: vec![tests(commit(run))],
        gain: |_, _| 1.05,
        blocks: 4,
        profile: true,
        row: None,
        change: |_, _| {},
    }
}

/// The campaign after that trial.
pub(super) fn tried(run: &Run, trial: &Trial) -> Run {
    let mut run = run.clone();
    for it in &trial.tests {
        run.ask(FileTests(it.clone()));
    }
    for index in 0..trial.blocks {
        for (of, _) in SCENARIOS {
            let gain = (trial.gain)(of, index);
            let mut block = trial_block(&mut run, of, gain, index % 2 == 0);
            (trial.change)(of, &mut block);
            run.ask(FileTrialBlock(block));
        }
    }
    if trial.profile {
        let of = slow(&run);
        let mut it = profile(&mut run, Framework::Vllm, Stage::Decode, &of);
        it.tree = Some(run.acceptance().stand.head.tree);
        if let Some(row) = trial.row {
            it.rows[0].name = line(row);
        }
        run.ask(FileProfile(it));
    }
    run
}

/// A trial that goes wrong in one way is not accepted; the one that it was changed from is.
pub(super) fn wrong(
    all: &mut Cases,
    (name, clause, found): (&str, Clause, &str),
    run: &Run,
    good: &Trial,
    change: impl FnOnce(&mut Trial),
) {
    let (bad, good) = (tried(run, &but(good, change)), tried(run, good));
    all.moved(name, clause, found, &bad, &good, AcceptPatch(good.acceptance()));
}

fn accepting(all: &mut Cases) {
    let patched = Run::patched();
    let good = trial(&patched);
    let mut but = |name: &str, clause, found: &str, change: &dyn Fn(&mut Trial)| {
        wrong(all, (name, clause, found), &patched, &good, change);
    };
    but("TrialObjection.NoTests", Rv2, "no test", &|it| it.tests.clear());
    but("TrialObjection.NothingPassed", Rv2, "passed", &|it| it.tests[0].passed = 0);
    but("TrialObjection.TestsAborted", Rv2, "ended with 2", &|it| it.tests[0].exit = Some(2));
    but("TrialObjection.TestFailed", Rv2, "test_ties", &|it| {
        it.tests[0].failed = lines(&["test_ties"]);
    });
    but("TrialObjection.TestFailed/waived by another name", Rv2, "test_ties", &|it| {
        it.tests[0].failed = lines(&["test_ties"]);
        let waived = WaivedTest { name: line("test_sort"), reason: line("known") };
        it.tests[0].waived = vec![waived];
    });
    but("TrialObjection.Behind", Rv2, "in chat", &|it| {
        it.gain = |of, _| if of == "chat" { 0.95 } else { 1.2 };
    });
    but("TrialObjection.SlaNewlyFails", Rv2, "p50_ttft_ms in chat", &|it| {
        it.change = |of, block| {
            let late = (Metric::latency(Stat::P50, LatencyKind::Ttft), measured(3_000.0));
            let new = block.runs.iter_mut().filter(|it| it.build == Some(Build::New));
            for it in new.filter(|_| of == "chat") {
                it.measured.as_mut().unwrap().metrics.extend([late]);
            }
        };
    });
    too_few(all, &patched, &good);
    let measured = tried(&patched, &good);
    all.of(&measured, AcceptPatch, measured.acceptance()).but(
        "TrialObjection.HeadMoved",
        Rv1,
        git("edited").as_str(),
        |it| it.stand.head.tree = git("edited"),
    );
    all.of(&measured, AcceptPatch, measured.acceptance()).but(
        "LoopObjection.DirtyGate/accept-patch",
        Pa1,
        "work tree",
        |it| {
            it.stand.head.clean = false;
        },
    );
    another_limit(all);
}

/// The accepted build fails one limit already; the new build must not fail a second.
fn another_limit(all: &mut Cases) {
    let told = |given: &mut InputsGiven| {
        let tpot = LatencyMetric { stat: Stat::P50, kind: LatencyKind::Tpot };
        let limit = Input::SlaLimit { metric: tpot, limit: measured(100.0) };
        given.inputs.push(sourced(limit));
    };
    let run = sla_trial(told);
    let mut good = trial(&run);
    good.change = |of, block| {
        late(
            of,
            block,
            &[
                (LatencyKind::Ttft, Build::Accepted, 3_000.0),
                (LatencyKind::Ttft, Build::New, 2_500.0),
            ],
        )
    };
    let case = ("TrialObjection.SlaNewlyFails/another limit", Rv2, "p50_tpot_ms in chat");
    wrong(all, case, &run, &good, |it| {
        it.change = |of, block| {
            late(
                of,
                block,
                &[
                    (LatencyKind::Ttft, Build::Accepted, 3_000.0),
                    (LatencyKind::Ttft, Build::New, 2_500.0),
                    (LatencyKind::Tpot, Build::New, 200.0),
                ],
            );
        };
    });
}

/// Sets median latencies of the builds in `chat`.
fn late(of: &str, block: &mut Block, values: &[(LatencyKind, Build, f64)]) {
    for (kind, build, value) in values.iter().filter(|_| of == "chat") {
        let metric = (Metric::latency(Stat::P50, *kind), measured(*value));
        for it in block.runs.iter_mut().filter(|it| it.build == Some(*build)) {
            it.measured.as_mut().unwrap().metrics.extend([metric]);
        }
    }
}

/// A patch on trial in a round that a failed SLA opened, in a campaign that was told more.
fn sla_trial(told: impl FnOnce(&mut InputsGiven)) -> Run {
    let mut run = sla_round_of(told);
    run.profiles();
    let cause = root_cause(&run);
    run.ask(NameRootCause(cause));
    let report = pipeline(&run);
    run.ask(FilePipeline(report));
    let it = patch(&run, "patch-1", false);
    after(&run, RecordPatch(it))
}

/// Without four blocks in a scenario, and with all else; the missing one mends it.
fn too_few(all: &mut Cases, patched: &Run, good: &Trial) {
    let mut few = tried(patched, &but(good, |it| it.blocks = 3));
    let chat = trial_block(&mut few, "chat", 1.05, false);
    few.ask(FileTrialBlock(chat));
    let last = trial_block(&mut few, "summarization", 1.05, false);
    let enough = after(&few, FileTrialBlock(last));
    let accept = AcceptPatch(few.acceptance());
    let found = "summarization has 3 of the 4 blocks";
    all.moved("TrialObjection.TooFewBlocks", Rv1, found, &few, &enough, accept);
}

fn gains(all: &mut Cases) {
    let patched = Run::patched();
    let good = trial(&patched);
    let level: fn(&mut Trial) = |it| it.gain = |_, _| 1.0;
    let found = "no gain over the accepted build";
    wrong(all, ("TrialObjection.NoGain/kernel", Ka5, found), &patched, &good, level);
    let layered = Run::layered();
    let plain = after(&layered, RecordPatch(patch(&layered, "patch-1", false)));
    let good = trial(&plain);
    wrong(all, ("TrialObjection.NoGain/patch", Rv2, found), &plain, &good, level);
    // The rig swings by 2 % from block to block, and both builds with it.
    let swing = |_: &str, block: &mut Block| {
        for run in &mut block.runs {
            let measured = run.measured.as_mut().unwrap();
            let up = (measured.started_at / 2_400_000) % 2 == 0;
            let value = measured.metrics.get_mut(&Metric::RequestThroughput).unwrap();
            *value = vsota_fixtures::model::measured(value.get() * if up { 1.02 } else { 0.98 });
        }
    };
    let weak = |blocks: usize| {
        but(&good, |it| {
            it.gain = |_, _| 1.006;
            it.change = swing;
            it.blocks = blocks;
        })
    };
    let (few, enough) = (tried(&plain, &weak(4)), tried(&plain, &weak(8)));
    let (case, found) = ("TrialObjection.TooFewToBeWeak", "4 are filed");
    all.moved(case, Le3, found, &few, &enough, AcceptPatch(enough.acceptance()));
    let case = ("TrialObjection.NoProfile", Rv1, "no decode profile");
    wrong(all, case, &plain, &good, |it| it.profile = false);
    // Profiled first, and then searched anew.
    let mut profiled = plain.clone();
    let of = slow(&profiled);
    let mut it = profile(&mut profiled, Framework::Vllm, Stage::Decode, &of);
    it.tree = Some(profiled.acceptance().stand.head.tree);
    profiled.ask(FileProfile(it));
    let good = but(&good, |it| it.profile = false);
    let case = ("TrialObjection.OtherProfiled", Rv1, "the blocks of the new build ran");
    wrong(all, case, &profiled, &good, |it| {
        it.change = |_, block| {
            for run in block.runs.iter_mut().filter(|it| it.build == Some(Build::New)) {
                run.server_command = server_command(Framework::Vllm, 2);
            }
        };
    });
}

fn wiring(all: &mut Cases) {
    let patched = Run::patched();
    let good = trial(&patched);
    let case = ("TrialObjection.NotWired", Ka9, "moe_routing_kernel");
    wrong(all, case, &patched, &good, |it| it.row = Some("some_other_kernel"));
    let layered = blocked(&Run::layered());
    let record = |test: Option<&str>, change: fn(&mut TestRun)| {
        let mut it = patch(&layered, "patch-1", true);
        it.kernel.as_mut().unwrap().correctness_test = test.map(line);
        let run = after(&layered, RecordPatch(it));
        tried(&run, &but(&trial(&run), |it| change(&mut it.tests[0])))
    };
    let cited = Some("tests/kernels/moe/test_routing.py::test_ties");
    let (bad, good) = (record(None, |_| {}), record(cited, |_| {}));
    let accept = AcceptPatch(good.acceptance());
    let name = "TrialObjection.NoFocusedTest";
    all.moved(name, Ka9, "no focused", &bad, &good, accept.clone());
    let never = record(cited, |it| it.focused = None);
    let name = "TrialObjection.FocusedTestNotRun";
    all.moved(name, Ka9, "names the focused", &never, &good, accept.clone());
    let other = record(Some("tests/kernels/moe/test_routing.py::test_ties[7]"), |_| {});
    let name = "TrialObjection.FocusedTestNotRun/other parameters";
    all.moved(name, Ka9, "test_ties[7]", &other, &good, accept.clone());
    let waived = record(cited, |it| {
        let name = line("tests.kernels.moe.test_routing::test_ties[2]");
        it.failed = vec![name.clone()];
        it.waived = vec![WaivedTest { name, reason: line("known") }];
    });
    let name = "TrialObjection.FocusedTestFailed";
    all.moved(name, Ka9, "nobody waives", &waived, &good, accept);
}

/// A vllm decode trace that the round profiled before the patch.
fn trace_of_the_round(run: &Run) -> vsota_core::Digest {
    let vsota_core::State::Revalidate(state) = run.campaign.state() else { panic!("a trial") };
    let profiles = &state.trialled().triage().unwrap().profiles;
    let ours = |it: &&Profile| it.framework == Framework::Vllm && it.stage == Stage::Decode;
    profiles.iter().find(ours).unwrap().traces[0]
}

#[test]
fn a_focused_test_is_known_by_its_path_and_its_name() {
    let kernel = |test: &str| KernelPatch {
        name: name("moe-routing"),
        rows: Vec::new(),
        shared_source: None,
        new_kernel: line("moe_routing_kernel"),
        correctness_test: Some(line(test)),
    };
    let cited = [
        ("tests/moe/test_a.py::test_b", "tests.moe.test_a::test_b", true),
        ("tests/moe/test_a.py::test_b", "tests/moe/test_a.py::test_b[x-1]", true),
        ("tests/moe/test_a.py::test_b", "tests.moe.test_a::test_bb", false),
        ("tests/moe/test_a.py::test_b", "tests.test_a::test_b", false),
        ("tests/moe/test_a.py::test_b[1]", "tests.moe.test_a::test_b[1]", true),
        ("tests/moe/test_a.py::test_b[1]", "tests.moe.test_a::test_b[2]", false),
        ("tests/moe/test_a.py::TestB", "tests.moe.test_a.TestB::test_c", true),
        ("tests/moe/test_a.py", "tests.moe.test_a::test_b", true),
        ("tests/moe", "tests.moe.test_a::test_b", false),
        ("topk_test::Ties", "topk_test::Ties", true),
    ];
    for (cited, found, same) in cited {
        assert_eq!(kernel(cited).is_focused(found), same, "{cited} {found}");
    }
}
