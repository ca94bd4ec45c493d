//! Where is the table in what NCU printed, and which page is it?

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use csv_core::{ReadRecordResult, Reader};

use crate::evidence::error::EvidenceError;

/// The column of the kernel.
pub(super) const KERNEL: &str = "Kernel Name";

/// The most bytes of an export.
const LIMIT: usize = 64 << 20;

/// The most cells of a row: the raw page has a column a metric.
const CELLS: usize = 20_000;

/// What an export may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Page {
    /// A row a metric.
    Details,
    /// A row a launch.
    Raw,
}

/// A row with its line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub line: u64,
    pub cells: Vec<String>,
}

impl Row {
    /// The cell of a column; empty where the row is shorter.
    pub(super) fn at(&self, column: Option<usize>) -> &str {
        column.and_then(|it| self.cells.get(it)).map_or("", |it| it.trim())
    }

    /// The place of a column in a head.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.cells.iter().position(|it| it.trim() == name)
    }

    /// The place of a column that must be there.
    pub(super) fn needed(&self, name: &str) -> Result<usize, EvidenceError> {
        let missing = || EvidenceError::new("the column is missing").at(self.line).of(name);
        self.column(name).ok_or_else(missing)
    }
}

/// The text of the file: UTF-8, or UTF-16 as PowerShell writes what is redirected.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, EvidenceError> {
    if bytes.len() > LIMIT {
        let message = format!("the export has {} bytes; at most {LIMIT} are read", bytes.len());
        return Err(EvidenceError::new(message));
    }
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => {
            let units = rest.chunks(2).map(|it| match it {
                [low, high] => u16::from_le_bytes([*low, *high]),
                _ => 0xFFFD,
            });
            Cow::Owned(char::decode_utf16(units).map(|it| it.unwrap_or('\u{FFFD}')).collect())
        }
        // The name of a kernel or process may be in any encoding; nothing is decided by it.
        _ => String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)),
    };
    if text.trim().is_empty() {
        return Err(EvidenceError::new("the file is empty").at(1));
    }
    Ok(text)
}

/// The head and the rows below it. Lines of NCU's own and of the program stand above it.
pub(super) fn rows(text: &str) -> Result<(Row, Vec<Row>), EvidenceError> {
    let mut above = 0_u64;
    let mut rest = text;
    while !is_head(rest.lines().next().unwrap_or_default()) {
        let line = rest.lines().next().unwrap_or_default();
        above += 1;
        told(line, above)?;
        rest = rest.split_once('\n').map_or("", |it| it.1);
        if rest.is_empty() {
            let message = "no table of Nsight Compute: its page `details` or `raw` as CSV is \
                           expected";
            return Err(EvidenceError::new(message).at(1));
        }
    }
    let mut rows = records(rest, above)?.into_iter();
    let head = rows.next().ok_or_else(|| EvidenceError::new("the file is empty").at(1))?;
    let mut kept = Vec::new();
    for row in rows {
        match row.cells.first() {
            Some(first) if first.starts_with("==") => told(first, row.line)?,
            _ => kept.push(row),
        }
    }
    Ok((head, kept))
}

/// Whether a line is the head of a table of NCU's.
fn is_head(line: &str) -> bool {
    let mut names = line.split(',').map(|it| it.trim().trim_matches('"'));
    let first = names.next().unwrap_or_default();
    matches!(first, "ID" | "Process ID") && line.contains(KERNEL)
        || first == "#" && line.contains("Source")
}

/// What NCU says in a line of its own: an error ends the reading.
fn told(line: &str, at: u64) -> Result<(), EvidenceError> {
    let wrong = if line.contains("ERR_NVGPUCTRPERM") {
        "NCU may not read the performance counters (ERR_NVGPUCTRPERM)".to_string()
    } else if line.contains("No kernels were profiled") {
        "NCU profiled no kernel".to_string()
    } else if let Some(error) = line.strip_prefix("==ERROR==") {
        format!("NCU says: {}", error.trim())
    } else {
        return Ok(());
    };
    Err(EvidenceError::new(wrong).at(at))
}

fn records(text: &str, above: u64) -> Result<Vec<Row>, EvidenceError> {
    let mut reader = Reader::new();
    let mut rest = text.as_bytes();
    let mut rows = Vec::new();
    let (mut cells, mut ends) = (vec![0; 4 << 10], vec![0; 64]);
    loop {
        let line = above.saturating_add(reader.line());
        let (mut written, mut ended) = (0, 0);
        let more = loop {
            let (to, until) = (cells.get_mut(written..), ends.get_mut(ended..));
            let (to, until) = (to.unwrap_or_default(), until.unwrap_or_default());
            let (result, taken, out, marks) = reader.read_record(rest, to, until);
            rest = rest.get(taken..).unwrap_or_default();
            written += out;
            ended += marks;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => cells.resize(cells.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if ends.len() < CELLS => {
                    ends.resize(ends.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    let message = format!("a row of more than {CELLS} cells");
                    return Err(EvidenceError::new(message).at(line));
                }
                ReadRecordResult::Record => break true,
                ReadRecordResult::End => break false,
            }
        };
        if !more {
            return Ok(rows);
        }
        let mut start = 0;
        let of_row = ends.iter().take(ended).map(|end| {
            let cell = cells.get(start..*end).unwrap_or_default();
            start = *end;
            String::from_utf8_lossy(cell).into_owned()
        });
        rows.push(Row { line, cells: of_row.collect() });
    }
}

/// Which page the head is of.
pub(super) fn page(head: &Row) -> Result<Page, EvidenceError> {
    let has = |name| head.column(name).is_some();
    let other = |what: &str, field: &str| {
        let message = format!("this is {what}; the page `details` or `raw` is expected");
        Err(EvidenceError::new(message).at(head.line).of(field))
    };
    if has("Minimum") && has("Maximum") {
        return other("a summary of several launches", "Metric Value");
    }
    if head.at(Some(0)) == "#" || has("Source") && !has("Metric Name") {
        return other("the page `source`", KERNEL);
    }
    head.needed("ID")?;
    head.needed(KERNEL)?;
    if has("Metric Name") {
        head.needed("Section Name")?;
        head.needed("Metric Unit")?;
        head.needed("Metric Value")?;
        return Ok(Page::Details);
    }
    if head.cells.len() < 9 {
        return other("the page `session`, or a table without metrics", "Metric Name");
    }
    Ok(Page::Raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_above_and_below_the_head() {
        let text =
            "==PROF== Connected\nhello\n\"ID\",\"Kernel Name\"\n\"0\",\"a\nb\"\n\n\"1\",\"c\"\n";
        let (head, rows) = rows(text).unwrap();
        assert_eq!(head.line, 3);
        let found: Vec<(u64, &str)> =
            rows.iter().map(|it| (it.line, it.cells[1].as_str())).collect();
        assert_eq!(found[0], (4, "a\nb"));
        assert_eq!(found[1].1, "c");
        let wide: String = (0..3_000).map(|it| format!(",{}", "x".repeat(it % 50))).collect();
        let text = format!("ID,Kernel Name{wide}\n");
        assert_eq!(super::rows(&text).unwrap().0.cells.len(), 3_002);
    }
}
