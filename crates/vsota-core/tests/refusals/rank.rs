//! Rows that may not rank, each for one reason, in a benchmark that is otherwise whole.

use vsota_core::Clause::{self, *};
use vsota_core::command::*;
use vsota_core::event::CandidateFiled;
use vsota_core::facts::*;
use vsota_core::measure::Fraction;
use vsota_core::phase::{Limits, Load, Lone, Terms, compare, rank, unfit};
use vsota_core::text::Argv;
use vsota_fixtures::model::*;

use super::bench::searched;
use super::{Cases, forged};

const SGLANG: Framework = Framework::Sglang;

/// A campaign that was told something else than the default, up to the benchmark.
pub(super) fn told_otherwise(change: impl FnOnce(&mut InputsGiven)) -> Run {
    let mut given = inputs();
    change(&mut given);
    let mut run = Run::open();
    run.ask(RecordInputs(given)).ask(CloseInputs(Nothing {}));
    run.ask(NoteHistory(history(Framework::Vllm))).ask(NoteHistory(history(SGLANG)));
    run.ask(CloseHistory(Nothing {}));
    for name in CompanionName::ALL {
        run.ask(NoteCompanion(companion(*name)));
    }
    run
}

fn workload(given: &mut InputsGiven, change: impl FnOnce(&mut Workload)) {
    for it in &mut given.inputs {
        if let Input::Workload(workload) = &mut it.input {
            return change(workload);
        }
    }
}

/// The only row of a framework in `summarization` gets a change that keeps it from ranking.
fn spoiled(
    all: &mut Cases,
    what: &str,
    clause: Clause,
    found: &str,
    framework: Framework,
    change: impl Fn(&mut Candidate),
) {
    let from = Run::with_history();
    spoiled_from(all, (what, clause, found), &from, framework, |_| {}, change);
}

fn spoiled_from(
    all: &mut Cases,
    (what, clause, found): (&str, Clause, &str),
    from: &Run,
    framework: Framework,
    every: impl Fn(&mut Candidate),
    change: impl Fn(&mut Candidate),
) {
    let rows = |spoil: bool| {
        searched(from, Some(framework), |it| {
            every(it);
            if spoil && it.framework == framework && it.scenario == name("summarization") {
                change(it);
            }
            true
        })
    };
    let name = format!("BenchObjection.Unranked/{what}");
    all.moved(&name, clause, found, &rows(true), &rows(false), FreezeBenchmark(freeze()));
}

/// SGLang's only row in `summarization` is no try of its command; one that failed in `chat` is.
fn untried(
    all: &mut Cases,
    what: &str,
    clause: Clause,
    found: &str,
    change: impl Fn(&mut Candidate),
) {
    let rows = |spoil: bool| {
        let mut run = searched(&Run::with_history(), Some(SGLANG), |it| {
            if spoil && it.framework == SGLANG && it.scenario == name("summarization") {
                change(it);
            }
            true
        });
        let mut failed = candidate(&mut run, SGLANG, 1, "chat", 9.5);
        failed.status = Status::Oom;
        failed.failure_reason = Some(line("out of memory"));
        run.ask(FileCandidate(failed));
        run
    };
    let name = format!("BenchObjection.Unranked/{what}");
    all.moved(&name, clause, found, &rows(true), &rows(false), FreezeBenchmark(freeze()));
}

fn measured_of(row: &mut Candidate) -> &mut Measurement {
    row.measured.as_mut().unwrap()
}

pub(super) fn cases(all: &mut Cases) {
    spoiled(all, "failed", Fb7, "its status is failed", SGLANG, |it| {
        it.status = Status::Failed;
        it.failure_reason = Some(line("a crash"));
    });
    untried(all, "smoke", Fb5, "flow check", |it| it.smoke = true);
    spoiled(all, "offline", Fb12, "offline", SGLANG, |it| it.served = false);
    untried(all, "no launch command", Fb8, "command", |it| it.server_command = Argv::default());
    spoiled(all, "no benchmark command", Fb8, "command", SGLANG, |it| {
        it.benchmark_command = Argv::default()
    });
    spoiled(all, "no tree", Fb13, "no vLLM tree", Framework::Vllm, |it| it.tree = None);
    spoiled(all, "short context", Fb10, "8999", SGLANG, |it| it.context_len = Some(8_999));
    spoiled(all, "no objective", Gd6, "request_throughput", SGLANG, |it| {
        measured_of(it).metrics.remove(&Metric::RequestThroughput);
    });
    let fixed = |it: &Dimension| it.is_owed() && *it != Dimension::GpuIds;
    for dimension in Dimension::ALL.iter().copied().filter(fixed) {
        let found = format!("{dimension} is something else");
        spoiled(all, dimension.as_str(), Fb3, &found, SGLANG, |it| {
            it.identity.insert(dimension, line("something else"));
        });
    }
    for (dimension, other) in [
        (Dimension::InputLen, "7000"),
        (Dimension::OutputLen, "900"),
        (Dimension::Dataset, "random, prefix 900"),
    ] {
        let found = format!("{dimension} is {other}, not ");
        spoiled(all, dimension.as_str(), Fb4, &found, SGLANG, |it| {
            it.identity.insert(dimension, line(other));
        });
    }
    spoiled(
        all,
        "disturbed",
        Fb3,
        "its run was disturbed: a prefix cache answered",
        SGLANG,
        |it| {
            measured_of(it).disturbed = Some(line("a prefix cache answered"));
        },
    );
    spoiled(all, "unknown requests", Fb4, "nobody says how many", SGLANG, |it| {
        measured_of(it).requested = 0;
    });
    spoiled(all, "fewer requests", Fb4, "79 requests", SGLANG, |it| {
        let it = measured_of(it);
        (it.requested, it.completed) = (79, 79);
        it.input_tokens = Some(79 * 8_000);
        it.output_tokens = Some(79 * 1_000);
    });
    spoiled(all, "shorter prompts", Fb4, "mean input length is 4000", SGLANG, |it| {
        measured_of(it).input_tokens = Some(80 * 4_000);
    });
    spoiled(all, "shorter outputs", Fb4, "mean output length is 500", SGLANG, |it| {
        measured_of(it).output_tokens = Some(80 * 500);
    });
    spoiled(all, "outputs nobody counted", Fb4, "how many tokens", SGLANG, |it| {
        measured_of(it).output_tokens = None;
    });
    lengths(all);
    production(all);
    rate_limited(all);
    filed_under_other_guards(all);
}

/// The most that a run may differ from its lengths, and one token more. (8000 in, 1000 out, 80 requests)
fn lengths(all: &mut Cases) {
    let edges = [
        ("input", 80 * 7_960, 80 * 7_960 - 1),
        ("input", 80 * 8_080, 80 * 8_080 + 1),
        ("output", 80 * 995, 80 * 995 - 1),
        ("output", 80 * 1_005, 80 * 1_005 + 1),
    ];
    for (what, good, bad) in edges {
        let rows = |tokens: u64| {
            searched(&Run::with_history(), Some(SGLANG), |it| {
                if it.framework == SGLANG && it.scenario == name("summarization") {
                    match what {
                        "input" => measured_of(it).input_tokens = Some(tokens),
                        _ => measured_of(it).output_tokens = Some(tokens),
                    }
                }
                true
            })
        };
        let name = format!("BenchObjection.Unranked/{what} of {bad} tokens");
        let found = format!("mean {what} length");
        all.moved(&name, Fb4, &found, &rows(bad), &rows(good), FreezeBenchmark(freeze()));
    }
}

fn production(all: &mut Cases) {
    let run = told_otherwise(|given| workload(given, |it| it.kind = name("sharegpt")));
    let buckets = |it: &mut Candidate| {
        let e2e_ms = [(Stat::P50, measured(900.0)), (Stat::P95, measured(2_400.0))].into();
        let (input_p50, input_p95, output_p50, output_p95) = (700, 3_000, 200, 900);
        it.buckets = Some(Buckets { input_p50, input_p95, output_p50, output_p95, e2e_ms });
    };
    let case = ("no buckets", Fb4, "length buckets");
    spoiled_from(all, case, &run, SGLANG, buckets, |it| it.buckets = None);
}

fn rate_limited(all: &mut Cases) {
    let run = told_otherwise(|given| {
        workload(given, |it| it.scenarios[1].request_rate = Rate::PerSecond(measured(20.0)));
    });
    let offered = |it: &mut Candidate| {
        if it.scenario == name("summarization") {
            it.identity.insert(Dimension::RequestRate, line("20"));
        }
    };
    let case = ("rate limited", Gd6, "its client limited it");
    spoiled_from(all, case, &run, SGLANG, offered, |it| {
        measured_of(it).metrics.insert(Metric::RequestThroughput, measured(19.9));
    });
}

/// Filing refuses these rows by itself; a journal of other guards may hold them all the same.
fn filed_under_other_guards(all: &mut Cases) {
    let mut forge = |what: &str, clause, found: &str, framework, change: fn(&mut Candidate)| {
        let mut kept = None;
        let run = searched(&Run::with_history(), Some(framework), |it| {
            let here = it.framework == framework && it.scenario == name("summarization");
            if here {
                kept = Some(it.clone());
            }
            !here
        });
        let good = kept.unwrap();
        let mut bad = good.clone();
        change(&mut bad);
        let name = format!("BenchObjection.Unranked/{what}");
        let bad = forged(&run, CandidateFiled { said: bad });
        let good = forged(&run, CandidateFiled { said: good });
        all.moved(&name, clause, found, &bad, &good, FreezeBenchmark(freeze()));
    };
    forge("other backend", Fb6, "backend is tensorrt", Framework::TensorrtLlm, |it| {
        it.backend = Some(name("tensorrt"));
    });
    forge("unknown backend", Fb6, "its server backend is unknown", Framework::TensorrtLlm, |it| {
        it.backend = None;
    });
    forge("no numbers", Fb9, "measured nothing", SGLANG, |it| it.measured = None);
}

/// FB-9: a row that breaks a limit stays in the table, behind all that keep them, and says which.
#[test]
fn every_limit_that_a_row_does_not_keep_is_named() {
    let mut run = Run::with_history();
    let good = candidate(&mut run, SGLANG, 1, "chat", 10.0);
    let state = run.campaign.state();
    let brief = state.brief();
    let scenario = &brief.workload().unwrap().scenarios[0];
    let ttft = Metric::Latency(LatencyMetric { stat: Stat::P50, kind: LatencyKind::Ttft });
    let broken = |change: &dyn Fn(&mut Measurement)| {
        let mut row = good.clone();
        change(measured_of(&mut row));
        let ranked = rank(brief, scenario, [&row]);
        assert!(ranked.rejected.is_empty(), "{:?}", ranked.rejected);
        ranked.failing.into_iter().flat_map(|(_, breaches)| breaches).collect::<Vec<_>>()
    };
    assert_eq!(broken(&|_| {}), [""; 0]);
    assert_eq!(
        broken(&|it| it.metrics.extend([(ttft, measured(2_000.5))])),
        ["its p50_ttft_ms is 2000.5, above the limit of 2000"]
    );
    assert_eq!(
        broken(&|it| it.metrics.retain(|metric, _| *metric != ttft)),
        ["it did not measure p50_ttft_ms, which is limited to 2000"]
    );
    assert_eq!(
        broken(&|it| {
            it.completed = 79;
            (it.input_tokens, it.output_tokens) = (Some(79_000), Some(79_000));
        }),
        ["a share of 0.9875 of its requests completed; 1 is the least"]
    );
    // In a campaign a row that does not say how many requests it sent is off the workload; without one
    // its own limits ask.
    let mut row = good.clone();
    let mute = measured_of(&mut row);
    (mute.requested, mute.completed) = (0, 0);
    let limits = Limits { min_success_rate: Some(Fraction::ONE), ..Limits::default() };
    let lone = Lone { row, load: Load::default(), limits, contradictions: Vec::new() };
    let compared = compare(&Terms::default(), [&lone]);
    let rank = &compared[0].rank;
    let failing = rank.failing.iter().flat_map(|(_, breaches)| breaches.clone());
    let rejected = rank.rejected.iter().flat_map(|it| it.reasons.iter().map(|(_, it)| it.clone()));
    let said: Vec<String> = failing.chain(rejected).collect();
    let mute = "it does not say that a share of 1 completed";
    assert!(said.iter().any(|it| it == mute), "{said:?}");
}

/// A run outside of a campaign, as a pilot makes them, that is no value to compare.
#[test]
fn what_keeps_a_run_from_being_a_value_is_named() {
    let mut run = Run::with_history();
    let good = candidate(&mut run, SGLANG, 1, "chat", 10.0);
    let scenario = scenario("chat");
    let said = |change: &dyn Fn(&mut Candidate)| {
        let mut row = good.clone();
        change(&mut row);
        unfit(&scenario, &row)
    };
    let one = |clause, found: &str| vec![(clause, found.to_owned())];
    assert_eq!(said(&|_| {}), []);
    assert_eq!(said(&|it| it.smoke = true), one(Fb5, "it is labelled as a flow check"));
    assert_eq!(said(&|it| it.measured = None), one(Fb9, "it measured nothing"));
    assert_eq!(
        said(&|it| {
            let it = measured_of(it);
            it.completed = 79;
            (it.input_tokens, it.output_tokens) = (Some(79_000), Some(79_000));
        }),
        one(Fb7, "79 of 80 requests completed")
    );
    let short = said(&|it| measured_of(it).output_tokens = Some(40_000));
    assert!(matches!(&short[..], [(Fb4, found)] if found.contains("output")), "{short:?}");
    assert_eq!(
        said(&|it| {
            measured_of(it).metrics.remove(&Metric::RequestThroughput);
        }),
        one(Gd6, "it did not measure request_throughput")
    );
}
