//! The commands of the late phases, on run directories that already stand in the right phase.

use std::fs;

use camino::Utf8PathBuf;
use serde::Serialize;
use serde_json::Value;
use vsota_core::facts::Standpoint;
use vsota_fixtures::model::Run;

use crate::world::{World, json};

mod drafts;
mod history;
mod hostile;
mod kernel;
mod ledgers;
mod patch;
mod profile;
mod revalidate;

/// A campaign on the disk that stands where the model stands.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) model: Run,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: i32,
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Stage {
    pub(crate) fn at(model: Run) -> Self {
        // The model opens a demonstration, which takes evidence only from D/evidence.
        let mut world = World::empty();
        fs::create_dir(world.root.join("runs")).unwrap();
        let run = world.root.join("runs/run");
        fs::rename(&world.run, &run).unwrap();
        world.run = run;
        let lines = model.entries();
        let lines: Vec<String> =
            lines.iter().map(|it| serde_json::to_string(it).unwrap() + "\n").collect();
        fs::create_dir(world.run.join("humanize")).unwrap();
        world.put(lines.concat());
        Self { world, model }
    }

    /// Writes a file outside the run directory, and says where.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.world.root.join("evidence").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.into_string()
    }

    pub(crate) fn json_file(&self, name: &str, value: &impl Serialize) -> String {
        self.file(name, serde_json::to_vec_pretty(value).unwrap())
    }

    /// A file that says where the checkout stands: on the accepted build, or on another.
    pub(crate) fn stand(&self, change: impl FnOnce(&mut Standpoint)) -> String {
        let mut stand = self.model.stand();
        change(&mut stand);
        self.json_file("stand.json", &stand)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        let mut all = vec!["--json"];
        all.extend(args);
        let ended = self.world.vsota(&all);
        Ended {
            exit: ended.status.code().unwrap(),
            json: json(&ended.stdout),
            text: String::from_utf8(ended.stderr).unwrap(),
        }
    }

    pub(crate) fn events(&self) -> usize {
        self.world.bytes().iter().filter(|it| **it == b'\n').count()
    }

    /// What the last event says, by the name of its kind.
    pub(crate) fn said(&self) -> Value {
        let bytes = self.world.bytes();
        let last = bytes.split(|it| *it == b'\n').rfind(|it| !it.is_empty()).unwrap();
        let entry = json(last);
        let event = entry["event"].as_object().unwrap().values().next().unwrap().clone();
        event.get("said").cloned().unwrap_or(event)
    }

    pub(crate) fn path(&self, at: &str) -> Utf8PathBuf {
        self.world.run.join(at)
    }

    /// An artefact that an event names is there, with the bytes that were hashed.
    pub(crate) fn holds(&self, artifact: &Value) -> Vec<u8> {
        let at = artifact["path"].as_str().unwrap();
        let bytes = fs::read(self.path(at)).unwrap_or_else(|error| panic!("{at}: {error}"));
        let digest = vsota_core::Digest::of(&bytes).to_string();
        assert_eq!(artifact["sha256"], digest, "{at}");
        assert_eq!(artifact["bytes"], bytes.len() as u64, "{at}");
        bytes
    }

    /// The call is granted: one event of that kind, and the phase that it leads to.
    #[track_caller]
    pub(crate) fn granted(&self, args: &[&str], event: &str, phase: &str) {
        let before = self.events();
        let ended = self.run(args);
        assert_eq!(ended.exit, 0, "{}", ended.text);
        assert_eq!(ended.json["event"]["kind"], event);
        assert_eq!(ended.json["phase"], phase);
        assert_eq!(self.events(), before + 1);
        let status = self.run(&["status"]);
        assert_eq!((status.exit, &status.json["phase"]), (0, &Value::from(phase)));
    }

    /// The call is refused for exactly these clauses, each with a command that would help, and
    /// nothing is recorded.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str], clauses: &[&str]) -> Ended {
        let before = self.world.bytes();
        let ended = self.run(args);
        assert_eq!(ended.exit, 3, "{}", ended.text);
        let reasons = ended.json["refused"].as_array().unwrap();
        let found: Vec<_> = reasons.iter().map(|it| it["clause"].as_str().unwrap()).collect();
        assert_eq!(found, clauses, "{}", ended.text);
        assert!(reasons.iter().all(|it| it["help"].as_str().unwrap().starts_with("vsota ")));
        assert_eq!(self.world.bytes(), before);
        ended
    }

    /// The evidence is bad: where, and nothing is recorded or left lying about.
    #[track_caller]
    pub(crate) fn bad(&self, args: &[&str], file: &str, line: Option<u64>, field: Option<&str>) {
        let before = (self.world.bytes(), self.files());
        let ended = self.run(args);
        assert_eq!(ended.exit, 4, "{}", ended.text);
        let error = &ended.json["error"];
        assert_eq!(error["kind"], "bad-evidence");
        assert!(error["file"].as_str().unwrap().ends_with(file), "{error}");
        assert_eq!(error["line"], line.map_or(Value::Null, Value::from), "{error}");
        assert_eq!(error["field"], field.map_or(Value::Null, Value::from), "{error}");
        assert_eq!((self.world.bytes(), self.files()), before);
    }

    /// Every file of the run directory.
    fn files(&self) -> Vec<String> {
        fn walk(dir: &std::path::Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.push(path.to_str().unwrap().to_owned());
                }
            }
        }
        let mut found = Vec::new();
        walk(self.world.run.as_std_path(), &mut found);
        found.sort();
        found
    }
}
