//! Plan files: what they come to, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vsota_core::evidence::command_line::{self, Identity, identify};
use vsota_core::evidence::search::{Known, LauncherKind, Part, Plan};
use vsota_core::facts::{Dimension, Framework};
use vsota_core::text::Line;

/// A plan in both shapes at once, as a person writes it.
const PLAN: &str = "\
model:
  name: org/model
  precision: auto
dataset:
  kind: random
  num_prompts: 80
  scenario_names: [chat, summarization]
  input_len: [1000, 8000]
  output_len: [1000, 1000]
benchmark:
  endpoint: /v1/completions
  max_concurrency: [null, 4]
  extra_request_body:
    temperature: 0.0
    top_p: 0.9
frameworks:
  vllm:
    base_server_flags:
      max_model_len: 12288
      enable_chunked_prefill: true
    search_space:
      max_num_seqs: [64, 128]
      enable_prefix_caching: [true, false]
  sglang:
    base_server_flags: {tp_size: 1}
    search_space: {chunked_prefill_size: [4096, 8192]}
  tensorrt_llm:
    base_server_flags: {backend: pytorch}
    search_space: {}
";

fn read(text: &str) -> Plan {
    Plan::read(text, &Known::default()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The plan with one piece replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(PLAN.contains(from), "{from}");
    PLAN.replacen(from, to, 1)
}

fn command(words: &[Line]) -> String {
    command_line::join(words.iter().map(Line::as_str))
}

fn first(plan: &Plan, framework: Framework) -> vsota_core::evidence::search::Launch {
    let candidate = &plan.search(framework).unwrap().candidates[0];
    plan.launch(candidate, None, None).unwrap()
}

#[test]
fn the_baseline_comes_first_and_the_last_key_turns_fastest() {
    let plan = read(PLAN);
    let vllm = plan.search(Framework::Vllm).unwrap();
    let commands: Vec<String> =
        vllm.candidates.iter().map(|it| command(&it.server_command)).collect();
    let base = "vllm serve org/model --max-model-len 12288 --enable-chunked-prefill";
    assert_eq!(
        commands,
        [
            base.to_string(),
            format!("{base} --max-num-seqs 64 --enable-prefix-caching"),
            format!("{base} --max-num-seqs 64 --no-enable-prefix-caching"),
            format!("{base} --max-num-seqs 128 --enable-prefix-caching"),
            format!("{base} --max-num-seqs 128 --no-enable-prefix-caching"),
        ]
    );
    assert!(vllm.whole);
    let names: Vec<_> = plan.scenarios().iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["chat", "chat@c4", "summarization", "summarization@c4"]);
    // `auto` says nothing.
    assert!(plan.identity.iter().all(|it| it.key() != "precision"));
    let capped = changed("frameworks:", "search: {max_candidates_per_framework: 2}\nframeworks:");
    let capped = read(&capped);
    let vllm = capped.search(Framework::Vllm).unwrap();
    assert_eq!((vllm.candidates.len(), vllm.whole), (2, false));
    let one = changed("frameworks:", "search: {max_candidates_per_framework: 1}\nframeworks:");
    assert_eq!(read(&one).search(Framework::Vllm).unwrap().candidates.len(), 1);
    let many = changed("[64, 128]", "[1, 2, 3, 4, 5, 6, 7, 8]");
    let many =
        many.replace("frameworks:", "search: {max_candidates_per_framework: 16}\nframeworks:");
    let many = read(&many);
    assert_eq!(many.search(Framework::Vllm).unwrap().candidates.len(), 10);
    assert!(many.notes[0].contains("FB-12"));
}

#[test]
fn every_framework_is_asked_for_the_same_thing() {
    let plan = read(PLAN);
    let scenario = plan.scenarios()[1].clone();
    let mut seen: Vec<(Framework, Identity)> = Vec::new();
    let told = BTreeMap::new();
    for framework in Framework::ALL.iter().copied() {
        let launch = first(&plan, framework);
        let run = plan.client(&launch, &scenario, Part::Measured, 0, "raw", "r.json").unwrap();
        let known = command_line::Known {
            framework,
            native: None,
            gpus: None,
            told: &told,
            settings: None,
        };
        let identity = identify(&launch.argv, &run.argv, known).unwrap();
        assert_eq!(identity.requested, Some(80), "{}", command(&run.argv));
        assert!(identity.streaming);
        assert_eq!(run.result, "raw/r.json");
        seen.push((framework, identity));
    }
    let of_the_client = [
        Dimension::Model,
        Dimension::Tokenizer,
        Dimension::Endpoint,
        Dimension::Sampling,
        Dimension::RequestRate,
        Dimension::MaxConcurrency,
        Dimension::Burstiness,
        Dimension::Streaming,
        Dimension::IgnoreEos,
        Dimension::Seed,
    ];
    for dimension in of_the_client {
        let words: BTreeSet<_> = seen.iter().map(|(_, it)| it.dimensions.get(&dimension)).collect();
        assert_eq!(words.len(), 1, "{dimension}: {words:?}");
        assert!(words.iter().all(Option::is_some), "{dimension}");
    }
    let sampling = seen[0].1.dimensions.get(&Dimension::Sampling).unwrap().as_str();
    assert_eq!(sampling, "temperature=0, top_p=0.9");
}

#[test]
fn the_client_commands_are_these() {
    let plan = read(PLAN);
    let scenario = plan.scenarios()[0].clone();
    let told: Vec<String> = Framework::ALL
        .iter()
        .map(|it| {
            let launch = first(&plan, *it);
            let run = plan.client(&launch, &scenario, Part::Measured, 0, "raw", "r.json").unwrap();
            format!("{}\n{}", command(&launch.argv), command(&run.argv))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn no_two_runs_of_a_server_share_a_prompt() {
    let plan = read(PLAN);
    let launch = first(&plan, Framework::Vllm);
    let mut seeds = BTreeSet::new();
    for scenario in plan.scenarios() {
        for part in [Part::Warmup, Part::Measured] {
            for draw in 0..100 {
                let run = plan.client(&launch, scenario, part, draw, "d", "f").unwrap();
                assert!(seeds.insert(run.seed), "{} {part:?} {draw}", scenario.name);
                assert_eq!(run.prompts, if part == Part::Warmup { 8 } else { 80 });
            }
        }
    }
}

#[test]
fn what_the_plan_says_of_a_flag_wins() {
    let flags = "benchmark_command: [mybench, serve]\n    benchmark_flags: {disable_tqdm: null, \
                 metric_percentiles: '50,99', logprobs: 3}\n    warmup_prompts: 0\n    env: {A_B: 'x'}\n    \
                 ready_seconds: 5\n    base_server_flags:\n      port: 9100\n      host: 0.0.0.0";
    let plan = read(&changed("base_server_flags:", flags));
    let launch = first(&plan, Framework::Vllm);
    assert_eq!(
        (launch.host.as_str(), launch.port, launch.ready.deadline_ms),
        ("127.0.0.1", 9100, 5_000)
    );
    assert_eq!(launch.env.len(), 1);
    assert!(!command(&launch.argv).contains("127.0.0.1"));
    let run =
        plan.client(&launch, &plan.scenarios()[0], Part::Measured, 0, "raw", "r.json").unwrap();
    let run = command(&run.argv);
    assert!(run.starts_with("mybench serve --backend openai --base-url http://127.0.0.1:9100"));
    assert!(run.contains("--metric-percentiles 50,99") && run.contains("--logprobs 3"), "{run}");
    assert!(!run.contains("tqdm"), "{run}");
    let warmup = plan.client(&launch, &plan.scenarios()[0], Part::Warmup, 0, "d", "f").unwrap();
    assert_eq!(warmup.prompts, 0);
}

#[test]
fn launchers_and_builds_are_data() {
    let ours = "launchers:\n  vllm: {kind: command, start: ssh box, stop: [ssh, box, stop], probe: ssh box}\nbuilds:\n  \
                new: {commit: abc, launch_prefix: /opt/new/bin/python -m, build_command: pip install -e .}\nframeworks:";
    let text = changed("frameworks:", ours)
        .replace("base_server_flags:\n", "env: {K: v}\n    base_server_flags:\n");
    let plan = read(&text);
    let launcher = plan.launcher(Framework::Vllm);
    assert_eq!(launcher.kind, LauncherKind::Command);
    assert_eq!(plan.launcher(Framework::Sglang).kind, LauncherKind::Local);
    let (_, build) = plan.builds.iter().next().unwrap();
    let candidate = &plan.search(Framework::Vllm).unwrap().candidates[0];
    let launch = plan.launch(candidate, Some(8_123), Some(build)).unwrap();
    let told = command(&launch.argv);
    assert!(
        told.starts_with("ssh box env K=v /opt/new/bin/python -m vllm serve org/model"),
        "{told}"
    );
    assert!(told.ends_with("--host 127.0.0.1 --port 8123"), "{told}");
    assert!(launch.env.is_empty());
    assert!(build.wants_tree(), "it is built");
}

#[test]
fn a_build_may_name_its_work_tree() {
    let ours = "builds:\n  any: {launch_prefix: 'env PATH={tree}/bin:/bin', build_command: 'make T={tree}'}\nframeworks:";
    let plan = read(&changed("frameworks:", ours));
    let (_, build) = plan.builds.iter().next().unwrap();
    assert!(build.wants_tree() && build.commit.is_none());
    let placed = build.placed("/at/it").unwrap();
    assert_eq!(command(&placed.launch_prefix), "env PATH=/at/it/bin:/bin");
    assert_eq!(command(&placed.build_command), "make T=/at/it");
    assert!(!placed.launch_prefix.is_empty() && build.placed("/a\nb").is_err());
    let elsewhere = "builds: {old: {commit: abcdefg, launch_prefix: /opt/old/run}}\nframeworks:";
    let plan = read(&changed("frameworks:", elsewhere));
    assert!(!plan.builds.values().any(|it| it.wants_tree()), "nothing is to be made");
}

#[test]
fn what_may_not_run_is_kept_with_its_reason() {
    let text = changed("search_space: {}", "search_space: {backend: [pytorch, tensorrt]}");
    let plan = read(&text.replace("  sglang:", "  lmdeploy: {anything: 1}\n  sglang:"));
    let trtllm = plan.search(Framework::TensorrtLlm).unwrap();
    assert_eq!((trtllm.candidates.len(), trtllm.skipped.len()), (1, 1));
    assert!(
        trtllm.skipped[0].reason.as_str().starts_with("FB-6: it names the server backend tensorrt")
    );
    assert_eq!(plan.unsupported[0].name.as_str(), "lmdeploy");
    let bare = read(&changed("{backend: pytorch}", "{tp_size: 1}"));
    let trtllm = bare.search(Framework::TensorrtLlm).unwrap();
    assert!(
        trtllm.candidates.is_empty()
            && trtllm.skipped[0].reason.as_str().contains("no server backend")
    );
}

#[test]
fn bad_plans_are_named_with_line_and_field() {
    let port = "base_server_flags: {backend: pytorch, port: 30000}";
    let before = |piece: &str| changed("frameworks:", &format!("{piece}\nframeworks:"));
    let lens = "output_len: [1000, 1000, 1000]";
    let in_order = |piece: &str| {
        let search = "search: {candidate_generation: ordered_list}\nframeworks:";
        changed("frameworks:", search).replacen("  vllm:\n", &format!("  vllm:\n{piece}"), 1)
    };
    // The text, a piece of the line that is named, and a piece of the message.
    for (text, on, message) in [
        (
            changed("    search_space:\n", "    serch_space:\n"),
            "serch_space",
            "known is search_space",
        ),
        (before("colour: blue"), "colour", "no plan has this key"),
        (changed("  kind: random", "  nun_prompts: 3"), "nun_prompts", "num_prompts"),
        (changed("  vllm:", "  vlm:"), "vlm", "the nearest known is vllm"),
        (changed("12288", "4096"), "4096", "FB-10: max_model_len of 4096 is shorter than 9000"),
        (
            changed("[64, 128]", "[64]\n      max_model_len: [16384, 8000]"),
            "[16384, 8000]",
            "FB-10",
        ),
        (changed("output_len: [1000, 1000]", lens), lens, "FB-4"),
        (changed("base_server_flags: {backend: pytorch}", port), port, "both listen on port 30000"),
        (before("launchers: {vllm: {kind: ssh}}"), "launchers", "known: local"),
        (before("launchers: {vllm: {kind: command}}"), "launchers", "words that start it"),
        (before("builds: {x: {comit: a}}"), "builds", "commit"),
        (before("builds: {x: {build_command: a}, y: {build_command: b}}"), "builds", "no commit"),
        (
            changed("  vllm:\n", "  vllm:\n    benchmark_flags: {num_prompts: 5}\n"),
            "benchmark_flags",
            "FB-14",
        ),
        (
            changed(
                "    search_space:\n",
                "    candidates: [{max_num_seqs: 32}]\n    search_space:\n",
            ),
            "candidates:",
            "wants search.candidate_generation: ordered_list",
        ),
        (in_order("    candidates: [fast]\n"), "candidates:", "a list of mappings"),
        (
            in_order("    candidates: [{max_model_len: 1024}]\n"),
            "candidates:",
            "FB-10: max_model_len of 1024",
        ),
        (before("sla: {max_p51_ttft_ms: 1}"), "p51", "known"),
        (before("search: {candidate_generation: random}"), "search:", "ordered_list"),
        (
            changed("name: org/model", "name: null"),
            "base_server_flags",
            "the model is named neither here",
        ),
        ("frameworks: [vllm]\n".to_string(), "frameworks", "no mapping of frameworks"),
    ] {
        let error = Plan::read(&text, &Known::default()).expect_err(message);
        assert!(error.to_string().contains(message), "{message}: {error}");
        let line = text.lines().position(|it| it.contains(on)).map(|it| it as u64 + 1);
        assert_eq!(error.line, line, "{error}\n{text}");
    }
}

#[test]
fn the_filed_help_is_asked_for_every_flag() {
    let help = "  --max-model-len N\n  --enable-chunked-prefill, --no-enable-chunked-prefill\n  --max-num-seqs N\n";
    let known =
        |help: &'static str| Known { help: [(Framework::Vllm, help)].into(), ..Known::default() };
    let error = Plan::read(PLAN, &known(help)).unwrap_err();
    assert!(error.message.contains("FB-8: --enable-prefix-caching"), "{error}");
    assert_eq!(error.line, Some(23));
    Plan::read(&changed("      enable_prefix_caching: [true, false]\n", ""), &known(help)).unwrap();
}

#[test]
fn scenarios_of_our_own_have_a_load_each() {
    let own = "scenarios:\n  - {name: chat, input_len: 1000, output_len: 1000, num_prompts: 80, request_rate: 2, \
               objective: p50_ttft_ms}\nframeworks:";
    let plan = read(&changed("frameworks:", own));
    assert_eq!(plan.scenarios().len(), 1);
    assert_eq!(plan.scenarios()[0].objective.to_string(), "p50_ttft_ms");
    let slip = own.replace("input_len", "inputlen");
    let error = Plan::read(&changed("frameworks:", &slip), &Known::default()).unwrap_err();
    assert!(error.message.contains("input_len") && error.line == Some(17), "{error}");
}

#[test]
fn a_list_of_commands_is_a_plan_too() {
    let list = |command: &[&str]| {
        json!({"schema": "vsota-search/1", "frameworks": {"tensorrt_llm": {"whole": true,
               "candidates": [{"id": "one", "server_command": command}]}}})
        .to_string()
    };
    let known = Known::default();
    let plan = Plan::read(&list(&["trtllm-serve", "m", "--backend", "pytorch"]), &known).unwrap();
    assert!(plan.searches[0].whole && plan.searches[0].candidates.len() == 1);
    let plan = Plan::read(&list(&["trtllm-serve", "m"]), &known).unwrap();
    assert_eq!(plan.searches[0].skipped.len(), 1);
    let error = Plan::read(&list(&["vllm", "serve", "m"]), &known).unwrap_err();
    assert!(error.message.contains("vllm"), "{error}");
    let slip = list(&["x"]).replace("\"id\"", "\"idd\"");
    assert!(Plan::read(&slip, &known).unwrap_err().message.contains("nearest known is id"));
    let _: Value = serde_json::from_str(&slip).unwrap();
}
