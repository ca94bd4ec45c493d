//! Programs that write files by the way: formatters and fetchers.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::commands::{base, is_file};
use super::{Deed, Place};

/// Formatters, and the words of which one makes them write; none: they write unless they are told to look.
const FORMATTERS: &[(&str, &[&str])] = &[
    ("black", &[]),
    ("isort", &[]),
    ("ruff", &["format", "--fix", "--fix-only"]),
    ("clang-format", &["-i"]),
    ("yapf", &["-i", "--in-place"]),
    ("autopep8", &["-i", "--in-place"]),
    ("2to3", &["-w", "--write"]),
];

/// Words with which any formatter only looks, and short ones of one.
const LOOKS: &[&str] = &["--check", "--check-only", "--diff", "--dry-run", "--version"];
const SHORT: &[(&str, &str)] =
    &[("isort", "-c"), ("yapf", "-d"), ("autopep8", "-d"), ("clang-format", "-n")];

/// Options after which the file is named that is written.
const OUTPUTS: &[(&str, &[&str])] = &[
    ("curl", &["-o", "--output"]),
    ("wget", &["-O", "--output-document"]),
    ("aria2c", &["-o", "--out"]),
    ("sort", &["-o", "--output"]),
];

/// What such a program writes.
pub(super) fn deeds(name: &str, rest: &[String], at: &Place) -> Vec<Deed> {
    if let Some((_, writes)) = FORMATTERS.iter().find(|(it, _)| *it == name) {
        let has = |words: &[&str]| rest.iter().any(|it| words.contains(&it.as_str()));
        let short = SHORT.iter().filter(|(it, _)| *it == name).any(|(_, word)| has(&[word]));
        if short || has(LOOKS) || !(writes.is_empty() || has(writes)) {
            return Vec::new();
        }
        let verbs = ["format", "check"];
        let mut files: Vec<&str> = rest.iter().filter(|it| is_file(it)).map(|it| &**it).collect();
        files.retain(|it| name != "ruff" || !verbs.contains(it));
        if files.is_empty() {
            files.push(".");
        }
        return files.into_iter().map(|it| Deed::Patch(at.join(it))).collect();
    }
    let Some((_, options)) = OUTPUTS.iter().find(|(it, _)| *it == name) else { return Vec::new() };
    let mut written = Vec::new();
    for (word, next) in rest.iter().zip(rest.iter().skip(1).map(Some).chain([None])) {
        if options.contains(&word.as_str()) {
            written.extend(next.cloned());
        }
        // Letters run together, `-fsSLo FILE`, and a name that is joined to its letter, `-oFILE`.
        let letter = options.first().and_then(|it| it.chars().last()).unwrap_or_default();
        let letters = word.strip_prefix('-').filter(|it| !it.starts_with('-'));
        match letters.and_then(|it| it.split_once(letter)) {
            Some((before, "")) if !before.is_empty() => written.extend(next.cloned()),
            Some((_, file)) if !file.is_empty() => written.push(file.to_owned()),
            _ => {}
        }
        let joined = options.iter().filter(|it| it.starts_with("--"));
        let joined = joined.filter_map(|it| word.strip_prefix(it)?.strip_prefix('='));
        written.extend(joined.map(str::to_owned));
    }
    // Without a name the file is called as the address ends.
    let fetches = match name {
        "curl" => rest.iter().any(|it| it == "-O" || it == "--remote-name"),
        "wget" => written.is_empty(),
        _ => false,
    };
    if fetches {
        let addresses = rest.iter().filter(|it| it.contains("://"));
        written.extend(addresses.map(|it| base(it).to_owned()));
    }
    written.iter().map(|it| Deed::Write(at.join(it))).collect()
}
