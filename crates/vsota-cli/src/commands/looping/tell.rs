//! How is it told that a loop can be, or was, entered?

use serde::Serialize;
use vsota_core::evidence::humanize::{Ground, Runtime};
use vsota_core::facts::{Handshake, LoopStart};

use crate::failure::Failure;
use crate::output::{Outcome, Style, Text};

#[derive(Serialize)]
struct Checked<'a> {
    checks: u8,
    runtime: Option<&'a Runtime>,
    base_branch: Option<&'a str>,
}

/// All twelve checks passed, and nothing was set up.
pub(super) fn checked(ground: &Ground) -> Result<Outcome, Failure> {
    let runtime = ground.runtime.as_ref();
    let base_branch = ground.repository.as_ref().and_then(|it| it.base.as_deref());
    let mut text = Text::new();
    text.push(Style::Good, "checks    ").line("all twelve hold; nothing was set up");
    text.plain("runtime   ").line(runtime.map_or("", |it| it.root.as_str()));
    text.plain("base      ").line(base_branch.unwrap_or_default());
    Outcome::new(text, &Checked { checks: 12, runtime, base_branch })
}

/// The loop that was entered.
pub(super) fn entered(start: &LoopStart) -> Text {
    let mut text = Text::new();
    if let Some(message) = &start.setup.message {
        text.push(Style::Warn, "set-up    ").line(message.as_str());
    }
    let argv: Vec<&str> = start.setup.argv.iter().map(|it| it.as_str()).collect();
    text.plain("ran       ").push(Style::Code, argv.join(" ")).end();
    if let Some(it) = &start.active {
        text.plain("loop      ").push(Style::Strong, it.dir.as_str()).end();
        text.plain("prompt    ").line(format!(".humanize/rlcr/{}/round-0-prompt.md", it.dir));
    }
    if start.handshake == Handshake::RoundContract {
        text.push(Style::Warn, "waived    ").line("RL-6: this loop may end without success");
    }
    text
}
