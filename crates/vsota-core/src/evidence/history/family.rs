//! Which family does a model belong to? A name and its version decide, not the letters in common:
//! `deepseek-v3` is of `deepseek-v3-r1` and not of `deepseek-v32`.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// The family of a model, and what was nearest to it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Choice {
    /// The slugs that fit, best first; empty when there is no page of this family.
    pub fitting: Vec<String>,
    /// The nearest slugs that do not fit, with the reason.
    pub passed: Vec<Passed>,
}

/// A slug that shares a name with the model and is another family.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Passed {
    /// The slug.
    pub slug: String,
    /// Why it does not fit.
    pub reason: String,
}

/// A word of a name, with the version that follows it: `v` and `32` of `v3.2`.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Word {
    text: String,
    version: Option<String>,
}

/// Words that name what a model sees or hears. A page of such models is not one of the plain ones.
const MODALITIES: [&str; 8] = ["vl", "vlm", "ocr", "omni", "asr", "audio", "vision", "reranker"];

/// Words that say nothing of the family.
const FILLERS: [&str; 15] = [
    "core", "instruct", "chat", "base", "it", "hf", "exp", "preview", "thinking", "fp8", "bf16",
    "awq", "gptq", "moe", "models",
];

/// The slugs that a model fits, best first, and the nearest that it does not.
///
/// `model` is a model id, a checkpoint path or a slug.
pub fn choose<'a>(model: &str, slugs: impl IntoIterator<Item = &'a str>) -> Choice {
    let name = model.trim_end_matches('/').rsplit(['/']).next().unwrap_or_default();
    let name = name.strip_prefix("models--").and_then(|it| it.split("--").last()).unwrap_or(name);
    let lower = name.to_ascii_lowercase();
    // A distilled model has the layers of what follows the word.
    let of_student = lower.split_once("-distill-").map_or(lower.as_str(), |(_, student)| student);
    let asked = words(of_student);
    let mut fitting: Vec<(Reverse<i32>, String)> = Vec::new();
    let mut passed = Vec::new();
    for slug in slugs {
        if slug == lower {
            fitting.push((Reverse(i32::MAX), slug.to_owned()));
            continue;
        }
        match fit(&asked, &words(slug)) {
            None => {}
            Some(Ok(score)) => fitting.push((Reverse(score), slug.to_owned())),
            Some(Err(reason)) => passed.push(Passed { slug: slug.to_owned(), reason }),
        }
    }
    fitting.sort();
    passed.sort_by(|a, b| a.slug.cmp(&b.slug));
    Choice { fitting: fitting.into_iter().map(|(_, slug)| slug).collect(), passed }
}

/// How well a slug fits, or why not; `None` when they have no name in common.
fn fit(asked: &[Word], slug: &[Word]) -> Option<Result<i32, String>> {
    let family = slug.first()?;
    let at = asked.iter().position(|it| it.text == family.text)?;
    // A later name is the model's own, after the one that it was made from.
    let mut score = 12 * i32::try_from(at).unwrap_or(0);
    let mut agrees = false;
    let mut conflict = None;
    for word in slug {
        let same = asked.iter().filter(|it| it.text == word.text);
        match (same.clone().next(), &word.version) {
            (Some(_), None) => score += 2,
            (Some(it), Some(version)) if it.version.is_none() => {
                conflict.get_or_insert(format!("it is of {}{version}", word.text));
            }
            (Some(_), Some(version))
                if same.clone().any(|it| it.version.as_ref() == Some(version)) =>
            {
                agrees = true;
                score += 10;
            }
            (Some(it), Some(version)) => {
                let asked = it.version.clone().unwrap_or_default();
                conflict.get_or_insert(format!("it is of {0}{version}, not {0}{asked}", word.text));
            }
            (None, _) if is_modality(&word.text) => {
                if !asked.iter().any(|it| is_modality(&it.text)) {
                    return Some(Err(format!("it is of models with {}", word.text)));
                }
                score += 4;
            }
            (None, _) if FILLERS.contains(&word.text.as_str()) => {}
            (None, _) => score -= 1,
        }
    }
    // One of several versions of a page is enough: `glm46-glm47`, `v3-r1`.
    if let Some(reason) = conflict.filter(|_| !agrees) {
        return Some(Err(reason));
    }
    let sees = |words: &[Word]| words.iter().any(|it| is_modality(&it.text));
    if sees(asked) && !sees(slug) {
        score -= 3;
    }
    // A version that the page's other words do not speak of: another generation of the family.
    let versioned = asked.iter().any(|it| it.version.is_some());
    let speaks = slug.iter().any(|it| it.version.is_some());
    if versioned && speaks && !agrees {
        let found: Vec<String> = slug.iter().map(|it| it.text.clone()).collect();
        return Some(Err(format!("its {} has no version in common", found.join("-"))));
    }
    Some(Ok(score))
}

fn is_modality(word: &str) -> bool {
    MODALITIES.contains(&word)
}

/// The words of a name, without sizes: `Qwen3-235B-A22B` is `qwen` with version `3`.
fn words(name: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for part in name.split(['-', ' ', ':']).filter(|it| !it.is_empty()) {
        let part = part.to_ascii_lowercase().replace(['.', '_'], "");
        let digits = part.find(|it: char| it.is_ascii_digit());
        let (text, rest) = part.split_at(digits.unwrap_or(part.len()));
        let number = rest.trim_end_matches(|it: char| it.is_ascii_alphabetic());
        let unit = rest.get(number.len()..).unwrap_or_default();
        let is_number = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
        match (text, is_number, unit) {
            // A size: `8b`, `a22b`, `1t`, `8x7b`.
            ("" | "a", _, "b" | "t" | "m") => {}
            // A version of its own: `glm-4.6`, `llama-3.1`.
            ("", true, "") => {
                if let Some(last) = words.last_mut().filter(|it| it.version.is_none()) {
                    last.version = Some(number.to_owned());
                }
            }
            (text, true, "" | "v") if !text.is_empty() => {
                words.push(Word { text: text.to_owned(), version: Some(number.to_owned()) });
            }
            _ => words.push(Word { text: part.clone(), version: None }),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLUGS: [&str; 24] = [
        "deepseek-ocr",
        "deepseek-ocr-2",
        "deepseek-v3-r1",
        "deepseek-v31",
        "deepseek-v32",
        "deepseek-v4",
        "gemma4",
        "glm-vlm-ocr",
        "glm45",
        "glm46-glm47",
        "gpt-oss",
        "intern-s1",
        "internvl35",
        "kimi",
        "llama31",
        "llama33-70b",
        "llama4",
        "mimo-v2-flash",
        "mixtral-quark-int4fp8-moe",
        "nemotron-super",
        "qwen-vlm-omni-asr",
        "qwen3-core",
        "qwen3-next",
        "qwen35",
    ];

    #[test]
    fn a_name_and_its_version_decide() {
        for (model, family) in [
            ("deepseek-v3", Some("deepseek-v3-r1")),
            ("deepseek-ai/DeepSeek-V3.2-Exp", Some("deepseek-v32")),
            ("deepseek-ai/DeepSeek-R1-0528", Some("deepseek-v3-r1")),
            ("deepseek-ai/DeepSeek-OCR", Some("deepseek-ocr")),
            ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", Some("qwen3-core")),
            ("Qwen/Qwen3-Next-80B-A3B-Instruct", Some("qwen3-next")),
            ("Qwen/Qwen3.5-27B", Some("qwen35")),
            ("Qwen/Qwen3-VL-8B-Instruct", Some("qwen-vlm-omni-asr")),
            ("meta-llama/Llama-3.1-8B-Instruct", Some("llama31")),
            ("/models/models--meta-llama--Llama-3.3-70B-Instruct", Some("llama33-70b")),
            ("meta-llama/Llama-4-Scout-17B-16E", Some("llama4")),
            ("zai-org/GLM-4.7-FP8", Some("glm46-glm47")),
            ("openai/gpt-oss-120b", Some("gpt-oss")),
            ("moonshotai/Kimi-K2-Instruct", Some("kimi")),
            ("nvidia/Llama-3_3-Nemotron-Super-49B-v1", Some("nemotron-super")),
            ("OpenGVLab/InternVL3_5-38B", Some("internvl35")),
            ("mistralai/Mixtral-8x7B-v0.1", Some("mixtral-quark-int4fp8-moe")),
            ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", None),
            ("meta-llama/Llama-2-7b-hf", None),
            ("Qwen/Qwen2.5-7B-Instruct", None),
            ("totally-unknown", None),
        ] {
            let choice = choose(model, SLUGS);
            assert_eq!(choice.fitting.first().map(String::as_str), family, "{model}: {choice:?}");
        }
    }

    #[test]
    fn what_is_near_and_another_is_named_with_its_reason() {
        let choice = choose("deepseek-v3", SLUGS);
        let passed: Vec<_> = choice.passed.iter().map(|it| it.slug.as_str()).collect();
        assert!(passed.contains(&"deepseek-v32") && passed.contains(&"deepseek-ocr"), "{choice:?}");
        let near = choice.passed.iter().find(|it| it.slug == "deepseek-v32").unwrap();
        assert_eq!(near.reason, "it is of v32, not v3");
    }
}
