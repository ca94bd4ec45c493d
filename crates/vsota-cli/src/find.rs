//! Which campaign is meant?

use std::env;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use serde::de::IgnoredAny;
use vsota_core::{Campaign, GitId};

use crate::failure::Failure;
use crate::journal;

/// The variable that names a run directory.
pub const VARIABLE: &str = "VSOTA_RUN_DIR";

/// The file in the common directory of a git repository that names the campaign it belongs to.
pub const POINTER: &str = "vsota-campaign";

/// The most parents that are looked at.
const MAX_DEPTH: usize = 100;

/// Where to look for a campaign.
#[derive(Clone, Debug, Default)]
pub struct Finder {
    /// What `--run-dir` says.
    pub flag: Option<Utf8PathBuf>,
    /// What `VSOTA_RUN_DIR` says.
    pub variable: Option<Utf8PathBuf>,
}

impl Finder {
    /// Looks where the flag says, else where the environment says, else around a directory.
    ///
    /// # Errors
    ///
    /// Usage when the variable is not UTF-8.
    pub fn new(flag: Option<Utf8PathBuf>) -> Result<Self, Failure> {
        let variable = match env::var(VARIABLE) {
            Ok(path) => Some(path.into()).filter(|it: &Utf8PathBuf| !it.as_str().is_empty()),
            Err(env::VarError::NotPresent) => None,
            Err(env::VarError::NotUnicode(_)) => {
                return Err(Failure::usage("the path is not UTF-8").at_field(VARIABLE));
            }
        };
        Ok(Self { flag, variable })
    }

    /// The run directory of the campaign that is meant, seen from the current directory.
    ///
    /// # Errors
    ///
    /// No campaign when there is none, more than one, or a pointer to one that is gone.
    pub fn find(&self) -> Result<Utf8PathBuf, Failure> {
        if let Some(named) = self.named() {
            return Ok(named.to_owned());
        }
        let here = here()?;
        if let Some(found) = around(&here)? {
            return Ok(found);
        }
        let message = "no campaign here; name one with -C DIR, or open one with `vsota init`";
        Err(Failure::no_campaign(message).in_file(here))
    }

    /// The run directory that the flag or the environment names.
    pub fn named(&self) -> Option<&Utf8Path> {
        self.flag.as_deref().or(self.variable.as_deref())
    }
}

/// The campaign that a directory belongs to: above it, by its git repository, or under `runs/`.
///
/// # Errors
///
/// No campaign when the repository names one that is gone, or when two are unfinished.
pub fn around(start: &Utf8Path) -> Result<Option<Utf8PathBuf>, Failure> {
    if let Some(above) = above(start).find(|it| is_campaign(it)) {
        return Ok(Some(above.to_owned()));
    }
    if let Some(pointed) = pointed(start)? {
        return Ok(Some(pointed));
    }
    unfinished(&start.join("runs"))
}

/// The same for the hook of an agent: several unfinished campaigns under `runs/` are nobody's.
///
/// # Errors
///
/// No campaign when the repository names one that is gone.
pub fn around_for_hooks(start: &Utf8Path) -> Result<Option<Utf8PathBuf>, Failure> {
    if let Some(above) = above(start).find(|it| is_campaign(it)) {
        return Ok(Some(above.to_owned()));
    }
    match pointed(start)? {
        Some(pointed) => Ok(Some(pointed)),
        None => Ok(unfinished(&start.join("runs")).unwrap_or_default()),
    }
}

/// Whether a directory holds a journal.
pub fn is_campaign(dir: &Utf8Path) -> bool {
    fs::symlink_metadata(dir.join(journal::PATH)).is_ok_and(|it| it.is_file())
}

/// The vLLM checkout of a campaign, where it is a git repository. A demonstration has none, whatever it
/// names.
pub fn checkout(campaign: &Campaign) -> Option<Utf8PathBuf> {
    let named = campaign.state().brief().vllm_checkout().filter(|_| !campaign.opening().demo);
    let named = named.map(|it| Utf8PathBuf::from(it.as_str()));
    named.filter(|it| git_common_dir(it).is_some())
}

/// The directory that git keeps for all worktrees of the repository around a directory, read from
/// its files: git itself is not run, so that a hostile configuration runs nothing.
pub fn git_common_dir(start: &Utf8Path) -> Option<Utf8PathBuf> {
    above(start).find_map(|dir| {
        let git = dir.join(".git");
        let kind = fs::metadata(&git).ok()?;
        let own = if kind.is_dir() {
            git
        } else {
            dir.join(line(&git)?.strip_prefix("gitdir:")?.trim_start())
        };
        match line(&own.join("commondir")) {
            Some(common) => Some(own.join(common)),
            None => own.join("HEAD").exists().then_some(own),
        }
    })
}

fn pointed(start: &Utf8Path) -> Result<Option<Utf8PathBuf>, Failure> {
    let Some(common) = git_common_dir(start) else { return Ok(None) };
    let pointer = common.join(POINTER);
    if fs::symlink_metadata(&pointer).is_err() {
        return Ok(None);
    }
    let target = line(&pointer).map(Utf8PathBuf::from).filter(|it| it.is_absolute());
    match target {
        Some(target) if is_campaign(&target) => Ok(Some(target)),
        Some(target) => {
            let message =
                format_args!("it names the campaign {target}, whose journal is not there");
            Err(Failure::no_campaign(message).in_file(pointer))
        }
        None => Err(Failure::no_campaign("it does not name a campaign by an absolute path")
            .in_file(pointer)),
    }
}

fn unfinished(runs: &Utf8Path) -> Result<Option<Utf8PathBuf>, Failure> {
    let Ok(entries) = runs.read_dir_utf8() else { return Ok(None) };
    let runs = entries.filter_map(Result::ok).map(|it| it.path().to_owned());
    let mut open: Vec<_> = runs.filter(|it| is_campaign(it) && !is_finished(it)).collect();
    open.sort();
    match open.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        [first, second, ..] => {
            let message = format_args!(
                "{} unfinished campaigns, among them {first} and {second}; name one with -C DIR",
                open.len()
            );
            Err(Failure::no_campaign(message))
        }
    }
}

/// Whether the last entry of a journal ends its campaign. A journal that cannot be read is open: what
/// is wrong with it is said when it is used.
fn is_finished(dir: &Utf8Path) -> bool {
    #[derive(Deserialize)]
    struct Last {
        #[serde(rename = "event")]
        _event: Stop,
    }
    #[derive(Deserialize)]
    struct Stop {
        #[serde(rename = "campaign-stopped")]
        _stopped: IgnoredAny,
    }

    let tail = || {
        let mut file = fs::File::open(dir.join(journal::PATH)).ok()?;
        let len = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(2 * journal::chain::MAX_LINE as u64))).ok()?;
        let mut tail = Vec::new();
        file.take(2 * journal::chain::MAX_LINE as u64).read_to_end(&mut tail).ok()?;
        tail.truncate(memchr::memrchr(b'\n', &tail)?);
        let start = memchr::memrchr(b'\n', &tail).map_or(0, |it| it + 1);
        serde_json::from_slice::<Last>(tail.get(start..)?).ok()
    };
    tail().is_some()
}

fn above(start: &Utf8Path) -> impl Iterator<Item = &Utf8Path> {
    start.ancestors().take(MAX_DEPTH)
}

fn here() -> Result<Utf8PathBuf, Failure> {
    let here = env::current_dir().map_err(|error| Failure::file("find", ".", &error))?;
    let not_utf8 = |_| Failure::usage("the path of the current directory is not UTF-8");
    Utf8PathBuf::from_path_buf(here).map_err(not_utf8)
}

/// The first line of a small file.
pub fn line(path: &Utf8Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    fs::File::open(path).ok()?.take(8_192).read_to_string(&mut text).ok()?;
    text.lines().next().map(str::to_owned)
}

/// Whether git ignores a path of a checkout. Nothing that the repository configures is run.
pub fn is_ignored(checkout: &Utf8Path, path: &Utf8Path) -> bool {
    let answer = git(checkout).args(["check-ignore", "-q", "--", path.as_str()]).status();
    answer.is_ok_and(|it| it.success())
}

/// The commit of a checkout's HEAD; `None` when no checkout is there, or it has no commit.
pub fn head(checkout: &Utf8Path) -> Option<GitId> {
    git_common_dir(checkout)?;
    let answer = git(checkout).args(["rev-parse", "--verify", "--quiet", "HEAD"]).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    GitId::new(text.trim()).ok()
}

/// Git on a checkout, so that nothing that the repository configures is run.
fn git(checkout: &Utf8Path) -> std::process::Command {
    let mut git = std::process::Command::new("git");
    git.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args(["-C", checkout.as_str()])
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(std::process::Stdio::null());
    git
}
