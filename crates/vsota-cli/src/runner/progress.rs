//! How far is the run? One line a step; under `--json` a JSON line on stderr.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::context::Context;
use crate::output::{Style, Text};

/// What runs now, k of n, how long it has taken and may still take.
#[derive(Debug)]
pub struct Progress<'a> {
    context: &'a Context,
    begun: Instant,
}

impl<'a> Progress<'a> {
    /// Begins to count the time.
    pub fn new(context: &'a Context) -> Self {
        Self { context, begun: Instant::now() }
    }

    /// Tells that step `k` of `n` begins.
    pub fn step(&self, (k, n): (usize, usize), what: &str) {
        let elapsed = self.begun.elapsed();
        let left = left(elapsed, k, n);
        let eta = left.map_or(String::new(), |it| format!(", about {} left", shown(it)));
        let mut text = Text::new();
        text.push(Style::Dim, format!("{k:>3}/{n}  ")).plain(what);
        text.push(Style::Dim, format!("  ({}{eta})", shown(elapsed))).end();
        self.tell(
            &text,
            &json!({
                "progress": what, "k": k, "n": n, "elapsed_s": elapsed.as_secs(),
                "eta_s": left.map(|it| it.as_secs()),
            }),
        );
    }

    /// Tells what came of a step.
    pub fn note(&self, what: &str) {
        let text = Text::new().plain("         ").line(what).clone();
        self.tell(&text, &json!({ "note": what, "elapsed_s": self.begun.elapsed().as_secs() }));
    }

    fn tell(&self, text: &Text, value: &Value) {
        if self.context.output.is_json() {
            // Nobody has to listen.
            let _ = self.context.output.stream(text, value);
        } else {
            self.context.output.progress(text);
        }
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
