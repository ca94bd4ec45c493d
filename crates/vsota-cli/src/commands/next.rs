//! `vsota next`: what may be done, and what stands in the way of the rest.

use clap::Args;
use serde::Serialize;
use vsota_core::Phase;

use crate::chronicle::{self, Next};
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Head;
use crate::output::{Outcome, Style, Text};

/// Show the commands that the phase admits, and the unmet guards of each
#[derive(Args, Clone, Copy, Debug)]
pub struct NextArgs {}

#[derive(Serialize)]
pub(super) struct View {
    pub(super) phase: Phase,
    pub(super) round: u32,
    pub(super) head: Head,
    pub(super) next: Vec<Next>,
}

/// Shows what is next.
///
/// # Errors
///
/// When the journal cannot be read or believed.
pub fn run(context: &Context, _: NextArgs) -> Result<Outcome, Failure> {
    let (_, reading) = context.reading()?;
    let (campaign, head) = chronicle::campaign(&reading)?;
    let (phase, round) = (campaign.phase(), chronicle::round(&campaign));
    let next = chronicle::next(&campaign);
    let mut text = Text::new();
    text.plain("phase     ").push(Style::Strong, chronicle::place(phase, round)).end();
    super::status::list(&mut text, &next);
    Outcome::new(text, &View { phase, round, head, next })
}
