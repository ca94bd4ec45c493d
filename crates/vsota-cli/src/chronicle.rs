//! What does the whole journal say? The campaign that it leads to, with every entry on the way.

use serde::Serialize;
use vsota_core::command::CommandKind;
use vsota_core::event::Event;
use vsota_core::{Campaign, Entry, Phase};

use crate::failure::{Failure, Reason};
use crate::help;
use crate::journal::{Care, Head, Reading};

/// A journal, read and folded.
#[derive(Clone, Debug)]
pub struct Chronicle {
    /// Where the journal leads.
    pub campaign: Campaign,
    /// Every entry, in order.
    pub entries: Vec<Entry>,
    /// The last entry and its hash.
    pub head: Head,
}

/// A command that has an edge from here, and what stands in its way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Next {
    /// The command, as it is typed.
    pub command: &'static str,
    /// Whether nothing stands in the way before the command has said anything.
    pub ready: bool,
    /// What stands in the way.
    pub unmet: Vec<Reason>,
}

impl Chronicle {
    /// Folds a journal, and keeps its entries.
    ///
    /// # Errors
    ///
    /// Integrity when the journal cannot be believed.
    pub fn of(reading: &Reading) -> Result<Self, Failure> {
        let mut entries: Vec<Entry> = Vec::with_capacity(reading.lines().len() / 1_024);
        let folded = fold(reading, |entry| {
            entries.push(entry.clone());
            entry.event
        })?;
        Ok(Self { campaign: folded.0, entries, head: folded.1 })
    }
}

/// The campaign that a journal leads to, and its head; no entry is kept.
///
/// # Errors
///
/// Integrity when the journal cannot be believed.
pub fn campaign(reading: &Reading) -> Result<(Campaign, Head), Failure> {
    fold(reading, |entry| entry.event)
}

/// Folds a journal; `take` sees each entry before its event moves into the campaign.
fn fold(
    reading: &Reading,
    mut take: impl FnMut(Entry) -> Event,
) -> Result<(Campaign, Head), Failure> {
    let mut campaign: Option<Campaign> = None;
    let links = reading.walk(Care::Chain, |entry| {
        let seq = entry.seq;
        let event = take(entry);
        let next = match campaign.take() {
            None => Campaign::begin(seq, &event),
            Some(campaign) => campaign.follow(seq, event),
        };
        campaign = Some(next.map_err(|error| error.to_string())?);
        Ok(())
    })?;
    campaign.zip(links.head()).ok_or_else(|| Failure::no_campaign("the journal is empty"))
}

/// The round that a campaign is in: 0 before the first, then the number of the last opened one.
pub fn round(campaign: &Campaign) -> u32 {
    campaign.state().round().unwrap_or(0)
}

/// Every command that has an edge from here: those that are ready first, and of these last what leads
/// out of the round or the loop.
///
/// What is typed the same is one: `gap decide` asks for profiling or for a verdict, and is ready when
/// either is.
pub fn next(campaign: &Campaign) -> Vec<Next> {
    let mut admitted = judged(campaign, campaign.phase().admits());
    admitted.sort_by_key(|it| (!it.ready, leads_out(it.command)));
    admitted
}

/// Commands, each with what stands in its way, whether the phase admits it or not.
pub fn judged(campaign: &Campaign, kinds: impl Iterator<Item = CommandKind>) -> Vec<Next> {
    merged(kinds.map(|kind| one(campaign, kind)))
}

/// Whether it is there for when nothing else helps.
fn leads_out(command: &str) -> bool {
    use CommandKind as C;
    let out = [C::ReenterLoop, C::RejectPatch, C::RetryPatch, C::AbandonRound, C::ClaimStop];
    let out = out.map(help::typed);
    out.contains(&command) || command.starts_with("vsota stop ")
}

fn merged(rows: impl Iterator<Item = Next>) -> Vec<Next> {
    let mut merged: Vec<Next> = Vec::new();
    for row in rows {
        let Some(same) = merged.iter_mut().find(|it| it.command == row.command) else {
            merged.push(row);
            continue;
        };
        same.ready |= row.ready;
        for reason in row.unmet {
            if !same.unmet.contains(&reason) {
                same.unmet.push(reason);
            }
        }
        if same.ready {
            same.unmet.clear();
        }
    }
    merged
}

fn one(campaign: &Campaign, kind: CommandKind) -> Next {
    let unmet = help::unready(campaign, kind);
    let command = match (kind, campaign.phase()) {
        // Before the loop nothing was claimed that could be confirmed.
        (CommandKind::StopCampaign, Phase::FixedBenchmark) => help::STOP_EARLY,
        _ => help::typed(kind),
    };
    Next { command, ready: unmet.is_empty(), unmet }
}

/// The phase and the round, for people.
pub fn place(phase: Phase, round: u32) -> String {
    if round == 0 { phase.to_string() } else { format!("{phase}, round {round}") }
}

#[cfg(test)]
mod tests {
    use vsota_core::Clause;

    use super::*;

    #[test]
    fn what_is_typed_the_same_is_one_row() {
        let reason = |found: &str| Reason {
            clause: Clause::Gd3,
            found: found.to_owned(),
            help: String::from("vsota next"),
        };
        let row = |command, unmet: &[&str]| Next {
            command,
            ready: unmet.is_empty(),
            unmet: unmet.iter().map(|it| reason(it)).collect(),
        };
        let rows = |rows: &[Next]| merged(rows.iter().cloned());
        let unmet = rows(&[row("a", &["x", "y"]), row("b", &[]), row("a", &["y", "z"])]);
        assert_eq!(unmet, [row("a", &["x", "y", "z"]), row("b", &[])]);
        for pair in [[row("a", &["x"]), row("a", &[])], [row("a", &[]), row("a", &["x"])]] {
            assert_eq!(rows(&pair), [row("a", &[])]);
        }
    }
}
