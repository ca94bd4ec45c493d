//! What keeps one row from ranking: each reason with its clause (FB-3 … FB-10).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::brief::Brief;
use crate::clause::Clause;
use crate::facts::*;
use crate::measure::{DELTA, Fraction, Measured};
use crate::text::Name;

/// A reason: the clause, and what was found.
pub(crate) type Against = (Clause, String);

/// Every reason for which a filed row may not rank in its campaign.
pub(crate) fn reasons_against(brief: &Brief, scenario: &Scenario, row: &Candidate) -> Vec<Against> {
    let mut reasons = of_itself(row);
    reasons.extend(off_record(brief, row));
    reasons.extend(short_context(scenario, row));
    for (dimension, wanted, found) in mismatches(brief, scenario, row) {
        reasons.push((dimension.clause(), format!("{dimension} is {found}, not {wanted}")));
    }
    let Some(measured) = &row.measured else {
        reasons.push((Clause::Fb9, "it measured nothing".to_string()));
        return reasons;
    };
    let off = off_workload(brief, scenario, measured).into_iter();
    reasons.extend(off.map(|found| (Clause::Fb4, found)));
    reasons.extend(of_its_numbers(scenario, measured));
    reasons
}

/// Every reason for which a run that no campaign knows is no value to compare: it failed, was disturbed,
/// lost requests, ran other lengths, or its client decided it (FB-4, FB-7, GD-6).
pub fn unfit(scenario: &Scenario, row: &Candidate) -> Vec<(Clause, String)> {
    let mut reasons = of_itself(row);
    let Some(measured) = &row.measured else {
        reasons.push((Clause::Fb9, "it measured nothing".to_string()));
        return reasons;
    };
    if measured.success_rate() != Some(Fraction::ONE) {
        let (ran, sent) = (measured.completed, measured.requested);
        reasons.push((Clause::Fb7, format!("{ran} of {sent} requests completed")));
    }
    let (input, output) = (scenario.input_len.into(), scenario.output_len.into());
    let off = off_lengths(Some(input), Some(output), measured).into_iter();
    reasons.extend(off.map(|found| (Clause::Fb4, found)));
    reasons.extend(of_its_numbers(scenario, measured));
    reasons
}

/// What a row says of its own run.
pub(crate) fn of_itself(row: &Candidate) -> Vec<Against> {
    let mut reasons = Vec::new();
    if row.status != Status::Ok {
        reasons.push((Clause::Fb7, format!("its status is {}", row.status)));
    }
    if row.smoke {
        reasons.push((Clause::Fb5, "it is labelled as a flow check".to_string()));
    }
    if !row.served {
        reasons.push((Clause::Fb12, "it ran offline, without a server".to_string()));
    }
    if let Some(disturbed) = row.measured.as_ref().and_then(|it| it.disturbed.as_ref()) {
        reasons.push((Clause::Fb3, format!("its run was disturbed: {disturbed}")));
    }
    let backend = row.backend.as_ref().map(Name::as_str);
    if row.framework == Framework::TensorrtLlm
        && let Some(other) = backend.filter(|it| *it != "pytorch")
    {
        reasons.push((Clause::Fb6, format!("its server backend is {other}, not pytorch")));
    }
    reasons
}

/// What a campaign must have on record of a row.
fn off_record(brief: &Brief, row: &Candidate) -> Vec<Against> {
    let mut reasons = Vec::new();
    if row.server_command.is_empty() || row.benchmark_command.is_empty() {
        let found = "its launch or benchmark command is not on record";
        reasons.push((Clause::Fb8, found.to_string()));
    }
    if row.framework == Framework::TensorrtLlm && row.backend.is_none() {
        let found = "its server backend is unknown, not pytorch";
        reasons.push((Clause::Fb6, found.to_string()));
    }
    if row.framework == Framework::Vllm && row.tree.is_none() {
        reasons.push((Clause::Fb13, "it names no vLLM tree".to_string()));
    }
    if !synthetic(brief) && row.buckets.is_none() {
        reasons.push((Clause::Fb4, "it records no p50 and p95 length buckets".to_string()));
    }
    reasons
}

/// FB-10: the context that the server was given covers the scenario.
pub(crate) fn short_context(scenario: &Scenario, row: &Candidate) -> Option<Against> {
    let needed = u64::from(scenario.input_len) + u64::from(scenario.output_len);
    let tokens = row.context_len.filter(|it| *it < needed)?;
    Some((Clause::Fb10, format!("its context of {tokens} tokens is shorter than {needed}")))
}

/// GD-6: the objective was measured, and the server decided it.
pub(crate) fn of_its_numbers(scenario: &Scenario, measured: &Measurement) -> Vec<Against> {
    let mut reasons = Vec::new();
    let objective = scenario.objective;
    if measured.metric(objective).is_none() {
        reasons.push((Clause::Gd6, format!("it did not measure {objective}")));
    }
    if is_rate_limited(scenario, measured) {
        let found = "its client limited it, and the scenario names no latency";
        reasons.push((Clause::Gd6, found.to_string()));
    }
    reasons
}

/// What a run realised that the workload did not ask for. Counts are exact; lengths
/// may differ by what a tokenizer changes, never by the 1 % that decides.
pub fn off_workload(brief: &Brief, scenario: &Scenario, measured: &Measurement) -> Vec<String> {
    let mut found = Vec::new();
    match (measured.requested, scenario.num_prompts) {
        (0, asked) => found.push(format!("nobody says how many requests it sent; {asked} are due")),
        (ran, asked) if ran != u64::from(asked) => {
            found.push(format!("it sent {ran} requests, not {asked}"));
        }
        _ => {}
    }
    if synthetic(brief) {
        let (input, output) = (scenario.input_len.into(), scenario.output_len.into());
        found.extend(off_lengths(Some(input), Some(output), measured));
        if measured.output_tokens.is_none() {
            found.push("nobody says how many tokens it generated".to_string());
        }
    }
    found
}

fn synthetic(brief: &Brief) -> bool {
    brief.workload().is_some_and(Workload::is_synthetic)
}

/// Tokens a prompt may have beside those asked for: what a chat template puts around it.
const TEMPLATE: u64 = 16;

/// The mean lengths that a run realised and nobody asked for.
///
/// The 1 % that decides must not come from here. Outputs may differ by 0.5 %: with `ignore_eos` every
/// answer has its full length, to the token, in every run that was looked at, and an answer that ends
/// early is a share of the work that was left out. Prompts may be short by 0.5 % as well, and long by
/// 1 % or a chat template: random words merge and split anew when they are read again.
pub(crate) fn off_lengths(
    input: Option<u64>,
    output: Option<u64>,
    measured: &Measurement,
) -> Vec<String> {
    let long = |asked: u64| (asked / 100).max(TEMPLATE);
    let lengths = [
        ("input", measured.input_tokens, input, input.map(long)),
        ("output", measured.output_tokens, output, output.map(|it| it / 200)),
    ];
    let mut found = Vec::new();
    for (what, tokens, asked, above) in lengths {
        let (Some(tokens), Some(asked), Some(above)) = (tokens, asked, above) else { continue };
        let total = measured.completed.saturating_mul(asked);
        let short = total.saturating_sub(tokens).saturating_mul(200) > total;
        let long = tokens.saturating_sub(total) > measured.completed.saturating_mul(above);
        if (short || long) && measured.completed > 0 {
            let mean = tokens / measured.completed;
            found.push(format!("its mean {what} length is {mean} tokens, not {asked}"));
        }
    }
    found
}

/// GD-6: the achieved rate is within 1 % of a finite offered rate, and throughput would decide.
pub(crate) fn is_rate_limited(scenario: &Scenario, measured: &Measurement) -> bool {
    let Rate::PerSecond(offered) = scenario.request_rate else { return false };
    scenario.objective == Metric::RequestThroughput && reaches(offered, measured)
}

/// Whether a run achieved an offered rate, within 1 %; unknown is no proof that it did not.
pub(crate) fn reaches(offered: Measured, measured: &Measurement) -> bool {
    let achieved = measured.metric(Metric::RequestThroughput);
    achieved.is_none_or(|it| it.get() >= offered.get() * (1.0 - DELTA))
}

/// Whether a run keeps every limit. A limit whose metric is absent is not kept.
pub(crate) fn passes_sla(sla: &Sla, measured: &Measurement) -> bool {
    sla_breaches(sla, measured.success_rate(), |metric| measured.metric(metric)).is_empty()
}

/// Each limit that is not kept, in words. What was not measured keeps no limit.
pub(crate) fn sla_breaches(
    sla: &Sla,
    success: Option<Fraction>,
    value: impl Fn(Metric) -> Option<Measured>,
) -> Vec<String> {
    let mut found = Vec::new();
    let least = sla.min_success_rate;
    match success {
        None => found.push(format!("it does not say that a share of {least} completed")),
        Some(rate) if rate < least => {
            found
                .push(format!("a share of {rate} of its requests completed; {least} is the least"));
        }
        Some(_) => {}
    }
    for (metric, limit) in &sla.limits {
        match value(Metric::Latency(*metric)) {
            None => found.push(format!("it did not measure {metric}, which is limited to {limit}")),
            Some(it) if it > *limit => {
                found.push(format!("its {metric} is {it}, above the limit of {limit}"));
            }
            Some(_) => {}
        }
    }
    found
}

/// What a comparable row must say in each dimension; `None` where nothing is fixed.
pub(crate) fn reference(
    brief: &Brief,
    scenario: &Scenario,
    dimension: Dimension,
) -> Option<String> {
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
        Dimension::InputLen => synthetic(brief).then(|| scenario.input_len.to_string()),
        Dimension::OutputLen => synthetic(brief).then(|| scenario.output_len.to_string()),
        Dimension::Dataset if synthetic(brief) => Some("random".to_string()),
        Dimension::Dataset => {
            let path = brief.workload()?.dataset_path.as_ref()?.as_str();
            path.rsplit('/').next().map(ToString::to_string)
        }
        // Nobody is told these: the winners are compared with each other.
        Dimension::ModelOverrides
        | Dimension::KvCacheDtype
        | Dimension::Speculation
        | Dimension::PrefixCaching
        | Dimension::Streaming
        | Dimension::IgnoreEos
        | Dimension::Seed => None,
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

/// What a row does not say, of what it owes (FB-3).
pub(crate) fn unknown_dimensions(row: &Candidate) -> Vec<Dimension> {
    let owed = Dimension::ALL.iter().copied().filter(|it| it.is_owed());
    owed.filter(|it| !row.identity.contains_key(it)).collect()
}
