//! What do tests say? JUnit XML, and the closing line of pytest.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use vsota_core::text::Line;

use crate::escape;
use crate::failure::Failure;

/// The most failed tests that are named, and the most characters of a name.
const NAMED: usize = 40;
const NAME: usize = 300;

/// How many tests passed, and which failed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Tests that passed; skipped ones do not count.
    pub passed: u32,
    /// Tests that failed or ended in an error. What is too much to name is counted in the last.
    pub failed: Vec<Line>,
}

/// A test case that is being read.
#[derive(Default)]
struct Case {
    name: String,
    failed: bool,
    skipped: bool,
}

/// Reads a JUnit XML.
///
/// # Errors
///
/// Bad evidence with its line when it is not well-formed, is cut off, has a document type, or holds
/// no test case.
pub fn read(bytes: &[u8]) -> Result<Report, Failure> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| Failure::bad_evidence("the file is not UTF-8"))?;
    let mut reader = Reader::from_str(text);
    let (mut passed, mut failed, mut cases) = (0_u32, Vec::new(), 0_u32);
    let mut open: Vec<String> = Vec::new();
    let mut case: Option<Case> = None;
    loop {
        let at = reader.buffer_position();
        let wrong = |message: String| {
            let before = bytes.get(..usize::try_from(at).unwrap_or(usize::MAX)).unwrap_or(bytes);
            let line = memchr::memchr_iter(b'\n', before).count() as u64 + 1;
            Failure::bad_evidence(message).at_line(line)
        };
        let event = reader.read_event().map_err(|error| wrong(error.to_string()))?;
        let (start, closed) = match &event {
            Event::Start(start) => (Some(start), false),
            Event::Empty(start) => (Some(start), true),
            Event::End(end) => {
                open.pop();
                if end.name().as_ref() == "testcase"
                    && let Some(done) = case.take()
                {
                    count(done, &mut passed, &mut failed);
                }
                continue;
            }
            Event::DocType(_) => return Err(wrong("a document type is not taken".to_owned())),
            Event::Eof => break,
            _ => continue,
        };
        let Some(start) = start else { continue };
        let name = start.name().as_ref().to_owned();
        if open.is_empty() && !matches!(name.as_str(), "testsuites" | "testsuite") {
            return Err(wrong("the root is neither <testsuites> nor <testsuite>".to_owned()));
        }
        match (name.as_str(), &mut case) {
            ("testcase", Some(_)) => return Err(wrong("a test case in a test case".to_owned())),
            ("testcase", None) => {
                cases = cases.saturating_add(1);
                let begun = Case { name: label(start).map_err(wrong)?, ..Case::default() };
                if closed {
                    count(begun, &mut passed, &mut failed);
                } else {
                    case = Some(begun);
                }
            }
            ("failure" | "error", Some(case)) => case.failed = true,
            // An error of the suite itself belongs to no case.
            ("failure" | "error", None) => failed.push("the test suite itself".to_owned()),
            ("skipped", Some(case)) => case.skipped = true,
            _ => {}
        }
        if !closed {
            open.push(name);
        }
    }
    if !open.is_empty() {
        return Err(Failure::bad_evidence("the file is cut off: an element is not closed"));
    }
    if cases == 0 {
        return Err(Failure::bad_evidence("the file holds no test case").at_field("testcase"));
    }
    Ok(Report { passed, failed: named(failed)? })
}

fn count(case: Case, passed: &mut u32, failed: &mut Vec<String>) {
    if case.failed {
        failed.push(case.name);
    } else if !case.skipped {
        *passed = passed.saturating_add(1);
    }
}

/// `classname::name`, as it is cited.
fn label(start: &BytesStart<'_>) -> Result<String, String> {
    let attribute = |key: &str| -> Result<Option<String>, String> {
        let found = start.try_get_attribute(key).map_err(|error| error.to_string())?;
        let value =
            found.map(|it| it.normalized_value(XmlVersion::Implicit1_0).map(|it| it.into_owned()));
        value.transpose().map_err(|error| error.to_string())
    };
    let name = attribute("name")?.ok_or("a test case has no name")?;
    Ok(match attribute("classname")?.filter(|it| !it.is_empty()) {
        Some(class) => format!("{class}::{name}"),
        None => name,
    })
}

/// The names as lines: what could forge or break one is escaped, what is too long is cut.
fn named(failed: Vec<String>) -> Result<Vec<Line>, Failure> {
    let more = failed.len().saturating_sub(NAMED);
    let names = failed.iter().take(NAMED).map(|it| match it.trim() {
        "" => "a test without a name".to_owned(),
        name => escape::brief(name, NAME),
    });
    let rest = (more > 0).then(|| format!("… and {more} more failed tests"));
    let line = |it: String| Line::new(it).map_err(Failure::bad_evidence);
    names.chain(rest).map(line).collect()
}

/// Reads the closing line of pytest, such as `== 2 failed, 12 passed in 3.41s ==`, and the names on
/// its `FAILED` and `ERROR` lines.
///
/// # Errors
///
/// Bad evidence when there is no such line.
pub fn closing_line(log: &str) -> Result<Report, Failure> {
    let counts = log.lines().rev().find_map(counts).ok_or_else(|| {
        let message = "the log does not end with pytest's summary: name a report with --junit";
        Failure::bad_evidence(message).in_file("the log")
    })?;
    let (passed, broken) = counts;
    let name = |line: &str| {
        let rest = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR "))?;
        let name = rest.split(" - ").next().unwrap_or(rest);
        name.contains(".py").then(|| name.trim().to_owned())
    };
    let mut failed: Vec<String> = log.lines().filter_map(name).collect();
    failed.dedup();
    let unnamed = usize::try_from(broken).unwrap_or(usize::MAX).saturating_sub(failed.len());
    if unnamed > 0 {
        failed.push(format!("{unnamed} failed tests that the log does not name"));
    }
    Ok(Report { passed, failed: named(failed)? })
}

/// What passed, and what failed or ended in an error.
fn counts(line: &str) -> Option<(u32, u32)> {
    let (counts, time) = line.trim().trim_matches('=').trim().rsplit_once(" in ")?;
    let seconds = time.split_whitespace().next()?.strip_suffix('s')?;
    seconds.parse::<f64>().ok()?;
    let (mut passed, mut broken) = (0_u32, 0_u32);
    for part in counts.split(", ") {
        let (number, word) = part.split_once(' ')?;
        let number: u32 = number.parse().ok()?;
        match word {
            "passed" => passed = number,
            "failed" | "error" | "errors" => broken = broken.saturating_add(number),
            "skipped" | "deselected" | "xfailed" | "xpassed" | "warning" | "warnings" | "rerun"
            | "reruns" | "subtests passed" => {}
            _ => return None,
        }
    }
    Some((passed, broken))
}
