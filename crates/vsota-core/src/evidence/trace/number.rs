//! Decimal text to whole nanoseconds, and digits to counts: never through a float.

/// Reads microseconds as nanoseconds; what is below a nanosecond is cut off.
///
/// Returns the value and how many bytes it took; `None` when there is no number or it is beyond
/// what 64 bits hold.
pub(super) fn nanoseconds(text: &[u8]) -> Option<(i64, usize)> {
    let (negative, mut at) = sign(text);
    let start = at;
    let mut whole: i64 = 0;
    while let Some(digit) = digit(text, at) {
        whole = whole.checked_mul(10)?.checked_add(digit)?;
        at += 1;
    }
    if at == start {
        return None;
    }
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        at += 1;
        let mut unit = 100;
        let first = at;
        while let Some(digit) = digit(text, at) {
            fraction += digit * unit;
            unit /= 10;
            at += 1;
        }
        if at == first {
            return None;
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        return scaled(text, negative);
    }
    let ns = whole.checked_mul(1000)?.checked_add(fraction)?;
    Some((if negative { ns.checked_neg()? } else { ns }, at))
}

/// Reads a whole number; a fraction or an exponent is no count.
pub(super) fn count(text: &[u8]) -> Option<(i64, usize)> {
    let (negative, mut at) = sign(text);
    let start = at;
    let mut whole: i64 = 0;
    while let Some(digit) = digit(text, at) {
        whole = whole.checked_mul(10)?.checked_add(digit)?;
        at += 1;
    }
    let ended = at > start && !matches!(text.get(at), Some(b'.' | b'e' | b'E'));
    ended.then_some((if negative { -whole } else { whole }, at))
}

fn sign(text: &[u8]) -> (bool, usize) {
    let negative = text.first() == Some(&b'-');
    (negative, usize::from(negative))
}

#[inline(always)]
fn digit(text: &[u8], at: usize) -> Option<i64> {
    let value = text.get(at)?.wrapping_sub(b'0');
    (value < 10).then_some(i64::from(value))
}

/// Microseconds with an exponent, as some writers print them: the digits are moved, not rounded.
#[cold]
fn scaled(text: &[u8], negative: bool) -> Option<(i64, usize)> {
    let mut at = usize::from(negative);
    let (mut digits, mut scale): (i64, i32) = (0, 0);
    let mut point = false;
    loop {
        match (text.get(at), digit(text, at)) {
            (_, Some(digit)) => {
                // More digits than 64 bits hold are below a nanosecond, or the number is too large.
                match digits.checked_mul(10).and_then(|it| it.checked_add(digit)) {
                    Some(more) => {
                        digits = more;
                        scale -= i32::from(point);
                    }
                    None if point => {}
                    None => return None,
                }
            }
            (Some(b'.'), _) if !point => point = true,
            _ => break,
        }
        at += 1;
    }
    at += 1;
    at += usize::from(text.get(at) == Some(&b'+'));
    let (exponent, length) = count(text.get(at..)?)?;
    scale = scale.checked_add(i32::try_from(exponent).ok()?)?.checked_add(3)?;
    let power = 10_i64.checked_pow(scale.unsigned_abs());
    let ns = match (scale < 0, power) {
        (true, power) => power.map_or(0, |it| digits / it),
        (false, _) if digits == 0 => 0,
        (false, power) => digits.checked_mul(power?)?,
    };
    Some((if negative { -ns } else { ns }, at + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_become_nanoseconds_exactly() {
        let cases: &[(&[u8], Option<i64>)] = &[
            (b"1365627949863.953,", Some(1_365_627_949_863_953)),
            (b"21.953", Some(21_953)),
            (b"0", Some(0)),
            (b"1.6", Some(1_600)),
            (b"-4.25", Some(-4_250)),
            (b"7.1234567", Some(7_123)),
            (b"1.5e3", Some(1_500_000)),
            (b"1.3656279498e+12", Some(1_365_627_949_800_000)),
            (b"25e-3", Some(25)),
            (b"1e-30", Some(0)),
            (b"1e300", None),
            (b"9223372036854775.807", Some(i64::MAX)),
            (b"9223372036854775.808", None),
            (b"", None),
            (b"null", None),
            (b".5", None),
        ];
        for (text, expected) in cases {
            assert_eq!(nanoseconds(text).map(|it| it.0), *expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_count_is_whole() {
        assert_eq!(count(b"15270,"), Some((15_270, 5)));
        assert_eq!(count(b"-1"), Some((-1, 2)));
        assert_eq!(count(b"1.5"), None);
        assert_eq!(count(b"\"1\""), None);
    }
}
