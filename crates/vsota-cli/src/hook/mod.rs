//! The answer to an agent's hook: may this tool call happen now?
//!
//! The contract of hooks is not that of the command line: exit 0 with one JSON object, whatever happens.
//! Both agents let a call run when a hook ends in any other way but 0 or 2, and clap's 2 would deny what
//! it only misunderstood, so that neither clap nor a panic is let near. Without a campaign the answer
//! is no decision; an error of our own inside a campaign denies.

pub mod gates;
mod place;

use std::env;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use vsota_core::evidence::hook::{Deed, ToolCall, tool_call};
use vsota_core::{Campaign, Phase};

use crate::chronicle;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::journal::Reading;
use crate::rundir::RunDir;
use gates::Gates;
use place::{Site, campaigns};

/// The most bytes of a payload.
const LIMIT: u64 = 16 << 20;

/// The hooks that are answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// Before a tool call.
    PreToolUse,
    /// When the agent is about to stop.
    Stop,
    /// When a session begins, goes on, or was compacted.
    SessionStart,
    /// From git itself, before a commit: exit 1 and the reason on stderr.
    PreCommit,
}

/// The hook that the arguments ask for; `None` when they ask for something else. Flags are not looked at:
/// the line that an agent registered stays the same in every version.
pub fn asked(args: &[OsString]) -> Option<Hook> {
    let word = |at: usize| args.get(at).and_then(|it| it.to_str());
    let help = args.iter().any(|it| it == "--help" || it == "-h");
    match (word(1)?, word(2)?) {
        _ if help => None,
        ("hook", "pre-tool-use") => Some(Hook::PreToolUse),
        ("hook", "stop") => Some(Hook::Stop),
        ("hook", "session-start") => Some(Hook::SessionStart),
        ("hook", "pre-commit") => Some(Hook::PreCommit),
        _ => None,
    }
}

/// Reads the payload from stdin, and answers on stdout.
pub fn answer(hook: Hook) -> Exit {
    let mut payload = Vec::new();
    let read = match hook {
        Hook::PreCommit => Ok(0),
        _ => std::io::stdin().lock().take(LIMIT).read_to_end(&mut payload),
    };
    let here = env::current_dir().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
    let here = here.unwrap_or_default();
    if read.is_err() {
        payload.clear();
    }
    // A panic prints on stderr, which nobody reads as an answer.
    let failed = "the hook itself failed";
    let answer = catch_unwind(AssertUnwindSafe(|| of(hook, &payload, &here)));
    let answer = answer.or_else(|_| catch_unwind(AssertUnwindSafe(|| closed(hook, &here, failed))));
    // What fails on a journal fails on it twice: then nobody knows, and what a gate may care for waits.
    let answer = answer.unwrap_or_else(|_| match hook {
        Hook::PreToolUse | Hook::PreCommit => deny(failed),
        Hook::Stop | Hook::SessionStart => json!({}),
    });
    tell(hook, &answer)
}

fn tell(hook: Hook, answer: &Value) -> Exit {
    if hook == Hook::PreCommit {
        let reason = answer.pointer("/hookSpecificOutput/permissionDecisionReason");
        let Some(reason) = reason.and_then(Value::as_str) else { return Exit::Done };
        let _ = writeln!(std::io::stderr(), "{reason}");
        return Exit::Failed;
    }
    let _ = writeln!(std::io::stdout(), "{answer}");
    Exit::Done
}

/// The answer to a payload, seen from a directory.
fn of(hook: Hook, payload: &[u8], here: &Utf8Path) -> Value {
    let home = env::var("HOME").unwrap_or_default();
    let call = match hook {
        Hook::PreCommit => {
            let verb = String::from("commit");
            let deeds = vec![Deed::Commit { dir: here.to_string(), verb }];
            ToolCall { cwd: here.to_string(), deeds, ..ToolCall::default() }
        }
        _ => match tool_call(payload, &home, here.as_str()) {
            Ok(call) => call,
            Err(error) => {
                return closed(hook, here, &format!("the payload is unreadable: {error}"));
            }
        },
    };
    let cwd = Utf8PathBuf::from(&call.cwd);
    match hook {
        Hook::PreToolUse | Hook::PreCommit => before(&call, &cwd),
        Hook::Stop => stopping(&call, &cwd),
        Hook::SessionStart => beginning(&cwd),
    }
}

/// Most calls have no deed that a gate cares for, and are answered without looking at a journal.
fn before(call: &ToolCall, cwd: &Utf8Path) -> Value {
    if call.deeds.is_empty() {
        return json!({});
    }
    let dirs = call.deeds.iter().filter_map(place::dir_of).map(Utf8PathBuf::from);
    let dirs: Vec<Utf8PathBuf> = std::iter::once(cwd.to_owned()).chain(dirs).collect();
    for found in campaigns(&dirs) {
        let reason: Option<String> = match found {
            Ok(run) => match gates(&run) {
                Ok(gates) => {
                    let site = Site::of(&run, gates.checkout.as_deref(), cwd);
                    call.deeds.iter().find_map(|it| gates.against(it, &site))
                }
                Err(failure) => Some(unbelievable(&failure)),
            },
            Err(failure) => Some(unbelievable(&failure)),
        };
        if let Some(reason) = reason {
            return deny(&reason);
        }
    }
    json!({})
}

/// A stop in the midst of a round is held up once, with what the round still owes.
fn stopping(call: &ToolCall, cwd: &Utf8Path) -> Value {
    let Some(Ok(run)) = campaigns(&[cwd.to_owned()]).into_iter().next() else { return json!({}) };
    let Ok(campaign) = open(&run) else { return json!({}) };
    if call.stop_hook_active || !is_round(campaign.phase()) {
        return json!({});
    }
    json!({ "decision": "block", "reason": format!("vsota: {}", standing(&run, &campaign)) })
}

fn beginning(cwd: &Utf8Path) -> Value {
    let context = match campaigns(&[cwd.to_owned()]).into_iter().next() {
        None => return json!({}),
        Some(Ok(run)) => match open(&run) {
            Ok(campaign) => standing(&run, &campaign),
            Err(failure) => unbelievable(&failure),
        },
        Some(Err(failure)) => unbelievable(&failure),
    };
    json!({ "hookSpecificOutput": {
        "hookEventName": "SessionStart", "additionalContext": format!("vsota: {context}"),
    } })
}

/// Where the campaign is, what is unmet, and what comes next; enough for a context that lost the rest.
fn standing(run: &Utf8Path, campaign: &Campaign) -> String {
    let place = chronicle::place(campaign.phase(), chronicle::round(campaign));
    let mut told = format!("the campaign {run} is in {place}.");
    let next = chronicle::next(campaign);
    let ready: Vec<&str> = next.iter().filter(|it| it.ready).map(|it| it.command).collect();
    if !ready.is_empty() {
        told.push_str(&format!(" Allowed now: {}.", ready.join("; ")));
    }
    for it in next.iter().filter(|it| !it.ready) {
        let unmet: Vec<String> = it
            .unmet
            .iter()
            .take(4)
            .map(|one| format!("{} {} (try: {})", one.clause, one.found, one.help))
            .collect();
        told.push_str(&format!(" {} waits for: {}.", it.command, unmet.join("; ")));
    }
    told.push_str(
        " Ask `vsota next` and `vsota why COMMAND`; read humanize/model-loop-checkpoint.md.",
    );
    told
}

/// What went wrong inside a campaign: nobody may go on as if it had not.
fn unbelievable(failure: &Failure) -> String {
    let told = crate::output::told(failure).render(false);
    format!("the campaign cannot be read: {}; run `vsota verify`", told.trim())
}

/// An error of our own: a denial inside a campaign, else no decision.
fn closed(hook: Hook, here: &Utf8Path, reason: &str) -> Value {
    let found = campaigns(&[here.to_owned()]);
    let inside = found.iter().any(|it| match it {
        Ok(run) => {
            open(run).map_or(true, |it| is_round(it.phase()) || it.phase() == Phase::RlcrActive)
        }
        Err(_) => true,
    });
    match hook {
        Hook::PreToolUse | Hook::PreCommit if inside => deny(reason),
        _ => json!({}),
    }
}

/// The gates as they were left with the last entry; folded from the journal when they are of another one.
fn gates(run: &Utf8Path) -> Result<Gates, Failure> {
    let run = RunDir::open(run)?;
    let reading = Reading::of(&run)?;
    match Gates::kept(&run, &reading) {
        Some(kept) => Ok(kept),
        None => Ok(Gates::of(&chronicle::campaign(&reading)?.0)),
    }
}

fn open(run: &Utf8Path) -> Result<Campaign, Failure> {
    let run = RunDir::open(run)?;
    Ok(chronicle::campaign(&Reading::of(&run)?)?.0)
}

fn is_round(phase: Phase) -> bool {
    use Phase::{GapDecision, KernelAssist, LayerPipeline, Profiling, Revalidate};
    matches!(phase, GapDecision | Profiling | LayerPipeline | KernelAssist | Revalidate)
}

fn deny(reason: &str) -> Value {
    let reason: String = crate::escape::line(reason).chars().take(1_500).collect();
    json!({ "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": format!("vsota: {reason}"),
    } })
}
