//! The page `details`: a row a metric, a row a rule.

use alloc::format;
use alloc::string::ToString;

use super::compare::canonical;
use super::table::{KERNEL, Row};
use super::value::{Locales, number, unit};
use super::{Advice, Metric, Report};
use crate::evidence::error::EvidenceError;

/// Where the columns are.
struct Columns {
    id: Option<usize>,
    kernel: Option<usize>,
    section: Option<usize>,
    label: Option<usize>,
    name: Option<usize>,
    unit: Option<usize>,
    value: Option<usize>,
    rule: Option<usize>,
    text: Option<usize>,
    speedup: Option<usize>,
    /// The cells of a row of a metric, and of a rule.
    least: usize,
    most: usize,
}

impl Columns {
    fn of(head: &Row) -> Result<Self, EvidenceError> {
        Ok(Self {
            id: head.column("ID"),
            kernel: head.column(KERNEL),
            section: head.column("Section Name"),
            label: head.column("Body Item Label"),
            name: head.column("Metric Name"),
            unit: head.column("Metric Unit"),
            value: head.column("Metric Value"),
            rule: head.column("Rule Name"),
            text: head.column("Rule Description"),
            speedup: head.column("Estimated Speedup"),
            least: head.needed("Metric Value")?.saturating_add(1),
            most: head.cells.len(),
        })
    }

    /// A row of a metric ends behind its value, with a comma or without; a row of a rule is whole.
    fn whole(&self, row: &Row) -> Result<(), EvidenceError> {
        let (found, id) = (row.cells.len(), row.at(self.id));
        let message = if id.is_empty() || !id.bytes().all(|it| it.is_ascii_digit()) {
            format!("`{id}` is no id of a launch: this is no row of the table")
        } else if found == self.most || (self.least..=self.least + 1).contains(&found) {
            return Ok(());
        } else {
            format!("{found} cells; {} or {} are expected", self.least, self.most)
        };
        Err(EvidenceError::new(message).at(row.line).of("ID"))
    }
}

pub(super) fn read(head: &Row, rows: &[Row]) -> Result<Report, EvidenceError> {
    let columns = Columns::of(head)?;
    let mut locales = Locales::default();
    for row in rows {
        columns.whole(row)?;
        locales.look(row.at(columns.value), row.line)?;
    }
    let locale = locales.found();
    let mut report = Report::default();
    for row in rows {
        let launch = report.launch(row.at(columns.id), row.at(columns.kernel), row.line)?;
        let (section, name) = (row.at(columns.section), row.at(columns.name));
        // Points of a chart repeat metrics under a label of their own.
        if !name.is_empty() && row.at(columns.label).is_empty() {
            let wrong = |it: EvidenceError| it.at(row.line).of(name);
            if let Some(value) = number(row.at(columns.value), locale).map_err(wrong)? {
                let (unit, factor) = unit(row.at(columns.unit));
                let cell = Metric { value: value * factor, unit, line: row.line };
                launch.keep(&canonical(section, name), cell)?;
            }
        }
        let rule = row.at(columns.rule);
        if !rule.is_empty() {
            let speedup = number(row.at(columns.speedup), locale).ok().flatten().unwrap_or(0.0);
            let text = row.at(columns.text).to_string();
            report.advice.push(Advice { rule: rule.to_string(), text, speedup });
        }
    }
    Ok(report)
}
