//! The machine touches nothing outside itself: read from its sources.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The code of every source file, without comments, by its path below `src`.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 40, "{} source files were found", paths.len());
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|it| it.split("//").next().unwrap_or_default());
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        (name, lines.collect::<Vec<_>>().join("\n"))
    };
    paths.iter().map(read).collect()
}

fn in_evidence(name: &str) -> bool {
    name.starts_with("evidence/")
}

/// Whether the word stands in the code by itself: `std`, not `stdout`.
fn names(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// Every path that begins with `std::`, as far as it is written out.
fn std_paths(code: &str) -> Vec<String> {
    let part = |c: &char| c.is_alphanumeric() || *c == '_' || *c == ':';
    // A text that begins so is a name that somebody else wrote: a kernel's.
    let paths = code.match_indices("std::").filter(|(at, _)| !code[..*at].ends_with('"'));
    paths.map(|(at, _)| code[at..].chars().take_while(part).collect()).collect()
}

#[test]
fn the_crate_is_without_std() {
    let lib = code().into_iter().find(|(name, _)| name == "lib.rs").unwrap().1;
    assert!(lib.contains("#![no_std]"));
}

#[test]
fn std_is_named_nowhere_but_in_evidence() {
    for (name, code) in code().iter().filter(|(name, _)| !in_evidence(name)) {
        assert!(!names(code, "std"), "{name} names std");
    }
}

#[test]
fn evidence_names_of_std_only_the_traits_and_errors_of_io() {
    for (name, code) in code().iter().filter(|(name, _)| in_evidence(name)) {
        for path in std_paths(code) {
            assert!(path.starts_with("std::io"), "{name} names {path}");
        }
        for outside in ["io::stdin", "io::stdout", "io::stderr", "io::Stdin", "io::pipe"] {
            assert!(!code.contains(outside), "{name} names {outside}");
        }
    }
}

#[test]
fn the_machine_never_imports_a_decoder() {
    let machine = |name: &str| !in_evidence(name) && name != "lib.rs";
    for (name, code) in code().iter().filter(|(name, _)| machine(name)) {
        let imports = code.contains("evidence::") || code.contains("{evidence");
        assert!(!imports, "{name} names a decoder");
    }
}

#[test]
fn nothing_is_unsafe_and_nothing_depends_on_the_order_of_a_hash() {
    for (name, code) in code() {
        for word in ["HashMap", "HashSet"] {
            assert!(!names(&code, word), "{name} names {word}");
        }
        // A message may hold the word.
        for form in ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"] {
            assert!(!code.contains(form), "{name} has {form}");
        }
    }
}
