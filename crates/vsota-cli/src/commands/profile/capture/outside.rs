//! Outside a campaign: nothing is filed, the tables are told as `profile analyze` tells them.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use serde_json::{Value, json};
use vsota_core::Brief;
use vsota_core::evidence::search::{Candidate, Known, Launch, Plan};
use vsota_core::evidence::tables::ProfileReport;
use vsota_core::facts::{Framework, Scenario, Stage};
use vsota_core::text::Line;

use super::{CaptureArgs, Captured, HowArgs, Tables, analyze, note};
use crate::context::Context;
use crate::failure::Failure;
use crate::gather::bad;
use crate::given;
use crate::output::{Outcome, Style, Text};
use crate::runner::{Camera, Identity, Mocks, Rig};

#[derive(Serialize)]
struct View {
    dir: String,
    profiles: Vec<ProfileReport>,
}

/// Captures what the plan launches.
pub(super) fn run(
    context: &Context,
    path: &Utf8Path,
    args: &CaptureArgs,
) -> Result<Outcome, Failure> {
    if !(0.0..=100.0).contains(&args.elsewhere.min_share) {
        return Err(Failure::usage("a share is 0 to 100 percent").at_field("--min-share"));
    }
    let text = given::text(context, path)?;
    let plan = Plan::read(&text, &Known { brief: None, help: Default::default() });
    let plan = plan.map_err(|error| bad(&error, path))?;
    let scenario = scenario(&plan, args)?;
    let candidates = candidates(&plan, args)?;
    let dir = match &args.elsewhere.out {
        Some(dir) => dir.clone(),
        None => fresh(context)?,
    };
    fs::create_dir_all(&dir).map_err(|error| Failure::file("create", &dir, &error))?;
    let dir = dir.canonicalize_utf8().map_err(|error| Failure::file("resolve", &dir, &error))?;
    let _held = locked(&dir)?;
    let rig = Rig::new(context, plan.clone(), args.limits, Brief::default(), Mocks::Allowed);
    let mut text = Text::new();
    let mut view = View { dir: dir.to_string(), profiles: Vec::new() };
    for candidate in candidates {
        let it = Here { rig: &rig, scenario, candidate, args };
        for tables in it.capture(&dir.join(candidate.framework.as_str()))? {
            let (input, output) = scenario.shown_by(tables.stage);
            let what = format!("{}, {}: {input} → {output} tokens", candidate.id, tables.stage);
            text.push(Style::Strong, what).end();
            text.append(analyze::shown(&tables.done, args.elsewhere.min_share));
            view.profiles.push(tables.done.report);
        }
    }
    text.plain("traces and logs  ").push(Style::Code, dir.as_str()).end();
    Outcome::new(text, &view)
}

fn scenario<'a>(plan: &'a Plan, args: &CaptureArgs) -> Result<&'a Scenario, Failure> {
    let all = plan.scenarios().iter();
    match &args.elsewhere.scenario {
        Some(name) => all.clone().find(|it| it.name == *name).ok_or_else(|| {
            let names: Vec<&str> = all.map(|it| it.name.as_str()).collect();
            let message = format!("the plan has no scenario {name}; it has {}", names.join(", "));
            Failure::usage(message).at_field("--scenario")
        }),
        None => all.max_by_key(|it| u64::from(it.input_len) + u64::from(it.output_len)).ok_or_else(
            || Failure::usage("the plan has no scenario: its workload is named with `dataset`"),
        ),
    }
}

fn candidates<'a>(plan: &'a Plan, args: &CaptureArgs) -> Result<Vec<&'a Candidate>, Failure> {
    let searches = plan.searches.iter().filter(|it| args.wants(it.framework));
    let found: Vec<&Candidate> = match &args.elsewhere.candidate {
        Some(id) => searches.flat_map(|it| &it.candidates).filter(|it| it.id == *id).collect(),
        None => searches.filter_map(|it| it.candidates.first()).collect(),
    };
    if found.is_empty() {
        return Err(Failure::usage("the plan launches nothing of the kind"));
    }
    Ok(found)
}

/// One candidate that is captured here.
struct Here<'a> {
    rig: &'a Rig<'a>,
    scenario: &'a Scenario,
    candidate: &'a Candidate,
    args: &'a CaptureArgs,
}

impl Here<'_> {
    /// The tables of each stage; what an earlier call captured of the same launch is not done again.
    fn capture(&self, dir: &Utf8Path) -> Result<Vec<Tables>, Failure> {
        let framework = self.candidate.framework;
        let launch = self.rig.job(self.candidate, None)?.launch;
        let stages = self.args.stages();
        let build = self.rig.identity(&launch);
        self.same_as_before(dir, &launch, build.as_ref())?;
        let open = |stage: &Stage| made(dir, *stage).is_none();
        let due: Vec<Stage> = stages.iter().copied().filter(open).collect();
        let window = self.args.window();
        let launches = launch
            .profiled(self.scenario, &due, window, dir.as_str())
            .map_err(|error| bad(&error, "the plan"))?;
        for it in launches.iter().filter(|it| !it.shots.is_empty()) {
            for shot in &it.shots {
                emptied(&dir.join(shot.stage.as_str()))?;
            }
            emptied(&dir.join("traces"))?;
            fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
            Camera(self.rig)
                .take(it, None, dir)
                .map_err(|why| Failure::from(why).in_file(dir.join("server.log")))?;
            for shot in &it.shots {
                let said = self.said(shot.stage, &launch.argv);
                let (from, to) = (dir.join("server.log"), dir.join(&said.launch));
                fs::rename(&from, &to).map_err(|error| Failure::file("move", &from, &error))?;
                note(dir, &said)?;
                let made = self.made(shot.stage, &launch, build.as_ref());
                let path = dir.join(made_at(shot.stage));
                fs::write(&path, self.rig.bytes(&made))
                    .map_err(|error| Failure::file("write", &path, &error))?;
            }
        }
        let model = self.rig.plan.serving.model.as_ref().map(Line::to_string);
        let how = HowArgs::of(framework, self.args.device, model);
        let least = self.args.elsewhere.min_share / 100.0;
        stages.iter().map(|stage| Tables::of(dir, *stage, &how, least)).collect()
    }

    /// Whatever is captured here already must be of this very launch: nobody takes one profile for another.
    fn same_as_before(
        &self,
        dir: &Utf8Path,
        launch: &Launch,
        build: Option<&Identity>,
    ) -> Result<(), Failure> {
        for stage in [Stage::Prefill, Stage::Decode] {
            let Some(old) = made(dir, stage) else { continue };
            let new = self.rig.bytes(&self.made(stage, launch, build));
            let new: Value = serde_json::from_slice(&new).map_err(Failure::io)?;
            let differs = |key: &&&str| old.get(**key) != new.get(**key);
            let changed = build.is_some_and(|it| it.changed).then_some(&"build");
            if let Some(what) = PARTS.iter().find(differs).or(changed) {
                let message = format_args!(
                    "the {stage} profile here is of another {what}, or nobody can say that it is the same: \
                     give another --out, or remove this directory"
                );
                return Err(Failure::bad_evidence(message).in_file(dir.join(made_at(stage))));
            }
            if build.is_none() {
                let id = &self.candidate.id;
                let message =
                    format!("{id}: {stage} was captured before; of which build, nobody can say");
                self.rig.progress.note(&message);
            }
        }
        Ok(())
    }

    /// What a stage was captured of.
    fn made(&self, stage: Stage, launch: &Launch, build: Option<&Identity>) -> Value {
        let (warmup, active) = (self.args.warmup, self.args.active);
        json!({
            "command": launch.argv, "env": launch.env, "build": build,
            "model": self.rig.plan.serving.model, "scenario": self.scenario.name,
            "lengths": self.scenario.shown_by(stage), "window": [warmup, active],
        })
    }

    fn said(&self, stage: Stage, command: &[Line]) -> Captured {
        let (input_len, output_len) = self.scenario.shown_by(stage);
        let launch = match self.candidate.framework {
            // Its profiler has a launch for each stage.
            Framework::TensorrtLlm => format!("{stage}.server.log"),
            Framework::Vllm | Framework::Sglang => "server.log".to_owned(),
        };
        Captured {
            stage,
            scenario: self.scenario.name.clone(),
            round: None,
            build: None,
            command: command.to_vec(),
            launch,
            input_len,
            output_len,
        }
    }
}

/// What is compared of a stage that was captured before.
const PARTS: [&str; 7] = ["command", "env", "build", "model", "scenario", "lengths", "window"];

fn made_at(stage: Stage) -> String {
    format!("{stage}.made.json")
}

/// What a stage here was captured of, once it is.
fn made(dir: &Utf8Path, stage: Stage) -> Option<Value> {
    serde_json::from_slice(&fs::read(dir.join(made_at(stage))).ok()?).ok()
}

/// The lock of a directory: two calls at once would take each other's traces.
fn locked(dir: &Utf8Path) -> Result<fs::File, Failure> {
    let path = dir.join(".vsota.lock");
    let file = fs::File::options().create(true).append(true).open(&path);
    let file = file.map_err(|error| Failure::file("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            let message = "another capture writes here: wait for it, or give another --out";
            Err(Failure::busy(message).in_file(dir))
        }
        Err(fs::TryLockError::Error(error)) => Err(Failure::file("lock", &path, &error)),
    }
}

/// What a killed call left half.
fn emptied(dir: &Utf8Path) -> Result<(), Failure> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::file("remove", dir, &error))
        }
        _ => Ok(()),
    }
}

fn fresh(context: &Context) -> Result<Utf8PathBuf, Failure> {
    let base = Utf8PathBuf::from_path_buf(std::env::temp_dir());
    let base = base.map_err(|_| {
        Failure::usage("the directory for temporary files is not UTF-8; give --out")
    })?;
    let name = |n: u32| base.join(format!("vsota-capture-{}-{n}", context.clock.now()));
    let free = (1..1_000).map(name).find(|it| !it.exists());
    free.ok_or_else(|| Failure::usage("no fresh directory is free; give --out"))
}
