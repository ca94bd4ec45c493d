//! `benchmark/candidates.jsonl`: every filed row in the companion's schema, failed ones too
//! (FB-7, FB-8).

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::{Book, escape, workload};
use crate::artifact::Artifact;
use crate::facts::*;
use crate::phase::{passes_sla, rank};
use crate::text::{Argv, Line};

pub(super) fn render(book: &Book<'_>) -> Option<String> {
    let candidates = &book.story.candidates;
    let skipped = skipped(book);
    if candidates.is_empty() && skipped.is_empty() {
        return None;
    }
    let mut text = String::new();
    for candidate in candidates.iter().copied().chain(&skipped) {
        text.push_str(&escape::json(&row(book, candidate).to_string()));
        text.push('\n');
    }
    Some(text)
}

/// What the plans name and is never run: a row for each scenario, that nothing is left out (FB-7).
fn skipped(book: &Book<'_>) -> Vec<Candidate> {
    let mut latest: BTreeMap<Framework, &SearchSpace> = BTreeMap::new();
    for space in book.story.searches.iter().flat_map(|it| &it.spaces) {
        latest.insert(space.framework, space);
    }
    let scenarios = book.story.brief.workload().map_or(&[][..], |it| &it.scenarios);
    let rows = latest.values().flat_map(|space| {
        let of_scenario = move |it: &SkippedCandidate| {
            scenarios.iter().map(|one| never_run(space.framework, it, one)).collect::<Vec<_>>()
        };
        space.skipped.iter().flat_map(of_scenario)
    });
    rows.collect()
}

fn never_run(framework: Framework, it: &SkippedCandidate, scenario: &Scenario) -> Candidate {
    Candidate {
        id: it.id.clone(),
        framework,
        framework_version: None,
        framework_commit: None,
        scenario: scenario.name.clone(),
        status: Status::Skipped,
        smoke: false,
        mock: false,
        served: true,
        failure_reason: Some(it.reason.clone()),
        server_command: it.server_command.clone(),
        benchmark_command: Argv::default(),
        backend: None,
        context_len: None,
        identity: BTreeMap::new(),
        tree: None,
        measured: None,
        buckets: None,
        record: None,
        result: None,
        log: None,
        settings: None,
    }
}

fn row(book: &Book<'_>, it: &Candidate) -> Value {
    let said = |dimension| it.identity.get(&dimension).map(Line::as_str);
    let count = said(Dimension::GpuCount).and_then(|it| it.parse::<u32>().ok());
    let help = book.story.help.get(&it.framework).map(|it| &it.output);
    let mut row = json!({
        "framework": it.framework.as_str(),
        "framework_version": it.framework_version.as_ref().map(Line::as_str),
        "framework_commit": it.framework_commit.as_ref().map(Line::as_str),
        "candidate_id": it.id.as_str(),
        "model": said(Dimension::Model),
        "tokenizer": said(Dimension::Tokenizer),
        "precision": said(Dimension::Precision),
        "quantization": said(Dimension::Quantization),
        "sampling": said(Dimension::Sampling),
        "status": it.status.as_str(),
        "failure_reason": it.failure_reason.as_ref().map(Line::as_str),
        "smoke": it.smoke,
        "served": it.served,
        "backend": it.backend.as_ref().map(|it| it.as_str()),
        "context_len": it.context_len,
        "hardware": {
            "gpu_model": said(Dimension::GpuModel),
            "gpu_count": count,
            "visible_devices": said(Dimension::GpuIds),
        },
        "workload": load(book, it),
        "sla": limits(book, it),
        "metrics": it.measured.as_ref().map_or(Map::new(), metrics),
        "eligible": eligible(book, it),
        "server_command": command(&it.server_command),
        "benchmark_command": command(&it.benchmark_command),
        "artifacts": {
            "server_log": path(it.log.as_ref()),
            "raw_result": path(it.result.as_ref()),
            "server_help": path(help),
        },
        "sources": {
            "record": source(it.record.as_ref()),
            "result": source(it.result.as_ref()),
            "log": source(it.log.as_ref()),
            "tree": it.tree.as_ref().map(|it| it.as_str()),
            "launch": it.launch().map(|it| it.to_string()),
        },
    });
    if let (true, Value::Object(row)) = (book.demo(), &mut row) {
        row.insert("demo".into(), true.into());
    }
    row
}

fn load(book: &Book<'_>, it: &Candidate) -> Value {
    let workload = book.story.brief.workload();
    let scenario = book.story.brief.scenario(&it.scenario);
    let said = |dimension| it.identity.get(&dimension).map(Line::as_str);
    let buckets = it.buckets.as_ref();
    json!({
        "kind": workload.map(|it| it.kind.as_str()),
        "scenario": it.scenario.as_str(),
        "dataset_path": workload.and_then(|it| it.dataset_path.as_ref()).map(Line::as_str),
        "input_len": scenario.map(|it| it.input_len),
        "output_len": scenario.map(|it| it.output_len),
        "input_len_p50": buckets.map(|it| it.input_p50),
        "input_len_p95": buckets.map(|it| it.input_p95),
        "output_len_p50": buckets.map(|it| it.output_p50),
        "output_len_p95": buckets.map(|it| it.output_p95),
        "num_prompts": it.measured.as_ref().map(|it| it.requested),
        "request_rate": said(Dimension::RequestRate),
        "max_concurrency": said(Dimension::MaxConcurrency),
        "burstiness": said(Dimension::Burstiness),
        "endpoint": said(Dimension::Endpoint),
        "objective": workload::objective(book, &it.scenario).to_string(),
    })
}

/// The limits, and whether the run kept them. A flow check is judged by nobody (FB-5): were it
/// called passed, the companion's script would rank it.
fn limits(book: &Book<'_>, it: &Candidate) -> Value {
    let sla = book.story.brief.sla();
    let judged = it.measured.as_ref().filter(|_| it.status == Status::Ok && !it.smoke);
    let mut limits = Map::new();
    for (metric, limit) in &sla.limits {
        limits.insert(alloc::format!("max_{metric}"), limit.get().into());
    }
    limits.insert("min_success_rate".into(), sla.min_success_rate.get().into());
    limits.insert("passed".into(), judged.map(|it| passes_sla(&sla, it)).into());
    Value::Object(limits)
}

/// What was measured; a metric that was not is absent, never 0.
fn metrics(measured: &Measurement) -> Map<String, Value> {
    let mut metrics = Map::new();
    for (metric, value) in &measured.metrics {
        metrics.insert(metric.to_string(), value.get().into());
    }
    if let Some(rate) = measured.success_rate() {
        metrics.insert("success_rate".into(), rate.get().into());
    }
    metrics
}

/// Whether the row may rank, with every clause against it.
fn eligible(book: &Book<'_>, it: &Candidate) -> Value {
    let brief = &book.story.brief;
    let Some(scenario) = brief.scenario(&it.scenario) else { return Value::Null };
    let rank = rank(brief, scenario, [it]);
    let reasons = rank.rejected.iter().flat_map(|it| &it.reasons);
    let against: alloc::vec::Vec<_> =
        reasons.map(|(clause, found)| json!({ "clause": clause.id(), "found": found })).collect();
    let ranks = rank.contenders().next().is_some();
    json!({ "ranks": ranks, "against": against })
}

fn command(argv: &Argv) -> Option<String> {
    (!argv.is_empty()).then(|| escape::shell(argv.iter(), usize::MAX))
}

fn source(it: Option<&Artifact>) -> Value {
    it.map_or(Value::Null, |it| {
        json!({ "path": it.path.as_str(), "sha256": it.sha256.to_string(), "bytes": it.bytes })
    })
}

fn path(it: Option<&Artifact>) -> Option<&str> {
    it.map(|it| it.path.as_str())
}
