//! What is a line of source? A test, a check, a skip of a test, a tolerance, or none of these.

use alloc::string::String;

use super::{cases, mask};
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
    /// What a test is run with.
    Cases,
}

/// The most bytes of a name of a source.
const NAME: usize = 4_096;

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
        if path.len() > NAME {
            return None;
        }
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
        let kind = kind.or_else(|| self.has_cases(line).then_some(Kind::Cases));
        kind.or_else(|| {
            let packed = Code::packed(line, self).text;
            let holds = |it| mask::holds_number(it) || self.opens(line);
            (mask::names_tolerance(&packed) && holds(&packed)).then_some(Kind::Tolerance)
        })
    }

    /// Whether a line ends in the bracket of a list or a table. In C that may be a function's.
    pub(super) fn opens(self, line: &str) -> bool {
        self.language == Language::Python && Code::packed(line, self).text.ends_with(['{', '['])
    }

    /// Whether a line begins what a test is run with.
    pub(super) fn has_cases(self, line: &str) -> bool {
        self.is_test
            && self.language == Language::Python
            && cases::begin(Code::of(line, self, true).text.trim())
    }

    fn python(self, text: &str) -> Option<Kind> {
        let begins = |words: &[&str]| words.iter().any(|it| text.starts_with(it));
        let foreign = begins(&["from ", "import "]);
        let skips = SKIPS.iter().any(|it| text.contains(it));
        if self.is_test && !foreign && (skips || begins(&["@skip", "@xfail"])) {
            return Some(Kind::Skip);
        }
        if begins(&["def ", "async def ", "class "]) {
            let test = self.collected && begins(&["def test", "async def test", "class Test"]);
            return test.then_some(Kind::Test);
        }
        let asserts = begins(&["assert ", "assert("]) || called(text).any(checks_python);
        let checks = asserts || text.contains("torch._check") || raises(text);
        (!foreign && checks).then_some(Kind::Check)
    }
}

/// What keeps tests from running, in Python.
const SKIPS: [&str; 9] = [
    "mark.skip",
    "mark.xfail",
    "pytest.skip(",
    "pytest.xfail(",
    "unittest.skip",
    ".skipTest(",
    "importorskip(",
    "SkipTest",
    "collect_ignore",
];

/// A refusal of what is not meant to be. What is not implemented is no check, nor is an error that
/// another is handed on as.
fn raises(text: &str) -> bool {
    let Some(raised) = text.strip_prefix("raise ") else { return false };
    let name = raised.split(['(', ' ']).next().unwrap_or_default();
    let is_error = name.ends_with("Error") && !name.ends_with("NotImplementedError");
    is_error && !raised.contains(" from ")
}

/// A call that checks, in Python: torch's, Triton's, numpy's, unittest's and mock's assertions, and the
/// helpers of vLLM's own tests.
fn checks_python(name: &str) -> bool {
    let name = name.trim_start_matches('_');
    let compares = name.ends_with("_close") || name.ends_with("_equal");
    name.starts_with("assert")
        || name.ends_with("_assert")
        || name.starts_with("compare_") && name.ends_with("settings")
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
        (throws(text) || called(text).any(checks_c)).then_some(Kind::Check)
    }
}

/// What is thrown on says nothing of its own.
fn throws(text: &str) -> bool {
    text.match_indices("throw ")
        .any(|(at, _)| text.get(..at).is_some_and(|it| !it.ends_with(is_word)))
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

pub(super) fn is_word(c: char) -> bool {
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
    /// The code; outside of texts with white space between words only, or with every text emptied.
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
        let (mut quote, mut gap) = (None, false);
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
                    if !bare && gap && is_word(c) && text.ends_with(is_word) {
                        text.push(' ');
                    }
                    gap = c.is_whitespace();
                    if bare || !gap {
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
