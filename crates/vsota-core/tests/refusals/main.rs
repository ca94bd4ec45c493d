//! Every objection by itself: a campaign that violates exactly one condition is refused with exactly
//! that objection, and is granted once it is mended.
//!
//! A case is named `Enum.Variant`, with `/what` where one variant has several statements or says
//! several things. `.ci/guards` switches every statement off in turn and runs these cases.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of a test are test code too"
)]

mod bench;
mod blocks;
mod docs;
mod gap;
mod inputs;
mod kernel;
mod layers;
mod ledger;
mod loops;
mod patch;
mod profiling;
mod rank;
mod source;
mod stop;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use vsota_core::command::{Command, CommandKind};
use vsota_core::event::Event;
use vsota_core::{Clause, Finding, Refusal};
use vsota_fixtures::model::Run;

/// One violated condition, and how it is mended.
pub(crate) struct Case {
    name: String,
    clause: Clause,
    found: String,
    bad: (Run, Command),
    good: (Run, Command),
}

/// All cases so far.
#[derive(Default)]
pub(crate) struct Cases(Vec<Case>);

/// One command that is granted in one campaign, and the ways to get it wrong.
pub(crate) struct Group<'a, S, C> {
    cases: &'a mut Cases,
    run: Run,
    make: fn(S) -> C,
    good: S,
}

impl Cases {
    fn every() -> &'static Self {
        static EVERY: LazyLock<Cases> = LazyLock::new(Cases::collect);
        &EVERY
    }

    fn collect() -> Self {
        let mut all = Self::default();
        let groups = [
            inputs::cases,
            bench::cases,
            rank::cases,
            loops::cases,
            gap::cases,
            blocks::cases,
            profiling::cases,
            layers::cases,
            kernel::cases,
            patch::cases,
            trial::cases,
            ledger::cases,
            stop::cases,
        ];
        groups.into_iter().for_each(|group| group(&mut all));
        all
    }

    /// A refused command in one campaign, and a granted one in the same or in another.
    pub(crate) fn add(
        &mut self,
        name: &str,
        clause: Clause,
        found: &str,
        bad: (&Run, impl Into<Command>),
        good: (&Run, impl Into<Command>),
    ) {
        self.0.push(Case {
            name: name.to_owned(),
            clause,
            found: found.to_owned(),
            bad: (bad.0.clone(), bad.1.into()),
            good: (good.0.clone(), good.1.into()),
        });
    }

    /// One command that is refused in one campaign and granted in another.
    pub(crate) fn moved(
        &mut self,
        name: &str,
        clause: Clause,
        found: &str,
        bad: &Run,
        good: &Run,
        command: impl Into<Command>,
    ) {
        let command = command.into();
        self.add(name, clause, found, (bad, command.clone()), (good, command));
    }

    /// Variations of a command that is granted in a campaign.
    pub(crate) fn of<S, C>(&mut self, run: &Run, make: fn(S) -> C, good: S) -> Group<'_, S, C> {
        Group { cases: self, run: run.clone(), make, good }
    }
}

impl<S: Clone, C: Into<Command>> Group<'_, S, C> {
    /// The command with one thing wrong.
    pub(crate) fn but(
        &mut self,
        name: &str,
        clause: Clause,
        found: &str,
        change: impl FnOnce(&mut S),
    ) -> &mut Self {
        let bad = but(&self.good, change);
        let (bad, good) = ((self.make)(bad), (self.make)(self.good.clone()));
        self.cases.add(name, clause, found, (&self.run, bad), (&self.run, good));
        self
    }
}

/// A changed copy.
pub(crate) fn but<T: Clone>(it: &T, change: impl FnOnce(&mut T)) -> T {
    let mut it = it.clone();
    change(&mut it);
    it
}

/// A campaign one command further on.
pub(crate) fn after(run: &Run, command: impl Into<Command>) -> Run {
    but(run, |it| {
        it.ask(command);
    })
}

/// A campaign whose journal holds an event that no guard was asked about: journals outlive guards.
pub(crate) fn forged(run: &Run, event: impl Into<Event>) -> Run {
    but(run, |it| {
        let event = event.into();
        it.campaign = it.campaign.clone().follow(it.campaign.next_seq(), &event).unwrap();
        it.events.push(event);
    })
}

impl Case {
    /// `Enum.Variant`, without what follows the slash.
    fn code(&self) -> &str {
        self.name.split('/').next().unwrap()
    }

    fn command(&self) -> CommandKind {
        self.bad.1.kind()
    }

    /// What is wrong with the case, when anything is.
    fn fault(&self) -> Option<String> {
        let (run, command) = &self.bad;
        let refusal = match run.campaign.decide(command.clone()) {
            Ok(_) => return Some("the violation is granted".to_owned()),
            Err(Refusal::OutOfPhase { .. }) => return Some("the violation has no edge".to_owned()),
            Err(refusal) => refusal,
        };
        let [only] = refusal.objections() else {
            return Some(format!("not exactly one objection: {refusal}"));
        };
        let (code, message) = (code(&only.found), only.found.to_string());
        if code != self.code() {
            return Some(format!("the objection is {code}: {message}"));
        }
        if only.clause != self.clause {
            return Some(format!("the clause is {}, not {}", only.clause, self.clause));
        }
        if !message.contains(&self.found) {
            return Some(format!("the message does not say `{}`: {message}", self.found));
        }
        let (run, command) = &self.good;
        let mended = run.campaign.decide(command.clone()).err();
        mended.map(|refusal| format!("the mended command is refused: {refusal}"))
    }
}

/// `GapObjection.TooFewBlocks`.
fn code(found: &Finding) -> String {
    let (kind, variant) = found.code();
    format!("{kind}Objection.{variant}")
}

#[test]
fn every_violation_is_refused_alone_and_granted_once_mended() {
    let cases = Cases::every();
    let faults: Vec<_> = cases
        .0
        .iter()
        .filter_map(|case| Some(format!("{}: {}", case.name, case.fault()?)))
        .collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.0.len(), faults.join("\n"));
}

#[test]
fn no_two_cases_share_a_name() {
    let cases = Cases::every();
    let names: BTreeSet<_> = cases.0.iter().map(|it| &it.name).collect();
    let doubled: Vec<_> = names
        .iter()
        .filter(|name| cases.0.iter().filter(|it| it.name == ***name).count() > 1)
        .collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

#[test]
fn every_objection_and_every_statement_that_raises_it_has_a_case() {
    let cases = Cases::every();
    let mut have: BTreeMap<String, usize> = BTreeMap::new();
    for case in &cases.0 {
        *have.entry(case.code().to_owned()).or_default() += 1;
    }
    let known: BTreeSet<String> =
        Finding::codes().map(|(kind, code)| format!("{kind}Objection.{code}")).collect();
    let mut wanted: BTreeMap<String, usize> = known.iter().map(|it| (it.clone(), 1)).collect();
    for statement in source::statements() {
        assert!(
            known.contains(&statement.code),
            "{} raises an unknown {}",
            statement.file,
            statement.code
        );
    }
    for (code, statements) in source::count() {
        wanted.insert(code, statements);
    }
    let few: Vec<_> = wanted
        .iter()
        .filter(|(code, statements)| have.get(*code).copied().unwrap_or(0) < **statements)
        .map(|(code, statements)| format!("{code} has {statements} statements"))
        .collect();
    assert!(few.is_empty(), "without enough cases:\n{}", few.join("\n"));
    let unraised: Vec<_> =
        known.difference(&source::count().into_keys().collect()).cloned().collect();
    assert!(unraised.is_empty(), "declared and never raised: {unraised:?}");
}
