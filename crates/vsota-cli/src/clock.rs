//! What time is it? The only place that asks.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::failure::Failure;

/// The clock of one call.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    fixed: Option<i64>,
}

impl Clock {
    /// The clock that the environment asks for: `SOURCE_DATE_EPOCH` (seconds), else the system's.
    ///
    /// # Errors
    ///
    /// When `SOURCE_DATE_EPOCH` is set to something that is not a time.
    pub fn from_env() -> Result<Self, Failure> {
        match env::var_os("SOURCE_DATE_EPOCH") {
            None => Ok(Self { fixed: None }),
            Some(text) => Self::fixed_at(&text.to_string_lossy()),
        }
    }

    fn fixed_at(seconds: &str) -> Result<Self, Failure> {
        let seconds = seconds.parse().ok().and_then(|it| Timestamp::from_second(it).ok());
        let fixed = seconds.ok_or_else(|| {
            Failure::usage("not a number of seconds since 1970").at_field("SOURCE_DATE_EPOCH")
        })?;
        Ok(Self { fixed: Some(fixed.as_millisecond()) })
    }

    /// Now, ms since the epoch. For people; no decision reads it.
    pub fn now(self) -> i64 {
        self.fixed.unwrap_or_else(|| match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis())
                .map_or(i64::MIN, |it| it.saturating_neg()),
        })
    }
}

/// A time as RFC 3339 in UTC, to the second; the bare number when no calendar reaches it.
pub fn rfc3339(at: i64) -> String {
    match Timestamp::from_second(at.div_euclid(1_000)) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{at} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_date_epoch_is_the_clock() {
        let clock = Clock::fixed_at("1700000000").unwrap();
        assert_eq!(clock.now(), 1_700_000_000_000);
        assert_eq!(rfc3339(clock.now()), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn an_epoch_that_is_no_time_is_a_usage_error() {
        for text in ["", "yesterday", "99999999999999999999", "999999999999999"] {
            assert_eq!(Clock::fixed_at(text).unwrap_err().exit().code(), 2, "{text}");
        }
    }

    #[test]
    fn no_time_is_too_far_to_be_shown() {
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59Z");
        assert_eq!(rfc3339(i64::MAX), format!("{} ms", i64::MAX));
    }
}
