//! Which documents does the journal stand behind? All of them are rendered from it, never read back.

use std::fmt::Write as _;

use vsota_core::text::RelPath;

use crate::chronicle::{self, Chronicle};
use crate::failure::Failure;
use crate::journal::{HOLDERS, MARK, rel};
use crate::rundir::{Durable, RunDir};

/// The checkpoint: the one document that is on the disk before anyone is told of an event (CK-1).
pub const CHECKPOINT: &str = HOLDERS[0];

/// Writes every document whose bytes changed, the checkpoint last. The lock of the journal is held.
///
/// # Errors
///
/// When a document cannot be written.
pub fn write(run: &RunDir, chronicle: &Chronicle) -> Result<(), Failure> {
    let (last, first): (Vec<_>, Vec<_>) =
        rendered(chronicle)?.into_iter().partition(|(at, _)| at.as_str() == CHECKPOINT);
    for (at, text) in first {
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
/// When a document has no proper path.
pub fn rendered(chronicle: &Chronicle) -> Result<Vec<(RelPath, String)>, Failure> {
    Ok(vec![(rel(CHECKPOINT)?, checkpoint(chronicle))])
}

fn checkpoint(Chronicle { campaign, head, .. }: &Chronicle) -> String {
    let mut text = String::from("# Checkpoint\n\n");
    let place = chronicle::place(campaign.phase(), chronicle::round(campaign));
    // Writing to a string cannot fail.
    let _ = write!(text, "The campaign is in {place}.\n\n{MARK}{head}\n");
    text
}
