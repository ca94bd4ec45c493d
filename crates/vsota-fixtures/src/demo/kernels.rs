//! What a forward pass of the demonstration's model runs in each framework: the layers of its traces.

use vsota_core::facts::{Framework, Stage};

use super::bench::lengths;
use crate::builders::{PassKernel, PassesOf, Step, server_trace, server_trace_of};

/// The kernels of a layer, in the order in which they run.
struct Layer {
    norm: PassKernel,
    attention: PassKernel,
    dense: PassKernel,
    routing: PassKernel,
    experts: PassKernel,
}

const fn kernel(name: &'static str, ns: u64, frame: &'static str) -> PassKernel {
    PassKernel { name, frame, ns }
}

/// What one framework runs in a layer of a decode step.
fn layer(framework: Framework, patched: bool) -> Layer {
    match framework {
        Framework::Vllm => Layer {
            norm: kernel(
                "rms_norm_kernel",
                1_900,
                "vllm/model_executor/layers/layernorm.py(98): forward_cuda",
            ),
            attention: kernel(
                "flash_fwd_splitkv_kernel",
                19_000,
                "vllm/v1/attention/backends/flash_attn.py(655): forward",
            ),
            dense: kernel(
                "nvjet_demo_mlp_TNT",
                7_500,
                "vllm/model_executor/layers/linear.py(508): forward",
            ),
            routing: if patched {
                kernel(
                    "topk_softmax_sorted_kernel",
                    6_700,
                    "vllm/model_executor/layers/fused_moe/fused_moe.py(412): fused_topk",
                )
            } else {
                kernel(
                    "topk_softmax_kernel",
                    11_430,
                    "vllm/model_executor/layers/fused_moe/fused_moe.py(412): fused_topk",
                )
            },
            experts: kernel(
                "fused_moe_kernel",
                38_000,
                "vllm/model_executor/layers/fused_moe/fused_moe.py(688): invoke_fused_moe_kernel",
            ),
        },
        Framework::Sglang => Layer {
            norm: kernel(
                "fused_add_rmsnorm_kernel",
                1_900,
                "sglang/srt/layers/layernorm.py(61): forward",
            ),
            attention: kernel(
                "flash_fwd_splitkv_kernel",
                19_000,
                "sglang/srt/layers/attention/flash.py(88): forward",
            ),
            dense: kernel("nvjet_demo_mlp_TNT", 7_500, "sglang/srt/layers/linear.py(301): forward"),
            routing: kernel(
                "moe_align_and_topk_kernel",
                6_400,
                "sglang/srt/layers/moe/topk.py(212): select_experts",
            ),
            experts: kernel(
                "fused_moe_kernel",
                38_000,
                "sglang/srt/layers/moe/fused_moe_triton.py(501): invoke",
            ),
        },
        Framework::TensorrtLlm => Layer {
            norm: kernel(
                "rmsnormKernel",
                1_700,
                "tensorrt_llm/_torch/modules/rms_norm.py(42): forward",
            ),
            attention: kernel(
                "fmhaKernel",
                18_500,
                "tensorrt_llm/_torch/attention_backend/trtllm.py(410): run",
            ),
            dense: kernel(
                "nvjet_demo_mlp_TNT",
                7_500,
                "tensorrt_llm/_torch/modules/linear.py(220): forward",
            ),
            routing: kernel(
                "customMoeRoutingKernel",
                5_900,
                "tensorrt_llm/_torch/modules/moe_routing.py(55): apply",
            ),
            experts: kernel(
                "moeGemmKernel",
                37_500,
                "tensorrt_llm/_torch/modules/fused_moe.py(300): forward",
            ),
        },
    }
}

/// The kernels of a forward pass.
struct Pass {
    layers: Vec<Vec<PassKernel>>,
    after: Vec<PassKernel>,
}

/// A dense layer and three with experts. A prompt takes twenty times as long, in every framework alike:
/// what is lost, and what the patch gains, is lost and gained in decode.
fn pass(framework: Framework, stage: Stage, patched: bool) -> Pass {
    let head = if stage == Stage::Prefill { 160_000 } else { 8_000 };
    let mut it = layer(framework, patched);
    if stage == Stage::Prefill {
        let alike = layer(Framework::Sglang, false);
        let long = |it: PassKernel, of: PassKernel| PassKernel { ns: of.ns * 20, ..it };
        it = Layer {
            norm: long(it.norm, alike.norm),
            attention: long(it.attention, alike.attention),
            dense: long(it.dense, alike.dense),
            routing: long(it.routing, alike.routing),
            experts: long(it.experts, alike.experts),
        };
    }
    let first = [it.norm, it.attention, it.norm, it.dense].to_vec();
    let others = [it.norm, it.attention, it.norm, it.routing, it.experts].to_vec();
    Pass {
        layers: vec![first, others.clone(), others.clone(), others],
        after: vec![it.norm, PassKernel { name: "nvjet_demo_head_TNT", ns: head, ..it.dense }],
    }
}

/// The trace of a stage.
pub(super) fn traced(framework: Framework, stage: Stage, patched: bool, start_ns: u64) -> String {
    let Pass { layers, after } = pass(framework, stage, patched);
    // All prompt tokens of two requests; all tokens of an answer but the first.
    let (passes, tokens) = match stage {
        Stage::Prefill => (2, lengths("summarization").0),
        _ => (3, (lengths("summarization").1 - 1) / 3),
    };
    server_trace(&PassesOf { framework, stage, passes, tokens, layers, after, start_ns })
}

/// The trace of passes that a mock server went through: the tokens that each read and generated.
pub fn mock_trace(
    framework: Framework,
    patched: bool,
    passes: &[(u64, u64)],
    start_ns: u64,
) -> String {
    let step = |(read, wrote): &(u64, u64)| {
        let (stage, tokens) = match read {
            0 => (Stage::Decode, *wrote),
            _ => (Stage::Prefill, *read),
        };
        let Pass { layers, after } = pass(framework, stage, patched);
        Step { stage, tokens, kernels: layers.into_iter().flatten().chain(after).collect() }
    };
    let steps: Vec<Step> = passes.iter().map(step).collect();
    server_trace_of(framework, &steps, start_ns)
}
