//! The values of a native object, each read with the rules and named when it is wrong.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;

use super::{Cap, NativeRun, Offered};
use crate::evidence::error::EvidenceError;
use crate::evidence::json::{Bare, Json, Object};
use crate::evidence::time::CivilTime;
use crate::facts::{LatencyKind, Metric, Rate, Stat, Status};
use crate::measure::Measured;
use crate::text::{Line, Name};

/// An object whose keys are asked for one by one; unknown keys are nobody's business.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Object);

fn unfit(key: &str, found: &Json, expected: &str) -> EvidenceError {
    let kind = match found {
        Json::Bare(bare) => bare.as_str(),
        other => other.kind(),
    };
    EvidenceError::new(format!("{expected} is expected, found {kind}")).of(key)
}

fn missing(key: &str) -> EvidenceError {
    EvidenceError::new("the key is missing").of(key)
}

impl<'a> Fields<'a> {
    fn some(self, key: &str) -> Option<&'a Json> {
        self.0.get(key).filter(|it| !matches!(it, Json::Null))
    }

    /// The fields of an object inside.
    pub(super) fn inside(self, key: &str) -> Option<Self> {
        self.0.get(key).and_then(Json::object).map(Self)
    }

    pub(super) fn text(self, key: &str) -> Result<Option<&'a str>, EvidenceError> {
        match self.some(key) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(other) => Err(unfit(key, other, "a string")),
        }
    }

    pub(super) fn line(self, key: &str) -> Result<Option<Line>, EvidenceError> {
        self.text(key)?
            .filter(|text| !text.trim().is_empty())
            .map(|text| Line::new(text).map_err(|error| EvidenceError::new(error).of(key)))
            .transpose()
    }

    pub(super) fn name(self, key: &str) -> Result<Option<Name>, EvidenceError> {
        let text = match self.some(key) {
            Some(Json::Count(number)) => number.to_string(),
            _ => match self.text(key)? {
                Some(text) => text.to_string(),
                None => return Ok(None),
            },
        };
        Name::new(text).map(Some).map_err(|error| EvidenceError::new(error).of(key))
    }

    /// A whole number; Python may write it with a fraction of zero.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole"
    )]
    pub(super) fn count(self, key: &str) -> Result<Option<u64>, EvidenceError> {
        match self.some(key) {
            None => Ok(None),
            Some(Json::Count(count)) => Ok(Some(*count)),
            Some(Json::Number(number))
                if (0.0..9e15).contains(number) && libm::trunc(*number) == *number =>
            {
                Ok(Some(*number as u64))
            }
            Some(other) => Err(unfit(key, other, "a whole number of at least zero")),
        }
    }

    pub(super) fn needed(self, key: &str) -> Result<u64, EvidenceError> {
        self.count(key)?.ok_or_else(|| missing(key))
    }

    /// A number that may be zero but is finite and not negative.
    #[expect(clippy::cast_precision_loss, reason = "the nearest f64, as reading the text gives")]
    pub(super) fn number(self, key: &str) -> Result<Option<f64>, EvidenceError> {
        match self.some(key) {
            None => Ok(None),
            Some(Json::Count(count)) => Ok(Some(*count as f64)),
            Some(Json::Number(number)) if number.is_finite() && *number >= 0.0 => Ok(Some(*number)),
            Some(Json::Number(number)) => {
                let message = format!("{number} is not a measurement (finite and above zero)");
                Err(EvidenceError::new(message).of(key))
            }
            Some(other) => Err(unfit(key, other, "a finite number above zero")),
        }
    }

    /// A measured number; zero is absent (rule 4), anything else that is no measurement an error.
    pub(super) fn measured(self, key: &str) -> Result<Option<Measured>, EvidenceError> {
        Ok(self.number(key)?.and_then(|number| Measured::new(number).ok()))
    }

    pub(super) fn date(self) -> Result<Option<CivilTime>, EvidenceError> {
        let text = self.text("date")?;
        text.map(|text| CivilTime::parse(text).map_err(|error| error.of("date"))).transpose()
    }

    /// Rule 3: a number, `"inf"`, `Infinity` or `"trace"`.
    pub(super) fn request_rate(self) -> Result<Option<Offered>, EvidenceError> {
        const KEY: &str = "request_rate";
        Ok(Some(match self.some(KEY) {
            None => return Ok(None),
            Some(Json::Bare(Bare::Infinity)) => Offered::Rate(Rate::Unbounded),
            Some(Json::Text(text)) if text == "inf" => Offered::Rate(Rate::Unbounded),
            Some(Json::Text(text)) if text == "trace" => Offered::Trace,
            Some(other @ (Json::Text(_) | Json::Bare(_))) => {
                return Err(unfit(KEY, other, "a number above zero, inf or trace"));
            }
            Some(_) => {
                let rate = self.measured(KEY)?;
                let zero = || EvidenceError::new("a rate of zero offers nothing").of(KEY);
                Offered::Rate(Rate::PerSecond(rate.ok_or_else(zero)?))
            }
        }))
    }

    /// `null` is no cap; an absent key is unknown.
    pub(super) fn max_concurrency(self) -> Result<Option<Cap>, EvidenceError> {
        const KEY: &str = "max_concurrency";
        if !self.0.has(KEY) {
            return Ok(None);
        }
        match self.count(KEY)? {
            None => Ok(Some(Cap::Unlimited)),
            Some(0) => Err(EvidenceError::new("a cap of zero lets no request through").of(KEY)),
            Some(cap) => Ok(Some(Cap::At(cap))),
        }
    }

    /// Counts, tokens and metrics of a finished run; without a completed request, the failure.
    pub(super) fn finish(
        self,
        run: &mut NativeRun,
        metrics: impl FnOnce(Self) -> Result<BTreeMap<Metric, Measured>, EvidenceError>,
    ) -> Result<(), EvidenceError> {
        run.completed = self.needed("completed")?;
        // Whatever the key says: nothing that was measured has it.
        run.mock = self.some("mock").is_some();
        self.check_counts(run)?;
        if run.completed == 0 {
            run.status = Status::Failed;
            run.failure = Line::new("no request completed").ok();
            return Ok(());
        }
        run.input_tokens = self.count("total_input_tokens")?;
        run.output_tokens = self.count("total_output_tokens")?;
        run.duration = self.measured("duration")?;
        if run.duration.is_none() {
            return Err(EvidenceError::new("requests completed in no time").of("duration"));
        }
        if self.number("request_throughput")? == Some(0.0) {
            let message = format!("{} requests completed, yet the rate is 0", run.completed);
            return Err(EvidenceError::new(message).of("request_throughput"));
        }
        run.metrics = metrics(self)?;
        run.set_bursts_aside();
        Ok(())
    }

    fn check_counts(self, run: &NativeRun) -> Result<(), EvidenceError> {
        let completed = run.completed;
        let Some(requested) = run.requested else { return Ok(()) };
        if completed > requested {
            let message = format!("{completed} of {requested} requests cannot have completed");
            return Err(EvidenceError::new(message).of("completed"));
        }
        match self.count("failed")? {
            Some(failed) if completed.checked_add(failed) != Some(requested) => {
                let message =
                    format!("{completed} completed and {failed} failed are not {requested}");
                Err(EvidenceError::new(message).of("failed"))
            }
            _ => self.check_errors(completed, requested),
        }
    }

    /// The details of a run tell of each request whether it failed: as many as its counts say.
    fn check_errors(self, completed: u64, requested: u64) -> Result<(), EvidenceError> {
        let Some(Json::List(slots)) = self.0.get("errors") else { return Ok(()) };
        let fine = slots.iter().filter(|it| matches!(it, Json::Text(text) if text.is_empty()));
        let (fine, all) = (fine.count() as u64, slots.len() as u64);
        if all == 0 || (fine == completed && all == requested) {
            return Ok(());
        }
        let message = format!(
            "{fine} of {all} requests ended without an error, but {completed} of {requested} completed"
        );
        Err(EvidenceError::new(message).of("errors"))
    }

    /// The latencies, in ms, under the key that the tool has for each; `median` is the p50 (rule 5).
    pub(super) fn latencies(
        self,
        key_of: impl Fn(LatencyKind) -> &'static str,
        metrics: &mut BTreeMap<Metric, Measured>,
    ) -> Result<(), EvidenceError> {
        for kind in LatencyKind::ALL {
            for stat in Stat::ALL {
                let named = key_of(*kind);
                let plain = self.measured(&format!("{stat}_{named}_ms"))?;
                let value = match stat {
                    Stat::P50 => self.measured(&format!("median_{named}_ms"))?.or(plain),
                    _ => plain,
                };
                metrics.extend(value.map(|value| (Metric::latency(*stat, *kind), value)));
            }
        }
        Ok(())
    }

    /// Adds a rate under its own key.
    pub(super) fn rate(
        self,
        key: &str,
        metric: Metric,
        metrics: &mut BTreeMap<Metric, Measured>,
    ) -> Result<(), EvidenceError> {
        metrics.extend(self.measured(key)?.map(|value| (metric, value)));
        Ok(())
    }
}
