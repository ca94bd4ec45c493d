//! What stands before a diff and not afterwards?

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::BorrowMut;

use super::line::Kind;
use super::mask::{Number, grew, masked};
use super::read::{File, Reading, Unit, is_tests};
use super::{Gone, Loss, cases};
use crate::evidence::diff;
use crate::facts::FileKind;

/// What is said of a source that a diff changes without a line of it.
const HIDDEN: &str = "which the diff does not show";

fn leaf(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether tests stand in the file at that path, or may need it: their data and helpers.
fn tests_need(path: &str) -> bool {
    let prose = [".md", ".rst"].iter().any(|it| path.ends_with(it));
    diff::kind(path) == FileKind::Tests && !prose && leaf(path) != "__init__.py"
}

/// Lets what is the same on both sides meet, within a part of the diff. What the diff does not touch meets
/// first.
fn meet<T: BorrowMut<Unit>>(
    before: &mut [T],
    after: &mut [Unit],
    part: impl Fn(&Unit) -> Option<usize>,
) {
    let key = |it: &Unit| (part(it), it.kind, it.key.clone());
    for changed in [false, true] {
        let mut there: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for changed in [true, false] {
            let ours = after.iter().enumerate();
            for (at, it) in ours.filter(|(_, it)| it.changed == changed && !it.met) {
                there.entry(key(it)).or_default().push(at);
            }
        }
        for it in before.iter_mut().map(BorrowMut::borrow_mut) {
            let it: &mut Unit = it;
            if it.changed != changed {
                continue;
            }
            let at = there.get_mut(&key(it)).and_then(Vec::pop);
            let Some(new) = at.and_then(|at| after.get_mut(at)) else { continue };
            (it.met, new.met) = (true, true);
        }
    }
}

/// Where a unit stands among those of its side, and its tolerances.
type Place = (usize, Vec<Number>);

/// Both sides of a diff.
pub(super) struct Compared {
    files: Vec<File>,
    before: Vec<Unit>,
    after: Vec<Unit>,
}

impl Compared {
    pub(super) fn of(reading: Reading) -> Self {
        let Reading { files, before, after, .. } = reading;
        Self { files, before: before.units, after: after.units }
    }

    /// What stands on both sides is there still: in the same file, or in any when its own is gone.
    pub(super) fn cancel(&mut self) {
        let Self { files, before, after } = self;
        meet(before, after, |it| Some(it.file));
        let left = |it: &Unit| files.get(it.file).is_some_and(File::has_left);
        let mut moved: Vec<&mut Unit> =
            before.iter_mut().filter(|it| !it.met && left(it)).collect();
        meet(&mut moved, after, |_| None);
    }

    pub(super) fn losses(&self) -> Vec<Gone> {
        let mut gone = Vec::new();
        let whole = self.whole();
        for file in whole.iter().filter_map(|at| self.files.get(*at)) {
            gone.push(Gone { loss: Loss::File, path: file.old.clone(), text: String::new() });
        }
        let files = self.files.iter().enumerate();
        for (_, file) in files.filter(|(at, it)| it.hides() && !whole.contains(at)) {
            gone.push(Gone { loss: Loss::File, path: file.old.clone(), text: HIDDEN.to_owned() });
        }
        let (loosened, fewer) = (self.loosened(), self.fewer());
        for (at, it) in self.before.iter().enumerate().filter(|(_, it)| !it.met) {
            let loss = match it.kind {
                _ if whole.contains(&it.file) => continue,
                Kind::Test => Loss::Test,
                Kind::Check if !loosened.contains_key(&at) => Loss::Check,
                Kind::Tolerance if it.changed && !loosened.contains_key(&at) => Loss::Check,
                Kind::Cases if fewer.contains(&at) => Loss::Check,
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
        let there = self.files.iter().filter(|it| it.added && tests_need(&it.new));
        let there: BTreeSet<&str> = there.map(|it| leaf(&it.new)).collect();
        let is_gone = |(at, file): &(usize, &File)| {
            let moved = match parts.get(at) {
                Some((some, all)) => *some || *all,
                None => !(file.held || file.binary) || there.contains(leaf(&file.old)),
            };
            let is_lost = is_tests(&file.old) && !file.stays();
            let is_removed = file.removed && tests_need(&file.old);
            (is_lost || is_removed) && !(file.removed && moved)
        };
        self.files.iter().enumerate().filter(is_gone).map(|(at, _)| at).collect()
    }

    /// What differs from another of its file in tolerances only: by its place on the old side, where the
    /// looser one stands on the new side, if any number grew.
    fn loosened(&self) -> BTreeMap<usize, Option<usize>> {
        let mut there: BTreeMap<(usize, String), Vec<Place>> = BTreeMap::new();
        let open = |it: &Unit| !it.met && matches!(it.kind, Kind::Check | Kind::Tolerance);
        for (at, it) in self.after.iter().enumerate().filter(|(_, it)| open(it)).rev() {
            let (key, numbers) = masked(&it.key, it.kind == Kind::Tolerance);
            if !numbers.is_empty() {
                there.entry((it.file, key)).or_default().push((at, numbers));
            }
        }
        let mut found = BTreeMap::new();
        for (at, it) in self.before.iter().enumerate().filter(|(_, it)| open(it)) {
            let (key, numbers) = masked(&it.key, it.kind == Kind::Tolerance);
            let Some((new, now)) = there.get_mut(&(it.file, key)).and_then(Vec::pop) else {
                continue;
            };
            found.insert(at, grew(&numbers, &now).then_some(new));
        }
        found
    }

    /// Which cases on the old side lack a word on the new side, among those of the same name in their file.
    fn fewer(&self) -> BTreeSet<usize> {
        let open = |it: &Unit| !it.met && it.kind == Kind::Cases;
        let mut there: BTreeMap<(usize, String), BTreeMap<&str, usize>> = BTreeMap::new();
        for it in self.after.iter().filter(|it| open(it)) {
            let words = there.entry((it.file, cases::name(&it.key))).or_default();
            for word in cases::words(&it.key) {
                *words.entry(word).or_default() += 1;
            }
        }
        let mut fewer = BTreeSet::new();
        for (at, it) in self.before.iter().enumerate().filter(|(_, it)| open(it) && it.changed) {
            let mut left = there.get_mut(&(it.file, cases::name(&it.key)));
            let lacks = |word| {
                let left = left.as_mut().and_then(|it| it.get_mut(word)).filter(|it| **it > 0);
                left.map(|it| *it = it.saturating_sub(1)).is_none()
            };
            // Every word is taken, also after one that lacks.
            if cases::words(&it.key).map(lacks).fold(false, |one, other| one | other) {
                fewer.insert(at);
            }
        }
        fewer
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
