//! What `doctor` says of the roots: where, which version, what it can, and the mend.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;
use vsota_fixtures::builders::humanize::runtime;
use vsota_fixtures::model::Run;

use super::field::Field;

fn lines(field: &Field) -> (Value, Vec<Value>) {
    let ended = field.vsota(&["doctor"]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let lines = ended.json["lines"].as_array().unwrap().clone();
    for it in &lines {
        let mended = it["mend"].is_string() || it["ok"] == true;
        assert!(mended, "a failing line has its mend: {it}");
        assert!(it["found"].is_string() && it["what"].is_string(), "{it}");
    }
    (ended.json, lines)
}

fn line<'a>(lines: &'a [Value], what: &str) -> &'a Value {
    lines.iter().find(|it| it["what"] == what).unwrap_or_else(|| panic!("no line on {what}"))
}

#[test]
fn a_good_place_is_told_with_its_capabilities() {
    let field = Field::at(&Run::frozen());
    let (all, lines) = lines(&field);
    assert_eq!(all["ok"], true, "{all}");
    let humanize = line(&lines, "humanize runtime");
    assert_eq!(humanize["place"], field.world.root.join("humanize").as_str());
    assert!(humanize["found"].as_str().unwrap().contains("--yolo --base-branch"), "{humanize}");
    assert!(humanize["mend"].as_str().unwrap().contains("round-contract"), "{humanize}");
    assert_eq!(line(&lines, "humanize stop hook")["ok"], true);
    assert_eq!(line(&lines, "companion ncu-report-skill")["ok"], false);
}

#[test]
fn the_highest_version_of_the_cache_is_used_and_the_others_are_named() {
    let mut field = Field::at(&Run::frozen());
    field.env.remove("HUMANIZE_RUNTIME_ROOT");
    for version in ["1.9.0", "1.16.0", "unknown"] {
        let root = format!("home/.claude/plugins/cache/PolyArch/humanize/{version}");
        for (path, text) in runtime(false) {
            field.script(&format!("{root}/{path}"), &text);
        }
        let manifest = format!(r#"{{"name": "humanize", "version": "{version}"}}"#);
        field.script(&format!("{root}/.claude-plugin/plugin.json"), &manifest);
    }
    let (_, found) = lines(&field);
    assert!(
        line(&found, "humanize runtime")["found"].as_str().unwrap().starts_with("version 1.16.0")
    );
    let others = found.iter().filter(|it| it["what"] == "humanize runtime, not used").count();
    assert_eq!(others, 2);
    // Codex has no such cache.
    field.env.insert("CODEX_THREAD_ID", "1".into());
    let (all, found) = lines(&field);
    assert_eq!(all["agents"], serde_json::json!(["codex"]));
    assert_eq!(
        (&all["ok"], &line(&found, "humanize runtime")["ok"]),
        (&false.into(), &false.into())
    );
}

#[test]
fn a_linked_skill_is_followed_and_a_loop_of_links_is_none() {
    let field = Field::at(&Run::frozen());
    let skills = field.world.root.join("home/.claude/skills");
    field.script("repo/skills/llm-pipeline-analysis/SKILL.md", "---\nname: x\n---\n");
    fs::create_dir_all(&skills).unwrap();
    let target = field.world.root.join("repo/skills/llm-pipeline-analysis");
    symlink(&target, skills.join("llm-pipeline-analysis")).unwrap();
    symlink("ncu-report-skill", skills.join("ncu-report-skill")).unwrap();
    let (_, lines) = lines(&field);
    let pipeline = line(&lines, "companion llm-pipeline-analysis");
    assert_eq!(pipeline["place"], target.join("SKILL.md").as_str());
    assert_eq!(line(&lines, "companion ncu-report-skill")["ok"], false);
}

#[test]
fn nothing_at_all_is_told_with_every_mend() {
    let mut field = Field::at(&Run::frozen());
    field.env.remove("HUMANIZE_RUNTIME_ROOT");
    field.env.insert("CLAUDE_PROJECT_DIR", field.world.root.to_string());
    fs::remove_dir_all(field.world.root.join("home")).unwrap();
    fs::remove_file(field.world.root.join("bin/codex")).unwrap();
    let (all, lines) = lines(&field);
    assert_eq!(all["ok"], false);
    // The working directory holds one beside it, which is the last place that is looked at.
    for what in ["humanize runtime", "humanize stop hook", "tool codex", "project directory"] {
        assert_eq!(line(&lines, what)["ok"], false, "{what}");
    }
}

/// vsota's own hooks, and the vsota that they call.
#[test]
fn own_hooks_are_told_with_whom_they_call() {
    let field = Field::at(&Run::frozen());
    let (all, found) = lines(&field);
    assert_eq!(
        (&all["ok"], &line(&found, "vsota hooks, claude")["ok"]),
        (&true.into(), &false.into())
    );
    assert!(
        line(&found, "vsota hooks, claude")["mend"]
            .as_str()
            .unwrap()
            .contains("hook install --claude")
    );
    assert!(!found.iter().any(|it| it["what"] == "vsota that the hooks call"), "nobody calls it");
    assert_eq!(field.vsota(&["hook", "install", "--claude", "--git"]).exit, 0);
    let called = |field: &Field| {
        let (all, found) = lines(field);
        assert_eq!(line(&found, "vsota hooks, claude")["ok"], true);
        assert_eq!(line(&found, "vsota hooks, git")["ok"], true);
        let it = line(&found, "vsota that the hooks call").clone();
        assert_eq!(all["ok"], it["ok"], "{all}");
        (it["ok"] == true, it["found"].as_str().unwrap().to_owned())
    };
    let none = called(&field);
    assert!(!none.0 && none.1.contains("no vsota is on the path"), "{}", none.1);
    field.script("bin/vsota", "#!/bin/sh\nexit 3\n");
    assert!(!called(&field).0);
    field.script("bin/vsota", "#!/bin/sh\necho vsota 0.0.1\n");
    assert!(called(&field).1.contains("it says `vsota 0.0.1`"));
    fs::remove_file(field.world.root.join("bin/vsota")).unwrap();
    symlink(crate::world::binary(), field.world.root.join("bin/vsota")).unwrap();
    assert!(called(&field).0);
    // An event of ours is gone.
    let settings = field.vllm.join(".claude/settings.local.json");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("vsota hook stop", "true")).unwrap();
    let (_, found) = lines(&field);
    assert_eq!(line(&found, "vsota hooks, claude")["found"], "installed in part, or not runnable");
}
