//! Decimal text to whole nanoseconds, and digits to counts: never through a float.

/// Reads microseconds as nanoseconds; what is below a nanosecond is cut off.
///
/// Returns the value and how many bytes it took; `None` when there is no number or it is beyond
/// what 64 bits hold.
pub(super) fn nanoseconds(text: &[u8]) -> Option<(i64, usize)> {
    let (negative, start) = sign(text);
    let (whole, mut at) = digits(text, start)?;
    let mut fraction = 0;
    if text.get(at) == Some(&b'.') {
        let first = at + 1;
        at = first;
        let mut unit = 100;
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
    let (negative, start) = sign(text);
    let (whole, at) = digits(text, start)?;
    let ended = !matches!(text.get(at), Some(b'.' | b'e' | b'E'));
    ended.then_some((if negative { -whole } else { whole }, at))
}

/// The digits from `start` on, at least one, as a number, and the place after them.
#[inline(always)]
fn digits(text: &[u8], start: usize) -> Option<(i64, usize)> {
    let (mut whole, mut at): (i64, usize) = (0, start);
    if let Some(eight) = text.get(start..).and_then(<[u8]>::first_chunk).and_then(eight_digits) {
        (whole, at) = (eight, start + 8);
    }
    while let Some(digit) = digit(text, at) {
        whole = whole.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    match at - start {
        0 => None,
        // So many digits cannot wrap.
        1..=18 => Some((whole, at)),
        _ => exactly(text.get(start..at)?).map(|it| (it, at)),
    }
}

/// Eight digits at once: neighbours are joined three times.
#[inline(always)]
fn eight_digits(text: &[u8; 8]) -> Option<i64> {
    let value = u64::from_le_bytes(*text);
    let high = 0xF0F0_F0F0_F0F0_F0F0;
    // Both halves of every byte, as it is and six higher, are those of a digit.
    let sixes = value.wrapping_add(0x0606_0606_0606_0606);
    if (value & high) | ((sixes & high) >> 4) != 0x3333_3333_3333_3333 {
        return None;
    }
    let ones = value & 0x0F0F_0F0F_0F0F_0F0F;
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    let eight = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF;
    i64::try_from(eight).ok()
}

#[cold]
fn exactly(digits: &[u8]) -> Option<i64> {
    core::str::from_utf8(digits).ok()?.parse().ok()
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
    fn eight_digits_are_read_as_one_by_one() {
        assert_eq!(eight_digits(b"12345678"), Some(12_345_678));
        assert_eq!(eight_digits(b"00000000"), Some(0));
        assert_eq!(eight_digits(b"99999999"), Some(99_999_999));
        for byte in (0..=255_u8).filter(|it| !it.is_ascii_digit()) {
            for at in 0..8 {
                let mut text = *b"90909090";
                text[at] = byte;
                assert_eq!(eight_digits(&text), None, "{byte} at {at}");
            }
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
