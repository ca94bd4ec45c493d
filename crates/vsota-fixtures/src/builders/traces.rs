//! Chrome traces whose truth is planted: every time is chosen, none is measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A kernel of the made model: what it is called, from where, on which stream, and from when to
/// when after the start of its layer, in ns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Planted {
    /// The kernel's name.
    pub name: &'static str,
    /// The Python frame that launches it.
    pub frame: &'static str,
    /// Its stream.
    pub stream: u32,
    /// Its start, in ns after that of the layer.
    pub start: u64,
    /// How long it takes, in ns.
    pub ns: u64,
    /// How much of that another stream works too, in ns.
    pub hidden: u64,
}

const fn planted(
    name: &'static str,
    frame: &'static str,
    stream: u32,
    times: (u64, u64, u64),
) -> Planted {
    Planted { name, frame, stream, start: times.0, ns: times.1, hidden: times.2 }
}

/// The kernels of a layer. The reduction runs beside attention and beside the product after it.
pub const LAYER: &[Planted] = &[
    planted(
        "void vllm::fused_add_rms_norm_kernel<c10::BFloat16, 8>(c10::BFloat16*, long)",
        "vllm/model_executor/layers/layernorm.py(41): forward_cuda",
        7,
        (0, 5_000, 0),
    ),
    planted(
        "nvjet_made_qkv_TNT",
        "vllm/model_executor/layers/linear.py(508): forward",
        7,
        (5_000, 20_000, 0),
    ),
    planted(
        "void vllm::rotary_embedding_kernel<c10::BFloat16, true>(long const*)",
        "vllm/model_executor/layers/rotary_embedding.py(77): forward_cuda",
        7,
        (25_000, 3_000, 0),
    ),
    planted(
        "void flash_fwd_kernel<Traits<128, 64>>(Params)",
        "vllm/v1/attention/backends/flash_attn.py(512): forward",
        7,
        (28_000, 30_000, 8_000),
    ),
    planted(
        "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
        "vllm/distributed/device_communicators/pynccl.py(140): all_reduce",
        23,
        (50_000, 20_000, 18_000),
    ),
    planted(
        "nvjet_made_mlp_TNT",
        "vllm/model_executor/layers/linear.py(1210): forward",
        7,
        (60_000, 30_000, 10_000),
    ),
];

/// The time of a layer, in ns.
pub const LAYER_NS: u64 = 100_000;

/// What is planted in a stage.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StageTruth {
    /// Forward passes.
    pub passes: u64,
    /// Time and launches of each kernel, by its raw name.
    pub kernels: BTreeMap<&'static str, (u64, u64)>,
    /// Time of each kernel in which another stream worked too.
    pub hidden: BTreeMap<&'static str, u64>,
    /// The time of all work.
    pub total_ns: u64,
    /// The time in which any of it ran.
    pub busy_ns: u64,
}

/// A trace and what is planted in it.
#[derive(Clone, Debug, Default)]
pub struct MadeTrace {
    /// The text, in the order in which Kineto writes.
    pub text: String,
    /// By stage: `prefill`, `decode`, `mixed`, `unattributed`.
    pub stages: BTreeMap<&'static str, StageTruth>,
}

#[derive(Default)]
struct Writing {
    ops: String,
    frames: String,
    gpu: String,
    next: u64,
    truth: BTreeMap<&'static str, StageTruth>,
}

/// Microseconds with three digits, as Kineto writes them.
fn us(ns: u64) -> String {
    format!("{}.{:03}", ns / 1000, ns % 1000)
}

impl Writing {
    /// One launch with its operator, its frame and its work.
    fn launch(&mut self, stage: &'static str, it: &Planted, host: u64, start: u64, scale: u64) {
        self.next += 1;
        let (n, ns) = (self.next, it.ns * scale);
        let _ = write!(
            self.ops,
            r#"{{"ph":"X","cat":"cpu_op","name":"made::op","pid":9,"tid":9,"ts":{},"dur":2.000,"args":{{"External id":{n}}}}},"#,
            us(host)
        );
        let _ = write!(
            self.frames,
            r#"{{"ph":"X","cat":"python_function","name":"{}","pid":9,"tid":9,"ts":{},"dur":3.000,"args":{{"Python id":{n}}}}},"#,
            it.frame,
            us(host - 500)
        );
        let _ = write!(
            self.gpu,
            r#"{{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":9,"tid":9,"ts":{},"dur":1.000,"args":{{"correlation":{n},"External id":{n}}}}},{{"ph":"X","cat":"kernel","name":"{}","pid":0,"tid":{},"ts":{},"dur":{},"args":{{"External id":{n},"device":0,"stream":{},"correlation":{n}}}}},"#,
            us(host + 800),
            it.name,
            it.stream,
            us(start),
            us(ns),
            it.stream
        );
        let truth = self.truth.entry(stage).or_default();
        let sum = truth.kernels.entry(it.name).or_default();
        *sum = (sum.0 + ns, sum.1 + 1);
        *truth.hidden.entry(it.name).or_default() += it.hidden * scale;
        truth.total_ns += ns;
    }
}

/// A trace of a model of so many layers, one forward pass for each step: prompt tokens and generated
/// tokens. A pass that reads a prompt takes twice as long. One kernel belongs to no pass.
pub fn trace(layers: u64, steps: &[(u64, u64)]) -> MadeTrace {
    let embedding = planted(
        "triton_poi_fused_embedding_0",
        "vllm/model_executor/layers/vocab_parallel_embedding.py(9): forward",
        7,
        (0, 3_000, 0),
    );
    let norm = LAYER[0];
    let first =
        Planted { name: "void vllm::rms_norm_kernel<c10::BFloat16>(c10::BFloat16*)", ..norm };
    let head = planted(
        "nvjet_made_head_TNT",
        "vllm/model_executor/layers/logits_processor.py(60): forward",
        7,
        (5_000, 40_000, 0),
    );
    let mut writing = Writing::default();
    // Far from zero, as real times are, so that a float would round.
    let mut now: u64 = 6_520_430_064_203_583;
    let begin = now;
    for (prefill, decode) in steps {
        let stage = match (prefill, decode) {
            (0, _) => "decode",
            (_, 0) => "prefill",
            _ => "mixed",
        };
        let scale = if *prefill > 0 { 2 } else { 1 };
        let (host, mut at) = (now + 10_000, now + 50_000);
        let mut launched = 0;
        let mut launch = |it: &Planted, at: u64| {
            launched += 1;
            writing.launch(stage, it, host + launched * 4_000, at, scale);
        };
        launch(&embedding, at);
        at += 5_000 * scale;
        for layer in 0..layers {
            for it in LAYER {
                let it = if layer == 0 && *it == norm { &first } else { it };
                launch(it, at + it.start * scale);
            }
            at += LAYER_NS * scale;
        }
        launch(&norm, at);
        launch(&head, at + head.start * scale);
        let end = (at + 45_000 * scale).max(host + (launched + 2) * 4_000);
        let requests = |tokens: u64| u64::from(tokens > 0);
        let _ = write!(
            writing.ops,
            r#"{{"ph":"X","cat":"user_annotation","name":"execute_context_{}({prefill})_generation_{}({decode})","pid":9,"tid":9,"ts":{},"dur":{}}},"#,
            requests(*prefill),
            decode,
            us(host),
            us((launched + 1) * 4_000)
        );
        let truth = writing.truth.entry(stage).or_default();
        truth.passes += 1;
        // A layer rests between its kernels only where no stream works.
        truth.busy_ns += (3_000 + layers * 90_000 + 45_000) * scale;
        now = end + 20_000;
    }
    let stray = planted("made_stray_kernel", "made_benchmark.py(3): main", 7, (0, 1_000, 0));
    writing.launch("unattributed", &stray, now, now + 10_000, 1);
    if let Some(truth) = writing.truth.get_mut("unattributed") {
        truth.busy_ns += 1_000;
    }
    let Writing { ops, frames, gpu, truth, .. } = writing;
    let span = us(now - begin);
    let text = format!(
        r#"{{"schemaVersion":1,"deviceProperties":[{{"id":0,"name":"made"}}],"cuda_runtime_version":12080,"distributedInfo":{{"backend":"nccl","rank":0,"world_size":8}},"vllm_version":"0.33.0","displayTimeUnit":"ms","baseTimeNanoseconds":1761950628000000000,"traceEvents":[{ops}{frames}{gpu}{{"name":"PyTorch Profiler (0)","ph":"X","cat":"Trace","pid":"Traces","tid":"PyTorch Profiler","ts":{},"dur":{span}}}],"traceName":"made.pt.trace.json"}}"#,
        us(begin)
    );
    MadeTrace { text, stages: truth }
}
