//! The mock server: completions and chat with streaming, health, models, metrics, profiler.

use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vsota_core::facts::Framework;

use super::profiler::{How, Profiler};
use super::speed::{Crash, Speed};
use super::{MOCK, VERSION};
use crate::http::{self, Request};

/// What a mock server is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Whose server it stands in for.
    pub framework: Framework,
    /// What it calls its model.
    pub model: String,
    /// How fast it is.
    pub speed: Speed,
    /// The share of requests that fail, 0 to 1.
    pub fail_rate: f64,
    /// The share of prompt tokens that a prefix cache answers, 0 to 1.
    pub prefix_hits: f64,
    /// How it goes wrong.
    pub crash: Option<Crash>,
    /// After how many requests it dies.
    pub dies_after: u64,
    /// The git tree that it says it runs.
    pub tree: Option<String>,
    /// The key that it wants, as its framework does.
    pub key: Option<String>,
    /// How its profiler is switched on.
    pub profiler: How,
    /// How many ranks it has.
    pub ranks: u32,
    /// Whether its profiles show the kernels of the demonstration's patch.
    pub patched: bool,
    /// The seed of what is random.
    pub seed: u64,
}

/// A mock server.
#[derive(Debug)]
struct Server {
    told: Told,
    factor: f64,
    slots: Slots,
    counts: Counts,
    profiler: Profiler,
}

/// What was served so far.
#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    prompt_tokens: AtomicU64,
    generation_tokens: AtomicU64,
}

/// The places of those that are served at once.
#[derive(Debug)]
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    fn take(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(free, |free| *free == 0);
        let mut free = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.saturating_sub(1);
    }

    fn give(&self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.saturating_add(1);
        self.freed.notify_one();
    }
}

/// What a completion asks for.
struct Asked {
    chat: bool,
    stream: bool,
    prompt_tokens: u64,
    max_tokens: u32,
}

/// Serves until the process is ended, or until the mode says so.
///
/// # Errors
///
/// When the listener breaks.
pub fn serve(listener: &TcpListener, told: Told) -> io::Result<()> {
    let mut random = fastrand::Rng::with_seed(told.seed);
    let factor = told.speed.factor(&mut random);
    let slots = Slots { free: Mutex::new(told.speed.concurrency.max(1)), freed: Condvar::new() };
    let counts = Counts::default();
    let profiler = Profiler::new(told.framework, told.patched, told.ranks, told.profiler.clone());
    let server = Arc::new(Server { told, factor, slots, counts, profiler });
    for stream in listener.incoming() {
        let stream = stream?;
        if server.has_died() {
            return Ok(());
        }
        let server = Arc::clone(&server);
        // A connection that breaks is the other end's affair.
        thread::spawn(move || drop(server.connection(stream)));
    }
    Ok(())
}

impl Server {
    fn has_died(&self) -> bool {
        let served = self.counts.requests.load(Ordering::Relaxed);
        self.told.crash == Some(Crash::Dies) && served >= self.told.dies_after
    }

    fn connection(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut from = BufReader::new(stream.try_clone()?);
        let Some(request) = http::request(&mut from)? else { return Ok(()) };
        let mut to = stream;
        self.route(&mut to, &request)
    }

    fn route(&self, to: &mut TcpStream, request: &Request) -> io::Result<()> {
        let json = |to: &mut TcpStream, status: u16, value: &Value| {
            http::answer(to, status, "application/json", value.to_string().as_bytes())
        };
        if self.told.key.is_some() && self.is_locked(&request.path) && request.key != self.told.key
        {
            return json(to, 401, &json!({"error": format!("{MOCK}: the key is another one")}));
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/health" | "/ping") => json(to, 200, &json!({"server": MOCK})),
            ("GET", "/version") => {
                json(to, 200, &json!({"version": VERSION, "tree": self.told.tree}))
            }
            ("GET", "/v1/models" | "/get_model_info" | "/get_server_info" | "/server_info") => {
                let model = &self.told.model;
                json(
                    to,
                    200,
                    &json!({
                        "object": "list", "version": VERSION, "model_path": model,
                        "data": [{"id": model, "object": "model", "owned_by": MOCK}],
                    }),
                )
            }
            ("GET", "/metrics" | "/prometheus/metrics") => {
                http::answer(to, 200, "text/plain", self.metrics().as_bytes())
            }
            ("POST", "/v1/completions" | "/v1/chat/completions" | "/generate") => {
                self.complete(to, request)
            }
            ("POST", "/start_profile") => match self.profiler.begin(&request.body) {
                Ok(()) => json(to, 200, &json!({"profiler": MOCK})),
                Err((status, why)) => json(to, status, &json!({"error": why})),
            },
            ("POST", "/stop_profile") => match self.profiler.end() {
                Ok(path) => json(to, 200, &json!({"profiler": MOCK, "trace": path})),
                Err(error) => json(to, 500, &json!({"error": error.to_string()})),
            },
            _ => json(to, 404, &json!({"error": format!("the {MOCK} knows no such path")})),
        }
    }

    /// Whether the framework lets nobody through to this path without the key.
    fn is_locked(&self, path: &str) -> bool {
        match self.told.framework {
            Framework::Sglang => !matches!(path, "/health" | "/metrics"),
            Framework::Vllm | Framework::TensorrtLlm => path.starts_with("/v1"),
        }
    }

    fn complete(&self, to: &mut TcpStream, request: &Request) -> io::Result<()> {
        let value: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let asked = asked(&value, request.path.ends_with("/chat/completions"));
        if self.told.crash == Some(Crash::Lies) {
            return http::answer(to, 503, "text/plain", b"mock: not yet");
        }
        if self.told.crash == Some(Crash::Refuses) {
            return http::answer(to, 404, "text/plain", b"mock: there is no such model");
        }
        let number = self.counts.requests.fetch_add(1, Ordering::Relaxed);
        let mut random = fastrand::Rng::with_seed(self.told.seed ^ number.wrapping_mul(0x9E37));
        if self.has_died() {
            return Ok(());
        }
        if random.f64() < self.told.fail_rate {
            return http::answer(to, 500, "text/plain", b"mock: this request was made to fail");
        }
        self.slots.take();
        let done = self.generate(to, &asked);
        self.slots.give();
        done
    }

    /// Sends the tokens when they are due: a late one does not make the next one late.
    fn generate(&self, to: &mut TcpStream, asked: &Asked) -> io::Result<()> {
        let begun = Instant::now();
        self.profiler.request(asked.prompt_tokens, asked.max_tokens);
        self.counts.prompt_tokens.fetch_add(asked.prompt_tokens, Ordering::Relaxed);
        if asked.stream {
            to.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
            )?;
        }
        for index in 0..asked.max_tokens {
            let due = self.told.speed.due(asked.prompt_tokens, index, self.factor);
            thread::sleep(due.saturating_sub(begun.elapsed()));
            self.counts.generation_tokens.fetch_add(1, Ordering::Relaxed);
            if asked.stream {
                to.write_all(format!("data: {}\n\n", self.piece(asked, " mock")).as_bytes())?;
            }
        }
        let usage = json!({
            "prompt_tokens": asked.prompt_tokens, "completion_tokens": asked.max_tokens,
            "total_tokens": asked.prompt_tokens.saturating_add(u64::from(asked.max_tokens)),
        });
        if asked.stream {
            let last = json!({"model": self.told.model, "choices": [], "usage": usage});
            to.write_all(format!("data: {last}\n\ndata: [DONE]\n\n").as_bytes())?;
            return to.flush();
        }
        let text = " mock".repeat(usize::try_from(asked.max_tokens).unwrap_or(0));
        let mut whole = self.piece(asked, &text);
        if let Some(whole) = whole.as_object_mut() {
            whole.insert("usage".to_owned(), usage);
        }
        http::answer(to, 200, "application/json", whole.to_string().as_bytes())
    }

    fn piece(&self, asked: &Asked, text: &str) -> Value {
        let choice = match (asked.chat, asked.stream) {
            (true, true) => json!({"index": 0, "delta": {"content": text}}),
            (true, false) => {
                json!({"index": 0, "message": {"role": "assistant", "content": text}})
            }
            (false, _) => json!({"index": 0, "text": text}),
        };
        json!({"id": MOCK, "model": self.told.model, "choices": [choice]})
    }

    fn metrics(&self) -> String {
        let count = |it: &AtomicU64| it.load(Ordering::Relaxed);
        let (prompt, generated) =
            (count(&self.counts.prompt_tokens), count(&self.counts.generation_tokens));
        #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
        let hits = (prompt as f64 * self.told.prefix_hits).floor();
        let model = &self.told.model;
        let series =
            |name: &str, value: &str| format!("{name}{{model_name=\"{model}\"}} {value}\n");
        let mut text = format!("# a {MOCK} server\n");
        let (prompt, generated) = (prompt.to_string(), generated.to_string());
        match self.told.framework {
            Framework::Vllm => {
                text += &series("vllm:prompt_tokens_total", &prompt);
                text += &series("vllm:generation_tokens_total", &generated);
                text += &series("vllm:prefix_cache_queries_total", &prompt);
                text += &series("vllm:prefix_cache_hits_total", &format!("{hits}"));
                text += &series("vllm:num_preemptions_total", "0");
            }
            Framework::Sglang => {
                text += &series("sglang:prompt_tokens_total", &prompt);
                text += &series("sglang:generation_tokens_total", &generated);
                text += &series("sglang:cache_hit_rate", &format!("{}", self.told.prefix_hits));
            }
            Framework::TensorrtLlm => {
                text += &series(
                    "trtllm_request_success_total",
                    &count(&self.counts.requests).to_string(),
                );
            }
        }
        text
    }
}

fn asked(value: &Value, chat: bool) -> Asked {
    let count = |key: &str| value.get(key).and_then(Value::as_u64);
    let max_tokens = count("max_tokens").or(count("max_completion_tokens")).unwrap_or(16);
    let words = |text: &str| text.split_whitespace().count() as u64;
    let prompt_tokens = match (value.get("prompt"), value.get("messages")) {
        (Some(Value::String(text)), _) => words(text),
        (Some(Value::Array(tokens)), _) => tokens.len() as u64,
        (_, Some(Value::Array(messages))) => {
            let said = |it: &Value| it.get("content").and_then(Value::as_str).map_or(0, words);
            messages.iter().map(said).sum()
        }
        _ => 0,
    };
    Asked {
        chat,
        stream: value.get("stream").and_then(Value::as_bool).unwrap_or(false),
        prompt_tokens,
        max_tokens: u32::try_from(max_tokens).unwrap_or(u32::MAX).min(1 << 20),
    }
}
