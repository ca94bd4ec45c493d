//! The statements that raise objections, read from the sources of the phases.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One `o.raise(…)`, `o.unless(…)` or, in the ranking, `against(…)`.
pub(crate) struct Statement {
    /// The file below `src/phase`.
    pub(crate) file: String,
    /// `Enum.Variant`.
    pub(crate) code: String,
}

/// The reasons of the ranking are raised as one objection, with the clause of each.
const RANKED: &str = "BenchObjection.Unranked";

/// Every statement, in the order of files and lines.
pub(crate) fn statements() -> Vec<Statement> {
    let phases = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/phase");
    let mut files: Vec<_> = fs::read_dir(&phases).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = name.to_owned();
        for start in ["o.raise(", "o.unless("] {
            for (at, _) in text.match_indices(start) {
                let code = code(&text[at..]).unwrap_or_else(|| panic!("{file}: no code at {at}"));
                found.push(Statement { file: file.clone(), code });
            }
        }
        for _ in text.match_indices(" against(") {
            found.push(Statement { file: file.clone(), code: RANKED.to_owned() });
        }
    }
    found
}

/// How many statements raise each objection.
pub(crate) fn count() -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for it in statements() {
        *count.entry(it.code).or_default() += 1;
    }
    count
}

/// The first `SomethingObjection::Variant` of a text, as `SomethingObjection.Variant`.
fn code(text: &str) -> Option<String> {
    let at = text.find("Objection::")?;
    let word = |c: char| c.is_ascii_alphanumeric();
    let name = text[..at].rsplit(|c| !word(c)).next()?;
    let variant = text[at..].strip_prefix("Objection::")?.split(|c| !word(c)).next()?;
    Some(format!("{name}Objection.{variant}"))
}
