//! Rounds: blocks, profiles, root cause, layers, kernel, patch, trial, claim.

use std::collections::BTreeMap;

use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_core::text::Argv;
use vsota_core::{GitId, State};

use super::bench::{LEADS, SCENARIOS, measurement, scenario, server_command};
use super::{Run, artifact, digest, head, kernel_row, line, lines, measured, name, prose, share};

/// The variant of each framework that won the search.
pub const WINNER: u32 = 4;

/// The two stages that every profiled framework is filed for.
pub const STAGES: [Stage; 2] = [Stage::Prefill, Stage::Decode];

/// A small deterministic noise of at most 0.2 %, different for each launch.
fn noise(tick: i64) -> f64 {
    let step = (tick * 7_919).rem_euclid(41) - 20;
    1.0 + f64::from(i32::try_from(step).unwrap()) * 0.000_1
}

/// What a framework is launched with: vLLM's current best, a competitor's frozen winner.
fn winning(run: &Run, framework: Framework, of: &str) -> Argv {
    let (case, of) = (run.case(), name(of));
    let frozen = case.charter.scenarios.get(&of).and_then(|it| it.winners.get(&framework));
    let command = match framework {
        Framework::Vllm => case.best_command.get(&of),
        Framework::Sglang | Framework::TensorrtLlm => frozen.map(|it| &it.server_command),
    };
    command.cloned().unwrap_or_else(|| server_command(framework, WINNER))
}

/// One run of a block, ten minutes after the one before.
pub fn block_run(run: &mut Run, framework: Framework, of: &str, req_s: f64) -> BlockRun {
    let log = run.log("benchmark/blocks/server");
    let vllm = framework == Framework::Vllm;
    BlockRun {
        framework,
        build: None,
        tree: vllm.then(|| run.accepted()),
        framework_version: Some(line(super::VERSION)),
        framework_commit: None,
        server_command: winning(run, framework, of),
        status: Status::Ok,
        smoke: false,
        mock: false,
        launched_at: Some(run.now() - 60_000),
        closed_at: Some(run.now() + 310_000),
        measured: Some(measurement(run, of, req_s * noise(run.tick))),
        identity: super::identity(),
        results: Vec::new(),
        log: Some(log),
        settings: None,
    }
}

/// A gap block in which competitors run at the frozen level and vLLM at `level` times its own.
pub fn gap_block(run: &mut Run, of: &str, level: f64, vllm_first: bool) -> Block {
    let base = SCENARIOS.iter().find(|(it, _)| *it == of).map_or(1.0, |(_, base)| *base);
    let mut order = vec![(Framework::Vllm, level)];
    order.extend(rivals(run, of));
    if !vllm_first {
        order.rotate_left(1);
    }
    let runs = order.into_iter().map(|(it, lead)| block_run(run, it, of, base * lead)).collect();
    Block::new(name(of), runs, artifact(&format!("benchmark/blocks/{}.json", run.tick)))
}

/// The competitors that a block of this scenario can run, with their leads.
fn rivals(run: &Run, of: &str) -> Vec<(Framework, f64)> {
    let case = run.case();
    let rows = case.charter.scenarios.get(&name(of)).map(|it| &it.winners);
    let runs = |it: &Framework| {
        rows.is_some_and(|rows| rows.contains_key(it)) && !case.blocked.contains(it)
    };
    LEADS.into_iter().filter(|(it, _)| runs(it)).collect()
}

/// A trial block in which the new build runs at `gain` times the accepted one.
///
/// A fixup under a standing claim is measured beside every rival (RL-9).
pub fn trial_block(run: &mut Run, of: &str, gain: f64, new_first: bool) -> Block {
    let State::Revalidate(state) = run.campaign.state() else { panic!("no trial is open") };
    let new = state.trialled().head().tree.clone();
    let claimed_fixup = state.trialled().triage().is_none() && run.case().claim.is_some();
    let base = SCENARIOS.iter().find(|(it, _)| *it == of).map_or(1.0, |(_, base)| *base);
    let vllm = Framework::Vllm;
    let mut order = vec![(vllm, Some(Build::New), gain), (vllm, Some(Build::Accepted), 1.0)];
    if claimed_fixup {
        order.extend(rivals(run, of).into_iter().map(|(it, lead)| (it, None, lead)));
    }
    if !new_first {
        order.reverse();
    }
    let mut one = |(framework, build, level): (Framework, Option<Build>, f64)| {
        let mut it = block_run(run, framework, of, base * level);
        it.build = build;
        if build == Some(Build::New) {
            it.tree = Some(new.clone());
        }
        it
    };
    let runs = order.into_iter().map(&mut one).collect();
    let source = artifact(&format!("benchmark/blocks/trial-{}.json", run.tick));
    Block::new(name(of), runs, source)
}

/// A profile of one framework and stage with three kernels, one overlap and one fuse row.
pub fn profile(run: &mut Run, framework: Framework, stage: Stage, of: &str) -> Profile {
    let launch = run.launch();
    let lengths = scenario(of);
    let (input_len, output_len) = match stage {
        Stage::Prefill => (lengths.input_len, 1),
        Stage::Decode => (1, lengths.output_len),
        Stage::Mixed | Stage::Unattributed => (lengths.input_len, lengths.output_len),
    };
    let row = |table, n, text: &str, part, location: Option<&str>| ProfileRow {
        row: RowId { framework, stage, table, n },
        name: line(text),
        share: share(part),
        location: location.map(line),
    };
    let moe = Some("vllm/model_executor/layers/fused_moe.py:120 fused_moe");
    let norm = Some("vllm/model_executor/layers/layernorm.py:40 forward");
    Profile {
        framework,
        stage,
        round: run.case().rounds,
        mock: false,
        tree: (framework == Framework::Vllm).then(|| run.accepted()),
        launch,
        server_command: winning(run, framework, of),
        scenario: name(of),
        input_len,
        output_len,
        lengths_confirmed: true,
        traces: vec![digest(&format!("trace {framework} {stage} {}", run.tick))],
        total_ns: 1_000_000,
        tokens: None,
        tables: Table::ALL.to_vec(),
        rows: vec![
            row(Table::Kernel, 1, "moe_routing_kernel", 0.5, moe),
            row(Table::Kernel, 2, "rms_norm_kernel", 0.3, norm),
            row(Table::Kernel, 3, "nccl_all_reduce", 0.2, None),
            row(Table::Overlap, 1, "nccl_all_reduce", 0.2, None),
            row(Table::Fuse, 1, "rms_norm + quant", 0.3, None),
        ],
        unlocated_share: share(0.2),
        source: artifact(&format!("profiles/r{}/{framework}-{stage}.json", run.case().rounds)),
    }
}

/// The slow scenario of the open round.
pub fn slow(run: &Run) -> String {
    let triage = match run.campaign.state() {
        State::Profiling(it) => it.triage(),
        State::LayerPipeline(it) => it.triage(),
        State::KernelAssist(it) => it.triage(),
        State::Revalidate(it) => it.trialled().triage().expect("a patch is on trial"),
        _ => panic!("no round is past its verdict"),
    };
    triage.verdict.slow.as_ref().expect("a patch verdict names a slow scenario").to_string()
}

/// A root cause that cites the MoE kernel of the decode stage.
pub fn root_cause(run: &Run) -> RootCause {
    RootCause {
        stand: run.stand(),
        slower_stage: Stage::Decode,
        stage_because: None,
        rows: vec![kernel_row(Stage::Decode, 1)],
        explanation: prose("The routing kernel takes half of a decode step; the leader fuses it."),
        sources: lines(&["vllm/model_executor/layers/fused_moe.py"]),
        estimated_gap_pct: Some(measured(4.0)),
        draft: artifact("analysis/root-cause-draft.md"),
    }
}

/// A layer report of the profiled decode trace.
pub fn pipeline(run: &Run) -> Pipeline {
    let triage = match run.campaign.state() {
        State::LayerPipeline(it) => it.triage(),
        _ => panic!("the layer pipeline is not open"),
    };
    let ours = |it: &&Profile| it.framework == Framework::Vllm && it.stage == Stage::Decode;
    let trace = triage.profiles.iter().find(ours).expect("a decode profile").traces[0];
    Pipeline {
        stand: run.stand(),
        trace,
        mock: false,
        config: digest("config.json"),
        num_layers: 4.try_into().unwrap(),
        layers_per_pass: 4,
        chosen_pass: 3,
        reason: line("median of the steady passes"),
        layer_types: vec![LayerType {
            name: name("moe"),
            layers: 4,
            mean_wall_ns: 250_000,
            mean_sum_ns: 240_000,
        }],
        representative: vec![Representative {
            layer: 2,
            layer_type: name("moe"),
            reason: line("nearest to the mean"),
        }],
        hot: vec![HotKernel {
            row: name("layer-2-hot-1"),
            layer: 2,
            name: line("moe_routing_kernel"),
            share: share(0.5),
        }],
        perfetto: vec![PerfettoRange { layer: 2, start_ns: 500_000, end_ns: 750_000 }],
        source: artifact("analysis/layers.json"),
    }
}

/// The MoE routing kernel as a target.
pub fn kernel_target(run: &Run) -> KernelTarget {
    KernelTarget {
        stand: run.stand(),
        name: name("moe-routing"),
        kind: KernelKind::Triton,
        rows: vec![kernel_row(Stage::Decode, 1)],
        shared_source: None,
        profiler_falls_short: Some(line("the trace does not say why the kernel stalls")),
        reference: Some(line("tests/kernels/moe/test_routing.py")),
        shapes: lines(&["[80, 64]"]),
        dtypes: lines(&["bfloat16"]),
        layouts: lines(&["row-major"]),
        wiring: Some(line("vllm/model_executor/layers/fused_moe.py")),
        ncu_skill: Noted::Read {
            path: line("/skills/ncu-report-skill/SKILL.md"),
            sha256: digest("ncu"),
        },
        harness: Some(line("benchmarks/kernels/bench_routing.py")),
        other_loops: Vec::new(),
    }
}

/// A digest of one version.
pub fn ncu_digest(version: &str) -> NcuDigest {
    NcuDigest {
        version: name(version),
        baseline_us: [41.5, 41.6, 41.4, 41.5].map(measured).to_vec(),
        candidate_us: [38.1, 38.0, 38.2, 38.1].map(measured).to_vec(),
        findings: prose("Stalls on global loads fell by half."),
        next_edits: lines(&["load the routing weights through shared memory"]),
        source: artifact(&format!("kernel/ncu-digests/{version}/details.csv")),
        compared: None,
    }
}

/// A patch of the MoE routing kernel on a build that is named by a word.
pub fn patch(run: &Run, build: &str, kernel: bool) -> Patch {
    let mut stand = run.stand();
    stand.head = head(build);
    let source = "vllm/model_executor/layers/fused_moe.py";
    let changed = |path: &str, kind| ChangedFile { path: line(path), kind };
    Patch {
        stand,
        name: name(build),
        base_tree: run.accepted(),
        commits: 1,
        descends: true,
        files: vec![
            changed(source, FileKind::Code),
            changed("tests/kernels/moe/test_routing.py", FileKind::Tests),
        ],
        diff: artifact(&format!("patches/{build}.patch")),
        symptom: name("chat"),
        profiler_row: kernel_row(Stage::Decode, 1),
        layer_row: name("layer-2-hot-1"),
        source_path: line(source),
        expected_effect: line("a decode step shorter by 5 %"),
        not_local_because: None,
        weakens_correctness: false,
        checks_gone: None,
        copied: Vec::new(),
        history: HistoryUse::Items(vec![name("vllm-pr-4242")]),
        kernel: kernel.then(|| KernelPatch {
            name: name("moe-routing"),
            rows: vec![kernel_row(Stage::Decode, 1)],
            shared_source: None,
            new_kernel: line("moe_routing_kernel"),
            correctness_test: Some(line("tests/kernels/moe/test_routing.py::test_ties")),
        }),
    }
}

/// Tests of a commit that all pass.
pub fn tests(commit: GitId) -> TestRun {
    TestRun {
        commit,
        argv: lines(&["pytest", "tests/kernels/moe"]),
        exit: Some(0),
        head: None,
        passed: 12,
        focused: Some(line("tests.kernels.moe.test_routing::test_ties[8]")),
        failed: Vec::new(),
        waived: Vec::new(),
        log: artifact("benchmark/logs/tests.log"),
    }
}

/// An idea that was rejected with its reason.
pub fn idea(id: &str, n: u32) -> Idea {
    Idea {
        name: name(id),
        source_path: line(&format!("vllm/{id}.py")),
        rows: vec![kernel_row(Stage::Decode, n)],
        layer_rows: vec![name("layer-2-hot-1")],
        ncu_versions: Vec::new(),
        provenance: line("vllm at the baseline commit"),
        history: Vec::new(),
        fate: IdeaFate::Rejected,
        reason: Some(line("already as short as the memory allows")),
        evidence: None,
    }
}

/// Research in code that was not read before.
pub fn research(source: &str) -> Research {
    Research {
        sources: vec![ResearchSource::Code(line(source))],
        findings: prose("The leader sorts tokens by expert before the gemm."),
    }
}

/// A fixup of a file that the accepted patch changed.
pub fn fixup(run: &Run, build: &str) -> Fixup {
    let mut stand = run.stand();
    stand.head = head(build);
    Fixup {
        stand,
        name: name(build),
        finding: line("review finding 2: document the tie rule"),
        base_tree: run.accepted(),
        descends: true,
        files: vec![ChangedFile {
            path: line("vllm/model_executor/layers/fused_moe.py"),
            kind: FileKind::Code,
        }],
        diff: artifact(&format!("patches/{build}.patch")),
        copied: Vec::new(),
        checks_gone: None,
    }
}

/// A claim with cause and evidence.
pub fn claim(run: &Run, reason: StopReason) -> StopClaim {
    StopClaim {
        stand: run.stand(),
        reason,
        because: Some(prose("The driver lacks the feature that the leader uses.")),
        evidence: vec![artifact("benchmark/logs/driver.log")],
        shown: Some(line("RuntimeError: the driver lacks the feature")),
    }
}

fn state_of(run: &Run) -> &vsota_core::phase::Revalidate {
    let State::Revalidate(state) = run.campaign.state() else { panic!("no trial is open") };
    state
}

impl Run {
    /// What `gap decide` is told.
    pub fn asked(&self) -> DecisionAsked {
        DecisionAsked { stand: self.stand() }
    }

    /// Opens a round.
    pub fn open_round(&mut self) -> &mut Self {
        let review = self.case().review_due.then_some(Review::Advanced);
        let stand = self.stand();
        self.ask(OpenRound(RoundStart { stand, review }))
    }

    /// Files blocks in every scenario, with vLLM at `level` times its frozen value.
    pub fn blocks(&mut self, count: usize, level: f64) -> &mut Self {
        for index in 0..count {
            for (of, _) in SCENARIOS {
                let block = gap_block(self, of, level, index % 2 == 0);
                self.ask(FileGapBlock(block));
            }
        }
        self
    }

    /// A round that is behind, up to profiling.
    pub fn behind() -> Self {
        let mut run = Self::in_loop();
        run.open_round().blocks(4, 1.0);
        let asked = run.asked();
        run.ask(OpenProfiling(asked));
        run
    }

    /// Files every profile that the round asks for.
    pub fn profiles(&mut self) -> &mut Self {
        let of = slow(self);
        let frozen = |it: &Framework| {
            let case = self.case();
            case.charter.scenarios.values().any(|scenario| scenario.winners.contains_key(it))
        };
        let compared: Vec<_> = Framework::ALL.iter().copied().filter(frozen).collect();
        for framework in compared {
            for stage in STAGES {
                let it = profile(self, framework, stage, &of);
                self.ask(FileProfile(it));
            }
        }
        self
    }

    /// Goes on to the layer pipeline.
    pub fn triaged() -> Self {
        let mut run = Self::behind();
        run.profiles();
        let cause = root_cause(&run);
        run.ask(NameRootCause(cause));
        run
    }

    /// Goes on past the layer report.
    pub fn layered() -> Self {
        let mut run = Self::triaged();
        let report = pipeline(&run);
        run.ask(FilePipeline(report));
        run
    }

    /// Goes on into kernel assist.
    pub fn assisted() -> Self {
        let mut run = Self::layered();
        let target = kernel_target(&run);
        run.ask(OpenKernelAssist(target));
        run
    }

    /// Goes on to the trial of a kernel patch.
    pub fn patched() -> Self {
        let mut run = Self::assisted();
        run.ask(FileDigest(ncu_digest("v1")));
        let it = patch(&run, "patch-1", true);
        run.ask(RecordPatch(it));
        run
    }

    /// HEAD of the patch on trial.
    pub fn trial_head(&self) -> Head {
        state_of(self).trialled().head().clone()
    }

    /// A decode profile of the build on trial.
    pub fn new_profile(&mut self) -> Profile {
        let of = match state_of(self).trialled().triage() {
            Some(_) => slow(self),
            None => SCENARIOS[0].0.to_string(),
        };
        let tree = Some(self.trial_head().tree);
        Profile { tree, ..profile(self, Framework::Vllm, Stage::Decode, &of) }
    }

    /// Measures the patch on trial: tests, profiles, and four blocks a scenario.
    pub fn trial(&mut self, gain: f64) -> &mut Self {
        let tests = tests(self.trial_head().commit);
        self.trial_with(gain, tests)
    }

    /// The same, with tests of the caller's.
    pub fn trial_with(&mut self, gain: f64, tests: TestRun) -> &mut Self {
        self.ask(FileTests(tests));
        for index in 0..4 {
            for (of, _) in SCENARIOS {
                let block = trial_block(self, of, gain, index % 2 == 0);
                self.ask(FileTrialBlock(block));
            }
        }
        let it = self.new_profile();
        self.ask(FileProfile(it))
    }

    /// What an acceptance is told.
    pub fn acceptance(&self) -> Acceptance {
        let State::Revalidate(state) = self.campaign.state() else { panic!("no trial is open") };
        let mut stand = self.stand();
        stand.head = state.trialled().head().clone();
        Acceptance { stand, next_planned: Some(line("fuse the norm with the quantization")) }
    }

    /// A patch that is accepted.
    pub fn accepted_patch() -> Self {
        let mut run = Self::patched();
        run.trial(1.05);
        let told = run.acceptance();
        run.ask(AcceptPatch(told));
        run
    }

    /// A second round that is level with the leaders, up to the verdict of the confirmation.
    pub fn decided() -> Self {
        let mut run = Self::accepted_patch();
        run.open_round();
        for _ in 0..2 {
            run.blocks(4, 1.06);
            let asked = run.asked();
            run.ask(DecideGap(asked));
        }
        run
    }

    /// A claim that stands.
    pub fn claimed() -> Self {
        let mut run = Self::decided();
        let it = claim(&run, StopReason::Tied);
        run.ask(ClaimStop(it));
        run
    }

    /// What confirms the claim.
    pub fn confirmation(&self) -> StopOrder {
        let mut stand = self.stand();
        stand.loop_state = LoopEnd::Complete;
        StopOrder::Confirm { stand }
    }

    /// A campaign that ran from Inputs to Stopped.
    pub fn stopped() -> Self {
        let mut run = Self::claimed();
        let order = run.confirmation();
        run.ask(StopCampaign(order));
        run
    }

    /// A campaign with the default phases reached one after another, by name.
    pub fn all() -> BTreeMap<&'static str, Self> {
        [
            ("inputs", Self::open()),
            ("history-gate", Self::with_inputs()),
            ("fixed-benchmark", Self::with_rows()),
            ("rlcr-active", Self::in_loop()),
            ("gap-decision", {
                let mut run = Self::in_loop();
                run.open_round();
                run
            }),
            ("profiling", Self::behind()),
            ("layer-pipeline", Self::layered()),
            ("kernel-assist", Self::assisted()),
            ("revalidate", Self::patched()),
            ("stopped", Self::stopped()),
        ]
        .into()
    }
}

impl Run {
    /// Files the profiles that are still missing and names the root cause, if they allow one.
    pub(crate) fn finish_triage(&mut self) -> bool {
        let of = slow(self);
        for framework in Framework::ALL.iter().copied() {
            for stage in STAGES {
                let it = profile(self, framework, stage, &of);
                // One that is filed already stays.
                let _ = self.attempt(FileProfile(it));
            }
        }
        self.attempt(NameRootCause(root_cause(self))).is_ok()
    }
}
