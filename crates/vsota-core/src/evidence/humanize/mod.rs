//! Humanize's RLCR loop as its files tell it: which state it is in, what its round still owes, and
//! what its reviews said (RL-4 … RL-9).
//!
//! Active or finished is the *name* of the state file; a loop that was renamed to an end is never
//! alive again. Nothing here writes a file of Humanize's, and nothing runs one of its scripts.

mod ground;
mod lifecycle;
mod review;
mod round;
mod state;

pub use ground::{
    Capabilities, Ground, Obstacle, PlanFile, RUNTIME, Repository, Runtime, TOOLS, obstacles,
};
pub use lifecycle::{Lifecycle, state_file};
pub use review::{Said, findings, review, reviewed};
pub use round::{Owed, is_scaffold, owed};
pub use state::LoopState;

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::EvidenceError;

/// The files of a loop directory: every name, with the text of those that [`wants`] names.
pub type Files = BTreeMap<String, String>;

/// The directory of all loops, below the root of a work tree.
pub const LOOPS: &str = ".humanize/rlcr";

/// The file that says why a loop went into its methodology phase.
const EXIT_REASON: &str = ".methodology-exit-reason";

/// Whether the text of a file of a loop directory is read; of the others the name is enough.
pub fn wants(name: &str) -> bool {
    name == "state.md"
        || name.ends_with("-state.md")
        || name.starts_with("round-") && name.ends_with("-summary.md")
        || name.starts_with("round-") && name.ends_with("-contract.md")
        || name.starts_with("round-") && name.ends_with("-review-result.md")
        || name == "round-0-prompt.md"
        || name == "finalize-summary.md"
        || name == EXIT_REASON
}

/// One loop directory, read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoopReading {
    /// What the name of its state file says.
    pub lifecycle: Lifecycle,
    /// What the state file holds; an error when it is half written, absent when there is none.
    pub state: Option<Result<LoopState, EvidenceError>>,
    /// What the round of an active loop owes next.
    pub owed: Option<Owed>,
    /// Whether `round-0-prompt.md` is there.
    pub prompt: bool,
    /// Whether that prompt holds the Round Contract Setup.
    pub contract_setup: bool,
}

/// Reads a loop directory.
pub fn read(files: &Files) -> LoopReading {
    let lifecycle = Lifecycle::of(files);
    let name = lifecycle.file();
    let state = name.and_then(|it| files.get(it)).map(|it| LoopState::read(it));
    let known = state.as_ref().and_then(|it| it.as_ref().ok());
    let owed = known.filter(|_| lifecycle.is_active()).map(|it| owed(files, lifecycle, it.round));
    let prompt = files.get("round-0-prompt.md");
    LoopReading {
        lifecycle,
        owed,
        prompt: prompt.is_some(),
        contract_setup: prompt.is_some_and(|it| has_contract_setup(it)),
        state,
    }
}

fn has_contract_setup(prompt: &str) -> bool {
    prompt.lines().any(|it| it.starts_with("## Round Contract Setup"))
}
