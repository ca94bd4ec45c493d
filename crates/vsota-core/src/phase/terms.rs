//! What is asked of rows that no campaign compares: the workload, the limits, what the caller expects.
//! (FB-3, FB-4, FB-9)

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::alone::{Lone, by_itself};
use super::eligible::{of_itself, reference};
use crate::brief::Brief;
use crate::facts::*;
use crate::measure::{Fraction, Measured};
use crate::text::Name;

/// Limits, as far as somebody stated them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Upper limits of latencies, in ms.
    pub latencies: BTreeMap<LatencyMetric, Measured>,
    /// The least share of requests that must complete.
    pub min_success_rate: Option<Fraction>,
}

/// What the caller says of the comparison.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Terms {
    /// The workload; without one FB-4 says what `chat` and `summarization` are.
    pub workload: Option<Workload>,
    /// The limits of the workload, when one is given.
    pub limits: Option<Limits>,
    /// What each row must say: dimensions and `sla.max_…_ms`, by name.
    pub expected: BTreeMap<String, String>,
}

/// The dimensions of a row's load, beside those of its identity.
pub(super) const LOAD: [&str; 3] = ["num_prompts", "input_len", "output_len"];

impl Terms {
    /// Reads one thing that every row must say: a dimension, a part of the load, or a limit, which may
    /// be written with `sla.` and `max_` or without; a number in its shortest form.
    ///
    /// # Errors
    ///
    /// When nobody says such a thing, or the value is empty or no number where one is due.
    pub fn expectation(key: &str, value: &str) -> Result<(String, String), String> {
        let value = value.trim();
        if value.is_empty() {
            return Err(format!("what {key} is to be is missing"));
        }
        let plain = key.strip_prefix("sla.").unwrap_or(key);
        let limit = plain.strip_prefix("max_").unwrap_or(plain);
        let (key, kind) = if plain == "min_success_rate" {
            (format!("sla.{plain}"), Kind::Share)
        } else if limit.parse::<LatencyMetric>().is_ok() {
            (format!("sla.max_{limit}"), Kind::Measured)
        } else if let Some(at) = LOAD.iter().find(|it| **it == key) {
            ((*at).to_string(), Kind::Count)
        } else {
            let dimension: Dimension = key.parse().map_err(|_| {
                format!("`{key}` is none of the dimensions, {} or sla.*", LOAD.join(", "))
            })?;
            (key.to_string(), Kind::of(dimension))
        };
        let value = kind.read(value).ok_or_else(|| format!("{key} is {kind}, not `{value}`"))?;
        Ok((key, value))
    }

    pub(super) fn scenario(&self, name: &Name) -> Option<Scenario> {
        match &self.workload {
            Some(workload) => workload.scenario(name).cloned(),
            None => Workload::standard()?.scenario(name).cloned(),
        }
    }

    pub(super) fn is_synthetic(&self) -> bool {
        self.workload.as_ref().is_none_or(Workload::is_synthetic)
    }

    /// The limits that a row is judged by: the workload's, else its own; where it states none, those
    /// that the caller expects or that others state. Who is silent is never better off.
    pub(super) fn limits(&self, row: &Lone, others: &Stated) -> Limits {
        if let Some(limits) = &self.limits {
            return limits.clone();
        }
        let mut limits = row.limits.clone();
        let expected = |key: &str| self.expected.get(key)?.parse::<f64>().ok();
        for (key, value) in &self.expected {
            let metric = key.strip_prefix("sla.max_").and_then(|it| it.parse().ok());
            let limit = value.parse().ok().and_then(|it| Measured::new(it).ok());
            if let (Some(metric), Some(limit)) = (metric, limit) {
                limits.latencies.entry(metric).or_insert(limit);
            }
        }
        let measured = row.row.measured.as_ref();
        for (metric, limit) in &others.limits.latencies {
            let known = measured.is_some_and(|it| it.metric(Metric::Latency(*metric)).is_some());
            if known || others.common.contains(metric) {
                limits.latencies.entry(*metric).or_insert(*limit);
            }
        }
        let least = expected("sla.min_success_rate").and_then(|it| Fraction::new(it).ok());
        limits.min_success_rate =
            limits.min_success_rate.or(least).or(others.limits.min_success_rate);
        limits
    }
}

/// What kind of word a thing is that a row is expected to say.
#[derive(Clone, Copy)]
enum Kind {
    Word,
    Count,
    Measured,
    Share,
    Rate,
    Cap,
}

impl Kind {
    fn of(dimension: Dimension) -> Self {
        match dimension {
            Dimension::GpuCount | Dimension::InputLen | Dimension::OutputLen => Self::Count,
            Dimension::Burstiness => Self::Measured,
            Dimension::RequestRate => Self::Rate,
            Dimension::MaxConcurrency => Self::Cap,
            _ => Self::Word,
        }
    }

    /// The word as rows say it.
    fn read(self, value: &str) -> Option<String> {
        let measured = || Measured::new(value.parse().ok()?).ok().map(|it| it.to_string());
        let count = || value.parse::<u64>().ok().filter(|it| *it > 0).map(|it| it.to_string());
        match self {
            Self::Word => Some(value.to_string()),
            Self::Count => count(),
            Self::Measured => measured(),
            Self::Share => {
                let share = Fraction::new(value.parse().ok()?).ok()?;
                (share > Fraction::ZERO).then(|| share.to_string())
            }
            Self::Rate if value == "inf" || value.starts_with("ramp-up") => Some(value.to_string()),
            Self::Rate => measured(),
            Self::Cap if value == "none" => Some(value.to_string()),
            Self::Cap => count(),
        }
    }
}

impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::Word => "a word",
            Self::Count => "a whole number above zero",
            Self::Measured => "a number above zero",
            Self::Share => "a number above 0 and at most 1",
            Self::Rate => "`inf` or a number above zero",
            Self::Cap => "`none` or a whole number above zero",
        })
    }
}

/// What the rows of a scenario state of their limits.
#[derive(Default)]
pub(super) struct Stated {
    /// The strictest of each.
    limits: Limits,
    /// Those that at least half of the rows state; one row's whim asks nobody for what he never
    /// measured.
    common: BTreeSet<LatencyMetric>,
}

impl Limits {
    /// Takes the stricter of two limits of each metric.
    fn tighten(&mut self, other: &Self) {
        for (metric, limit) in &other.latencies {
            let own = self.latencies.entry(*metric).or_insert(*limit);
            *own = (*own).min(*limit);
        }
        self.min_success_rate = self.min_success_rate.max(other.min_success_rate);
    }
}

/// The strictest limits that the rows state: those that keep their own, else all that ran.
pub(super) fn stated(terms: &Terms, fixed: Option<&Scenario>, rows: &[&Lone]) -> Stated {
    let none = Stated::default();
    let ran: Vec<&Lone> = rows.iter().copied().filter(|it| of_itself(&it.row).is_empty()).collect();
    let states = |it: &&&Lone| it.limits != none.limits;
    let whole = |it: &&&Lone| by_itself(terms, fixed, it, &none).is_empty();
    let mut stating: Vec<_> = ran.iter().filter(states).filter(whole).collect();
    if stating.is_empty() {
        stating = ran.iter().filter(states).collect();
    }
    let mut found = Stated::default();
    stating.into_iter().for_each(|it| found.limits.tighten(&it.limits));
    for metric in found.limits.latencies.keys() {
        let count = ran.iter().filter(|it| it.limits.latencies.contains_key(metric)).count();
        if count.saturating_mul(2) >= ran.len() {
            found.common.insert(*metric);
        }
    }
    found
}

/// What is expected in vain: a fixed scenario says what its load is, a workload file its limits.
pub(super) fn overridden(terms: &Terms, fixed: Option<&Scenario>) -> Vec<String> {
    let vain = |key: &&String| {
        (fixed.is_some() && LOAD.contains(&key.as_str()))
            || (terms.limits.is_some() && key.starts_with("sla."))
    };
    terms.expected.keys().filter(vain).cloned().collect()
}

/// What each row must say: what the caller expects, and the load of a fixed scenario.
pub(super) fn expected(terms: &Terms, fixed: Option<&Scenario>) -> BTreeMap<String, String> {
    let mut expected = terms.expected.clone();
    let load = [Dimension::RequestRate, Dimension::MaxConcurrency, Dimension::Burstiness];
    for dimension in load {
        let wanted = fixed.and_then(|it| reference(&Brief::default(), it, dimension));
        if let Some(wanted) = wanted {
            expected.entry(dimension.to_string()).or_insert(wanted);
        }
    }
    if fixed.is_some() && terms.is_synthetic() {
        expected.entry(Dimension::Dataset.to_string()).or_insert("random".to_string());
    }
    expected
}
