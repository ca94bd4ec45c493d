//! Which of several rows is best, when no campaign says what is fixed? (FB-3, FB-4, FB-9)
//!
//! Rows that fail by themselves go first: failed, off the workload, over their limits. What the
//! caller expects, or what all others share, is what each must say. Where they differ nobody wins.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::eligible::{
    Against, of_its_numbers, of_itself, off_lengths, reaches, short_context, sla_breaches,
};
use super::rank::{Contender, Rank, Rejected, sorted};
use super::search::names_another_launch;
use super::terms::{LOAD, Limits, Stated, Terms, expected, overridden, stated};
use crate::clause::Clause;
use crate::facts::*;
use crate::measure::{Fraction, Measured};
use crate::text::Name;

/// A row from outside a campaign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lone {
    /// The row, as far as a campaign would know it.
    pub row: Candidate,
    /// The load that it says it ran.
    pub load: Load,
    /// The limits that it says it was judged by.
    pub limits: Limits,
    /// Where it contradicts itself, in words.
    pub contradictions: Vec<String>,
}

/// The size of a load: requests, and tokens of each. What is absent nobody said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// Requests that were sent.
    pub num_prompts: Option<u64>,
    /// Prompt tokens of each.
    pub input_len: Option<u64>,
    /// Generated tokens of each.
    pub output_len: Option<u64>,
}

/// The comparison of one scenario.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compared<'a> {
    /// Its name.
    pub scenario: Name,
    /// What it is, where that is fixed.
    pub terms: Option<Scenario>,
    /// The ranking; nobody ranks where the rows differ.
    pub rank: Rank<'a>,
    /// What ranked rows do not say, by name (FB-3).
    pub unknown: Vec<(&'a Candidate, Vec<String>)>,
    /// What the caller expects and a fixed scenario or a workload's limits say already, by name.
    pub overridden: Vec<String>,
}

/// Rows of one candidate from one launch that say different things: which of them happened?
///
/// Gives the places of all of them; none is evidence. A launch that nobody names is one (files.md).
pub fn contradict(rows: &[Lone]) -> Vec<usize> {
    let mut runs: BTreeMap<_, Vec<(usize, &BTreeMap<Metric, Measured>)>> = BTreeMap::new();
    for (at, it) in rows.iter().map(|it| &it.row).enumerate().filter(|(_, it)| !it.smoke) {
        let Some(measured) = &it.measured else { continue };
        let run = (it.framework, &it.id, &it.scenario, it.launch());
        runs.entry(run).or_default().push((at, &measured.metrics));
    }
    runs.retain(|_, said| said.windows(2).any(|it| matches!(it, [(_, a), (_, b)] if a != b)));
    let mut places: Vec<usize> = runs.into_values().flatten().map(|(at, _)| at).collect();
    places.sort_unstable();
    places
}

/// Compares rows, scenario by scenario, in the order in which the scenarios come.
pub fn compare<'a>(terms: &Terms, rows: impl IntoIterator<Item = &'a Lone>) -> Vec<Compared<'a>> {
    let mut scenarios: Vec<(Name, Vec<&Lone>)> = Vec::new();
    for row in rows {
        match scenarios.iter_mut().find(|(name, _)| *name == row.row.scenario) {
            Some((_, them)) => them.push(row),
            None => scenarios.push((row.row.scenario.clone(), Vec::from([row]))),
        }
    }
    scenarios.into_iter().map(|(name, rows)| one(terms, name, rows)).collect()
}

fn one<'a>(terms: &Terms, scenario: Name, rows: Vec<&'a Lone>) -> Compared<'a> {
    let fixed = terms.scenario(&scenario);
    let others = stated(terms, fixed.as_ref(), &rows);
    let mut against: Vec<Vec<Against>> = Vec::new();
    let mut seen = BTreeSet::new();
    for it in &rows {
        let mut reasons = by_itself(terms, fixed.as_ref(), it, &others);
        if !seen.insert(run(&it.row)) && it.row.measured.is_some() {
            reasons.push((Clause::Fb7, "this very run stands here already".to_string()));
        }
        if rows.iter().any(|other| names_two_launches(&it.row, &other.row)) {
            let found = "its id names another launch command in another row";
            reasons.push((Clause::Fb2, found.to_string()));
        }
        against.push(reasons);
    }
    let said: Vec<_> = rows.iter().map(|it| says(terms, fixed.as_ref(), it)).collect();
    // What the caller expects counts before what the others share.
    let remain = |against: &[Vec<Against>]| -> Vec<usize> {
        let whole = against.iter().enumerate().filter(|(_, it)| it.is_empty());
        whole.map(|(at, _)| at).collect()
    };
    let expected = expected(terms, fixed.as_ref());
    let names: BTreeSet<String> = said.iter().flat_map(|it| it.keys().cloned()).collect();
    let early = remain(&against);
    for (reasons, said) in against.iter_mut().zip(&said) {
        let off = expected.iter().filter_map(|(name, wanted)| mismatch(name, said, wanted));
        reasons.extend(off);
    }
    let left = remain(&against);
    for name in names.iter().filter(|it| !expected.contains_key(*it)) {
        // Where nobody is left as expected, those before them say what a row would have to be.
        let judges = if left.is_empty() { &early } else { &left };
        compare_one(name, &said, judges, &rows, &mut against);
    }
    table(terms, scenario, fixed, &rows, &said, against)
}

/// One dimension: what the remaining rows share is what each must say; where they differ, each of
/// them is named and nobody wins.
fn compare_one(
    name: &str,
    said: &[BTreeMap<String, String>],
    judges: &[usize],
    rows: &[&Lone],
    against: &mut [Vec<Against>],
) {
    let word = |at: usize| said.get(at).and_then(|it| it.get(name));
    let counts = |at: &usize| name != Dimension::Seed.as_str() || is_first(rows, *at);
    let values: BTreeSet<&String> =
        judges.iter().filter(|it| counts(it)).filter_map(|at| word(*at)).collect();
    let clause = clause(name);
    let mut values = values.into_iter();
    let (Some(shared), others) = (values.next(), values.collect::<Vec<_>>()) else { return };
    for (at, reasons) in against.iter_mut().enumerate() {
        if others.is_empty() {
            if !judges.contains(&at)
                && let Some(said) = said.get(at)
            {
                reasons.extend(mismatch(name, said, shared));
            }
        } else if judges.contains(&at) {
            let own = word(at).map_or("unknown", String::as_str);
            let rest = core::iter::once(&shared).chain(&others).filter(|it| it.as_str() != own);
            let rest: Vec<&str> = rest.map(|it| it.as_str()).collect();
            let found =
                format!("{name} is {own}, others have {}; expect one of them", rest.join(" and "));
            reasons.push((clause, found));
        }
    }
}

fn is_first(rows: &[&Lone], at: usize) -> bool {
    let same = |a: &Candidate, b: &Candidate| a.framework == b.framework && a.id == b.id;
    let Some(it) = rows.get(at) else { return false };
    !rows.get(..at).unwrap_or_default().iter().any(|other| same(&other.row, &it.row))
}

fn clause(name: &str) -> Clause {
    match name.parse::<Dimension>() {
        Ok(dimension) => dimension.clause(),
        Err(_) if LOAD.contains(&name) => Clause::Fb4,
        Err(_) => Clause::Fb3,
    }
}

fn mismatch(name: &str, said: &BTreeMap<String, String>, wanted: &str) -> Option<Against> {
    let found = said.get(name).filter(|it| *it != wanted)?;
    let clause = clause(name);
    Some((clause, format!("{name} is {found}, not {wanted}")))
}

/// One name for two launches: which of them was measured?
fn names_two_launches(a: &Candidate, b: &Candidate) -> bool {
    a.framework == b.framework && a.id == b.id && names_another_launch(a, b)
}

/// What makes a run the same run: one candidate, one launch, the same numbers.
fn run(it: &Candidate) -> impl Ord + '_ {
    (it.framework, &it.id, it.launch(), it.measured.as_ref().map(|it| &it.metrics))
}

/// What keeps a row from ranking before anything is compared.
pub(super) fn by_itself(
    terms: &Terms,
    fixed: Option<&Scenario>,
    it: &Lone,
    others: &Stated,
) -> Vec<Against> {
    let row = &it.row;
    let mut reasons = of_itself(row);
    if row.framework == Framework::TensorrtLlm
        && row.backend.is_none()
        && !row.server_command.is_empty()
    {
        let found = "its launch command names no server backend, so not pytorch";
        reasons.push((Clause::Fb6, found.to_string()));
    }
    reasons.extend(it.contradictions.iter().map(|found| (Clause::Fb3, found.clone())));
    if let Some(workload) = &terms.workload
        && fixed.is_none()
    {
        let known = workload.scenarios.iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
        let found = format!("the workload has no such scenario; it has {}", known.join(", "));
        reasons.push((Clause::Fb14, found));
    }
    if row.status != Status::Ok {
        return reasons;
    }
    reasons.extend(off_load(terms, fixed, it));
    let Some(measured) = &row.measured else {
        reasons.push((Clause::Fb9, "it measured nothing".to_string()));
        return reasons;
    };
    match fixed {
        Some(scenario) => {
            reasons.extend(short_context(scenario, row));
            reasons.extend(of_its_numbers(scenario, measured));
        }
        None if measured.metric(Metric::RequestThroughput).is_none() => {
            reasons.push((Clause::Gd6, "it did not measure request_throughput".to_string()));
        }
        None => reasons.extend(off_its_own(terms, it, measured)),
    }
    let limits = terms.limits(it, others);
    reasons.extend(over_limits(&limits, measured).into_iter().map(|it| (Clause::Fb9, it)));
    reasons
}

/// What a run of no fixed scenario realised beside what it says itself that it asked.
fn off_its_own(terms: &Terms, it: &Lone, measured: &Measurement) -> Vec<Against> {
    let mut reasons = Vec::new();
    if terms.is_synthetic() {
        let off = off_lengths(it.load.input_len, it.load.output_len, measured);
        reasons.extend(off.into_iter().map(|found| (Clause::Fb4, found)));
    }
    let rate = it.row.identity.get(&Dimension::RequestRate);
    let offered = rate.and_then(|it| Measured::new(it.as_str().parse().ok()?).ok());
    if let Some(offered) = offered.filter(|it| reaches(*it, measured)) {
        let found = format!("its client limited it to {offered} requests a second");
        reasons.push((Clause::Gd6, found));
    }
    reasons
}

fn off_load(terms: &Terms, fixed: Option<&Scenario>, it: &Lone) -> Vec<Against> {
    let Some(scenario) = fixed else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(ran) = it.load.num_prompts.filter(|it| *it != u64::from(scenario.num_prompts)) {
        found.push(format!("it sent {ran} requests, not {}", scenario.num_prompts));
    }
    if terms.is_synthetic() {
        let lengths = [
            ("input", it.load.input_len, scenario.input_len),
            ("output", it.load.output_len, scenario.output_len),
        ];
        for (what, said, asked) in lengths {
            if let Some(said) = said.filter(|it| *it != u64::from(asked)) {
                found.push(format!("its {what} length is {said} tokens, not {asked}"));
            }
        }
        let (input, output) = (scenario.input_len.into(), scenario.output_len.into());
        let measured = it.row.measured.iter();
        let realised = measured.flat_map(|it| off_lengths(Some(input), Some(output), it));
        found.extend(realised);
    }
    found.into_iter().map(|found| (Clause::Fb4, found)).collect()
}

/// Each limit that is not kept. A success rate that nobody knows and nobody limits is only unknown.
fn over_limits(limits: &Limits, measured: &Measurement) -> Vec<String> {
    let success = measured.success_rate();
    let stated = limits.min_success_rate.or(success.map(|_| Fraction::ONE));
    let sla = Sla {
        limits: limits.latencies.clone(),
        min_success_rate: stated.unwrap_or(Fraction::ZERO),
    };
    let success = stated.map_or(Some(Fraction::ONE), |_| success);
    sla_breaches(&sla, success, |metric| measured.metric(metric))
}

/// What a row says, by name, of what is to be compared. A fixed scenario stands in for what is said of
/// the load.
fn says(terms: &Terms, fixed: Option<&Scenario>, it: &Lone) -> BTreeMap<String, String> {
    let mut said = BTreeMap::new();
    for (dimension, value) in &it.row.identity {
        if fixed.is_none() || !LOAD.contains(&dimension.as_str()) {
            said.insert(dimension.to_string(), value.to_string());
        }
    }
    if fixed.is_none() {
        let load = [it.load.num_prompts, it.load.input_len, it.load.output_len];
        for (name, value) in LOAD.iter().zip(load) {
            said.extend(value.map(|value| (name.to_string(), value.to_string())));
        }
    }
    if terms.limits.is_none() {
        for (metric, limit) in &it.limits.latencies {
            said.insert(format!("sla.max_{metric}"), limit.to_string());
        }
        let rate = it.limits.min_success_rate;
        said.extend(rate.map(|it| ("sla.min_success_rate".to_string(), it.to_string())));
    }
    said
}

fn table<'a>(
    terms: &Terms,
    scenario: Name,
    fixed: Option<Scenario>,
    rows: &[&'a Lone],
    said: &[BTreeMap<String, String>],
    against: Vec<Vec<Against>>,
) -> Compared<'a> {
    let mut rank = Rank::default();
    let mut whole: BTreeMap<_, Vec<&Candidate>> = BTreeMap::new();
    let mut unknown = Vec::new();
    let talk: BTreeSet<&String> = said.iter().flat_map(BTreeMap::keys).collect();
    for ((it, said), reasons) in rows.iter().zip(said).zip(against) {
        let row = &it.row;
        if !reasons.is_empty() {
            rank.rejected.push(Rejected { row, reasons });
            continue;
        }
        whole.entry((row.framework, &row.id)).or_default().push(row);
        let mut silent: Vec<String> = Vec::new();
        for dimension in Dimension::ALL {
            let name = dimension.to_string();
            if LOAD.contains(&name.as_str()) {
                continue;
            }
            if !said.contains_key(&name) && (dimension.is_owed() || talk.contains(&name)) {
                silent.push(name);
            }
        }
        let limits = talk.iter().filter(|it| it.starts_with("sla.") && !said.contains_key(**it));
        silent.extend(limits.map(|it| (*it).clone()));
        let load = [it.load.num_prompts, it.load.input_len, it.load.output_len];
        let unsaid = LOAD.iter().zip(load).filter(|(_, it)| it.is_none());
        silent.extend(unsaid.map(|(name, _)| name.to_string()));
        let limits = terms.limits.as_ref().unwrap_or(&it.limits);
        if limits.latencies.is_empty() && limits.min_success_rate.is_none() {
            silent.push("sla".to_string());
        }
        if row.measured.as_ref().is_some_and(|it| it.success_rate().is_none()) {
            silent.push("success_rate".to_string());
        }
        if !silent.is_empty() {
            unknown.push((row, silent));
        }
    }
    let objective = fixed.as_ref().map_or(Metric::RequestThroughput, |it| it.objective);
    rank.ranking = sorted(objective, whole.into_values().filter_map(Contender::of).collect());
    let overridden = overridden(terms, fixed.as_ref());
    Compared { scenario, terms: fixed, rank, unknown, overridden }
}
