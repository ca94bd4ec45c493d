//! Profiles, waivers and the root cause.

use vsota_core::Clause::*;
use vsota_core::command::*;
use vsota_core::facts::*;
use vsota_fixtures::model::*;

use super::gap::{file_exact, open, without_trt};
use super::{Cases, but};

pub(super) fn cases(all: &mut Cases) {
    one_profile(all);
    no_mock(all);
    later_rounds(all);
    left_out(all);
    missing(all);
    root_causes(all);
    lean(all);
}

fn one_profile(all: &mut Cases) {
    let behind = Run::behind();
    let of = slow(&behind);
    let other = SCENARIOS.iter().map(|(it, _)| *it).find(|it| *it != of).unwrap();
    let (vllm, sglang) = (Framework::Vllm, Framework::Sglang);
    let mut ahead = behind.clone();
    let decode = profile(&mut ahead, vllm, Stage::Decode, &of);
    let rival = profile(&mut ahead, sglang, Stage::Prefill, &of);
    let unattributed = profile(&mut ahead, vllm, Stage::Unattributed, &of);
    let mut group = all.of(&behind, FileProfile, decode.clone());
    group
        .but("ProfilingObjection.OtherCommand/vllm", Pr1, "vllm", |it| {
            it.server_command = server_command(vllm, 1);
        })
        .but("ProfilingObjection.NotAStage", Pr4, "prefill, decode or mixed", |it| {
            *it = unattributed;
        })
        .but("ProfilingObjection.ForeignRow/stage", Pr4, "vllm:prefill:kernel:1", |it| {
            it.rows[0].row.stage = Stage::Prefill;
        })
        .but("ProfilingObjection.ForeignRow/framework", Pr4, "sglang:decode:kernel:1", |it| {
            it.rows[0].row.framework = sglang;
        })
        .but("ProfilingObjection.NoWork", Pr5, "no GPU work", |it| it.total_ns = 0)
        .but("ProfilingObjection.OtherScenario", Pr3, &of, |it| it.scenario = name(other))
        .but("ProfilingObjection.OtherLengths/decode", Pr3, "2 input and 1000 output", |it| {
            it.input_len = 2;
        })
        .but("ProfilingObjection.OtherRound", Pr8, "round 2; this is round 1", |it| it.round = 2)
        .but("ProfilingObjection.OtherBuild/other", Pr8, git(BASELINE).as_str(), |it| {
            it.tree = Some(git("edited"));
        })
        .but("ProfilingObjection.OtherBuild/unsaid", Pr8, git(BASELINE).as_str(), |it| {
            it.tree = None;
        });
    for table in Table::ALL.iter().copied() {
        let name = format!("ProfilingObjection.TableMissing/{table}");
        group.but(&name, Pr5, table.as_str(), |it| it.tables.retain(|it| *it != table));
    }
    all.of(&behind, FileProfile, rival)
        .but("ProfilingObjection.OtherCommand/competitor", Pr1, "sglang", |it| {
            it.server_command = server_command(sglang, 1);
        })
        .but("ProfilingObjection.OtherLengths/prefill", Pr3, "asks for", |it| it.output_len = 2);
    let filed = but(&behind, |it| {
        it.ask(FileProfile(decode.clone()));
    });
    let again = FileProfile(decode);
    let found = "a decode profile of vllm";
    all.moved("ProfilingObjection.AlreadyFiled", Pr8, found, &filed, &behind, again);
}

fn no_mock(all: &mut Cases) {
    let behind = Run::behind();
    let earnest = behind.in_earnest();
    let good = profile(&mut earnest.clone(), Framework::Vllm, Stage::Decode, &slow(&earnest));
    let (name, found) = ("ProfilingObjection.MockResult", "a mock made up the profile of vllm");
    let mock = FileProfile(but(&good, |it| it.mock = true));
    all.moved(&format!("{name}/demo"), Fb5, found, &earnest, &behind, mock);
    all.of(&earnest, FileProfile, good).but(name, Fb5, found, |it| it.mock = true);
    let patched = Run::patched().in_earnest();
    let of = slow(&patched);
    let mut new = profile(&mut patched.clone(), Framework::Vllm, Stage::Decode, &of);
    new.tree = Some(git("patch-1"));
    all.of(&patched, FileProfile, new).but(&format!("{name}/trial"), Fb5, found, |it| {
        it.mock = true;
    });
}

/// A second round that is behind, on the build of an accepted patch.
fn second_round() -> Run {
    let mut run = Run::accepted_patch();
    run.open_round().blocks(4, 1.0);
    let asked = run.asked();
    run.ask(OpenProfiling(asked));
    run
}

fn later_rounds(all: &mut Cases) {
    let second = second_round();
    let of = slow(&second);
    let decode = profile(&mut second.clone(), Framework::Vllm, Stage::Decode, &of);
    let earlier = second.case().launches.iter().find(|(_, round)| **round == 1).unwrap();
    all.of(&second, FileProfile, decode)
        .but("ProfilingObjection.OldLaunch", Pr8, "a launch of round 1", |it| {
            it.launch = *earlier.0;
        })
        .but("ProfilingObjection.OldLaunch/of the benchmark", Pr8, "a launch of round 0", |it| {
            it.launch = digest("launch 1");
        })
        .but("ProfilingObjection.OldBuild", Pr7, "before the last accepted patch", |it| {
            it.tree = Some(git(BASELINE));
        });
}

fn waiver(framework: Framework) -> ProfileWaiver {
    let log = artifact("profiles/capture.log");
    ProfileWaiver { framework, log, reason: line("the profiler crashes the server") }
}

fn left_out(all: &mut Cases) {
    let trt = Framework::TensorrtLlm;
    let behind = Run::behind();
    let mut fewer = without_trt();
    for index in 0..4 {
        for (of, _) in SCENARIOS {
            let mut block = gap_block(&mut fewer, of, 0.95, index % 2 == 0);
            block.runs.retain(|it| it.framework != trt);
            fewer.ask(FileGapBlock(block));
        }
    }
    let asked = fewer.asked();
    fewer.ask(OpenProfiling(asked));
    let found = "tensorrt_llm has no frozen row";
    let of = slow(&fewer);
    let here = FileProfile(profile(&mut fewer.clone(), trt, Stage::Decode, &of));
    let there = FileProfile(profile(&mut behind.clone(), trt, Stage::Decode, &slow(&behind)));
    let name = "ProfilingObjection.NotCompared/profile";
    all.add(name, Pr1, found, (&fewer, here), (&behind, there));
    let name = "ProfilingObjection.NotCompared/waiver";
    all.moved(name, Pr1, found, &fewer, &behind, WaiveProfile(waiver(trt)));
    all.of(&behind, WaiveProfile, waiver(Framework::Sglang)).but(
        "ProfilingObjection.VllmWaived",
        Pr8,
        "vllm",
        |it| it.framework = Framework::Vllm,
    );
}

/// A round that is behind, with its profiles but the given ones.
fn profiled_but(missing: &[(Framework, Stage)]) -> Run {
    let mut run = Run::behind();
    let of = slow(&run);
    for framework in Framework::ALL.iter().copied() {
        for stage in STAGES {
            let it = profile(&mut run, framework, stage, &of);
            if !missing.contains(&(framework, stage)) {
                run.ask(FileProfile(it));
            }
        }
    }
    run
}

fn missing(all: &mut Cases) {
    let whole = profiled_but(&[]);
    let wanted = [
        (Framework::Vllm, Stage::Prefill, Pr1),
        (Framework::Vllm, Stage::Decode, Pr1),
        (Framework::Sglang, Stage::Prefill, Pr1),
        (Framework::TensorrtLlm, Stage::Decode, Pr2),
    ];
    for (framework, stage, clause) in wanted {
        let name = format!("ProfilingObjection.ProfileMissing/{framework} {stage}");
        let found = format!("no {stage} profile of {framework}");
        let bad = profiled_but(&[(framework, stage)]);
        // The row that is cited must exist, whichever profile is missing.
        let mut cause = root_cause(&bad);
        if (framework, stage) == (Framework::Vllm, Stage::Decode) {
            cause.slower_stage = Stage::Prefill;
            cause.rows = vec![kernel_row(Stage::Prefill, 1)];
        }
        all.moved(&name, clause, &found, &bad, &whole, NameRootCause(cause));
    }
    let trt = Framework::TensorrtLlm;
    let bare = profiled_but(&[(trt, Stage::Prefill), (trt, Stage::Decode)]);
    let waived = but(&profiled_but(&[(trt, Stage::Prefill)]), |it| {
        it.ask(WaiveProfile(waiver(trt)));
    });
    let half = profiled_but(&[(trt, Stage::Prefill)]);
    let name = "ProfilingObjection.ProfileMissing/unless waived";
    let found = "no prefill profile of tensorrt_llm";
    all.moved(name, Pr2, found, &half, &waived, NameRootCause(root_cause(&bare)));
}

fn root_causes(all: &mut Cases) {
    let profiled = profiled_but(&[]);
    all.of(&profiled, NameRootCause, root_cause(&profiled))
        .but("ProfilingObjection.NoRows", Pr6, "no row", |it| it.rows.clear())
        .but("ProfilingObjection.UnknownRow", Pr6, "vllm:decode:kernel:9", |it| {
            it.rows.push(kernel_row(Stage::Decode, 9));
        })
        .but("ProfilingObjection.NoVllmRow/other stage", Pr6, "the decode stage", |it| {
            it.rows = vec![kernel_row(Stage::Prefill, 1)];
        })
        .but("ProfilingObjection.NoVllmRow/competitor", Pr6, "the decode stage", |it| {
            it.rows[0].framework = Framework::Sglang;
        })
        .but("ProfilingObjection.UnknownSource", Pr6, "lorem", |it| {
            it.sources.push(line("lorem"));
        })
        .but("ProfilingObjection.NoSources", Pr6, "no source path", |it| it.sources.clear());
    slower(all);
}

/// A round with so much GPU time and so many tokens in each stage, vLLM's before the rivals'.
fn timed(ours: [(u64, u64); 2], theirs: [(u64, u64); 2]) -> Run {
    let mut run = Run::behind();
    let of = slow(&run);
    for framework in Framework::ALL.iter().copied() {
        let times = if framework == Framework::Vllm { ours } else { theirs };
        for (stage, (total_ns, tokens)) in STAGES.into_iter().zip(times) {
            let mut it = profile(&mut run, framework, stage, &of);
            (it.total_ns, it.tokens) = (total_ns, tokens.try_into().ok());
            run.ask(FileProfile(it));
        }
    }
    run
}

fn slower(all: &mut Cases) {
    let level = [(900_000, 0), (1_000_000, 0)];
    let said = |run: &Run, because: Option<&str>| {
        let mut it = root_cause(run);
        it.stage_because = because.map(line);
        NameRootCause(it)
    };
    let prefill = timed([(950_000, 0), (1_020_000, 0)], level);
    let decode = timed([(950_000, 0), (1_060_000, 0)], level);
    let found = "in the prefill stage; the draft names decode";
    let name = "ProfilingObjection.OtherStage";
    all.moved(name, Pr6, found, &prefill, &decode, said(&decode, None));
    let name = "ProfilingObjection.OtherStage/unless it says why";
    let why = said(&prefill, Some("prefill is a fiftieth of the load"));
    all.add(name, Pr6, found, (&prefill, said(&prefill, None)), (&prefill, why));
    // The rivals' captures hold twice the requests: by the token vLLM loses in prefill.
    let (input, output) = (u64::from(scenario(&slow(&prefill)).input_len), 1_000);
    let twice = [(1_000_000, 2 * input), (2_000_000, 2 * output)];
    let tokens = timed([(600_000, input), (1_010_000, output)], twice);
    let name = "ProfilingObjection.OtherStage/by the token";
    all.moved(name, Pr6, found, &tokens, &decode, said(&decode, None));
}

/// A round whose noise leaves vLLM leaning behind SGLang in `chat` (GD-3).
pub(super) fn leaning() -> Run {
    let mut run = open();
    file_exact(&mut run, 12, |of, index| {
        let swing = if index % 4 < 2 { 0.006 } else { -0.006 };
        match of {
            "chat" => [f64::exp(-0.0105 + swing), 1.0, 0.9],
            _ => [1.0, 0.9, 0.9],
        }
    });
    run
}

fn lean(all: &mut Cases) {
    let mut run = leaning();
    let asked = run.asked();
    run.ask(OpenProfiling(asked));
    run.profiles();
    all.of(&run, NameRootCause, root_cause(&run)).but(
        "ProfilingObjection.NoEstimate",
        Gd3,
        "must estimate",
        |it| it.estimated_gap_pct = None,
    );
}
