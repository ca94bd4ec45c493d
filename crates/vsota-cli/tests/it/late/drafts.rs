//! Skeletons: what `--template` prints.

use vsota_fixtures::model::Run;

use super::Stage;
use crate::world::vsota;

const WITH_TEMPLATE: [&[&str]; 8] = [
    &["history", "note"],
    &["profile", "root-cause"],
    &["kernel", "open"],
    &["kernel", "digest"],
    &["attempt", "note"],
    &["idea", "note"],
    &["research", "note"],
    &["patch", "record"],
];

#[test]
fn a_skeleton_is_printed_with_and_without_a_campaign_and_records_nothing() {
    let stage = Stage::at(Run::layered());
    let before = stage.events();
    for command in WITH_TEMPLATE {
        let args = [command, &["--template"]].concat();
        let ended = stage.run(&args);
        assert_eq!(ended.exit, 0, "{}", ended.text);
        assert!(ended.json["template"].as_str().unwrap().starts_with("# "));
        let dir = tempfile::tempdir().unwrap();
        let ended = vsota().current_dir(dir.path()).args(&args).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{command:?}");
        assert!(ended.stdout.starts_with(b"# "));
        let both = [&args[..], &["x.md"]].concat();
        assert_eq!(stage.run(&both).exit, 2);
        assert_eq!(stage.run(command).exit, 2);
    }
    assert_eq!(stage.events(), before);
}

#[test]
fn a_skeleton_holds_the_rows_of_the_round() {
    let mut model = Run::behind();
    model.profiles();
    let stage = Stage::at(model);
    let skeleton = |args: &[&str]| {
        let ended = stage.run(args);
        ended.json["template"].as_str().unwrap().to_owned()
    };
    let cause = skeleton(&["profile", "root-cause", "--template"]);
    assert!(cause.contains("\n- vllm:decode:kernel:1  moe_routing_kernel (50.0 %)\n"), "{cause}");
    assert!(cause.contains("\n- sglang:prefill:fuse:1  rms_norm + quant (30.0 %)\n"), "{cause}");
    let idea = skeleton(&["idea", "note", "--template"]);
    assert!(idea.contains("\n- row: vllm:prefill:kernel:2  rms_norm_kernel"), "{idea}");
    assert!(!idea.contains("nccl"), "no location, no vLLM source: {idea}");
    assert!(idea.contains("\n- history: vllm-pr-4242\n"), "{idea}");

    // Filled in, it is granted.
    let stand = stage.stand(|_| {});
    let filled = cause
        .replace("- stage:\n", "- stage: decode\n")
        .replace("## Sources\n", "## Sources\n- vllm/a.py\n")
        + "It is slow.\n";
    let draft = stage.file("cause.md", filled);
    let args = ["profile", "root-cause", &draft, "--stand", &stand];
    stage.granted(&args, "root-cause-named", "layer-pipeline");
}

#[test]
fn the_skeleton_of_a_patch_cites_the_root_cause() {
    let stage = Stage::at(Run::layered());
    let ended = stage.run(&["patch", "record", "--template"]);
    let patch = ended.json["template"].as_str().unwrap();
    for line in [
        "- symptom: ",
        "- profiler-row: vllm:decode:kernel:1  moe_routing_kernel",
        "- layer-row: layer-2-hot-1  moe_routing_kernel",
        "- item: vllm-pr-4242",
    ] {
        assert!(patch.contains(line), "{line} in {patch}");
    }
}
