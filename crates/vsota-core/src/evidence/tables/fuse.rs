//! Which kernels would a known fusion join? A catalogue of data, matched by whole words.
//!
//! A pattern is *active* where a kernel of the fused form runs, and *split* where kernels of each of
//! its parts run apart. Words are matched in the kernel's own name and its operator, at the bounds
//! of words; never in a location, whose functions are named for what they do not do.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::category::tokens;
use super::kernels::Kernel;
use super::named::base_name;
use super::place::Placed;
use crate::evidence::{EvidenceError, json};
use crate::facts::Framework;

/// The catalogue that the tool brings.
const OWN: &str = include_str!("fuse.json");

/// The least share of split parts, in millionths of the stage.
const LEAST: u64 = 2_500;

/// From this share on split parts are a confirmed candidate.
const LIKELY: u64 = 30_000;

/// Known fusions.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    #[serde(rename = "schema")]
    _schema: Schema,
    patterns: Vec<Fusion>,
    /// The model's name, where it is known: patterns of some models are matched only then.
    #[serde(skip)]
    model: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
enum Schema {
    #[serde(rename = "vsota-fuse/1")]
    One,
}

/// A known fusion.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    /// What it joins, in one line.
    pub pattern: String,
    /// Words of kernels of the fused form.
    #[serde(default)]
    pub active: Vec<String>,
    /// Words of the parts, a list for each part.
    #[serde(default)]
    pub split: Vec<Vec<String>>,
    /// Parts of the names of models that it is for; empty for all.
    #[serde(default)]
    pub models: Vec<String>,
    /// The path that has it, by framework.
    pub candidate: BTreeMap<Framework, String>,
    /// Where this is known from, with the version.
    pub source: String,
}

/// A row of the fuse table.
#[derive(Clone, Debug)]
pub(super) struct Fused<'a> {
    pub fusion: &'a Fusion,
    pub confidence: &'static str,
    pub total_ns: u64,
    /// Places among the kernels, from 0.
    pub kernels: Vec<usize>,
}

impl Catalogue {
    /// The catalogue that the tool brings.
    ///
    /// # Errors
    ///
    /// Never: a test reads it.
    pub fn own() -> Result<Self, EvidenceError> {
        Self::read(OWN.as_bytes())
    }

    /// Reads a catalogue of a user, `vsota-fuse/1`.
    ///
    /// # Errors
    ///
    /// When it is not one JSON value of that shape, or a pattern names no kernel or no path.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let read: Self = json::one(bytes)?;
        for it in &read.patterns {
            if it.active.is_empty() && it.split.is_empty() {
                let message = format!("`{}` names no kernel", it.pattern);
                return Err(EvidenceError::new(message).of("patterns"));
            }
            if it.candidate.is_empty() {
                let message = format!("`{}` names no path", it.pattern);
                return Err(EvidenceError::new(message).of("candidate"));
            }
        }
        Ok(read)
    }

    /// Puts a user's patterns before the own ones.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.patterns.splice(0..0, other.patterns);
        self
    }

    /// Says which model ran.
    #[must_use]
    pub fn of_model(mut self, model: Option<&str>) -> Self {
        self.model = model.map(str::to_lowercase);
        self
    }

    /// The rows of a stage, by falling time.
    pub(super) fn find(
        &self,
        framework: Framework,
        placed: &Placed,
        kernels: &[Kernel],
        total_ns: u64,
    ) -> Vec<Fused<'_>> {
        let texts: Vec<String> = kernels
            .iter()
            .map(|it| {
                let op = it.op.map_or("", |op| placed.ops.get(op));
                tokens(&format!("{} {op}", base_name(placed.groups.get(it.group))))
            })
            .collect();
        let fits = |it: &&Fusion| {
            let model = self.model.as_deref().unwrap_or_default();
            it.candidate.contains_key(&framework)
                && (it.models.is_empty() || it.models.iter().any(|part| model.contains(&**part)))
        };
        let rows = self.patterns.iter().filter(fits);
        let mut rows: Vec<Fused<'_>> =
            rows.filter_map(|it| it.matched(&texts, kernels, total_ns)).collect();
        rows.sort_by_key(|it| core::cmp::Reverse(it.total_ns));
        rows
    }
}

impl Fusion {
    fn matched(&self, texts: &[String], kernels: &[Kernel], total_ns: u64) -> Option<Fused<'_>> {
        let of = |words: &[String]| -> Vec<usize> {
            let word = |text: &String, word: &String| text.contains(&format!(" {word} "));
            let has = |text: &String| words.iter().any(|it| word(text, it));
            (0..).zip(texts).filter(|(_, text)| has(text)).map(|it| it.0).collect()
        };
        let active = of(&self.active);
        let parts: Vec<Vec<usize>> = self.split.iter().map(|it| of(it)).collect();
        let split = !parts.is_empty() && parts.iter().all(|it| !it.is_empty());
        if active.is_empty() && !split {
            return None;
        }
        let mut places = active.clone();
        if split {
            places.extend(parts.into_iter().flatten());
        }
        places.sort_unstable();
        places.dedup();
        let time = |all: &[usize]| -> u64 {
            all.iter().filter_map(|it| kernels.get(*it)).map(|it| it.total_ns).sum()
        };
        let total = time(&places);
        let share = u128::from(total) * 1_000_000 / u128::from(total_ns.max(1));
        if active.is_empty() && share < u128::from(LEAST) {
            return None;
        }
        let confidence = match (active.is_empty(), share >= u128::from(LIKELY)) {
            (false, _) => "active",
            (true, true) => "confirmed",
            (true, false) => "candidate",
        };
        Some(Fused { fusion: self, confidence, total_ns: total, kernels: places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_catalogue_is_one() {
        let own = Catalogue::own().unwrap();
        assert!(own.patterns.len() >= 10);
        for it in &own.patterns {
            for word in it.active.iter().chain(it.split.iter().flatten()) {
                assert_eq!(tokens(word).trim(), word, "{}: words of tokens", it.pattern);
            }
        }
    }

    #[test]
    fn words_are_whole() {
        let has = |text: &str, word: &str| tokens(text).contains(&format!(" {word} "));
        assert!(has("vllm::fused_add_rms_norm_kernel", "rms norm"));
        assert!(has("ncclKernel_AllReduce_RING", "all reduce"));
        assert!(!has("default_unquantized_gemm", "quant"));
        assert!(!has("nhwcToNchwKernel", "wk"));
    }
}
