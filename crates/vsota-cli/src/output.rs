//! What does the user see? The only place that writes to the terminal.
//!
//! Text for people is built as [`Text`], which escapes everything foreign as it comes in; JSON is
//! escaped as it goes out. No write is taken for granted: an event that was recorded is never turned
//! into silence by a pipe that is closed or a disk that is full.

use std::env;
use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;
use clap::error::{ContextKind, ContextValue};
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

    /// Passes bytes on to stdout as they are, for a command that is a filter.
    ///
    /// # Errors
    ///
    /// When nobody reads any more.
    pub fn pass(&self, bytes: &[u8]) -> io::Result<()> {
        io::stdout().lock().write_all(bytes)
    }

    /// Shows how a command ended, and says what the shell sees.
    pub fn conclude(&self, result: &Result<Outcome, Failure>) -> Exit {
        let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
        let nowhere = is_nowhere();
        self.conclude_on(&mut out, &mut err, nowhere, result)
    }

    fn conclude_on(
        &self,
        out: &mut impl Write,
        err: &mut impl Write,
        nowhere: bool,
        result: &Result<Outcome, Failure>,
    ) -> Exit {
        let (recorded, exit, written) = match result {
            Ok(outcome) => (outcome.recorded, outcome.exit, self.success(out, err, outcome)),
            Err(failure) => (failure.recorded, failure.exit(), self.failure(out, err, failure)),
        };
        let lost = match (&written, recorded) {
            (Ok(()), Some(_)) if nowhere => "stdout goes nowhere".to_owned(),
            (Ok(()), _) => return exit,
            // A reader that went away has seen what it wanted, unless something happened meanwhile.
            (Err(error), None) if error.kind() == io::ErrorKind::BrokenPipe => return exit,
            (Err(error), _) => format!("could not write the answer: {error}"),
        };
        let line = match recorded {
            Some(head) => format!("event {} IS recorded; head {head} ({lost})", head.seq),
            None => format!("error: {lost}"),
        };
        // There is nowhere left to say it.
        let _ = writeln!(err, "{}", escape::line(&line));
        if written.is_err() && exit == Exit::Done { Exit::Failed } else { exit }
    }

    /// Shows text of clap's: help on stdout, an error on stderr.
    pub fn clap(&self, error: &clap::Error) -> Exit {
        let text = error.render().to_string();
        let mut shown = Text::new();
        shown.block(&text);
        if error.use_stderr() {
            self.progress(&shown);
            if self.json {
                let failure = misused(error, &text);
                if let Why::Fault(error) = &failure.why {
                    // The exit code says the same.
                    let _ = json(&FaultView { error })
                        .and_then(|it| put(&mut io::stdout().lock(), &[&it, "\n"]));
                }
            }
            return Exit::Usage;
        }
        self.conclude(&Outcome::new(shown, &serde_json::json!({ "help": text })))
    }

    fn success(
        &self,
        out: &mut impl Write,
        err: &mut impl Write,
        outcome: &Outcome,
    ) -> io::Result<()> {
        if self.json {
            // Prose is for people who look on; the answer does not depend on it.
            let text = outcome.text.render(self.colored(io::stderr().is_terminal()));
            let _ = err.write_all(text.as_bytes());
            // A filter has said on stdout what it has to say.
            let filter = outcome.json.is_empty();
            return if filter { Ok(()) } else { put(out, &[&escape::json(&outcome.json), "\n"]) };
        }
        put(out, &[&outcome.text.render(self.colored(io::stdout().is_terminal()))])
    }

    fn failure(
        &self,
        out: &mut impl Write,
        err: &mut impl Write,
        failure: &Failure,
    ) -> io::Result<()> {
        let head = failure.recorded;
        let text = told(failure).render(self.colored(io::stderr().is_terminal()));
        // The exit code says the same.
        let _ = err.write_all(text.as_bytes());
        if !self.json {
            return Ok(());
        }
        let json = match &failure.why {
            Why::Fault(error) => json(&FailureView { what: &FaultView { error }, head }),
            Why::Refused(refused) => json(&FailureView { what: refused, head }),
        };
        put(out, &[&json?, "\n"])
    }

    fn colored(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()),
        }
    }
}

/// A call that clap did not understand: all that it says before the usage, and the argument.
fn misused(error: &clap::Error, text: &str) -> Failure {
    let message = text.split("\n\nUsage").next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message).trim_end();
    let failure = Failure::usage(escape::block(message));
    let named = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand];
    let named = named.into_iter().find_map(|it| error.get(it));
    match named {
        Some(ContextValue::String(it)) => failure.at_field(escape::line(it)),
        Some(ContextValue::Strings(all)) => failure.at_field(escape::line(&all.join(", "))),
        _ => failure,
    }
}

/// A failure for people.
pub fn told(failure: &Failure) -> Text {
    let mut text = Text::new();
    match &failure.why {
        Why::Fault(fault) => {
            text.push(Style::Bad, "error: ").line(escape::brief(&fault.to_string(), 1_500));
        }
        Why::Refused(refused) => refusal(&mut text, refused),
    }
    if let Some(head) = failure.recorded {
        text.line(format!("event {} IS recorded; head {head}", head.seq));
    }
    text
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

fn json(value: &impl Serialize) -> io::Result<String> {
    Ok(escape::json(&serde_json::to_string(value)?).into_owned())
}

fn put(to: &mut impl Write, pieces: &[&str]) -> io::Result<()> {
    pieces.iter().try_for_each(|it| to.write_all(it.as_bytes()))?;
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

    #[test]
    fn a_misused_call_is_told_whole_with_its_argument() {
        use clap::Parser as _;
        for (args, field, told) in [
            (&["vsota", "gap", "ingest"][..], Some("<FILE>..."), "<FILE>"),
            (&["vsota", "inputs", "set", "colour=x"], Some("[KEY=VALUE]..."), "gpu_model"),
            (&["vsota", "dance\u{1b}[2J"], Some("dance\\u{1b}[2J"), "unrecognized"),
            (&["vsota", "status", "--fast"], Some("--fast"), "unexpected"),
        ] {
            let error = crate::cli::Cli::try_parse_from(args).unwrap_err();
            let text = error.render().to_string();
            let Why::Fault(fault) = misused(&error, &text).why else { panic!("a fault") };
            assert_eq!(fault.field.as_deref(), field, "{args:?}: {fault:?}");
            assert!(fault.message.contains(told), "{args:?}: {fault:?}");
            assert!(!fault.message.contains("Usage") && !fault.message.starts_with("error"));
            assert!(!fault.message.replace('\n', "").contains(is_unsafe), "{fault:?}");
        }
    }

    /// A stdout that fails as a full disk or a closed pipe does.
    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn recorded() -> (Head, Result<Outcome, Failure>) {
        let head = Head { seq: 7, hash: vsota_core::Digest::of(b"line") };
        (head, Outcome::new(Text::new(), &1).map(|it| it.recorded(head)))
    }

    #[test]
    fn a_recorded_event_is_told_on_stderr_when_stdout_fails() {
        for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::StorageFull] {
            for json in [true, false] {
                let (head, mut result) = recorded();
                if let Ok(outcome) = &mut result {
                    outcome.text.line("done");
                }
                let mut err = Vec::new();
                let output = Output::new(json, Color::Never);
                let exit = output.conclude_on(&mut Failing(kind), &mut err, false, &result);
                assert_eq!(exit, Exit::Failed);
                let err = String::from_utf8(err).unwrap();
                assert!(err.contains(&format!("event 7 IS recorded; head {head}")), "{err}");
            }
        }
    }

    #[test]
    fn a_recorded_event_is_told_on_stderr_when_stdout_was_closed() {
        let (head, result) = recorded();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let output = Output::new(true, Color::Never);
        assert_eq!(output.conclude_on(&mut out, &mut err, true, &result), Exit::Done);
        assert!(String::from_utf8(err).unwrap().contains(&head.to_string()));
    }

    #[test]
    fn a_failure_after_a_recorded_event_says_how_far_it_came() {
        let (head, _) = recorded();
        let failure = Failure::io("the disk is full").after(head);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let output = Output::new(true, Color::Never);
        let exit = output.conclude_on(&mut out, &mut err, false, &Err(failure));
        assert_eq!(exit, Exit::Failed);
        assert!(String::from_utf8(err).unwrap().contains("event 7 IS recorded"));
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["error"]["kind"], "io");
        assert_eq!(value["head"]["seq"], 7);
    }
}
