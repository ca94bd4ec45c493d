//! Small Chrome traces of a serving framework: forward passes, each with its layers.

use std::fmt::Write as _;

use vsota_core::facts::{Framework, Stage};

/// A kernel of a forward pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PassKernel {
    /// Its name.
    pub name: &'static str,
    /// The Python frame that launches it, as `path(line): function`.
    pub frame: &'static str,
    /// How long it takes, in ns.
    pub ns: u64,
}

/// The forward passes of a trace.
#[derive(Clone, Debug)]
pub struct PassesOf {
    /// Whose passes they are.
    pub framework: Framework,
    /// Prefill or decode.
    pub stage: Stage,
    /// How many.
    pub passes: u64,
    /// Tokens that each reads or generates.
    pub tokens: u64,
    /// The kernels of each layer.
    pub layers: Vec<Vec<PassKernel>>,
    /// The kernels after the last layer.
    pub after: Vec<PassKernel>,
    /// What makes this trace another than its like: the time of its start.
    pub start_ns: u64,
}

/// One forward pass.
#[derive(Clone, Debug)]
pub struct Step {
    /// Prefill or decode.
    pub stage: Stage,
    /// Tokens that it reads or generates.
    pub tokens: u64,
    /// Its kernels, in the order in which they run.
    pub kernels: Vec<PassKernel>,
}

/// Microseconds with three digits, as Kineto writes them.
fn us(ns: u64) -> String {
    format!("{}.{:03}", ns / 1000, ns % 1000)
}

fn step(framework: Framework, of: &Step, number: u64) -> String {
    let Step { stage, tokens, .. } = of;
    let prefill = *stage == Stage::Prefill;
    match (framework, prefill) {
        (Framework::Vllm, true) => format!("execute_context_1({tokens})_generation_0(0)"),
        (Framework::Vllm, false) => {
            format!("execute_context_0(0)_generation_{tokens}({tokens})")
        }
        (Framework::Sglang, true) => format!("step[EXTEND bs=1 toks={tokens}]"),
        (Framework::Sglang, false) => format!("step[DECODE bs={tokens} toks={tokens}]"),
        (Framework::TensorrtLlm, true) => format!(
            "[Executor] _forward_step {number}: 1 ctx reqs, {tokens} ctx tokens, 0 gen reqs"
        ),
        (Framework::TensorrtLlm, false) => format!(
            "[Executor] _forward_step {number}: 0 ctx reqs, 0 ctx tokens, {tokens} gen reqs"
        ),
    }
}

/// The text of the trace.
pub fn server_trace(of: &PassesOf) -> String {
    let kernels = of.layers.iter().flatten().chain(&of.after).copied().collect();
    let step = Step { stage: of.stage, tokens: of.tokens, kernels };
    let steps: Vec<Step> = (0..of.passes).map(|_| step.clone()).collect();
    server_trace_of(of.framework, &steps, of.start_ns)
}

/// The text of a trace whose passes differ.
pub fn server_trace_of(framework: Framework, steps: &[Step], start_ns: u64) -> String {
    let (mut events, mut n) = (String::new(), 0_u64);
    let mut now = start_ns;
    for (number, of) in (1..).zip(steps) {
        let host = now;
        let mut at = now + 20_000;
        for (launched, kernel) in (1..).zip(&of.kernels) {
            n += 1;
            let launch = host + launched * 2_000;
            at = at.max(launch + 2_000);
            let PassKernel { name, frame, ns } = kernel;
            let _ = writeln!(
                events,
                r#"{{"ph":"X","cat":"python_function","name":"{frame}","pid":9,"tid":9,"ts":{},"dur":1.900}},
{{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":9,"tid":9,"ts":{},"dur":1.000,"args":{{"correlation":{n}}}}},
{{"ph":"X","cat":"kernel","name":"{name}","pid":0,"tid":7,"ts":{},"dur":{},"args":{{"device":0,"stream":7,"correlation":{n}}}}},"#,
                us(launch - 500),
                us(launch),
                us(at),
                us(*ns),
            );
            at += ns + 500;
        }
        let launching = (of.kernels.len() as u64 + 1) * 2_000;
        let _ = writeln!(
            events,
            r#"{{"ph":"X","cat":"user_annotation","name":"{}","pid":9,"tid":9,"ts":{},"dur":{}}},"#,
            step(framework, of, number),
            us(host),
            us(launching)
        );
        now = at.max(host + launching) + 5_000;
    }
    let version = match framework {
        Framework::Vllm => r#""vllm_version":"0.33.0","#,
        _ => "",
    };
    format!(
        r#"{{"schemaVersion":1,{version}"displayTimeUnit":"ms","baseTimeNanoseconds":1761950628000000000,"traceEvents":[
{events}{{"name":"PyTorch Profiler (0)","ph":"X","cat":"Trace","pid":"Traces","tid":"PyTorch Profiler","ts":{},"dur":{}}}],
"traceName":"demo.pt.trace.json"}}
"#,
        us(start_ns),
        us(now - start_ns)
    )
}
