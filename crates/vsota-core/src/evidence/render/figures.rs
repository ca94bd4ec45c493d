//! How do numbers and times look to a person? Nothing here decides anything.

use alloc::format;
use alloc::string::String;

use crate::facts::Metric;
use crate::measure::{Measured, Real};

/// Two decimals, for throughputs; as many digits as it takes where that would say nothing.
pub(super) fn two(value: f64) -> String {
    decimals(value, 2)
}

/// One decimal, for milliseconds.
pub(super) fn one(value: f64) -> String {
    decimals(value, 1)
}

fn decimals(value: f64, places: usize) -> String {
    let least = if places == 1 { 0.05 } else { 0.005 };
    let size = value.abs();
    if size >= 1e12 || (size > 0.0 && size < least) {
        format!("{value:.3e}")
    } else {
        format!("{value:.places$}")
    }
}

/// The value of a metric in its unit.
pub(super) fn metric(metric: Metric, value: Measured) -> String {
    if matches!(metric, Metric::Latency(_)) { one(value.get()) } else { two(value.get()) }
}

/// The unit of a metric.
pub(super) fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::RequestThroughput => "req/s",
        Metric::OutputTokenThroughput | Metric::TotalTokenThroughput => "tok/s",
        Metric::Latency(_) => "ms",
    }
}

/// A percentage with its sign.
pub(super) fn percent(value: f64) -> String {
    let size = value.abs();
    if size >= 1e12 { format!("{value:+.3e} %") } else { format!("{value:+.2} %") }
}

/// A log ratio as a percentage with its sign.
pub(super) fn ratio(log: Real) -> String {
    percent(100.0 * libm::expm1(log.get()))
}

/// A share of a whole in percent.
pub(super) fn share(part: f64) -> String {
    let percent = part * 100.0;
    if percent > 0.0 && percent < 0.005 {
        String::from("<0.01 %")
    } else {
        format!("{percent:.2} %")
    }
}

/// Nanoseconds in the unit that suits them.
pub(super) fn duration(ns: u64) -> String {
    let (whole, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    // Rounding in integers: no float can be off.
    let tenths = (u128::from(ns) * 10 + whole / 2) / whole;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// A time in ms since the epoch as RFC 3339 in UTC, to the second: `2026-11-24T07:54:10Z`.
///
/// Years that RFC 3339 cannot write have a sign and as many digits as they need.
pub(super) fn time(ms: i64) -> String {
    let seconds = ms.div_euclid(1_000);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, date) = civil(day);
    let year = match year {
        0..=9_999 => format!("{year:04}"),
        _ => format!("{year:+05}"),
    };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day, counted from the epoch. Years begin in March, so that a leap day is the last.
fn civil(day: i64) -> (i64, i64, i64) {
    const FOUR_CENTURIES: i64 = 146_097;
    // From the first of March of the year 0.
    let day = day.saturating_add(719_468);
    let era = day.div_euclid(FOUR_CENTURIES);
    let of_era = day.rem_euclid(FOUR_CENTURIES);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march + 2) / 5 + 1;
    let (month, later) = if march < 10 { (march + 3, 0) } else { (march - 9, 1) };
    (year + era * 400 + later, month, date)
}
