//! Which checks does a diff take away? Whether the author means to weaken anything is not asked: what is
//! gone is read from the diff itself (PA-2).
//!
//! A check is gone when its text stands less often in the diff afterwards than before. So what only
//! moved, or was wrapped or commented otherwise, is there still; what was rewritten is gone, since no
//! diff tells that it is as strong.

mod line;

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use self::line::{Code, Kind, Source, masked};
use super::diff;
use crate::facts::ChecksGone;
use crate::text::{Line, is_unsafe};

/// How many checks a fact names.
const SHOWN: usize = 20;

/// The most bytes that are shown of a path, and of a check.
const PATH: usize = 400;
const TEXT: usize = 200;

/// The most lines of one check.
const LINES: usize = 80;

/// What happened to a check. The gravest come first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Loss {
    /// A file of tests is removed.
    File,
    /// A test is removed.
    Test,
    /// A check is removed, in tests or in code.
    Check,
    /// A tolerance grows.
    Tolerance,
    /// A test is skipped.
    Skip,
}

/// A check that a diff takes away.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gone {
    /// What happened to it.
    pub loss: Loss,
    /// The file.
    pub path: String,
    /// The check as it stood; for a skip and a tolerance, as it stands now.
    pub text: String,
}

/// The checks that a diff takes away, the gravest first.
pub fn gone(diff: &str) -> Vec<Gone> {
    let mut reading = Reading::default();
    diff.lines().for_each(|it| reading.line(it));
    reading.cut();
    let Reading { files, before, after, .. } = reading;
    let mut compared = Compared::of(files, before, after);
    compared.cancel();
    let mut gone = compared.losses();
    gone.sort_by_key(|it| it.loss);
    gone
}

/// The fact of the checks that a diff takes away, with what its author says of it; `None` when it takes
/// none away.
pub fn fact(diff: &str, because: Option<Line>) -> Option<ChecksGone> {
    let gone = gone(diff);
    let count = u32::try_from(gone.len()).unwrap_or(u32::MAX);
    let shown = gone.iter().take(SHOWN).filter_map(shown).collect();
    (count > 0).then_some(ChecksGone { count, shown, because })
}

fn shown(it: &Gone) -> Option<Line> {
    let (path, text) = (plain(&it.path, PATH), plain(&it.text, TEXT));
    let line = match it.loss {
        Loss::File => format!("{path}: the file"),
        Loss::Test | Loss::Check => format!("{path}: {text}"),
        Loss::Tolerance => format!("{path}: a tolerance, now {text}"),
        Loss::Skip => format!("{path}: a test, by {text}"),
    };
    Line::new(line).ok()
}

/// The beginning of a text, with nothing in it that could move a cursor or turn the direction.
fn plain(text: &str, bytes: usize) -> String {
    let mut plain = String::new();
    for c in text.chars().map(|it| if is_unsafe(it) { '\u{FFFD}' } else { it }) {
        if plain.len().saturating_add(c.len_utf8()) > bytes {
            plain.push('…');
            break;
        }
        plain.push(c);
    }
    plain
}

/// A file of the diff.
#[derive(Default)]
struct File {
    old: String,
    new: String,
    added: bool,
    removed: bool,
    /// Whether a line of it was removed.
    held: bool,
}

impl File {
    /// Whether pytest or a build would still find it where it was a test.
    fn stays(&self) -> bool {
        !self.removed && is_tests(&self.new)
    }
}

fn is_tests(path: &str) -> bool {
    Source::at(path).is_some_and(Source::is_tests)
}

fn leaf(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A test, a check, a skip or a tolerance on one side of the diff.
struct Unit {
    /// Its file and its hunk, by their places.
    file: usize,
    hunk: usize,
    kind: Kind,
    /// What is compared.
    key: String,
    /// What is shown.
    text: String,
    /// Whether the diff changes a line of it.
    changed: bool,
    /// Whether it begins a line of the file.
    outer: bool,
    /// Whether it stands on the other side, too.
    met: bool,
}

impl Unit {
    /// Whether the diff brings it.
    const fn is_new(&self) -> bool {
        self.changed && !self.met
    }
}

/// A check that has begun on one side, and whose brackets are open.
struct Open {
    unit: Unit,
    depth: i32,
    lines: usize,
}

/// One side of a hunk.
#[derive(Default)]
struct Side {
    units: Vec<Unit>,
    open: Option<Open>,
}

impl Side {
    fn line(&mut self, source: Source, (file, hunk): (usize, usize), text: &str, changed: bool) {
        if let Some(mut open) = self.open.take() {
            open.add(text, source, changed);
            self.keep(open, text, source);
            return;
        }
        let Some(kind) = source.kind(text) else { return };
        let outer = !text.starts_with([' ', '\t']);
        let (key, text_) = (String::new(), String::new());
        let unit = Unit { file, hunk, kind, key, text: text_, changed, outer, met: false };
        let mut open = Open { unit, depth: 0, lines: 0 };
        open.add(text, source, changed);
        self.keep(open, text, source);
    }

    /// Goes on with what is open, or has it.
    fn keep(&mut self, open: Open, text: &str, source: Source) {
        let Open { unit, depth, lines } = &open;
        let whole = matches!(unit.kind, Kind::Tolerance) || *lines >= LINES;
        let goes_on = Code::packed(text, source).goes_on;
        if whole || (*depth <= 0 && !goes_on) {
            self.end(open);
        } else {
            self.open = Some(open);
        }
    }

    fn end(&mut self, open: Open) {
        let mut unit = open.unit;
        // A test is itself, whatever it is called with.
        if let (Kind::Test, Some((name, _))) = (unit.kind, unit.key.split_once('('))
            && name.contains("deftest")
        {
            unit.key = name.trim_start_matches("async").to_owned();
            unit.text = unit.text.split('(').next().unwrap_or_default().to_owned();
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
    fn add(&mut self, text: &str, source: Source, changed: bool) {
        let code = Code::packed(text, source);
        self.depth = self.depth.saturating_add(code.depth);
        self.lines = self.lines.saturating_add(1);
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
struct Reading {
    files: Vec<File>,
    before: Side,
    after: Side,
    hunks: usize,
    /// Inside of a hunk: the sources on both sides.
    inside: Option<[Option<Source>; 2]>,
}

impl Reading {
    fn line(&mut self, line: &str) {
        if let Some(names) = line.strip_prefix("diff --git ") {
            self.cut();
            self.inside = None;
            let path = diff::same(names).unwrap_or_default().to_owned();
            self.files.push(File { old: path.clone(), new: path, ..File::default() });
        } else if line.starts_with("@@ ") {
            self.cut();
            let both = |it: &File| [&it.old, &it.new].map(|path| Source::at(path));
            self.inside = self.files.last().map(both);
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
    fn cut(&mut self) {
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
    }
}

/// Where a unit stands among those of its side, and its tolerances.
type Place = (usize, Vec<f64>);

/// Both sides of a diff.
struct Compared {
    files: Vec<File>,
    before: Vec<Unit>,
    after: Vec<Unit>,
}

impl Compared {
    fn of(files: Vec<File>, before: Side, after: Side) -> Self {
        Self { files, before: before.units, after: after.units }
    }

    /// What stands on both sides is there still. What the diff does not touch meets first.
    fn cancel(&mut self) {
        for changed in [false, true] {
            let mut there: BTreeMap<(Kind, String), Vec<usize>> = BTreeMap::new();
            for changed in [true, false] {
                let ours = self.after.iter().enumerate();
                for (at, it) in ours.filter(|(_, it)| it.changed == changed && !it.met) {
                    there.entry((it.kind, it.key.clone())).or_default().push(at);
                }
            }
            for it in self.before.iter_mut().filter(|it| it.changed == changed) {
                let at = there.get_mut(&(it.kind, it.key.clone())).and_then(Vec::pop);
                let Some(new) = at.and_then(|at| self.after.get_mut(at)) else { continue };
                (it.met, new.met) = (true, true);
            }
        }
    }

    fn losses(&self) -> Vec<Gone> {
        let mut gone = Vec::new();
        let whole = self.whole();
        for file in whole.iter().filter_map(|at| self.files.get(*at)) {
            gone.push(Gone { loss: Loss::File, path: file.old.clone(), text: String::new() });
        }
        let loosened = self.loosened();
        for (at, it) in self.before.iter().enumerate().filter(|(_, it)| !it.met) {
            let loss = match it.kind {
                _ if whole.contains(&it.file) => continue,
                Kind::Test => Loss::Test,
                Kind::Check if !loosened.contains_key(&at) => Loss::Check,
                _ => continue,
            };
            gone.extend(self.lost(loss, it));
        }
        let looser = loosened.values().flatten().filter_map(|at| self.after.get(*at));
        gone.extend(looser.filter_map(|it| self.lost(Loss::Tolerance, it)));
        gone.extend(self.skips().into_iter().filter_map(|it| self.lost(Loss::Skip, it)));
        gone
    }

    fn lost(&self, loss: Loss, it: &Unit) -> Option<Gone> {
        let file = self.files.get(it.file)?;
        let path = if loss > Loss::Check { &file.new } else { &file.old };
        Some(Gone { loss, path: path.clone(), text: it.text.clone() })
    }

    /// The files of tests that are gone with all that they held: not those that have another name now, or
    /// of which a part stands elsewhere.
    fn whole(&self) -> BTreeSet<usize> {
        // One short line may stand anywhere; a test does not.
        let mut parts: BTreeMap<usize, (bool, bool)> = BTreeMap::new();
        for it in self.before.iter().filter(|it| it.kind <= Kind::Check) {
            let (some, all) = parts.entry(it.file).or_insert((false, true));
            *some |= it.kind == Kind::Test && it.met;
            *all &= it.met;
        }
        let there = self.files.iter().filter(|it| it.added && is_tests(&it.new));
        let there: BTreeSet<&str> = there.map(|it| leaf(&it.new)).collect();
        let is_gone = |(at, file): &(usize, &File)| {
            let moved = match parts.get(at) {
                Some((some, all)) => *some || *all,
                None => !file.held || there.contains(leaf(&file.old)),
            };
            is_tests(&file.old) && !file.stays() && !(file.removed && moved)
        };
        self.files.iter().enumerate().filter(is_gone).map(|(at, _)| at).collect()
    }

    /// What differs from another of its file in tolerances only: by its place on the old side, where the
    /// looser one stands on the new side, if any number grew.
    fn loosened(&self) -> BTreeMap<usize, Option<usize>> {
        let mut there: BTreeMap<(usize, String), Vec<Place>> = BTreeMap::new();
        let open = |it: &Unit| !it.met && matches!(it.kind, Kind::Check | Kind::Tolerance);
        for (at, it) in self.after.iter().enumerate().filter(|(_, it)| open(it)).rev() {
            let (key, numbers) = masked(&it.key);
            if !numbers.is_empty() {
                there.entry((it.file, key)).or_default().push((at, numbers));
            }
        }
        let mut found = BTreeMap::new();
        for (at, it) in self.before.iter().enumerate().filter(|(_, it)| open(it)) {
            let (key, numbers) = masked(&it.key);
            let Some((new, now)) = there.get_mut(&(it.file, key)).and_then(Vec::pop) else {
                continue;
            };
            let grew = numbers.iter().zip(&now).any(|(old, new)| new > old);
            found.insert(at, grew.then_some(new));
        }
        found
    }

    /// The skips that keep a test from running that ran before: one that comes with a new test takes nothing
    /// away.
    fn skips(&self) -> Vec<&Unit> {
        // Whether every test of a file is new.
        let mut new: BTreeMap<usize, bool> = BTreeMap::new();
        for it in self.after.iter().filter(|it| it.kind == Kind::Test) {
            *new.entry(it.file).or_insert(true) &= it.is_new();
        }
        let in_new = |it: &Unit| {
            let file = self.files.get(it.file).filter(|it| it.added);
            let hooks = file.is_none_or(|it| leaf(&it.new) == "conftest.py");
            !hooks && new.get(&it.file).copied().unwrap_or(true)
        };
        let within = of_new(self.after.iter());
        let mut above = of_new(self.after.iter().rev());
        above.reverse();
        let units = self.after.iter().zip(within.into_iter().zip(above));
        let skips = units.filter(|(it, (within, above))| {
            let decorates = it.text.starts_with('@') || it.text.contains("marks");
            let with_new = if decorates { *above } else { *within && !it.outer };
            it.kind == Kind::Skip && !it.met && !with_new && !in_new(it)
        });
        skips.map(|(it, _)| it).collect()
    }
}

/// For each unit, whether the last test before it in its hunk is new.
fn of_new<'a>(units: impl Iterator<Item = &'a Unit>) -> Vec<bool> {
    let mut last = None;
    let units = units.map(|it| {
        if it.kind == Kind::Test {
            last = Some((it.hunk, it.is_new()));
        }
        last == Some((it.hunk, true))
    });
    units.collect()
}
