//! Which keys does a plan have? One that no shape knows is named with its line and the nearest known.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;

use serde_json::Value;

use crate::evidence::error::EvidenceError;
use crate::evidence::yaml::{Key, Node};
use crate::text::Line;

/// The keys of a plan file: theirs, and ours beside them.
pub(super) const TOP: &[&str] = &[
    "schema_version",
    "source",
    "model",
    "version_manifest",
    "hardware",
    "dataset",
    "workload",
    "benchmark",
    "sla",
    "search",
    "frameworks",
    "launchers",
    "builds",
    "scenarios",
];

/// The keys of a group of the file; the values of some are checked where they are read.
const GROUPS: &[(&str, &[&str])] = &[
    ("source", &["kind", "source_recipe_file", "translation", "url", "note"]),
    ("model", &["name", "tokenizer", "precision", "quantization"]),
    (
        "hardware",
        &["gpu_model", "gpu_count", "gpu_ids", "multi_node", "host", "container", "cuda", "nccl"],
    ),
    ("dataset", DATA),
    ("workload", DATA),
    (
        "benchmark",
        &[
            "endpoint",
            "backend",
            "tokenizer",
            "framework_set",
            "request_rates",
            "max_concurrency",
            "num_prompts",
            "qps",
            "extra_request_body",
            "sla",
            "output_dir",
        ],
    ),
    ("benchmark.qps", &["lower", "upper", "tolerance", "max_rounds"]),
    (
        "search",
        &["tier", "max_candidates_per_framework", "candidate_generation", "resume", "output_dir"],
    ),
];

const DATA: &[&str] = &[
    "kind",
    "num_prompts",
    "scenario_names",
    "input_len",
    "output_len",
    "canonical_jsonl",
    "dataset_path",
    "endpoint",
    "request_rates",
    "max_concurrency",
];

/// The keys of a framework.
pub(super) const FRAMEWORK: &[&str] = &[
    "enabled",
    "server_command",
    "backend_policy",
    "config_source",
    "base_server_flags",
    "search_space",
    "candidates",
    "benchmark_command",
    "benchmark_flags",
    "warmup_prompts",
    "ready_seconds",
    "env",
];

/// A place in the file.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    node: &'a Node,
    path: String,
}

impl<'a> At<'a> {
    pub(super) fn top(node: &'a Node) -> Self {
        Self { node, path: String::new() }
    }

    /// The path of a key below this place.
    pub(super) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key that is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.node.get(key).filter(|it| !it.is_null())
    }

    /// The mapping below a key; `None` when it is not there or null.
    pub(super) fn below(&self, key: &str) -> Result<Option<Self>, EvidenceError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        match node.map() {
            Some(_) => Ok(Some(Self { node, path: self.path(key) })),
            None => Err(self.wrong(key, "a mapping is expected")),
        }
    }

    /// The keys and values of this place.
    pub(super) fn entries(&self) -> &'a [(Key, Node)] {
        self.node.map().unwrap_or_default()
    }

    /// An error at a key, on its line.
    pub(super) fn wrong(&self, key: &str, message: impl Display) -> EvidenceError {
        EvidenceError::new(message).at(self.node.line_of(key)).of(&self.path(key))
    }

    /// Refuses every key that is not among the known ones.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), EvidenceError> {
        let unknown = self.entries().iter().find(|(key, _)| !known.contains(&key.name.as_str()));
        let Some((key, _)) = unknown else { return Ok(()) };
        let message = match nearest(&key.name, known) {
            Some(near) => format!("no plan has this key; the nearest known is {near}"),
            None => format!("no plan has this key; known here: {}", known.join(", ")),
        };
        Err(EvidenceError::new(message).at(key.line).of(&self.path(&key.name)))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, EvidenceError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        node.plain().map(Some).ok_or_else(|| self.wrong(key, "a word is expected"))
    }

    pub(super) fn line(&self, key: &str) -> Result<Option<Line>, EvidenceError> {
        let text = self.text(key)?;
        text.map(|it| Line::new(it).map_err(|error| self.wrong(key, error))).transpose()
    }

    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, EvidenceError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let count = node.scalar().and_then(Value::as_u64);
        count.map(Some).ok_or_else(|| self.wrong(key, "a whole number of at least 0 is expected"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, EvidenceError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let flag = node.scalar().and_then(Value::as_bool);
        flag.map(Some).ok_or_else(|| self.wrong(key, "true or false is expected"))
    }
}

/// Checks every key of the file that is not checked where it is read.
pub(super) fn check(top: &At<'_>) -> Result<(), EvidenceError> {
    top.only(TOP)?;
    for (group, known) in GROUPS {
        let mut at = Some(top.clone());
        for part in group.split('.') {
            at = match at {
                Some(it) => it.below(part)?,
                None => None,
            };
        }
        if let Some(at) = at {
            at.only(known)?;
        }
    }
    Ok(())
}

/// The known word that a typing slip away from this one.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    let near = known.iter().map(|it| (distance(word, it), *it)).min();
    near.filter(|(far, _)| *far <= limit).map(|(_, it)| it)
}

/// How many characters are to be put in, taken out or changed between two words.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut before = at;
        let mut left = at + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (b, above) in other.iter().zip(row.iter().skip(1)) {
            let here = (before + usize::from(a != *b)).min(left + 1).min(above + 1);
            next.push(here);
            (before, left) = (*above, here);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_two_words_is_the_number_of_slips() {
        for (one, other, slips) in
            [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3), ("modle", "model", 2)]
        {
            assert_eq!(distance(one, other), slips, "{one} {other}");
        }
        assert_eq!(nearest("base_server_flag", FRAMEWORK), Some("base_server_flags"));
        assert_eq!(nearest("colour", FRAMEWORK), None);
    }
}
