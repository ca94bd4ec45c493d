//! What a launch needs, in a campaign and outside one: the plan, the limits, and what may be a mock.

use std::cell::Cell;

use serde_json::Value;
use vsota_core::Brief;
use vsota_core::evidence::search::{BuildPlan, Candidate, Launch, LauncherKind, Plan};
use vsota_core::facts::Framework;
use vsota_core::text::{Argv, Line};

use super::{Job, Limits, Progress, tree};
use crate::context::Context;
use crate::failure::Failure;
use crate::gather::bad;

/// What launches are made with.
#[derive(Debug)]
pub struct Rig<'a> {
    /// The outside.
    pub context: &'a Context,
    /// The plan.
    pub plan: Plan,
    /// How long things may take.
    pub limits: Limits,
    /// How far it is.
    pub progress: Progress<'a>,
    /// What is known of model and hardware; outside a campaign nothing.
    pub(super) brief: Brief,
    pub(super) mocks: Mocks,
    /// Whether nvidia-smi did not answer; it is not asked again.
    pub(super) silent: Cell<bool>,
}

/// Which servers may be mocks (FB-5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mocks {
    /// All of them: a demonstration.
    Only,
    /// None: a campaign.
    Never,
    /// Any: nothing of it is filed, and what is printed says so.
    Allowed,
}

impl<'a> Rig<'a> {
    /// A rig with nothing launched yet.
    pub fn new(
        context: &'a Context,
        plan: Plan,
        limits: Limits,
        brief: Brief,
        mocks: Mocks,
    ) -> Self {
        let (progress, silent) = (Progress::new(context), Cell::new(false));
        Self { context, plan, limits, progress, brief, mocks, silent }
    }

    /// The job of launching a candidate, as a build of vLLM where one is meant.
    ///
    /// # Errors
    ///
    /// Bad evidence when the plan cannot launch it.
    pub fn job(&self, it: &Candidate, build: Option<&BuildPlan>) -> Result<Job, Failure> {
        let wrong = |error| bad(&error, "the plan");
        let launch = self.plan.launch(it, None, build).map_err(wrong)?;
        // The tree says which build ran; the winning command stays the same for every build (GD-2).
        let plain = self.plan.launch(it, None, None).map_err(wrong)?;
        let message = match (self.mocks, is_mock(&launch.argv)) {
            (Mocks::Only, false) => {
                Some("FB-5: a demonstration launches mock servers only".to_owned())
            }
            (Mocks::Never, true) => Some(
                "FB-5: a mock server measures nothing; only a demonstration launches one"
                    .to_owned(),
            ),
            _ => None,
        };
        let kind = self.plan.launcher(it.framework).kind;
        let message = message.or_else(|| {
            (kind == LauncherKind::Slurm).then(|| {
                format!(
                    "the launcher of {} is slurm, which launches the candidates of `vsota bench run` as a \
                     job array; for blocks take an allocation (`salloc`), and there the same plan without \
                     this launcher (--plan)",
                    it.framework
                )
            })
        });
        if let Some(message) = message {
            return Err(Failure::bad_evidence(message).at_field(&it.id));
        }
        Ok(Job { launch, server_command: plain.argv, build: None, tree: None, unbuilt: None })
    }

    /// The candidate whose launch is this very command.
    ///
    /// # Errors
    ///
    /// Bad evidence when the plan has none.
    pub fn winning(&self, framework: Framework, command: &Argv) -> Result<&Candidate, Failure> {
        let candidates = self.plan.search(framework).into_iter().flat_map(|it| &it.candidates);
        for it in candidates {
            let job = self.job(it, None)?;
            if job.server_command.iter().map(Line::as_str).eq(command.iter()) {
                return Ok(it);
            }
        }
        let message = format_args!(
            "no candidate of the plan launches {framework} with its winning command; give that plan \
             with --plan"
        );
        Err(Failure::bad_evidence(message))
    }

    /// The build of that commit, where the plan names one; else the way to make any that it does not name.
    pub(super) fn build(&self, commit: &str) -> Option<&BuildPlan> {
        let same = |it: &&BuildPlan| {
            let named = it.commit.as_ref().map(Line::as_str);
            named.is_some_and(|it| it.len() >= 7 && commit.starts_with(it))
        };
        let any = |it: &&BuildPlan| it.commit.is_none() && it.wants_tree();
        let all = || self.plan.builds.values();
        all().find(same).or_else(|| all().find(any))
    }
}

impl Rig<'_> {
    /// A text without the secrets in it (SE-1).
    pub(super) fn cleared(&self, text: &str) -> String {
        let (cleared, _) = self.context.secrets.clean(text.as_bytes());
        String::from_utf8_lossy(&cleared).into_owned()
    }

    /// A value as it may lie on the disk: no text of it holds a secret, nor does a word of a command that
    /// only the flag before it tells (SE-1).
    pub fn bytes(&self, value: &Value) -> Vec<u8> {
        let mut value = value.clone();
        self.clear(&mut value);
        value.to_string().into_bytes()
    }

    /// Which build a launch would run, as far as it can say; absent when nobody can.
    pub fn identity(&self, launch: &Launch) -> Option<tree::Identity> {
        let env = launch.env.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let marker = crate::short(launch.candidate.as_str().as_bytes());
        tree::identity(launch.framework, &launch.argv, &env.collect(), &marker)
    }

    fn clear(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.cleared(text),
            Value::Array(all) => {
                let mut before: Option<String> = None;
                for it in all {
                    let word = it.as_str().map(str::to_owned);
                    match (&before, &word) {
                        (Some(flag), Some(word)) if flag.starts_with('-') => {
                            let both = self.cleared(&format!("{flag} {word}"));
                            let rest = both.strip_prefix(&format!("{flag} "));
                            *it = Value::from(rest.map_or(both.as_str(), |rest| rest));
                        }
                        _ => self.clear(it),
                    }
                    before = word;
                }
            }
            Value::Object(all) => {
                for it in all.values_mut() {
                    self.clear(it);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Whether a mock server is started by these words.
pub(super) fn is_mock(argv: &[Line]) -> bool {
    argv.iter().any(|it| it.as_str() == "mock-server")
}
