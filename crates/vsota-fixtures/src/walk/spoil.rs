//! Facts that do not hold: a command, with one thing in it turned wrong.

use vsota_core::Artifact;
use vsota_core::command::{self, Command};
use vsota_core::facts::*;

use super::Die;
use crate::model::{artifact, digest, git, kernel_row, line, name};

/// Turns one thing in a command wrong, where its kind has something to turn.
pub(super) fn spoil(command: &mut Command, die: &mut Die) {
    if let Some(stand) = stand(command)
        && die.one_in(2)
    {
        return leave(stand, die);
    }
    match command {
        Command::RecordInputs(command::RecordInputs(it)) => {
            it.inputs.truncate(usize::try_from(die.roll(4)).unwrap());
        }
        Command::NoteHistory(command::NoteHistory(it)) => {
            it.outcome = HistoryOutcome::Found { slug: name("demo-moe"), items: Vec::new() };
        }
        Command::BlockHistory(command::BlockHistory(it)) => it.tried.clear(),
        Command::FileCandidate(command::FileCandidate(it)) => candidate(it, die),
        Command::FreezeBenchmark(command::FreezeBenchmark(it)) => it.tree = git("elsewhere"),
        Command::FilePlan(command::FilePlan(it)) => it.placeholders = 1,
        Command::EnterLoop(command::EnterLoop(it)) => loop_start(it, die),
        Command::ReenterLoop(command::ReenterLoop(it)) => match die.roll(2) {
            0 => it.old_state = LoopEnd::Active,
            _ => loop_start(&mut it.start, die),
        },
        Command::FileGapBlock(command::FileGapBlock(it))
        | Command::FileTrialBlock(command::FileTrialBlock(it)) => block(it, die),
        Command::FileProfile(command::FileProfile(it)) => profile(it, die),
        Command::NameRootCause(command::NameRootCause(it)) => it.rows.clear(),
        Command::FilePipeline(command::FilePipeline(it)) => it.trace = digest("another trace"),
        Command::OpenKernelAssist(command::OpenKernelAssist(it)) => it.harness = None,
        Command::FileDigest(command::FileDigest(it)) => it.next_edits.clear(),
        Command::RecordPatch(command::RecordPatch(it)) => patch(it, die),
        Command::AmendPatch(command::AmendPatch(it)) => patch(&mut it.patch, die),
        Command::FileTests(command::FileTests(it)) => match die.roll(2) {
            0 => it.commit = git("another commit"),
            _ => it.failed.push(line("tests/test_ties.py::test_ties")),
        },
        Command::NoteIdea(command::NoteIdea(it)) => match die.roll(3) {
            0 => it.reason = None,
            1 => it.fate = IdeaFate::External,
            _ => it.rows = vec![kernel_row(Stage::Decode, 99)],
        },
        Command::NoteResearch(command::NoteResearch(it)) => {
            it.sources = vec![ResearchSource::Article(line("a blog"))];
        }
        Command::ClaimStop(command::ClaimStop(it)) => it.evidence.clear(),
        Command::RejectPatch(command::RejectPatch(it))
        | Command::RetryPatch(command::RetryPatch(it)) => it.head.clean = false,
        _ => {}
    }
}

/// Where a command says that checkout and loop stand.
fn stand(command: &mut Command) -> Option<&mut Standpoint> {
    Some(match command {
        Command::OpenRound(it) => &mut it.0.stand,
        Command::RecordFixup(it) => &mut it.0.stand,
        Command::DecideGap(it) => &mut it.0.stand,
        Command::OpenProfiling(it) => &mut it.0.stand,
        Command::ClaimStop(it) => &mut it.0.stand,
        Command::NameRootCause(it) => &mut it.0.stand,
        Command::FilePipeline(it) => &mut it.0.stand,
        Command::OpenKernelAssist(it) => &mut it.0.stand,
        Command::RecordPatch(it) => &mut it.0.stand,
        Command::AcceptPatch(it) => &mut it.0.stand,
        Command::AbandonRound(it) => &mut it.0.stand,
        Command::StopCampaign(command::StopCampaign(StopOrder::Confirm { stand })) => stand,
        _ => return None,
    })
}

fn leave(stand: &mut Standpoint, die: &mut Die) {
    match die.roll(4) {
        0 => stand.loop_state = *die.pick(LoopEnd::ALL),
        1 => stand.loop_dir = name("another-loop"),
        2 => stand.head.tree = git("a build that nobody measured"),
        _ => stand.head.clean = false,
    }
}

fn candidate(it: &mut Candidate, die: &mut Die) {
    match die.roll(8) {
        0 => it.scenario = name("another-scenario"),
        1 => it.status = Status::Oom,
        2 => it.smoke = true,
        3 => it.backend = Some(name("tensorrt")),
        4 => it.measured = None,
        5 => it.server_command.push(&line("--another-flag")),
        6 => {
            it.identity.remove(&Dimension::Precision);
        }
        _ => it.tree = Some(git("elsewhere")),
    }
}

fn loop_start(it: &mut LoopStart, die: &mut Die) {
    match die.roll(4) {
        0 => it.other_loops.push(line(".humanize/rlcr/other")),
        1 => it.setup.exit = 1,
        2 => it.active = None,
        _ => it.checkout.humanize_ignored = false,
    }
}

fn block(it: &mut Block, die: &mut Die) {
    let Some(last) = it.runs.last_mut() else { return };
    match die.roll(7) {
        0 => last.log = None,
        1 => last.log = Some(Artifact { sha256: digest("launch 1"), ..artifact("server.log") }),
        2 => last.smoke = true,
        3 => last.status = Status::Failed,
        4 => last.server_command.push(&line("--another-flag")),
        5 => {
            if let Some(measured) = &mut last.measured {
                measured.ended_at = i64::MAX;
            }
        }
        _ => it.scenario = name("another-scenario"),
    }
}

fn profile(it: &mut Profile, die: &mut Die) {
    match die.roll(6) {
        0 => it.round = it.round.wrapping_add(1),
        1 => it.tree = Some(git("elsewhere")),
        2 => it.tables.clear(),
        3 => it.rows.clear(),
        4 => it.input_len = 7,
        _ => it.server_command.push(&line("--another-flag")),
    }
}

fn patch(it: &mut Patch, die: &mut Die) {
    match die.roll(6) {
        0 => it.files.retain(|file| file.kind != FileKind::Code),
        1 => it.base_tree = git("elsewhere"),
        2 => it.profiler_row = kernel_row(Stage::Decode, 99),
        3 => it.weakens_correctness = true,
        4 => it.layer_row = name("layer-99"),
        _ => it.diff = artifact("patches/another.patch"),
    }
}
