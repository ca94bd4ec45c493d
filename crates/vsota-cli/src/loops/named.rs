//! What is wrong with the loops? A second one, a zombie, one in the wrong repository, a lost one: each by
//! name (RL-4, RL-7, RL-8).

use vsota_core::Clause;
use vsota_core::evidence::plan;
use vsota_core::facts::LoopEnd;

use super::{Found, Survey};
use crate::failure::Reason;

/// What helps where a loop has to be entered again.
const REENTER: &str = "vsota loop reenter";

/// Everything that is wrong.
pub(super) fn findings(survey: &Survey) -> Vec<Reason> {
    let mut found = own(survey);
    let strayed = survey.strayed().map(|it| &it.path);
    for it in survey.others().filter(|it| Some(&it.path) != strayed) {
        found.push(second(survey, it));
    }
    for it in survey.found.iter().filter(|it| it.inside && it.outdated) {
        if it.reading.lifecycle.is_active() {
            found.push(zombie(it));
        }
    }
    let outside = survey.found.iter().filter(|it| !it.inside && !it.below);
    for it in outside.filter(|it| it.reading.lifecycle.is_active()) {
        found.push(astray(survey, it));
    }
    found
}

fn reason(clause: Clause, found: String, help: &str) -> Reason {
    Reason { clause, found, help: help.to_owned() }
}

/// What no gate passes, whatever it asks: a loop beside the recorded one, the recorded one hidden behind
/// a newer directory, or another one under its name (RL-7, RL-8).
pub(super) fn bars(survey: &Survey) -> Vec<Reason> {
    let own = survey.own();
    let others = survey.others().map(|it| Reason { clause: Clause::Rl7, ..second(survey, it) });
    let mut all: Vec<Reason> = others.collect();
    // While another one is alive, its end is what helps, and not the end of both.
    let alone = all.is_empty();
    if let Some(own) = own {
        all.extend(identity(survey, own));
        if alone && own.outdated && own.reading.lifecycle.is_active() {
            all.push(zombie(own));
        }
    }
    all
}

/// What ends a loop by hand, ready to type: no command here writes a file of Humanize's.
pub(super) fn ending(it: &Found) -> String {
    let state = it.path.join(it.reading.lifecycle.file().unwrap_or("state.md"));
    format!("mv {state} {}", it.path.join("cancel-state.md"))
}

/// What is wrong with the loop that the journal knows.
fn own(survey: &Survey) -> Vec<Reason> {
    let Some(recorded) = &survey.recorded else { return Vec::new() };
    let dir = &recorded.dir;
    let Some(own) = survey.own() else {
        let found = match survey.strayed() {
            None => {
                format!("the recorded loop {dir} is lost: no work tree of the checkout holds it")
            }
            Some(it) => format!(
                "the recorded loop {dir} lies in {}, not in the checkout {}",
                it.tree, survey.checkout
            ),
        };
        return vec![reason(Clause::Rl7, found, REENTER)];
    };
    let mut all = Vec::new();
    if let Err(error) = own.state() {
        let message = match error.why {
            crate::failure::Why::Fault(fault) => fault.message,
            crate::failure::Why::Refused(_) => String::new(),
        };
        let found = format!("the state of the recorded loop {dir} cannot be read: {message}");
        all.push(reason(Clause::Rl8, found, &ending(own)));
    }
    all.extend(identity(survey, own));
    match survey.end() {
        LoopEnd::Active => {}
        LoopEnd::Gone => {
            let found = format!("the recorded loop {dir} has no state file: it is lost");
            all.push(reason(Clause::Rl7, found, REENTER));
        }
        LoopEnd::Complete => {
            let (what, help) = match survey.claimed {
                true => ("", "vsota stop confirm"),
                false => (", and no claim stands", REENTER),
            };
            let found = format!("the recorded loop {dir} ended complete{what}");
            all.push(reason(Clause::Rl8, found, help));
        }
        end => {
            let found = format!("the recorded loop {dir} ended: {end}; that is no success");
            all.push(reason(Clause::Rl7, found, REENTER));
        }
    }
    all
}

/// What tells that the directory is another loop than the recorded one.
fn identity(survey: &Survey, own: &Found) -> Vec<Reason> {
    let mut all = Vec::new();
    let Some(recorded) = &survey.recorded else { return all };
    let dir = &recorded.dir;
    let help = if own.reading.lifecycle.is_active() { ending(own) } else { REENTER.to_owned() };
    let mut other = |found: String| all.push(reason(Clause::Rl7, found, &help));
    if own.plan != Some(recorded.plan_sha256) {
        other(format!("the loop {dir} runs another plan than it was entered with"));
    }
    let Ok(Some(state)) = own.state() else { return all };
    if state.base_commit.as_ref() != Some(&recorded.base_commit) {
        other(format!("the loop {dir} reviews from another commit than it was entered with"));
    }
    if state.started_at.as_ref() != Some(&recorded.started_at) {
        other(format!("the loop {dir} was started at another time than it was entered with"));
    }
    if state.plan_file.as_deref().is_some_and(|it| it != plan::PATH) {
        other(format!("the loop {dir} names another plan file than {}", plan::PATH));
    }
    all
}

fn second(survey: &Survey, it: &Found) -> Reason {
    let what = if survey.recorded.is_some() { "a second loop" } else { "a loop" };
    let found = format!("{what} is alive: {} ({})", it.path, it.reading.lifecycle);
    reason(Clause::Rl4, found, &ending(it))
}

fn zombie(it: &Found) -> Reason {
    let found = format!(
        "{} is alive behind a newer directory: Humanize's set-up does not see it and would start another",
        it.path
    );
    reason(Clause::Rl4, found, &ending(it))
}

fn astray(survey: &Survey, it: &Found) -> Reason {
    let found = format!(
        "a loop is alive in the wrong repository: {}; the checkout is {}",
        it.path, survey.checkout
    );
    reason(Clause::Rl7, found, &ending(it))
}
