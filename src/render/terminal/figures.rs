//! The figures of each cell, with the course of its runs.

use super::Page;
use crate::render::{
    figures::{CellTable, Entry, Row},
    format::SPACE,
    grid::{Grid, fits, widest},
    spark::{Reach, spark},
};

/// Runs that differ by less than this share are no sight.
const LEAST_RATIO: f64 = 0.05;
/// Fewer signs show no course.
const FEWEST_SIGNS: usize = 4;
const MOST_SIGNS: usize = 24;
/// Between two columns of a table.
const GAP: usize = 3;

impl Page {
    /// The figures of both arms side by side.
    pub(super) fn indicators(&mut self, cell: &CellTable, arms: &[&str]) {
        self.cell_title(cell);
        let without = self.sides(cell, arms, 0);
        let signs = self.room_for_signs(&without, cell, arms.len());
        let table = match signs {
            0 => without,
            signs => self.sides(cell, arms, signs),
        };
        self.table_or_list(&table, cell);
        self.notes(cell);
    }

    /// A table for which there is no room becomes a list of sentences.
    fn table_or_list(&mut self, table: &str, cell: &CellTable) {
        if cell.rows.is_empty() {
            return;
        }
        if self.screen.is_wide || fits(table, self.screen.width) {
            return self.lines(table);
        }
        for row in &cell.rows {
            let values: Vec<&str> = row.arms.iter().map(|entry| entry.value.as_str()).collect();
            let mut text = format!("{}: {}{SPACE}{}", row.label, values.join(" → "), row.unit);
            if !row.change.is_empty() {
                text = format!("{text}, {}", row.change);
            }
            self.paragraph("   ", &text);
        }
    }

    fn sides(&self, cell: &CellTable, arms: &[&str], signs: usize) -> String {
        let rows = || cell.rows.iter();
        let mut grid = Grid::default().names("", rows().map(|row| row.label.to_owned()));
        for (at, arm) in arms.iter().enumerate() {
            let entry = move |row: &'_ Row| row.arms.get(at).map(|entry| entry.value.clone()).unwrap_or_default();
            grid = grid.numbers(arm, rows().map(entry));
            if self.screen.is_wide {
                grid = grid.numbers("smallest … largest", rows().map(|row| spread(row, at)));
            }
            if signs > 0 {
                grid = grid.names("runs", rows().map(|row| course(row, at, signs)));
            }
        }
        let grid = grid.names("", rows().map(|row| row.unit.to_owned()));
        let judged = rows().any(|row| !row.change.is_empty());
        let grid = if judged {
            grid.numbers("judged change", rows().map(|row| row.change.clone()))
        } else {
            grid
        };
        grid.text()
    }

    /// The figures of one session.
    pub(super) fn metrics(&mut self, cell: &CellTable) {
        self.text.push('\n');
        self.cell_title(cell);
        let without = self.one_side(cell, 0);
        let signs = self.room_for_signs(&without, cell, 1);
        let table = match signs {
            0 => without,
            signs => self.one_side(cell, signs),
        };
        self.table_or_list(&table, cell);
        self.notes(cell);
    }

    fn one_side(&self, cell: &CellTable, signs: usize) -> String {
        let rows = || cell.rows.iter();
        let value = |row: &Row| row.arms.first().map(|entry| entry.value.clone()).unwrap_or_default();
        let mut grid = Grid::default()
            .names("", rows().map(|row| row.label.to_owned()))
            .numbers("median", rows().map(value))
            .numbers("smallest … largest run", rows().map(|row| spread(row, 0)));
        if signs > 0 {
            grid = grid.names("runs", rows().map(|row| course(row, 0, signs)));
        }
        grid = grid.names("", rows().map(|row| row.unit.to_owned()));
        if self.screen.is_wide {
            grid = grid.names("each run", rows().map(|row| each(row, 0)));
        }
        grid.text()
    }

    /// How many signs of a course there is room for beside a table without; 0: not enough for anything to be seen.
    fn room_for_signs(&self, table: &str, cell: &CellTable, arms: usize) -> usize {
        let entries = cell.rows.iter().flat_map(|row| &row.arms);
        let runs = entries.map(|entry| entry.runs.len()).max().unwrap_or(0);
        if runs < 2 {
            return 0;
        }
        let left = usize::from(self.screen.width).saturating_sub(widest(table));
        let room = if self.screen.is_wide {
            MOST_SIGNS
        } else {
            (left / arms.max(1)).saturating_sub(GAP)
        };
        if room < FEWEST_SIGNS {
            0
        } else {
            room.min(runs).min(MOST_SIGNS)
        }
    }

    fn cell_title(&mut self, cell: &CellTable) {
        self.paragraph(" ", &format!("{} · {}", cell.name, cell.runs));
    }

    fn notes(&mut self, cell: &CellTable) {
        for note in &cell.notes {
            self.paragraph(" * ", note);
        }
    }
}

fn spread(row: &Row, arm: usize) -> String {
    row.arms.get(arm).map(|entry| entry.spread.clone()).unwrap_or_default()
}

/// The runs of one arm; both arms of a row share one reach, so that they can be compared.
fn course(row: &Row, arm: usize, signs: usize) -> String {
    let all = row.arms.iter().flat_map(|entry| entry.runs.iter().flatten().copied());
    let reach = Reach::of(all, LEAST_RATIO);
    let runs = row.arms.get(arm).map(|entry| entry.runs.as_slice());
    spark(runs.unwrap_or(&[]), reach, signs)
}

fn each(row: &Row, arm: usize) -> String {
    let text = |entry: &Entry| {
        let texts = entry
            .runs
            .iter()
            .map(|value| value.map_or_else(|| "–".to_owned(), |value| row.scale.number(value)));
        texts.collect::<Vec<_>>().join("  ")
    };
    row.arms.get(arm).map(text).unwrap_or_default()
}
