//! `bench rank`: what wins, what is turned down and why, and the exit.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vsota_core::facts::Framework;
use vsota_fixtures::cheats::honest;
use vsota_fixtures::samples;

use crate::world::{World, json as parsed, vsota};

/// Ranks files, and gives the exit and the answer.
fn rank(files: &[&Path], more: &[&str]) -> (i32, Value) {
    let ended = vsota().args(["--json", "bench", "rank"]).args(files).args(more).output().unwrap();
    (ended.status.code().unwrap(), parsed(&ended.stdout))
}

fn written(world: &World, name: &str, rows: &[Value]) -> PathBuf {
    let path = world.root.join(name);
    let text: String = rows.iter().map(|it| format!("{it}\n")).collect();
    fs::write(&path, text).unwrap();
    path.into()
}

fn scenario<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let all = answer["scenarios"].as_array().unwrap();
    all.iter().find(|it| it["scenario"] == name).unwrap_or_else(|| panic!("no {name}: {answer}"))
}

/// The clauses against a row, each with what was found.
fn against(scenario: &Value, id: &str) -> Vec<(String, String)> {
    let rejected = scenario["rejected"].as_array().unwrap();
    let of_it = rejected.iter().filter(|it| it["candidate_id"] == id);
    let reasons = of_it.flat_map(|it| it["reasons"].as_array().unwrap());
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    reasons.map(|it| (text(it, "clause"), text(it, "found"))).collect()
}

/// The cheat of the samples and the honest row, as somebody else might write them.
fn cheat_and_honest() -> [Value; 2] {
    let cheat = json!({
        "framework": "vllm", "candidate_id": "cheat", "model": "demo/smaller", "status": "ok",
        "hardware": {"gpu_count": 4},
        "workload": {"scenario": "chat", "num_prompts": 4, "input_len": 16, "output_len": 4},
        "sla": {"max_p50_ttft_ms": 200, "passed": true},
        "metrics": {"request_throughput": 500, "output_token_throughput": 2_000, "p50_ttft_ms": 900},
        "normalization": {"same_model_weights": false},
    });
    let honest = json!({
        "framework": "sglang", "candidate_id": "honest", "model": "demo/tiny-moe", "status": "ok",
        "hardware": {"gpu_count": 1},
        "workload": {"scenario": "chat", "num_prompts": 80, "input_len": 1000, "output_len": 1000},
        "sla": {"max_p50_ttft_ms": 200, "passed": true},
        "metrics": {"request_throughput": 9, "output_token_throughput": 9_000, "p50_ttft_ms": 90},
    });
    [cheat, honest]
}

fn the_cheat_loses(file: &Path) {
    let (exit, answer) = rank(&[file], &[]);
    assert_eq!(exit, 0, "{answer}");
    let chat = scenario(&answer, "chat");
    assert_eq!((&chat["winner"], &chat["ranking"]), (&json!("honest"), &json!(["honest"])));
    let found = against(chat, "cheat");
    for (clause, word) in [
        ("FB-4", "requests"),
        ("FB-4", "input length"),
        ("FB-4", "output length"),
        ("FB-9", "p50_ttft_ms"),
        ("FB-3", "model is"),
        ("FB-3", "gpu_count is"),
        ("FB-3", "same_model_weights"),
    ] {
        let named = |(it, said): &(String, String)| it == clause && said.contains(word);
        assert!(found.iter().any(named), "{clause} {word}: {found:?}");
    }
    let unknown = &chat["unknown"][0];
    assert_eq!(unknown["candidate_id"], "honest");
    let dimensions = unknown["dimensions"].as_array().unwrap();
    assert!(["tokenizer", "success_rate"].iter().all(|it| dimensions.contains(&json!(it))));
}

#[test]
fn a_cheat_is_turned_down_for_each_mismatch_and_the_honest_row_is_crowned() {
    let world = World::empty();
    the_cheat_loses(&written(&world, "rows.jsonl", &cheat_and_honest()));
    if let Some(file) = samples("cheat-rows.jsonl") {
        the_cheat_loses(&file);
    }
}

#[test]
fn on_clean_rows_order_and_winners_are_those_of_the_companion() {
    let Some(dir) = samples("humanize/bench") else { return };
    let (exit, answer) = rank(&[&dir.join("candidates-clean.jsonl")], &[]);
    assert_eq!(exit, 0);
    let csv = fs::read_to_string(dir.join("clean.csv")).unwrap();
    for name in ["chat", "summarization"] {
        let cells = csv.lines().map(|it| it.split(',').collect::<Vec<_>>());
        let passed = cells.filter(|it| it[1] == name && it[3] == "ok" && it[4] == "True");
        let mut companion: Vec<(String, f64)> =
            passed.map(|it| (it[2].to_owned(), it[5].parse().unwrap())).collect();
        companion.sort_by(|a, b| b.1.total_cmp(&a.1));
        let order: Vec<_> = companion.into_iter().map(|it| it.0).collect();
        assert_eq!(scenario(&answer, name)["ranking"], json!(order), "{name}");
        assert_eq!(scenario(&answer, name)["winner"], json!(order[0]));
    }
    let summary = fs::read_to_string(dir.join("summary-clean.md")).unwrap();
    for line in summary.lines().filter(|it| it.contains(" | 1 | ")) {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        assert_eq!(scenario(&answer, cells[1])["winner"], cells[4], "{line}");
    }
}

#[test]
fn no_trap_row_wins() {
    let Some(dir) = samples("humanize/bench") else { return };
    let (exit, answer) = rank(&[&dir.join("candidates.jsonl")], &[]);
    assert_eq!(exit, 0);
    for name in ["chat", "summarization"] {
        let it = scenario(&answer, name);
        assert_eq!(it["winner"], "sgl-fa3", "{it}");
        let traps = it["ranking"].as_array().unwrap().iter().filter_map(Value::as_str);
        let traps: Vec<_> = traps.filter(|it| it.starts_with("trap-")).collect();
        assert!(traps.iter().all(|it| *it == "trap-passed-string"), "{traps:?}");
    }
    // Python writes NaN: that row is no evidence, the other one is.
    let (exit, answer) = rank(&[&dir.join("nan.jsonl")], &[]);
    assert_eq!((exit, &scenario(&answer, "chat")["winner"]), (4, &json!("ok")));
    assert_eq!(answer["unreadable"][0]["line"], 1);
}

#[test]
fn where_rows_differ_nobody_wins_till_somebody_says_what_is_meant() {
    let world = World::empty();
    let mut other = honest(Framework::Sglang, "other", 12.0);
    other["hardware"]["gpu_model"] = "Another GPU".into();
    let rows = [honest(Framework::Vllm, "one", 9.0), other];
    let file = written(&world, "rows.jsonl", &rows);
    let (exit, answer) = rank(&[&file], &[]);
    let chat = scenario(&answer, "chat");
    assert_eq!((exit, &chat["winner"], &chat["ranking"]), (0, &Value::Null, &json!([])));
    for id in ["one", "other"] {
        let found = against(chat, id);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == "FB-3" && found[0].1.contains("gpu_model"), "{found:?}");
    }
    for (gpu, winner) in [("demo-gpu-80g", "one"), ("Another GPU", "other")] {
        let expect = format!("gpu_model={gpu}");
        let (_, answer) = rank(&[&file], &["--expect", &expect]);
        let chat = scenario(&answer, "chat");
        assert_eq!((&chat["winner"], &chat["ranking"]), (&json!(winner), &json!([winner])));
    }
    let (exit, answer) = rank(&[&file], &["--expect", "colour=red"]);
    assert_eq!((exit, &answer["error"]["kind"]), (2, &json!("usage")));
}

#[test]
fn repeats_count_by_their_geometric_mean_and_one_launch_has_one_run() {
    let world = World::empty();
    let launched = |req_s: f64, log: &str| {
        let mut row = honest(Framework::Vllm, "twice", req_s);
        row["artifacts"]["server_log"] = log.into();
        row
    };
    // The best single run is the first; the mean is behind.
    let rival = honest(Framework::Sglang, "rival", 9.0);
    let rows = [launched(10.0, "a.log"), launched(8.0, "b.log"), rival.clone()];
    let (exit, answer) = rank(&[&written(&world, "rows.jsonl", &rows)], &[]);
    assert_eq!(exit, 0);
    assert_eq!(scenario(&answer, "chat")["ranking"], json!(["rival", "twice"]));

    // Case 47: of one launch, two rows with different numbers are no evidence.
    let rows = [launched(10.0, "a.log"), launched(8.0, "a.log"), rival.clone()];
    let (exit, answer) = rank(&[&written(&world, "warm.jsonl", &rows)], &[]);
    assert_eq!(exit, 4);
    assert_eq!(scenario(&answer, "chat")["ranking"], json!(["rival"]));
    assert_eq!(answer["unreadable"].as_array().unwrap().len(), 2, "{answer}");

    // The same row twice is one run.
    let rows = [launched(10.0, "a.log"), launched(10.0, "a.log"), rival];
    let (exit, answer) = rank(&[&written(&world, "again.jsonl", &rows)], &[]);
    let chat = scenario(&answer, "chat");
    assert_eq!((exit, &chat["ranking"]), (0, &json!(["twice", "rival"])));
    assert_eq!(against(chat, "twice")[0].0, "FB-7");
}

#[test]
fn a_workload_file_says_what_is_run_and_its_limits_count() {
    let world = World::empty();
    let workload = world.root.join("workload.json");
    let short = json!({
        "schema": "vsota-workload/1", "kind": "random",
        "sla": {"max_p50_ttft_ms": 100.0, "min_success_rate": 0.9},
        "scenarios": [{"name": "short", "input_len": 32, "output_len": 8, "num_prompts": 4}],
    });
    fs::write(&workload, short.to_string()).unwrap();
    let row = |id: &str, scenario: &str, ttft: f64| {
        json!({
            "framework": "vllm", "candidate_id": id, "status": "ok",
            "workload": {"scenario": scenario, "num_prompts": 4, "input_len": 32, "output_len": 8},
            "sla": {"max_p50_ttft_ms": 9_000},
            "metrics": {"request_throughput": 3, "p50_ttft_ms": ttft, "success_rate": 1.0},
        })
    };
    let rows = [row("slow", "short", 200.0), row("fine", "short", 90.0), row("far", "chat", 90.0)];
    let file = written(&world, "rows.jsonl", &rows);
    let (exit, answer) = rank(&[&file], &["--workload", workload.as_str()]);
    assert_eq!(exit, 0);
    let it = scenario(&answer, "short");
    assert_eq!(it["ranking"], json!(["fine"]));
    assert_eq!(against(it, "slow")[0].0, "FB-9");
    assert_eq!(against(scenario(&answer, "chat"), "far")[0].0, "FB-14");
}

#[test]
fn a_row_without_a_name_takes_that_of_its_file() {
    let world = World::empty();
    let row = |req_s: f64| json!({"framework": "vllm", "status": "ok", "metrics": {"request_throughput": req_s}});
    let (exit, answer) = rank(&[&written(&world, "one.jsonl", &[row(3.0)])], &[]);
    assert_eq!((exit, &scenario(&answer, "default")["winner"]), (0, &json!("one")));
    let (_, answer) = rank(&[&written(&world, "two.jsonl", &[row(3.0), row(4.0)])], &[]);
    assert_eq!(scenario(&answer, "default")["ranking"], json!(["two:2", "two:1"]));
}

#[test]
fn a_row_that_leaves_limits_out_is_judged_by_those_that_others_state() {
    let world = World::empty();
    let silent = |id: &str, ttft: f64| {
        let mut row = honest(Framework::Sglang, id, 9.0);
        row["sla"] = Value::Null;
        row["metrics"]["p50_ttft_ms"] = ttft.into();
        row
    };
    let stating = honest(Framework::Vllm, "stating", 8.0);
    let rows = [stating.clone(), silent("slow", 5_000.0), silent("fine", 100.0)];
    let file = written(&world, "rows.jsonl", &rows);
    let (exit, answer) = rank(&[&file], &[]);
    let chat = scenario(&answer, "chat");
    assert_eq!((exit, &chat["ranking"]), (0, &json!(["fine", "stating"])));
    assert_eq!(against(chat, "slow")[0].0, "FB-9");
    let unknown = chat["unknown"].to_string();
    assert!(unknown.contains("sla.max_p50_ttft_ms"), "{unknown}");

    // A limit that one row makes up asks nobody for what he never measured.
    let mut whim = honest(Framework::Vllm, "whim", 12.0);
    whim["sla"]["max_p99_itl_ms"] = 0.5.into();
    whim["metrics"]["p99_itl_ms"] = 0.4.into();
    let rows = [whim, stating, honest(Framework::Sglang, "other", 9.0)];
    let (_, answer) = rank(&[&written(&world, "whim.jsonl", &rows)], &[]);
    let ranking = scenario(&answer, "chat")["ranking"].to_string();
    assert!(ranking.contains("other") && ranking.contains("stating"), "{answer}");

    // Nobody states any: what the caller expects is the limit, however it is spelled.
    let file = written(&world, "silent.jsonl", &[silent("slow", 5_000.0), silent("fine", 100.0)]);
    assert_eq!(scenario(&rank(&[&file], &[]).1, "chat")["ranking"].as_array().unwrap().len(), 2);
    for key in ["sla.max_p50_ttft_ms", "sla.p50_ttft_ms", "max_p50_ttft_ms", "p50_ttft_ms"] {
        let (_, answer) = rank(&[&file], &["--expect", &format!("{key}=2000.0")]);
        assert_eq!(scenario(&answer, "chat")["ranking"], json!(["fine"]), "{key}");
    }
}

#[test]
fn what_is_expected_must_be_said_and_counts_unless_the_scenario_is_fixed() {
    let world = World::empty();
    let file = written(&world, "rows.jsonl", &[honest(Framework::Vllm, "one", 9.0)]);
    for wrong in [
        "colour=red",
        "model=",
        "model= ",
        "gpu_count=many",
        "gpu_count=0",
        "num_prompts=8.5",
        "request_rate=fast",
        "max_concurrency=-1",
        "sla.max_p50_ttft_ms=soon",
        "sla.min_success_rate=2",
        "sla.max_min_success_rate=1",
        "model",
    ] {
        let (exit, answer) = rank(&[&file], &["--expect", wrong]);
        assert_eq!((exit, &answer["error"]["kind"]), (2, &json!("usage")), "{wrong}");
    }
    let expect = ["--expect", "num_prompts=40", "--expect", "gpu_count=1"];
    let (exit, answer) = rank(&[&file], &expect);
    let chat = scenario(&answer, "chat");
    assert_eq!((exit, &chat["winner"]), (0, &json!("one")));
    assert_eq!(chat["overridden"], json!(["num_prompts"]));
    let (_, answer) = rank(&[&file], &["--expect", "gpu_count=1"]);
    assert_eq!(scenario(&answer, "chat")["overridden"], Value::Null);
    // Of a scenario that nobody fixed it counts.
    let mut free = honest(Framework::Vllm, "one", 9.0);
    free["workload"]["scenario"] = "mine".into();
    let file = written(&world, "free.jsonl", &[free]);
    let (_, answer) = rank(&[&file], &expect);
    let mine = scenario(&answer, "mine");
    assert_eq!((&mine["winner"], &mine["overridden"]), (&Value::Null, &Value::Null));
    assert_eq!(against(mine, "one")[0].0, "FB-4");
}

#[test]
fn outside_the_fixed_scenarios_a_row_is_held_to_what_it_says_it_asked() {
    let world = World::empty();
    let row = |change: fn(&mut Value)| {
        let mut row = honest(Framework::Vllm, "one", 9.0);
        row["workload"]["scenario"] = "mine".into();
        change(&mut row);
        let (_, answer) = rank(&[&written(&world, "row.jsonl", &[row])], &[]);
        against(scenario(&answer, "mine"), "one")
    };
    assert_eq!(row(|_| {}), []);
    let short = row(|it| {
        it["workload"]["total_output_tokens"] = 40_000.into();
        it["metrics"]["output_token_throughput"] = 4_500.into();
    });
    assert!(short[0].0 == "FB-4" && short[0].1.contains("mean output length"), "{short:?}");
    let limited = row(|it| {
        let command = it["benchmark_command"].as_str().unwrap();
        it["benchmark_command"] = format!("{command} --request-rate 9").into();
        it["workload"]["request_rate"] = 9.into();
    });
    assert!(limited[0].0 == "GD-6" && limited[0].1.contains("9 requests"), "{limited:?}");
    let busy = row(|it| {
        let command = it["benchmark_command"].as_str().unwrap();
        it["benchmark_command"] = format!("{command} --request-rate 20").into();
        it["workload"]["request_rate"] = 20.into();
    });
    assert_eq!(busy, []);
}
