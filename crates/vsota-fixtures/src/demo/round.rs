//! The two rounds: behind and patched, then level and stopped.

use serde_json::{Value, json};
use vsota_core::facts::{Build, Framework, Stage};

use super::bench::{RunOf, lengths, level};
use super::kernels::traced;
use super::{Demo, build};
use crate::builders::{NcuLaunch, block, ncu_details};
use crate::model::SCENARIOS;

/// What the patch gains in every scenario.
const GAIN: f64 = 1.055;

/// What the steps show that measure.
const BLOCKS: &str = "run interleaved blocks, two at a time, each value from a fresh launch";

/// The step that captures profiles, and what it shows.
const CAPTURE: (&str, &[&str]) = (
    "launch each server with its profiler on, capture prefill and decode apart, file the tables",
    &["profile", "capture"],
);

/// The build of the accepted patch.
const PATCHED: &str = "moe-routing";

impl Demo {
    pub(super) fn first_round(&mut self) {
        let stand = self.stand("round-1", "baseline", "active", 0);
        self.step("open the first round", &["round", "open", "--stand", &stand]);
        let patch = self.patch_files();
        let patch: Vec<&str> = patch.iter().map(String::as_str).collect();
        self.refused("a patch before the gap is decided is refused", &patch);
        self.blocks("gap/round-1", "baseline", 1.0, 4);
        self.step("decide the gap: vLLM is behind", &["gap", "decide", "--stand", &stand]);
        let all = Framework::ALL.iter().flat_map(|it| ["--framework", it.as_str()]);
        let capture: Vec<&str> = CAPTURE.1.iter().copied().chain(all).collect();
        let captured = self.run_live(CAPTURE.0, &capture);
        for framework in Framework::ALL.iter().copied().filter(|_| !captured) {
            for stage in [Stage::Prefill, Stage::Decode] {
                self.profile("profiles/round-1", framework, stage, "baseline", 1);
            }
        }
        let cause = self.file("drafts/root-cause.md", ROOT_CAUSE);
        self.step("name the root cause", &["profile", "root-cause", &cause, "--stand", &stand]);
        let trace = match captured {
            true => "%profiles/r1/vllm-decode-*.trace.json.gz",
            false => "@profiles/round-1/vllm-decode.pt.trace.json",
        };
        self.step(
            "find the layers in the same trace, and file them",
            &["layers", "file", trace, "--config", "@config.json", "--stand", &stand],
        );
        let idea = self.file("drafts/idea-splitkv.md", IDEA);
        self.step("reject an idea, with the reason", &["idea", "note", &idea]);
        let target = self.file("drafts/kernel-target.md", TARGET);
        let skill = "@companions/ncu-report-skill/SKILL.md";
        self.step(
            "open kernel evidence",
            &["kernel", "open", &target, "--stand", &stand, "--ncu-skill", skill],
        );
        let digest = self.ncu_exports();
        let digest: Vec<&str> = digest.iter().map(String::as_str).collect();
        self.step("compare two exports of NCU's, with one next edit", &digest);
        self.step("record the patch", &patch);
        self.revalidate();
    }

    /// The arguments of `kernel digest`, with NCU's exports.
    fn ncu_exports(&mut self) -> Vec<String> {
        let launches = |kernel: &str, us: [f64; 4], memory, registers| {
            let one = |duration_us| {
                let kernel = kernel.to_owned();
                NcuLaunch { kernel, duration_us, compute: 24.3, memory, registers }
            };
            us.map(one).to_vec()
        };
        let old = launches("topk_softmax_kernel", [11.42, 11.47, 11.39, 11.44], 71.8, 40);
        let new = launches("topk_softmax_sorted_kernel", [6.71, 6.68, 6.74, 6.70], 58.2, 56);
        let old = self.file("ncu/baseline.csv", ncu_details(&old));
        let new = self.file("ncu/candidate.csv", ncu_details(&new));
        let edit = "keep the sorted expert ids in shared memory until the permutation is written";
        ["kernel", "digest", "--baseline", &old, "--candidate", &new, "--next-edit", edit]
            .map(str::to_owned)
            .to_vec()
    }

    /// The arguments of `patch record`, with their files.
    fn patch_files(&mut self) -> Vec<String> {
        let stand = self.stand("patch", PATCHED, "active", 0);
        let draft = self.file("drafts/patch.md", PATCH);
        let paths = ["csrc/moe/topk_softmax_kernels.cu", "tests/kernels/moe/test_topk_softmax.py"];
        let files: Vec<Value> = paths.iter().map(|it| json!({"path": it})).collect();
        let git = json!({
            "base_tree": build("baseline").1, "commits": 1, "descends": true, "files": files,
        });
        let git = self.file("git/patch.json", format!("{git:#}\n"));
        let diff = self.file("git/patch.diff", DIFF);
        ["patch", "record", &draft, "--stand", &stand, "--git", &git, "--diff", &diff]
            .map(str::to_owned)
            .to_vec()
    }

    fn revalidate(&mut self) {
        let (commit, _) = build(PATCHED);
        let junit = self.file("tests/junit.xml", JUNIT);
        self.step(
            "file the tests of the patched commit",
            &["revalidate", "test", "--commit", &commit, "--junit", &junit],
        );
        let mut files = Vec::new();
        let measured = self.run_live(BLOCKS, &["revalidate", "run"]);
        for index in (0..4).filter(|_| !measured) {
            for (scenario, _) in SCENARIOS {
                files.push(self.trial_block(index, scenario));
            }
        }
        let mut args = vec!["revalidate", "ingest"];
        args.extend(files.iter().map(String::as_str));
        if !measured {
            self.step("file interleaved blocks: new build against accepted build", &args);
        }
        let captured = self.run_live(CAPTURE.0, CAPTURE.1);
        for stage in [Stage::Prefill, Stage::Decode].into_iter().filter(|_| !captured) {
            self.profile("profiles/patched", Framework::Vllm, stage, PATCHED, 1);
        }
        self.step(
            "accept the patch",
            &[
                "revalidate",
                "accept",
                "--stand",
                "@stand/patch.json",
                "--next-planned",
                "fuse the norm with the quantization of its output",
            ],
        );
    }

    pub(super) fn second_round(&mut self) {
        let stand = self.stand("round-2", PATCHED, "active", 1);
        self.step(
            "open the second round, after the review",
            &["round", "open", "--stand", &stand, "--review", "advanced"],
        );
        for (dir, shows) in [
            ("gap/round-2-gate", "decide: level everywhere, so it must be confirmed"),
            ("gap/round-2-confirm", "decide on fresh blocks: the stop is confirmed"),
        ] {
            self.blocks(dir, PATCHED, GAIN, 4);
            self.step(shows, &["gap", "decide", "--stand", &stand]);
        }
        if self.live.is_some() {
            self.step("claim the stop", &["stop", "claim", "beats", "--stand", &stand]);
        } else {
            self.refused(
                "a claim beyond the verdict is refused",
                &["stop", "claim", "beats", "--stand", &stand],
            );
            self.step("claim the stop", &["stop", "claim", "tied", "--stand", &stand]);
        }
        let stand = self.stand("complete", PATCHED, "complete", 1);
        self.step("confirm it after the review", &["stop", "confirm", "--stand", &stand]);
    }

    /// Blocks of every scenario, vLLM first in every other one, and the step that files them.
    fn blocks(&mut self, dir: &str, on: &str, gain: f64, count: usize) {
        if self.run_live(BLOCKS, &["gap", "run"]) {
            return;
        }
        let mut files = Vec::new();
        for index in 0..count {
            for (scenario, _) in SCENARIOS {
                let mut order = Framework::ALL.to_vec();
                if index % 2 == 1 {
                    order.rotate_left(1);
                }
                let mut runs = Vec::new();
                for framework in order {
                    let ours = if framework == Framework::Vllm { gain } else { 1.0 };
                    let req_s = level(framework, scenario) * ours;
                    let run = RunOf {
                        framework,
                        scenario,
                        variant: 4,
                        req_s,
                        candidate: false,
                        build: None,
                    };
                    runs.push(self.run(dir, on, &run));
                }
                let block = block("gap", scenario, &runs);
                let name = format!("{dir}/{scenario}-{}.json", index + 1);
                files.push(self.file(&name, format!("{block:#}\n")));
            }
        }
        let mut args = vec!["gap", "ingest"];
        args.extend(files.iter().map(String::as_str));
        self.step("file interleaved blocks, each value from a fresh launch", &args);
    }

    fn trial_block(&mut self, index: usize, scenario: &str) -> String {
        let mut order = [(Build::New, PATCHED, GAIN), (Build::Accepted, "baseline", 1.0)];
        if index % 2 == 1 {
            order.reverse();
        }
        let mut runs = Vec::new();
        for (which, on, gain) in order {
            let framework = Framework::Vllm;
            let req_s = level(framework, scenario) * gain;
            let build = Some((which, on));
            let run = RunOf { framework, scenario, variant: 4, req_s, candidate: false, build };
            runs.push(self.run("trial", on, &run));
        }
        let block = block("trial", scenario, &runs);
        self.file(&format!("trial/{scenario}-{}.json", index + 1), format!("{block:#}\n"))
    }

    /// A profile of the slow scenario with its trace, its capture, its server log, and its step.
    fn profile(&mut self, dir: &str, framework: Framework, stage: Stage, on: &str, round: u32) {
        let (input, output) = lengths("summarization");
        let (input_len, output_len) = match stage {
            Stage::Prefill => (input, 1),
            _ => (1, output),
        };
        let name = format!("{framework}-{stage}");
        // Microseconds of a monotonic clock; each capture starts at its own.
        let start_ns = 4_711_000_000_000 + u64::from(self.launches) * 60_000_000_000;
        let trace = traced(framework, stage, on == PATCHED, start_ns);
        let trace = self.file(&format!("{dir}/{name}.pt.trace.json"), trace);
        let log = format!("{name}-server.log");
        self.launches += 1;
        let launch =
            format!("demo profiled launch {:03} of {}\n", self.launches, framework.title());
        self.file(&format!("{dir}/{log}"), launch);
        let mut capture = json!({
            "stage": stage, "scenario": "summarization", "round": round,
            "command": self.launch_command(framework, 4), "launch": log,
            "input_len": input_len, "output_len": output_len,
        });
        if framework == Framework::Vllm {
            capture["build"] = json!(build(on).1);
        }
        let capture = self.file(&format!("{dir}/{name}.capture.json"), format!("{capture:#}\n"));
        self.step(
            "make the tables of a trace of the slow scenario, and file them",
            &["profile", "file", &trace, "--capture", &capture],
        );
    }
}

const ROOT_CAUSE: &str = "\
# Root cause

- stage: decode
- estimated-gap-pct: 4.6

## Rows

- vllm:decode:kernel:3
- sglang:decode:kernel:3
- tensorrt_llm:decode:kernel:3

## Sources

- csrc/moe/topk_softmax_kernels.cu
- vllm/model_executor/layers/fused_moe/fused_moe.py

## Explanation

The routing kernel takes 13 % of a decode step in vLLM. Both leaders sort tokens by expert in the same launch and spend
7 to 8 % on it; the grouped GEMM after it also starts earlier.
";

const IDEA: &str = "\
# Idea

- name: splitkv-heuristic
- source-path: vllm/v1/attention/backends/flash_attn.py
- provenance: vllm, the baseline commit
- verdict: rejected
- reason: the split count is already the one that the leaders choose for these lengths
- row: vllm:decode:kernel:2
- layer-row: vllm:decode:kernel:2
- history: vllm-pr-4242
";

const TARGET: &str = "\
# Kernel target

- name: moe-topk-softmax
- kind: cuda
- row: vllm:decode:kernel:3
- profiler-falls-short: the trace shows the time of the kernel and not whether it waits for memory or for the warp reduction
- reference: tests/kernels/moe/test_topk_softmax.py
- shape: gating output [80, 64]
- dtype: bfloat16
- layout: row-major
- wiring: vllm/model_executor/layers/fused_moe/fused_moe.py fused_topk
- harness: benchmarks/kernels/benchmark_moe_topk.py
";

const PATCH: &str = "\
# Patch

- name: sort-in-topk
- symptom: summarization
- profiler-row: vllm:decode:kernel:3
- layer-row: vllm:decode:kernel:3
- source-path: csrc/moe/topk_softmax_kernels.cu
- expected-effect: a decode step shorter by about 5 %
- weakens-correctness: no

## History

- item: vllm-pr-4242

## Kernel moe-topk-softmax

- row: vllm:decode:kernel:3
- new-kernel: topk_softmax_sorted_kernel
- correctness-test: tests/kernels/moe/test_topk_softmax.py::test_ties_keep_their_order
";

const DIFF: &str = "\
diff --git a/csrc/moe/topk_softmax_kernels.cu b/csrc/moe/topk_softmax_kernels.cu
--- a/csrc/moe/topk_softmax_kernels.cu
+++ b/csrc/moe/topk_softmax_kernels.cu
@@ -1 +1 @@
-// demonstration: two passes
+// demonstration: one pass, sorted by expert
diff --git a/tests/kernels/moe/test_topk_softmax.py b/tests/kernels/moe/test_topk_softmax.py
--- a/tests/kernels/moe/test_topk_softmax.py
+++ b/tests/kernels/moe/test_topk_softmax.py
@@ -1 +1 @@
-# demonstration: no ties
+# demonstration: ties keep their order
";

const JUNIT: &str = "\
<?xml version=\"1.0\" encoding=\"utf-8\"?>
<testsuites>
  <testsuite name=\"pytest\" errors=\"0\" failures=\"0\" skipped=\"0\" tests=\"3\" time=\"4.2\">
    <testcase classname=\"tests.kernels.moe.test_topk_softmax\" name=\"test_ties_keep_their_order\" time=\"1.1\"/>
    <testcase classname=\"tests.kernels.moe.test_topk_softmax\" name=\"test_matches_reference\" time=\"1.6\"/>
    <testcase classname=\"tests.kernels.moe.test_topk_softmax\" name=\"test_empty_batch\" time=\"0.4\"/>
  </testsuite>
</testsuites>
";
