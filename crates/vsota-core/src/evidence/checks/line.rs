//! What is a line of source? A test, a check, a skip of a test, a tolerance, or none of these.

use alloc::string::String;
use alloc::vec::Vec;

use crate::evidence::diff;
use crate::facts::FileKind;

/// What is looked for in sources.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// The head of a test function.
    Test,
    /// A check: an assertion, a refusal.
    Check,
    /// A tolerance that stands outside of a check.
    Tolerance,
    /// What keeps a test from running.
    Skip,
}

/// The languages that checks are written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Language {
    Python,
    C,
}

/// What counts in a source file, by its path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    language: Language,
    /// Whether pytest looks for tests in it.
    collected: bool,
    is_test: bool,
}

const C: [&str; 10] = ["c", "cc", "cpp", "cxx", "cu", "cuh", "h", "hpp", "hip", "inl"];

impl Source {
    /// The source at that path; `None` for any other file.
    pub(super) fn at(path: &str) -> Option<Self> {
        let leaf = path.rsplit('/').next().unwrap_or(path);
        let (stem, extension) = leaf.rsplit_once('.')?;
        let language = match extension {
            "py" => Language::Python,
            it if C.contains(&it) => Language::C,
            _ => return None,
        };
        let named = stem.starts_with("test_") || stem.ends_with("_test");
        let is_test = diff::kind(path) == FileKind::Tests;
        Some(Self { language, collected: named && language == Language::Python, is_test })
    }

    /// Whether the file itself is a test: without it, something is not tested.
    pub(super) const fn is_tests(self) -> bool {
        self.is_test && (self.collected || matches!(self.language, Language::C))
    }

    /// What a line is; `None` when it is no matter here.
    pub(super) fn kind(self, line: &str) -> Option<Kind> {
        let bare = Code::of(line, self, true).text;
        let text = bare.trim();
        if text.is_empty() {
            return None;
        }
        let kind = match self.language {
            Language::Python => self.python(text),
            Language::C => c(text),
        };
        kind.or_else(|| {
            let (_, tolerances) = masked(&Code::packed(line, self).text);
            (!tolerances.is_empty()).then_some(Kind::Tolerance)
        })
    }

    fn python(self, text: &str) -> Option<Kind> {
        let begins = |words: &[&str]| words.iter().any(|it| text.starts_with(it));
        let skips = ["mark.skip", "mark.xfail", "pytest.skip(", "pytest.xfail(", "unittest.skip"];
        let skips = skips.iter().chain(&[".skipTest("]).any(|it| text.contains(it));
        if self.is_test && (skips || begins(&["@skip", "@xfail"])) {
            return Some(Kind::Skip);
        }
        if begins(&["def ", "async def "]) {
            let test = self.collected && begins(&["def test", "async def test"]);
            return test.then_some(Kind::Test);
        }
        let foreign = begins(&["class ", "from ", "import "]);
        let asserts = begins(&["assert ", "assert("]) || called(text).any(checks_python);
        (!foreign && (asserts || raises(text))).then_some(Kind::Check)
    }
}

/// A refusal of what is not meant to be. What is not implemented is no check, nor is an error that
/// another is handed on as.
fn raises(text: &str) -> bool {
    let Some(raised) = text.strip_prefix("raise ") else { return false };
    let name = raised.split(['(', ' ']).next().unwrap_or_default();
    let is_error = name.ends_with("Error") && !name.ends_with("NotImplementedError");
    is_error && !raised.contains(" from ")
}

/// A call that checks, in Python: torch's, numpy's, unittest's and mock's assertions, and the helpers of
/// vLLM's own tests.
fn checks_python(name: &str) -> bool {
    let name = name.trim_start_matches('_');
    let compares = name.ends_with("_close") || name.ends_with("_equal");
    name.starts_with("assert")
        || matches!(name, "opcheck" | "raises")
        || name.starts_with("check_") && compares
}

fn c(text: &str) -> Option<Kind> {
    if ["#", "*", "/*"].iter().any(|it| text.starts_with(it)) {
        return None;
    }
    let tests = ["TEST", "TEST_F", "TEST_P", "TYPED_TEST", "TYPED_TEST_P"];
    if text.contains("GTEST_SKIP") {
        Some(Kind::Skip)
    } else if called(text).any(|it| tests.contains(&it)) {
        Some(Kind::Test)
    } else {
        called(text).any(checks_c).then_some(Kind::Check)
    }
}

/// A macro that checks: torch's, gtest's, glog's, and any that is named like them.
fn checks_c(name: &str) -> bool {
    let is_macro =
        name.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_');
    let begins = ["CHECK_", "DCHECK", "EXPECT_"].iter().any(|it| name.starts_with(it));
    let checks = name == "CHECK" || name.ends_with("_CHECK") || name.contains("_CHECK_");
    matches!(name, "assert" | "static_assert")
        || is_macro && (begins || checks || name.contains("ASSERT"))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names that are called.
fn called(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('(').filter_map(|(at, _)| {
        let before = text.get(..at)?.trim_end();
        let name = before.rsplit(|it| !is_word(it)).next()?;
        (!name.is_empty()).then_some(name)
    })
}

/// A line without its comment.
pub(super) struct Code {
    /// The code; without white space outside of texts, or with every text emptied.
    pub(super) text: String,
    /// By how many brackets it opens more than it closes.
    pub(super) depth: i32,
    /// Whether it goes on in the next line all the same.
    pub(super) goes_on: bool,
}

impl Code {
    /// What is compared.
    pub(super) fn packed(line: &str, source: Source) -> Self {
        Self::of(line, source, false)
    }

    fn of(line: &str, source: Source, bare: bool) -> Self {
        let is_python = source.language == Language::Python;
        let (mut text, mut depth) = (String::new(), 0_i32);
        let mut quote = None;
        let mut rest = line.trim().chars().peekable();
        while let Some(c) = rest.next() {
            let comment = match c {
                '#' => is_python,
                '/' => !is_python && rest.peek() == Some(&'/'),
                _ => false,
            };
            match (quote, c) {
                (Some(_), '\\') => {
                    let escaped = rest.next();
                    if !bare {
                        text.push(c);
                        text.extend(escaped);
                    }
                }
                (Some(end), _) if c == end => {
                    quote = None;
                    text.push(c);
                }
                (Some(_), _) if bare => {}
                (Some(_), _) => text.push(c),
                (None, _) if comment => break,
                (None, '"' | '\'') => {
                    quote = Some(c);
                    text.push(c);
                }
                (None, _) => {
                    // The body of a function is not part of its head.
                    match c {
                        '(' | '[' => depth = depth.saturating_add(1),
                        ')' | ']' => depth = depth.saturating_sub(1),
                        '{' if is_python => depth = depth.saturating_add(1),
                        '}' if is_python => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    if bare || !c.is_whitespace() {
                        text.push(c);
                    }
                }
            }
        }
        let goes_on = text.trim_end().ends_with('\\');
        if goes_on {
            text.truncate(text.trim_end().len().saturating_sub(1));
        }
        Self { text, depth, goes_on }
    }
}

/// A packed text with `~` in the place of every tolerance, and the tolerances.
pub(super) fn masked(packed: &str) -> (String, Vec<f64>) {
    let (mut text, mut found) = (String::new(), Vec::new());
    let mut rest = packed;
    while let Some((at, len)) = word(rest) {
        let (before, after) = rest.split_at(at.saturating_add(len));
        text.push_str(before);
        rest = after;
        if !is_tolerance(before.get(at..).unwrap_or_default()) {
            continue;
        }
        if let Some((skipped, number, left)) = value(rest) {
            text.push_str(skipped);
            text.push('~');
            found.push(number);
            rest = left;
        }
    }
    text.push_str(rest);
    (text, found)
}

/// Where the first word stands, and how long it is.
fn word(text: &str) -> Option<(usize, usize)> {
    let at = text.find(is_word)?;
    let rest = text.get(at..)?;
    Some((at, rest.find(|it| !is_word(it)).unwrap_or(rest.len())))
}

fn is_tolerance(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let holds = ["atol", "rtol", "tolerance"].iter().any(|it| name.contains(it));
    holds || name == "tol" || name.ends_with("_tol")
}

/// What stands between a name and its number, the number, and what follows.
fn value(text: &str) -> Option<(&str, f64, &str)> {
    let rest = text.trim_start_matches(['"', '\'', ']']);
    let rest = rest.strip_prefix(":float").unwrap_or(rest).strip_prefix(['=', ':'])?;
    let digits = rest.char_indices().scan(' ', |before, (at, c)| {
        let signed = matches!(c, '+' | '-') && before.eq_ignore_ascii_case(&'e');
        *before = c;
        (c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || signed).then_some((at, c))
    });
    let len = digits.last().map(|(at, c)| at.saturating_add(c.len_utf8()))?;
    let (number, left) = rest.split_at_checked(len)?;
    let skipped = text.get(..text.len().checked_sub(rest.len())?)?;
    if !number.starts_with(|it: char| it.is_ascii_digit() || it == '.') {
        return None;
    }
    let number = number.replace('_', "");
    let number = number.trim_end_matches(['f', 'F']).parse().ok()?;
    Some((skipped, number, left))
}
