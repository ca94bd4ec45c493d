//! Why a command was turned down: every objection, each with its clause.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::{error, fmt};

use thiserror::Error;

use crate::ask::command::CommandKind;
use crate::clause::Clause;
use crate::machine::Phase;
use crate::phase;

/// A command that was turned down. The campaign is as it was.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// No edge: this command is never admitted in this phase.
    #[error("{}: {command} is not admitted in the phase {phase}", command.clause())]
    OutOfPhase {
        /// Where the campaign is.
        phase: Phase,
        /// What was asked.
        command: CommandKind,
    },
    /// An edge, but its guard does not hold now.
    #[error("{command} is refused in the phase {phase}: {objections}")]
    Objected {
        /// Where the campaign is.
        phase: Phase,
        /// What was asked.
        command: CommandKind,
        /// Everything that stands in the way.
        objections: Objections,
    },
}

/// One condition that does not hold, and the clause that asks for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Objection {
    /// The clause that asks for it.
    pub clause: Clause,
    /// What was found instead.
    pub found: Finding,
}

/// Every objection to one command; never only the first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Objections(Vec<Objection>);

/// Declares one phase's objections: the clause, the variant, and the message.
macro_rules! objections {
    ($(#[$attr:meta])* pub enum $Name:ident {
        $( $(#[$doc:meta])* [$clause:expr] $Variant:ident { $($field:ident: $Type:ty),* $(,)? } $text:literal, )+
    }) => {
        $(#[$attr])*
        #[derive(Clone, Debug, Eq, thiserror::Error, PartialEq)]
        #[allow(missing_docs, reason = "the message of a variant names its fields")]
        pub enum $Name {
            $( $(#[$doc])* #[error($text)] $Variant { $($field: $Type),* }, )+
        }

        impl $Name {
            /// The clause that asks for it.
            #[allow(unused_variables, reason = "most clauses do not depend on the fields")]
            pub fn clause(&self) -> $crate::clause::Clause {
                use $crate::clause::Clause::*;
                match self { $( Self::$Variant { $($field),* } => $clause, )+ }
            }

            /// The name of the variant, for programs and tests.
            pub fn code(&self) -> &'static str {
                match self { $( Self::$Variant { .. } => stringify!($Variant), )+ }
            }

            /// The names of all variants.
            pub const CODES: &[&str] = &[ $( stringify!($Variant), )+ ];
        }

        impl From<$Name> for $crate::objection::Objection {
            fn from(found: $Name) -> Self {
                Self { clause: found.clause(), found: found.into() }
            }
        }
    };
}
pub(crate) use objections;

/// Declares [`Finding`]: the sum of what the phases may find.
macro_rules! findings {
    ($( $(#[$doc:meta])* $Variant:ident($Type:path), )+) => {
        /// What was found instead of what a clause asks for.
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub enum Finding { $( $(#[$doc])* $Variant($Type), )+ }

        impl Finding {
            /// The stable name of the finding: `gap.TooFewBlocks`.
            pub fn code(&self) -> (&'static str, &'static str) {
                match self { $( Self::$Variant(it) => (stringify!($Variant), it.code()), )+ }
            }

            /// Every code that a guard can raise.
            pub fn codes() -> impl Iterator<Item = (&'static str, &'static str)> {
                [ $( (stringify!($Variant), <$Type>::CODES), )+ ]
                    .into_iter()
                    .flat_map(|(kind, codes)| codes.iter().map(move |code| (kind, *code)))
            }
        }

        impl fmt::Display for Finding {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $( Self::$Variant(it) => it.fmt(f), )+ }
            }
        }

        $( impl From<$Type> for Finding {
            fn from(it: $Type) -> Self { Self::$Variant(it) }
        } )+
    };
}

findings! {
    /// About the inputs.
    Inputs(phase::InputsObjection),
    /// About the PR history.
    History(phase::HistoryObjection),
    /// About the fixed benchmark.
    Bench(phase::BenchObjection),
    /// About the plan and the loop.
    Loop(phase::LoopObjection),
    /// About the gap.
    Gap(phase::GapObjection),
    /// About blocks of runs.
    Block(phase::BlockObjection),
    /// About claims and stops.
    Stop(phase::StopObjection),
    /// About profiles and root causes.
    Profiling(phase::ProfilingObjection),
    /// About the layer pipeline.
    Layers(phase::LayersObjection),
    /// About kernel evidence.
    Kernel(phase::KernelObjection),
    /// About patches.
    Patch(phase::PatchObjection),
    /// About revalidation.
    Trial(phase::TrialObjection),
    /// About ideas, attempts and research.
    Ledger(phase::LedgerObjection),
}

impl Refusal {
    /// Everything that stands in the way; empty when there is no edge at all.
    pub fn objections(&self) -> &[Objection] {
        match self {
            Self::OutOfPhase { .. } => &[],
            Self::Objected { objections, .. } => objections.as_slice(),
        }
    }

    /// Each clause with what was found, in the order of the guard.
    pub fn reasons(&self) -> Vec<(Clause, String)> {
        match self {
            Self::OutOfPhase { phase, command } => {
                let found = alloc::format!("{command} is not admitted in the phase {phase}");
                alloc::vec![(command.clause(), found)]
            }
            Self::Objected { objections, .. } => {
                objections.iter().map(|it| (it.clause, it.found.to_string())).collect()
            }
        }
    }
}

impl Objections {
    /// The objections, in the order in which the guard raised them.
    pub fn iter(&self) -> impl Iterator<Item = &Objection> {
        self.0.iter()
    }

    /// The objections as a slice.
    pub fn as_slice(&self) -> &[Objection] {
        &self.0
    }

    /// Whether nothing stands in the way.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes the objection unless the condition holds.
    pub(crate) fn unless(&mut self, holds: bool, objection: impl Into<Objection>) {
        if !holds {
            self.raise(objection);
        }
    }

    /// Notes the objection; one that was noted before is not repeated.
    pub(crate) fn raise(&mut self, objection: impl Into<Objection>) {
        let objection = objection.into();
        if !self.0.contains(&objection) {
            self.0.push(objection);
        }
    }

    /// Notes everything that another guard noted.
    pub(crate) fn join(&mut self, others: Self) {
        for objection in others.0 {
            self.raise(objection);
        }
    }

    /// Grants what was found if nothing was noted.
    pub(crate) fn or_grant<F>(self, found: F) -> Result<F, Self> {
        if self.is_empty() { Ok(found) } else { Err(self) }
    }

    /// Grants if nothing was noted.
    pub(crate) fn or_agree(self) -> Result<(), Self> {
        self.or_grant(())
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.clause, self.found)
    }
}

impl fmt::Display for Objections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, objection)| {
            f.write_str(if index == 0 { "" } else { "; " })?;
            objection.fmt(f)
        })
    }
}

impl error::Error for Objections {}
