//! `vsota layers …`, `vsota kernel …`

use vsota_core::Digest;
use vsota_core::facts::{Framework, LoopEnd, Stage as Part};
use vsota_fixtures::builders::{LayerGroup, layers};
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
