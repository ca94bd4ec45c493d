//! `vsota revalidate …`

use std::fs;

use serde_json::{Value, json};
use vsota_core::event::Event;
use vsota_core::facts::{Build, Framework, Input, Status};
use vsota_core::{Campaign, GitId, Seq, State};
use vsota_fixtures::builders::{
    RecordParts, RunNumbers, benchmark_command, block, run_record, vllm_bench,
};
use vsota_fixtures::model::{self, Run};

use super::Stage;
use crate::world::vsota;

fn commit(stage: &Stage) -> String {
    let State::Revalidate(state) = stage.model.campaign.state() else { panic!() };
    state.trialled().head().commit.to_string()
}

const JUNIT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" tests="4" failures="1" skipped="1">
<testcase classname="tests.test_a" name="test_ok" time="0.1" />
<testcase classname="tests.test_a" name="test_other"><system-out>x</system-out></testcase>
<testcase classname="tests.test_a" name="test_ties[a&lt;b]"><failure message="no">trace</failure></testcase>
<testcase classname="tests.test_a" name="test_gpu"><skipped message="no GPU" /></testcase>
</testsuite></testsuites>
"#;

#[test]
fn a_junit_report_is_counted() {
    let stage = Stage::at(Run::patched());
    let (commit, file) = (commit(&stage), stage.file("junit.xml", JUNIT));
    let args = ["revalidate", "test", "--commit", &commit, "--junit", &file];
    stage.granted(&args, "tests-filed", "revalidate");
    let said = stage.said();
    assert_eq!(
        (&said["passed"], &said["failed"]),
        (&json!(2), &json!(["tests.test_a::test_ties[a<b]"]))
    );
    assert_eq!(stage.holds(&said["log"]), JUNIT.as_bytes());
    let other = "0".repeat(40);
    stage.refused(&["revalidate", "test", "--commit", &other, "--junit", &file], &["RV-2"]);
    let waived = ["--waive", "tests.test_a::test_ties[a<b]", "fails on the base, too"];
    stage.granted(&[&args[..], &waived].concat(), "tests-filed", "revalidate");
    assert_eq!(stage.said()["waived"][0]["reason"], "fails on the base, too");
}

#[test]
fn a_junit_report_is_bad_evidence_with_its_line() {
    let stage = Stage::at(Run::patched());
    let commit = commit(&stage);
    let doctype = JUNIT.replacen("<testsuites>", "<!DOCTYPE x [<!ENTITY a 'b'>]><testsuites>", 1);
    let cases: &[(&str, String, Option<u64>, Option<&str>)] = &[
        ("cut off", JUNIT.replace("</testsuites>", ""), None, None),
        (
            "not closed",
            JUNIT.replace(
                "</testcase>\n<testcase classname=\"tests.test_a\" name=\"test_gpu\">",
                "<testcase name=\"x\">",
            ),
            Some(5),
            None,
        ),
        ("mismatched", JUNIT.replacen("</testcase>", "</testsuite>", 1), Some(4), None),
        ("doctype", doctype, Some(2), None),
        ("nothing", "<testsuites></testsuites>".into(), None, Some("testcase")),
        ("another root", "<html><testcase name='a'/></html>".into(), Some(1), None),
        ("no name", JUNIT.replacen(" name=\"test_ok\"", "", 1), Some(3), None),
        ("an entity", JUNIT.replacen("test_ok", "&lol;", 1), Some(3), None),
        ("no XML", "12 passed".into(), None, Some("testcase")),
        ("a failure cut out", counting(1, 3), Some(1), Some("failures and errors")),
        ("a failure not counted", counting(0, 4), Some(1), Some("failures and errors")),
        ("a skip cut out", counting(1, 4).replace("<skipped/>", ""), Some(1), Some("skipped")),
        ("no count", counting(1, 4).replace("'1'", "'-1'"), Some(1), Some("failures")),
    ];
    for (what, text, line, field) in cases {
        let file = stage.file("junit.xml", text);
        let args = ["revalidate", "test", "--commit", &commit, "--junit", &file];
        println!("{what}");
        stage.bad(&args, "junit.xml", *line, *field);
    }
    let file = stage.file("junit.xml", b"<testsuites>\xff</testsuites>");
    stage.bad(
        &["revalidate", "test", "--commit", &commit, "--junit", &file],
        "junit.xml",
        None,
        None,
    );
}

/// A suite that counts so many failures and tests; one test failed twice, one in each of its parts,
/// and one was skipped. `tests` at 3 leaves the failed ones out.
fn counting(failures: u32, tests: u32) -> String {
    let failed = "<testcase name='b'><failure/></testcase><testcase name='b'><error/></testcase>";
    let rest = "<testcase name='a'/><testcase name='c'><skipped/></testcase>";
    let cases = if tests == 3 { rest.to_owned() } else { format!("{failed}{rest}") };
    format!(
        "<testsuites><testsuite tests='{tests}' failures='{failures}' errors='{failures}' \
         skipped='1'>{cases}</testsuite></testsuites>"
    )
}

#[test]
fn a_test_that_failed_twice_and_one_that_did_not_run_are_counted() {
    let stage = Stage::at(Run::patched());
    let commit = commit(&stage);
    let whole = counting(1, 4).replace(
        "<testcase name='a'/>",
        "<testcase name='a'/><testcase name='d' status='notrun'/>",
    );
    let file = stage.file("junit.xml", whole);
    let args = ["revalidate", "test", "--commit", &commit, "--junit", &file];
    stage.granted(&args, "tests-filed", "revalidate");
    let said = stage.said();
    assert_eq!((&said["passed"], &said["failed"]), (&json!(1), &json!(["b", "b"])));
}

#[test]
fn the_focused_test_is_named_when_it_passed() {
    let stage = Stage::at(Run::patched());
    let commit = commit(&stage);
    let case = "<testcase classname='tests.kernels.moe.test_routing' name='test_ties[8]'/>";
    let other = "<testcase classname='tests.test_version' name='test_import'/>";
    for (cases, named) in [
        (format!("{other}{case}"), json!("tests.kernels.moe.test_routing::test_ties[8]")),
        (other.to_owned(), json!(null)),
        (case.replace("/>", "><skipped/></testcase>") + other, json!(null)),
    ] {
        let file = stage.file("junit.xml", format!("<testsuite>{cases}</testsuite>"));
        let args = ["revalidate", "test", "--commit", &commit, "--junit", &file];
        stage.granted(&args, "tests-filed", "revalidate");
        assert_eq!(stage.said()["focused"], named, "{cases}");
    }
    let said = "tests/kernels/moe/test_routing.py::test_ties[a b] PASSED [ 50%]";
    let text = format!("echo '{said}'; echo '== 1 passed in 0.10s =='\n");
    let script = stage.file("pytest.sh", text);
    let args = ["revalidate", "test", "--commit", &commit, "--", "/bin/sh", &script];
    stage.granted(&args, "tests-filed", "revalidate");
    assert_eq!(stage.said()["focused"], "tests/kernels/moe/test_routing.py::test_ties[a b]");
}

#[test]
fn names_of_tests_cannot_forge_lines() {
    let stage = Stage::at(Run::patched());
    let many: String = (0..100)
        .map(|n| format!("<testcase name='a&#10;| b &#27;[2J {n}'><error/></testcase>"))
        .collect();
    let file = stage.file("junit.xml", format!("<testsuite>{many}</testsuite>"));
    let commit = commit(&stage);
    let args = ["revalidate", "test", "--commit", &commit, "--junit", &file];
    stage.granted(&args, "tests-filed", "revalidate");
    let said = stage.said();
    let failed = said["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 41);
    assert_eq!(failed[0], "a\\u{a}| b \\u{1b}[2J 0");
    assert_eq!(failed[40], "… and 60 more failed tests");
    assert!(failed.iter().all(|it| !it.as_str().unwrap().contains(|c: char| c.is_control())));
}

#[test]
fn tests_are_run_and_their_closing_line_is_read() {
    let stage = Stage::at(Run::patched());
    let commit = commit(&stage);
    let script = stage.file(
        "pytest.sh",
        "echo 'FAILED tests/test_a.py::test_b[1] - AssertionError'\n\
         echo '===== 1 failed, 12 passed, 2 skipped, 1 warning in 3.41s (0:00:03) ====='\nexit 1\n",
    );
    let base = ["revalidate", "test", "--commit", &commit, "--", "/bin/sh"];
    let args = [&base[..], &[&script]].concat();
    stage.granted(&args, "tests-filed", "revalidate");
    let said = stage.said();
    assert_eq!((&said["passed"], &said["exit"]), (&json!(12), &json!(1)));
    assert_eq!(said["failed"], json!(["tests/test_a.py::test_b[1]"]));
    assert_eq!(said["argv"], json!(["/bin/sh", script]));
    assert!(stage.holds(&said["log"]).starts_with(b"FAILED"));

    let script = stage.file("pytest.sh", "echo '== 3 passed in 0.10s =='; exit 3\n");
    stage.granted(&args, "tests-filed", "revalidate");
    assert_eq!(stage.said()["failed"], json!(["the command ended with 3"]));

    let junit = stage.file("junit.xml", "<testsuite/>");
    stage.file(
        "pytest.sh",
        format!("printf '%s' \"<testsuite><testcase name='a'/></testsuite>\" > {junit}\n"),
    );
    let with =
        ["revalidate", "test", "--commit", &commit, "--junit", &junit, "--", "/bin/sh", &script];
    stage.granted(&with, "tests-filed", "revalidate");
    assert_eq!((&stage.said()["passed"], &stage.said()["exit"]), (&json!(1), &json!(0)));

    stage.file("pytest.sh", "echo done\n");
    stage.bad(&args, "the log", None, None);
    let ended = stage.run(&["revalidate", "test", "--commit", &commit, "--", "/no/such/program"]);
    assert_eq!((ended.exit, &ended.json["error"]["kind"]), (1, &json!("child")));
}

#[test]
fn what_the_tests_print_is_stored_without_its_secrets() {
    let stage = Stage::at(Run::patched());
    let commit = commit(&stage);
    // Built at run time: the repository holds no secret, not even a made-up one.
    let token: String = (0..24_u8).map(|it| char::from(b'a' + (it * 7) % 26)).collect();
    let script = stage.file(
        "pytest.sh",
        "echo \"token is $HF_TOKEN\"; echo \"$HF_TOKEN\" >&2; echo '== 3 passed in 0.10s =='\n",
    );
    let mut command = vsota();
    command.env("HF_TOKEN", &token).arg("-C").arg(stage.path(""));
    let args = ["--json", "revalidate", "test", "--commit", &commit, "--", "/bin/sh", &script];
    let ended = command.args(args).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{told}");
    let said = stage.said();
    let log = String::from_utf8(stage.holds(&said["log"])).unwrap();
    assert!(!log.contains(&token), "{log}");
    assert_eq!(log.matches("[REDACTED:environment]").count(), 2, "{log}");
    assert_eq!(said["passed"], 3);
    assert!(told.contains("2") && !told.contains(&token), "{told}");
}

/// Writes a trial block; the new build runs at `gain` times the accepted one.
fn trial(stage: &Stage, n: i64, gain: f64, change: impl Fn(&mut Value)) -> String {
    let State::Revalidate(state) = stage.model.campaign.state() else { panic!() };
    let trees = [
        (Build::New, state.trialled().head().tree.to_string(), 10.0 * gain),
        (Build::Accepted, stage.model.accepted().to_string(), 10.0),
    ];
    let command = &stage.model.case().best_command[&model::name("chat")];
    let start = 1_795_000_000_000 + n * 3_600_000;
    let mut runs = Vec::new();
    for (slot, (build, tree, req_s)) in (0..).zip(trees) {
        let started_at = start + slot * 600_000;
        let ended_at = started_at + 9_000;
        let numbers = RunNumbers::plausible("demo/tiny-moe", (1_000, 1_000), req_s, ended_at);
        let native = format!("blocks/{n}-{build}.json");
        stage.file(&native, vllm_bench(&numbers));
        stage.file(&format!("blocks/{n}-{build}.log"), format!("log {n} {build}"));
        runs.push(run_record(&RecordParts {
            framework: Framework::Vllm,
            framework_version: Some("0.0.1".into()),
            candidate_id: None,
            scenario: "chat".into(),
            build: Some(build),
            tree: Some(tree),
            server_command: command.iter().map(ToString::to_string).collect(),
            benchmark_command: benchmark_command(Framework::Vllm, &numbers, "x.json"),
            log: Some(format!("{n}-{build}.log")),
            started_at,
            ended_at,
            status: Status::Ok,
            failure_reason: None,
            result: Some((format!("{n}-{build}.json"), 1)),
            smoke: false,
        }));
    }
    let mut whole = block("trial", "chat", &runs);
    change(&mut whole);
    stage.json_file(&format!("blocks/{n}.json"), &whole)
}

#[test]
fn trial_blocks_are_filed_with_their_runs() {
    let stage = Stage::at(Run::patched());
    let one = trial(&stage, 1, 1.05, |_| {});
    stage.granted(&["revalidate", "ingest", &one], "trial-block-filed", "revalidate");
    let said = stage.said();
    stage.holds(&said["source"]);
    for run in said["runs"].as_array().unwrap() {
        stage.holds(&run["results"][0]);
        stage.holds(&run["log"]);
    }
    let two = trial(&stage, 2, 1.05, |it| it["runs"][0]["tree"] = json!("0".repeat(40)));
    stage.refused(&["revalidate", "ingest", &two], &["RV-1"]);
    let three = trial(&stage, 3, 1.05, |it| it["kind"] = json!("gap"));
    let three = ["revalidate", "ingest", three.as_str()];
    let ended = stage.run(&three);
    assert_eq!(ended.exit, 4, "{}", ended.text);
    let four = trial(&stage, 4, 1.05, |it| it["runs"][1]["colour"] = json!(1));
    let ended = stage.run(&["revalidate", "ingest", &four]);
    assert_eq!((ended.exit, &ended.json["error"]["kind"]), (4, &json!("bad-evidence")));

    // Of two files the first one counts, whatever becomes of the second.
    let five = trial(&stage, 5, 1.05, |_| {});
    let before = stage.events();
    let ended = stage.run(&["revalidate", "ingest", &five, &four]);
    assert_eq!(ended.exit, 4);
    assert_eq!(
        (stage.events(), ended.json["head"]["seq"].as_u64()),
        (before + 1, Some(before as u64 + 1))
    );
}

#[test]
fn a_patch_is_accepted_when_everything_is_there() {
    let stage = Stage::at(Run::patched());
    let (patch, tree) = {
        let State::Revalidate(state) = stage.model.campaign.state() else { panic!() };
        (state.trialled().head().commit.clone(), state.trialled().head().tree.clone())
    };
    let on_patch = |stage: &Stage| {
        stage.stand(|it| (it.head.commit, it.head.tree) = (patch.clone(), tree.clone()))
    };
    let stand = on_patch(&stage);
    let ended = stage.run(&["revalidate", "accept", "--stand", &stand]);
    assert_eq!(ended.exit, 3);
    let clauses: Vec<_> = ended.json["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (it["clause"].as_str().unwrap().to_owned(), it["help"].as_str().unwrap().to_owned())
        })
        .collect();
    assert!(
        clauses.contains(&(
            "RV-2".into(),
            "vsota revalidate test --commit COMMIT --junit FILE".into()
        ))
    );
    assert!(clauses.contains(&("RV-1".into(), "vsota revalidate ingest FILE".into())));

    let mut model = Run::patched();
    model.trial(1.05);
    let stage = Stage::at(model);
    let moved = stage.stand(|_| {});
    stage.refused(&["revalidate", "accept", "--stand", &moved], &["RV-1"]);
    let stand = on_patch(&stage);
    let args = ["revalidate", "accept", "--stand", &stand, "--next-planned", "fuse the norm"];
    stage.granted(&args, "patch-accepted", "rlcr-active");
    assert_eq!(stage.said()["next_planned"], "fuse the norm");
    let bad = stage.file("stand.json", "{}");
    stage.bad(&["revalidate", "accept", "--stand", &bad], "stand.json", Some(1), None);
}

#[test]
fn a_patch_is_put_aside_once_the_accepted_tree_is_restored() {
    for (verb, event, phase) in
        [("retry", "patch-retried", "layer-pipeline"), ("reject", "patch-rejected", "rlcr-active")]
    {
        let stage = Stage::at(Run::patched());
        let args = |stand: &str| {
            ["revalidate", verb, "--reason", "no gain", "--stand", stand].map(str::to_owned)
        };
        let moved = args(&stage.stand(|it| it.head.tree = model::git("elsewhere")));
        stage.refused(&moved.each_ref().map(String::as_str), &["PA-1"]);
        let good = args(&stage.stand(|_| {}));
        stage.granted(&good.each_ref().map(String::as_str), event, phase);
        let control = stage.run(&["revalidate", verb, "--reason", "a\nb", "--stand", &good[5]]);
        assert_eq!(control.exit, 2);
    }
}

#[test]
fn the_new_build_is_profiled_beside_the_old_one() {
    use vsota_core::facts::Stage as Part;
    let stage = Stage::at(Run::patched());
    let State::Revalidate(state) = stage.model.campaign.state() else { panic!() };
    let head = state.trialled().head().clone();
    let (file, capture) = super::profile::written(&stage, Framework::Vllm, Part::Decode, |it| {
        it["build"] = json!(head.tree)
    });
    stage.granted(
        &["profile", "file", &file, "--capture", &capture],
        "profile-filed",
        "revalidate",
    );
    let at = format!("profiles/r1/{}/vllm-decode.json", head.commit.short());
    assert!(fs::exists(stage.path(&at)).unwrap());
    let (file, capture) = super::profile::written(&stage, Framework::Sglang, Part::Decode, |_| {});
    stage.refused(&["profile", "file", &file, "--capture", &capture], &["RV-1", "RV-1"]);
}

/// A checkout with one commit.
fn checkout(at: &std::path::Path) -> String {
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.arg("-C").arg(at).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(args);
        let ended = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
    git(&["rev-parse", "HEAD"])
}

/// A patched campaign whose checkout is there; the patch is `commit`.
fn patched_in(checkout: &std::path::Path, commit: &GitId) -> Stage {
    let mut run = Run::patched();
    for event in &mut run.events {
        match event {
            Event::InputsRecorded(it) => {
                let at = model::line(checkout.to_str().unwrap());
                it.said.inputs.push(model::sourced(Input::VllmCheckout(at)));
            }
            Event::PatchRecorded(it) => it.said.stand.head.commit = commit.clone(),
            _ => {}
        }
    }
    run.campaign = Campaign::replay((1..).map(Seq).zip(&run.events)).unwrap();
    Stage::at(run)
}

#[test]
fn tests_run_where_the_checkout_stands_on_the_patched_commit() {
    let dir = tempfile::tempdir().unwrap();
    let head = checkout(dir.path());
    let args = |stage: &Stage, commit: &str, script: &str| -> Vec<String> {
        let script = stage.file("pytest.sh", script);
        ["revalidate", "test", "--commit", commit, "--", "/bin/sh", &script]
            .map(str::to_owned)
            .into()
    };
    let passes = "echo '== 3 passed in 0.10s =='\n";
    let stage = patched_in(dir.path(), &head.parse().unwrap());
    let told = args(&stage, &head, passes);
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    stage.granted(&told, "tests-filed", "revalidate");
    assert_eq!(stage.said()["head"], json!(head));

    let other = model::git("another commit");
    let stage = patched_in(dir.path(), &other);
    let told = args(&stage, other.as_str(), passes);
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let ended = stage.refused(&told, &["RV-2"]);
    assert!(ended.text.contains(&head), "{}", ended.text);

    let stage = patched_in(dir.path(), &head.parse().unwrap());
    let moves = format!(
        "git -C {} -c user.name=a -c user.email=a@b commit -q --allow-empty -m two\n{passes}",
        dir.path().display()
    );
    let told = args(&stage, &head, &moves);
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let (before, ended) = (stage.events(), stage.run(&told));
    assert_eq!((ended.exit, stage.events()), (4, before), "{}", ended.text);
    assert!(ended.text.contains("HEAD moved"), "{}", ended.text);
}
