//! The documents of a campaign, rendered from its journal and from nothing else.
//!
//! [`documents`] is a pure function of the entries: the same journal gives the same bytes, on every
//! machine and at any time (P16). Documents are for people and are never read back, except for the
//! one line `vsota-head: SEQ HASH` that the checkpoint and a claimed or final report hold.
//!
//! Whatever came from outside stands escaped: it can add no row, heading, link, image, HTML or list,
//! and no character of it acts on a terminal (P11, P12).

mod analysis;
mod artefacts;
mod attempts;
mod benchmark;
mod checkpoint;
pub(super) mod escape;
mod figures;
mod history;
mod ideas;
mod kernel;
pub mod machine;
mod manifest;
mod optimizations;
mod page;
mod profiles;
mod report;
mod rows;
mod standing;
mod story;
mod waivers;
mod workload;

use alloc::string::String;
use alloc::vec::Vec;

use crate::artifact::Digest;
use crate::campaign::{Campaign, Entry};
use crate::machine::{Phase, State};
use crate::phase::{Case, InLoop as _};
use crate::text::RelPath;
use story::Story;

/// A journal, whole: what [`documents`] renders.
#[derive(Clone, Copy, Debug)]
pub struct Chronicle<'a> {
    /// The campaign that the entries lead to.
    pub campaign: &'a Campaign,
    /// Every entry, in order.
    pub entries: &'a [Entry],
    /// The last entry and its hash.
    pub head: JournalHead,
}

/// The last entry of a journal, as it is kept outside (CK-1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct JournalHead {
    /// The place of the entry.
    pub seq: u64,
    /// The SHA-256 of its line, as written.
    pub hash: Digest,
}

/// A rendered document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// Where it lies, below the run directory.
    pub path: RelPath,
    /// Its whole text; ends with a newline.
    pub text: String,
}

/// A chronicle with its entries sorted.
struct Book<'a> {
    campaign: &'a Campaign,
    head: JournalHead,
    opened_at: i64,
    story: Story<'a>,
}

/// Every document that is due, in path order (IN-3, LE-1).
///
/// What is not due yet is absent; nothing is rendered as a placeholder.
pub fn documents(chronicle: &Chronicle<'_>) -> Vec<Document> {
    let book = Book::of(chronicle);
    let mut documents = Vec::new();
    let mut add = |path: &str, text: Option<String>| {
        if let (Ok(path), Some(text)) = (RelPath::new(path), text) {
            documents.push(Document { path, text });
        }
    };
    add("manifest.md", Some(manifest::render(&book)));
    add("history/model-pr-history-notes.md", history::render(&book));
    add("benchmark/candidates.jsonl", rows::render(&book));
    add("benchmark/summary.md", benchmark::summary(&book));
    add("benchmark/winning-commands.md", benchmark::winning_commands(&book));
    add("analysis/root-cause.md", analysis::root_cause(&book));
    add("analysis/layer-pipeline.md", analysis::layer_pipeline(&book));
    add("humanize/attempt-ledger.md", attempts::render(&book));
    add("humanize/optimization-ledger.md", optimizations::render(&book));
    add("humanize/source-idea-ledger.md", ideas::render(&book));
    add(CHECKPOINT, Some(checkpoint::render(&book)));
    add(REPORT, Some(report::render(&book)));
    for (path, text) in profiles::render(&book).into_iter().chain(kernel::render(&book)) {
        add(&path, Some(text));
    }
    documents.sort_by(|a, b| a.path.cmp(&b.path));
    documents
}

/// Where the checkpoint lies (CK-1).
const CHECKPOINT: &str = "humanize/model-loop-checkpoint.md";

/// Where the final report lies (RE-1).
const REPORT: &str = "final_report.md";

impl<'a> Book<'a> {
    fn of(chronicle: &Chronicle<'a>) -> Self {
        Self {
            campaign: chronicle.campaign,
            head: chronicle.head,
            opened_at: chronicle.entries.first().map_or(0, |it| it.at),
            story: Story::of(chronicle.entries),
        }
    }

    fn demo(&self) -> bool {
        self.campaign.opening().demo
    }

    fn phase(&self) -> Phase {
        self.campaign.phase()
    }

    /// What the loop knows, once it was entered.
    fn case(&self) -> Option<&'a Case> {
        match self.campaign.state() {
            State::RlcrActive(it) => Some(it.case()),
            State::GapDecision(it) => Some(it.case()),
            State::Profiling(it) => Some(it.case()),
            State::LayerPipeline(it) => Some(it.case()),
            State::KernelAssist(it) => Some(it.case()),
            State::Revalidate(it) => Some(it.case()),
            State::Stopped(it) => it.case(),
            State::Inputs(_) | State::HistoryGate(_) | State::FixedBenchmark(_) => None,
        }
    }
}
