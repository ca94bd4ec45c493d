//! Candidates as a job array of Slurm: submitted once, waited for, gathered. A task is vsota itself on a
//! node of the cluster, which launches and measures there and leaves its records in the run directory.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vsota_core::evidence::command_line::join;
use vsota_core::facts::{Framework, Status};
use vsota_core::text::{Line, Name};

use super::job::{Note as Launch, write};
use super::rig::Rig;
use super::{Asked, Limits, Runner, declared, mocks};
use crate::chronicle::Chronicle;
use crate::clock::Clock;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::find::Finder;
use crate::journal::Reading;
use crate::output::{Color, Output};
use crate::planned;
use crate::secrets::Secrets;
use crate::supervise::question::{Answer, Question};
use crate::supervise::reaper::Ending;
use crate::transition::Transition;

/// The word that makes vsota a task of an array: `vsota __task RUN_DIR DIR NUMBER`.
pub const WORD: &str = "__task";

/// What is known of an array, in its directory.
pub(super) const NOTE: &str = "array.json";

/// What a task says that could not launch or go on, in its directory.
const ERROR: &str = "error.txt";

/// How long Slurm may take to answer.
const ANSWER: Duration = Duration::from_secs(60);

/// How often the queue is looked at, at first and later.
const SOON: Duration = Duration::from_millis(250);
const LATER: Duration = Duration::from_secs(10);

/// One candidate of an array, with its scenarios and the draw of their prompts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Task {
    /// The candidate.
    pub candidate: Name,
    /// What is run against it.
    pub runs: Vec<(Name, u32)>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Note {
    /// The name of the job, which no other has.
    name: String,
    /// Its number, once it was submitted.
    job: Option<String>,
    /// The cluster that took it, or those that may have (`sbatch -M`).
    cluster: Option<String>,
    limits: Limits,
    tasks: Vec<Task>,
}

impl Note {
    fn read(dir: &Utf8Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(NOTE)).ok()?).ok()
    }

    /// Asks a program of Slurm about the array, on the cluster that has it.
    fn ask(&self, program: &str, words: &[&str]) -> Result<Answer, Failure> {
        let cluster = self.cluster.iter().flat_map(|it| ["-M", it.as_str()]);
        let all: Vec<&str> =
            [program].into_iter().chain(cluster).chain(words.iter().copied()).collect();
        slurm(&all)
    }
}

/// The clusters that the words of a plan submit to.
fn clusters(start: &[Line]) -> Option<String> {
    let mut words = start.iter().map(Line::as_str);
    words
        .find_map(|it| match it {
            "-M" | "--clusters" | "--cluster" => Some(None),
            _ => {
                let joined = it.strip_prefix("--clusters=").or(it.strip_prefix("--cluster="));
                let short = it.strip_prefix("-M").filter(|it| !it.is_empty());
                joined.or(short).map(|it| Some(it.to_owned()))
            }
        })
        .and_then(|it| it.or_else(|| words.next().map(str::to_owned)))
}

/// Asks a program of Slurm; what it says on stderr is of its answer.
fn slurm(words: &[&str]) -> Result<Answer, Failure> {
    // The job must not carry the marker of whoever submits it.
    let before = ["sh", "-c", "exec \"$@\" 2>&1", "slurm", "env", "-u", "VSOTA_RUN"];
    let argv: Vec<String> = before.iter().chain(words).map(|it| (*it).to_owned()).collect();
    let env = BTreeMap::new();
    let question = Question { argv: &argv, env: &env, dir: None, marker: "slurm", at_most: ANSWER };
    let shown = words.first().unwrap_or(&"");
    question.ask().map_err(|_| Failure::child(format_args!("`{shown}` does not answer")))
}

impl Runner<'_> {
    /// Submits candidates of a framework as one array, waits for it, and files what they left. How many
    /// rows that were, and the last transition.
    ///
    /// # Errors
    ///
    /// Child when Slurm does not take the job, or a task never began; as filing says.
    pub fn array(
        &self,
        framework: Framework,
        tasks: Vec<Task>,
    ) -> Result<(usize, Option<Transition>), Failure> {
        let dir = self.place(&format!("array-{framework}"))?;
        let name = format!("vsota-{}", crate::short(dir.as_str().as_bytes()));
        let name = format!("{name}-{}", std::process::id());
        let cluster = clusters(&self.plan.launcher(framework).start);
        let mut note = Note { name, job: None, cluster, limits: self.limits, tasks };
        self.keep(&dir, &note)?;
        let (job, cluster) = self.submit(framework, &dir, &note)?;
        note.cluster = cluster.or(note.cluster);
        let (tasks, id) = (note.tasks.len(), &job);
        self.progress.note(&format!("{framework}: job {id} of Slurm, {tasks} candidates"));
        note.job = Some(job);
        self.keep(&dir, &note)?;
        self.gather(&dir)
    }

    fn keep(&self, dir: &Utf8Path, note: &Note) -> Result<(), Failure> {
        write(&dir.join(NOTE), &self.bytes(&json!(note)))
    }

    /// The number of the job, and the cluster where it is told.
    fn submit(
        &self,
        framework: Framework,
        dir: &Utf8Path,
        note: &Note,
    ) -> Result<(String, Option<String>), Failure> {
        let own = std::env::current_exe().ok().and_then(|it| Utf8PathBuf::from_path_buf(it).ok());
        let own = own.ok_or_else(|| Failure::usage("the path of vsota is not UTF-8"))?;
        let words = [own.as_str(), WORD, self.run.path().as_str(), dir.as_str()];
        let script = format!("#!/bin/sh\nexec {} \"$SLURM_ARRAY_TASK_ID\"\n", join(words));
        let path = dir.join("array.sh");
        write(&path, script.as_bytes())?;
        let start = self.plan.launcher(framework).start;
        let mut argv: Vec<&str> = start.iter().map(Line::as_str).collect();
        if argv.is_empty() {
            // Two candidates on one node would measure each other.
            argv.extend(["sbatch", "--exclusive"]);
        }
        let last = note.tasks.len().saturating_sub(1);
        let flags = [
            format!("--array=0-{last}"),
            format!("--job-name={}", note.name),
            format!("--output={dir}/task-%a.log"),
        ];
        argv.push("--parsable");
        argv.extend(flags.iter().map(String::as_str));
        argv.push(path.as_str());
        let answer = slurm(&argv)?;
        let said = answer.text.lines().last().unwrap_or_default().trim().to_owned();
        // `12`, or `12;cluster`.
        let (job, cluster) = said.split_once(';').unwrap_or((&said, ""));
        let is_number = !job.is_empty() && job.bytes().all(|it| it.is_ascii_digit());
        if answer.ending != Ending::Code(0) || !is_number {
            let message = format_args!("`{}` ended {}: {said}", join(argv), answer.ending);
            return Err(Failure::child(message));
        }
        Ok((job.to_owned(), Some(cluster.to_owned()).filter(|it| !it.is_empty())))
    }

    /// Waits until nothing of an array is queued any more, and files what it left.
    ///
    /// # Errors
    ///
    /// Child when a task never began; as filing says.
    pub(super) fn gather(&self, dir: &Utf8Path) -> Result<(usize, Option<Transition>), Failure> {
        let Some(note) = Note::read(dir) else { return Ok((0, None)) };
        self.wait(&note);
        let (mut filed, mut last, mut never) = (0_usize, None, Vec::new());
        for (number, task) in note.tasks.iter().enumerate() {
            let own = dir.join(number.to_string());
            let Some(launch) = Launch::read(&own) else {
                never.push(never_began(&own, &note, number, task));
                continue;
            };
            self.finish(&own, &launch, &note, number)?;
            let names: Vec<String> = task.runs.iter().map(|(name, _)| name.to_string()).collect();
            last = self.file_in_time(&own, &names)?.or(last);
            filed = filed.saturating_add(names.len());
        }
        self.forget(dir);
        // Whoever was killed before he submitted anything has nothing to complain of.
        if never.is_empty() || note.job.is_none() {
            return Ok((filed, last));
        }
        let message = format_args!("{}; call again to go on", never.join("; "));
        let failure = Failure::new(Kind::Child, message);
        Err(match &last {
            Some(step) => failure.after(step.head),
            None => failure,
        })
    }

    fn wait(&self, note: &Note) {
        // What was told last: how many are left, or that nobody answers.
        const SILENT: usize = usize::MAX;
        let (mut pause, mut told) = (SOON, usize::MAX - 1);
        let name = format!("--name={}", note.name);
        loop {
            // Elements that wait stand in one line, `12_[3-7]`; `--array` gives each its own.
            let listed = note.ask("squeue", &["--noheader", "--array", &name, "--format=%i"]);
            // With `-M` each cluster has a line of its own before its jobs.
            let job = |it: &&str| !it.trim().is_empty() && !it.starts_with("CLUSTER:");
            let listed = listed.ok().and_then(Answer::good);
            match listed.map(|it| it.lines().filter(job).count()) {
                Some(0) => return,
                Some(left) if left != told => {
                    told = left;
                    let all = note.tasks.len();
                    self.progress.note(&format!("{left} of {all} tasks are queued or run"));
                }
                Some(_) => {}
                // A controller that is away for a while takes no job with it.
                None if told != SILENT => {
                    told = SILENT;
                    let job = note.job.as_deref().unwrap_or(&note.name);
                    self.progress
                        .note(&format!("job {job}: `squeue` does not answer; asked again"));
                }
                None => {}
            }
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(LATER);
        }
    }

    /// What a task left open is recorded as Slurm says how it ended, else as interrupted.
    fn finish(
        &self,
        own: &Utf8Path,
        launch: &Launch,
        note: &Note,
        number: usize,
    ) -> Result<(), Failure> {
        // What a task says that began and could not go on is of no run, and would be lost with its directory.
        if let (Some(said), Some(task)) = (said(own), note.tasks.get(number)) {
            self.progress.note(&format!("{}: {said}", task.candidate));
        }
        let path = |scenario: &String| own.join(format!("{scenario}.run.json"));
        let open: Vec<&String> = launch.scenarios.iter().filter(|it| !path(it).exists()).collect();
        self.complete(own, launch)?;
        if open.is_empty() {
            return Ok(());
        }
        let Some(state) = state(note, number) else { return Ok(()) };
        let status = match state.as_str() {
            "OUT_OF_MEMORY" => Status::Oom,
            "TIMEOUT" | "DEADLINE" => Status::Timeout,
            // Whatever else it was says nothing of the candidate: it is made again.
            _ => return Ok(()),
        };
        for scenario in open {
            let path = path(scenario);
            let bytes =
                std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
            let mut record: serde_json::Value =
                serde_json::from_slice(&bytes).map_err(Failure::io)?;
            if let Some(record) = record.as_object_mut() {
                record.insert("status".to_owned(), json!(status));
                record.insert("failure_reason".to_owned(), format!("slurm: {state}").into());
            }
            write(&path, &self.bytes(&record))?;
        }
        Ok(())
    }
}

/// How Slurm says that a task ended; `None` where nobody keeps account of it.
fn state(note: &Note, number: usize) -> Option<String> {
    let id = format!("{}_{number}", note.job.as_ref()?);
    let account = note.ask("sacct", &["-n", "-X", "-P", "-j", &id, "-o", "State"]);
    let told = account.ok().and_then(Answer::good).filter(|it| !it.trim().is_empty());
    let told = told.or_else(|| {
        let shown = note.ask("scontrol", &["show", "job", &id, "--oneliner"]).ok()?.good()?;
        let state = shown.split_whitespace().find_map(|it| it.strip_prefix("JobState="))?;
        Some(state.to_owned())
    })?;
    // `CANCELLED by 1000`
    told.split_whitespace().next().map(|it| crate::escape::brief(it, 40))
}

/// What a task said that could not do what it was to do.
fn said(own: &Utf8Path) -> Option<String> {
    let said = std::fs::read_to_string(own.join(ERROR)).ok()?;
    Some(crate::escape::brief(said.trim(), 300)).filter(|it| !it.is_empty())
}

fn never_began(own: &Utf8Path, note: &Note, number: usize, task: &Task) -> String {
    let said = said(own).or_else(|| state(note, number));
    let said = said.unwrap_or_else(|| "nobody says why".to_owned());
    format!("{} never began: {said}", task.candidate)
}

/// Runs one task of an array, on a node; `args` are those after the word.
pub fn main(args: &[String]) -> ExitCode {
    let [run, dir, number] = args else { return ExitCode::from(2) };
    let own = Utf8Path::new(dir).join(number);
    match task(run, Utf8Path::new(dir), number, &own) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let secrets = Secrets::of_process();
            let (told, _) = secrets.clean(failure.to_string().as_bytes());
            // Whoever gathers says it; there is nobody else to tell.
            let _ = std::fs::create_dir_all(&own);
            let _ = std::fs::write(own.join(ERROR), told);
            ExitCode::FAILURE
        }
    }
}

fn task(run: &str, dir: &Utf8Path, number: &str, own: &Utf8Path) -> Result<(), Failure> {
    let gone = || Failure::bad_evidence("there is no such task").in_file(dir);
    let note = Note::read(dir).ok_or_else(gone)?;
    let at: usize = number.parse().map_err(|_| gone())?;
    let task = note.tasks.get(at).ok_or_else(gone)?;
    let context = Context {
        output: Output::new(false, Color::Never),
        clock: Clock::from_env()?,
        finder: Finder { flag: Some(run.into()), variable: None },
        secrets: Secrets::of_process(),
    };
    let run = context.run_dir()?;
    let chronicle = Chronicle::of(&Reading::of(&run)?)?;
    let (text, path) = declared(&run, &chronicle)?;
    let mut plan = planned::of_campaign(&chronicle.campaign, &run, &text, &path)?;
    // Here is the node: nothing reaches elsewhere from it.
    plan.launchers.clear();
    let brief = chronicle.campaign.state().brief().clone();
    let mocks = mocks(&chronicle.campaign);
    let rig = Rig::new(&context, plan, note.limits, brief, mocks);
    let candidate = rig.plan.candidate(&task.candidate).ok_or_else(gone)?;
    let job = rig.job(candidate, None)?;
    let asked = task.runs.iter().filter_map(|(name, draw)| {
        let scenario = rig.plan.scenarios().iter().find(|it| it.name == *name)?;
        Some(Asked { scenario, draw: *draw })
    });
    let asked: Vec<Asked<'_>> = asked.collect();
    std::fs::create_dir_all(own).map_err(|error| Failure::file("create", own, &error))?;
    rig.go(&job, &asked, own).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_of_a_plan_are_found_in_its_words() {
        for (words, found) in [
            ("sbatch --exclusive", None),
            ("sbatch -M west -p gpu", Some("west")),
            ("sbatch -Mwest,east", Some("west,east")),
            ("sbatch --clusters=west", Some("west")),
            ("sbatch --clusters west --mem 1", Some("west")),
        ] {
            let start: Vec<Line> = words.split(' ').map(|it| Line::new(it).unwrap()).collect();
            assert_eq!(clusters(&start).as_deref(), found, "{words}");
        }
    }
}
