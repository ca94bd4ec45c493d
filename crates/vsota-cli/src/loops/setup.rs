//! Running Humanize's own set-up, as the real script (RL-5).

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use vsota_core::facts::Setup;

use super::line;
use crate::bounded::end;
use crate::checkout::Checkout;
use crate::failure::Failure;

/// How long set-up may take: each of its calls of git may take 30 s.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often its end is looked for.
const GLANCE: Duration = Duration::from_millis(20);

/// How long its messages may take after its end: a child of its own may hold the pipe open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The most bytes of its messages that are kept.
const MESSAGES: usize = 64 << 10;

/// Variables that would lead the script to other files than those of its own runtime.
const LEAKS: [&str; 3] = ["TEMPLATE_DIR", "PLUGIN_ROOT", "SCRIPT_DIR"];

/// Runs the script from the checkout, and waits for its end. The git that it calls runs nothing that the
/// repository configures, and is steered by no variable. What it prints on stdout is the prompt of
/// the first round, which it writes into a file too.
///
/// # Errors
///
/// When it cannot be run, or takes longer than it may.
pub(super) fn run(checkout: &Checkout, argv: &[String]) -> Result<Setup, Failure> {
    let (script, args) = argv.split_first().map_or(("", argv), |(it, rest)| (it.as_str(), rest));
    let mut command = Command::new(script);
    for leak in LEAKS {
        command.env_remove(leak);
    }
    checkout.shield(&mut command);
    let started = command
        // A group of its own, so that nothing of it outlives its limit.
        .process_group(0)
        .args(args)
        .current_dir(checkout.root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| {
        Failure::child(format_args!("could not run it: {error}")).in_file(script)
    })?;
    let messages = child.stderr.take().map(listen);
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() < PATIENCE => thread::sleep(GLANCE),
            Ok(None) => {
                end(&mut child);
                let message = format_args!("it did not end within {} s", PATIENCE.as_secs());
                return Err(Failure::child(message).in_file(script));
            }
            Err(error) => return Err(Failure::child(error).in_file(script)),
        }
    };
    let exit = status.code().unwrap_or(-1);
    let messages = messages.filter(|_| exit != 0).map(|it| last_words(&it)).unwrap_or_default();
    let first = messages.lines().map(str::trim).find(|it| !it.is_empty());
    Ok(Setup {
        argv: argv.iter().map(|it| line(it)).collect::<Result<_, _>>()?,
        exit,
        message: first.map(line).transpose()?,
    })
}

/// Reads what a child says, so that it never waits for a reader.
fn listen(mut messages: ChildStderr) -> Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = 0;
        let mut part = [0; 4096];
        while let Ok(read @ 1..) = messages.read(&mut part) {
            // What comes after the first 64 KiB is read and dropped.
            if let Some(part) = part.get(..read).filter(|_| kept < MESSAGES) {
                kept = kept.saturating_add(read);
                let _ = send.send(part.to_vec());
            }
        }
    });
    receive
}

/// What was said, as far as it comes in time.
fn last_words(messages: &Receiver<Vec<u8>>) -> String {
    let until = Instant::now() + LAST_WORDS;
    let mut text = Vec::new();
    while let Ok(part) = messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
        text.extend(part);
    }
    String::from_utf8_lossy(&text).into_owned()
}
