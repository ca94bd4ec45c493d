//! The fixed workload and the limits that count as a pass (FB-4, FB-14).

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{LatencyMetric, Metric, Stage, UnknownWord};
use crate::measure::{Fraction, Measured};
use crate::text::{Line, Name};

/// What is served in every run of the campaign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// The kind of data set: `random`, or the name of a production set.
    pub kind: Name,
    /// Where a production data set lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_path: Option<Line>,
    /// The scenarios, in the order of the file.
    pub scenarios: Vec<Scenario>,
}

/// One pair of lengths under one load.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, such as `chat` or `chat@c4`.
    pub name: Name,
    /// Prompt tokens of a request.
    pub input_len: u32,
    /// Generated tokens of a request.
    pub output_len: u32,
    /// Requests of a run.
    pub num_prompts: u32,
    /// Offered requests a second.
    #[serde(default)]
    pub request_rate: Rate,
    /// The cap on concurrent requests, when there is one.
    #[serde(default)]
    pub max_concurrency: Option<u32>,
    /// The burstiness of arrivals; 1 is Poisson.
    #[serde(default = "poisson")]
    pub burstiness: Measured,
    /// The metric that decides (GD-6).
    #[serde(default = "throughput")]
    pub objective: Metric,
}

impl Scenario {
    /// Prompt tokens and generated tokens of the requests that show a stage (PR-3): the whole prompt
    /// and one token, or one token and the whole answer.
    pub fn shown_by(&self, stage: Stage) -> (u32, u32) {
        match stage {
            Stage::Prefill => (self.input_len, 1),
            Stage::Decode => (1, self.output_len),
            Stage::Mixed | Stage::Unattributed => (self.input_len, self.output_len),
        }
    }
}

/// Offered requests a second: unbounded, or a finite rate.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Rate {
    /// Every request is offered at once.
    #[default]
    Unbounded,
    /// Requests a second.
    PerSecond(Measured),
}

/// The limits that a run must keep (FB-14), and the success rate it must reach.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sla {
    /// Upper limits of latencies, in ms.
    #[serde(default)]
    pub limits: BTreeMap<LatencyMetric, Measured>,
    /// The least share of requests that must complete.
    pub min_success_rate: Fraction,
}

impl Default for Sla {
    fn default() -> Self {
        Self { limits: BTreeMap::new(), min_success_rate: Fraction::ONE }
    }
}

impl Workload {
    /// The default of FB-4: `random`, 80 prompts, chat 1000/1000 and summarization 8000/1000.
    pub fn standard() -> Option<Self> {
        let scenario = |name: &str, input_len| {
            Some(Scenario {
                name: name.parse().ok()?,
                input_len,
                output_len: 1_000,
                num_prompts: 80,
                request_rate: Rate::Unbounded,
                max_concurrency: None,
                burstiness: poisson(),
                objective: Metric::RequestThroughput,
            })
        };
        Some(Self {
            kind: "random".parse().ok()?,
            dataset_path: None,
            scenarios: vec![scenario("chat", 1_000)?, scenario("summarization", 8_000)?],
        })
    }

    /// The scenario of that name.
    pub fn scenario(&self, name: &Name) -> Option<&Scenario> {
        self.scenarios.iter().find(|it| it.name == *name)
    }

    /// Whether the prompts are synthetic; production sets owe their length buckets (FB-4).
    pub fn is_synthetic(&self) -> bool {
        self.kind.as_str() == "random"
    }

    /// The largest input plus output of a scenario, in tokens (FB-10).
    pub fn longest(&self) -> u64 {
        let total = |it: &Scenario| u64::from(it.input_len) + u64::from(it.output_len);
        self.scenarios.iter().map(total).max().unwrap_or(0)
    }
}

fn poisson() -> Measured {
    Measured::try_from(1.0).unwrap_or_else(|_| unreachable!("one is a measurement"))
}

fn throughput() -> Metric {
    Metric::RequestThroughput
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbounded => f.pad("inf"),
            Self::PerSecond(rate) => rate.fmt(f),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unbounded => serializer.serialize_str("inf"),
            Self::PerSecond(rate) => serializer.serialize_f64(rate.get()),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RateVisitor;

        impl de::Visitor<'_> for RateVisitor {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"inf\" or requests a second above zero")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rate, E> {
                match text {
                    "inf" => Ok(Rate::Unbounded),
                    _ => Err(E::custom(UnknownWord {
                        found: text.chars().take(20).collect(),
                        what: "request rate",
                        known: "inf or a number",
                    })),
                }
            }

            fn visit_f64<E: de::Error>(self, rate: f64) -> Result<Rate, E> {
                Measured::new(rate).map(Rate::PerSecond).map_err(E::custom)
            }

            #[expect(clippy::cast_precision_loss, reason = "a request rate is far below 2^52")]
            fn visit_u64<E: de::Error>(self, rate: u64) -> Result<Rate, E> {
                self.visit_f64(rate as f64)
            }
        }

        deserializer.deserialize_any(RateVisitor)
    }
}
