//! The benchmark commands of the three clients: one load, one endpoint, one sampling for all.
//!
//! A server is warmed by a run of its own, with prompts of another seed: the clients' own warm-up sends
//! the first measured prompt and leaves it in the prefix cache. Seeds are drawn from the scenario and
//! the launch, so that no two runs of a server share a prompt and all frameworks get the same ones.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::flags::{Flags, same, word};
use super::server::line;
use super::{Launch, Plan, Serving};
use crate::evidence::error::EvidenceError;
use crate::facts::{Framework, Rate, Scenario, Workload};
use crate::text::Line;

/// A benchmark run against a server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientRun {
    /// The exact words to start.
    pub argv: Vec<Line>,
    /// The native result file that it writes; SGLang appends a line to it.
    pub result: String,
    /// The seed of its prompts.
    pub seed: u32,
    /// The requests that it sends.
    pub prompts: u32,
}

/// What a benchmark run is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// It warms the server; its result counts for nothing.
    Warmup,
    /// It is measured.
    Measured,
}

/// Flags that the scenario and the campaign decide; a plan says them there (FB-14).
const FIXED: &[&str] = &[
    "num_prompts",
    "request_rate",
    "max_concurrency",
    "burstiness",
    "random_input_len",
    "random_output_len",
    "endpoint",
    "model",
    "tokenizer",
    "dataset_name",
    "dataset_path",
    "seed",
    "base_url",
    "host",
    "port",
    "result_dir",
    "result_filename",
    "output_file",
];

/// Sampling settings that vLLM's client and TensorRT-LLM's take as flags.
const AS_FLAGS: &[&str] = &["temperature", "top_p", "top_k", "min_p"];

/// The words of a command so far: each flag with its value, when it has one.
struct Words(Vec<(String, Option<String>)>);

impl Words {
    fn say(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_string(), Some(value.into())));
    }

    fn switch(&mut self, name: &str) {
        self.0.push((name.to_string(), None));
    }

    /// What the plan says of a flag wins; null and false leave it out.
    fn overridden(mut self, flags: &Flags) -> Self {
        for flag in flags.iter() {
            let name = flag.name.replace('_', "-");
            let at = self.0.iter().position(|(it, _)| same(it, &name));
            let value = match &flag.value {
                Value::Null | Value::Bool(false) => {
                    self.0.retain(|(it, _)| !same(it, &name));
                    continue;
                }
                Value::Bool(true) => None,
                value => Some(word(value)),
            };
            match at.and_then(|at| self.0.get_mut(at)) {
                Some(there) => there.1 = value,
                None => self.0.push((name, value)),
            }
        }
        self
    }

    fn argv(self, mut argv: Vec<Line>) -> Result<Vec<Line>, EvidenceError> {
        for (name, value) in self.0 {
            argv.push(line(format!("--{name}"))?);
            if let Some(value) = value {
                argv.push(line(value)?);
            }
        }
        Ok(argv)
    }
}

/// The endpoint where nobody names one (FB-14).
pub const ENDPOINT: &str = "/v1/completions";

impl Plan {
    /// The benchmark command of a scenario against a launched server, whose result goes to
    /// `dir/file`. `draw` counts the launches of the candidate from 0.
    ///
    /// # Errors
    ///
    /// When model or endpoint is unknown, or the framework's client cannot make the load.
    pub fn client(
        &self,
        launch: &Launch,
        scenario: &Scenario,
        part: Part,
        draw: u32,
        dir: &str,
        file: &str,
    ) -> Result<ClientRun, EvidenceError> {
        let framework = launch.framework;
        let no_search = || EvidenceError::new(format!("the plan has no search of {framework}"));
        let search = self.search(framework).ok_or_else(no_search)?;
        let prompts = match part {
            Part::Warmup => search.client.warmup_prompts.min(scenario.num_prompts),
            Part::Measured => scenario.num_prompts,
        };
        let seed = seed(scenario, part, draw);
        let asked = Asked { serving: &self.serving, launch, scenario, prompts, seed };
        let place = Place { dir, file };
        let words = asked.words(&place)?.overridden(&search.client.flags);
        let program = match search.client.command.as_slice() {
            [] => program(framework).iter().map(|it| line(*it)).collect::<Result<_, _>>()?,
            own => own.to_vec(),
        };
        let argv = words.argv(program)?;
        Ok(ClientRun { argv, result: format!("{dir}/{file}"), seed, prompts })
    }
}

/// Where the native result goes.
struct Place<'a> {
    dir: &'a str,
    file: &'a str,
}

/// What a client is asked for.
struct Asked<'a> {
    serving: &'a Serving,
    launch: &'a Launch,
    scenario: &'a Scenario,
    prompts: u32,
    seed: u32,
}

impl Asked<'_> {
    fn words(&self, place: &Place<'_>) -> Result<Words, EvidenceError> {
        let unknown = |field: &str| EvidenceError::new(format!("no {field} is known")).of(field);
        let model = self.serving.model.as_ref().ok_or_else(|| unknown("model"))?;
        let endpoint = self.serving.endpoint.as_ref().ok_or_else(|| unknown("endpoint"))?;
        let workload = self.serving.workload.as_ref().ok_or_else(|| unknown("workload"))?;
        let mut words = Words(Vec::new());
        words.say("backend", self.backend(endpoint.as_str())?);
        words.say("base-url", format!("http://{}:{}", self.launch.host, self.launch.port));
        if self.launch.framework != Framework::Sglang {
            words.say("endpoint", endpoint.as_str());
        }
        words.say("model", model.as_str());
        if let Some(tokenizer) = &self.serving.tokenizer {
            words.say("tokenizer", tokenizer.as_str());
        }
        self.dataset(workload, &mut words);
        self.load(&mut words)?;
        words.say("seed", self.seed.to_string());
        self.sampling(&mut words)?;
        self.saving(workload, place, &mut words);
        Ok(words)
    }

    /// The client's word for the endpoint.
    fn backend(&self, endpoint: &str) -> Result<&'static str, EvidenceError> {
        let sglang = self.launch.framework == Framework::Sglang;
        Ok(match (endpoint, sglang) {
            ("/v1/completions", false) => "openai",
            ("/v1/completions", true) => "sglang-oai",
            ("/v1/chat/completions", false) => "openai-chat",
            ("/v1/chat/completions", true) => "sglang-oai-chat",
            (other, _) => {
                let message = format!(
                    "no client calls {other} on every framework; /v1/completions and \
                     /v1/chat/completions are known"
                );
                return Err(EvidenceError::new(message).of("endpoint"));
            }
        })
    }

    /// Random prompts have exactly the lengths of the scenario; each client says that in another way.
    fn dataset(&self, workload: &Workload, words: &mut Words) {
        let framework = self.launch.framework;
        if !workload.is_synthetic() {
            let custom = match framework {
                Framework::TensorrtLlm => "trtllm_custom",
                Framework::Vllm | Framework::Sglang => "custom",
            };
            words.say("dataset-name", custom);
            if let Some(path) = &workload.dataset_path {
                words.say("dataset-path", path.as_str());
            }
            return;
        }
        // SGLang's `random` draws from ShareGPT, and so does TensorRT-LLM's without `--random-ids`.
        let (name, ratio) = match framework {
            Framework::Sglang => ("random-ids", "1.0"),
            Framework::Vllm | Framework::TensorrtLlm => ("random", "0.0"),
        };
        words.say("dataset-name", name);
        words.say("random-input-len", self.scenario.input_len.to_string());
        words.say("random-output-len", self.scenario.output_len.to_string());
        words.say("random-range-ratio", ratio);
        if framework == Framework::TensorrtLlm {
            words.switch("random-ids");
        }
    }

    fn load(&self, words: &mut Words) -> Result<(), EvidenceError> {
        let it = self.scenario;
        words.say("num-prompts", self.prompts.to_string());
        let rate = match it.request_rate {
            Rate::Unbounded => "inf".to_string(),
            Rate::PerSecond(rate) => rate.to_string(),
        };
        words.say("request-rate", rate);
        if let Some(cap) = it.max_concurrency {
            words.say("max-concurrency", cap.to_string());
        }
        let poisson = it.burstiness.get().total_cmp(&1.0).is_eq();
        if self.launch.framework != Framework::Sglang {
            words.say("burstiness", it.burstiness.to_string());
        } else if !poisson {
            let message = "FB-3: SGLang's client knows no burstiness but 1";
            return Err(EvidenceError::new(message).of("burstiness"));
        }
        Ok(())
    }

    fn sampling(&self, words: &mut Words) -> Result<(), EvidenceError> {
        let sglang = self.launch.framework == Framework::Sglang;
        if !sglang {
            words.switch("ignore-eos");
        }
        let mut body = Map::new();
        for (name, value) in &self.serving.sampling {
            if !sglang && AS_FLAGS.contains(&name.as_str()) {
                words.say(&name.as_str().replace('_', "-"), value.as_str());
            } else {
                let text = || Value::String(value.as_str().to_string());
                let value = serde_json::from_str(value.as_str()).unwrap_or_else(|_| text());
                body.insert(name.as_str().to_string(), value);
            }
        }
        if !body.is_empty() {
            let flag = match self.launch.framework {
                Framework::Sglang => "extra-request-body",
                Framework::Vllm => "extra-body",
                Framework::TensorrtLlm => {
                    let keys: Vec<&str> = body.keys().map(String::as_str).collect();
                    let message = format!(
                        "FB-3: TensorRT-LLM's client cannot send {}; it knows {}",
                        keys.join(", "),
                        AS_FLAGS.join(", ")
                    );
                    return Err(EvidenceError::new(message).of("sampling"));
                }
            };
            words.say(flag, Value::Object(body).to_string());
        }
        Ok(())
    }

    /// Everything that the decoders read: medians, tails and E2E latencies beside the totals.
    fn saving(&self, workload: &Workload, place: &Place<'_>, words: &mut Words) {
        let detailed = !workload.is_synthetic();
        if self.launch.framework == Framework::Sglang {
            // Its own warm-up sends the first measured prompt.
            words.say("warmup-requests", "0");
            words.switch("disable-tqdm");
            if detailed {
                words.switch("output-details");
            }
            words.say("output-file", format!("{}/{}", place.dir, place.file));
            return;
        }
        match self.launch.framework {
            Framework::TensorrtLlm => words.switch("no-test-input"),
            Framework::Vllm | Framework::Sglang => words.say("ready-check-timeout-sec", "0"),
        }
        words.switch("disable-tqdm");
        words.say("percentile-metrics", "ttft,tpot,itl,e2el");
        words.say("metric-percentiles", "50,90,95,99");
        words.switch("save-result");
        if detailed {
            words.switch("save-detailed");
        }
        words.say("result-dir", place.dir);
        words.say("result-filename", place.file);
    }
}

/// The words that start a framework's client where the plan names none.
fn program(framework: Framework) -> &'static [&'static str] {
    match framework {
        Framework::Vllm => &["vllm", "bench", "serve"],
        Framework::Sglang => &["python", "-m", "sglang.bench_serving"],
        Framework::TensorrtLlm => &["python", "-m", "tensorrt_llm.serve.scripts.benchmark_serving"],
    }
}

/// Whether a flag of the client is decided elsewhere.
pub(super) fn is_fixed(name: &str) -> bool {
    FIXED.iter().any(|it| same(it, name))
}

/// The seed of a run's prompts: the same for every framework, another one for every scenario, launch
/// and part. FNV-1a of the three, as a positive 31-bit number, which every client takes.
fn seed(scenario: &Scenario, part: Part, draw: u32) -> u32 {
    let part = match part {
        Part::Warmup => "warmup",
        Part::Measured => "measured",
    };
    let text = format!("{}/{part}/{draw}", scenario.name);
    let hash = text
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash >> 1
}
