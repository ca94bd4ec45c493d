//! A short question to a program that may never answer: nvidia-smi, a build of vLLM, a host.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::reaper::Ending;
use super::{NotStarted, Start, Supervised};
use crate::failure::Failure;

/// How long whoever was asked has to end when the time is over.
const GRACE: Duration = Duration::from_millis(200);

/// What the shell ends with when there is no such program.
const NO_PROGRAM: i32 = 127;

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The program and its arguments.
    pub argv: &'a [String],
    /// Variables to set.
    pub env: &'a BTreeMap<String, String>,
    /// Where it is asked; here when absent.
    pub dir: Option<&'a Utf8Path>,
    /// The marker that everybody who is asked carries.
    pub marker: &'a str,
    /// How long the answer may take in all.
    pub at_most: Duration,
}

/// An answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// How the program ended.
    pub ending: Ending,
    /// What it wrote to stdout, bounded and without secrets.
    pub text: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// There is no such program, or it cannot be run.
    Program,
    /// The time was over; everybody who was asked is ended.
    Late,
    /// Something here failed.
    Own(Failure),
}

impl Question<'_> {
    /// Asks, under a reaper: nobody who was asked is left, whether he answered or not.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub fn ask(&self) -> Result<Answer, Unanswered> {
        let own = |error: std::io::Error| {
            Unanswered::Own(Failure::io(format_args!("nothing can be asked: {error}")))
        };
        let file = tempfile::NamedTempFile::new().map_err(own)?;
        let log = Utf8PathBuf::from_path_buf(file.path().to_owned()).map_err(|_| {
            let message = "the directory for temporary files is not UTF-8";
            Unanswered::Own(Failure::usage(message))
        })?;
        // A reaper has one log: what is said on stderr is no answer.
        let script = match self.dir {
            Some(_) => "cd \"$0\" && exec \"$@\" 2>/dev/null",
            None => "exec \"$@\" 2>/dev/null",
        };
        let place = self.dir.map_or("vsota", Utf8Path::as_str);
        let mut argv: Vec<String> = ["sh", "-c", script, place].map(str::to_owned).to_vec();
        argv.extend(self.argv.iter().cloned());
        let start =
            Start { argv: &argv, env: self.env, marker: self.marker, log: &log, grace: GRACE };
        let mut asked = Supervised::start(&start).map_err(|why| match why {
            NotStarted::Program(_) => Unanswered::Program,
            NotStarted::Own(failure) => Unanswered::Own(failure),
        })?;
        let ending = asked.wait(self.at_most);
        asked.stop().map_err(Unanswered::Own)?;
        match ending {
            None => Err(Unanswered::Late),
            Some(Ending::Code(NO_PROGRAM)) => Err(Unanswered::Program),
            Some(ending) => {
                let text = std::fs::read(&log).map_err(own)?;
                Ok(Answer { ending, text: String::from_utf8_lossy(&text).into_owned() })
            }
        }
    }
}

impl Answer {
    /// What was said by a program that ended well.
    pub fn good(self) -> Option<String> {
        (self.ending == Ending::Code(0)).then_some(self.text)
    }
}
