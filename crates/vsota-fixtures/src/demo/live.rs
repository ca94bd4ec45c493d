//! The demonstration with real processes: three mock frameworks, launched, measured and stopped.
//!
//! Where the other demonstration files evidence, this one runs: benchmark, gap and trial are measured
//! over HTTP on this machine, and the mock servers' profilers are captured. What no mock can do, the
//! patch and its review, is made up as there.

use vsota_core::facts::Framework;

use super::{Demo, Step, build};

/// What the live demonstration needs of this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Live {
    /// The program `vsota`.
    pub vsota: String,
    /// A free port for each framework: vLLM, SGLang, TensorRT-LLM.
    pub ports: [u16; 3],
}

/// How much faster the patched build is.
const PATCHED: f64 = 1.6;

/// The workload: small enough for a laptop.
pub(super) const WORKLOAD: &str = "\
# The scenarios of the companion's cookbook at the size of a demonstration.
schema: vsota-workload/1
kind: random
endpoint: /v1/completions
sampling: {temperature: 0}
sla: {max_p50_ttft_ms: 2500, min_success_rate: 1.0}
scenarios:
  - {name: chat, input_len: 64, output_len: 32, num_prompts: 16}
  - {name: summarization, input_len: 256, output_len: 32, num_prompts: 16}
";

/// A framework as the live demonstration launches it.
struct Site {
    framework: Framework,
    /// The words of its server before the model.
    server: &'static [&'static str],
    /// The words of its client.
    client: &'static [&'static str],
    /// How fast it is, beside the fastest.
    speed: f64,
    /// What a prompt token takes, in µs: vLLM is slowest where prompts are long.
    prefill_us: &'static str,
    /// The flags that make it faster.
    likes: &'static str,
    /// Flags of every launch, as the plan names them and as they are typed.
    base: (&'static str, &'static [&'static str]),
    /// What the search tries over that.
    tries: [&'static str; 3],
    /// The best of these, as it is typed.
    best: &'static [&'static str],
}

const SITES: [Site; 3] = [
    Site {
        framework: Framework::Vllm,
        server: &["vllm", "serve"],
        client: &["vllm", "bench", "serve"],
        speed: 0.88,
        prefill_us: "200",
        likes: "max-num-seqs,async-scheduling",
        base: (
            "max_model_len: 16384, dtype: bfloat16, enable_prefix_caching: false",
            &["--max-model-len", "16384", "--dtype", "bfloat16", "--no-enable-prefix-caching"],
        ),
        tries: [
            "{max_num_seqs: 128}",
            "{max_num_batched_tokens: 16384}",
            "{max_num_seqs: 128, async_scheduling: true}",
        ],
        best: &["--max-num-seqs", "128", "--async-scheduling"],
    },
    Site {
        framework: Framework::Sglang,
        server: &["python", "-m", "sglang.launch_server"],
        client: &["python", "-m", "sglang.bench_serving"],
        speed: 1.0,
        prefill_us: "0",
        likes: "max-running-requests,enable-mixed-chunk",
        base: (
            "context_length: 16384, dtype: bfloat16, disable_radix_cache: true",
            &["--context-length", "16384", "--dtype", "bfloat16", "--disable-radix-cache"],
        ),
        tries: [
            "{max_running_requests: 128}",
            "{chunked_prefill_size: 8192}",
            "{max_running_requests: 128, enable_mixed_chunk: true}",
        ],
        best: &["--max-running-requests", "128", "--enable-mixed-chunk"],
    },
    Site {
        framework: Framework::TensorrtLlm,
        server: &["trtllm-serve", "serve"],
        client: &["python", "-m", "tensorrt_llm.serve.scripts.benchmark_serving"],
        speed: 0.98,
        prefill_us: "0",
        likes: "max_batch_size,max_num_tokens",
        base: (
            "backend: pytorch, max_seq_len: 16384",
            &["--backend", "pytorch", "--max_seq_len", "16384"],
        ),
        tries: [
            "{max_batch_size: 128}",
            "{max_beam_width: 1}",
            "{max_batch_size: 128, max_num_tokens: 16384}",
        ],
        best: &["--max_batch_size", "128", "--max_num_tokens", "16384"],
    },
];

impl Live {
    fn port(&self, framework: Framework) -> u16 {
        let [vllm, sglang, trt] = self.ports;
        match framework {
            Framework::Vllm => vllm,
            Framework::Sglang => sglang,
            Framework::TensorrtLlm => trt,
        }
    }

    /// A mock server, as fast as can be, in the place of a framework's.
    pub(super) fn instead_of(&self, framework: Framework, command: Vec<String>) -> Vec<String> {
        let vsota = self.vsota.as_str();
        let mock = [vsota, "mock-server", "--ttft-ms", "1", "--tpot-ms", "0.1", "--"];
        let command = mock.into_iter().map(str::to_owned).chain(command);
        self.at_its_port(framework, command)
    }

    /// A client's command that calls it.
    pub(super) fn called(&self, framework: Framework, command: Vec<String>) -> Vec<String> {
        self.at_its_port(framework, command.into_iter())
    }

    fn at_its_port(
        &self,
        framework: Framework,
        words: impl Iterator<Item = String>,
    ) -> Vec<String> {
        let port = self.port(framework).to_string();
        let (mut named, mut all) = (false, Vec::new());
        for word in words {
            all.push(match word.strip_prefix("http://127.0.0.1:") {
                Some(_) => format!("http://127.0.0.1:{port}"),
                None if named => port.clone(),
                None => word.clone(),
            });
            named = word == "--port";
        }
        all
    }

    /// The words that start a server, up to the model.
    fn server(&self, site: &Site) -> Vec<String> {
        let speed = format!("{}", site.speed);
        let mock = [
            self.vsota.as_str(),
            "mock-server",
            "--ttft-ms",
            "60",
            "--tpot-ms",
            "20",
            "--prefill-us",
            site.prefill_us,
            "--speed",
            &speed,
            "--likes",
            site.likes,
            "--",
        ];
        mock.into_iter().chain(site.server.iter().copied()).map(str::to_owned).collect()
    }

    /// The plan: three frameworks with four candidates each, and the two builds.
    fn plan(&self) -> String {
        let mut plan = String::from(
            "# Three mock frameworks on this machine (demonstration).\n\
             search: {candidate_generation: ordered_list, max_candidates_per_framework: 4}\n\
             builds:\n",
        );
        for (name, speed, more) in
            [("baseline", 1.0, ""), ("moe-routing", PATCHED, ", VSOTA_MOCK_PATCHED=1")]
        {
            let (commit, tree) = build(name);
            plan.push_str(&format!(
                "  {name}:\n    commit: \"{commit}\"\n    launch_prefix: [env, \
                 VSOTA_MOCK_TREE={tree}, VSOTA_MOCK_SPEED={speed}{more}]\n"
            ));
        }
        plan.push_str("frameworks:\n");
        for site in &SITES {
            plan.push_str(&self.site(site));
        }
        plan
    }

    fn site(&self, site: &Site) -> String {
        let list = |words: &[String]| serde_json::json!(words).to_string();
        let client = [self.vsota.as_str(), "mock-server", "--client", "--"];
        let client: Vec<String> =
            client.into_iter().chain(site.client.iter().copied()).map(str::to_owned).collect();
        let mut text = format!(
            "  {}:\n    server_command: {}\n    benchmark_command: {}\n    warmup_prompts: 2\n    \
             ready_seconds: 30\n    base_server_flags: {{{}, port: {}}}\n    candidates: [{}]\n",
            site.framework,
            list(&self.server(site)),
            list(&client),
            site.base.0,
            self.port(site.framework),
            site.tries.join(", ")
        );
        if site.framework == Framework::Vllm {
            text.push_str(&format!("    env: {{VSOTA_MOCK_TREE: \"{}\"}}\n", build("baseline").1));
        }
        text
    }
}

impl Demo {
    /// The demonstration on three mock frameworks, with real processes and HTTP.
    pub fn live(live: Live) -> Self {
        let mut demo = Self { clock: 1_767_600_000_000, live: Some(live), ..Self::default() };
        demo.open();
        demo.benchmark_live();
        demo.enter_the_loop();
        demo.first_round();
        demo.second_round();
        let steps: Vec<String> = demo.steps.iter().map(|it| it.args.join("\u{1f}")).collect();
        demo.file("steps.txt", steps.join("\n") + "\n");
        demo
    }

    fn benchmark_live(&mut self) {
        let Some(live) = self.live.clone() else { return };
        for site in &SITES {
            let framework = site.framework;
            let flags = site.base.1.iter().chain(site.best).copied();
            let flags: Vec<&str> = flags.filter(|it| it.starts_with("--")).collect();
            let tried = ["--max-num-batched-tokens", "--chunked-prefill-size", "--max_beam_width"];
            let text = format!(
                "usage: {} (demonstration)\n  {} {} --enable-prefix-caching --port --host --model-path\n",
                site.server.join(" "),
                flags.join(" "),
                tried.join(" ")
            );
            let help = self.file(&format!("help/{framework}.txt"), text);
            let args = ["bench", "help", framework.as_str(), "--file", &help];
            self.step("file the framework's help", &args);
        }
        let plan = self.file("plan.yaml", live.plan());
        self.step(
            "declare the bounded search: every launch and run is shown",
            &["bench", "plan", &plan],
        );
        self.step("launch every candidate and run it in every scenario", &["bench", "run"]);
        let (commit, tree) = build("baseline");
        self.step("look at the ranking", &["bench", "table"]);
        let freeze = ["bench", "freeze", "--commit", &commit, "--tree", &tree];
        self.step("freeze the benchmark, once", &freeze);
        self.refused("a second freeze is refused", &freeze);
        let plan = self.file("refined-plan.md", super::bench::plan());
        self.step("file the plan", &["loop", "plan", "--file", &plan]);
    }

    /// The step that measures instead of filing what was measured.
    pub(super) fn run_live(&mut self, shows: &'static str, args: &[&str]) -> bool {
        if self.live.is_none() {
            return false;
        }
        let args = args.iter().map(|it| (*it).to_owned()).collect();
        self.steps.push(Step { shows, args, refused: false });
        true
    }
}
