//! Bad input at the gate of the fixed benchmark, by the numbers of the catalogue.

use serde_json::{Value, json};
use vsota_core::facts::{Framework, Metric, Status};
use vsota_fixtures::builders::{
    MODEL, RecordParts, RunNumbers, benchmark_command, run_record, server_command, trtllm_bench,
    vllm_bench,
};
use vsota_fixtures::model::{BASELINE, Run, freeze, git, line, measured, name};

use crate::late::{Ended, Stage};
use crate::world::vsota;

const LENGTHS: (u64, u64) = (1_000, 1_000);

/// A row of `chat` as its tools would write it, with one thing changed.
struct Row {
    framework: Framework,
    numbers: RunNumbers,
    log: &'static str,
    id: &'static str,
    command: Vec<String>,
    smoke: bool,
    said: &'static str,
}

impl Row {
    fn of(framework: Framework) -> Self {
        let numbers = RunNumbers::plausible(MODEL, LENGTHS, 9.0, 1_795_507_650_000);
        let command = server_command(framework, MODEL, 16_384);
        let (log, id, said) = ("one.log", "one", "launch one");
        Self { framework, numbers, log, id, command, smoke: false, said }
    }

    /// Writes result, log and record; gives the record.
    fn write(&self, stage: &Stage, raw: &str) -> Value {
        let text = match self.framework {
            Framework::TensorrtLlm => trtllm_bench(&self.numbers),
            _ => vllm_bench(&self.numbers),
        };
        stage.file(raw, text);
        stage.file(self.log, self.said);
        let lasted = self.numbers.duration() * 1_000.0;
        run_record(&RecordParts {
            framework: self.framework,
            framework_version: Some("0.0.1".into()),
            candidate_id: Some(self.id.to_owned()),
            scenario: "chat".to_owned(),
            build: None,
            tree: Some(git(BASELINE).to_string()).filter(|_| self.framework == Framework::Vllm),
            server_command: self.command.clone(),
            benchmark_command: benchmark_command(self.framework, &self.numbers, raw),
            log: Some(self.log.to_owned()),
            started_at: self.numbers.ended_at - lasted as i64,
            ended_at: self.numbers.ended_at,
            status: Status::Ok,
            failure_reason: None,
            result: Some((raw.to_owned(), 1)),
            smoke: self.smoke,
        })
    }

    fn ingested(&self) -> Ended {
        let stage = Stage::at(Run::with_history());
        let record = self.write(&stage, "raw.json");
        let file = stage.json_file("run.json", &record);
        stage.run(&["bench", "ingest", &file])
    }
}

fn clauses(ended: &Ended) -> Vec<&str> {
    let reasons = ended.json["refused"].as_array().unwrap_or_else(|| panic!("{}", ended.text));
    reasons.iter().map(|it| it["clause"].as_str().unwrap()).collect()
}

/// The freeze of a campaign that stands where the model stands.
fn frozen(model: Run) -> Ended {
    let asked = freeze();
    let (tree, commit) = (asked.tree.to_string(), asked.commit.to_string());
    Stage::at(model).run(&["bench", "freeze", "--tree", &tree, "--commit", &commit])
}

#[test]
fn an_honest_row_is_filed() {
    for framework in [Framework::Vllm, Framework::TensorrtLlm] {
        let ended = Row::of(framework).ingested();
        assert_eq!(ended.exit, 0, "{}", ended.text);
    }
}

#[test]
fn case_43_eight_prompts_count_only_as_a_flow_check() {
    let mut row = Row::of(Framework::Vllm);
    (row.numbers.num_prompts, row.numbers.request_throughput) = (8, 0.9);
    let ended = row.ingested();
    assert_eq!(ended.exit, 4, "{}", ended.text);
    let message = ended.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("FB-4") && message.contains("8 requests"), "{message}");
    row.smoke = true;
    assert_eq!(row.ingested().exit, 0);
}

#[test]
fn case_44_the_lengths_of_summarization_are_not_those_of_chat() {
    let mut row = Row::of(Framework::Vllm);
    row.numbers.input_len = 8_000;
    let ended = row.ingested();
    assert_eq!(ended.exit, 4, "{}", ended.text);
    assert!(ended.json["error"]["message"].as_str().unwrap().contains("8000 tokens, not 1000"));

    let stage = Stage::at(Run::open());
    let scenario = |name: &str, input: u32| json!({"name": name, "input_len": input, "output_len": 1000, "num_prompts": 80});
    for (chat, summarization, exit) in [(8_000, 1_000, 4), (1_000, 8_000, 0), (32, 64, 0)] {
        let scenarios = [scenario("chat", chat), scenario("summarization", summarization)];
        let file = json!({"schema": "vsota-workload/1", "kind": "random", "scenarios": scenarios});
        let pair = format!("workload={}", stage.json_file("workload.json", &file));
        assert_eq!(stage.run(&["inputs", "set", &pair]).exit, exit, "{chat} {summarization}");
    }
}

/// The companion's cookbook file, as far as a campaign reads it.
fn cookbook(change: impl FnOnce(&mut Value)) -> Value {
    let mut file = json!({
        "schema_version": 1,
        "model": {"name": MODEL},
        "dataset": {"kind": "random", "num_prompts": 80, "scenario_names": ["chat", "summarization"],
                    "input_len": [1000, 8000], "output_len": [1000, 1000]},
        "benchmark": {"endpoint": "/v1/completions", "max_concurrency": [null, 4],
                      "extra_request_body": {"temperature": 0.0},
                      "sla": {"max_p50_ttft_ms": 1500, "min_success_rate": 0.99}},
        "search": {"max_candidates_per_framework": 4},
        "frameworks": {
            "vllm": {"base_server_flags": {"max_model_len": 12_288},
                     "search_space": {"max_num_seqs": [32, 64, 128]}},
            "sglang": {"base_server_flags": {"tp_size": 1}, "search_space": {"ep_size": [1]}},
            "tensorrt_llm": {"base_server_flags": {"backend": "pytorch"}, "search_space": {}},
        },
    });
    change(&mut file);
    file
}

#[test]
fn case_45_lengths_are_pairs_and_no_product() {
    let stage = Stage::at(Run::open());
    let set = |file: &Value| {
        let pair = format!("workload={}", stage.json_file("plan.yaml", file));
        stage.run(&["inputs", "set", &pair])
    };
    let ended = set(&cookbook(|it| it["dataset"]["output_len"] = json!([1000, 200, 8000])));
    assert_eq!(ended.exit, 4);
    assert!(ended.json["error"]["message"].as_str().unwrap().contains("FB-4"), "{}", ended.text);
    let ended = set(&cookbook(|_| {}));
    assert_eq!(ended.exit, 0, "{}", ended.text);
    let said = stage.said().to_string();
    for name in ["chat", "chat@c4", "summarization", "summarization@c4"] {
        assert!(said.contains(&format!("\"name\":\"{name}\"")), "{name}: {said}");
    }
    assert!(said.contains("max_p50") || said.contains("p50_ttft_ms"), "{said}");
}

#[test]
fn a_plan_declares_its_candidates_when_it_says_what_was_recorded() {
    let told = |file: &Value| {
        let stage = Stage::at(Run::with_history());
        let path = stage.json_file("plan.yaml", file);
        stage.run(&["bench", "plan", &path])
    };
    let same = |it: &mut Value| {
        it["benchmark"]["max_concurrency"] = Value::Null;
        it["benchmark"]["sla"] = json!({"max_p50_ttft_ms": 2000, "min_success_rate": 1.0});
    };
    let ended = told(&cookbook(same));
    assert_eq!(ended.exit, 0, "{}", ended.text);
    let vllm = &ended.json["frameworks"]["vllm"]["candidates"];
    assert_eq!(vllm.as_array().unwrap().len(), 4);
    assert_eq!(
        vllm[0]["server_command"],
        json!(["vllm", "serve", MODEL, "--max-model-len", "12288"])
    );
    assert_eq!(vllm[3]["server_command"][6], "128");

    let ended = told(&cookbook(|_| {}));
    assert_eq!((ended.exit, clauses(&ended)[0]), (3, "FB-14"), "{}", ended.text);
    let ended = told(&cookbook(|it| {
        same(it);
        it["frameworks"]["tensorrt_llm"]["search_space"]["backend"] = json!(["tensorrt"]);
    }));
    assert_eq!(ended.exit, 0, "{}", ended.text);
    let trtllm = &ended.json["frameworks"]["tensorrt_llm"];
    assert_eq!(trtllm["candidates"].as_array().unwrap().len(), 1);
    assert_eq!(trtllm["skipped"][0]["id"], "tensorrt_llm-1");
    assert!(trtllm["skipped"][0]["reason"].as_str().unwrap().starts_with("FB-6"));
}

#[test]
fn a_plan_shows_everything_that_it_comes_to_and_keeps_what_is_skipped() {
    let stage = Stage::at(Run::with_history());
    let mut file = cookbook(|it| {
        it["benchmark"]["max_concurrency"] = Value::Null;
        it["benchmark"]["sla"] = json!({"max_p50_ttft_ms": 2000, "min_success_rate": 1.0});
        it["frameworks"]["tensorrt_llm"]["base_server_flags"]["backend"] = json!("trt");
        it["frameworks"]["tokenspeed"] = json!({"enabled": true, "whatever": 1});
    });
    let ended = stage.run(&["bench", "plan", &stage.json_file("plan.yaml", &file)]);
    assert_eq!(ended.exit, 0, "{}", ended.text);
    let (launches, estimate) = (&ended.json["launches"], &ended.json["estimate"]);
    assert_eq!(launches.as_array().unwrap().len(), 6);
    assert_eq!(launches[0]["port"], 8_000);
    assert_eq!(
        launches[0]["runs"].as_array().unwrap().len(),
        vsota_fixtures::model::SCENARIOS.len()
    );
    assert_eq!((&estimate["launches"], &estimate["runs"]), (&json!(6), &json!(12)));
    assert!(estimate["seconds"].as_u64().unwrap() > 600);
    assert_eq!(ended.json["unsupported"][0]["name"], "tokenspeed");
    let rows = std::fs::read_to_string(stage.path("benchmark/candidates.jsonl")).unwrap();
    let rows: Vec<Value> = rows.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(rows.len(), vsota_fixtures::model::SCENARIOS.len(), "{rows:?}");
    assert!(rows.iter().all(|it| it["status"] == "skipped"));
    assert!(rows[0]["failure_reason"].as_str().unwrap().contains("trt"), "{rows:?}");
    assert!(
        std::fs::read_to_string(stage.path("benchmark/summary.md"))
            .unwrap()
            .contains("tokenspeed is not run here")
    );

    // Another model or GPU count than the campaign's is no plan for it.
    file["model"]["name"] = json!("other/model");
    let ended = stage.run(&["bench", "plan", &stage.json_file("other.yaml", &file)]);
    assert_eq!((ended.exit, clauses(&ended)), (3, vec!["FB-3"]), "{}", ended.text);

    // What the installed framework does not know is told before anything starts.
    file["model"]["name"] = json!(MODEL);
    let help = stage.file("help.txt", "usage: vllm serve\n  --max-model-len N  --max-num-seq N\n");
    assert_eq!(stage.run(&["bench", "help", "vllm", "--file", &help]).exit, 0);
    let ended = stage.run(&["bench", "plan", &stage.json_file("third.yaml", &file)]);
    assert_eq!(ended.exit, 4);
    let message = ended.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("FB-8") && message.contains("--max-num-seq"), "{message}");
}

#[test]
fn case_46_a_server_of_tensorrt_llm_without_pytorch_is_refused() {
    for change in ["", "tensorrt"] {
        let mut row = Row::of(Framework::TensorrtLlm);
        let at = row.command.iter().position(|it| it == "--backend").unwrap();
        if change.is_empty() {
            row.command.drain(at..=at + 1);
        } else {
            change.clone_into(&mut row.command[at + 1]);
        }
        let ended = row.ingested();
        assert_eq!((ended.exit, clauses(&ended)), (3, vec!["FB-6"]), "{}", ended.text);
    }
}

#[test]
fn case_47_one_launch_has_one_run_of_a_scenario() {
    let mut second = Row::of(Framework::Vllm);
    second.numbers = RunNumbers::plausible(MODEL, LENGTHS, 9.5, 1_795_507_950_000);
    for (log, said, exits) in [("one.log", "launch one", (4, 3)), ("two.log", "launch two", (0, 0))]
    {
        (second.log, second.said) = (log, said);
        // In one file the rows contradict each other.
        let stage = Stage::at(Run::with_history());
        let rows = [
            Row::of(Framework::Vllm).write(&stage, "first.json"),
            second.write(&stage, "second.json"),
        ];
        let file = stage.file("runs.jsonl", format!("{}\n{}\n", rows[0], rows[1]));
        assert_eq!(stage.run(&["bench", "ingest", &file]).exit, exits.0, "{log}");
        // One after the other, the gate refuses the second.
        let stage = Stage::at(Run::with_history());
        let first = Row::of(Framework::Vllm).write(&stage, "first.json");
        let second = second.write(&stage, "second.json");
        let first = stage.json_file("a.json", &first);
        let second = stage.json_file("b.json", &second);
        assert_eq!(stage.run(&["bench", "ingest", &first]).exit, 0);
        let ended = stage.run(&["bench", "ingest", &second]);
        assert_eq!(ended.exit, exits.1, "{log}: {}", ended.text);
        if exits.1 == 3 {
            assert_eq!(clauses(&ended), ["FB-7"]);
        }
    }
}

/// A whole search, as `change` leaves it.
fn searched(change: impl FnMut(&mut vsota_core::facts::Candidate) -> bool) -> Run {
    Run::with_history().searched(change)
}

#[test]
fn case_52_frameworks_on_different_gpus_models_or_tokenizers_are_not_frozen() {
    use vsota_core::facts::Dimension::{GpuModel, Model, ModelOverrides, Tokenizer};
    for (dimension, word) in [
        (GpuModel, "Another GPU"),
        (Model, "demo/tiny-moe-v0"),
        (ModelOverrides, "revision=0123abc"),
        (Tokenizer, "demo/coarse"),
    ] {
        let ended = frozen(searched(|it| {
            if dimension == ModelOverrides {
                it.identity.insert(dimension, line("none"));
            }
            if it.framework == Framework::Sglang {
                it.identity.insert(dimension, line(word));
            }
            true
        }));
        assert_eq!(ended.exit, 3, "{dimension}: {}", ended.text);
        assert!(clauses(&ended).iter().all(|it| *it == "FB-3"), "{dimension}: {}", ended.text);
    }
    assert_eq!(frozen(searched(|_| true)).exit, 0);
}

#[test]
fn case_55_exactly_three_percent_is_close_and_a_hair_more_is_not() {
    for (share, exit) in [(0.97, 3), (0.969_999_9, 0)] {
        let ended = frozen(searched(|it| {
            if it.framework == Framework::Vllm && it.id == name("vllm-3") {
                let base = if it.scenario == name("chat") { 10.0 } else { 4.0 };
                let metrics = &mut it.measured.as_mut().unwrap().metrics;
                metrics.insert(Metric::RequestThroughput, measured(base * share));
            }
            true
        }));
        assert_eq!(ended.exit, exit, "{share}: {}", ended.text);
    }
}

#[test]
fn case_56_a_framework_that_fails_the_sla_everywhere_is_frozen_as_failing() {
    let model = searched(|it| {
        if it.framework == Framework::Sglang {
            let ttft =
                Metric::latency(vsota_core::facts::Stat::P50, vsota_core::facts::LatencyKind::Ttft);
            it.measured.as_mut().unwrap().metrics.insert(ttft, measured(9_000.0));
        }
        true
    });
    let asked = freeze();
    let (tree, commit) = (asked.tree.to_string(), asked.commit.to_string());
    let stage = Stage::at(model);
    let table = stage.run(&["bench", "table"]);
    for scenario in table.json["scenarios"].as_array().unwrap() {
        let ranking = scenario["ranking"].to_string();
        assert!(!ranking.contains("sglang"), "{ranking}");
        assert!(scenario["rejected"].to_string().contains("FB-9"));
    }
    let ended = stage.run(&["bench", "freeze", "--tree", &tree, "--commit", &commit]);
    assert_eq!(ended.exit, 0, "{}", ended.text);
    let summary = std::fs::read_to_string(stage.path("benchmark/summary.md")).unwrap();
    assert!(summary.contains("FAIL") && !summary.contains("NaN"), "{summary}");
}

#[test]
fn case_58_a_command_that_holds_a_secret_is_not_filed() {
    // A secret is the value of a variable that is named like a credential.
    let token: String = (0..24_u8).map(|it| char::from(b'a' + (it * 7) % 26)).collect();
    let mut row = Row::of(Framework::Vllm);
    row.command.extend(["--hf-token".to_owned(), token.clone()]);
    for (known, exit) in [(token.as_str(), 8), ("something-else-entirely", 0)] {
        let stage = Stage::at(Run::with_history());
        let record = row.write(&stage, "raw.json");
        let file = stage.json_file("run.json", &record);
        let mut command = vsota();
        command.env("HF_TOKEN", known).arg("-C").arg(stage.path(""));
        let ended = command.args(["--json", "bench", "ingest", &file]).output().unwrap();
        let told = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(ended.status.code(), Some(exit), "{told}");
        assert!(!told.contains(&token));
    }
}

#[test]
fn case_59_a_baseline_is_recorded_once() {
    let ended = frozen(Run::frozen());
    assert_eq!((ended.exit, clauses(&ended)[0]), (3, "FB-1"), "{}", ended.text);
}

#[test]
fn an_edited_sla_a_dropped_competitor_and_a_mere_default_are_refused() {
    let stage = Stage::at(Run::with_rows());
    let ended = stage.run(&["inputs", "set", "sla.max_p50_ttft_ms=60000"]);
    assert_eq!((ended.exit, clauses(&ended)[0]), (3, "FB-14"), "{}", ended.text);
    let sglang = |it: &vsota_core::facts::Candidate| it.framework == Framework::Sglang;
    let dropped = frozen(searched(|it| !sglang(it)));
    assert_eq!((dropped.exit, clauses(&dropped)[0]), (3, "FB-2"), "{}", dropped.text);
    let default = frozen(searched(|it| !sglang(it) || it.id == name("sglang-1")));
    assert_eq!((default.exit, clauses(&default)[0]), (3, "FB-2"), "{}", default.text);
}

#[test]
fn the_table_is_refused_before_its_phase_and_frozen_after_it() {
    let ended = Stage::at(Run::open()).run(&["bench", "table"]);
    assert_eq!(ended.exit, 3, "{}", ended.text);
    let help = ended.json["refused"][0]["help"].as_str().unwrap();
    assert!(help.starts_with("vsota "), "{help}");
    let open = Stage::at(Run::with_rows()).run(&["bench", "table"]);
    assert_eq!((open.exit, &open.json["frozen"]), (0, &json!(false)), "{}", open.text);
    for model in [Run::frozen(), Run::in_loop()] {
        let ended = Stage::at(model).run(&["bench", "table"]);
        assert_eq!((ended.exit, &ended.json["frozen"]), (0, &json!(true)), "{}", ended.text);
        let chat = &ended.json["scenarios"][0];
        assert_eq!(chat["ranking"], json!(["sglang-4", "tensorrt_llm-4", "vllm-4"]));
        assert_eq!(chat["winner"], "sglang-4");
    }
}

#[test]
fn what_keeps_a_row_from_ranking_is_mended_by_another_row() {
    let stage = Stage::at(searched(|it| {
        it.served = it.framework != Framework::Sglang;
        true
    }));
    let asked = freeze();
    let (tree, commit) = (asked.tree.to_string(), asked.commit.to_string());
    let ended = stage.run(&["bench", "freeze", "--tree", &tree, "--commit", &commit]);
    let reasons = ended.json["refused"].as_array().unwrap();
    assert!(reasons.iter().any(|it| it["clause"] == "FB-12"), "{}", ended.text);
    assert!(reasons.iter().all(|it| it["help"] == "vsota bench ingest FILE"), "{}", ended.text);
}

#[test]
fn a_file_of_settings_is_filed_and_read_and_unknown_without_it() {
    let filed = |settings: Option<&str>| {
        let mut row = Row::of(Framework::Vllm);
        row.command.extend(["--config", "serve.yaml"].map(str::to_owned));
        let stage = Stage::at(Run::with_history());
        let mut record = row.write(&stage, "raw.json");
        if let Some(text) = settings {
            stage.file("serve.yaml", text);
            record["settings"] = "serve.yaml".into();
        }
        let file = stage.json_file("run.json", &record);
        let ended = stage.run(&["bench", "ingest", &file]);
        (stage, ended)
    };
    let (stage, ended) = filed(None);
    assert_eq!(ended.exit, 0, "{}", ended.text);
    let said = stage.said();
    assert_eq!((&said["identity"]["speculation"], &said["settings"]), (&Value::Null, &Value::Null));
    let text = "speculative-config: {method: ngram}\nmax-num-seqs: 64\n";
    let (stage, ended) = filed(Some(text));
    assert_eq!(ended.exit, 0, "{}", ended.text);
    let said = stage.said();
    assert_eq!(said["identity"]["speculation"], "on");
    assert_eq!(said["identity"]["quantization"], "none");
    assert_eq!(stage.holds(&said["settings"]), text.as_bytes());
    let facts = stage.run(&["verify"]).json["checks"].to_string();
    assert!(!facts.contains("tell another fact"), "{facts}");
    for (wrong, line) in [("- a\n- b\n", None), ("a: [\n", Some(2))] {
        let (_, ended) = filed(Some(wrong));
        assert_eq!((ended.exit, &ended.json["error"]["kind"]), (4, &json!("bad-evidence")));
        if line.is_some() {
            assert!(ended.json["error"]["file"].as_str().unwrap().ends_with("serve.yaml"));
        }
    }
}

#[test]
fn an_exclusion_shows_a_failure() {
    let stage = Stage::at(Run::with_history());
    let exclude = |name: &str, text: &str, reason: &str| {
        let file = stage.file(name, text);
        let told = ["bench", "exclude", "tensorrt_llm", "--unsupported", &file, "--reason", reason];
        stage.run(&told)
    };
    let help = "usage: trtllm-serve serve [--backend {pytorch}]\n";
    let up = "INFO engine ready\nINFO Uvicorn running on http://0.0.0.0:30000\n";
    for (text, reason, found) in [
        ("", "it cannot run", "empty"),
        (up, "it cannot run", "came up"),
        ("lorem ipsum\n", "it cannot run", "no failure"),
        (help, "it has no `pytorch` backend", "the help has pytorch"),
    ] {
        let ended = exclude("bad.log", text, reason);
        assert_eq!(ended.exit, 4, "{}", ended.text);
        assert!(ended.json["error"]["message"].as_str().unwrap().contains(found), "{}", ended.text);
    }
    let ended = exclude("good.log", help, "it has no `autodeploy` backend");
    assert_eq!(ended.exit, 0, "{}", ended.text);
}

#[test]
fn a_stop_on_words_says_that_they_are_words() {
    let stage = Stage::at(Run::with_history());
    let because = "the weights are for another machine";
    let stop =
        |file: &str| stage.run(&["stop", "external", "--because", because, "--evidence", file]);
    assert_eq!(stop(&stage.file("empty.txt", "")).exit, 4);
    assert_eq!(stop(&stage.file("up.log", "INFO: Application startup complete.\n")).exit, 4);
    let ended = stop(&stage.file("words.txt", "lorem ipsum\n"));
    assert_eq!(ended.exit, 0, "{}", ended.text);
    let report = std::fs::read_to_string(stage.path("final_report.md")).unwrap();
    assert!(report.contains("The evidence is prose"), "{report}");

    let stage = Stage::at(Run::with_history());
    let log = stage.file("load.log", "ValueError: unknown checkpoint format\n");
    let ended = stage.run(&["stop", "external", "--because", because, "--evidence", &log]);
    assert_eq!(ended.exit, 0, "{}", ended.text);
    assert!(stage.said().to_string().contains("unknown checkpoint format"));
    let report = std::fs::read_to_string(stage.path("final_report.md")).unwrap();
    assert!(report.contains("The evidence shows a failure"), "{report}");
}

#[test]
fn what_a_mock_server_logged_is_no_row_of_a_campaign() {
    let row = Row { said: "mock server, process 7\n$ vllm serve x\n", ..Row::of(Framework::Vllm) };
    let stage = Stage::at(Run::with_history().in_earnest());
    let record = row.write(&stage, "raw.json");
    let file = stage.json_file("run.json", &record);
    let ended = stage.run(&["bench", "ingest", &file]);
    assert_eq!((ended.exit, clauses(&ended)), (3, vec!["FB-5"]), "{}", ended.text);
    let honest = Row { said: "launch one", ..row };
    let file = stage.json_file("run.json", &honest.write(&stage, "raw.json"));
    let ended = stage.run(&["bench", "ingest", &file]);
    assert_eq!(ended.exit, 0, "{}", ended.text);
}
