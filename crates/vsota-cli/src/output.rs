//! What does the user see? The only place that writes to the terminal.
//!
//! Text for people is built as [`Text`], which escapes everything foreign as it comes in; JSON is
//! escaped as it goes out. No write is taken for granted: an event that was recorded is never turned
//! into silence by a pipe that is closed or a disk that is full.

use std::env;
use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::escape;
use crate::exit::Exit;
use crate::failure::{Failure, Fault, Refused, Why};
use crate::journal::Head;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Style {
    /// As it is.
    #[default]
    Plain,
    /// A heading or a name that matters.
    Strong,
    /// Something that holds.
    Good,
    /// Something that does not hold.
    Bad,
    /// Something to look at.
    Warn,
    /// Something of little weight.
    Dim,
    /// Something to type.
    Code,
}

/// Text for people. What is put in is escaped; only the builder breaks lines and sets colours.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Text(Vec<(Style, String)>);

/// What a command that did what was asked leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// For people.
    pub text: Text,
    /// For programs: one JSON value.
    pub json: String,
    /// The head of the journal after the last event that the call recorded, if it recorded one.
    pub recorded: Option<Head>,
    /// What the shell sees.
    pub exit: Exit,
}

/// The terminal of one call.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    color: Color,
}

#[derive(Serialize)]
struct FailureView<'a, T> {
    #[serde(flatten)]
    what: &'a T,
    /// How far the call came before it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
}

#[derive(Serialize)]
struct FaultView<'a> {
    error: &'a Fault,
}

impl Text {
    /// No text yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a piece within a line; what could break the line or drive the terminal is escaped.
    pub fn push(&mut self, style: Style, piece: impl AsRef<str>) -> &mut Self {
        self.0.push((style, escape::line(piece.as_ref()).into_owned()));
        self
    }

    /// Adds a plain piece within a line.
    pub fn plain(&mut self, piece: impl AsRef<str>) -> &mut Self {
        self.push(Style::Plain, piece)
    }

    /// Ends the line.
    pub fn end(&mut self) -> &mut Self {
        self.0.push((Style::Plain, "\n".to_owned()));
        self
    }

    /// Adds a whole plain line.
    pub fn line(&mut self, line: impl AsRef<str>) -> &mut Self {
        self.plain(line).end()
    }

    /// Adds several lines as they are, with only the newlines kept: a document, a table.
    pub fn block(&mut self, block: impl AsRef<str>) -> &mut Self {
        let block = escape::block(block.as_ref()).into_owned();
        let open = !block.is_empty() && !block.ends_with('\n');
        self.0.push((Style::Plain, block));
        if open { self.end() } else { self }
    }

    /// Adds another text after this one.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.0.extend(other.0);
        self
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, piece)| piece.is_empty())
    }

    /// The text, with or without colours.
    pub fn render(&self, color: bool) -> String {
        let mut all = String::new();
        for (style, piece) in &self.0 {
            match style.code().filter(|_| color) {
                Some(code) => all.extend(["\u{1b}[", code, "m", piece, "\u{1b}[0m"]),
                None => all.push_str(piece),
            }
        }
        all
    }
}

impl Style {
    fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::Plain => return None,
            Self::Strong => "1",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Warn => "33",
            Self::Dim => "2",
            Self::Code => "36",
        })
    }
}

impl Outcome {
    /// An outcome that recorded nothing.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON.
    pub fn new(text: Text, value: &impl Serialize) -> Result<Self, Failure> {
        let json = serde_json::to_string(value)
            .map_err(|error| Failure::io(format_args!("the answer is not JSON: {error}")))?;
        Ok(Self { text, json, recorded: None, exit: Exit::Done })
    }

    /// An outcome after an event was recorded.
    #[must_use]
    pub fn recorded(mut self, head: Head) -> Self {
        self.recorded = Some(head);
        self
    }

    /// An outcome that is shown all the same, with an exit code that is not 0.
    #[must_use]
    pub fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

impl Output {
    /// The terminal as the flags ask for it.
    #[must_use]
    pub fn new(json: bool, color: Color) -> Self {
        Self { json, color }
    }

    /// Whether stdout carries JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Tells how far a long command is: on stderr, where nothing depends on it.
    pub fn progress(&self, text: &Text) {
        let text = text.render(self.colored(io::stderr().is_terminal()));
        // Whoever closed stderr does not want to know.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// One element of a stream: a JSON line on stderr under `--json`, else text on stdout.
    ///
    /// # Errors
    ///
    /// When nobody reads any more.
    pub fn stream(&self, text: &Text, value: &impl Serialize) -> io::Result<()> {
        if self.json {
            let line = serde_json::to_string(value)?;
            let mut to = io::stderr().lock();
            return writeln!(to, "{}", escape::json(&line));
        }
        let mut to = io::stdout().lock();
        to.write_all(text.render(self.colored(to.is_terminal())).as_bytes())?;
        to.flush()
    }

    /// Shows how a command ended, and says what the shell sees.
    pub fn conclude(&self, result: Result<Outcome, Failure>) -> Exit {
        let (recorded, exit, written) = match &result {
            Ok(outcome) => (outcome.recorded, outcome.exit, self.success(outcome)),
            Err(failure) => (failure.recorded, failure.exit(), self.failure(failure)),
        };
        match (written, recorded) {
            (Ok(()), None) => exit,
            (Ok(()), Some(head)) => {
                if is_nowhere() {
                    self.acknowledge(head, None);
                }
                exit
            }
            // A reader that went away has seen what it wanted, unless something happened meanwhile.
            (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => exit,
            (Err(error), recorded) => {
                match recorded {
                    Some(head) => self.acknowledge(head, Some(&error)),
                    None => self.progress(
                        Text::new().line(format!("error: could not write the answer: {error}")),
                    ),
                }
                if exit == Exit::Done { Exit::Failed } else { exit }
            }
        }
    }

    /// Shows text of clap's: help on stdout, an error on stderr.
    pub fn clap(&self, error: &clap::Error) -> Exit {
        let text = error.render().to_string();
        let mut shown = Text::new();
        shown.block(&text);
        if error.use_stderr() {
            self.progress(&shown);
            let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            if self.json {
                let failure = Failure::usage(message);
                if let Why::Fault(error) = &failure.why {
                    // The exit code says the same.
                    let _ = self.answer(&FaultView { error });
                }
            }
            return Exit::Usage;
        }
        let outcome = Outcome::new(shown, &serde_json::json!({ "help": text }));
        self.conclude(outcome)
    }

    /// An acknowledgement for the case that stdout could not carry it.
    fn acknowledge(&self, head: Head, error: Option<&io::Error>) {
        let why =
            error.map_or("stdout goes nowhere".to_owned(), |it| format!("stdout failed: {it}"));
        let line = format!("the event {} IS recorded; head {head} ({why})", head.seq);
        self.progress(Text::new().line(line));
    }

    fn success(&self, outcome: &Outcome) -> io::Result<()> {
        if self.json {
            self.progress(&outcome.text);
            return put(&escape::json(&outcome.json), true);
        }
        put(&outcome.text.render(self.colored(io::stdout().is_terminal())), false)
    }

    fn failure(&self, failure: &Failure) -> io::Result<()> {
        let mut text = Text::new();
        let head = failure.recorded;
        match &failure.why {
            Why::Fault(fault) => {
                text.push(Style::Bad, "error: ").line(escape::brief(&fault.to_string(), 1_500));
            }
            Why::Refused(refused) => refusal(&mut text, refused),
        }
        if let Some(head) = head {
            text.line(format!("recorded before that: entries up to {}; head {head}", head.seq));
        }
        self.progress(&text);
        if !self.json {
            return Ok(());
        }
        match &failure.why {
            Why::Fault(error) => self.answer(&FailureView { what: &FaultView { error }, head }),
            Why::Refused(refused) => self.answer(&FailureView { what: refused, head }),
        }
    }

    fn answer(&self, value: &impl Serialize) -> io::Result<()> {
        put(&escape::json(&serde_json::to_string(value)?), true)
    }

    fn colored(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()),
        }
    }
}

fn refusal(text: &mut Text, refused: &Refused) {
    text.push(Style::Bad, "refused").end();
    for reason in &refused.reasons {
        text.plain("  ").push(Style::Strong, reason.clause.to_string());
        text.plain("  ").line(escape::brief(&reason.found, 400));
        if !reason.help.is_empty() {
            text.plain("        try: ").push(Style::Code, &reason.help).end();
        }
    }
}

fn put(text: &str, newline: bool) -> io::Result<()> {
    let mut to = io::stdout().lock();
    to.write_all(text.as_bytes())?;
    if newline {
        to.write_all(b"\n")?;
    }
    to.flush()
}

/// Whether stdout was closed when the program began: the runtime then puts the null device there,
/// open for reading and writing. Somebody who sends it to the null device on purpose may be told
/// once more than needed.
fn is_nowhere() -> bool {
    let stdout = io::stdout();
    let null = rustix::fs::stat("/dev/null");
    let open = rustix::fs::fcntl_getfl(&stdout);
    match (rustix::fs::fstat(&stdout), null, open) {
        (Ok(it), Ok(null), Ok(flags)) => {
            it.st_rdev == null.st_rdev
                && it.st_ino == null.st_ino
                && flags.contains(rustix::fs::OFlags::RDWR)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vsota_core::text::is_unsafe;

    #[test]
    fn foreign_text_cannot_drive_the_terminal_or_break_a_line() {
        let mut text = Text::new();
        text.push(Style::Bad, "a\u{1b}[2Jb\nc").end().block("d\u{9b}\ne");
        let shown = text.render(false);
        assert_eq!(shown, "a\\u{1b}[2Jb\\u{a}c\nd\\u{9b}\ne\n");
        assert!(!shown.replace('\n', "").contains(is_unsafe));
    }

    #[test]
    fn colours_are_only_there_when_asked_for() {
        let mut text = Text::new();
        text.push(Style::Good, "yes");
        assert_eq!(text.render(false), "yes");
        assert_eq!(text.render(true), "\u{1b}[32myes\u{1b}[0m");
    }

    #[test]
    fn a_flattened_failure_keeps_its_names() {
        let failure =
            Failure::bad_evidence("too short").in_file("x.json").at_line(3).at_field("ttft");
        let Why::Fault(error) = &failure.why else { panic!("a fault") };
        let view = FailureView { what: &FaultView { error }, head: None };
        assert_eq!(
            serde_json::to_string(&view).unwrap(),
            r#"{"error":{"kind":"bad-evidence","file":"x.json","line":3,"field":"ttft","message":"too short"}}"#
        );
    }
}
