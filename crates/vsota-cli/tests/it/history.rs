//! The PR history is looked up natively (HI-1, HI-2).

use std::fs;

use camino::Utf8PathBuf;
use serde_json::Value;

use crate::world::{World, json, vsota};

/// A knowledge root with a page of each slug.
fn root(world: &World, slugs: &[&str]) -> Utf8PathBuf {
    let root = world.root.join("knowledge");
    for slug in slugs {
        let page = root.join("vllm").join(slug).join("README.en.md");
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        let text = format!(
            "# vllm {slug} Model PR Optimization History\n\n### PR #7 - [Perf] {slug} faster\n\n\
             - Status/date: merged / 2026-01-02\n- Code diff details:\n  - `vllm/a.py` added; symbols: F\n"
        );
        fs::write(page.with_file_name("README.zh.md"), "# another language\n").unwrap();
        fs::write(page, text).unwrap();
    }
    root
}

fn query(root: &Utf8PathBuf, model: &str) -> Value {
    let ended = vsota()
        .args(["--json", "history", "query", model, "--framework", "vllm", "--root", root.as_str()])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    json(&ended.stdout)["frameworks"][0].clone()
}

#[test]
fn the_right_family_is_read_and_the_near_ones_are_named() {
    let world = World::empty();
    let root = root(&world, &["deepseek-v3-r1", "deepseek-v32", "qwen3-core"]);
    let found = query(&root, "deepseek-ai/DeepSeek-V3");
    assert_eq!(found["slug"], "deepseek-v3-r1");
    assert_eq!(found["passed"][0]["reason"], "it is of v32, not v3");
    let page = &found["pages"][0];
    assert_eq!(page["path"], "vllm/deepseek-v3-r1/README.en.md");
    assert_eq!(page["pull_requests"][0]["number"], 7);
    assert_eq!(found["pages"].as_array().unwrap().len(), 1);
}

#[test]
fn an_unknown_family_is_none_and_never_a_random_hit() {
    let world = World::empty();
    let found = query(&root(&world, &["deepseek-v32"]), "totally-unknown");
    assert_eq!((&found["slug"], found["pages"].as_array().unwrap().len()), (&Value::Null, 0));
}

#[test]
fn without_a_root_the_blocker_is_what_helps() {
    let world = World::empty();
    let ended = vsota()
        .args(["--json", "history", "query", "m", "--root", world.root.as_str()])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(4));
    let message = json(&ended.stdout)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("vsota history block --reason"), "{message}");
}

#[test]
fn an_installed_skill_is_found() {
    let world = World::empty();
    let knowledge = root(&world, &["qwen3-core"]);
    let skills = world.root.join("home/.claude/plugins/cache/m/p/1.2/skills");
    fs::create_dir_all(&skills).unwrap();
    fs::rename(knowledge, skills.join("model-pr-history-knowledge")).unwrap();
    let ended = vsota()
        .env("HOME", world.root.join("home"))
        .env("CLAUDECODE", "1")
        .args(["--json", "history", "query", "Qwen/Qwen3-8B"])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let answer = json(&ended.stdout);
    assert!(answer["root"].as_str().unwrap().ends_with("1.2/skills/model-pr-history-knowledge"));
    assert_eq!(answer["frameworks"][0]["slug"], "qwen3-core");
    assert_eq!(answer["frameworks"][1]["slug"], Value::Null);
}

#[test]
fn what_can_be_read_is_not_blocked() {
    let world = World::empty();
    let root = root(&world, &["qwen3-core"]);
    let skill = world.root.join("bench/SKILL.md");
    fs::create_dir_all(skill.parent().unwrap()).unwrap();
    fs::write(&skill, "---\nname: llm-serving-auto-benchmark\n---\n").unwrap();
    let ask = |knowledge: &str, bench: &str, args: &[&str]| {
        let run = world.root.join("campaign");
        let ended = vsota()
            .args(["-C", run.as_str()])
            .args(args)
            .env("VSOTA_HISTORY_ROOT", knowledge)
            .env("VSOTA_LLM_SERVING_AUTO_BENCHMARK", bench)
            .output()
            .unwrap();
        (ended.status.code().unwrap(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    let bench = skill.parent().unwrap().as_str();
    let given = [
        "init",
        "model=Qwen/Qwen3-8B",
        "gpu_model=a",
        "gpu_count=1",
        "precision=bfloat16",
        "quantization=none",
        "frameworks=vllm,sglang",
        "vllm_checkout=/src/vllm",
    ];
    let (exit, told) = ask(root.as_str(), bench, &given);
    assert_eq!(exit, 0, "{told}");
    let block =
        ["history", "block", "--framework", "vllm", "--tried", "/nope", "--reason", "not there"];
    let (exit, told) = ask(root.as_str(), bench, &block);
    assert_eq!((exit, told.contains("HI-5") && told.contains("qwen3-core")), (3, true), "{told}");
    let note = ["companion", "note", "llm-serving-auto-benchmark", "--blocked", "not there"];
    let (exit, told) = ask(root.as_str(), bench, &note);
    assert_eq!((exit, told.contains("RT-4") && told.contains(skill.as_str())), (3, true), "{told}");
    assert_eq!(ask("/nowhere", "/nowhere", &block).0, 0);
    assert_eq!(ask("/nowhere", "/nowhere", &note).0, 0);
}
