//! What does a diff change? The files that it names, what kind of file each is, and whether it says itself
//! that code comes from elsewhere (PA-1, PA-3, RL-9).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use super::EvidenceError;
use crate::facts::FileKind;

/// The files that a `git diff` names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Touched {
    /// The files as they are called afterwards, or were called when they were removed.
    pub files: BTreeSet<String>,
    /// The former names of renamed files.
    pub renamed: BTreeSet<String>,
}

/// Reads the file names of a diff, as `git -c core.quotepath=off diff` prints it.
///
/// # Errors
///
/// With its line: no file, a name that git quoted, or a header that is not git's.
pub fn touched(diff: &str) -> Result<Touched, EvidenceError> {
    let mut touched = Touched::default();
    let mut renaming = false;
    for (line, text) in (1..).zip(diff.lines()) {
        if let Some(names) = text.strip_prefix("diff --git ") {
            if renaming {
                let message = "the header before this names two files and no rename";
                return Err(EvidenceError::new(message).at(line));
            }
            match same(names) {
                Some(path) => {
                    touched.files.insert(path.to_owned());
                }
                None if names.starts_with('"') => {
                    let message = "git quoted the name of a file; \
                                   print the diff with `git -c core.quotepath=off`";
                    return Err(EvidenceError::new(message).at(line));
                }
                None => renaming = true,
            }
        } else if let Some(path) = text.strip_prefix("rename from ").filter(|_| renaming) {
            touched.renamed.insert(path.to_owned());
        } else if let Some(path) = text
            .strip_prefix("rename to ")
            .or_else(|| text.strip_prefix("copy to "))
            .filter(|_| renaming)
        {
            touched.files.insert(path.to_owned());
            renaming = false;
        } else if renaming && text.starts_with("@@ ") {
            let message = "the header names two files and no rename";
            return Err(EvidenceError::new(message).at(line));
        }
    }
    if renaming {
        return Err(EvidenceError::new("the header names two files and no rename"));
    }
    if touched.files.is_empty() {
        let message = "no `diff --git` header: this is no diff of git's";
        return Err(EvidenceError::new(message).at(1));
    }
    Ok(touched)
}

/// A line that a diff adds and that tells of code from elsewhere (PA-3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admission {
    /// The file.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// The words by which code says where it comes from.
const ORIGINS: [&str; 5] =
    ["adapted from", "copied from", "ported from", "borrowed from", "modified from"];

/// What such a line names: an address, or a project that vLLM is compared with.
const SOURCES: [&str; 5] = ["://", "github.com", "sglang", "tensorrt", "trtllm"];

/// The first added line that tells of code from elsewhere: where it was taken from, or another's
/// copyright. A line that only moved from one place to another is not new.
pub fn admits(diff: &str) -> Option<Admission> {
    let gone: BTreeSet<&str> =
        diff.lines().filter_map(|it| it.strip_prefix('-')).map(str::trim).collect();
    let mut path = "";
    for line in diff.lines() {
        if let Some(named) = line.strip_prefix("diff --git ") {
            path = same(named).unwrap_or(named);
        }
        let Some(added) = line.strip_prefix('+').map(str::trim) else { continue };
        if tells_of_elsewhere(added) && !gone.contains(added) {
            let text = added.chars().take(120).collect();
            return Some(Admission { path: path.to_owned(), text });
        }
    }
    None
}

fn tells_of_elsewhere(line: &str) -> bool {
    let text = line.to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|it| text.contains(it));
    let foreign = text.contains("copyright") && !text.contains("vllm");
    foreign || holds(&ORIGINS) && holds(&SOURCES)
}

/// The one path of `a/PATH b/PATH`; spaces in it do not matter, since both halves are equal.
pub(super) fn same(names: &str) -> Option<&str> {
    let len = names.len().checked_sub(5)? / 2;
    let path = names.strip_prefix("a/")?.get(..len)?;
    (names == format!("a/{path} b/{path}")).then_some(path)
}

/// The kind of a file by its path below the vLLM checkout.
///
/// Tests and docs are that wherever they lie; vLLM code is what lies under `vllm/` and `csrc/`, but
/// not vLLM's own benchmarks. Whatever is left only sets parameters.
pub fn kind(path: &str) -> FileKind {
    let mut parts = path.split('/');
    let leaf = path.rsplit('/').next().unwrap_or(path);
    let leaf_is = |endings: &[&str]| endings.iter().any(|it| leaf.ends_with(it));
    let within = |dir: &str| path.split('/').rev().skip(1).any(|it| it == dir);
    let is_test =
        (leaf.starts_with("test_") || leaf.ends_with("_test.py") || leaf == "conftest.py")
            && leaf_is(&[".py", ".cpp", ".cu", ".rs"]);
    if is_test || within("tests") || within("test") {
        return FileKind::Tests;
    }
    let top = parts.next().unwrap_or_default();
    if top == "docs" || leaf_is(&[".md", ".rst"]) {
        return FileKind::Docs;
    }
    match (top, parts.next()) {
        ("vllm", Some("benchmarks")) => FileKind::Launch,
        ("vllm" | "csrc", Some(_)) if !leaf_is(&[".sh", ".yaml", ".yml"]) => FileKind::Code,
        _ => FileKind::Launch,
    }
}
