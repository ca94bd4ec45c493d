//! What does the exit code say?

use std::process::ExitCode;

/// The documented exit codes. Other programs are written against them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Exit {
    /// Done.
    #[default]
    Done = 0,
    /// Something outside failed: a file, a child process, a disk.
    Failed = 1,
    /// The command line was not understood.
    Usage = 2,
    /// A gate objects, or there is no such edge from this phase.
    Refused = 3,
    /// An input is malformed, incomplete or not comparable.
    BadEvidence = 4,
    /// The journal or an artefact is damaged, tampered with, or from a newer version.
    Integrity = 5,
    /// Another process holds the campaign.
    Busy = 6,
    /// There is no campaign here, or more than one.
    NoCampaign = 7,
    /// A secret was found in an argument or an artefact.
    Secret = 8,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
