//! What did others learn about this model family? (HI-1 … HI-5)
//!
//! The gate is left once; the duty to read SGLang's history can fall due later, inside a round, so
//! the same notes may be taken in every phase that knows the history.

use alloc::collections::BTreeSet;

use super::FixedBenchmark;
use crate::ask::command::{BlockHistory, CloseHistory, NoteCompanion, NoteHistory};
use crate::ask::event::{CompanionNoted, HistoryBlocked, HistoryClosed, HistoryNoted};
use crate::brief::{Base, History};
use crate::facts::*;
use crate::machine::{Decide, Evolve};
use crate::objection::{Objections, objections};
use crate::text::Name;

/// The history so far.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistoryGate {
    base: Base,
}

objections! {
    /// What may stand in the way of history notes.
    pub enum HistoryObjection {
        /// A found history from which nothing was taken.
        [Hi3] NoItems { framework: Framework } "the history of {framework} was found, and no item was taken from it",
        /// An item that lacks a part.
        [Hi3] EmptyPart { item: Name, part: &'static str } "the history item {item} names no {part}",
        /// Two items of one id.
        [Hi3] DoubledItem { item: Name } "the history item {item} is already noted",
        /// Nothing was tried before "none for this family".
        [Hi2] NoSlugTried { framework: Framework } "no slug of {framework}'s history was tried",
        /// A blocker without a place that was tried.
        [Hi5] NothingTried { framework: Framework } "the blocker names no place where {framework}'s history was looked for",
        /// vLLM's history is neither noted nor blocked.
        [Hi1] VllmUnread {} "vLLM's history is neither noted nor blocked",
        /// SGLang's history is neither noted nor blocked.
        [Hi2] SglangUnread {} "SGLang is compared, and its history is neither noted nor blocked",
    }
}

/// A phase in which history may be noted.
pub trait Learns: Sized {
    /// The history so far.
    fn history(&self) -> &History;
    /// The history, to add to it.
    fn history_mut(&mut self) -> &mut History;
}

impl Learns for HistoryGate {
    fn history(&self) -> &History {
        &self.base.history
    }

    fn history_mut(&mut self) -> &mut History {
        &mut self.base.history
    }
}

// --- note-history ---

impl<P: Learns> Decide<NoteHistory> for P {
    fn decide(&self, said: &HistoryNote) -> Result<(), Objections> {
        let framework = said.framework;
        let mut o = Objections::default();
        match &said.outcome {
            HistoryOutcome::Found { items, .. } => {
                o.unless(!items.is_empty(), HistoryObjection::NoItems { framework });
                o.join(whole(items, self.history()));
            }
            HistoryOutcome::NoneForFamily { slugs_tried, .. } => {
                o.unless(!slugs_tried.is_empty(), HistoryObjection::NoSlugTried { framework });
            }
        }
        o.or_agree()
    }
}

/// Every item is new and names all parts of HI-3.
fn whole(items: &[HistoryItem], history: &History) -> Objections {
    let mut o = Objections::default();
    let mut seen: BTreeSet<&Name> = history.items().map(|it| &it.id).collect();
    for it in items {
        let parts = [
            ("path", it.paths.is_empty()),
            ("pull request", it.prs.is_empty()),
            ("source file", it.files.is_empty()),
            ("symbol", it.symbols.is_empty()),
            ("validation risk", it.risks.is_empty()),
        ];
        for (part, empty) in parts {
            let item = it.id.clone();
            o.unless(!empty, HistoryObjection::EmptyPart { item, part });
        }
        let item = it.id.clone();
        let first = seen.insert(&it.id);
        o.unless(first, HistoryObjection::DoubledItem { item });
    }
    o
}

impl<P: Learns> Evolve<HistoryNoted> for P {
    type Next = P;

    fn evolve(mut self, event: HistoryNoted) -> P {
        self.history_mut().notes.push(event.said);
        self
    }
}

// --- block-history ---

impl<P: Learns> Decide<BlockHistory> for P {
    fn decide(&self, said: &HistoryBlock) -> Result<(), Objections> {
        let framework = said.framework;
        let mut o = Objections::default();
        o.unless(!said.tried.is_empty(), HistoryObjection::NothingTried { framework });
        o.or_agree()
    }
}

impl<P: Learns> Evolve<HistoryBlocked> for P {
    type Next = P;

    fn evolve(mut self, event: HistoryBlocked) -> P {
        self.history_mut().blocks.push(event.said);
        self
    }
}

// --- close-history ---

impl Decide<CloseHistory> for HistoryGate {
    fn ready(&self) -> Objections {
        let history = &self.base.history;
        let sglang = self.base.brief.frameworks().contains(&Framework::Sglang);
        let mut o = Objections::default();
        o.unless(history.answers(Framework::Vllm), HistoryObjection::VllmUnread {});
        o.unless(!sglang || history.answers(Framework::Sglang), HistoryObjection::SglangUnread {});
        o
    }

    fn decide(&self, _: &Nothing) -> Result<(), Objections> {
        Ok(())
    }
}

impl Evolve<HistoryClosed> for HistoryGate {
    type Next = FixedBenchmark;

    fn evolve(self, _: HistoryClosed) -> FixedBenchmark {
        FixedBenchmark::after(self.base)
    }
}

// --- note-companion ---

impl Decide<NoteCompanion> for HistoryGate {
    fn decide(&self, _: &Companion) -> Result<(), Objections> {
        Ok(())
    }
}

impl Evolve<CompanionNoted> for HistoryGate {
    type Next = Self;

    fn evolve(mut self, event: CompanionNoted) -> Self {
        self.base.companions.insert(event.said.name, event.said.noted);
        self
    }
}

impl HistoryGate {
    pub(crate) fn after(base: Base) -> Self {
        Self { base }
    }

    /// What is known so far.
    pub fn base(&self) -> &Base {
        &self.base
    }
}
