//! What was compared? The dimensions of a row (FB-3), read from its commands and its native file.
//!
//! What a native file or a run record says wins over a command's default; where two of them say
//! different things, the row is no evidence. What nobody says stays unknown.

mod client;
mod server;
mod settings;
mod words;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::bench::NativeRun;
use super::error::EvidenceError;
use crate::facts::{Dimension, Framework};
use crate::text::{Line, Name};

pub use words::{join, split};

/// The GPUs that a run record names.
#[derive(Clone, Debug, Default, serde::Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Gpus {
    /// Their type.
    pub model: Option<Line>,
    /// How many the server used.
    pub count: Option<u32>,
    /// The visible ids, such as `0,1`.
    pub ids: Option<Line>,
}

/// What is known of a run beside its commands.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Whose run it is.
    pub framework: Framework,
    /// The native result, when there is one.
    pub native: Option<&'a NativeRun>,
    /// The GPUs that the record names.
    pub gpus: Option<&'a Gpus>,
    /// What stands in the file of settings that the launch command names, when it was filed.
    pub settings: Option<&'a Value>,
    /// What the caller says of dimensions that nothing else tells, such as the precision that
    /// `--dtype auto` comes to.
    pub told: &'a BTreeMap<Dimension, Line>,
}

/// What the commands say of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    /// The dimensions that are known, in canonical words.
    pub dimensions: BTreeMap<Dimension, Line>,
    /// The context length that the server was given, in tokens (FB-10).
    pub context_len: Option<u64>,
    /// TensorRT-LLM's server backend (FB-6).
    pub backend: Option<Name>,
    /// The requests that the client was told to send.
    pub requested: Option<u64>,
    /// Whether the client took tokens as they came; without that TTFT, TPOT and ITL say nothing.
    pub streaming: bool,
}

/// Whether a launch command names a file of settings, which says more than the command.
pub fn names_settings(server_command: &[Line]) -> bool {
    let server = server::Server::of(server_command, None);
    server.is_ok_and(|it| it.is_some_and(|it| it.is_configured_elsewhere()))
}

/// Derives the dimensions of a run from its server command and its benchmark command.
///
/// # Errors
///
/// When two sources contradict each other, or a value cannot be read.
pub fn identify(
    server_command: &[Line],
    benchmark_command: &[Line],
    known: Known<'_>,
) -> Result<Identity, EvidenceError> {
    let server = server::Server::of(server_command, known.settings)?;
    let client = client::Client::of(benchmark_command);
    check_tools(known, server.as_ref().map(|it| it.framework), client.as_ref())?;
    check_port(server.as_ref(), client.as_ref())?;
    let mut facts = Facts::default();
    if let Some(server) = &server {
        server.tell(&mut facts)?;
    }
    tell_models(known, server.as_ref(), client.as_ref(), &mut facts)?;
    match &client {
        Some(client) => client.tell(known.native, &mut facts)?,
        None => client::tell_native(known.native, &mut facts)?,
    }
    tell_gpus(known.gpus, server.as_ref(), &mut facts)?;
    for (dimension, value) in known.told {
        facts.dimensions.entry(*dimension).or_insert_with(|| value.clone());
    }
    Ok(Identity {
        dimensions: facts.dimensions,
        context_len: server.as_ref().map_or(Ok(None), server::Server::context_len)?,
        backend: server.as_ref().map_or(Ok(None), server::Server::backend)?,
        requested: client.as_ref().map_or(Ok(None), client::Client::requested)?,
        streaming: client.as_ref().is_none_or(client::Client::streams),
    })
}

/// The dimensions found so far.
#[derive(Default)]
struct Facts {
    dimensions: BTreeMap<Dimension, Line>,
}

impl Facts {
    fn say(&mut self, dimension: Dimension, value: impl Into<String>) -> Result<(), EvidenceError> {
        let value =
            Line::new(value).map_err(|error| EvidenceError::new(error).of(dimension.as_str()))?;
        self.dimensions.insert(dimension, value);
        Ok(())
    }
}

/// How many processes of a launch profile their work, where its flags say it: none do where other nodes or a
/// file of settings have a part in it.
pub(crate) fn ranks(command: &[Line]) -> Option<u64> {
    let server = server::Server::of(command, None).ok()??;
    let told = server.is_one_node().then(|| server.parallel().ok())??;
    Some(told.unwrap_or(1))
}

fn contradiction(field: &str, one: &str, other: &str) -> EvidenceError {
    EvidenceError::new(format!("{one}, but {other}")).of(field)
}

/// The frameworks that record, server command, native backend and client name are one.
fn check_tools(
    known: Known<'_>,
    server: Option<Framework>,
    client: Option<&client::Client>,
) -> Result<(), EvidenceError> {
    let framework = known.framework;
    let says = |who: &str, other: Framework| {
        contradiction(
            "framework",
            &format!("the record says {framework}"),
            &format!("{who} says {other}"),
        )
    };
    if let Some(other) = server.filter(|it| *it != framework) {
        return Err(says("the server command", other));
    }
    let Some(native) = known.native else { return Ok(()) };
    if let Some(other) = native.backend_framework.filter(|it| *it != framework) {
        return Err(says("the native file's backend", other));
    }
    // An OpenAI client serves anybody, but then something else must say whose server it called.
    if server.is_none()
        && let Some(other) = native.framework().filter(|it| *it != framework)
    {
        return Err(says("the native file", other));
    }
    match (client.map(|it| it.tool), native.format.framework()) {
        (Some(tool), Some(format)) if tool != format => {
            let (tool, format) = (tool.title(), native.format);
            let one = format!("the benchmark command is that of {tool}");
            Err(contradiction("benchmark_command", &one, &format!("the native file is {format}")))
        }
        _ => Ok(()),
    }
}

/// What a client calls is the server that was launched, and nothing in between.
fn check_port(
    server: Option<&server::Server>,
    client: Option<&client::Client>,
) -> Result<(), EvidenceError> {
    let ports = server.and_then(server::Server::port).zip(client.and_then(client::Client::port));
    match ports {
        Some((served, called)) if served != called => {
            let one = format!("the server listens on port {served}");
            Err(contradiction("benchmark_command", &one, &format!("the client calls {called}")))
        }
        _ => Ok(()),
    }
}

/// Model and tokenizer: the server's, with what the client calls them checked against it.
fn tell_models(
    known: Known<'_>,
    server: Option<&server::Server>,
    client: Option<&client::Client>,
    facts: &mut Facts,
) -> Result<(), EvidenceError> {
    let native = known.native;
    let called = native
        .and_then(|it| it.model.as_ref().map(Line::as_str))
        .or_else(|| client.and_then(client::Client::model));
    let model = server.and_then(server::Server::model);
    if let (Some(server), Some(model), Some(called)) = (server, model, called)
        && !server.answers_to(model, called)
        && client
            .and_then(client::Client::served_name)
            .is_none_or(|it| !server.answers_to(model, it))
    {
        let one = format!("the server serves {model}");
        return Err(contradiction("model", &one, &format!("the client asked for {called}")));
    }
    // What a client calls a model says nothing of what the server loaded.
    let Some(model) = model.or(called.filter(|_| server.is_none())) else { return Ok(()) };
    facts.say(Dimension::Model, model)?;
    let chosen = client.and_then(client::Client::tokenizer);
    let recorded = native.and_then(|it| it.tokenizer.as_ref()).map(Line::as_str);
    if let (Some(recorded), Some(chosen)) = (recorded, chosen)
        && recorded != chosen
    {
        let one = format!("the native file's tokenizer is {recorded}");
        return Err(contradiction("tokenizer", &one, &format!("the command's is {chosen}")));
    }
    // A client that was given no tokenizer takes that of the model, by the name it knows.
    let own = |name| called == Some(name) || server.is_some_and(|it| it.answers_to(model, name));
    let plain = |name| if own(name) { model } else { name };
    let counted = recorded.or(chosen).map(plain);
    let served = server.map(|it| it.tokenizer().map_or(model, plain));
    if let (Some(served), Some(counted)) = (served, counted)
        && served != counted
    {
        let one = format!("the server's tokenizer is {served}");
        return Err(contradiction("tokenizer", &one, &format!("the client's is {counted}")));
    }
    facts.say(Dimension::Tokenizer, served.or(counted).unwrap_or(model))
}

fn tell_gpus(
    gpus: Option<&Gpus>,
    server: Option<&server::Server>,
    facts: &mut Facts,
) -> Result<(), EvidenceError> {
    let visible = server.and_then(server::Server::visible_gpus);
    let ids = gpus.and_then(|it| it.ids.as_ref()).map(Line::as_str);
    if let (Some(ids), Some(visible)) = (ids, visible)
        && ids != visible
    {
        let one = format!("the record says the GPUs {ids}");
        return Err(contradiction("gpus", &one, &format!("the command makes {visible} visible")));
    }
    if let Some(ids) = ids.or(visible) {
        facts.say(Dimension::GpuIds, ids)?;
    }
    if let Some(model) = gpus.and_then(|it| it.model.as_ref()) {
        facts.say(Dimension::GpuModel, model.as_str())?;
    }
    let used = server.map_or(Ok(None), server::Server::parallel)?;
    let count = match (gpus.and_then(|it| it.count).map(u64::from), used) {
        (Some(count), Some(used)) if used != count => {
            let whole = server.is_some_and(server::Server::is_one_node);
            if whole || used > count {
                let one = format!("the record says {count} GPUs");
                return Err(contradiction("gpus", &one, &format!("the command uses {used}")));
            }
            Some(count)
        }
        (count, used) => count.or(used),
    };
    count.map_or(Ok(()), |it| facts.say(Dimension::GpuCount, it.to_string()))
}
