//! What each kind of draft holds: one table, from which drafts are checked and skeletons printed.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::near::unknown;
use super::{Draft, Section};
use crate::evidence::EvidenceError;
use crate::facts::{Framework, HotKernel, ProfileRow, Table};
use crate::text::Name;

/// The kinds of draft.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum DraftKind {
    /// What a framework's PR history says (HI-3).
    HistoryNote,
    /// What explains the gap (PR-6).
    RootCause,
    /// The kernel to look into (KA-2).
    KernelTarget,
    /// What NCU says of a candidate (KA-3).
    NcuDigest,
    /// A source idea (LE-2).
    Idea,
    /// A try that never became a patch (LE-1).
    Attempt,
    /// Code-first research (LE-3).
    Research,
    /// The story of a patch (PA-2 … PA-5).
    Patch,
}

/// What is known of the round, to fill a skeleton with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The rows of the profiles.
    pub rows: &'a [ProfileRow],
    /// The hot kernels of the layer report.
    pub layer_rows: &'a [HotKernel],
    /// The noted history items.
    pub history: &'a [Name],
    /// The slow scenario.
    pub scenario: Option<&'a Name>,
}

/// What a kind of draft holds.
pub(super) struct Form {
    title: &'static str,
    head: &'static [Key],
    parts: &'static [Part],
}

/// A section.
struct Part {
    name: &'static str,
    shape: Shape,
    need: Need,
    hint: &'static str,
}

enum Shape {
    /// Bullets.
    List(Fill),
    /// Text.
    Prose,
    /// `- key: value`.
    Keys(&'static [Key]),
    /// The same, in one section `NAME ID` for each.
    Each(&'static [Key]),
}

/// A key of `- key: value`.
struct Key {
    name: &'static str,
    need: Need,
    fill: Fill,
    hint: &'static str,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Need {
    /// Without it there is no fact.
    Must,
    /// It may be missing.
    May,
    /// It may be missing, and is in the skeleton as a comment.
    Aside,
}

/// What a skeleton puts there.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fill {
    Nothing,
    Rows,
    KernelRows,
    LayerRows,
    History,
    Scenario,
}

use Fill::{History, KernelRows, LayerRows, Nothing, Rows, Scenario};
use Need::{Aside, May, Must};

const fn must(name: &'static str, hint: &'static str) -> Key {
    Key { name, need: Must, fill: Nothing, hint }
}

const fn may(name: &'static str, hint: &'static str) -> Key {
    Key { name, need: May, fill: Nothing, hint }
}

const fn filled(key: Key, fill: Fill) -> Key {
    Key { fill, ..key }
}

const fn part(name: &'static str, shape: Shape, need: Need, hint: &'static str) -> Part {
    Part { name, shape, need, hint }
}

const HISTORY_NOTE: Form = Form {
    title: "History note",
    head: &[
        must("framework", "vllm or sglang"),
        must("root", "the knowledge root that was searched"),
        may("slug", "the family whose history was found"),
    ],
    parts: &[
        part(
            "Item",
            Shape::Each(&[
                may("path", "a file that was read, below the root; once for each"),
                may("pr", "the number of a pull request; once for each"),
                may("file", "a source file; once for each"),
                may("symbol", "a symbol; once for each"),
                may("risk", "a validation risk; once for each"),
                must("decision", "the decision that it influences"),
            ]),
            May,
            "one section `## Item NAME` for each thing learnt; patches cite the name",
        ),
        part(
            "None for this family",
            Shape::Keys(&[
                may("tried", "a slug that was tried; once for each"),
                may("nearest-rejected", "the nearest family, and not this one"),
            ]),
            Aside,
            "instead of slug and items, when the root has no history of the family",
        ),
    ],
};

const ROOT_CAUSE: Form = Form {
    title: "Root cause",
    head: &[
        must("stage", "the slower one: prefill, decode or mixed"),
        may(
            "stage-because",
            "why it is another than the one in which vllm loses the most GPU time against the leader",
        ),
        may(
            "estimated-gap-pct",
            "percent of the gap that the rows explain; needed while the gap is not proven",
        ),
    ],
    parts: &[
        part(
            "Rows",
            Shape::List(Rows),
            Must,
            "the rows that explain the gap; delete the others. What follows an id is for people",
        ),
        part("Sources", Shape::List(Nothing), Must, "vLLM source paths or kernel families"),
        part("Explanation", Shape::Prose, Must, "how the rows explain the gap"),
    ],
};

const KERNEL_TARGET: Form = Form {
    title: "Kernel target",
    head: &[
        must("name", "a short name, used in paths"),
        must("kind", "cuda, triton, cute, cutlass, tilelang or torch.compile"),
        filled(may("row", "a vllm kernel row of the slower stage; once for each"), KernelRows),
        may("shared-source", "the implementation that a family shares, where no row holds 1 %"),
        may("profiler-falls-short", "why torch-profiler evidence is not enough"),
        may("reference", "what a correct result is compared with"),
        may("shape", "a shape from the model run; once for each"),
        may("dtype", "a dtype from the model run; once for each"),
        may("layout", "a layout from the model run; once for each"),
        may("wiring", "the path that wires the candidate into the serving code"),
        may("harness", "the focused harness that exists or was built"),
    ],
    parts: &[],
};

const NCU_DIGEST: Form = Form {
    title: "NCU digest",
    head: &[may("version", "the number of this candidate; the next one by default")],
    parts: &[
        part("Baseline", Shape::List(Nothing), Must, "duration samples in microseconds"),
        part("Candidate", Shape::List(Nothing), Must, "as many, of the candidate"),
        part("Findings", Shape::Prose, Must, "what the comparison says"),
        part("Next edit", Shape::List(Nothing), Must, "exactly one"),
    ],
};

const IDEA: Form = Form {
    title: "Idea",
    head: &[
        must("name", "a short name; the same name again changes the verdict"),
        must("source-path", "the source that was read"),
        must("provenance", "where it comes from: repository and commit"),
        must("verdict", "open, taken, rejected or external"),
        may("reason", "why it was rejected or is external"),
        filled(may("row", "a profiler row that led to it; once for each"), Rows),
        filled(may("layer-row", "a row of the layer report; once for each"), LayerRows),
        may("ncu", "the version of an NCU digest; once for each"),
        filled(may("history", "a history item that influenced it; once for each"), History),
    ],
    parts: &[],
};

const ATTEMPT: Form = Form {
    title: "Attempt",
    head: &[
        must("name", "a short name"),
        must("result", "partial, rejected or failed"),
        filled(may("row", "a profiler row that it aimed at; once for each"), Rows),
    ],
    parts: &[part("What was tried", Shape::Prose, Must, "what was done, and what came of it")],
};

const RESEARCH: Form = Form {
    title: "Research",
    head: &[
        may("code", "a source file that was read, repository and commit; once for each"),
        may("pull-request", "a pull request that was read; once for each"),
        may("article", "prose that was read; never enough alone"),
    ],
    parts: &[part("Findings", Shape::Prose, Must, "what it showed")],
};

const PATCH: Form = Form {
    title: "Patch",
    head: &[
        must("name", "a short name"),
        filled(must("symptom", "the scenario that it answers"), Scenario),
        filled(must("profiler-row", "the row that it answers"), Rows),
        filled(must("layer-row", "the row of the layer report that it answers"), LayerRows),
        must("source-path", "the changed file that matters"),
        must("expected-effect", "what it is expected to do"),
        must("weakens-correctness", "no, or yes: does it weaken a check or the output quality"),
        may(
            "checks-gone-because",
            "where the diff takes tests, checks or tolerances away: why what is left is as strong",
        ),
        may("not-local-because", "why it touches many files"),
    ],
    parts: &[
        part(
            "History",
            Shape::Keys(&[
                filled(may("item", "a noted item that influenced it; once for each"), History),
                may("none-applicable", "or why none did"),
            ]),
            Must,
            "what influenced it",
        ),
        part(
            "Kernel",
            Shape::Each(&[
                filled(may("row", "a vllm kernel row of the slower stage"), KernelRows),
                may("shared-source", "the implementation that a family shares"),
                must("new-kernel", "its name in the profile of the new build"),
                may("correctness-test", "its focused correctness test"),
            ]),
            Aside,
            "for a patch of a kernel: `## Kernel NAME`, as in its target or blocker",
        ),
        part(
            "Copied",
            Shape::Each(&[
                may("provenance", "repository, path, commit"),
                may("licence", "its licence"),
                may("local-delta", "what was changed here"),
            ]),
            Aside,
            "for code from elsewhere: one section `## Copied NAME` for each piece",
        ),
    ],
};

impl DraftKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::HistoryNote,
        Self::RootCause,
        Self::KernelTarget,
        Self::NcuDigest,
        Self::Idea,
        Self::Attempt,
        Self::Research,
        Self::Patch,
    ];

    pub(super) const fn form(self) -> &'static Form {
        match self {
            Self::HistoryNote => &HISTORY_NOTE,
            Self::RootCause => &ROOT_CAUSE,
            Self::KernelTarget => &KERNEL_TARGET,
            Self::NcuDigest => &NCU_DIGEST,
            Self::Idea => &IDEA,
            Self::Attempt => &ATTEMPT,
            Self::Research => &RESEARCH,
            Self::Patch => &PATCH,
        }
    }

    /// The title that such a draft begins with.
    pub const fn title(self) -> &'static str {
        self.form().title
    }

    /// Reads a draft of this kind: every section and key is known and none is missing.
    ///
    /// # Errors
    ///
    /// With line and field; an unknown name comes with the nearest known one.
    pub fn read(self, text: &str) -> Result<Draft, EvidenceError> {
        let draft = Draft::parse(text)?;
        self.form().check(&draft)?;
        Ok(draft)
    }
}

impl Form {
    fn check(&self, draft: &Draft) -> Result<(), EvidenceError> {
        let title = draft.title().split(':').next().unwrap_or_default().trim();
        if !title.eq_ignore_ascii_case(self.title) {
            let message =
                format!("this draft is titled `{}`; `# {}` is expected", draft.title(), self.title);
            return Err(EvidenceError::new(message).at(draft.title.line));
        }
        keys(&draft.head, self.head)?;
        let mut seen = BTreeSet::new();
        for section in &draft.sections {
            let heading = section.heading().to_ascii_lowercase();
            if !seen.insert(heading) {
                let message = "a section of this name stands here a second time";
                return Err(section.wrong(None, section.line(), message));
            }
            self.part(section)?.check(section)?;
        }
        for part in self.parts.iter().filter(|it| it.need == Must) {
            if draft.section(part.name).is_none() {
                let message = format!("the section `## {}` is missing", part.name);
                return Err(EvidenceError::new(message).at(draft.title.line).of(part.name));
            }
        }
        Ok(())
    }

    fn part(&self, section: &Section) -> Result<&Part, EvidenceError> {
        let named = |part: &&Part| match part.shape {
            Shape::Each(_) => section.id(part.name).is_some(),
            _ => section.heading().eq_ignore_ascii_case(part.name),
        };
        if let Some(part) = self.parts.iter().find(named) {
            return Ok(part);
        }
        let bare = |part: &&Part| section.heading().eq_ignore_ascii_case(part.name);
        let message = match self.parts.iter().find(bare) {
            Some(part) => format!("the heading lacks its name: `## {} NAME`", part.name),
            None => unknown("section", section.heading(), self.parts.iter().map(|it| it.name)),
        };
        Err(section.wrong(None, section.line(), message))
    }
}

impl Part {
    fn check(&self, section: &Section) -> Result<(), EvidenceError> {
        match self.shape {
            Shape::List(_) => section.bullets().map(drop),
            Shape::Prose => section.prose().map(drop),
            Shape::Keys(known) | Shape::Each(known) => keys(section, known),
        }
    }
}

/// Only known keys stand in the section.
fn keys(section: &Section, known: &[Key]) -> Result<(), EvidenceError> {
    for (name, bullet) in section.entries()? {
        if !known.iter().any(|it| it.name == name) {
            let message = unknown("key", &name, known.iter().map(|it| it.name));
            return Err(section.wrong(Some(&name), bullet.line, message));
        }
    }
    Ok(())
}

/// The skeleton of a draft, with what is known of the round filled in.
pub fn template(kind: DraftKind, known: &Known<'_>) -> String {
    let form = kind.form();
    let mut text = format!("# {}\n", form.title);
    hints(&mut text, "", form.head);
    bullets(&mut text, form.head, known);
    for part in form.parts {
        // Writing to a string cannot fail.
        let _ = match part.need {
            Aside => write!(text, "\n<!-- {}\n", part.hint),
            Must | May => write!(text, "\n## {}\n", heading(part)),
        };
        if part.need == Aside {
            let _ = writeln!(text, "## {}", heading(part));
        }
        let keys = match part.shape {
            Shape::Keys(keys) | Shape::Each(keys) => keys,
            Shape::List(_) | Shape::Prose => &[],
        };
        if part.need == Aside {
            for key in keys {
                let _ = writeln!(text, "- {}:   ({})", key.name, key.hint);
            }
            text.push_str("-->\n");
            continue;
        }
        hints(&mut text, part.hint, keys);
        bullets(&mut text, keys, known);
        if let Shape::List(fill) = part.shape {
            let values = values(fill, known);
            for value in values.iter().map(String::as_str).chain(values.is_empty().then_some("")) {
                let _ = writeln!(text, "{}", format!("- {value}").trim_end());
            }
        }
    }
    text
}

fn heading(part: &Part) -> String {
    match part.shape {
        Shape::Each(_) => format!("{} NAME", part.name),
        _ => part.name.to_string(),
    }
}

fn hints(text: &mut String, first: &str, keys: &[Key]) {
    let lines = keys.iter().map(|it| format!("{}: {}", it.name, it.hint));
    let first = (!first.is_empty()).then(|| first.to_string());
    let lines: Vec<String> = first.into_iter().chain(lines).collect();
    let _ = write!(text, "\n<!-- {} -->\n\n", lines.join("\n     "));
}

fn bullets(text: &mut String, keys: &[Key], known: &Known<'_>) {
    for key in keys {
        let values = values(key.fill, known);
        let single = key.need == Must || values.is_empty();
        let shown = values.iter().take(if single { 1 } else { usize::MAX });
        for value in shown.map(String::as_str).chain(values.is_empty().then_some("")) {
            let _ = writeln!(text, "{}", format!("- {}: {value}", key.name).trim_end());
        }
    }
}

fn values(fill: Fill, known: &Known<'_>) -> Vec<String> {
    let row = |it: &ProfileRow| {
        let percent = it.share.get() * 100.0;
        format!("{}  {} ({percent:.1} %)", it.row, it.name)
    };
    let vllm_kernel =
        |it: &&ProfileRow| (it.row.framework, it.row.table) == (Framework::Vllm, Table::Kernel);
    match fill {
        Nothing => Vec::new(),
        Rows => known.rows.iter().map(row).collect(),
        KernelRows => known.rows.iter().filter(vllm_kernel).map(row).collect(),
        LayerRows => known.layer_rows.iter().map(|it| format!("{}  {}", it.row, it.name)).collect(),
        History => known.history.iter().map(ToString::to_string).collect(),
        Scenario => known.scenario.iter().map(ToString::to_string).collect(),
    }
}
