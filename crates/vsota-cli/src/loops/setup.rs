//! Running Humanize's own set-up, as the real script (RL-5).

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use vsota_core::facts::Setup;

use super::line;
use crate::failure::Failure;

/// How long set-up may take: each of its calls of git may take 30 s.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often its end is looked for.
const GLANCE: Duration = Duration::from_millis(20);

/// The most bytes of its messages that are kept.
const MESSAGES: u64 = 64 << 10;

/// Variables that would lead the script to other files than those of its own runtime.
const LEAKS: [&str; 3] = ["TEMPLATE_DIR", "PLUGIN_ROOT", "SCRIPT_DIR"];

/// Runs the script from the checkout, and waits for its end. What it prints on stdout is the prompt of
/// the first round, which it writes into a file too.
///
/// # Errors
///
/// When it cannot be run, or takes longer than it may.
pub(super) fn run(checkout: &Utf8Path, argv: &[String]) -> Result<Setup, Failure> {
    let (script, args) = argv.split_first().map_or(("", argv), |(it, rest)| (it.as_str(), rest));
    let mut command = Command::new(script);
    for leak in LEAKS {
        command.env_remove(leak);
    }
    let started = command
        .args(args)
        .current_dir(checkout)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| {
        Failure::child(format_args!("could not run it: {error}")).in_file(script)
    })?;
    let messages = child.stderr.take();
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut messages) = messages {
            // What comes after the first 64 KiB is read and dropped, so that nobody waits.
            let _ = messages.by_ref().take(MESSAGES).read_to_end(&mut text);
            let _ = std::io::copy(&mut messages, &mut std::io::sink());
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let begun = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() < PATIENCE => thread::sleep(GLANCE),
            Ok(None) => {
                // It is ours, and it is gone one way or the other.
                let _ = child.kill();
                let _ = child.wait();
                let message = format_args!("it did not end within {} s", PATIENCE.as_secs());
                return Err(Failure::child(message).in_file(script));
            }
            Err(error) => return Err(Failure::child(error).in_file(script)),
        }
    };
    let exit = status.code().unwrap_or(-1);
    let messages = if exit == 0 { String::new() } else { reader.join().unwrap_or_default() };
    let first = messages.lines().map(str::trim).find(|it| !it.is_empty());
    Ok(Setup {
        argv: argv.iter().map(|it| line(it)).collect::<Result<_, _>>()?,
        exit,
        message: first.map(line).transpose()?,
    })
}
