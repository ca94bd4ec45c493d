//! Do the traces still tell the tables and layers that were filed? Each that lies in the run directory
//! is read again, as `profile file` and `layers file` read it (PR-5, LP-2).

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::Deserialize;
use serde_json::Value;
use vsota_core::event::Event;
use vsota_core::evidence::pipeline::{self, Asked, ConfigFile, Model};
use vsota_core::evidence::tables::{Catalogue, Device, Role, Source, analyze};
use vsota_core::facts::{Framework, Pipeline, Profile, Stage};
use vsota_core::{Artifact, Clause, Digest, Entry};

use super::Checks;
use super::facts::bytes;
use crate::failure::Failure;
use crate::gather::bad;
use crate::rundir::RunDir;
use crate::traces::{self, LimitArgs};

/// The share from which a row must have been filed: what `profile file` keeps.
const LEAST: f64 = 0.01;

/// What a filed report names.
#[derive(Deserialize)]
struct Named {
    framework: Framework,
    #[serde(default)]
    device: String,
    #[serde(default)]
    traces: Vec<TraceNamed>,
}

#[derive(Deserialize)]
struct TraceNamed {
    file: String,
    sha256: Digest,
    #[serde(default)]
    role: String,
    #[serde(default)]
    mock: bool,
}

/// Reads every filed trace again and compares what it tells with what was filed.
pub(super) fn again(run: &RunDir, entries: &[Entry], checks: &mut Checks) {
    let mut count = 0_usize;
    let mut known: BTreeMap<Digest, Utf8PathBuf> = BTreeMap::new();
    for entry in entries {
        let (clause, file, told) = match &entry.event {
            Event::ProfileFiled(it) => {
                note(run, &it.said, &mut known);
                (Clause::Pr5, &it.said.source, profile(run, &it.said, &known))
            }
            Event::PipelineFiled(it) => {
                (Clause::Lp2, &it.said.source, layers(run, &it.said, &known))
            }
            _ => continue,
        };
        match told {
            Ok(None) => {}
            Ok(Some(differences)) => {
                count = count.saturating_add(1);
                for found in differences.into_iter().take(3) {
                    let found = format!("entry {}: {found}", entry.seq);
                    checks.say("traces", clause, false, found, Some(file.path.to_string()));
                }
            }
            Err(failure) => checks.wrong("traces", clause, &failure),
        }
    }
    let held = format!("{count} reports made again from their traces");
    checks.conclude("traces", Clause::Pr5, held);
}

/// Where the traces of a profile lie: beside it, under names that hold their digests.
fn note(run: &RunDir, said: &Profile, known: &mut BTreeMap<Digest, Utf8PathBuf>) {
    let dir = said.source.path.as_str().rsplit_once('/').map_or("", |it| it.0);
    let dir = run.path().join(dir);
    let Ok(files) = dir.read_dir_utf8() else { return };
    for file in files.flatten() {
        let holds = |it: &&Digest| {
            let short: String = it.to_string().chars().take(12).collect();
            file.file_name().contains(&short)
        };
        if let Some(digest) = said.traces.iter().find(holds) {
            known.insert(*digest, file.into_path());
        }
    }
}

/// The trace, read as the file that it was; `None` when it is not here.
fn source(
    named: &TraceNamed,
    known: &BTreeMap<Digest, Utf8PathBuf>,
) -> Result<Option<Source>, Failure> {
    let Some(path) = known.get(&named.sha256) else { return Ok(None) };
    let role = if named.role == "mapping" { Role::Mapping } else { Role::Formal };
    let source = traces::read_as(path, &named.file, role, LimitArgs::generous())?;
    if source.sha256 != named.sha256 {
        let message = "the trace is not the one that the report was made from";
        return Err(Failure::integrity(message).in_file(path));
    }
    if source.trace.header.mock && !named.mock {
        let message = "FB-5: a mock made the trace up, and the report does not say so";
        return Err(Failure::integrity(message).in_file(path));
    }
    Ok(Some(source))
}

/// What differs; `None` when a trace is not here.
type Differences = Result<Option<Vec<String>>, Failure>;

fn profile(run: &RunDir, said: &Profile, known: &BTreeMap<Digest, Utf8PathBuf>) -> Differences {
    let (filed, named) = filed(run, &said.source)?;
    let mut sources = Vec::new();
    for trace in &named.traces {
        let Some(source) = source(trace, known)? else { return Ok(None) };
        sources.push(source);
    }
    let device = if named.device == "cpu" { Device::Cpu } else { Device::Gpu };
    let catalogue = Catalogue::own().map_err(|error| bad(&error, "fuse.json"))?;
    let report = analyze(named.framework, &sources, device, &catalogue);
    let made = serde_json::to_value(&report).unwrap_or_default();
    let (Some(old), Some(new)) = (stage(&filed, said.stage), stage(&made, said.stage)) else {
        return Ok(Some(vec![format!("the trace has no stage {}", said.stage)]));
    };
    let mut found = Vec::new();
    for field in ["passes", "tokens", "total_ns", "busy_ns"] {
        if old.get(field) != new.get(field) {
            let told = |it: &Value| it.get(field).cloned().unwrap_or_default();
            found.push(format!("{field} is {}, the trace tells {}", told(old), told(new)));
        }
    }
    let total = new.get("total_ns").and_then(Value::as_f64).unwrap_or(0.0);
    for table in ["kernels", "overlap"] {
        let (old, new) = (rows(old, table), rows(new, table));
        for (row, value) in &new {
            let ns = value.get("total_ns").and_then(Value::as_f64).unwrap_or(0.0);
            match old.get(row) {
                Some(filed) if filed == value => {}
                Some(_) => found.push(format!("{row} is not what the trace tells")),
                None if ns >= LEAST * total => found.push(format!("{row} of the trace is missing")),
                None => {}
            }
        }
        let strange = old.keys().filter(|it| !new.contains_key(*it));
        found.extend(strange.map(|it| format!("the trace tells no {it}")));
    }
    Ok(Some(found))
}

fn layers(run: &RunDir, said: &Pipeline, known: &BTreeMap<Digest, Utf8PathBuf>) -> Differences {
    let (filed, named) = filed(run, &said.source)?;
    let at = said.source.path.as_str();
    let trace: Option<TraceNamed> =
        filed.get("trace").and_then(|it| TraceNamed::deserialize(it).ok());
    let Some(trace) = trace else {
        return Err(Failure::integrity("it names no trace").in_file(at));
    };
    let Some(source) = source(&trace, known)? else { return Ok(None) };
    let of = |key: &str| filed.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |it: &Value, key: &str| it.get(key).and_then(Value::as_str).map(str::to_owned);
    // The types are the config's; what the trace tells is where the layers are and what they took.
    let types: Vec<String> = of("layers").iter().filter_map(|it| text(it, "type")).collect();
    let extra = said.layers_per_pass.saturating_sub(said.num_layers.get());
    let model = Model { layers: said.num_layers, extra, types };
    let config = ConfigFile { file: "config.json".into(), sha256: said.config, model };
    let pass = filed.pointer("/chosen_pass/index").and_then(Value::as_u64);
    let anchor = filed.get("anchor").and_then(|it| text(it, "kernel"));
    let asked = Asked { anchor, pass: pass.and_then(|it| u32::try_from(it).ok()) };
    let report = pipeline::layers(named.framework, &source, &config, &asked);
    let report = report.map_err(|error| bad(&error, at))?;
    let made = serde_json::to_value(&report).unwrap_or_default();
    let differ = |it: &&str| filed.get(it) != made.get(it);
    let found = ["passes", "layers", "hot_kernels", "perfetto"].iter().filter(|it| differ(it));
    Ok(Some(found.map(|it| format!("{it} are not what the trace tells")).collect()))
}

/// The filed report, whole and what it names.
fn filed(run: &RunDir, artifact: &Artifact) -> Result<(Value, Named), Failure> {
    let bytes = bytes(run, artifact)?;
    let misread =
        |error: serde_json::Error| crate::given::misread(&error).in_file(artifact.path.as_str());
    let value: Value = serde_json::from_slice(&bytes).map_err(misread)?;
    let named = Named::deserialize(&value).map_err(misread)?;
    Ok((value, named))
}

fn stage(report: &Value, stage: Stage) -> Option<&Value> {
    let stages = report.get("stages")?.as_array()?;
    stages.iter().find(|it| it.get("stage").and_then(Value::as_str) == Some(stage.as_str()))
}

fn rows(stage: &Value, table: &str) -> BTreeMap<String, Value> {
    let rows = stage.get(table).and_then(Value::as_array).cloned().unwrap_or_default();
    let id = |it: &Value| it.get("row").and_then(Value::as_str).map(str::to_owned);
    rows.into_iter().filter_map(|it| Some((id(&it)?, it))).collect()
}
