//! What kind of work is a kernel? By its own name first, its template arguments only where that
//! says nothing, its parameters never: a type in a signature is not what a kernel does.

use alloc::string::String;

use super::named::base_name;
use crate::evidence::trace::GpuKind;

macro_rules! categories {
    ($($Name:ident = $text:literal,)+) => {
        /// A kind of work.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
        #[allow(missing_docs, reason = "the texts say it")]
        pub enum Category { $( #[serde(rename = $text)] $Name, )+ }

        impl Category {
            /// The category as the tables spell it.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$Name => $text, )+ }
            }
        }
    };
}

categories! {
    Communication = "communication",
    Memory = "memory",
    HybridLinear = "hybrid_linear",
    Attention = "attention",
    Moe = "moe",
    Gemm = "gemm",
    Norm = "norm",
    Rope = "rope",
    Softmax = "softmax",
    Activation = "activation",
    Quantize = "quantize",
    ReduceTopk = "reduce_topk",
    SamplingIo = "sampling_io",
    Elementwise = "elementwise",
    Other = "other",
}

use Category as C;

/// Rules in order: the first whose word occurs decides. A word that starts with `=` must be whole:
/// no letter stands before or after it.
const RULES: &[(Category, &[&str])] = &[
    (
        C::Communication,
        &[
            "nccl",
            "rccl",
            "allreduce",
            "all_reduce",
            "reduce_scatter",
            "reducescatter",
            "allgather",
            "all_gather",
            "alltoall",
            "all_to_all",
            "cross_device_reduce",
            "deepep",
            "deep_ep",
            "mooncake",
            "multimem",
        ],
    ),
    (C::Memory, &["memcpy", "memset", "=dma", "reshape_and_cache", "concat_and_cache"]),
    (
        C::HybridLinear,
        &[
            "=gdn",
            "gated_delta",
            "mamba",
            "selective_scan",
            "=ssd",
            "causal_conv",
            "=ssm",
            "chunk_scan",
        ],
    ),
    (
        C::Attention,
        &[
            "flash_attn",
            "flashattn",
            "flash_fwd",
            "flash::flash",
            "flashattention",
            "flash_attention",
            "fmha",
            "sdpa",
            "attention",
            "=mla",
            "flash_mla",
            "flashmla",
            "paged_attn",
            "batchprefill",
            "batchdecode",
            "prefillwithkvcache",
            "decodewithkvcache",
            "pagedkvcache",
            "splitkv",
        ],
    ),
    (
        C::Moe,
        &[
            "fused_moe",
            "grouped_mm",
            "groupgemm",
            "group_gemm",
            "grouped_gemm",
            "=moe",
            "moe_",
            "expert",
            "groupproblemshape",
            "moe::",
        ],
    ),
    (
        C::Gemm,
        &[
            "gemm", "gemv", "matmul", "cublas", "wgmma", "=mma", "bmm", "nvjet", "cijk_", "splitk",
            "wgrad", "dgrad", "=mm", "addmm", "=linear",
        ],
    ),
    (
        C::Norm,
        &[
            "rmsnorm",
            "rms_norm",
            "layernorm",
            "layer_norm",
            "_norm_",
            " norm",
            "normkernel",
            "norm_kernel",
        ],
    ),
    (C::Rope, &["rotary", "rope"]),
    (C::Softmax, &["softmax"]),
    (C::Activation, &["silu", "gelu", "relu", "act_and_mul", "sigmoid"]),
    (C::Quantize, &["quant", "fp8", "mxfp", "nvfp4", "cvt"]),
    (C::ReduceTopk, &["topk", "reduce", "argmax", "sampling", "multinomial", "radixsort"]),
    (
        C::SamplingIo,
        &["prepare_inputs", "write_req_to", "catarraybatched", "prepare_next", "copy_next"],
    ),
    (C::Memory, &["=copy", "copy_", "_copy", "=fill", "fill_", "_fill", "fillfunctor"]),
    (
        C::Elementwise,
        &[
            "elementwise",
            "gpu_kernel_impl",
            "binary_internal",
            "unaryfunctor",
            "add_kernel",
            "sub_kernel",
            "mul_kernel",
            "div_",
            "floor_kernel",
            "log_kernel",
            "neg_kernel",
            "triton_poi",
            "aten::add",
            "aten::mul",
            "aten::sub",
            "aten::div",
        ],
    ),
    (C::Communication, &["broadcast", "dispatch", "combine"]),
];

/// Names that say only how work is run; what it is stands in the template arguments.
const CARRIERS: &[&str] = &[
    "device_kernel",
    "kernel",
    "kernel2",
    "kentry",
    "kernel_mha",
    "elementwise_kernel",
    "vectorized_elementwise_kernel",
    "unrolled_elementwise_kernel",
    "reduce_kernel",
    "elementwise_kernel_with_index",
    "index_elementwise_kernel",
];

/// The category of a piece of work.
pub fn categorize(kind: Option<GpuKind>, name: &str) -> Category {
    if matches!(kind, Some(GpuKind::Memcpy | GpuKind::Memset)) {
        return C::Memory;
    }
    let base = base_name(name);
    let last = base.rsplit("::").next().unwrap_or(base).to_ascii_lowercase();
    let own = if CARRIERS.contains(&last.as_str()) { C::Other } else { find(base) };
    // A fused Triton kernel names its parts: a reduction over squares with a root is a norm.
    let own = match own {
        C::Memory | C::Elementwise | C::ReduceTopk | C::Other if is_norm(&last) => C::Norm,
        own => own,
    };
    if own != C::Other {
        return own;
    }
    let inside = find(arguments(name));
    match (inside, find(base)) {
        (C::Other, carrier) => carrier,
        (inside, _) => inside,
    }
}

fn is_norm(base: &str) -> bool {
    base.starts_with("triton_") && base.contains("rsqrt") && base.contains("mean")
}

/// The template arguments of a function, without its parameters.
fn arguments(name: &str) -> &str {
    let base = base_name(name);
    let start = base.as_ptr().addr().saturating_sub(name.as_ptr().addr()) + base.len();
    let rest = name.get(start..).unwrap_or_default();
    if !rest.starts_with('<') {
        return "";
    }
    let mut depth = 0_i32;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return rest.get(..=at).unwrap_or(rest);
        }
    }
    rest
}

fn find(text: &str) -> Category {
    let lower = text.to_ascii_lowercase();
    let rule = RULES.iter().find(|(_, words)| words.iter().any(|word| has(text, &lower, word)));
    rule.map_or(C::Other, |it| it.0)
}

/// Whether a word occurs; `gemm` does not in `gemma`, nor `fill` in `prefill`.
fn has(text: &str, lower: &str, word: &str) -> bool {
    let (word, whole) = word.strip_prefix('=').map_or((word, false), |word| (word, true));
    lower.match_indices(word).any(|(at, _)| {
        let end = at + word.len();
        let before = text.get(..at).and_then(|it| it.chars().next_back());
        let after = text.get(end..).and_then(|it| it.chars().next());
        let letter = |it: Option<char>| it.is_some_and(|it| it.is_ascii_alphabetic());
        let first = text.get(at..).and_then(|it| it.chars().next());
        // A capital starts a word of its own: `ThreadMap` holds no `dma`.
        let starts = !letter(before) || first.is_some_and(|it| it.is_ascii_uppercase());
        let ends = !letter(after) || after.is_some_and(|it| it.is_ascii_uppercase());
        if whole {
            return starts && ends;
        }
        let follows = |part: &str| lower.get(..at).is_some_and(|it| it.ends_with(part));
        let other = (word == "gemm" && (after == Some('a') || follows("fb")))
            || (word.starts_with("fill") && follows("pre"));
        !other
    })
}

/// The lower-case text of a name for a search by tokens.
pub(super) fn tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    out.push(' ');
    let mut last = ' ';
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            let apart = last.is_ascii_lowercase() && c.is_ascii_uppercase();
            if apart {
                out.push(' ');
            }
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
        last = c;
    }
    out.push(' ');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_name_decides() {
        let cases = [
            (
                "void cutlass::device_kernel<flash::enable_sm90_or_later<flash::FlashAttnFwdSm90<int> > >(x)",
                C::Attention,
            ),
            (
                "void vllm::reshape_and_cache_flash_kernel<__nv_bfloat16, (vllm::Fp8KVCacheDataType)0>(y)",
                C::Memory,
            ),
            ("void flashinfer::BatchPrefillWithPagedKVCacheKernel<int>(p)", C::Attention),
            ("void flashinfer::BatchDecodeWithPagedKVCacheKernel<int>(p)", C::Attention),
            ("triton_red_fused__to_copy_add_mean_mul_pow_rsqrt_0", C::Norm),
            ("gemma_rmsnorm_kernel", C::Norm),
            ("multimem_all_reduce_kernel<c10::BFloat16, 16>", C::Communication),
            ("fmhaSm100aKernel_QkvE4m3", C::Attention),
            ("bmm_MxE4m3_MxE2m1", C::Gemm),
            ("nvjet_tst_64x64", C::Gemm),
            (
                "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<int> >",
                C::Memory,
            ),
            ("void split_embedding<float, fbgemm_gpu::Foo>(fbgemm_gpu::Bar)", C::Other),
            ("ThreadMapKernel", C::Other),
            ("k", C::Other),
        ];
        for (name, expected) in cases {
            assert_eq!(categorize(Some(GpuKind::Kernel), name), expected, "{name}");
        }
        assert_eq!(categorize(Some(GpuKind::Memcpy), "Memcpy HtoD"), C::Memory);
    }
}
