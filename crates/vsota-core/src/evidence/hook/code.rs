//! What would a few lines of Python or Perl do? Only what their strings and their calls give away.

use alloc::string::String;
use alloc::vec::Vec;

use super::commands::of_script;
use super::{Deed, Place};

/// Calls that change files whatever their arguments.
const WRITES: &[&str] = &[
    "write_text",
    "write_bytes",
    ".write(",
    "writelines",
    "writeFile",
    "appendFile",
    "os.rename",
    "os.replace",
    "os.remove",
    "os.unlink",
    "shutil.move",
    "shutil.rmtree",
    "inplace",
    ".unlink(",
    "File.write",
];

/// Calls that write what they name last.
const COPIES: &[&str] = &["shutil.copy", "copyfile(", "copytree(", "copySync(", "FileUtils.cp"];

/// Calls that start another program.
const STARTS: &[&str] = &["os.system", "subprocess", "os.popen", "child_process", "system("];

/// The deeds of a piece of code: files that it names where it writes, commands where it starts them.
pub(super) fn deeds(code: &str, at: &Place, depth: usize, deeds: &mut Vec<Deed>) {
    let strings = strings(code);
    if WRITES.iter().any(|it| code.contains(it)) || opens_to_write(code) {
        let paths =
            strings.iter().filter(|it| it.contains('/') && !it.contains(char::is_whitespace));
        deeds.extend(paths.map(|it| Deed::Write(at.join(it))));
    }
    for copy in COPIES {
        for (start, _) in code.match_indices(copy) {
            let call = code.get(start..).unwrap_or_default();
            let named = self::strings(call.split(')').next().unwrap_or_default());
            // Where the destination is no string, nothing is known about it.
            let to = named.get(1).filter(|it| it.contains('/'));
            deeds.extend(to.map(|it| Deed::Write(at.join(it))));
        }
    }
    if STARTS.iter().any(|it| code.contains(it)) {
        for it in &strings {
            of_script(it, at, depth.saturating_add(1), deeds);
        }
        // A list of words is one command.
        of_script(&strings.join(" "), at, depth.saturating_add(1), deeds);
    }
}

/// Whether a file is opened in a mode that writes.
fn opens_to_write(code: &str) -> bool {
    code.match_indices("open(").any(|(start, _)| {
        let call = code.get(start..).unwrap_or_default();
        let call = call.split(')').next().unwrap_or_default();
        let modes = strings(call);
        modes.iter().any(|it| {
            let mode = |c: char| "wabx+rt".contains(c);
            !it.is_empty()
                && it.len() <= 3
                && it.chars().all(mode)
                && it.contains(['w', 'a', 'x', '+'])
        })
    })
}

/// The quoted strings of a piece of code.
fn strings(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code.chars();
    while let Some(c) = rest.next() {
        if c != '\'' && c != '"' {
            continue;
        }
        let mut text = String::new();
        while let Some(next) = rest.next() {
            match next {
                '\\' => text.extend(rest.next()),
                next if next == c => break,
                next => text.push(next),
            }
        }
        if !text.is_empty() {
            found.push(text);
        }
    }
    found
}
