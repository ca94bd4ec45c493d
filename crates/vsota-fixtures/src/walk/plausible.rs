//! What somebody would ask next in each phase, mostly rightly.

use vsota_core::State;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_core::phase::{Bench, FixedBenchmark, GapDecision, LayerPipeline, Revalidate};
use vsota_core::verdict::Action;

use super::{Die, Walker};
use crate::model::*;

/// The levels that vLLM may have in a round: behind, level with the leaders, between, ahead.
const LEVELS: [f64; 8] = [0.9, 0.95, 1.0, 1.0, 1.045, 1.06, 1.08, 1.1];
/// The gains that a patch may have: a loss, none, less than 1 %, more.
const GAINS: [f64; 7] = [0.95, 1.0, 1.006, 1.02, 1.05, 1.05, 1.08];

/// A command for the phase that the walker is in.
pub(super) fn command(walker: &mut Walker, die: &mut Die) -> Command {
    match walker.run.campaign.state().clone() {
        State::Inputs(_) => inputs(die),
        State::HistoryGate(_) => history_gate(walker, die),
        State::FixedBenchmark(state) => match state.inside() {
            Bench::Searching(_) => searching(walker, &state, die),
            Bench::Frozen { plan, .. } => frozen(plan.is_some(), die),
        },
        State::RlcrActive(_) => between_rounds(walker, die),
        State::GapDecision(state) => gap(walker, &state, die),
        State::Profiling(_) => profiling(walker, die),
        State::LayerPipeline(state) => layers(walker, &state, die),
        State::KernelAssist(_) => kernel(walker, die),
        State::Revalidate(state) => revalidate(walker, &state, die),
        State::Stopped(_) => (*die.pick(&samples().values().collect::<Vec<_>>())).clone(),
    }
}

fn inputs(die: &mut Die) -> Command {
    match die.weigh(&[(5, 0), (2, 1), (4, 2), (1, 3)]) {
        0 => RecordInputs(crate::model::inputs()).into(),
        1 => NoteCompanion(companion(*die.pick(CompanionName::ALL))).into(),
        2 => CloseInputs(Nothing {}).into(),
        _ => {
            let extra = [
                Input::Frameworks([Framework::Vllm, Framework::Sglang].into()),
                Input::Frameworks([Framework::Vllm].into()),
                Input::Tokenizer(line("demo/another-tokenizer")),
                Input::MaxModelLen(1_000.try_into().unwrap()),
                Input::SlaLimit {
                    metric: LatencyMetric { stat: Stat::P99, kind: LatencyKind::E2e },
                    limit: measured(10_000.0),
                },
            ];
            RecordInputs(InputsGiven { inputs: vec![sourced(die.pick(&extra).clone())] }).into()
        }
    }
}

fn note_history(walker: &Walker, die: &mut Die) -> Command {
    let framework = *die.pick(Framework::ALL);
    if die.one_in(3) {
        let (tried, reason) = (lines(&["/knowledge"]), line("not installed"));
        return BlockHistory(HistoryBlock { framework, tried, reason }).into();
    }
    let mut note = history(framework);
    note.outcome = match die.roll(3) {
        0 => HistoryOutcome::NoneForFamily {
            slugs_tried: vec![name("demo-moe")],
            nearest_rejected: None,
        },
        _ => {
            let items = vec![history_item(&format!("item-{}", walker.run.events.len()))];
            HistoryOutcome::Found { slug: name("demo-moe"), items }
        }
    };
    NoteHistory(note).into()
}

fn history_gate(walker: &Walker, die: &mut Die) -> Command {
    match die.weigh(&[(6, 0), (2, 1), (4, 2)]) {
        0 => note_history(walker, die),
        1 => NoteCompanion(companion(*die.pick(CompanionName::ALL))).into(),
        _ => CloseHistory(Nothing {}).into(),
    }
}

fn searching(walker: &mut Walker, state: &FixedBenchmark, die: &mut Die) -> Command {
    match die.weigh(&[(30, 0), (2, 1), (2, 2), (2, 3), (1, 4), (1, 5)]) {
        0 => next_row(walker, state, die),
        1 => FreezeBenchmark(freeze()).into(),
        2 => DeclareSearch(tiny_search(Framework::ALL)).into(),
        3 => {
            let framework = *die.pick(Framework::ALL);
            let mut it = candidate(&mut walker.run, framework, 9, SCENARIOS[0].0, 1.0);
            (it.status, it.failure_reason) = (Status::Oom, Some(line("out of memory")));
            it.measured = None;
            FileCandidate(it).into()
        }
        4 => ExcludeFramework(Exclusion {
            framework: *die.pick(Framework::ALL),
            cause: match die.roll(2) {
                0 => ExclusionCause::ByUser,
                _ => ExclusionCause::Unsupported { evidence: artifact("help/none.txt") },
            },
            reason: line("left out"),
        })
        .into(),
        _ => StopCampaign(StopOrder::External {
            because: line("the weights cannot be loaded fairly"),
            evidence: vec![artifact("benchmark/logs/weights.log")],
            shown: None,
        })
        .into(),
    }
}

/// The companion, help or row that is still missing; the freeze when nothing is.
fn next_row(walker: &mut Walker, state: &FixedBenchmark, die: &mut Die) -> Command {
    let Bench::Searching(search) = state.inside() else { return FilePlan(plan()).into() };
    let missing = |it: &&CompanionName| !state.base().companions.contains_key(*it);
    if let Some(it) = CompanionName::ALL.iter().find(missing) {
        return NoteCompanion(companion(*it)).into();
    }
    let compared: Vec<_> = state.compared().into_iter().collect();
    if let Some(framework) = compared.iter().copied().find(|it| !search.helped.contains(it)) {
        let output = artifact(&format!("help/{framework}.txt"));
        return FileHelp(HelpOutput { framework, output }).into();
    }
    for framework in compared.iter().copied() {
        let whole = search.spaces.get(&framework).is_some_and(|it| it.whole);
        for variant in if whole { WINNER..=WINNER } else { 1..=WINNER } {
            for (of, base) in SCENARIOS {
                let id = name(&format!("{framework}-{variant}"));
                let filed = |it: &Candidate| it.id == id && it.scenario.as_str() == of;
                if !search.candidates.iter().any(filed) {
                    let level = *die.pick(&[0.9, 0.97, 1.0, 1.03, 1.1]);
                    let it = candidate(&mut walker.run, framework, variant, of, base * level);
                    return FileCandidate(it).into();
                }
            }
        }
    }
    FreezeBenchmark(freeze()).into()
}

fn frozen(planned: bool, die: &mut Die) -> Command {
    match (planned, die.roll(6)) {
        (true, 0..=3) => EnterLoop(loop_start()).into(),
        (false, 0..=3) => FilePlan(plan()).into(),
        (_, 4) => FreezeBenchmark(freeze()).into(),
        _ => FilePlan(plan()).into(),
    }
}

/// What may fall due in every phase of the loop.
fn aside(walker: &Walker, die: &mut Die) -> Command {
    let serial = walker.run.events.len();
    match die.weigh(&[(3, 0), (3, 1), (2, 2), (1, 3)]) {
        0 => note_idea(walker, die),
        1 => NoteResearch(research(&format!("sglang/source_{serial}.py"))).into(),
        2 => note_history(walker, die),
        _ => ReenterLoop(reentry(&walker.run)).into(),
    }
}

fn note_idea(walker: &Walker, die: &mut Die) -> Command {
    let mut it = idea(&format!("idea-{}", walker.run.events.len()), 1);
    let rows: Vec<_> = walker.run.case().uninvestigated().map(|it| it.row).collect();
    if !rows.is_empty() && die.one_in(2) {
        it.rows = rows;
    }
    NoteIdea(it).into()
}

fn between_rounds(walker: &mut Walker, die: &mut Die) -> Command {
    let claimed = walker.run.case().claim.is_some();
    let confirm = if claimed { 30 } else { 3 };
    let accepted = !walker.run.case().accepted_files.is_empty();
    let fix = if accepted { 25 } else { 3 };
    match die.weigh(&[(50, 0), (confirm, 1), (fix, 2), (4, 3), (15, 4)]) {
        0 => {
            walker.level = *die.pick(&LEVELS);
            let review = (!die.one_in(8)).then_some(Review::Advanced);
            OpenRound(RoundStart { stand: walker.run.stand(), review }).into()
        }
        1 => StopCampaign(walker.run.confirmation()).into(),
        2 => {
            walker.gain = *die.pick(&GAINS);
            let build = format!("fixup-{}", walker.run.events.len());
            RecordFixup(fixup(&walker.run, &build)).into()
        }
        3 => FilePlan(plan()).into(),
        _ => aside(walker, die),
    }
}

fn gap(walker: &mut Walker, state: &GapDecision, die: &mut Die) -> Command {
    match die.weigh(&[(86, 0), (1, 1), (1, 2), (3, 3), (2, 4), (6, 5)]) {
        0 => next_in_gap(walker, state, die),
        1 => NoteRig(RigChange { changed: line("the GPU clock is locked"), at: None }).into(),
        2 => BlockCompetitor(CompetitorBlock {
            framework: *die.pick(Framework::ALL),
            log: artifact("benchmark/logs/launch.log"),
            reason: line("the image was withdrawn"),
        })
        .into(),
        3 => ClaimStop(claim(&walker.run, *die.pick(StopReason::ALL))).into(),
        4 => {
            let loop_state = *die.pick(&[LoopEnd::Active, LoopEnd::Gone]);
            AbandonRound(abandonment(&walker.run, loop_state)).into()
        }
        _ => aside(walker, die),
    }
}

fn next_in_gap(walker: &mut Walker, state: &GapDecision, die: &mut Die) -> Command {
    let asked = walker.run.asked();
    if state.decided().is_some_and(|it| it.action == Action::Stop) {
        let reason = *die.pick(&[StopReason::Tied, StopReason::Beats]);
        return ClaimStop(claim(&walker.run, reason)).into();
    }
    match state.verdict().action {
        Action::Patch | Action::PatchLean if state.kept().len() >= 4 => OpenProfiling(asked).into(),
        Action::Confirm | Action::Stop | Action::NoiseBlocked | Action::NoBaseline => {
            DecideGap(asked).into()
        }
        _ => {
            let filed =
                |of: &str| state.kept().iter().filter(|it| it.scenario.as_str() == of).count();
            let mut counts = SCENARIOS.map(|(of, _)| (filed(of), of));
            counts.sort();
            let (count, of) = counts[0];
            let (level, first) = (walker.level, count.is_multiple_of(2));
            FileGapBlock(gap_block(&mut walker.run, of, level, first)).into()
        }
    }
}

fn profiling(walker: &mut Walker, die: &mut Die) -> Command {
    match die.weigh(&[(80, 0), (3, 1), (4, 2), (8, 3)]) {
        0 => next_profile(walker, die),
        1 => WaiveProfile(ProfileWaiver {
            framework: *die.pick(Framework::ALL),
            log: artifact("profiles/capture.log"),
            reason: line("the capture crashes the server"),
        })
        .into(),
        2 => AbandonRound(abandonment(&walker.run, LoopEnd::Active)).into(),
        _ => aside(walker, die),
    }
}

fn next_profile(walker: &mut Walker, die: &mut Die) -> Command {
    let State::Profiling(state) = walker.run.campaign.state() else { unreachable!() };
    let triage = state.triage();
    let filed = |framework, stage| {
        triage.profiles.iter().any(|it| it.framework == framework && it.stage == stage)
    };
    let mut wanted = vec![Framework::Vllm];
    wanted.extend(triage.rivals().into_iter().map(|(it, _)| it));
    wanted.retain(|it| !triage.waived.contains(it));
    let pairs = wanted.into_iter().flat_map(|it| STAGES.map(|stage| (it, stage)));
    let missing: Vec<_> = pairs.filter(|(it, stage)| !filed(*it, *stage)).collect();
    if missing.is_empty() || die.one_in(4) {
        return NameRootCause(root_cause(&walker.run)).into();
    }
    let (framework, stage) = *die.pick(&missing);
    let of = slow(&walker.run);
    FileProfile(profile(&mut walker.run, framework, stage, &of)).into()
}

fn layers(walker: &mut Walker, state: &LayerPipeline, die: &mut Die) -> Command {
    let run = &walker.run;
    if state.triage().pipeline.is_none() && !die.one_in(3) {
        return FilePipeline(pipeline(run)).into();
    }
    if run.case().weak >= 2 && !run.case().researched && die.one_in(2) {
        return NoteResearch(research(&format!("source-{}.py", run.events.len()))).into();
    }
    let build = format!("patch-{}", run.events.len());
    match die.weigh(&[(20, 0), (25, 1), (4, 2), (4, 3), (5, 4), (12, 5), (8, 6), (10, 7), (10, 8)])
    {
        0 => OpenKernelAssist(kernel_target(run)).into(),
        1 => RecordPatch(patch(run, &build, false)).into(),
        2 => RecordPatch(patch(run, &build, true)).into(),
        3 => block_ncu().into(),
        4 => NoteAttempt(attempt(&format!("attempt-{}", run.events.len()))).into(),
        5 => {
            let reason = *die.pick(&[StopReason::Limit, StopReason::External, StopReason::Tied]);
            ClaimStop(claim(run, reason)).into()
        }
        6 => AbandonRound(abandonment(run, LoopEnd::Active)).into(),
        7 => note_idea(walker, die),
        _ => aside(walker, die),
    }
}

fn block_ncu() -> BlockNcu {
    BlockNcu(NcuBlock {
        kernel: name("moe-routing"),
        reason: line("performance counters need root"),
        next_edit: line("route with a warp a token"),
    })
}

fn kernel(walker: &mut Walker, die: &mut Die) -> Command {
    let run = &walker.run;
    let serial = run.events.len();
    match die.weigh(&[(25, 0), (25, 1), (10, 2), (6, 3), (6, 4), (8, 5), (14, 6)]) {
        0 => FileDigest(ncu_digest(&format!("v{}", die.roll(40)))).into(),
        1 => RecordPatch(patch(run, &format!("patch-{serial}"), true)).into(),
        2 => CloseKernelAssist(Because { reason: line("target dropped") }).into(),
        3 => NoteAttempt(attempt(&format!("attempt-{serial}"))).into(),
        4 => block_ncu().into(),
        5 => AbandonRound(abandonment(run, LoopEnd::Active)).into(),
        _ => aside(walker, die),
    }
}

fn revalidate(walker: &mut Walker, state: &Revalidate, die: &mut Die) -> Command {
    match die.weigh(&[(86, 0), (3, 1), (2, 2), (2, 3), (6, 4)]) {
        0 => next_in_trial(walker, state, die),
        1 => {
            let build = format!("amended-{}", walker.run.events.len());
            let (patch, reason) = (patch(&walker.run, &build, false), line("a typo"));
            AmendPatch(Amendment { patch, reason }).into()
        }
        2 => RetryPatch(rejection(&walker.run, "no gain")).into(),
        3 => RejectPatch(rejection(&walker.run, "no gain")).into(),
        _ => aside(walker, die),
    }
}

fn next_in_trial(walker: &mut Walker, state: &Revalidate, die: &mut Die) -> Command {
    let head = state.trialled().head().clone();
    let kept = state.kept();
    if kept.is_empty() && die.one_in(2) {
        walker.gain = *die.pick(&GAINS);
        return FileTests(tests(head.commit)).into();
    }
    let filed = |of: &str| kept.iter().filter(|it| it.scenario.as_str() == of).count();
    if let Some((of, _)) = SCENARIOS.into_iter().find(|(of, _)| filed(of) < 4) {
        let (gain, first) = (walker.gain, filed(of).is_multiple_of(2));
        return FileTrialBlock(trial_block(&mut walker.run, of, gain, first)).into();
    }
    match die.roll(8) {
        0..=2 => {
            let of = match state.trialled().triage() {
                Some(_) => slow(&walker.run),
                None => SCENARIOS[0].0.to_string(),
            };
            let mut it = profile(&mut walker.run, Framework::Vllm, Stage::Decode, &of);
            it.tree = Some(head.tree);
            FileProfile(it).into()
        }
        3 => FileTests(tests(head.commit)).into(),
        4 => RejectPatch(rejection(&walker.run, "no gain")).into(),
        5 => RetryPatch(rejection(&walker.run, "no gain")).into(),
        _ => AcceptPatch(walker.run.acceptance()).into(),
    }
}
