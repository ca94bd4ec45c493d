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
        (fraction, at) = thousandths(text, at + 1)?;
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

/// The first three digits of a fraction, and the place after all of them; at least one.
#[inline(always)]
fn thousandths(text: &[u8], start: usize) -> Option<(i64, usize)> {
    if let Some(group) = text.get(start..).and_then(<[u8]>::first_chunk) {
        let group = Group::of(*group);
        if (1..8).contains(&group.count) {
            let known = group.count.min(3);
            let unit = *[1000, 100, 10, 1].get(known)?;
            return Some((group.first(known) * unit, start + group.count));
        }
    }
    let (mut fraction, mut unit, mut at) = (0, 100, start);
    while let Some(digit) = digit(text, at) {
        fraction += digit * unit;
        unit /= 10;
        at += 1;
    }
    (at > start).then_some((fraction, at))
}

/// The digits from `start` on, at least one, as a number, and the place after them.
#[inline(always)]
fn digits(text: &[u8], start: usize) -> Option<(i64, usize)> {
    let group = |at: usize| text.get(at..).and_then(<[u8]>::first_chunk).map(|it| Group::of(*it));
    if let Some(first) = group(start) {
        if (1..8).contains(&first.count) {
            return Some((first.first(first.count), start + first.count));
        }
        if let Some(second) = group(start + 8).filter(|_| first.count == 8)
            && second.count < 8
        {
            let power = *POWERS.get(second.count)?;
            let rest = if second.count > 0 { second.first(second.count) } else { 0 };
            return Some((first.first(8) * power + rest, start + 8 + second.count));
        }
    }
    one_by_one(text, start)
}

const POWERS: [i64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// Near the end of the text, and where there are more than fifteen.
fn one_by_one(text: &[u8], start: usize) -> Option<(i64, usize)> {
    let (mut whole, mut at): (i64, usize) = (0, start);
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

/// Eight bytes, of which the first are digits.
#[derive(Clone, Copy)]
struct Group {
    /// A digit as its value.
    values: u64,
    /// How many digits stand before the first other byte.
    count: usize,
}

impl Group {
    #[inline(always)]
    fn of(text: [u8; 8]) -> Self {
        let values = u64::from_le_bytes(text) ^ 0x3030_3030_3030_3030;
        // The high bit of a byte tells that it is no digit; what a carry spoils stands behind one.
        let others = values.wrapping_add(0x7676_7676_7676_7676) | values;
        let others = others & 0x8080_8080_8080_8080;
        Self { values, count: others.trailing_zeros() as usize / 8 }
    }

    /// The first `count` digits, 1 to 8, as a number: neighbours are joined three times.
    #[inline(always)]
    fn first(self, count: usize) -> i64 {
        let unused = u32::try_from(8 - count.min(8)).unwrap_or(0) * 8;
        // Zeros before the digits change nothing.
        let ones = self.values.checked_shl(unused).unwrap_or(0);
        let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00FF_00FF_00FF_00FF;
        let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
        let eight = fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF;
        // Below 10^8.
        eight.cast_signed()
    }
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
    use alloc::vec::Vec;

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
    fn digits_in_groups_are_read_as_one_by_one() {
        for length in 1..=19 {
            let digits: Vec<u8> = (0..length).map(|it| b'1' + (it % 9) as u8).collect();
            for end in [&b""[..], b",", b".5", b"}, \"dur\"", b"\xB5\xFF 12345678"] {
                let text = [&digits[..], end].concat();
                assert_eq!(
                    super::digits(&text, 0),
                    one_by_one(&text, 0),
                    "{}",
                    text.escape_ascii()
                );
            }
        }
        for byte in (0..=255_u8).filter(|it| !it.is_ascii_digit()) {
            for at in 0..8 {
                let mut text = *b"90909090 12345678";
                text[at] = byte;
                assert_eq!(super::digits(&text, 0), one_by_one(&text, 0), "{byte} at {at}");
            }
        }
        let fractions: [(&[u8], Option<_>); 7] = [
            (b"5,       ", Some((500, 1))),
            (b"05,      ", Some((50, 2))),
            (b"005,     ", Some((5, 3))),
            (b"0059,    ", Some((5, 4))),
            (b"123456789", Some((123, 9))),
            (b"12", Some((120, 2))),
            (b",        ", None),
        ];
        for (text, expected) in fractions {
            assert_eq!(thousandths(text, 0), expected, "{}", text.escape_ascii());
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
