//! Every command with the event that it becomes: one line each.
//!
//! A command is a fact and nothing else. Its event keeps that fact whole, and beside it what the
//! machine found by itself when it granted the command: a session, a verdict, the winners, a gain.

use serde::{Deserialize, Serialize};

use crate::clause::Clause;
use crate::facts::*;
use crate::text::Line;

/// A command: what it says, what the machine adds, and the event that keeps both.
pub trait Ask {
    /// The fact that the command carries.
    type Said;
    /// What the machine finds when it grants the command.
    type Found;
    /// The event that the granted command becomes.
    type Event;

    /// The fact that the command carries.
    fn said(&self) -> &Self::Said;

    /// The event that keeps what was said and found.
    fn event(self, found: Self::Found) -> Self::Event;
}

/// What opens a campaign.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The version of the format that the journal is written in.
    pub format: Format,
    /// The program that opened it.
    pub version: Line,
    /// Whether it is a demonstration; such a campaign proves nothing about a machine.
    pub demo: bool,
}

/// The version of the journal format.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Format(pub u32);

impl Format {
    /// The format that this version writes.
    pub const CURRENT: Self = Self(1);
}

asks! {
    /// Opens a campaign.
    OpenCampaign(Opening) = "open-campaign", In3 => CampaignOpened = "campaign-opened";
    /// Records inputs with their sources.
    RecordInputs(InputsGiven) = "record-inputs", Fb14 => InputsRecorded = "inputs-recorded";
    /// Closes the inputs.
    CloseInputs(Nothing) = "close-inputs", In2 => InputsClosed = "inputs-closed";
    /// Notes a companion as read or blocked.
    NoteCompanion(Companion) = "note-companion", Rt4 => CompanionNoted = "companion-noted";
    /// Notes what a framework's PR history says.
    NoteHistory(HistoryNote) = "note-history", Hi1 => HistoryNoted = "history-noted";
    /// Records why a history could not be read.
    BlockHistory(HistoryBlock) = "block-history", Hi5 => HistoryBlocked = "history-blocked";
    /// Leaves the history gate.
    CloseHistory(Nothing) = "close-history", Hi1 => HistoryClosed = "history-closed";
    /// Declares the bounded search.
    DeclareSearch(SearchPlan) = "declare-search", Fb1 => SearchDeclared = "search-declared";
    /// Files a framework's help output.
    FileHelp(HelpOutput) = "file-help", Fb1 => HelpFiled = "help-filed";
    /// Files one run of a candidate.
    FileCandidate(Candidate) = "file-candidate", Fb1 => CandidateFiled = "candidate-filed";
    /// Takes a framework out of the comparison.
    ExcludeFramework(Exclusion) = "exclude-framework", In4 => FrameworkExcluded = "framework-excluded";
    /// Freezes the benchmark, once.
    FreezeBenchmark(FreezeAsked) = "freeze-benchmark", Fb1 => BenchmarkFrozen + Winners = "benchmark-frozen";
    /// Files the refined plan.
    FilePlan(Plan) = "file-plan", Pl1 => PlanFiled = "plan-filed";
    /// Enters the RLCR loop.
    EnterLoop(LoopStart) = "enter-loop", Rl7 => LoopEntered = "loop-entered";
    /// Enters a successor loop.
    ReenterLoop(LoopReentry) = "reenter-loop", Rl7 => LoopReentered = "loop-reentered";
    /// Opens a round.
    OpenRound(RoundStart) = "open-round", Gd5 => RoundOpened + u32 = "round-opened";
    /// Records a commit that Humanize's review demands.
    RecordFixup(Fixup) = "record-fixup", Rl9 => FixupRecorded = "fixup-recorded";
    /// Files a block of vLLM and its competitors.
    FileGapBlock(Block) = "file-gap-block", Gd1 => GapBlockFiled + BlockFound = "gap-block-filed";
    /// Decides the gap, when no patch follows from it.
    DecideGap(DecisionAsked) = "decide-gap", Gd5 => GapDecided + GapVerdict = "gap-decided";
    /// Notes a change of the rig.
    NoteRig(RigChange) = "note-rig", Gd7 => RigNoted + Left = "rig-noted";
    /// Blocks a competitor that can no longer run.
    BlockCompetitor(CompetitorBlock) = "block-competitor", Gd8 => CompetitorBlocked = "competitor-blocked";
    /// Opens profiling on a patch verdict.
    OpenProfiling(DecisionAsked) = "open-profiling", Gd3 => ProfilingOpened + GapVerdict = "profiling-opened";
    /// Claims that the campaign is done.
    ClaimStop(StopClaim) = "claim-stop", Gd4 => StopClaimed = "stop-claimed";
    /// Files a profile of one framework and stage.
    FileProfile(Profile) = "file-profile", Pr8 => ProfileFiled = "profile-filed";
    /// Waives the profile of a competitor that cannot be captured.
    WaiveProfile(ProfileWaiver) = "waive-profile", Pr8 => ProfileWaived = "profile-waived";
    /// Names the root cause of the gap.
    NameRootCause(RootCause) = "name-root-cause", Pr6 => RootCauseNamed = "root-cause-named";
    /// Files the layer pipeline.
    FilePipeline(Pipeline) = "file-pipeline", Lp1 => PipelineFiled = "pipeline-filed";
    /// Opens the kernel evidence assist.
    OpenKernelAssist(KernelTarget) = "open-kernel-assist", Ka1 => KernelAssistOpened = "kernel-assist-opened";
    /// Files an NCU digest.
    FileDigest(NcuDigest) = "file-digest", Ka3 => DigestFiled = "digest-filed";
    /// Leaves kernel assist without a patch.
    CloseKernelAssist(Because) = "close-kernel-assist", Ka1 => KernelAssistClosed = "kernel-assist-closed";
    /// Records why NCU evidence is missing.
    BlockNcu(NcuBlock) = "block-ncu", Ka4 => NcuBlocked = "ncu-blocked";
    /// Notes a try that never became a patch.
    NoteAttempt(Attempt) = "note-attempt", Le1 => AttemptNoted = "attempt-noted";
    /// Records a patch.
    RecordPatch(Patch) = "record-patch", Fb11 => PatchRecorded = "patch-recorded";
    /// Amends the recorded patch before it is measured.
    AmendPatch(Amendment) = "amend-patch", Rv1 => PatchAmended = "patch-amended";
    /// Files the tests of the patched commit.
    FileTests(TestRun) = "file-tests", Rv2 => TestsFiled = "tests-filed";
    /// Files a block of the new build against the accepted one.
    FileTrialBlock(Block) = "file-trial-block", Rv1 => TrialBlockFiled + BlockFound = "trial-block-filed";
    /// Accepts the patch.
    AcceptPatch(Acceptance) = "accept-patch", Rv2 => PatchAccepted + Accepted = "patch-accepted";
    /// Goes back to try another patch on the same evidence.
    RetryPatch(Rejection) = "retry-patch", Rv3 => PatchRetried = "patch-retried";
    /// Rejects the patch.
    RejectPatch(Rejection) = "reject-patch", Rv2 => PatchRejected = "patch-rejected";
    /// Notes code-first research.
    NoteResearch(Research) = "note-research", Le3 => ResearchNoted = "research-noted";
    /// Notes a source idea and what became of it.
    NoteIdea(Idea) = "note-idea", Le2 => IdeaNoted = "idea-noted";
    /// Abandons the round.
    AbandonRound(Abandonment) = "abandon-round", Gd5 => RoundAbandoned + Left = "round-abandoned";
    /// Ends the campaign.
    StopCampaign(StopOrder) = "stop-campaign", Gd4 => CampaignStopped = "campaign-stopped";
}
