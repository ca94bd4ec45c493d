//! `vsota hook install`: the hooks of Claude Code, Codex and git, merged with what is there.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::failure::Failure;
use crate::find;
use crate::output::{Outcome, Style, Text};

/// Write the hooks into the checkout's own settings, beside what is there
///
/// Without a choice it is done for Claude Code and Codex. The settings are files that git does not
/// track: they are named in .git/info/exclude, so that the tree stays clean.
#[derive(Args, Debug)]
pub struct InstallArgs {
    /// For Claude Code: .claude/settings.local.json
    #[arg(long)]
    claude: bool,

    /// For Codex: .codex/hooks.json (Codex asks for trust with /hooks)
    #[arg(long)]
    codex: bool,

    /// For git itself: hooks/pre-commit, which --no-verify passes by
    #[arg(long)]
    git: bool,

    /// Take the hooks out again
    #[arg(long)]
    uninstall: bool,

    /// The checkout
    #[arg(long, value_name = "DIR", default_value = ".")]
    checkout: Utf8PathBuf,
}

/// A file that was changed, or is as it should be.
#[derive(Serialize)]
struct Changed {
    file: String,
    changed: bool,
    diff: Vec<String>,
}

/// The line that stands in every hook of ours; it stays the same in every version.
const MARK: &str = "vsota hook ";

/// The first lines of the hook of git.
const PRE_COMMIT: &str =
    "#!/bin/sh\n# Written by `vsota hook install --git`.\nexec vsota hook pre-commit\n";

/// Installs or takes out.
///
/// # Errors
///
/// Usage when there is no checkout; bad evidence when a settings file is no JSON object, or a hook of
/// git is somebody else's; I/O.
pub fn run(_: &Context, args: InstallArgs) -> Result<Outcome, Failure> {
    let checkout = args.checkout.canonicalize_utf8();
    let checkout = checkout.map_err(|error| Failure::file("find", &args.checkout, &error))?;
    let top = checkout.ancestors().find(|it| it.join(".git").exists());
    let Some((top, common)) = top.zip(find::git_common_dir(&checkout)) else {
        let message = "no git checkout is there; name one with --checkout DIR";
        return Err(Failure::usage(message).in_file(&checkout));
    };
    let every = !args.claude && !args.codex && !args.git;
    let mut changed = Vec::new();
    if args.claude || every {
        let file = top.join(".claude/settings.local.json");
        changed.push(settings(&file, &common, claude(), args.uninstall)?);
        ignored(&common, ".claude/settings.local.json", args.uninstall)?;
    }
    if args.codex || every {
        let file = top.join(".codex/hooks.json");
        changed.push(settings(&file, &common, codex(), args.uninstall)?);
        ignored(&common, ".codex/hooks.json", args.uninstall)?;
    }
    let pre_commit = common.join("hooks/pre-commit");
    let ours = every && args.uninstall && text(&pre_commit)? == PRE_COMMIT;
    if args.git || ours {
        changed.push(of_git(&pre_commit, args.uninstall)?);
    }
    told(&changed)
}

/// A place of our hooks, for `doctor`.
pub struct Standing {
    /// Whose hooks, as `hook install` takes them.
    pub whose: &'static str,
    /// The file.
    pub file: Utf8PathBuf,
    /// Whether all of ours stand there; absent when none does.
    pub whole: Option<bool>,
}

/// Which of our hooks a checkout has.
pub fn standing(top: &Utf8Path) -> Vec<Standing> {
    let agents = [
        ("claude", ".claude/settings.local.json", claude()),
        ("codex", ".codex/hooks.json", codex()),
    ];
    let mut all: Vec<Standing> = agents
        .into_iter()
        .map(|(whose, file, ours)| {
            let file = top.join(file);
            let there = text(&file).unwrap_or_default();
            let settings = serde_json::from_str::<Map<String, Value>>(&there).ok();
            let whole = settings
                .filter(|_| there.contains(MARK))
                .map(|it| with(it.clone(), &ours, &file).is_ok_and(|installed| installed == it));
            Standing { whose, file, whole }
        })
        .collect();
    if let Some(common) = find::git_common_dir(top) {
        use std::os::unix::fs::PermissionsExt as _;
        let file = common.join("hooks/pre-commit");
        let ours = text(&file).is_ok_and(|it| it.contains(MARK));
        let runs = std::fs::metadata(&file).is_ok_and(|it| it.permissions().mode() & 0o111 != 0);
        all.push(Standing { whose: "git", file, whole: ours.then_some(runs) });
    }
    all
}

/// The hooks of Claude Code: its event, what it is for, and the line that answers.
fn claude() -> Vec<(&'static str, Value)> {
    let one = |matcher: &str, command: &str| {
        let hook = json!({"type": "command", "command": command, "timeout": 10});
        json!({"matcher": matcher, "hooks": [hook]})
    };
    let stop = json!({"hooks": [{"type": "command", "command": "vsota hook stop", "timeout": 10}]});
    vec![
        (
            "PreToolUse",
            one(
                "Bash|Edit|MultiEdit|Write|NotebookEdit",
                "vsota hook pre-tool-use --runtime claude",
            ),
        ),
        ("SessionStart", one("startup|resume|clear|compact", "vsota hook session-start")),
        ("Stop", stop),
    ]
}

/// The hooks of Codex.
fn codex() -> Vec<(&'static str, Value)> {
    let one = |command: &str| json!({"type": "command", "command": command, "timeout": 10});
    let tools = one("vsota hook pre-tool-use --runtime codex");
    vec![
        ("PreToolUse", json!({"matcher": "Bash|apply_patch", "hooks": [tools]})),
        ("Stop", json!({"hooks": [one("vsota hook stop")]})),
    ]
}

/// A settings file with our hooks, or without them; all else stays in its place. A link stays a link,
/// and what was there is kept in git's own directory, where it makes no tree unclean.
fn settings(
    path: &Utf8Path,
    common: &Utf8Path,
    ours: Vec<(&'static str, Value)>,
    uninstall: bool,
) -> Result<Changed, Failure> {
    let path = &path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
    let before = text(path)?;
    let kept =
        common.join("vsota").join(format!("{}.before", crate::short(path.as_str().as_bytes())));
    let mut file: Map<String, Value> = match before.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text)
            .map_err(|error| Failure::bad_evidence(error).in_file(path))?,
    };
    let installed = with(file.clone(), &ours, path)?;
    if uninstall && without(file.clone(), path)? == file {
        return Ok(Changed { file: path.to_string(), changed: false, diff: Vec::new() });
    }
    if uninstall {
        let original = text(&kept)?;
        let as_installed = match original.trim() {
            "" => with(Map::new(), &ours, path)? == file,
            text => serde_json::from_str(text)
                .is_ok_and(|it| with(it, &ours, path).is_ok_and(|it| it == file)),
        };
        // What nobody touched since is put back byte for byte.
        let after = if as_installed { original } else { pretty(&without(file, path)?)? };
        let changed = write(path, &before, if after.trim() == "{}" { "" } else { &after })?;
        let _ = std::fs::remove_file(&kept);
        return Ok(changed);
    }
    if installed == file {
        return Ok(Changed { file: path.to_string(), changed: false, diff: Vec::new() });
    }
    file = with(without(file, path)?, &ours, path)?;
    if !before.is_empty() && !before.contains(MARK) {
        let failed = |error: &std::io::Error| Failure::file("write", &kept, error);
        std::fs::create_dir_all(common.join("vsota")).map_err(|error| failed(&error))?;
        // With its mode: such a file may hold what nobody else should read.
        std::fs::copy(path, &kept).map_err(|error| failed(&error))?;
    }
    write(path, &before, &pretty(&file)?)
}

/// The settings with our entries at the end of each event's list, once.
fn with(
    file: Map<String, Value>,
    ours: &[(&'static str, Value)],
    path: &Utf8Path,
) -> Result<Map<String, Value>, Failure> {
    let mut file = file;
    let hooks = file.entry("hooks").or_insert_with(|| json!({}));
    let wrong = || Failure::bad_evidence("its hooks are no mapping of lists").in_file(path);
    let hooks = hooks.as_object_mut().ok_or_else(wrong)?;
    for (event, entry) in ours {
        let list = hooks.entry(*event).or_insert_with(|| json!([]));
        let list = list.as_array_mut().ok_or_else(wrong)?;
        if !list.contains(entry) {
            list.push(entry.clone());
        }
    }
    Ok(file)
}

/// The settings without any entry of ours, those of older versions too.
fn without(mut file: Map<String, Value>, path: &Utf8Path) -> Result<Map<String, Value>, Failure> {
    let Some(hooks) = file.get_mut("hooks") else { return Ok(file) };
    let wrong = || Failure::bad_evidence("its hooks are no mapping of lists").in_file(path);
    let hooks = hooks.as_object_mut().ok_or_else(wrong)?;
    for list in hooks.values_mut() {
        let list = list.as_array_mut().ok_or_else(wrong)?;
        list.retain_mut(|entry| {
            let Some(inner) = entry.get_mut("hooks").and_then(Value::as_array_mut) else {
                return true;
            };
            let ours = |it: &Value| {
                it.get("command").and_then(Value::as_str).is_some_and(|it| it.starts_with(MARK))
            };
            // What the user put beside ours stays.
            let was_empty = inner.is_empty();
            inner.retain(|it| !ours(it));
            was_empty || !inner.is_empty()
        });
    }
    hooks.retain(|_, list| list.as_array().is_none_or(|it| !it.is_empty()));
    if hooks.is_empty() {
        file.remove("hooks");
    }
    Ok(file)
}

fn pretty(file: &Map<String, Value>) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(file);
    text.map(|it| it + "\n").map_err(|error| Failure::io(format_args!("{error}")))
}

/// The hook of git; one that somebody else wrote stays.
fn of_git(path: &Utf8Path, uninstall: bool) -> Result<Changed, Failure> {
    let before = text(path)?;
    if !before.is_empty() && before != PRE_COMMIT {
        let message = "another hook is there; call `vsota hook pre-commit` from it";
        return Err(Failure::bad_evidence(message).in_file(path));
    }
    let changed = write(path, &before, if uninstall { "" } else { PRE_COMMIT })?;
    if !uninstall {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, mode)
            .map_err(|error| Failure::file("change", path, &error))?;
    }
    Ok(changed)
}

/// Names a file in the repository's own list of ignored ones, once.
fn ignored(common: &Utf8Path, file: &str, uninstall: bool) -> Result<(), Failure> {
    let path = common.join("info/exclude");
    let before = text(&path)?;
    let line = format!("/{file}");
    let others = || before.lines().filter(|it| *it != line);
    let mut after: String = others().map(|it| format!("{it}\n")).collect();
    if !uninstall {
        after.push_str(&format!("{line}\n"));
    }
    let there = before.lines().any(|it| it == line);
    if there == uninstall {
        write(&path, &before, &after)?;
    }
    Ok(())
}

fn text(path: &Utf8Path) -> Result<String, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::file("read", path, &error)),
    }
}

/// Writes a file anew; an empty one is removed.
fn write(path: &Utf8Path, before: &str, after: &str) -> Result<Changed, Failure> {
    let changed = before != after;
    if changed && after.is_empty() {
        std::fs::remove_file(path).map_err(|error| Failure::file("remove", path, &error))?;
    } else if changed {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
        }
        // A reader never meets half of it.
        let beside = Utf8PathBuf::from(format!("{path}.vsota-new"));
        let failed = |error: &std::io::Error| Failure::file("write", &beside, error);
        std::fs::write(&beside, after).map_err(|error| failed(&error))?;
        if let Ok(there) = std::fs::metadata(path) {
            std::fs::set_permissions(&beside, there.permissions())
                .map_err(|error| failed(&error))?;
        }
        std::fs::rename(&beside, path).map_err(|error| Failure::file("write", path, &error))?;
    }
    Ok(Changed { file: path.to_string(), changed, diff: diff(before, after) })
}

/// The lines that come and go, without those that both begin and end with.
fn diff(before: &str, after: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let left = old.len().min(new.len()).saturating_sub(head);
    let tail =
        old.iter().rev().zip(new.iter().rev()).take(left).take_while(|(a, b)| a == b).count();
    let part = |lines: &[&str], sign: char| -> Vec<String> {
        let end = lines.len().saturating_sub(tail);
        lines.get(head..end).unwrap_or_default().iter().map(|it| format!("{sign}{it}")).collect()
    };
    let mut all = part(&old, '-');
    all.extend(part(&new, '+'));
    all
}

fn told(changed: &[Changed]) -> Result<Outcome, Failure> {
    let mut text = Text::new();
    for it in changed {
        let what = if it.changed { "written  " } else { "as it is  " };
        text.push(Style::Strong, what).line(&it.file);
        for line in &it.diff {
            let style = if line.starts_with('+') { Style::Good } else { Style::Bad };
            text.plain("  ").push(style, line).end();
        }
    }
    if changed.iter().any(|it| it.changed && it.file.ends_with("hooks.json")) {
        text.line("Codex runs a new or changed hook only once it was trusted with /hooks.");
    }
    Outcome::new(text, &json!({ "files": changed }))
}
