//! One launch with its profiler on: the stages are captured one after the other, the traces are waited
//! for till they are whole, the server ends (PR-3, PR-4).

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use vsota_core::evidence::search::{ENDPOINT, LauncherKind, Profiled, Shot, Switch};
use vsota_core::facts::Stage;
use vsota_core::text::Line;

use super::job::{LOG, NOTE, Note, boot, told, words};
use super::leftovers::end_all;
use super::record::{moment, now};
use super::rig::{Rig, is_mock};
use super::tree;
use crate::failure::Failure;
use crate::http::Address;
use crate::supervise::process::Process;
use crate::supervise::{self, NotStarted, Start, Supervised, Token, key};
use crate::traces::names::may_be_trace;

/// How long the profiler may take to come up.
const COMES_UP: Duration = Duration::from_secs(300);

/// The longest wait for a piece of an answer.
const ANSWER: Duration = Duration::from_secs(600);

/// How long a file must be left alone before it is looked at.
const SETTLES: Duration = Duration::from_millis(500);

/// How long the other ranks are waited for when the traces of some are whole.
const LATE: Duration = Duration::from_secs(180);

/// Takes profiles of servers.
#[derive(Clone, Copy, Debug)]
pub struct Camera<'a>(pub &'a Rig<'a>);

/// Why there is no profile.
#[derive(Debug)]
pub enum NotTaken {
    /// The framework did not give one; its log says more.
    Framework(String),
    /// Something here failed; it says nothing of the framework.
    Own(Failure),
}

impl From<Failure> for NotTaken {
    fn from(failure: Failure) -> Self {
        Self::Own(failure)
    }
}

impl From<NotTaken> for Failure {
    fn from(it: NotTaken) -> Self {
        match it {
            NotTaken::Framework(why) => Self::child(why),
            NotTaken::Own(failure) => failure,
        }
    }
}

fn framework(why: impl ToString) -> NotTaken {
    NotTaken::Framework(why.to_string())
}

impl Camera<'_> {
    /// Captures what is asked of one launch, in a directory of its own: its log is there, and the traces
    /// of each stage in a directory named after it. `tree` is what must run, for vLLM (PA-1).
    ///
    /// # Errors
    ///
    /// What the framework did not do; child when a foreign process holds the port; I/O.
    pub fn take(&self, of: &Profiled, tree: Option<&str>, dir: &Utf8Path) -> Result<(), NotTaken> {
        let launch = &of.launch;
        let at = Address { host: launch.host.as_str().to_owned(), port: launch.port };
        if self.0.plan.launcher(launch.framework).kind != LauncherKind::Local {
            let message = format!(
                "the launcher of {} reaches elsewhere, and so would its traces: capture there, and file them \
                 with `vsota profile file`",
                launch.framework
            );
            return Err(Failure::bad_evidence(message).at_field(&launch.candidate).into());
        }
        end_all(dir)?;
        supervise::free(&at)?;
        let into = dir.join("traces");
        fs::create_dir_all(&into).map_err(|error| Failure::file("create", &into, &error))?;
        let marker = self.0.marker(dir);
        let probe = self.0.probe(launch.framework, &marker);
        let memory = probe.memory();
        let mut note = Note {
            marker: marker.clone(),
            stop: None,
            server: None,
            boot: boot(),
            scenarios: Vec::new(),
            interrupted: Vec::new(),
        };
        self.0.note(&note, dir)?;
        self.head(of, &marker, dir)?;
        let env = launch.env.iter();
        let started = Supervised::start(&Start {
            argv: &words(&launch.argv),
            env: &env.map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            marker: &marker,
            log: &dir.join(LOG),
            grace: self.0.limits.grace(),
        });
        let mut server = match started {
            Ok(server) => server,
            Err(NotStarted::Program(why)) => return Err(framework(why)),
            Err(NotStarted::Own(failure)) => return Err(failure.into()),
        };
        let Process { pid, start } = server.process;
        note.server = Some((pid, start));
        self.0.note(&note, dir)?;
        let taken =
            Trip { rig: self.0, of, at: &at, dir, marker: &marker }.through(&mut server, tree);
        let ended = server.stop();
        // Who does not end is told before anything else.
        ended?;
        taken?;
        supervise::free(&at)?;
        let back = memory.map_or(Ok(()), |it| probe.back(&it, self.0.limits.memory()));
        back.map_err(|held| Failure::child(format_args!("{held}; nothing of the server is left")))?;
        // What is whole is no leftover.
        let _ = fs::remove_file(dir.join(NOTE));
        Ok(())
    }

    /// Begins the log with the launch and its moment: no two logs are the same.
    fn head(&self, of: &Profiled, marker: &str, dir: &Utf8Path) -> Result<(), Failure> {
        let launch = &of.launch;
        let argv = vsota_core::evidence::command_line::join(launch.argv.iter().map(Line::as_str));
        let mut head = format!(
            "# profiled launch {marker} of {} by vsota, {}\n",
            launch.candidate,
            moment(now())
        );
        for (name, value) in &launch.env {
            head.push_str(&format!("# {name}={value}\n"));
        }
        head.push_str(&format!("$ {argv}\n"));
        let log = dir.join(LOG);
        let (head, _) = self.0.context.secrets.clean(head.as_bytes());
        fs::write(&log, head).map_err(|error| Failure::file("write", &log, &error))
    }
}

/// One launch on its way.
struct Trip<'a> {
    rig: &'a Rig<'a>,
    of: &'a Profiled,
    at: &'a Address,
    dir: &'a Utf8Path,
    marker: &'a str,
}

impl Trip<'_> {
    fn through(&self, server: &mut Supervised, tree: Option<&str>) -> Result<(), NotTaken> {
        let launch = &self.of.launch;
        let deadline = Duration::from_millis(launch.ready.deadline_ms);
        let ready = server.ready(self.at, launch.ready.path, deadline);
        let model = self.model();
        let ready = ready.and_then(|()| {
            let what = Token { at: self.at, endpoint: ENDPOINT, model: &model };
            server.serves(&what, deadline)
        });
        ready.map_err(|why| framework(told(&why, deadline).1))?;
        if let Some(wanted) = tree {
            let (found, why) = match self.tree() {
                Ok(found) => (found, String::new()),
                Err(why) => (String::from("unknown"), format!(": {why}")),
            };
            if found != wanted {
                let message = format!("PA-1: the build runs the tree {found}, not {wanted}{why}");
                return Err(Failure::bad_evidence(message).into());
            }
        }
        for shot in &self.of.shots {
            self.shoot(server, &model, shot).map_err(|why| match (why, server.wait(SETTLES)) {
                (NotTaken::Framework(why), Some(ending)) => {
                    framework(format!("the server ended {ending} during the capture: {why}"))
                }
                (why, _) => why,
            })?;
        }
        Ok(())
    }

    /// The name under which the server serves its model; the plan's where it does not tell.
    fn model(&self) -> String {
        let told = || {
            let (key, wait) = (key(), Duration::from_secs(10));
            let answer = self.at.call_with("GET", "/v1/models", key.as_deref(), wait).ok()?;
            let value: Value = serde_json::from_slice(&answer.body).ok()?;
            Some(value.get("data")?.get(0)?.get("id")?.as_str()?.to_owned())
        };
        let plan = self.rig.plan.serving.model.as_ref();
        told().unwrap_or_else(|| plan.map_or("", Line::as_str).to_owned())
    }

    /// The tree that vLLM runs: its build is asked; a mock says it itself.
    fn tree(&self) -> tree::Told {
        let launch = &self.of.launch;
        if is_mock(&launch.argv) {
            let told = || {
                let answer = self.at.call("GET", "/version", Duration::from_secs(10)).ok()?;
                let value: Value = serde_json::from_slice(&answer.body).ok()?;
                Some(value.get("tree")?.as_str()?.to_owned())
            };
            return told().ok_or_else(|| String::from("it does not say"));
        }
        let env = launch.env.iter();
        let env = env.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        tree::of(&launch.argv, &env, self.marker)
    }

    /// Captures one stage.
    fn shoot(&self, server: &mut Supervised, model: &str, shot: &Shot) -> Result<(), NotTaken> {
        let Shot { stage, input_len, output_len, .. } = *shot;
        let what =
            format!("{} {stage}: {input_len} → {output_len} tokens", self.of.launch.framework);
        self.rig.progress.note(&what);
        let into = Utf8Path::new(&shot.into);
        fs::create_dir_all(into).map_err(|error| Failure::file("create", into, &error))?;
        let before = files(into);
        let mut number = 0;
        let mut send = |tokens: u32| {
            number += 1;
            let request = Request { model, stage, number, input_len, tokens };
            request.send(self.at).map_err(|error| {
                framework(format!("request {number} of {stage} was not answered: {error}"))
            })
        };
        let (count, tokens) = shot.warmup;
        for _ in 0..count {
            send(tokens)?;
        }
        match &shot.switch {
            Switch::Routes { start, stops_itself } => {
                self.post("/start_profile", &start.to_string(), COMES_UP)?;
                for _ in 0..shot.requests {
                    send(output_len)?;
                }
                let stopped = self.post("/stop_profile", "", self.rig.limits.run());
                // One that came to the end of its window has nothing more to stop.
                if !stops_itself {
                    stopped?;
                }
            }
            Switch::Counted { most } => {
                for _ in 0..*most {
                    send(output_len)?;
                    if files(into).difference(&before).next().is_some() {
                        break;
                    }
                }
            }
        }
        let traces = self.whole(server, shot, &before)?;
        let to = self.dir.join(stage.as_str());
        fs::create_dir_all(&to).map_err(|error| Failure::file("create", &to, &error))?;
        for from in traces {
            let to = to.join(from.file_name().unwrap_or_default());
            fs::rename(&from, &to).map_err(|error| Failure::file("move", &from, &error))?;
        }
        Ok(())
    }

    /// Says, to whoever waits and in the log, that ranks left no trace.
    fn incomplete(&self, shot: &Shot, wanted: u64, all: &[Utf8PathBuf]) {
        let names: Vec<&str> = all.iter().filter_map(|it| it.file_name()).collect();
        let (stage, found, names) = (shot.stage, names.len(), names.join(", "));
        let message = format!(
            "{} {stage}: {found} of {wanted} ranks left a trace ({names})",
            self.of.launch.framework
        );
        self.rig.progress.note(&message);
        let log = fs::File::options().append(true).open(self.dir.join(LOG));
        // Whoever waits was told already.
        let _ = log.and_then(|mut it| it.write_all(format!("# {message}\n").as_bytes()));
    }

    fn post(&self, path: &str, body: &str, wait: Duration) -> Result<(), NotTaken> {
        let answer = self.at.send("POST", path, body.as_bytes(), key().as_deref(), wait);
        match answer {
            Ok(it) if it.status == 200 => Ok(()),
            Ok(it) if it.status == 404 => {
                Err(framework(format!("the server has no profiler: {path} is not found")))
            }
            Ok(it) => Err(framework(format!("{path} answered {}", it.status))),
            Err(error) => Err(framework(format!("{path} was not answered: {error}"))),
        }
    }

    /// Waits for the new traces till each of them can be read to its end.
    fn whole(
        &self,
        server: &mut Supervised,
        shot: &Shot,
        before: &BTreeSet<Utf8PathBuf>,
    ) -> Result<Vec<Utf8PathBuf>, NotTaken> {
        let limit = self.rig.limits.run();
        let (into, begun) = (Utf8Path::new(&shot.into), Instant::now());
        let (mut last, mut since) = (Vec::new(), None);
        loop {
            let sized = |it: &Utf8PathBuf| (it.clone(), fs::metadata(it).map_or(0, |it| it.len()));
            let now: Vec<_> = files(into).difference(before).map(sized).collect();
            let settled = !now.is_empty() && last == now;
            if settled && now.iter().all(|(it, _)| is_whole(it).unwrap_or(false)) {
                let since = since.get_or_insert_with(Instant::now);
                let all: Vec<Utf8PathBuf> = now.into_iter().map(|(it, _)| it).collect();
                let wanted = shot.ranks.unwrap_or(1);
                let missing = wanted.saturating_sub(all.len() as u64);
                if missing > 0
                    && since.elapsed() < LATE.min(limit)
                    && server.wait(SETTLES).is_none()
                {
                    continue;
                }
                if missing > 0 {
                    self.incomplete(shot, wanted, &all);
                }
                return Ok(all);
            }
            if begun.elapsed() > limit {
                let what = if now.is_empty() { "no trace" } else { "no whole trace" };
                let seconds = limit.as_secs();
                return Err(framework(format!("there was {what} after {seconds} s")));
            }
            last = now;
            if server.wait(SETTLES).is_some() {
                return Err(framework("its trace was not whole"));
            }
        }
    }
}

/// The files of a directory that may be traces, the front end's aside: it has no forward pass.
fn files(dir: &Utf8Path) -> BTreeSet<Utf8PathBuf> {
    let Ok(entries) = dir.read_dir_utf8() else { return BTreeSet::new() };
    let names = entries.filter_map(Result::ok);
    let trace = |it: &camino::Utf8DirEntry| {
        may_be_trace(it.file_name()) && !it.file_name().contains(".async_llm.")
    };
    names.filter(trace).map(|it| it.path().to_owned()).collect()
}

/// Whether a trace is there to its end: gzip that inflates, or text that closes whatever it opens.
fn is_whole(path: &Utf8Path) -> io::Result<bool> {
    let file = fs::File::open(path)?;
    match path.extension() {
        Some("gz") => Ok(io::copy(&mut MultiGzDecoder::new(file), &mut io::sink())? > 0),
        _ => closes(file),
    }
}

/// Whether every bracket outside a string is closed. A cut trace may well end with one.
fn closes(mut from: impl io::Read) -> io::Result<bool> {
    let mut buffer = vec![0; 256 << 10];
    let (mut open, mut seen, mut quoted, mut escaped) = (0_u64, false, false, false);
    loop {
        let read = from.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(seen && open == 0 && !quoted);
        }
        for byte in bytes {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => (open, seen) = (open.saturating_add(1), true),
                b'}' | b']' if !quoted => open = open.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// One request of a capture.
struct Request<'a> {
    model: &'a str,
    stage: Stage,
    number: u32,
    input_len: u32,
    tokens: u32,
}

/// The first id of a token that stands in prompts, and how many there are: ordinary words in every
/// vocabulary, after its special ones.
const WORDS: (u32, u32) = (100, 900);

impl Request<'_> {
    /// A prompt of exactly so many tokens, which begins as no other one of its server: by ids, so that no
    /// tokenizer comes between.
    fn prompt(&self) -> Vec<u32> {
        let (first, count) = WORDS;
        let seed = (u64::from(self.number) << 8) | self.stage as u64;
        let mut random = fastrand::Rng::with_seed(seed);
        let own = first + (self.number * 7 + self.stage as u32) % count;
        let others = (1..self.input_len).map(|_| first + random.u32(..count));
        [own].into_iter().chain(others).collect()
    }

    fn send(&self, at: &Address) -> io::Result<()> {
        let body = json!({
            "model": self.model, "prompt": self.prompt(), "max_tokens": self.tokens,
            "temperature": 0, "ignore_eos": true, "stream": true,
            "stream_options": {"include_usage": true},
        });
        let answer =
            at.send("POST", ENDPOINT, body.to_string().as_bytes(), key().as_deref(), ANSWER)?;
        let status = answer.status;
        let said = Answer::read(answer)?;
        if status != 200 || said.error.is_some() {
            let why = said.error.unwrap_or(said.last);
            let why = crate::escape::brief(&why, 200);
            return Err(io::Error::other(format!("status {status}: {why}")));
        }
        if !said.ended {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let wanted = u64::from(self.tokens);
        match said.wrote {
            Some(wrote) if wrote != wanted => {
                Err(io::Error::other(format!("{wrote} tokens were generated, not {wanted} (PR-3)")))
            }
            _ => Ok(()),
        }
    }
}

/// What a stream came to.
#[derive(Default)]
struct Answer {
    ended: bool,
    wrote: Option<u64>,
    error: Option<String>,
    last: String,
}

impl Answer {
    fn read(mut from: crate::http::Coming) -> io::Result<Self> {
        let mut all = Self::default();
        while let Some(line) = from.line()? {
            match line.strip_prefix("data: ") {
                Some("[DONE]") => {
                    all.ended = true;
                    break;
                }
                Some(data) => all.piece(data),
                None if line.is_empty() => {}
                None => all.last = line,
            }
        }
        Ok(all)
    }

    fn piece(&mut self, data: &str) {
        let value: Value = serde_json::from_str(data).unwrap_or_default();
        if let Some(error) = value.get("error") {
            self.error = Some(error.to_string());
        }
        let usage = value.get("usage").and_then(|it| it.get("completion_tokens"));
        self.wrote = usage.and_then(Value::as_u64).or(self.wrote);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn half_a_trace_is_not_whole() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let text = format!("{{\"traceEvents\":[{}{{}}],\"a\":\"}}\"}}\n", "{},".repeat(5_000));
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        for (name, bytes) in [("a.json", text.into_bytes()), ("a.json.gz", gzip.finish().unwrap())]
        {
            let path = dir.join(name);
            for (size, whole) in [(0, false), (bytes.len() / 2, false), (bytes.len(), true)] {
                fs::write(&path, &bytes[..size]).unwrap();
                assert_eq!(is_whole(&path).unwrap_or(false), whole, "{name} {size}");
            }
        }
        fs::write(dir.join("vm.async_llm.7.pt.trace.json.gz"), "").unwrap();
        assert_eq!(files(dir).len(), 2);
    }

    #[test]
    fn no_two_prompts_begin_alike_and_each_has_its_length() {
        let mut begins = BTreeSet::new();
        for number in 1..=60 {
            let one =
                Request { model: "m", stage: Stage::Prefill, number, input_len: 700, tokens: 1 };
            let prompt = one.prompt();
            assert_eq!(prompt.len(), 700);
            assert!(prompt.iter().all(|it| (100..1_000).contains(it)));
            assert!(begins.insert(prompt[0]), "{number}");
        }
    }
}
