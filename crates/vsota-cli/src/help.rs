//! What would help? The only place that knows how a command of the machine is typed.

use vsota_core::command::CommandKind;
use vsota_core::{Clause, Objection, Phase, Refusal};

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
        BlockHistory => "vsota history block",
        CloseHistory => "vsota history close",
        DeclareSearch => "vsota bench plan FILE",
        FileHelp => "vsota bench help FRAMEWORK",
        FileCandidate => "vsota bench ingest FILE",
        ExcludeFramework => "vsota bench exclude FRAMEWORK --unsupported --reason TEXT",
        FreezeBenchmark => "vsota bench freeze",
        FilePlan => "vsota loop plan",
        EnterLoop => "vsota loop start",
        ReenterLoop => "vsota loop reenter",
        OpenRound => "vsota round open",
        RecordFixup => "vsota patch fixup --finding TEXT",
        FileGapBlock => "vsota gap ingest FILE",
        DecideGap | OpenProfiling => "vsota gap decide",
        NoteRig => "vsota gap rig --changed TEXT",
        BlockCompetitor => "vsota gap block-competitor FRAMEWORK --log FILE",
        ClaimStop => "vsota stop claim REASON",
        FileProfile => "vsota profile file FILE",
        WaiveProfile => "vsota profile waive FRAMEWORK --log FILE",
        NameRootCause => "vsota profile root-cause DRAFT",
        FilePipeline => "vsota layers file FILE",
        OpenKernelAssist => "vsota kernel open",
        FileDigest => "vsota kernel digest DRAFT",
        CloseKernelAssist => "vsota kernel close --reason TEXT",
        BlockNcu => "vsota kernel block",
        NoteAttempt => "vsota attempt note",
        RecordPatch => "vsota patch record",
        AmendPatch => "vsota patch amend",
        FileTests => "vsota revalidate test --junit FILE",
        FileTrialBlock => "vsota revalidate ingest FILE",
        AcceptPatch => "vsota revalidate accept",
        RetryPatch => "vsota revalidate retry --reason TEXT",
        RejectPatch => "vsota revalidate reject --reason TEXT",
        NoteResearch => "vsota research note",
        NoteIdea => "vsota idea note",
        AbandonRound => "vsota round abandon --reason TEXT",
        StopCampaign => "vsota stop confirm",
    }
}

/// What would meet the clause for which the command was refused.
pub fn meets(clause: Clause, command: CommandKind) -> &'static str {
    use Clause::*;
    use CommandKind as C;
    typed(match clause {
        In1 | In2 | In5 | Fb14 => C::RecordInputs,
        In4 => C::ExcludeFramework,
        Rt4 => C::NoteCompanion,
        Hi1 | Hi2 | Hi3 => C::NoteHistory,
        Hi5 => C::BlockHistory,
        Gd1 | Gd2 | Gd6 => C::FileGapBlock,
        Gd3 | Gd5 => C::DecideGap,
        Gd7 => C::NoteRig,
        Gd8 => C::BlockCompetitor,
        Gd4 => C::ClaimStop,
        Pr1 | Pr2 | Pr3 | Pr4 | Pr5 | Pr7 | Pr8 => C::FileProfile,
        Pr6 => C::NameRootCause,
        Lp1 | Lp2 => C::FilePipeline,
        Ka3 => C::FileDigest,
        Ka4 | Rt3 => C::BlockNcu,
        Rv1 => C::FileTrialBlock,
        Le2 => C::NoteIdea,
        Le3 => C::NoteResearch,
        // The command itself, with what it lacks.
        _ => command,
    })
}

/// An objection to a command, with what would help.
pub fn reason(objection: &Objection, command: CommandKind) -> Reason {
    let help = meets(objection.clause, command).to_owned();
    Reason { clause: objection.clause, found: objection.found.to_string(), help }
}

/// The reason for which a command without an edge is refused.
pub fn misplaced(phase: Phase, command: CommandKind) -> Vec<Reason> {
    let found = format!("{command} is not admitted in the phase {phase}");
    vec![Reason { clause: command.clause(), found, help: towards(phase, command) }]
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
