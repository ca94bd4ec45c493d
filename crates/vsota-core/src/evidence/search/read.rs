//! A plan file is read: its shape, its keys, its searches.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::client::is_fixed;
use super::flags::{Flag, Flags};
use super::keys::{self, At, nearest};
use super::launcher::words;
use super::product::{Sets, ordered, product};
use super::server::{self, Listening, command, spelled};
use super::*;
use crate::brief::Brief;
use crate::evidence::command_line::{self, Identity, identify};
use crate::evidence::error::EvidenceError;
use crate::evidence::yaml::{self, Node};
use crate::evidence::{inputs::input, workload};
use crate::facts::Workload;

/// What is known beside the file.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    /// The campaign's inputs: what the file leaves out is taken from them.
    pub brief: Option<&'a Brief>,
    /// The filed help output of each framework; a flag that it lacks is refused (FB-8).
    pub help: BTreeMap<Framework, &'a str>,
}

/// The flags of each server that name its longest context (FB-10).
const CONTEXT: [(Framework, &str); 3] = [
    (Framework::Vllm, "max_model_len"),
    (Framework::Sglang, "context_length"),
    (Framework::TensorrtLlm, "max_seq_len"),
];

/// How long a server may take until it answers where the plan does not say, s.
const READY_S: u64 = 1_800;

/// Prompts of a warm-up run where the plan does not say.
const WARMUP: u32 = 8;

impl Plan {
    /// Reads a plan file, in YAML or JSON.
    ///
    /// # Errors
    ///
    /// With line and field: when it is none of the shapes, a key is unknown, lengths are no pairs
    /// (FB-4), a context is too short (FB-10), a flag is not in the filed help (FB-8), or two
    /// frameworks listen on one port.
    pub fn read(text: &str, known: &Known<'_>) -> Result<Self, EvidenceError> {
        let node = yaml::read(text)?;
        let top = At::top(&node);
        if node.get("frameworks").is_none_or(|it| it.map().is_none()) {
            let message = "this is no plan: it has no mapping of frameworks";
            return Err(EvidenceError::new(message).at(1).of("frameworks"));
        }
        if node.get("schema").is_some() {
            return listed(&node, known);
        }
        keys::check(&top)?;
        let inputs = said(&node)?;
        let identity = identity(&top)?;
        let serving = serving(&inputs, &identity, known.brief);
        let mut plan = Self {
            inputs,
            identity,
            serving,
            searches: Vec::new(),
            unsupported: Vec::new(),
            launchers: launchers(&top)?,
            builds: builds(&top)?,
            notes: notes(&top),
        };
        searches(&top, &mut plan)?;
        plan.checked(&node, known)
    }

    /// What every plan owes, whatever its shape.
    fn checked(self, node: &Node, known: &Known<'_>) -> Result<Self, EvidenceError> {
        if self.searches.is_empty() {
            let message = "the plan has no framework to run";
            return Err(EvidenceError::new(message)
                .at(node.line_of("frameworks"))
                .of("frameworks"));
        }
        own_ports(&self)?;
        for search in &self.searches {
            let Some(help) = known.help.get(&search.framework) else { continue };
            for flag in search.candidates.iter().flat_map(|it| it.flags.iter()) {
                offered(search.framework, help, flag)?;
            }
        }
        Ok(self)
    }
}

/// FB-8: a flag that the installed framework does not know fails every launch.
fn offered(framework: Framework, help: &str, flag: &Flag) -> Result<(), EvidenceError> {
    let name = spelled(framework, &flag.name);
    let Err(near) = offers(help, &name) else { return Ok(()) };
    let near = near.map_or_else(String::new, |it| format!("; the nearest there is --{it}"));
    let message = format!("FB-8: {name} is not in the filed help of {framework}{near}");
    let field = format!("frameworks.{framework}.{}", flag.name);
    Err(EvidenceError::new(message).at(flag.line).of(&field))
}

/// Two servers that name one port would meet there.
fn own_ports(plan: &Plan) -> Result<(), EvidenceError> {
    let mut taken: BTreeMap<u16, Framework> = BTreeMap::new();
    for search in &plan.searches {
        let Some(candidate) = search.candidates.first() else { continue };
        let framework = search.framework;
        let port = Listening::of(&candidate.server_command)?.port;
        let port = port.unwrap_or(server::own_port(framework));
        if let Some(other) = taken.insert(port, framework) {
            let message = format!("{other} and {framework} both listen on port {port}");
            let line = candidate.flags.get("port").map_or(1, |it| it.line);
            let field = format!("frameworks.{framework}.base_server_flags.port");
            return Err(EvidenceError::new(message).at(line).of(&field));
        }
    }
    Ok(())
}

/// Workload, endpoint, sampling and limits, where the file says any of them.
fn said(node: &Node) -> Result<Vec<Input>, EvidenceError> {
    if node.get("scenarios").is_none()
        && node.get("dataset").is_none()
        && node.get("workload").is_none()
    {
        return Ok(Vec::new());
    }
    for it in node.get("scenarios").and_then(Node::list).unwrap_or_default() {
        At::top(it).only(SCENARIO)?;
    }
    workload(node.json()).map_err(|error| {
        let field = error.field.as_deref().unwrap_or_default();
        let mut places = ["", "benchmark.", "dataset."].into_iter();
        let line = places.find_map(|it| node.line_at(&format!("{it}{field}")));
        error.at(line.unwrap_or_else(|| node.line_of("dataset")))
    })
}

/// The keys of a scenario.
const SCENARIO: &[&str] = &[
    "name",
    "input_len",
    "output_len",
    "num_prompts",
    "request_rate",
    "max_concurrency",
    "burstiness",
    "objective",
];

/// Words that leave a value to the checkpoint.
fn is_open(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "auto" | "model default" | "default" | "unknown")
}

/// What the file says of model and hardware, as typed inputs. `auto` says nothing: it is resolved from
/// the model's config, or stays unknown.
fn identity(top: &At<'_>) -> Result<Vec<Input>, EvidenceError> {
    let pairs = [
        ("model", "name", "model"),
        ("model", "tokenizer", "tokenizer"),
        ("model", "precision", "precision"),
        ("model", "quantization", "quantization"),
        ("hardware", "gpu_model", "gpu_model"),
        ("hardware", "gpu_count", "gpu_count"),
        ("hardware", "gpu_ids", "gpu_ids"),
        ("hardware", "multi_node", "multi_node"),
    ];
    let mut inputs = Vec::new();
    for (group, key, name) in pairs {
        let Some(at) = top.below(group)? else { continue };
        let Some(value) = at.text(key)?.filter(|it| !is_open(it)) else { continue };
        inputs.push(input(name, &value).map_err(|error| at.wrong(key, error.message))?);
    }
    Ok(inputs)
}

/// What clients ask for: the file's word, else the campaign's.
fn serving(inputs: &[Input], identity: &[Input], brief: Option<&Brief>) -> Serving {
    let recorded = brief.iter().flat_map(|it| it.iter().map(|(_, it)| &it.input));
    let mut serving = Serving::default();
    let says_sampling = inputs.iter().any(|it| matches!(it, Input::Sampling { .. }));
    let campaign = |it: &&Input| !says_sampling || !matches!(it, Input::Sampling { .. });
    for it in recorded.filter(campaign).chain(identity).chain(inputs) {
        match it {
            Input::Model(model) => serving.model = Some(model.clone()),
            Input::Tokenizer(tokenizer) => serving.tokenizer = Some(tokenizer.clone()),
            Input::Endpoint(endpoint) => serving.endpoint = Some(endpoint.clone()),
            Input::Workload(workload) => serving.workload = Some(workload.clone()),
            Input::Sampling { key, value } => serving.sampling.push((key.clone(), value.clone())),
            _ => {}
        }
    }
    serving
}

/// What a reader may expect to count and does not.
fn notes(top: &At<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let bench = top.below("benchmark").ok().flatten();
    if bench.is_some_and(|it| it.get("qps").is_some()) {
        notes
            .push("benchmark.qps is not searched: the load is that of the scenarios (FB-4)".into());
    }
    notes
}

fn launchers(top: &At<'_>) -> Result<BTreeMap<Framework, Launcher>, EvidenceError> {
    let Some(at) = top.below("launchers")? else { return Ok(BTreeMap::new()) };
    let known: Vec<&str> = Framework::ALL.iter().map(|it| it.as_str()).collect();
    at.only(&known)?;
    let mut all = BTreeMap::new();
    for framework in Framework::ALL.iter().copied() {
        if let Some(at) = at.below(framework.as_str())? {
            all.insert(framework, Launcher::read(&at)?);
        }
    }
    Ok(all)
}

fn builds(top: &At<'_>) -> Result<BTreeMap<Name, BuildPlan>, EvidenceError> {
    let Some(at) = top.below("builds")? else { return Ok(BTreeMap::new()) };
    let mut all = BTreeMap::new();
    for (key, _) in at.entries() {
        let name = Name::new(key.name.as_str()).map_err(|error| at.wrong(&key.name, error))?;
        if let Some(build) = at.below(&key.name)? {
            let build = BuildPlan::read(&build)?;
            let nameless = |it: &BuildPlan| it.commit.is_none();
            if nameless(&build) && all.values().any(nameless) {
                let message = "two builds name no commit: which of them makes a commit is unknown";
                return Err(at.wrong(&key.name, message));
            }
            all.insert(name, build);
        }
    }
    Ok(all)
}

/// The search of each framework of the file.
fn searches(top: &At<'_>, plan: &mut Plan) -> Result<(), EvidenceError> {
    let Some(frameworks) = top.below("frameworks")? else { return Ok(()) };
    let cap = match top.below("search")? {
        Some(it) => cap(&it, plan)?,
        None => Cap { most: CAP, ordered: false },
    };
    for (key, _) in frameworks.entries() {
        let Some(at) = frameworks.below(&key.name)? else { continue };
        if at.get("enabled").and_then(Node::scalar) == Some(&Value::Bool(false)) {
            continue;
        }
        match key.name.parse::<Framework>() {
            Ok(framework) => {
                let search = search(framework, &at, &cap, plan)?;
                plan.searches.push(search);
            }
            Err(_) => plan.unsupported.push(foreign(&frameworks, key)?),
        }
    }
    plan.searches.sort_by_key(|it| it.framework);
    Ok(())
}

/// A framework of another name is recorded as unsupported; one that is a slip of ours is a slip.
fn foreign(at: &At<'_>, key: &yaml::Key) -> Result<Unsupported, EvidenceError> {
    let known: Vec<&str> = Framework::ALL.iter().map(|it| it.as_str()).collect();
    if let Some(near) = nearest(&key.name, &known) {
        let message = format!("no framework has this name; the nearest known is {near}");
        return Err(at.wrong(&key.name, message));
    }
    let name = Name::new(key.name.as_str()).map_err(|error| at.wrong(&key.name, error))?;
    let reason = Line::new("IN-4: vsota runs vllm, sglang and tensorrt_llm");
    let reason = reason.map_err(|error| at.wrong(&key.name, error))?;
    Ok(Unsupported { name, reason })
}

struct Cap {
    most: usize,
    ordered: bool,
}

fn cap(at: &At<'_>, plan: &mut Plan) -> Result<Cap, EvidenceError> {
    let asked = at.count("max_candidates_per_framework")?.unwrap_or(CAP as u64);
    if asked == 0 {
        let message = "FB-12: at least one candidate a framework is expected";
        return Err(at.wrong("max_candidates_per_framework", message));
    }
    let most = usize::try_from(asked).unwrap_or(usize::MAX);
    if most > CAP {
        plan.notes.push(format!(
            "{most} candidates a framework are asked for; {CAP} is the most (FB-12)"
        ));
    }
    let ordered = match at.text("candidate_generation")?.as_deref() {
        None | Some("baseline_first_bounded_product") => false,
        Some("ordered_list") => true,
        Some(other) => {
            let message =
                format!("{other} is unknown; known: baseline_first_bounded_product, ordered_list");
            return Err(at.wrong("candidate_generation", message));
        }
    };
    Ok(Cap { most: most.min(CAP), ordered })
}

fn search(
    framework: Framework,
    at: &At<'_>,
    cap: &Cap,
    plan: &Plan,
) -> Result<Search, EvidenceError> {
    at.only(keys::FRAMEWORK)?;
    let longest = plan.serving.workload.as_ref().map(Workload::longest);
    at.below("base_server_flags")?;
    at.below("search_space")?;
    let base = Flags::of(at.get("base_server_flags"));
    let space = Flags::of(at.get("search_space"));
    let list = Flags::list(at, "candidates")?;
    if list.is_some() && !cap.ordered {
        let message = "a list of candidates wants search.candidate_generation: ordered_list";
        return Err(at.wrong("candidates", message));
    }
    let list = list.unwrap_or_default();
    long_enough(framework, at, [&base, &space].into_iter().chain(&list), longest)?;
    let Sets { sets, whole } = match cap.ordered {
        true => ordered(&base, &list, cap.most),
        false => product(&base, &space, cap.most),
    };
    let program = program(framework, at)?;
    let model = model_of(framework, &base, plan, at)?;
    let mut search = Search {
        framework,
        candidates: Vec::new(),
        skipped: Vec::new(),
        whole,
        client: client(at)?,
        env: env(at)?,
        ready_ms: at.count("ready_seconds")?.unwrap_or(READY_S).saturating_mul(1_000),
    };
    for (number, flags) in sets.into_iter().enumerate() {
        let id = if number == 0 { "base".to_string() } else { number.to_string() };
        let id = Name::new(format!("{framework}-{id}")).map_err(EvidenceError::new)?;
        let server_command = command(framework, &program, &model, &flags)?;
        search.sort_in(Candidate { id, framework, flags, server_command })?;
    }
    Ok(search)
}

impl Search {
    /// Puts a candidate where it belongs: what may not run is recorded all the same.
    fn sort_in(&mut self, candidate: Candidate) -> Result<(), EvidenceError> {
        match not_pytorch(&candidate)? {
            Some(reason) => self.skipped.push(Skipped { candidate, reason }),
            None => self.candidates.push(candidate),
        }
        Ok(())
    }
}

/// FB-6: TensorRT-LLM is compared with its pytorch backend alone; another one is recorded, with its
/// reason, and never run.
fn not_pytorch(candidate: &Candidate) -> Result<Option<Line>, EvidenceError> {
    if candidate.framework != Framework::TensorrtLlm {
        return Ok(None);
    }
    let backend = told(candidate.framework, &candidate.server_command)?.backend;
    let found = match backend.as_ref().map(Name::as_str) {
        Some("pytorch") => return Ok(None),
        Some(other) => format!("the server backend {other}"),
        None => "no server backend".to_string(),
    };
    let reason = format!("FB-6: it names {found}; only pytorch is compared");
    Line::new(reason).map(Some).map_err(EvidenceError::new)
}

/// FB-10: no value of a context flag, in the baseline, the space or a candidate, is shorter than the
/// longest request.
fn long_enough<'a>(
    framework: Framework,
    at: &At<'_>,
    sets: impl IntoIterator<Item = &'a Flags>,
    longest: Option<u64>,
) -> Result<(), EvidenceError> {
    let name = CONTEXT.iter().find(|(it, _)| *it == framework).map_or("", |(_, name)| *name);
    let Some(longest) = longest else { return Ok(()) };
    for flag in sets.into_iter().filter_map(|it| it.get(name)) {
        let values = match &flag.value {
            Value::Array(all) => all.as_slice(),
            one => core::slice::from_ref(one),
        };
        let short = values.iter().filter_map(Value::as_u64).find(|it| *it < longest);
        if let Some(short) = short {
            let message = format!("FB-10: {name} of {short} is shorter than {longest}");
            return Err(EvidenceError::new(message).at(flag.line).of(&at.path(name)));
        }
    }
    Ok(())
}

fn program(framework: Framework, at: &At<'_>) -> Result<Vec<Line>, EvidenceError> {
    if let Some(words) = words(at, "server_command")?.filter(|it| !it.is_empty()) {
        return Ok(words);
    }
    server::program(framework).iter().map(|it| server::line(*it)).collect()
}

/// The model of a launch; SGLang takes it as a flag, which may stand alone.
fn model_of(
    framework: Framework,
    base: &Flags,
    plan: &Plan,
    at: &At<'_>,
) -> Result<Line, EvidenceError> {
    let by_flag = base.get("model_path").or(base.get("model"));
    let by_flag = by_flag.filter(|_| framework == Framework::Sglang);
    let by_flag = by_flag.and_then(|it| Line::new(flags::word(&it.value)).ok());
    plan.serving.model.clone().or(by_flag).ok_or_else(|| {
        let message = "the model is named neither here nor by a campaign";
        at.wrong("base_server_flags", message)
    })
}

fn client(at: &At<'_>) -> Result<ClientPlan, EvidenceError> {
    at.below("benchmark_flags")?;
    let flags = Flags::of(at.get("benchmark_flags"));
    if let Some(flag) = flags.iter().find(|it| is_fixed(&it.name)) {
        let message = "FB-14: the scenario, the model and the tool decide this flag";
        let field = at.path(&format!("benchmark_flags.{}", flag.name));
        return Err(EvidenceError::new(message).at(flag.line).of(&field));
    }
    let warmup = at.count("warmup_prompts")?.unwrap_or(WARMUP.into());
    Ok(ClientPlan {
        command: words(at, "benchmark_command")?.unwrap_or_default(),
        flags,
        warmup_prompts: u32::try_from(warmup).unwrap_or(u32::MAX),
    })
}

fn env(at: &At<'_>) -> Result<BTreeMap<Name, Line>, EvidenceError> {
    let Some(at) = at.below("env")? else { return Ok(BTreeMap::new()) };
    let mut all = BTreeMap::new();
    for (key, _) in at.entries() {
        let name = Name::new(key.name.as_str()).map_err(|error| at.wrong(&key.name, error))?;
        if let Some(value) = at.line(&key.name)? {
            all.insert(name, value);
        }
    }
    Ok(all)
}

/// Our own list of commands: `vsota-search/1`.
fn listed(node: &Node, known: &Known<'_>) -> Result<Plan, EvidenceError> {
    let top = At::top(node);
    top.only(&["schema", "frameworks"])?;
    if top.text("schema")?.as_deref() != Some("vsota-search/1") {
        return Err(top.wrong("schema", "vsota-search/1 is expected"));
    }
    let mut plan = Plan {
        inputs: Vec::new(),
        identity: Vec::new(),
        serving: serving(&[], &[], known.brief),
        searches: Vec::new(),
        unsupported: Vec::new(),
        launchers: BTreeMap::new(),
        builds: BTreeMap::new(),
        notes: Vec::new(),
    };
    let longest = plan.serving.workload.as_ref().map(Workload::longest);
    let Some(frameworks) = top.below("frameworks")? else { return plan.checked(node, known) };
    for (key, _) in frameworks.entries() {
        let wrong = |error: &dyn core::fmt::Display| frameworks.wrong(&key.name, error);
        let framework: Framework = key.name.parse().map_err(|error| wrong(&error))?;
        let Some(at) = frameworks.below(&key.name)? else { continue };
        at.only(&["whole", "candidates"])?;
        let list = at.get("candidates").and_then(Node::list);
        let list =
            list.ok_or_else(|| at.wrong("candidates", "a list of candidates is expected"))?;
        let mut search = Search {
            framework,
            candidates: Vec::new(),
            skipped: Vec::new(),
            whole: at.flag("whole")?.unwrap_or(false),
            client: ClientPlan { warmup_prompts: WARMUP, ..ClientPlan::default() },
            env: BTreeMap::new(),
            ready_ms: READY_S * 1_000,
        };
        for it in list {
            let candidate = one(framework, it, longest)?;
            search.sort_in(candidate)?;
        }
        plan.searches.push(search);
    }
    plan.searches.sort_by_key(|it| it.framework);
    plan.checked(node, known)
}

fn one(
    framework: Framework,
    node: &Node,
    longest: Option<u64>,
) -> Result<Candidate, EvidenceError> {
    let at = At::top(node);
    at.only(&["id", "server_command"])?;
    let id = at.text("id")?.ok_or_else(|| at.wrong("id", "a candidate has an id"))?;
    let id = Name::new(id).map_err(|error| at.wrong("id", error))?;
    let server_command = words(&at, "server_command")?.unwrap_or_default();
    if server_command.is_empty() {
        return Err(at.wrong("server_command", "a candidate has a launch command"));
    }
    let said = told(framework, &server_command).map_err(|it| at.wrong("server_command", it))?;
    if let (Some(context), Some(longest)) = (said.context_len, longest)
        && context < longest
    {
        let message = format!("FB-10: its context of {context} tokens is shorter than {longest}");
        return Err(at.wrong("server_command", message));
    }
    Ok(Candidate { id, framework, flags: Flags::default(), server_command })
}

/// What a launch command says of itself.
fn told(framework: Framework, command: &[Line]) -> Result<Identity, EvidenceError> {
    let told = BTreeMap::new();
    let known =
        command_line::Known { framework, native: None, gpus: None, told: &told, settings: None };
    identify(command, &[], known)
}
