//! `vsota revalidate test`: RV-2.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _};
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use vsota_core::command::FileTests;
use vsota_core::facts::{KernelPatch, TestRun, WaivedTest};
use vsota_core::phase::Trialled;
use vsota_core::text::Line;
use vsota_core::{Campaign, GitId, State};

use crate::context::Context;
use crate::drafting;
use crate::failure::Failure;
use crate::find;
use crate::journal::rel;
use crate::junit::{self, Report};
use crate::output::Outcome;
use crate::rundir::RunDir;
use crate::rundir::intake::{LIMIT, Staged};
use crate::transition;

/// Run the tests of the patched commit, or file what they said
#[derive(Args, Debug)]
pub struct TestArgs {
    /// The commit that the tests run on
    #[arg(long)]
    commit: GitId,

    /// A JUnit XML; with a command, the one that it writes
    #[arg(long, value_name = "FILE", required_unless_present = "run")]
    junit: Option<Utf8PathBuf>,

    /// A test that is known to fail, and why; once for each
    #[arg(long, num_args = 2, value_names = ["TEST", "REASON"])]
    waive: Vec<Line>,

    /// The command that runs the tests; without --junit its closing line must be pytest's
    #[arg(last = true, value_name = "CMD")]
    run: Vec<String>,
}

/// A command that was run.
struct Ran {
    argv: Vec<Line>,
    exit: i32,
    /// Where the checkout stood, when it is there.
    head: Option<GitId>,
    log: Vec<u8>,
}

/// Runs or files the tests.
///
/// # Errors
///
/// Bad evidence when the report cannot be read; refused on another commit than the patch's.
pub fn run(context: &Context, args: TestArgs) -> Result<Outcome, Failure> {
    let run = context.run_dir()?;
    let (campaign, round) = drafting::standing(&run)?;
    let stem = format!("benchmark/logs/tests/r{round}-{}", args.commit.short());
    let checkout = campaign.state().brief().vllm_checkout().map(Line::as_str);
    let ran = if args.run.is_empty() { None } else { Some(call(context, &args.run, checkout)?) };
    let mut staged = Vec::new();
    let mut report = match (&args.junit, &ran) {
        (Some(from), _) => {
            let bytes = context.evidence(from, LIMIT)?;
            let report = junit::read(&bytes).map_err(|error| error.in_file(from))?;
            staged.push(stage(context, &run, &bytes, from.as_str(), &stem, "xml")?);
            report
        }
        (None, Some(ran)) => junit::closing_line(&String::from_utf8_lossy(&ran.log))?,
        (None, None) => return Err(Failure::usage("--junit FILE or -- CMD is needed")),
    };
    if let Some(ran) = &ran {
        staged.push(stage(context, &run, &ran.log, "the log", &stem, "log")?);
        if ran.exit != 0 && report.failed.is_empty() {
            report.failed.push(line(&format!("the command ended with {}", ran.exit))?);
        }
    }
    let kept = staged.last().ok_or_else(|| Failure::usage("nothing was run or filed"))?;
    let log = kept.artifact().clone();
    let kernel = kernel(&campaign);
    let focused = report.passing(|it| kernel.is_some_and(|kernel| kernel.is_focused(it)))?;
    let Report { passed, failed, .. } = report;
    let (argv, exit, head) =
        ran.map_or((Vec::new(), None, None), |it| (it.argv, Some(it.exit), it.head));
    let waived = waived(&args.waive);
    let commit = args.commit;
    let tests = TestRun { commit, argv, exit, head, passed, focused, failed, waived, log };
    transition::take_with(context, &run, staged, |_| Ok(FileTests(tests).into()))?.outcome()
}

/// The kernel of the patch that is on trial, which has a test of its own (KA-9).
fn kernel(campaign: &Campaign) -> Option<&KernelPatch> {
    match campaign.state() {
        State::Revalidate(it) => match it.trialled() {
            Trialled::Patch(patch) => patch.0.kernel.as_ref(),
            Trialled::Fixup(_) => None,
        },
        _ => None,
    }
}

/// Runs the command with both its streams in one log, which never reaches a disk; what is a secret in
/// it is taken out and counted. Nothing is read from the terminal.
fn call(context: &Context, argv: &[String], checkout: Option<&str>) -> Result<Ran, Failure> {
    let stands = || checkout.and_then(|it| find::head(Utf8Path::new(it)));
    let head = stands();
    let (program, rest) = argv.split_first().ok_or_else(|| Failure::usage("no command"))?;
    let failed = |error: std::io::Error| {
        Failure::child(format_args!("could not run {program}: {error}; nothing was recorded"))
    };
    let mut log = unnamed().map_err(failed)?;
    let out = log.try_clone().map_err(failed)?;
    let again = out.try_clone().map_err(failed)?;
    let status = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(again)
        .status()
        .map_err(failed)?;
    let Some(exit) = status.code() else {
        let message = format_args!("{program} was killed: {status}; nothing was recorded");
        return Err(Failure::child(message));
    };
    if stands() != head {
        let message = "the checkout's HEAD moved while the tests ran; nothing was recorded";
        return Err(Failure::bad_evidence(message));
    }
    let argv = argv.iter().map(|it| line(it)).collect::<Result<_, _>>()?;
    log.rewind().map_err(failed)?;
    Ok(Ran { argv, exit, head, log: cleared(context, log)? })
}

/// A file without a name: in memory where the system has such files.
fn unnamed() -> std::io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        Ok(rustix::fs::memfd_create("tests", flags)?.into())
    }
    #[cfg(not(target_os = "linux"))]
    tempfile::tempfile()
}

/// What may be stored of a child's streams (SE-1).
fn cleared(context: &Context, log: File) -> Result<Vec<u8>, Failure> {
    let mut sieve = context.secrets.sieve();
    let mut log = log.take(LIMIT.saturating_add(1));
    let mut buffer = vec![0; 64 * 1024];
    let (mut cleared, mut hits, mut read) = (Vec::new(), Vec::new(), 0_u64);
    loop {
        let found = match log.read(&mut buffer) {
            Ok(0) => break,
            Ok(found) => buffer.get(..found).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::file("read", "the log", &error)),
        };
        read = read.saturating_add(found.len() as u64);
        hits.extend(sieve.feed(found, &mut cleared));
    }
    if read > LIMIT {
        let message = format_args!("the tests printed more than {LIMIT} bytes");
        return Err(Failure::bad_evidence(message).in_file("the log"));
    }
    hits.extend(sieve.finish(&mut cleared));
    context.secrets.take(hits);
    Ok(cleared)
}

fn stage<'a>(
    context: &Context,
    run: &'a RunDir,
    bytes: &[u8],
    label: &str,
    stem: &str,
    ending: &str,
) -> Result<Staged<'a>, Failure> {
    let to = rel(&format!("{stem}-{}.{ending}", crate::short(bytes)))?;
    run.stage_bytes(bytes, label, &to, &context.secrets)
}

fn waived(pairs: &[Line]) -> Vec<WaivedTest> {
    let pair = |pair: &[Line]| match pair {
        [name, reason] => Some(WaivedTest { name: name.clone(), reason: reason.clone() }),
        _ => None,
    };
    pairs.chunks(2).filter_map(pair).collect()
}

fn line(text: &str) -> Result<Line, Failure> {
    Line::new(text).map_err(Failure::bad_evidence)
}
