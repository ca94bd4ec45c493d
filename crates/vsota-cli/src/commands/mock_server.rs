//! `vsota mock-server`: everything that runs servers can be tried on a laptop.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::json;
use vsota_core::facts::Framework;

use crate::context::Context;
use crate::failure::Failure;
use crate::mock::client::Load;
use crate::mock::profiler::How;
use crate::mock::server::{self, Told};
use crate::mock::speed::{Crash, Speed};
use crate::mock::{MOCK, Words};
use crate::output::{Outcome, Style, Text};

/// What a build says of itself: how much faster it is than the flags say.
const SPEED: &str = "VSOTA_MOCK_SPEED";

/// What a build says of itself: that its profiles show the kernels of the demonstration's patch.
const PATCHED: &str = "VSOTA_MOCK_PATCHED";

/// The variable with the key that a mock wants.
const KEY: &str = "VSOTA_MOCK_API_KEY";

/// What a build says of itself: that it was made without a profiler.
const NO_PROFILER: &str = "VSOTA_MOCK_NO_PROFILER";

/// What a build says of itself: its git tree.
const TREE: &str = "VSOTA_MOCK_TREE";

/// An OpenAI-compatible server of settable speed, or a client for it; both say "mock" in everything
///
/// After `--` stands the command of the framework that the mock takes the place of: its host, port
/// and model are used, as in `vsota mock-server -- vllm serve demo/tiny-moe --port 8000`.
#[derive(Args, Debug)]
pub struct MockServerArgs {
    /// Be the client: run the benchmark command after `--`
    #[arg(long, requires = "command")]
    client: bool,

    /// Whose server it stands in for [default: that of the command, else vllm]
    #[arg(long = "as", value_name = "FRAMEWORK")]
    framework: Option<Framework>,

    /// Where to listen [default: that of the command, else 127.0.0.1]
    #[arg(long)]
    host: Option<String>,

    /// Where to listen; 0 takes a free one and says which [default: that of the command, else 8000]
    #[arg(long)]
    port: Option<u16>,

    /// Time to the first token, in ms
    #[arg(long, value_name = "MS", default_value_t = 20.0, value_parser = amount)]
    ttft_ms: f64,

    /// Time per output token after the first, in ms
    #[arg(long, value_name = "MS", default_value_t = 5.0, value_parser = amount)]
    tpot_ms: f64,

    /// What each prompt token adds to the time to the first token, in µs
    #[arg(long, value_name = "US", default_value_t = 0.0, value_parser = amount)]
    prefill_us: f64,

    /// How much faster than that it is; what the environment says is taken times this
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = amount)]
    speed: f64,

    /// Flags of the command that make it faster, by 8 % each
    #[arg(long, value_name = "FLAG", value_delimiter = ',')]
    likes: Vec<String>,

    /// Requests that are served at once; others wait
    #[arg(long, value_name = "N", default_value_t = 256)]
    concurrency: usize,

    /// How far a launch is off, in percent (one standard deviation)
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = amount)]
    noise: f64,

    /// The share of requests that fail, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = amount)]
    fail_rate: f64,

    /// The share of prompt tokens that a prefix cache answers, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = amount)]
    prefix_hits: f64,

    /// How long it takes to come up, in ms
    #[arg(long, value_name = "MS", default_value_t = 0)]
    startup_ms: u64,

    /// How it goes wrong
    #[arg(long, value_name = "MODE", value_enum)]
    crash: Option<Crash>,

    /// With `--crash dies`: after how many requests
    #[arg(long, value_name = "N", default_value_t = 3)]
    dies_after: u64,

    /// Where `/start_profile` and `/stop_profile` write a profile [default: as the command or the
    /// environment says it for its framework]
    #[arg(long, value_name = "DIR")]
    profile_dir: Option<Utf8PathBuf>,

    /// The seed of what is random [default: another one each launch]
    #[arg(long)]
    seed: Option<u64>,

    /// The command of the framework
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn amount(text: &str) -> Result<f64, &'static str> {
    let number = text.parse::<f64>().ok().filter(|it| it.is_finite() && *it >= 0.0);
    number.ok_or("a number of at least 0 is expected")
}

/// Serves, or sends.
///
/// # Errors
///
/// Child when the port is taken or the mode says so; as the client says.
pub fn run(context: &Context, args: MockServerArgs) -> Result<Outcome, Failure> {
    if args.client {
        let told = Load::of(&args.command)?.run()?;
        let text = Text::new().line(&told).clone();
        return Outcome::new(text, &json!({ "client": told }));
    }
    let words = Words(&args.command);
    let host = args.host.as_deref().or(words.value(&["--host"])).unwrap_or("127.0.0.1");
    let port = args.port.or(words.number(&["--port"])).unwrap_or(8_000);
    say(context, &format!("{MOCK} server, process {}", std::process::id()));
    say(context, &format!("$ {}", args.command.join(" ")));
    thread::sleep(Duration::from_millis(args.startup_ms));
    if let Some(last) = args.crash.and_then(Crash::last_words) {
        say(context, last);
        return Err(Failure::child(last));
    }
    match args.crash {
        Some(Crash::Hang) => loop {
            thread::sleep(Duration::from_secs(3_600));
        },
        Some(Crash::Chatter) => chatter(),
        Some(Crash::Orphan) => leave_an_orphan()?,
        _ => {}
    }
    let listener = TcpListener::bind((host, port)).map_err(|error| {
        Failure::child(format_args!("could not listen on {host}:{port}: {error}"))
    })?;
    let port = listener.local_addr().map_or(port, |it| it.port());
    say(context, &format!("INFO: Uvicorn ({MOCK}) running on http://{host}:{port}"));
    let told = told(&args, words);
    let planted = told.speed.factor(&mut fastrand::Rng::with_seed(told.seed));
    say(context, &format!("INFO: {MOCK}: this launch takes {planted:.6} times as long"));
    say(context, "INFO: Application startup complete.");
    server::serve(&listener, told)
        .map_err(|error| Failure::io(format_args!("the {MOCK} server ended: {error}")))?;
    Ok(Outcome::default())
}

/// How much faster than its flags say: its own factor, its build's, and that of the flags it likes.
fn factor(args: &MockServerArgs) -> f64 {
    let build = std::env::var(SPEED).ok().and_then(|it| it.parse::<f64>().ok());
    let has = |name: &&String| {
        let bare = |it: &String| it.trim_start_matches('-').replace('_', "-");
        args.command.iter().any(|it| it.starts_with("--") && bare(it) == bare(name))
    };
    let liked = args.likes.iter().filter(has).fold(1.0, |all, _| all * 1.08);
    (args.speed * build.unwrap_or(1.0) * liked).max(0.001)
}

fn told(args: &MockServerArgs, words: Words<'_>) -> Told {
    let factor = factor(args);
    let model = words.value(&["--served-model-name"]).or(words.model()).unwrap_or(MOCK);
    let framework = args.framework.or(words.framework()).unwrap_or(Framework::Vllm);
    let profiler = match &args.profile_dir {
        _ if std::env::var_os(NO_PROFILER).is_some() => How::Absent,
        Some(dir) => How::Into(dir.clone()),
        None => How::of(framework, words, &variables()),
    };
    Told {
        framework,
        model: model.to_owned(),
        speed: Speed {
            ttft_ms: args.ttft_ms / factor,
            tpot_ms: args.tpot_ms / factor,
            prefill_us: args.prefill_us / factor,
            concurrency: args.concurrency,
            noise_percent: args.noise,
        },
        fail_rate: args.fail_rate,
        prefix_hits: args.prefix_hits,
        key: std::env::var(KEY).ok().or(words.value(&["--api-key"]).map(str::to_owned)),
        ranks: words.number(&["--tensor-parallel-size", "--tp-size", "--tp"]).unwrap_or(1),
        crash: args.crash,
        dies_after: args.dies_after,
        tree: std::env::var(TREE).ok(),
        profiler,
        patched: std::env::var_os(PATCHED).is_some(),
        seed: args.seed.unwrap_or_else(|| fastrand::u64(..)),
    }
}

/// The variables that are text.
fn variables() -> BTreeMap<String, String> {
    let all = std::env::vars_os();
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A line of its log, on stderr.
fn say(context: &Context, line: &str) {
    context.output.progress(Text::new().push(Style::Plain, line).end());
}

fn chatter() {
    thread::spawn(|| {
        let mut stderr = std::io::stderr().lock();
        while writeln!(stderr, "INFO: {MOCK} is still talking, {}", "and talking ".repeat(40))
            .is_ok()
        {}
    });
}

/// A process that leaves the group and the session, as a daemon does.
fn leave_an_orphan() -> Result<(), Failure> {
    let mut command = Command::new("setsid");
    let command = command.args(["--fork", "sleep", "3600"]).stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.map(drop).map_err(|error| Failure::child(format_args!("could not run setsid: {error}")))
}
