//! Builds of vLLM that a plan says how to make: each lies in a git work tree of its own beside the
//! checkout, added before its first launch and removed at the end (PA-1).
//!
//! Whose a work tree is, its lock says: git keeps it with the marker that the run directory has too. What
//! has another, or none, is nobody's of ours, and is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vsota_core::evidence::command_line::join;
use vsota_core::evidence::search::{BuildPlan, Candidate, LauncherKind};
use vsota_core::facts::Framework;

use super::job::{Note as Family, boot, words, write};
use super::leftovers::{directories, end_all};
use super::record::{moment, now};
use super::{Job, Runner};
use crate::checkout::Checkout;
use crate::failure::Failure;
use crate::find;
use crate::gather::bad;
use crate::supervise::process::Process;
use crate::supervise::question::{Question, Unanswered};
use crate::supervise::reaper::Ending;
use crate::supervise::{NotStarted, Start, Supervised};

/// Where what is known of them lies, in the run directory.
const BUILDS: &str = "benchmark/builds";

/// What is known of one, in its directory.
const NOTE: &str = "build.json";

/// What its command said.
const LOG: &str = "build.log";

/// How long git may take to add a work tree, and to fill it.
const GIT: Duration = Duration::from_secs(600);

/// How builds are made.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Builds")]
pub struct BuildArgs {
    /// The longest build of vLLM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 7_200)]
    build_timeout: u64,

    /// Leave the work trees of builds for the next command
    #[arg(long)]
    keep_builds: bool,
}

/// A build that could not be made.
#[derive(Clone, Debug)]
pub struct Unbuilt {
    /// Why.
    pub reason: String,
    /// What its command said.
    pub log: Utf8PathBuf,
}

/// Why there is no build.
enum NotBuilt {
    /// Its command did not make one.
    Command(String),
    /// Something here failed; it says nothing of the build.
    Own(Failure),
}

impl From<Failure> for NotBuilt {
    fn from(failure: Failure) -> Self {
        Self::Own(failure)
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Note {
    /// What the lock of the work tree says and its processes carry.
    marker: String,
    checkout: String,
    /// Where the work tree lies.
    path: String,
    commit: String,
    command: Vec<String>,
    /// Whether it was made to its end.
    made: bool,
}

impl Note {
    fn read(dir: &Utf8Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join(NOTE)).ok()?).ok()
    }

    fn checkout(&self) -> &Utf8Path {
        Utf8Path::new(&self.checkout)
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::new(&self.path)
    }

    fn lock(&self) -> String {
        format!("vsota {}: a build of {}", self.marker, self.commit)
    }

    /// Where git keeps what it knows of the work tree: known by its lock, whatever its name.
    fn kept(&self) -> Option<Utf8PathBuf> {
        let all = directories(&find::git_common_dir(self.checkout())?.join("worktrees"));
        let lock = self.lock();
        let ours = |it: &Utf8PathBuf| {
            fs::read_to_string(it.join("locked")).is_ok_and(|it| it.trim() == lock)
        };
        all.into_iter().find(ours)
    }

    /// Whether the directory there is the work tree that git keeps under this lock.
    fn lies_there(&self, kept: &Utf8Path) -> bool {
        let own = self.path().join(".git");
        let is_dir = fs::symlink_metadata(&self.path).is_ok_and(|it| it.is_dir());
        let said = |at: &Utf8Path| fs::read_to_string(at).unwrap_or_default().trim().to_owned();
        let there = said(&kept.join("gitdir")) == own.as_str();
        let here = said(&own).strip_prefix("gitdir:").map(|it| Utf8PathBuf::from(it.trim()));
        let same = |it: Utf8PathBuf| it.canonicalize_utf8().ok() == kept.canonicalize_utf8().ok();
        is_dir && there && here.is_some_and(same)
    }

    /// Removes the work tree, when it is the one that was added.
    fn remove(&self) -> Result<(), Failure> {
        let gone = |path: &Utf8Path| match fs::remove_dir_all(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::file("remove", path, &error))
            }
            _ => Ok(()),
        };
        let kept = self.kept();
        if kept.as_deref().is_some_and(|it| self.lies_there(it)) {
            gone(self.path())?;
        }
        // An empty one is what git had come to when it was killed.
        let _ = fs::remove_dir(&self.path);
        if self.path().exists() {
            let message =
                "it is not the work tree that vsota added here: look at it, and move it away";
            return Err(Failure::bad_evidence(message).in_file(&self.path));
        }
        kept.map_or(Ok(()), |it| gone(&it))
    }
}

impl Runner<'_> {
    /// Makes the job one of the build of a commit, where the plan names one: what is missing is built. A
    /// build that fails is of the job: its launch is recorded as failed.
    ///
    /// # Errors
    ///
    /// Bad evidence when the plan cannot launch it, nothing can be built here, or something foreign lies
    /// where its work tree would.
    pub fn as_build(
        &self,
        candidate: &Candidate,
        commit: Option<&str>,
        how: BuildArgs,
    ) -> Result<Job, Failure> {
        let found = commit.and_then(|commit| Some((commit, self.build(commit)?)));
        let Some((commit, build)) = found.filter(|(_, it)| it.wants_tree()) else {
            return self.job(candidate, found.map(|(_, it)| it));
        };
        let (note, dir) = self.place_of(build, commit)?;
        let placed = build.placed(note.path.as_str()).map_err(|error| bad(&error, "the plan"))?;
        let mut job = self.job(candidate, Some(&placed))?;
        let note = Note { command: words(&placed.build_command), ..note };
        match self.make(note, &dir, how) {
            Ok(()) => {}
            Err(NotBuilt::Own(failure)) => return Err(failure),
            Err(NotBuilt::Command(why)) => {
                let short: String = commit.chars().take(12).collect();
                let reason = format!("the build of {short} {why}; it said: {BUILDS}/{short}/{LOG}");
                job.unbuilt = Some(Unbuilt { reason, log: dir.join(LOG) });
            }
        }
        Ok(job)
    }

    /// Where the build of a commit belongs.
    fn place_of(&self, build: &BuildPlan, commit: &str) -> Result<(Note, Utf8PathBuf), Failure> {
        if self.plan.launcher(Framework::Vllm).kind != LauncherKind::Local {
            let message = "the launcher of vllm reaches elsewhere, where nothing is built: build it there, name \
                           its place in launch_prefix, and leave build_command and {tree} out";
            return Err(Failure::bad_evidence(message).at_field("builds"));
        }
        let known = self.brief.vllm_checkout().ok_or_else(|| {
            Failure::bad_evidence(
                "no vLLM checkout is recorded, so that no commit of it can be built",
            )
        })?;
        let checkout = Utf8Path::new(known.as_str()).canonicalize_utf8();
        let checkout =
            checkout.map_err(|error| Failure::bad_evidence(error).in_file(known.as_str()))?;
        let short: String = commit.chars().take(12).collect();
        let dir = self.root.join(BUILDS).join(&short);
        let own = crate::short(self.root.as_str().as_bytes());
        let name = format!(
            "{}-vsota-{short}-{}",
            checkout.file_name().unwrap_or("vllm"),
            own.get(..6).unwrap_or(&own)
        );
        let path = checkout.parent().unwrap_or(&checkout).join(name);
        let note = Note {
            marker: self.marker(&dir),
            path: path.into_string(),
            checkout: checkout.into_string(),
            commit: commit.to_owned(),
            command: words(&build.build_command),
            made: false,
        };
        Ok((note, dir))
    }

    /// Makes a build, unless it is there: of the same commit, by the same command.
    fn make(&self, mut note: Note, dir: &Utf8Path, how: BuildArgs) -> Result<(), NotBuilt> {
        end_all(dir)?;
        if let Some(old) = Note::read(dir) {
            let wanted = Note { marker: old.marker.clone(), made: true, ..note.clone() };
            // As it lies there: without the secrets that the command may have.
            let same = fs::read(dir.join(NOTE)).is_ok_and(|it| it == self.bytes(&json!(wanted)));
            if same && old.kept().is_some_and(|it| old.lies_there(&it)) {
                return Ok(());
            }
            old.remove()?;
        }
        fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
        if note.path().symlink_metadata().is_ok() {
            let message = "the build would lie here, and something else does: move it away";
            return Err(Failure::bad_evidence(message).in_file(&note.path).into());
        }
        let checkout = Checkout::at(note.checkout())?;
        if !checkout.has_commit(&note.commit)? {
            let message = format_args!("the checkout does not hold the commit {}", note.commit);
            return Err(Failure::bad_evidence(message).in_file(&note.checkout).into());
        }
        self.keep_build(&note, dir)?;
        self.progress.note(&format!("a work tree of {} at {}", note.commit, note.path));
        add(&note, &checkout)?;
        self.command(&note, dir, how)?;
        let changed = match Checkout::at(note.path())?.head()? {
            Some(head) if head.clean && head.commit.as_str() == note.commit => None,
            Some(head) if head.clean => Some(format!("left its work tree at {}", head.commit)),
            _ => Some(String::from("changed what git keeps of its work tree (PA-1)")),
        };
        if let Some(why) = changed {
            return Err(NotBuilt::Command(why));
        }
        note.made = true;
        self.keep_build(&note, dir)?;
        Ok(())
    }

    fn keep_build(&self, note: &Note, dir: &Utf8Path) -> Result<(), Failure> {
        write(&dir.join(NOTE), &self.bytes(&json!(note)))
    }

    /// Runs the command of a build in its work tree, with everything that it says in its log.
    fn command(&self, note: &Note, dir: &Utf8Path, how: BuildArgs) -> Result<(), NotBuilt> {
        let log = dir.join(LOG);
        let (commit, at) = (&note.commit, moment(now()));
        let command = join(note.command.iter().map(String::as_str));
        let head = format!(
            "# build {} of {commit} by vsota, {at}\n# in {}\n$ {command}\n",
            note.marker, note.path
        );
        let (head, _) = self.context.secrets.clean(head.as_bytes());
        fs::write(&log, head).map_err(|error| Failure::file("write", &log, &error))?;
        if note.command.is_empty() {
            return Ok(());
        }
        let mut family = Family {
            marker: note.marker.clone(),
            stop: None,
            server: None,
            boot: boot(),
            scenarios: Vec::new(),
            interrupted: Vec::new(),
        };
        self.note(&family, dir)?;
        let script = "cd \"$0\" && exec \"$@\"";
        let mut argv = ["sh", "-c", script, note.path.as_str()].map(str::to_owned).to_vec();
        argv.extend(note.command.iter().cloned());
        let env = BTreeMap::new();
        let grace = self.limits.grace();
        let start = Start { argv: &argv, env: &env, marker: &note.marker, log: &log, grace };
        self.progress.note(&format!("building {commit}: {}", crate::escape::brief(&command, 200)));
        let mut running = Supervised::start(&start).map_err(|why| match why {
            NotStarted::Program(why) => NotBuilt::Command(format!("could not be begun: {why}")),
            NotStarted::Own(failure) => failure.into(),
        })?;
        let Process { pid, start } = running.process;
        family.server = Some((pid, start));
        self.note(&family, dir)?;
        let ending = running.wait(Duration::from_secs(how.build_timeout));
        running.stop()?;
        match ending {
            Some(Ending::Code(0)) => Ok(()),
            Some(ending) => Err(NotBuilt::Command(format!("ended {ending}"))),
            None => {
                let seconds = how.build_timeout;
                Err(NotBuilt::Command(format!("was ended: it took more than {seconds} s")))
            }
        }
    }

    /// What a killed command left half built is removed; what is whole is for this one.
    pub(super) fn settle_builds(&self) -> Result<(), Failure> {
        for dir in directories(&self.root.join(BUILDS)) {
            end_all(&dir)?;
            if let Some(note) = Note::read(&dir).filter(|it| !it.made) {
                note.remove()?;
                self.put_away(&dir);
            }
        }
        Ok(())
    }

    /// Removes the work trees that were added, this time or before; what is not ours any more is told.
    pub fn remove_builds(&self, how: BuildArgs) {
        let all = directories(&self.root.join(BUILDS));
        for dir in all.iter().filter(|_| !how.keep_builds) {
            let Some(note) = Note::read(dir) else { continue };
            match end_all(dir).and_then(|()| note.remove()) {
                Ok(()) => self.put_away(dir),
                Err(failure) => self.progress.note(&format!("left: {failure}")),
            }
        }
    }

    /// Forgets a work tree that is gone; what its command said stays till it is built again.
    fn put_away(&self, dir: &Utf8Path) {
        let _ = fs::remove_file(dir.join(super::job::NOTE));
        let _ = fs::remove_file(dir.join(NOTE));
    }
}

/// Adds the work tree. What the repository may run is looked for twice: its settings may be others in there.
fn add(note: &Note, checkout: &Checkout) -> Result<(), Failure> {
    let lock = note.lock();
    let (path, commit) = (note.path.as_str(), note.commit.as_str());
    let place = ["-c", "worktree.useRelativePaths=false", "worktree", "add", "--quiet"];
    let what = ["--no-checkout", "--detach", "--lock", "--reason", &lock, "--", path, commit];
    git(note, checkout, &[&place[..], &what[..]].concat())?;
    let inside = Checkout::at(note.path())?;
    if inside.top()?.as_deref() != Some(note.path()) {
        let message = "git knows another work tree here than the one that was added";
        return Err(Failure::bad_evidence(message).in_file(&note.path));
    }
    git(note, &inside, &["reset", "--hard", "--quiet", commit])
}

/// Runs git under a reaper: nobody fills a work tree when vsota is gone.
fn git(note: &Note, checkout: &Checkout, args: &[&str]) -> Result<(), Failure> {
    let before = ["sh", "-c", "exec \"$@\" 2>&1", "git"].map(str::to_owned);
    let argv: Vec<String> = before.into_iter().chain(checkout.words(args)).collect();
    let (env, marker) = (BTreeMap::new(), note.marker.as_str());
    let question = Question { argv: &argv, env: &env, dir: None, marker, at_most: GIT };
    let wrong = |why: &str| {
        let why = crate::escape::brief(why, 300);
        Failure::child(format_args!("git could not make the work tree of a build: {why}"))
            .in_file(&note.path)
    };
    match question.ask() {
        Ok(answer) if answer.ending == Ending::Code(0) => Ok(()),
        Ok(answer) => Err(wrong(answer.text.trim())),
        Err(Unanswered::Own(failure)) => Err(failure),
        Err(Unanswered::Program) => Err(wrong("there is no git")),
        Err(Unanswered::Late) => Err(wrong("it took too long")),
    }
}
