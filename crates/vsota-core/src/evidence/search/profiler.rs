//! How is the profiler of a server switched on, and which requests does it see? (PR-3, PR-4)
//!
//! vLLM has a flag and two routes, SGLang the routes alone. TensorRT-LLM has neither: variables of the
//! launch count forward passes from its start, so that every stage has a launch of its own. The window
//! is the companion's for all three: ten steps to warm up, five that are seen.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::Launch;
use super::server::line;
use crate::evidence::command_line::ranks;
use crate::evidence::error::EvidenceError;
use crate::facts::{Framework, Scenario, Stage};
use crate::text::{Line, Name};

/// The steps of a stage that the profiler waits for, and those that it sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Steps before it is on.
    pub warmup: u32,
    /// Steps while it is on.
    pub active: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { warmup: 10, active: 5 }
    }
}

/// A launch whose profiler is on, or can be switched on.
#[derive(Clone, Debug, PartialEq)]
pub struct Profiled {
    /// The launch, with the words and variables of its profiler.
    pub launch: Launch,
    /// What is captured of it, in order.
    pub shots: Vec<Shot>,
}

/// The capture of one stage: requests one after the other, each alone on the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// The stage.
    pub stage: Stage,
    /// Prompt tokens of a request.
    pub input_len: u32,
    /// Generated tokens of a request.
    pub output_len: u32,
    /// Requests before the profiler is on, and the tokens that each generates.
    pub warmup: (u32, u32),
    /// Requests while it is on.
    pub requests: u32,
    /// How it is switched on and off.
    pub switch: Switch,
    /// Where its traces appear.
    pub into: String,
    /// How many there are: one of each rank, where the launch says how many those are.
    pub ranks: Option<u64>,
}

/// How a profiler is switched on and off.
#[derive(Clone, Debug, PartialEq)]
pub enum Switch {
    /// `POST /start_profile` with this body, then `POST /stop_profile`.
    Routes {
        /// What it is asked for.
        start: Value,
        /// Whether it may have stopped by itself before it is told to.
        stops_itself: bool,
    },
    /// It counts forward passes by itself: requests go on till its trace is there, so many at most.
    Counted {
        /// The most requests.
        most: u32,
    },
}

/// Passes after `/start_profile` that are none of the stage: the prompt's, and one in which the
/// profiler comes up.
const BEFORE: u32 = 2;

/// Passes of TensorRT-LLM before the first request of a capture: those that ask whether it serves.
const ASKED: u32 = 2;

/// Requests beyond the window that TensorRT-LLM may need to come to its end.
const SPARE: u32 = 40;

impl Launch {
    /// The launches that capture these stages of a scenario, in `dir`, which belongs to them alone.
    /// Traces appear in `dir/traces`, those of SGLang in a directory of each stage: a rank that writes late
    /// writes to its own.
    ///
    /// # Errors
    ///
    /// When the launch is a script that takes no more words, or the answers of the scenario are too
    /// short for the window.
    pub fn profiled(
        &self,
        scenario: &Scenario,
        stages: &[Stage],
        window: Window,
        dir: &str,
    ) -> Result<Vec<Profiled>, EvidenceError> {
        let into = format!("{dir}/traces");
        match self.framework {
            Framework::Vllm => {
                let config = json!({"profiler": "torch", "torch_profiler_dir": into});
                let words = [line("--profiler-config")?, line(config.to_string())?];
                let launch = self.with_words(words)?;
                let shots = self.shots(scenario, stages, window, |stage| match stage {
                    Stage::Decode => (
                        json!({"delay_iterations": BEFORE, "max_iterations": window.active}),
                        into.clone(),
                    ),
                    _ => (json!({}), into.clone()),
                })?;
                Ok(Vec::from([Profiled { launch, shots }]))
            }
            Framework::Sglang => {
                let shots = self.shots(scenario, stages, window, |stage| {
                    let into = format!("{into}/{stage}");
                    let mut start = json!({
                        "output_dir": into, "activities": ["CPU", "GPU"], "with_stack": true,
                        "record_shapes": false,
                    });
                    if let (Stage::Decode, Some(start)) = (stage, start.as_object_mut()) {
                        let steps = window.active.saturating_add(BEFORE);
                        start.insert("num_steps".to_string(), steps.into());
                    }
                    (start, into)
                })?;
                Ok(Vec::from([Profiled { launch: self.clone(), shots }]))
            }
            Framework::TensorrtLlm => {
                let one = |stage: &Stage| self.counted(scenario, *stage, window, &into);
                stages.iter().map(one).collect()
            }
        }
    }

    fn shots(
        &self,
        scenario: &Scenario,
        stages: &[Stage],
        window: Window,
        start: impl Fn(Stage) -> (Value, String),
    ) -> Result<Vec<Shot>, EvidenceError> {
        let ranks = ranks(&self.argv);
        let one = |stage: &Stage| {
            let stops_itself = *stage == Stage::Decode;
            let (start, into) = start(*stage);
            let shot = shot(scenario, *stage, window, Switch::Routes { start, stops_itself })?;
            Ok(Shot { into, ranks, ..shot })
        };
        stages.iter().map(one).collect()
    }

    fn counted(
        &self,
        scenario: &Scenario,
        stage: Stage,
        window: Window,
        into: &str,
    ) -> Result<Profiled, EvidenceError> {
        let begin = window.warmup.saturating_add(ASKED);
        let end = begin.saturating_add(window.active);
        let mut launch = self.clone();
        for (name, value) in [
            ("TLLM_PROFILE_START_STOP", format!("{begin}-{end}")),
            ("TLLM_TORCH_PROFILE_TRACE", format!("{into}/rank0.trace.json")),
        ] {
            launch.env.insert(Name::new(name).map_err(EvidenceError::new)?, line(value)?);
        }
        let mut shot = shot(scenario, stage, window, Switch::Counted { most: end + SPARE })?;
        // What counts from the start needs no warm-up of its own: its window comes later.
        (shot.warmup, shot.requests) = ((0, 0), 0);
        shot.into = into.to_string();
        Ok(Profiled { launch, shots: Vec::from([shot]) })
    }

    fn with_words(&self, words: [Line; 2]) -> Result<Self, EvidenceError> {
        let shell = |it: &Line| matches!(it.as_str(), "sh" | "bash" | "/bin/sh" | "/bin/bash");
        if self.argv.first().is_some_and(shell) {
            let message = "the launch is a shell's script, which takes no flag of the profiler; \
                           write it as words";
            return Err(EvidenceError::new(message).of("server_command"));
        }
        let mut launch = self.clone();
        launch.argv.extend(words);
        Ok(launch)
    }
}

fn shot(
    scenario: &Scenario,
    stage: Stage,
    window: Window,
    switch: Switch,
) -> Result<Shot, EvidenceError> {
    let (input_len, output_len) = scenario.shown_by(stage);
    let least = window.active.saturating_add(BEFORE).saturating_add(1);
    if stage == Stage::Decode && output_len < least {
        let message = format!(
            "PR-3: the answers of {} have {output_len} tokens; a window of {} steps needs {least}",
            scenario.name, window.active
        );
        return Err(EvidenceError::new(message).of("output_len"));
    }
    let (warmup, requests) = match stage {
        // One answer of so many steps warms a decode, and one whole answer holds its window.
        Stage::Decode => ((u32::from(window.warmup > 0), window.warmup.saturating_add(1)), 1),
        _ => ((window.warmup, output_len), window.active.max(1)),
    };
    let into = String::new();
    Ok(Shot { stage, input_len, output_len, warmup, requests, switch, into, ranks: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::search::Readiness;
    use crate::facts::{Metric, Rate};
    use crate::measure::Measured;
    use alloc::collections::BTreeMap;

    fn launch(framework: Framework, words: &str) -> Launch {
        Launch {
            framework,
            candidate: Name::new("base").unwrap(),
            argv: words.split(' ').map(|it| line(it).unwrap()).collect(),
            env: BTreeMap::new(),
            host: line("127.0.0.1").unwrap(),
            port: 8_000,
            ready: Readiness { path: "/health", deadline_ms: 1_000 },
        }
    }

    fn scenario(output_len: u32) -> Scenario {
        Scenario {
            name: Name::new("chat").unwrap(),
            input_len: 1_000,
            output_len,
            num_prompts: 80,
            request_rate: Rate::Unbounded,
            max_concurrency: None,
            burstiness: Measured::new(1.0).unwrap(),
            objective: Metric::RequestThroughput,
        }
    }

    const BOTH: [Stage; 2] = [Stage::Prefill, Stage::Decode];

    #[test]
    fn each_framework_is_switched_on_its_own_way() {
        let of = |framework, words| {
            launch(framework, words)
                .profiled(&scenario(500), &BOTH, Window::default(), "/d")
                .unwrap()
        };
        let vllm = of(Framework::Vllm, "vllm serve m");
        let [one] = vllm.as_slice() else { panic!("{vllm:?}") };
        assert_eq!(one.launch.argv[3].as_str(), "--profiler-config");
        let config: Value = serde_json::from_str(one.launch.argv[4].as_str()).unwrap();
        assert_eq!(config["torch_profiler_dir"], "/d/traces");
        let lengths: Vec<_> = one.shots.iter().map(|it| (it.input_len, it.output_len)).collect();
        assert_eq!(lengths, [(1_000, 1), (1, 500)], "PR-3");
        assert_eq!((one.shots[0].warmup, one.shots[0].requests), ((10, 1), 5));
        assert_eq!((one.shots[1].warmup, one.shots[1].requests), ((1, 11), 1));
        let sglang = of(Framework::Sglang, "python -m sglang.launch_server");
        assert_eq!(sglang[0].launch.argv.len(), 3, "no flag");
        let Switch::Routes { start, stops_itself: true } = &sglang[0].shots[1].switch else {
            panic!("{sglang:?}")
        };
        let into = "/d/traces/decode";
        assert_eq!((&start["num_steps"], &start["output_dir"]), (&json!(7), &json!(into)));
        assert_eq!((sglang[0].shots[1].into.as_str(), sglang[0].shots[1].ranks), (into, Some(1)));
        for (words, ranks) in [
            ("python -m sglang.launch_server --tp 2 --pp-size 2", Some(4)),
            ("python -m sglang.launch_server --tp-size 4 --dp 2 --enable-dp-attention", Some(4)),
            ("python -m sglang.launch_server --tp 8 --nnodes 2 --node-rank 0", None),
            ("python -m sglang.launch_server --config a.yaml", None),
        ] {
            assert_eq!(of(Framework::Sglang, words)[0].shots[0].ranks, ranks, "{words}");
        }
        let trt = of(Framework::TensorrtLlm, "trtllm-serve serve m");
        assert_eq!(trt.len(), 2, "a launch for each stage");
        let env: Vec<&str> = trt[1].launch.env.values().map(Line::as_str).collect();
        assert_eq!(env, ["12-17", "/d/traces/rank0.trace.json"]);
    }

    #[test]
    fn what_cannot_be_captured_is_said() {
        let refused = |words, output_len| {
            launch(Framework::Vllm, words)
                .profiled(&scenario(output_len), &BOTH, Window::default(), "/d")
                .unwrap_err()
                .message
        };
        assert!(refused("bash -c vllm", 500).contains("shell"));
        assert!(refused("vllm serve m", 7).contains("a window of 5 steps needs 8"));
    }
}
