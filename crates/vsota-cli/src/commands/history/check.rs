//! Does the knowledge root hold what a note cites? (HI-1 … HI-3)

use camino::{Utf8Path, Utf8PathBuf};
use vsota_core::Clause;
use vsota_core::evidence::history;
use vsota_core::facts::{HistoryItem, HistoryNote, HistoryOutcome};

use super::query;
use crate::failure::Reason;
use crate::rundir::intake;

/// The most bytes of a cited file.
const PAGE: u64 = 16 << 20;

/// Everything in which a note and its knowledge root disagree; `model` is the campaign's.
pub(super) fn against_root(note: &HistoryNote, model: Option<&str>) -> Vec<Reason> {
    let said = Utf8Path::new(note.root.as_str());
    let Ok(root) = said.canonicalize_utf8() else {
        let found = format!("there is no knowledge root {said}; what is not there is a blocker");
        let help = "vsota history block --framework FRAMEWORK --tried PATH --reason TEXT";
        return vec![reason(Clause::Hi5, found, help)];
    };
    let of_framework = root.join(note.framework.as_str());
    match &note.outcome {
        HistoryOutcome::Found { slug, items } => {
            let mut all = Vec::new();
            if !of_framework.join(slug.as_str()).is_dir() {
                let found = format!("{said} holds no family {}/{slug}", note.framework);
                all.push(reason(Clause::Hi1, found, QUERY));
            }
            all.extend(items.iter().flat_map(|it| item(&root, it)));
            all
        }
        HistoryOutcome::NoneForFamily { slugs_tried, .. } => {
            let there = slugs_tried.iter().filter(|it| of_framework.join(it.as_str()).is_dir());
            let mut all: Vec<Reason> = there
                .map(|it| {
                    let found = format!("{said} holds {}/{it}, which was tried", note.framework);
                    reason(Clause::Hi2, found, QUERY)
                })
                .collect();
            if let Some(model) = model {
                let slugs = query::families(&root, note.framework);
                let choice = history::choose(model, slugs.iter().map(String::as_str));
                all.extend(choice.fitting.first().map(|it| {
                    let found =
                        format!("{said} holds {}/{it}, the family of {model}", note.framework);
                    reason(Clause::Hi2, found, QUERY)
                }));
            }
            all
        }
    }
}

/// What helps: the lookup says which pages there are.
const QUERY: &str = "vsota history query";

fn reason(clause: Clause, found: String, help: &str) -> Reason {
    Reason { clause, found, help: help.to_owned() }
}

/// Every cited file lies below the root, and every pull request occurs in one of them.
fn item(root: &Utf8Path, item: &HistoryItem) -> Vec<Reason> {
    let mut all = Vec::new();
    let mut texts = Vec::new();
    for path in &item.paths {
        match inside(root, path.as_str()).and_then(|it| intake::read(&it, PAGE).ok()) {
            Some(bytes) => texts.push(String::from_utf8_lossy(&bytes).into_owned()),
            None => {
                let found =
                    format!("the item {} cites {path}, which the root does not hold", item.id);
                all.push(reason(Clause::Hi3, found, QUERY));
            }
        }
    }
    for pr in &item.prs {
        if !texts.iter().any(|it| names(it, *pr)) {
            let found = format!("the item {} names #{pr}, which no file it cites holds", item.id);
            all.push(reason(Clause::Hi3, found, QUERY));
        }
    }
    all
}

/// A file below the root, also after its links are followed.
fn inside(root: &Utf8Path, path: &str) -> Option<Utf8PathBuf> {
    let there = root.join(path).canonicalize_utf8().ok()?;
    (there.starts_with(root) && there.is_file()).then_some(there)
}

/// Whether a text names a pull request: `#4242`, not `#42421`.
fn names(text: &str, pr: u32) -> bool {
    let sought = format!("#{pr}");
    text.match_indices(&sought).any(|(at, _)| {
        let after = text.get(at + sought.len()..).and_then(|it| it.chars().next());
        !after.is_some_and(|it| it.is_ascii_digit())
    })
}
