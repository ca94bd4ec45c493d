//! Prints the journal of a long made-up campaign: `long EVENTS > RUN/humanize/lineage.jsonl`.
#![expect(clippy::print_stdout, reason = "it prints")]

use vsota_fixtures::model::long_campaign;

fn main() {
    let events = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(10_000);
    print!("{}", long_campaign(events).jsonl());
}
