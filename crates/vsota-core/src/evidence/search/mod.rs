//! What is going to be run: a plan file becomes candidates, launches and benchmark commands (FB-2,
//! FB-6, FB-10, FB-12).
//!
//! Three shapes are read: the companion's cookbook, its run plan, and our own list of commands
//! (`vsota-search/1`). A key that none of them has is refused with its line. Nothing here starts
//! anything: a [`Launch`] and a [`ClientRun`] say which words to start, where it listens and where
//! its result will lie; a [`Profiled`] launch has its profiler on.

mod client;
mod estimate;
mod flags;
mod help;
mod keys;
mod launcher;
mod product;
mod profiler;
mod read;
mod server;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use client::{ClientRun, ENDPOINT, Part};
pub use estimate::Estimate;
pub use flags::{Flag, Flags};
pub use help::offers;
pub use launcher::{BuildPlan, Launcher, LauncherKind};
pub use profiler::{Profiled, Shot, Switch, Window};
pub use read::Known;
pub use server::{Launch, Readiness};

use crate::facts::{Framework, Input, Scenario, Workload};
use crate::text::{Line, Name};

/// The most candidates of a framework (FB-12): what the machine takes, and where no file names a cap.
pub const CAP: usize = 10;

/// A plan file, read whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Workload, endpoint, sampling and limits, where the file says them (FB-14).
    pub inputs: Vec<Input>,
    /// Model, tokenizer, precision, quantization and GPUs, where the file says them (FB-3); `auto`
    /// and the like say nothing.
    pub identity: Vec<Input>,
    /// What is served and asked for, from the file, else from the campaign.
    pub serving: Serving,
    /// The search of each framework that is run.
    pub searches: Vec<Search>,
    /// Frameworks of the file that are not run here.
    pub unsupported: Vec<Unsupported>,
    /// How servers are started; a framework without one starts on this machine.
    pub launchers: BTreeMap<Framework, Launcher>,
    /// The vLLM builds that the plan names.
    pub builds: BTreeMap<Name, BuildPlan>,
    /// What the file says and nobody acts upon, for people.
    pub notes: Vec<String>,
}

/// What every client asks for, the same for all frameworks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Serving {
    /// The model id or checkpoint path.
    pub model: Option<Line>,
    /// The tokenizer; the model's own when absent.
    pub tokenizer: Option<Line>,
    /// The endpoint path, such as `/v1/completions`.
    pub endpoint: Option<Line>,
    /// Sampling settings, by name.
    pub sampling: Vec<(Name, Line)>,
    /// The workload.
    pub workload: Option<Workload>,
}

/// The bounded search of one framework.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// Whose it is.
    pub framework: Framework,
    /// What is run, baseline first.
    pub candidates: Vec<Candidate>,
    /// What is not run, each with its clause and reason (FB-6, FB-7).
    pub skipped: Vec<Skipped>,
    /// Whether the whole declared space is among them.
    pub whole: bool,
    /// Which client is called, and with which flags beside those of the scenario.
    pub client: ClientPlan,
    /// Variables that the server is started with.
    pub env: BTreeMap<Name, Line>,
    /// How long the server may take until it answers, ms.
    pub ready_ms: u64,
}

/// One set of server flags, as a command line without the place where it listens.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub id: Name,
    /// Its framework.
    pub framework: Framework,
    /// Its flags in the order of the file; empty when the file gives the command itself.
    pub flags: Flags,
    /// The launch command, without host and port where the flags name none.
    pub server_command: Vec<Line>,
}

/// A candidate that is recorded and never run.
#[derive(Clone, Debug, PartialEq)]
pub struct Skipped {
    /// What would have been run.
    pub candidate: Candidate,
    /// Why not, with its clause.
    pub reason: Line,
}

/// A framework that the file names and vsota does not run (IN-4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsupported {
    /// Its name in the file.
    pub name: Name,
    /// Why it is not run.
    pub reason: Line,
}

/// The benchmark client of a framework.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientPlan {
    /// The words that start it; the framework's own when empty.
    pub command: Vec<Line>,
    /// Flags that replace or add to the usual ones; one without a value (`null`) is left out.
    pub flags: Flags,
    /// Prompts of the warm-up run before each scenario; 0 for none.
    pub warmup_prompts: u32,
}

impl Plan {
    /// The search of a framework.
    pub fn search(&self, framework: Framework) -> Option<&Search> {
        self.searches.iter().find(|it| it.framework == framework)
    }

    /// The candidate of that id.
    pub fn candidate(&self, id: &Name) -> Option<&Candidate> {
        self.searches.iter().flat_map(|it| &it.candidates).find(|it| it.id == *id)
    }

    /// The scenarios that every candidate is run in.
    pub fn scenarios(&self) -> &[Scenario] {
        self.serving.workload.as_ref().map_or(&[], |it| &it.scenarios)
    }

    /// How the servers of a framework are started; on this machine when the plan does not say.
    pub fn launcher(&self, framework: Framework) -> Launcher {
        self.launchers.get(&framework).cloned().unwrap_or_default()
    }
}
