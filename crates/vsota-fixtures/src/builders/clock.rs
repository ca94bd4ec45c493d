//! Times as files write them.

/// Year, month, day and the seconds since midnight, in UTC.
fn civil(at: i64) -> (i64, i64, i64, i64) {
    let seconds = at.div_euclid(1_000);
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day, seconds.rem_euclid(86_400))
}

/// A moment, in ms since the epoch, in RFC 3339 with whole seconds in UTC.
pub fn rfc3339(at: i64) -> String {
    let (year, month, day, second) = civil(at);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The same moment as vLLM and TensorRT-LLM date a result, in UTC.
pub fn native_date(at: i64) -> String {
    let (year, month, day, second) = civil(at);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}
