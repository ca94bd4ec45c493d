//! `vsota doctor`: RT-1 … RT-4, and what a campaign needs beside them.

use std::env;
use std::fs;
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::Serialize;
use vsota_core::evidence::humanize::Runtime;
use vsota_core::facts::CompanionName;

use super::hook::install::{self, Standing};
use crate::bounded::{self, Patience};
use crate::checkout::first_line;
use crate::context::Context;
use crate::failure::Failure;
use crate::loops::{ground, trees};
use crate::output::{Outcome, Style, Text};
use crate::roots::{self, Agent};

/// Show roots, companions, tools and hooks: what, where, which version, and for each failure its mend
///
/// A companion is looked for where its variable says, such as $VSOTA_NCU_REPORT_SKILL; else among the
/// skills of the coding agent, which $VSOTA_RUNTIME names when the environment does not tell it.
#[derive(Args, Clone, Copy, Debug)]
pub struct DoctorArgs {}

/// One thing that was looked for.
#[derive(Serialize)]
struct Line {
    what: String,
    ok: bool,
    /// Where it lies.
    place: Option<String>,
    /// Its version, its capabilities, or why it does not hold.
    found: String,
    /// What would help; null when nothing is to be done.
    mend: Option<String>,
}

#[derive(Serialize)]
struct View {
    /// Whether everything that a loop cannot do without is there.
    ok: bool,
    agents: Vec<Agent>,
    told_by: String,
    lines: Vec<Line>,
}

/// Programs that are called: the name, whether a loop needs it, and what for.
const TOOLS: [(&str, bool, &str); 7] = [
    ("git", true, "every gate"),
    ("codex", true, "Humanize's reviews"),
    ("jq", true, "Humanize's set-up and hooks"),
    ("python3", false, "Humanize's test of open tasks"),
    ("perl", false, "Humanize's preview of edits"),
    ("nvidia-smi", false, "the GPU environment (IN-2)"),
    ("ncu", false, "kernel evidence (RT-3)"),
];

/// Looks at everything, and changes nothing.
///
/// # Errors
///
/// When the answer cannot be written as JSON.
pub fn run(context: &Context, _: DoctorArgs) -> Result<Outcome, Failure> {
    let (agents, told_by) = roots::agents();
    let looked = roots::runtime(None);
    let runtime = looked.found.as_deref().map(ground::runtime);
    let mut lines = vec![humanize(runtime.as_ref(), &looked.places)];
    lines.extend(others(runtime.as_ref()));
    lines.push(hook(runtime.as_ref()));
    lines.push(project(context));
    lines.extend(own_hooks(context));
    lines.extend(TOOLS.iter().map(|(name, needed, what)| tool(name, *needed, what)));
    let companions = CompanionName::ALL.iter().copied();
    lines.extend(companions.filter(|it| *it != CompanionName::HostSkill).map(companion));
    let needed = |it: &Line| it.ok || it.mend.is_none() || is_optional(&it.what);
    let view = View { ok: lines.iter().all(needed), agents, told_by, lines };
    Outcome::new(text(&view), &view)
}

/// What a campaign goes on without, with a recorded blocker or a typed value.
fn is_optional(what: &str) -> bool {
    what.starts_with("companion ")
        || what.starts_with("vsota hooks")
        || TOOLS.iter().any(|(name, needed, _)| !needed && what == format!("tool {name}"))
}

fn humanize(runtime: Option<&Runtime>, places: &[Utf8PathBuf]) -> Line {
    let what = String::from("humanize runtime");
    let Some(runtime) = runtime else {
        let places: Vec<&str> = places.iter().map(|it| it.as_str()).collect();
        return Line {
            what,
            ok: false,
            place: None,
            found: format!("none of {} holds scripts/setup-rlcr-loop.sh (RT-2)", places.join(", ")),
            mend: Some(String::from("export HUMANIZE_RUNTIME_ROOT=DIR")),
        };
    };
    let can = runtime.capabilities;
    let takes = [
        (can.yolo, "--yolo"),
        (can.base_branch, "--base-branch"),
        (can.strict_success, "--strict-success"),
    ];
    let takes: Vec<&str> = takes.iter().filter(|it| it.0).map(|it| it.1).collect();
    let version = runtime.version.as_deref().unwrap_or("unknown");
    let mut found = format!("version {version}, takes {}", takes.join(" "));
    let ok = runtime.lacks.is_empty() && can.yolo && can.base_branch;
    let mend = if !runtime.lacks.is_empty() {
        found = format!("{found}; lacks {}", runtime.lacks.join(", "));
        Some(String::from("install it whole"))
    } else if !ok {
        Some(String::from("install 1.15 or later"))
    } else if !can.strict_success {
        found.push_str("; strict success only by the recorded waiver");
        Some(String::from("vsota loop start --handshake round-contract"))
    } else {
        None
    };
    Line { what, ok, place: Some(runtime.root.clone()), found, mend }
}

/// Other versions in the plugin cache, which are not used.
fn others(runtime: Option<&Runtime>) -> Vec<Line> {
    let used = runtime.map(|it| it.root.as_str());
    let real = |it: Utf8PathBuf| it.canonicalize_utf8().unwrap_or(it);
    let others = roots::versions().into_iter().map(real).filter(|it| Some(it.as_str()) != used);
    others
        .map(|it| {
            let version = ground::runtime(&it).version;
            Line {
                what: String::from("humanize runtime, not used"),
                ok: true,
                found: format!("version {}", version.as_deref().unwrap_or("unknown")),
                place: Some(it.into_string()),
                mend: None,
            }
        })
        .collect()
}

fn hook(runtime: Option<&Runtime>) -> Line {
    let here = env::current_dir().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let ok = ground::is_hooked(here.as_deref().unwrap_or(Utf8Path::new(".")), runtime);
    let found = if ok {
        "registered; whether Codex trusts it cannot be told from outside, see /hooks"
    } else {
        "no Stop hook of Humanize's is registered, so no round would be reviewed (RL-8)"
    };
    let mend = "enable the plugin in .claude/settings.json, or run scripts/install-codex-hooks.sh";
    Line {
        what: String::from("humanize stop hook"),
        ok,
        place: None,
        found: found.to_owned(),
        mend: (!ok).then(|| mend.to_owned()),
    }
}

/// vsota's own hooks in the checkout, and the vsota that they call: by its name, so by the path.
fn own_hooks(context: &Context) -> Vec<Line> {
    let here = || env::current_dir().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let checkout = checkout(context).map(Utf8PathBuf::from).or_else(here);
    let Some(top) = checkout.and_then(|it| trees::around(&it)) else { return Vec::new() };
    let standing = install::standing(&top);
    let installed = standing.iter().any(|it| it.whole.is_some());
    let lines = standing.into_iter().map(|Standing { whose, file, whole }| Line {
        what: format!("vsota hooks, {whose}"),
        ok: whole == Some(true),
        place: Some(file.into_string()),
        found: String::from(match whole {
            Some(true) => "installed",
            Some(false) => "installed in part, or not runnable",
            None => "not installed: nothing keeps the agent inside the gates while it works",
        }),
        mend: (whole != Some(true))
            .then(|| format!("vsota hook install --{whose} --checkout {top}")),
    });
    lines.chain(installed.then(called)).collect()
}

/// The vsota that the hooks call. A hook that does not answer denies nothing.
fn called() -> Line {
    let own = env::current_exe().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let beside = own.as_deref().and_then(Utf8Path::parent).unwrap_or(Utf8Path::new("DIR"));
    let mend = Some(format!("export PATH={beside}:$PATH, where the agent is started"));
    let line = |ok, place: Option<Utf8PathBuf>, found: String| Line {
        what: String::from("vsota that the hooks call"),
        ok,
        place: place.map(Utf8PathBuf::into_string),
        found,
        mend: mend.clone().filter(|_| !ok),
    };
    let Some(found) = ground::find_program("vsota") else {
        return line(
            false,
            None,
            String::from("no vsota is on the path, so every call would pass"),
        );
    };
    let patience = Patience { time: Duration::from_secs(10), bytes: 64 << 10 };
    let answer = bounded::ask(Command::new(&found).arg("--version"), patience);
    let said = match answer {
        Ok(answer) if answer.status.success() => first_line(&answer.stdout),
        Ok(answer) => {
            return line(false, Some(found), format!("it ends with {}", answer.status));
        }
        Err(error) => return line(false, Some(found), format!("it {error}")),
    };
    let ours = concat!("vsota ", env!("CARGO_PKG_VERSION"));
    match said == ours {
        true => line(true, Some(found), said),
        false => line(false, Some(found), format!("it says `{said}`; this is {ours}")),
    }
}

fn checkout(context: &Context) -> Option<String> {
    let (_, reading) = context.reading().ok()?;
    let (campaign, _) = crate::chronicle::campaign(&reading).ok()?;
    campaign.state().brief().vllm_checkout().map(|it| it.as_str().to_owned())
}

/// Where a loop would be started, when the agent names a project (RL-5).
fn project(context: &Context) -> Line {
    let named = env::var("CLAUDE_PROJECT_DIR").ok().filter(|it| !it.is_empty());
    let checkout = checkout(context);
    let real = |it: &str| Utf8Path::new(it).canonicalize_utf8().ok();
    let astray = match (&named, &checkout) {
        (Some(named), Some(checkout)) => real(named) != real(checkout),
        _ => false,
    };
    Line {
        what: String::from("project directory"),
        ok: !astray,
        found: match (&named, &checkout) {
            (None, _) => String::from("CLAUDE_PROJECT_DIR is not set"),
            (Some(_), None) => String::from("no campaign here knows a checkout to compare it with"),
            (Some(_), Some(checkout)) if astray => {
                format!("not the checkout {checkout}: Humanize would start the loop there")
            }
            (Some(_), Some(_)) => String::from("the checkout"),
        },
        place: named,
        mend: astray.then(|| String::from("unset CLAUDE_PROJECT_DIR")),
    }
}

fn tool(name: &str, needed: bool, what: &str) -> Line {
    let place = ground::find_program(name);
    let ok = place.is_some();
    let found = match (ok, needed) {
        (true, _) => format!("for {what}"),
        (false, true) => format!("not on the path; needed for {what}"),
        (false, false) => format!("not on the path; used for {what}"),
    };
    let mend = (!ok).then(|| format!("install {name}"));
    Line {
        what: format!("tool {name}"),
        ok,
        place: place.map(Utf8PathBuf::into_string),
        found,
        mend,
    }
}

fn companion(name: CompanionName) -> Line {
    let what = format!("companion {name}");
    let looked = roots::companion(name);
    match looked.found {
        Some(skill) => {
            let bytes = fs::read(&skill).unwrap_or_default();
            let found = format!("sha256 {}", vsota_core::Digest::of(&bytes));
            let mend = None;
            Line { what, ok: true, place: Some(skill.into_string()), found, mend }
        }
        None => Line {
            what,
            ok: false,
            place: None,
            found: format!("not among the skills, {} places were looked at", looked.places.len()),
            mend: Some(format!("vsota companion note {name} --blocked REASON")),
        },
    }
}

fn text(view: &View) -> Text {
    let mut text = Text::new();
    let agents: Vec<&str> = view.agents.iter().map(|it| it.title()).collect();
    text.plain("skills of  ").push(Style::Strong, agents.join(", then ")).plain("  told by ");
    text.line(&view.told_by);
    for it in &view.lines {
        let (style, mark) = if it.ok { (Style::Good, "ok    ") } else { (Style::Bad, "FAIL  ") };
        text.push(style, mark).push(Style::Strong, &it.what).plain("  ").line(&it.found);
        if let Some(place) = &it.place {
            text.plain("      at: ").line(place);
        }
        if let Some(mend) = &it.mend {
            text.plain("      mend: ").push(Style::Code, mend).end();
        }
    }
    text
}
