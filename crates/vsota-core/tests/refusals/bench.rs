//! The fixed benchmark: search, rows, exclusions, freeze.

use vsota_core::Clause::*;
use vsota_core::State;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::{Cases, after, but};

pub(super) fn cases(all: &mut Cases) {
    frozen_for_ever(all);
    companions(all);
    searches(all);
    filing(all);
    no_mock(all);
    exclusions(all);
    freezing(all);
}

/// A fresh row of variant 1 in `chat`.
pub(super) fn row(run: &Run, framework: Framework) -> Candidate {
    candidate(&mut run.clone(), framework, 1, "chat", 9.5)
}

pub(super) fn exclusion(framework: Framework) -> Exclusion {
    let reason = line("not wanted");
    Exclusion { framework, cause: ExclusionCause::ByUser, reason }
}

fn unsupported(framework: Framework) -> Exclusion {
    let evidence = artifact("benchmark/logs/unsupported.log");
    let cause = ExclusionCause::Unsupported { evidence };
    Exclusion { framework, cause, reason: line("no backend here") }
}

fn help(framework: Framework) -> FileHelp {
    FileHelp(HelpOutput { framework, output: artifact(&format!("help/{framework}.txt")) })
}

fn plan_of(framework: Framework, variants: &[u32], whole: bool) -> SearchPlan {
    let candidates = variants.iter().map(|it| planned(framework, *it)).collect();
    let spaces = vec![SearchSpace { framework, candidates, whole, skipped: Vec::new() }];
    SearchPlan { plan: artifact("benchmark/plan.json"), spaces, unsupported: Vec::new() }
}

/// A benchmark up to the freeze.
///
/// `alone` searches a declared whole space of one candidate; every row is filed unless `keep` says
/// no, and may be changed by it.
pub(super) fn searched(
    run: &Run,
    alone: Option<Framework>,
    mut keep: impl FnMut(&mut Candidate) -> bool,
) -> Run {
    let mut run = run.clone();
    if let Some(framework) = alone {
        run.ask(DeclareSearch(plan_of(framework, &[1], true)));
    }
    for framework in compared(&run) {
        run.ask(help(framework));
        let lead = LEADS.iter().find(|(it, _)| *it == framework).map_or(1.0, |(_, lead)| *lead);
        for variant in 1..=if alone == Some(framework) { 1 } else { 4 } {
            for (of, base) in SCENARIOS {
                let req_s = base * lead * (1.0 - 0.04 * f64::from(4 - variant));
                let mut it = candidate(&mut run, framework, variant, of, req_s);
                if keep(&mut it) {
                    run.ask(FileCandidate(it));
                }
            }
        }
    }
    run
}

fn compared(run: &Run) -> Vec<Framework> {
    match run.campaign.state() {
        State::FixedBenchmark(it) => it.compared().into_iter().collect(),
        _ => panic!("no benchmark is open"),
    }
}

fn no_mock(all: &mut Cases) {
    let earnest = Run::with_history().in_earnest();
    let command = FileCandidate(row(&earnest, Framework::Vllm));
    let mock = FileCandidate(but(&row(&earnest, Framework::Vllm), |it| it.mock = true));
    let found = "a mock made up the row of vllm-";
    let name = "BenchObjection.MockResult";
    all.add(name, Fb5, found, (&earnest, mock.clone()), (&earnest, command));
    all.moved(&format!("{name}/demo"), Fb5, found, &earnest, &Run::with_history(), mock);
}

fn frozen_for_ever(all: &mut Cases) {
    let (searching, rows, frozen) = (Run::with_history(), Run::with_rows(), Run::frozen());
    let name = |what: &str| format!("BenchObjection.Frozen/{what}");
    let found = "frozen";
    let command = help(Framework::Vllm);
    all.moved(&name("help"), Fb1, found, &frozen, &searching, command);
    let command = FileCandidate(row(&frozen, Framework::Vllm));
    all.moved(&name("candidate"), Fb1, found, &frozen, &searching, command);
    let command = DeclareSearch(plan_of(Framework::Vllm, &[1], true));
    all.moved(&name("search"), Fb1, found, &frozen, &searching, command);
    let command = ExcludeFramework(exclusion(Framework::Sglang));
    all.moved(&name("exclusion"), Fb1, found, &frozen, &searching, command);
    all.moved(&name("freeze"), Fb1, found, &frozen, &rows, FreezeBenchmark(freeze()));

    let planned = after(&frozen, FilePlan(plan()));
    all.moved("BenchObjection.NotFrozen/plan", Fb1, "not frozen", &rows, &frozen, FilePlan(plan()));
    let enter = EnterLoop(loop_start());
    all.moved("BenchObjection.NotFrozen/loop", Fb1, "not frozen", &rows, &planned, enter);
}

fn companions(all: &mut Cases) {
    let searching = Run::with_history();
    for missing in CompanionName::ALL.iter().copied() {
        let mut run = Run::with_inputs();
        run.ask(NoteHistory(history(Framework::Vllm))).ask(NoteHistory(history(Framework::Sglang)));
        run.ask(CloseHistory(Nothing {}));
        for name in CompanionName::ALL.iter().copied().filter(|it| *it != missing) {
            run.ask(NoteCompanion(companion(name)));
        }
        let (name, missing) =
            (format!("BenchObjection.CompanionMissing/{missing}"), missing.as_str());
        let file = FileCandidate(row(&run, Framework::Vllm));
        all.moved(&name, Rt4, missing, &run, &searching, file);
    }
    let filed = after(&searching, FileCandidate(row(&searching, Framework::Vllm)));
    let note = NoteCompanion(companion(CompanionName::HostSkill));
    let name = "BenchObjection.CandidatesFiled";
    all.moved(name, Rt4, "a candidate is filed", &filed, &searching, note);
}

/// vLLM's search, after one row of TensorRT-LLM and its exclusion as unsupported.
fn tried_only(alone: &Run, change: impl FnOnce(&mut Candidate)) -> Run {
    let mut run = alone.clone();
    let mut row = candidate(&mut run, Framework::TensorrtLlm, 1, "chat", 9.5);
    change(&mut row);
    run.ask(FileCandidate(row)).ask(ExcludeFramework(unsupported(Framework::TensorrtLlm)));
    searched(&run, None, |_| true)
}

fn searches(all: &mut Cases) {
    let searching = Run::with_history();
    let filed = after(&searching, FileCandidate(row(&searching, Framework::Vllm)));
    let late = DeclareSearch(plan_of(Framework::Vllm, &[1], true));
    let found = "vllm has rows already";
    all.moved("BenchObjection.SearchTooLate", Fb12, found, &filed, &searching, late.clone());
    let declared = after(&searching, late.clone());
    let again = after(&declared, FileCandidate(row(&searching, Framework::Vllm)));
    let name_ = "BenchObjection.SearchTooLate/unless it is the same";
    all.moved(name_, Fb12, found, &filed, &again, late);
    let plan = plan_of(Framework::Vllm, &[1, 2], false);
    all.of(&searching, DeclareSearch, plan.clone())
        .but("BenchObjection.EmptySearch", Fb12, "vllm", |it| it.spaces[0].candidates.clear())
        .but("BenchObjection.Unbounded", Fb12, "11 candidates", |it| {
            it.spaces[0].candidates = (1..=11).map(|n| planned(Framework::Vllm, n)).collect();
        });
    let left_out = after(&searching, ExcludeFramework(exclusion(Framework::Sglang)));
    let plan = DeclareSearch(plan_of(Framework::Sglang, &[1], false));
    let found = "sglang is not in the comparison";
    all.moved("BenchObjection.NotCompared/search", In4, found, &left_out, &searching, plan);
    let help = help(Framework::Sglang);
    all.moved("BenchObjection.NotCompared/help", In4, found, &left_out, &searching, help);
    let file = FileCandidate(row(&searching, Framework::Sglang));
    all.moved("BenchObjection.NotCompared/candidate", In4, found, &left_out, &searching, file);
    let again = ExcludeFramework(exclusion(Framework::Sglang));
    all.moved("BenchObjection.NotCompared/exclusion", In4, found, &left_out, &searching, again);
}

fn filing(all: &mut Cases) {
    let searching = Run::with_history();
    all.of(&searching, FileCandidate, row(&searching, Framework::TensorrtLlm))
        .but("BenchObjection.UnknownScenario", Fb14, "translation", |it| {
            it.scenario = name("translation");
        })
        .but("BenchObjection.Backend/other", Fb6, "backend tensorrt;", |it| {
            it.backend = Some(name("tensorrt"));
        })
        .but("BenchObjection.Backend/unknown", Fb6, "backend unknown;", |it| it.backend = None)
        .but("BenchObjection.NoReason", Fb7, "tensorrt_llm-1", |it| it.status = Status::Failed)
        .but("BenchObjection.NoNumbers", Fb9, "tensorrt_llm-1", |it| it.measured = None);

    let mut run = searching.clone();
    let first = candidate(&mut run, Framework::Vllm, 1, "chat", 9.5);
    let again = candidate(&mut run, Framework::Vllm, 1, "chat", 9.5);
    run.ask(FileCandidate(first.clone()));
    all.of(&run, FileCandidate, again)
        .but("BenchObjection.AlreadyFiled/result", Fb7, "vllm-1", |it| {
            it.result = first.result.clone();
            it.measured = first.measured.clone();
        })
        .but("BenchObjection.AlreadyFiled/launch", Fb7, "vllm-1", |it| {
            it.log = first.log.clone();
            it.measured = first.measured.clone();
        })
        .but("BenchObjection.AlreadyFiled/numbers", Fb7, "vllm-1", |it| {
            let numbers = &first.measured.as_ref().unwrap().metrics;
            it.measured.as_mut().unwrap().metrics.clone_from(numbers);
        })
        .but("BenchObjection.LaunchReused/warm", Fb7, "the launch of vllm-1", |it| {
            it.log = first.log.clone();
        })
        .but("BenchObjection.LaunchReused/another command", Fb7, "the launch of vllm-2", |it| {
            (it.log, it.scenario) = (first.log.clone(), name("summarization"));
            it.id = name("vllm-2");
            it.server_command = server_command(Framework::Vllm, 2);
        })
        .but("BenchObjection.IdReused", Fb2, "vllm-1", |it| {
            it.server_command = server_command(Framework::Vllm, 2);
        });
}

fn exclusions(all: &mut Cases) {
    let searching = Run::with_history();
    let filed = after(&searching, FileCandidate(row(&searching, Framework::TensorrtLlm)));
    all.of(&searching, ExcludeFramework, exclusion(Framework::Sglang)).but(
        "BenchObjection.VllmStays",
        In4,
        "vllm",
        |it| it.framework = Framework::Vllm,
    );
    let by_user = ExcludeFramework(exclusion(Framework::Sglang));
    all.moved("BenchObjection.TooLateForUser", In4, "sglang", &filed, &searching, by_user);
    let cannot = ExcludeFramework(unsupported(Framework::TensorrtLlm));
    all.moved("BenchObjection.RanHere", In4, "tensorrt_llm", &filed, &searching, cannot);
}

/// SGLang's first candidate is changed, or left out, in `summarization`.
fn small_searches(all: &mut Cases) {
    let (searching, rows) = (Run::with_history(), Run::with_rows());
    let found = "sglang tried 3 launch commands in summarization";
    let mut small = |what: &str, change: fn(&mut Candidate) -> bool| {
        let first =
            |it: &Candidate| it.id == name("sglang-1") && it.scenario == name("summarization");
        let bad = searched(&searching, None, |it| !first(it) || change(it));
        let name = format!("BenchObjection.SearchTooSmall/{what}");
        all.moved(&name, Fb2, found, &bad, &rows, FreezeBenchmark(freeze()));
    };
    small("one scenario", |_| false);
    small("smoke", |it| {
        it.smoke = true;
        true
    });
    small("skipped", |it| {
        it.status = Status::Skipped;
        it.failure_reason = Some(line("no time"));
        true
    });
    small("another port", |it| {
        it.id = name("sglang-9");
        it.server_command = server_command(Framework::Sglang, 2);
        it.server_command.push(&line("--port"));
        it.server_command.push(&line("8001"));
        true
    });
    // A launch that failed in one scenario would have failed in the other.
    let failed = searched(&searching, None, |it| {
        if it.id == name("sglang-1") && it.scenario == name("chat") {
            it.status = Status::Oom;
            it.failure_reason = Some(line("out of memory"));
        }
        it.id != name("sglang-1") || it.scenario == name("chat")
    });
    let bad =
        searched(&searching, None, |it| it.id != name("sglang-1") || it.scenario == name("chat"));
    let name = "BenchObjection.SearchTooSmall/unless it failed elsewhere";
    all.moved(name, Fb2, found, &bad, &failed, FreezeBenchmark(freeze()));
}

/// What nobody is told is compared between the winners.
fn agreement(all: &mut Cases) {
    let searching = Run::with_history();
    for dimension in Dimension::ALL.iter().copied().filter(|it| !it.is_owed()) {
        let rows = |found: &str| {
            searched(&searching, None, |it| {
                let apart = it.id == name("sglang-4") && it.scenario == name("chat");
                it.identity.insert(dimension, line(if apart { found } else { "off" }));
                true
            })
        };
        // What the workload fixes keeps a row from ranking at all.
        if dimension.clause() != Fb3 {
            continue;
        }
        let found = format!("sglang-4 in chat has the {dimension} on; vllm has off");
        let name = format!("BenchObjection.Mismatch/{dimension}");
        all.moved(&name, Fb3, &found, &rows("on"), &rows("off"), FreezeBenchmark(freeze()));
    }
}

/// What one winner says and another does not is no match, whoever is silent.
fn silence(all: &mut Cases) {
    let without = ExcludeFramework(exclusion(Framework::TensorrtLlm));
    let searching = after(&Run::with_history(), without);
    for dimension in Dimension::ALL.iter().copied().filter(|it| !it.is_owed()) {
        let word = match dimension {
            Dimension::InputLen | Dimension::OutputLen => "1000",
            Dimension::Dataset => "random",
            _ => "off",
        };
        let rows = |silent: Option<Framework>| {
            searched(&searching, None, |it| {
                if it.scenario == name("chat") && Some(it.framework) != silent {
                    it.identity.insert(dimension, line(word));
                }
                true
            })
        };
        for silent in [Framework::Vllm, Framework::Sglang] {
            if dimension.may_be_unsaid(silent) {
                continue;
            }
            let found = format!("the {dimension} is {word} on one side, and {silent} does not");
            let name = format!("BenchObjection.OneSided/{dimension} of {silent}");
            let (clause, bad) = (dimension.clause(), rows(Some(silent)));
            all.moved(&name, clause, &found, &bad, &rows(None), FreezeBenchmark(freeze()));
        }
    }
}

/// Two vLLM candidates as fast as each other in `chat`, launched `times` in turn or in a row.
fn close(times: u32, in_turn: bool) -> Run {
    let mut run = searched(&Run::with_history(), None, |it| {
        !(it.framework == Framework::Vllm && it.scenario == name("chat"))
    });
    let mut file = |variant, req_s| {
        let row = candidate(&mut run, Framework::Vllm, variant, "chat", req_s);
        run.ask(FileCandidate(row));
    };
    for (variant, req_s) in [(1, 7.0), (2, 8.0)] {
        file(variant, req_s);
    }
    if in_turn {
        for turn in 0..times {
            file(3, 9.8 + 0.01 * f64::from(turn));
            file(4, 10.0);
        }
    } else {
        for variant in [3, 4] {
            (0..times).for_each(|_| file(variant, 10.0));
        }
    }
    run
}

fn repeats(all: &mut Cases) {
    let good = close(4, true);
    let found = "vllm-3 in chat has 3 of the 4 launches that tell it from vllm-4";
    let mut few = close(3, true);
    let last = candidate(&mut few, Framework::Vllm, 4, "chat", 10.0);
    few.ask(FileCandidate(last));
    all.moved("BenchObjection.TooClose", Fb9, found, &few, &good, FreezeBenchmark(freeze()));
    let found = "vllm-4 in chat was run after its rivals";
    let row = close(4, false);
    all.moved("BenchObjection.NotInTurn", Fb9, found, &row, &good, FreezeBenchmark(freeze()));
}

fn freezing(all: &mut Cases) {
    let (searching, rows) = (Run::with_history(), Run::with_rows());
    let freezes = || FreezeBenchmark(freeze());

    let is = |row: &Candidate, framework, id: &str, scenario: &str| {
        row.framework == framework
            && row.id == name(&format!("{framework}-{id}"))
            && row.scenario == name(scenario)
    };
    let sglang = Framework::Sglang;
    let gpus = |ids: &str| {
        searched(&searching, Some(sglang), |it| {
            if is(it, sglang, "1", "chat") {
                it.identity.insert(Dimension::GpuIds, line(ids));
            }
            true
        })
    };
    let found = "sglang-1 in chat has the gpu_ids 1; vllm has 0";
    let (bad, good) = (gpus("1"), gpus("0"));
    all.moved("BenchObjection.Mismatch", Fb3, found, &bad, &good, freezes());
    small_searches(all);
    agreement(all);
    silence(all);
    repeats(all);

    let alone = but(&searching, |it| {
        it.ask(ExcludeFramework(exclusion(Framework::Sglang)));
    });
    let neither = after(&alone, ExcludeFramework(exclusion(Framework::TensorrtLlm)));
    let neither = searched(&neither, None, |_| true);
    let tried = tried_only(&alone, |row| {
        row.status = Status::Failed;
        row.failure_reason = Some(line("the engine does not start"));
    });
    let name_ = "BenchObjection.NoCompetitorTried";
    all.moved(name_, Fb2, "no competitor", &neither, &tried, freezes());

    let skipped = tried_only(&alone, |row| {
        row.status = Status::Skipped;
        row.failure_reason = Some(line("no time"));
    });
    let name_ = "BenchObjection.NoCompetitorTried/only skipped";
    all.moved(name_, Fb2, "no competitor", &skipped, &tried, freezes());
    let smoke = tried_only(&alone, |row| {
        row.status = Status::Failed;
        row.failure_reason = Some(line("the engine does not start"));
        row.smoke = true;
    });
    let name_ = "BenchObjection.NoCompetitorTried/only a flow check";
    all.moved(name_, Fb2, "no competitor", &smoke, &tried, freezes());

    let mut silent = searching.clone();
    for framework in Framework::ALL.iter().copied() {
        silent.search(framework);
        if framework != sglang {
            silent.ask(help(framework));
        }
    }
    let heard = after(&silent, help(sglang));
    all.moved("BenchObjection.NoHelp", Fb8, "sglang", &silent, &heard, freezes());

    let absent = searched(&searching, Some(sglang), |it| !is(it, sglang, "1", "summarization"));
    let found = "sglang has no row in summarization";
    all.moved("BenchObjection.NoRow", Fb2, found, &absent, &rows, freezes());

    let versions = |version: &str| {
        searched(&searching, None, |it| {
            if is(it, sglang, "4", "chat") {
                it.framework_version = Some(line(version));
            }
            true
        })
    };
    let found = "sglang-4 of sglang ran version 0.0.1, another of its winning rows 0.0.2";
    let (bad, good) = (versions("0.0.2"), versions("0.0.1"));
    all.moved("BenchObjection.TwoVersions", Fb1, found, &bad, &good, freezes());
    let unsaid = searched(&searching, None, |it| {
        if is(it, sglang, "4", "chat") {
            it.framework_version = None;
        }
        true
    });
    let found = "sglang-4 of sglang does not say its version";
    all.moved("BenchObjection.NoVersion", Fb1, found, &unsaid, &good, freezes());
    // vLLM's build is known by its tree.
    let vllm = searched(&searching, None, |it| {
        if is(it, Framework::Vllm, "4", "chat") {
            it.framework_version = None;
        }
        true
    });
    assert!(vllm.campaign.decide(freezes()).is_ok());

    for dimension in Dimension::ALL.iter().copied().filter(|it| it.is_owed()) {
        let mute = searched(&searching, Some(sglang), |it| {
            if is(it, sglang, "1", "chat") {
                it.identity.remove(&dimension);
            }
            true
        });
        let name = format!("BenchObjection.Unknown/{dimension}");
        all.moved(&name, Fb3, dimension.as_str(), &mute, &rows, freezes());
    }

    all.of(&rows, FreezeBenchmark, freeze()).but(
        "BenchObjection.OtherTree",
        Fb13,
        git("another build").as_str(),
        |it| it.tree = git("another build"),
    );
}
