//! Is this value a secret, or does it only stand where one would?

/// Values that stand for the absence of one.
const PLACEHOLDERS: [&str; 12] = [
    "changeme",
    "dummy-key",
    "dummy-token",
    "no-key-required",
    "not-a-secret",
    "not-needed",
    "placeholder",
    "sk-no-key-required",
    "token-abc123",
    "your-api-key",
    "your-token",
    "your_api_key_here",
];

/// Whether it is one of the words that stand for a secret.
pub(super) fn is_placeholder(value: &str) -> bool {
    PLACEHOLDERS.iter().any(|it| it.eq_ignore_ascii_case(value))
}

/// Whether more than four different letters occur: `xxxxxxxx` and `***` are no tokens.
pub(super) fn is_varied(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in value {
        if let Some(it) = seen.get_mut(usize::from(*byte)) {
            *it = true;
        }
    }
    seen.iter().filter(|it| **it).count() > 4
}

/// Whether a part of a token looks like one: digits, or capitals among small letters.
pub(super) fn is_mixed(part: &[u8]) -> bool {
    let has = |class: fn(&u8) -> bool| part.iter().any(class);
    let small = has(u8::is_ascii_lowercase);
    small && (has(u8::is_ascii_uppercase) || has(u8::is_ascii_digit))
}

/// Whether a value beside the name of a secret may be that secret.
pub(super) fn is_plausible(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return value.len() >= 8 };
    let stands_for = text.starts_with(['$', '<', '{', '%', '*', '@'])
        || is_placeholder(text)
        || text.contains("://")
        || text.contains("...");
    let number = text.bytes().all(|it| it.is_ascii_digit() || matches!(it, b'.' | b',' | b'-'));
    text.len() >= 8
        && !stands_for
        && !number
        && is_varied(value)
        && bits_a_letter(value) >= 2.5
        && !is_words(text)
}

/// Whether it reads as words or as the name of a thing: `hf-token`, `sm90_fp8_gemm_1d2d`, `/run/key`.
fn is_words(text: &str) -> bool {
    let parts = text.split(|it: char| !it.is_ascii_alphanumeric());
    let mut longest = 0;
    for part in parts {
        longest = longest.max(part.len());
        if !is_word(part) {
            return false;
        }
    }
    // One long word may be a password; several are a name.
    longest <= 16
}

fn is_word(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    if digits == part.len() {
        return true;
    }
    if digits > 0 {
        // `sm90`, `1d2d`, `fp8`, `layer60`.
        let tail = part.trim_start_matches(|it: char| it.is_ascii_alphabetic());
        let named =
            tail.bytes().all(|it| it.is_ascii_digit()) && is_word(part.trim_end_matches(tail));
        return part.len() <= 4 || (named && tail.len() <= 4);
    }
    // Humps of three letters and more: `SecretKeyRef` is words, `duUaaTXVm` is not.
    let humps = part.bytes().skip(1).filter(u8::is_ascii_uppercase).count() + 1;
    let shouted = part.bytes().all(|it| it.is_ascii_uppercase());
    shouted || part.len() >= 3 * humps || part.len() < 3
}

/// The entropy of the letters, in bits.
#[expect(clippy::cast_precision_loss, reason = "a value has at most some thousand bytes")]
fn bits_a_letter(value: &[u8]) -> f64 {
    let mut counts = [0_usize; 256];
    for byte in value {
        if let Some(it) = counts.get_mut(usize::from(*byte)) {
            *it += 1;
        }
    }
    let total = value.len() as f64;
    let share = |count: usize| count as f64 / total;
    counts.iter().filter(|it| **it > 0).map(|it| -share(*it) * share(*it).log2()).sum()
}
