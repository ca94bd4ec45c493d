//! The page `raw`: a column a metric, its units in the first row, then a row a launch.

use alloc::format;
use alloc::vec::Vec;

use super::table::{KERNEL, Row};
use super::value::{Locales, number, unit};
use super::{Metric, Report};
use crate::evidence::error::EvidenceError;

/// The columns that identify a launch.
const IDENTITY: &[&str] = &[
    "ID",
    "Process ID",
    "Process Name",
    "Host Name",
    KERNEL,
    "Kernel Time",
    "Context",
    "Stream",
    "Block Size",
    "Grid Size",
    "Device",
    "CC",
];

pub(super) fn read(head: &Row, rows: &[Row]) -> Result<Report, EvidenceError> {
    let Some((units, launches)) = rows.split_first() else { return Ok(Report::default()) };
    let (id, kernel) = (head.column("ID"), head.column(KERNEL));
    if !units.at(id).is_empty() {
        let message = "the row of units is missing below the head";
        return Err(EvidenceError::new(message).at(units.line).of("ID"));
    }
    let metrics: Vec<(usize, &str)> = head
        .cells
        .iter()
        .map(|it| it.trim())
        .enumerate()
        .filter(|(_, it)| !it.is_empty() && !IDENTITY.contains(it))
        .collect();
    let mut locales = Locales::default();
    for row in launches {
        if row.cells.len() != head.cells.len() {
            let (found, expected) = (row.cells.len(), head.cells.len());
            let message = format!("{found} cells under {expected} columns");
            return Err(EvidenceError::new(message).at(row.line).of("ID"));
        }
        for (column, _) in &metrics {
            locales.look(row.at(Some(*column)), row.line)?;
        }
    }
    let locale = locales.found();
    let mut report = Report::default();
    for row in launches {
        let launch = report.launch(row.at(id), row.at(kernel), row.line)?;
        for (column, name) in &metrics {
            let wrong = |it: EvidenceError| it.at(row.line).of(name);
            let Some(value) = number(row.at(Some(*column)), locale).map_err(wrong)? else {
                continue;
            };
            let (unit, factor) = unit(units.at(Some(*column)));
            launch.keep(name, Metric { value: value * factor, unit, line: row.line })?;
        }
    }
    Ok(report)
}
