//! The machine: every edge of the campaign, on one screen.
//!
//! A row reads: *from these phases, this command, if granted, becomes this event and leads to that
//! phase.* The compiler checks the guard, the event and the destination of each row. Everything
//! that is not a row is refused.

use serde::Serialize;
use thiserror::Error;

use crate::ask::Ask;
use crate::ask::command::{self, Command, CommandKind};
use crate::ask::event::{self, Event, EventKind};
use crate::objection::{Objections, Refusal};
use crate::phase::*;

machine! {
    Inputs                                : RecordInputs      => InputsRecorded     => same;
    Inputs                                : CloseInputs       => InputsClosed       => HistoryGate;
    Inputs HistoryGate FixedBenchmark     : NoteCompanion     => CompanionNoted     => same;
    HistoryGate                           : CloseHistory      => HistoryClosed      => FixedBenchmark;
    FixedBenchmark                        : DeclareSearch     => SearchDeclared     => same;
    FixedBenchmark                        : FileHelp          => HelpFiled          => same;
    FixedBenchmark                        : FileCandidate     => CandidateFiled     => same;
    FixedBenchmark                        : ExcludeFramework  => FrameworkExcluded  => same;
    FixedBenchmark                        : FreezeBenchmark   => BenchmarkFrozen    => same;
    FixedBenchmark RlcrActive             : FilePlan          => PlanFiled          => same;
    FixedBenchmark                        : EnterLoop         => LoopEntered        => RlcrActive;
    FixedBenchmark RlcrActive             : StopCampaign      => CampaignStopped    => Stopped;
    RlcrActive                            : OpenRound         => RoundOpened        => GapDecision;
    RlcrActive                            : RecordFixup       => FixupRecorded      => Revalidate;
    GapDecision                           : FileGapBlock      => GapBlockFiled      => same;
    GapDecision                           : DecideGap         => GapDecided         => same;
    GapDecision                           : NoteRig           => RigNoted           => same;
    GapDecision                           : BlockCompetitor   => CompetitorBlocked  => same;
    GapDecision                           : OpenProfiling     => ProfilingOpened    => Profiling;
    GapDecision LayerPipeline             : ClaimStop         => StopClaimed        => RlcrActive;
    Profiling Revalidate                  : FileProfile       => ProfileFiled       => same;
    Profiling                             : WaiveProfile      => ProfileWaived      => same;
    Profiling                             : NameRootCause     => RootCauseNamed     => LayerPipeline;
    LayerPipeline                         : FilePipeline      => PipelineFiled      => same;
    LayerPipeline                         : OpenKernelAssist  => KernelAssistOpened => KernelAssist;
    LayerPipeline KernelAssist            : RecordPatch       => PatchRecorded      => Revalidate;
    LayerPipeline KernelAssist            : NoteAttempt       => AttemptNoted       => same;
    LayerPipeline KernelAssist            : BlockNcu          => NcuBlocked         => same;
    KernelAssist                          : FileDigest        => DigestFiled        => same;
    KernelAssist                          : CloseKernelAssist => KernelAssistClosed => LayerPipeline;
    Revalidate                            : AmendPatch        => PatchAmended       => same;
    Revalidate                            : FileTests         => TestsFiled         => same;
    Revalidate                            : FileTrialBlock    => TrialBlockFiled    => same;
    Revalidate                            : AcceptPatch       => PatchAccepted      => RlcrActive;
    Revalidate                            : RetryPatch        => PatchRetried       => LayerPipeline;
    Revalidate                            : RejectPatch       => PatchRejected      => RlcrActive;
    GapDecision Profiling LayerPipeline KernelAssist : AbandonRound => RoundAbandoned => RlcrActive;
    HistoryGate RlcrActive GapDecision Profiling LayerPipeline KernelAssist Revalidate : NoteHistory  => HistoryNoted   => same;
    HistoryGate RlcrActive GapDecision Profiling LayerPipeline KernelAssist Revalidate : BlockHistory => HistoryBlocked => same;
    RlcrActive GapDecision Profiling LayerPipeline KernelAssist Revalidate : NoteResearch => ResearchNoted => same;
    RlcrActive GapDecision Profiling LayerPipeline KernelAssist Revalidate : NoteIdea     => IdeaNoted     => same;
    RlcrActive GapDecision Profiling LayerPipeline KernelAssist Revalidate : ReenterLoop  => LoopReentered => same;
}

sum! {
    /// Where a campaign is, with all that it knows there.
    ///
    /// Exhaustive on purpose: a new phase is a new major version.
    #[derive(Clone, Debug, Eq, PartialEq)]
    pub enum State;
    /// Where a campaign is.
    pub enum Phase;
    /// What is asked for, of which model, on which machine?
    Inputs = "inputs",
    /// What did others learn about this model family?
    HistoryGate = "history-gate",
    /// What is the best that each framework does under the fixed workload?
    FixedBenchmark = "fixed-benchmark",
    /// The loop runs; no round is open.
    RlcrActive = "rlcr-active",
    /// Is vLLM behind, and is that certain?
    GapDecision = "gap-decision",
    /// What explains the gap?
    Profiling = "profiling",
    /// Which layer, which kernel, which source?
    LayerPipeline = "layer-pipeline",
    /// What does the kernel itself say?
    KernelAssist = "kernel-assist",
    /// Is the patch right, and is it faster?
    Revalidate = "revalidate",
    /// The campaign is over.
    Stopped = "stopped",
}

/// A guard: what must hold before the command `C` may happen in this phase.
///
/// It reads what the phase knows and changes nothing. A granted command is never asked again when
/// a journal is folded: thresholds may change, facts may not.
#[diagnostic::on_unimplemented(
    message = "the phase `{Self}` does not admit the command `{C}`",
    note = "the edges that exist are the rows of `vsota_core::machine`"
)]
pub trait Decide<C: Ask> {
    /// What stands in the way whatever the command says.
    fn ready(&self) -> Objections {
        Objections::default()
    }

    /// What the machine finds, or what in the command's own words stands in the way.
    ///
    /// # Errors
    ///
    /// Every objection to what the command says.
    fn decide(&self, said: &C::Said) -> Result<C::Found, Objections>;
}

/// A consequence: what this phase becomes once the event `E` is a fact.
///
/// Total and free of judgement: no condition in it can fail, so that a journal written under
/// yesterday's guards still folds today.
#[diagnostic::on_unimplemented(message = "the event `{E}` cannot happen in the phase `{Self}`")]
pub trait Evolve<E> {
    /// The phase that the event leads to.
    type Next;

    /// Becomes the next phase.
    fn evolve(self, event: E) -> Self::Next;
}

/// One edge, as data.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Transition {
    /// The phase that the edge leaves.
    pub from: Phase,
    /// The command that asks for it.
    pub command: CommandKind,
    /// The event that records it.
    pub event: EventKind,
    /// The phase that it leads to.
    pub to: Phase,
}

/// A recorded event that has no edge from the phase in which it was found.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the event {event} cannot happen in the phase {phase}")]
pub struct Misplaced {
    /// The phase that the journal had led to.
    pub phase: Phase,
    /// The event that does not belong there.
    pub event: EventKind,
}

impl Phase {
    /// The commands that have an edge from here, in table order.
    pub fn admits(self) -> impl Iterator<Item = CommandKind> {
        TRANSITIONS.iter().filter(move |it| it.from == self).map(|it| it.command)
    }

    /// Whether no edge leaves this phase.
    pub fn is_terminal(self) -> bool {
        self.admits().next().is_none()
    }

    /// The first edge of a shortest path from here to a phase that admits the command. A way that gives up
    /// what was begun is none: nobody abandons a round in order to file a block.
    pub fn towards(self, command: CommandKind) -> Option<Transition> {
        use CommandKind::{AbandonRound, ClaimStop, RecordFixup, RejectPatch, RetryPatch};
        let gives_up = [AbandonRound, ClaimStop, RecordFixup, RejectPatch, RetryPatch];
        let mut reached = alloc::vec![(self, None)];
        let mut next = 0;
        while let Some(&(phase, first)) = reached.get(next) {
            if phase.admits().any(|it| it == command) {
                return first;
            }
            let onwards = |it: &&Transition| it.from == phase && !gives_up.contains(&it.command);
            for edge in TRANSITIONS.iter().filter(onwards) {
                if reached.iter().all(|(known, _)| *known != edge.to) {
                    reached.push((edge.to, first.or(Some(*edge))));
                }
            }
            next += 1;
        }
        None
    }
}

impl State {
    /// The inputs as recorded.
    pub fn brief(&self) -> &crate::brief::Brief {
        use crate::phase::InLoop as _;
        match self {
            Self::Inputs(it) => &it.base().brief,
            Self::HistoryGate(it) => &it.base().brief,
            Self::FixedBenchmark(it) => &it.base().brief,
            Self::RlcrActive(it) => &it.case().base.brief,
            Self::GapDecision(it) => &it.case().base.brief,
            Self::Profiling(it) => &it.case().base.brief,
            Self::LayerPipeline(it) => &it.case().base.brief,
            Self::KernelAssist(it) => &it.case().base.brief,
            Self::Revalidate(it) => &it.case().base.brief,
            Self::Stopped(it) => &it.base().brief,
        }
    }

    /// The phase of this state.
    pub fn phase(&self) -> Phase {
        self.kind()
    }
}

/// The asked-for next step, judged.
fn judge<P: Decide<C>, C: Ask>(phase: &P, command: C) -> Result<C::Event, Objections> {
    let ready = phase.ready();
    match phase.decide(command.said()) {
        Ok(found) => ready.or_grant(found).map(|found| command.event(found)),
        Err(more) => {
            let mut all = ready;
            all.join(more);
            Err(all)
        }
    }
}

/// Turns the table into `TRANSITIONS`, `State::decide`, `State::ready` and `State::evolve`.
macro_rules! machine {
    ($( $($from:ident)+ : $command:ident => $event:ident => $to:ident ; )+) => {
        /// The edges, as data: for diagrams, for help texts, and for the tests that bind them.
        pub const TRANSITIONS: &[Transition] = &[ $( $( Transition {
            from: Phase::$from,
            command: CommandKind::$command,
            event: EventKind::$event,
            to: machine!(@phase $from $to),
        }, )+ )+ ];

        impl State {
            pub(crate) fn decide(&self, command: Command) -> Result<Event, Refusal> {
                let phase = self.phase();
                let kind = command.kind();
                match (self, command) {
                    $( $( (Self::$from(state), Command::$command(command)) =>
                        judge::<_, command::$command>(state, command)
                            .map(Event::from)
                            .map_err(|objections| Refusal::Objected { phase, command: kind, objections }),
                    )+ )+
                    _ => Err(Refusal::OutOfPhase { phase, command: kind }),
                }
            }

            /// What stands in the way of a command whatever it says; `None` without an edge.
            pub fn ready(&self, command: CommandKind) -> Option<Objections> {
                match (self, command) {
                    $( $( (Self::$from(state), CommandKind::$command) =>
                        Some(Decide::<command::$command>::ready(state)),
                    )+ )+
                    _ => None,
                }
            }

            pub(crate) fn evolve(self, event: Event) -> Result<Self, Misplaced> {
                match (self, event) {
                    $( $( (Self::$from(state), Event::$event(event)) => {
                        let next: machine!(@type $from $to) =
                            Evolve::<event::$event>::evolve(state, event);
                        Ok(next.into())
                    } )+ )+
                    (state, event) => Err(Misplaced { phase: state.phase(), event: event.kind() }),
                }
            }
        }
    };
    (@phase $from:ident same) => { Phase::$from };
    (@phase $from:ident $to:ident) => { Phase::$to };
    (@type $from:ident same) => { $from };
    (@type $from:ident $to:ident) => { $to };
}
use machine;
