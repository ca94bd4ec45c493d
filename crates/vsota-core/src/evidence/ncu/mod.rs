//! Nsight Compute's exports as CSV, the pages `details` and `raw`: launches and their metrics (KA-3).
//!
//! ```text
//!   bytes ──► table ──► launches ──► sides ──► compared
//!            (rows,     (metrics,    (one kernel   (what the digest
//!             lines)     rules)       each)         holds)
//! ```
//!
//! A metric has one name on both pages, as far as the two names are known; its values are of one
//! unit, scaled from whatever NCU chose. What NCU could not measure is absent.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::EvidenceError;

mod compare;
mod details;
mod raw;
mod table;
mod value;

pub use compare::{Compared, Side, compare};

/// The most launches of an export: a digest looks at one kernel.
const MOST: usize = 10_000;

/// One launch of a kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Launch {
    /// The id that NCU gave it.
    pub id: String,
    /// The line of its first row.
    pub line: u64,
    /// The kernel, as NCU spells it.
    pub kernel: String,
    /// What was measured, by the metric's name.
    pub metrics: BTreeMap<String, Metric>,
}

/// What NCU measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The number, in its unit.
    pub value: f64,
    /// The unit without a scale: `us`, `byte`, `hz`, `%`; empty for a count.
    pub unit: String,
    /// The line of its row.
    pub line: u64,
}

/// What a rule of NCU's says of a launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// The rule.
    pub rule: String,
    /// What it says.
    pub text: String,
    /// The speedup that it expects, in percent; 0 where it names none.
    pub speedup: f64,
}

/// An export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Its launches, in the order of the file.
    pub launches: Vec<Launch>,
    /// What its rules advise.
    pub advice: Vec<Advice>,
}

/// Reads an export of either page.
///
/// # Errors
///
/// With line and field: when the file is another page or no export, holds an error of NCU's, no
/// launch, a row that is cut, or a number that cannot be read.
pub fn read(bytes: &[u8]) -> Result<Report, EvidenceError> {
    let text = table::text(bytes)?;
    let (head, rows) = table::rows(&text)?;
    let page = table::page(&head)?;
    let report = match page {
        table::Page::Details => details::read(&head, &rows)?,
        table::Page::Raw => raw::read(&head, &rows)?,
    };
    if report.launches.is_empty() {
        let message = "the export has a head and no launch: NCU profiled no kernel";
        return Err(EvidenceError::new(message).at(head.line));
    }
    Ok(report)
}

impl Report {
    /// The launch of that id, made when it is new.
    fn launch(&mut self, id: &str, kernel: &str, line: u64) -> Result<&mut Launch, EvidenceError> {
        // Rows of one launch follow each other.
        let known = self.launches.last().is_some_and(|it| it.id == id);
        if !known {
            if self.launches.len() >= MOST {
                let message = format!("more than {MOST} launches: export those of one kernel");
                return Err(EvidenceError::new(message).at(line).of("ID"));
            }
            if self.launches.iter().any(|it| it.id == id) {
                let message = format!("the launch {id} stands in two places");
                return Err(EvidenceError::new(message).at(line).of("ID"));
            }
            let (id, kernel) = (id.to_string(), kernel.to_string());
            self.launches.push(Launch { id, line, kernel, ..Launch::default() });
        }
        let last = self.launches.last_mut();
        let launch = last.ok_or_else(|| EvidenceError::new("no launch").at(line))?;
        if launch.kernel != kernel {
            let message = format!("the launch {id} is of another kernel above");
            return Err(EvidenceError::new(message).at(line).of(table::KERNEL));
        }
        Ok(launch)
    }
}

impl Launch {
    /// Keeps a metric; the same one in another section stays as it was first told.
    fn keep(&mut self, name: &str, cell: Metric) -> Result<(), EvidenceError> {
        if let Some(known) = self.metrics.get(name) {
            if known.unit == cell.unit {
                return Ok(());
            }
            let (unit, before, line) = (shown(&cell.unit), shown(&known.unit), cell.line);
            let message = format!("{unit} here, {before} in line {}", known.line);
            return Err(EvidenceError::new(message).at(line).of(name));
        }
        self.metrics.insert(name.to_string(), cell);
        Ok(())
    }
}

/// A unit for a message.
fn shown(unit: &str) -> String {
    if unit.is_empty() { "a count".into() } else { format!("`{unit}`") }
}
