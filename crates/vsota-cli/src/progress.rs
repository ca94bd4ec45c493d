//! How far is a long read? A line on a terminal that is written over, and nothing anywhere else.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Before so long nothing is shown, and then so often.
const FIRST: Duration = Duration::from_millis(700);
const AGAIN: Duration = Duration::from_millis(200);

/// The progress of one file.
#[derive(Debug)]
pub struct Progress {
    /// `None` where stderr is no terminal.
    terminal: Option<io::Stderr>,
    name: String,
    whole: u64,
    begun: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Starts with nothing read of a file of so many bytes.
    pub fn of(name: &str, whole: u64) -> Self {
        let stderr = io::stderr();
        let name = crate::escape::line(name).chars().take(40).collect();
        let terminal = stderr.is_terminal().then_some(stderr);
        Self { terminal, name, whole, begun: Instant::now(), shown: None }
    }

    /// So many bytes of the file were read, which inflated to so many.
    pub fn tell(&mut self, read: u64, inflated: u64) {
        let Some(terminal) = &mut self.terminal else { return };
        let now = Instant::now();
        let since = now.duration_since(self.shown.unwrap_or(self.begun));
        if since < if self.shown.is_some() { AGAIN } else { FIRST } {
            return;
        }
        self.shown = Some(now);
        let line = line(read, self.whole, inflated, now.duration_since(self.begun));
        // A terminal that is gone takes nothing away from the answer.
        let _ = write!(terminal, "\r{} {line}\u{1b}[K", self.name);
        let _ = terminal.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let (Some(terminal), Some(_)) = (&mut self.terminal, self.shown) {
            let _ = write!(terminal, "\r\u{1b}[K");
            let _ = terminal.flush();
        }
    }
}

/// Bytes, rate and what is left of the time.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn line(read: u64, whole: u64, inflated: u64, passed: Duration) -> String {
    let passed = passed.as_secs_f64().max(1e-3);
    let share = (read as f64 / whole.max(1) as f64).clamp(0.0, 1.0);
    let left = if share > 0.0 { passed / share - passed } else { f64::INFINITY };
    let left = if left < 360_000.0 { format!("{left:.0} s left") } else { String::new() };
    let (gb, rate) = (inflated as f64 / 1e9, inflated as f64 / 1e6 / passed);
    format!("{:.0} %, {gb:.2} GB of text, {rate:.0} MB/s, {left}", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_time_follows_from_the_share_of_the_file() {
        let told = line(25_000_000, 100_000_000, 500_000_000, Duration::from_secs(2));
        assert_eq!(told, "25 %, 0.50 GB of text, 250 MB/s, 6 s left");
        assert!(!line(0, 100, 0, Duration::ZERO).contains("left"));
    }

    #[test]
    fn where_there_is_no_terminal_nothing_is_written() {
        // The tests' own stderr is captured, or a file.
        let mut progress = Progress::of("trace.json", 10);
        if progress.terminal.is_none() {
            progress.tell(5, 5);
            assert!(progress.shown.is_none());
        }
    }
}
