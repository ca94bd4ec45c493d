//! Everything that was waived, blocked or left out: shown in full, wherever a verdict is shown.

use alloc::vec::Vec;

use super::Book;
use super::manifest::excluded;
use super::page::{Md, md};
use super::story::Ncu;
use crate::facts::*;
use crate::{Clause, Seq};

/// Every waiver, with its clause.
pub(super) fn all(book: &Book<'_>) -> Vec<Md> {
    let mut found = waivers(book);
    found.extend(blockers(book));
    found
}

/// What was waived or left out of the comparison.
fn waivers(book: &Book<'_>) -> Vec<Md> {
    let story = &book.story;
    let mut found: Vec<Md> =
        story.exclusions.iter().map(|it| md!("{}: {}", Clause::In4, excluded(it))).collect();
    for it in story.loops.iter().filter(|it| it.said.handshake != Handshake::Strict) {
        let dir = it.said.active.as_ref().map_or(Md::none(), |it| Md::code(&it.dir));
        let clause = Clause::Rl6;
        found.push(md!(
            "{}: the loop {} entered by the handshake {}, not strict success",
            clause,
            dir,
            it.said.handshake
        ));
    }
    for it in &story.rigs {
        let changed = Md::text(&it.said.changed);
        let noted = md!("{}: the rig was changed in round {}: {}", Clause::Gd7, it.round, changed);
        found.push(match behind(book, it.seq) {
            Some(rounds) => md!(
                "{}; vLLM had been behind on this build in {}, which a changed rig does not undo",
                noted,
                rounds
            ),
            None => noted,
        });
    }
    for it in &story.waived {
        let (name, reason) = (Md::own(it.said.framework.title()), Md::text(&it.said.reason));
        let log = Md::code(&it.said.log.path);
        found.push(md!(
            "{}: no profile of {} in round {}: {} ({})",
            Clause::Pr8,
            name,
            it.round,
            reason,
            log
        ));
    }
    for trial in &story.trials {
        for test in trial.tests.iter().flat_map(|it| &it.waived) {
            let (name, reason) = (Md::code(&test.name), Md::text(&test.reason));
            let of = Md::code(trial.name());
            found.push(md!(
                "{}: the failing test {} of {} is known: {}",
                Clause::Rv2,
                name,
                of,
                reason
            ));
        }
    }
    for it in &story.blocked {
        let (name, reason) = (Md::own(it.said.framework.title()), Md::text(&it.said.reason));
        let log = Md::code(&it.said.log.path);
        found.push(md!(
            "{}: {} can no longer run since round {}: {} ({})",
            Clause::Gd8,
            name,
            it.round,
            reason,
            log
        ));
    }
    found
}

/// Where the build that stood at an entry had been behind before: each round with its scenarios (GD-7).
pub(super) fn behind(book: &Book<'_>, seq: Seq) -> Option<Md> {
    let rounds = book.story.behind_before(seq);
    let told = rounds.iter().map(|(round, scenarios)| {
        let names = Md::list(scenarios.iter().map(|it| Md::code(*it)), ", ");
        if scenarios.is_empty() {
            md!("round {}", round)
        } else {
            md!("round {} ({})", round, names)
        }
    });
    (!rounds.is_empty()).then(|| Md::list(told, " and "))
}

/// What could not be had.
fn blockers(book: &Book<'_>) -> Vec<Md> {
    let story = &book.story;
    let mut found = Vec::new();
    for (name, noted) in &story.companions {
        if let Noted::Blocked { reason } = noted {
            let name = Md::code(name.as_str());
            found.push(md!(
                "{}: the companion {} was not read: {}",
                Clause::Rt4,
                name,
                Md::text(reason)
            ));
        }
    }
    for it in &story.no_history {
        let (name, reason) = (Md::own(it.said.framework.title()), Md::text(&it.said.reason));
        found.push(md!("{}: no PR history of {}: {}", Clause::Hi5, name, reason));
    }
    for it in &story.targets {
        if let Noted::Blocked { reason } = &it.said.ncu_skill {
            let kernel = Md::code(&it.said.name);
            found.push(md!(
                "{}: ncu-report-skill for {}: {}",
                Clause::Ka7,
                kernel,
                Md::text(reason)
            ));
        }
    }
    for (round, ncu) in &story.ncu {
        if let Ncu::Block(it) = ncu {
            let (kernel, reason) = (Md::code(&it.kernel), Md::text(&it.reason));
            found.push(md!(
                "{}: no NCU evidence for {} in round {}: {}",
                Clause::Ka4,
                kernel,
                round,
                reason
            ));
        }
    }
    found
}
