//! Times and numbers as people read them, through the documents that show them.

use proptest::prelude::*;
use vsota_core::event::Event;
use vsota_core::evidence::rfc3339;
use vsota_core::facts::*;
use vsota_core::measure::Measured;
use vsota_fixtures::model::Run;

use super::{entries, of, rendered};

/// The time of the opening, as the manifest shows it.
fn shown(at: i64) -> String {
    let mut entries = Run::open().entries();
    entries[0].at = at;
    let documents = rendered(&entries);
    let manifest = &documents["manifest.md"];
    let line = manifest.lines().find_map(|it| it.strip_prefix("Opened ")).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

#[test]
fn times_are_those_of_the_calendar() {
    for (at, wanted) in [
        (0, "1970-01-01T00:00:00Z"),
        (999, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (-86_400_000, "1969-12-31T00:00:00Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"),
        (951_868_799_999, "2000-02-29T23:59:59Z"),
        (951_868_800_000, "2000-03-01T00:00:00Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        (1_795_503_250_000, "2026-11-24T06:54:10Z"),
        (2_147_483_647_000, "2038-01-19T03:14:07Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59Z"),
        (253_402_300_800_000, "+10000-01-01T00:00:00Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
        (-62_167_219_200_001, "-0001-12-31T23:59:59Z"),
        (i64::MAX, "+292278994-08-17T07:12:55Z"),
        (i64::MIN, "-292275055-05-16T16:47:04Z"),
    ] {
        assert_eq!(shown(at), wanted, "{at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn a_shown_time_is_read_back_to_the_second(at in -62_167_219_200_000_i64..=253_402_300_799_999) {
        prop_assert_eq!(rfc3339(&shown(at)).unwrap(), at.div_euclid(1_000) * 1_000);
    }
}

/// A row of the comparison when vLLM reached this.
fn row(req_s: f64) -> Vec<String> {
    let mut events = Run::frozen().events;
    for event in &mut events {
        if let Event::CandidateFiled(it) = event
            && it.said.framework == Framework::Vllm
            && let Some(measured) = &mut it.said.measured
        {
            measured.metrics.insert(Metric::RequestThroughput, Measured::new(req_s).unwrap());
            let ttft = Metric::latency(Stat::P50, LatencyKind::Ttft);
            measured.metrics.insert(ttft, Measured::new(req_s).unwrap());
        }
    }
    let documents = rendered(&entries(&events));
    let summary = &documents["benchmark/summary.md"];
    let part = summary.split("## Cross-Framework").nth(1).unwrap();
    let line = part.lines().find(|it| it.contains("| vLLM ")).unwrap();
    line.split('|').map(|it| it.trim().to_owned()).collect()
}

#[test]
fn throughputs_have_two_decimals_and_milliseconds_one() {
    let cells = row(12.345_6);
    assert_eq!((cells[5].as_str(), cells[7].as_str()), ("12.35", "12.3"));
}

#[test]
fn a_measurement_is_never_shown_as_zero_or_as_a_page_of_digits() {
    let cells = row(0.001);
    assert_eq!((cells[5].as_str(), cells[7].as_str()), ("1.000e-3", "1.000e-3"));
    assert!(row(1e300)[5].len() < 12);
}

#[test]
fn gaps_have_a_sign() {
    let report = &of(&Run::stopped())["final_report.md"];
    assert!(report.contains("-4.76 %"), "the frozen gap");
    assert!(report.contains("+0.88 %"), "the measured lead");
}
