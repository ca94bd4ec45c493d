//! Where do the companions lie? Roots are looked for in the order of RT-1.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};
use clap::ValueEnum;
use serde::Serialize;
use vsota_core::evidence::humanize::RUNTIME;
use vsota_core::facts::CompanionName;

/// How deep a plugin cache is looked into: market, plugin, version, skills.
const DEPTH: usize = 6;

/// The names under which the PR history is installed (RT-4).
pub const HISTORY: [&str; 2] = ["model-pr-optimization-history", "model-pr-history-knowledge"];

/// Where a companion was found, and every place that was looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Looked {
    /// The first place that holds it.
    pub found: Option<Utf8PathBuf>,
    /// The places that were looked at, in order.
    pub places: Vec<Utf8PathBuf>,
}

/// Looks for a companion: first in its own variable, then among the skills of the runtime that this
/// process runs in, else of both, then beside the working directory. `holds` says whether a directory
/// is it.
pub fn look(variable: &str, names: &[&str], holds: impl Fn(&Utf8Path) -> bool) -> Looked {
    let mut looked = Looked::default();
    let told = env::var(variable).ok().filter(|it| !it.is_empty()).map(Utf8PathBuf::from);
    let own = told.is_some();
    let mut places: Vec<Utf8PathBuf> = told.into_iter().collect();
    if !own {
        for skills in skills() {
            places.extend(names.iter().map(|name| skills.join(name)));
        }
        places.extend(names.iter().map(|name| Utf8PathBuf::from(*name)));
    }
    for place in places {
        let holds = holds(&place);
        looked.places.push(place.clone());
        if holds {
            looked.found = Some(place);
            break;
        }
    }
    looked
}

/// Looks for the file that tells how a companion is used: where its variable says, else among the skills
/// (RT-1, RT-4).
pub fn companion(name: CompanionName) -> Looked {
    let own = [name.as_str()];
    let (variable, names): (String, &[&str]) = match name {
        CompanionName::PrHistory => (String::from("VSOTA_HISTORY_ROOT"), &HISTORY),
        _ => (format!("VSOTA_{}", name.as_str().replace('-', "_").to_uppercase()), &own),
    };
    let mut looked = look(&variable, names, |dir| dir.join("SKILL.md").is_file());
    // Skills are installed as links; what is beside them lies beside the target.
    let skill = looked.found.map(|it| it.join("SKILL.md"));
    looked.found = skill.and_then(|it| it.canonicalize_utf8().ok());
    looked
}

/// Looks for Humanize's runtime (RT-2): where the flag says, else `HUMANIZE_RUNTIME_ROOT`, else among
/// the skills, else in the plugin cache, the highest version first, else beside the working directory.
pub fn runtime(flag: Option<&Utf8Path>) -> Looked {
    let holds = |dir: &Utf8Path| dir.join(RUNTIME[0]).is_file();
    let told = env::var("HUMANIZE_RUNTIME_ROOT").ok().filter(|it| !it.is_empty());
    let told = flag.map(Utf8Path::to_owned).or(told.map(Utf8PathBuf::from));
    let places = match told {
        Some(told) => vec![told],
        None => {
            let mut places: Vec<_> = skills().iter().map(|it| it.join("humanize")).collect();
            if agents().0.contains(&Agent::ClaudeCode) {
                places.extend(versions());
            }
            places.push(Utf8PathBuf::from("humanize"));
            places
        }
    };
    let found = places.iter().find(|it| holds(it));
    let found = found.map(|it| it.canonicalize_utf8().unwrap_or_else(|_| it.clone()));
    Looked { found, places }
}

/// Every cached version of Humanize's plugin, the highest first: several lie side by side.
pub fn versions() -> Vec<Utf8PathBuf> {
    let Some(home) = env::var("HOME").ok().filter(|it| !it.is_empty()) else { return Vec::new() };
    let markets = below(&Utf8Path::new(&home).join(".claude/plugins/cache"));
    let plugins = markets.iter().map(|it| it.join("humanize"));
    let mut versions: Vec<Utf8PathBuf> = plugins.flat_map(|it| below(&it)).collect();
    versions.sort_by_key(|it| std::cmp::Reverse(version(it.file_name().unwrap_or_default())));
    versions
}

/// The numbers of a version; what has none, such as `unknown`, is the lowest.
fn version(name: &str) -> Vec<u64> {
    let number = |it: &str| {
        let digits: String = it.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    name.trim_start_matches('v').split('.').map_while(number).collect()
}

/// The directories in a directory, sorted.
fn below(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = dir.read_dir_utf8().into_iter().flatten().flatten();
    let mut below: Vec<Utf8PathBuf> =
        entries.map(|it| it.path().to_owned()).filter(|it| it.is_dir()).collect();
    below.sort();
    below
}

/// A coding agent whose installed skills are looked through (RT-1).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Agent {
    /// Claude Code
    ClaudeCode,
    /// Codex
    Codex,
}

impl Agent {
    /// Its name, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::Codex => "Codex",
        }
    }
}

/// The variable that says which agent runs, whatever else is set.
const AGENT: &str = "VSOTA_RUNTIME";

/// The agents whose skills count, in order, and what told it: the variable, the marks that each agent
/// leaves in the environment, else both, Claude Code first.
pub fn agents() -> (Vec<Agent>, String) {
    if let Some(told) = env::var(AGENT).ok().and_then(|it| Agent::from_str(&it, true).ok()) {
        return (vec![told], AGENT.to_owned());
    }
    let set = |names: &[&'static str]| names.iter().find(|it| env::var_os(it).is_some()).copied();
    let claude = set(&["CLAUDECODE"]);
    let codex = set(&["CODEX_THREAD_ID", "CODEX_SANDBOX", "CODEX_CI"]);
    match (claude, codex) {
        (Some(mark), None) => (vec![Agent::ClaudeCode], mark.to_owned()),
        (None, Some(mark)) => (vec![Agent::Codex], mark.to_owned()),
        (_, _) => {
            let marks: Vec<&str> = claude.into_iter().chain(codex).collect();
            let by =
                if marks.is_empty() { "no mark of either".to_owned() } else { marks.join(", ") };
            (vec![Agent::ClaudeCode, Agent::Codex], by)
        }
    }
}

/// The directories of installed skills, in the order of RT-1.
pub fn skills() -> Vec<Utf8PathBuf> {
    let home = env::var("HOME").ok().filter(|it| !it.is_empty()).map(Utf8PathBuf::from);
    let (agents, _) = agents();
    let mut found = Vec::new();
    if let Some(home) = home.as_ref().filter(|_| agents.contains(&Agent::ClaudeCode)) {
        found.push(home.join(".claude/skills"));
        cached(&home.join(".claude/plugins/cache"), DEPTH, &mut found);
    }
    if agents.contains(&Agent::Codex) {
        let own = env::var("CODEX_HOME").ok().filter(|it| !it.is_empty()).map(Utf8PathBuf::from);
        let shared = home.as_ref().map(|it| it.join(".agents/skills"));
        found.extend(own.or(home.map(|it| it.join(".codex"))).map(|it| it.join("skills")));
        found.extend(shared);
    }
    found
}

/// The `skills` directories in a cache of plugins. Links are followed no deeper than the depth.
fn cached(dir: &Utf8Path, depth: usize, found: &mut Vec<Utf8PathBuf>) {
    for path in below(dir) {
        if path.file_name() == Some("skills") {
            found.push(path);
        } else if depth > 1 {
            cached(&path, depth - 1, found);
        }
    }
}
