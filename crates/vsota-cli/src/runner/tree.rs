//! Which tree does a build of vLLM run? The build itself is asked where it lies; what it does not tell
//! stays unknown, and why is told (PA-1).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use vsota_core::evidence::search::Launcher;
use vsota_core::facts::Framework;
use vsota_core::text::Line;

use super::rig::is_mock;
use crate::checkout::Checkout;
use crate::escape;
use crate::failure::Failure;
use crate::supervise::question::Question;

/// How long a build may take to say where it lies: Python reads all of vLLM first.
const ANSWER: Duration = Duration::from_secs(180);

/// A git tree, or why it is unknown.
pub(super) type Told = Result<String, String>;

/// The git tree of the checkout that this launch runs, when it is a clean one. It is asked with the
/// variables of the launch, and from a directory of nobody: Python looks for modules where it stands.
pub(super) fn of(argv: &[Line], env: &BTreeMap<String, String>, marker: &str) -> Told {
    told(argv, env, |argv| {
        let nowhere = Some(Utf8Path::new("/"));
        let question = Question { argv, env, dir: nowhere, marker, at_most: ANSWER };
        question.ask().ok()?.good()
    })
}

/// What tells a build of a framework from another, as its Python says without loading it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// Where its package lies.
    file: String,
    /// Its version.
    version: Option<String>,
    /// The git tree of the checkout that it lies in.
    tree: Option<String>,
    /// Whether that checkout holds changes that no commit has: it may be another one each time.
    pub changed: bool,
}

/// Which build this launch runs; absent when nobody can say it.
pub(super) fn identity(
    framework: Framework,
    argv: &[Line],
    env: &BTreeMap<String, String>,
    marker: &str,
) -> Option<Identity> {
    if is_mock(argv) {
        return None;
    }
    let package = framework.as_str();
    let code = format!(
        "import importlib.util as u, importlib.metadata as m\nprint(u.find_spec('{package}').origin)\ntry:\n \
         print(m.version('{package}'))\nexcept Exception: pass"
    );
    let mut words = python(argv, env)?;
    words.extend(["-c".to_owned(), code]);
    let nowhere = Some(Utf8Path::new("/"));
    let question = Question { argv: &words, env, dir: nowhere, marker, at_most: ANSWER };
    let text = question.ask().ok()?.good()?;
    let mut lines = text.lines().map(str::trim);
    let file = Utf8PathBuf::from(lines.next().filter(|it| it.starts_with('/'))?);
    let version = lines.next().map(str::to_owned);
    let head = file.parent().and_then(Utf8Path::parent);
    let checkout = head.and_then(|it| Checkout::at(it).ok());
    let checkout = checkout.filter(|it| it.is_top().is_ok_and(|it| it));
    let head = checkout.and_then(|it| it.head().ok()?);
    let changed = head.as_ref().is_some_and(|it| !it.clean);
    let tree = head.map(|it| it.tree.to_string());
    Some(Identity { file: file.into_string(), version, tree, changed })
}

/// Asks on another machine: `$1` is the script `vllm`, the words after it stand before it in the launch.
const ASK: &str = "cd / || exit 1; v=$1; shift; case $v in */*) f=$v ;; *) f=$(command -v \"$v\") ;; esac; \
     IFS= read -r first <\"$f\"; exec env \"$@\" ${first#'#!'} -c 'import vllm; print(vllm.__file__)'";

/// As [`of`], where the probe of a launcher reaches; `argv` are the words behind its prefix.
pub(super) fn there(launcher: &Launcher, argv: &[Line], marker: &str) -> Told {
    let asked = || {
        let at = argv.iter().position(|it| program(it.as_str()) == "vllm")?;
        let (before, rest) = argv.split_at_checked(at)?;
        let mut words = vec!["sh", "-c", ASK, "vsota", rest.first()?.as_str()];
        // `env` stands in the question already.
        let before = before.strip_prefix(&[Line::new("env").ok()?]).unwrap_or(before);
        words.extend(before.iter().map(Line::as_str));
        let argv = launcher.probing(&words)?;
        let env = BTreeMap::new();
        let question = Question { argv: &argv, env: &env, dir: None, marker, at_most: ANSWER };
        question.ask().ok()?.good()
    };
    held(asked(), |place| Checkout::behind(launcher, place))
}

fn told(
    argv: &[Line],
    env: &BTreeMap<String, String>,
    ask: impl FnOnce(&[String]) -> Option<String>,
) -> Told {
    let asked = || {
        let mut words = python(argv, env)?;
        words.extend(["-c", "import vllm; print(vllm.__file__)"].map(str::to_owned));
        ask(&words)
    };
    held(asked(), Checkout::at)
}

/// The tree of the checkout whose package was named. What only lies somewhere below a checkout, such as a
/// package that was installed into an environment there, is not what the commit holds.
fn held(answer: Option<String>, at: impl FnOnce(&Utf8Path) -> Result<Checkout, Failure>) -> Told {
    let file = answer.and_then(|it| Some(Utf8PathBuf::from(it.lines().last()?.trim())));
    let place = file.as_ref().and_then(|it| it.parent()?.parent());
    let Some(place) = place else { return Err(String::from("it does not tell where it lies")) };
    let asked = || {
        let checkout = at(place)?;
        if !checkout.is_top()? {
            return Ok(Err(format!("{place} is not the top of a checkout")));
        }
        let Some(head) = checkout.head()? else {
            return Ok(Err(format!("the checkout {place} has no commit")));
        };
        if head.clean {
            return Ok(Ok(head.tree.to_string()));
        }
        let changes = checkout.changes()?;
        let (first, count) = (changes.first().map_or("", String::as_str), changes.len());
        let asks = checkout.asks(first);
        Ok::<_, Failure>(Err(format!(
            "the checkout {place} is not clean: {count} changes, the first `{first}`; {asks}"
        )))
    };
    let told = asked().unwrap_or_else(|failure| Err(failure.to_string()));
    told.map_err(|why| escape::brief(&why, 600))
}

/// The words of a launch up to its Python: the one that runs a module, or that of the script.
fn python(argv: &[Line], env: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let owned = |all: &[Line]| all.iter().map(|it| it.as_str().to_owned()).collect::<Vec<_>>();
    let runs = |it: &[Line]| matches!(it, [python, flag] if program(python.as_str()).starts_with("python") && flag.as_str() == "-m");
    if let Some(at) = argv.windows(2).position(runs) {
        return Some(owned(argv.get(..=at)?));
    }
    let script = |it: &Line| matches!(program(it.as_str()), "vllm" | "trtllm-serve");
    let at = argv.iter().position(script)?;
    let (before, rest) = argv.split_at_checked(at)?;
    // A build may have its programs where only its own words look for them.
    let said = before.iter().rev().find_map(|it| it.as_str().strip_prefix("PATH="));
    let said = said.or(env.get("PATH").map(String::as_str));
    let python = interpreter(rest.first()?.as_str(), said)?;
    Some(owned(before).into_iter().chain(python.split_whitespace().map(str::to_owned)).collect())
}

fn program(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The Python of a script: the words after `#!` in its first line. `paths` is where it is looked for, if not
/// where vsota's own programs are.
fn interpreter(script: &str, paths: Option<&str>) -> Option<String> {
    let path = match script.contains('/') {
        true => Utf8PathBuf::from(script),
        false => {
            let paths = paths.map(str::to_owned).or_else(|| std::env::var("PATH").ok())?;
            let mut all = paths.split(':').map(|it| Utf8Path::new(it).join(script));
            all.find(|it| it.is_file())?
        }
    };
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(4_096).read_to_end(&mut text).ok()?;
    let first = text.split(|it| *it == b'\n').next()?;
    Some(std::str::from_utf8(first).ok()?.strip_prefix("#!")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    /// Asks without a reaper, which only vsota itself can be.
    fn of(argv: &[Line], env: &BTreeMap<String, String>) -> Told {
        told(argv, env, |words| {
            let mut command = Command::new(&words[0]);
            let output = command.args(&words[1..]).envs(env).current_dir("/").output().ok()?;
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        })
    }

    fn git(dir: &Utf8Path, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C", dir.as_str()]).args(args);
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    }

    fn script(path: &Utf8Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_build_says_which_tree_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap().canonicalize_utf8().unwrap();
        let (checkout, file) = (dir.join("checkout"), dir.join("checkout/vllm/__init__.py"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        git(&checkout, &["init", "-q"]);
        git(&checkout, &["add", "."]);
        git(&checkout, &["commit", "-qm", "one"]);
        // A Python that finds vLLM only with the variable of the launch, and not where it stands.
        script(&dir.join("python"), "#!/bin/sh\n[ \"$PWD\" = / ] && echo \"$VLLM_AT\"\n");
        let argv =
            |words: &[&str]| words.iter().map(|it| Line::new(*it).unwrap()).collect::<Vec<_>>();
        let env = BTreeMap::from([("VLLM_AT".to_owned(), file.to_string())]);
        let tree = Ok(git(&checkout, &["rev-parse", "HEAD^{tree}"]));
        assert_eq!(tree.as_ref().map(String::len), Ok(40));
        let vllm = dir.join("vllm");
        for first in [format!("#!{dir}/python"), format!("#!/usr/bin/env {dir}/python")] {
            script(&vllm, &format!("{first}\n"));
            assert_eq!(of(&argv(&[vllm.as_str(), "serve", "m"]), &env), tree, "{first}");
        }
        let ask = |env: &BTreeMap<String, String>| of(&argv(&[vllm.as_str(), "serve", "m"]), env);
        let unknown = |env: &BTreeMap<String, String>, words: &str| {
            let why = ask(env).unwrap_err();
            assert!(why.contains(words), "{words}: {why}");
        };
        unknown(&BTreeMap::new(), "does not tell where it lies");
        assert!(of(&argv(&["sglang"]), &env).is_err());
        // By the words of a build: programs of its own, or a Python that runs a module.
        let path = format!("PATH={dir}:/bin:/usr/bin");
        assert_eq!(of(&argv(&["env", &path, "vllm", "serve"]), &env), tree);
        let python = dir.join("python");
        let module = [python.as_str(), "-m", "vllm.entrypoints.cli.main", "serve"];
        assert_eq!(of(&argv(&module), &env), tree);
        // What an environment in the checkout holds is another vLLM.
        let site = checkout.join("vllm/venv/site-packages");
        fs::create_dir_all(site.join("vllm")).unwrap();
        fs::write(site.join("vllm/__init__.py"), "").unwrap();
        fs::write(checkout.join(".gitignore"), "venv\n").unwrap();
        git(&checkout, &["add", "."]);
        git(&checkout, &["commit", "-qm", "two"]);
        let other = BTreeMap::from([("VLLM_AT".to_owned(), site.join("vllm/__init__.py").into())]);
        unknown(&other, "is not the top of a checkout");
        assert_eq!(ask(&env), Ok(git(&checkout, &["rev-parse", "HEAD^{tree}"])));
        fs::write(checkout.join("vllm/new.py"), "").unwrap();
        unknown(&env, "the first `?? vllm/new.py`");
        fs::write(checkout.join(".git/info/exclude"), "new.py\n").unwrap();
        unknown(&env, "the first `excluded vllm/new.py`; git -C ");
    }
}
