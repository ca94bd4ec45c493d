//! A file of settings that a launch command names, as flags. (FB-3)
//!
//! vLLM and SGLang take such a file for flags that the command line may overrule; with TensorRT-LLM the
//! file overrules the command line, and groups its keys.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use crate::evidence::error::EvidenceError;
use crate::facts::Framework;

/// Keys of TensorRT-LLM that lie inside a group, and the flag that they amount to.
const GROUPED: [(&str, &str); 4] = [
    ("/kv_cache_config/dtype", "kv-cache-dtype"),
    ("/kv_cache_config/enable_block_reuse", "enable-block-reuse"),
    ("/quant_config/quant_algo", "quantization"),
    ("/quant_config/kv_cache_quant_algo", "kv-cache-dtype"),
];

/// The flags of a file, one word each with its value.
///
/// # Errors
///
/// When the file is not a mapping of names to values.
pub(super) fn words(framework: Framework, file: &Value) -> Result<Vec<String>, EvidenceError> {
    let Value::Object(keys) = file else {
        let message = "a file of settings maps the names of flags to their values";
        return Err(EvidenceError::new(message).of("settings"));
    };
    let mut words = Vec::new();
    for (key, value) in keys {
        words.extend(flag(key, value));
    }
    if framework == Framework::TensorrtLlm {
        for (place, name) in GROUPED {
            words.extend(file.pointer(place).and_then(|it| flag(name, it)));
        }
    }
    Ok(words)
}

fn flag(key: &str, value: &Value) -> Option<String> {
    let value = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        // A list of names answers to the first.
        Value::Array(them) => match them.first() {
            Some(Value::String(first)) => first.clone(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    };
    Some(format!("--{}={value}", key.trim_start_matches('-').replace('_', "-")))
}
