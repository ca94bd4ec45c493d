//! Which work trees does a repository have? Read from git's own files.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use vsota_core::evidence::humanize::LOOPS;

use crate::find;

/// How deep below the artefacts a loop is looked for.
const DEPTH: u32 = 5;

/// The most work trees that are looked at.
const MOST: usize = 1_000;

/// The work tree around a directory.
pub fn around(start: &Utf8Path) -> Option<Utf8PathBuf> {
    let there = start.canonicalize_utf8().ok()?;
    there.ancestors().find(|it| it.join(".git").exists()).map(Utf8Path::to_owned)
}

/// Directories below another, itself among them, in which a loop was started; work trees that are known
/// are left out, with what lies in them.
pub fn below(root: &Utf8Path, known: &[Utf8PathBuf]) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<(Utf8PathBuf, u32)> =
        root.canonicalize_utf8().into_iter().map(|it| (it, 0)).collect();
    let mut budget = MOST * 10;
    while let Some((dir, depth)) = open.pop() {
        if known.contains(&dir) || budget == 0 {
            continue;
        }
        budget -= 1;
        if dir.join(LOOPS).is_dir() {
            found.push(dir.clone());
        }
        if depth == DEPTH {
            continue;
        }
        // A link is no directory here, so there is no way around in circles.
        let entries = dir.read_dir_utf8().into_iter().flatten().flatten().take(MOST);
        let dirs = entries.filter(|it| it.file_type().is_ok_and(|it| it.is_dir()));
        let seen = dirs.filter(|it| !it.file_name().starts_with('.'));
        open.extend(seen.map(|it| (it.path().to_owned(), depth + 1)));
    }
    found.sort();
    found
}

/// Every work tree of the repository around a directory, that one first.
pub fn all(start: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut trees: Vec<Utf8PathBuf> = around(start).into_iter().collect();
    let Some(common) = find::git_common_dir(start).and_then(|it| it.canonicalize_utf8().ok())
    else {
        return trees;
    };
    if common.file_name() == Some(".git") {
        trees.extend(common.parent().map(Utf8Path::to_owned));
    }
    let linked = common.join("worktrees").read_dir_utf8().into_iter().flatten().flatten();
    for entry in linked.take(MOST) {
        let own = entry.path();
        // It names the `.git` file of the work tree, since git 2.48 also relative to itself.
        let Some(git) = find::line(&own.join("gitdir")) else { continue };
        let tree = own.join(git).parent().and_then(|it| it.canonicalize_utf8().ok());
        trees.extend(tree);
    }
    let mut seen = BTreeSet::new();
    trees.retain(|it| seen.insert(it.clone()));
    trees
}
