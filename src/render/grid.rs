//! A table column by column: names at the left, numbers under one another.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, presets::NOTHING,
};

use super::columns::{aligned, width};

const RULE: TableStyle = NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));

/// A table in the making.
#[derive(Default)]
pub(super) struct Grid {
    columns: Vec<Column>,
    has_head: bool,
}

struct Column {
    head: String,
    is_name: bool,
    cells: Vec<String>,
}

impl Grid {
    /// A column of names, which may be wrapped where there is no room.
    pub(super) fn names(self, head: &str, cells: impl IntoIterator<Item = String>) -> Self {
        self.column(head, true, cells.into_iter().collect())
    }

    /// A column of numbers, which are never wrapped.
    pub(super) fn numbers(self, head: &str, cells: impl IntoIterator<Item = String>) -> Self {
        let cells: Vec<String> = cells.into_iter().collect();
        self.column(head, false, aligned(&cells))
    }

    /// Two numbers below one another in each row.
    pub(super) fn stacked(self, head: &str, cells: impl IntoIterator<Item = [String; 2]>) -> Self {
        let (upper, lower): (Vec<String>, Vec<String>) = cells.into_iter().map(|[upper, lower]| (upper, lower)).unzip();
        let both = aligned(&upper).into_iter().zip(aligned(&lower));
        let cells = both.map(|(upper, lower)| format!("{upper}\n{lower}").trim_end_matches('\n').to_owned());
        self.column(head, false, cells.collect())
    }

    /// A column of numbers that stand as they are, for where aligned ones find no room.
    pub(super) fn plain(self, head: &str, cells: impl IntoIterator<Item = String>) -> Self {
        self.column(head, false, cells.into_iter().collect())
    }

    fn column(mut self, head: &str, is_name: bool, cells: Vec<String>) -> Self {
        self.has_head |= !head.is_empty();
        self.columns.push(Column {
            head: head.to_owned(),
            is_name,
            cells,
        });
        self
    }

    /// As wide as its content.
    pub(super) fn text(&self) -> String {
        self.trimmed(&self.table())
    }

    /// No wider than so many columns, where wrapped names make it so.
    pub(super) fn text_within(&self, columns: u16) -> String {
        let text = self.text();
        if fits(&text, columns) {
            return text;
        }
        let mut table = self.table();
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(columns);
        for (column, own) in table.column_iter_mut().zip(&self.columns) {
            if !own.is_name {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        self.trimmed(&table)
    }

    /// Without blanks at the ends of lines, and with a rule no longer than the longest of them.
    fn trimmed(&self, table: &Table) -> String {
        let text = table.trim_fmt();
        let is_rule = |line: &str| self.has_head && line.starts_with('─');
        let longest = text.lines().filter(|line| !is_rule(line)).map(width).max().unwrap_or(0);
        let line = |line: &str| {
            let columns = if is_rule(line) { longest } else { usize::MAX };
            line.chars().take(columns).collect::<String>()
        };
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(if self.has_head { RULE } else { NOTHING });
        if self.has_head {
            table.set_header(self.columns.iter().map(|column| column.cell(&column.head)));
        }
        let rows = self.columns.first().map_or(0, |column| column.cells.len());
        for row in 0..rows {
            let cells = self.columns.iter();
            table.add_row(cells.map(|column| column.cell(column.cells.get(row).map_or("", String::as_str))));
        }
        table
    }
}

impl Column {
    fn cell(&self, text: &str) -> Cell {
        let cell = Cell::new(text);
        if self.is_name {
            cell
        } else {
            cell.set_alignment(CellAlignment::Right)
        }
    }
}

/// Whether no line of a text is wider.
pub(super) fn fits(text: &str, columns: u16) -> bool {
    text.lines().all(|line| width(line) <= usize::from(columns))
}

/// How wide a text is.
pub(super) fn widest(text: &str) -> usize {
    text.lines().map(width).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn wide_signs_move_no_column() {
        let grid = Grid::default()
            .names("Cell", texts(&["模型-64 @ c=4", "🙂", "plain"]))
            .numbers("ms", texts(&["1.5", "12.25", "3"]));
        let text = grid.text();
        let ends: Vec<usize> = text
            .lines()
            .skip(2)
            .map(|line| {
                let at = line.rfind('.').unwrap_or(line.len());
                width(&line[..at])
            })
            .collect();
        assert_eq!(ends[0], ends[1], "{text}");
        assert_eq!(ends[2], ends[0], "{text}");
    }

    #[test]
    fn names_are_wrapped_and_numbers_are_not() {
        let grid = Grid::default()
            .names("Cell", texts(&["a long name of many words"]))
            .numbers("Values", texts(&["11.42\u{a0}→\u{a0}12.80\u{a0}ms"]));
        assert!(fits(&grid.text_within(36), 36));
        assert!(grid.text_within(36).contains("11.42\u{a0}→\u{a0}12.80\u{a0}ms"));
        assert!(
            grid.text()
                .lines()
                .any(|line| line.contains("a long name of many words"))
        );
    }
}
