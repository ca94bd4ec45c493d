//! Where are the quotes and brackets? Found 64 bytes at a time, without a look at what is between.

use alloc::vec::Vec;

use wide::u8x64;

/// Bytes that are looked at together.
pub(super) const LANES: usize = 64;

/// The places of unescaped quotes, and of brackets and braces outside strings.
///
/// Inside a string only its closing quote is a mark: the mark after an opening quote is always the
/// end of that string.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Places, ascending, counted from the start of the buffer; behind them is room.
    places: Vec<u32>,
    used: usize,
    /// All ones while the text is inside a string.
    inside: u64,
    /// One when the last byte escapes the next.
    escaped: u64,
}

impl Marks {
    /// Finds the marks of whole groups of 64 bytes; `base` is the place of the first byte.
    pub(super) fn find(&mut self, text: &[u8], base: u32) {
        let (groups, _) = text.as_chunks::<LANES>();
        let mut base = base;
        for group in groups {
            self.group(group, base);
            base = base.wrapping_add(64);
        }
    }

    /// Finds the marks of the last bytes, fewer than a group.
    pub(super) fn find_last(&mut self, text: &[u8], base: u32) {
        let mut group = [b' '; LANES];
        for (to, from) in group.iter_mut().zip(text) {
            *to = *from;
        }
        self.group(&group, base);
    }

    /// The places, ascending, counted from the start of the buffer.
    pub(super) fn places(&self) -> &[u32] {
        self.places.get(..self.used).unwrap_or_default()
    }

    /// Forgets the first marks, and moves the others to the front by so many bytes.
    pub(super) fn forget(&mut self, marks: usize, bytes: u32) {
        let marks = marks.min(self.used);
        self.places.copy_within(marks..self.used, 0);
        self.used -= marks;
        for place in self.places.get_mut(..self.used).unwrap_or_default() {
            *place = place.wrapping_sub(bytes);
        }
    }

    /// Whether the text so far ends inside a string.
    pub(super) fn is_inside(&self) -> bool {
        self.inside != 0
    }

    #[inline(always)]
    fn group(&mut self, group: &[u8; LANES], base: u32) {
        let bytes = u8x64::from(*group);
        // `[` and `{`, and `]` and `}`, differ in one bit.
        let folded = bytes | u8x64::splat(0x20);
        let opening = folded.simd_eq(u8x64::splat(b'{'));
        let brackets = (opening | folded.simd_eq(u8x64::splat(b'}'))).to_bitmask();
        let mut quotes = bytes.simd_eq(u8x64::splat(b'"')).to_bitmask();
        let slashes = bytes.simd_eq(u8x64::splat(b'\\')).to_bitmask();
        if slashes | self.escaped != 0 {
            quotes &= !self.escapes(slashes);
        }
        let inside = prefix_xor(quotes) ^ self.inside;
        // The sign of the last byte, spread over all bits.
        self.inside = 0_u64.wrapping_sub(inside >> 63);
        self.push(quotes | (brackets & !inside), base);
    }

    /// The bytes that a backslash escapes.
    #[cold]
    fn escapes(&mut self, slashes: u64) -> u64 {
        let mut escaped = self.escaped;
        let mut rest = slashes & !escaped;
        self.escaped = 0;
        while rest != 0 {
            let at = rest.trailing_zeros();
            if at == 63 {
                self.escaped = 1;
                break;
            }
            let next = 1_u64 << (at + 1);
            escaped |= next;
            rest &= !(next | (1 << at));
        }
        escaped
    }

    #[inline(always)]
    fn push(&mut self, mut marks: u64, base: u32) {
        if self.places.len() < self.used + LANES {
            self.places.resize((self.used + LANES) * 2, 0);
        }
        let room = self.places.get_mut(self.used..).and_then(<[u32]>::first_chunk_mut);
        let Some(room): Option<&mut [u32; LANES]> = room else { return };
        let mut count = 0;
        // Counting the bits first costs more than looking whether one is left.
        while marks != 0 {
            // The mask tells the compiler that there is room.
            if let Some(slot) = room.get_mut(count & (LANES - 1)) {
                *slot = base.wrapping_add(marks.trailing_zeros());
            }
            count += 1;
            marks &= marks.wrapping_sub(1);
        }
        self.used += count;
    }
}

/// Every bit is the parity of itself and all bits below.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, one byte at a time.
    fn slowly(text: &[u8]) -> Vec<u32> {
        let (mut inside, mut escaped, mut at) = (false, false, Vec::new());
        for (place, byte) in (0_u32..).zip(text) {
            let this = core::mem::take(&mut escaped);
            match byte {
                b'\\' if !this => escaped = true,
                b'"' if !this => {
                    inside = !inside;
                    at.push(place);
                }
                b'{' | b'}' | b'[' | b']' if !inside => at.push(place),
                _ => {}
            }
        }
        at
    }

    proptest! {
        #[test]
        fn the_marks_are_those_of_a_loop_over_the_bytes(text in r#"[\\"{}\[\]ab :;]{0,400}"#) {
            let (mut marks, text) = (Marks::default(), text.as_bytes());
            let whole = text.len() / LANES * LANES;
            marks.find(&text[..whole], 0);
            marks.find_last(&text[whole..], u32::try_from(whole).unwrap());
            prop_assert_eq!(marks.places(), slowly(text));
        }
    }
}
