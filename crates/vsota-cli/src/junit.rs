//! What do tests say? JUnit XML, and the closing line of pytest.

use std::collections::BTreeSet;

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
    /// The names of tests that passed, as far as they are told.
    pub named: Vec<String>,
}

impl Report {
    /// The first test that passed and is wanted, by its name.
    ///
    /// # Errors
    ///
    /// Bad evidence when its name cannot be kept.
    pub fn passing(&self, wanted: impl Fn(&str) -> bool) -> Result<Option<Line>, Failure> {
        let found = self.named.iter().find(|it| wanted(it));
        found
            .map(|it| Line::new(escape::brief(it, NAME)).map_err(Failure::bad_evidence))
            .transpose()
    }

    /// Whether a test of that name passed.
    pub fn shows(&self, test: &Line) -> bool {
        self.named.iter().any(|it| escape::brief(it, NAME) == test.as_str())
    }
}

/// A test case that is being read.
#[derive(Default)]
struct Case {
    name: String,
    failed: bool,
    skipped: bool,
}

/// What lies inside a suite, as its cases and their children tell.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Cases that failed or ended in an error.
    failed: u64,
    /// Failures and errors: a test that fails in its subtests or in its teardown has several.
    failures: u64,
    /// Skips of cases.
    skips: u64,
}

/// The counters that a suite writes of itself.
#[derive(Clone, Copy, Default)]
struct Counters {
    failures: Option<u64>,
    errors: Option<u64>,
    skipped: Option<u64>,
    tests: Option<u64>,
}

/// A suite that is not closed yet.
#[derive(Default)]
struct Suite {
    said: Counters,
    found: Tally,
    /// Its cases by name: a test that failed twice has two of one name, and is counted once.
    names: BTreeSet<String>,
    cases: u64,
}

/// A report that is being read.
#[derive(Default)]
struct Reading {
    passed: u32,
    failed: Vec<String>,
    named: Vec<String>,
    open: Vec<String>,
    suites: Vec<Suite>,
    case: Option<Case>,
    any: bool,
}

/// Reads a JUnit XML.
///
/// # Errors
///
/// Bad evidence with its line when it is not well-formed, is cut off, has a document type, holds no
/// test case, or a suite counts other failures, errors or skips than its cases show.
pub fn read(bytes: &[u8]) -> Result<Report, Failure> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| Failure::bad_evidence("the file is not UTF-8"))?;
    let mut reader = Reader::from_str(text);
    let mut reading = Reading::default();
    loop {
        let at = reader.buffer_position();
        let place = |failure: Failure| {
            let before = bytes.get(..usize::try_from(at).unwrap_or(usize::MAX)).unwrap_or(bytes);
            failure.at_line(memchr::memchr_iter(b'\n', before).count() as u64 + 1)
        };
        let event = reader.read_event().map_err(|error| place(Failure::bad_evidence(error)))?;
        if matches!(event, Event::Eof) {
            break;
        }
        reading.take(&event).map_err(place)?;
    }
    reading.end()
}

impl Reading {
    fn take(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        match event {
            Event::Start(start) => self.start(start, false),
            Event::Empty(start) => self.start(start, true),
            Event::End(_) => self.close(),
            Event::DocType(_) => Err(Failure::bad_evidence("a document type is not taken")),
            _ => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, closed: bool) -> Result<(), Failure> {
        let name = start.name().as_ref().to_owned();
        let suite = matches!(name.as_str(), "testsuites" | "testsuite");
        if self.open.is_empty() && !suite {
            let message = "the root is neither <testsuites> nor <testsuite>";
            return Err(Failure::bad_evidence(message));
        }
        if suite {
            self.suites.push(Suite { said: counters(start)?, ..Suite::default() });
        }
        let found = self.suites.last_mut().map(|it| &mut it.found);
        match (name.as_str(), &mut self.case, found) {
            ("testcase", Some(_), _) => {
                return Err(Failure::bad_evidence("a test case in a test case"));
            }
            ("testcase", None, found) => {
                let name = label(start)?;
                // What was not run did not pass.
                let skipped = attribute(start, "status")?.is_some_and(|it| it == "notrun");
                if let Some(found) = found.filter(|_| skipped) {
                    found.skips = found.skips.saturating_add(1);
                }
                self.case = Some(Case { name, failed: false, skipped });
            }
            ("failure" | "error", case, Some(found)) => {
                found.failures = found.failures.saturating_add(1);
                match case {
                    Some(case) => case.failed = true,
                    // An error of the suite itself belongs to no case.
                    None => self.failed.push("the test suite itself".to_owned()),
                }
            }
            ("skipped", Some(case), Some(found)) => {
                found.skips = found.skips.saturating_add(1);
                case.skipped = true;
            }
            _ => {}
        }
        self.open.push(name);
        if closed { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), Failure> {
        match self.open.pop().as_deref() {
            Some("testcase") => {
                if let Some(case) = self.case.take() {
                    self.count(case);
                }
            }
            Some("testsuites" | "testsuite") => {
                if let Some(suite) = self.suites.pop() {
                    suite.agrees()?;
                    if let Some(around) = self.suites.last_mut() {
                        around.holds(suite);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, case: Case) {
        self.any = true;
        if let Some(suite) = self.suites.last_mut() {
            suite.cases = suite.cases.saturating_add(1);
            suite.found.failed = suite.found.failed.saturating_add(u64::from(case.failed));
            suite.names.insert(case.name.clone());
        }
        if case.failed {
            self.failed.push(case.name);
        } else if !case.skipped {
            self.passed = self.passed.saturating_add(1);
            self.named.push(case.name);
        }
    }

    fn end(self) -> Result<Report, Failure> {
        if !self.open.is_empty() {
            return Err(Failure::bad_evidence("the file is cut off: an element is not closed"));
        }
        if !self.any {
            return Err(Failure::bad_evidence("the file holds no test case").at_field("testcase"));
        }
        Ok(Report { passed: self.passed, failed: named(self.failed)?, named: self.named })
    }
}

impl Suite {
    /// What a suite inside it counts as well.
    fn holds(&mut self, inner: Self) {
        self.found.failed = self.found.failed.saturating_add(inner.found.failed);
        self.found.failures = self.found.failures.saturating_add(inner.found.failures);
        self.found.skips = self.found.skips.saturating_add(inner.found.skips);
        self.cases = self.cases.saturating_add(inner.cases);
        self.names.extend(inner.names);
    }

    /// RV-2: a report that counts more failures than it shows does not say which tests failed. More
    /// tests than cases are no contradiction: pytest counts a subtest that passed and writes none.
    fn agrees(&self) -> Result<(), Failure> {
        let Counters { failures, errors, skipped, tests } = self.said;
        let wrong = |field: &str, said: u64, found: u64| {
            let message = format!("the suite counts {said} {field}; its test cases show {found}");
            Err(Failure::bad_evidence(message).at_field(field))
        };
        let broken = failures.unwrap_or(0).saturating_add(errors.unwrap_or(0));
        let told = failures.is_some() || errors.is_some();
        if told && !(self.found.failed..=self.found.failures).contains(&broken) {
            return wrong("failures and errors", broken, self.found.failures);
        }
        if let Some(said) = skipped.filter(|it| *it > self.found.skips) {
            return wrong("skipped", said, self.found.skips);
        }
        let least = self.names.len() as u64;
        match tests.filter(|it| *it < least) {
            Some(said) => wrong("tests", said, self.cases),
            None => Ok(()),
        }
    }
}

fn counters(start: &BytesStart<'_>) -> Result<Counters, Failure> {
    let count = |key: &str| -> Result<Option<u64>, Failure> {
        let number = |it: String| {
            let message = format!("`{it}` is no count");
            it.trim().parse().map_err(|_| Failure::bad_evidence(message).at_field(key))
        };
        attribute(start, key)?.filter(|it| !it.trim().is_empty()).map(number).transpose()
    };
    let (failures, errors) = (count("failures")?, count("errors")?);
    Ok(Counters { failures, errors, skipped: count("skipped")?, tests: count("tests")? })
}

/// `classname::name`, as it is cited.
fn label(start: &BytesStart<'_>) -> Result<String, Failure> {
    let name = attribute(start, "name")?;
    let name = name.ok_or_else(|| Failure::bad_evidence("a test case has no name"))?;
    Ok(match attribute(start, "classname")?.filter(|it| !it.is_empty()) {
        Some(class) => format!("{class}::{name}"),
        None => name,
    })
}

fn attribute(start: &BytesStart<'_>, key: &str) -> Result<Option<String>, Failure> {
    let found = start.try_get_attribute(key).map_err(Failure::bad_evidence)?;
    let value =
        found.map(|it| it.normalized_value(XmlVersion::Implicit1_0).map(|it| it.into_owned()));
    value.transpose().map_err(Failure::bad_evidence)
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
/// its `FAILED` and `ERROR` lines; with `-v` or `-rA` also those of the tests that passed.
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
    Ok(Report { passed, failed: named(failed)?, named: log.lines().filter_map(told).collect() })
}

/// The test that a line says has passed: `PASSED FILE::TEST`, or `FILE::TEST PASSED`.
fn told(line: &str) -> Option<String> {
    let name = match line.split_once("PASSED") {
        Some((_, name)) if name.contains(".py::") => name,
        Some((name, _)) => name,
        None => return None,
    };
    let name = name.trim();
    name.contains(".py::").then(|| name.to_owned())
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
