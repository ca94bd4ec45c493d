//! Do two texts differ in the numbers of their tolerances only?

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::line::is_word;

/// A number of a tolerance.
pub(super) struct Number {
    value: f64,
    /// Whether a smaller one is stricter: not where it is compared, subtracted or divided by.
    strict: bool,
}

/// Whether a tolerance is looser now.
pub(super) fn grew(before: &[Number], now: &[Number]) -> bool {
    let looser = |(old, new): (&Number, &Number)| match new.value.total_cmp(&old.value) {
        Ordering::Greater => true,
        Ordering::Less => !old.strict,
        Ordering::Equal => false,
    };
    before.len() != now.len() || before.iter().zip(now).any(looser)
}

/// A packed text with `~` in the place of its tolerances, and these: of every number, or of those that
/// stand behind the name of a tolerance.
pub(super) fn masked(packed: &str, every: bool) -> (String, Vec<Number>) {
    let (mut text, mut found) = (String::new(), Vec::new());
    let mut rest = packed;
    while let Some((before, token, after)) = next(rest) {
        text.push_str(before);
        rest = after;
        match number(token).filter(|_| every || is_value(&text)) {
            Some(value) => {
                found.push(Number { value, strict: is_strict(&text) });
                text.push('~');
            }
            None => text.push_str(token),
        }
    }
    text.push_str(rest);
    (text, found)
}

/// Whether a packed text names a tolerance.
pub(super) fn names_tolerance(packed: &str) -> bool {
    packed.split(|it| !is_word(it)).any(is_tolerance)
}

/// Whether a packed text holds a number.
pub(super) fn holds_number(packed: &str) -> bool {
    let mut rest = packed;
    while let Some((_, token, after)) = next(rest) {
        if number(token).is_some() {
            return true;
        }
        rest = after;
    }
    false
}

/// What stands before the next word or number, that, and what follows.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let at = text.find(is_word)?;
    let begins = |at: usize| text.get(at..).is_some_and(|it| it.starts_with(digit));
    // A number may begin with its point.
    let point = at.checked_sub(1).filter(|it| begins(at) && text.get(*it..at) == Some("."));
    let (before, rest) = text.split_at_checked(point.unwrap_or(at))?;
    let len = if begins(at) { number_len(rest) } else { rest.find(|it| !is_word(it)) };
    let (token, after) = rest.split_at_checked(len.unwrap_or(rest.len()))?;
    Some((before, token, after))
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn number_len(text: &str) -> Option<usize> {
    let mut before = ' ';
    text.find(|c: char| {
        let signed = matches!(c, '+' | '-') && before.eq_ignore_ascii_case(&'e');
        before = c;
        !(is_word(c) || c == '.' || signed)
    })
}

fn number(token: &str) -> Option<f64> {
    if !token.starts_with(|it: char| digit(it) || it == '.') {
        return None;
    }
    token.replace('_', "").trim_end_matches(['f', 'F']).parse().ok()
}

fn is_tolerance(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let holds = ["atol", "rtol", "tolerance"].iter().any(|it| name.contains(it));
    holds || name == "tol" || name.ends_with("_tol")
}

/// Whether what stands before a number names a tolerance that it is the value of.
fn is_value(before: &str) -> bool {
    let Some(before) = before.strip_suffix(['=', ':']) else { return false };
    let before = before.strip_suffix(":float").unwrap_or(before);
    is_tolerance(last_word(before.trim_end_matches(['"', '\'', ']'])))
}

fn is_strict(before: &str) -> bool {
    let before = before.trim_end();
    let compared = ["==", "!=", "<=", ">=", "**"].iter().any(|it| before.ends_with(it));
    let begins = before.ends_with(['=', ':', '(', ',', '[', '{', '*', '+']);
    !compared && (before.is_empty() || begins || matches!(last_word(before), "else" | "return"))
}

fn last_word(text: &str) -> &str {
    text.rsplit(|it| !is_word(it)).next().unwrap_or_default()
}
