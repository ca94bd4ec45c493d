//! Is a text that was cleared of secrets the same as another? What a rule takes out is taken out again; what
//! was the value of a variable or stood in a file of whoever recorded it, nobody else can know (SE-1).

use memchr::memmem;

/// What stands in the place of a value that only its owner knew.
const UNKNOWN: [&[u8]; 2] = [b"[REDACTED:environment]", b"[REDACTED:token-file]"];

/// What a comparison says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Compared {
    /// They are the same.
    Same,
    /// They are, but for so many places that cannot be known.
    ButFor(usize),
    /// They are not.
    Differs,
}

/// Compares what was kept with what is made again. A place that cannot be known lies within one line.
pub(super) fn compared(kept: &[u8], made: &[u8]) -> Compared {
    if kept == made {
        return Compared::Same;
    }
    let parts = between(kept);
    let [first, middle @ .., last] = parts.as_slice() else { return Compared::Differs };
    let Some(mut rest) = made.strip_prefix(*first) else { return Compared::Differs };
    for part in middle {
        let Some((hidden, after)) = found(rest, part) else { return Compared::Differs };
        if !is_hidden(hidden) {
            return Compared::Differs;
        }
        rest = after;
    }
    match rest.strip_suffix(*last) {
        Some(hidden) if is_hidden(hidden) => Compared::ButFor(parts.len().saturating_sub(1)),
        _ => Compared::Differs,
    }
}

/// The text between the places that cannot be known.
fn between(kept: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = kept;
    loop {
        let places = UNKNOWN.iter().filter_map(|it| Some((memmem::find(rest, it)?, it.len())));
        let Some((at, len)) = places.min() else { break };
        let (before, after) = rest.split_at(at);
        parts.push(before);
        rest = after.get(len..).unwrap_or_default();
    }
    parts.push(rest);
    parts
}

/// What stands before the next place of a part, and after it.
fn found<'a>(text: &'a [u8], part: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    // Something was hidden, so the part comes later than at once.
    let at = memmem::find(text.get(1..)?, part)?.checked_add(1)?;
    let (before, after) = text.split_at_checked(at)?;
    Some((before, after.strip_prefix(part)?))
}

fn is_hidden(text: &[u8]) -> bool {
    !text.is_empty() && !text.contains(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_known_may_differ() {
        let compared = |kept: &str, made: &str| compared(kept.as_bytes(), made.as_bytes());
        assert_eq!(compared("a [REDACTED:jwt]\n", "a [REDACTED:jwt]\n"), Compared::Same);
        assert_eq!(compared("a [REDACTED:jwt]\n", "a b\n"), Compared::Differs);
        let kept = "+k = [REDACTED:environment]\n+l = '[REDACTED:token-file]'\n";
        assert_eq!(compared(kept, "+k = one\n+l = 'two'\n"), Compared::ButFor(2));
        for made in [
            "+k = one\n+l = two\n",
            "+k = one\n+more\n+l = 'two'\n",
            "+k = \n+l = 'two'\n",
            "+k = one\n+l = 'two'\n+more\n",
            " k = one\n+l = 'two'\n",
            "",
        ] {
            assert_eq!(compared(kept, made), Compared::Differs, "{made}");
        }
    }
}
