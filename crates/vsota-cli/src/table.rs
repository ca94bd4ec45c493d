//! How does a table look in a terminal 100 columns wide?

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table as Grid};

use crate::escape;

/// A table without lines, columns two spaces apart.
#[derive(Debug)]
pub struct Table(Grid);

impl Table {
    /// A table with these heads.
    pub fn new<const N: usize>(heads: [&str; N]) -> Self {
        let mut grid = Grid::new();
        grid.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        grid.set_width(100).set_header(heads);
        Self(grid)
    }

    /// Adds a row; what could break it is escaped.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells.map(|it| escape::line(&it).into_owned()));
    }

    /// The table as lines.
    pub fn render(&self) -> String {
        self.0.lines().map(|it| format!("{}\n", it.trim_end())).collect()
    }
}
