//! What would help? The only place that knows how a command of the machine is typed.

use vsota_core::command::CommandKind;
use vsota_core::phase::{
    BenchObjection, BlockObjection, GapObjection, InputsObjection, LoopObjection, PatchObjection,
    StopObjection, TrialObjection,
};
use vsota_core::verdict::Action;
use vsota_core::{Campaign, Clause, Finding, Objection, Phase, Refusal};

use crate::failure::{Reason, Refused};

/// How a command of the machine is typed; capitals stand for what the user fills in.
pub fn typed(command: CommandKind) -> &'static str {
    use CommandKind::*;
    match command {
        OpenCampaign => "vsota init",
        RecordInputs => "vsota inputs set KEY=VALUE",
        CloseInputs => "vsota inputs close",
        NoteCompanion => "vsota companion note NAME --read PATH",
        NoteHistory => "vsota history note DRAFT",
        BlockHistory => "vsota history block --framework FRAMEWORK --tried PATH --reason TEXT",
        CloseHistory => "vsota history close",
        DeclareSearch => "vsota bench plan FILE",
        FileHelp => "vsota bench help FRAMEWORK",
        FileCandidate => "vsota bench ingest FILE",
        ExcludeFramework => "vsota bench exclude FRAMEWORK --unsupported FILE --reason TEXT",
        FreezeBenchmark => "vsota bench freeze",
        FilePlan => "vsota loop plan",
        EnterLoop => "vsota loop start",
        ReenterLoop => "vsota loop reenter",
        OpenRound => "vsota round open",
        RecordFixup => "vsota patch fixup --finding TEXT",
        FileGapBlock => "vsota gap ingest FILE",
        DecideGap | OpenProfiling => "vsota gap decide",
        NoteRig => "vsota gap rig --changed TEXT",
        BlockCompetitor => "vsota gap block-competitor FRAMEWORK --log FILE --reason TEXT",
        ClaimStop => "vsota stop claim REASON",
        FileProfile => "vsota profile file FILE --capture FILE",
        WaiveProfile => "vsota profile waive FRAMEWORK --log FILE --reason TEXT",
        NameRootCause => "vsota profile root-cause DRAFT",
        FilePipeline => "vsota layers file FILE",
        OpenKernelAssist => "vsota kernel open DRAFT --ncu-skill PATH",
        FileDigest => "vsota kernel digest --baseline A.csv --candidate B.csv --next-edit TEXT",
        CloseKernelAssist => "vsota kernel close --reason TEXT",
        BlockNcu => "vsota kernel block NAME --reason TEXT --next-edit TEXT",
        NoteAttempt => "vsota attempt note DRAFT",
        RecordPatch => "vsota patch record DRAFT",
        AmendPatch => "vsota patch amend DRAFT --reason TEXT",
        FileTests => "vsota revalidate test --commit COMMIT --junit FILE",
        FileTrialBlock => "vsota revalidate ingest FILE",
        AcceptPatch => "vsota revalidate accept",
        RetryPatch => "vsota revalidate retry --reason TEXT",
        RejectPatch => "vsota revalidate reject --reason TEXT",
        NoteResearch => "vsota research note DRAFT",
        NoteIdea => "vsota idea note DRAFT",
        AbandonRound => "vsota round abandon --reason TEXT",
        StopCampaign => "vsota stop confirm",
    }
}

/// How a campaign ends of which no fair comparison can come (ST-3).
pub const STOP_EARLY: &str = "vsota stop external --because TEXT --evidence FILE";

/// What would meet the clause for which the command was refused.
pub fn meets(clause: Clause, command: CommandKind) -> &'static str {
    use Clause::*;
    use CommandKind as C;
    match (clause, command) {
        // The campaign ends early by its cause, not by a confirmation.
        (St3, C::StopCampaign) => return STOP_EARLY,
        // Humanize reviews when the agent stops; what it said is then in the loop's files.
        (Rl8, C::OpenRound) => return "vsota loop status",
        // A weak gain on a noisy rig wants more blocks.
        (Le3, C::AcceptPatch) => return typed(C::FileTrialBlock),
        _ => {}
    }
    typed(match clause {
        In1 | In2 | In5 | Fb14 => C::RecordInputs,
        In4 => C::ExcludeFramework,
        Rt4 => C::NoteCompanion,
        Hi1 | Hi2 | Hi3 => C::NoteHistory,
        Hi5 => C::BlockHistory,
        Fb8 => C::FileHelp,
        Fb2 | Fb3 | Fb4 | Fb5 | Fb6 | Fb9 | Fb10 if command == C::FreezeBenchmark => {
            C::FileCandidate
        }
        Fb12 => C::DeclareSearch,
        Pl1 | Pl2 | Pl3 => C::FilePlan,
        // In the loop a lost or ended loop is followed by a successor.
        Rl7 | Rl8 | Fb11 if !before_the_loop(command) => C::ReenterLoop,
        // A fixup is neither amended nor retried.
        Rl9 if matches!(command, C::AmendPatch | C::RetryPatch) => C::RejectPatch,
        Gd1 | Gd2 | Gd6 => C::FileGapBlock,
        Gd3 | Gd5 => C::DecideGap,
        // Only blocks tell that what was behind is no longer; a word about the rig does not.
        Gd7 if command == C::ClaimStop => C::FileGapBlock,
        Gd7 => C::DecideGap,
        Gd8 => C::BlockCompetitor,
        Gd4 => C::ClaimStop,
        Pr1 | Pr2 | Pr3 | Pr4 | Pr5 | Pr7 | Pr8 => C::FileProfile,
        Pr6 => C::NameRootCause,
        Lp1 | Lp2 => C::FilePipeline,
        Ka3 => C::FileDigest,
        Ka4 | Ka7 | Rt3 => C::BlockNcu,
        // What is not gained or wired is put aside, and another patch follows.
        Ka5 | Ka9 if command == C::AcceptPatch => C::RetryPatch,
        Pa4 if command == C::RecordPatch => C::BlockNcu,
        Pa5 if matches!(command, C::RecordPatch | C::AmendPatch) => C::NoteHistory,
        Rv1 if matches!(command, C::AcceptPatch | C::FileTrialBlock) => C::FileTrialBlock,
        Rv2 if command == C::AcceptPatch => C::FileTests,
        // What is measured changes no more.
        Rv1 if command == C::AmendPatch => C::RetryPatch,
        Le2 | St5 => C::NoteIdea,
        Le3 => C::NoteResearch,
        // The command itself, with what it lacks.
        _ => command,
    })
}

/// What would meet a finding whose clause alone leads astray: one clause asks for several things.
fn of_finding(found: &Finding, command: CommandKind) -> Option<String> {
    use CommandKind as C;
    let kind = match found {
        Finding::Inputs(InputsObjection::Missing { key } | InputsObjection::Unrecorded { key }) => {
            return Some(set(key));
        }
        Finding::Inputs(InputsObjection::ShortContext { .. }) => {
            return Some(set("workload"));
        }
        Finding::Inputs(InputsObjection::NoCheckout {}) => {
            return Some("vsota inputs set vllm_checkout=DIR".to_owned());
        }
        Finding::Inputs(InputsObjection::NoVllm {} | InputsObjection::NoCompetitor {}) => {
            return Some("vsota inputs set frameworks=vllm,sglang".to_owned());
        }
        // Another row would rank, whatever keeps this one from it.
        Finding::Bench(
            BenchObjection::Unranked { .. }
            | BenchObjection::OtherTree { .. }
            | BenchObjection::NoVersion { .. }
            | BenchObjection::TwoVersions { .. },
        ) => C::FileCandidate,
        Finding::Bench(BenchObjection::MockResult { .. })
        | Finding::Block(BlockObjection::MockResult { .. }) => {
            return Some("vsota init --demo".to_owned());
        }
        Finding::Bench(BenchObjection::NotFrozen {}) => C::FreezeBenchmark,
        // What is settled is not asked for again.
        Finding::Bench(
            BenchObjection::Frozen {}
            | BenchObjection::CandidatesFiled {}
            | BenchObjection::VllmStays {}
            | BenchObjection::TooLateForUser { .. }
            | BenchObjection::RanHere { .. }
            | BenchObjection::AlreadyFiled { .. }
            | BenchObjection::SearchTooLate { .. },
        )
        | Finding::Stop(StopObjection::Comparable {}) => return Some("vsota next".to_owned()),
        Finding::Gap(
            GapObjection::NoPatch { action: Action::MoreRuns } | GapObjection::Undecided { .. },
        )
        | Finding::Stop(StopObjection::NotStop {
            action: Action::MoreRuns | Action::Confirm,
            ..
        }) => C::FileGapBlock,
        Finding::Stop(StopObjection::NotStop { .. } | StopObjection::WrongPlace { .. }) => {
            C::DecideGap
        }
        // A claim belongs to a round.
        Finding::Stop(StopObjection::NoClaim {}) if command == C::StopCampaign => C::OpenRound,
        Finding::Loop(LoopObjection::StillActive {}) => {
            return Some("vsota loop status".to_owned());
        }
        Finding::Loop(LoopObjection::DirtyGate {} | LoopObjection::Dirty {}) => {
            return Some("git status".to_owned());
        }
        // Nobody is left to block.
        Finding::Gap(GapObjection::NoRival { .. } | GapObjection::AlreadyBlocked { .. })
        | Finding::Stop(StopObjection::CompetitorBlocked { .. }) => {
            return Some("vsota next".to_owned());
        }
        // The block is filed without it.
        Finding::Block(BlockObjection::RivalBlocked { .. }) => command,
        Finding::Trial(TrialObjection::NoProfile { .. } | TrialObjection::OtherProfiled { .. }) => {
            C::FileProfile
        }
        Finding::Trial(TrialObjection::FocusedTestNotRun { .. }) => C::FileTests,
        // The draft names the kernel.
        Finding::Patch(PatchObjection::KernelUndeclared { .. }) => {
            return Some("vsota patch record --template".to_owned());
        }
        // The draft says why, or the call does.
        Finding::Patch(PatchObjection::ChecksGone { .. }) => {
            return Some(reasoned(command).to_owned());
        }
        // What is not gained is put aside, and another patch follows.
        Finding::Trial(
            TrialObjection::NoGain { .. }
            | TrialObjection::Behind { .. }
            | TrialObjection::SlaNewlyFails { .. },
        ) => C::RetryPatch,
        _ => return None,
    };
    Some(typed(kind).to_owned())
}

/// Where it is said why what is left is as strong as the checks that a diff takes away.
const fn reasoned(command: CommandKind) -> &'static str {
    match command {
        CommandKind::RecordFixup => "vsota patch fixup --finding TEXT --checks-gone-because TEXT",
        CommandKind::AmendPatch => "vsota patch amend --template",
        _ => "vsota patch record --template",
    }
}

/// How the input of that key is set.
fn set(key: &str) -> String {
    match key {
        "config" => "vsota inputs set --config FILE".to_owned(),
        "workload" => "vsota inputs set workload=FILE".to_owned(),
        _ => format!("vsota inputs set {key}=VALUE"),
    }
}

/// Whether the command belongs to the way into the loop, where there is no loop to succeed.
fn before_the_loop(command: CommandKind) -> bool {
    use CommandKind as C;
    matches!(
        command,
        C::OpenCampaign
            | C::RecordInputs
            | C::CloseInputs
            | C::NoteCompanion
            | C::CloseHistory
            | C::DeclareSearch
            | C::FileHelp
            | C::FileCandidate
            | C::ExcludeFramework
            | C::FreezeBenchmark
            | C::EnterLoop
    )
}

/// An objection to a command, with what would help.
pub fn reason(objection: &Objection, command: CommandKind) -> Reason {
    let help = of_finding(&objection.found, command)
        .unwrap_or_else(|| meets(objection.clause, command).to_owned());
    Reason { clause: objection.clause, found: objection.found.to_string(), help }
}

/// The reason for which a command without an edge is refused.
pub fn misplaced(phase: Phase, command: CommandKind) -> Vec<Reason> {
    let over = if phase.is_terminal() { "the campaign is over: " } else { "" };
    let found = format!("{over}{command} is not admitted in the phase {phase}");
    vec![Reason { clause: command.clause(), found, help: towards(phase, command) }]
}

/// What stands in the way of a command whatever it says: the phase, or what the phase has not got yet.
pub fn unready(campaign: &Campaign, command: CommandKind) -> Vec<Reason> {
    match campaign.ready(command) {
        None => misplaced(campaign.phase(), command),
        Some(objections) => objections.iter().map(|it| reason(it, command)).collect(),
    }
}

/// A refusal of the machine, with what would help.
pub fn refused(refusal: &Refusal) -> Refused {
    let reasons = match refusal {
        Refusal::OutOfPhase { phase, command } => misplaced(*phase, *command),
        Refusal::Objected { command, objections, .. } => {
            objections.iter().map(|it| reason(it, *command)).collect()
        }
    };
    Refused { reasons }
}

/// The first step of the shortest way to a phase that admits the command; where no way leads there,
/// what the phase admits.
fn towards(phase: Phase, command: CommandKind) -> String {
    match phase.towards(command) {
        Some(edge) => typed(edge.command).to_owned(),
        None if phase.is_terminal() => "vsota report".to_owned(),
        None => "vsota next".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser as _;

    use vsota_core::facts::{Framework, Stage};
    use vsota_core::text::{Line, Name};

    use super::*;
    use crate::cli::Cli;

    /// A word that a user would put in the place of capitals.
    fn filled(word: &str) -> String {
        match word {
            "FRAMEWORK" => "sglang".to_owned(),
            "NAME" => "host-skill".to_owned(),
            "KEY=VALUE" => "model=some/model".to_owned(),
            "REASON" => "beats".to_owned(),
            "COMMIT" | "ID" => "0".repeat(40),
            "gpu_model=VALUE" => "gpu_model=NVIDIA".to_owned(),
            "workload=FILE" => "workload=x".to_owned(),
            "vllm_checkout=DIR" => "vllm_checkout=x".to_owned(),
            "DRAFT" | "FILE" | "PATH" | "TEXT" | "A.csv" | "B.csv" => "x".to_owned(),
            word => {
                assert!(
                    !word.contains(|c: char| c.is_ascii_uppercase()),
                    "{word} stands for what?"
                );
                word.to_owned()
            }
        }
    }

    /// Findings whose clause alone would lead astray, with the command and what helps.
    fn astray() -> Vec<(Objection, CommandKind, &'static str)> {
        use CommandKind as C;
        let name = || Name::new("chat").unwrap();
        let line = || Line::new("csrc/topk.cu").unwrap();
        let weaker = || PatchObjection::ChecksGone { count: 1, first: String::new() }.into();
        let stage = Stage::Decode;
        let framework = Framework::Sglang;
        let candidate = || Name::new("vllm-1").unwrap();
        let unranked = |clause| BenchObjection::Unranked {
            clause,
            candidate: candidate(),
            scenario: name(),
            reason: String::new(),
        };
        vec![
            (unranked(Clause::Fb7).into(), C::FreezeBenchmark, typed(C::FileCandidate)),
            (unranked(Clause::Fb12).into(), C::FreezeBenchmark, typed(C::FileCandidate)),
            (unranked(Clause::Gd6).into(), C::FreezeBenchmark, typed(C::FileCandidate)),
            (TrialObjection::NoProfile { stage }.into(), C::AcceptPatch, typed(C::FileProfile)),
            (
                TrialObjection::NoGain { clause: Clause::Rv2 }.into(),
                C::AcceptPatch,
                typed(C::RetryPatch),
            ),
            (
                TrialObjection::Behind { scenario: name() }.into(),
                C::AcceptPatch,
                typed(C::RetryPatch),
            ),
            (TrialObjection::NoTests {}.into(), C::AcceptPatch, typed(C::FileTests)),
            (TrialObjection::OtherProfiled { stage }.into(), C::AcceptPatch, typed(C::FileProfile)),
            (
                TrialObjection::FocusedTestNotRun { test: line() }.into(),
                C::AcceptPatch,
                typed(C::FileTests),
            ),
            (
                PatchObjection::KernelUndeclared { path: line() }.into(),
                C::RecordPatch,
                "vsota patch record --template",
            ),
            (weaker(), C::RecordPatch, "vsota patch record --template"),
            (weaker(), C::AmendPatch, "vsota patch amend --template"),
            (
                weaker(),
                C::RecordFixup,
                "vsota patch fixup --finding TEXT --checks-gone-because TEXT",
            ),
            (
                GapObjection::NoPatch { action: Action::MoreRuns }.into(),
                C::OpenProfiling,
                typed(C::FileGapBlock),
            ),
            (
                GapObjection::NoPatch { action: Action::Stop }.into(),
                C::OpenProfiling,
                typed(C::DecideGap),
            ),
            (GapObjection::Undecided { blocks: 4 }.into(), C::ClaimStop, typed(C::FileGapBlock)),
            (GapObjection::NoRival { framework }.into(), C::BlockCompetitor, "vsota next"),
            (BenchObjection::Frozen {}.into(), C::FileCandidate, "vsota next"),
            (BenchObjection::NotFrozen {}.into(), C::FilePlan, typed(C::FreezeBenchmark)),
            (StopObjection::NoClaim {}.into(), C::StopCampaign, typed(C::OpenRound)),
            (LoopObjection::StillActive {}.into(), C::ReenterLoop, "vsota loop status"),
            (
                InputsObjection::ShortContext { max_model_len: 4_096, needed: 9_000 }.into(),
                C::CloseInputs,
                "vsota inputs set workload=FILE",
            ),
            (
                InputsObjection::NoCheckout {}.into(),
                C::CloseInputs,
                "vsota inputs set vllm_checkout=DIR",
            ),
            (GapObjection::AlreadyBlocked { framework }.into(), C::BlockCompetitor, "vsota next"),
            (
                BlockObjection::RivalBlocked { framework }.into(),
                C::FileGapBlock,
                typed(C::FileGapBlock),
            ),
            (
                InputsObjection::NoCompetitor {}.into(),
                C::CloseInputs,
                "vsota inputs set frameworks=vllm,sglang",
            ),
            (
                InputsObjection::NoVllm {}.into(),
                C::CloseInputs,
                "vsota inputs set frameworks=vllm,sglang",
            ),
            (
                InputsObjection::Missing { key: "gpu_model" }.into(),
                C::CloseInputs,
                "vsota inputs set gpu_model=VALUE",
            ),
            (
                InputsObjection::Unrecorded { key: "workload" }.into(),
                C::CloseInputs,
                "vsota inputs set workload=FILE",
            ),
            (
                InputsObjection::Missing { key: "config" }.into(),
                C::CloseInputs,
                "vsota inputs set --config FILE",
            ),
        ]
    }

    #[test]
    fn the_finding_chooses_the_help_where_its_clause_leads_astray() {
        for (objection, command, help) in astray() {
            assert_eq!(reason(&objection, command).help, help, "{objection}");
        }
    }

    #[test]
    fn no_way_leads_through_giving_up() {
        use CommandKind as C;
        for (phase, command, help) in [
            (Phase::GapDecision, C::OpenRound, typed(C::OpenProfiling)),
            (Phase::Profiling, C::FileGapBlock, typed(C::NameRootCause)),
            (Phase::Revalidate, C::FileDigest, typed(C::AcceptPatch)),
        ] {
            assert_eq!(misplaced(phase, command)[0].help, help);
        }
    }

    #[test]
    fn an_ended_campaign_says_so() {
        let reasons = misplaced(Phase::Stopped, CommandKind::OpenRound);
        assert!(reasons[0].found.starts_with("the campaign is over"), "{reasons:?}");
        assert_eq!(reasons[0].help, "vsota report");
    }

    #[test]
    fn every_help_can_be_typed() {
        let mut helps: BTreeSet<&str> = BTreeSet::from(["vsota report", "vsota next"]);
        for command in CommandKind::ALL.iter().copied() {
            helps.insert(typed(command));
            helps.extend(Clause::ALL.iter().map(|clause| meets(*clause, command)));
        }
        helps.extend(astray().iter().map(|it| it.2));
        assert!(helps.len() > CommandKind::ALL.len() - 2);
        for help in helps {
            let args = help.split(' ').map(filled);
            if let Err(error) = Cli::try_parse_from(args) {
                panic!("`{help}` cannot be typed: {error}");
            }
        }
    }

    #[test]
    fn what_is_missing_in_the_round_is_offered_before_the_command_itself() {
        for (clause, command, help) in [
            (Clause::Pr1, CommandKind::NameRootCause, "vsota profile file FILE --capture FILE"),
            (Clause::Lp1, CommandKind::RecordPatch, "vsota layers file FILE"),
            (Clause::Le3, CommandKind::RecordPatch, "vsota research note DRAFT"),
            (Clause::St5, CommandKind::ClaimStop, "vsota idea note DRAFT"),
            (Clause::Rv1, CommandKind::AcceptPatch, "vsota revalidate ingest FILE"),
            (Clause::Gd7, CommandKind::ClaimStop, "vsota gap ingest FILE"),
            (Clause::Gd7, CommandKind::NoteRig, "vsota gap decide"),
            (Clause::Rl8, CommandKind::RecordPatch, "vsota loop reenter"),
            (Clause::Rl7, CommandKind::EnterLoop, "vsota loop start"),
            (Clause::Pa2, CommandKind::RecordPatch, typed(CommandKind::RecordPatch)),
        ] {
            assert_eq!(meets(clause, command), help);
        }
    }
}
