//! A Markdown document that only escaped text can enter.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{escape, figures};
use crate::artifact::{Artifact, Digest, GitId};
use crate::facts::*;
use crate::machine::Phase;
use crate::text::{Argv, Prose};
use crate::verdict::{Action, Verdict};
use crate::{Clause, Seq};

/// The widest line that a paragraph is wrapped to.
const WIDTH: usize = 96;

/// The widest column that other rows are padded to.
const WIDEST: usize = 44;

/// What begins the line that holds a head of the journal; no line of anything else begins so.
pub(super) const HEAD: &str = "vsota-head";

/// What every document of a demonstration begins with.
pub(super) const DEMO: &str =
    "> demo: every number here was made up or replayed; it says nothing about any machine.\n\n";

/// Escaped Markdown on one line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Md(String);

/// What is Markdown already, or has no character that Markdown would read.
pub(super) trait Safe: fmt::Display {}

/// Puts a value into [`md!`], if it is safe there.
pub(super) fn safe<T: Safe>(value: &T) -> &T {
    value
}

/// Escaped Markdown from a literal and safe arguments.
macro_rules! md {
    ($text:literal $(, $value:expr)* $(,)?) => {
        $crate::evidence::render::page::Md::joined(
            format_args!($text $(, $crate::evidence::render::page::safe(&$value))*)
        )
    };
}
pub(super) use md;

impl<T: Safe + ?Sized> Safe for &T {}

macro_rules! all_safe {
    ($($Type:ty)+) => { $( impl Safe for $Type {} )+ };
}

all_safe! {
    Md u32 u64 usize i32 Seq Digest GitId Phase Clause Verdict RowId
    Framework Stage Table Status Stat CompanionName KernelKind FileKind LoopEnd Review Handshake
    AttemptResult IdeaFate StopReason ReportOnly LatencyMetric Metric Rate Build
}

impl Md {
    /// Text from outside, escaped.
    pub(super) fn text(text: impl AsRef<str>) -> Self {
        Self(escape::inline(text.as_ref()))
    }

    /// Text from outside, as code.
    pub(super) fn code(text: impl AsRef<str>) -> Self {
        Self(escape::code(text.as_ref()))
    }

    /// Words of our own.
    pub(super) fn own(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// What [`figures`] made of a number or a time.
    pub(super) fn figure(text: String) -> Self {
        Self(text)
    }

    /// A time in ms since the epoch.
    pub(super) fn time(ms: i64) -> Self {
        Self(figures::time(ms))
    }

    /// What stands where nothing was recorded.
    pub(super) fn none() -> Self {
        Self::own("–")
    }

    /// The pieces with a separator between them; a dash when there are none.
    pub(super) fn list(pieces: impl IntoIterator<Item = Self>, separator: &str) -> Self {
        let pieces: Vec<_> = pieces.into_iter().map(|it| it.0).collect();
        if pieces.is_empty() { Self::none() } else { Self(pieces.join(separator)) }
    }

    /// Several texts as code, separated by commas.
    pub(super) fn codes(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self::list(texts.into_iter().map(Self::code), ", ")
    }

    /// Row ids as code.
    pub(super) fn rows(rows: &[RowId]) -> Self {
        Self::codes(rows.iter().map(RowId::to_string))
    }

    /// An artefact: its path, its digest shortened.
    pub(super) fn artifact(it: &Artifact) -> Self {
        let sha: String = it.sha256.to_string().chars().take(12).collect();
        Self(format!("{} (sha256 `{sha}…`, {} bytes)", escape::code(it.path.as_str()), it.bytes))
    }

    /// What `action` says.
    pub(super) fn action(action: Action) -> Self {
        Self(format!("{action:?}"))
    }

    pub(super) fn joined(pieces: fmt::Arguments<'_>) -> Self {
        Self(pieces.to_string())
    }

    fn width(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Display for Md {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A document that is being written.
#[derive(Clone, Debug)]
pub(super) struct Page(String);

impl Page {
    /// A document with its title; in a demonstration it says so first.
    pub(super) fn new(demo: bool, title: Md) -> Self {
        let mut page = Self(String::from(if demo { DEMO } else { "" }));
        page.0.push_str("# ");
        page.0.push_str(&title.0);
        page.0.push('\n');
        page
    }

    /// A heading of the second level.
    pub(super) fn section(&mut self, title: Md) {
        self.part(&format!("## {title}"));
    }

    /// A heading of the third level.
    pub(super) fn subsection(&mut self, title: Md) {
        self.part(&format!("### {title}"));
    }

    /// A paragraph.
    pub(super) fn say(&mut self, text: Md) {
        self.part(&wrap(&text.0, "", ""));
    }

    /// A list, an entry a line.
    pub(super) fn list(&mut self, entries: impl IntoIterator<Item = Md>) {
        let lines: Vec<_> = entries.into_iter().map(|it| wrap(&it.0, "* ", "  ")).collect();
        if !lines.is_empty() {
            self.part(&lines.join("\n"));
        }
    }

    /// Paragraphs of somebody else's, set off as a quotation.
    pub(super) fn quote(&mut self, text: &Prose) {
        let text = escape::prose(text.as_str());
        let mut lines: Vec<String> = Vec::new();
        for line in text.split('\n') {
            lines.push(if line.is_empty() { ">".into() } else { wrap(line, "> ", "> ") });
        }
        self.part(&lines.join("\n"));
    }

    /// A command that can be pasted.
    pub(super) fn command(&mut self, argv: &Argv) {
        if argv.is_empty() {
            self.say(Md::own("not recorded"));
        } else {
            self.part(&escape::block("sh", &escape::shell(argv.iter(), WIDTH)));
        }
    }

    /// A table; a dash where it has no row.
    pub(super) fn table(&mut self, table: Grid) {
        if table.rows.is_empty() {
            self.say(Md::own("None."));
        } else {
            self.part(&table.text());
        }
    }

    /// A head of the journal, on a line that programs look for (CK-1).
    pub(super) fn head(&mut self, seq: u64, hash: Digest) {
        self.part(&format!("{HEAD}: {seq} {hash}"));
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn part(&mut self, text: &str) {
        self.0.push('\n');
        self.0.push_str(text);
        self.0.push('\n');
    }
}

/// A table that is being filled.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    heads: Vec<&'static str>,
    rows: Vec<Vec<Md>>,
}

impl Grid {
    /// A table with these columns; `>` before a name sets its numbers flush right.
    pub(super) fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// One more row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Md>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn text(&self) -> String {
        let names: Vec<_> = self.heads.iter().map(|it| it.trim_start_matches('>')).collect();
        let right: Vec<_> = self.heads.iter().map(|it| it.starts_with('>')).collect();
        let mut widths: Vec<_> = names.iter().map(|it| it.chars().count().max(3)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width().min(WIDEST));
            }
        }
        let last = self.heads.len().saturating_sub(1);
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let mut line = String::from("|");
            for (at, ((cell, width), right)) in cells.zip(&widths).zip(&right).enumerate() {
                let missing = width.saturating_sub(cell.chars().count());
                // The last column ends where its text ends, for narrow terminals.
                let missing = if at == last && !right { 0 } else { missing };
                let pad = " ".repeat(missing);
                let (before, after) = if *right { (pad.as_str(), "") } else { ("", pad.as_str()) };
                line.push_str(&format!(" {before}{cell}{after} |"));
            }
            line
        };
        let mut lines = alloc::vec![line(&mut names.iter().map(ToString::to_string))];
        let rules = widths.iter().zip(&right).enumerate().map(|(at, (width, right))| {
            let width = if at == last && !right { 3 } else { *width };
            let dashes = "-".repeat(width.saturating_sub(usize::from(*right)));
            if *right { format!("{dashes}:") } else { dashes }
        });
        lines.push(line(&mut { rules }));
        for row in &self.rows {
            lines.push(line(&mut row.iter().map(|it| it.0.clone())));
        }
        lines.join("\n")
    }
}

/// Breaks a line where a word cannot begin a list, a heading, a rule or a table.
fn wrap(text: &str, first: &str, rest: &str) -> String {
    let mut out = String::from(first);
    let mut column = first.chars().count();
    for (at, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 {
            if column.saturating_add(length) >= WIDTH && may_begin(word) {
                out.push('\n');
                out.push_str(rest);
                column = rest.chars().count();
            } else {
                out.push(' ');
                column = column.saturating_add(1);
            }
        }
        out.push_str(word);
        column = column.saturating_add(length);
    }
    out
}

fn may_begin(word: &str) -> bool {
    if word.starts_with(HEAD) {
        return false;
    }
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some('`'), Some(c)) => c.is_alphanumeric(),
        (Some('('), Some(c)) => c.is_alphanumeric() || c == '`',
        (Some(c), _) => c.is_alphabetic(),
        (None, _) => false,
    }
}
