//! What a run record says of disturbances.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use crate::text::Line;

/// A prefix cache that answered more than this share of prompt tokens spared work.
const PREFIX_HITS: f64 = 0.01;

/// What was seen of disturbances; an absent value was not looked at.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Hygiene {
    /// The share of prompt tokens that a prefix cache answered, 0 to 1.
    #[serde(default)]
    pub prefix_cache_hit_rate: Option<f64>,
    /// Other processes on the GPUs: how many, or which.
    #[serde(default)]
    pub other_gpu_processes: Option<Sign>,
    /// Whether the GPUs were throttled, or why.
    #[serde(default)]
    pub throttle: Option<Sign>,
}

/// A sign of a disturbance, in any of the forms that tools print.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(untagged)]
pub enum Sign {
    /// Seen or not.
    Flag(bool),
    /// So many.
    Count(u64),
    /// A word or a mask, as nvidia-smi prints it.
    Word(String),
    /// A list.
    List(Vec<String>),
}

impl Sign {
    fn seen(&self) -> Option<String> {
        match self {
            Self::Flag(false) | Self::Count(0) => None,
            Self::Flag(true) => Some("yes".into()),
            Self::Count(count) => Some(count.to_string()),
            Self::Word(word) => active(word).then(|| word.clone()),
            Self::List(list) => {
                let seen: Vec<&str> =
                    list.iter().map(String::as_str).filter(|it| active(it)).collect();
                (!seen.is_empty()).then(|| seen.join(", "))
            }
        }
    }
}

/// Whether a word of a tool says that something is on.
fn active(word: &str) -> bool {
    let word = word.trim().to_ascii_lowercase();
    let zero = word.strip_prefix("0x").is_some_and(|mask| mask.bytes().all(|it| it == b'0'));
    !zero
        && !matches!(
            word.as_str(),
            "" | "0" | "none" | "no" | "false" | "not active" | "[n/a]" | "n/a"
        )
}

impl Hygiene {
    /// What disturbed the run, when something did.
    pub fn disturbance(&self) -> Option<Line> {
        let hits = self.prefix_cache_hit_rate.filter(|rate| !(0.0..=PREFIX_HITS).contains(rate));
        let signs = [
            hits.map(|rate| {
                format!("a prefix cache answered a share of {rate} of the prompt tokens")
            }),
            self.other_gpu_processes
                .as_ref()
                .and_then(Sign::seen)
                .map(|it| format!("other processes on the GPUs: {it}")),
            self.throttle
                .as_ref()
                .and_then(Sign::seen)
                .map(|it| format!("the GPUs were throttled: {it}")),
        ];
        let signs: Vec<String> = signs.into_iter().flatten().collect();
        let text: String =
            signs.join("; ").chars().filter(|c| !crate::text::is_unsafe(*c)).take(240).collect();
        Line::new(text).ok()
    }
}
