//! Baseline against candidate: one kernel each, the same metrics, the same units.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Launch, Report, shown, table};
use crate::artifact::Artifact;
use crate::evidence::error::EvidenceError;
use crate::facts::{NcuCompared, NcuDigest, NcuMetric};
use crate::measure::{Measured, Real};
use crate::text::{Line, Name, Prose, is_unsafe};

/// The duration of a launch.
const DURATION: &str = "gpu__time_duration.sum";
/// The busiest part of the multiprocessors.
const COMPUTE: &str = "sm__throughput.avg.pct_of_peak_sustained_elapsed";
/// The busiest part of the memory system.
const MEMORY: &str = "gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed";
/// Below this share of its peak a part limits nothing: NCU's own rule, in percent.
const BUSY: f64 = 60.0;

/// Metrics that a digest shows first: the start of the section and the name of the page `details`,
/// then the name of the page `raw`.
const KNOWN: &[(&str, &str, &str)] = &[
    ("GPU Speed Of Light", "Duration", DURATION),
    ("GPU Speed Of Light", "Compute (SM) Throughput", COMPUTE),
    ("GPU Speed Of Light", "Memory Throughput", MEMORY),
    (
        "GPU Speed Of Light",
        "DRAM Throughput",
        "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed",
    ),
    ("Memory Workload Analysis", "Memory Throughput", "dram__bytes.sum.per_second"),
    ("Memory Workload Analysis", "L1/TEX Hit Rate", "l1tex__t_sector_hit_rate.pct"),
    ("Memory Workload Analysis", "L2 Hit Rate", "lts__t_sector_hit_rate.pct"),
    ("Occupancy", "Achieved Occupancy", "sm__warps_active.avg.pct_of_peak_sustained_active"),
    ("Launch Statistics", "Registers Per Thread", "launch__registers_per_thread"),
    ("Launch Statistics", "Waves Per SM", "launch__waves_per_multiprocessor"),
    ("Instruction Statistics", "Executed Instructions", "smsp__inst_executed.sum"),
];

/// The most metrics of a digest.
const MOST: usize = 16;

/// What a stall's metric begins and ends with; between them stands its reason.
const STALL: &str = "smsp__average_warps_issue_stalled_";
const STALL_ENDS: &[&str] = &["_per_issue_active.ratio", ".ratio"];

/// The name of a metric on both pages; a section of its own stands before a name that has no other.
pub(super) fn canonical(section: &str, name: &str) -> String {
    let known = KNOWN.iter().find(|it| section.starts_with(it.0) && it.1 == name);
    match known {
        Some((_, _, raw)) => (*raw).to_string(),
        None if section.is_empty() || section.starts_with("Command line") => name.to_string(),
        None => format!("{section}: {name}"),
    }
}

/// The launches of one kernel.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    launches: Vec<&'a Launch>,
    report: &'a Report,
    kernel: Line,
    samples: Vec<Measured>,
}

impl Report {
    /// The launches of its only kernel, or of the one whose name is or holds `kernel`.
    ///
    /// # Errors
    ///
    /// With line and field, when there is none or more than one such kernel, when a launch has no
    /// duration, or the unit of a metric is not the same in all launches.
    pub fn side(&self, kernel: Option<&str>) -> Result<Side<'_>, EvidenceError> {
        let first = self.launches.first().map_or(1, |it| it.line);
        let exact = |it: &&Launch| kernel.is_none_or(|name| *line(&it.kernel) == *name);
        let holds = |it: &&Launch| kernel.is_none_or(|name| it.kernel.contains(name));
        let mut launches: Vec<&Launch> = self.launches.iter().filter(exact).collect();
        if launches.is_empty() {
            launches = self.launches.iter().filter(holds).collect();
        }
        let Some(one) = launches.first() else {
            let message = format!("no kernel's name holds `{}`", kernel.unwrap_or_default());
            return Err(EvidenceError::new(message).at(first).of(table::KERNEL));
        };
        if let Some(other) = launches.iter().find(|it| it.kernel != one.kernel) {
            let names: BTreeSet<&str> = launches.iter().map(|it| it.kernel.as_str()).collect();
            let (one, two) = (cut(&one.kernel, 80), cut(&other.kernel, 80));
            let message = format!("{} kernels, `{one}` and `{two}`: name one", names.len());
            return Err(EvidenceError::new(message).at(other.line).of(table::KERNEL));
        }
        let kernel = Line::new(&*line(&one.kernel))
            .map_err(|error| EvidenceError::new(error).at(one.line).of(table::KERNEL))?;
        let samples = launches.iter().map(|it| duration(it)).collect::<Result<_, _>>()?;
        let side = Self::same_units(launches)?;
        Ok(Side { launches: side, report: self, kernel, samples })
    }

    fn same_units(launches: Vec<&Launch>) -> Result<Vec<&Launch>, EvidenceError> {
        let Some((first, rest)) = launches.split_first() else { return Ok(launches) };
        for launch in rest {
            for (name, it) in &launch.metrics {
                let before = first.metrics.get(name);
                if let Some(before) = before.filter(|before| before.unit != it.unit) {
                    return Err(other_unit(name, &before.unit, &it.unit, it.line));
                }
            }
        }
        Ok(launches)
    }
}

fn other_unit(name: &str, before: &str, here: &str, line: u64) -> EvidenceError {
    let message = format!("{} here, {} before: these do not compare", shown(here), shown(before));
    EvidenceError::new(message).at(line).of(name)
}

fn duration(launch: &Launch) -> Result<Measured, EvidenceError> {
    let wrong = |message: String, line| EvidenceError::new(message).at(line).of(DURATION);
    let Some(it) = launch.metrics.get(DURATION) else {
        let message = format!(
            "the launch {} has no duration: the section SpeedOfLight, or the metric, holds it",
            launch.id
        );
        return Err(wrong(message, launch.line));
    };
    if it.unit != "us" {
        return Err(wrong(format!("a time is expected, not {}", shown(&it.unit)), it.line));
    }
    Measured::new(it.value).map_err(|error| wrong(error.to_string(), it.line))
}

impl Side<'_> {
    /// The mean of a metric that every launch has, with its unit and line.
    fn mean(&self, name: &str) -> Option<(f64, &str, u64)> {
        let (mut sum, mut count, mut place) = (0.0, 0.0, None);
        for launch in &self.launches {
            let it = launch.metrics.get(name)?;
            sum += it.value;
            count += 1.0;
            place = place.or(Some((it.unit.as_str(), it.line)));
        }
        let (unit, line) = place?;
        Some((sum / count, unit, line))
    }

    fn names(&self) -> BTreeSet<&str> {
        let names = self.launches.iter().flat_map(|it| it.metrics.keys());
        names.map(String::as_str).filter(|it| self.mean(it).is_some()).collect()
    }

    /// What limits the kernel, by NCU's own rule.
    fn limit(&self) -> Option<String> {
        let ((compute, ..), (memory, ..)) = (self.mean(COMPUTE)?, self.mean(MEMORY)?);
        let what = match () {
            () if compute < BUSY && memory < BUSY => "latency",
            () if memory >= compute => "memory",
            () => "compute",
        };
        Some(format!("{what} (compute {compute:.1} %, memory {memory:.1} % of the peak)"))
    }

    /// The largest stall and its cycles an instruction.
    fn stall(&self) -> Option<(&str, f64)> {
        let stalls = self.names().into_iter().filter_map(|name| {
            let reason = name.strip_prefix(STALL)?;
            let reason = STALL_ENDS.iter().find_map(|end| reason.strip_suffix(end))?;
            Some((reason, self.mean(name)?.0))
        });
        stalls.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(a.0)))
    }
}

/// Two sides beside each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compared {
    baseline_us: Vec<Measured>,
    candidate_us: Vec<Measured>,
    baseline_kernel: Line,
    candidate_kernel: Line,
    metrics: Vec<NcuMetric>,
    findings: Prose,
}

impl Compared {
    /// The fact, under its version, with its next edits and what was filed.
    pub fn fact(
        self,
        version: Name,
        next_edits: Vec<Line>,
        baseline: Artifact,
        source: Artifact,
    ) -> NcuDigest {
        let Self { baseline_us, candidate_us, findings, .. } = self;
        let Self { baseline_kernel, candidate_kernel, metrics, .. } = self;
        let compared = NcuCompared { baseline, baseline_kernel, candidate_kernel, metrics };
        let compared = Some(compared);
        NcuDigest { version, baseline_us, candidate_us, findings, next_edits, source, compared }
    }
}

/// Compares a candidate with its baseline.
///
/// # Errors
///
/// With line and field of the candidate's export: when it has not as many launches, or a metric is of
/// another unit than the baseline's.
pub fn compare(baseline: &Side<'_>, candidate: &Side<'_>) -> Result<Compared, EvidenceError> {
    let (before, after) = (baseline.launches.len(), candidate.launches.len());
    if before != after {
        let line = candidate.launches.last().map_or(1, |it| it.line);
        let message = format!("{after} launches against {before} of the baseline");
        return Err(EvidenceError::new(message).at(line).of("ID"));
    }
    let (old, new) = (baseline.names(), candidate.names());
    let mut both = Vec::new();
    for name in old.intersection(&new) {
        let (Some(a), Some(b)) = (baseline.mean(name), candidate.mean(name)) else { continue };
        if a.1 != b.1 {
            return Err(other_unit(name, a.1, b.1, b.2));
        }
        both.push(Both { name, unit: a.1, baseline: a.0, candidate: b.0 });
    }
    both.sort_by(|a, b| a.order().cmp(&b.order()).then(b.change().total_cmp(&a.change())));
    let metrics = both.iter().filter_map(Both::fact).take(MOST).collect();
    Ok(Compared {
        baseline_us: baseline.samples.clone(),
        candidate_us: candidate.samples.clone(),
        baseline_kernel: baseline.kernel.clone(),
        candidate_kernel: candidate.kernel.clone(),
        metrics,
        findings: findings(baseline, candidate, &old, &new)?,
    })
}

/// A metric that both have.
struct Both<'a> {
    name: &'a str,
    unit: &'a str,
    baseline: f64,
    candidate: f64,
}

impl Both<'_> {
    /// Known ones in their order, then stalls, then the rest.
    fn order(&self) -> usize {
        let stall = if self.name.starts_with(STALL) { KNOWN.len() } else { KNOWN.len() + 1 };
        KNOWN.iter().position(|it| it.2 == self.name).unwrap_or(stall)
    }

    /// How much it changed, in either direction.
    fn change(&self) -> f64 {
        let (a, b) = (self.baseline.abs(), self.candidate.abs());
        let most = a.max(b);
        if most > 0.0 { (self.candidate - self.baseline).abs() / most } else { 0.0 }
    }

    fn fact(&self) -> Option<NcuMetric> {
        Some(NcuMetric {
            name: Line::new(&*line(self.name)).ok()?,
            unit: Line::new(&*line(self.unit)).ok(),
            baseline: Real::new(self.baseline).ok()?,
            candidate: Real::new(self.candidate).ok()?,
        })
    }
}

/// What the comparison says, in words.
fn findings(
    baseline: &Side<'_>,
    candidate: &Side<'_>,
    old: &BTreeSet<&str>,
    new: &BTreeSet<&str>,
) -> Result<Prose, EvidenceError> {
    let mut says = Vec::new();
    if let (Some(before), Some(after)) = (baseline.limit(), candidate.limit()) {
        says.push(format!("Limited by {before} before, by {after} after."));
    }
    if let (Some((before, a)), Some((after, b))) = (baseline.stall(), candidate.stall()) {
        says.push(format!(
            "Largest stall: {} with {a:.2} cycles an instruction before, {} with {b:.2} after.",
            cut(before, 60),
            cut(after, 60)
        ));
    }
    let advice = candidate.report.advice.iter();
    let most = advice.max_by(|a, b| a.speedup.total_cmp(&b.speedup));
    if let Some(it) = most.filter(|it| it.speedup > 0.0) {
        let (rule, text) = (cut(&it.rule, 100), cut(&it.text, 600));
        says.push(format!("NCU's rule {rule} of the candidate expects {} %: {text}", it.speedup));
    }
    for (side, mine, other) in [("baseline", old, new), ("candidate", new, old)] {
        let only: Vec<String> = mine.difference(other).map(|it| cut(it, 100)).collect();
        let (count, shown) = (only.len(), only.iter().take(3).cloned().collect::<Vec<_>>());
        if count > 0 {
            says.push(format!("Only the {side} has {count} metrics: {}.", shown.join(", ")));
        }
    }
    if says.is_empty() {
        says.push("The exports hold the duration, and nothing else that both have.".into());
    }
    Prose::new(says.join("\n")).map_err(EvidenceError::new)
}

/// Foreign text on one line without characters that move a cursor, at most so many bytes.
fn cut(text: &str, most: usize) -> String {
    let mut kept = String::new();
    for word in text.split_whitespace() {
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.extend(word.chars().map(|c| if is_unsafe(c) { '\u{FFFD}' } else { c }));
        if kept.len() > most {
            let mut end = most;
            while !kept.is_char_boundary(end) {
                end -= 1;
            }
            kept.truncate(end);
            kept.push('…');
            break;
        }
    }
    kept
}

/// A name as the fact holds it.
fn line(name: &str) -> String {
    cut(name, 400)
}

#[cfg(test)]
mod tests;
