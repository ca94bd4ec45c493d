//! `vsota bench help`: FB-8.

use std::process::Command;

use camino::Utf8PathBuf;
use clap::Args;
use vsota_core::command::FileHelp;
use vsota_core::facts::{Framework, HelpOutput};

use crate::context::Context;
use crate::failure::Failure;
use crate::given;
use crate::journal::rel;
use crate::output::Outcome;
use crate::transition;

/// File a framework's help output under help/
#[derive(Args, Debug)]
pub struct HelpArgs {
    /// The framework
    framework: Framework,

    /// The saved output; without it the framework's own --help is run
    #[arg(long, value_name = "FILE")]
    file: Option<Utf8PathBuf>,
}

/// Files the help output.
///
/// # Errors
///
/// Bad evidence when the file is empty; child when the framework cannot be run.
pub fn run(context: &Context, args: HelpArgs) -> Result<Outcome, Failure> {
    let framework = args.framework;
    let text = match &args.file {
        Some(path) => given::text(context, path)?,
        None => ask(framework)?,
    };
    let label = args.file.as_ref().map_or("the help output", |it| it.as_str());
    if text.trim().is_empty() {
        return Err(Failure::bad_evidence("the help output is empty").in_file(label));
    }
    let mark = mark(framework);
    if !text.contains(mark) {
        let message =
            format_args!("it does not mention `{mark}`, so it is not the help of {framework}");
        return Err(Failure::bad_evidence(message).in_file(label));
    }
    let run = context.run_dir()?;
    let to = rel(&format!("help/{framework}.txt"))?;
    let staged = run.stage_bytes(text.as_bytes(), label, &to, &context.secrets)?;
    let output = staged.artifact().clone();
    transition::take_with(context, &run, vec![staged], |_| {
        Ok(FileHelp(HelpOutput { framework, output }).into())
    })?
    .outcome()
}

/// What the help of each framework's server mentions in every version.
fn mark(framework: Framework) -> &'static str {
    match framework {
        Framework::Vllm => "vllm serve",
        Framework::Sglang => "--model-path",
        Framework::TensorrtLlm => "--backend",
    }
}

/// The help of the framework that is installed here.
fn ask(framework: Framework) -> Result<String, Failure> {
    let argv: &[&str] = match framework {
        Framework::Vllm => &["vllm", "serve", "--help=all"],
        Framework::Sglang => &["python3", "-m", "sglang.launch_server", "--help"],
        Framework::TensorrtLlm => &["trtllm-serve", "serve", "--help"],
    };
    let (program, rest) = argv.split_first().map_or(("", argv), |(first, rest)| (*first, rest));
    let output = Command::new(program).args(rest).output().map_err(|error| {
        let shown = argv.join(" ");
        Failure::child(format_args!(
            "could not run `{shown}`: {error}; file a saved one with --file"
        ))
    })?;
    if !output.status.success() {
        let message = format_args!("`{}` ended with {}", argv.join(" "), output.status);
        return Err(Failure::child(message));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
