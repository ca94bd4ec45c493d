//! Nothing that was started survives: neither a stop nor the death of whoever watched.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use vsota_cli::http::Address;
use vsota_cli::supervise::process::{Process, listening_on, marked};

const VSOTA: &str = env!("CARGO_BIN_EXE_vsota");

/// A reaper with a shell under it, and the marker of both.
struct Watched {
    reaper: std::process::Child,
    marker: String,
    log: Utf8PathBuf,
    _dir: tempfile::TempDir,
}

fn watched(name: &str, script: &str) -> Watched {
    let dir = tempfile::tempdir().unwrap();
    let log = Utf8Path::from_path(dir.path()).unwrap().join("log");
    let marker = format!("test-{}-{name}", std::process::id());
    let mut command = Command::new(VSOTA);
    command.args(["__reap", "400", "sh", "-c", script]).env("VSOTA_RUN", &marker);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(fs::File::create(&log).unwrap());
    Watched { reaper: command.spawn().unwrap(), marker, log, _dir: dir }
}

/// A server that ignores SIGTERM, with a child in another session that ignores it too, and a daemon.
const STUBBORN: &str = "trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; sleep 600 & sleep 600' & \
                        setsid --fork sleep 600; echo up >&2; while :; do sleep 1; done";

fn until(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}

fn is_up(it: &Watched) -> bool {
    fs::read_to_string(&it.log).is_ok_and(|log| log.contains("up")) && marked(&it.marker).len() >= 5
}

#[test]
fn the_death_of_the_watcher_ends_the_whole_family() {
    let mut it = watched("death", STUBBORN);
    until("it comes up", || is_up(&it));
    // What the kernel does with the pipe of a process that was killed.
    drop(it.reaper.stdin.take());
    let took = until("all are gone", || marked(&it.marker).is_empty());
    assert!(took < Duration::from_secs(2), "{took:?}");
    it.reaper.wait().unwrap();
}

#[test]
fn a_stop_asks_first_and_kills_after_the_grace() {
    use std::io::Write as _;
    let mut it = watched("stop", STUBBORN);
    until("it comes up", || is_up(&it));
    it.reaper.stdin.as_mut().unwrap().write_all(b"stop\n").unwrap();
    let took = until("all are gone", || marked(&it.marker).is_empty());
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&took), "{took:?}");
    it.reaper.wait().unwrap();
    let mut it = watched(
        "polite",
        "trap 'echo bye >&2; exit 0' TERM; echo up >&2; while :; do sleep 0.01; done",
    );
    until("it comes up", || fs::read_to_string(&it.log).is_ok_and(|log| log.contains("up")));
    it.reaper.stdin.as_mut().unwrap().write_all(b"stop\n").unwrap();
    it.reaper.wait().unwrap();
    assert!(fs::read_to_string(&it.log).unwrap().contains("bye"));
}

#[test]
fn what_outlives_its_head_is_ended() {
    let mut it = watched("head", "setsid sh -c 'trap \"\" TERM; sleep 600' & exit 0");
    it.reaper.wait().unwrap();
    assert_eq!(marked(&it.marker), []);
}

/// A mock server with these flags; its log.
fn mock(flags: &[&str]) -> (std::process::Child, tempfile::NamedTempFile) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(VSOTA);
    command.arg("mock-server").args(flags).stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(log.reopen().unwrap());
    (command.spawn().unwrap(), log)
}

#[test]
fn a_mock_server_answers_and_its_client_writes_what_the_decoders_read() {
    let dir = tempfile::tempdir().unwrap();
    let commands = [
        ("vllm serve a/b", "vllm bench serve --save-result --result-filename"),
        (
            "python -m sglang.launch_server --model-path a/b",
            "python -m sglang.bench_serving --output-file",
        ),
        (
            "trtllm-serve serve a/b",
            "python -m tensorrt_llm.serve.scripts.benchmark_serving --result-filename",
        ),
    ];
    for (server, client) in commands {
        let words: Vec<&str> = server.split(' ').collect();
        let (mut child, log) = mock(
            &[&["--port", "0", "--ttft-ms", "5", "--tpot-ms", "1", "--"][..], &words].concat(),
        );
        let port = port(&log);
        let at = Address::local(port);
        let wait = Duration::from_secs(5);
        assert_eq!(listening_on(port), Process::of(child.id()));
        for path in ["/health", "/v1/models", "/metrics", "/version"] {
            let answer = at.call("GET", path, wait).unwrap();
            assert_eq!(answer.status, 200, "{path}");
            assert!(String::from_utf8_lossy(&answer.body).contains("mock"), "{path}");
        }
        let file = dir.path().join("result.json");
        let load = "--model a/b --num-prompts 6 --random-input-len 20 --random-output-len 10";
        let command =
            format!("{client} {} {load} --base-url http://127.0.0.1:{port}", file.display());
        let ended = Command::new(VSOTA)
            .args(["mock-server", "--client", "--"])
            .args(command.split(' '))
            .output()
            .unwrap();
        assert!(ended.status.success(), "{ended:?}");
        let bytes = fs::read(&file).unwrap();
        let (runs, errors) = vsota_core::evidence::read_all(&bytes);
        assert!(errors.is_empty(), "{errors:?}");
        let run = &runs[0].1;
        assert!(run.mock && run.completed == 6 && run.output_tokens == Some(60), "{run:?}");
        run.check_arithmetic().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn port(log: &tempfile::NamedTempFile) -> u16 {
    let mut found = None;
    until("it listens", || {
        let text = fs::read_to_string(log.path()).unwrap();
        found =
            text.split("http://127.0.0.1:").nth(1).and_then(|it| it.lines().next()?.parse().ok());
        found.is_some() && text.contains("startup complete")
    });
    found.unwrap()
}
