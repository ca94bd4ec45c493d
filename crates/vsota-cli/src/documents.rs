//! Which documents does the journal stand behind? All of them are rendered from it, and never read back but
//! for the heads that two of them hold.

use vsota_core::evidence::render;
use vsota_core::text::RelPath;

use crate::chronicle::Chronicle;
use crate::failure::Failure;
use crate::hook::gates::{self, Gates};
use crate::journal::{HOLDERS, rel};
use crate::rundir::{Durable, RunDir};

/// The checkpoint: the one document that is on the disk before anyone is told of an event (CK-1).
pub const CHECKPOINT: &str = HOLDERS[0];

/// Writes every document whose bytes changed and the gates for the hook, the checkpoint last. The lock of the journal is held.
///
/// # Errors
///
/// When a document cannot be written.
pub fn write(run: &RunDir, chronicle: &Chronicle) -> Result<(), Failure> {
    let (last, first): (Vec<_>, Vec<_>) =
        rendered(chronicle)?.into_iter().partition(|(at, _)| at.as_str() == CHECKPOINT);
    let Chronicle { campaign, head, .. } = chronicle;
    let gates = Gates::of(campaign).text(*head, campaign.opening().demo)?;
    for (at, text) in first.into_iter().chain([(rel(gates::PATH)?, gates)]) {
        run.replace(&at, text.as_bytes(), Durable::No)?;
    }
    for (at, text) in last {
        run.replace(&at, text.as_bytes(), Durable::Yes)?;
    }
    Ok(())
}

/// Every document that is due, with its bytes.
///
/// # Errors
///
/// None today; a renderer that could fail would say so here.
pub fn rendered(chronicle: &Chronicle) -> Result<Vec<(RelPath, String)>, Failure> {
    let Chronicle { campaign, entries, head } = chronicle;
    let head = render::JournalHead { seq: head.seq, hash: head.hash };
    let documents = render::documents(&render::Chronicle { campaign, entries, head });
    Ok(documents.into_iter().map(|it| (it.path, it.text)).collect())
}
