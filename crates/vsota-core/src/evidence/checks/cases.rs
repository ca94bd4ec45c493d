//! What is a test run with? A parametrisation, or a list that one may name.

use alloc::string::String;

use super::line::is_word;

/// Whether a line begins cases: a decorator of pytest's, or a list or a tuple under a name in capitals.
pub(super) fn begin(text: &str) -> bool {
    if text.starts_with('@') {
        return text.contains("mark.parametrize(");
    }
    let Some((name, value)) = text.split_once('=') else { return false };
    let name = name.split(':').next().unwrap_or(name).trim();
    let capital = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
    name.starts_with(|it: char| it.is_ascii_uppercase())
        && name.chars().all(capital)
        && value.trim_start().starts_with(['[', '('])
}

/// What the cases are called: the names of the parameters, or that of the list.
pub(super) fn name(packed: &str) -> String {
    let Some((_, of)) = packed.split_once("mark.parametrize(") else {
        return packed.split([':', '=']).next().unwrap_or_default().into();
    };
    let quote = |it: char| it == '"' || it == '\'';
    let text = of.split(quote).nth(1).unwrap_or_default();
    text.chars().filter(|it| !it.is_whitespace()).chain(['(']).collect()
}

/// The words of the cases.
pub(super) fn words(packed: &str) -> impl Iterator<Item = &str> {
    packed.split(|it: char| !is_word(it) && it != '.').filter(|it| !it.is_empty())
}
