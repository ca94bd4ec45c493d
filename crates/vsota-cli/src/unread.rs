//! How is an input told that could not be read? One object, in every answer that lists such inputs.

use serde::Serialize;
use vsota_core::evidence::EvidenceError;

use crate::failure::{Failure, Why};
use crate::output::{Style, Text};

/// An input that could not be read: where, and why.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Unreadable {
    /// The file, or the directory.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u64>,
    /// The field.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl Unreadable {
    /// What a decoder found in a file.
    pub fn found(file: &str, error: &EvidenceError) -> Self {
        let (line, field) = (error.line, error.field.clone());
        Self { file: file.to_owned(), line, field, message: error.message.clone() }
    }

    /// What kept a file, or one of its lines, from being read; the failure's own place wins.
    pub fn of(file: &str, line: Option<u64>, failure: &Failure) -> Self {
        let file = file.to_owned();
        match &failure.why {
            Why::Fault(fault) => Self {
                file: fault.file.clone().unwrap_or(file),
                line: fault.line.or(line),
                field: fault.field.clone(),
                message: fault.message.clone(),
            },
            Why::Refused(_) => Self { file, line, field: None, message: "refused".to_owned() },
        }
    }

    /// Tells it to a person.
    pub fn tell(&self, text: &mut Text) {
        let line = self.line.map_or(String::new(), |line| format!(":{line}"));
        text.push(Style::Bad, "unreadable  ").plain(format!("{}{line}  ", self.file));
        if let Some(field) = &self.field {
            text.plain(format!("{field}: "));
        }
        text.line(&self.message);
    }
}
