//! May a loop be set up here? Twelve checks in the order in which their failure would be met, none of
//! which changes anything (RL-1 … RL-8, RT-2, PL-1, PL-3).
//!
//! Humanize's own set-up makes most of them too, one at a time, and some not at all: it misses a loop
//! behind a newer directory or in another work tree, tracked state, and a Stop hook that is not there.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Display;

use serde::Serialize;

use super::super::plan;
use crate::clause::Clause;
use crate::facts::Handshake;

/// The files that a runtime of Humanize needs, below its root; the first one is its mark (RT-2).
pub const RUNTIME: [&str; 6] = [
    "scripts/setup-rlcr-loop.sh",
    "hooks/lib/loop-common.sh",
    "scripts/lib/config-loader.sh",
    "config/default_config.json",
    "prompt-template",
    "templates/bitlesson.md",
];

/// The programs that set-up and hooks call: without the last two, set-up runs, but the Stop hook sees no
/// open task, and no edit is checked.
pub const TOOLS: [&str; 5] = ["codex", "jq", "git", "python3", "perl"];

/// What the set-up script of a runtime understands, read from its text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Capabilities {
    /// It takes `--yolo`, since 1.15.
    pub yolo: bool,
    /// It takes `--base-branch`, since 1.5.
    pub base_branch: bool,
    /// It takes `--strict-success`; no public release does.
    pub strict_success: bool,
}

impl Capabilities {
    /// Reads the script: an option that it understands is a label of its `case`.
    pub fn of(script: &str) -> Self {
        let takes = |flag: &str| {
            let label =
                |line: &str| line.trim_start().strip_prefix(flag)?.strip_prefix(')').map(|_| ());
            script.lines().any(|line| label(line).is_some())
        };
        Self {
            yolo: takes("--yolo"),
            base_branch: takes("--base-branch"),
            strict_success: takes("--strict-success"),
        }
    }
}

/// The runtime that was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Runtime {
    /// Its root.
    pub root: String,
    /// Its version, where a plugin manifest names one.
    pub version: Option<String>,
    /// The files of [`RUNTIME`] that it lacks.
    pub lacks: Vec<&'static str>,
    /// What its set-up understands.
    pub capabilities: Capabilities,
}

/// The checkout as git sees it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Repository {
    /// The root of the work tree, when the checkout is not that itself.
    pub other_top: Option<String>,
    /// The repository that it is a submodule of.
    pub above: Option<String>,
    /// Whether HEAD has a commit.
    pub has_commit: bool,
    /// Whether its history is cut off.
    pub shallow: bool,
    /// Whether `.humanize` is ignored.
    pub ignored: bool,
    /// Files of Humanize's state that git tracks.
    pub tracked: Vec<String>,
    /// The branch; absent when HEAD is detached.
    pub branch: Option<String>,
    /// The branch that reviews compare with; absent when it was not told and cannot be guessed.
    pub base: Option<String>,
    /// Whether that branch exists here.
    pub base_exists: bool,
    /// What differs from HEAD.
    pub changes: Vec<String>,
}

/// The plan file in the checkout.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PlanFile {
    /// Its text; absent when there is no such file.
    pub text: Option<String>,
    /// The part of its path that is a symbolic link.
    pub link: Option<String>,
    /// Whether git tracks it.
    pub tracked: bool,
    /// Whether it has the bytes of the plan that was filed.
    pub filed: bool,
}

/// Everything that the twelve checks look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ground {
    /// The runtime; absent when none was found.
    pub runtime: Option<Runtime>,
    /// Which handshake is wanted.
    pub handshake: Handshake,
    /// Programs of [`TOOLS`] that are not on the path.
    pub missing: Vec<&'static str>,
    /// The project directory of the coding agent, when it is another than the checkout.
    pub project: Option<String>,
    /// The checkout; absent when it is no git repository.
    pub repository: Option<Repository>,
    /// What git says when it knows no work tree there.
    pub complaint: Option<String>,
    /// Loops that are alive in any work tree.
    pub alive: Vec<String>,
    /// The plan.
    pub plan: PlanFile,
    /// Whether a Stop hook of Humanize's is registered.
    pub hooked: bool,
    /// Directories of output that git would see in the checkout.
    pub exposed: Vec<String>,
}

/// A check that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Obstacle {
    /// Its number, 1 to 12.
    pub check: u8,
    /// The clause that asks for it.
    pub clause: Clause,
    /// What was found, what Humanize would say where it says something, and the mend.
    pub found: String,
}

/// Every check that fails, in order.
pub fn obstacles(ground: &Ground) -> Vec<Obstacle> {
    let mut all = Vec::new();
    let mut say = |check: u8, clause: Clause, found: String| {
        all.push(Obstacle { check, clause, found });
    };
    runtime(ground, &mut say);
    if !ground.missing.is_empty() {
        let names = ground.missing.join(", ");
        say(
            3,
            Clause::Rl5,
            format!(
                "not on the path: {names} (Humanize: \"Error: Missing required dependencies for RLCR loop\", or nothing for python3 and perl); install it"
            ),
        );
    }
    if let Some(project) = &ground.project {
        say(
            4,
            Clause::Rl5,
            format!(
                "CLAUDE_PROJECT_DIR is {project}, not the checkout: Humanize would start the loop there and say nothing; unset it, or start the agent in the checkout"
            ),
        );
    }
    match &ground.repository {
        None => say(5, Clause::Rl1, no_repository(ground.complaint.as_deref().unwrap_or_default())),
        Some(it) => repository(it, ground, &mut say),
    }
    if !ground.hooked {
        say(
            11,
            Clause::Rl8,
            String::from(
                "no Stop hook of Humanize's is registered, so no round would ever be reviewed; enable the plugin in .claude/settings.json, or run the runtime's scripts/install-codex-hooks.sh",
            ),
        );
    }
    for path in &ground.exposed {
        say(
            12,
            Clause::Rl1,
            format!(
                "git sees {path} in the checkout, and every stop would be blocked by uncommitted changes; move it out, or name it in .git/info/exclude"
            ),
        );
    }
    all.sort_by_key(|it| it.check);
    all
}

fn runtime(ground: &Ground, say: &mut impl FnMut(u8, Clause, String)) {
    let Some(runtime) = &ground.runtime else {
        say(
            1,
            Clause::Rt2,
            format!(
                "no Humanize runtime: no root holds {}; name one with --humanize-root DIR or HUMANIZE_RUNTIME_ROOT",
                RUNTIME[0]
            ),
        );
        return;
    };
    let root = &runtime.root;
    if !runtime.lacks.is_empty() {
        say(
            1,
            Clause::Rt2,
            format!(
                "the Humanize runtime {root} lacks {}; install it whole",
                runtime.lacks.join(", ")
            ),
        );
    }
    let can = runtime.capabilities;
    if !can.yolo || !can.base_branch {
        say(
            2,
            Clause::Rl5,
            format!(
                "the Humanize runtime {root} is too old: its set-up does not take --yolo and --base-branch; 1.15 or later does"
            ),
        );
    }
    if ground.handshake == Handshake::Strict && !can.strict_success {
        say(
            2,
            Clause::Rl6,
            format!(
                "the Humanize runtime {root} does not take --strict-success (Humanize: \"Unknown option: --strict-success\"); name a runtime that has it, or take --handshake round-contract, which is recorded as a waiver"
            ),
        );
    }
}

/// Only where there is none may `git init` help; anything else is told in git's own words.
fn no_repository(said: &str) -> String {
    let humanize =
        "Humanize: \"Error: Project must be a git repository (or git command timed out)\"";
    if said.is_empty() || said.contains("not a git repository") {
        return format!(
            "the checkout is no git repository ({humanize}); git init, or name another checkout"
        );
    }
    let mend = if said.contains("dubious ownership") {
        "git config --global --add safe.directory DIR, or let its owner run this"
    } else if said.contains("bare repository") {
        "name a clone with a work tree"
    } else {
        "mend what git names"
    };
    format!("git does not answer for the checkout: `{}` ({humanize}); {mend}", plain(said))
}

fn repository(it: &Repository, ground: &Ground, say: &mut impl FnMut(u8, Clause, String)) {
    if let Some(top) = &it.other_top {
        say(
            5,
            Clause::Rl1,
            format!(
                "the checkout is a directory inside the work tree {top}; name that as vllm_checkout"
            ),
        );
    }
    if let Some(above) = &it.above {
        say(
            5,
            Clause::Rl1,
            format!(
                "the checkout is a submodule of {above}, whose own work tree every commit would change; clone it by itself"
            ),
        );
    }
    if !it.has_commit {
        say(
            5,
            Clause::Rl1,
            String::from(
                "the checkout has no commit (Humanize: \"Error: Git repository must have at least one commit (or git command timed out)\"); commit first",
            ),
        );
    }
    if it.shallow {
        say(
            5,
            Clause::Rl1,
            String::from(
                "the checkout is a shallow clone, whose reviews would miss their base; git fetch --unshallow",
            ),
        );
    }
    for path in &ground.alive {
        say(
            6,
            Clause::Rl4,
            format!(
                "the loop {path} is alive in a work tree of the checkout (Humanize: \"Error: An RLCR loop is already active\", or nothing, where it does not look); let it end, or cancel it"
            ),
        );
    }
    if !it.ignored {
        say(
            7,
            Clause::Rl2,
            String::from(
                ".humanize is not ignored by git; add .humanize* to .gitignore or .git/info/exclude",
            ),
        );
    }
    if let Some(first) = it.tracked.first() {
        let more = it.tracked.len();
        say(
            7,
            Clause::Rl2,
            format!(
                "git tracks {first} ({more} files of Humanize's state; later \"Loop: Blocked - tracked Humanize state detected\"); git rm -r --cached .humanize, and commit"
            ),
        );
    }
    plan_file(&ground.plan, say);
    branch(it, say);
    if let Some(first) = it.changes.first() {
        let more = it.changes.len();
        say(
            10,
            Clause::Rl1,
            format!(
                "the work tree is not clean: {more} changes, the first `{first}` (Humanize: \"Error: Git working tree is not clean\"); commit or stash them, and take what is excluded out of the checkout"
            ),
        );
    }
}

fn plan_file(it: &PlanFile, say: &mut impl FnMut(u8, Clause, String)) {
    let path = plan::PATH;
    let mut bad = |clause, found: String, mend: &str| say(8, clause, format!("{found}; {mend}"));
    let anew = "vsota loop plan writes it anew";
    if let Some(link) = &it.link {
        bad(
            Clause::Pl1,
            format!(
                "{link} is a symbolic link (Humanize: \"Error: Plan file cannot be a symbolic link\", or in its parent directory)"
            ),
            "put a directory or file in its place, then vsota loop plan",
        );
        return;
    }
    let Some(text) = &it.text else {
        bad(
            Clause::Pl1,
            format!("there is no plan {path} (Humanize: \"Error: Plan file not found: {path}\")"),
            anew,
        );
        return;
    };
    if it.tracked {
        bad(
            Clause::Pl1,
            format!(
                "git tracks {path} (Humanize: \"Error: Plan file must be gitignored when not using --track-plan-file\")"
            ),
            "git rm --cached it, and commit",
        );
    }
    if !it.filed {
        bad(Clause::Pl1, format!("{path} is not the plan that was filed"), anew);
    }
    for rule in plan::broken(text) {
        bad(Clause::Pl3, rule.to_string(), anew);
    }
}

fn branch(it: &Repository, say: &mut impl FnMut(u8, Clause, String)) {
    match &it.branch {
        None if it.has_commit => say(
            9,
            Clause::Rl3,
            String::from("HEAD is detached, and a loop is bound to its branch; git switch -c NAME"),
        ),
        Some(name) if is_unfit(name) => say(
            9,
            Clause::Rl3,
            format!(
                "the branch `{name}` cannot be written into the state file (Humanize: \"Error: Branch name contains YAML-unsafe characters\"); git branch -m NAME"
            ),
        ),
        _ => {}
    }
    match &it.base {
        None => say(
            9,
            Clause::Rl3,
            String::from(
                "the review base branch is ambiguous or not there (Humanize: \"Error: Cannot determine base branch for code review\"); name it with --base-branch",
            ),
        ),
        Some(name) if is_unfit(name) => say(
            9,
            Clause::Rl3,
            format!(
                "`{}` is no name of a review base branch; name another with --base-branch",
                plain(name)
            ),
        ),
        Some(name) if !it.base_exists => say(
            9,
            Clause::Rl3,
            format!(
                "the review base branch {name} does not exist here (Humanize: \"Error: Specified base branch does not exist: {name}\", or on the remote only); git fetch origin {name}:{name}"
            ),
        ),
        Some(_) => {}
    }
}

/// Whether a branch name would break the state file, or be taken for an option.
fn is_unfit(name: &str) -> bool {
    name.starts_with('-')
        || name.contains([':', '#', '"', '\'', '`'])
        || name.contains(|c: char| c.is_whitespace() || crate::text::is_unsafe(c))
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if crate::text::is_unsafe(c) { '\u{FFFD}' } else { c }).take(120).collect()
}

impl Display for Obstacle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "check {}: {}", self.check, self.found)
    }
}
