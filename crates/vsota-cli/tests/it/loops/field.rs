//! A git checkout, a stand-in for Humanize, and a campaign that knows both.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use vsota_core::event::Event;
use vsota_core::facts::Head;
use vsota_fixtures::builders::humanize::{LoopFiles, LoopParts, refined_plan, runtime};
use vsota_fixtures::model::{self, Run};

use crate::world::{World, binary, json};

/// The loop that the model enters.
pub(super) const LOOP: &str = "2026-01-01_00-00-00";

pub(super) struct Field {
    pub(super) world: World,
    pub(super) vllm: Utf8PathBuf,
    /// What the environment holds beside the path and the home.
    pub(super) env: BTreeMap<&'static str, String>,
}

pub(super) struct Ended {
    pub(super) exit: i32,
    pub(super) json: Value,
    pub(super) told: String,
}

impl Ended {
    /// The clauses that the call was refused for.
    pub(super) fn clauses(&self) -> Vec<&str> {
        let reasons = self.json["refused"].as_array().map(Vec::as_slice).unwrap_or_default();
        reasons.iter().map(|it| it["clause"].as_str().unwrap()).collect()
    }
}

impl Field {
    /// A good checkout on `main` and a campaign that stands where the model stands; it is no
    /// demonstration, so everything is read from git and files.
    pub(super) fn at(model: &Run) -> Self {
        let field = Self::bare();
        field.plant(model);
        field
    }

    /// A good checkout on `main`, and no campaign yet.
    pub(super) fn bare() -> Self {
        let world = World::empty();
        let vllm = world.root.join("vllm");
        fs::create_dir_all(vllm.join("vllm")).unwrap();
        let mut field = Self { world, vllm, env: BTreeMap::new() };
        field.git(&["init", "-q", "-b", "main"]);
        field.put("vllm/a.py", "a = 1\n");
        // What the model's root cause cites.
        field.put("vllm/model_executor/layers/fused_moe.py", "b = 1\n");
        field.put(".gitignore", ".humanize*\nprofile/\n");
        field.commit("first");
        for (path, text) in runtime(false) {
            field.script(&format!("humanize/{path}"), &text);
        }
        field.script("bin/codex", "#!/bin/sh\nexit 0\n");
        for tool in ["jq", "python3", "perl"] {
            field.script(&format!("bin/{tool}"), "#!/bin/sh\nexit 0\n");
        }
        let settings = r#"{"enabledPlugins": {"humanize@PolyArch": true}}"#;
        field.script("home/.claude/settings.json", settings);
        let runtime = field.world.root.join("humanize").into_string();
        field.env.insert("HUMANIZE_RUNTIME_ROOT", runtime);
        field.env.insert("STAND_IN_RAN", field.world.root.join("ran").into_string());
        field
    }

    /// The campaign up to the plan, which lies in the checkout.
    pub(super) fn planned() -> Self {
        let field = Self::at(&Run::frozen());
        let ended = field.vsota(&["loop", "plan"]);
        assert_eq!(ended.exit, 0, "{}", ended.told);
        field
    }

    /// The campaign in the model's loop, whose directory lies in the checkout.
    pub(super) fn in_loop(model: &Run, change: impl FnOnce(&mut LoopParts) -> LoopFiles) -> Self {
        Self::bare().entered(model, change)
    }

    /// The same on a checkout that is there already: the campaign's baseline is what is committed.
    pub(super) fn entered(
        self,
        model: &Run,
        change: impl FnOnce(&mut LoopParts) -> LoopFiles,
    ) -> Self {
        let field = self;
        field.plant(model);
        let mut parts = LoopParts::on(&field.id("HEAD"), &refined_plan());
        let files = change(&mut parts);
        field.lay(&field.vllm, LOOP, &files);
        field.put(".humanize/vllm-sota-agent/refined-plan.md", &refined_plan());
        field
    }

    /// Says in the journal that a build of the model is the one that is checked out.
    pub(super) fn moved(&self, head: &Head) {
        let swaps = [
            (head.commit.to_string(), self.id("HEAD")),
            (head.tree.to_string(), self.id("HEAD^{tree}")),
        ];
        let text = String::from_utf8(self.world.bytes()).unwrap();
        let events = text.lines().map(|line| {
            let line = swaps.iter().fold(line.to_owned(), |it, (from, to)| it.replace(from, to));
            serde_json::from_str::<vsota_core::Entry>(&line).unwrap().event
        });
        let run = Run { events: events.collect(), ..Run::open() };
        self.world.put(run.jsonl());
    }

    /// Puts a loop directory into a work tree.
    pub(super) fn lay(&self, tree: &Utf8Path, dir: &str, files: &LoopFiles) {
        let dir = tree.join(".humanize/rlcr").join(dir);
        fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            fs::write(dir.join(name), text).unwrap();
        }
    }

    /// Writes the model's journal, moved onto this checkout.
    fn plant(&self, model: &Run) {
        let (commit, tree) = (self.id("HEAD"), self.id("HEAD^{tree}"));
        let plan = vsota_core::Digest::of(refined_plan().as_bytes()).to_string();
        let model_input = r#"{"input":{"model":"demo/tiny-moe"},"source":"flag"}"#;
        let ours = format!(
            r#"{model_input},{{"input":{{"vllm_checkout":"{}"}},"source":"flag"}}"#,
            self.vllm
        );
        let swaps = [
            (model::head(model::BASELINE).commit.to_string(), commit),
            (model::git(model::BASELINE).to_string(), tree),
            (model::plan().copy.sha256.to_string(), plan),
            (model_input.to_owned(), ours),
            (r#""demo":true"#.to_owned(), r#""demo":false"#.to_owned()),
        ];
        let moved = |it: &Event| -> Event {
            let text = serde_json::to_string(it).unwrap();
            let text = swaps.iter().fold(text, |text, (from, to)| text.replace(from, to));
            serde_json::from_str(&text).unwrap()
        };
        let events = model.events.iter().map(moved).collect();
        let run = Run { campaign: model.campaign.clone(), events, tick: model.tick };
        fs::create_dir_all(self.world.run.join("humanize")).unwrap();
        self.world.put(run.jsonl());
    }

    /// Writes a file of the recorded loop, as Humanize would.
    pub(super) fn tell(&self, name: &str, text: &str) {
        self.put(&format!(".humanize/rlcr/{LOOP}/{name}"), text);
    }

    /// Writes a file of the checkout.
    pub(super) fn put(&self, path: &str, text: &str) {
        let path = self.vllm.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a file beside the checkout that can be run.
    pub(super) fn script(&self, path: &str, text: &str) {
        let path = self.world.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        git(&self.vllm, args)
    }

    pub(super) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    pub(super) fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", revision]).trim().to_owned()
    }

    /// Whether the set-up script was run.
    pub(super) fn ran(&self) -> bool {
        self.world.root.join("ran").exists()
    }

    pub(super) fn events(&self) -> usize {
        self.world.bytes().iter().filter(|it| **it == b'\n').count()
    }

    pub(super) fn vsota(&self, args: &[&str]) -> Ended {
        self.vsota_in(&self.vllm, args)
    }

    pub(super) fn vsota_in(&self, cwd: &Utf8Path, args: &[&str]) -> Ended {
        let ended = Command::new(binary())
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.world.root.join("bin")))
            .env("HOME", self.world.root.join("home"))
            .envs(&self.env)
            .current_dir(cwd)
            .args(["-C", self.world.run.as_str(), "--json"])
            .args(args)
            .output()
            .unwrap();
        Ended {
            exit: ended.status.code().unwrap(),
            json: json(&ended.stdout),
            told: String::from_utf8_lossy(&ended.stderr).into_owned()
                + &String::from_utf8_lossy(&ended.stdout),
        }
    }
}

/// Git with a name, and without the configuration of whoever runs the tests.
pub(super) fn git(tree: &Utf8Path, args: &[&str]) -> String {
    let ended = Command::new("git")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .arg("-C")
        .arg(tree)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(args)
        .output()
        .unwrap();
    assert!(ended.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}
