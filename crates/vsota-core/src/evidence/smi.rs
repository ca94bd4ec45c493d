//! `nvidia-smi --query-gpu=… --format=csv`: the state of the GPUs before and after a run.
//!
//! Columns are found by their names; units stand in the head and in the values unless `nounits`
//! was asked for, and there is no head with `noheader`. What a GPU does not support is absent, and
//! so is what nobody asked for; a GPU that is lost is an error.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::EvidenceError;
use crate::text::Line;

/// The most bytes of a table.
const MAX_TABLE: usize = 1 << 20;

/// One GPU as its row tells it; an absent value was not asked for, or the GPU does not have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gpu {
    /// Its number.
    pub index: Option<u64>,
    /// Its name.
    pub name: Option<Line>,
    /// Its identity, which no reboot changes.
    pub uuid: Option<Line>,
    /// The driver's version.
    pub driver: Option<Line>,
    /// Its memory, in MiB.
    pub memory_total: Option<f64>,
    /// What of it is in use, in MiB.
    pub memory_used: Option<f64>,
    /// The clock of its multiprocessors, in MHz.
    pub clock_sm: Option<f64>,
    /// The clock of its memory, in MHz.
    pub clock_memory: Option<f64>,
    /// The highest clock of its multiprocessors, in MHz.
    pub clock_sm_max: Option<f64>,
    /// Its temperature, in degrees Celsius.
    pub temperature: Option<f64>,
    /// The power that it draws, in W.
    pub power: Option<f64>,
    /// The power that it may draw, in W.
    pub power_limit: Option<f64>,
    /// Its utilisation, in percent of the time.
    pub utilization: Option<f64>,
    /// Whether the driver stays loaded without a client.
    pub persistence: Option<bool>,
    /// Whether errors in its memory are corrected.
    pub ecc: Option<bool>,
    /// Whether it is split into instances.
    pub mig: Option<bool>,
    /// Its performance state, `P0` the fastest.
    pub pstate: Option<Line>,
    /// Why its clocks are where they are, one bit a reason.
    pub clock_reasons: Option<u64>,
    /// Cells that hold no value: the column, and what nvidia-smi says instead.
    pub absent: Vec<(String, String)>,
}

/// Reasons that are no throttling: idle, clocks set by an application, clocks of the display.
const HARMLESS: u64 = 0x1 | 0x2 | 0x100;

impl Gpu {
    /// Whether power, heat or a slowdown held its clocks down; absent where nobody asked.
    pub fn throttled(&self) -> Option<bool> {
        self.clock_reasons.map(|reasons| reasons & !HARMLESS != 0)
    }
}

/// Reads the table with its head.
///
/// # Errors
///
/// When it has no head that nvidia-smi writes, a row does not fit it, a value is not of its unit, a
/// GPU is lost, or the text is an error of nvidia-smi.
pub fn read(bytes: &[u8]) -> Result<Vec<Gpu>, EvidenceError> {
    let text = text(bytes)?;
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let columns: Vec<Column> = head.split(',').map(Column::of_head).collect();
    if !is_head(head) {
        return Err(EvidenceError::new("no head of an nvidia-smi table").at(1));
    }
    rows(&columns, lines.zip(2..))
}

/// Whether a line is the head of such a table: a dotted name or a unit is among its columns.
pub(super) fn is_head(head: &str) -> bool {
    let columns: Vec<Column> = head.split(',').map(Column::of_head).collect();
    let known = columns.iter().filter(|it| it.kind().is_some());
    known.count() > 0 && columns.iter().any(|it| it.unit.is_some() || it.name.contains(['.', '_']))
        || columns.iter().all(|it| it.kind().is_some())
}

/// Reads a table that was asked for with `noheader`; `query` is the list of `--query-gpu`.
///
/// # Errors
///
/// As [`read`].
pub fn read_headless(bytes: &[u8], query: &str) -> Result<Vec<Gpu>, EvidenceError> {
    let text = text(bytes)?;
    let columns: Vec<Column> = query.split(',').map(Column::of_head).collect();
    rows(&columns, text.lines().zip(1..))
}

/// A column: its canonical name, and its unit where the head has one.
struct Column {
    name: String,
    unit: Option<String>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Text,
    Count,
    Mask,
    Switch,
    /// A number in the unit that nvidia-smi prints.
    In(&'static str),
}

/// The columns that are read.
const KNOWN: &[(&str, Kind)] = &[
    ("index", Kind::Count),
    ("name", Kind::Text),
    ("uuid", Kind::Text),
    ("driver_version", Kind::Text),
    ("memory.total", Kind::In("MiB")),
    ("memory.used", Kind::In("MiB")),
    ("clocks.current.sm", Kind::In("MHz")),
    ("clocks.current.memory", Kind::In("MHz")),
    ("clocks.max.sm", Kind::In("MHz")),
    ("temperature.gpu", Kind::In("C")),
    ("power.draw", Kind::In("W")),
    ("power.limit", Kind::In("W")),
    ("utilization.gpu", Kind::In("%")),
    ("persistence_mode", Kind::Switch),
    ("ecc.mode.current", Kind::Switch),
    ("mig.mode.current", Kind::Switch),
    ("pstate", Kind::Text),
    ("clocks_event_reasons.active", Kind::Mask),
];

/// Other names of the same columns.
const ALIASES: &[(&str, &str)] = &[
    ("gpu_name", "name"),
    ("gpu_uuid", "uuid"),
    ("clocks.sm", "clocks.current.sm"),
    ("clocks.mem", "clocks.current.memory"),
    ("clocks.max.graphics", "clocks.max.gr"),
    ("clocks_throttle_reasons.active", "clocks_event_reasons.active"),
];

impl Column {
    fn of_head(head: &str) -> Self {
        let head = head.trim();
        let (name, unit) = match head.split_once(" [") {
            Some((name, unit)) => (name, Some(unit.trim_end_matches(']').to_string())),
            None => (head, None),
        };
        let alias = ALIASES.iter().find(|(other, _)| *other == name);
        Self { name: alias.map_or(name, |(_, canonical)| canonical).to_string(), unit }
    }

    fn kind(&self) -> Option<Kind> {
        KNOWN.iter().find(|(name, _)| *name == self.name).map(|(_, kind)| *kind)
    }
}

fn text(bytes: &[u8]) -> Result<&str, EvidenceError> {
    if bytes.len() > MAX_TABLE {
        let found = bytes.len();
        let message = format!("the table has {found} bytes; at most {MAX_TABLE} are read");
        return Err(EvidenceError::new(message));
    }
    let text = core::str::from_utf8(bytes).map_err(|_| EvidenceError::new("not UTF-8"))?;
    match text.trim_start_matches('\u{FEFF}').trim() {
        "" => Err(EvidenceError::new("the file is empty").at(1)),
        text => said(text).map_or(Ok(text), Err),
    }
}

/// An error of nvidia-smi, which it prints where the table should be.
fn said(text: &str) -> Option<EvidenceError> {
    let line = text.lines().next()?;
    let error = line.contains("is not a valid field to query")
        || line.starts_with("No devices were found")
        || line.starts_with("NVIDIA-SMI has failed")
        || line.starts_with("Failed to initialize NVML")
        || line.starts_with("Unable to determine the device handle");
    error.then(|| EvidenceError::new(format!("nvidia-smi says: {line}")).at(1))
}

fn rows<'a>(
    columns: &[Column],
    lines: impl Iterator<Item = (&'a str, u64)>,
) -> Result<Vec<Gpu>, EvidenceError> {
    let mut gpus = Vec::new();
    for (line, at) in lines.filter(|(line, _)| !line.trim().is_empty()) {
        gpus.push(row(columns, line).map_err(|error| error.at(at))?);
    }
    if gpus.is_empty() {
        return Err(EvidenceError::new("the table has no GPU"));
    }
    Ok(gpus)
}

fn row(columns: &[Column], line: &str) -> Result<Gpu, EvidenceError> {
    let mut cells: Vec<String> = line.split(',').map(|it| it.trim().to_string()).collect();
    let name = columns.iter().position(|it| it.name == "name");
    // Values are never quoted, and a name may hold a comma: the cells too many are its.
    while cells.len() > columns.len() {
        let Some(at) = name else { break };
        let more = cells.remove(at.saturating_add(1).min(cells.len().saturating_sub(1)));
        if let Some(cell) = cells.get_mut(at) {
            *cell = format!("{cell}, {more}");
        }
    }
    if cells.len() != columns.len() {
        let (found, expected) = (cells.len(), columns.len());
        let message = format!("{found} values under {expected} columns");
        return Err(said(line).unwrap_or_else(|| EvidenceError::new(message)));
    }
    let mut gpu = Gpu::default();
    for (column, cell) in columns.iter().zip(&cells) {
        gpu.take(column, cell).map_err(|error| error.of(&column.name))?;
    }
    Ok(gpu)
}

impl Gpu {
    fn take(&mut self, column: &Column, cell: &str) -> Result<(), EvidenceError> {
        let Some(kind) = column.kind() else { return Ok(()) };
        if cell.contains("GPU is lost") {
            return Err(EvidenceError::new("the GPU is lost"));
        }
        if matches!(cell, "" | "N/A") || (cell.starts_with('[') && cell.ends_with(']')) {
            let said = EvidenceError::new(cell).message;
            self.absent.push((column.name.clone(), said));
            return Ok(());
        }
        match kind {
            Kind::In(unit) => self.number(column, number(column, cell, unit)?),
            Kind::Text => self.text(column, Line::new(cell).map_err(EvidenceError::new)?),
            Kind::Switch => self.switch(column, switch(cell)?),
            Kind::Count => {
                let count = cell.parse();
                self.index = Some(count.map_err(|_| EvidenceError::new("a count is expected"))?);
            }
            Kind::Mask => {
                let mask = cell.strip_prefix("0x").and_then(|it| u64::from_str_radix(it, 16).ok());
                let wrong = || EvidenceError::new("a mask such as 0x0000000000000004 is expected");
                self.clock_reasons = Some(mask.ok_or_else(wrong)?);
            }
        }
        Ok(())
    }

    fn number(&mut self, column: &Column, value: f64) {
        let place = match column.name.as_str() {
            "memory.total" => &mut self.memory_total,
            "memory.used" => &mut self.memory_used,
            "clocks.current.sm" => &mut self.clock_sm,
            "clocks.current.memory" => &mut self.clock_memory,
            "clocks.max.sm" => &mut self.clock_sm_max,
            "temperature.gpu" => &mut self.temperature,
            "power.draw" => &mut self.power,
            "power.limit" => &mut self.power_limit,
            _ => &mut self.utilization,
        };
        *place = Some(value);
    }

    fn text(&mut self, column: &Column, value: Line) {
        let place = match column.name.as_str() {
            "name" => &mut self.name,
            "uuid" => &mut self.uuid,
            "driver_version" => &mut self.driver,
            _ => &mut self.pstate,
        };
        *place = Some(value);
    }

    fn switch(&mut self, column: &Column, value: bool) {
        let place = match column.name.as_str() {
            "persistence_mode" => &mut self.persistence,
            "ecc.mode.current" => &mut self.ecc,
            _ => &mut self.mig,
        };
        *place = Some(value);
    }
}

fn switch(cell: &str) -> Result<bool, EvidenceError> {
    match cell {
        "Enabled" => Ok(true),
        "Disabled" => Ok(false),
        _ => Err(EvidenceError::new("Enabled or Disabled is expected")),
    }
}

/// A number of at least zero in its unit, which the head or the value may name.
fn number(column: &Column, cell: &str, unit: &str) -> Result<f64, EvidenceError> {
    let (digits, named) = match cell.split_once(' ') {
        Some((digits, named)) => (digits, Some(named)),
        None => (cell, column.unit.as_deref()),
    };
    if named.is_some_and(|named| named != unit) {
        return Err(EvidenceError::new(format!("a value in {unit} is expected")));
    }
    match digits.parse::<f64>() {
        Ok(value) if (0.0..=f64::MAX).contains(&value) => Ok(value),
        _ => Err(EvidenceError::new("a number of at least zero is expected")),
    }
}
