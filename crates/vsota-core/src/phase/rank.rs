//! Which rows may rank, and in which order (FB-3 … FB-10).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

use crate::brief::Brief;
use crate::clause::Clause;
use crate::facts::*;
use crate::measure::{DELTA, Measured};
use crate::text::Name;

/// The ranking of one scenario, best first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rank<'a> {
    /// Rows that may rank, best first.
    pub ranking: Vec<&'a Candidate>,
    /// Rows that may not, with every reason.
    pub rejected: Vec<Rejected<'a>>,
    /// Ranked rows with dimensions that nobody knows; they do not match (FB-3).
    pub unknown: Vec<(&'a Candidate, Vec<Dimension>)>,
}

/// A row that may not rank.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejected<'a> {
    /// The row.
    pub row: &'a Candidate,
    /// Why not: the clause and what was found.
    pub reasons: Vec<(Clause, String)>,
}

/// Ranks the rows of one scenario by FB-9 and names each row that may not rank.
pub fn rank<'a>(
    brief: &Brief,
    scenario: &Scenario,
    rows: impl IntoIterator<Item = &'a Candidate>,
) -> Rank<'a> {
    let mut rank = Rank::default();
    for row in rows.into_iter().filter(|it| it.scenario == scenario.name) {
        let reasons = reasons_against(brief, scenario, row);
        if reasons.is_empty() {
            let unknown = unknown_dimensions(row);
            if !unknown.is_empty() {
                rank.unknown.push((row, unknown));
            }
            rank.ranking.push(row);
        } else {
            rank.rejected.push(Rejected { row, reasons });
        }
    }
    let sla = brief.sla();
    let objective = scenario.objective;
    rank.ranking.sort_by(|a, b| order(&sla, objective, a, b));
    rank
}

/// FB-9, best first: SLA, then the objective, then throughputs, latencies and GPUs.
fn order(sla: &Sla, objective: Metric, a: &Candidate, b: &Candidate) -> Ordering {
    let passes = |row: &Candidate| row.measured.as_ref().is_some_and(|it| passes_sla(sla, it));
    let value = |row: &Candidate, metric| row.measured.as_ref().and_then(|it| it.metric(metric));
    let better = |metric: Metric| match (value(a, metric), value(b, metric)) {
        (Some(x), Some(y)) if metric.higher_is_better() => y.cmp(&x),
        (Some(x), Some(y)) => x.cmp(&y),
        (x, y) => Reverse(x.is_some()).cmp(&Reverse(y.is_some())),
    };
    let latency = |kind| {
        let pick = |row: &Candidate| {
            let of = |stat| value(row, Metric::latency(stat, kind));
            of(Stat::P50).or_else(|| of(Stat::Mean))
        };
        match (pick(a), pick(b)) {
            (Some(x), Some(y)) => x.cmp(&y),
            (x, y) => Reverse(x.is_some()).cmp(&Reverse(y.is_some())),
        }
    };
    let gpus = |row: &Candidate| {
        let count = row.identity.get(&Dimension::GpuCount).and_then(|it| it.as_str().parse().ok());
        count.unwrap_or(u32::MAX)
    };
    passes(b)
        .cmp(&passes(a))
        .then_with(|| better(objective))
        .then_with(|| better(Metric::RequestThroughput))
        .then_with(|| better(Metric::OutputTokenThroughput))
        .then_with(|| latency(LatencyKind::Ttft))
        .then_with(|| latency(LatencyKind::Tpot))
        .then_with(|| gpus(a).cmp(&gpus(b)))
        .then_with(|| a.id.cmp(&b.id))
}

/// Whether a run keeps every limit. A limit whose metric is absent is not kept.
pub(crate) fn passes_sla(sla: &Sla, measured: &Measurement) -> bool {
    let within = |(metric, limit): (&LatencyMetric, &Measured)| {
        measured.metric(Metric::Latency(*metric)).is_some_and(|it| it <= *limit)
    };
    measured.success_rate().is_some_and(|it| it >= sla.min_success_rate)
        && sla.limits.iter().all(within)
}

fn reasons_against(brief: &Brief, scenario: &Scenario, row: &Candidate) -> Vec<(Clause, String)> {
    let mut reasons = Vec::new();
    let mut against = |holds: bool, clause: Clause, found: String| {
        if !holds {
            reasons.push((clause, found));
        }
    };
    against(row.status == Status::Ok, Clause::Fb7, format!("its status is {}", row.status));
    against(!row.smoke, Clause::Fb5, "it is labelled as a flow check".to_string());
    against(row.served, Clause::Fb12, "it ran offline, without a server".to_string());
    let commands = !row.server_command.is_empty() && !row.benchmark_command.is_empty();
    against(commands, Clause::Fb8, "its launch or benchmark command is not on record".to_string());
    if row.framework == Framework::TensorrtLlm {
        let pytorch = row.backend.as_ref().is_some_and(|it| it.as_str() == "pytorch");
        let found = row.backend.as_ref().map_or("unknown", Name::as_str);
        against(pytorch, Clause::Fb6, format!("its server backend is {found}, not pytorch"));
    }
    if row.framework == Framework::Vllm {
        against(row.tree.is_some(), Clause::Fb13, "it names no vLLM tree".to_string());
    }
    let needed = u64::from(scenario.input_len) + u64::from(scenario.output_len);
    if let Some(tokens) = row.context_len {
        let found = format!("its context of {tokens} tokens is shorter than {needed}");
        against(tokens >= needed, Clause::Fb10, found);
    }
    let synthetic = brief.workload().is_some_and(Workload::is_synthetic);
    let bucketed = synthetic || row.buckets.is_some();
    against(bucketed, Clause::Fb4, "it records no p50 and p95 length buckets".to_string());
    for (dimension, wanted, found) in mismatches(brief, scenario, row) {
        against(false, Clause::Fb3, format!("{dimension} is {found}, not {wanted}"));
    }
    match &row.measured {
        None => against(false, Clause::Fb9, "it measured nothing".to_string()),
        Some(measured) => {
            for found in off_workload(brief, scenario, measured) {
                against(false, Clause::Fb4, found);
            }
            let objective = scenario.objective;
            let known = measured.metric(objective).is_some();
            against(known, Clause::Gd6, format!("it did not measure {objective}"));
            let free = !is_rate_limited(scenario, measured);
            let found = "its client limited it, and the scenario names no latency".to_string();
            against(free, Clause::Gd6, found);
        }
    }
    reasons
}

/// What a run realised that the workload did not ask for.
///
/// Counts are exact. Lengths may differ by 5 %: tokenizers merge across random words, and that is
/// the spread seen in real runs.
pub(crate) fn off_workload(
    brief: &Brief,
    scenario: &Scenario,
    measured: &Measurement,
) -> Vec<String> {
    let mut found = Vec::new();
    if measured.requested != u64::from(scenario.num_prompts) {
        let (ran, asked) = (measured.requested, scenario.num_prompts);
        found.push(format!("it sent {ran} requests, not {asked}"));
    }
    if !brief.workload().is_some_and(Workload::is_synthetic) {
        return found;
    }
    let lengths = [
        ("input", measured.input_tokens, scenario.input_len),
        ("output", measured.output_tokens, scenario.output_len),
    ];
    for (what, tokens, asked) in lengths {
        let Some(tokens) = tokens else { continue };
        let total = measured.completed.saturating_mul(u64::from(asked));
        let off = tokens.abs_diff(total).saturating_mul(20) > total;
        if off && measured.completed > 0 {
            let mean = tokens / measured.completed;
            found.push(format!("its mean {what} length is {mean} tokens, not {asked}"));
        }
    }
    found
}

/// GD-6: the achieved rate is within 1 % of a finite offered rate, and throughput would decide.
pub(crate) fn is_rate_limited(scenario: &Scenario, measured: &Measurement) -> bool {
    let Rate::PerSecond(offered) = scenario.request_rate else { return false };
    if scenario.objective != Metric::RequestThroughput {
        return false;
    }
    let achieved = measured.metric(Metric::RequestThroughput);
    achieved.is_none_or(|it| it.get() >= offered.get() * (1.0 - DELTA))
}

/// What a comparable row must say in each dimension; `None` where nothing is fixed.
fn reference(brief: &Brief, scenario: &Scenario, dimension: Dimension) -> Option<String> {
    let owned = |it: &crate::text::Line| it.as_str().to_string();
    match dimension {
        Dimension::Model => brief.model().map(owned),
        Dimension::Tokenizer => brief.tokenizer().or(brief.model()).map(owned),
        Dimension::Precision => brief.precision().map(owned),
        Dimension::Quantization => brief.quantization().map(owned),
        Dimension::GpuModel => brief.gpu_model().map(owned),
        Dimension::GpuCount => brief.gpu_count().map(|it| it.to_string()),
        Dimension::GpuIds => brief.gpu_ids().map(owned),
        Dimension::Endpoint => brief.endpoint().map(owned),
        Dimension::Sampling => Some(brief.sampling()),
        Dimension::RequestRate => Some(scenario.request_rate.to_string()),
        Dimension::MaxConcurrency => {
            Some(scenario.max_concurrency.map_or("none".to_string(), |it| it.to_string()))
        }
        Dimension::Burstiness => Some(scenario.burstiness.to_string()),
    }
}

fn mismatches(
    brief: &Brief,
    scenario: &Scenario,
    row: &Candidate,
) -> Vec<(Dimension, String, String)> {
    let mismatch = |dimension: &Dimension| {
        let wanted = reference(brief, scenario, *dimension)?;
        let found = row.identity.get(dimension)?.as_str();
        (found != wanted).then(|| (*dimension, wanted, found.to_string()))
    };
    Dimension::ALL.iter().filter_map(mismatch).collect()
}

fn unknown_dimensions(row: &Candidate) -> Vec<Dimension> {
    Dimension::ALL.iter().copied().filter(|it| !row.identity.contains_key(it)).collect()
}

/// The best row of each framework in a scenario.
pub(crate) fn best_of_each<'a>(rank: &Rank<'a>) -> BTreeMap<Framework, &'a Candidate> {
    let mut best = BTreeMap::new();
    for row in &rank.ranking {
        best.entry(row.framework).or_insert(*row);
    }
    best
}
