//! `vsota profile file`: PR-3 … PR-8, RV-1.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vsota_core::command::FileProfile;
use vsota_core::evidence::{Capture, ProfileFile};
use vsota_core::facts::{Framework, Stage};
use vsota_core::text::{Line, Name};
use vsota_core::{Campaign, Digest, GitId, State};

use super::analyze::{self, HowArgs};
use crate::context::Context;
use crate::drafting;
use crate::failure::Failure;
use crate::gather::bad;
use crate::given;
use crate::journal::rel;
use crate::output::Outcome;
use crate::rundir::intake::{LIMIT, Staged};
use crate::rundir::{RunDir, names};
use crate::transition::Transition;
use crate::{traces, transition};

/// The least share of a row that is filed: that of `profile analyze` by default.
pub(super) const LEAST: f64 = 0.01;

/// The most bytes of one trace.
const TRACE: u64 = 16 << 30;

/// File the profile of one framework and stage; in revalidate that of the new build
#[derive(Args, Debug)]
pub struct FileArgs {
    /// A trace, from which the tables are made, or a `vsota-profile/1` that was made of one
    pub(super) file: Utf8PathBuf,

    #[command(flatten)]
    pub(super) how: HowArgs,

    /// How it was captured: JSON with stage, scenario, command, launch (the server log, beside this
    /// file), input_len, output_len, for vLLM build (the tree), and round (this one by default)
    #[arg(long, value_name = "FILE")]
    pub(super) capture: Utf8PathBuf,

    /// A trace that the profile was made from, when it does not lie beside it; once for each
    #[arg(long, value_name = "FILE", conflicts_with = "no_trace")]
    pub(super) trace: Vec<Utf8PathBuf>,

    /// Leave the traces where they are
    #[arg(long)]
    pub(super) no_trace: bool,
}

/// What the capture file says.
#[derive(Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Captured {
    pub(super) stage: Stage,
    pub(super) scenario: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) round: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) build: Option<GitId>,
    pub(super) command: Vec<Line>,
    pub(super) launch: String,
    pub(super) input_len: u32,
    pub(super) output_len: u32,
}

/// A trace as the profile names it.
#[derive(Deserialize)]
struct TraceNamed {
    file: String,
    sha256: Digest,
}

/// Files the profile.
///
/// # Errors
///
/// Bad evidence with file and field; refused when it is not of this round, build, scenario or command.
pub fn run(context: &Context, args: FileArgs) -> Result<Outcome, Failure> {
    filed(context, &args)?.outcome()
}

/// Files the profile, as [`run`] does, and returns the step.
pub(super) fn filed(context: &Context, args: &FileArgs) -> Result<Transition, Failure> {
    let bytes = match traces::is_report(&args.file, "vsota-profile/1")? {
        true => context.evidence(&args.file, LIMIT)?,
        false => made_of(context, args)?,
    };
    let wrong = |error| bad(&error, &args.file);
    let profile = ProfileFile::read(&bytes).map_err(wrong)?;
    if profile.filed.is_some() {
        let message = "the profile was filed before: file what `profile analyze` printed";
        return Err(Failure::bad_evidence(message).in_file(&args.file).at_field("filed"));
    }
    let captured: Captured = given::json(context, &args.capture)?;
    let run = context.run_dir()?;
    let (campaign, round) = drafting::standing(&run)?;
    let place = Place::of(&campaign, round, profile.framework, captured.stage);

    let log = beside(&args.capture, Utf8Path::new(&captured.launch));
    let bytes_of_log = context.evidence(&log, LIMIT)?;
    if bytes_of_log.is_empty() {
        return Err(Failure::bad_evidence("the server log is empty").in_file(log));
    }
    let to = rel(&format!("{}-{}.log", place.0, crate::short(&bytes_of_log)))?;
    let launch = run.stage_bytes(&bytes_of_log, log.as_str(), &to, &context.secrets)?;
    let capture = Capture {
        command: captured.command,
        build: captured.build,
        scenario: captured.scenario,
        round: captured.round.unwrap_or(round),
        launch: launch.artifact().clone(),
        input_len: captured.input_len,
        output_len: captured.output_len,
    };

    let filed = with_capture(&bytes, &capture, &args.file)?;
    let to = rel(&format!("{}.json", place.0))?;
    let kept = run.stage_bytes(&filed, args.file.as_str(), &to, &context.secrets)?;
    // The fact comes from the filed bytes, as whoever proves it later will read them.
    let fact = ProfileFile::read(&filed)
        .and_then(|it| it.profile(captured.stage, &capture, kept.artifact().clone()))
        .map_err(wrong)?;
    let mut staged = vec![launch, kept];
    if !args.no_trace {
        staged.extend(place.traces(context, &run, args, &bytes)?);
    }
    transition::take_with(context, &run, staged, |_| Ok(FileProfile(fact).into()))
}

/// The tables of a trace, as `profile analyze --json` prints them.
fn made_of(context: &Context, args: &FileArgs) -> Result<Vec<u8>, Failure> {
    context.may_take(&args.file)?;
    let mut done = analyze::made(std::slice::from_ref(&args.file), &args.how)?;
    done.report.hide_below(LEAST);
    let misread = |error: serde_json::Error| given::misread(&error).in_file(&args.file);
    serde_json::to_vec(&done.report).map_err(misread)
}

/// The profile with what is said of its capture.
fn with_capture(bytes: &[u8], capture: &Capture, from: &Utf8Path) -> Result<Vec<u8>, Failure> {
    let misread = |error: serde_json::Error| given::misread(&error).in_file(from);
    let mut whole: Value = serde_json::from_slice(bytes).map_err(misread)?;
    let told = serde_json::to_value(capture).map_err(misread)?;
    if let Some(object) = whole.as_object_mut() {
        object.insert("filed".to_owned(), told);
    }
    let mut text = serde_json::to_vec_pretty(&whole).map_err(misread)?;
    text.push(b'\n');
    Ok(text)
}

fn beside(file: &Utf8Path, other: &Utf8Path) -> Utf8PathBuf {
    file.parent().unwrap_or(Utf8Path::new("")).join(other)
}

/// Where in the run directory a profile goes, without its ending.
struct Place(String);

impl Place {
    fn of(campaign: &Campaign, round: u32, framework: Framework, stage: Stage) -> Self {
        match campaign.state() {
            State::Revalidate(it) => {
                let commit = it.trialled().head().commit.short();
                Self(format!("profiles/r{round}/{commit}/{framework}-{stage}"))
            }
            _ => Self(format!("profiles/r{round}/{framework}-{stage}")),
        }
    }

    /// The traces, each of which must be the one that the profile names.
    fn traces<'a>(
        &self,
        context: &Context,
        run: &'a RunDir,
        args: &FileArgs,
        profile: &[u8],
    ) -> Result<Vec<Staged<'a>>, Failure> {
        #[derive(Deserialize)]
        struct Named {
            traces: Vec<TraceNamed>,
        }
        let named: Named = serde_json::from_slice(profile)
            .map_err(|error| given::misread(&error).in_file(&args.file))?;
        let mut staged: Vec<Staged<'a>> = Vec::new();
        for (at, trace) in named.traces.iter().enumerate() {
            let field = format!("traces[{at}]");
            let leaf = Utf8Path::new(&trace.file).file_name().unwrap_or("trace");
            let given = args.trace.iter().find(|it| it.file_name() == Some(leaf));
            let from = given.cloned().unwrap_or_else(|| beside(&args.file, Utf8Path::new(leaf)));
            let missing = Failure::bad_evidence(format_args!(
                "the trace {leaf} does not lie beside the profile: name it with --trace FILE, or \
                 leave it with --no-trace"
            ));
            if given.is_none() && !from.is_file() {
                return Err(missing.in_file(&args.file).at_field(field));
            }
            let name = names::slug(leaf).unwrap_or_else(|| "trace".to_owned());
            let to = rel(&format!("{}-{}-{name}", self.0, short(&trace.sha256)))?;
            context.may_take(&from)?;
            let kept = run.stage(&from, &to, &context.secrets, TRACE)?;
            if kept.artifact().sha256 != trace.sha256 {
                let message = "the trace is not the one that the profile was made from";
                return Err(Failure::bad_evidence(message)
                    .in_file(from)
                    .at_field(format_args!("{field}.sha256")));
            }
            if staged.iter().all(|it| it.artifact() != kept.artifact()) {
                staged.push(kept);
            }
        }
        Ok(staged)
    }
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}
