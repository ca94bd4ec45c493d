//! `humanize/optimization-ledger.md`: only patches that were right and measurably faster (LE-1).

use alloc::string::String;

use super::page::{Grid, Md, Page, md};
use super::{Book, figures, report, standing, workload};

pub(super) fn render(book: &Book<'_>) -> Option<String> {
    book.story.loops.first()?;
    let patches = || book.story.accepted().filter(|(trial, ..)| !trial.is_fixup());
    let mut page = Page::new(book.demo(), Md::own("Optimization ledger"));
    page.say(Md::own("Accepted patches only, each measured in interleaved blocks. No fixups."));
    let mut grid = Grid::new(&[">Round", "Patch", ">Gain", ">Interval", ">Blocks", "Commit"]);
    for (trial, _, accepted) in patches() {
        let gain = &accepted.found.gain;
        let (lo, hi) = (Md::figure(figures::ratio(gain.lo)), Md::figure(figures::ratio(gain.hi)));
        grid.row([
            md!("{}", trial.round),
            Md::code(trial.name()),
            Md::figure(figures::percent(gain.gain_pct.get())),
            md!("{} … {}", lo, hi),
            md!("{}", gain.blocks),
            Md::code(trial.head().commit.short()),
        ]);
    }
    page.table(grid);
    for (trial, _, accepted) in patches() {
        page.section(md!("{}, round {}", Md::code(trial.name()), trial.round));
        let mut grid = Grid::new(&["Scenario", ">New build"]);
        for scenario in standing::scenarios(book) {
            let Some(value) = accepted.found.gain.values.get(&scenario) else { continue };
            let objective = workload::objective(book, &scenario);
            grid.row([Md::code(&scenario), workload::value(objective, *value)]);
        }
        page.table(grid);
        page.list([
            md!("files: {}", report::files(trial.files())),
            md!("tests: {}", report::tests(&trial.tests)),
            md!("commit: {}", Md::code(trial.head().commit.as_str())),
        ]);
    }
    Some(page.finish())
}
