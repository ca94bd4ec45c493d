//! Why did a command not do what was asked, and how is that told?

use std::fmt::Display;
use std::io;

use camino::Utf8Path;
use serde::Serialize;
use vsota_core::Clause;

use crate::exit::Exit;
use crate::journal::Head;

/// A command that did not do what was asked.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What went wrong.
    pub why: Why,
    /// The head of the journal after the last event that this call recorded, if it recorded one.
    pub recorded: Option<Head>,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub enum Why {
    /// The machine said no.
    Refused(Refused),
    /// Something is wrong with the call, an input, the campaign or the system.
    Fault(Box<Fault>),
}

/// Every reason for which a gate objects.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// The reasons, in the order of the guard; never only the first.
    #[serde(rename = "refused")]
    pub reasons: Vec<Reason>,
}

/// One reason for which a gate objects.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Reason {
    /// The clause that asks for it.
    pub clause: Clause,
    /// What was found instead.
    pub found: String,
    /// The command that would help, ready to type.
    pub help: String,
}

/// An error with its place.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// Which kind of error it is; decides the exit code.
    pub kind: Kind,
    /// The file in which it was found.
    pub file: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u64>,
    /// The field or argument.
    pub field: Option<String>,
    /// What is wrong, and what to do.
    pub message: String,
}

/// The kinds of error.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The command line was not understood.
    Usage,
    /// An input is malformed, incomplete or not comparable.
    BadEvidence,
    /// The journal or an artefact is damaged, tampered with, or from a newer version.
    Integrity,
    /// The system failed: a file, a disk, a pipe.
    Io,
    /// A child process failed.
    Child,
    /// Another process holds the campaign.
    Busy,
    /// There is no campaign here, or more than one.
    NoCampaign,
    /// A secret was found in an argument or an artefact.
    Secret,
}

macro_rules! constructors {
    ($( $(#[$doc:meta])* $name:ident => $Kind:ident; )+) => { $(
        $(#[$doc])*
        #[must_use]
        pub fn $name(message: impl Display) -> Self {
            Self::new(Kind::$Kind, message)
        }
    )+ };
}

impl Failure {
    /// An error of the given kind, without a place yet.
    #[must_use]
    pub fn new(kind: Kind, message: impl Display) -> Self {
        let message = message.to_string();
        let fault = Fault { kind, file: None, line: None, field: None, message };
        Self { why: Why::Fault(Box::new(fault)), recorded: None }
    }

    constructors! {
        /// The command line was not understood (exit 2).
        usage => Usage;
        /// An input is malformed, incomplete or not comparable (exit 4).
        bad_evidence => BadEvidence;
        /// The journal or an artefact is damaged or from a newer version (exit 5).
        integrity => Integrity;
        /// The system failed (exit 1).
        io => Io;
        /// A child process failed (exit 1).
        child => Child;
        /// Another process holds the campaign (exit 6).
        busy => Busy;
        /// There is no campaign here, or more than one (exit 7).
        no_campaign => NoCampaign;
        /// A secret was found; the message never holds it (exit 8).
        secret => Secret;
    }

    /// A file could not be used: the verb says what was tried (`read`, `write`, `lock`).
    #[must_use]
    pub fn file(verb: &str, path: impl AsRef<Utf8Path>, error: &io::Error) -> Self {
        Self::io(format_args!("could not {verb} it: {error}")).in_file(path)
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(self, path: impl AsRef<Utf8Path>) -> Self {
        self.with(|fault| fault.file = Some(path.as_ref().as_str().to_owned()))
    }

    /// Names the line, from 1.
    #[must_use]
    pub fn at_line(self, line: u64) -> Self {
        self.with(|fault| fault.line = Some(line))
    }

    /// Names the field or the argument.
    #[must_use]
    pub fn at_field(self, field: impl Display) -> Self {
        self.with(|fault| fault.field = Some(field.to_string()))
    }

    /// Notes that this call had recorded events before it failed.
    #[must_use]
    pub fn after(mut self, head: Head) -> Self {
        self.recorded = Some(head);
        self
    }

    /// The kind of error; `None` for a refusal.
    pub fn kind(&self) -> Option<Kind> {
        match &self.why {
            Why::Refused(_) => None,
            Why::Fault(fault) => Some(fault.kind),
        }
    }

    /// What the shell sees.
    pub fn exit(&self) -> Exit {
        self.kind().map_or(Exit::Refused, Kind::exit)
    }

    fn with(mut self, change: impl FnOnce(&mut Fault)) -> Self {
        if let Why::Fault(fault) = &mut self.why {
            change(fault);
        }
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.why {
            Why::Fault(fault) => fault.fmt(f),
            Why::Refused(refused) => {
                for (at, Reason { clause, found, .. }) in refused.reasons.iter().enumerate() {
                    let between = if at == 0 { "" } else { "; " };
                    write!(f, "{between}{clause}: {found}")?;
                }
                Ok(())
            }
        }
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self { why: Why::Refused(refused), recorded: None }
    }
}

impl Kind {
    /// What the shell sees.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Usage => Exit::Usage,
            Self::BadEvidence => Exit::BadEvidence,
            Self::Integrity => Exit::Integrity,
            Self::Io | Self::Child => Exit::Failed,
            Self::Busy => Exit::Busy,
            Self::NoCampaign => Exit::NoCampaign,
            Self::Secret => Exit::Secret,
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}
