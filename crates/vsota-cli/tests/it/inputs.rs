//! What `init` need not ask (IN-1, IN-2, IN-5), and what it refuses to guess.

use std::fs;

use camino::Utf8PathBuf;
use serde_json::{Value, json as value};

use crate::world::{World, json, vsota};

const CONFIG: &str = r#"{
  "architectures": ["DemoMoeForCausalLM"], "model_type": "demo_moe", "torch_dtype": "bfloat16",
  "num_hidden_layers": 4, "num_experts": 64, "max_position_embeddings": 16384
}"#;

struct Ground {
    world: World,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { world: World::empty() };
        ground.put("ckpt/config.json", CONFIG);
        ground.put("vllm/vllm/__init__.py", "");
        ground.git(&["init", "-q", "-b", "main"]);
        ground.git(&["add", "-A"]);
        ground.git(&["commit", "-q", "-m", "first"]);
        ground
    }

    fn put(&self, path: &str, text: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.world.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn git(&self, args: &[&str]) {
        let ended = std::process::Command::new("git")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args(["-C", self.world.root.join("vllm").as_str()])
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(args)
            .output()
            .unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    /// `init` with these arguments below the root: the exit, and what it says.
    fn init(&self, args: &[&str]) -> (i32, Value) {
        let mut command = vsota();
        command.current_dir(&self.world.root).args(["--json", "init"]).args(args);
        let ended = command.output().unwrap();
        (ended.status.code().unwrap(), json(&ended.stdout))
    }

    /// Every recorded input with its source, by key, latest last.
    fn recorded(&self, answer: &Value) -> Vec<(Value, String)> {
        let run = self.world.root.join(answer["run_dir"].as_str().unwrap());
        let journal = fs::read_to_string(run.join("humanize/lineage.jsonl")).unwrap();
        let mut all = Vec::new();
        for line in journal.lines() {
            let entry: Value = serde_json::from_str(line).unwrap();
            let said = &entry["event"]["inputs-recorded"]["inputs"];
            for it in said.as_array().into_iter().flatten() {
                all.push((it["input"].clone(), it["source"].as_str().unwrap().to_owned()));
            }
        }
        all
    }
}

fn missing(answer: &Value) -> Vec<&str> {
    let missing = answer["missing"].as_array().unwrap().iter();
    missing.map(|it| it["found"].as_str().unwrap().split(' ').next().unwrap()).collect()
}

#[test]
fn a_checkout_and_a_config_alone_leave_the_gpus_to_ask_for() {
    let ground = Ground::new();
    let (exit, answer) = ground.init(&["--vllm", "vllm", "--config", "ckpt/config.json"]);
    assert_eq!((exit, missing(&answer)), (0, vec!["gpu_model", "gpu_count"]), "{answer}");
    let recorded = ground.recorded(&answer);
    let model = ground.world.root.join("ckpt").into_string();
    assert!(
        recorded.contains(&(value!({ "model": model }), "ckpt/config.json".into())),
        "{recorded:?}"
    );
    let checkout = recorded.iter().find(|it| it.0.get("vllm_checkout").is_some()).unwrap();
    assert_eq!(checkout.0["vllm_checkout"], ground.world.root.join("vllm").as_str());
    assert!(checkout.1.starts_with("--vllm: branch main, commit "), "{}", checkout.1);
}

#[test]
fn with_the_table_of_nvidia_smi_nothing_is_asked() {
    let ground = Ground::new();
    let table = "index, name, uuid, driver_version, memory.total [MiB]\n\
                 0, NVIDIA H100 80GB HBM3, GPU-1, 570.86.15, 81559 MiB\n\
                 1, NVIDIA H100 80GB HBM3, GPU-2, 570.86.15, 81559 MiB\n";
    ground.put("smi.csv", table);
    let files = ["--vllm", "vllm", "--config", "ckpt/config.json", "--nvidia-smi", "smi.csv"];
    let (exit, answer) = ground.init(&files);
    assert_eq!((exit, missing(&answer)), (0, vec![]), "{answer}");
    assert_eq!(answer["phase"], "history-gate");
    let recorded = ground.recorded(&answer);
    for input in [
        value!({"gpu_model": "NVIDIA H100 80GB HBM3"}),
        value!({"gpu_count": 2}),
        value!({"gpu_ids": "0,1"}),
    ] {
        assert!(recorded.contains(&(input.clone(), "smi.csv".into())), "{input}: {recorded:?}");
    }
}

#[test]
fn several_types_of_gpus_are_not_guessed_from() {
    let ground = Ground::new();
    ground.put("smi.csv", "index, name\n0, NVIDIA H100\n1, NVIDIA L4\n");
    let files = ["--vllm", "vllm", "--config", "ckpt/config.json", "--nvidia-smi", "smi.csv"];
    assert_eq!(missing(&ground.init(&files).1), ["gpu_model"]);
}

#[test]
fn a_table_that_is_none_is_refused_and_nothing_is_opened() {
    let ground = Ground::new();
    for text in ["No devices were found\n", "", "index, name\n0, [GPU is lost]\n", "hello\n"] {
        ground.put("smi.csv", text);
        let (exit, answer) =
            ground.init(&["--config", "ckpt/config.json", "--nvidia-smi", "smi.csv"]);
        assert_eq!(
            (exit, &answer["error"]["kind"]),
            (4, &"bad-evidence".into()),
            "{text}: {answer}"
        );
        assert!(!ground.world.root.join("runs").exists());
    }
}

#[test]
fn the_path_of_a_cache_names_the_model() {
    let ground = Ground::new();
    let path = "hub/models--Qwen--Qwen3-8B/snapshots/0123/config.json";
    ground.put(path, CONFIG);
    let (_, answer) = ground.init(&["--config", path]);
    let recorded = ground.recorded(&answer);
    assert!(recorded.contains(&(value!({"model": "Qwen/Qwen3-8B"}), path.into())), "{recorded:?}");
}

#[test]
fn a_typed_value_is_not_inferred_over() {
    let ground = Ground::new();
    let (_, answer) = ground.init(&["--config", "ckpt/config.json", "model=some/model"]);
    let models: Vec<_> =
        ground.recorded(&answer).into_iter().filter(|it| it.0.get("model").is_some()).collect();
    assert_eq!(models, [(value!({"model": "some/model"}), "flag".into())]);
}

#[test]
fn the_checkout_around_the_working_directory_is_taken() {
    let ground = Ground::new();
    ground.put("vllm/pyproject.toml", "");
    let ended = vsota()
        .current_dir(ground.world.root.join("vllm/vllm"))
        .args([
            "--json",
            "-C",
            ground.world.run.as_str(),
            "init",
            "--config",
            "../../ckpt/config.json",
        ])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let journal = fs::read_to_string(ground.world.run.join("humanize/lineage.jsonl")).unwrap();
    assert!(journal.contains("the working directory: branch main"), "{journal}");
}

#[test]
fn a_config_that_cannot_be_one_is_refused() {
    let ground = Ground::new();
    for (text, field) in [
        (
            CONFIG.replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": -1"),
            "num_hidden_layers",
        ),
        (
            CONFIG.replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 0"),
            "num_hidden_layers",
        ),
        (CONFIG.replace("16384", "-1"), "max_position_embeddings"),
        (CONFIG.replace("\"bfloat16\"", "17"), "torch_dtype"),
    ] {
        ground.put("ckpt/config.json", text);
        let (exit, answer) = ground.init(&["--config", "ckpt/config.json"]);
        assert_eq!((exit, &answer["error"]["field"]), (4, &field.into()), "{answer}");
    }
    let large = fs::File::create(ground.world.root.join("ckpt/config.json")).unwrap();
    large.set_len(100 << 20).unwrap();
    let (exit, answer) = ground.init(&["--config", "ckpt/config.json"]);
    assert_eq!(exit, 4, "{answer}");
    assert!(!ground.world.root.join("runs").exists(), "nothing is opened");
}

/// A script that answers like a place where the GPUs are.
fn place(ground: &Ground, pip: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = box ] || exit 9\nshift\n[ \"$1\" = in ] && shift 2\n\
         case \"$1\" in nvidia-smi) printf 'index, name\\n0, NVIDIA L4\\n' ;;\n\
         python3) [ \"$*\" = 'python3 -m pip list --format=json --disable-pip-version-check' ] || exit 8\n\
         {pip} ;; *) exit 7 ;; esac\n"
    );
    let path = ground.put("ssh", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{path} box")
}

const PACKAGES: &str = r#"[{"name": "vllm", "version": "0.11.0"}, {"name": "tensorrt_llm", "version": "1.1.0"},
    {"name": "nvidia-nccl-cu12", "version": "2.27.3"}, {"name": "nvidia-cuda-runtime-cu12", "version": "12.8.90"}]"#;

fn recorded(ground: &Ground, answer: &Value, input: Value) -> String {
    let all = ground.recorded(answer);
    all.iter().find(|it| it.0 == input).unwrap_or_else(|| panic!("{input}: {all:?}")).1.clone()
}

#[test]
fn frameworks_are_asked_for_where_the_gpus_are() {
    let ground = Ground::new();
    let host = place(&ground, &format!("echo '{}'", PACKAGES.replace('\n', "")));
    let args = ["--config", "ckpt/config.json", "--host-command", &host];
    let more = ["--container-command", "in c1", "vllm_checkout=/src/vllm"];
    let (exit, answer) = ground.init(&[&args[..], &more].concat());
    assert_eq!((exit, missing(&answer)), (0, vec![]), "{answer}");
    let asked =
        format!("{host} in c1 python3 -m pip list --format=json --disable-pip-version-check");
    for input in [
        value!({"installed": {"framework": "vllm", "version": "0.11.0"}}),
        value!({"installed": {"framework": "sglang", "version": null}}),
        value!({"installed": {"framework": "tensorrt_llm", "version": "1.1.0"}}),
        value!({"nccl": "2.27.3"}),
        value!({"cuda": "12.8.90"}),
    ] {
        assert_eq!(recorded(&ground, &answer, input), asked);
    }
    assert_eq!(recorded(&ground, &answer, value!({"container": "in c1"})), "flag");
    let run = ground.world.root.join(answer["run_dir"].as_str().unwrap());
    let manifest = fs::read_to_string(run.join("manifest.md")).unwrap();
    assert!(manifest.contains("vLLM: available, version `0.11.0`"), "{manifest}");
    assert!(manifest.contains("SGLang: not installed there"), "{manifest}");
    // A Python without pip says nothing.
    let host = place(&ground, "exit 1");
    let args = ["--config", "ckpt/config.json", "--host-command", &host, "frameworks=vllm,sglang"];
    let (exit, answer) = ground.init(&args);
    assert_eq!(exit, 0, "{answer}");
    assert!(!ground.recorded(&answer).iter().any(|it| it.0.get("installed").is_some()));
    let run = ground.world.root.join(answer["run_dir"].as_str().unwrap());
    let manifest = fs::read_to_string(run.join("manifest.md")).unwrap();
    assert!(manifest.contains("vLLM: nobody asked whether it is installed"), "{manifest}");
    assert!(manifest.contains("TensorRT-LLM: left out by the user"), "{manifest}");
}

#[test]
fn a_place_that_hangs_or_never_ends_to_speak_is_left() {
    let ground = Ground::new();
    for (pip, words) in [("sleep 300", "did not end within 1 s"), ("yes", "said more than")] {
        let host = place(&ground, pip);
        let begun = std::time::Instant::now();
        let files = ["--config", "ckpt/config.json", "--host-command", &host];
        let time = if pip == "yes" { "120" } else { "1" };
        let (exit, answer) = ground.init(&[&files[..], &["--host-timeout", time]].concat());
        assert_eq!((exit, &answer["error"]["kind"]), (1, &"child".into()), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{answer}");
        assert!(begun.elapsed().as_secs() < 100);
        assert!(!ground.world.root.join("runs").exists(), "nothing is opened");
    }
}

/// What would ask at the terminal has none, and says so at once.
#[test]
fn a_place_that_asks_back_is_told_of_at_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = Ground::new();
    let script = "#!/bin/sh\nread -r _ _ _ _ _ session _ < /proc/$$/stat\n\
                  [ \"$session\" = $$ ] || sleep 300\necho 'Permission denied (publickey).' >&2\nexit 255\n";
    let path = ground.put("ssh", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let told = |host: &str| {
        let files = ["--config", "ckpt/config.json", "--host-timeout", "60"];
        let (exit, answer) = ground.init(&[&files[..], &["--host-command", host]].concat());
        assert_eq!((exit, &answer["error"]["kind"]), (1, &"child".into()), "{answer}");
        answer["error"]["message"].as_str().unwrap().to_owned()
    };
    let begun = std::time::Instant::now();
    let message = told(&format!("{path} box"));
    assert!(message.contains("(publickey).; if ssh wants to ask something"), "{message}");
    assert!(begun.elapsed().as_secs() < 50, "it waited");
    let message = told("/nowhere/at/all box");
    assert!(message.contains("/nowhere/at/all could not be run"), "{message}");
}

#[test]
fn what_several_places_have_installed_is_told_by_files() {
    let ground = Ground::new();
    ground.put("a.json", PACKAGES);
    ground.put("b.json", r#"[{"name": "SGLang", "version": "0.5.4"}]"#);
    let files = ["--config", "ckpt/config.json", "--pip-list", "a.json", "--pip-list", "b.json"];
    let (exit, answer) = ground.init(&files);
    assert_eq!(exit, 0, "{answer}");
    let of = |name: &str, version: &str| {
        let input = value!({"installed": {"framework": name, "version": version}});
        recorded(&ground, &answer, input)
    };
    assert_eq!([of("vllm", "0.11.0"), of("sglang", "0.5.4")], ["a.json", "b.json"]);
    let (exit, answer) = ground.init(&["model=m/m", "installed.sglang=0.5.5"]);
    assert_eq!(exit, 0, "{answer}");
    let input = value!({"installed": {"framework": "sglang", "version": "0.5.5"}});
    assert_eq!(recorded(&ground, &answer, input), "flag");
    for text in ["{}", "[{\"name\": 1}]", "Package Version\n"] {
        ground.put("c.json", text);
        let (exit, answer) = ground.init(&["model=m/m", "--pip-list", "c.json"]);
        assert_eq!((exit, &answer["error"]["file"]), (4, &"c.json".into()), "{answer}");
    }
}

#[test]
fn the_tokenizer_beside_the_config_is_the_models() {
    let ground = Ground::new();
    let tokenizer = |answer: &Value| {
        let all = ground.recorded(answer).into_iter();
        all.filter(|it| it.0.get("tokenizer").is_some()).collect::<Vec<_>>()
    };
    let args = ["--config", "ckpt/config.json", "model=org/m"];
    assert_eq!(tokenizer(&ground.init(&args).1), [], "none lies there");
    ground.put("ckpt/tokenizer.json", "{}");
    ground.put("ckpt/tokenizer_config.json", r#"{"tokenizer_class": "Qwen2Tokenizer"}"#);
    let found = tokenizer(&ground.init(&args).1);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, value!({"tokenizer": "org/m"}));
    let source = "ckpt/tokenizer.json: sha256 44136fa355b3, Qwen2Tokenizer";
    assert_eq!(found[0].1, source);
    let typed = [&args[..], &["tokenizer=other/t"]].concat();
    assert_eq!(
        tokenizer(&ground.init(&typed).1),
        [(value!({"tokenizer": "other/t"}), "flag".into())]
    );
    ground.put("ckpt/tokenizer_config.json", r#"{"tokenizer_class": 7}"#);
    let (exit, answer) = ground.init(&args);
    assert_eq!((exit, &answer["error"]["field"]), (4, &"tokenizer_class".into()), "{answer}");
}

#[test]
fn a_host_is_asked_by_its_command() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = Ground::new();
    let script = "#!/bin/sh\n[ \"$1\" = box ] && [ \"$2\" = nvidia-smi ] || exit 9\n\
                  printf 'index, name\\n0, NVIDIA L4\\n'\n";
    let path = ground.put("ssh", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let files = ["--config", "ckpt/config.json"];
    let host = format!("{path} box");
    let more = ["--host-command", &host, "vllm_checkout=/src/vllm"];
    let (exit, answer) = ground.init(&[&files[..], &more].concat());
    assert_eq!((exit, missing(&answer)), (0, vec![]), "{answer}");
    let recorded = ground.recorded(&answer);
    let gpu = (value!({"gpu_model": "NVIDIA L4"}), format!("{host} nvidia-smi"));
    assert!(recorded.contains(&gpu), "{recorded:?}");
    assert!(recorded.iter().any(|it| it.0.get("host").is_some()));
    let host = format!("{path} elsewhere");
    let (exit, answer) = ground.init(&[&files[..], &["--host-command", &host]].concat());
    assert_eq!((exit, &answer["error"]["kind"]), (1, &"child".into()), "{answer}");
}
