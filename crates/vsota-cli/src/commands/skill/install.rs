//! `vsota skill install`: how an agent drives a campaign, in its skills directory.

use std::env;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde_json::json;
use vsota_core::{Phase, TRANSITIONS};

use crate::context::Context;
use crate::failure::Failure;
use crate::help;
use crate::output::{Outcome, Style, Text};

/// Put SKILL.md where Claude Code or Codex looks for skills
///
/// Without a choice it goes where the agent that runs this looks (RT-1), else to both.
#[derive(Args, Debug)]
pub struct InstallArgs {
    /// For Claude Code: ~/.claude/skills
    #[arg(long)]
    claude: bool,

    /// For Codex: $CODEX_HOME/skills, else ~/.codex/skills
    #[arg(long)]
    codex: bool,

    /// A skills directory of your own
    #[arg(long, value_name = "DIR", conflicts_with_all = ["claude", "codex"])]
    dir: Option<Utf8PathBuf>,
}

/// The skill but for the table, which is the machine's.
const SKILL: &str = include_str!("../../skill.md");

/// Writes the skill.
///
/// # Errors
///
/// Usage when no home directory is known; I/O; bad evidence when somebody else's file is there.
pub fn run(_: &Context, args: InstallArgs) -> Result<Outcome, Failure> {
    let text = skill();
    let mut told = Text::new();
    let mut files = Vec::new();
    for dir in directories(&args)? {
        let path = dir.join("vsota/SKILL.md");
        let changed = write(&path, &text)?;
        told.push(Style::Strong, if changed { "written  " } else { "as it is  " });
        told.line(path.as_str());
        files.push(json!({ "file": path.as_str(), "changed": changed }));
    }
    Outcome::new(told, &json!({ "files": files }))
}

/// The whole text; the machine's own table says what each phase admits.
fn skill() -> String {
    let mut phases = String::from("| phase | commands |\n|---|---|\n");
    for phase in Phase::ALL.iter().copied().filter(|it| !it.is_terminal()) {
        let mut commands: Vec<&str> = Vec::new();
        for edge in TRANSITIONS.iter().filter(|it| it.from == phase) {
            let typed = help::typed(edge.command);
            if !commands.contains(&typed) {
                commands.push(typed);
            }
        }
        let commands: Vec<String> = commands.iter().map(|it| format!("`{it}`")).collect();
        phases.push_str(&format!("| {phase} | {} |\n", commands.join(", ")));
    }
    SKILL.replace("{phases}", phases.trim_end())
}

fn directories(args: &InstallArgs) -> Result<Vec<Utf8PathBuf>, Failure> {
    if let Some(dir) = &args.dir {
        return Ok(vec![dir.clone()]);
    }
    let variable = |name: &str| env::var(name).ok().filter(|it| !it.is_empty());
    let in_claude = variable("CLAUDECODE").is_some();
    let in_codex = ["CODEX_THREAD_ID", "CODEX_SANDBOX", "CODEX_CI"]
        .into_iter()
        .any(|it| variable(it).is_some());
    let said = args.claude || args.codex;
    let home = || {
        let home = variable("HOME").map(Utf8PathBuf::from);
        home.ok_or_else(|| Failure::usage("no home directory is known; give --dir DIR"))
    };
    let mut all = Vec::new();
    if args.claude || (!said && (in_claude || !in_codex)) {
        all.push(home()?.join(".claude/skills"));
    }
    if args.codex || (!said && (in_codex || !in_claude)) {
        let own = variable("CODEX_HOME").map(Utf8PathBuf::from);
        all.push(own.map_or_else(|| home().map(|it| it.join(".codex")), Ok)?.join("skills"));
    }
    Ok(all)
}

/// Writes the file unless it says so already.
fn write(path: &Utf8Path, text: &str) -> Result<bool, Failure> {
    match std::fs::read_to_string(path) {
        Ok(there) if there == text => return Ok(false),
        Ok(there) if !there.starts_with("---\nname: vsota\n") => {
            let message = "another file is there; move it away";
            return Err(Failure::bad_evidence(message).in_file(path));
        }
        _ => {}
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
    }
    std::fs::write(path, text).map_err(|error| Failure::file("write", path, &error))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skill_has_the_shape_that_agents_read() {
        let text = skill();
        assert!(text.lines().count() < 300 && !text.contains("{phases}"));
        let mut lines = text.lines();
        assert_eq!((lines.next(), lines.next()), (Some("---"), Some("name: vsota")));
        let description = lines.next().and_then(|it| it.strip_prefix("description: ")).unwrap();
        assert!(description.len() <= 1_024 && !description.contains(": "), "{description}");
        assert_eq!(lines.next(), Some("---"));
        for command in ["vsota gap decide", "vsota patch record", "vsota stop claim"] {
            assert!(text.contains(command), "{command}");
        }
    }
}
