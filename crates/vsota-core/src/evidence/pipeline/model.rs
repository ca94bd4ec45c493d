//! What does a model's config say of its layers?

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde_json::Value;

use super::super::{EvidenceError, json};

/// The most layers that a config may tell.
const MOST: u64 = 4096;

/// The layers of a model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Model {
    /// How many layers a forward pass has.
    pub layers: NonZeroU32,
    /// Layers of speculative decoding behind them.
    pub extra: u32,
    /// The type of each, such as `full_attention-moe`.
    pub types: Vec<String>,
}

impl Model {
    /// Reads a Hugging Face `config.json`; a multimodal model nests it.
    ///
    /// # Errors
    ///
    /// When it is no JSON object, tells no number of layers, or tells types of another number.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let whole: Value = json::one(bytes)?;
        let nested = ["text_config", "llm_config", "language_config"];
        let inner = nested.iter().filter_map(|it| whole.get(*it));
        let config = core::iter::once(&whole).chain(inner);
        let config = config.into_iter().find(|it| it.get("num_hidden_layers").is_some());
        let missing = || {
            EvidenceError::new("the number of layers is expected, at the top or in text_config")
                .of("num_hidden_layers")
        };
        Self::of(config.ok_or_else(missing)?)
    }

    fn of(config: &Value) -> Result<Self, EvidenceError> {
        let number = |key: &str| config.get(key).and_then(Value::as_u64);
        let wrong = |key: &str, message: String| EvidenceError::new(message).of(key);
        let layers = number("num_hidden_layers").filter(|it| (1..=MOST).contains(it));
        let layers = layers.and_then(|it| NonZeroU32::new(u32::try_from(it).ok()?));
        let layers = layers.ok_or_else(|| {
            wrong("num_hidden_layers", format!("1 to {MOST} layers are expected"))
        })?;
        let count = layers.get() as usize;
        let extra = number("num_nextn_predict_layers").unwrap_or(0).min(MOST);
        let list = |key: &str| config.get(key).and_then(Value::as_array);
        let fits = |key: &str, length: usize| {
            if length == count || length as u64 == count as u64 + extra {
                return Ok(());
            }
            Err(wrong(key, format!("{length} entries for {count} layers")))
        };
        let ratios = list("compress_ratios").filter(|it| !it.is_empty());
        let kinds = list("layer_types").filter(|it| !it.is_empty());
        for (key, found) in [("compress_ratios", ratios), ("layer_types", kinds)] {
            found.map_or(Ok(()), |it| fits(key, it.len()))?;
        }
        let hashed = number("num_hash_layers").unwrap_or(0);
        let types = (0..count)
            .map(|at| {
                let mut parts: Vec<String> = Vec::new();
                if let Some(kind) = kinds.and_then(|it| it.get(at)).and_then(Value::as_str) {
                    parts.push(word(kind));
                }
                if let Some(ratio) = ratios.and_then(|it| it.get(at)).and_then(Value::as_i64) {
                    parts.push(if ratio == 0 { "full".into() } else { format!("cr{ratio}") });
                }
                if at as u64 >= (count as u64).saturating_sub(hashed) {
                    parts.push("hash".into());
                }
                parts.push(if is_moe(config, at) { "moe" } else { "dense" }.to_string());
                parts.join("-")
            })
            .collect();
        Ok(Self { layers, extra: u32::try_from(extra).unwrap_or(0), types })
    }
}

/// A word that may stand in a type.
fn word(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let word: String = text.chars().take(40).map(plain).collect();
    if word.starts_with(|c: char| c.is_ascii_alphanumeric()) { word } else { format!("x{word}") }
}

/// Whether a layer routes to experts: each family tells it in its own words.
fn is_moe(config: &Value, layer: usize) -> bool {
    let number = |key: &str| config.get(key).and_then(Value::as_u64);
    let experts = ["n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts"];
    if experts.iter().filter_map(|it| number(it)).max().is_none_or(|it| it < 2) {
        return false;
    }
    let layer = layer as u64;
    if let Some(dense) = config.get("mlp_only_layers").and_then(Value::as_array)
        && dense.iter().any(|it| it.as_u64() == Some(layer))
    {
        return false;
    }
    if number("first_k_dense_replace").is_some_and(|it| layer < it) {
        return false;
    }
    let every = number("moe_layer_freq").filter(|it| *it > 1);
    let sparse = number("decoder_sparse_step").filter(|it| *it > 1);
    match (every, sparse) {
        (Some(every), _) => layer.is_multiple_of(every),
        (None, Some(step)) => (layer + 1).is_multiple_of(step),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn types(config: Value) -> Vec<String> {
        Model::read(&serde_json::to_vec(&config).unwrap()).unwrap().types
    }

    #[test]
    fn every_family_tells_types_in_its_own_words() {
        assert_eq!(types(json!({"num_hidden_layers": 2})), ["dense", "dense"]);
        let config = json!({"num_hidden_layers": 3, "n_routed_experts": 8, "first_k_dense_replace": 1,
            "compress_ratios": [0, 4, 77, 0], "num_nextn_predict_layers": 1, "num_hash_layers": 1});
        assert_eq!(types(config), ["full-dense", "cr4-moe", "cr77-hash-moe"]);
        let config = json!({"text_config": {"num_hidden_layers": 2, "num_experts": 4,
            "layer_types": ["linear_attention", "full_attention"], "mlp_only_layers": [1]}});
        assert_eq!(types(config), ["linear_attention-moe", "full_attention-dense"]);
        let config = json!({"num_hidden_layers": 4, "num_experts": 4, "decoder_sparse_step": 2});
        assert_eq!(types(config), ["dense", "moe", "dense", "moe"]);
    }

    #[test]
    fn a_config_without_layers_is_none() {
        for config in [
            "{}",
            "[]",
            r#"{"num_hidden_layers":0}"#,
            r#"{"num_hidden_layers":2,"layer_types":["a"]}"#,
        ] {
            assert!(Model::read(config.as_bytes()).is_err(), "{config}");
        }
    }
}
