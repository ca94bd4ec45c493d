//! Which campaign does a tool call concern, and which of its files?

use camino::{Utf8Path, Utf8PathBuf};
use vsota_core::evidence::hook::Deed;

use crate::failure::Failure;
use crate::find;

/// The directories of a campaign.
#[derive(Debug)]
pub(super) struct Site {
    run: Utf8PathBuf,
    checkout: Option<Utf8PathBuf>,
    common: Option<Utf8PathBuf>,
}

/// The directory that a deed is done in.
pub(super) fn dir_of(deed: &Deed) -> Option<&str> {
    match deed {
        Deed::Write(path) | Deed::Remove(path) => path.rsplit_once('/').map(|(dir, _)| dir),
        Deed::Patch(dir)
        | Deed::Commit { dir, .. }
        | Deed::SetUpLoop(dir)
        | Deed::CancelLoop(dir) => Some(dir),
    }
}

/// The campaigns that the directories belong to, each once. One whose journal is gone is an error;
/// several unfinished ones under `runs/` are none, since none of them is meant.
pub(super) fn campaigns(dirs: &[Utf8PathBuf]) -> Vec<Result<Utf8PathBuf, Failure>> {
    let mut found: Vec<Utf8PathBuf> = Vec::new();
    let mut failures = Vec::new();
    let named = std::env::var(find::VARIABLE).ok().filter(|it| !it.is_empty());
    found.extend(named.map(Utf8PathBuf::from).filter(|it| find::is_campaign(it)));
    for dir in dirs {
        match find::around_for_hooks(&existing(dir)) {
            Ok(Some(run)) => {
                let run = run.canonicalize_utf8().unwrap_or(run);
                if !found.contains(&run) {
                    found.push(run);
                }
            }
            Ok(None) => {}
            Err(failure) => failures.push(Err(failure)),
        }
    }
    failures.truncate(1);
    found.into_iter().map(Ok).chain(failures).collect()
}

/// The nearest directory above that is there.
fn existing(dir: &Utf8Path) -> Utf8PathBuf {
    dir.ancestors().find(|it| it.is_dir()).unwrap_or(dir).to_owned()
}

/// A path with its links followed as far as it is there.
fn real(path: &Utf8Path) -> Utf8PathBuf {
    let there = path.ancestors().find_map(|it| Some((it, it.canonicalize_utf8().ok()?)));
    match there {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) if !rest.as_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path.to_owned(),
    }
}

impl Site {
    /// A checkout that nobody recorded is the one around the working directory (IN-5).
    pub(super) fn of(run: &Utf8Path, recorded: Option<&str>, cwd: &Utf8Path) -> Self {
        let around = || cwd.ancestors().find(|it| it.join(".git").exists()).unwrap_or(cwd);
        let checkout = recorded.map_or_else(around, Utf8Path::new);
        let checkout = Some(real(checkout)).filter(|it| !it.as_str().is_empty());
        let common = checkout.as_deref().and_then(common);
        Self { run: real(run), checkout, common }
    }

    /// Whether a directory lies in the checkout, or in a worktree of it.
    pub(super) fn is_checkout(&self, dir: &Utf8Path) -> bool {
        self.below_checkout(&real(dir)).is_some()
    }

    /// Whether a path is source that only a patch may change. What a build or an import leaves among it
    /// is none.
    pub(super) fn is_source(&self, path: &Utf8Path) -> bool {
        let built = path.components().any(|it| it.as_str() == "__pycache__")
            || matches!(path.extension(), Some("pyc" | "so" | "o" | "egg-info"));
        !built && self.below_checkout(&real(path)).is_some_and(|it| in_source(&it))
    }

    /// Whether a path is one of the benchmark's files.
    pub(super) fn is_benchmark(&self, path: &Utf8Path) -> bool {
        real(path).starts_with(self.run.join("benchmark"))
    }

    /// Whether a path is one of the records that only vsota writes.
    pub(super) fn is_record(&self, path: &Utf8Path) -> bool {
        real(path).starts_with(self.run.join("humanize"))
    }

    /// Whether with a path the records are gone.
    pub(super) fn holds_records(&self, path: &Utf8Path) -> bool {
        let path = real(path);
        self.run.join("humanize").starts_with(&path)
    }

    /// Whether files below a directory may be source: it lies in the source, or the source in it.
    pub(super) fn may_hold_source(&self, dir: &Utf8Path) -> bool {
        let dir = real(dir);
        let above = self.checkout.as_ref().is_some_and(|it| it.starts_with(&dir));
        above
            || self.below_checkout(&dir).is_some_and(|it| it.as_str().is_empty() || in_source(&it))
    }

    /// The path below the top of the checkout, or of a worktree.
    fn below_checkout(&self, path: &Utf8Path) -> Option<Utf8PathBuf> {
        let checkout = self.checkout.as_ref()?;
        if let Ok(below) = path.strip_prefix(checkout) {
            return Some(below.to_owned());
        }
        let here = existing(path);
        let ours = common(&here)? == *self.common.as_ref()?;
        let top = here.ancestors().find(|it| it.join(".git").exists())?;
        path.strip_prefix(top).ok().filter(|_| ours).map(Utf8Path::to_owned)
    }
}

/// Whether a path below the top of a checkout lies in what is compiled or imported.
fn in_source(below: &Utf8Path) -> bool {
    below.components().next().is_some_and(|it| matches!(it.as_str(), "csrc" | "vllm"))
}

fn common(dir: &Utf8Path) -> Option<Utf8PathBuf> {
    find::git_common_dir(dir)?.canonicalize_utf8().ok()
}
