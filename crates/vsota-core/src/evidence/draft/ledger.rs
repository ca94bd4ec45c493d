//! History notes, ideas, attempts and research (HI-3, LE-1 … LE-3).

use alloc::format;
use alloc::vec::Vec;
use core::str::FromStr;

use super::round::Cited;
use super::{DraftKind, Section};
use crate::artifact::Artifact;
use crate::evidence::EvidenceError;
use crate::facts::*;
use crate::text::{Line, Name};

const NONE: &str = "None for this family";

/// Reads a note of one framework's PR history (HI-2, HI-3); `draft` is the filed text.
///
/// # Errors
///
/// With line and field, when a part is missing, unknown or not what it should be.
pub fn history_note(text: &str, draft: Artifact) -> Result<HistoryNote, EvidenceError> {
    let read = DraftKind::HistoryNote.read(text)?;
    let head = read.head();
    let slug: Option<Name> = head.optional("slug")?;
    let mut items = Vec::new();
    for (id, section) in read.each("Item") {
        items.push(item(id, section)?);
    }
    let outcome = match (slug, read.section(NONE)) {
        (Some(slug), None) => HistoryOutcome::Found { slug, items },
        (None, Some(none)) if items.is_empty() => HistoryOutcome::NoneForFamily {
            slugs_tried: none.many("tried")?,
            nearest_rejected: none.optional("nearest-rejected")?,
        },
        (None, None) => {
            let message =
                format!("name the family whose history was found, or add the section `## {NONE}`");
            return Err(head.wrong(Some("slug"), head.line(), message));
        }
        (_, Some(none)) => {
            let message = "the history was found, or there is none: not both";
            return Err(none.wrong(None, none.line(), message));
        }
    };
    let (framework, root) = (head.one("framework")?, head.one("root")?);
    Ok(HistoryNote { framework, root, outcome, draft })
}

fn item(id: &str, section: &Section) -> Result<HistoryItem, EvidenceError> {
    let prs: Vec<PullRequest> = section.many("pr")?;
    Ok(HistoryItem {
        id: id_of(id, section)?,
        paths: section.many("path")?,
        prs: prs.into_iter().map(|it| it.0).collect(),
        files: section.many("file")?,
        symbols: section.many("symbol")?,
        risks: section.many("risk")?,
        decision: section.one("decision")?,
    })
}

/// The name in a heading `## WORD NAME`.
pub(super) fn id_of(id: &str, section: &Section) -> Result<Name, EvidenceError> {
    id.parse().map_err(|error| section.wrong(None, section.line(), error))
}

/// A pull request, as `4242` or `#4242`.
struct PullRequest(u32);

impl FromStr for PullRequest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix('#').unwrap_or(text).parse().ok().filter(|it| *it > 0);
        number.map(Self).ok_or("the number of a pull request is expected")
    }
}

/// Reads a source idea (LE-2); `evidence` is what proves an external cause.
///
/// # Errors
///
/// With line and field, when a part is missing, unknown or not what it should be.
pub fn idea(text: &str, evidence: Option<Artifact>) -> Result<Idea, EvidenceError> {
    let read = DraftKind::Idea.read(text)?;
    let head = read.head();
    Ok(Idea {
        name: head.one("name")?,
        source_path: head.one("source-path")?,
        rows: Cited::all(head.many("row")?),
        layer_rows: Cited::all(head.many("layer-row")?),
        ncu_versions: head.many("ncu")?,
        provenance: head.one("provenance")?,
        history: head.many("history")?,
        fate: head.one("verdict")?,
        reason: head.optional("reason")?,
        evidence,
    })
}

/// Reads a try that never became a patch (LE-1).
///
/// # Errors
///
/// With line and field, when a part is missing, unknown or not what it should be.
pub fn attempt(text: &str) -> Result<Attempt, EvidenceError> {
    let read = DraftKind::Attempt.read(text)?;
    let head = read.head();
    Ok(Attempt {
        name: head.one("name")?,
        rows: Cited::all(head.many("row")?),
        what: read.needed("What was tried")?.prose()?,
        result: head.one("result")?,
    })
}

/// Reads code-first research (LE-3).
///
/// # Errors
///
/// With line and field, when a part is missing, unknown or not what it should be.
pub fn research(text: &str) -> Result<Research, EvidenceError> {
    let read = DraftKind::Research.read(text)?;
    let head = read.head();
    let lines = |key| head.many::<Line>(key);
    let code = lines("code")?;
    // What names no file is prose.
    let parts = |it: &Line| it.as_str().split(',').filter(|part| !part.trim().is_empty()).count();
    if code.iter().any(|it| parts(it) < 2) {
        let message = "a source that was read is a repository and a path in it, and its commit where known: a/b, x.py, c0ffee";
        return Err(head.wrong(Some("code"), head.line(), message));
    }
    let mut sources: Vec<_> = code.into_iter().map(ResearchSource::Code).collect();
    sources.extend(lines("pull-request")?.into_iter().map(ResearchSource::PullRequest));
    sources.extend(lines("article")?.into_iter().map(ResearchSource::Article));
    if sources.is_empty() {
        let message = "the research names nothing that was read";
        return Err(head.wrong(Some("code"), head.line(), message));
    }
    Ok(Research { sources, findings: read.needed("Findings")?.prose()? })
}
