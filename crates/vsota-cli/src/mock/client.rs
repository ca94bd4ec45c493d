//! The built-in client: sends the requests that a benchmark command asks for, and writes the result
//! as the framework's own client would, with "mock" in it.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use serde_json::{Value, json};
use vsota_core::facts::Framework;
use vsota_fixtures::builders::{
    RunNumbers, SglangExtra, SglangVersion, Spread, sglang_of, trtllm_bench, vllm_bench,
};

use super::{MOCK, VERSION, Words};
use crate::failure::Failure;
use crate::http::Address;

/// The longest wait for a single piece of an answer.
const WAIT: Duration = Duration::from_secs(600);

/// What a benchmark command asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Whose client it is.
    pub framework: Framework,
    /// Where the server listens.
    pub at: Address,
    /// The path that is called.
    pub endpoint: String,
    /// The model.
    pub model: String,
    /// Requests.
    pub num_prompts: u32,
    /// Prompt tokens of a request.
    pub input_len: u32,
    /// Generated tokens of a request.
    pub output_len: u32,
    /// Offered requests a second; `None` is all at once.
    pub rate: Option<f64>,
    /// The cap on concurrent requests.
    pub concurrency: Option<u32>,
    /// Requests before the first that counts.
    pub warmups: u32,
    /// The seed of the prompts.
    pub seed: u64,
    /// Where the result goes.
    pub result: Utf8PathBuf,
}

/// One answered request, times in s.
struct Took {
    ttft: f64,
    e2e: f64,
    steps: Vec<f64>,
    tokens: u64,
}

impl Load {
    /// Reads a benchmark command.
    ///
    /// # Errors
    ///
    /// Usage when it is none of the three clients', or does not say where to send what.
    pub fn of(command: &[String]) -> Result<Self, Failure> {
        let words = Words(command);
        let needed = |flag: &str| {
            Failure::usage(format_args!("the benchmark command needs {flag}")).at_field(flag)
        };
        let framework = words.framework().ok_or_else(|| needed("the name of a client"))?;
        let input = ["--random-input-len", "--random-input", "--input-len"];
        let output = ["--random-output-len", "--random-output", "--output-len"];
        let rate = words.value(&["--request-rate"]).filter(|it| !it.starts_with("inf"));
        let rate = rate.map(|it| it.parse::<f64>().ok().filter(|it| *it > 0.0));
        let chat = words.value(&["--backend"]).is_some_and(|it| it.ends_with("-chat"));
        let endpoint = if chat { "/v1/chat/completions" } else { "/v1/completions" };
        Ok(Self {
            framework,
            at: address(words).ok_or_else(|| needed("--base-url"))?,
            endpoint: words.value(&["--endpoint"]).unwrap_or(endpoint).to_owned(),
            model: words.model().ok_or_else(|| needed("--model"))?.to_owned(),
            num_prompts: words.number(&["--num-prompts"]).ok_or_else(|| needed("--num-prompts"))?,
            input_len: words.number(&input).ok_or_else(|| needed("--random-input-len"))?,
            output_len: words.number(&output).ok_or_else(|| needed("--random-output-len"))?,
            rate: match rate {
                Some(None) => return Err(needed("--request-rate above zero")),
                rate => rate.flatten(),
            },
            concurrency: words.number(&["--max-concurrency"]),
            warmups: words.number(&["--num-warmups", "--warmup-requests"]).unwrap_or(0),
            seed: words.number(&["--seed"]).unwrap_or(0),
            result: result(words).ok_or_else(|| needed("--result-filename"))?,
        })
    }

    /// Sends everything and writes the result.
    ///
    /// # Errors
    ///
    /// I/O when the result cannot be written. Requests that fail are counted, as the real clients do.
    pub fn run(&self) -> Result<String, Failure> {
        for number in 0..self.warmups {
            // A warm-up that fails shows in the requests that count.
            let _ = self.send(u32::MAX.wrapping_sub(number));
        }
        let begun = Instant::now();
        let (took, failed) = self.send_all();
        let numbers = self.numbers(&took, failed, begun.elapsed());
        let text = self.native(&numbers);
        if let Some(dir) = self.result.parent().filter(|it| !it.as_str().is_empty()) {
            std::fs::create_dir_all(dir).map_err(|error| Failure::file("create", dir, &error))?;
        }
        std::fs::write(&self.result, text)
            .map_err(|error| Failure::file("write", &self.result, &error))?;
        Ok(format!(
            "{MOCK} client: {} of {} requests, {:.3} a second",
            took.len(),
            self.num_prompts,
            numbers.request_throughput
        ))
    }

    fn send_all(&self) -> (Vec<Took>, u64) {
        let next = AtomicU32::new(0);
        let took = Mutex::new((Vec::new(), 0_u64));
        let begun = Instant::now();
        let arrivals = self.arrivals();
        let workers =
            self.concurrency.unwrap_or(self.num_prompts).clamp(1, self.num_prompts.max(1));
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.num_prompts {
                            break;
                        }
                        let due = usize::try_from(number).ok().and_then(|it| arrivals.get(it));
                        thread::sleep(
                            due.copied().unwrap_or_default().saturating_sub(begun.elapsed()),
                        );
                        let answer = self.send(number);
                        let mut took = took.lock().unwrap_or_else(PoisonError::into_inner);
                        match answer {
                            Ok(it) => took.0.push(it),
                            Err(_) => took.1 = took.1.saturating_add(1),
                        }
                    }
                });
            }
        });
        took.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// When each request is offered: all at once, or one after the other at random.
    fn arrivals(&self) -> Vec<Duration> {
        let Some(rate) = self.rate else { return Vec::new() };
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut at = 0.0;
        let gaps = (0..self.num_prompts).map(|_| {
            let now = at;
            at -= (1.0 - random.f64()).ln() / rate;
            Duration::try_from_secs_f64(now).unwrap_or(Duration::MAX)
        });
        gaps.collect()
    }

    /// A prompt that shares no beginning with another: its own number comes first.
    fn prompt(&self, number: u32) -> String {
        let mut random = fastrand::Rng::with_seed(self.seed ^ (u64::from(number) << 20));
        let mut prompt = format!("{number}-{:x}", random.u32(..));
        for _ in 1..self.input_len {
            prompt.push(' ');
            prompt.push(random.lowercase());
        }
        prompt
    }

    fn send(&self, number: u32) -> io::Result<Took> {
        let mut body = json!({
            "model": self.model, "max_tokens": self.output_len, "stream": true, "ignore_eos": true,
            "temperature": 0,
        });
        let prompt = self.prompt(number);
        let (key, said) = match self.endpoint.ends_with("/chat/completions") {
            true => ("messages", json!([{"role": "user", "content": prompt}])),
            false => ("prompt", prompt.into()),
        };
        if let Some(body) = body.as_object_mut() {
            body.insert(key.to_owned(), said);
        }
        let begun = Instant::now();
        let mut coming = self.at.ask("POST", &self.endpoint, body.to_string().as_bytes(), WAIT)?;
        if coming.status != 200 {
            return Err(io::Error::other(format!("status {}", coming.status)));
        }
        let (mut ttft, mut last) = (None, begun);
        let (mut steps, mut tokens) = (Vec::new(), 0_u64);
        let mut ended = false;
        while let Some(line) = coming.line()? {
            let Some(data) = line.strip_prefix("data: ") else { continue };
            if data == "[DONE]" {
                ended = true;
                break;
            }
            if !has_token(data) {
                continue;
            }
            let now = Instant::now();
            match ttft {
                None => ttft = Some(now.duration_since(begun).as_secs_f64()),
                Some(_) => steps.push(now.duration_since(last).as_secs_f64()),
            }
            (last, tokens) = (now, tokens.saturating_add(1));
        }
        // A stream that ends without its last word was cut off.
        let ttft = ttft.filter(|_| ended).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Took { ttft, e2e: last.duration_since(begun).as_secs_f64(), steps, tokens })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn numbers(&self, took: &[Took], failed: u64, duration: Duration) -> RunNumbers {
        let completed = took.len() as f64;
        let ms = |values: Vec<f64>| spread(values.into_iter().map(|it| it * 1_000.0).collect());
        let per_token = |it: &Took| match it.tokens {
            0 | 1 => None,
            tokens => Some((it.e2e - it.ttft) / (tokens - 1) as f64),
        };
        let tokens: u64 = took.iter().map(|it| it.tokens).sum();
        RunNumbers {
            model: self.model.clone(),
            num_prompts: u64::from(self.num_prompts),
            failed,
            input_len: u64::from(self.input_len),
            output_len: tokens.checked_div(took.len() as u64).unwrap_or(0),
            request_throughput: completed / duration.as_secs_f64(),
            ttft: ms(took.iter().map(|it| it.ttft).collect()),
            tpot: ms(took.iter().filter_map(per_token).collect()),
            itl: ms(took.iter().flat_map(|it| it.steps.iter().copied()).collect()),
            e2e: ms(took.iter().map(|it| it.e2e).collect()),
            ended_at: now(),
            rate: self.rate,
            concurrency: self.concurrency.map(u64::from),
        }
    }

    /// The result as the framework's own client writes it, and the word that says that it is none.
    fn native(&self, numbers: &RunNumbers) -> String {
        let text = match self.framework {
            Framework::Vllm => vllm_bench(numbers),
            Framework::TensorrtLlm => trtllm_bench(numbers),
            Framework::Sglang => {
                let extra = SglangExtra { server: Some(VERSION), ..SglangExtra::default() };
                sglang_of(SglangVersion::V0_5_23, numbers, &extra).unwrap_or_default()
            }
        };
        text.replacen('{', &format!("{{\"{MOCK}\": true, "), 1)
    }
}

/// Whether a piece of a stream carries text.
fn has_token(data: &str) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(data) else { return false };
    let Some(choice) = value.get("choices").and_then(|it| it.get(0)) else { return false };
    let text = choice.get("text").or_else(|| choice.get("delta")?.get("content"));
    text.and_then(Value::as_str).is_some_and(|it| !it.is_empty())
}

fn address(words: Words<'_>) -> Option<Address> {
    if let Some(url) = words.value(&["--base-url"]) {
        let rest = url.strip_prefix("http://")?.trim_end_matches('/');
        let (host, port) = rest.split_once(':')?;
        return Some(Address { host: host.to_owned(), port: port.parse().ok()? });
    }
    let host = words.value(&["--host"]).unwrap_or("127.0.0.1").to_owned();
    Some(Address { host, port: words.number(&["--port"])? })
}

fn result(words: Words<'_>) -> Option<Utf8PathBuf> {
    let file = words.value(&["--result-filename", "--output-file"])?;
    let dir = words.value(&["--result-dir"]).map(Utf8PathBuf::from).unwrap_or_default();
    Some(dir.join(file))
}

/// Mean, median and 99th percentile; zeros where there is nothing.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        let last = values.len().saturating_sub(1);
        values.get(last.saturating_mul(percent) / 100).copied().unwrap_or(0.0)
    };
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    Spread { mean, p50: at(50), p99: at(99) }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|it| i64::try_from(it.as_millis()).ok()).unwrap_or(0)
}
