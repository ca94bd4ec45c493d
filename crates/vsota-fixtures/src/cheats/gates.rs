//! Cheats at the gates of a campaign.

use vsota_core::Clause::{self, *};
use vsota_core::command::*;
use vsota_core::facts::*;

use super::{Cheat, Tried};
use crate::model::{self, *};

fn gate(
    name: &'static str,
    clause: Clause,
    bad: (&Run, impl Into<Command>),
    good: (&Run, impl Into<Command>),
) -> Cheat {
    let bad = Box::new((bad.0.clone(), bad.1.into()));
    let good = Box::new((good.0.clone(), good.1.into()));
    Cheat { name, clause, tried: Tried::Gate { bad, good } }
}

/// A search of four candidates each, as `keep` leaves or changes it.
fn searched(keep: impl FnMut(&mut Candidate) -> bool) -> Run {
    Run::with_history().searched(keep)
}

fn freezes() -> FreezeBenchmark {
    FreezeBenchmark(freeze())
}

/// The freeze after a search in which one row of SGLang's best candidate is changed.
fn spoiled(name: &'static str, clause: Clause, change: impl Fn(&mut Candidate)) -> Cheat {
    let bad = searched(|it| {
        let first = it.framework == Framework::Sglang && it.scenario == self::name("chat");
        if first {
            change(it);
        }
        true
    });
    gate(name, clause, (&bad, freezes()), (&Run::with_rows(), freezes()))
}

pub(super) fn cheats() -> Vec<Cheat> {
    let mut all = freezing();
    all.extend(filing());
    all.extend(leaving());
    all.extend(afterwards());
    all.extend(blocks());
    all.push(tuned_on_the_way());
    all.extend(made_up());
    all.extend(mocks());
    all.extend(patches());
    all
}

fn freezing() -> Vec<Cheat> {
    let whole = Run::with_rows();
    let sglang = |it: &Candidate| it.framework == Framework::Sglang;
    let default = searched(|it| !sglang(it) || it.id == name("sglang-1"));
    let dropped = searched(|it| !sglang(it) || it.scenario == name("chat"));
    let mut elsewhere = freeze();
    elsewhere.tree = git("another build");
    let lucky = searched(|it| {
        if it.id == name("vllm-3") {
            let best = if it.scenario == name("chat") { 9.95 } else { 3.98 };
            let metrics = &mut it.measured.as_mut().unwrap().metrics;
            metrics.insert(Metric::RequestThroughput, measured(best));
        }
        true
    });
    vec![
        gate("tuned vLLM against a default", Fb2, (&default, freezes()), (&whole, freezes())),
        gate("a competitor that was dropped", Fb2, (&dropped, freezes()), (&whole, freezes())),
        gate("the luckiest of single runs", Fb9, (&lucky, freezes()), (&whole, freezes())),
        gate(
            "rows of another build",
            Fb13,
            (&whole, FreezeBenchmark(elsewhere)),
            (&whole, freezes()),
        ),
        spoiled("a row that hides its precision", Fb3, |it| {
            it.identity.remove(&Dimension::Precision);
        }),
        spoiled("another model revision", Fb3, |it| {
            it.identity.insert(Dimension::Model, line("demo/tiny-moe-v0"));
        }),
        spoiled("a search of flow checks", Fb2, |it| it.smoke = true),
        spoiled("speculation that only a file tells of", Fb3, |it| {
            it.identity.insert(Dimension::Speculation, line("off"));
        }),
        spoiled("a client that was asked for less", Fb4, |it| {
            it.identity.insert(Dimension::OutputLen, line("900"));
        }),
        spoiled("prompts that begin alike, frozen", Fb4, |it| {
            it.identity.insert(Dimension::Dataset, line("random, prefix 900"));
        }),
        spoiled("answers that are one percent short", Fb4, |it| {
            it.measured.as_mut().unwrap().output_tokens = Some(79_200);
        }),
        spoiled("answers that nobody counted", Fb4, |it| {
            it.measured.as_mut().unwrap().output_tokens = None;
        }),
        spoiled("an old version among the winners", Fb1, |it| {
            it.framework_version = Some(line("0.0.0"));
        }),
        reordered(),
        reseeded(),
        borrowed(),
        half_covered(),
    ]
}

/// A search of one command, its flags in four orders.
fn reordered() -> Cheat {
    let orders = |same: bool| {
        searched(move |it| {
            if it.framework == Framework::Sglang && same {
                let n: usize = it.id.as_str().rsplit('-').next().unwrap().parse().unwrap();
                let flags = [["--dtype", "auto"], ["--port", "1"], ["--tp", "1"], ["--seed", "7"]];
                let mut words = vec!["python", "-m", "sglang.launch_server"];
                let mut flags: Vec<_> = flags.into_iter().collect();
                flags.rotate_left(n - 1);
                words.extend(flags.iter().flatten());
                it.server_command = argv(&words);
            }
            true
        })
    };
    let name = "one command in four orders";
    gate(name, Fb2, (&orders(true), freezes()), (&orders(false), freezes()))
}

/// A search of one command under four seeds.
fn reseeded() -> Cheat {
    let seeds = searched(|it| {
        if it.framework == Framework::Sglang {
            let n = it.id.as_str().rsplit('-').next().unwrap().to_owned();
            it.server_command = server_command(Framework::Sglang, 1);
            it.server_command.push(&line("--random-seed"));
            it.server_command.push(&line(&n));
        }
        true
    });
    let name = "one command under four seeds";
    gate(name, Fb2, (&seeds, freezes()), (&Run::with_rows(), freezes()))
}

/// SGLang's whole space is one command; `row` may change what is filed of it.
fn alone(row: impl Fn(&mut Candidate) -> bool) -> Run {
    let mut run = Run::with_history();
    let sglang = Framework::Sglang;
    let candidates = vec![planned(sglang, 4)];
    let spaces =
        vec![SearchSpace { framework: sglang, candidates, whole: true, skipped: Vec::new() }];
    run.ask(DeclareSearch(SearchPlan {
        plan: artifact("benchmark/plan.json"),
        spaces,
        unsupported: Vec::new(),
    }));
    run.searched(|it| it.framework != sglang || (it.id == name("sglang-4") && row(it)))
}

/// A space whose name was kept and whose command was not.
fn borrowed() -> Cheat {
    let bad = alone(|it| {
        it.server_command = server_command(Framework::Sglang, 1);
        true
    });
    let good = alone(|_| true);
    gate("a plan's name for another command", Fb2, (&bad, freezes()), (&good, freezes()))
}

/// A space that was searched in one scenario only.
fn half_covered() -> Cheat {
    let mut bad = alone(|it| it.scenario == name("chat"));
    let mut other = candidate(&mut bad, Framework::Sglang, 3, "summarization", 4.0);
    other.server_command.push(&line("--schedule-conservativeness=0.3"));
    bad.ask(FileCandidate(other));
    let good = alone(|_| true);
    gate("a space searched in one scenario", Fb2, (&bad, freezes()), (&good, freezes()))
}

fn filing() -> Vec<Cheat> {
    let mut run = Run::with_history();
    let first = candidate(&mut run, Framework::Vllm, 1, "chat", 9.0);
    let again = candidate(&mut run, Framework::Vllm, 1, "chat", 9.1);
    let engine = candidate(&mut run, Framework::TensorrtLlm, 1, "chat", 9.0);
    run.ask(FileCandidate(first.clone()));
    let but = |row: &Candidate, change: fn(&mut Candidate, &Candidate)| {
        let mut row = row.clone();
        change(&mut row, &first);
        FileCandidate(row)
    };
    let filed = |row: &Candidate| FileCandidate(row.clone());
    let warm = but(&again, |it, first| it.log = first.log.clone());
    let renamed = but(&again, |it, _| it.server_command = server_command(Framework::Vllm, 2));
    let built = but(&engine, |it, _| it.backend = Some(name("tensorrt")));
    let silent = but(&again, |it, _| it.status = Status::Failed);
    let copied = but(&again, |it, first| {
        let numbers = &first.measured.as_ref().unwrap().metrics;
        it.measured.as_mut().unwrap().metrics.clone_from(numbers);
    });
    vec![
        gate("the same launch twice", Fb7, (&run, warm), (&run, filed(&again))),
        gate("one name for two commands", Fb2, (&run, renamed), (&run, filed(&again))),
        gate("an engine as a server", Fb6, (&run, built), (&run, filed(&engine))),
        gate("a repeat with the same numbers", Fb7, (&run, copied), (&run, filed(&again))),
        gate("a failure without a reason", Fb7, (&run, silent), (&run, filed(&again))),
    ]
}

fn leaving() -> Vec<Cheat> {
    let fresh = Run::with_history();
    let mut run = fresh.clone();
    let row = candidate(&mut run, Framework::Sglang, 1, "chat", 12.0);
    run.ask(FileCandidate(row));
    let without = |framework| {
        let reason = line("it is not needed");
        ExcludeFramework(Exclusion { framework, cause: ExclusionCause::ByUser, reason })
    };
    let evidence = artifact("benchmark/logs/unsupported.log");
    let cause = ExclusionCause::Unsupported { evidence };
    let reason = line("it does not run here");
    let cannot = ExcludeFramework(Exclusion { framework: Framework::Sglang, cause, reason });
    let sglang = Framework::Sglang;
    vec![
        gate(
            "a winner that the user forgets",
            In4,
            (&run, without(sglang)),
            (&fresh, without(sglang)),
        ),
        gate("a winner that cannot run", In4, (&run, cannot.clone()), (&fresh, cannot)),
    ]
}

fn afterwards() -> Vec<Cheat> {
    let (open, frozen) = (Run::with_rows(), Run::frozen());
    let mut wide = inputs();
    wide.inputs.retain(|it| it.input.key() == "sla.max_p50_ttft_ms");
    for it in &mut wide.inputs {
        if let Input::SlaLimit { limit, .. } = &mut it.input {
            *limit = measured(60_000.0);
        }
    }
    let late = candidate(&mut frozen.clone(), Framework::Vllm, 1, "chat", 12.0);
    let early = candidate(&mut open.clone(), Framework::Vllm, 1, "chat", 12.0);
    vec![
        gate("a second baseline", Fb1, (&frozen, freezes()), (&open, freezes())),
        gate(
            "a better row afterwards",
            Fb1,
            (&frozen, FileCandidate(late)),
            (&open, FileCandidate(early)),
        ),
        gate(
            "an SLA edited late",
            Fb14,
            (&frozen, RecordInputs(wide.clone())),
            (&Run::open(), RecordInputs(wide)),
        ),
    ]
}

/// A trial whose new build has other flags in each block: the best of them would stand for all.
fn tuned_on_the_way() -> Cheat {
    let mut run = Run::patched();
    let first = trial_block(&mut run, "chat", 1.05, true);
    run.ask(FileTrialBlock(first));
    let honest = trial_block(&mut run, "chat", 1.05, false);
    let mut tuned = honest.clone();
    for it in tuned.runs.iter_mut().filter(|it| it.build == Some(Build::New)) {
        it.server_command.push(&line("--max-num-batched-tokens=16384"));
    }
    let (bad, good) = (FileTrialBlock(tuned), FileTrialBlock(honest));
    gate("flags that change from block to block", Rv1, (&run, bad), (&run, good))
}

/// What a demonstration made up, in a campaign in earnest.
fn made_up() -> Vec<Cheat> {
    let searching = Run::with_history().in_earnest();
    let row = candidate(&mut searching.clone(), Framework::Sglang, 1, "chat", 9.0);
    let mut run = Run::in_loop();
    run.open_round();
    let run = run.in_earnest();
    let block = gap_block(&mut run.clone(), "chat", 1.0, true);
    let (mut bad_row, mut bad) = (row.clone(), block.clone());
    bad_row.mock = true;
    bad.runs.iter_mut().for_each(|it| it.mock = true);
    let rows = ((&searching, FileCandidate(bad_row)), (&searching, FileCandidate(row)));
    let blocks = ((&run, FileGapBlock(bad)), (&run, FileGapBlock(block)));
    vec![
        gate("a made-up row in earnest", Fb5, rows.0, rows.1),
        gate("a made-up block in earnest", Fb5, blocks.0, blocks.1),
    ]
}

fn blocks() -> Vec<Cheat> {
    let mut run = Run::in_loop();
    run.open_round();
    let good = gap_block(&mut run, "chat", 1.0, true);
    let but = |change: fn(&mut BlockRun)| {
        let mut block = good.clone();
        block.runs.iter_mut().filter(|it| it.framework == Framework::Sglang).for_each(change);
        FileGapBlock(block)
    };
    let honest = || FileGapBlock(good.clone());
    let default = but(|it| it.server_command = server_command(Framework::Sglang, 1));
    let smaller = but(|it| {
        it.identity.insert(Dimension::GpuCount, line("2"));
    });
    let coarse = but(|it| {
        it.identity.insert(Dimension::Tokenizer, line("demo/coarse"));
    });
    let old = but(|it| it.framework_version = Some(line("0.0.0-ancient")));
    let settings = but(|it| it.settings = Some(artifact("benchmark/logs/fast.yaml")));
    let mut alone = good.clone();
    alone.runs.retain(|it| it.framework == Framework::Vllm);
    let alone = FileGapBlock(alone);
    vec![
        gate("a gap against a default", Gd2, (&run, default), (&run, honest())),
        gate("a gap on other GPUs", Fb3, (&run, smaller), (&run, honest())),
        gate("a gap with another tokenizer", Fb3, (&run, coarse), (&run, honest())),
        gate("a gap against an old version", Fb1, (&run, old), (&run, honest())),
        gate("a gap with other settings", Gd2, (&run, settings), (&run, honest())),
        gate("a gap without a rival", Gd1, (&run, alone), (&run, honest())),
    ]
}

/// What mock servers wrote, filed by hand where nothing is a demonstration.
fn mocks() -> Vec<Cheat> {
    let run = Run::behind().in_earnest();
    let of = slow(&run);
    let good = profile(&mut run.clone(), Framework::Sglang, Stage::Decode, &of);
    let bad = FileProfile(Profile { mock: true, ..good.clone() });
    let triaged = Run::triaged().in_earnest();
    let report = pipeline(&triaged);
    let made_up = FilePipeline(Pipeline { mock: true, ..report.clone() });
    vec![
        gate("the trace of a mock", Fb5, (&run, bad), (&run, FileProfile(good))),
        gate("the layers of a mock", Fb5, (&triaged, made_up), (&triaged, FilePipeline(report))),
    ]
}

fn patches() -> Vec<Cheat> {
    let mut layered = Run::layered();
    let reason = line("ncu-report-skill is not installed");
    let next_edit = line("hold the routing weights in shared memory");
    layered.ask(BlockNcu(NcuBlock { kernel: name("moe-routing"), reason, next_edit }));
    let mut declared = patch(&layered, "patch-1", true);
    declared.files.push(ChangedFile { path: line("csrc/moe/topk.cu"), kind: FileKind::Code });
    let mut silent = declared.clone();
    silent.kernel = None;
    let (silent, declared) = (RecordPatch(silent), RecordPatch(declared));
    let (slow, swift) = (slower_in(Stage::Prefill), slower_in(Stage::Decode));
    let cause = || NameRootCause(root_cause(&swift));
    let patched = Run::patched();
    let honest = patched.clone().new_profile();
    let mut warm = honest.clone();
    let before = patched.case().launches.iter().find(|(_, round)| **round == 1).unwrap();
    warm.launch = *before.0;
    let mut eager = honest.clone();
    eager.server_command.push(&line("--enforce-eager"));
    let mut unrun = model::tests(patched.trial_head().commit);
    unrun.focused = None;
    let (mut bad, mut good) = (patched.clone(), patched.clone());
    bad.trial_with(1.05, unrun);
    good.trial(1.05);
    let accept = || AcceptPatch(good.acceptance());
    let profile = |it: Profile| (&patched, FileProfile(it));
    vec![
        gate("a stage that is not the slower one", Pr6, (&slow, cause()), (&swift, cause())),
        gate("a kernel beside the source path", Pa4, (&layered, silent), (&layered, declared)),
        gate(
            "a profile of the launch before the patch",
            Pr8,
            profile(warm),
            profile(honest.clone()),
        ),
        gate("a profile of another command", Rv1, profile(eager), profile(honest.clone())),
        gate("a focused test that never ran", Ka9, (&bad, accept()), (&good, accept())),
    ]
}

/// A round in which vLLM loses its time in that stage.
fn slower_in(stage: Stage) -> Run {
    let mut run = Run::behind();
    let of = slow(&run);
    for framework in Framework::ALL.iter().copied() {
        for part in STAGES {
            let mut it = profile(&mut run, framework, part, &of);
            if framework == Framework::Vllm && part == stage {
                it.total_ns += it.total_ns / 10;
            }
            run.ask(FileProfile(it));
        }
    }
    run
}
