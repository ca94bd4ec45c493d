//! Do the numbers of one run agree with each other, and can they be what their keys say?

use alloc::collections::BTreeMap;
use alloc::format;

use super::NativeRun;
use crate::evidence::error::EvidenceError;
use crate::facts::{LatencyKind, Metric, Stat};
use crate::measure::Measured;

/// No model takes a step in less time, in ms: 20,000 tokens a second for one request.
const STEP: f64 = 0.05;

/// No server answers over HTTP in less time, in ms.
const ANSWER: f64 = 0.01;

/// How often the whole run goes into a latency before it cannot be one: a wrong unit is off by far
/// more, and clients do not agree on when a run starts and ends.
const LONGEST: f64 = 2.0;

/// How far two numbers of one run may be apart: they come from different clocks and counts.
const SLACK: f64 = 0.01;

/// The percentiles in their order.
const PERCENTILES: [Stat; 4] = [Stat::P50, Stat::P90, Stat::P95, Stat::P99];

impl NativeRun {
    /// Checks that the numbers of the run agree with each other.
    ///
    /// # Errors
    ///
    /// When a rate is more than 1 % off its count over the duration, a higher percentile is below a
    /// lower one, a latency is far longer than the run or shorter than any answer, as one in seconds
    /// would be, or the first token came after the last.
    pub fn check_arithmetic(&self) -> Result<(), EvidenceError> {
        let tokens = self.output_tokens;
        let total = self.input_tokens.zip(tokens).and_then(|(a, b)| a.checked_add(b));
        self.check_rate(Metric::RequestThroughput, Some(self.completed))?;
        self.check_rate(Metric::OutputTokenThroughput, tokens)?;
        self.check_rate(Metric::TotalTokenThroughput, total)?;
        self.check_order()?;
        self.check_units()?;
        self.check_first_token()
    }

    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    fn check_rate(&self, metric: Metric, count: Option<u64>) -> Result<(), EvidenceError> {
        let (Some(rate), Some(count), Some(duration)) = (self.metric(metric), count, self.duration)
        else {
            return Ok(());
        };
        let expected = count as f64 / duration.get();
        if (rate.get() / expected - 1.0).abs() <= SLACK {
            return Ok(());
        }
        let message = format_args!("{rate} is not {count} in {duration} s, which is {expected}");
        Err(EvidenceError::new(message).of(&format!("{metric}")))
    }

    /// Percentiles of one latency never fall.
    fn check_order(&self) -> Result<(), EvidenceError> {
        for kind in LatencyKind::ALL {
            let mut last: Option<(Stat, Measured)> = None;
            for stat in PERCENTILES {
                let Some(value) = self.metric(Metric::latency(stat, *kind)) else { continue };
                if let Some((below, floor)) = last.filter(|(_, floor)| value < *floor) {
                    let message = format!("{value} is below the {below} of {floor}");
                    return Err(EvidenceError::new(message).of(&format!("{stat}_{kind}_ms")));
                }
                last = Some((stat, value));
            }
        }
        Ok(())
    }

    /// Every latency is of the order of the run.
    fn check_units(&self) -> Result<(), EvidenceError> {
        for (metric, value) in &self.metrics {
            let Metric::Latency(latency) = metric else { continue };
            let error = |message| Err(EvidenceError::new(message).of(&format!("{metric}")));
            let longest = self.duration.map_or(f64::MAX, |it| it.get() * 1_000.0 * LONGEST);
            if value.get() > longest {
                return error(format!("{value} ms is far longer than the whole run: is it in ms?"));
            }
            let whole = matches!(latency.kind, LatencyKind::Ttft | LatencyKind::E2e);
            if whole && value.get() < ANSWER {
                return error(format!("no server answers in {value} ms: is it in ms?"));
            }
        }
        Ok(())
    }

    /// No request got its first token after its last.
    fn check_first_token(&self) -> Result<(), EvidenceError> {
        for stat in Stat::ALL {
            let of = |kind| self.metric(Metric::latency(*stat, kind));
            let (Some(first), Some(last)) = (of(LatencyKind::Ttft), of(LatencyKind::E2e)) else {
                continue;
            };
            if first.get() > last.get() * (1.0 + SLACK) {
                let message = format!("{first} ms is above the end-to-end latency of {last} ms");
                return Err(EvidenceError::new(message).of(&format!("{stat}_ttft_ms")));
            }
        }
        Ok(())
    }

    /// Takes steps that are no steps out of the metrics: a server that sends many tokens at once
    /// has a time per token that says nothing of the model.
    pub(super) fn set_bursts_aside(&mut self) {
        let burst = |metric: &Metric, value: &Measured| match metric {
            Metric::Latency(latency) => {
                matches!(latency.kind, LatencyKind::Tpot | LatencyKind::Itl) && value.get() < STEP
            }
            _ => false,
        };
        let all = core::mem::take(&mut self.metrics);
        let (bursts, metrics): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(metric, value)| burst(metric, value));
        (self.bursts, self.metrics) = (bursts, metrics);
    }
}
