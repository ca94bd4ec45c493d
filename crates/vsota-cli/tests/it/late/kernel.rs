//! `vsota layers …`, `vsota kernel …`

use vsota_core::Digest;
use vsota_core::facts::{Framework, LoopEnd, Stage as Part};
use vsota_fixtures::builders::{LayerGroup, NcuLaunch, layers, ncu_details, ncu_raw};
use vsota_fixtures::model::{self, Run};

use super::Stage;

/// A layer report of the profiled decode trace.
fn report(stage: &Stage, config: &str) -> serde_json::Value {
    let vsota_core::State::LayerPipeline(state) = stage.model.campaign.state() else { panic!() };
    let ours = |it: &&vsota_core::facts::Profile| {
        (it.framework, it.stage) == (Framework::Vllm, Part::Decode)
    };
    let trace = state.triage().profiles.iter().find(ours).unwrap().traces[0].to_string();
    let group = LayerGroup {
        layer_type: "moe".into(),
        layers: vec![0, 1, 2, 3],
        wall_ns: 250_000,
        sum_ns: 240_000,
    };
    let config = Digest::of(config.as_bytes()).to_string();
    let hot = [(2, "moe_routing_kernel".to_owned(), 0.5)];
    layers(Framework::Vllm, (&trace, &config), &[group], &hot)
}

#[test]
fn a_layer_report_is_of_this_rounds_trace_and_config() {
    let stage = Stage::at(Run::triaged());
    let stand = stage.stand(|_| {});
    let good = stage.json_file("layers.json", &report(&stage, "config.json"));
    let other = stage.json_file("other.json", &report(&stage, "another config"));
    stage.refused(&["layers", "file", &other, "--stand", &stand], &["LP-2"]);
    let ended = stage.stand(|it| it.loop_state = LoopEnd::Stop);
    stage.refused(&["layers", "file", &good, "--stand", &ended], &["RL-8"]);
    let stand = stage.stand(|_| {});
    let mut broken = report(&stage, "config.json");
    broken["chosen_pass"]["index"] = 9.into();
    let bad = stage.json_file("bad.json", &broken);
    stage.bad(&["layers", "file", &bad, "--stand", &stand], "bad.json", None, Some("chosen_pass"));
    stage.granted(
        &["layers", "file", &good, "--stand", &stand],
        "pipeline-filed",
        "layer-pipeline",
    );
    let said = stage.said();
    assert_eq!((said["num_layers"].as_u64(), said["hot"][0]["layer"].as_u64()), (Some(4), Some(2)));
    stage.holds(&said["source"]);
}

#[test]
fn layers_are_made_of_a_trace_and_judged_like_a_report() {
    let stage = Stage::at(Run::triaged());
    let stand = stage.stand(|_| {});
    let made = vsota_fixtures::builders::traces::trace(4, &[(0, 8), (0, 8), (0, 8)]);
    let trace = stage.file("rank0.made.json", &made.text);
    let config = stage.file("config.json", r#"{"num_hidden_layers":4}"#);
    // Neither the trace nor the config is one that the campaign knows.
    let args = ["layers", "file", &trace, "--config", &config, "--stand", &stand];
    stage.refused(&args, &["LP-2", "LP-2"]);
    let usage = stage.run(&["layers", "file", &trace, "--stand", &stand]);
    assert_eq!((usage.exit, usage.json["error"]["field"].as_str()), (2, Some("--config")));
    let config = stage.file("short.json", r#"{"num_hidden_layers":7}"#);
    let args = ["layers", "file", &trace, "--config", &config, "--stand", &stand];
    stage.bad(&args, "rank0.made.json", None, None);
}

/// A target with everything.
fn target() -> String {
    "# Kernel target\n- name: moe-routing\n- kind: triton\n- row: vllm:decode:kernel:1\n\
     - profiler-falls-short: it does not say why it stalls\n- reference: tests/a.py\n\
     - shape: [80, 64]\n- dtype: bfloat16\n- layout: row-major\n- wiring: vllm/a.py\n\
     - harness: bench.py\n"
        .to_owned()
}

#[test]
fn kernel_assist_opens_on_its_four_conditions() {
    let stage = Stage::at(Run::layered());
    let (stand, skill) = (stage.stand(|_| {}), stage.file("SKILL.md", "read me"));
    let draft = stage.file("target.md", target());
    let open = ["kernel", "open", &draft, "--stand", &stand];
    let check = ["kernel", "check", &draft, "--stand", &stand];
    stage.refused(&open, &["KA-7"]);
    let before = stage.events();
    let ended = stage.refused(&check, &["KA-7"]);
    assert_eq!(
        ended.json["refused"][0]["help"],
        "vsota kernel block NAME --reason TEXT --next-edit TEXT"
    );
    let with_skill = [&check[..], &["--ncu-skill", &skill]].concat();
    let checked = stage.run(&with_skill);
    assert_eq!((checked.exit, &checked.json["event"]), (0, &serde_json::Value::Null));
    assert_eq!(stage.run(&["kernel", "check"]).exit, 0);
    assert_eq!(stage.events(), before);

    let bare = "# Kernel target\n- name: a\n- kind: cuda\n";
    let draft = stage.file("bare.md", bare);
    let args = ["kernel", "open", &draft, "--stand", &stand, "--other-loop", "2026-01-02"];
    let all = ["KA-2", "KA-1", "KA-2", "KA-2", "KA-2", "KA-2", "KA-2", "KA-6", "KA-7", "KA-8"];
    stage.refused(&args, &all);

    let with_skill = [&open[..], &["--ncu-skill", &skill]].concat();
    stage.granted(&with_skill, "kernel-assist-opened", "kernel-assist");
    let digest = Digest::of(b"read me").to_string();
    assert_eq!(stage.said()["ncu_skill"]["read"]["sha256"], digest);
    stage.refused(&with_skill, &["KA-1"]);
}

#[test]
fn a_target_is_bad_evidence_with_its_place() {
    let stage = Stage::at(Run::layered());
    let stand = stage.stand(|_| {});
    let draft = stage.file("a.md", target().replace("triton", "trition"));
    for verb in ["open", "check"] {
        stage.bad(&["kernel", verb, &draft, "--stand", &stand], "a.md", Some(3), Some("kind"));
    }
    let draft = stage.file("b.md", target().replace("- row:", "- rows:"));
    stage.bad(&["kernel", "open", &draft, "--stand", &stand], "b.md", Some(4), Some("rows"));
}

#[test]
fn before_the_layer_report_nothing_is_opened() {
    let stage = Stage::at(Run::triaged());
    stage.refused(&["kernel", "check"], &["LP-1"]);
    let stage = Stage::at(Run::behind());
    stage.refused(&["kernel", "check"], &["KA-1"]);
}

fn digest(edits: &str) -> String {
    format!(
        "# NCU digest\n## Baseline\n- 41.5\n- 41.4\n## Candidate\n- 38.1\n- 38.2\n\
         ## Findings\nFewer stalls.\n## Next edit\n{edits}"
    )
}

#[test]
fn digests_are_numbered_and_end_in_one_edit() {
    let stage = Stage::at(Run::assisted());
    let two = stage.file("two.md", digest("- this\n- that\n"));
    stage.refused(&["kernel", "digest", &two], &["KA-3"]);
    let bad = stage.file("bad.md", digest("- this\n").replace("38.1", "fast"));
    stage.bad(&["kernel", "digest", &bad], "bad.md", Some(6), Some("Candidate"));
    for version in ["r1-moe-routing-v1", "r1-moe-routing-v2"] {
        let draft = stage.file("one.md", digest("- use shared memory\n"));
        stage.granted(&["kernel", "digest", &draft], "digest-filed", "kernel-assist");
        let said = stage.said();
        assert_eq!(said["version"], version);
        assert!(said["source"]["path"].as_str().unwrap().starts_with("kernel/ncu-digests/r1-moe"));
        stage.holds(&said["source"]);
    }
    let again = digest("- x\n").replacen("# NCU digest\n", "# NCU digest\n- version: 2\n", 1);
    let again = stage.file("again.md", again);
    stage.refused(&["kernel", "digest", &again], &["KA-3"]);
}

fn launch(kernel: &str, duration_us: f64, memory: f64) -> NcuLaunch {
    NcuLaunch { kernel: kernel.to_owned(), duration_us, compute: 20.0, memory, registers: 40 }
}

fn export(kernel: &str, us: [f64; 4], memory: f64) -> Vec<NcuLaunch> {
    us.map(|it| launch(kernel, it, memory)).to_vec()
}

#[test]
fn two_exports_of_ncu_become_a_digest() {
    let stage = Stage::at(Run::assisted());
    let old = export("void topk<float>(int)", [41.5, 41.4, 41.6, 41.5], 80.0);
    let new = export("void topk_sorted<float>(int)", [38.1, 38.2, 38.0, 38.1], 55.5);
    let old = stage.file("old.csv", ncu_details(&old));
    let new = stage.file("new.csv", ncu_raw(&new));
    let args =
        ["kernel", "digest", "--baseline", &old, "--candidate", &new, "--next-edit", "unroll"];
    stage.refused(&[&args[..], &["--next-edit", "and fuse"]].concat(), &["KA-3"]);
    stage.granted(&args, "digest-filed", "kernel-assist");
    let said = stage.said();
    assert_eq!(said["baseline_us"], serde_json::json!([41.5, 41.4, 41.6, 41.5]));
    assert_eq!(said["candidate_us"], serde_json::json!([38.1, 38.2, 38.0, 38.1]));
    assert_eq!(said["next_edits"], serde_json::json!(["unroll"]));
    stage.holds(&said["source"]);
    stage.holds(&said["compared"]["baseline"]);
    let digest =
        std::fs::read_to_string(stage.path("kernel/ncu-digests/r1-moe-routing-v1/digest.md"))
            .unwrap();
    insta::assert_snapshot!(digest.split("## Baseline").nth(1).unwrap());
    // Who proves it later derives it again from the two exports.
    let verify = stage.run(&["verify"]);
    let facts = |json: &serde_json::Value| {
        let all = json["checks"].as_array().unwrap().clone();
        let wrong = |it: &serde_json::Value| {
            let of_ours = it["file"].as_str().is_some_and(|it| it.contains("ncu-digests"));
            it["check"] == "fact" && of_ours && it["ok"] == false
        };
        all.iter().filter(|it| wrong(it)).count()
    };
    assert_eq!(facts(&verify.json), 0, "{}", verify.json);
}

#[test]
fn an_export_that_does_not_compare_is_bad_evidence_with_its_place() {
    let stage = Stage::at(Run::assisted());
    let good = ncu_details(&export("k", [41.5; 4], 80.0));
    let mut two = export("k", [41.5; 4], 80.0);
    two[2].kernel = "other".into();
    let duration = "gpu__time_duration.sum";
    let without: String =
        good.lines().filter(|it| !it.contains("\"Duration\"")).flat_map(|it| [it, "\n"]).collect();
    let cases = [
        ("html", "<!DOCTYPE html><p>sign in</p>".to_owned(), 1, None),
        (
            "summary",
            good.replacen("\"Metric Value\"", "\"Minimum\",\"Maximum\"", 1),
            2,
            Some("Metric Value"),
        ),
        ("source", "\"#\",\"Address\",\"Source\"\n1,2,3\n".to_owned(), 1, Some("Kernel Name")),
        ("kernels", ncu_details(&two), 19, Some("Kernel Name")),
        ("unit", good.replacen("Duration\",\"us\"", "Duration\",\"%\"", 1), 4, Some(duration)),
        ("missing", without, 3, Some(duration)),
        ("cut", good[..good.len() - 160].to_owned(), 34, Some("ID")),
        ("fewer", ncu_raw(&export("k", [41.5; 4], 80.0)[..3]), 5, Some("ID")),
        ("mark", good.replace("80.00", "80,00"), 5, Some("Metric Value")),
    ];
    let base = stage.file("base.csv", &good);
    for (name, text, line, field) in cases {
        let file = format!("{name}.csv");
        let path = stage.file(&file, text);
        let args = ["kernel", "digest", "--baseline", &base, "--candidate", &path];
        let args = [&args[..], &["--next-edit", "unroll"]].concat();
        stage.bad(&args, &file, Some(line), field);
    }
    let path = stage.file("two.csv", ncu_details(&two));
    let args = ["kernel", "digest", "--baseline", &path, "--candidate", &path, "--kernel", "other"];
    let args = [&args[..], &["--next-edit", "unroll"]].concat();
    stage.granted(&args, "digest-filed", "kernel-assist");
    let usage = stage.run(&["kernel", "digest", "--baseline", &base]);
    assert_eq!(usage.exit, 2, "{}", usage.text);
}

#[test]
fn a_target_is_dropped_and_missing_ncu_is_recorded() {
    let stage = Stage::at(Run::assisted());
    let block =
        ["kernel", "block", "moe-routing", "--reason", "no counters", "--next-edit", "fuse"];
    stage.granted(&block, "ncu-blocked", "kernel-assist");
    assert_eq!(stage.said()["next_edit"], "fuse");
    stage.granted(
        &["kernel", "close", "--reason", "dropped"],
        "kernel-assist-closed",
        "layer-pipeline",
    );
    stage.refused(&["kernel", "close", "--reason", "dropped"], &["KA-1"]);
    let draft = stage.file("one.md", digest("- x\n"));
    stage.refused(&["kernel", "digest", &draft], &["KA-3"]);
    let usage = stage.run(&["kernel", "block", "a b", "--reason", "x", "--next-edit", "y"]);
    assert_eq!((usage.exit, usage.json["error"]["kind"].as_str()), (2, Some("usage")));
    assert_eq!(model::name("a-b").as_str(), "a-b");
}
