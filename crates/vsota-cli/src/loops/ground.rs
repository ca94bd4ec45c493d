//! What do the twelve checks look at? Everything is read; nothing is changed, and nothing of the
//! repository's is run.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use vsota_core::Base;
use vsota_core::evidence::humanize::{
    Capabilities, Ground, PlanFile, RUNTIME, Repository, Runtime, TOOLS,
};
use vsota_core::evidence::plan;
use vsota_core::facts::{CompanionName, Handshake, Noted, Plan};

use super::Survey;
use crate::checkout::Checkout;
use crate::failure::Failure;
use crate::roots::{self, Agent};

/// The most bytes of a file of configuration that are read.
const LIMIT: u64 = 4 << 20;

/// The script that Humanize registers as Stop hook, by every way of installing it.
const STOP_HOOK: &str = "loop-codex-stop-hook.sh";

/// What is asked for when a loop is entered.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Which handshake.
    pub handshake: Handshake,
    /// The review base branch, when it is named.
    pub base: Option<String>,
    /// The runtime, when it is named.
    pub runtime: Option<Utf8PathBuf>,
}

/// Looks at everything.
///
/// # Errors
///
/// When git cannot be run.
pub fn look(
    survey: &Survey,
    wish: &Wish,
    base: &Base,
    plan: Option<&Plan>,
    run_dir: &Utf8Path,
) -> Result<Ground, Failure> {
    let checkout = Checkout::at(&survey.checkout)?;
    let runtime = roots::runtime(wish.runtime.as_deref()).found.map(|it| runtime(&it));
    let repository = repository(&checkout, survey, wish, base)?;
    let exposed = match &repository {
        Some(_) => exposed(&checkout, survey, base, run_dir)?,
        None => Vec::new(),
    };
    Ok(Ground {
        handshake: wish.handshake,
        missing: TOOLS.iter().copied().filter(|it| !on_path(it)).collect(),
        project: project(survey),
        alive: survey.alive().map(|it| it.path.to_string()).collect(),
        plan: plan_file(&checkout, survey, plan, repository.is_some())?,
        complaint: checkout.complaint()?,
        hooked: is_hooked(&survey.top(), runtime.as_ref()),
        exposed,
        repository,
        runtime,
    })
}

/// A runtime as its files tell it; its script is read, never run.
pub fn runtime(root: &Utf8Path) -> Runtime {
    let script = text(&root.join(RUNTIME[0])).unwrap_or_default();
    let manifest = text(&root.join(".claude-plugin/plugin.json"));
    let manifest = manifest.and_then(|it| serde_json::from_str::<Value>(&it).ok());
    let version = manifest.as_ref().and_then(|it| it.get("version")?.as_str().map(str::to_owned));
    Runtime {
        root: root.to_string(),
        version,
        lacks: RUNTIME.into_iter().filter(|it| !root.join(it).exists()).collect(),
        capabilities: Capabilities::of(&script),
    }
}

/// The review base branch: as named, as recorded, else the only one of `main` and `master`.
fn review_base(checkout: &Checkout, wish: &Wish, base: &Base) -> Result<Option<String>, Failure> {
    let recorded = base.brief.base_branch().map(|it| it.as_str().to_owned());
    if let Some(named) = wish.base.clone().or(recorded) {
        return Ok(Some(named));
    }
    let (main, master) = (checkout.has_branch("main")?, checkout.has_branch("master")?);
    Ok(match (main, master) {
        (true, false) => Some(String::from("main")),
        (false, true) => Some(String::from("master")),
        _ => None,
    })
}

fn repository(
    checkout: &Checkout,
    survey: &Survey,
    wish: &Wish,
    base: &Base,
) -> Result<Option<Repository>, Failure> {
    let Some(top) = checkout.top()? else { return Ok(None) };
    let top = top.canonicalize_utf8().unwrap_or(top);
    let head = checkout.head()?;
    let base = review_base(checkout, wish, base)?;
    let base_exists = match &base {
        // A name that looks like an option is refused as such.
        Some(name) if !name.starts_with('-') => checkout.has_branch(name)?,
        _ => false,
    };
    Ok(Some(Repository {
        other_top: (top != survey.checkout).then(|| top.to_string()),
        above: checkout.above()?.map(Utf8PathBuf::into_string),
        has_commit: head.is_some(),
        shallow: checkout.is_shallow()?,
        ignored: checkout.ignores(".humanize/rlcr/x")?,
        tracked: checkout.tracked(&[".humanize", ":(glob).humanize-*/**"])?,
        branch: checkout.branch()?,
        base,
        base_exists,
        changes: checkout.changes()?,
    }))
}

fn project(survey: &Survey) -> Option<String> {
    let named = env::var("CLAUDE_PROJECT_DIR").ok().filter(|it| !it.is_empty())?;
    let there = Utf8Path::new(&named).canonicalize_utf8();
    let same = there.is_ok_and(|it| it == survey.top());
    (!same).then_some(named)
}

fn plan_file(
    checkout: &Checkout,
    survey: &Survey,
    plan: Option<&Plan>,
    is_git: bool,
) -> Result<PlanFile, Failure> {
    let mut path = survey.checkout.clone();
    let mut link = None;
    for part in plan::PATH.split('/') {
        path.push(part);
        let kind = fs::symlink_metadata(&path);
        if link.is_none() && kind.is_ok_and(|it| it.is_symlink()) {
            link = Some(path.to_string());
        }
    }
    let bytes = if link.is_none() { bytes(&path) } else { None };
    let digest = bytes.as_ref().map(|it| vsota_core::Digest::of(it));
    Ok(PlanFile {
        link,
        tracked: is_git && !checkout.tracked(&[plan::PATH])?.is_empty(),
        filed: digest.is_some() && digest == plan.map(|it| it.copy.sha256),
        text: bytes.map(|it| String::from_utf8_lossy(&it).into_owned()),
    })
}

/// Whether a Stop hook of Humanize's is registered with the coding agent in use, or with either where
/// that cannot be told: by a plugin that is enabled, by a hook, or because this process was started by
/// the plugin.
pub fn is_hooked(top: &Utf8Path, runtime: Option<&Runtime>) -> bool {
    let home = var("HOME").map(Utf8PathBuf::from);
    let codex = var("CODEX_HOME").map(Utf8PathBuf::from);
    let codex = codex.or_else(|| Some(home.as_ref()?.join(".codex")));
    let claude = home.map(|it| it.join(".claude"));
    let real = |path: &str| Utf8Path::new(path).canonicalize_utf8().ok();
    let plugin = var("CLAUDE_PLUGIN_ROOT").and_then(|it| real(&it));
    let started = plugin.is_some() && plugin == runtime.and_then(|it| real(&it.root));
    let (agents, _) = roots::agents();
    agents.iter().any(|it| match it {
        Agent::ClaudeCode => claude_hooks(top, claude.as_deref(), started),
        Agent::Codex => codex_hooks(top, codex.as_deref()),
    })
}

/// Claude Code: what the nearer settings say of a plugin, or of all hooks, stands.
fn claude_hooks(top: &Utf8Path, home: Option<&Utf8Path>, started: bool) -> bool {
    let own = top.join(".claude");
    let files = [own.join("settings.local.json"), own.join("settings.json")];
    let files = files.into_iter().chain(home.map(|it| it.join("settings.json")));
    let all: Vec<Value> = files.filter_map(|it| serde_json::from_str(&text(&it)?).ok()).collect();
    let off = all.iter().find_map(|it| it.get("disableAllHooks")?.as_bool());
    if off == Some(true) {
        return false;
    }
    let mut plugins = BTreeMap::new();
    for (name, on) in all.iter().filter_map(|it| it.get("enabledPlugins")?.as_object()).flatten() {
        plugins.entry(name).or_insert(on.as_bool() == Some(true));
    }
    let humanize = |name: &str| name.split('@').next() == Some("humanize");
    let enabled = plugins.iter().any(|(name, on)| *on && humanize(name));
    started || enabled || all.iter().any(stops)
}

/// Codex: a Stop hook in `hooks.json` or `config.toml`, in its home or in the checkout.
fn codex_hooks(top: &Utf8Path, home: Option<&Utf8Path>) -> bool {
    let own = top.join(".codex");
    home.into_iter().chain([own.as_path()]).any(|dir| {
        let json = text(&dir.join("hooks.json")).and_then(|it| serde_json::from_str(&it).ok());
        let toml = text(&dir.join("config.toml")).unwrap_or_default();
        json.as_ref().is_some_and(stops) || stops_in_toml(&toml)
    })
}

/// Whether `hooks.Stop` calls Humanize's script.
fn stops(settings: &Value) -> bool {
    let matchers = settings.get("hooks").and_then(|it| it.get("Stop")?.as_array());
    let hooks = matchers.into_iter().flatten().filter_map(|it| it.get("hooks")?.as_array());
    let mut commands = hooks.flatten().filter_map(|it| it.get("command")?.as_str());
    commands.any(|it| it.contains(STOP_HOOK))
}

/// The same where the tables of a TOML file stand one a line, as they are written.
fn stops_in_toml(text: &str) -> bool {
    let mut within = false;
    text.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            within = line.starts_with("[[hooks.Stop]]") || line.starts_with("[[hooks.Stop.hooks]]");
        }
        let command =
            line.strip_prefix("command").is_some_and(|it| it.trim_start().starts_with('='));
        within && command && line.contains(STOP_HOOK)
    })
}

fn var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|it| !it.is_empty())
}

/// Directories of output in the checkout that git would see.
fn exposed(
    checkout: &Checkout,
    survey: &Survey,
    base: &Base,
    run_dir: &Utf8Path,
) -> Result<Vec<String>, Failure> {
    let mut places: Vec<Utf8PathBuf> =
        run_dir.canonicalize_utf8().into_iter().filter(|it| it.is_dir()).collect();
    // It insists on this place, and makes and fills it while the loop runs.
    let ncu = base.companions.get(&CompanionName::NcuReport);
    if ncu.is_some_and(|it| matches!(it, Noted::Read { .. })) {
        places.push(survey.top().join("profile"));
    }
    let mut exposed = Vec::new();
    for place in places.iter().filter(|it| it.starts_with(survey.top())) {
        let inside = place.join("x");
        if !checkout.ignores(inside.as_str())? {
            exposed.push(place.to_string());
        }
    }
    Ok(exposed)
}

/// Whether a program is on the path.
pub fn on_path(name: &str) -> bool {
    find_program(name).is_some()
}

/// Where a program lies on the path.
pub fn find_program(name: &str) -> Option<Utf8PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|it| it.join(name)).find(|it| {
        let kind = fs::metadata(it);
        kind.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    });
    found.and_then(|it| Utf8PathBuf::from_path_buf(it).ok())
}

fn text(path: &Utf8Path) -> Option<String> {
    bytes(path).map(|it| String::from_utf8_lossy(&it).into_owned())
}

fn bytes(path: &Utf8Path) -> Option<Vec<u8>> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
