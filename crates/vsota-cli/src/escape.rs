//! How is foreign text shown, so that it can neither drive a terminal nor forge a line?

use std::borrow::Cow;
use std::fmt::Write as _;

use vsota_core::text::is_unsafe;

/// One line: every control, direction and invisible character shown as `\u{..}`, newlines too.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// Several lines: newlines stay what they are.
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_unsafe(c) && c != '\n')
}

/// One line of at most `limit` characters; what was cut is said.
pub fn brief(text: &str, limit: usize) -> String {
    let mut brief: String = text.chars().take(limit).collect();
    if brief.len() < text.len() {
        brief.push('…');
    }
    line(&brief).into_owned()
}

/// JSON text whose strings hold no unsafe character, not even where JSON would allow one.
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if is_unsafe(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn escape(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if hidden(c) {
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hidden_character_is_visible() {
        let hostile = "a\u{1b}[31mb\u{9b}c\u{202e}d\u{200b}e\u{7}\r\u{7f}\tf\ng";
        let shown = line(hostile);
        assert!(!shown.contains(is_unsafe), "{shown:?}");
        assert!(shown.starts_with("a\\u{1b}[31mb\\u{9b}c\\u{202e}d\\u{200b}e"), "{shown}");
        assert_eq!(block(hostile).matches('\n').count(), 1);
        assert!(!block(hostile).replace('\n', "").contains(is_unsafe));
    }

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(line("Qwen/Qwen3-8B – größer"), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let value = "x\u{9b}\u{202e}\u{7f}\u{feff}é\n";
        let text = serde_json::to_string(value).unwrap();
        let safe = json(&text);
        assert!(!safe.contains(is_unsafe));
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), value);
    }

    #[test]
    fn a_cut_is_marked() {
        assert_eq!(brief("abcdef", 3), "abc…");
        assert_eq!(brief("abc", 3), "abc");
    }
}
