//! What is recorded of a patch is what the checkout's own git says of it (PA-1 … PA-6), whatever the
//! repository configures.

use std::fs;

use serde_json::{Value, json};
use vsota_core::event::Event;
use vsota_core::evidence::checks;
use vsota_core::facts::{ChecksGone, Patch};
use vsota_core::{Digest, Entry};
use vsota_fixtures::model::Run;

use super::field::{Ended, Field};

const SOURCE: &str = "vllm/model_executor/layers/fused_moe.py";

const STORY: &str = "# Patch\n- name: routing\n- symptom: chat\n- profiler-row: vllm:decode:kernel:1\n\
                     - layer-row: layer-2-hot-1\n- source-path: vllm/model_executor/layers/fused_moe.py\n\
                     - expected-effect: 5 % shorter\n- weakens-correctness: no\n\
                     ## History\n- item: vllm-pr-4242\n";

/// A campaign in LayerPipeline, whose draft is written and whose checkout stands on the accepted build.
pub(super) fn layered() -> Field {
    layered_on(Field::bare())
}

/// The same on a checkout that is there already.
fn layered_on(field: Field) -> Field {
    let field = field.entered(&Run::layered(), |it| it.named("state.md"));
    fs::write(field.world.root.join("patch.md"), STORY).unwrap();
    field
}

pub(super) fn record(field: &Field) -> Ended {
    field.vsota(&["patch", "record", field.world.root.join("patch.md").as_str()])
}

/// What the last event says.
fn said(field: &Field) -> Value {
    let journal = String::from_utf8(field.world.bytes()).unwrap();
    let entry: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    entry["event"]["patch-recorded"].clone()
}

pub(super) fn patched(field: &Field) {
    field.put(SOURCE, "def fused_topk():\n    return 1\n");
    field.put("tests/kernels/test_routing.py", "def test():\n    pass\n");
    field.put("docs/a.md", "a\n");
    field.commit("routing");
}

#[test]
fn a_patch_is_what_git_says_of_the_checkout() {
    let field = layered();
    let (base, accepted) = (field.id("HEAD^{tree}"), field.id("HEAD"));
    patched(&field);
    let ended = record(&field);
    assert_eq!((ended.exit, &ended.json["phase"]), (0, &"revalidate".into()), "{}", ended.told);
    let said = said(&field);
    assert_eq!(said["base_tree"], base);
    assert_eq!((&said["commits"], &said["descends"]), (&1.into(), &true.into()));
    assert_eq!(said["stand"]["head"]["commit"], field.id("HEAD"));
    let files = said["files"].as_array().unwrap();
    let files: Vec<_> = files
        .iter()
        .map(|it| (it["path"].as_str().unwrap(), it["kind"].as_str().unwrap()))
        .collect();
    let wanted =
        [("docs/a.md", "docs"), ("tests/kernels/test_routing.py", "tests"), (SOURCE, "code")];
    assert_eq!(files, wanted);
    // What was filed leads from the accepted build to the patch.
    let diff = field.world.run.join(said["diff"]["path"].as_str().unwrap());
    field.git(&["checkout", "-q", &accepted]);
    field.git(&["apply", "--index", diff.as_str()]);
    let tree = field.git(&["write-tree"]);
    assert_eq!(said["stand"]["head"]["tree"], tree.trim());
}

#[test]
fn what_was_taken_back_belongs_to_no_patch() {
    let field = layered();
    field.put(SOURCE, "a try\n");
    field.commit("a try");
    field.git(&["revert", "--no-edit", "HEAD"]);
    patched(&field);
    assert_eq!(record(&field).exit, 0);
    assert_eq!(said(&field)["commits"], 1);
}

#[test]
fn a_range_that_is_no_patch_is_refused() {
    let refused = |field: &Field| {
        let ended = record(field);
        assert_eq!(ended.exit, 3, "{}", ended.told);
        ended.clauses().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // Nothing is committed.
    let field = layered();
    assert_eq!(refused(&field), ["PA-1", "PA-1", "PA-1"]);
    // Something is left uncommitted.
    patched(&field);
    field.put("vllm/a.py", "a = 2\n");
    assert_eq!(refused(&field), ["PA-1"]);
    // No code.
    let field = layered();
    field.put("tests/test_a.py", "");
    field.put("serve.sh", "");
    field.commit("no code");
    assert_eq!(refused(&field), ["PA-1"]);
    // Another history: the accepted build is no ancestor.
    let field = layered();
    field.git(&["checkout", "-q", "--orphan", "other"]);
    patched(&field);
    assert_eq!(refused(&field), ["PA-1"]);
    // The accepted build is not there at all.
    let field = layered();
    let accepted = field.id("HEAD");
    field.git(&["checkout", "-q", "--orphan", "other"]);
    patched(&field);
    fs::remove_file(field.vllm.join(".git/objects").join(&accepted[..2]).join(&accepted[2..]))
        .unwrap();
    assert_eq!(refused(&field), ["PA-1"]);
    // Code from elsewhere, of which the story says nothing.
    let field = layered();
    field.put(SOURCE, "# Adapted from https://github.com/sgl-project/sglang\n");
    field.commit("routing");
    assert_eq!(refused(&field), ["PA-3"]);
    // A row that no table of this round has.
    let field = layered();
    patched(&field);
    fs::write(field.world.root.join("patch.md"), STORY.replace("kernel:1", "kernel:9")).unwrap();
    assert_eq!(refused(&field), ["PA-2"]);
}

/// A patch that removes a file of tests and a check of an operator, recorded without a word of it.
fn weakened() -> Field {
    let field = Field::bare();
    let test = "def test_ties():\n    assert topk(1) == 1\n";
    field.put("tests/kernels/test_topk.py", test);
    field.put("tests/kernels/test_order.py", &test.replace("ties", "order"));
    field.put("csrc/topk.cpp", "int topk(int k) {\n  TORCH_CHECK(k > 0, \"k\");\n  return k;\n}\n");
    field.commit("what is checked");
    let field = layered_on(field);
    patched(&field);
    // One file is gone, the other has another name.
    field.git(&["rm", "-q", "tests/kernels/test_topk.py"]);
    fs::create_dir_all(field.vllm.join("tests/moe")).unwrap();
    field.git(&["mv", "tests/kernels/test_order.py", "tests/moe/test_order.py"]);
    field.put("csrc/topk.cpp", "int topk(int k) {\n  return k;\n}\n");
    field.commit("fewer checks");
    field
}

/// PA-2: that a patch weakens nothing is not believed where its diff shows otherwise.
#[test]
fn checks_that_a_diff_takes_away_need_a_reason() {
    let field = weakened();
    let ended = record(&field);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["PA-2"]), "{}", ended.told);
    let reason = &ended.json["refused"][0];
    let found = "the diff takes away checks, 2 in all, the first tests/kernels/test_topk.py: the file; \
                 no `checks-gone-because` says why what is left is as strong";
    assert_eq!(reason["found"], found);
    assert_eq!(reason["help"], "vsota patch record --template");
    let template = field.vsota(&["patch", "record", "--template"]);
    assert!(template.told.contains("- checks-gone-because:"), "{}", template.told);

    let because = "- checks-gone-because: test_routing covers it\n## History";
    fs::write(field.world.root.join("patch.md"), STORY.replace("## History", because)).unwrap();
    let ended = record(&field);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let shown =
        ["tests/kernels/test_topk.py: the file", "csrc/topk.cpp: TORCH_CHECK(k > 0, \"k\");"];
    let gone = json!({"count": 2, "shown": shown, "because": "test_routing covers it"});
    assert_eq!(said(&field)["checks_gone"], gone);
    let ledger = field.world.run.join("humanize/attempt-ledger.md");
    let ledger = fs::read_to_string(ledger).unwrap();
    assert!(ledger.contains("checks taken away: 2; as strong because: test"), "{ledger}");

    // `verify` reads the diff again: no gone check can be hidden, nor another one be told.
    assert_eq!(retold(&field, |_| {}), 0);
    assert_eq!(retold(&field, |it| *it = None), 1, "hidden");
    assert_eq!(retold(&field, |it| it.as_mut().unwrap().count = 1), 1, "counted low");
    assert_eq!(retold(&field, |it| drop(it.as_mut().unwrap().shown.pop())), 1, "not named");
}

/// PA-2: a check is seen whose head stands far above the line that is changed.
#[test]
fn a_check_is_seen_from_its_head() {
    let test = |k: u32| {
        let lines: String = (0..6).map(|it| format!("        a{it},\n")).collect();
        format!("def test():\n    assert_close(\n{lines}        k={k},\n    )\n")
    };
    let field = Field::bare();
    field.put("tests/test_far.py", &test(1));
    field.commit("what is checked");
    let field = layered_on(field);
    patched(&field);
    field.put("tests/test_far.py", &test(2));
    field.commit("another check");
    let ended = record(&field);
    assert_eq!((ended.exit, ended.clauses()), (3, vec!["PA-2"]), "{}", ended.told);
    assert!(ended.told.contains("tests/test_far.py: assert_close( a0,"), "{}", ended.told);
}

/// SE-1: what is shown of a check comes from the diff that is kept, also where it ends within a secret.
#[test]
fn a_gone_check_is_told_without_its_secret() {
    // Built at run time: the repository holds no secret, not even a made-up one.
    let letters = (0..34).map(|it| char::from(b'a' + u8::try_from(it * 7 % 26).unwrap()));
    let token = format!("hf_{}", letters.collect::<String>());
    let before = "k ".repeat(47);
    let field = Field::bare();
    field.put("vllm/hub.py", &format!("assert key == \"{before} {token}\"\n"));
    field.commit("what is checked");
    let field = layered_on(field);
    patched(&field);
    field.git(&["rm", "-q", "vllm/hub.py"]);
    field.commit("fewer checks");
    let story = STORY.replace("## History", "- checks-gone-because: unused\n## History");
    fs::write(field.world.root.join("patch.md"), story).unwrap();
    let draft = field.world.root.join("patch.md");
    let ended = field.vsota(&["--redact", "patch", "record", draft.as_str()]);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let gone = said(&field)["checks_gone"]["shown"].to_string();
    assert!(gone.contains(" [REDACTED:…") && !gone.contains("hf_"), "{gone}");
    assert_eq!(retold(&field, |_| {}), 0);
}

/// How many diffs tell another fact, when the recorded patch tells this of its checks.
fn retold(field: &Field, change: impl Fn(&mut Option<ChecksGone>)) -> usize {
    let wrong = forged(field, |it| change(&mut it.checks_gone));
    let wrong = wrong.iter().filter(|it| {
        let at = it["file"].as_str().unwrap_or_default();
        it["check"] == "fact" && at.starts_with("patches/")
    });
    wrong.inspect(|it| assert_eq!(it["clause"], "PA-2", "{it}")).count()
}

/// What `verify` finds wrong when the recorded patch is another.
fn forged(field: &Field, change: impl Fn(&mut Patch)) -> Vec<Value> {
    let kept = field.world.bytes();
    let text = String::from_utf8(kept.clone()).unwrap();
    let events = text.lines().map(|line| {
        let mut event = serde_json::from_str::<Entry>(line).unwrap().event;
        if let Event::PatchRecorded(it) = &mut event {
            change(&mut it.said);
        }
        event
    });
    let run = Run { events: events.collect(), ..Run::open() };
    field.world.put(run.jsonl());
    // What acknowledges the head is rendered from the forged journal.
    for document in ["humanize/model-loop-checkpoint.md", "final_report.md"] {
        let _ = fs::remove_file(field.world.run.join(document));
    }
    field.vsota(&["report"]);
    let ended = field.vsota(&["verify", "--without", "traces"]);
    assert_eq!(ended.exit, 5, "the model's own artefacts are not there");
    field.world.put(kept);
    let checks = ended.json["checks"].as_array().unwrap();
    checks.iter().filter(|it| it["ok"] == false).cloned().collect()
}

/// PA-2: what a stored diff calls a secret is no hiding place for a check.
#[test]
fn a_gone_check_is_not_hidden_as_a_secret() {
    let field = weakened();
    let because = "- checks-gone-because: test_routing covers it\n## History";
    fs::write(field.world.root.join("patch.md"), STORY.replace("## History", because)).unwrap();
    assert_eq!(record(&field).exit, 0);
    let path = said(&field)["diff"]["path"].as_str().unwrap().to_owned();
    let at = field.world.run.join(path);
    let diff = fs::read_to_string(&at).unwrap();
    let hidden = diff.replace("-  TORCH_CHECK(k > 0, \"k\");", "-  [REDACTED:environment]");
    assert_ne!(diff, hidden);
    fs::write(&at, &hidden).unwrap();
    let wrong = forged(&field, |it| {
        it.diff.sha256 = Digest::of(hidden.as_bytes());
        it.diff.bytes = hidden.len() as u64;
        let because = it.checks_gone.as_ref().and_then(|it| it.because.clone());
        it.checks_gone = checks::fact(&hidden, because);
    });
    let wrong: Vec<&Value> = wrong.iter().filter(|it| it["clause"] == "PA-2").collect();
    let [wrong] = wrong.as_slice() else { panic!("{wrong:?}") };
    let found = wrong["found"].as_str().unwrap();
    assert!(found.ends_with("takes away 2 checks, and 1 are recorded"), "{found}");
}

/// PA-2, SE-1: a check that is another in its secret only would be kept as the same one.
#[test]
fn a_check_that_differs_in_a_secret_is_no_evidence() {
    let letters: String = (0..34).map(|it| char::from(b'a' + it * 7 % 26)).collect();
    let field = Field::bare();
    field.put("vllm/hub.py", &format!("assert key == \"hf_{letters}\"\n"));
    field.commit("what is checked");
    let field = layered_on(field);
    patched(&field);
    field.put("vllm/hub.py", &format!("assert key == \"hf_{}\"\n", letters.replace('a', "b")));
    field.commit("another check");
    let draft = field.world.root.join("patch.md");
    let ended = field.vsota(&["--redact", "patch", "record", draft.as_str()]);
    assert_eq!(ended.exit, 4, "{}", ended.told);
    assert!(ended.told.contains("taken out as a secret"), "{}", ended.told);
}

/// What hides a source of a build, and where. The commit's own rules may; nothing else may.
#[test]
fn a_source_that_no_commit_holds_is_named_whatever_hides_it() {
    let hidden = |field: &Field, path: &str| {
        let ended = record(field);
        assert_eq!((ended.exit, ended.clauses()), (3, vec!["PA-1"]), "{path}: {}", ended.told);
        let reason = &ended.json["refused"][0];
        let found = reason["found"].as_str().unwrap();
        assert!(found.ends_with(&format!("uncommitted changes: `excluded {path}`")), "{found}");
        let help = format!("git -C {} check-ignore -v --no-index -- ':(top){path}'", field.vllm);
        assert_eq!(reason["help"], help.as_str());
    };
    let field = layered();
    field.put(".gitignore", ".humanize*\nprofile/\n*.so\n__pycache__/\n/vllm/_deps/\n");
    patched(&field);
    let mark = field.world.root.join("owned");
    field.script("evil", &format!("#!/bin/sh\ntouch {mark}\n"));
    field.git(&["config", "core.fsmonitor", field.world.root.join("evil").as_str()]);
    let exclude = field.vllm.join(".git/info/exclude");
    let (new, cuda) = ("vllm/new.py", "csrc/new.cu");
    field.put(new, "");
    fs::write(&exclude, "new.*\n").unwrap();
    hidden(&field, new);
    fs::remove_file(field.vllm.join(new)).unwrap();
    // By the user's own rules.
    let rules = field.world.root.join("rules");
    fs::write(&rules, "csrc/\n").unwrap();
    field.git(&["config", "core.excludesFile", rules.as_str()]);
    field.put(cuda, "");
    hidden(&field, cuda);
    fs::remove_file(field.vllm.join(cuda)).unwrap();
    // By rules beside it that hide themselves.
    field.put("vllm/new/.gitignore", "*\n");
    field.put("vllm/new/a.py", "");
    hidden(&field, "vllm/new/.gitignore");
    fs::remove_dir_all(field.vllm.join("vllm/new")).unwrap();
    // A name that a setting takes for a tracked one.
    field.git(&["config", "core.ignoreCase", "true"]);
    field.put("vllm/A.py", "");
    assert_eq!(record(&field).clauses(), ["PA-1"]);
    fs::remove_file(field.vllm.join("vllm/A.py")).unwrap();
    // What is no source may be hidden by anything, and what the commit's rules hide is a product.
    fs::write(&exclude, "new.*\n*.sh\n").unwrap();
    field.put("new.txt", "");
    field.put("vllm/run.sh", "");
    field.put("vllm/_C.so", "");
    field.put("vllm/__pycache__/a.pyc", "");
    field.put("vllm/_deps/.gitignore", "*\n");
    field.put("vllm/_deps/new.py", "");
    let ended = record(&field);
    assert_eq!(ended.exit, 0, "{}", ended.told);
    assert!(!mark.exists(), "something was run");
    // The next gate looks again.
    field.put(new, "");
    let ended = field.vsota(&["revalidate", "retry", "--reason", "slower"]);
    assert!(ended.told.contains("excluded vllm/new.py"), "{}", ended.told);
}

#[test]
fn files_say_nothing_of_a_real_checkout() {
    let field = layered();
    patched(&field);
    let draft = field.world.root.join("patch.md");
    let files = ["--git", "/nowhere", "--diff", "/nowhere"];
    let record = ["patch", "record", draft.as_str()];
    let amend = ["patch", "amend", draft.as_str(), "--reason", "r"];
    let fixup = ["patch", "fixup", "--finding", "f"];
    for args in [&record[..], &amend[..]] {
        let ended = field.vsota(&[args, &files[..]].concat());
        assert_eq!(ended.exit, 2, "{}", ended.told);
        assert!(ended.told.contains("only a demonstration"), "{}", ended.told);
    }
    let help = field.vsota(&["patch", "fixup", "--help"]);
    assert!(!help.told.contains("--git"), "{}", help.told);
    assert_eq!(field.vsota(&[&fixup[..], &files[..2]].concat()).exit, 2, "both or none");
}

/// Everything that a repository can say of itself, against the facts of the same range in a plain one.
#[test]
fn a_hostile_repository_runs_nothing_and_changes_no_fact() {
    let plain = layered();
    patched(&plain);
    assert_eq!(record(&plain).exit, 0);

    let field = layered();
    patched(&field);
    let (accepted, head) = (field.id("HEAD~1"), field.id("HEAD"));
    let mark = field.world.root.join("owned");
    let run = field.world.root.join("evil");
    field.script("evil", &format!("#!/bin/sh\ntouch {mark}\ncat \"$1\"\n"));
    for hook in ["post-index-change", "reference-transaction", "post-checkout"] {
        field.script(&format!("hooks/{hook}"), &format!("#!/bin/sh\ntouch {mark}\n"));
    }
    // An unrelated commit without parents, which pretends to be the patch and its base.
    let tree = field.id("HEAD^{tree}");
    let other = field.git(&["commit-tree", "-m", "other", &tree]).trim().to_owned();
    field.git(&["replace", &head, &other]);
    fs::write(field.vllm.join(".git/info/grafts"), format!("{head} {other}\n")).unwrap();
    // Another store, in which every object lies: it is read like the first.
    let store = field.world.root.join("store");
    fs::create_dir_all(&store).unwrap();
    for it in fs::read_dir(field.vllm.join(".git/objects")).unwrap().flatten() {
        let name = it.file_name().into_string().unwrap();
        if name.len() == 2 {
            fs::rename(it.path(), store.join(name)).unwrap();
        }
    }
    let alternates = field.vllm.join(".git/objects/info");
    fs::create_dir_all(&alternates).unwrap();
    fs::write(alternates.join("alternates"), format!("{store}\n")).unwrap();
    let attributes = "* -diff\n*.py diff=evil filter=evil\n*.md export-ignore diff=evil\n";
    fs::write(field.vllm.join(".git/info/attributes"), attributes).unwrap();
    for (key, value) in [
        ("core.fsmonitor", run.as_str()),
        ("core.hooksPath", field.world.root.join("hooks").as_str()),
        ("core.attributesFile", field.vllm.join(".git/info/attributes").as_str()),
        ("filter.evil.clean", run.as_str()),
        ("filter.evil.process", run.as_str()),
        ("filter.evil.required", "true"),
        ("diff.external", run.as_str()),
        ("diff.evil.command", run.as_str()),
        ("diff.evil.textconv", run.as_str()),
        ("diff.evil.binary", "true"),
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.renames", "copies"),
        ("diff.context", "0"),
        ("diff.orderFile", run.as_str()),
        ("diff.ignoreSubmodules", "all"),
        ("core.quotePath", "true"),
        ("core.pager", run.as_str()),
        ("core.alternateRefsCommand", run.as_str()),
        ("core.commitGraph", "true"),
        ("gpg.program", run.as_str()),
        ("log.showSignature", "true"),
        ("status.showUntrackedFiles", "no"),
        ("alias.diff-tree", &format!("!{run}")),
    ] {
        field.git(&["config", key, value]);
    }
    let ended = record(&field);
    assert!(!mark.exists(), "something was run");
    assert_eq!(ended.exit, 0, "{}", ended.told);
    let (theirs, ours) = (said(&plain), said(&field));
    for key in ["base_tree", "commits", "descends", "files"] {
        assert_eq!(theirs[key], ours[key], "{key}");
    }
    assert_eq!(theirs["diff"]["sha256"], ours["diff"]["sha256"]);
    assert_eq!(ours["stand"]["head"]["commit"], head);
    assert_eq!(ours["stand"]["head"]["tree"], tree);
    assert_ne!(accepted, other);
}

#[test]
fn a_filter_whose_name_is_no_text_is_named_and_not_run() {
    let field = layered();
    patched(&field);
    let mark = field.world.root.join("owned");
    let config = field.vllm.join(".git/config");
    let mut bytes = fs::read(&config).unwrap();
    bytes.extend(b"[filter \"ev\xffil\"]\n\tclean = \"touch ");
    bytes.extend(mark.as_str().bytes());
    bytes.extend(b"; cat\"\n");
    fs::write(&config, bytes).unwrap();
    fs::write(field.vllm.join(".git/info/attributes"), b"* filter=ev\xffil\n").unwrap();
    // What looks changed is read through its filter.
    field.put("vllm/a.py", "a = 2\n");
    let ended = record(&field);
    assert!(!mark.exists(), "something was run");
    assert_eq!(ended.exit, 4, "{}", ended.told);
    assert!(ended.told.contains("PA-1") && ended.told.contains("no UTF-8"), "{}", ended.told);
}

#[test]
fn a_work_tree_that_lies_elsewhere_is_no_checkout() {
    let field = layered();
    patched(&field);
    let elsewhere = field.world.root.join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    field.git(&["config", "core.worktree", elsewhere.as_str()]);
    let ended = record(&field);
    assert_eq!(ended.exit, 4, "{}", ended.told);
    assert!(ended.told.contains("another work tree"), "{}", ended.told);
}
