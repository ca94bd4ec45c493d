//! How far is the run? On a terminal a live line, elsewhere one line a step; under `--json` a JSON line on
//! stderr.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::context::Context;
use crate::escape;
use crate::output::{Style, Text};

/// How often the live line is drawn anew.
const AGAIN: Duration = Duration::from_secs(1);

/// The longest word on the live line, which is one line.
const WIDTH: usize = 100;

/// What runs now, k of n, how long it has taken and may still take, and how things stand.
#[derive(Debug)]
pub struct Progress<'a> {
    context: &'a Context,
    begun: Instant,
    /// Hidden where stderr is no terminal, and under `--json`.
    live: ProgressBar,
    /// The best so far, or the last verdict.
    standing: RefCell<Option<String>>,
}

impl<'a> Progress<'a> {
    /// Begins to count the time.
    pub fn new(context: &'a Context) -> Self {
        let target = match context.output.is_json() {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let live = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            live.set_style(style);
        }
        Self { context, begun: Instant::now(), live, standing: RefCell::new(None) }
    }

    /// Tells that step `k` of `n` begins.
    pub fn step(&self, (k, n): (usize, usize), what: &str) {
        let elapsed = self.begun.elapsed();
        let left = left(elapsed, k, n);
        let eta = left.map_or(String::new(), |it| format!(", about {} left", shown(it)));
        let standing = self.standing.borrow().clone();
        let stands = standing.as_ref().map_or(String::new(), |it| format!("; {it}"));
        if self.alive(&format!("{k}/{n}  {what}{eta}{stands}")) {
            return;
        }
        let mut text = Text::new();
        text.push(Style::Dim, format!("{k:>3}/{n}  ")).plain(what);
        text.push(Style::Dim, format!("  ({}{eta}{stands})", shown(elapsed))).end();
        self.tell(
            &text,
            &json!({
                "progress": what, "k": k, "n": n, "elapsed_s": elapsed.as_secs(),
                "eta_s": left.map(|it| it.as_secs()), "standing": standing,
            }),
        );
    }

    /// Tells what begins where nobody knows how much is still to come.
    pub fn now(&self, what: &str) {
        let standing = self.standing.borrow().clone();
        let stands = standing.map_or(String::new(), |it| format!("; {it}"));
        if !self.alive(&format!("{what}{stands}")) {
            self.note(what);
        }
    }

    /// How things stand: it is told with the next step.
    pub fn stands(&self, how: String) {
        *self.standing.borrow_mut() = Some(how);
    }

    /// Tells what came of a step.
    pub fn note(&self, what: &str) {
        let text = Text::new().plain("         ").line(what).clone();
        self.tell(&text, &json!({ "note": what, "elapsed_s": self.begun.elapsed().as_secs() }));
    }

    /// Puts something on the live line; whether there is one.
    fn alive(&self, what: &str) -> bool {
        if self.live.is_hidden() {
            return false;
        }
        self.live.set_message(escape::brief(what, WIDTH));
        self.live.enable_steady_tick(AGAIN);
        true
    }

    fn tell(&self, text: &Text, value: &Value) {
        self.live.suspend(|| {
            if self.context.output.is_json() {
                // Nobody has to listen.
                let _ = self.context.output.stream(text, value);
            } else {
                self.context.output.progress(text);
            }
        });
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.live.finish_and_clear();
    }
}
/// What is left, if the other steps take as long as those before.
fn left(elapsed: Duration, k: usize, n: usize) -> Option<Duration> {
    let done = u32::try_from(k.checked_sub(1)?).ok().filter(|it| *it > 0)?;
    let more = u32::try_from(n.saturating_sub(k).saturating_add(1)).ok()?;
    elapsed.checked_div(done)?.checked_mul(more)
}

fn shown(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_was_as_long() {
        let minute = Duration::from_secs(60);
        assert_eq!(left(minute, 1, 10), None);
        assert_eq!(left(minute, 7, 12), Some(minute));
        assert_eq!(left(minute, 2, 2), Some(minute));
        assert_eq!(shown(minute), "60 s");
        assert_eq!(shown(minute * 5), "5 min");
    }
}
