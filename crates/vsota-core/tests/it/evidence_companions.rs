//! The companion's cookbook, where a checkout of its repository is there: every file loads, and its own
//! script, run beside ours, says the same of commands and candidates.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};
use vsota_core::evidence::command_line::split;
use vsota_core::evidence::search::{Candidate, Known, Plan};
use vsota_core::facts::Framework;
use vsota_core::text::Line;

/// The companion's skill in the checkout that `VSOTA_COMPANIONS` names.
fn skill() -> Option<PathBuf> {
    let Some(root) = std::env::var_os("VSOTA_COMPANIONS").map(PathBuf::from) else {
        println!("skipped: VSOTA_COMPANIONS names no checkout of the companion's repository");
        return None;
    };
    let skill = root.join("skills/llm-serving-auto-benchmark");
    if skill.is_dir() {
        return Some(skill);
    }
    println!("skipped: no skill at {}", skill.display());
    None
}

fn cookbook(skill: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(skill.join("configs/cookbook-llm")).unwrap();
    let files = folder.map(|it| it.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|it| it.extension().is_some_and(|it| it == "yaml")).collect();
    files.sort();
    assert!(files.len() >= 39, "{} files", files.len());
    files
}

fn plan(path: &Path) -> Plan {
    let text = fs::read_to_string(path).unwrap();
    Plan::read(&text, &Known::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn python(skill: &Path, args: &[&str]) -> Option<String> {
    let command = Command::new("python3").current_dir(skill).args(args).output();
    match command {
        Ok(output) if output.status.success() => Some(String::from_utf8(output.stdout).unwrap()),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: python3 cannot be run: {error}");
            None
        }
    }
}

/// Every key as a flag, in the order of the keys, as Python takes values for equal.
fn flags(candidate: &Candidate) -> Value {
    Value::Object(
        candidate.flags.iter().map(|it| (it.name.clone(), it.value.clone())).collect::<Map<_, _>>(),
    )
}

#[test]
fn every_file_of_the_cookbook_loads() {
    let Some(skill) = skill() else { return };
    let mut files = cookbook(&skill);
    files.push(skill.join("references/example-plan.yaml"));
    for path in files {
        let plan = plan(&path);
        assert_eq!(plan.searches.len(), 3, "{}", path.display());
        assert!(plan.searches.iter().all(|it| it.skipped.is_empty()));
        assert_eq!(plan.unsupported[0].name.as_str(), "tokenspeed");
        assert_eq!(plan.scenarios().len(), 6);
        for candidate in plan.searches.iter().flat_map(|it| &it.candidates) {
            plan.launch(candidate, None, None).unwrap();
        }
    }
}

#[test]
fn baselines_are_those_of_the_companions_script() {
    let Some(skill) = skill() else { return };
    let args = ["scripts/validate_cookbook_configs.py", "--print-commands", "configs/cookbook-llm"];
    let Some(printed) = python(&skill, &args) else { return };
    let lines: Vec<&str> = printed.lines().collect();
    let mut compared = 0;
    for pair in lines.chunks(2) {
        let (file, framework) = pair[0].strip_prefix("# ").unwrap().split_once(' ').unwrap();
        let Ok(framework) = framework.parse::<Framework>() else { continue };
        let plan = plan(&skill.join("configs/cookbook-llm").join(file));
        let ours = &plan.search(framework).unwrap().candidates[0].server_command;
        let ours: Vec<&str> = ours.iter().map(Line::as_str).collect();
        assert_eq!(ours, split(pair[1]).unwrap(), "{file} {framework}");
        compared += 1;
    }
    println!("{compared} baseline commands are equal");
    assert!(compared >= 3 * 39, "{compared}");
}

#[test]
fn candidates_are_those_of_the_companions_script() {
    let Some(skill) = skill() else { return };
    let script = "import json, sys; sys.path.insert(0, 'scripts')
import validate_cookbook_configs as v
for path in v.iter_config_files([v.Path('configs/cookbook-llm')]):
    c = v.load_yaml(path)
    for f in ('vllm', 'sglang', 'tensorrt_llm'):
        s = c['frameworks'][f]
        made = v._candidate_dicts(s['base_server_flags'], s['search_space'], c['search']['max_candidates_per_framework'])
        print(json.dumps([str(path), f, made, [v._command_tokens(f, c, it) for it in made]]))";
    let Some(printed) = python(&skill, &["-c", script]) else { return };
    let mut compared = 0;
    for line in printed.lines() {
        let said: Value = serde_json::from_str(line).unwrap();
        let path = skill.join(said[0].as_str().unwrap());
        let framework: Framework = said[1].as_str().unwrap().parse().unwrap();
        let plan = plan(&path);
        let ours = &plan.search(framework).unwrap().candidates;
        let made: Vec<Value> = ours.iter().map(flags).collect();
        assert_eq!(Value::Array(made), said[2], "{} {framework}", path.display());
        let words = |it: &Candidate| -> Value {
            it.server_command.iter().map(Line::as_str).collect::<Vec<_>>().into()
        };
        let words: Vec<Value> = ours.iter().map(words).collect();
        assert_eq!(Value::Array(words), said[3], "{} {framework}", path.display());
        compared += ours.len();
    }
    println!("{compared} candidates are equal");
    assert!(compared >= 700, "{compared}");
}
