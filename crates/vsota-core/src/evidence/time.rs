//! Reading times: RFC 3339 to milliseconds since the epoch, and the local time of native files.

use super::error::EvidenceError;

/// A local time of a native file, in seconds since the epoch as if its zone were UTC.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CivilTime(pub i64);

impl CivilTime {
    /// Reads `YYYYmmdd-HHMMSS`, as vLLM and TensorRT-LLM write it.
    ///
    /// # Errors
    ///
    /// When it is anything else, or no such day or time exists.
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        let wrong = || EvidenceError::new("not a time of the form YYYYmmdd-HHMMSS");
        let mut digits = Digits(text.as_bytes());
        let date = digits.date(None).ok_or_else(wrong)?;
        digits.byte(b'-').ok_or_else(wrong)?;
        let time = digits.time(None).ok_or_else(wrong)?;
        if digits.0.is_empty() { Ok(Self(date * 86_400 + time)) } else { Err(wrong()) }
    }

    /// Whether this local time is `at` (ms since the epoch) to within 2 s, in any time zone: zones
    /// lie whole quarter hours apart, from 12 hours behind UTC to 14 ahead of it.
    pub fn agrees_with(self, at: i64) -> bool {
        const QUARTER: i64 = 900_000;
        let ahead = self.0.saturating_mul(1_000).saturating_sub(at);
        let rest = ahead.rem_euclid(QUARTER);
        let off = rest.min(QUARTER - rest);
        let zone = (ahead + QUARTER / 2).div_euclid(QUARTER);
        off <= 2_000 && (-48..=56).contains(&zone)
    }
}

/// Reads an RFC 3339 time such as `2026-11-24T07:54:10Z` into ms since the epoch; digits beyond
/// the millisecond are dropped.
///
/// # Errors
///
/// When it is not exactly of that form or names a day, time or zone that does not exist.
pub fn rfc3339(text: &str) -> Result<i64, EvidenceError> {
    let wrong = || EvidenceError::new("not an RFC 3339 time such as 2026-11-24T07:54:10Z");
    let mut digits = Digits(text.as_bytes());
    let date = digits.date(Some(b'-')).ok_or_else(wrong)?;
    digits.byte(b'T').ok_or_else(wrong)?;
    let time = digits.time(Some(b':')).ok_or_else(wrong)?;
    let millis = digits.fraction().ok_or_else(wrong)?;
    let offset = digits.offset().ok_or_else(wrong)?;
    if digits.0.is_empty() {
        Ok((date * 86_400 + time - offset) * 1_000 + millis)
    } else {
        Err(wrong())
    }
}

/// What is left of the text.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn byte(&mut self, expected: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == expected).then(|| self.0 = rest)
    }

    fn number(&mut self, width: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        digits.iter().try_fold(0, |sum: i64, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
        })
    }

    fn part(&mut self, separator: Option<u8>) -> Option<i64> {
        if let Some(separator) = separator {
            self.byte(separator)?;
        }
        self.number(2)
    }

    /// Days since the epoch.
    fn date(&mut self, separator: Option<u8>) -> Option<i64> {
        let year = self.number(4)?;
        let month = self.part(separator)?;
        let day = self.part(separator)?;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=length).contains(&day) {
            return None;
        }
        // Years that start in March make the leap day the last of its year.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        Some(year * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468)
    }

    /// Seconds since midnight.
    fn time(&mut self, separator: Option<u8>) -> Option<i64> {
        let hour = self.number(2)?;
        let minute = self.part(separator)?;
        let second = self.part(separator)?;
        (hour < 24 && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
    }

    /// Milliseconds of a fraction of a second, which may be absent.
    fn fraction(&mut self) -> Option<i64> {
        if self.byte(b'.').is_none() {
            return Some(0);
        }
        let digits = self.0.iter().take_while(|it| it.is_ascii_digit()).count();
        let (fraction, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let place = |n: usize| fraction.get(n).map_or(0, |digit| i64::from(digit - b'0'));
        (1..=9).contains(&digits).then(|| place(0) * 100 + place(1) * 10 + place(2))
    }

    /// Seconds that the zone is ahead of UTC.
    fn offset(&mut self) -> Option<i64> {
        if self.byte(b'Z').is_some() {
            return Some(0);
        }
        let sign = if self.byte(b'+').is_some() {
            1
        } else {
            self.byte(b'-')?;
            -1
        };
        let hours = self.number(2)?;
        let minutes = self.part(Some(b':'))?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
    }
}
