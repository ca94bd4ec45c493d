//! The profiler of a mock server: switched on as the framework whose place it takes has it, and with a
//! made trace of the passes that it saw. The trace says "mock".

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use vsota_core::facts::Framework;

use super::{MOCK, VERSION, Words};

/// The most passes of a profile.
const PASSES: usize = 64;

/// How long a trace of SGLang's takes to be whole after the answer that it is being written.
const FLUSH: Duration = Duration::from_millis(400);

/// How much later than the first rank the others of SGLang begin to write.
const LATE: Duration = Duration::from_millis(1_200);

/// How the profiler is switched on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum How {
    /// There is none.
    Absent,
    /// By its routes, into this directory.
    Into(Utf8PathBuf),
    /// By its routes, into the directory that the request names.
    Named,
    /// By the count of passes from the start: it begins after the first number, ends after the second.
    Counted(u64, u64, Utf8PathBuf),
}

impl How {
    /// As the launch says it, in words and variables.
    pub fn of(framework: Framework, words: Words<'_>, env: &BTreeMap<String, String>) -> Self {
        match framework {
            Framework::Vllm => {
                let config = words.value(&["--profiler-config"]).unwrap_or_default();
                let config: Value = serde_json::from_str(config).unwrap_or_default();
                let dir = config.get("torch_profiler_dir").and_then(Value::as_str);
                dir.map_or(Self::Absent, |it| Self::Into(it.into()))
            }
            Framework::Sglang => Self::Named,
            Framework::TensorrtLlm => {
                let window = env.get("TLLM_PROFILE_START_STOP").and_then(|it| it.split_once('-'));
                let number = |it: &str| it.parse().ok();
                let window = window.and_then(|(one, two)| Some((number(one)?, number(two)?)));
                match (window, env.get("TLLM_TORCH_PROFILE_TRACE")) {
                    (Some((begin, end)), Some(file)) => Self::Counted(begin, end, file.into()),
                    _ => Self::Absent,
                }
            }
        }
    }
}

/// The profiler.
#[derive(Debug)]
pub struct Profiler {
    framework: Framework,
    /// Whether the kernels are those of the demonstration's patch.
    patched: bool,
    /// How many ranks it has.
    ranks: u32,
    how: How,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Where the trace goes that is being taken.
    into: Option<Utf8PathBuf>,
    /// Passes that are still left out.
    delay: u64,
    /// Passes that are still taken, when they are limited.
    room: Option<u64>,
    /// Tokens that each pass read and generated.
    passes: Vec<(u64, u64)>,
    /// Passes since the start.
    count: u64,
    /// Traces written.
    written: u64,
}

impl Profiler {
    /// A profiler that nobody switched on yet.
    pub fn new(framework: Framework, patched: bool, ranks: u32, how: How) -> Self {
        Self { framework, patched, ranks: ranks.max(1), how, state: Mutex::default() }
    }

    /// `POST /start_profile`.
    ///
    /// # Errors
    ///
    /// The status, and why.
    pub fn begin(&self, body: &[u8]) -> Result<(), (u16, &'static str)> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let number = |key: &str| body.get(key).and_then(Value::as_u64);
        let into = match &self.how {
            How::Into(dir) => Some(dir.clone()),
            How::Named => body.get("output_dir").and_then(Value::as_str).map(Utf8PathBuf::from),
            How::Absent | How::Counted(..) => None,
        };
        let into = into.ok_or((404, "mock: there is no profiler"))?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.into.is_some() {
            return Err((409, "mock: a profile is being taken"));
        }
        state.into = Some(into);
        state.passes.clear();
        state.delay = number("delay_iterations").unwrap_or(0);
        state.room = number("max_iterations").or(number("num_steps"));
        Ok(())
    }

    /// `POST /stop_profile`; says where the trace is, if there is one to write.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn end(&self) -> io::Result<Option<String>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&mut state)
    }

    /// A request went through: a pass that reads its prompt, and one for each token after the first.
    pub fn request(&self, prompt_tokens: u64, tokens: u32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let decodes = (1..tokens).map(|_| (0, 1));
        for pass in [(prompt_tokens.max(1), 0)].into_iter().chain(decodes) {
            self.pass(&mut state, pass);
        }
    }

    fn pass(&self, state: &mut State, pass: (u64, u64)) {
        state.count = state.count.saturating_add(1);
        if let How::Counted(begin, end, file) = &self.how
            && state.count == begin.saturating_add(1)
        {
            state.into = Some(file.clone());
            state.room = end.checked_sub(*begin);
        }
        if state.into.is_none() {
            return;
        }
        if state.delay > 0 {
            state.delay -= 1;
            return;
        }
        if state.passes.len() < PASSES {
            state.passes.push(pass);
        }
        if let Some(room) = &mut state.room {
            *room = room.saturating_sub(1);
            if *room == 0 {
                // What cannot be written is missed by whoever waits for it.
                let _ = self.write(state);
            }
        }
    }

    fn write(&self, state: &mut State) -> io::Result<Option<String>> {
        let Some(into) = state.into.take() else { return Ok(None) };
        let passes = std::mem::take(&mut state.passes);
        let number = state.written;
        state.written = number.saturating_add(1);
        let text = trace(self.framework, self.patched, &passes);
        let path = match self.how {
            How::Counted(..) => into,
            How::Absent | How::Into(_) | How::Named => {
                std::fs::create_dir_all(&into)?;
                into.join(format!("{MOCK}-rank0.{number}.pt.trace.json.gz"))
            }
        };
        let bytes = match path.extension() {
            Some("gz") => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
                gzip.write_all(text.as_bytes())?;
                gzip.finish()?
            }
            _ => text.into_bytes(),
        };
        if self.how == How::Named {
            // The real one answers before its trace is whole.
            let (to, path) = (File::create(&path)?, path.clone());
            let ranks = self.ranks;
            thread::spawn(move || {
                slowly(to, &path, &bytes);
                thread::sleep(LATE);
                for rank in 1..ranks {
                    let path = path.as_str().replace("-rank0.", &format!("-rank{rank}."));
                    // What cannot be written is missed by whoever waits for it.
                    let _ = std::fs::write(path, &bytes);
                }
            });
        } else {
            std::fs::write(&path, bytes)?;
        }
        Ok(Some(path.to_string()))
    }
}

/// Writes one half, and after a while the other.
fn slowly(mut to: File, path: &Utf8Path, bytes: &[u8]) {
    let (one, two) = bytes.split_at(bytes.len() / 2);
    let done = to.write_all(one).and_then(|()| {
        thread::sleep(FLUSH);
        to.write_all(two)
    });
    if done.is_err() {
        // Half a trace is worse than none.
        let _ = std::fs::remove_file(path);
    }
}

/// A trace of the demonstration's model, which says that it is one.
fn trace(framework: Framework, patched: bool, passes: &[(u64, u64)]) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = u64::try_from(since.as_nanos()).unwrap_or(0);
    let text = vsota_fixtures::demo::mock_trace(framework, patched, passes, start);
    let text =
        text.replace("\"vllm_version\":\"0.33.0\"", &format!("\"vllm_version\":\"{VERSION}\""));
    text.replacen('{', &format!("{{\"{MOCK}\":true,"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_launch_says_how_the_profiler_is_switched_on() {
        let none = BTreeMap::new();
        let vllm = words("vllm serve m --profiler-config {\"torch_profiler_dir\":\"/d\"}");
        assert_eq!(How::of(Framework::Vllm, Words(&vllm), &none), How::Into("/d".into()));
        assert_eq!(How::of(Framework::Vllm, Words(&words("vllm serve m")), &none), How::Absent);
        assert_eq!(How::of(Framework::Sglang, Words(&words("sglang")), &none), How::Named);
        let env = BTreeMap::from(
            [("TLLM_PROFILE_START_STOP", "3-5"), ("TLLM_TORCH_PROFILE_TRACE", "/t.json")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let counted = How::of(Framework::TensorrtLlm, Words(&[]), &env);
        assert_eq!(counted, How::Counted(3, 5, "/t.json".into()));
        assert_eq!(How::of(Framework::TensorrtLlm, Words(&[]), &none), How::Absent);
    }

    #[test]
    fn a_window_leaves_out_what_is_before_and_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let it = Profiler::new(Framework::Vllm, false, 1, How::Into(dir.to_owned()));
        it.begin(br#"{"delay_iterations": 2, "max_iterations": 3}"#).unwrap();
        assert_eq!(it.begin(b"").unwrap_err().0, 409);
        it.request(1, 20);
        assert_eq!(it.end().unwrap(), None, "it stopped by itself");
        assert_eq!(std::fs::read_dir(dir).unwrap().count(), 1);
        let file = dir.join("counted.json");
        let it = Profiler::new(Framework::TensorrtLlm, true, 1, How::Counted(2, 4, file.clone()));
        it.request(9, 2);
        assert!(!file.exists());
        it.request(9, 2);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("\"mock\":true"), "{text}");
        assert_eq!(
            (text.matches("1 ctx reqs").count(), text.matches("1 gen reqs").count()),
            (1, 1)
        );
        assert_eq!(it.begin(b"").unwrap_err().0, 404);
    }
}
