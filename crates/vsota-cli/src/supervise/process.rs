//! Which processes are there, and whose are they? A process is its id and the moment of its start: an id
//! alone is used again by another one, and is never sent a signal.

use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that every process of a run carries, and what it started.
pub const MARKER: &str = "VSOTA_RUN";

/// A process that cannot be mistaken for a later one with the same id.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it was started, in clock ticks since the machine came up.
    pub start: u64,
}

/// What the system says of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stat {
    parent: u32,
    start: u64,
    zombie: bool,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, parentheses too.
    let mut fields = text.get(text.rfind(')')?..)?.split_whitespace().skip(1);
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat { parent, start, zombie })
}

/// The ids of all processes.
fn all() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.filter_map(|it| it.ok()?.file_name().into_string().ok());
    names.filter_map(|it| it.parse().ok()).collect()
}

impl Process {
    /// The process that has this id now; `None` when there is none that still runs.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = stat(pid).filter(|it| !it.zombie)?;
        Some(Self { pid, start: stat.start })
    }

    /// Whether it still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Sends a signal to this very process; whether it was there.
    ///
    /// The process is held by a descriptor before its start is looked at again, so that an id that is
    /// given anew in between is not hit.
    pub fn signal(self, signal: Signal) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(pid) = pid else { return false };
        let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
        self.is_alive() && pidfd_send_signal(&held, signal).is_ok()
    }

    /// What it was started with, for people.
    pub fn shown(self) -> String {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let words = line.split(|it| *it == 0).map(String::from_utf8_lossy);
        let words: Vec<_> = words.filter(|it| !it.is_empty()).collect();
        format!("process {} ({})", self.pid, crate::escape::brief(&words.join(" "), 120))
    }

    /// Whether its environment carries the marker of a run.
    fn carries(self, marker: &str) -> bool {
        let Ok(environ) = fs::read(format!("/proc/{}/environ", self.pid)) else { return false };
        let wanted = format!("{MARKER}={marker}");
        environ.split(|it| *it == 0).any(|it| it == wanted.as_bytes())
    }
}

/// Everything that descends from a process and still runs.
pub fn descendants(of: u32) -> Vec<Process> {
    let stats: Vec<(u32, Stat)> =
        all().into_iter().filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let mut family = vec![of];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(stats.iter().filter(|(_, it)| it.parent == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    let alive = |pid: u32| {
        let found = stats.iter().find(|(it, _)| *it == pid)?.1;
        (!found.zombie).then_some(Process { pid, start: found.start })
    };
    family.into_iter().skip(1).filter_map(alive).collect()
}

/// Every process that carries the marker of a run.
pub fn marked(marker: &str) -> Vec<Process> {
    let own = std::process::id();
    let found = all().into_iter().filter(|pid| *pid != own).filter_map(Process::of);
    found.filter(|it| it.carries(marker)).collect()
}

/// Who listens on a port of this machine, as far as it can be seen.
pub fn listening_on(port: u16) -> Option<Process> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|it| fs::read_to_string(it).ok())
        .flat_map(|table| table.lines().filter_map(|it| listener(it, port)).collect::<Vec<_>>())
        .collect();
    all().into_iter().filter_map(Process::of).find(|process| {
        let Ok(files) = fs::read_dir(format!("/proc/{}/fd", process.pid)) else { return false };
        let links = files.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
        let mut links = links.filter_map(|it| it.into_os_string().into_string().ok());
        links.any(|it| inodes.iter().any(|inode| it == format!("socket:[{inode}]")))
    })
}

/// The inode of a socket that listens on a port, from a line of the system's table.
fn listener(line: &str, port: u16) -> Option<String> {
    const LISTENS: &str = "0A";
    let mut fields = line.split_whitespace();
    let (_, local) = fields.nth(1)?.rsplit_once(':')?;
    let here = u16::from_str_radix(local, 16).ok()? == port;
    (here && fields.nth(1)? == LISTENS).then(|| fields.nth(5).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn sleeper() -> std::process::Child {
        let mut command = Command::new("sleep");
        command.arg("600").env(MARKER, "test-marker").stdin(Stdio::null());
        command.spawn().unwrap()
    }

    #[test]
    fn a_process_is_found_by_its_marker_and_ended() {
        let mut child = sleeper();
        let found = marked("test-marker");
        assert_eq!(found, [Process::of(child.id()).unwrap()]);
        assert!(marked("test-mark").is_empty() && marked("another").is_empty());
        assert!(found[0].shown().contains("sleep 600"));
        assert!(descendants(std::process::id()).contains(&found[0]));
        assert!(found[0].signal(Signal::KILL));
        child.wait().unwrap();
        assert!(!found[0].is_alive() && !found[0].signal(Signal::KILL));
    }

    #[test]
    fn an_id_that_was_given_anew_is_never_sent_a_signal() {
        let mut child = sleeper();
        let now = Process::of(child.id()).unwrap();
        // A thousand earlier lives of this id: other starts.
        for start in (0..now.start).rev().take(1_000) {
            assert!(!Process { start, ..now }.signal(Signal::KILL));
        }
        assert!(now.is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn who_holds_a_port_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(listening_on(port), Process::of(std::process::id()));
        drop(listener);
        assert_eq!(listening_on(port), None);
    }
}
