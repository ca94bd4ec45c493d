//! Which rows may rank, and in which order (FB-3 … FB-10).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

use super::eligible::{reasons_against, sla_breaches, unknown_dimensions};
use crate::brief::Brief;
use crate::clause::Clause;
use crate::facts::*;
use crate::measure::{Fraction, Measured, geometric_mean};

/// The ranking of one scenario, best first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rank<'a> {
    /// Candidates that may rank and keep the SLA, best first.
    pub ranking: Vec<Contender<'a>>,
    /// Candidates that are comparable and break the SLA, with each limit that they break, best first.
    pub failing: Vec<(Contender<'a>, Vec<String>)>,
    /// Rows that may not rank, with every reason.
    pub rejected: Vec<Rejected<'a>>,
    /// Comparable rows with dimensions that nobody knows; they do not match (FB-3).
    pub unknown: Vec<(&'a Candidate, Vec<Dimension>)>,
}

/// A candidate with every comparable run of it: repeats count by their geometric mean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contender<'a> {
    /// Its earliest row, which names it.
    pub row: &'a Candidate,
    /// All its rows, earliest first.
    pub rows: Vec<&'a Candidate>,
    metrics: BTreeMap<Metric, Measured>,
    success: Option<Fraction>,
}

/// A row that may not rank.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejected<'a> {
    /// The row.
    pub row: &'a Candidate,
    /// Why not: the clause and what was found.
    pub reasons: Vec<(Clause, String)>,
}

impl<'a> Rank<'a> {
    /// Everybody that is comparable, those that break the SLA last.
    pub fn contenders(&self) -> impl Iterator<Item = &Contender<'a>> {
        self.ranking.iter().chain(self.failing.iter().map(|(it, _)| it))
    }

    /// The best of a framework: the best that keeps the SLA, else the best that breaks it.
    pub fn best_of(&self, framework: Framework) -> Option<&Contender<'a>> {
        self.contenders().find(|it| it.row.framework == framework)
    }

    /// The best of each framework, best first.
    pub fn best_of_each(&self) -> Vec<&Contender<'a>> {
        let mut seen = BTreeSet::new();
        self.contenders().filter(|it| seen.insert(it.row.framework)).collect()
    }

    /// Sorts contenders into those that keep the SLA and those that break it (FB-9).
    fn place(&mut self, sla: &Sla, objective: Metric, them: Vec<Contender<'a>>) {
        for it in sorted(objective, them) {
            let breaches = sla_breaches(sla, it.success, |metric| it.metric(metric));
            if breaches.is_empty() {
                self.ranking.push(it);
            } else {
                self.failing.push((it, breaches));
            }
        }
    }
}

impl<'a> Contender<'a> {
    /// A candidate of rows that are comparable with each other.
    pub(crate) fn of(mut rows: Vec<&'a Candidate>) -> Option<Self> {
        rows.sort_by_key(|it| it.measured.as_ref().map(|it| it.started_at));
        let row = *rows.first()?;
        let metrics = metrics(&rows);
        let success = success(&rows);
        Some(Self { row, rows, metrics, success })
    }

    /// The value of a metric: the geometric mean over the launches that measured it.
    pub fn metric(&self, metric: Metric) -> Option<Measured> {
        self.metrics.get(&metric).copied()
    }

    /// How many launches its rows come from; rows without a log of their own are one.
    pub fn launches(&self) -> usize {
        by_launch(&self.rows).len()
    }
}

/// The rows of each launch; those that name none are one value (files.md).
fn by_launch<'a>(rows: &[&'a Candidate]) -> Vec<Vec<&'a Candidate>> {
    let mut launches: BTreeMap<_, Vec<&Candidate>> = BTreeMap::new();
    for row in rows {
        launches.entry(row.launch()).or_default().push(row);
    }
    launches.into_values().collect()
}

fn metrics(rows: &[&Candidate]) -> BTreeMap<Metric, Measured> {
    let value = |row: &&Candidate, metric| row.measured.as_ref().and_then(|it| it.metric(metric));
    let mean = |rows: &Vec<&Candidate>, metric| {
        let values: Option<Vec<_>> = rows.iter().map(|row| value(row, metric)).collect();
        alone_or_mean(&values?)
    };
    let launches = by_launch(rows);
    let known = rows.iter().filter_map(|row| row.measured.as_ref());
    let names: BTreeSet<Metric> = known.flat_map(|it| it.metrics.keys().copied()).collect();
    names
        .into_iter()
        .filter_map(|metric| {
            let values: Option<Vec<_>> = launches.iter().map(|it| mean(it, metric)).collect();
            Some((metric, alone_or_mean(&values?)?))
        })
        .collect()
}

/// A single value stays what it is, to the last digit.
fn alone_or_mean(values: &[Measured]) -> Option<Measured> {
    match values {
        [only] => Some(*only),
        values => geometric_mean(values),
    }
}

#[expect(clippy::cast_precision_loss, reason = "request counts are far below 2^52")]
fn success(rows: &[&Candidate]) -> Option<Fraction> {
    let mut sums = (0_u64, 0_u64);
    for row in rows {
        let measured = row.measured.as_ref()?;
        measured.success_rate()?;
        sums.0 = sums.0.saturating_add(measured.completed);
        sums.1 = sums.1.saturating_add(measured.requested);
    }
    Fraction::new(sums.0 as f64 / sums.1 as f64).ok()
}

/// Ranks the rows of one scenario by FB-9 and names each row that may not rank. Rows of one launch
/// command are one candidate, whatever they are called and wherever they listen.
pub fn rank<'a>(
    brief: &Brief,
    scenario: &Scenario,
    rows: impl IntoIterator<Item = &'a Candidate>,
) -> Rank<'a> {
    let mut rank = Rank::default();
    let mut comparable: BTreeMap<_, Vec<&Candidate>> = BTreeMap::new();
    for row in rows.into_iter().filter(|it| it.scenario == scenario.name) {
        let reasons = reasons_against(brief, scenario, row);
        if !reasons.is_empty() {
            rank.rejected.push(Rejected { row, reasons });
            continue;
        }
        let unknown = unknown_dimensions(row);
        if !unknown.is_empty() {
            rank.unknown.push((row, unknown));
        }
        comparable.entry((row.framework, row.launched())).or_default().push(row);
    }
    let contenders = comparable.into_values().filter_map(Contender::of).collect();
    rank.place(&brief.sla(), scenario.objective, contenders);
    rank
}

/// Contenders, best first.
pub(crate) fn sorted(objective: Metric, mut them: Vec<Contender<'_>>) -> Vec<Contender<'_>> {
    them.sort_by(|a, b| order(objective, a, b));
    them
}

/// FB-9, best first: the objective, then throughputs, latencies and GPUs.
fn order(objective: Metric, a: &Contender<'_>, b: &Contender<'_>) -> Ordering {
    let better = |metric: Metric| match (a.metric(metric), b.metric(metric)) {
        (Some(x), Some(y)) if metric.higher_is_better() => y.cmp(&x),
        (Some(x), Some(y)) => x.cmp(&y),
        (x, y) => Reverse(x.is_some()).cmp(&Reverse(y.is_some())),
    };
    let latency = |kind| {
        let pick = |it: &Contender<'_>| {
            let of = |stat| it.metric(Metric::latency(stat, kind));
            of(Stat::P50).or_else(|| of(Stat::Mean))
        };
        match (pick(a), pick(b)) {
            (Some(x), Some(y)) => x.cmp(&y),
            (x, y) => Reverse(x.is_some()).cmp(&Reverse(y.is_some())),
        }
    };
    let gpus = |it: &Contender<'_>| {
        let count = it.row.identity.get(&Dimension::GpuCount);
        count.and_then(|it| it.as_str().parse().ok()).unwrap_or(u32::MAX)
    };
    better(objective)
        .then_with(|| better(Metric::RequestThroughput))
        .then_with(|| better(Metric::OutputTokenThroughput))
        .then_with(|| latency(LatencyKind::Ttft))
        .then_with(|| latency(LatencyKind::Tpot))
        .then_with(|| gpus(a).cmp(&gpus(b)))
        .then_with(|| a.row.id.cmp(&b.row.id))
}
