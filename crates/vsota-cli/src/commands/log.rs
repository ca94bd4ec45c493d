//! `vsota log`: the journal, readable.

use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::clock::rfc3339;
use crate::context::Context;
use crate::escape;
use crate::failure::Failure;
use crate::journal::{Care, Head, Reading};
use crate::output::{Outcome, Style, Text};
use crate::refusals::{self, Noted};
use crate::rundir::RunDir;
use vsota_core::Entry;

/// How often a followed journal is looked at.
const PULSE: Duration = Duration::from_millis(200);

/// Show what has happened in the campaign
#[derive(Args, Clone, Copy, Debug)]
pub struct LogArgs {
    /// Go on as events are recorded, until the campaign is stopped
    #[arg(long, conflicts_with = "refusals")]
    follow: bool,

    /// Show what was refused instead
    #[arg(long)]
    refusals: bool,
}

#[derive(Serialize)]
struct LogView<'a> {
    head: Option<Head>,
    entries: &'a [Entry],
    torn_bytes: usize,
}

#[derive(Serialize)]
struct RefusalsView<'a> {
    refusals: &'a [Noted],
}

/// Shows the journal, or the refusals beside it.
///
/// # Errors
///
/// When the journal cannot be read or believed.
pub fn run(context: &Context, args: LogArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    if args.refusals {
        return refused(&run);
    }
    if args.follow {
        return follow(context, &run);
    }
    let (reading, entries, head) = entries(&run)?;
    let mut text = Text::new();
    entries.iter().for_each(|entry| line(&mut text, entry));
    let torn_bytes = reading.torn().len();
    if torn_bytes > 0 {
        text.push(Style::Warn, format!("{torn_bytes} bytes of a torn entry follow")).end();
    }
    Outcome::new(text, &LogView { head, entries: &entries, torn_bytes })
}

fn refused(run: &RunDir) -> Result<Outcome, Failure> {
    let noted = refusals::noted(run)?;
    let mut text = Text::new();
    for Noted { at, phase, command, reasons, .. } in &noted {
        text.push(Style::Dim, rfc3339(*at)).plain("  ").push(Style::Strong, command);
        text.plain(" in ").line(phase);
        for reason in reasons {
            text.plain("  ")
                .plain(&reason.clause)
                .plain("  ")
                .line(escape::brief(&reason.found, 400));
        }
    }
    Outcome::new(text, &RefusalsView { refusals: &noted })
}

/// Streams the entries as they come. Each reading holds the whole journal against its chain.
fn follow(context: &Context, run: &RunDir) -> Result<Outcome, Failure> {
    let mut shown = 0;
    loop {
        let (reading, entries, head) = entries(run)?;
        for entry in entries.get(shown..).unwrap_or_default() {
            let mut text = Text::new();
            line(&mut text, entry);
            if context.output.stream(&text, entry).is_err() {
                // Nobody follows any more.
                return Outcome::new(Text::new(), &LogView { head, entries: &[], torn_bytes: 0 });
            }
        }
        shown = entries.len();
        let stopped = entries
            .last()
            .is_some_and(|it| matches!(it.event, vsota_core::event::Event::CampaignStopped(_)));
        if stopped {
            return Outcome::new(Text::new(), &LogView { head, entries: &entries, torn_bytes: 0 });
        }
        // Of what was read: an entry may have come since.
        let len = (reading.lines().len() + reading.torn().len()) as u64;
        while Reading::len(run)? == len {
            thread::sleep(PULSE);
        }
    }
}

fn entries(run: &RunDir) -> Result<(Reading, Vec<Entry>, Option<Head>), Failure> {
    let reading = Reading::of(run)?;
    let mut entries = Vec::new();
    let links = reading.walk(Care::Chain, |entry| {
        entries.push(entry);
        Ok(())
    })?;
    Ok((reading, entries, links.head()))
}

fn line(text: &mut Text, entry: &Entry) {
    text.plain(format!("{:>5}  ", entry.seq.0)).push(Style::Dim, rfc3339(entry.at));
    text.plain("  ").push(Style::Strong, format!("{:<20}", entry.event.kind()));
    text.plain("  ").line(escape::brief(&detail(entry), 160));
}

/// What the event carries, as it stands in the journal.
fn detail(entry: &Entry) -> String {
    let json = serde_json::to_string(&entry.event).unwrap_or_default();
    let start = json.find(':').map_or(0, |it| it.saturating_add(1));
    json.get(start..).and_then(|it| it.strip_suffix('}')).unwrap_or_default().to_owned()
}
