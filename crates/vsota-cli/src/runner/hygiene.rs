//! What disturbed a run? What cannot be looked at stays unknown.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vsota_core::evidence::Metrics;
use vsota_core::evidence::smi::{self, Gpu};
use vsota_core::facts::Framework;

use crate::http::Address;
use crate::supervise::question::{Question, Unanswered};

const WAIT: Duration = Duration::from_secs(10);

/// How long nvidia-smi may take; without persistence it wakes the driver first.
const ANSWER: Duration = Duration::from_secs(15);

/// How often the memory of the GPUs is looked at.
const AGAIN: Duration = Duration::from_millis(500);

/// What may be in use beside what was before, in MiB: contexts of others come and go.
const SPARE_MIB: f64 = 256.0;

/// What is asked of each GPU's memory.
const MEMORY: &str = "index,memory.used,memory.total";

/// Where a framework exports what it counted.
pub(super) fn scrape(at: &Address, framework: Framework) -> Option<Metrics> {
    let path = match framework {
        Framework::TensorrtLlm => "/prometheus/metrics",
        Framework::Vllm | Framework::Sglang => "/metrics",
    };
    let answer = at.call("GET", path, WAIT).ok().filter(|it| it.status == 200)?;
    Metrics::read(&answer.body).ok()
}

/// The share of prompt tokens of a run that a prefix cache answered.
fn hit_rate(before: Option<&Metrics>, after: Option<&Metrics>) -> Option<f64> {
    let (before, after) = (before?, after?);
    let between = after.since(before).ok()?;
    match (between.prefix_hits, between.prefix_queries) {
        (Some(hits), Some(queries)) if queries > 0.0 => Some(hits / queries),
        _ => after.hit_rate.map(|it| it.get()),
    }
}

/// Whoever can be asked about the GPUs of a launch.
#[derive(Debug)]
pub(super) struct Probe<'a> {
    /// The words before nvidia-smi; `None` where nobody can be asked.
    pub(super) prefix: Option<Vec<String>>,
    /// The marker of the launch.
    pub(super) marker: &'a str,
    /// Set once nvidia-smi did not answer in time: it is not asked again.
    pub(super) silent: &'a Cell<bool>,
    /// The GPUs of the campaign, such as `0,1`; all of the machine when unknown.
    pub(super) ids: Option<&'a str>,
}

impl Probe<'_> {
    /// What nvidia-smi says; `None` where it is not, or does not answer.
    fn ask(&self, query: &str) -> Option<String> {
        let mut argv = self.prefix.clone().filter(|_| !self.silent.get())?;
        argv.extend(["nvidia-smi", query, "--format=csv,noheader"].map(str::to_owned));
        let env = BTreeMap::new();
        let (argv, marker) = (argv.as_slice(), self.marker);
        let answer = Question { argv, env: &env, dir: None, marker, at_most: ANSWER }.ask();
        if matches!(answer, Err(Unanswered::Late)) {
            self.silent.set(true);
        }
        answer.ok()?.good()
    }

    fn lines(&self, query: &str) -> Option<Vec<String>> {
        let text = self.ask(query)?;
        Some(text.lines().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect())
    }

    /// The processes that compute on the GPUs; unknown where nobody tells.
    pub(super) fn processes(&self) -> Option<Vec<String>> {
        self.lines("--query-compute-apps=pid,process_name")
    }

    /// Why the clocks are lowered.
    fn throttled(&self) -> Option<Vec<String>> {
        let reasons = "--query-gpu=clocks_throttle_reasons.hw_slowdown,clocks_throttle_reasons.sw_thermal_slowdown";
        let told = self.lines(reasons)?;
        Some(told.iter().flat_map(|it| it.split(',')).map(|it| it.trim().to_owned()).collect())
    }

    /// What a run record says of disturbances. `others` computed on the GPUs before the server was started.
    pub(super) fn found(
        &self,
        others: Option<&[String]>,
        before: Option<&Metrics>,
        after: Option<&Metrics>,
    ) -> Value {
        json!({
            "prefix_cache_hit_rate": hit_rate(before, after),
            "other_gpu_processes": others,
            "throttle": self.throttled(),
        })
    }

    /// The memory in use of each GPU of the campaign.
    pub(super) fn memory(&self) -> Option<Vec<Gpu>> {
        let text = self.ask(&format!("--query-gpu={MEMORY}"))?;
        let mut gpus = smi::read_headless(text.as_bytes(), MEMORY).ok()?;
        let ours: Option<BTreeSet<u64>> =
            self.ids.and_then(|it| it.split(',').map(|it| it.trim().parse().ok()).collect());
        gpus.retain(|gpu| ours.as_ref().zip(gpu.index).is_none_or(|(ours, it)| ours.contains(&it)));
        Some(gpus)
    }

    /// Waits until the GPUs have their memory back, as it was before a launch.
    ///
    /// # Errors
    ///
    /// Which GPU lacks how much when the time is over, and who computes there.
    pub(super) fn back(&self, before: &[Gpu], at_most: Duration) -> Result<(), String> {
        let end = Instant::now() + at_most;
        loop {
            // Whoever does not answer any more tells of no memory that is held.
            let Some(now) = self.memory() else { return Ok(()) };
            let Some(held) = before.iter().find_map(|it| held(it, &now)) else { return Ok(()) };
            if Instant::now() >= end {
                let who = self.processes().unwrap_or_default();
                let who =
                    if who.is_empty() { "nobody is named".to_owned() } else { who.join("; ") };
                return Err(format!("{held}, {} s after it ended: {who}", at_most.as_secs()));
            }
            thread::sleep(AGAIN);
        }
    }
}

/// What a GPU still holds beside what it held before.
fn held(before: &Gpu, now: &[Gpu]) -> Option<String> {
    let same = now.iter().find(|it| it.index.is_some() && it.index == before.index)?;
    let more = same.memory_used? - before.memory_used?;
    let spare = before.memory_total.map_or(SPARE_MIB, |it| (it / 100.0).max(SPARE_MIB));
    let index = before.index.unwrap_or_default();
    (more > spare).then(|| format!("GPU {index} holds {more:.0} MiB more than before the launch"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_back_when_little_more_is_held_than_before() {
        let gpus = |text: &str| smi::read_headless(text.as_bytes(), MEMORY).unwrap();
        let before = gpus("0, 900 MiB, 81559 MiB\n1, 3 MiB, 81559 MiB\n");
        for (now, found) in [
            ("0, 900 MiB, 81559 MiB\n1, 3 MiB, 81559 MiB\n", None),
            ("0, 1600 MiB, 81559 MiB\n1, 3 MiB, 81559 MiB\n", None),
            ("1, 70003 MiB, 81559 MiB\n", Some("GPU 1 holds 70000 MiB more")),
            ("0, [N/A], 81559 MiB\n", None),
        ] {
            let held = before.iter().find_map(|it| held(it, &gpus(now)));
            let as_said = match (&held, found) {
                (Some(held), Some(found)) => held.contains(found),
                (held, found) => held.is_none() && found.is_none(),
            };
            assert!(as_said, "{now}: {held:?}");
        }
    }
}
