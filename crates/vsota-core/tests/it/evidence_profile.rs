//! Profiles, layer reports and workload files: what becomes a fact, and what contradicts itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vsota_core::evidence::{Capture, LayersFile, ProfileFile, workload};
use vsota_core::facts::{Framework, Input, Profile, Rate, Stage, Table};
use vsota_core::{Artifact, Digest};
use vsota_fixtures::builders::{
    FuseRow, KernelRow, LayerGroup, OverlapRow, ProfileParts, layers, profile, server_command,
};

fn artifact(path: &str) -> Artifact {
    Artifact { path: path.parse().unwrap(), sha256: Digest::of(path.as_bytes()), bytes: 9 }
}

fn capture() -> Capture {
    Capture {
        command: server_command(Framework::Vllm, "demo/tiny-moe", 9_000)
            .into_iter()
            .map(|it| it.parse().unwrap())
            .collect(),
        build: Some("5".repeat(40).parse().unwrap()),
        scenario: "chat".parse().unwrap(),
        round: 2,
        launch: artifact("log"),
        input_len: 1_000,
        output_len: 1_000,
    }
}

fn parts() -> ProfileParts {
    let moe = "vllm/model_executor/layers/fused_moe/fused_moe.py:512 invoke_fused_moe_kernel";
    ProfileParts {
        framework: Framework::Vllm,
        stage: Stage::Decode,
        passes: 999,
        tokens: Some((0, 999)),
        total_ns: 1_000_000_000,
        kernels: vec![
            KernelRow::at("fused_moe_kernel", "moe", 0.41, moe),
            KernelRow::at("act_and_mul_kernel", "activation", 0.09, "vllm/a.py:7 forward"),
            KernelRow { location: None, ..KernelRow::at("nvjet_tst", "gemm", 0.3, "") },
            KernelRow::at("tiny_kernel", "other", 0.004, "vllm/b.py:9 f"),
        ],
        overlap: vec![OverlapRow {
            kernel: 1,
            exclusive_share: 0.9,
            advice: "run it beside".into(),
        }],
        fuse: vec![FuseRow {
            pattern: "moe + activation".into(),
            kernels: vec![1, 2],
            candidate_path: "vllm/model_executor/layers/fused_moe/layer.py".into(),
        }],
        trace: ("rank0.pt.trace.json.gz".into(), Digest::of(b"t").to_string(), 77),
    }
}

fn fact(value: Value) -> Profile {
    let file = ProfileFile::read(value.to_string().as_bytes()).unwrap();
    file.profile(Stage::Decode, &capture(), artifact("p")).unwrap()
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut value = profile(&parts());
    change(&mut value);
    let file = match ProfileFile::parse(value) {
        Ok(file) => file,
        Err(error) => return error.field.unwrap_or(error.message),
    };
    let error =
        file.profile(Stage::Decode, &capture(), artifact("p")).expect_err("this was granted");
    error.field.unwrap_or(error.message)
}

#[test]
fn a_profile_becomes_the_fact_of_its_stage() {
    let found = fact(profile(&parts()));
    assert_eq!((found.framework, found.stage, found.round), (Framework::Vllm, Stage::Decode, 2));
    assert_eq!(found.launch, Digest::of(b"log"));
    assert_eq!(found.traces, [Digest::of(b"t")]);
    assert_eq!(found.total_ns, 1_000_000_000);
    assert_eq!(found.tables, [Table::Kernel, Table::Overlap, Table::Fuse]);
    let rows: Vec<_> = found
        .rows
        .iter()
        .map(|it| (it.row.to_string(), it.name.as_str(), it.share.get(), it.location.is_some()))
        .collect();
    assert_eq!(
        rows,
        [
            ("vllm:decode:kernel:1".to_owned(), "fused_moe_kernel", 0.41, true),
            ("vllm:decode:kernel:2".to_owned(), "act_and_mul_kernel", 0.09, true),
            ("vllm:decode:kernel:3".to_owned(), "nvjet_tst", 0.3, false),
            ("vllm:decode:overlap:1".to_owned(), "fused_moe_kernel", 0.41, true),
            ("vllm:decode:fuse:1".to_owned(), "moe + activation", 0.5, true),
        ]
    );
    assert_eq!(found.unlocated_share.get(), 0.3);
    assert!(found.lengths_confirmed);
}

/// FB-5: one trace of a mock, or a launch of one, is enough.
#[test]
fn a_profile_and_a_layer_report_tell_a_mock() {
    assert!(!fact(profile(&parts())).mock);
    let mut value = profile(&parts());
    value["traces"][0]["mock"] = true.into();
    assert!(fact(value).mock);
    let file = ProfileFile::parse(profile(&parts())).unwrap();
    let mut launched = capture();
    launched.command.insert(0, "mock-server".parse().unwrap());
    assert!(file.profile(Stage::Decode, &launched, artifact("p")).unwrap().mock);
    for mock in [false, true] {
        let mut value = report();
        value["trace"]["mock"] = mock.into();
        let file = LayersFile::parse(value).unwrap();
        assert_eq!(file.pipeline(stand(), artifact("l")).unwrap().mock, mock);
    }
}

#[test]
fn the_location_of_the_largest_share_is_kept() {
    let mut value = profile(&parts());
    value["stages"][0]["kernels"][0]["locations"] = json!([
        {"location": "a.py:1 f", "share": 0.3},
        {"location": "b.py:2 g", "share": 0.35},
        {"location": "c.py:3 h", "share": 0.35},
    ]);
    assert_eq!(fact(value).rows[0].location.as_ref().unwrap().as_str(), "b.py:2 g");
}

#[test]
fn a_fact_of_many_long_rows_stays_small() {
    let long = "void at::native::elementwise_kernel<ünique, λ>".repeat(40);
    let kernels =
        (0..64).map(|n| KernelRow::at(&format!("{n}{long}"), "other", 0.012, &long)).collect();
    let overlap = (1..=64)
        .map(|kernel| OverlapRow { kernel, exclusive_share: 1.0, advice: "none".into() })
        .collect();
    let found = fact(profile(&ProfileParts { kernels, overlap, ..parts() }));
    assert_eq!(found.rows.len(), 96);
    let bytes = serde_json::to_string(&found).unwrap().len();
    assert!(bytes < 16_384, "{bytes}");
    let few = (0..8).map(|n| KernelRow::at(&format!("{n}{long}"), "other", 0.1, &long)).collect();
    let found =
        fact(profile(&ProfileParts { kernels: few, fuse: vec![], overlap: vec![], ..parts() }));
    assert!((116..=120).contains(&found.rows[0].name.as_str().len()));
}

#[test]
fn a_profile_without_gpu_work_is_an_error() {
    assert_eq!(refused(|it| it["stages"][0]["kernels"] = json!([])), "stages");
    assert_eq!(refused(|it| it["stages"] = json!([])), "stages");
    assert_eq!(
        refused(|it| {
            for key in ["kernels", "overlap", "fuse"] {
                it["stages"][0][key] = json!([]);
            }
            it["stages"][0]["total_ns"] = json!(0);
            it["stages"][0]["busy_ns"] = json!(0);
        }),
        "stages"
    );
    assert_eq!(refused(|it| it["traces"] = json!([])), "traces");
}

#[test]
fn shares_must_be_those_of_the_times() {
    let kernel = "/stages/0/kernels/0";
    let set = |path: String, to: Value| refused(move |it| *it.pointer_mut(&path).unwrap() = to);
    assert_eq!(set(format!("{kernel}/share"), json!(0.42)), "stages.decode.share");
    assert_eq!(set(format!("{kernel}/total_ns"), json!(420_000_000)), "stages.decode.share");
    assert_eq!(
        set(format!("{kernel}/total_ns"), json!(2_000_000_000_u64)),
        "stages.decode.total_ns"
    );
    assert!(set(format!("{kernel}/share"), json!(1.5)).contains("fraction"));
    assert!(set(format!("{kernel}/share"), json!(-0.1)).contains("fraction"));
    assert_eq!(set("/stages/0/busy_ns".into(), json!(1_000_000_001)), "stages.decode.busy_ns");
    assert_eq!(
        set("/stages/0/overlap/0/total_ns".into(), json!(1_000_000_001)),
        "stages.decode.total_ns"
    );
    assert_eq!(set("/stages/0/fuse/0/share".into(), json!(0.1)), "stages.decode.share");
    let kernels = vec![KernelRow::at("a", "x", 0.6, "l"), KernelRow::at("b", "x", 0.6, "l")];
    let value = profile(&ProfileParts { kernels, overlap: vec![], fuse: vec![], ..parts() });
    assert_eq!(
        ProfileFile::parse(value).unwrap_err().field.as_deref(),
        Some("stages.decode.share")
    );
}

#[test]
fn rows_are_cited_by_the_id_of_their_place() {
    for id in [
        "sglang:decode:kernel:1",
        "vllm:prefill:kernel:1",
        "vllm:decode:fuse:1",
        "vllm:decode:kernel:2",
    ] {
        let found = refused(|it| it["stages"][0]["kernels"][0]["row"] = json!(id));
        assert_eq!(found, "stages.decode.row", "{id}");
    }
    assert!(
        refused(|it| it["stages"][0]["kernels"][0]["row"] = json!("vllm:decode:kernel:0"))
            .contains("row id")
    );
    assert_eq!(
        refused(|it| it["stages"][0]["fuse"][0]["kernels"][0] = json!("vllm:decode:overlap:1")),
        "stages.decode.kernels"
    );
    assert_eq!(
        refused(|it| {
            let stage = it["stages"][0].clone();
            it["stages"].as_array_mut().unwrap().push(stage);
        }),
        "stages"
    );
}

#[test]
fn a_profile_with_an_unknown_key_is_an_error() {
    assert_eq!(refused(|it| it["surprise"] = json!(1)), "surprise");
    assert_eq!(refused(|it| it["stages"][0]["kernels"][0]["surprise"] = json!(1)), "surprise");
    assert_eq!(refused(|it| drop(it.as_object_mut().unwrap().remove("device"))), "device");
    assert!(refused(|it| it["schema"] = json!("vsota-profile/2")).contains("vsota-profile"));
}

#[test]
fn a_table_that_is_not_there_is_not_said_to_be_held() {
    let mut value = profile(&parts());
    value["stages"][0].as_object_mut().unwrap().remove("overlap");
    assert_eq!(fact(value).tables, [Table::Kernel, Table::Fuse]);
}

#[test]
fn lengths_are_confirmed_by_whole_requests_only() {
    let confirmed = |stage, tokens| {
        let value = profile(&ProfileParts { stage, tokens, ..parts() });
        let found = ProfileFile::parse(value).unwrap().profile(stage, &capture(), artifact("p"));
        found.map(|it| it.lengths_confirmed).map_err(|error| error.field)
    };
    let tokens = Err(Some("tokens".to_owned()));
    assert_eq!(confirmed(Stage::Prefill, Some((1_000, 0))), Ok(true));
    assert_eq!(confirmed(Stage::Prefill, Some((8_010, 0))), Ok(true));
    assert_eq!(confirmed(Stage::Prefill, Some((1_500, 0))), Ok(false));
    assert_eq!(confirmed(Stage::Prefill, Some((200, 0))), tokens);
    assert_eq!(confirmed(Stage::Prefill, None), Ok(false));
    assert_eq!(confirmed(Stage::Decode, Some((0, 4 * 999))), Ok(true));
    assert_eq!(confirmed(Stage::Decode, Some((0, 128))), Ok(false));
    assert_eq!(confirmed(Stage::Decode, Some((0, 0))), tokens);
    assert_eq!(confirmed(Stage::Mixed, Some((1_000, 999))), Ok(true));
    assert_eq!(confirmed(Stage::Mixed, Some((1_000, 500))), Ok(false));
    assert_eq!(confirmed(Stage::Unattributed, Some((1_000, 999))), Ok(false));
}

#[test]
fn what_was_said_when_it_was_filed_stands_in_the_file() {
    let mut value = profile(&parts());
    value["filed"] = serde_json::to_value(capture()).unwrap();
    let file = ProfileFile::read(value.to_string().as_bytes()).unwrap();
    assert_eq!(file.filed, Some(capture()));
    assert_eq!(file.stages().collect::<Vec<_>>(), [Stage::Decode]);
}

fn report() -> Value {
    let group = |layer_type: &str, layers: Vec<u32>, sum_ns| LayerGroup {
        layer_type: layer_type.into(),
        layers,
        wall_ns: sum_ns + 40_000,
        sum_ns,
    };
    layers(
        Framework::Vllm,
        (&Digest::of(b"t").to_string(), &Digest::of(b"c").to_string()),
        &[group("dense", vec![0], 300_000), group("moe", (1..24).collect(), 700_000)],
        &[(12, "fused_moe_kernel".into(), 0.62), (0, "nvjet".into(), 0.4)],
    )
}

fn stand() -> vsota_core::facts::Standpoint {
    let head = json!({"commit": "5".repeat(40), "tree": "6".repeat(40), "clean": true});
    let stand =
        json!({"head": head, "loop_dir": "loop-1", "loop_state": "active", "loop_round": 1});
    serde_json::from_value(stand).unwrap()
}

fn pipeline_error(change: impl FnOnce(&mut Value)) -> String {
    let mut value = report();
    change(&mut value);
    let error = match LayersFile::parse(value) {
        Ok(file) => file.pipeline(stand(), artifact("l")).expect_err("this was granted"),
        Err(error) => error,
    };
    error.field.unwrap_or(error.message)
}

#[test]
fn a_layer_report_becomes_a_pipeline() {
    let file = LayersFile::read(report().to_string().as_bytes()).unwrap();
    let found = file.pipeline(stand(), artifact("l")).unwrap();
    assert_eq!((found.trace, found.config), (Digest::of(b"t"), Digest::of(b"c")));
    assert_eq!((found.num_layers.get(), found.layers_per_pass, found.chosen_pass), (24, 24, 1));
    let types: Vec<_> =
        found.layer_types.iter().map(|it| (it.name.as_str(), it.layers, it.mean_sum_ns)).collect();
    assert_eq!(types, [("dense", 1, 300_000), ("moe", 23, 700_000)]);
    assert_eq!(found.hot[0].name.as_str(), "fused_moe_kernel");
    assert_eq!(found.hot[0].share.get(), 0.62);
    assert_eq!(found.representative[1].layer, 12);
    assert_eq!(found.perfetto.len(), 2);
    assert!(found.perfetto[0].start_ns < found.perfetto[0].end_ns);
    assert!(serde_json::to_string(&found).unwrap().len() < 4_096);
}

#[test]
fn a_layer_report_that_contradicts_itself_is_an_error() {
    assert_eq!(pipeline_error(|it| it["surprise"] = json!(1)), "surprise");
    assert_eq!(pipeline_error(|it| it["chosen_pass"]["index"] = json!(7)), "chosen_pass");
    assert_eq!(pipeline_error(|it| it["chosen_pass"]["reason"] = json!(" ")), "chosen_pass");
    assert_eq!(pipeline_error(|it| it["layers_per_pass"] = json!(3)), "layers");
    assert_eq!(pipeline_error(|it| it["layers_per_pass"] = json!(0)), "layers_per_pass");
    assert_eq!(pipeline_error(|it| it["layers"][1]["index"] = json!(0)), "layers");
    assert_eq!(pipeline_error(|it| it["layers"][0]["categories"]["x"] = json!(u64::MAX)), "layers");
    assert_eq!(pipeline_error(|it| it["clusters"][0]["layers"] = json!([5])), "clusters");
    assert_eq!(pipeline_error(|it| it["clusters"][0]["mean_wall_ns"] = json!(-1)), "clusters");
    assert_eq!(pipeline_error(|it| it["representative"][0]["layer"] = json!(99)), "representative");
    assert_eq!(pipeline_error(|it| it["representative"] = json!([])), "representative");
    assert_eq!(pipeline_error(|it| it["hot_kernels"][0]["layer"] = json!(99)), "hot_kernels");
    assert_eq!(
        pipeline_error(|it| it["hot_kernels"][0]["total_ns"] = json!(700_001)),
        "hot_kernels"
    );
    assert_eq!(pipeline_error(|it| it["passes"][0]["end_ns"] = json!(0)), "passes");
    assert_eq!(pipeline_error(|it| it["perfetto"][0]["end_s"] = json!(0.0)), "perfetto");
    assert_eq!(pipeline_error(|it| it["perfetto"][0]["end_s"] = json!(1e300)), "perfetto");
    assert!(pipeline_error(|it| it["config"]["num_layers"] = json!(0)).contains("nonzero"));
}

fn file() -> Value {
    json!({
        "schema": "vsota-workload/1", "kind": "random", "dataset_path": null,
        "endpoint": "/v1/completions", "sampling": {"temperature": 0.0, "seed": 7, "stop": null},
        "sla": {"max_p50_ttft_ms": 400, "max_p99_tpot_ms": null, "min_success_rate": 1.0},
        "scenarios": [{
            "name": "chat", "input_len": 1000, "output_len": 1000, "num_prompts": 80,
            "request_rate": "inf", "max_concurrency": null, "burstiness": 1.0,
            "objective": "request_throughput",
        }, {"name": "short", "input_len": 10, "output_len": 5, "num_prompts": 4, "request_rate": 2.5}],
    })
}

#[test]
fn a_workload_file_becomes_inputs() {
    let inputs = workload(file()).unwrap();
    let keys: Vec<String> = inputs.iter().map(Input::key).collect();
    assert_eq!(
        keys,
        [
            "workload",
            "endpoint",
            "sampling.seed",
            "sampling.temperature",
            "sla.max_p50_ttft_ms",
            "sla.min_success_rate"
        ]
    );
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    let Input::Workload(found) = &inputs[0] else { panic!("{inputs:?}") };
    assert_eq!(found.scenarios.len(), 2);
    assert_eq!(found.scenarios[0].request_rate, Rate::Unbounded);
    assert!(matches!(&inputs[3], Input::Sampling { value, .. } if value.as_str() == "0"));
}

#[test]
fn a_workload_file_with_a_wrong_value_names_it() {
    let refused = |change: fn(&mut Value)| {
        let mut value = file();
        change(&mut value);
        let error = workload(value).expect_err("this was read");
        error.field.unwrap_or(error.message)
    };
    assert_eq!(refused(|it| it["surprise"] = json!(1)), "surprise");
    assert_eq!(refused(|it| it["scenarios"] = json!([])), "scenarios");
    assert_eq!(refused(|it| it["scenarios"][1]["name"] = json!("chat")), "scenarios");
    assert_eq!(refused(|it| it["scenarios"][1]["num_prompts"] = json!(0)), "scenarios");
    assert_eq!(refused(|it| it["scenarios"][1]["max_concurrency"] = json!(0)), "scenarios");
    assert_eq!(refused(|it| it["scenarios"][1]["surprise"] = json!(0)), "surprise");
    assert!(
        refused(|it| it["scenarios"][1]["request_rate"] = json!(0)).contains("not a measurement")
    );
    assert_eq!(refused(|it| it["sla"]["max_p50_ttft_ms"] = json!(0)), "sla.max_p50_ttft_ms");
    assert_eq!(refused(|it| it["sla"]["max_p42_ttft_ms"] = json!(5)), "sla.max_p42_ttft_ms");
    assert_eq!(refused(|it| it["sla"]["min_success_rate"] = json!(1.5)), "sla.min_success_rate");
    assert_eq!(refused(|it| it["sampling"]["a b"] = json!(1)), "sampling.a b");
    assert_eq!(refused(|it| it["sampling"]["stop"] = json!([])), "sampling.stop");
    assert!(refused(|it| it["schema"] = json!("vsota-workload/2")).contains("vsota-workload"));
}
