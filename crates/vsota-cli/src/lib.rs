//! The command line of vsota: files, time and the terminal, around a machine that knows none of them.
//!
//! `cli` says what can be typed, `commands` what is done, `journal` and `rundir` own the disk, `output`
//! owns the terminal, `failure` and `exit` say how a command ends.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub mod blocks;
pub mod bounded;
pub mod checkout;
pub mod chronicle;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod context;
pub mod documents;
pub mod drafting;
pub mod escape;
pub mod exit;
pub mod failing;
pub mod failure;
pub mod fence;
pub mod filing;
pub mod find;
pub mod gather;
pub mod given;
pub mod help;
pub mod hook;
pub mod http;
pub mod infer;
pub mod journal;
pub mod junit;
pub mod loops;
pub mod mock;
pub mod objects;
pub mod output;
pub mod planned;
pub mod progress;
pub mod proof;
pub mod range;
pub mod refusals;
pub mod roots;
pub mod rundir;
pub mod runner;
pub mod secrets;
pub mod supervise;
pub mod sweep;
pub mod table;
pub mod traces;
pub mod transition;
pub mod unread;

use cli::Cli;
use context::Context;
use exit::Exit;
use failure::Failure;
use output::{Color, Outcome, Output, Style, Text};
use secrets::Secrets;

/// Runs the command that the arguments of this process ask for.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    match args.as_slice() {
        [_, word, rest @ ..] if word == supervise::reaper::WORD => supervise::reaper::main(
            &rest.iter().map(|it| it.to_string_lossy().into()).collect::<Vec<_>>(),
        ),
        [_, word, rest @ ..] if word == bounded::WORD => bounded::main(
            &rest.iter().map(|it| it.to_string_lossy().into_owned()).collect::<Vec<_>>(),
        ),
        [_, word, rest @ ..] if word == runner::TASK => {
            runner::task(&rest.iter().map(|it| it.to_string_lossy().into()).collect::<Vec<_>>())
        }
        _ => call(args).into(),
    }
}

fn call(args: Vec<OsString>) -> Exit {
    // A hook has its own contract, and is answered before anything else can fail.
    if let Some(hook) = hook::asked(&args) {
        return hook::answer(hook);
    }
    // Until the arguments are understood, only this much of them is.
    let json = args.iter().take_while(|it| *it != "--").any(|it| it == "--json");
    let early = Output::new(json, Color::Auto);
    let secrets = Secrets::of_process();
    let args = match vetted(args, &secrets) {
        Ok(args) => args,
        Err(failure) => return early.conclude(&Err(failure)),
    };
    match Cli::try_parse_from(args) {
        Ok(cli) => cli.global.output().conclude(&run(cli, secrets)),
        Err(error) => early.clap(&error),
    }
}

fn run(Cli { global, command }: Cli, secrets: Secrets) -> Result<Outcome, Failure> {
    let context = Context::new(&global, secrets)?;
    let result = command.run(&context);
    context.output.progress(&taken(&context.secrets));
    result
}

/// What was taken out of the files of this call.
fn taken(secrets: &Secrets) -> Text {
    let mut text = Text::new();
    for (kind, count) in secrets.taken() {
        text.push(Style::Warn, "redacted: ").line(format!("{count} {}", kind.label()));
    }
    text
}

/// The arguments as text, none of which holds a secret.
fn vetted(args: Vec<OsString>, secrets: &Secrets) -> Result<Vec<String>, Failure> {
    let vet = |(index, arg): (usize, OsString)| {
        let place = format!("argument {index}");
        let Ok(arg) = arg.into_string() else {
            return Err(Failure::bad_evidence("the argument is not UTF-8").at_field(place));
        };
        secrets.refuse(&arg, place)?;
        Ok(arg)
    };
    args.into_iter().enumerate().map(vet).collect()
}

/// The first twelve digits of the SHA-256 of some bytes: a short name for an artefact.
pub fn short(bytes: &[u8]) -> String {
    vsota_core::Digest::of(bytes).to_string().chars().take(12).collect()
}
