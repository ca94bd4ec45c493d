//! The two rounds: behind and patched, then level and stopped.

use serde_json::{Value, json};
use vsota_core::facts::{Build, Framework, Stage};

use super::bench::{RunOf, launch_command, lengths, level};
use super::{Demo, build, sha256};
use crate::builders::{
    FuseRow, KernelRow, LayerGroup, OverlapRow, ProfileParts, block, layers, profile,
};
use crate::model::SCENARIOS;

/// What the patch gains in every scenario.
const GAIN: f64 = 1.055;

/// The build of the accepted patch.
const PATCHED: &str = "moe-routing";

/// The kernels of one framework: name, category, share, location.
type Kernels = [(&'static str, &'static str, f64, &'static str); 4];

fn kernels(framework: Framework, patched: bool) -> Kernels {
    let moe = "vllm/model_executor/layers/fused_moe/fused_moe.py:412 fused_topk";
    let gemm = "vllm/model_executor/layers/fused_moe/fused_moe.py:688 invoke_fused_moe_kernel";
    let attention = "vllm/v1/attention/backends/flash_attn.py:655 forward";
    let norm = "vllm/model_executor/layers/layernorm.py:98 forward_cuda";
    match (framework, patched) {
        (Framework::Vllm, false) => [
            ("fused_moe_kernel", "moe", 0.46, gemm),
            ("flash_fwd_splitkv_kernel", "attention", 0.31, attention),
            ("topk_softmax_kernel", "moe", 0.14, moe),
            ("rms_norm_kernel", "norm", 0.09, norm),
        ],
        (Framework::Vllm, true) => [
            ("fused_moe_kernel", "moe", 0.49, gemm),
            ("flash_fwd_splitkv_kernel", "attention", 0.33, attention),
            ("topk_softmax_sorted_kernel", "moe", 0.085, moe),
            ("rms_norm_kernel", "norm", 0.095, norm),
        ],
        (Framework::Sglang, _) => [
            (
                "fused_moe_kernel",
                "moe",
                0.50,
                "sglang/srt/layers/moe/fused_moe_triton.py:501 invoke",
            ),
            (
                "flash_fwd_splitkv_kernel",
                "attention",
                0.33,
                "sglang/srt/layers/attention/flash.py:88 forward",
            ),
            (
                "moe_align_and_topk_kernel",
                "moe",
                0.08,
                "sglang/srt/layers/moe/topk.py:212 select_experts",
            ),
            ("fused_add_rmsnorm_kernel", "norm", 0.09, "sglang/srt/layers/layernorm.py:61 forward"),
        ],
        (Framework::TensorrtLlm, _) => [
            ("moeGemmKernel", "moe", 0.51, "tensorrt_llm/_torch/modules/fused_moe.py:300 forward"),
            (
                "fmhaKernel",
                "attention",
                0.32,
                "tensorrt_llm/_torch/attention_backend/trtllm.py:410 run",
            ),
            (
                "customMoeRoutingKernel",
                "moe",
                0.07,
                "tensorrt_llm/_torch/modules/moe_routing.py:55 apply",
            ),
            ("rmsnormKernel", "norm", 0.10, "tensorrt_llm/_torch/modules/rms_norm.py:42 forward"),
        ],
    }
}

impl Demo {
    pub(super) fn first_round(&mut self) {
        let stand = self.stand("round-1", "baseline", "active", 0);
        self.step("open the first round", &["round", "open", "--stand", &stand]);
        let patch = self.patch_files();
        let patch: Vec<&str> = patch.iter().map(String::as_str).collect();
        self.refused("a patch before the gap is decided is refused", &patch);
        self.blocks("gap/round-1", "baseline", 1.0, 4);
        self.step("decide the gap: vLLM is behind", &["gap", "decide", "--stand", &stand]);
        for framework in Framework::ALL.iter().copied() {
            for stage in [Stage::Prefill, Stage::Decode] {
                self.profile("profiles/round-1", framework, stage, "baseline", 1);
            }
        }
        let cause = self.file("drafts/root-cause.md", ROOT_CAUSE);
        self.step("name the root cause", &["profile", "root-cause", &cause, "--stand", &stand]);
        let report = self.layer_report();
        self.step("file the layer pipeline", &["layers", "file", &report, "--stand", &stand]);
        let idea = self.file("drafts/idea-splitkv.md", IDEA);
        self.step("reject an idea, with the reason", &["idea", "note", &idea]);
        let target = self.file("drafts/kernel-target.md", TARGET);
        let skill = "@companions/ncu-report-skill/SKILL.md";
        self.step(
            "open kernel evidence",
            &["kernel", "open", &target, "--stand", &stand, "--ncu-skill", skill],
        );
        let digest = self.file("drafts/ncu-digest.md", DIGEST);
        self.step("file the NCU digest, with one next edit", &["kernel", "digest", &digest]);
        self.step("record the patch", &patch);
        self.revalidate();
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
        let measured = self.run_live(&["revalidate", "run"]);
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
        for stage in [Stage::Prefill, Stage::Decode] {
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
        if self.run_live(&["gap", "run"]) {
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
        let (input, output) = match &self.live {
            Some(_) => super::live::lengths("summarization"),
            None => lengths("summarization"),
        };
        let (input_len, output_len) = match stage {
            Stage::Prefill => (input, 1),
            _ => (1, output),
        };
        let name = format!("{framework}-{stage}");
        let trace = format!("{{\"traceEvents\":[],\"demo\":\"{dir}/{name}\"}}\n");
        self.file(&format!("{dir}/{name}.pt.trace.json"), trace.clone());
        let rows = kernels(framework, on == PATCHED);
        let parts = ProfileParts {
            framework,
            stage,
            passes: 32,
            tokens: Some(match stage {
                Stage::Prefill => (32 * input, 32),
                _ => (1, output),
            }),
            total_ns: 84_000_000,
            kernels: rows
                .iter()
                .map(|(name, category, share, at)| KernelRow::at(name, category, *share, at))
                .collect(),
            overlap: vec![OverlapRow {
                kernel: 3,
                exclusive_share: 0.92,
                advice: "the routing runs alone; hide it behind the shared expert".into(),
            }],
            fuse: vec![FuseRow {
                pattern: "rms_norm + quant".into(),
                kernels: vec![4],
                candidate_path: "vllm/compilation/fusion.py".into(),
            }],
            trace: (format!("{name}.pt.trace.json"), sha256(trace.as_bytes()), trace.len() as u64),
        };
        let file = self.file(&format!("{dir}/{name}.json"), format!("{:#}\n", profile(&parts)));
        let log = format!("{name}-server.log");
        self.launches += 1;
        let launch =
            format!("demo profiled launch {:03} of {}\n", self.launches, framework.title());
        self.file(&format!("{dir}/{log}"), launch);
        let command = match &self.live {
            Some(live) => live.best(framework),
            None => launch_command(framework, 4),
        };
        let mut capture = json!({
            "stage": stage, "scenario": "summarization", "round": round,
            "command": command, "launch": log,
            "input_len": input_len, "output_len": output_len,
        });
        if framework == Framework::Vllm {
            capture["build"] = json!(build(on).1);
        }
        let capture = self.file(&format!("{dir}/{name}.capture.json"), format!("{capture:#}\n"));
        self.step(
            "file a profile of the slow scenario",
            &["profile", "file", &file, "--capture", &capture],
        );
    }

    fn layer_report(&mut self) -> String {
        let digest = |path: &str| self.files.get(path).map(|it| sha256(it)).unwrap_or_default();
        let trace = digest("profiles/round-1/vllm-decode.pt.trace.json");
        let config = digest("config.json");
        let groups = [
            LayerGroup {
                layer_type: "dense".into(),
                layers: vec![0],
                wall_ns: 410_000,
                sum_ns: 402_000,
            },
            LayerGroup {
                layer_type: "moe".into(),
                layers: vec![1, 2, 3],
                wall_ns: 655_000,
                sum_ns: 640_000,
            },
        ];
        let hot = [
            (2, "fused_moe_kernel".to_owned(), 0.52),
            (2, "topk_softmax_kernel".to_owned(), 0.19),
            (0, "flash_fwd_splitkv_kernel".to_owned(), 0.44),
        ];
        let report = layers(Framework::Vllm, (&trace, &config), &groups, &hot);
        self.file("layers/vllm-decode.json", format!("{report:#}\n"))
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

The routing kernel takes 14 % of a decode step in vLLM. Both leaders sort tokens by expert in the same launch and spend
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
- layer-row: vllm:layer:0:3
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

const DIGEST: &str = "\
# NCU digest

## Baseline

- 11.42
- 11.47
- 11.39
- 11.44

## Candidate

- 6.71
- 6.68
- 6.74
- 6.70

## Findings

The baseline stalls on the second read of the gating output; the candidate keeps it in registers and sorts by expert in
the same pass.

## Next edit

- keep the sorted expert ids in shared memory until the permutation is written
";

const PATCH: &str = "\
# Patch

- name: sort-in-topk
- symptom: summarization
- profiler-row: vllm:decode:kernel:3
- layer-row: vllm:layer:2:2
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
