//! Numbers as NCU prints them: grouped by the locale, in a unit that NCU chose.

use alloc::format;
use alloc::string::{String, ToString};

use crate::evidence::error::EvidenceError;

/// How the numbers of a file are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Locale {
    /// `1,234.5`
    Point,
    /// `1.234,5`
    Comma,
}

/// Finds the locale of a file: a number such as `1,234` may be of both, so the others decide.
#[derive(Debug, Default)]
pub(super) struct Locales {
    known: Option<(Locale, u64)>,
}

impl Locales {
    /// Looks at a value.
    ///
    /// # Errors
    ///
    /// When it can only be of another locale than a value before it.
    pub(super) fn look(&mut self, text: &str, line: u64) -> Result<(), EvidenceError> {
        let Some(locale) = only(text) else { return Ok(()) };
        match self.known {
            Some((known, before)) if known != locale => {
                let message = format!(
                    "`{text}` has another decimal mark than the numbers before it (line {before})"
                );
                Err(EvidenceError::new(message).at(line).of("Metric Value"))
            }
            Some(_) => Ok(()),
            None => {
                self.known = Some((locale, line));
                Ok(())
            }
        }
    }

    /// The locale: where nothing tells it, that of a plain `ncu`.
    pub(super) fn found(&self) -> Locale {
        self.known.map_or(Locale::Point, |it| it.0)
    }
}

/// The locale that a number must be of; `None` when it may be of both, or is no number.
fn only(text: &str) -> Option<Locale> {
    let digits = text.trim_start_matches(['-', '+']);
    if !digits.bytes().all(|it| it.is_ascii_digit() || matches!(it, b',' | b'.')) {
        return None;
    }
    let (dots, commas) = (digits.matches('.').count(), digits.matches(',').count());
    let last = digits.rfind(['.', ','])?;
    let point = digits.get(last..).is_some_and(|it| it.starts_with('.'));
    let (here, other) =
        if point { (Locale::Point, Locale::Comma) } else { (Locale::Comma, Locale::Point) };
    match (dots, commas) {
        // The last mark is the decimal one.
        (1.., 1..) => Some(here),
        // A mark that comes twice groups.
        (2.., 0) | (0, 2..) => Some(other),
        _ => {
            let (before, after) = (last, digits.len().saturating_sub(last + 1));
            let groups = after == 3 && (1..=3).contains(&before) && !digits.starts_with('0');
            (!groups).then_some(here)
        }
    }
}

/// A number; `None` for what is none, such as `n/a`, `nan`, `CachePreferNone` or `(32, 4, 1)`.
///
/// # Errors
///
/// When it looks like a number and is none.
pub(super) fn number(text: &str, locale: Locale) -> Result<Option<f64>, EvidenceError> {
    let lower = text.to_ascii_lowercase();
    let numeric = lower.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && lower
            .bytes()
            .all(|it| it.is_ascii_digit() || matches!(it, b'.' | b',' | b'e' | b'-' | b'+'));
    if !numeric {
        // Also `nan`, which NCU prints for derived metrics that divide by nothing.
        return Ok(None);
    }
    let plain = match locale {
        Locale::Point => lower.replace(',', ""),
        Locale::Comma => lower.replace('.', "").replace(',', "."),
    };
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Some(value)),
        _ => Err(EvidenceError::new(format!("`{text}` is no number"))),
    }
}

/// The unit without its scale, and what a number of it is multiplied with.
pub(super) fn unit(text: &str) -> (String, f64) {
    let (of, per) = match text.split_once('/') {
        Some((of, per)) => (of, Some(per)),
        None => (text, None),
    };
    if per.is_none()
        && let Some(factor) = microseconds(of)
    {
        return ("us".into(), factor);
    }
    let (of, factor) = scaled(of);
    match per {
        None => (of, factor),
        // `cycle/nsecond` of old versions is a frequency.
        Some(per) => match microseconds(per) {
            Some(us) if of == "cycle" => ("hz".into(), factor / us * 1e6),
            Some(us) => (format!("{of}/s"), factor / us * 1e6),
            None => (format!("{of}/{per}"), factor),
        },
    }
}

fn microseconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" | "nsecond" => 1e-3,
        "us" | "usecond" => 1.0,
        "ms" | "msecond" => 1e3,
        "s" | "second" | "sec" => 1e6,
        _ => return None,
    })
}

/// `Kbyte`, `Mbyte`, `Ghz`, `Kinst`: NCU counts in powers of a thousand.
fn scaled(unit: &str) -> (String, f64) {
    const SCALED: [&str; 5] = ["byte", "hz", "inst", "cycle", "sector"];
    let mut chars = unit.chars();
    let factor = match chars.next() {
        Some('K' | 'k') => 1e3,
        Some('M') => 1e6,
        Some('G') => 1e9,
        Some('T') => 1e12,
        _ => return (unit.to_ascii_lowercase().replace("hertz", "hz"), 1.0),
    };
    let rest = chars.as_str().to_ascii_lowercase();
    if SCALED.contains(&rest.as_str()) { (rest, factor) } else { (unit.to_string(), 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_is_that_of_the_numbers_that_have_only_one() {
        let cases = [
            ("4,963,609,951.19", Some(Locale::Point)),
            ("27.595.520", Some(Locale::Comma)),
            ("61.84", Some(Locale::Point)),
            ("61,84", Some(Locale::Comma)),
            ("0.125", Some(Locale::Point)),
            ("0,125", Some(Locale::Comma)),
            ("1234,567", Some(Locale::Comma)),
            ("117,344", None),
            ("1.024", None),
            ("32", None),
            ("(32, 4, 1)", None),
            ("n/a", None),
        ];
        for (text, expected) in cases {
            assert_eq!(only(text), expected, "{text}");
        }
        let mut locales = Locales::default();
        locales.look("61.84", 2).unwrap();
        let error = locales.look("61,84", 3).unwrap_err();
        assert_eq!((error.line, error.field.as_deref()), (Some(3), Some("Metric Value")));
    }

    #[test]
    fn numbers_are_read_by_their_locale() {
        assert_eq!(number("12,319,469", Locale::Point), Ok(Some(12_319_469.0)));
        assert_eq!(number("27.595.520", Locale::Comma), Ok(Some(27_595_520.0)));
        assert_eq!(number("117,344", Locale::Comma), Ok(Some(117.344)));
        assert_eq!(number("1.5e+10", Locale::Point), Ok(Some(1.5e10)));
        for text in ["n/a", "", "CachePreferNone", "(32, 4, 1)", "nan", "-nan(ind)", "inf"] {
            assert_eq!(number(text, Locale::Point), Ok(None), "{text}");
        }
        for text in ["1-2", "1e999", "-"] {
            assert!(number(text, Locale::Point).is_err(), "{text}");
        }
    }

    #[test]
    fn units_lose_their_scale() {
        let cases = [
            ("us", "us", 1.0),
            ("nsecond", "us", 1e-3),
            ("ms", "us", 1e3),
            ("Mbyte", "byte", 1e6),
            ("Gbyte/s", "byte/s", 1e9),
            ("byte/second", "byte/s", 1.0),
            ("Ghz", "hz", 1e9),
            ("cycle/nsecond", "hz", 1e9),
            ("inst/cycle", "inst/cycle", 1.0),
            ("register/thread", "register/thread", 1.0),
            ("%", "%", 1.0),
            ("", "", 1.0),
        ];
        for (text, expected, factor) in cases {
            let (unit, found) = unit(text);
            assert_eq!(unit, expected, "{text}");
            assert!((found / factor - 1.0).abs() < 1e-12, "{text}: {found}");
        }
    }
}
