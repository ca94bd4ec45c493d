//! `vsota profile …`

use serde_json::{Value, json};
use vsota_core::Digest;
use vsota_core::facts::{Framework, Stage as Part};
use vsota_fixtures::builders::{FuseRow, KernelRow, OverlapRow, ProfileParts, profile};
use vsota_fixtures::model::{self, Run};

use super::Stage;

const TRACE: &[u8] = b"a trace";

/// A profile with three kernels of the stage.
pub(super) fn parts(framework: Framework, stage: Part) -> ProfileParts {
    ProfileParts {
        framework,
        stage,
        passes: 12,
        tokens: None,
        total_ns: 1_000_000,
        kernels: vec![
            KernelRow::at("moe_routing_kernel", "moe", 0.5, "vllm/model_executor/a.py:1 f"),
            KernelRow::at("rms_norm_kernel", "norm", 0.3, "vllm/model_executor/b.py:2 g"),
            KernelRow::at("a|b\u{1b}[2Jc", "other", 0.2, "x.py:1 h"),
        ],
        overlap: vec![OverlapRow { kernel: 3, exclusive_share: 0.4, advice: "overlap".into() }],
        fuse: vec![FuseRow {
            pattern: "norm + quant".into(),
            kernels: vec![2],
            candidate_path: "vllm/fuse.py".into(),
        }],
        trace: ("rank0.json.gz".into(), Digest::of(TRACE).to_string(), TRACE.len() as u64),
    }
}

/// Writes a profile with its trace, its server log and its capture; returns profile and capture.
pub(super) fn written(
    stage: &Stage,
    framework: Framework,
    part: Part,
    change: impl FnOnce(&mut Value),
) -> (String, String) {
    let dir = format!("{framework}-{part}");
    let mut run = stage.model.clone();
    let of = model::slow(&run);
    let fact = model::profile(&mut run, framework, part, &of);
    let file = stage.json_file(&format!("{dir}/profile.json"), &profile(&parts(framework, part)));
    stage.file(&format!("{dir}/rank0.json.gz"), TRACE);
    stage.file(&format!("{dir}/server.log"), format!("the log of {dir}"));
    let mut capture = json!({
        "stage": part, "scenario": of, "build": fact.tree, "command": fact.server_command,
        "launch": "server.log", "input_len": fact.input_len, "output_len": fact.output_len,
    });
    change(&mut capture);
    (file, stage.json_file(&format!("{dir}/capture.json"), &capture))
}

#[test]
fn a_trace_is_filed_with_the_tables_that_are_made_of_it() {
    let stage = Stage::at(Run::behind());
    let (_, capture) = written(&stage, Framework::Vllm, Part::Decode, |_| {});
    let made = vsota_fixtures::builders::traces::trace(3, &[(0, 8), (0, 8)]);
    let trace = stage.file("vllm-decode/rank0.made.json", &made.text);
    let args = ["profile", "file", &trace, "--capture", &capture];
    stage.granted(&args, "profile-filed", "profiling");
    let said = stage.said();
    let filed = crate::world::json(&stage.holds(&said["source"]));
    assert_eq!(filed["stages"][0]["total_ns"], made.stages["decode"].total_ns);
    assert_eq!(filed["traces"][0]["sha256"], Digest::of(made.text.as_bytes()).to_string());
    assert_eq!(said["traces"][0], filed["traces"][0]["sha256"]);
    assert_eq!(said["rows"][0]["location"], "vllm/model_executor/layers/linear.py:1210 forward");
}

/// What `verify` says of the tables that traces tell.
fn traced(stage: &Stage) -> Vec<(bool, String)> {
    let proof = stage.run(&["verify"]).json;
    let checks = proof["checks"].as_array().unwrap().iter();
    let of_traces = checks.filter(|it| it["check"] == "traces");
    let told = |it: &Value| (it["ok"] == true, it["found"].as_str().unwrap().to_owned());
    of_traces.map(told).collect()
}

#[test]
fn verify_makes_the_tables_again_from_the_traces() {
    let made = vsota_fixtures::builders::traces::trace(3, &[(0, 8), (0, 8)]);
    let analyzed = |stage: &Stage| {
        let trace = stage.file("vllm-decode/rank0.made.json", &made.text);
        stage.run(&["profile", "analyze", &trace, "--stage", "decode"]).json
    };
    type Change = fn(&mut Value);
    let cases: &[(Change, &[&str])] = &[
        (|_| {}, &[]),
        (|it| it["stages"][0]["busy_ns"] = json!(7), &["busy_ns is 7, the trace tells"]),
        (
            |it| it["stages"][0]["kernels"][0]["name"] = json!("another"),
            &["vllm:decode:kernel:1 is not what the trace tells"],
        ),
        (
            |it| drop(it["stages"][0]["kernels"].as_array_mut().unwrap().remove(1)),
            &["vllm:decode:kernel:2 of the trace is missing"],
        ),
    ];
    for (change, found) in cases {
        let stage = Stage::at(Run::behind());
        let (_, capture) = written(&stage, Framework::Vllm, Part::Decode, |_| {});
        let mut report = analyzed(&stage);
        change(&mut report);
        let file = stage.json_file("vllm-decode/report.json", &report);
        stage.granted(
            &["profile", "file", &file, "--capture", &capture],
            "profile-filed",
            "profiling",
        );
        let told = traced(&stage);
        if found.is_empty() {
            assert_eq!(told, [(true, "1 reports made again from their traces".to_owned())]);
        }
        for (wanted, (ok, told)) in found.iter().zip(&told) {
            assert!(!ok && told.contains(wanted), "{told}");
        }
        let kept = std::fs::read_dir(stage.path("profiles/r1")).unwrap();
        let kept = kept.map(|it| it.unwrap().path());
        let trace =
            kept.into_iter().find(|it| it.to_str().unwrap().contains("rank0.made")).unwrap();
        std::fs::write(&trace, made.text.replace("_TNT", "_NNT")).unwrap();
        let told = traced(&stage);
        assert!(told.iter().any(|it| !it.0 && it.1.contains("is not the one")), "{told:?}");
        std::fs::remove_file(trace).unwrap();
        assert!(traced(&stage).iter().all(|it| it.0));
        let open = stage.run(&["verify"]).json["not_checked"].to_string();
        assert!(
            open.contains("1 profiles name traces that are not in the run directory"),
            "{open}"
        );
    }
}

/// FB-5: filed by hand, with the command of a real server.
#[test]
fn the_trace_of_a_mock_enters_no_campaign_in_earnest() {
    let made = vsota_fixtures::builders::traces::trace(3, &[(0, 8), (0, 8)]);
    let mock = made.text.replacen('{', "{\"mock\":true,", 1);
    let stage = Stage::at(Run::behind().in_earnest());
    let (_, capture) = written(&stage, Framework::Vllm, Part::Decode, |_| {});
    let trace = stage.file("vllm-decode/rank0.made.json", &mock);
    let report = stage.run(&["profile", "analyze", &trace]).json;
    assert_eq!(report["traces"][0]["mock"], true);
    let report = stage.json_file("vllm-decode/report.json", &report);
    for file in [&trace, &report] {
        stage.refused(&["profile", "file", file, "--capture", &capture], &["FB-5"]);
    }
    let real = stage.file("vllm-decode/rank0.made.json", &made.text);
    let args = ["profile", "file", &real, "--capture", &capture];
    stage.granted(&args, "profile-filed", "profiling");

    // Where the mark was taken out of the report, the trace beside it still tells.
    let stage = Stage::at(Run::behind().in_earnest());
    let (_, capture) = written(&stage, Framework::Vllm, Part::Decode, |_| {});
    let trace = stage.file("vllm-decode/rank0.made.json", &mock);
    let mut report = stage.run(&["profile", "analyze", &trace]).json;
    report["traces"][0].as_object_mut().unwrap().remove("mock");
    let report = stage.json_file("vllm-decode/report.json", &report);
    let args = ["profile", "file", &report, "--capture", &capture];
    stage.granted(&args, "profile-filed", "profiling");
    let told = traced(&stage);
    assert!(told.iter().any(|it| !it.0 && it.1.contains("FB-5: a mock made the trace up")));
}

#[test]
fn profiles_of_a_round_lead_to_its_root_cause() {
    let stage = Stage::at(Run::behind());
    let cause = stage.file("cause.md", cause("vllm:decode:kernel:1", "1"));
    let stand = stage.stand(|_| {});
    let name = ["profile", "root-cause", &cause, "--stand", &stand];
    stage.refused(&name, &["PR-1", "PR-1", "PR-1", "PR-1", "PR-2", "PR-2", "PR-6"]);
    for framework in [Framework::Vllm, Framework::Sglang] {
        for part in [Part::Prefill, Part::Decode] {
            let (file, capture) = written(&stage, framework, part, |_| {});
            let args = ["profile", "file", &file, "--capture", &capture];
            stage.granted(&args, "profile-filed", "profiling");
            let said = stage.said();
            let at = format!("profiles/r1/{framework}-{part}.json");
            assert_eq!(said["source"]["path"], at.as_str());
            let filed = crate::world::json(&stage.holds(&said["source"]));
            assert_eq!(filed["filed"]["round"], 1);
            assert_eq!(filed["filed"]["launch"]["sha256"], said["launch"]);
            stage.holds(&filed["filed"]["launch"]);
            assert_eq!(said["rows"][0]["name"], "moe_routing_kernel");
            assert_eq!(said["lengths_confirmed"], false);
            stage.refused(&args, &["PR-8"]);
        }
    }
    let traces = std::fs::read_dir(stage.path("profiles/r1")).unwrap();
    let traces = traces
        .filter(|it| it.as_ref().unwrap().file_name().to_str().unwrap().ends_with("rank0.json.gz"));
    assert_eq!(traces.count(), 4);

    let log = stage.file("capture.log", "the capture failed");
    let waive = ["profile", "waive", "tensorrt_llm", "--log", &log, "--reason", "no profiler"];
    stage.granted(&waive, "profile-waived", "profiling");
    assert_eq!(stage.holds(&stage.said()["log"]), b"the capture failed");
    stage.granted(&name, "root-cause-named", "layer-pipeline");
    let said = stage.said();
    assert_eq!(said["estimated_gap_pct"], 4.0);
    stage.holds(&said["draft"]);
}

/// A root-cause draft that cites a row.
pub(super) fn cause(row: &str, line: &str) -> String {
    format!(
        "# Root cause\n- stage: decode\n- estimated-gap-pct: 4\n## Rows\n- {row}\n## Sources\n\
         - vllm/a.py:{line}\n## Explanation\nThe kernel takes half of a step.\n"
    )
}

#[test]
fn a_profile_of_another_round_build_scenario_or_command_is_refused() {
    let stage = Stage::at(Run::behind());
    let cases: &[(&str, Value, &[&str])] = &[
        ("round", json!(7), &["PR-8"]),
        ("build", json!("0".repeat(40)), &["PR-8"]),
        ("build", Value::Null, &["PR-8"]),
        ("command", json!(["vllm", "serve"]), &["PR-1"]),
        ("input_len", json!(99), &["PR-3"]),
    ];
    for (key, value, clauses) in cases {
        let (file, capture) =
            written(&stage, Framework::Vllm, Part::Decode, |it| it[key] = value.clone());
        let args = ["profile", "file", &file, "--capture", &capture];
        stage.refused(&args, clauses);
    }
    let log = stage.file("capture.log", "the capture failed");
    let waive = ["profile", "waive", "vllm", "--log", &log, "--reason", "no"];
    stage.refused(&waive, &["PR-8"]);
}

#[test]
fn a_profile_is_bad_evidence_with_its_place() {
    let stage = Stage::at(Run::behind());
    let (file, capture) = written(&stage, Framework::Vllm, Part::Decode, |_| {});
    let args = ["profile", "file", &file, "--capture", &capture];

    let mut other = profile(&parts(Framework::Vllm, Part::Decode));
    other["stages"][0]["kernels"][0]["share"] = json!(0.6);
    let file = stage.json_file("bad/profile.json", &other);
    let bad = ["profile", "file", &file, "--capture", &capture];
    stage.bad(&bad, "bad/profile.json", None, Some("stages.decode.share"));

    stage.file("vllm-decode/rank0.json.gz", "another trace");
    stage.bad(&args, "rank0.json.gz", None, Some("traces[0].sha256"));
    std::fs::remove_file(format!("{}/rank0.json.gz", file_dir(args[2]))).unwrap();
    stage.bad(&args, "profile.json", None, Some("traces[0]"));
    let elsewhere = stage.file("elsewhere/rank0.json.gz", TRACE);

    stage.file("vllm-decode/server.log", "");
    stage.bad(&args, "server.log", None, None);
    stage.file("vllm-decode/server.log", "a log");
    let (_, capture) = written(&stage, Framework::Vllm, Part::Decode, |it| it["colour"] = json!(1));
    let bad = ["profile", "file", args[2], "--capture", &capture];
    stage.bad(&bad, "capture.json", Some(3), None);

    let (_, capture) = written(&stage, Framework::Vllm, Part::Decode, |_| {});
    std::fs::remove_file(format!("{}/rank0.json.gz", file_dir(args[2]))).unwrap();
    let args = ["profile", "file", args[2], "--capture", &capture, "--trace", &elsewhere];
    stage.granted(&args, "profile-filed", "profiling");
    let log = stage.file("empty.log", "");
    let waive = ["profile", "waive", "sglang", "--log", &log, "--reason", "no"];
    stage.bad(&waive, "empty.log", None, None);
}

fn file_dir(path: &str) -> &str {
    path.rsplit_once('/').unwrap().0
}

#[test]
fn the_traces_may_stay_where_they_are() {
    let stage = Stage::at(Run::behind());
    let (file, capture) = written(&stage, Framework::Vllm, Part::Decode, |_| {});
    std::fs::remove_file(format!("{}/rank0.json.gz", file_dir(&file))).unwrap();
    let args = ["profile", "file", &file, "--capture", &capture, "--no-trace"];
    stage.granted(&args, "profile-filed", "profiling");
}

#[test]
fn a_filed_profile_is_not_filed_again_as_if_it_were_new() {
    let stage = Stage::at(Run::behind());
    let (file, capture) = written(&stage, Framework::Vllm, Part::Decode, |_| {});
    stage.granted(&["profile", "file", &file, "--capture", &capture], "profile-filed", "profiling");
    let filed = std::fs::read(stage.path("profiles/r1/vllm-decode.json")).unwrap();
    let filed = stage.file("filed/vllm-decode.json", filed);
    let args = ["profile", "file", &filed, "--capture", &capture];
    stage.bad(&args, "vllm-decode.json", None, Some("filed"));
}

#[test]
fn a_root_cause_cites_what_there_is() {
    let mut model = Run::behind();
    model.profiles();
    let stage = Stage::at(model);
    let stand = stage.stand(|_| {});
    let draft = stage.file("a.md", cause("vllm:decode:kernel:9", "1"));
    stage.refused(&["profile", "root-cause", &draft, "--stand", &stand], &["PR-6"]);
    let draft = stage.file("b.md", cause("vllm:prefill:kernel:1", "1"));
    stage.refused(&["profile", "root-cause", &draft, "--stand", &stand], &["PR-6"]);
    let draft = stage.file("c.md", cause("vllm:decode:kernel", "1"));
    stage.bad(&["profile", "root-cause", &draft, "--stand", &stand], "c.md", Some(5), Some("Rows"));
    let draft = stage.file("d.md", cause("vllm:decode:kernel:1", "1"));
    let moved = stage.stand(|it| it.head.tree = model::git("elsewhere"));
    stage.refused(&["profile", "root-cause", &draft, "--stand", &moved], &["PA-1"]);
    let ended = stage.stand(|it| it.loop_state = vsota_core::facts::LoopEnd::Complete);
    stage.refused(&["profile", "root-cause", &draft, "--stand", &ended], &["RL-8"]);
    let broken = stage.file("broken.json", "{\n\"head\": 1}");
    let args = ["profile", "root-cause", &draft, "--stand", &broken];
    stage.bad(&args, "broken.json", Some(2), None);
}
