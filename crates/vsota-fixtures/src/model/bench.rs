//! From the opening to the loop: inputs, companions, history, the frozen benchmark, the plan.

use std::collections::{BTreeMap, BTreeSet};

use vsota_core::State;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_core::measure::Fraction;
use vsota_core::text::Argv;

use super::{BASELINE, Run, argv, artifact, digest, git, head, line, lines, measured, name};

/// The scenarios of the default workload with vLLM's made-up request throughput.
pub const SCENARIOS: [(&str, f64); 2] = [("chat", 10.0), ("summarization", 4.0)];

/// How far each competitor leads in the frozen table.
pub const LEADS: [(Framework, f64); 2] =
    [(Framework::Sglang, 1.05), (Framework::TensorrtLlm, 1.04)];

/// The version of every framework.
pub const VERSION: &str = "0.0.1";

/// One input with its source.
pub fn sourced(input: Input) -> Sourced {
    Sourced { input, source: line("flag") }
}

/// Every input that a campaign needs, and the config that the layer report needs.
pub fn inputs() -> InputsGiven {
    let ttft = LatencyMetric { stat: Stat::P50, kind: LatencyKind::Ttft };
    let inputs = [
        Input::Model(line("demo/tiny-moe")),
        Input::Precision(line("bfloat16")),
        Input::Quantization(line("none")),
        Input::GpuModel(line("demo-gpu-80g")),
        Input::Sampling { key: name("temperature"), value: line("0") },
        Input::GpuCount(1.try_into().unwrap()),
        Input::MaxModelLen(16_384.try_into().unwrap()),
        Input::Endpoint(line("/v1/completions")),
        Input::Workload(Workload::standard().unwrap()),
        Input::SlaLimit { metric: ttft, limit: measured(2_000.0) },
        Input::SlaSuccessRate(Fraction::ONE),
        Input::ModelConfig(ModelConfig {
            sha256: digest("config.json"),
            num_layers: 4.try_into().unwrap(),
            architecture: Some(line("DemoMoeForCausalLM")),
        }),
    ];
    InputsGiven { inputs: inputs.into_iter().map(sourced).collect() }
}

/// A companion that was read.
pub fn companion(name: CompanionName) -> Companion {
    let path = line(&format!("/skills/{name}/SKILL.md"));
    Companion { name, noted: Noted::Read { path, sha256: digest(name.as_str()) } }
}

/// A history item with every part.
pub fn history_item(id: &str) -> HistoryItem {
    HistoryItem {
        id: name(id),
        paths: lines(&["vllm/demo-moe/README.md"]),
        prs: vec![4_242],
        files: lines(&["vllm/model_executor/layers/fused_moe.py"]),
        symbols: lines(&["fused_moe"]),
        risks: lines(&["routing ties"]),
        decision: line("look at the MoE routing kernel first"),
    }
}

/// A note of one framework's history with one item.
pub fn history(framework: Framework) -> HistoryNote {
    let items = vec![history_item(&format!("{framework}-pr-4242"))];
    HistoryNote {
        framework,
        root: line("/knowledge"),
        outcome: HistoryOutcome::Found { slug: name("demo-moe"), items },
        draft: artifact(&format!("history/{framework}-draft.md")),
    }
}

/// The launch command of one candidate.
pub fn server_command(framework: Framework, variant: u32) -> Argv {
    let variant = variant.to_string();
    match framework {
        Framework::Vllm => argv(&["vllm", "serve", "demo/tiny-moe", "--max-num-seqs", &variant]),
        Framework::Sglang => argv(&[
            "python",
            "-m",
            "sglang.launch_server",
            "--model-path",
            "demo/tiny-moe",
            "--max-running-requests",
            &variant,
        ]),
        Framework::TensorrtLlm => argv(&[
            "trtllm-serve",
            "serve",
            "demo/tiny-moe",
            "--backend",
            "pytorch",
            "--max_batch_size",
            &variant,
        ]),
    }
}

/// One candidate as a plan declares it.
pub fn planned(framework: Framework, variant: u32) -> PlannedLaunch {
    let id = name(&format!("{framework}-{variant}"));
    PlannedLaunch::new(id, &server_command(framework, variant))
}

/// What a comparable row says of itself.
pub fn identity() -> BTreeMap<Dimension, vsota_core::text::Line> {
    let known = [
        (Dimension::Model, "demo/tiny-moe"),
        (Dimension::Tokenizer, "demo/tiny-moe"),
        (Dimension::Precision, "bfloat16"),
        (Dimension::Quantization, "none"),
        (Dimension::GpuModel, "demo-gpu-80g"),
        (Dimension::GpuCount, "1"),
        (Dimension::GpuIds, "0"),
        (Dimension::Endpoint, "/v1/completions"),
        (Dimension::Sampling, "temperature=0"),
        (Dimension::RequestRate, "inf"),
        (Dimension::MaxConcurrency, "none"),
        (Dimension::Burstiness, "1"),
    ];
    known.into_iter().map(|(dimension, value)| (dimension, line(value))).collect()
}

/// The lengths of a default scenario.
pub fn scenario(scenario: &str) -> Scenario {
    Workload::standard().unwrap().scenario(&name(scenario)).unwrap().clone()
}

/// The numbers of a run at a request throughput, on the clock of the run.
pub fn measurement(run: &Run, of: &str, req_s: f64) -> Measurement {
    let scenario = scenario(of);
    let tokens = |len: u32| Some(u64::from(len) * u64::from(scenario.num_prompts));
    let latency = |stat, kind, value| (Metric::latency(stat, kind), measured(value));
    let output_tok_s = req_s * f64::from(scenario.output_len);
    let metrics = [
        (Metric::RequestThroughput, measured(req_s)),
        (Metric::OutputTokenThroughput, measured(output_tok_s)),
        latency(Stat::P50, LatencyKind::Ttft, 8_000.0 / req_s),
        // The last digits tell one run from another: no two measure the same.
        latency(Stat::P50, LatencyKind::Tpot, 250.0 / req_s * (1.0 + run.tick as f64 * 1e-9)),
    ];
    Measurement {
        started_at: run.now(),
        ended_at: run.now() + 300_000,
        completed: u64::from(scenario.num_prompts),
        requested: u64::from(scenario.num_prompts),
        input_tokens: tokens(scenario.input_len),
        output_tokens: tokens(scenario.output_len),
        metrics: metrics.into_iter().collect(),
        disturbed: None,
    }
}

/// An ok row of a candidate in a scenario.
pub fn candidate(
    run: &mut Run,
    framework: Framework,
    variant: u32,
    of: &str,
    req_s: f64,
) -> Candidate {
    let id = format!("{framework}-{variant}");
    let log = run.log(&format!("benchmark/logs/{id}/{of}"));
    Candidate {
        id: name(&id),
        framework,
        framework_version: Some(line(VERSION)),
        framework_commit: None,
        scenario: name(of),
        status: Status::Ok,
        smoke: false,
        mock: false,
        served: true,
        failure_reason: None,
        server_command: server_command(framework, variant),
        benchmark_command: argv(&["bench", "--scenario", of]),
        backend: (framework == Framework::TensorrtLlm).then(|| name("pytorch")),
        context_len: Some(16_384),
        identity: identity(),
        tree: (framework == Framework::Vllm).then(|| git(BASELINE)),
        measured: Some(measurement(run, of, req_s)),
        buckets: None,
        record: None,
        result: Some(artifact(&format!("benchmark/raw/{id}/{of}-{}.json", run.tick))),
        log: Some(log),
        settings: None,
    }
}

/// What the freeze is told.
pub fn freeze() -> FreezeAsked {
    FreezeAsked { tree: git(BASELINE), commit: head(BASELINE).commit }
}

/// A plan that meets every rule.
pub fn plan() -> Plan {
    Plan {
        path: line(".humanize/vllm-sota-agent/refined-plan.md"),
        copy: artifact("humanize/refined-plan.md"),
        placeholders: 0,
        duties: Duty::ALL.iter().copied().collect::<BTreeSet<_>>(),
        sections: Section::ALL.iter().copied().collect::<BTreeSet<_>>(),
    }
}

/// A loop that started as it should.
pub fn loop_start() -> LoopStart {
    LoopStart {
        checkout: Checkout {
            is_git: true,
            head: Some(head(BASELINE)),
            humanize_ignored: true,
            humanize_tracked: false,
            base_exists: true,
            base_ambiguous: false,
        },
        other_loops: Vec::new(),
        setup: Setup {
            argv: lines(&[
                "scripts/setup-rlcr-loop.sh",
                ".humanize/vllm-sota-agent/refined-plan.md",
                "--yolo",
                "--strict-success",
            ]),
            exit: 0,
            message: None,
        },
        active: Some(ActiveLoop {
            dir: name("2026-01-01_00-00-00"),
            started_at: line("2026-01-01T00:00:00Z"),
            base_commit: head(BASELINE).commit,
            plan_sha256: plan().copy.sha256,
            current_round: 0,
            strict_success: Some(true),
            ask_codex_question: Some(false),
            round_prompt: true,
            round_contract: true,
        }),
        handshake: Handshake::Strict,
    }
}

impl Run {
    /// Opens a campaign and closes its inputs.
    pub fn with_inputs() -> Self {
        let mut run = Self::open();
        run.ask(RecordInputs(inputs())).ask(CloseInputs(Nothing {}));
        run
    }

    /// Goes on to the benchmark, with history and companions noted.
    pub fn with_history() -> Self {
        let mut run = Self::with_inputs();
        run.ask(NoteHistory(history(Framework::Vllm))).ask(NoteHistory(history(Framework::Sglang)));
        run.ask(CloseHistory(Nothing {}));
        for name in CompanionName::ALL {
            run.ask(NoteCompanion(companion(*name)));
        }
        run
    }

    /// Goes on through the whole search, up to the freeze.
    pub fn with_rows() -> Self {
        let mut run = Self::with_history();
        for framework in Framework::ALL.iter().copied() {
            let output = artifact(&format!("help/{framework}.txt"));
            run.ask(FileHelp(HelpOutput { framework, output }));
            run.search(framework);
        }
        run
    }

    /// Four candidates of one framework in every scenario, none within 3 % of the next (FB-9).
    pub fn search(&mut self, framework: Framework) {
        let lead = LEADS.iter().find(|(it, _)| *it == framework).map_or(1.0, |(_, lead)| *lead);
        for variant in 1..=4 {
            for (of, base) in SCENARIOS {
                let req_s = base * lead * (1.0 - 0.04 * f64::from(4 - variant));
                let row = candidate(self, framework, variant, of, req_s);
                self.ask(FileCandidate(row));
            }
        }
    }

    /// Goes on through a whole search in which no framework leads; `keep` may change a row, or leave it
    /// out.
    #[must_use]
    pub fn searched(mut self, mut keep: impl FnMut(&mut Candidate) -> bool) -> Self {
        let State::FixedBenchmark(bench) = self.campaign.state() else {
            panic!("no benchmark is open");
        };
        for framework in bench.compared() {
            let output = artifact(&format!("help/{framework}.txt"));
            self.ask(FileHelp(HelpOutput { framework, output }));
            for variant in 1..=4 {
                for (of, base) in SCENARIOS {
                    let req_s = base * (1.0 - 0.04 * f64::from(4 - variant));
                    let mut row = candidate(&mut self, framework, variant, of, req_s);
                    if keep(&mut row) {
                        self.ask(FileCandidate(row));
                    }
                }
            }
        }
        self
    }

    /// Goes on past the freeze.
    pub fn frozen() -> Self {
        let mut run = Self::with_rows();
        run.ask(FreezeBenchmark(freeze()));
        run
    }

    /// Goes on into the loop.
    pub fn in_loop() -> Self {
        let mut run = Self::frozen();
        run.ask(FilePlan(plan())).ask(EnterLoop(loop_start()));
        run
    }
}

impl Run {
    /// Goes from any moment of the benchmark into the loop.
    pub(crate) fn enter_loop(&mut self) {
        use vsota_core::phase::Bench;
        for name in CompanionName::ALL {
            // After the first row they are all noted.
            let _ = self.attempt(NoteCompanion(companion(*name)));
        }
        let State::FixedBenchmark(state) = self.campaign.state().clone() else { return };
        if let Bench::Searching(_) = state.inside() {
            for framework in state.compared() {
                let output = artifact(&format!("help/{framework}.txt"));
                self.ask(FileHelp(HelpOutput { framework, output }));
                self.search_anew(framework);
            }
            self.ask(FreezeBenchmark(freeze()));
        }
        self.ask(FilePlan(plan())).ask(EnterLoop(loop_start()));
    }

    /// Four candidates of new names, faster than any before, whatever was filed till now.
    fn search_anew(&mut self, framework: Framework) {
        for n in 1..=4 {
            let variant = u32::try_from(self.events.len()).unwrap();
            for (of, base) in SCENARIOS {
                let row = candidate(
                    self,
                    framework,
                    1_000 + variant,
                    of,
                    base * (1.5 + 0.1 * f64::from(n)),
                );
                self.ask(FileCandidate(row));
            }
        }
    }
}
