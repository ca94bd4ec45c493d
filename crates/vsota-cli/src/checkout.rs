//! What does git say of the checkout? Questions only; and nothing that the repository configures is run.
//!
//! A repository can name programs in its configuration: hooks, a monitor of files, filters, a program
//! for signatures, helpers of a remote. All of them are switched off here, and no variable that steers
//! git is handed on.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use vsota_core::GitId;
use vsota_core::evidence::search::Launcher;
use vsota_core::evidence::{command_line, diff};
use vsota_core::facts::{FileKind, Head};

use crate::bounded::{self, Patience};
use crate::failure::Failure;
use crate::supervise::question::Question;
use crate::supervise::reaper::Ending;

/// How long git on another machine may take to answer.
const ANSWER: Duration = Duration::from_secs(60);

/// What is set for every question, whatever the repository says.
const SETTINGS: [(&str, &str); 12] = [
    // A copy of what the commits say, which nobody holds to them.
    ("core.commitGraph", "false"),
    // What makes an edited file look untouched.
    ("core.checkStat", "default"),
    ("core.trustctime", "true"),
    // What makes a new file look like a tracked one of other letters.
    ("core.ignoreCase", "false"),
    ("advice.graftFileDeprecated", "false"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.untrackedCache", "false"),
    ("log.showSignature", "false"),
    ("protocol.allow", "never"),
    ("submodule.recurse", "false"),
    ("color.ui", "false"),
];

/// The parts of a filter that name a program, and what leaves it out.
const FILTER: [(&str, &str); 4] =
    [(".clean", ""), (".smudge", ""), (".process", ""), (".required", "false")];

/// What a question may cost: the status of a large work tree on a slow disk takes its time.
const PATIENCE: Patience = Patience { time: Duration::from_secs(120), bytes: 64 << 20 };

/// A source that git was told to leave out, as [`Checkout::changes`] names it.
const EXCLUDED: &str = "excluded ";

/// Where sources lie that a build of vLLM runs.
const SOURCES: [&str; 2] = [":(top)vllm", ":(top)csrc"];

/// Where a `.gitignore` can hide such a source.
const RULES: [&str; 3] =
    [":(top).gitignore", ":(top,glob)vllm/**/.gitignore", ":(top,glob)csrc/**/.gitignore"];

/// A git checkout that can be asked.
#[derive(Clone, Debug)]
pub struct Checkout {
    root: Utf8PathBuf,
    settings: Vec<(String, String)>,
    /// Whose probe reaches it, when it lies on another machine.
    there: Option<Launcher>,
}

impl Checkout {
    /// The checkout in a directory. Filters that the repository names are switched off one by one:
    /// git knows no way to switch off all.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn at(root: &Utf8Path) -> Result<Self, Failure> {
        Self::of(root, None)
    }

    /// The checkout in a directory of another machine, which the probe of a launcher reaches.
    ///
    /// # Errors
    ///
    /// When git cannot be asked there.
    pub fn behind(launcher: &Launcher, root: &Utf8Path) -> Result<Self, Failure> {
        Self::of(root, Some(launcher.clone()))
    }

    fn of(root: &Utf8Path, there: Option<Launcher>) -> Result<Self, Failure> {
        let settings = SETTINGS.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        let mut checkout = Self { root: root.to_owned(), settings: settings.collect(), there };
        let listed = checkout.answer(&["config", "--list", "--name-only", "-z"])?;
        // What cannot be named cannot be switched off either.
        let text = String::from_utf8(listed.stdout).map_err(|error| {
            let bytes = error.into_bytes();
            let mut keys = bytes.split(|it| *it == 0).filter(|it| str::from_utf8(it).is_err());
            let key = String::from_utf8_lossy(keys.next().unwrap_or_default()).into_owned();
            let message = format_args!(
                "PA-1: git's configuration has a name that is no UTF-8, {key:?}; take it out, so that \
                 what it may run can be switched off"
            );
            Failure::bad_evidence(message).in_file(root)
        })?;
        let filters = text.split('\0').filter_map(|it| it.strip_prefix("filter."));
        let names: std::collections::BTreeSet<&str> =
            filters.filter_map(|it| it.rsplit_once('.')).map(|(name, _)| name).collect();
        for name in names {
            let off =
                FILTER.iter().map(|(part, off)| (format!("filter.{name}{part}"), (*off).into()));
            checkout.settings.extend(off);
        }
        Ok(checkout)
    }

    /// Its directory.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The root of its work tree; absent when it is no git repository, or has no work tree.
    ///
    /// # Errors
    ///
    /// As every question: when git cannot be run.
    pub fn top(&self) -> Result<Option<Utf8PathBuf>, Failure> {
        Ok(self.line(&["rev-parse", "--show-toplevel"])?.map(Utf8PathBuf::from))
    }

    /// Whether the directory is the top of its work tree, and not a place below one: then HEAD's tree
    /// says what lies in it.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn is_top(&self) -> Result<bool, Failure> {
        let answer = self.answer(&["rev-parse", "--is-inside-work-tree", "--show-prefix"])?;
        Ok(answer.status.success() && answer.stdout == b"true\n\n")
    }

    /// HEAD, when it has a commit: commit, tree, and whether the work tree is as it says. What the
    /// commit's own rules ignore and what lies under `.humanize` does not count, as in Humanize's own test.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn head(&self) -> Result<Option<Head>, Failure> {
        let commit = self.id("HEAD^{commit}")?;
        let tree = self.id("HEAD^{tree}")?;
        let (Some(commit), Some(tree)) = (commit, tree) else { return Ok(None) };
        let clean = self.changes()?.is_empty();
        Ok(Some(Head { commit, tree, clean }))
    }

    /// What git says where it knows no work tree; absent when it knows one.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn complaint(&self) -> Result<Option<String>, Failure> {
        let answer = self.answer(&["rev-parse", "--show-toplevel"])?;
        if answer.status.success() {
            return Ok(None);
        }
        if self.line(&["rev-parse", "--is-bare-repository"])?.as_deref() == Some("true") {
            return Ok(Some(String::from("a bare repository has no work tree")));
        }
        Ok(Some(first_line(&answer.stderr)))
    }

    /// What differs from HEAD, as `git status --porcelain` names it, the files that it was told not to look
    /// at, and the sources that it leaves out because of what no commit holds (PA-1).
    ///
    /// # Errors
    ///
    /// When git cannot be run, or cannot say it.
    pub fn changes(&self) -> Result<Vec<String>, Failure> {
        let args = ["status", "--porcelain", "--untracked-files=all", "--ignore-submodules=dirty"];
        let text = self.said(&args)?;
        let state = |it: &&str| it.starts_with("?? .humanize-") || it.starts_with("?? .humanize/");
        let mut changes: Vec<String> =
            text.lines().filter(|it| !state(it)).map(str::to_owned).collect();
        changes.extend(self.flagged()?);
        let shown: BTreeSet<&str> = text.lines().filter_map(|it| it.strip_prefix("?? ")).collect();
        let excluded = self.excluded()?.into_iter().filter(|it| !shown.contains(it.as_str()));
        changes.extend(excluded.map(|it| format!("{EXCLUDED}{it}")));
        Ok(changes)
    }

    /// What tells more of a change, ready to type: which rule leaves the file out, or the whole status.
    pub fn asks(&self, change: &str) -> String {
        let mut words = vec!["git", "-C", self.root.as_str()];
        let path = change.strip_prefix(EXCLUDED).map(|it| format!(":(top){it}"));
        match &path {
            Some(path) => words.extend(["check-ignore", "-v", "--no-index", "--", path]),
            None => words.push("status"),
        }
        command_line::join(words)
    }

    /// Files whose edits git was told not to see: what it says of them proves nothing.
    fn flagged(&self) -> Result<Vec<String>, Failure> {
        let flagged = |it: &String| {
            let (tag, path) = it.split_once(' ')?;
            let flag = match tag {
                "S" | "s" => "skip-worktree",
                _ if tag.chars().all(|c| c.is_ascii_lowercase()) => "assume-unchanged",
                _ => return None,
            };
            Some(format!("{flag} {path}"))
        };
        let all = self.listed(&["ls-files", "-v", "--full-name", "-z", "--", ":(top)"])?;
        Ok(all.iter().filter_map(flagged).collect())
    }

    /// Sources that no commit holds and that the tracked `.gitignore` files do not leave out; where one of
    /// those is itself in no commit, and hides itself, it stands for what it hides.
    fn excluded(&self) -> Result<Vec<String>, Failure> {
        let others = ["ls-files", "--others", "--full-name", "-z"];
        let by_rules = ["--exclude-per-directory=.gitignore", "--"];
        let mut found = self.listed(&[&others[..], &by_rules, &SOURCES].concat())?;
        found.retain(|it| diff::kind(it) == FileKind::Code);
        let rules = self.listed(&[&others[..], &["--"], &RULES].concat())?;
        for it in &rules {
            let asked = format!(":(top){it}");
            let nobody = ["-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index"];
            let answer = self.answer(&[&nobody[..], &["-v", "--", asked.as_str()]].concat())?;
            // `FILE:LINE:PATTERN`: a rule of the commit's own leaves it out with all that lies beside it.
            let said = first_line(&answer.stdout);
            let rule = said.split(':').next().unwrap_or_default();
            let tracked = (rule == ".gitignore" || rule.ends_with("/.gitignore"))
                && !rules.iter().any(|it| it == rule);
            if !tracked && !found.contains(it) {
                found.push(it.clone());
            }
        }
        Ok(found)
    }

    /// The branch that is checked out; absent when HEAD is detached.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn branch(&self) -> Result<Option<String>, Failure> {
        self.line(&["symbolic-ref", "--short", "--quiet", "HEAD"])
    }

    /// Whether a branch exists here, not only on a remote.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn has_branch(&self, branch: &str) -> Result<bool, Failure> {
        self.holds(&["show-ref", "--verify", "--quiet", &format!("refs/heads/{branch}")])
    }

    /// The commit of a branch.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn tip(&self, branch: &str) -> Result<Option<GitId>, Failure> {
        self.id(&format!("refs/heads/{branch}^{{commit}}"))
    }

    /// The commit of HEAD.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn commit(&self) -> Result<Option<GitId>, Failure> {
        self.id("HEAD^{commit}")
    }

    /// What the nearest tag calls HEAD.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn version(&self) -> Result<Option<String>, Failure> {
        self.line(&["describe", "--tags"])
    }

    /// When a commit was made, seconds since the epoch.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn committed_at(&self, commit: &GitId) -> Result<Option<i64>, Failure> {
        let id = commit.to_string();
        let args = ["show", "-s", "--no-show-signature", "--format=%ct", id.as_str(), "--"];
        Ok(self.line(&args)?.and_then(|it| it.parse().ok()))
    }

    /// How many commits lead from one to the other.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn commits(&self, from: &GitId, to: &GitId) -> Result<Option<u64>, Failure> {
        let range = format!("{from}..{to}");
        let args = ["rev-list", "--count", "--end-of-options", range.as_str()];
        Ok(self.line(&args)?.and_then(|it| it.parse().ok()))
    }

    /// Whether git ignores a path below the root.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn ignores(&self, path: &str) -> Result<bool, Failure> {
        self.holds(&["check-ignore", "--quiet", "--", path])
    }

    /// The tracked files that these patterns match.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn tracked(&self, patterns: &[&str]) -> Result<Vec<String>, Failure> {
        self.listed(&[&["ls-files", "-z", "--"], patterns].concat())
    }

    /// Whether history is cut off before its beginning.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn is_shallow(&self) -> Result<bool, Failure> {
        Ok(self.line(&["rev-parse", "--is-shallow-repository"])?.as_deref() == Some("true"))
    }

    /// The repository that this one is a submodule of.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn above(&self) -> Result<Option<Utf8PathBuf>, Failure> {
        let found = self.line(&["rev-parse", "--show-superproject-working-tree"])?;
        Ok(found.map(Utf8PathBuf::from))
    }

    fn id(&self, revision: &str) -> Result<Option<GitId>, Failure> {
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", revision];
        Ok(self.line(&args)?.and_then(|it| GitId::new(it).ok()))
    }

    fn line(&self, args: &[&str]) -> Result<Option<String>, Failure> {
        let answer = self.answer(args)?;
        if !answer.status.success() {
            return Ok(None);
        }
        let line = first_line(&answer.stdout);
        Ok(Some(line).filter(|it| !it.is_empty()))
    }

    /// The whole answer.
    fn said(&self, args: &[&str]) -> Result<String, Failure> {
        let answer = self.answer(args)?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
        }
        let (asked, said) = (args.first().unwrap_or(&""), first_line(&answer.stderr));
        let message = format_args!("git {asked} failed: {said}");
        Err(Failure::child(message).in_file(&self.root))
    }

    /// The answer to a question with `-z`, one by one.
    fn listed(&self, args: &[&str]) -> Result<Vec<String>, Failure> {
        let text = self.said(args)?;
        Ok(text.split('\0').filter(|it| !it.is_empty()).map(str::to_owned).collect())
    }

    fn holds(&self, args: &[&str]) -> Result<bool, Failure> {
        Ok(self.answer(args)?.status.success())
    }

    /// Lets a child that calls git run nothing of the repository's either.
    pub fn shield(&self, child: &mut Command) {
        without_variables(child).envs(self.variables());
    }

    fn variables(&self) -> Vec<(String, String)> {
        let fixed = [
            // It stands above `protocol.NAME.allow`, which the repository may set.
            ("GIT_ALLOW_PROTOCOL", "none"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_GRAFT_FILE", "/dev/null"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_PAGER", "cat"),
        ];
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let count = ("GIT_CONFIG_COUNT".to_owned(), self.settings.len().to_string());
        let settings = self.settings.iter().enumerate().flat_map(|(number, (key, value))| {
            [
                (format!("GIT_CONFIG_KEY_{number}"), key.clone()),
                (format!("GIT_CONFIG_VALUE_{number}"), value.clone()),
            ]
        });
        fixed.into_iter().chain([count]).chain(settings).collect()
    }

    /// The words of a git command, for whoever starts it himself: nothing of the repository's is run by it
    /// either.
    pub fn words(&self, args: &[&str]) -> Vec<String> {
        let steering = env::vars_os().filter_map(|(key, _)| key.into_string().ok());
        self.git(steering.filter(|it| it.starts_with("GIT_")), args)
    }

    fn git(&self, unset: impl Iterator<Item = String>, args: &[&str]) -> Vec<String> {
        let mut words = vec![String::from("env")];
        words.extend(unset.flat_map(|it| [String::from("-u"), it]));
        words.push(String::from("LC_ALL=C"));
        words.extend(self.variables().into_iter().map(|(name, value)| format!("{name}={value}")));
        words.extend(["git", "-C", self.root.as_str()].map(str::to_owned));
        words.extend(args.iter().map(|it| (*it).to_owned()));
        words
    }

    /// Whether it holds a commit.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn has_commit(&self, commit: &str) -> Result<bool, Failure> {
        Ok(self.id(&format!("{commit}^{{commit}}"))?.is_some())
    }

    /// What git says on another machine, with the same settings.
    fn answer_there(&self, launcher: &Launcher, args: &[&str]) -> Result<Output, Failure> {
        let failed = || Failure::child("git does not answer there").in_file(&self.root);
        let unset = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"].map(str::to_owned);
        let words = self.git(unset.into_iter(), args);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let argv = launcher.probing(&words).ok_or_else(failed)?;
        let env = BTreeMap::new();
        let question =
            Question { argv: &argv, env: &env, dir: None, marker: "git", at_most: ANSWER };
        let answer = question.ask().map_err(|_| failed())?;
        let status = match answer.ending {
            Ending::Code(code) => ExitStatus::from_raw(code.saturating_mul(256)),
            Ending::Signal(signal) => ExitStatus::from_raw(signal),
        };
        Ok(Output { status, stdout: answer.text.into_bytes(), stderr: Vec::new() })
    }

    fn answer(&self, args: &[&str]) -> Result<Output, Failure> {
        if let Some(launcher) = &self.there {
            return self.answer_there(launcher, args);
        }
        let mut git = Command::new("git");
        self.shield(&mut git);
        git.env("LC_ALL", "C").arg("-C").arg(&self.root).args(args);
        bounded::ask(&mut git, PATIENCE)
            .map_err(|error| Failure::child(format_args!("git {error}")).in_file(&self.root))
    }
}

/// Takes away every variable that steers git.
pub fn without_variables(child: &mut Command) -> &mut Command {
    for (key, _) in env::vars_os() {
        if key.to_string_lossy().starts_with("GIT_") {
            child.env_remove(key);
        }
    }
    child
}

/// The first line of what a program said.
pub fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().trim().to_owned()
}
