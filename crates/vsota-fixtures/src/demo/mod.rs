//! The demonstration: a whole campaign on made-up evidence, as files and as command lines.
//!
//! Every number is invented and every document says so. The files have the shapes that real tools
//! write; the steps are what a person would type.

mod bench;
mod kernels;
mod live;
mod round;

use std::collections::BTreeMap;

use vsota_core::facts::Framework;

pub use kernels::mock_trace;
pub use live::Live;

/// A file of the evidence: its path below `evidence/`, and its bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// One step of the demonstration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// What it shows, for people.
    pub shows: &'static str,
    /// The arguments after `vsota -C RUN`; files are named below `evidence/` with a leading `@`, the one
    /// file of the run directory that a pattern fits with a leading `%`.
    pub args: Vec<String>,
    /// Whether it is meant to be refused.
    pub refused: bool,
}

/// The demonstration: its evidence and its steps.
#[derive(Clone, Debug, Default)]
pub struct Demo {
    /// Every file, by its path below `evidence/`.
    pub files: Files,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Where it runs, when it runs really.
    live: Option<Live>,
    /// The servers that could be launched, where its evidence is made up all the same.
    mocks: Option<Live>,
    clock: i64,
    launches: u32,
}

/// The commit and tree that the made-up checkout stands on, by the name of the build.
pub fn build(name: &str) -> (String, String) {
    let id = |what: &str| super::model::git(&format!("demo {what} {name}")).to_string();
    (id("commit"), id("tree"))
}

/// The SHA-256 of a file, in hex.
fn sha256(bytes: &[u8]) -> String {
    vsota_core::Digest::of(bytes).to_string()
}

impl Demo {
    /// The whole demonstration.
    pub fn new() -> Self {
        Self::made_up(None)
    }

    /// The same with launch commands that this machine can follow, of mock servers: what was made up of
    /// a launch can then also be run. `search.json` is a plan of them.
    pub fn launchable(mocks: Live) -> Self {
        Self::made_up(Some(mocks))
    }

    fn made_up(mocks: Option<Live>) -> Self {
        let mut demo = Self { clock: 1_767_600_000_000, mocks, ..Self::default() };
        demo.search();
        demo.open();
        demo.benchmark();
        demo.enter_the_loop();
        demo.first_round();
        demo.second_round();
        demo
    }

    /// The plan of the launchable demonstration.
    fn search(&mut self) {
        if self.mocks.is_none() {
            return;
        }
        let launch = |framework: Framework, variant: usize| {
            let server_command = self.launch_command(framework, variant);
            serde_json::json!({
                "id": format!("{framework}-{variant}"), "server_command": server_command,
            })
        };
        let all = Framework::ALL.iter().map(|it| {
            let candidates: Vec<_> = (1..=4).map(|variant| launch(*it, variant)).collect();
            (it.to_string(), serde_json::json!({ "candidates": candidates }))
        });
        let all: serde_json::Map<String, serde_json::Value> = all.collect();
        let plan = serde_json::json!({"schema": "vsota-search/1", "frameworks": all});
        self.file("search.json", plan.to_string());
    }

    fn file(&mut self, path: &str, text: impl Into<Vec<u8>>) -> String {
        self.files.insert(path.to_owned(), text.into());
        format!("@{path}")
    }

    fn step(&mut self, shows: &'static str, args: &[&str]) {
        let args = args.iter().map(|it| (*it).to_owned()).collect();
        self.steps.push(Step { shows, args, refused: false });
    }

    fn refused(&mut self, shows: &'static str, args: &[&str]) {
        self.step(shows, args);
        if let Some(step) = self.steps.last_mut() {
            step.refused = true;
        }
    }

    /// Where checkout and loop stand, as a file.
    fn stand(&mut self, file: &str, on: &str, state: &str, round: u32) -> String {
        let (commit, tree) = build(on);
        let stand = serde_json::json!({
            "head": {"commit": commit, "tree": tree, "clean": true},
            "loop_dir": "2026-01-05_09-00-00", "loop_state": state, "loop_round": round,
        });
        self.file(&format!("stand/{file}.json"), format!("{stand:#}\n"))
    }
}
