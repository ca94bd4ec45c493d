//! What do the commits of a checkout hold, and how do they follow on each other? Its objects are read from
//! an empty repository of our own, so that nothing counts that theirs configures: no attributes, grafts,
//! replacements, cut histories, commit graphs, text conversions or external diffs (PA-1, PA-6).

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use vsota_core::GitId;
use vsota_core::facts::RootCause;
use vsota_core::text::Line;

use crate::bounded::{self, Patience, Unanswered};
use crate::checkout::{first_line, without_variables};
use crate::failure::Failure;
use crate::find;

/// The most bytes of a diff.
pub const DIFF: u64 = 16 << 20;

/// What a question may cost.
const PATIENCE: Patience = Patience { time: Duration::from_secs(120), bytes: DIFF };

/// The settings of the empty repository. A commit graph is a copy of what the commits say, which nobody
/// holds to them.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tcommitGraph = false\n\
                      \tmultiPackIndex = false\n\tattributesFile = /dev/null\n\tquotePath = false\n\
                      [advice]\n\tgraftFileDeprecated = false\n";

/// How trees are compared: every byte of every file, the same with every version of git.
const COMPARED: [&str; 6] = [
    "diff-tree",
    "-r",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=none",
];

/// How a difference is written: with so much around it that the head of a changed check is seen (PA-2).
const WRITTEN: [&str; 10] = [
    "-p",
    "--binary",
    "--full-index",
    "--no-color",
    "-U10",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "--src-prefix=a/",
    "--dst-prefix=b/",
];

/// A commit, as its object says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commit {
    /// Its id.
    pub id: GitId,
    /// Its tree.
    pub tree: GitId,
    /// The first line of its message.
    pub subject: String,
}

/// The objects of a checkout's repository.
#[derive(Debug)]
pub struct Objects {
    room: TempDir,
    store: Utf8PathBuf,
}

impl Objects {
    /// The objects of the repository around a directory; `known` is an id of it, whose length tells how
    /// its objects are named.
    ///
    /// # Errors
    ///
    /// Bad evidence when it is no repository; I/O when no temporary directory can be made.
    pub fn of(checkout: &Utf8Path, known: &GitId) -> Result<Self, Failure> {
        let store = find::git_common_dir(checkout).map(|it| it.join("objects"));
        let store = store.and_then(|it| it.canonicalize_utf8().ok());
        let store = store
            .ok_or_else(|| Failure::bad_evidence("it is no git repository").in_file(checkout))?;
        let room = tempfile::tempdir();
        let room =
            room.map_err(|error| Failure::io(format_args!("no temporary place: {error}")))?;
        let mut config = CONFIG.to_owned();
        if known.as_str().len() == 64 {
            config.push_str("[extensions]\n\tobjectFormat = sha256\n");
        }
        let made = fs::create_dir(room.path().join("refs"))
            .and_then(|()| fs::write(room.path().join("HEAD"), "ref: refs/heads/none\n"))
            .and_then(|()| fs::write(room.path().join("config"), config));
        made.map_err(|error| Failure::io(format_args!("no temporary place: {error}")))?;
        Ok(Self { room, store })
    }

    /// The tree of a commit; absent when there is no such commit.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn tree(&self, commit: &GitId) -> Result<Option<GitId>, Failure> {
        let revision = format!("{commit}^{{tree}}");
        let answer = self.answer(&["rev-parse", "--verify", "--quiet", revision.as_str()])?;
        let found = answer.status.success().then(|| first_line(&answer.stdout));
        Ok(found.and_then(|it| GitId::new(it).ok()))
    }

    /// Whether a commit holds a file or a directory of that name.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn holds(&self, commit: &GitId, path: &str) -> Result<bool, Failure> {
        let object = format!("{commit}:{}", path.trim_end_matches('/'));
        Ok(self.answer(&["cat-file", "-e", object.as_str()])?.status.success())
    }

    /// Whether one commit is, or descends from, another.
    ///
    /// # Errors
    ///
    /// When git cannot say it: then history is cut off, or damaged.
    pub fn descends(&self, commit: &GitId, from: &GitId) -> Result<bool, Failure> {
        let answer =
            self.answer(&["merge-base", "--is-ancestor", from.as_str(), commit.as_str()])?;
        match answer.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(self.failed("merge-base", &answer)),
        }
    }

    /// The commits that lead from one to another, the latest first.
    ///
    /// # Errors
    ///
    /// When git cannot say it.
    pub fn between(&self, from: &GitId, to: &GitId) -> Result<Vec<Commit>, Failure> {
        self.beyond(&[from], to)
    }

    /// The commits that lead to one and to none of the others, the latest first.
    ///
    /// # Errors
    ///
    /// When git cannot say it.
    pub fn beyond(&self, known: &[&GitId], to: &GitId) -> Result<Vec<Commit>, Failure> {
        let without: Vec<String> = known.iter().map(|it| format!("^{it}")).collect();
        let mut args = vec!["rev-list", "--topo-order", "--format=%H %T %s", to.as_str()];
        args.extend(without.iter().map(String::as_str));
        let text = String::from_utf8_lossy(&self.said(&args)?).into_owned();
        // Each is preceded by a line of its own.
        let lines = text.lines().filter(|it| !it.starts_with("commit "));
        Ok(lines.filter_map(commit).collect())
    }

    /// The files in which two trees differ; a renamed one under both its names.
    ///
    /// # Errors
    ///
    /// When git cannot say it; bad evidence when a name is no UTF-8.
    pub fn changed(&self, from: &GitId, to: &GitId) -> Result<Vec<String>, Failure> {
        let args = [&COMPARED[..], &["-z", "--name-only", from.as_str(), to.as_str()]].concat();
        let bytes = self.said(&args)?;
        let names = bytes.split(|it| *it == 0).filter(|it| !it.is_empty());
        let name = |it: &[u8]| {
            String::from_utf8(it.to_vec()).map_err(|_| {
                let shown = String::from_utf8_lossy(it).into_owned();
                Failure::bad_evidence("the name of a changed file is no UTF-8").in_file(shown)
            })
        };
        names.map(name).collect()
    }

    /// The difference of two trees, so that it can be applied.
    ///
    /// # Errors
    ///
    /// When git cannot say it, or it is larger than [`DIFF`].
    pub fn diff(&self, from: &GitId, to: &GitId) -> Result<Vec<u8>, Failure> {
        self.said(&[&COMPARED[..], &WRITTEN[..], &[from.as_str(), to.as_str()]].concat())
    }

    fn said(&self, args: &[&str]) -> Result<Vec<u8>, Failure> {
        let answer = self.answer(args)?;
        if answer.status.success() {
            return Ok(answer.stdout);
        }
        Err(self.failed(args.first().unwrap_or(&""), &answer))
    }

    fn failed(&self, asked: &str, answer: &Output) -> Failure {
        let said = first_line(&answer.stderr);
        Failure::child(format_args!("git {asked} failed: {said}")).in_file(&self.store)
    }

    fn answer(&self, args: &[&str]) -> Result<Output, Failure> {
        let mut git = Command::new("git");
        without_variables(&mut git)
            .env("GIT_DIR", self.room.path())
            .env("GIT_OBJECT_DIRECTORY", &self.store)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("LC_ALL", "C")
            .current_dir(self.room.path())
            .args(args);
        bounded::ask(&mut git, PATIENCE).map_err(|error| match error {
            Unanswered::Long(_) => {
                let message = format_args!("what was changed is more than {DIFF} bytes");
                Failure::bad_evidence(message).in_file(&self.store)
            }
            other => Failure::child(format_args!("git {other}")).in_file(&self.store),
        })
    }
}

impl Objects {
    /// The first source of the checkout that a commit does not hold, as drafts cite them (LE-2, PR-6).
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn missing<'a>(
        &self,
        commit: &GitId,
        sources: &'a [Line],
    ) -> Result<Option<&'a str>, Failure> {
        for path in sources.iter().filter_map(RootCause::path_of) {
            if !self.holds(commit, path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

fn commit(line: &str) -> Option<Commit> {
    let mut words = line.splitn(3, ' ');
    let id = GitId::new(words.next()?).ok()?;
    let tree = GitId::new(words.next()?).ok()?;
    Some(Commit { id, tree, subject: words.next().unwrap_or_default().to_owned() })
}
