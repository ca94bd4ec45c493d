//! Drafts: the one Markdown format in which people and agents write down what no tool can measure.
//!
//! ```text
//! # Root cause
//!
//! - stage: decode
//!
//! ## Rows
//! - vllm:decode:kernel:1  what follows the id is for people
//!
//! ## Explanation
//! Paragraphs, bullets and fenced code as they are.
//! ```
//!
//! A draft has a title, then `- key: value` bullets, then sections. What a section holds is said by
//! its `Form`: bullets, keys or prose. HTML comments are for the author and are passed over; an
//! empty value is no value. Nothing is required of prose beyond being there.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::str::FromStr;

use super::EvidenceError;
use crate::text::{Prose, is_unsafe};

mod form;
mod ledger;
mod near;
mod patch;
mod round;

pub use form::{DraftKind, Known, template};
pub use ledger::{attempt, history_note, idea, research};
pub use patch::{PatchDraft, Range, patch};
pub use round::{DigestDraft, RootCauseDraft, TargetDraft, kernel_target, ncu_digest, root_cause};

/// A draft, cut into its sections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    title: Heading,
    /// What stands between the title and the first section.
    head: Section,
    sections: Vec<Section>,
}

/// A heading and the line that it stands in.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Heading {
    line: u64,
    text: String,
}

/// One section: its heading and its lines, as they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section {
    heading: Heading,
    body: Vec<(u64, String)>,
}

/// A bullet and the line that it starts in.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Bullet {
    line: u64,
    text: String,
}

impl Draft {
    /// Cuts a text into its sections.
    ///
    /// # Errors
    ///
    /// With its line: text before the title, no title or two, an empty heading, a comment or a
    /// fence that never ends, a control or direction character.
    pub fn parse(text: &str) -> Result<Self, EvidenceError> {
        let mut cut = Cut::default();
        for (line, text) in (1..).zip(text.trim_start_matches('\u{FEFF}').lines()) {
            if let Some(c) = text.chars().find(|c| is_unsafe(*c) && *c != '\t') {
                let message = format!("the character U+{:04X} is not allowed", u32::from(c));
                return Err(EvidenceError::new(message).at(line));
            }
            cut.take(line, text)?;
        }
        cut.end()
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title.text
    }

    /// What stands between the title and the first section.
    pub fn head(&self) -> &Section {
        &self.head
    }

    /// The section of that name, when there is one.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|it| it.heading.text.eq_ignore_ascii_case(name))
    }

    /// The sections `NAME ID`, each with its id.
    pub fn each<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a Section)> {
        self.sections.iter().filter_map(move |it| Some((it.id(name)?, it)))
    }
}

/// The state of a parse.
#[derive(Default)]
struct Cut {
    title: Option<Heading>,
    sections: Vec<Section>,
    head: Vec<(u64, String)>,
    /// Where a comment or a fence was opened.
    comment: Option<u64>,
    fence: Option<u64>,
}

impl Cut {
    fn take(&mut self, line: u64, text: &str) -> Result<(), EvidenceError> {
        let trimmed = text.trim();
        if self.comment.is_some() {
            if trimmed.ends_with("-->") {
                self.comment = None;
            }
            return Ok(());
        }
        if trimmed.starts_with("```") {
            self.fence = if self.fence.is_some() { None } else { Some(line) };
            return self.keep(line, text);
        }
        if self.fence.is_some() {
            return self.keep(line, text);
        }
        if trimmed.starts_with("<!--") {
            self.comment = (!trimmed.ends_with("-->")).then_some(line);
            return Ok(());
        }
        if let Some(heading) = text.strip_prefix("# ") {
            if self.title.is_some() {
                return Err(EvidenceError::new("a draft has one `# Title`").at(line));
            }
            self.title = Some(heading_of(line, heading)?);
            return Ok(());
        }
        if let Some(heading) = text.strip_prefix("## ").filter(|_| self.title.is_some()) {
            let heading = heading_of(line, heading)?;
            self.sections.push(Section { heading, body: Vec::new() });
            return Ok(());
        }
        self.keep(line, text)
    }

    fn keep(&mut self, line: u64, text: &str) -> Result<(), EvidenceError> {
        if self.title.is_none() {
            if text.trim().is_empty() {
                return Ok(());
            }
            return Err(EvidenceError::new("a draft starts with its `# Title`").at(line));
        }
        let body = self.sections.last_mut().map_or(&mut self.head, |it| &mut it.body);
        body.push((line, text.trim_end().to_string()));
        Ok(())
    }

    fn end(self) -> Result<Draft, EvidenceError> {
        if let Some(line) = self.comment {
            return Err(EvidenceError::new("the comment never ends with `-->`").at(line));
        }
        if let Some(line) = self.fence {
            return Err(EvidenceError::new("the fence never ends with ```").at(line));
        }
        let title = self
            .title
            .ok_or_else(|| EvidenceError::new("a draft starts with its `# Title`").at(1))?;
        let heading = Heading { line: title.line, text: String::new() };
        Ok(Draft { title, head: Section { heading, body: self.head }, sections: self.sections })
    }
}

fn heading_of(line: u64, text: &str) -> Result<Heading, EvidenceError> {
    match text.trim() {
        "" => Err(EvidenceError::new("the heading is empty").at(line)),
        text => Ok(Heading { line, text: text.to_string() }),
    }
}

impl Section {
    /// The heading; empty for what stands below the title.
    pub fn heading(&self) -> &str {
        &self.heading.text
    }

    /// The line of the heading, from 1.
    pub fn line(&self) -> u64 {
        self.heading.line
    }

    /// The id of a section `NAME ID`.
    fn id(&self, name: &str) -> Option<&str> {
        let (word, id) = self.heading.text.split_once(char::is_whitespace)?;
        word.eq_ignore_ascii_case(name).then(|| id.trim())
    }

    /// An error of this section.
    fn wrong(&self, key: Option<&str>, line: u64, message: impl Display) -> EvidenceError {
        let field = match (self.heading.text.as_str(), key) {
            ("", key) => key.map(ToString::to_string),
            (heading, None) => Some(heading.to_string()),
            (heading, Some(key)) => Some(format!("{heading}.{key}")),
        };
        let error = EvidenceError::new(message).at(line);
        field.map_or(error.clone(), |it| error.of(&it))
    }

    /// The bullets of the section.
    fn bullets(&self) -> Result<Vec<Bullet>, EvidenceError> {
        let mut bullets: Vec<Bullet> = Vec::new();
        let mut open = false;
        for (line, text) in &self.body {
            let marked = text.strip_prefix("- ").or_else(|| text.strip_prefix("* "));
            let marked = marked.or_else(|| matches!(text.as_str(), "-" | "*").then_some(""));
            match (marked, bullets.last_mut()) {
                (Some(text), _) => {
                    bullets.push(Bullet { line: *line, text: text.trim().to_string() });
                    open = true;
                }
                (None, _) if text.is_empty() => open = false,
                (None, Some(bullet)) if open && text.starts_with([' ', '\t']) => {
                    bullet.text.push(' ');
                    bullet.text.push_str(text.trim());
                }
                (None, _) => {
                    let message = "only bullets `- …` stand here; a bullet goes on indented";
                    return Err(self.wrong(None, *line, message));
                }
            }
        }
        bullets.retain(|it| !it.text.is_empty());
        Ok(bullets)
    }

    /// The `- key: value` bullets; values may be empty.
    fn entries(&self) -> Result<Vec<(String, Bullet)>, EvidenceError> {
        let entry = |Bullet { line, text }: Bullet| match text.split_once(':') {
            Some((key, value)) if !key.trim().is_empty() => {
                let bullet = Bullet { line, text: value.trim().to_string() };
                Ok((key.trim().to_ascii_lowercase(), bullet))
            }
            _ => Err(self.wrong(None, line, "a bullet `- key: value` is expected here")),
        };
        self.bullets()?.into_iter().map(entry).collect()
    }

    /// The values of a key that may stand several times.
    ///
    /// # Errors
    ///
    /// With line and key, when a value is not a `T`.
    pub fn many<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Vec<T>, EvidenceError> {
        let entries = self.entries()?.into_iter();
        let ours = entries.filter(|(name, it)| name == key && !it.text.is_empty());
        ours.map(|(_, it)| self.read(key, &it)).collect()
    }

    /// The value of a key that may be missing or empty.
    ///
    /// # Errors
    ///
    /// With line and key, when it stands twice or is not a `T`.
    pub fn optional<T: FromStr<Err: Display>>(
        &self,
        key: &str,
    ) -> Result<Option<T>, EvidenceError> {
        let entries = self.entries()?.into_iter();
        let mut ours = entries.filter(|(name, it)| name == key && !it.text.is_empty());
        let first = ours.next();
        if let Some((_, second)) = ours.next() {
            return Err(self.wrong(Some(key), second.line, "the key stands here a second time"));
        }
        first.map(|(_, it)| self.read(key, &it)).transpose()
    }

    /// The value of a key that must be there.
    ///
    /// # Errors
    ///
    /// With line and key, when it is missing, empty, stands twice or is not a `T`.
    pub fn one<T: FromStr<Err: Display>>(&self, key: &str) -> Result<T, EvidenceError> {
        if let Some(value) = self.optional(key)? {
            return Ok(value);
        }
        let entries = self.entries()?;
        let empty = entries.iter().find(|(name, _)| name == key);
        Err(match empty {
            Some((_, it)) => self.wrong(Some(key), it.line, "the value is empty"),
            None => {
                let message = format!("`- {key}: …` is missing");
                self.wrong(Some(key), self.heading.line, message)
            }
        })
    }

    /// The bullets, each as one `T`.
    ///
    /// # Errors
    ///
    /// With its line, when something else than a bullet stands here, or a bullet is not a `T`.
    pub fn list<T: FromStr<Err: Display>>(&self) -> Result<Vec<T>, EvidenceError> {
        let one = |it: &Bullet| it.text.parse().map_err(|error| self.wrong(None, it.line, error));
        self.bullets()?.iter().map(one).collect()
    }

    /// The text of the section.
    ///
    /// # Errors
    ///
    /// When there is none, or it is too long.
    pub fn prose(&self) -> Result<Prose, EvidenceError> {
        let first = self.body.iter().find(|(_, text)| !text.is_empty());
        let line = first.map_or(self.heading.line, |(line, _)| *line);
        let texts: Vec<&str> = self.body.iter().map(|(_, text)| text.as_str()).collect();
        let text = texts.join("\n");
        Prose::new(text.trim_matches('\n')).map_err(|error| self.wrong(None, line, error))
    }

    fn read<T: FromStr<Err: Display>>(&self, key: &str, it: &Bullet) -> Result<T, EvidenceError> {
        it.text.parse().map_err(|error| self.wrong(Some(key), it.line, error))
    }
}
