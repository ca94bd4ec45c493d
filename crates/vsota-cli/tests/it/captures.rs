//! Profiles are captured of servers that the tool launches: outside a campaign and in one, each
//! framework its own way, killed and gone on with (PR-1 … PR-4, PR-8).

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use serde_json::{Value, json};
use vsota_fixtures::demo::{Demo, Live, build};

use crate::world::World;

const VSOTA: &str = env!("CARGO_BIN_EXE_vsota");

/// The key of a server that wants one.
const KEY: &str = "a-key-of-nobody";

/// Three ports that are free.
fn ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|it| it.local_addr().unwrap().port())
}

fn told(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout)
}

/// A plan of three mock servers.
fn plan(ports: [u16; 3], vllm: &str) -> String {
    let [one, two, three] = ports;
    let mock = format!("{VSOTA}, mock-server, --ttft-ms, \"5\", --tpot-ms, \"1\"");
    format!(
        "model: {{name: demo/tiny-moe}}\n\
         dataset: {{kind: random, num_prompts: 8, scenario_names: [chat, long], input_len: [64, 256], \
         output_len: [32, 40]}}\n\
         benchmark: {{endpoint: /v1/completions}}\n\
         search: {{candidate_generation: ordered_list, max_candidates_per_framework: 1}}\n\
         frameworks:\n\
         \x20 vllm: {{server_command: [{mock}{vllm}, --, vllm, serve], base_server_flags: {{port: {one}}}}}\n\
         \x20 sglang: {{server_command: [{mock}, --, python, -m, sglang.launch_server], \
         base_server_flags: {{tp: 2, port: {two}}}}}\n\
         \x20 tensorrt_llm: {{server_command: [{mock}, --, trtllm-serve, serve], \
         base_server_flags: {{backend: pytorch, port: {three}}}}}\n"
    )
}

/// The processes that carry a marker and have one of the ports in their words.
fn family(ports: [u16; 3]) -> Vec<String> {
    let ports: Vec<String> = ports.iter().map(|it| format!("--port {it} ")).collect();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let read = |what: &str| fs::read(entry.path().join(what)).unwrap_or_default();
        let marked = read("environ").split(|it| *it == 0).any(|it| it.starts_with(b"VSOTA_RUN="));
        let words = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        if marked && ports.iter().any(|it| words.contains(it)) {
            found.push(words);
        }
    }
    found
}

/// Kills it as soon as a server of its own is up; nobody may be left 2 s later.
fn kill(mut command: Command, ports: [u16; 3]) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while family(ports).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no server comes up");
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(100));
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    while !family(ports).is_empty() && begun.elapsed() < Duration::from_secs(2) {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(family(ports), Vec::<String>::new());
}

#[test]
fn without_a_campaign_each_framework_is_captured_its_own_way() {
    let world = World::empty();
    let ports = ports();
    fs::write(world.root.join("plan.yaml"), plan(ports, "")).unwrap();
    let capture = || {
        let mut command = Command::new(VSOTA);
        command.stdin(Stdio::null()).current_dir(&world.root).env_remove("SOURCE_DATE_EPOCH");
        command.args(["profile", "capture", "--plan", "plan.yaml", "--out", "out", "--json"]);
        // Servers that want a key get that of their clients, and nobody writes it down.
        command.env("VSOTA_MOCK_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
        command
    };
    kill(capture(), ports);
    let ended = capture().output().unwrap();
    assert!(ended.status.success(), "{}", told(&ended));
    let value: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let profiles = value["profiles"].as_array().unwrap();
    let stage = |it: &Value, name: &str| {
        let stages = it["stages"].as_array().unwrap();
        stages.iter().find(|it| it["stage"] == name).cloned().unwrap_or_default()
    };
    let named: Vec<_> = profiles.iter().map(|it| it["framework"].as_str().unwrap()).collect();
    let names = ["vllm", "vllm", "sglang", "sglang", "tensorrt_llm", "tensorrt_llm"];
    assert_eq!(named, names);
    for (at, it) in profiles.iter().enumerate() {
        assert_eq!(it["traces"][0]["mock"], true, "{at}");
        // A rank that writes late is waited for, and lies with its own stage; the tables are of the first.
        let dir = format!("out/{}/{}", named[at], if at % 2 == 0 { "prefill" } else { "decode" });
        let ranks = if named[at] == "sglang" { 2 } else { 1 };
        assert_eq!(world.root.join(&dir).read_dir_utf8().unwrap().count(), ranks, "{dir}");
        // The scenario with the longest requests, five steps of it (PR-3).
        let (name, tokens) = match at % 2 {
            0 => ("prefill", json!({"prefill": 5 * 256, "decode": 0})),
            _ => ("decode", json!({"prefill": 0, "decode": if at == 3 { 6 } else { 5 }})),
        };
        assert_eq!(stage(it, name)["tokens"], tokens, "{at}");
        assert!(stage(it, name)["kernels"].as_array().unwrap().len() > 4, "{at}");
    }
    // What a trace shows besides: SGLang begins with the prompt's pass, vLLM leaves it out (PR-4).
    assert_eq!(stage(&profiles[3], "prefill")["passes"], 1);
    assert_eq!(stage(&profiles[1], "prefill"), Value::Null);
    // The tables are those of `profile analyze`.
    let ended = Command::new(VSOTA)
        .current_dir(&world.root)
        .args(["profile", "analyze", "out/vllm/decode", "--json"])
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&ended.stdout).unwrap(), profiles[1]);
    let mut written: Vec<_> = vec![world.root.join("out")];
    while let Some(path) = written.pop() {
        if path.is_dir() {
            written.extend(path.read_dir_utf8().unwrap().map(|it| it.unwrap().into_path()));
        } else {
            let bytes = fs::read(&path).unwrap();
            assert!(!bytes.windows(KEY.len()).any(|it| it == KEY.as_bytes()), "{path}");
        }
    }
    // Captured once, it is not captured again.
    let log = fs::read(world.root.join("out/sglang/server.log")).unwrap();
    let again = capture().output().unwrap();
    assert_eq!(again.stdout, Command::output(&mut capture()).unwrap().stdout);
    assert_eq!(log, fs::read(world.root.join("out/sglang/server.log")).unwrap());
    // Two at once on one directory: the second is told at once.
    let held = fs::File::open(world.root.join("out/.vsota.lock")).unwrap();
    held.lock().unwrap();
    let begun = Instant::now();
    let busy = capture().output().unwrap();
    assert_eq!(busy.status.code(), Some(6), "{}", told(&busy));
    assert!(begun.elapsed() < Duration::from_secs(1) && told(&busy).contains("another --out"));
    drop(held);
    // What is of another launch is no answer, and stays as it is.
    let plan = fs::read_to_string(world.root.join("plan.yaml")).unwrap();
    for (from, to, what) in [
        (
            "base_server_flags: {port",
            "base_server_flags: {max_num_seqs: 9, port",
            "another command",
        ),
        ("sglang: {", "sglang: {env: {VSOTA_MOCK_PATCHED: '1'}, ", "another env"),
    ] {
        fs::write(world.root.join("plan.yaml"), plan.replacen(from, to, 1)).unwrap();
        let other = capture().output().unwrap();
        assert_eq!(other.status.code(), Some(4), "{}", told(&other));
        assert!(told(&other).contains(what) && told(&other).contains("--out"), "{}", told(&other));
    }
    fs::write(world.root.join("plan.yaml"), &plan).unwrap();
    let other = capture().args(["--active", "4"]).output().unwrap();
    assert!(other.status.code() == Some(4) && told(&other).contains("another window"));
    assert_eq!(log, fs::read(world.root.join("out/sglang/server.log")).unwrap());
}

/// A build is known by where its package lies, its version and its tree; nobody loads it for that.
#[test]
fn a_finished_capture_is_of_one_build() {
    let world = World::empty();
    let root = &world.root;
    let checkout = root.join("checkout");
    fs::create_dir_all(checkout.join("vllm")).unwrap();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C", checkout.as_str()]).args(args);
        assert!(git.output().unwrap().status.success(), "{args:?}");
    };
    git(&["init", "-q"]);
    let commit = |text: &str| {
        fs::write(checkout.join("vllm/__init__.py"), text).unwrap();
        git(&["add", "."]);
        git(&["commit", "-qm", "one"]);
    };
    commit("a = 1\n");
    // A Python that knows where vLLM lies, and is a mock of it otherwise.
    let script = |name: &str, text: &str| {
        fs::write(root.join(name), text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(root.join(name), mode).unwrap();
    };
    script(
        "python",
        &format!(
            "#!/bin/sh\n[ \"$1\" = -c ] && {{ echo {checkout}/vllm/__init__.py; echo 0.33.0; exit; }}\nshift\n\
             exec {VSOTA} mock-server --ttft-ms 1 --tpot-ms 0.5 -- vllm \"$@\"\n"
        ),
    );
    script("vllm", &format!("#!{root}/python\n"));
    let [port, ..] = ports();
    let text = plan([port, 1, 2], "");
    let vllm = format!(
        "  vllm: {{server_command: [{root}/vllm, serve], base_server_flags: {{port: {port}}}}}\n"
    );
    let text = text.split("  vllm:").next().unwrap().to_owned() + &vllm;
    fs::write(root.join("plan.yaml"), text).unwrap();
    let capture = || {
        let mut command = Command::new(VSOTA);
        command.stdin(Stdio::null()).current_dir(root);
        command.args([
            "profile",
            "capture",
            "--plan",
            "plan.yaml",
            "--out",
            "out",
            "--stage",
            "decode",
        ]);
        command.output().unwrap()
    };
    for _ in 0..2 {
        let ended = capture();
        assert!(ended.status.success(), "{}", told(&ended));
    }
    let made: Value =
        serde_json::from_slice(&fs::read(root.join("out/vllm/decode.made.json")).unwrap()).unwrap();
    assert_eq!(
        (&made["build"]["version"], &made["build"]["changed"]),
        (&json!("0.33.0"), &json!(false))
    );
    fs::write(checkout.join("vllm/more.py"), "").unwrap();
    let ended = capture();
    assert!(
        ended.status.code() == Some(4) && told(&ended).contains("another build"),
        "{}",
        told(&ended)
    );
    commit("a = 2\n");
    let ended = capture();
    assert!(
        ended.status.code() == Some(4) && told(&ended).contains("another build"),
        "{}",
        told(&ended)
    );
}

#[test]
fn what_a_server_does_not_give_is_said_with_its_log() {
    let world = World::empty();
    for (crash, words) in [
        (", --crash, dies, --dies-after, \"8\"", "request 7 of prefill was not answered"),
        (", --crash, oom", "out of memory"),
    ] {
        fs::write(world.root.join("plan.yaml"), plan(ports(), crash)).unwrap();
        let ended = Command::new(VSOTA)
            .current_dir(&world.root)
            .args(["profile", "capture", "--plan", "plan.yaml", "--framework", "vllm"])
            .args(["--out", "out", "--scenario", "chat"])
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(1), "{}", told(&ended));
        assert!(told(&ended).contains(words), "{words}: {}", told(&ended));
        assert!(told(&ended).contains("out/vllm/server.log"), "{}", told(&ended));
    }
    let ended = Command::new(VSOTA)
        .current_dir(&world.root)
        .args(["profile", "capture", "--plan", "plan.yaml", "--scenario", "chat", "--active", "40"])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(4), "{}", told(&ended));
    assert!(told(&ended).contains("PR-3: the answers of chat have 32 tokens"), "{}", told(&ended));
}

/// A campaign of made-up evidence up to its verdict, whose launch commands this machine can follow.
struct Behind {
    world: World,
    run: Utf8PathBuf,
    ports: [u16; 3],
}

impl Behind {
    fn new() -> Self {
        let (world, ports) = (World::empty(), ports());
        let run = world.root.join("runs/r");
        fs::create_dir(world.root.join("runs")).unwrap();
        let demo = Demo::launchable(Live { vsota: VSOTA.to_owned(), ports });
        for (path, bytes) in &demo.files {
            let path = world.root.join("evidence").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let it = Self { world, run, ports };
        for step in &demo.steps {
            if step.args[..2] == ["profile", "file"] {
                break;
            }
            let ended = it.vsota(&step.args).output().unwrap();
            assert_eq!(ended.status.success(), !step.refused, "{step:?}: {}", told(&ended));
        }
        it
    }

    fn vsota(&self, args: &[impl AsRef<str>]) -> Command {
        let mut command = Command::new(VSOTA);
        command.stdin(Stdio::null()).env_remove("SOURCE_DATE_EPOCH");
        // What a build of vLLM would say of itself.
        command.env("VSOTA_MOCK_TREE", build("baseline").1).args(["-C", self.run.as_str()]);
        for arg in args {
            match arg.as_ref().strip_prefix('@') {
                Some(path) => command.arg(self.world.root.join("evidence").join(path)),
                None => command.arg(arg.as_ref()),
            };
        }
        command
    }

    fn capture(&self, more: &[&str]) -> Command {
        let capture = ["profile", "capture", "--plan", "@search.json", "--grace", "1"];
        self.vsota(&[&capture[..], more].concat())
    }

    /// Framework and stage of the filed profiles.
    fn filed(&self) -> Vec<(String, String)> {
        let journal = fs::read_to_string(self.run.join("humanize/lineage.jsonl")).unwrap();
        let events = journal.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        let filed = events.filter_map(|it| it["event"].get("profile-filed").cloned());
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        filed
            .map(|it| it.get("said").cloned().unwrap_or(it))
            .map(|it| (text(&it["framework"]), text(&it["stage"])))
            .collect()
    }
}

#[test]
fn in_a_campaign_what_is_owed_is_captured_and_filed() {
    let it = Behind::new();
    kill(it.capture(&[]), it.ports);
    // A rival without a profiler is told with the waiver that would help; the others are filed.
    let mut without = it.capture(&["--framework", "sglang"]);
    let ended = without.env("VSOTA_MOCK_NO_PROFILER", "1").output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{}", told(&ended));
    let help = told(&ended);
    assert!(help.contains("the server has no profiler: /start_profile is not found"), "{help}");
    let help = help.split("vsota profile waive sglang --log ").nth(1).unwrap();
    let log = fs::read_to_string(help.split_whitespace().next().unwrap()).unwrap();
    assert!(log.starts_with("# profiled launch "), "{log}");
    assert_eq!(it.filed(), []);

    let ended = it.capture(&["--framework", "vllm", "--stage", "decode"]).output().unwrap();
    assert!(ended.status.success(), "{}", told(&ended));
    let ended = it.capture(&[]).output().unwrap();
    assert!(ended.status.success(), "{}", told(&ended));
    let pair = |one: &str, two: &str| (one.to_owned(), two.to_owned());
    let wanted = [
        pair("vllm", "decode"),
        pair("vllm", "prefill"),
        pair("sglang", "prefill"),
        pair("sglang", "decode"),
        pair("tensorrt_llm", "prefill"),
        pair("tensorrt_llm", "decode"),
    ];
    assert_eq!(it.filed(), wanted);
    assert!(!it.run.join("benchmark/running").exists());
    let nothing = it.capture(&[]).output().unwrap();
    assert!(nothing.status.success() && it.filed().len() == 6, "{}", told(&nothing));
    // The tables are derived again from the filed traces.
    let proof = it.vsota(&["verify", "--without", "checkout"]).output().unwrap();
    assert!(proof.status.success(), "{}", told(&proof));
    // The root cause finds its rows, and the layers are found in the captured trace (LP-2).
    let cause =
        ["profile", "root-cause", "@drafts/root-cause.md", "--stand", "@stand/round-1.json"];
    let ended = it.vsota(&cause).output().unwrap();
    assert!(ended.status.success(), "{}", told(&ended));
    let mut filed =
        it.run.join("profiles/r1").read_dir_utf8().unwrap().map(|it| it.unwrap().into_path());
    let trace =
        filed.find(|it| it.as_str().contains("/vllm-decode-") && it.extension() == Some("gz"));
    let layers = ["layers", "file", trace.as_ref().unwrap().as_str(), "--config", "@config.json"];
    let ended =
        it.vsota(&[&layers[..], &["--stand", "@stand/round-1.json"]].concat()).output().unwrap();
    assert!(ended.status.success(), "{}", told(&ended));
}

#[test]
fn another_build_than_the_accepted_one_is_not_captured() {
    let it = Behind::new();
    let mut command = it.capture(&["--framework", "vllm"]);
    let ended = command.env("VSOTA_MOCK_TREE", build("moe-routing").1).output().unwrap();
    assert_eq!(ended.status.code(), Some(4), "{}", told(&ended));
    assert!(told(&ended).contains("PA-1: the build runs the tree"), "{}", told(&ended));
    assert_eq!((it.filed(), family(it.ports)), (Vec::new(), Vec::new()));
}
