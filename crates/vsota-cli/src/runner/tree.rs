//! Which tree does a build of vLLM run? The build itself is asked where it lies; what it does not tell
//! stays unknown (PA-1).

use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use vsota_core::text::Line;

/// The git tree of the checkout that this launch command runs, when it is a clean one.
pub(super) fn of(argv: &[Line]) -> Option<String> {
    let at = argv.iter().position(|it| program(it.as_str()) == "vllm")?;
    let vllm = argv.get(at)?.as_str();
    let python = interpreter(vllm)?;
    let before = argv.get(..at)?.iter().map(Line::as_str);
    let words: Vec<&str> =
        before.chain([python.as_str(), "-c", "import vllm; print(vllm.__file__)"]).collect();
    let (program, rest) = words.split_first()?;
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|it| it.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let file = Utf8PathBuf::from(text.lines().last()?.trim());
    let checkout = file.parent()?.parent()?;
    if clean(checkout) { tree(checkout) } else { None }
}

fn program(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The Python of a script: what its first line names.
fn interpreter(script: &str) -> Option<String> {
    let path = match script.contains('/') {
        true => Utf8PathBuf::from(script),
        false => {
            let paths = std::env::var("PATH").ok()?;
            let mut all = paths.split(':').map(|it| Utf8Path::new(it).join(script));
            all.find(|it| it.is_file())?
        }
    };
    let text = std::fs::read(path).ok()?;
    let first = text.split(|it| *it == b'\n').next()?;
    let first = std::str::from_utf8(first).ok()?.strip_prefix("#!")?;
    first.split_whitespace().next().map(str::to_owned)
}

/// Git, so that a hostile configuration of the repository runs nothing.
fn git(checkout: &Utf8Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C"]);
    command.arg(checkout).args(args).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|it| it.status.success())?;
    String::from_utf8(output.stdout).ok().map(|it| it.trim().to_owned())
}

fn clean(checkout: &Utf8Path) -> bool {
    git(checkout, &["status", "--porcelain", "--untracked-files=no"])
        .is_some_and(|it| it.is_empty())
}

fn tree(checkout: &Utf8Path) -> Option<String> {
    git(checkout, &["rev-parse", "HEAD^{tree}"])
}
