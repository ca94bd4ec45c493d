//! `vsota patch …`

use std::fs;

use serde_json::{Value, json};
use vsota_fixtures::model::{self, Run};

use super::Stage;

const KERNEL: &str = "## Kernel moe-routing\n- row: vllm:decode:kernel:1\n- new-kernel: k\n";

const SOURCE: &str = "vllm/model_executor/layers/fused_moe.py";

fn story(name: &str) -> String {
    format!(
        "# Patch\n- name: {name}\n- symptom: chat\n- profiler-row: vllm:decode:kernel:1\n\
         - layer-row: layer-2-hot-1\n- source-path: {SOURCE}\n- expected-effect: 5 % shorter\n\
         - weakens-correctness: no\n## History\n- item: vllm-pr-4242\n"
    )
}

fn diff(paths: &[&str]) -> String {
    let one = |it: &&str| {
        format!(
            "diff --git a/{it} b/{it}\nindex 1..2 100644\n--- a/{it}\n+++ b/{it}\n@@ -1 +1 @@\n-a\n+b\n"
        )
    };
    paths.iter().map(one).collect()
}

/// What git says of a range from the accepted build over these files.
fn git(stage: &Stage, paths: &[&str]) -> Value {
    let files: Vec<_> = paths.iter().map(|it| json!({"path": it})).collect();
    json!({
        "base_tree": stage.model.accepted(), "commits": 1, "descends": true, "files": files,
    })
}

/// The arguments that tell of a patch over these files, on a build of that name.
pub(super) fn told(stage: &Stage, build: &str, paths: &[&str]) -> Vec<String> {
    let stand = stage.stand(|it| it.head = model::head(build));
    let git = stage.json_file("git.json", &git(stage, paths));
    let diff = stage.file("range.diff", diff(paths));
    ["--stand", &stand, "--git", &git, "--diff", &diff].map(str::to_owned).into()
}

fn call<'a>(verb: &'a str, draft: &'a str, told: &'a [String]) -> Vec<&'a str> {
    let mut args = vec!["patch", verb, draft];
    args.extend(told.iter().map(String::as_str));
    args
}

#[test]
fn a_patch_is_recorded_with_its_diff_and_enters_revalidation() {
    let stage = Stage::at(Run::layered());
    let draft = stage.file("patch.md", story("routing"));
    let told = told(&stage, "patched", &[SOURCE, "tests/kernels/test_routing.py", "docs/a.md"]);
    stage.granted(&call("record", &draft, &told), "patch-recorded", "revalidate");
    let said = stage.said();
    let kinds: Vec<_> =
        said["files"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["code", "tests", "docs"]);
    let at = said["diff"]["path"].as_str().unwrap();
    assert!(at.starts_with("patches/r1-") && at.ends_with(".patch"), "{at}");
    assert!(stage.holds(&said["diff"]).starts_with(b"diff --git"));
}

#[test]
fn a_patch_that_changes_no_code_is_refused() {
    let stage = Stage::at(Run::layered());
    let draft = stage.file("patch.md", story("routing"));
    let paths =
        ["tests/test_a.py", "docs/a.md", "vllm/README.md", "serve.sh", "vllm/benchmarks/serve.py"];
    let told_files = told(&stage, "patched", &paths);
    stage.refused(&call("record", &draft, &told_files), &["PA-1"]);

    let told_files = told(&stage, "baseline", &[SOURCE]);
    stage.refused(&call("record", &draft, &told_files), &["PA-1"]);
}

#[test]
fn a_patch_without_its_papers_is_refused_with_every_reason() {
    let stage = Stage::at(Run::layered());
    let text = story("routing")
        .replace("chat", "nowhere")
        .replace("kernel:1", "kernel:9")
        .replace("hot-1", "hot-9")
        .replace("correctness: no", "correctness: yes")
        .replace("vllm-pr-4242", "vllm-pr-1")
        + "## Copied sort\n- provenance: a/b\n## Kernel sort\n- new-kernel: s\n";
    let draft = stage.file("patch.md", text);
    let told = told(&stage, "patched", &[SOURCE]);
    let clauses = ["PA-2", "PA-2", "PA-2", "PA-2", "PA-3", "PA-3", "PA-5", "PA-4", "PA-4"];
    stage.refused(&call("record", &draft, &told), &clauses);
}

#[test]
fn a_list_of_files_that_is_not_the_diffs_is_bad_evidence() {
    let stage = Stage::at(Run::layered());
    let draft = stage.file("patch.md", story("routing"));
    let told = told(&stage, "patched", &[SOURCE]);
    let args = call("record", &draft, &told);
    stage.file("range.diff", diff(&[SOURCE, "setup.py"]));
    stage.bad(&args, "git.json", None, Some("files"));
    stage.file("range.diff", diff(&["docs/a.md"]));
    stage.bad(&args, "git.json", None, Some("files"));
    stage.file("range.diff", "no diff at all\n");
    stage.bad(&args, "range.diff", Some(1), None);
    stage.file("range.diff", "diff --git \"a/vllm/\\303\\244.py\" \"b/vllm/\\303\\244.py\"\n");
    stage.bad(&args, "range.diff", Some(1), None);
    stage.file("range.diff", diff(&[SOURCE]));
    stage.file("git.json", "{\"base_tree\": \"x\"}");
    stage.bad(&args, "git.json", Some(1), None);
    let told = super::patch::told(&stage, "patched", &[SOURCE]);
    let draft =
        stage.file("patch.md", story("routing").replace("correctness: no", "correctness: a bit"));
    stage.bad(&call("record", &draft, &told), "patch.md", Some(8), Some("weakens-correctness"));
}

#[test]
fn a_renamed_file_goes_by_both_its_names() {
    let stage = Stage::at(Run::layered());
    let draft = stage.file("patch.md", story("routing"));
    let told = told(&stage, "patched", &[SOURCE, "vllm/new.py", "vllm/old.py"]);
    let rename = "diff --git a/vllm/old.py b/vllm/new.py\nsimilarity index 90%\n\
                  rename from vllm/old.py\nrename to vllm/new.py\n";
    stage.file("range.diff", diff(&[SOURCE]) + rename);
    stage.granted(&call("record", &draft, &told), "patch-recorded", "revalidate");
}

#[test]
fn a_patch_is_amended_until_it_is_measured() {
    let stage = Stage::at(Run::patched());
    let text = story("routing-2")
        + "## Kernel moe-routing\n- row: vllm:decode:kernel:1\n- new-kernel: k\n";
    let draft = stage.file("patch.md", text);
    let told = told(&stage, "patch-2", &[SOURCE]);
    let mut args = call("amend", &draft, &told);
    args.extend(["--reason", "a bug"]);
    stage.granted(&args, "patch-amended", "revalidate");
    assert_eq!(stage.said()["reason"], "a bug");

    let mut model = Run::patched();
    model.trial(1.05);
    let stage = Stage::at(model);
    let told = super::patch::told(&stage, "patch-2", &[SOURCE]);
    let draft = stage.file("patch.md", story("routing-2") + KERNEL);
    let mut args = call("amend", &draft, &told);
    args.extend(["--reason", "a bug"]);
    stage.refused(&args, &["RV-1"]);
    let bad = stage.file("bad.md", "# Patch\n");
    let mut args = call("amend", &bad, &told);
    args.extend(["--reason", "a bug"]);
    stage.bad(&args, "bad.md", Some(1), Some("History"));
}

/// PA-2: an amendment is read as the first record was, and what it tells of a line holds no secret.
#[test]
fn an_amendment_says_what_is_as_strong_as_the_checks_that_are_gone() {
    let stage = Stage::at(Run::patched());
    let draft = stage.file("patch.md", story("routing-2") + KERNEL);
    let told = told(&stage, "patch-2", &[SOURCE]);
    let canary = ["canary", "0123456789abcdef"].concat();
    let check = format!("-    assert key == \"{canary}\"\n");
    stage.file("range.diff", diff(&[SOURCE]) + &check);
    let mut args = call("amend", &draft, &told);
    args.extend(["--reason", "a bug"]);
    let ended = stage.refused(&args, &["PA-2"]);
    assert_eq!(ended.json["refused"][0]["help"], "vsota patch amend --template");
    let because = "- checks-gone-because: the caller asserts it\n## History";
    stage.file("patch.md", story("routing-2").replace("## History", because) + KERNEL);
    let ended = crate::world::vsota()
        .env("SOME_TOKEN", &canary)
        .args(["-C", stage.path("").as_str(), "--redact"])
        .args(&args)
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let gone = json!({
        "count": 1,
        "shown": [format!("{SOURCE}: assert key == \"[REDACTED:environment]\"")],
        "because": "the caller asserts it",
    });
    assert_eq!(stage.said()["patch"]["checks_gone"], gone);
}

#[test]
fn a_fixup_touches_accepted_files_tests_and_docs_only() {
    let mut model = Run::patched();
    model.trial(1.05);
    let (commit, tree) = {
        let vsota_core::State::Revalidate(state) = model.campaign.state() else { panic!() };
        (state.trialled().head().commit.clone(), state.trialled().head().tree.clone())
    };
    let mut stand = model.stand();
    (stand.head.commit, stand.head.tree) = (commit, tree);
    let accept = vsota_core::facts::Acceptance { stand, next_planned: None };
    model.ask(vsota_core::command::AcceptPatch(accept));
    let stage = Stage::at(model);
    let fixup = |told: &[String]| {
        let mut args =
            vec!["patch".to_owned(), "fixup".into(), "--finding".into(), "finding 2".into()];
        args.extend(told.iter().cloned());
        args
    };
    let outside = fixup(&told(&stage, "fixed", &["vllm/other.py"]));
    let args: Vec<_> = outside.iter().map(String::as_str).collect();
    stage.refused(&args, &["RL-9"]);
    let inside = fixup(&told(&stage, "fixed", &[SOURCE, "docs/a.md"]));
    let args: Vec<_> = inside.iter().map(String::as_str).collect();
    stage.file("git.json", "[]");
    stage.bad(&args, "git.json", Some(1), None);
    stage.json_file("git.json", &git(&stage, &[SOURCE, "docs/a.md"]));
    stage.granted(&args, "fixup-recorded", "revalidate");
    let name = format!("fixup-{}", model::head("fixed").commit.short());
    assert_eq!(stage.said()["name"], name);
}

#[test]
fn what_a_killed_call_left_under_the_name_of_a_patch_is_set_aside() {
    let stage = Stage::at(Run::layered());
    let draft = stage.file("patch.md", story("routing"));
    let told = told(&stage, "patched", &[SOURCE]);
    let short = model::head("patched").commit.short().to_owned();
    let at = format!("patches/r1-{short}.patch");
    fs::create_dir_all(stage.path("patches")).unwrap();
    fs::write(stage.path(&at), "half a pa").unwrap();
    stage.granted(&call("record", &draft, &told), "patch-recorded", "revalidate");
    assert_eq!(stage.said()["diff"]["path"], at);
    stage.holds(&stage.said()["diff"]);
    let left = vsota_core::Digest::of(b"half a pa");
    let aside = format!("humanize/quarantine/{left}-r1-{short}.patch");
    assert_eq!(fs::read(stage.path(&aside)).unwrap(), b"half a pa");
}

#[test]
fn a_diff_that_an_event_names_is_never_moved() {
    let stage = Stage::at(Run::layered());
    let draft = stage.file("patch.md", story("routing"));
    let first = told(&stage, "patched", &[SOURCE]);
    stage.granted(&call("record", &draft, &first), "patch-recorded", "revalidate");
    let (diff, kept) = (stage.said()["diff"].clone(), stage.holds(&stage.said()["diff"]));
    let because = stage.file("amended.md", story("routing").replace("5 % shorter", "6 % shorter"));
    let second = told(&stage, "patched", &[SOURCE, "docs/a.md"]);
    let mut args = call("amend", &because, &second);
    args.extend(["--reason", "docs"]);
    let ended = stage.run(&args);
    assert_eq!(ended.exit, 4, "{}", ended.text);
    assert_eq!(stage.holds(&diff), kept);
    assert!(!stage.path("humanize/quarantine").exists());
}
