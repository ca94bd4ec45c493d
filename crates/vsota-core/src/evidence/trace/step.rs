//! What does a framework say of a forward pass? The names of step annotations, taken apart.
//!
//! vLLM writes both counts of a batch, `execute_context_N(tokens)_generation_M(tokens)`; SGLang
//! writes `step[EXTEND bs=15 toks=15360]`; TensorRT-LLM writes `_forward_step 7: 2 ctx reqs, 30 ctx
//! tokens, 5 gen reqs`, and before it counted tokens `_forward_step 7: 2 ctx reqs, 5 gen reqs`
//! (`py_executor.py` of 000439672005 and of 9521caf4696c). No number means more than it says:
//! `generation_1` is one request, not a stage.

use crate::facts::Stage;

/// One forward pass, as its annotation tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// What it does; `Unattributed` for a step of no request.
    pub stage: Stage,
    /// Prompt tokens that it reads, when the name tells them.
    pub prefill: Option<u64>,
    /// Tokens that it generates for, when the name tells them.
    pub decode: Option<u64>,
}

impl Step {
    /// Reads the name of an annotation; `None` when it names no forward pass.
    pub fn parse(name: &str) -> Option<Self> {
        vllm(name).or_else(|| sglang(name)).or_else(|| tensorrt_llm(name))
    }
}

fn stage(prefill: u64, decode: u64) -> Stage {
    match (prefill, decode) {
        (0, 0) => Stage::Unattributed,
        (_, 0) => Stage::Prefill,
        (0, _) => Stage::Decode,
        _ => Stage::Mixed,
    }
}

/// `execute_[T_]context_N(…)_generation_M(…)`; the first number in the brackets is the tokens.
fn vllm(name: &str) -> Option<Step> {
    let rest = name.strip_prefix("execute_")?;
    let rest = match rest.strip_prefix("context_") {
        Some(rest) => rest,
        None => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.strip_prefix("_context_")?
        }
    };
    let (prefills, rest) = number(rest)?;
    let (prefill, rest) = bracketed(rest)?;
    let (decodes, rest) = number(rest.strip_prefix("_generation_")?)?;
    let (decode, _) = bracketed(rest)?;
    Some(Step { stage: stage(prefills, decodes), prefill, decode })
}

fn sglang(name: &str) -> Option<Step> {
    let inside = name.strip_prefix("step[")?;
    let mut words = inside.split([' ', ']']);
    let stage = match words.next()? {
        "EXTEND" | "SPLIT_PREFILL" | "PREFILL" => Stage::Prefill,
        "DECODE" | "TARGET_VERIFY" => Stage::Decode,
        "MIXED" => Stage::Mixed,
        _ => Stage::Unattributed,
    };
    let (mut batch, mut tokens) = (None, None);
    for word in words {
        let value = |key| word.strip_prefix(key).and_then(number).map(|it| it.0);
        batch = batch.or_else(|| value("bs="));
        tokens = tokens.or_else(|| value("toks="));
    }
    Some(match stage {
        Stage::Prefill => Step { stage, prefill: tokens, decode: Some(0) },
        // A step of plain decoding makes one token for each of its requests.
        Stage::Decode => Step { stage, prefill: Some(0), decode: tokens.or(batch) },
        _ => Step { stage, prefill: None, decode: None },
    })
}

/// The number of the step is missing in old versions, the tokens of the prompts in all but new ones.
fn tensorrt_llm(name: &str) -> Option<Step> {
    let (_, rest) = name.split_once("_forward_step")?;
    let (_, counts) = rest.split_once(": ")?;
    let (prefills, rest) = number(counts)?;
    let (second, rest) = number(rest.strip_prefix(" ctx reqs, ")?)?;
    let (prefill, decodes, rest) = match rest.strip_prefix(" ctx tokens, ") {
        Some(rest) => {
            let (decodes, rest) = number(rest)?;
            (Some(second), decodes, rest)
        }
        None => ((prefills == 0).then_some(0), second, rest),
    };
    rest.starts_with(" gen reqs").then(|| Step {
        stage: stage(prefills, decodes),
        prefill,
        decode: Some(decodes),
    })
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text.get(..end)?.parse().ok()?, text.get(end..)?))
}

/// `(2048)`, `(888_788544)` or `(sq8155sk8430…)`: the first number, and what follows the bracket.
fn bracketed(text: &str) -> Option<(Option<u64>, &str)> {
    let (inside, rest) = text.strip_prefix('(')?.split_once(')')?;
    let tokens = number(inside.strip_prefix("sq").unwrap_or(inside)).map(|it| it.0);
    Some((tokens, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_counts_decide_the_stage() {
        let cases = [
            ("execute_context_1(888_788544)_generation_0(0)", Stage::Prefill, Some(888), Some(0)),
            ("execute_context_0(0)_generation_32(32)", Stage::Decode, Some(0), Some(32)),
            ("execute_context_0(0)_generation_1(1)", Stage::Decode, Some(0), Some(1)),
            ("execute_context_3(48)_generation_1(1)", Stage::Mixed, Some(48), Some(1)),
            ("execute_context_0(0)_generation_0(0)", Stage::Unattributed, Some(0), Some(0)),
            (
                "execute_8192_context_9(sq8155sk8430sqsq7475785sqsk7671310)_generation_37(sq37sk34489sqsq37sqsk34489)",
                Stage::Mixed,
                Some(8155),
                Some(37),
            ),
            ("step[EXTEND bs=15 toks=15360]", Stage::Prefill, Some(15360), Some(0)),
            ("step[DECODE bs=32]", Stage::Decode, Some(0), Some(32)),
            ("step[MIXED bs=4 toks=9]", Stage::Mixed, None, None),
            ("step[IDLE bs=0]", Stage::Unattributed, None, None),
            ("[Executor] _forward_step 7: 2 ctx reqs, 5 gen reqs", Stage::Mixed, None, Some(5)),
            ("[Executor] _forward_step: 0 ctx reqs, 5 gen reqs", Stage::Decode, Some(0), Some(5)),
            (
                "[Executor] _forward_step 7: 2 ctx reqs, 30 ctx tokens, 5 gen reqs",
                Stage::Mixed,
                Some(30),
                Some(5),
            ),
            (
                "[Executor] _forward_step 8: 1 ctx reqs, 30 ctx tokens, 0 gen reqs",
                Stage::Prefill,
                Some(30),
                Some(0),
            ),
        ];
        for (name, stage, prefill, decode) in cases {
            assert_eq!(Step::parse(name), Some(Step { stage, prefill, decode }), "{name}");
        }
    }

    #[test]
    fn other_annotations_name_no_pass() {
        for name in ["ProfilerStep#3", "generation_1", "decode", "execute_context_1", "step[", ""] {
            let found = Step::parse(name);
            assert!(found.is_none_or(|it| it.stage == Stage::Unattributed), "{name}: {found:?}");
        }
    }
}
