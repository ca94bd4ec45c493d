//! How does text from outside stand in Markdown without becoming Markdown?
//!
//! Nothing from outside may add a row, a heading, a link, an image, HTML or a list, and no character
//! may move a cursor, hide text or turn its direction.

use alloc::format;
use alloc::string::{String, ToString};

use super::page::HEAD;
use crate::text::is_unsafe;

/// Text as prose of one line or several: every mark of Markdown in it is escaped.
pub(super) fn prose(text: &str) -> String {
    let text = text.replace(['\t', '\r'], " ");
    let lines = text.split('\n').map(|it| line(it.trim_matches(' ')));
    let mut out = String::with_capacity(text.len());
    for line in lines {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&line);
    }
    out
}

/// Text on one line: a line break in it becomes a space.
pub(super) fn inline(text: &str) -> String {
    line(one_line(text).trim_matches(' '))
}

/// Text as a code span, wherever it stands.
///
/// In a table a pipe ends a cell even inside code, and a backslash before it cannot be written
/// there; text with one of these, or with a backtick, stands as escaped prose.
pub(super) fn code(text: &str) -> String {
    if text.contains(['|', '\\', '`']) || text.trim().is_empty() {
        inline(text)
    } else {
        format!("`{}`", visible(&one_line(text)))
    }
}

/// The lines of a code block with a fence that they cannot close, without the final line break.
pub(super) fn block(language: &str, text: &str) -> String {
    let lines: alloc::vec::Vec<_> = text.split('\n').map(visible).collect();
    let text = lines.join("\n");
    let fence = "`".repeat(longest_run(&text, '`').saturating_add(1).max(3));
    format!("{fence}{language}\n{text}\n{fence}")
}

/// An argument vector as one POSIX shell command, broken after `width` characters where it can be.
pub(in crate::evidence) fn shell(
    argv: impl IntoIterator<Item = impl AsRef<str>>,
    width: usize,
) -> String {
    let (mut text, mut column) = (String::new(), 0_usize);
    for word in argv {
        let word = shell_word(word.as_ref());
        let length = word.chars().count();
        if column > 0 && column.saturating_add(length) > width {
            text.push_str(" \\\n  ");
            column = 2;
        } else if column > 0 {
            text.push(' ');
            column = column.saturating_add(1);
        }
        text.push_str(&word);
        column = column.saturating_add(length);
    }
    text
}

/// A word as a POSIX shell reads it back.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    // A quoted word cannot begin a line that looks like a head of the journal.
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with(HEAD) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// JSON in which such a character stands as its escape; outside of strings JSON has none.
pub(super) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// The text with every character that could act on a terminal written out.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { out.push_str(&named(c)) } else { out.push(c) }
    }
    out
}

fn named(c: char) -> String {
    format!("<U+{:04X}>", u32::from(c))
}

/// What a reader would not see, or would see elsewhere.
fn is_hidden(c: char) -> bool {
    is_unsafe(c)
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

fn one_line(text: &str) -> String {
    let is_break = |c: char| matches!(c, '\n' | '\r' | '\t');
    text.split(is_break).filter(|it| !it.is_empty()).collect::<alloc::vec::Vec<_>>().join(" ")
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}

/// One line of prose.
fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(8));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    for (at, c) in text.char_indices() {
        let (before, rest) = text.split_at_checked(at).unwrap_or_default();
        let starts = at == 0 && matches!(c, '#' | '+' | '-' | '=' | ':');
        let counts = at > 0 && at == digits && matches!(c, '.' | ')');
        if is_hidden(c) {
            out.push('\\');
            out.push_str(&named(c));
        } else {
            if starts || counts || is_mark(c, before, rest) {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Whether a character means something to Markdown at this place; `rest` begins with it.
fn is_mark(c: char, before: &str, rest: &str) -> bool {
    match c {
        '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$' | '^' => true,
        // Between two letters an underscore emphasises nothing.
        '_' => {
            let inside = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
            !(inside(before.chars().next_back()) && inside(rest.chars().nth(1)))
        }
        // GitHub makes links of bare addresses.
        ':' => rest.starts_with("://"),
        '.' => before.ends_with(['w', 'W']) && ends_in_www(before),
        _ => false,
    }
}

fn ends_in_www(text: &str) -> bool {
    let last = text.len().checked_sub(3).and_then(|at| text.get(at..));
    last.is_some_and(|it| it.eq_ignore_ascii_case("www"))
}
