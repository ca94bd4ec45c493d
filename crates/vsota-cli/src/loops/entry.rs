//! Into a loop: look, refuse or set up, shake hands (RL-1 … RL-7). What the machine would refuse of a
//! perfect set-up is refused before anything is set up.

use camino::Utf8Path;
use vsota_core::command::{Command, CommandKind};
use vsota_core::evidence::humanize::{self, Ground, Lifecycle, Obstacle};
use vsota_core::evidence::{plan, rfc3339};
use vsota_core::facts::{ActiveLoop, Checkout as Seen, Handshake, Head, LoopStart, Plan, Setup};
use vsota_core::text::{Line, Name};
use vsota_core::{Base, Clause, GitId, State};

use super::ground::{self, Wish};
use super::{Found, Survey, line, named, setup};
use crate::checkout::Checkout;
use crate::chronicle::Chronicle;
use crate::context::Context;
use crate::failure::{Failure, Reason};
use crate::help;
use crate::rundir::RunDir;
use crate::transition;

/// What a way into a loop knows before it begins.
#[derive(Debug)]
pub struct Entrance<'a> {
    context: &'a Context,
    run: &'a RunDir,
    chronicle: Chronicle,
    /// Every loop that is there.
    pub survey: Survey,
    wish: Wish,
    kind: CommandKind,
}

impl<'a> Entrance<'a> {
    /// Reads the journal and looks at the loops.
    ///
    /// # Errors
    ///
    /// Refused when this phase admits no such command or something stands in its way; usage when the
    /// campaign knows no checkout.
    pub fn new(
        context: &'a Context,
        run: &'a RunDir,
        wish: Wish,
        kind: CommandKind,
    ) -> Result<Self, Failure> {
        let chronicle = Chronicle::of(&crate::journal::Reading::of(run)?)?;
        let campaign = &chronicle.campaign;
        let reasons = match campaign.ready(kind) {
            None => help::misplaced(campaign.phase(), kind),
            Some(objections) => objections.iter().map(|it| help::reason(it, kind)).collect(),
        };
        if !reasons.is_empty() {
            return Err(transition::object(context, run, &chronicle, kind, reasons));
        }
        let checkout = campaign.state().brief().vllm_checkout().ok_or_else(|| {
            let message = "the campaign knows no vLLM checkout: vsota inputs set vllm_checkout=DIR";
            Failure::usage(message)
        })?;
        let checkout = Utf8Path::new(checkout.as_str()).to_owned();
        let survey = Survey::of(&checkout, run.path(), &chronicle.entries)?;
        Ok(Self { context, run, chronicle, survey, wish, kind })
    }

    /// Goes in: refuses what stands in the way, adopts the campaign's own loop when a crash left one, else
    /// runs set-up. `say` makes the command out of what was found.
    ///
    /// # Errors
    ///
    /// Refused with every obstacle and its mend, before anything is set up.
    pub fn enter(&self, say: impl Fn(LoopStart) -> Command) -> Result<LoopStart, Failure> {
        let (ground, orphan) = self.passed(&say)?;
        let seen = seen(&self.survey, &ground)?;
        let (setup, survey) = match orphan {
            Some(it) => (adopted(it, &ground)?, self.survey.clone()),
            None => {
                let argv = self.argv(&ground);
                let ran = setup::run(&Checkout::at(&self.survey.checkout)?, &argv)?;
                let entries = &self.chronicle.entries;
                (ran, Survey::of(&self.survey.checkout, self.run.path(), entries)?)
            }
        };
        let fresh = match orphan {
            Some(it) => survey.found.iter().find(|found| found.path == it.path),
            None => self.fresh(&survey),
        };
        if let Some(fresh) = fresh {
            self.intended(fresh, &ground)?;
        }
        let other = |it: &&Found| fresh.is_none_or(|fresh| fresh.path != it.path);
        let others = survey.alive().filter(other).filter(|it| self.is_other(it));
        Ok(LoopStart {
            checkout: seen,
            other_loops: others.map(|it| line(it.path.as_str())).collect::<Result<_, _>>()?,
            setup,
            active: fresh.map(Found::active).transpose()?.flatten(),
            handshake: self.wish.handshake,
        })
    }

    /// Only the checks: nothing is set up.
    ///
    /// # Errors
    ///
    /// Refused with every obstacle and its mend.
    pub fn check(&self, say: impl Fn(LoopStart) -> Command) -> Result<Ground, Failure> {
        self.passed(&say).map(|(ground, _)| ground)
    }

    /// What was looked at, and the loop to adopt, once nothing stands in the way.
    fn passed(
        &self,
        say: &impl Fn(LoopStart) -> Command,
    ) -> Result<(Ground, Option<&Found>), Failure> {
        let (base, plan) = facts(self.chronicle.campaign.state());
        let mut ground = ground::look(&self.survey, &self.wish, base, plan, self.run.path())?;
        let orphan = self.orphan(&ground, plan)?;
        // The recorded loop is the machine's to judge, and the orphan is adopted.
        let known = [self.survey.own(), orphan].map(|it| it.map(|it| it.path.to_string()));
        ground.alive.retain(|it| !known.iter().flatten().any(|path| path == it));
        self.pass(&ground, plan, say)?;
        Ok((ground, orphan))
    }

    /// What stands in the way, the machine's objections to a perfect set-up among it.
    fn pass(
        &self,
        ground: &Ground,
        plan: Option<&Plan>,
        say: &impl Fn(LoopStart) -> Command,
    ) -> Result<(), Failure> {
        let mut reasons: Vec<Reason> =
            humanize::obstacles(ground).iter().map(|it| self.reason(it)).collect();
        let head = match &ground.repository {
            Some(_) => Checkout::at(&self.survey.checkout)?.head()?,
            None => None,
        };
        if let Some((head, plan)) = head.zip(plan) {
            let perfect = say(perfect(head, plan, self.wish.handshake)?);
            if let Err(refusal) = self.chronicle.campaign.decide(perfect) {
                reasons.extend(help::refused(&refusal).reasons);
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(transition::object(self.context, self.run, &self.chronicle, self.kind, reasons))
    }

    fn reason(&self, obstacle: &Obstacle) -> Reason {
        let (clause, found) = (obstacle.clause, obstacle.to_string());
        let help = match (obstacle.check, clause) {
            (8, _) => help::typed(CommandKind::FilePlan),
            (9, _) if found.contains("--base-branch") => "vsota loop start --base-branch BRANCH",
            (6, _) => "vsota loop status",
            _ => help::typed(self.kind),
        };
        Reason { clause, found, help: help.to_owned() }
    }

    /// The campaign's own loop that a crash left between set-up and record (RL-4): it runs the filed
    /// plan on the intended base and branch, is in round 0, and nothing was committed since it began.
    fn orphan(&self, ground: &Ground, plan: Option<&Plan>) -> Result<Option<&Found>, Failure> {
        let mut alive = self.survey.others().filter(|it| it.tree == self.survey.top());
        let (Some(only), None) = (alive.next(), alive.next()) else { return Ok(None) };
        let (Some(plan), Some(repository)) = (plan, &ground.repository) else { return Ok(None) };
        let Ok(Some(state)) = only.state() else { return Ok(None) };
        let checkout = Checkout::at(&self.survey.checkout)?;
        let tip = match &repository.base {
            Some(base) if repository.base_exists => checkout.tip(base)?,
            _ => None,
        };
        let same = only.plan == Some(plan.copy.sha256)
            && state.plan_file.as_deref() == Some(plan::PATH)
            && only.reading.lifecycle == Lifecycle::Implementation
            && state.round == 0
            && state.base_commit.is_some()
            && state.base_commit == tip
            && state.start_branch == repository.branch
            && !only.reading.owed.is_some_and(|it| it == humanize::Owed::Advance);
        Ok((same && self.nothing_since(&checkout, state.started_at.as_ref())?).then_some(only))
    }

    /// Whether HEAD is older than the start of a loop.
    fn nothing_since(
        &self,
        checkout: &Checkout,
        started_at: Option<&Line>,
    ) -> Result<bool, Failure> {
        let Some(head) = checkout.head()? else { return Ok(false) };
        let committed = checkout.committed_at(&head.commit)?;
        let started = started_at.and_then(|it| rfc3339(it.as_str()).ok());
        Ok(committed
            .zip(started)
            .is_some_and(|(committed, started)| committed.saturating_mul(1_000) <= started))
    }

    fn argv(&self, ground: &Ground) -> Vec<String> {
        let root = ground.runtime.as_ref().map_or("", |it| it.root.as_str());
        let mut argv = vec![
            format!("{root}/{}", humanize::RUNTIME[0]),
            plan::PATH.to_owned(),
            String::from("--yolo"),
        ];
        if self.wish.handshake == Handshake::Strict {
            argv.push(String::from("--strict-success"));
        }
        if let Some(base) = ground.repository.as_ref().and_then(|it| it.base.clone()) {
            argv.extend([String::from("--base-branch"), base]);
        }
        argv
    }

    /// The one directory that set-up made in the checkout.
    fn fresh<'s>(&self, after: &'s Survey) -> Option<&'s Found> {
        let known = |it: &Found| self.survey.found.iter().any(|old| old.path == it.path);
        let mut fresh = after.alive().filter(|it| it.tree == after.top() && !known(it));
        fresh.next().filter(|_| fresh.next().is_none())
    }

    fn is_other(&self, it: &Found) -> bool {
        self.survey.own().is_none_or(|own| own.path != it.path)
    }

    /// RL-6: what stands is what was asked for.
    fn intended(&self, it: &Found, ground: &Ground) -> Result<(), Failure> {
        let Some(state) = it.state()? else { return Ok(()) };
        let base = ground.repository.as_ref().and_then(|it| it.base.clone());
        let mut reasons = Vec::new();
        let mut wrong = |key: &str, found: Option<&str>, wanted: &str| {
            if found != Some(wanted) {
                let found = found.unwrap_or("nothing");
                let found = format!(
                    "the state of the loop {} says {key}: {found}, not {wanted}; set-up ran, and that loop is alive now",
                    it.dir
                );
                let help = named::ending(it);
                reasons.push(Reason { clause: Clause::Rl6, found, help });
            }
        };
        wrong("plan_file", state.plan_file.as_deref(), plan::PATH);
        if let Some(base) = &base {
            wrong("base_branch", state.base_branch.as_deref(), base);
            let tip = Checkout::at(&self.survey.checkout)?.tip(base)?.map(|it| it.to_string());
            let said = state.base_commit.as_ref().map(GitId::to_string);
            wrong("base_commit", said.as_deref(), tip.as_deref().unwrap_or("a commit"));
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(transition::object(self.context, self.run, &self.chronicle, self.kind, reasons))
    }
}

/// Inputs and plan, as far as the phase knows them.
fn facts(state: &State) -> (&Base, Option<&Plan>) {
    use vsota_core::phase::{Bench, InLoop};
    fn of<P: InLoop>(phase: &P) -> (&Base, Option<&Plan>) {
        (&phase.case().base, phase.case().plan.as_ref())
    }
    match state {
        State::Inputs(it) => (it.base(), None),
        State::HistoryGate(it) => (it.base(), None),
        State::FixedBenchmark(it) => match it.inside() {
            Bench::Frozen { plan, .. } => (it.base(), plan.as_ref()),
            Bench::Searching(_) => (it.base(), None),
        },
        State::RlcrActive(it) => of(it),
        State::GapDecision(it) => of(it),
        State::Profiling(it) => of(it),
        State::LayerPipeline(it) => of(it),
        State::KernelAssist(it) => of(it),
        State::Revalidate(it) => of(it),
        State::Stopped(it) => (it.base(), None),
    }
}

fn seen(survey: &Survey, ground: &Ground) -> Result<Seen, Failure> {
    let repository = ground.repository.as_ref();
    Ok(Seen {
        is_git: repository.is_some(),
        head: Checkout::at(&survey.checkout)?.head()?,
        humanize_ignored: repository.is_some_and(|it| it.ignored),
        humanize_tracked: repository.is_some_and(|it| !it.tracked.is_empty()),
        base_exists: repository.is_some_and(|it| it.base_exists),
        base_ambiguous: repository.is_none_or(|it| it.base.is_none()),
    })
}

/// The set-up of a loop that is there already, as its state tells that it was run.
fn adopted(found: &Found, ground: &Ground) -> Result<Setup, Failure> {
    let root = ground.runtime.as_ref().map_or("", |it| it.root.as_str());
    let mut argv = vec![line(&format!("{root}/{}", humanize::RUNTIME[0]))?, line(plan::PATH)?];
    if let Some(state) = found.state()? {
        if state.ask_codex_question == Some(false) {
            argv.push(line("--yolo")?);
        }
        if state.strict_success == Some(true) {
            argv.push(line("--strict-success")?);
        }
        if let Some(base) = &state.base_branch {
            argv.extend([line("--base-branch")?, line(base)?]);
        }
    }
    let message = line("adopted: set-up had run before, and the record was lost")?;
    Ok(Setup { argv, exit: 0, message: Some(message) })
}

/// A set-up in which everything went well, on the HEAD that is there.
fn perfect(head: Head, plan: &Plan, handshake: Handshake) -> Result<LoopStart, Failure> {
    let words = ["set-up", plan::PATH, "--yolo", "--strict-success", "--base-branch"];
    let active = ActiveLoop {
        dir: Name::new("to-come").map_err(Failure::usage)?,
        started_at: line("to come")?,
        base_commit: head.commit.clone(),
        plan_sha256: plan.copy.sha256,
        current_round: 0,
        strict_success: Some(true),
        ask_codex_question: Some(false),
        round_prompt: true,
        round_contract: true,
    };
    Ok(LoopStart {
        checkout: Seen {
            is_git: true,
            // That the work tree is not clean is said by its own check.
            head: Some(Head { clean: true, ..head }),
            humanize_ignored: true,
            humanize_tracked: false,
            base_exists: true,
            base_ambiguous: false,
        },
        other_loops: Vec::new(),
        setup: Setup {
            argv: words.into_iter().map(line).collect::<Result<_, _>>()?,
            exit: 0,
            message: None,
        },
        active: Some(active),
        handshake,
    })
}
