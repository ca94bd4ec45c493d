//! Two launches a block, of one command or of two, in turn: what the noise here is. Nothing is filed.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use vsota_core::evidence::{Filed, RunRecord, read_all};
use vsota_core::facts::{Candidate, Scenario};
use vsota_core::measure::Measured;
use vsota_core::phase::unfit;
use vsota_core::verdict::Order;

use super::rig::Rig;
use super::{Asked, Job};
use crate::escape;
use crate::failure::Failure;

/// How often in a row a block may break before the pilot gives up.
const BROKEN: u32 = 3;

/// Two sides that are launched in turn.
#[derive(Debug)]
pub struct Pilot<'a> {
    /// What launches are made with.
    pub rig: &'a Rig<'a>,
    /// The two sides; the same job twice measures nothing but noise.
    pub sides: [Job; 2],
    /// What is run in each launch.
    pub scenarios: Vec<Scenario>,
    /// Where logs and results of the launches go.
    pub dir: Utf8PathBuf,
}

/// What was measured in one scenario, block by block.
#[derive(Debug)]
pub struct Series {
    /// The scenario.
    pub scenario: Scenario,
    /// The first side's values of the scenario's objective.
    pub a: Vec<Measured>,
    /// The second side's.
    pub b: Vec<Measured>,
    /// Which of them ran first.
    pub order: Vec<Order>,
    /// What a block took that holds this scenario alone.
    pub block: Duration,
    /// Blocks that broke and were made again.
    pub redone: u32,
    /// Whether a mock made any of it up (FB-5).
    pub mock: bool,
}

/// The values of one launch, by scenario, and what each of its runs took.
struct Launched {
    values: Vec<(Measured, Duration)>,
    took: Duration,
    mock: bool,
}

impl Pilot<'_> {
    /// Makes so many whole blocks.
    ///
    /// # Errors
    ///
    /// Child when a block breaks again and again, or something foreign is in the way.
    pub fn blocks(&self, wanted: u32) -> Result<Vec<Series>, Failure> {
        let series = |scenario: &Scenario| Series {
            scenario: scenario.clone(),
            a: Vec::new(),
            b: Vec::new(),
            order: Vec::new(),
            block: Duration::ZERO,
            redone: 0,
            mock: false,
        };
        let mut all: Vec<Series> = self.scenarios.iter().map(series).collect();
        let total = usize::try_from(wanted).unwrap_or(usize::MAX);
        for number in 1..=wanted {
            let order = if number % 2 == 1 { Order::VllmFirst } else { Order::CompetitorFirst };
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            self.rig.progress.step((at, total), &self.shown(order));
            let ([a, b], redone) = self.block(number, order)?;
            for (series, (a_of, b_of)) in all.iter_mut().zip(a.values.iter().zip(&b.values)) {
                series.a.push(a_of.0);
                series.b.push(b_of.0);
                series.order.push(order);
                series.block += a.alone(a_of.1) + b.alone(b_of.1);
                series.redone = series.redone.saturating_add(redone);
                series.mock |= a.mock || b.mock;
            }
        }
        for series in &mut all {
            series.block = series.block.checked_div(wanted).unwrap_or_default();
        }
        Ok(all)
    }

    fn shown(&self, order: Order) -> String {
        let [a, b] = self.sides.each_ref().map(|it| it.launch.candidate.as_str());
        match order {
            Order::VllmFirst => format!("{a}, then {b}"),
            Order::CompetitorFirst => format!("{b}, then {a}"),
        }
    }

    /// One block, made again in its slot when it breaks; how often it was.
    fn block(&self, number: u32, order: Order) -> Result<([Launched; 2], u32), Failure> {
        let mut why = String::new();
        for redone in 0..BROKEN {
            match self.once(number, redone, order) {
                Ok(both) => return Ok((both, redone)),
                Err(Broke::Failure(failure)) => return Err(failure),
                Err(Broke::Run(reason)) => {
                    self.rig.progress.note(&format!("the block broke: {reason}"));
                    why = reason;
                }
            }
        }
        let message = format_args!("block {number} broke {BROKEN} times in a row: {why}");
        Err(Failure::child(message).in_file(&self.dir))
    }

    fn once(&self, number: u32, redone: u32, order: Order) -> Result<[Launched; 2], Broke> {
        let [a, b] = &self.sides;
        let launch = |job: &Job, side: &str| {
            let dir = self.dir.join(format!("{number:02}-{redone}-{side}"));
            self.launch(job, number, &dir)
        };
        match order {
            Order::VllmFirst => Ok([launch(a, "a")?, launch(b, "b")?]),
            Order::CompetitorFirst => {
                let b = launch(b, "b")?;
                Ok([launch(a, "a")?, b])
            }
        }
    }

    /// One launch with a run in each scenario.
    fn launch(&self, job: &Job, number: u32, dir: &Utf8Path) -> Result<Launched, Broke> {
        std::fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
        let asked = |scenario| Asked { scenario, draw: number };
        let asked: Vec<Asked<'_>> = self.scenarios.iter().map(asked).collect();
        let begun = Instant::now();
        let records = self.rig.go(job, &asked, dir)?;
        let took = begun.elapsed();
        let mut launched = Launched { values: Vec::new(), took, mock: false };
        for (scenario, record) in self.scenarios.iter().zip(&records) {
            let of_it =
                |why| Broke::Run(format!("{} in {}: {why}", job.launch.candidate, scenario.name));
            let row = row(dir, record).map_err(of_it)?;
            launched.mock |= row.mock;
            launched.values.push(value(scenario, &row).map_err(of_it)?);
        }
        Ok(launched)
    }
}

/// Why a block has no values.
enum Broke {
    /// A run of it is no value; the block is made again.
    Run(String),
    /// Nothing can be launched.
    Failure(Failure),
}

impl From<Failure> for Broke {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Launched {
    /// What the launch would have taken with this run alone.
    fn alone(&self, run: Duration) -> Duration {
        let runs: Duration = self.values.iter().map(|(_, it)| *it).sum();
        self.took.saturating_sub(runs).saturating_add(run)
    }
}

/// What a run record and its native result say, as the machine would take them.
fn row(dir: &Utf8Path, record: &Value) -> Result<Candidate, String> {
    let record = RunRecord::parse(record.clone()).map_err(|error| error.to_string())?;
    let native = match &record.result {
        Some(place) => {
            let bytes =
                std::fs::read(dir.join(place.path.as_str())).map_err(|it| it.to_string())?;
            let (runs, errors) = read_all(&bytes);
            if let Some(error) = errors.first() {
                return Err(error.to_string());
            }
            runs.into_iter().next().map(|(_, it)| it)
        }
        None => None,
    };
    record.candidate(native.as_ref(), Filed::default()).map_err(|error| error.to_string())
}

/// The value of a run, and how long it took.
fn value(scenario: &Scenario, row: &Candidate) -> Result<(Measured, Duration), String> {
    let told = row.failure_reason.as_ref().map(|it| it.as_str().to_owned());
    let reasons = unfit(scenario, row);
    if !reasons.is_empty() {
        let found = reasons.iter().map(|(clause, it)| format!("{clause}: {it}"));
        let all: Vec<String> = found.chain(told).collect();
        return Err(escape::brief(&all.join("; "), 300));
    }
    let measured = row.measured.as_ref();
    let found = measured.and_then(|it| Some((it.metric(scenario.objective)?, it)));
    let (value, it) = found.ok_or("it did not measure the objective")?;
    let ms = u64::try_from(it.ended_at.saturating_sub(it.started_at)).unwrap_or(0);
    Ok((value, Duration::from_millis(ms)))
}
