//! What does a diff hold on each side of its hunks?

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::TEXT;
use super::line::{Code, Kind, Source, is_word};
use crate::evidence::diff;

/// The most lines of one check.
const LINES: usize = 80;

/// A file of the diff.
#[derive(Default)]
pub(super) struct File {
    /// Its name before.
    pub(super) old: String,
    /// Its name afterwards.
    pub(super) new: String,
    /// Whether the diff brings it.
    pub(super) added: bool,
    /// Whether the diff removes it.
    pub(super) removed: bool,
    /// Whether a line of it was removed.
    pub(super) held: bool,
    /// Whether the diff does not show what it holds.
    pub(super) binary: bool,
    /// The sources on both sides, once they were looked for.
    sources: Option<[Option<Source>; 2]>,
}

impl File {
    /// Whether pytest or a build would still find it where it was a test.
    pub(super) fn stays(&self) -> bool {
        !self.removed && is_tests(&self.new)
    }

    /// Whether nothing goes by its former name any more.
    pub(super) fn has_left(&self) -> bool {
        self.removed || self.old != self.new
    }

    fn sources(&mut self) -> [Option<Source>; 2] {
        let paths = [&self.old, &self.new];
        *self.sources.get_or_insert_with(|| paths.map(|path| Source::at(path)))
    }

    /// Whether it is a source that was there and that the diff does not show.
    pub(super) fn hides(&self) -> bool {
        self.binary && !self.added && Source::at(&self.old).is_some()
    }
}

/// Whether tests stand in the file at that path.
pub(super) fn is_tests(path: &str) -> bool {
    Source::at(path).is_some_and(Source::is_tests)
}

/// A test, a check, a skip, a tolerance or cases on one side of the diff.
pub(super) struct Unit {
    /// Its file and its hunk, by their places.
    pub(super) file: usize,
    pub(super) hunk: usize,
    pub(super) kind: Kind,
    /// What is compared.
    pub(super) key: String,
    /// What is shown.
    pub(super) text: String,
    /// Whether the diff changes a line of it.
    pub(super) changed: bool,
    /// Whether it begins a line of the file.
    pub(super) outer: bool,
    /// Whether it stands on the other side, too.
    pub(super) met: bool,
}

impl Unit {
    /// Whether the diff brings it.
    pub(super) const fn is_new(&self) -> bool {
        self.changed && !self.met
    }
}

/// A check that has begun on one side, and whose brackets are open.
struct Open {
    unit: Unit,
    depth: i32,
    lines: usize,
    /// Whether it goes on until its brackets close.
    brackets: bool,
}

/// One side of a hunk.
#[derive(Default)]
pub(super) struct Side {
    pub(super) units: Vec<Unit>,
    open: Option<Open>,
}

impl Side {
    fn line(&mut self, source: Source, place: (usize, usize), text: &str, changed: bool) {
        let kind = source.kind(text);
        if let Some(mut open) = self.open.take() {
            // One case of many may be skipped.
            if (open.unit.kind, kind) == (Kind::Cases, Some(Kind::Skip)) {
                self.one(Kind::Skip, source, place, text, changed);
            }
            open.add(text, source, changed);
            self.keep(open, text, source);
            return;
        }
        let Some(kind) = kind else { return };
        if kind == Kind::Skip && source.has_cases(text) {
            self.one(kind, source, place, text, changed);
            self.begin(Kind::Cases, source, place, text, changed);
        } else {
            self.begin(kind, source, place, text, changed);
        }
    }

    fn begin(
        &mut self,
        kind: Kind,
        source: Source,
        place: (usize, usize),
        text: &str,
        changed: bool,
    ) {
        let open = Open::at(kind, source, place, text, changed);
        self.keep(open, text, source);
    }

    /// A line by itself.
    fn one(
        &mut self,
        kind: Kind,
        source: Source,
        place: (usize, usize),
        text: &str,
        changed: bool,
    ) {
        self.end(Open::at(kind, source, place, text, changed));
    }

    /// Goes on with what is open, or has it.
    fn keep(&mut self, open: Open, text: &str, source: Source) {
        let whole = !open.brackets || open.lines >= LINES;
        let goes_on = Code::packed(text, source).goes_on;
        if whole || (open.depth <= 0 && !goes_on) {
            self.end(open);
        } else {
            self.open = Some(open);
        }
    }

    fn end(&mut self, open: Open) {
        let mut unit = open.unit;
        // A test is itself, whatever it is called with.
        if let (Kind::Test, Some(name)) = (unit.kind, unit.key.split(['(', ':']).next())
            && ["def ", "async def ", "class "].iter().any(|it| name.starts_with(it))
        {
            unit.key = name.trim_start_matches("async ").to_owned();
            unit.text = unit.text.split(['(', ':']).next().unwrap_or_default().to_owned();
        }
        self.units.push(unit);
    }

    fn cut(&mut self) {
        if let Some(open) = self.open.take() {
            self.end(open);
        }
    }
}

impl Open {
    fn at(
        kind: Kind,
        source: Source,
        (file, hunk): (usize, usize),
        text: &str,
        changed: bool,
    ) -> Self {
        let outer = !text.starts_with([' ', '\t']);
        let (key, shown) = (String::new(), String::new());
        let unit = Unit { file, hunk, kind, key, text: shown, changed, outer, met: false };
        let brackets = kind != Kind::Tolerance || source.opens(text);
        let mut open = Self { unit, depth: 0, lines: 0, brackets };
        open.add(text, source, changed);
        open
    }

    fn add(&mut self, text: &str, source: Source, changed: bool) {
        let code = Code::packed(text, source);
        self.depth = self.depth.saturating_add(code.depth);
        self.lines = self.lines.saturating_add(1);
        if self.unit.key.ends_with(is_word) && code.text.starts_with(is_word) {
            self.unit.key.push(' ');
        }
        self.unit.key.push_str(&code.text);
        self.unit.changed |= changed;
        let text = text.trim();
        if self.unit.text.len() <= TEXT && !text.is_empty() {
            if !self.unit.text.is_empty() {
                self.unit.text.push(' ');
            }
            self.unit.text.push_str(text);
        }
    }
}

/// The diff, as far as it is read.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) files: Vec<File>,
    pub(super) before: Side,
    pub(super) after: Side,
    hunks: usize,
    /// Inside of a hunk: the sources on both sides.
    inside: Option<[Option<Source>; 2]>,
}

impl Reading {
    pub(super) fn line(&mut self, line: &str) {
        if let Some(names) = line.strip_prefix("diff --git ") {
            self.cut();
            self.inside = None;
            let path = diff::same(names).unwrap_or_default().to_owned();
            self.files.push(File { old: path.clone(), new: path, ..File::default() });
        } else if line.starts_with("@@ ") {
            self.cut();
            self.inside = self.files.last_mut().map(File::sources);
            self.hunks = self.hunks.saturating_add(1);
        } else if let Some(sources) = self.inside {
            self.hunk(line, sources);
        } else if let Some(file) = self.files.last_mut() {
            header(file, line);
        }
    }

    fn hunk(&mut self, line: &str, [old, new]: [Option<Source>; 2]) {
        let Some(file) = self.files.last_mut() else { return };
        let mut rest = line.chars();
        // An empty line of the context may have lost its space.
        let (mark, text) = (rest.next().unwrap_or(' '), rest.as_str());
        file.held |= mark == '-';
        let place = (self.files.len().saturating_sub(1), self.hunks);
        let changed = mark != ' ';
        if let Some(source) = old.filter(|_| matches!(mark, ' ' | '-')) {
            self.before.line(source, place, text, changed);
        }
        if let Some(source) = new.filter(|_| matches!(mark, ' ' | '+')) {
            self.after.line(source, place, text, changed);
        }
    }

    /// What a hunk shows ends with it.
    pub(super) fn cut(&mut self) {
        self.before.cut();
        self.after.cut();
    }
}

fn header(file: &mut File, line: &str) {
    if let Some(path) = line.strip_prefix("rename from ") {
        file.old = path.to_owned();
    } else if let Some(path) = line.strip_prefix("rename to ") {
        file.new = path.to_owned();
    } else if let Some(path) = line.strip_prefix("copy to ") {
        // The file that was copied is there still.
        (file.old, file.new) = (path.to_owned(), path.to_owned());
    } else if line.starts_with("deleted file ") {
        file.removed = true;
    } else if line.starts_with("new file ") {
        file.added = true;
    } else if line == "GIT binary patch" || line.starts_with("Binary files ") {
        file.binary = true;
    }
}
