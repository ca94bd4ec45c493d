//! The length buckets of a production workload, from the lengths of each request (FB-4).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::bench::NativeRun;
use crate::facts::{Buckets, LatencyKind, Metric, Stat};

/// The lengths that a detailed native result holds, one a request.
#[derive(Deserialize)]
struct Lengths {
    #[serde(default)]
    input_lens: Vec<u32>,
    #[serde(default)]
    output_lens: Vec<u32>,
}

/// The p50 and p95 lengths of a run, in tokens, with its E2E latencies, in ms; nothing where the
/// native result that starts on the line keeps no lengths.
pub fn buckets(bytes: &[u8], line: u64, native: &NativeRun) -> Option<Buckets> {
    let text = core::str::from_utf8(bytes).ok()?;
    let before = usize::try_from(line.saturating_sub(1)).ok()?;
    let rest: Vec<&str> = text.split_inclusive('\n').skip(before).collect();
    let lengths = first(&rest.concat())?;
    // A failed request generated nothing and says nothing of the workload.
    let answered = lengths.input_lens.iter().zip(&lengths.output_lens).filter(|(_, out)| **out > 0);
    let (mut inputs, mut outputs): (Vec<u32>, Vec<u32>) = answered.unzip();
    inputs.sort_unstable();
    outputs.sort_unstable();
    let e2e = |stat: &Stat| Some((*stat, native.metric(Metric::latency(*stat, LatencyKind::E2e))?));
    let e2e_ms: BTreeMap<_, _> = Stat::ALL.iter().filter_map(e2e).collect();
    let known = e2e_ms.contains_key(&Stat::P50);
    Some(Buckets {
        input_p50: rank(&inputs, 50)?,
        input_p95: rank(&inputs, 95)?,
        output_p50: rank(&outputs, 50)?,
        output_p95: rank(&outputs, 95)?,
        e2e_ms,
    })
    .filter(|_| known)
}

/// The first value of the text; bare literals stand outside the lengths and are nobody's here.
fn first(text: &str) -> Option<Lengths> {
    let read = |text: &str| serde_json::Deserializer::from_str(text).into_iter().next()?.ok();
    read(text).or_else(|| {
        let plain: String = text.replace("-Infinity", "null");
        read(&plain.replace("Infinity", "null").replace("NaN", "null"))
    })
}

/// The nearest rank of a percentile.
fn rank(sorted: &[u32], percentile: usize) -> Option<u32> {
    let place = sorted.len().checked_mul(percentile)?.div_ceil(100);
    sorted.get(place.checked_sub(1)?).copied()
}
